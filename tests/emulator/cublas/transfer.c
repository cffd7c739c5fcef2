#include "blas.h"

/* Vectors and matrices between host and device: strided copies of the runtime. */

static cublasStatus_t copy(void *to, int64_t to_pitch, const void *from, int64_t from_pitch, int64_t width,
                           int64_t rows, int64_t size, enum cudaMemcpyKind kind, cudaStream_t stream,
                           bool asynchronous) {
  if (rows < 0 || width < 0 || size <= 0 || to_pitch <= 0 || from_pitch <= 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!rows || !width)
    return CUBLAS_STATUS_SUCCESS;
  size_t to_bytes = (size_t)(to_pitch * size), from_bytes = (size_t)(from_pitch * size);
  size_t bytes = (size_t)(width * size);
  cudaError_t status =
      asynchronous ? cudaMemcpy2DAsync(to, to_bytes, from, from_bytes, bytes, (size_t)rows, kind, stream)
                   : cudaMemcpy2D(to, to_bytes, from, from_bytes, bytes, (size_t)rows, kind);
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_MAPPING_ERROR;
}

/* Elements that lie side by side on both sides are one row; else each is a row of its own. */
static cublasStatus_t vector(void *to, int64_t to_step, const void *from, int64_t from_step, int64_t n,
                             int64_t size, enum cudaMemcpyKind kind, cudaStream_t stream, bool asynchronous) {
  if (to_step == 1 && from_step == 1)
    return copy(to, n > 0 ? n : 1, from, n > 0 ? n : 1, n, n < 0 ? -1 : 1, size, kind, stream, asynchronous);
  return copy(to, to_step, from, from_step, 1, n, size, kind, stream, asynchronous);
}

#define FORMS(SUFFIX, INT)                                                                                   \
  cublasStatus_t cublasSetVector##SUFFIX(INT n, INT elemSize, const void *x, INT incx, void *devicePtr,      \
                                         INT incy) {                                                         \
    return vector(devicePtr, incy, x, incx, n, elemSize, cudaMemcpyHostToDevice, 0, false);                  \
  }                                                                                                          \
  cublasStatus_t cublasGetVector##SUFFIX(INT n, INT elemSize, const void *x, INT incx, void *y, INT incy) {  \
    return vector(y, incy, x, incx, n, elemSize, cudaMemcpyDeviceToHost, 0, false);                          \
  }                                                                                                          \
  cublasStatus_t cublasSetVectorAsync##SUFFIX(INT n, INT elemSize, const void *hostPtr, INT incx,            \
                                              void *devicePtr, INT incy, cudaStream_t stream) {              \
    return vector(devicePtr, incy, hostPtr, incx, n, elemSize, cudaMemcpyHostToDevice, stream, true);        \
  }                                                                                                          \
  cublasStatus_t cublasGetVectorAsync##SUFFIX(INT n, INT elemSize, const void *devicePtr, INT incx,          \
                                              void *hostPtr, INT incy, cudaStream_t stream) {                \
    return vector(hostPtr, incy, devicePtr, incx, n, elemSize, cudaMemcpyDeviceToHost, stream, true);        \
  }                                                                                                          \
  cublasStatus_t cublasSetMatrix##SUFFIX(INT rows, INT cols, INT elemSize, const void *A, INT lda, void *B,  \
                                         INT ldb) {                                                          \
    return copy(B, ldb, A, lda, rows, cols, elemSize, cudaMemcpyHostToDevice, 0, false);                     \
  }                                                                                                          \
  cublasStatus_t cublasGetMatrix##SUFFIX(INT rows, INT cols, INT elemSize, const void *A, INT lda, void *B,  \
                                         INT ldb) {                                                          \
    return copy(B, ldb, A, lda, rows, cols, elemSize, cudaMemcpyDeviceToHost, 0, false);                     \
  }                                                                                                          \
  cublasStatus_t cublasSetMatrixAsync##SUFFIX(INT rows, INT cols, INT elemSize, const void *A, INT lda,      \
                                              void *B, INT ldb, cudaStream_t stream) {                       \
    return copy(B, ldb, A, lda, rows, cols, elemSize, cudaMemcpyHostToDevice, stream, true);                 \
  }                                                                                                          \
  cublasStatus_t cublasGetMatrixAsync##SUFFIX(INT rows, INT cols, INT elemSize, const void *A, INT lda,      \
                                              void *B, INT ldb, cudaStream_t stream) {                       \
    return copy(B, ldb, A, lda, rows, cols, elemSize, cudaMemcpyDeviceToHost, stream, true);                 \
  }
FORMS(, int)
FORMS(_64, int64_t)
