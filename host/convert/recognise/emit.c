/* Writes what was recognised as a configuration and tensors, and has the library make the model of them. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = RECOGNISE_MAX_LAYERS * 6 + 64 };

struct emitter {
  const struct expressions *expressions;
  const struct recognised *model;
  cuseq_tensor tensors[MAX_TENSORS];
  size_t count;
  json_t *json;
};

static cuseq_status out_of_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
}

static const char *activation_name(cuseq_activation activation) {
  static const char *const names[] = {[CUSEQ_ACTIVATION_LINEAR] = "linear",
                                      [CUSEQ_ACTIVATION_TANH] = "tanh",
                                      [CUSEQ_ACTIVATION_RELU] = "relu",
                                      [CUSEQ_ACTIVATION_SIGMOID] = "sigmoid",
                                      [CUSEQ_ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
                                      [CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2] = "hard_sigmoid_keras2",
                                      [CUSEQ_ACTIVATION_SOFTMAX] = "softmax"};
  return names[activation];
}

/* ---- tensors -------------------------------------------------------------------------------------- */

/* A new tensor of zeros for the caller to fill in; columns 0: a vector of `rows` elements. */
static cuseq_status add_tensor(struct emitter *emitter, int64_t rows, int64_t columns, float **data,
                               const char *format, ...) __attribute__((format(printf, 5, 6)));

static cuseq_status add_tensor(struct emitter *emitter, int64_t rows, int64_t columns, float **data,
                               const char *format, ...) {
  char name[128];
  va_list list;
  va_start(list, format);
  vsnprintf(name, sizeof name, format, list);
  va_end(list);
  if (emitter->count >= MAX_TENSORS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the model has too many tensors");
  *data = calloc((size_t)rows * (size_t)(columns > 0 ? columns : 1), sizeof **data);
  char *copy = strdup(name);
  if (*data == NULL || copy == NULL) {
    free(*data);
    free(copy);
    return out_of_memory();
  }
  emitter->tensors[emitter->count++] = (cuseq_tensor){.name = copy,
                                                      .dtype = CUSEQ_DTYPE_F32,
                                                      .rank = columns > 0 ? 2 : 1,
                                                      .shape = {rows, columns},
                                                      .data = *data};
  return CUSEQ_STATUS_OK;
}

static void copy_rows(const struct affine *affine, int32_t first, int32_t rows, float *to) {
  const double *from = affine->matrix + (size_t)first * (size_t)affine->columns;
  for (size_t i = 0; i < (size_t)rows * (size_t)affine->columns; i++)
    to[i] = (float)from[i];
}

/* prefix.kernel and prefix.bias of an affine map. */
static cuseq_status add_dense(struct emitter *emitter, const struct affine *affine, const char *prefix) {
  float *kernel, *bias;
  TRY(add_tensor(emitter, affine->rows, affine->columns, &kernel, "%s.kernel", prefix));
  TRY(add_tensor(emitter, affine->columns, 0, &bias, "%s.bias", prefix));
  copy_rows(affine, 0, affine->rows, kernel);
  for (int32_t c = 0; c < affine->columns; c++)
    bias[c] = (float)affine->bias[c];
  return CUSEQ_STATUS_OK;
}

/* to [rows, columns] += from [rows, inner] * kernel [inner, columns] */
static void add_product(const double *from, int32_t rows, const struct matrix *kernel, double *to) {
  size_t inner = (size_t)kernel->rows, columns = (size_t)kernel->columns;
  for (size_t r = 0; r < (size_t)rows; r++)
    for (size_t k = 0; k < inner; k++) {
      double factor = from[r * inner + k];
      for (size_t c = 0; factor != 0 && c < columns; c++)
        to[r * columns + c] += factor * (double)kernel->data[k * columns + c];
    }
}

/* An LSTM's tensors; what lies in front of it goes into its kernel and bias, and so does an embedding: its rows, taken
 * through the front and the kernel, are the kernel for token ids. */
static cuseq_status add_lstm(struct emitter *emitter, const struct recurrent_cell *lstm,
                             const struct affine *front, int32_t embedding, const char *prefix) {
  const struct matrix *matrices = emitter->expressions->matrices;
  const struct matrix *kernel = &matrices[lstm->kernel], *recurrent = &matrices[lstm->recurrent_kernel];
  int32_t width = kernel->columns, rows = embedding >= 0 ? matrices[embedding].rows : front->rows;
  float *data;
  bool plain = affine_is_identity(front);
  double *product = calloc((size_t)front->rows * (size_t)width, sizeof *product);
  double *line = calloc((size_t)width, sizeof *line);
  cuseq_status status = CUSEQ_STATUS_OK;
  if (product == NULL || line == NULL) {
    status = out_of_memory();
    goto cleanup;
  }
  for (size_t i = 0; plain && i < (size_t)front->rows * (size_t)width; i++)
    product[i] = (double)kernel->data[i];
  if (!plain)
    add_product(front->matrix, front->rows, kernel, product);
  TRY_CLEANUP(add_tensor(emitter, rows, width, &data, "%s.kernel", prefix));
  for (int32_t r = 0; r < rows; r++) {
    const double *from = product + (size_t)r * (size_t)width;
    if (embedding >= 0) {
      const struct matrix *table = &matrices[embedding];
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
  TRY_CLEANUP(add_tensor(emitter, recurrent->rows, width, &data, "%s.recurrent_kernel", prefix));
  memcpy(data, recurrent->data, (size_t)recurrent->rows * (size_t)width * sizeof *data);
  TRY_CLEANUP(add_tensor(emitter, width, 0, &data, "%s.bias", prefix));
  memset(line, 0, (size_t)width * sizeof *line);
  add_product(front->bias, 1, kernel, line);
  for (int32_t c = 0; c < width; c++)
    data[c] = (float)(line[c] + (lstm->bias >= 0 ? (double)matrices[lstm->bias].data[c] : 0));
cleanup:
  free(product);
  free(line);
  return status;
}

static cuseq_status add_additive(struct emitter *emitter) {
  const struct affine *first = &emitter->model->levels[0], *last = &emitter->model->levels[1];
  int32_t annotation = first->rows - emitter->model->state_units;
  float *data;
  TRY(add_tensor(emitter, annotation, first->columns, &data, "attention.key"));
  copy_rows(first, 0, annotation, data);
  TRY(add_tensor(emitter, emitter->model->state_units, first->columns, &data, "attention.query"));
  copy_rows(first, annotation, emitter->model->state_units, data);
  TRY(add_tensor(emitter, first->columns, 0, &data, "attention.value"));
  copy_rows(last, 0, last->rows, data); /* its bias is the same at every position: the softmax takes it out */
  if (!affine_has_bias(first))
    return CUSEQ_STATUS_OK;
  TRY(add_tensor(emitter, first->columns, 0, &data, "attention.bias"));
  for (int32_t c = 0; c < first->columns; c++)
    data[c] = (float)first->bias[c];
  return CUSEQ_STATUS_OK;
}

/* G = scale * M N^T of (a M) . (s N). */
static cuseq_status add_general(struct emitter *emitter) {
  const struct affine *key = &emitter->model->key, *query = &emitter->model->query;
  float *data;
  TRY(add_tensor(emitter, key->rows, query->rows, &data, "attention.general"));
  size_t inner = (size_t)key->columns;
  for (size_t r = 0; r < (size_t)key->rows; r++)
    for (size_t c = 0; c < (size_t)query->rows; c++) {
      double sum = 0;
      for (size_t k = 0; k < inner; k++)
        sum += key->matrix[r * inner + k] * query->matrix[c * inner + k];
      data[r * (size_t)query->rows + c] = (float)(emitter->model->scale * sum);
    }
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_attention(struct emitter *emitter) {
  const struct recognised *model = emitter->model;
  if (model->score == CUSEQ_SCORE_ADDITIVE)
    return add_additive(emitter);
  if (model->score == CUSEQ_SCORE_GENERAL)
    return add_general(emitter);
  for (int32_t i = 0; i < model->level_count; i++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "attention.layers.%d", i);
    TRY(add_dense(emitter, &model->levels[i], prefix));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_tensors(struct emitter *emitter) {
  const struct recognised *model = emitter->model;
  for (int32_t i = 0; i < model->encoder_count; i++) {
    const struct recurrent_layer *encoder = &emitter->expressions->layers[model->encoders[i]];
    for (int d = 0; d < (encoder->direction == LAYER_BIDIRECTIONAL ? 2 : 1); d++) {
      char prefix[64];
      snprintf(prefix, sizeof prefix, "encoder.layers.%d.%s", i, d == 0 ? "forward" : "backward");
      TRY(add_lstm(emitter, &encoder->directions[d], &model->fronts[i], i == 0 ? model->embedding : -1,
                   prefix));
    }
  }
  TRY(add_attention(emitter));
  if (model->h.kind == CUSEQ_INITIAL_STATE_DENSE)
    TRY(add_dense(emitter, &model->h.map, "initial.h"));
  if (model->steps == 0)
    return CUSEQ_STATUS_OK;
  if (model->h.kind == CUSEQ_INITIAL_STATE_DENSE)
    TRY(add_dense(emitter, &model->c.map, "initial.c"));
  TRY(add_lstm(emitter, &emitter->expressions->cells[model->cell], &model->cell_input, -1, "decoder"));
  return add_dense(emitter, &model->output, "output");
}

/* ---- configuration -------------------------------------------------------------------------------- */

static cuseq_status set(json_t *object, const char *key, json_t *value) {
  return json_object_set_new(object, key, value) == 0 ? CUSEQ_STATUS_OK : out_of_memory();
}

static cuseq_status set_encoder(struct emitter *emitter) {
  static const char *const merges[] = {"concat", "sum", "mul", "ave"};
  const struct recognised *model = emitter->model;
  const struct recurrent_layer *encoder = &emitter->expressions->layers[model->encoders[0]];
  const struct recurrent_cell *lstm = &encoder->directions[0];
  const struct matrix *table =
      model->embedding >= 0 ? &emitter->expressions->matrices[model->embedding] : NULL;
  json_t *json = json_object();
  TRY(set(emitter->json, "encoder", json));
  TRY(set(json, "features", json_integer(table != NULL ? table->rows : model->fronts[0].rows)));
  TRY(set(json, "units", json_integer(lstm->units)));
  TRY(set(json, "layers", json_integer(model->encoder_count)));
  TRY(set(json, "direction",
          json_string(encoder->direction == LAYER_BIDIRECTIONAL ? "bidirectional" : "forward")));
  if (encoder->direction == LAYER_BIDIRECTIONAL)
    TRY(set(json, "merge", json_string(merges[encoder->merge])));
  TRY(set(json, "activation", json_string(activation_name(lstm->activation))));
  return set(json, "recurrent_activation", json_string(activation_name(lstm->recurrent_activation)));
}

static cuseq_status set_attention(struct emitter *emitter) {
  static const char *const scores[] = {"concat", "dot", "general", "additive"};
  const struct recognised *model = emitter->model;
  json_t *json = json_object(), *layers = json_array();
  TRY(set(emitter->json, "attention", json));
  TRY(set(json, "score", json_string(scores[model->score])));
  if (model->score == CUSEQ_SCORE_DOT && model->scale != 1)
    TRY(set(json, "scale", json_real(model->scale)));
  if (model->score != CUSEQ_SCORE_CONCAT) {
    json_decref(layers);
    return CUSEQ_STATUS_OK;
  }
  TRY(set(json, "layers", layers));
  for (int32_t i = 0; i < model->level_count; i++) {
    json_t *layer = json_object();
    if (json_array_append_new(layers, layer) != 0)
      return out_of_memory();
    TRY(set(layer, "units", json_integer(model->levels[i].columns)));
    TRY(set(layer, "activation", json_string(activation_name(model->activations[i]))));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_states(struct emitter *emitter, json_t *json) {
  static const char *const kinds[] = {"zeros", "encoder", "dense"};
  const struct recognised *model = emitter->model;
  TRY(set(json, "units", json_integer(model->state_units)));
  TRY(set(json, "initial_state", json_string(kinds[model->h.kind])));
  if (model->h.kind == CUSEQ_INITIAL_STATE_DENSE)
    TRY(set(json, "initial_activation", json_string(activation_name(model->h.activation))));
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_decoder(struct emitter *emitter) {
  const struct recognised *model = emitter->model;
  const struct recurrent_cell *cell = &emitter->expressions->cells[model->cell];
  json_t *decoder = json_object(), *output = json_object();
  TRY(set(emitter->json, "output", output));
  TRY(set(emitter->json, "decoder", decoder));
  TRY(set_states(emitter, decoder));
  TRY(set(decoder, "steps", json_integer(model->steps)));
  TRY(set(decoder, "feedback", json_string("none")));
  TRY(set(decoder, "activation", json_string(activation_name(cell->activation))));
  TRY(set(decoder, "recurrent_activation", json_string(activation_name(cell->recurrent_activation))));
  TRY(set(output, "units", json_integer(model->output.columns)));
  return set(output, "activation", json_string(model->softmax ? "softmax" : "linear"));
}

static cuseq_status set_configuration(struct emitter *emitter, const json_t *vocabulary) {
  emitter->json = json_object();
  TRY(set(emitter->json, "version", json_integer(1)));
  TRY(set_encoder(emitter));
  TRY(set_attention(emitter));
  if (emitter->model->steps > 0) {
    TRY(set_decoder(emitter));
  } else {
    json_t *state = json_object();
    TRY(set(emitter->json, "state", state));
    TRY(set_states(emitter, state));
  }
  if (vocabulary != NULL)
    return set(emitter->json, "vocabulary", json_deep_copy(vocabulary));
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_model(const struct expressions *expressions, const struct recognised *recognised,
                        const json_t *vocabulary, cuseq_model **model) {
  struct emitter emitter = {.expressions = expressions, .model = recognised};
  char *text = NULL;
  cuseq_status status;
  TRY_CLEANUP(set_configuration(&emitter, vocabulary));
  TRY_CLEANUP(add_tensors(&emitter));
  text = json_dumps(emitter.json, JSON_COMPACT);
  if (text == NULL) {
    status = out_of_memory();
    goto cleanup;
  }
  status = cuseq_model_create(text, emitter.tensors, emitter.count, model);
  if (status != CUSEQ_STATUS_OK) { /* the library may keep its error texts apart from the program's */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", cuseq_last_error());
    error_set(status, "%s", reason);
  }
cleanup:
  free(text);
  json_decref(emitter.json);
  for (size_t i = 0; i < emitter.count; i++) {
    free((void *)emitter.tensors[i].name);
    free((void *)emitter.tensors[i].data);
  }
  return status;
}
