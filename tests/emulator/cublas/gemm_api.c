#include "blas.h"

/* Only C++ has a type for these 16 bits. */
typedef struct {
  uint16_t bits;
} half;

/* The exported forms of the product: by type, by how a batch is given, with 32-bit and 64-bit sizes. */

static cublasComputeType_t compute_of(cudaDataType_t type) {
  return type == CUDA_R_64F   ? CUBLAS_COMPUTE_64F
         : type == CUDA_R_16F ? CUBLAS_COMPUTE_16F
                              : CUBLAS_COMPUTE_32F;
}

static cublasStatus_t typed(cublasHandle_t handle, struct emu_gemm_request r, cudaDataType_t type) {
  r.a_type = r.b_type = r.c_type = type;
  r.compute = compute_of(type);
  return emu_gemm(handle, &r);
}

#define ONE(NAME, T, TYPE, INT)                                                                              \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const T *alpha, const T *A, INT lda, const T *B,       \
                                 INT ldb, const T *beta, T *C, INT ldc) {                                    \
    return typed(handle,                                                                                     \
                 (struct emu_gemm_request){.name = #NAME,                                                    \
                                           .op_a = transa,                                                   \
                                           .op_b = transb,                                                   \
                                           .m = m,                                                           \
                                           .n = n,                                                           \
                                           .k = k,                                                           \
                                           .alpha = alpha,                                                   \
                                           .a = A,                                                           \
                                           .lda = lda,                                                       \
                                           .b = B,                                                           \
                                           .ldb = ldb,                                                       \
                                           .beta = beta,                                                     \
                                           .c = C,                                                           \
                                           .ldc = ldc,                                                       \
                                           .batch = 1},                                                      \
                 TYPE);                                                                                      \
  }

#define BATCHED(NAME, T, TYPE, INT)                                                                          \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const T *alpha, const T *const A[], INT lda,           \
                                 const T *const B[], INT ldb, const T *beta, T *const C[], INT ldc,          \
                                 INT batchCount) {                                                           \
    return typed(handle,                                                                                     \
                 (struct emu_gemm_request){.name = #NAME,                                                    \
                                           .op_a = transa,                                                   \
                                           .op_b = transb,                                                   \
                                           .m = m,                                                           \
                                           .n = n,                                                           \
                                           .k = k,                                                           \
                                           .alpha = alpha,                                                   \
                                           .a = A,                                                           \
                                           .lda = lda,                                                       \
                                           .b = B,                                                           \
                                           .ldb = ldb,                                                       \
                                           .beta = beta,                                                     \
                                           .c = C,                                                           \
                                           .ldc = ldc,                                                       \
                                           .batch = batchCount,                                              \
                                           .pointers = true},                                                \
                 TYPE);                                                                                      \
  }

#define STRIDED(NAME, T, TYPE, INT)                                                                          \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const T *alpha, const T *A, INT lda,                   \
                                 long long int strideA, const T *B, INT ldb, long long int strideB,          \
                                 const T *beta, T *C, INT ldc, long long int strideC, INT batchCount) {      \
    return typed(handle,                                                                                     \
                 (struct emu_gemm_request){.name = #NAME,                                                    \
                                           .op_a = transa,                                                   \
                                           .op_b = transb,                                                   \
                                           .m = m,                                                           \
                                           .n = n,                                                           \
                                           .k = k,                                                           \
                                           .alpha = alpha,                                                   \
                                           .a = A,                                                           \
                                           .lda = lda,                                                       \
                                           .stride_a = strideA,                                              \
                                           .b = B,                                                           \
                                           .ldb = ldb,                                                       \
                                           .stride_b = strideB,                                              \
                                           .beta = beta,                                                     \
                                           .c = C,                                                           \
                                           .ldc = ldc,                                                       \
                                           .stride_c = strideC,                                              \
                                           .batch = batchCount},                                             \
                 TYPE);                                                                                      \
  }

ONE(cublasSgemm_v2, float, CUDA_R_32F, int)
ONE(cublasSgemm_v2_64, float, CUDA_R_32F, int64_t)
ONE(cublasDgemm_v2, double, CUDA_R_64F, int)
ONE(cublasDgemm_v2_64, double, CUDA_R_64F, int64_t)
ONE(cublasHgemm, half, CUDA_R_16F, int)
ONE(cublasHgemm_64, half, CUDA_R_16F, int64_t)
BATCHED(cublasSgemmBatched, float, CUDA_R_32F, int)
BATCHED(cublasSgemmBatched_64, float, CUDA_R_32F, int64_t)
BATCHED(cublasDgemmBatched, double, CUDA_R_64F, int)
BATCHED(cublasDgemmBatched_64, double, CUDA_R_64F, int64_t)
BATCHED(cublasHgemmBatched, half, CUDA_R_16F, int)
BATCHED(cublasHgemmBatched_64, half, CUDA_R_16F, int64_t)
STRIDED(cublasSgemmStridedBatched, float, CUDA_R_32F, int)
STRIDED(cublasSgemmStridedBatched_64, float, CUDA_R_32F, int64_t)
STRIDED(cublasDgemmStridedBatched, double, CUDA_R_64F, int)
STRIDED(cublasDgemmStridedBatched_64, double, CUDA_R_64F, int64_t)
STRIDED(cublasHgemmStridedBatched, half, CUDA_R_16F, int)
STRIDED(cublasHgemmStridedBatched_64, half, CUDA_R_16F, int64_t)

/* ---- Any types ---- */

#define SINGLE_EX(NAME, INT)                                                                                 \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const float *alpha, const void *A, cudaDataType Atype, \
                                 INT lda, const void *B, cudaDataType Btype, INT ldb, const float *beta,     \
                                 void *C, cudaDataType Ctype, INT ldc) {                                     \
    const struct emu_gemm_request r = {.name = #NAME,                                                        \
                                       .op_a = transa,                                                       \
                                       .op_b = transb,                                                       \
                                       .m = m,                                                               \
                                       .n = n,                                                               \
                                       .k = k,                                                               \
                                       .alpha = alpha,                                                       \
                                       .a = A,                                                               \
                                       .a_type = Atype,                                                      \
                                       .lda = lda,                                                           \
                                       .b = B,                                                               \
                                       .b_type = Btype,                                                      \
                                       .ldb = ldb,                                                           \
                                       .beta = beta,                                                         \
                                       .c = C,                                                               \
                                       .c_type = Ctype,                                                      \
                                       .ldc = ldc,                                                           \
                                       .batch = 1,                                                           \
                                       .compute = CUBLAS_COMPUTE_32F};                                       \
    return emu_gemm(handle, &r);                                                                             \
  }
SINGLE_EX(cublasSgemmEx, int)
SINGLE_EX(cublasSgemmEx_64, int64_t)

#define EX(NAME, INT)                                                                                        \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const void *alpha, const void *A, cudaDataType Atype,  \
                                 INT lda, const void *B, cudaDataType Btype, INT ldb, const void *beta,      \
                                 void *C, cudaDataType Ctype, INT ldc, cublasComputeType_t computeType,      \
                                 cublasGemmAlgo_t algo) {                                                    \
    (void)algo; /* every algorithm is the same one here */                                                   \
    const struct emu_gemm_request r = {.name = #NAME,                                                        \
                                       .op_a = transa,                                                       \
                                       .op_b = transb,                                                       \
                                       .m = m,                                                               \
                                       .n = n,                                                               \
                                       .k = k,                                                               \
                                       .alpha = alpha,                                                       \
                                       .a = A,                                                               \
                                       .a_type = Atype,                                                      \
                                       .lda = lda,                                                           \
                                       .b = B,                                                               \
                                       .b_type = Btype,                                                      \
                                       .ldb = ldb,                                                           \
                                       .beta = beta,                                                         \
                                       .c = C,                                                               \
                                       .c_type = Ctype,                                                      \
                                       .ldc = ldc,                                                           \
                                       .batch = 1,                                                           \
                                       .compute = computeType};                                              \
    return emu_gemm(handle, &r);                                                                             \
  }
EX(cublasGemmEx, int)
EX(cublasGemmEx_64, int64_t)

#define BATCHED_EX(NAME, INT)                                                                                \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const void *alpha, const void *const A[],              \
                                 cudaDataType Atype, INT lda, const void *const B[], cudaDataType Btype,     \
                                 INT ldb, const void *beta, void *const C[], cudaDataType Ctype, INT ldc,    \
                                 INT batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t algo) {   \
    (void)algo;                                                                                              \
    const struct emu_gemm_request r = {.name = #NAME,                                                        \
                                       .op_a = transa,                                                       \
                                       .op_b = transb,                                                       \
                                       .m = m,                                                               \
                                       .n = n,                                                               \
                                       .k = k,                                                               \
                                       .alpha = alpha,                                                       \
                                       .a = A,                                                               \
                                       .a_type = Atype,                                                      \
                                       .lda = lda,                                                           \
                                       .b = B,                                                               \
                                       .b_type = Btype,                                                      \
                                       .ldb = ldb,                                                           \
                                       .beta = beta,                                                         \
                                       .c = C,                                                               \
                                       .c_type = Ctype,                                                      \
                                       .ldc = ldc,                                                           \
                                       .batch = batchCount,                                                  \
                                       .pointers = true,                                                     \
                                       .compute = computeType};                                              \
    return emu_gemm(handle, &r);                                                                             \
  }
BATCHED_EX(cublasGemmBatchedEx, int)
BATCHED_EX(cublasGemmBatchedEx_64, int64_t)

#define STRIDED_EX(NAME, INT)                                                                                \
  EMU_EXPORT cublasStatus_t NAME(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,  \
                                 INT m, INT n, INT k, const void *alpha, const void *A, cudaDataType Atype,  \
                                 INT lda, long long int strideA, const void *B, cudaDataType Btype, INT ldb, \
                                 long long int strideB, const void *beta, void *C, cudaDataType Ctype,       \
                                 INT ldc, long long int strideC, INT batchCount,                             \
                                 cublasComputeType_t computeType, cublasGemmAlgo_t algo) {                   \
    (void)algo;                                                                                              \
    const struct emu_gemm_request r = {.name = #NAME,                                                        \
                                       .op_a = transa,                                                       \
                                       .op_b = transb,                                                       \
                                       .m = m,                                                               \
                                       .n = n,                                                               \
                                       .k = k,                                                               \
                                       .alpha = alpha,                                                       \
                                       .a = A,                                                               \
                                       .a_type = Atype,                                                      \
                                       .lda = lda,                                                           \
                                       .stride_a = strideA,                                                  \
                                       .b = B,                                                               \
                                       .b_type = Btype,                                                      \
                                       .ldb = ldb,                                                           \
                                       .stride_b = strideB,                                                  \
                                       .beta = beta,                                                         \
                                       .c = C,                                                               \
                                       .c_type = Ctype,                                                      \
                                       .ldc = ldc,                                                           \
                                       .stride_c = strideC,                                                  \
                                       .batch = batchCount,                                                  \
                                       .compute = computeType};                                              \
    return emu_gemm(handle, &r);                                                                             \
  }
STRIDED_EX(cublasGemmStridedBatchedEx, int)
STRIDED_EX(cublasGemmStridedBatchedEx_64, int64_t)
