#include "blas.h"

#include <math.h>
#include <stdlib.h>

/* Vectors with vectors. Sums are taken in double and rounded once. */

static void run_axpy(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha);
  double *x = emu_load(run, &c->a, 0), *y = emu_load(run, &c->b, 0);
  for (int64_t i = 0; y && x && i < c->n; i++)
    y[i] = c->b.type == CUDA_R_64F ? alpha * x[i] + y[i] : (float)(alpha * x[i] + y[i]);
  if (y)
    emu_store(run, &c->b, 0, y);
  free(x), free(y);
}

static void run_scal(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha), *x = emu_load(run, &c->a, 0);
  for (int64_t i = 0; x && i < c->n; i++)
    x[i] *= alpha;
  if (x)
    emu_store(run, &c->a, 0, x);
  free(x);
}

static void run_copy(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0);
  if (x)
    emu_store(run, &c->b, 0, x);
  free(x);
}

static void run_swap(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0), *y = emu_load(run, &c->b, 0);
  if (x && y) {
    emu_store(run, &c->a, 0, y);
    emu_store(run, &c->b, 0, x);
  }
  free(x), free(y);
}

static void run_dot(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0), *y = emu_load(run, &c->b, 0), sum = 0;
  for (int64_t i = 0; x && y && i < c->n; i++)
    sum += x[i] * y[i];
  emu_result(run, c, sum);
  free(x), free(y);
}

/* Scaled, so that the squares of large and small elements neither overflow nor vanish. */
static void run_nrm2(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0), largest = 0, sum = 0;
  for (int64_t i = 0; x && i < c->n; i++)
    largest = fabs(x[i]) > largest || isnan(x[i]) ? fabs(x[i]) : largest;
  for (int64_t i = 0; x && i < c->n && largest > 0 && !isinf(largest); i++)
    sum += (x[i] / largest) * (x[i] / largest);
  emu_result(run, c, largest > 0 && !isinf(largest) ? largest * sqrt(sum) : largest);
  free(x);
}

static void run_asum(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0), sum = 0;
  for (int64_t i = 0; x && i < c->n; i++)
    sum += fabs(x[i]);
  emu_result(run, c, sum);
  free(x);
}

/* The lowest index of the largest or smallest magnitude, counted from 1; k tells which. */
static void run_extreme(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *x = emu_load(run, &c->a, 0);
  int64_t best = 0;
  for (int64_t i = 1; x && i < c->n; i++)
    if (c->k ? fabs(x[i]) > fabs(x[best]) : fabs(x[i]) < fabs(x[best]))
      best = i;
  emu_result(run, c, (double)(best + 1));
  free(x);
}

static void run_rot(struct emu_blas_run *run, const struct emu_blas_call *call) {
  double c = emu_scalar_get(run, &call->alpha), s = emu_scalar_get(run, &call->beta);
  double *x = emu_load(run, &call->a, 0), *y = emu_load(run, &call->b, 0);
  for (int64_t i = 0; x && y && i < call->n; i++) {
    double old = x[i];
    x[i] = c * old + s * y[i];
    y[i] = c * y[i] - s * old;
  }
  if (x && y) {
    emu_store(run, &call->a, 0, x);
    emu_store(run, &call->b, 0, y);
  }
  free(x), free(y);
}

/* Checks and queues: operands a and b (b.address 0: there is none), with or without alpha and a result. */
static cublasStatus_t vectors(cublasHandle_t handle, struct emu_blas_call call, const void *alpha,
                              const void *beta, cudaDataType_t scalar, int needs) {
  enum { ALPHA = 1, BETA = 2, RESULT = 4, SECOND = 8 };
  cublasStatus_t status = emu_blas_begin(handle, call.name);
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  bool missing =
      ((needs & ALPHA) && !alpha) || ((needs & BETA) && !beta) || ((needs & RESULT) && !call.result);
  if (call.n > 0)
    missing = missing || !call.a.address || ((needs & SECOND) && !call.b.address);
  if (missing)
    return emu_blas_end(emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, call.name, "a null pointer"));
  call.result_on_host = handle->pointer_mode == CUBLAS_POINTER_MODE_HOST;
  if (call.n <= 0) {
    /* Nothing to do, but a reduction of nothing is 0. */
    if (!(needs & RESULT))
      return emu_blas_end(CUBLAS_STATUS_SUCCESS);
    call.n = call.a.rows = call.b.rows = 0;
    if (call.run == run_extreme)
      call.run = run_asum;
  }
  call.alpha = emu_scalar_of(handle, alpha, scalar);
  call.beta = emu_scalar_of(handle, beta, scalar);
  return emu_blas_end(emu_blas_issue(handle, &call));
}

#define CALL(NAME, RUN, N, ...) ((struct emu_blas_call){.name = #NAME, .run = RUN, .n = N, __VA_ARGS__})
#define V(X, TYPE, INC) emu_vector(X, TYPE, n, INC)

#define VECTOR_FORMS(S, T, TYPE, SUFFIX, INT)                                                                \
  cublasStatus_t cublas##S##axpy_v2##SUFFIX(cublasHandle_t handle, INT n, const T *alpha, const T *x,        \
                                            INT incx, T *y, INT incy) {                                      \
    return vectors(handle, CALL(cublas##S##axpy, run_axpy, n, .a = V(x, TYPE, incx), .b = V(y, TYPE, incy)), \
                   alpha, NULL, TYPE, 1 | 8);                                                                \
  }                                                                                                          \
  cublasStatus_t cublas##S##scal_v2##SUFFIX(cublasHandle_t handle, INT n, const T *alpha, T *x, INT incx) {  \
    return vectors(handle, CALL(cublas##S##scal, run_scal, n, .a = V(x, TYPE, incx)), alpha, NULL, TYPE, 1); \
  }                                                                                                          \
  cublasStatus_t cublas##S##copy_v2##SUFFIX(cublasHandle_t handle, INT n, const T *x, INT incx, T *y,        \
                                            INT incy) {                                                      \
    return vectors(handle, CALL(cublas##S##copy, run_copy, n, .a = V(x, TYPE, incx), .b = V(y, TYPE, incy)), \
                   NULL, NULL, TYPE, 8);                                                                     \
  }                                                                                                          \
  cublasStatus_t cublas##S##swap_v2##SUFFIX(cublasHandle_t handle, INT n, T *x, INT incx, T *y, INT incy) {  \
    return vectors(handle, CALL(cublas##S##swap, run_swap, n, .a = V(x, TYPE, incx), .b = V(y, TYPE, incy)), \
                   NULL, NULL, TYPE, 8);                                                                     \
  }                                                                                                          \
  cublasStatus_t cublas##S##dot_v2##SUFFIX(cublasHandle_t handle, INT n, const T *x, INT incx, const T *y,   \
                                           INT incy, T *result) {                                            \
    return vectors(handle,                                                                                   \
                   CALL(cublas##S##dot, run_dot, n, .a = V(x, TYPE, incx), .b = V(y, TYPE, incy),            \
                        .result = result, .result_type = TYPE),                                              \
                   NULL, NULL, TYPE, 4 | 8);                                                                 \
  }                                                                                                          \
  cublasStatus_t cublas##S##nrm2_v2##SUFFIX(cublasHandle_t handle, INT n, const T *x, INT incx, T *result) { \
    return vectors(                                                                                          \
        handle,                                                                                              \
        CALL(cublas##S##nrm2, run_nrm2, n, .a = V(x, TYPE, incx), .result = result, .result_type = TYPE),    \
        NULL, NULL, TYPE, 4);                                                                                \
  }                                                                                                          \
  cublasStatus_t cublas##S##asum_v2##SUFFIX(cublasHandle_t handle, INT n, const T *x, INT incx, T *result) { \
    return vectors(                                                                                          \
        handle,                                                                                              \
        CALL(cublas##S##asum, run_asum, n, .a = V(x, TYPE, incx), .result = result, .result_type = TYPE),    \
        NULL, NULL, TYPE, 4);                                                                                \
  }                                                                                                          \
  cublasStatus_t cublas##S##rot_v2##SUFFIX(cublasHandle_t handle, INT n, T *x, INT incx, T *y, INT incy,     \
                                           const T *c, const T *s) {                                         \
    return vectors(handle, CALL(cublas##S##rot, run_rot, n, .a = V(x, TYPE, incx), .b = V(y, TYPE, incy)),   \
                   c, s, TYPE, 1 | 2 | 8);                                                                   \
  }

VECTOR_FORMS(S, float, CUDA_R_32F, , int)
VECTOR_FORMS(S, float, CUDA_R_32F, _64, int64_t)
VECTOR_FORMS(D, double, CUDA_R_64F, , int)
VECTOR_FORMS(D, double, CUDA_R_64F, _64, int64_t)

#define EXTREME(NAME, T, TYPE, LARGEST)                                                                      \
  cublasStatus_t NAME(cublasHandle_t handle, int n, const T *x, int incx, int *result) {                     \
    return vectors(handle,                                                                                   \
                   CALL(NAME, run_extreme, n, .a = V(x, TYPE, incx), .k = LARGEST, .result = result,         \
                        .result_type = CUDA_R_32I),                                                          \
                   NULL, NULL, TYPE, 4);                                                                     \
  }
EXTREME(cublasIsamax_v2, float, CUDA_R_32F, 1)
EXTREME(cublasIdamax_v2, double, CUDA_R_64F, 1)
EXTREME(cublasIsamin_v2, float, CUDA_R_32F, 0)
EXTREME(cublasIdamin_v2, double, CUDA_R_64F, 0)

/* ---- Any types ---- */

static cublasStatus_t check_types(const char *name, cudaDataType_t a, cudaDataType_t b) {
  if (emu_type_size(a) && emu_type_size(b))
    return CUBLAS_STATUS_SUCCESS;
  return emu_blas_refuse(CUBLAS_STATUS_NOT_SUPPORTED, name, "complex types are not supported");
}

cublasStatus_t cublasAxpyEx(cublasHandle_t handle, int n, const void *alpha, cudaDataType alphaType,
                            const void *x, cudaDataType xType, int incx, void *y, cudaDataType yType,
                            int incy, cudaDataType executiontype) {
  (void)executiontype;
  if (!emu_runtime() || check_types("cublasAxpyEx", xType, yType) != CUBLAS_STATUS_SUCCESS)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return vectors(handle, CALL(cublasAxpyEx, run_axpy, n, .a = V(x, xType, incx), .b = V(y, yType, incy)),
                 alpha, NULL, alphaType, 1 | 8);
}

cublasStatus_t cublasScalEx(cublasHandle_t handle, int n, const void *alpha, cudaDataType alphaType, void *x,
                            cudaDataType xType, int incx, cudaDataType executionType) {
  (void)executionType;
  if (!emu_runtime() || check_types("cublasScalEx", xType, alphaType) != CUBLAS_STATUS_SUCCESS)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return vectors(handle, CALL(cublasScalEx, run_scal, n, .a = V(x, xType, incx)), alpha, NULL, alphaType, 1);
}

cublasStatus_t cublasDotEx(cublasHandle_t handle, int n, const void *x, cudaDataType xType, int incx,
                           const void *y, cudaDataType yType, int incy, void *result, cudaDataType resultType,
                           cudaDataType executionType) {
  (void)executionType;
  if (!emu_runtime() || check_types("cublasDotEx", xType, resultType) != CUBLAS_STATUS_SUCCESS)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return vectors(handle,
                 CALL(cublasDotEx, run_dot, n, .a = V(x, xType, incx), .b = V(y, yType, incy),
                      .result = result, .result_type = resultType),
                 NULL, NULL, xType, 4 | 8);
}

cublasStatus_t cublasNrm2Ex(cublasHandle_t handle, int n, const void *x, cudaDataType xType, int incx,
                            void *result, cudaDataType resultType, cudaDataType executionType) {
  (void)executionType;
  if (!emu_runtime() || check_types("cublasNrm2Ex", xType, resultType) != CUBLAS_STATUS_SUCCESS)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  return vectors(
      handle,
      CALL(cublasNrm2Ex, run_nrm2, n, .a = V(x, xType, incx), .result = result, .result_type = resultType),
      NULL, NULL, xType, 4);
}
