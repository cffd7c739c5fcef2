#include "blas.h"

#include <stdlib.h>

/* Matrices with vectors, products with special matrices. Sums are taken in double and rounded once. */

static double at(const double *values, const struct emu_operand *o, cublasOperation_t op, int64_t i,
                 int64_t j) {
  return op == CUBLAS_OP_N ? values[j * o->rows + i] : values[i * o->rows + j];
}

static void run_gemv(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha), beta = emu_scalar_get(run, &c->beta);
  int64_t out_length = c->op_a == CUBLAS_OP_N ? c->m : c->n, in_length = c->op_a == CUBLAS_OP_N ? c->n : c->m;
  for (int64_t b = 0; b < c->batch && run->status == EMU_OK; b++) {
    double *a = emu_load(run, &c->a, b), *x = emu_load(run, &c->b, b);
    double *y = beta != 0 ? emu_load(run, &c->c, b) : calloc((size_t)out_length + 1, sizeof *y);
    for (int64_t i = 0; a && x && y && i < out_length; i++) {
      double sum = 0;
      for (int64_t j = 0; j < in_length; j++)
        sum += at(a, &c->a, c->op_a, i, j) * x[j];
      y[i] = alpha * sum + (beta != 0 ? beta * y[i] : 0);
    }
    if (a && x && y)
      emu_store(run, &c->c, b, y);
    free(a), free(x), free(y);
  }
}

static void run_ger(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha);
  double *x = emu_load(run, &c->a, 0), *y = emu_load(run, &c->b, 0), *a = emu_load(run, &c->c, 0);
  for (int64_t j = 0; x && y && a && j < c->n; j++)
    for (int64_t i = 0; i < c->m; i++)
      a[j * c->m + i] += alpha * x[i] * y[j];
  if (x && y && a)
    emu_store(run, &c->c, 0, a);
  free(x), free(y), free(a);
}

/* C = alpha op(A) + beta op(B); what has a factor of 0 is not read. */
static void run_geam(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha), beta = emu_scalar_get(run, &c->beta);
  double *a = alpha != 0 ? emu_load(run, &c->a, 0) : NULL, *b = beta != 0 ? emu_load(run, &c->b, 0) : NULL;
  double *out = calloc((size_t)(c->m * c->n), sizeof *out);
  for (int64_t j = 0; out && run->status == EMU_OK && j < c->n; j++)
    for (int64_t i = 0; i < c->m; i++)
      out[j * c->m + i] =
          (a ? alpha * at(a, &c->a, c->op_a, i, j) : 0) + (b ? beta * at(b, &c->b, c->op_b, i, j) : 0);
  if (out)
    emu_store(run, &c->c, 0, out);
  free(a), free(b), free(out);
}

static void mirror(double *a, int64_t n, cublasFillMode_t fill) {
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = j + 1; i < n; i++) {
      double *lower = &a[j * n + i], *upper = &a[i * n + j];
      if (fill == CUBLAS_FILL_MODE_LOWER)
        *upper = *lower;
      else
        *lower = *upper;
    }
}

static void run_symm(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha), beta = emu_scalar_get(run, &c->beta);
  double *a = emu_load(run, &c->a, 0), *b = emu_load(run, &c->b, 0);
  double *out = beta != 0 ? emu_load(run, &c->c, 0) : calloc((size_t)(c->m * c->n), sizeof *out);
  int64_t order = c->a.rows;
  if (a)
    mirror(a, order, c->fill);
  for (int64_t j = 0; a && b && out && j < c->n; j++)
    for (int64_t i = 0; i < c->m; i++) {
      double sum = 0;
      for (int64_t p = 0; p < order; p++)
        sum += c->side == CUBLAS_SIDE_LEFT ? a[p * order + i] * b[j * c->m + p]
                                           : b[p * c->m + i] * a[j * order + p];
      out[j * c->m + i] = alpha * sum + (beta != 0 ? beta * out[j * c->m + i] : 0);
    }
  if (a && b && out)
    emu_store(run, &c->c, 0, out);
  free(a), free(b), free(out);
}

static void run_syrk(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha), beta = emu_scalar_get(run, &c->beta);
  double *a = emu_load(run, &c->a, 0);
  double *out = beta != 0 ? emu_load(run, &c->c, 0) : calloc((size_t)(c->n * c->n), sizeof *out);
  for (int64_t j = 0; a && out && j < c->n; j++)
    for (int64_t i = 0; i < c->n; i++) {
      double sum = 0;
      for (int64_t p = 0; p < c->k; p++)
        sum += at(a, &c->a, c->op_a, i, p) * at(a, &c->a, c->op_a, j, p);
      out[j * c->n + i] = alpha * sum + (beta != 0 ? beta * out[j * c->n + i] : 0);
    }
  if (a && out)
    emu_store(run, &c->c, 0, out);
  free(a), free(out);
}

/* Element i,j of a triangular op(A). */
static double triangle(const double *a, const struct emu_blas_call *c, int64_t i, int64_t j) {
  if (i == j && c->diag == CUBLAS_DIAG_UNIT)
    return 1;
  return at(a, &c->a, c->op_a, i, j);
}

/* Solves op(A) x = b for one vector whose elements are `step` apart; A is of the given order. */
static void solve(const double *a, const struct emu_blas_call *c, int64_t order, double *x, int64_t step,
                  bool transposed) {
  bool lower = (c->fill == CUBLAS_FILL_MODE_LOWER) == ((c->op_a == CUBLAS_OP_N) != transposed);
  for (int64_t s = 0; s < order; s++) {
    int64_t i = lower ? s : order - 1 - s;
    double sum = x[i * step];
    for (int64_t j = lower ? 0 : i + 1; j < (lower ? i : order); j++)
      sum -= (transposed ? triangle(a, c, j, i) : triangle(a, c, i, j)) * x[j * step];
    double pivot = triangle(a, c, i, i);
    x[i * step] = sum / pivot;
  }
}

static void run_trsm(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double alpha = emu_scalar_get(run, &c->alpha);
  double *a = emu_load(run, &c->a, 0), *x = emu_load(run, &c->c, 0);
  for (int64_t i = 0; a && x && i < c->m * c->n; i++)
    x[i] *= alpha;
  if (a && x && c->side == CUBLAS_SIDE_LEFT)
    for (int64_t j = 0; j < c->n; j++)
      solve(a, c, c->m, x + j * c->m, 1, false);
  else if (a && x)
    for (int64_t i = 0; i < c->m; i++)
      solve(a, c, c->n, x + i, c->m, true);
  if (a && x)
    emu_store(run, &c->c, 0, x);
  free(a), free(x);
}

static void run_dgmm(struct emu_blas_run *run, const struct emu_blas_call *c) {
  double *a = emu_load(run, &c->a, 0), *x = emu_load(run, &c->b, 0);
  for (int64_t j = 0; a && x && j < c->n; j++)
    for (int64_t i = 0; i < c->m; i++)
      a[j * c->m + i] *= x[c->side == CUBLAS_SIDE_LEFT ? i : j];
  if (a && x)
    emu_store(run, &c->c, 0, a);
  free(a), free(x);
}

static cublasStatus_t check_and_issue(cublasHandle_t handle, struct emu_blas_call *call, const void *alpha,
                                      const void *beta) {
  const struct emu_operand *operands[] = {&call->a, &call->b, &call->c};
  bool vectors = call->run == run_gemv || call->run == run_ger;
  if (call->m < 0 || call->n < 0 || call->k < 0 || call->batch < 0)
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, call->name, "a size below 0");
  if ((unsigned)call->op_a > CUBLAS_OP_C || (unsigned)call->op_b > CUBLAS_OP_C ||
      (unsigned)call->side > CUBLAS_SIDE_RIGHT || (unsigned)call->fill > CUBLAS_FILL_MODE_UPPER ||
      (unsigned)call->diag > CUBLAS_DIAG_UNIT)
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, call->name, "no such operation, side or triangle");
  for (int i = 0; i < 3; i++) {
    bool is_vector = vectors && (operands[i]->rows <= 1 || operands[i]->cols == 1);
    if (!is_vector && operands[i]->type == call->c.type && operands[i]->address && !emu_fits(operands[i]))
      return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, call->name,
                             "a leading dimension below the number of rows");
  }
  if (!call->m || !call->n || !call->batch)
    return CUBLAS_STATUS_SUCCESS;
  if (!alpha || !beta || !call->c.address)
    return emu_blas_refuse(CUBLAS_STATUS_INVALID_VALUE, call->name, "a null pointer");
  call->alpha = emu_scalar_of(handle, alpha, call->c.type);
  call->beta = emu_scalar_of(handle, beta, call->c.type);
  return emu_blas_issue(handle, call);
}

static cublasStatus_t matrices(cublasHandle_t handle, struct emu_blas_call call, const void *alpha,
                               const void *beta) {
  cublasStatus_t status = emu_blas_begin(handle, call.name);
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (!call.batch)
    call.batch = 1;
  return emu_blas_end(check_and_issue(handle, &call, alpha, beta));
}

static struct emu_operand part(struct emu_operand operand, cublasFillMode_t fill) {
  operand.part = fill == CUBLAS_FILL_MODE_LOWER ? EMU_PART_LOWER : EMU_PART_UPPER;
  return operand;
}

static struct emu_operand strided(struct emu_operand operand, long long stride) {
  operand.stride = stride;
  return operand;
}

#define CALL(NAME, RUN, ...) ((struct emu_blas_call){.name = #NAME, .run = RUN, __VA_ARGS__})
#define PLAIN(OP) ((OP) == CUBLAS_OP_N)

#define MATRIX_FORMS(S, T, TYPE, SUFFIX, INT)                                                                \
  cublasStatus_t cublas##S##gemv_v2##SUFFIX(cublasHandle_t handle, cublasOperation_t trans, INT m, INT n,    \
                                            const T *alpha, const T *A, INT lda, const T *x, INT incx,       \
                                            const T *beta, T *y, INT incy) {                                 \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##gemv, run_gemv, .m = m, .n = n, .op_a = trans,                           \
                         .a = emu_matrix(A, TYPE, m, n, lda),                                                \
                         .b = emu_vector(x, TYPE, PLAIN(trans) ? n : m, incx),                               \
                         .c = emu_vector(y, TYPE, PLAIN(trans) ? m : n, incy)),                              \
                    alpha, beta);                                                                            \
  }                                                                                                          \
  cublasStatus_t cublas##S##gemvStridedBatched##SUFFIX(                                                      \
      cublasHandle_t handle, cublasOperation_t trans, INT m, INT n, const T *alpha, const T *A, INT lda,     \
      long long int strideA, const T *x, INT incx, long long int stridex, const T *beta, T *y, INT incy,     \
      long long int stridey, INT batchCount) {                                                               \
    if (!batchCount)                                                                                         \
      return CUBLAS_STATUS_SUCCESS;                                                                          \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##gemvStridedBatched, run_gemv, .m = m, .n = n, .op_a = trans,             \
                         .batch = batchCount, .a = strided(emu_matrix(A, TYPE, m, n, lda), strideA),         \
                         .b = strided(emu_vector(x, TYPE, PLAIN(trans) ? n : m, incx), stridex),             \
                         .c = strided(emu_vector(y, TYPE, PLAIN(trans) ? m : n, incy), stridey)),            \
                    alpha, beta);                                                                            \
  }                                                                                                          \
  cublasStatus_t cublas##S##ger_v2##SUFFIX(cublasHandle_t handle, INT m, INT n, const T *alpha, const T *x,  \
                                           INT incx, const T *y, INT incy, T *A, INT lda) {                  \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##ger, run_ger, .m = m, .n = n, .a = emu_vector(x, TYPE, m, incx),         \
                         .b = emu_vector(y, TYPE, n, incy), .c = emu_matrix(A, TYPE, m, n, lda)),            \
                    alpha, alpha);                                                                           \
  }                                                                                                          \
  cublasStatus_t cublas##S##geam##SUFFIX(cublasHandle_t handle, cublasOperation_t transa,                    \
                                         cublasOperation_t transb, INT m, INT n, const T *alpha, const T *A, \
                                         INT lda, const T *beta, const T *B, INT ldb, T *C, INT ldc) {       \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##geam, run_geam, .m = m, .n = n, .op_a = transa, .op_b = transb,          \
                         .a = emu_matrix(A, TYPE, PLAIN(transa) ? m : n, PLAIN(transa) ? n : m, lda),        \
                         .b = emu_matrix(B, TYPE, PLAIN(transb) ? m : n, PLAIN(transb) ? n : m, ldb),        \
                         .c = emu_matrix(C, TYPE, m, n, ldc)),                                               \
                    alpha, beta);                                                                            \
  }                                                                                                          \
  cublasStatus_t cublas##S##symm_v2##SUFFIX(cublasHandle_t handle, cublasSideMode_t side,                    \
                                            cublasFillMode_t uplo, INT m, INT n, const T *alpha, const T *A, \
                                            INT lda, const T *B, INT ldb, const T *beta, T *C, INT ldc) {    \
    INT order = side == CUBLAS_SIDE_LEFT ? m : n;                                                            \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##symm, run_symm, .m = m, .n = n, .side = side, .fill = uplo,              \
                         .a = part(emu_matrix(A, TYPE, order, order, lda), uplo),                            \
                         .b = emu_matrix(B, TYPE, m, n, ldb), .c = emu_matrix(C, TYPE, m, n, ldc)),          \
                    alpha, beta);                                                                            \
  }                                                                                                          \
  cublasStatus_t cublas##S##syrk_v2##SUFFIX(cublasHandle_t handle, cublasFillMode_t uplo,                    \
                                            cublasOperation_t trans, INT n, INT k, const T *alpha,           \
                                            const T *A, INT lda, const T *beta, T *C, INT ldc) {             \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##syrk, run_syrk, .m = n, .n = n, .k = k, .op_a = trans, .fill = uplo,     \
                         .a = emu_matrix(A, TYPE, PLAIN(trans) ? n : k, PLAIN(trans) ? k : n, lda),          \
                         .c = part(emu_matrix(C, TYPE, n, n, ldc), uplo)),                                   \
                    alpha, beta);                                                                            \
  }                                                                                                          \
  cublasStatus_t cublas##S##trsm_v2##SUFFIX(                                                                 \
      cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t trans,          \
      cublasDiagType_t diag, INT m, INT n, const T *alpha, const T *A, INT lda, T *B, INT ldb) {             \
    INT order = side == CUBLAS_SIDE_LEFT ? m : n;                                                            \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##trsm, run_trsm, .m = m, .n = n, .side = side, .fill = uplo,              \
                         .op_a = trans, .diag = diag,                                                        \
                         .a = part(emu_matrix(A, TYPE, order, order, lda), uplo),                            \
                         .c = emu_matrix(B, TYPE, m, n, ldb)),                                               \
                    alpha, alpha);                                                                           \
  }                                                                                                          \
  cublasStatus_t cublas##S##dgmm##SUFFIX(cublasHandle_t handle, cublasSideMode_t mode, INT m, INT n,         \
                                         const T *A, INT lda, const T *x, INT incx, T *C, INT ldc) {         \
    const T one = 1;                                                                                         \
    return matrices(handle,                                                                                  \
                    CALL(cublas##S##dgmm, run_dgmm, .m = m, .n = n, .side = mode,                            \
                         .a = emu_matrix(A, TYPE, m, n, lda),                                                \
                         .b = emu_vector(x, TYPE, mode == CUBLAS_SIDE_LEFT ? m : n, incx),                   \
                         .c = emu_matrix(C, TYPE, m, n, ldc)),                                               \
                    &one, &one);                                                                             \
  }

MATRIX_FORMS(S, float, CUDA_R_32F, , int)
MATRIX_FORMS(S, float, CUDA_R_32F, _64, int64_t)
MATRIX_FORMS(D, double, CUDA_R_64F, , int)
MATRIX_FORMS(D, double, CUDA_R_64F, _64, int64_t)
