#include "convert/onnx/numbers.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

static const size_t work_allowance = (size_t)1 << 26;
enum { MAX_MATRICES = 20000, WORK_FACTOR = 16 };

cuseq_status evaluator_work(struct evaluator *evaluator, const struct node_call *call, size_t amount) {
  evaluator->work += amount;
  if (amount > work_allowance * 16 ||
      evaluator->work > work_allowance + evaluator->file_numbers * WORK_FACTOR)
    return call_refuse(call, "the graph computes with its weights more often than their number accounts for");
  return CUSEQ_STATUS_OK;
}

/* ---- looking at constants ------------------------------------------------------------------------- */

bool numbers_are(const struct tensor *tensor) {
  int64_t value;
  bool constant =
      tensor->kind == TENSOR_NUMBERS || tensor->kind == TENSOR_INTEGERS || tensor->kind == TENSOR_FILL;
  for (int32_t i = 0; constant && i < tensor->rank; i++)
    constant = dim_constant(&tensor->dims[i], &value);
  return constant;
}

static cuseq_status load(struct evaluator *evaluator, const struct node_call *call,
                         const struct tensor *tensor, struct numbers *numbers) {
  size_t count;
  TRY(onnx_tensor_count(evaluator->file, tensor->stored, &count));
  TRY(evaluator_work(evaluator, call, count));
  numbers->loaded = malloc((count + 1) * sizeof *numbers->loaded);
  if (numbers->loaded == NULL)
    return error_out_of_memory();
  numbers->data = numbers->loaded;
  cuseq_status status = onnx_tensor_floats(evaluator->file, tensor->stored, numbers->loaded);
  if (status != CUSEQ_STATUS_OK)
    numbers_close(numbers);
  return status;
}

/* Numbers that are made one by one. */
static cuseq_status spell(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, struct numbers *numbers) {
  TRY(evaluator_work(evaluator, call, numbers->count));
  numbers->loaded = malloc((numbers->count + 1) * sizeof *numbers->loaded);
  if (numbers->loaded == NULL)
    return error_out_of_memory();
  numbers->data = numbers->loaded;
  for (size_t i = 0; i < numbers->count; i++) {
    int64_t value = 0;
    if (tensor->kind == TENSOR_INTEGERS && !dim_constant(&tensor->integers[i], &value)) {
      numbers_close(numbers);
      return call_refuse(call, "it computes with how many rows or positions there are");
    }
    numbers->loaded[i] = tensor->kind == TENSOR_FILL ? (float)tensor->fill : (float)value;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status numbers_open(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, const char *what, struct numbers *numbers) {
  char text[128];
  *numbers = (struct numbers){.count = 1, .rank = tensor->rank};
  if (!numbers_are(tensor))
    return call_refuse(call, "%s is no constant, but depends on the model's input (it is %s)", what,
                       tensor_describe(tensor, text, sizeof text));
  for (int32_t i = 0; i < tensor->rank; i++) {
    numbers->dims[i] = tensor->dims[i].factor;
    if (numbers->dims[i] < 0 ||
        __builtin_mul_overflow(numbers->count, (size_t)numbers->dims[i], &numbers->count))
      return call_refuse(call, "%s is absurdly large", what);
  }
  if (tensor->kind == TENSOR_NUMBERS && tensor->stored == NULL) {
    numbers->data = tensor->floats;
    return CUSEQ_STATUS_OK;
  }
  return tensor->kind == TENSOR_NUMBERS ? load(evaluator, call, tensor, numbers)
                                        : spell(evaluator, call, tensor, numbers);
}

void numbers_close(struct numbers *numbers) {
  free(numbers->loaded);
  *numbers = (struct numbers){0};
}

bool numbers_uniform(const struct numbers *numbers, double *value) {
  *value = 0;
  if (numbers->data == NULL || numbers->count == 0)
    return false;
  *value = (double)numbers->data[0];
  for (size_t i = 1; i < numbers->count; i++)
    if (numbers->data[i] != numbers->data[0])
      return false;
  return *value == *value;
}

cuseq_status tensor_scalar(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, double *value) {
  struct numbers numbers;
  int64_t integer;
  *value = tensor->fill;
  if (tensor->kind == TENSOR_FILL)
    return CUSEQ_STATUS_OK;
  if (tensor->kind == TENSOR_INTEGERS && dim_constant(&tensor->integers[0], &integer)) {
    *value = (double)integer;
    return CUSEQ_STATUS_OK;
  }
  TRY(numbers_open(evaluator, call, tensor, "what should be one number", &numbers));
  bool single = numbers.count == 1;
  *value = single ? (double)numbers.data[0] : 0;
  numbers_close(&numbers);
  return single ? CUSEQ_STATUS_OK : call_refuse(call, "what should be one number is %zu", numbers.count);
}

/* ---- making constants ----------------------------------------------------------------------------- */

cuseq_status numbers_make(struct evaluator *evaluator, const struct node_call *call, int32_t rank,
                          const int64_t *dims, struct tensor *tensor, float **data) {
  size_t count = 1;
  *tensor = (struct tensor){.kind = TENSOR_NUMBERS, .rank = rank};
  for (int32_t i = 0; i < rank; i++) {
    tensor->dims[i] = dim_of(dims[i]);
    if (dims[i] < 0 || __builtin_mul_overflow(count, (size_t)dims[i], &count))
      return call_refuse(call, "its result is absurdly large");
  }
  TRY(evaluator_work(evaluator, call, count));
  *data = arena_allocate(evaluator->arena, (count + 1) * sizeof **data);
  tensor->floats = *data;
  return *data != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

cuseq_status integers_make(struct evaluator *evaluator, const struct node_call *call, int32_t rank,
                           const struct dim *dims, struct tensor *tensor, struct dim **data) {
  int64_t count = 1;
  *tensor = (struct tensor){.kind = TENSOR_INTEGERS, .integer = true, .rank = rank};
  for (int32_t i = 0; i < rank; i++) {
    int64_t size;
    tensor->dims[i] = dims[i];
    if (!dim_constant(&dims[i], &size) || size < 0 || __builtin_mul_overflow(count, size, &count))
      return call_refuse(call, "how many integers it makes is not certain");
  }
  if (count > TENSOR_MAX_INTEGERS)
    return call_refuse(call, "it makes too many integers (%lld)", (long long)count);
  TRY(evaluator_work(evaluator, call, (size_t)count));
  *data = arena_allocate(evaluator->arena, (size_t)(count + 1) * sizeof **data);
  tensor->integers = *data;
  return *data != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

/* ---- matrices ------------------------------------------------------------------------------------- */

static uint64_t hash_of(const float *data, size_t count, int64_t rows) {
  uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)rows;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &data[i], sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3u;
    hash ^= hash >> 32;
  }
  return hash;
}

/* Keeps the hash of a matrix; those that were made elsewhere have 0. */
static cuseq_status remember(struct evaluator *evaluator, int32_t matrix, uint64_t hash) {
  struct shared *shared = evaluator->shared;
  if (matrix >= shared->hash_capacity) {
    int32_t capacity = matrix * 2 + 64;
    uint64_t *list = realloc(shared->hashes, (size_t)capacity * sizeof *list);
    if (list == NULL)
      return error_out_of_memory();
    memset(list + shared->hash_capacity, 0, (size_t)(capacity - shared->hash_capacity) * sizeof *list);
    shared->hashes = list;
    shared->hash_capacity = capacity;
  }
  shared->hashes[matrix] = hash;
  return CUSEQ_STATUS_OK;
}

static bool find_equal(const struct evaluator *evaluator, int64_t rows, int64_t columns, const float *data,
                       uint64_t hash, int32_t *matrix) {
  const struct expressions *expressions = evaluator->expressions;
  for (*matrix = 0; *matrix < expressions->matrix_count && *matrix < evaluator->shared->hash_capacity;
       ++*matrix) {
    const struct matrix *other = &expressions->matrices[*matrix];
    if (evaluator->shared->hashes[*matrix] == hash && other->rows == rows && other->columns == columns &&
        memcmp(other->data, data, (size_t)rows * (size_t)columns * sizeof *data) == 0)
      return true;
  }
  return false;
}

cuseq_status matrix_enter(struct evaluator *evaluator, const struct node_call *call, int64_t rows,
                          int64_t columns, float *data, int32_t *matrix) {
  struct expressions *expressions = evaluator->expressions;
  uint64_t hash = hash_of(data, (size_t)rows * (size_t)columns, rows);
  bool found;
  if (find_equal(evaluator, rows, columns, data, hash, matrix)) {
    free(data);
    return CUSEQ_STATUS_OK;
  }
  cuseq_status status = CUSEQ_STATUS_OK;
  if (expressions->matrix_count >= MAX_MATRICES)
    status = call_refuse(call, "the graph has too many weights");
  if (status == CUSEQ_STATUS_OK)
    status = matrix_make(expressions, data, 0, rows, columns, matrix, &found);
  if (status != CUSEQ_STATUS_OK) {
    free(data);
    return status;
  }
  free(expressions->matrices[*matrix].data);
  expressions->matrices[*matrix].data = data;
  return remember(evaluator, *matrix, hash);
}

cuseq_status numbers_matrix(struct evaluator *evaluator, const struct node_call *call,
                            const struct numbers *numbers, const struct layout *layout, int32_t *matrix) {
  size_t elements;
  if (layout->rows < 1 || layout->columns < 1 ||
      __builtin_mul_overflow((size_t)layout->rows, (size_t)layout->columns, &elements) ||
      elements > numbers->count)
    return call_refuse(call, "its weights are of no shape that it can use");
  TRY(evaluator_work(evaluator, call, elements));
  float *data = malloc(elements * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (int64_t r = 0; r < layout->rows; r++)
    for (int64_t c = 0; c < layout->columns; c++)
      data[r * layout->columns + c] =
          numbers->data[layout->offset + r * layout->row + c * layout->column] * layout->factor;
  return matrix_enter(evaluator, call, layout->rows, layout->columns, data, matrix);
}
