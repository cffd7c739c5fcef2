/* Tensors: weights, with what lies in front of them folded in. */
#include "convert/recognise/emit.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enters a tensor, which takes its data, also where it fails. */
static cuseq_status add_tensor(struct emitter *emitter, const char *name, int64_t rows, int64_t columns,
                               float *data) {
  char *copy = emitter->count < EMIT_MAX_TENSORS ? strdup(name) : NULL;
  if (copy == NULL) {
    free(data);
    return emitter->count < EMIT_MAX_TENSORS
               ? error_out_of_memory()
               : error_set(CUSEQ_STATUS_INVALID_MODEL, "the model has too many tensors");
  }
  emitter->tensors[emitter->count++] = (cuseq_tensor){.name = copy,
                                                      .dtype = CUSEQ_DTYPE_F32,
                                                      .rank = columns > 0 ? 2 : 1,
                                                      .shape = {rows, columns},
                                                      .data = data};
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_tensor(struct emitter *emitter, int64_t rows, int64_t columns, float **data,
                         const char *format, ...) {
  char name[128];
  va_list list;
  va_start(list, format);
  vsnprintf(name, sizeof name, format, list);
  va_end(list);
  *data = calloc((size_t)rows * (size_t)(columns > 0 ? columns : 1), sizeof **data);
  return *data == NULL ? error_out_of_memory() : add_tensor(emitter, name, rows, columns, *data);
}

void emit_rows(const struct affine *affine, int32_t first, int32_t rows, float *to) {
  const double *from = affine->matrix + (size_t)first * (size_t)affine->columns;
  for (size_t i = 0; i < (size_t)rows * (size_t)affine->columns; i++)
    to[i] = (float)from[i];
}

static cuseq_status emit_dense_bias(struct emitter *emitter, const struct affine *affine,
                                    const char *prefix) {
  float *bias;
  TRY(emit_tensor(emitter, affine->columns, 0, &bias, "%s.bias", prefix));
  for (int32_t c = 0; c < affine->columns; c++)
    bias[c] = (float)affine->bias[c];
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_dense(struct emitter *emitter, const struct affine *affine, bool has_bias,
                        const char *prefix) {
  float *kernel;
  TRY(emit_tensor(emitter, affine->rows, affine->columns, &kernel, "%s.kernel", prefix));
  emit_rows(affine, 0, affine->rows, kernel);
  return has_bias ? emit_dense_bias(emitter, affine, prefix) : CUSEQ_STATUS_OK;
}

cuseq_status emit_dense_taken(struct emitter *emitter, struct affine *affine, bool has_bias,
                              const char *prefix) {
  const size_t elements = (size_t)affine->rows * (size_t)affine->columns;
  char *bytes = (char *)affine->matrix, name[128];
  for (size_t i = 0; i < elements; i++) { /* the room of a number ends before the next one begins */
    double wide;
    memcpy(&wide, bytes + i * sizeof wide, sizeof wide);
    const float narrow = (float)wide;
    memcpy(bytes + i * sizeof narrow, &narrow, sizeof narrow);
  }
  affine->matrix = NULL;
  float *shrunk = realloc(bytes, (elements > 0 ? elements : 1) * sizeof *shrunk);
  snprintf(name, sizeof name, "%s.kernel", prefix);
  TRY(add_tensor(emitter, name, affine->rows, affine->columns, shrunk != NULL ? shrunk : (float *)bytes));
  return has_bias ? emit_dense_bias(emitter, affine, prefix) : CUSEQ_STATUS_OK;
}

/* ---- cells ---------------------------------------------------------------------------------------- */

bool emit_has_bias(const struct recurrent_cell *cell, const struct affine *front) {
  return cell->bias >= 0 || (front != NULL && affine_has_bias(front));
}

/* prefix.kernel: `product`, or the rows of an embedding times it. */
static cuseq_status emit_kernel(struct emitter *emitter, const double *product, int32_t inputs, int32_t width,
                                int32_t embedding, const char *prefix) {
  const struct matrix *table = embedding >= 0 ? &emitter->expressions->matrices[embedding] : NULL;
  int32_t rows = table != NULL ? table->rows : inputs;
  double *line = calloc((size_t)width, sizeof *line);
  float *data;
  cuseq_status status = CUSEQ_STATUS_OK;
  if (line == NULL)
    return error_out_of_memory();
  TRY_CLEANUP(emit_tensor(emitter, rows, width, &data, "%s.kernel", prefix));
  for (int32_t r = 0; r < rows; r++) {
    const double *from = product + (size_t)r * (size_t)width;
    if (table != NULL) {
      memset(line, 0, (size_t)width * sizeof *line);
      for (int32_t k = 0; k < table->columns; k++)
        for (int32_t c = 0; c < width; c++)
          line[c] += (double)table->data[(size_t)r * (size_t)table->columns + (size_t)k] *
                     product[(size_t)k * (size_t)width + (size_t)c];
      from = line;
    }
    for (int32_t c = 0; c < width; c++)
      data[(size_t)r * (size_t)width + (size_t)c] = (float)from[c];
  }
cleanup:
  free(line);
  return status;
}

static cuseq_status emit_bias(struct emitter *emitter, const struct recurrent_cell *cell,
                              const struct affine *front, const char *prefix) {
  const struct matrix *matrices = emitter->expressions->matrices, *kernel = &matrices[cell->kernel];
  double *line = calloc((size_t)kernel->columns, sizeof *line);
  float *data;
  if (line == NULL)
    return error_out_of_memory();
  cuseq_status status = emit_tensor(emitter, kernel->columns, 0, &data, "%s.bias", prefix);
  if (status == CUSEQ_STATUS_OK) {
    if (front != NULL)
      affine_add_product(front->bias, 1, kernel, line);
    for (int32_t c = 0; c < kernel->columns; c++)
      data[c] = (float)(line[c] + (cell->bias >= 0 ? (double)matrices[cell->bias].data[c] : 0));
  }
  free(line);
  return status;
}

cuseq_status emit_matrix(struct emitter *emitter, int32_t matrix, bool vector, const char *prefix,
                         const char *name) {
  const struct matrix *from = &emitter->expressions->matrices[matrix];
  float *data;
  TRY(emit_tensor(emitter, vector ? from->columns : from->rows, vector ? 0 : from->columns, &data, "%s.%s",
                  prefix, name));
  memcpy(data, from->data, (size_t)from->rows * (size_t)from->columns * sizeof *data);
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_norm(struct emitter *emitter, const struct level_norm *norm, const char *prefix) {
  if (norm->units == 0)
    return CUSEQ_STATUS_OK;
  TRY(emit_matrix(emitter, norm->scale, true, prefix, "norm.scale"));
  return emit_matrix(emitter, norm->offset, true, prefix, "norm.offset");
}

cuseq_status emit_cell(struct emitter *emitter, const struct recurrent_cell *cell, const struct affine *front,
                       int32_t embedding, bool bias, const char *prefix) {
  const struct matrix *kernel = &emitter->expressions->matrices[cell->kernel];
  int32_t width = kernel->columns, inputs = front != NULL ? front->rows : kernel->rows;
  bool nothing = inputs == 0; /* it is given one number that is always zero (emit_version2.c) */
  bool plain = !nothing && (front == NULL || affine_is_identity(front));
  inputs = nothing ? 1 : inputs;
  double *product = calloc((size_t)inputs * (size_t)width, sizeof *product);
  if (product == NULL)
    return error_out_of_memory();
  for (size_t i = 0; plain && i < (size_t)inputs * (size_t)width; i++)
    product[i] = (double)kernel->data[i];
  if (!plain && !nothing)
    affine_add_product(front->matrix, inputs, kernel, product);
  cuseq_status status = emit_kernel(emitter, product, inputs, width, embedding, prefix);
  free(product);
  TRY(status);
  TRY(emit_matrix(emitter, cell->recurrent_kernel, false, prefix, "recurrent_kernel"));
  if (bias)
    TRY(emit_bias(emitter, cell, front, prefix));
  if (cell->recurrent_bias >= 0)
    TRY(emit_matrix(emitter, cell->recurrent_bias, true, prefix, "recurrent_bias"));
  return CUSEQ_STATUS_OK;
}

/* ---- scores --------------------------------------------------------------------------------------- */

cuseq_status emit_additive(struct emitter *emitter, const struct found_attention *attention,
                           const char *prefix, bool *bias) {
  const struct affine *first = &attention->layers.levels[0].map, *last = &attention->layers.levels[1].map;
  int32_t query = attention->query_width,
          key = attention->query.count > 0 ? first->rows - query : first->rows;
  float *data;
  TRY(emit_tensor(emitter, key, first->columns, &data, "%s.key", prefix));
  emit_rows(first, 0, key, data);
  TRY(emit_tensor(emitter, query, first->columns, &data, "%s.query", prefix));
  if (attention->query.count > 0)
    emit_rows(first, key, query, data);
  TRY(emit_tensor(emitter, first->columns, 0, &data, "%s.value", prefix));
  emit_rows(last, 0, last->rows, data); /* its bias is the same at every position: the softmax takes it out */
  *bias = affine_has_bias(first);
  if (!*bias)
    return CUSEQ_STATUS_OK;
  TRY(emit_tensor(emitter, first->columns, 0, &data, "%s.bias", prefix));
  for (int32_t c = 0; c < first->columns; c++)
    data[c] = (float)first->bias[c];
  return CUSEQ_STATUS_OK;
}

/* G = scale * M N^T of (a M) . (s N). */
cuseq_status emit_general(struct emitter *emitter, const struct found_attention *attention,
                          const char *prefix) {
  const struct affine *key = &attention->key, *query = &attention->query_of;
  float *data;
  TRY(emit_tensor(emitter, key->rows, query->rows, &data, "%s.general", prefix));
  size_t inner = (size_t)key->columns;
  for (size_t r = 0; r < (size_t)key->rows; r++)
    for (size_t c = 0; c < (size_t)query->rows; c++) {
      double sum = 0;
      for (size_t k = 0; k < inner; k++)
        sum += key->matrix[r * inner + k] * query->matrix[c * inner + k];
      data[r * (size_t)query->rows + c] = (float)(attention->scale * sum);
    }
  return CUSEQ_STATUS_OK;
}
