/* cuBLAS is loaded when a shape first needs it: the module does not link it, and a process that never
 * multiplies large matrices never pays for its start. */
#include "backends/cuda/cuda.h"

#include "error.h"

#include <cublas_v2.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

struct cuda_blas {
  cublasHandle_t handle;
};

static struct {
  void *library;
  cublasStatus_t (*create)(cublasHandle_t *);
  cublasStatus_t (*destroy)(cublasHandle_t);
  cublasStatus_t (*set_stream)(cublasHandle_t, cudaStream_t);
  cublasStatus_t (*set_workspace)(cublasHandle_t, void *, size_t);
  cublasStatus_t (*sgemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const float *,
                          const float *, int, const float *, int, const float *, float *, int);
  cublasStatus_t (*sgemm_batched)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                                  const float *, const float *, int, long long, const float *, int, long long,
                                  const float *, float *, int, long long, int);
  /* with factors rounded: for tf32 and bf16 */
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void *,
                         const void *, cudaDataType, int, const void *, cudaDataType, int, const void *,
                         void *, cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);
  cublasStatus_t (*gemm_batched)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                                 const void *, const void *, cudaDataType, int, long long, const void *,
                                 cudaDataType, int, long long, const void *, void *, cudaDataType, int,
                                 long long, int, cublasComputeType_t, cublasGemmAlgo_t);
} blas;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void blas_load(void) {
  void *library = dlopen("libcublas.so.13", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return;
  *(void **)&blas.create = dlsym(library, "cublasCreate_v2");
  *(void **)&blas.destroy = dlsym(library, "cublasDestroy_v2");
  *(void **)&blas.set_stream = dlsym(library, "cublasSetStream_v2");
  *(void **)&blas.set_workspace = dlsym(library, "cublasSetWorkspace_v2");
  *(void **)&blas.sgemm = dlsym(library, "cublasSgemm_v2");
  *(void **)&blas.sgemm_batched = dlsym(library, "cublasSgemmStridedBatched");
  *(void **)&blas.gemm = dlsym(library, "cublasGemmEx");
  *(void **)&blas.gemm_batched = dlsym(library, "cublasGemmStridedBatchedEx");
  if (blas.create && blas.destroy && blas.set_stream && blas.set_workspace && blas.sgemm &&
      blas.sgemm_batched && blas.gemm && blas.gemm_batched)
    blas.library = library;
}

static cuseq_status blas_result(cublasStatus_t status, const char *call) {
  return status == CUBLAS_STATUS_SUCCESS
             ? CUSEQ_STATUS_OK
             : error_set(CUSEQ_STATUS_DEVICE_FAILED, "cuda: %s failed (status %d)", call, (int)status);
}

cuseq_status cuda_blas_open(struct cuda_session *session) {
  pthread_once(&once, blas_load);
  if (!blas.library)
    return error_set(CUSEQ_STATUS_NO_DEVICE,
                     "cuda: this model needs cuBLAS, and libcublas.so.13 cannot be loaded");
  session->blas = calloc(1, sizeof *session->blas);
  if (!session->blas)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  TRY(blas_result(blas.create(&session->blas->handle), "cublasCreate"));
  return cuda_blas_stream(session, session->stream);
}

/* Setting the stream takes the workspace away, so that it is set again. */
cuseq_status cuda_blas_stream(struct cuda_session *session, cudaStream_t stream) {
  if (!session->blas)
    return CUSEQ_STATUS_OK;
  TRY(blas_result(blas.set_stream(session->blas->handle, stream), "cublasSetStream"));
  if (!session->d_blas_workspace)
    return CUSEQ_STATUS_OK;
  return blas_result(blas.set_workspace(session->blas->handle, session->d_blas_workspace,
                                        cuda_blas_workspace_bytes(&session->device)),
                     "cublasSetWorkspace");
}

/* What cuBLAS's manual recommends. */
size_t cuda_blas_workspace_bytes(const struct launch_device *device) {
  return (size_t)(device->architecture >= 90 ? 32 : 4) << 20;
}

void cuda_blas_close(struct cuda_session *session) {
  if (session->blas && session->blas->handle)
    blas.destroy(session->blas->handle);
  free(session->blas);
  session->blas = NULL;
}

/* Row-major C = A B is column-major C' = B' A'. */
cuseq_status cuda_blas_multiply(struct cuda_session *session, const float *a, const float *b, float *c,
                                int32_t m, int32_t n, int32_t k) {
  const struct cuda_product product = {.a = a, .b = b, .c = c, .m = m, .n = n, .k = k, .lda = k};
  return cuda_blas_product(session, &product);
}

/* The same with factors that tensor cores round. */
static cuseq_status rounded_product(struct cuda_session *session, const struct cuda_product *p,
                                    cublasOperation_t of_b, int ldb, const float *beta) {
  static const float one = 1.0f;
  const cublasComputeType_t compute = session->limits.precision == CUSEQ_PRECISION_BF16
                                          ? CUBLAS_COMPUTE_32F_FAST_16BF
                                          : CUBLAS_COMPUTE_32F_FAST_TF32;
  const cudaDataType type = CUDA_R_32F;
  long long m = p->m, n = p->n, k = p->k;
  if (p->count <= 1)
    return blas_result(blas.gemm(session->blas->handle, of_b, CUBLAS_OP_N, p->n, p->m, p->k, &one, p->b, type,
                                 ldb, p->a, type, (int)p->lda, beta, p->c, type, p->n, compute,
                                 CUBLAS_GEMM_DEFAULT),
                       "cublasGemmEx");
  return blas_result(blas.gemm_batched(session->blas->handle, of_b, CUBLAS_OP_N, p->n, p->m, p->k, &one, p->b,
                                       type, ldb, k * n, p->a, type, (int)p->lda, m * p->lda, beta, p->c,
                                       type, p->n, m * n, p->count, compute, CUBLAS_GEMM_DEFAULT),
                     "cublasGemmStridedBatchedEx");
}

cuseq_status cuda_blas_product(struct cuda_session *session, const struct cuda_product *p) {
  static const float one = 1.0f, zero = 0.0f;
  const float *beta = p->adds ? &one : &zero;
  const cublasOperation_t of_b = p->transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  const int64_t ldb = p->ldb > 0 ? p->ldb : p->transposed ? p->k : p->n;
  if (p->lda > INT32_MAX || ldb > INT32_MAX)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED,
                     "cuda: rows of a product lie too far apart (found %lld, at most %d)",
                     (long long)(p->lda > ldb ? p->lda : ldb), INT32_MAX);
  if (session->limits.precision != CUSEQ_PRECISION_FLOAT32)
    return rounded_product(session, p, of_b, (int)ldb, beta);
  if (p->count <= 1)
    return blas_result(blas.sgemm(session->blas->handle, of_b, CUBLAS_OP_N, p->n, p->m, p->k, &one, p->b,
                                  (int)ldb, p->a, (int)p->lda, beta, p->c, p->n),
                       "cublasSgemm");
  long long m = p->m, n = p->n, k = p->k;
  return blas_result(blas.sgemm_batched(session->blas->handle, of_b, CUBLAS_OP_N, p->n, p->m, p->k, &one,
                                        p->b, (int)ldb, k * n, p->a, (int)p->lda, m * p->lda, beta, p->c,
                                        p->n, m * n, p->count),
                     "cublasSgemmStridedBatched");
}
