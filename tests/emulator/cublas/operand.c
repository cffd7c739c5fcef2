#include "blas.h"

#include <stdlib.h>
#include <string.h>

struct emu_operand emu_matrix(const void *address, cudaDataType_t type, int64_t rows, int64_t cols,
                              int64_t ld) {
  return (struct emu_operand){
      .address = (uint64_t)(uintptr_t)address, .type = type, .rows = rows, .cols = cols, .ld = ld};
}

/* A vector with an increment of 1 is one column; any other is a row of a matrix. */
struct emu_operand emu_vector(const void *address, cudaDataType_t type, int64_t n, int64_t increment) {
  int64_t step = increment < 0 ? -increment : increment;
  struct emu_operand vector =
      increment == 1 ? emu_matrix(address, type, n, 1, n) : emu_matrix(address, type, 1, n, step);
  vector.reversed = increment < 0;
  return vector;
}

bool emu_fits(const struct emu_operand *operand) {
  return operand->ld >= (operand->rows > 1 ? operand->rows : 1);
}

struct emu_scalar emu_scalar_of(cublasHandle_t handle, const void *pointer, cudaDataType_t type) {
  struct emu_scalar scalar = {.type = type, .address = (uint64_t)(uintptr_t)pointer};
  scalar.on_device = handle->pointer_mode == CUBLAS_POINTER_MODE_DEVICE;
  if (!scalar.on_device && pointer)
    emu_widen(pointer, type, 1, &scalar.value);
  return scalar;
}

/* Bytes of device memory, checked for reading or writing; NULL once the run has failed. */
static void *bytes_at(struct emu_blas_run *run, uint64_t address, uint64_t bytes, bool write) {
  if (run->status != EMU_OK)
    return NULL;
  void *view = emu_runtime()->host_view(address, bytes, &run->error);
  if (!view) {
    run->status = EMU_FAULT_ILLEGAL_ADDRESS;
    return NULL;
  }
  run->status = emu_runtime()->access(address, bytes, write, run->operation, &run->error);
  return run->status == EMU_OK ? view : NULL;
}

double emu_scalar_get(struct emu_blas_run *run, const struct emu_scalar *scalar) {
  double value = scalar->value;
  if (scalar->on_device) {
    const void *view = bytes_at(run, scalar->address, emu_type_size(scalar->type), false);
    if (view)
      emu_widen(view, scalar->type, 1, &value);
  }
  return value;
}

static uint64_t base_of(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index) {
  if (!operand->pointers)
    return operand->address + (uint64_t)(operand->stride * index) * emu_type_size(operand->type);
  uint64_t base = 0;
  const void *view = bytes_at(run, operand->address + (uint64_t)index * sizeof base, sizeof base, false);
  if (view)
    memcpy(&base, view, sizeof base);
  return base;
}

/* Calls visit for every run of elements that lie side by side: whole if there are no gaps, else column by
 * column. */
typedef void visitor(void *there, int64_t first, int64_t count, void *context);

static void visit_elements(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index,
                           bool write, visitor *visit, void *context) {
  uint64_t base = base_of(run, operand, index), size = emu_type_size(operand->type);
  int64_t rows = operand->rows, cols = operand->cols;
  if (rows <= 0 || cols <= 0)
    return;
  if (operand->part == EMU_PART_FULL && !operand->reversed && (operand->ld == rows || cols == 1)) {
    void *there = bytes_at(run, base, (uint64_t)(rows * cols) * size, write);
    if (there)
      visit(there, 0, rows * cols, context);
    return;
  }
  for (int64_t column = 0; column < cols && run->status == EMU_OK; column++) {
    int64_t from = operand->part == EMU_PART_LOWER ? column : 0;
    int64_t to = operand->part == EMU_PART_UPPER && column + 1 < rows ? column + 1 : rows;
    int64_t place = operand->reversed ? cols - 1 - column : column;
    if (from >= to)
      continue;
    void *there = bytes_at(run, base + (uint64_t)(place * operand->ld + from) * size,
                           (uint64_t)(to - from) * size, write);
    if (there)
      visit(there, column * rows + from, to - from, context);
  }
}

struct transfer {
  cudaDataType_t type;
  void *values;
};

static void take(void *there, int64_t first, int64_t count, void *context) {
  const struct transfer *t = context;
  emu_widen(there, t->type, count, (double *)t->values + first);
}

static void take_float(void *there, int64_t first, int64_t count, void *context) {
  const struct transfer *t = context;
  emu_widen_float(there, t->type, count, (float *)t->values + first);
}

static void put(void *there, int64_t first, int64_t count, void *context) {
  const struct transfer *t = context;
  emu_narrow((const double *)t->values + first, count, t->type, there);
}

static void put_float(void *there, int64_t first, int64_t count, void *context) {
  const struct transfer *t = context;
  emu_narrow_float((const float *)t->values + first, count, t->type, there);
}

static void *load(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index, size_t size,
                  visitor *visit) {
  size_t count = operand->rows > 0 && operand->cols > 0 ? (size_t)(operand->rows * operand->cols) : 0;
  if (run->status != EMU_OK)
    return NULL;
  struct transfer t = {.type = operand->type, .values = calloc(count ? count : 1, size)};
  if (!t.values) {
    run->status = EMU_ERROR_HOST_MEMORY;
    return NULL;
  }
  visit_elements(run, operand, index, false, visit, &t);
  if (run->status == EMU_OK)
    return t.values;
  free(t.values);
  return NULL;
}

double *emu_load(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index) {
  return load(run, operand, index, sizeof(double), take);
}

float *emu_load_float(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index) {
  return load(run, operand, index, sizeof(float), take_float);
}

void emu_store(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index,
               const double *values) {
  struct transfer t = {.type = operand->type, .values = (void *)(uintptr_t)values};
  visit_elements(run, operand, index, true, put, &t);
}

void emu_store_float(struct emu_blas_run *run, const struct emu_operand *operand, int64_t index,
                     const float *values) {
  struct transfer t = {.type = operand->type, .values = (void *)(uintptr_t)values};
  visit_elements(run, operand, index, true, put_float, &t);
}

void emu_result(struct emu_blas_run *run, const struct emu_blas_call *call, double value) {
  void *to = call->result;
  if (run->status == EMU_OK && !call->result_on_host)
    to = bytes_at(run, (uint64_t)(uintptr_t)call->result, emu_type_size(call->result_type), true);
  if (run->status == EMU_OK)
    emu_narrow(&value, 1, call->result_type, to);
}
