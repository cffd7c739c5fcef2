#ifndef EMU_CUBLAS_BLAS_H
#define EMU_CUBLAS_BLAS_H

/* CUDA's declarations decide what is visible outside; everything else is hidden. */
#pragma GCC visibility push(default)
#include <cublas_api.h>
#pragma GCC visibility pop

#include "../runtime/table.h"

/* The emulated cuBLAS. A call is checked, copied and queued on the handle's stream; when its turn comes it
 * reads its operands from device memory through the core's checks, computes, and writes the result back the
 * same way. Matrices are column-major. Nothing is kept of alpha and beta in host memory; in device memory
 * they are read in turn. */

#define EMU_EXPORT __attribute__((visibility("default")))

struct cublasContext {
  cudaStream_t stream;
  cublasPointerMode_t pointer_mode;
  cublasAtomicsMode_t atomics;
  cublasMath_t math;
  int device, multiprocessors;
};

/* The part of a matrix that a call reads or writes. */
enum emu_part { EMU_PART_FULL, EMU_PART_LOWER, EMU_PART_UPPER };

/* A matrix as it is stored, or a vector; several of them in a batch. */
struct emu_operand {
  uint64_t address; /* of the first element, or of an array of pointers in device memory */
  cudaDataType_t type;
  int64_t rows, cols, ld;
  long long stride; /* elements from one of the batch to the next */
  bool pointers;
  bool reversed; /* a vector with a negative increment */
  enum emu_part part;
};

struct emu_scalar {
  bool on_device;
  cudaDataType_t type;
  uint64_t address;
  double value;
};

struct emu_blas_run {
  const struct emu_operation *operation;
  enum emu_status status;
  struct emu_error error;
};

/* What a call was asked to do; copied into the queue. */
struct emu_blas_call {
  const char *name;
  void (*run)(struct emu_blas_run *run, const struct emu_blas_call *call);
  struct emu_operand a, b, c;
  struct emu_scalar alpha, beta;
  int64_t m, n, k, batch;
  cublasOperation_t op_a, op_b;
  cublasSideMode_t side;
  cublasFillMode_t fill;
  cublasDiagType_t diag;
  cublasComputeType_t compute;
  cublasMath_t math;
  void *result; /* of a reduction: where the pointer mode says */
  cudaDataType_t result_type;
  bool result_on_host;
};

/* ---- Around a call ---- */

/* Takes the runtime's lock and checks the handle; a failure has been given back already. */
cublasStatus_t emu_blas_begin(cublasHandle_t handle, const char *name);
cublasStatus_t emu_blas_end(cublasStatus_t status);
/* Queues the call, waits for it if its result goes to the host. */
cublasStatus_t emu_blas_issue(cublasHandle_t handle, const struct emu_blas_call *call);
/* One line, and the status that goes with it. */
cublasStatus_t emu_blas_refuse(cublasStatus_t status, const char *name, const char *what);
const struct emu_runtime_table *emu_runtime(void);

/* ---- Operands ---- */

size_t emu_type_size(cudaDataType_t type); /* 0: a type that is not supported */
struct emu_operand emu_matrix(const void *address, cudaDataType_t type, int64_t rows, int64_t cols,
                              int64_t ld);
struct emu_operand emu_vector(const void *address, cudaDataType_t type, int64_t n, int64_t increment);
struct emu_scalar emu_scalar_of(cublasHandle_t handle, const void *pointer, cudaDataType_t type);
/* Whether a matrix's leading dimension covers its rows. */
bool emu_fits(const struct emu_operand *operand);

/* ---- While it runs ---- */

double emu_scalar_get(struct emu_blas_run *run, const struct emu_scalar *scalar);
/* The elements of one operand of the batch, columns without gaps; allocated, NULL once the run has failed.
 * What is not of the operand's part is 0. */
double *emu_load(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index);
float *emu_load_float(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index);
void emu_store(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index,
               const double *values);
void emu_store_float(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index,
                     const float *values);
void emu_result(struct emu_blas_run *run, const struct emu_blas_call *call, double value);

/* ---- Numbers ---- */

void emu_widen(const void *from, cudaDataType_t type, int64_t n, double *to);
void emu_widen_float(const void *from, cudaDataType_t type, int64_t n, float *to);
void emu_narrow(const double *from, int64_t n, cudaDataType_t type, void *to);
void emu_narrow_float(const float *from, int64_t n, cudaDataType_t type, void *to);

/* ---- Products, shared by the typed forms ---- */

struct emu_gemm_request {
  const char *name;
  cublasOperation_t op_a, op_b;
  int64_t m, n, k;
  const void *alpha, *a;
  cudaDataType_t a_type;
  int64_t lda;
  long long stride_a;
  const void *b;
  cudaDataType_t b_type;
  int64_t ldb;
  long long stride_b;
  const void *beta;
  const void *c; /* written */
  cudaDataType_t c_type;
  int64_t ldc;
  long long stride_c;
  int64_t batch;
  bool pointers;
  cublasComputeType_t compute;
};
cublasStatus_t emu_gemm(cublasHandle_t handle, const struct emu_gemm_request *request);

#endif
