#include "blas.h"

#include "../interpreter/small_float.h"

#include <stdlib.h>
#include <string.h>

/* C = alpha op(A) op(B) + beta C. Sums are taken in the compute type, in the order of k. */

static bool rounds_to(const struct emu_blas_call *call, enum emu_float_format *format) {
  bool single = call->a.type == CUDA_R_32F && call->b.type == CUDA_R_32F;
  *format = EMU_FORMAT_TF32;
  if (!single)
    return false;
  switch (call->compute) {
  case CUBLAS_COMPUTE_32F_FAST_16F:
    *format = EMU_FORMAT_F16;
    return true;
  case CUBLAS_COMPUTE_32F_FAST_16BF:
    *format = EMU_FORMAT_BF16;
    return true;
  case CUBLAS_COMPUTE_32F_FAST_TF32:
    return true;
  case CUBLAS_COMPUTE_32F:
    return (call->math & 0xf) == CUBLAS_TF32_TENSOR_OP_MATH;
  default:
    return false;
  }
}

/* op(X) as rows x cols, columns side by side. Takes the values over. */
#define TRANSPOSED(NAME, TYPE)                                                                               \
  static TYPE *NAME(struct emu_blas_run *run, TYPE *values, cublasOperation_t op, int64_t rows,              \
                    int64_t cols) {                                                                          \
    if (!values || op == CUBLAS_OP_N)                                                                        \
      return values;                                                                                         \
    TYPE *out = calloc((size_t)(rows * cols) + 1, sizeof *out);                                              \
    if (!out)                                                                                                \
      run->status = EMU_ERROR_HOST_MEMORY;                                                                   \
    for (int64_t j = 0; out && j < cols; j++)                                                                \
      for (int64_t i = 0; i < rows; i++)                                                                     \
        out[j * rows + i] = values[i * cols + j];                                                            \
    free(values);                                                                                            \
    return out;                                                                                              \
  }
TRANSPOSED(transposed, double)
TRANSPOSED(transposed_float, float)

/* out[m,n] = a[m,k] b[k,n]: column by column, so that the inner loop runs along memory. */
#define PRODUCT(NAME, TYPE)                                                                                  \
  static void NAME(TYPE *restrict out, const TYPE *restrict a, const TYPE *restrict b, int64_t m, int64_t n, \
                   int64_t k) {                                                                              \
    memset(out, 0, (size_t)(m * n) * sizeof *out);                                                           \
    for (int64_t j = 0; j < n; j++)                                                                          \
      for (int64_t p = 0; p < k; p++) {                                                                      \
        TYPE factor = b[j * k + p];                                                                          \
        for (int64_t i = 0; i < m; i++)                                                                      \
          out[j * m + i] += a[p * m + i] * factor;                                                           \
      }                                                                                                      \
  }
PRODUCT(product, double)
PRODUCT(product_float, float)

static void round_all(float *values, int64_t n, enum emu_float_format format) {
  for (int64_t i = 0; i < n; i++) {
    /* Tensor cores take tf32 rounded to nearest, ties away from zero. */
    enum emu_rounding rounding = format == EMU_FORMAT_TF32 ? EMU_ROUND_NEAREST_AWAY : EMU_ROUND_NEAREST_EVEN;
    values[i] = (float)emu_float_decode(format, emu_float_encode(format, values[i], rounding, 0));
  }
}

static void run_single(struct emu_blas_run *run, const struct emu_blas_call *c, int64_t index, float alpha,
                       float beta) {
  float *a = transposed_float(run, emu_load_float(run, &c->a, index), c->op_a, c->m, c->k);
  float *b = transposed_float(run, emu_load_float(run, &c->b, index), c->op_b, c->k, c->n);
  float *old = beta != 0 ? emu_load_float(run, &c->c, index) : NULL;
  float *out = run->status == EMU_OK ? malloc((size_t)(c->m * c->n) * sizeof *out) : NULL;
  enum emu_float_format format;
  if (out) {
    if (rounds_to(c, &format)) {
      round_all(a, c->m * c->k, format);
      round_all(b, c->k * c->n, format);
    }
    product_float(out, a, b, c->m, c->n, c->k);
    for (int64_t i = 0; i < c->m * c->n; i++)
      out[i] = old ? alpha * out[i] + beta * old[i] : alpha * out[i];
    emu_store_float(run, &c->c, index, out);
  } else if (run->status == EMU_OK) {
    run->status = EMU_ERROR_HOST_MEMORY;
  }
  free(a), free(b), free(old), free(out);
}

static void run_double(struct emu_blas_run *run, const struct emu_blas_call *c, int64_t index, double alpha,
                       double beta) {
  double *a = transposed(run, emu_load(run, &c->a, index), c->op_a, c->m, c->k);
  double *b = transposed(run, emu_load(run, &c->b, index), c->op_b, c->k, c->n);
  double *old = beta != 0 ? emu_load(run, &c->c, index) : NULL;
  double *out = run->status == EMU_OK ? malloc((size_t)(c->m * c->n) * sizeof *out) : NULL;
  if (out) {
    product(out, a, b, c->m, c->n, c->k);
    for (int64_t i = 0; i < c->m * c->n; i++)
      out[i] = old ? alpha * out[i] + beta * old[i] : alpha * out[i];
    emu_store(run, &c->c, index, out);
  } else if (run->status == EMU_OK) {
    run->status = EMU_ERROR_HOST_MEMORY;
  }
  free(a), free(b), free(old), free(out);
}

/* Without a product (k = 0 or alpha = 0) A and B are not read; without beta, C is not. */
static void run_gemm(struct emu_blas_run *run, const struct emu_blas_call *call) {
  struct emu_blas_call c = *call;
  double alpha = emu_scalar_get(run, &c.alpha), beta = emu_scalar_get(run, &c.beta);
  bool wide = c.c.type == CUDA_R_64F || c.c.type == CUDA_R_32I;
  if (alpha == 0) {
    c.k = 0;
    c.a.rows = c.b.rows = 0;
  }
  for (int64_t i = 0; i < c.batch && run->status == EMU_OK; i++) {
    if (wide)
      run_double(run, &c, i, alpha, beta);
    else
      run_single(run, &c, i, (float)alpha, (float)beta);
  }
}

/* The types that a compute type goes with; false for those that cuBLAS has no product for. */
static bool types_go(const struct emu_gemm_request *r, cudaDataType_t *scalar) {
  bool same = r->a_type == r->b_type;
  cudaDataType_t in = r->a_type, out = r->c_type;
  switch (r->compute) {
  case CUBLAS_COMPUTE_16F:
  case CUBLAS_COMPUTE_16F_PEDANTIC:
    *scalar = CUDA_R_16F;
    return same && in == CUDA_R_16F && out == CUDA_R_16F;
  case CUBLAS_COMPUTE_32I:
  case CUBLAS_COMPUTE_32I_PEDANTIC:
    *scalar = CUDA_R_32I;
    return same && in == CUDA_R_8I && out == CUDA_R_32I;
  case CUBLAS_COMPUTE_64F:
  case CUBLAS_COMPUTE_64F_PEDANTIC:
  case CUBLAS_COMPUTE_64F_EMULATED_FIXEDPOINT:
    *scalar = CUDA_R_64F;
    return same && in == CUDA_R_64F && out == CUDA_R_64F;
  case CUBLAS_COMPUTE_32F:
  case CUBLAS_COMPUTE_32F_PEDANTIC:
    *scalar = CUDA_R_32F;
    return same && ((in == CUDA_R_16F || in == CUDA_R_16BF) ? out == in || out == CUDA_R_32F
                    : in == CUDA_R_32F || in == CUDA_R_8I   ? out == CUDA_R_32F
                                                            : false);
  case CUBLAS_COMPUTE_32F_FAST_16F:
  case CUBLAS_COMPUTE_32F_FAST_16BF:
  case CUBLAS_COMPUTE_32F_FAST_TF32:
  case CUBLAS_COMPUTE_32F_EMULATED_16BFX9:
    *scalar = CUDA_R_32F;
    return same && in == CUDA_R_32F && out == CUDA_R_32F;
  default:
    return false;
  }
}

static struct emu_operand operand(const void *address, cudaDataType_t type, cublasOperation_t op,
                                  int64_t rows, int64_t cols, int64_t ld, long long stride, bool pointers) {
  bool plain = op == CUBLAS_OP_N;
  struct emu_operand out = emu_matrix(address, type, plain ? rows : cols, plain ? cols : rows, ld);
  out.stride = stride;
  out.pointers = pointers;
  return out;
}

static bool overlaps(const struct emu_operand *out, const struct emu_operand *in) {
  uint64_t out_end =
      out->address + (uint64_t)((out->cols - 1) * out->ld + out->rows) * emu_type_size(out->type);
  uint64_t in_end = in->address + (uint64_t)((in->cols - 1) * in->ld + in->rows) * emu_type_size(in->type);
  return in->rows > 0 && in->cols > 0 && out->address < in_end && in->address < out_end;
}

static cublasStatus_t check_and_issue(cublasHandle_t handle, const struct emu_gemm_request *r) {
  struct emu_blas_call call = {.name = r->name,
                               .run = run_gemm,
                               .m = r->m,
                               .n = r->n,
                               .k = r->k,
                               .batch = r->batch,
                               .op_a = r->op_a,
                               .op_b = r->op_b,
                               .compute = r->compute,
                               .math = handle->math};
  cudaDataType_t scalar = CUDA_R_32F;
  if ((unsigned)r->op_a > CUBLAS_OP_C || (unsigned)r->op_b > CUBLAS_OP_C)
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, r->name, "no such operation on a matrix");
  if (r->m < 0 || r->n < 0 || r->k < 0 || r->batch < 0)
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, r->name, "a size below 0");
  if (!types_go(r, &scalar))
    return emu_blas_refuse(CUBLAS_STATUS_NOT_SUPPORTED, r->name,
                           "these types do not go with this compute type");
  call.a = operand(r->a, r->a_type, r->op_a, r->m, r->k, r->lda, r->stride_a, r->pointers);
  call.b = operand(r->b, r->b_type, r->op_b, r->k, r->n, r->ldb, r->stride_b, r->pointers);
  call.c = operand(r->c, r->c_type, CUBLAS_OP_N, r->m, r->n, r->ldc, r->stride_c, r->pointers);
  if (!emu_fits(&call.a) || !emu_fits(&call.b) || !emu_fits(&call.c))
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, r->name,
                           "a leading dimension below the number of rows");
  if (!r->m || !r->n || !r->batch)
    return CUBLAS_STATUS_SUCCESS;
  if (!r->alpha || !r->beta || !r->c || (r->k && (!r->a || !r->b)))
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, r->name, "a null pointer");
  if (!r->pointers && r->k && (overlaps(&call.c, &call.a) || overlaps(&call.c, &call.b)))
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, r->name,
                           "C overlaps A or B, which leaves C undefined");
  call.alpha = emu_scalar_of(handle, r->alpha, scalar);
  call.beta = emu_scalar_of(handle, r->beta, scalar);
  return emu_blas_issue(handle, &call);
}

cublasStatus_t emu_gemm(cublasHandle_t handle, const struct emu_gemm_request *request) {
  cublasStatus_t status = emu_blas_begin(handle, request->name);
  return status == CUBLAS_STATUS_SUCCESS ? emu_blas_end(check_and_issue(handle, request)) : status;
}
