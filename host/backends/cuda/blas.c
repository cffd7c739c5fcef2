/* cuBLAS is loaded when a shape first needs it: the module does not link it, and a process that never multiplies
 * large matrices never pays for its start. */
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
  if (blas.create && blas.destroy && blas.set_stream && blas.set_workspace && blas.sgemm &&
      blas.sgemm_batched)
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

/* Row-major C = A B is column-major C' = B' A'. Plain float32: TF32 would miss the tolerance. */
cuseq_status cuda_blas_multiply(struct cuda_session *session, const float *a, const float *b, float *c,
                                int32_t m, int32_t n, int32_t k) {
  const struct cuda_product product = {.a = a, .b = b, .c = c, .m = m, .n = n, .k = k, .lda = k};
  return cuda_blas_product(session, &product);
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
