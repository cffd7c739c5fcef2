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
  cublasStatus_t (*sgemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const float *,
                          const float *, int, const float *, int, const float *, float *, int);
} blas;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void blas_load(void) {
  void *library = dlopen("libcublas.so.13", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return;
  *(void **)&blas.create = dlsym(library, "cublasCreate_v2");
  *(void **)&blas.destroy = dlsym(library, "cublasDestroy_v2");
  *(void **)&blas.set_stream = dlsym(library, "cublasSetStream_v2");
  *(void **)&blas.sgemm = dlsym(library, "cublasSgemm_v2");
  if (blas.create && blas.destroy && blas.set_stream && blas.sgemm)
    blas.library = library;
}

cuseq_status cuda_blas_open(struct cuda_session *session) {
  pthread_once(&once, blas_load);
  if (!blas.library)
    return error_set(CUSEQ_STATUS_NO_DEVICE,
                     "cuda: this model needs cuBLAS, and libcublas.so.13 cannot be loaded");
  session->blas = calloc(1, sizeof *session->blas);
  if (!session->blas)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cublasStatus_t status = blas.create(&session->blas->handle);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = blas.set_stream(session->blas->handle, session->stream);
  if (status != CUBLAS_STATUS_SUCCESS)
    return error_set(CUSEQ_STATUS_DEVICE_FAILED, "cuda: cuBLAS gives no handle (status %d)", (int)status);
  return CUSEQ_STATUS_OK;
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
  static const float one = 1.0f, zero = 0.0f;
  cublasStatus_t status =
      blas.sgemm(session->blas->handle, CUBLAS_OP_N, CUBLAS_OP_N, n, m, k, &one, b, n, a, k, &zero, c, n);
  return status == CUBLAS_STATUS_SUCCESS
             ? CUSEQ_STATUS_OK
             : error_set(CUSEQ_STATUS_DEVICE_FAILED, "cuda: cublasSgemm failed (status %d)", (int)status);
}
