/* pytorch_convert: nn.LSTM, nn.LSTMCell, nn.Linear and nn.Embedding under the names that the configuration gives.
 * docs/from-pytorch.md has the names. PyTorch's gates lie in our order; its matrices are transposed, and each LSTM has
 * two biases that are always added up. */
#include "convert/convert.h"
#include "convert/pytorch/checkpoint.h"
#include "error.h"
#include "formats/file.h"
#include "formats/json_bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY = 128, MAX_ENCODER_LAYERS = 64, MAX_ATTENTION_LAYERS = 16, MAX_CONFIG_MEMORY = 48 << 20 };

static const char *text_setting(const json_t *config, const char *object, const char *key,
                                const char *absent) {
  const char *value = json_string_value(json_object_get(json_object_get(config, object), key));
  return value != NULL ? value : absent;
}

static int64_t integer_setting(const json_t *config, const char *object, const char *key, int64_t absent) {
  const json_t *value = json_object_get(json_object_get(config, object), key);
  return json_is_integer(value) ? json_integer_value(value) : absent;
}

static bool is_bidirectional(const json_t *config) {
  return strcmp(text_setting(config, "encoder", "direction", "bidirectional"), "bidirectional") == 0;
}

/* A, the width of the annotations; 0 where the configuration does not say. */
static int64_t annotation_width(const json_t *config) {
  int64_t units = integer_setting(config, "encoder", "units", 0);
  bool wide =
      is_bidirectional(config) && strcmp(text_setting(config, "encoder", "merge", "concat"), "concat") == 0;
  return units < 1 || units > 1 << 20 ? 0 : wide ? 2 * units : units;
}

static cuseq_status unnamed(const char *key) {
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" is missing", key);
}

/* ---- modules -------------------------------------------------------------------------------------- */

/* bias = b_ih + b_hh, or zeros where the module has none. */
static cuseq_status read_lstm_bias(struct checkpoint *checkpoint, const char *prefix, const char *ending,
                                   int64_t gates, float **bias) {
  struct checkpoint_array input = {0}, hidden = {0};
  char suffix[64];
  cuseq_status status;
  *bias = calloc((size_t)gates, sizeof **bias);
  if (*bias == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  snprintf(suffix, sizeof suffix, "bias_ih%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, suffix, 1, false, &input));
  snprintf(suffix, sizeof suffix, "bias_hh%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, suffix, 1, input.data != NULL, &hidden));
  if ((hidden.data != NULL && input.data == NULL) || (input.data != NULL && input.columns != gates) ||
      (hidden.data != NULL && hidden.columns != gates)) {
    status = error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "'%.200s': its biases do not fit its weights (needed two of %lld)", prefix,
                       (long long)gates);
    goto cleanup;
  }
  for (int64_t i = 0; input.data != NULL && hidden.data != NULL && i < gates; i++)
    (*bias)[i] = (float)((double)input.data[i] + (double)hidden.data[i]);
cleanup:
  free(input.data);
  free(hidden.data);
  if (status != CUSEQ_STATUS_OK) {
    free(*bias);
    *bias = NULL;
  }
  return status;
}

/* Rows of an embedding through the kernel: the kernel for token ids. */
static cuseq_status fold_embedding(const struct checkpoint_array *table, struct checkpoint_array *kernel) {
  if (table->columns != kernel->rows)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "the embedding's width does not fit the encoder (%lld, needed %lld)",
                     (long long)table->columns, (long long)kernel->rows);
  float *data = malloc((size_t)table->rows * (size_t)kernel->columns * sizeof *data);
  if (data == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (int64_t r = 0; r < table->rows; r++)
    for (int64_t c = 0; c < kernel->columns; c++) {
      double sum = 0;
      for (int64_t k = 0; k < table->columns; k++)
        sum += (double)table->data[r * table->columns + k] * (double)kernel->data[k * kernel->columns + c];
      data[r * kernel->columns + c] = (float)sum;
    }
  free(kernel->data);
  *kernel = (struct checkpoint_array){table->rows, kernel->columns, data};
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_named(struct checkpoint *checkpoint, const char *prefix, const char *suffix,
                              struct checkpoint_array *array, bool vector) {
  char name[MAX_KEY + 32];
  snprintf(name, sizeof name, "%s.%s", prefix, suffix);
  float *data = array->data;
  array->data = NULL;
  return checkpoint_add(checkpoint, name, vector ? array->columns : array->rows, vector ? 0 : array->columns,
                        data);
}

/* One direction of one layer: weight_ih<ending>, weight_hh<ending>, ... under `prefix` become `ours`.kernel, ...
 *   embedding  folded into the kernel, or NULL
 *   rotate     the first so many rows of the kernel go behind the others; 0: none */
static cuseq_status add_lstm(struct checkpoint *checkpoint, const char *ours, const char *prefix,
                             const char *ending, const struct checkpoint_array *embedding, int64_t behind) {
  struct checkpoint_array kernel = {0}, recurrent = {0}, bias = {1, 0, NULL};
  char suffix[64];
  cuseq_status status;
  snprintf(suffix, sizeof suffix, "weight_ih%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, suffix, 2, true, &kernel));
  snprintf(suffix, sizeof suffix, "weight_hh%s", ending);
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, suffix, 2, true, &recurrent));
  bias.columns = kernel.rows;
  TRY_CLEANUP(read_lstm_bias(checkpoint, prefix, ending, kernel.rows, &bias.data));
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  TRY_CLEANUP(checkpoint_transpose(&recurrent));
  if (embedding != NULL)
    TRY_CLEANUP(fold_embedding(embedding, &kernel));
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  TRY_CLEANUP(add_named(checkpoint, ours, "kernel", &kernel, false));
  TRY_CLEANUP(add_named(checkpoint, ours, "recurrent_kernel", &recurrent, false));
  TRY_CLEANUP(add_named(checkpoint, ours, "bias", &bias, true));
cleanup:
  free(kernel.data);
  free(recurrent.data);
  free(bias.data);
  return status;
}

/* An nn.Linear: kernel [in, out] and bias (zeros where it has none).
 *   behind  as in add_lstm */
static cuseq_status add_linear(struct checkpoint *checkpoint, const char *ours, const char *prefix,
                               int64_t behind) {
  struct checkpoint_array kernel = {0}, bias = {0};
  cuseq_status status;
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, "weight", 2, true, &kernel));
  TRY_CLEANUP(checkpoint_read(checkpoint, prefix, "bias", 1, false, &bias));
  if (bias.data == NULL) {
    bias = (struct checkpoint_array){1, kernel.rows, calloc((size_t)kernel.rows, sizeof(float))};
    if (bias.data == NULL) {
      status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
      goto cleanup;
    }
  }
  TRY_CLEANUP(checkpoint_transpose(&kernel));
  if (behind > 0 && behind < kernel.rows)
    TRY_CLEANUP(checkpoint_rotate_rows(&kernel, kernel.rows - behind));
  TRY_CLEANUP(add_named(checkpoint, ours, "kernel", &kernel, false));
  TRY_CLEANUP(add_named(checkpoint, ours, "bias", &bias, true));
cleanup:
  free(kernel.data);
  free(bias.data);
  return status;
}

static cuseq_status named_linear(struct checkpoint *checkpoint, const char *key, int64_t behind) {
  const char *prefix;
  TRY(checkpoint_name(checkpoint, key, &prefix));
  return prefix == NULL ? unnamed(key) : add_linear(checkpoint, key, prefix, behind);
}

/* An LSTM of one layer: an nn.LSTM, whose tensors end in _l0, or an nn.LSTMCell. */
static cuseq_status named_single_lstm(struct checkpoint *checkpoint, const char *key, const char *prefix,
                                      const struct checkpoint_array *embedding, int64_t behind) {
  struct checkpoint_array probe;
  TRY(checkpoint_read(checkpoint, prefix, "weight_ih", 2, false, &probe));
  free(probe.data);
  return add_lstm(checkpoint, key, prefix, probe.data != NULL ? "" : "_l0", embedding, behind);
}

/* ---- the model's parts ---------------------------------------------------------------------------- */

static cuseq_status add_encoder_layers(struct checkpoint *checkpoint, const json_t *config,
                                       const struct checkpoint_array *embedding) {
  int64_t layers = integer_setting(config, "encoder", "layers", 1);
  const char *whole;
  TRY(checkpoint_name(checkpoint, "encoder", &whole));
  if (layers < 1 || layers > MAX_ENCODER_LAYERS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "encoder.layers: %lld (needed 1 to %d)",
                     (long long)layers, MAX_ENCODER_LAYERS);
  for (int layer = 0; layer < (int)layers; layer++)
    for (int d = 0; d < (is_bidirectional(config) ? 2 : 1); d++) {
      char ours[MAX_KEY], ending[32];
      const char *own;
      snprintf(ours, sizeof ours, "encoder.layers.%d.%s", layer, d == 0 ? "forward" : "backward");
      snprintf(ending, sizeof ending, "_l%d%s", layer, d == 0 ? "" : "_reverse");
      const struct checkpoint_array *table = layer == 0 ? embedding : NULL;
      TRY(checkpoint_name(checkpoint, ours, &own));
      if (own != NULL)
        TRY(named_single_lstm(checkpoint, ours, own, table, 0));
      else if (whole != NULL)
        TRY(add_lstm(checkpoint, ours, whole, ending, table, 0));
      else
        return unnamed("encoder");
    }
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_encoder(struct checkpoint *checkpoint, const json_t *config) {
  struct checkpoint_array embedding = {0};
  const char *name;
  TRY(checkpoint_name(checkpoint, "encoder.embedding", &name));
  if (name != NULL)
    TRY(checkpoint_read(checkpoint, name, "weight", 2, true, &embedding));
  cuseq_status status = add_encoder_layers(checkpoint, config, embedding.data != NULL ? &embedding : NULL);
  free(embedding.data);
  return status;
}

/* key, query and value of the additive score; the value may be an nn.Linear of one unit or a vector of its own. The
 * biases of key and query are one; that of value is the same at every position, and the softmax takes it out. */
static cuseq_status add_additive(struct checkpoint *checkpoint) {
  struct checkpoint_array weights[3] = {{0}}, biases[3] = {{0}};
  static const char *const keys[] = {"attention.key", "attention.query", "attention.value"};
  cuseq_status status;
  for (int i = 0; i < 3; i++) {
    const char *name;
    TRY_CLEANUP(checkpoint_name(checkpoint, keys[i], &name));
    if (name == NULL) {
      status = unnamed(keys[i]);
      goto cleanup;
    }
    if (i == 2)
      TRY_CLEANUP(checkpoint_read(checkpoint, name, NULL, 1, false, &weights[i]));
    if (weights[i].data == NULL) {
      TRY_CLEANUP(checkpoint_read(checkpoint, name, "weight", 2, true, &weights[i]));
      TRY_CLEANUP(checkpoint_read(checkpoint, name, "bias", 1, false, &biases[i]));
    }
  }
  int64_t units = weights[0].rows;
  for (int i = 0; i < 2; i++)
    if (biases[i].data != NULL && biases[i].columns != units) {
      status = error_set(CUSEQ_STATUS_INVALID_MODEL, "%s: its bias does not fit its weights", keys[i]);
      goto cleanup;
    }
  if (weights[2].rows != 1) {
    status = error_set(CUSEQ_STATUS_INVALID_MODEL, "attention.value: it has %lld outputs (needed 1)",
                       (long long)weights[2].rows);
    goto cleanup;
  }
  for (int64_t i = 0; biases[0].data != NULL && biases[1].data != NULL && i < units; i++)
    biases[0].data[i] = (float)((double)biases[0].data[i] + (double)biases[1].data[i]);
  struct checkpoint_array *bias = biases[0].data != NULL ? &biases[0] : &biases[1];
  TRY_CLEANUP(checkpoint_transpose(&weights[0]));
  TRY_CLEANUP(checkpoint_transpose(&weights[1]));
  TRY_CLEANUP(add_named(checkpoint, "attention", "key", &weights[0], false));
  TRY_CLEANUP(add_named(checkpoint, "attention", "query", &weights[1], false));
  TRY_CLEANUP(add_named(checkpoint, "attention", "value", &weights[2], true));
  if (bias->data != NULL)
    TRY_CLEANUP(add_named(checkpoint, "attention", "bias", bias, true));
cleanup:
  for (int i = 0; i < 3; i++) {
    free(weights[i].data);
    free(biases[i].data);
  }
  return status;
}

/* e = (W a) . s, the Linear over the annotations, or with the order "state" first a . (W s). A bias would add a term of
 * the state alone, or one that cuseq does not have. */
static cuseq_status add_general(struct checkpoint *checkpoint) {
  struct checkpoint_array weight = {0}, bias = {0};
  const char *name;
  bool of_state;
  TRY(checkpoint_name(checkpoint, "attention.general", &name));
  TRY(checkpoint_order(checkpoint, "attention.general", "annotations", "state", &of_state));
  if (name == NULL)
    return unnamed("attention.general");
  cuseq_status status;
  TRY_CLEANUP(checkpoint_read(checkpoint, name, "weight", 2, true, &weight));
  TRY_CLEANUP(checkpoint_read(checkpoint, name, "bias", 1, false, &bias));
  for (int64_t i = 0; of_state && bias.data != NULL && i < bias.columns; i++)
    if (bias.data[i] != 0) {
      status = error_set(CUSEQ_STATUS_INVALID_MODEL,
                         "tensor '%.200s.bias': the score \"general\" has no bias", name);
      goto cleanup;
    }
  if (!of_state)
    TRY_CLEANUP(checkpoint_transpose(&weight));
  TRY_CLEANUP(add_named(checkpoint, "attention", "general", &weight, false));
cleanup:
  free(weight.data);
  free(bias.data);
  return status;
}

static cuseq_status add_attention(struct checkpoint *checkpoint, const json_t *config) {
  const char *score = text_setting(config, "attention", "score", "concat");
  if (strcmp(score, "additive") == 0)
    return add_additive(checkpoint);
  if (strcmp(score, "general") == 0)
    return add_general(checkpoint);
  size_t layers = json_array_size(json_object_get(json_object_get(config, "attention"), "layers"));
  for (size_t i = 0; strcmp(score, "concat") == 0 && i < layers && i < MAX_ATTENTION_LAYERS; i++) {
    char key[MAX_KEY];
    bool swapped = false;
    snprintf(key, sizeof key, "attention.layers.%zu", i);
    if (i == 0)
      TRY(checkpoint_order(checkpoint, key, "annotations", "state", &swapped));
    TRY(named_linear(checkpoint, key, swapped ? annotation_width(config) : 0));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_decoder(struct checkpoint *checkpoint, const json_t *config) {
  const char *name;
  bool swapped;
  TRY(checkpoint_name(checkpoint, "decoder", &name));
  TRY(checkpoint_order(checkpoint, "decoder", "context", "feedback", &swapped));
  if (name == NULL)
    return unnamed("decoder");
  TRY(named_single_lstm(checkpoint, "decoder", name, NULL, swapped ? annotation_width(config) : 0));
  TRY(checkpoint_name(checkpoint, "decoder.embedding", &name));
  if (name != NULL) {
    struct checkpoint_array table;
    TRY(checkpoint_read(checkpoint, name, "weight", 2, true, &table));
    TRY(add_named(checkpoint, "decoder", "embedding", &table, false));
  }
  return named_linear(checkpoint, "output", 0);
}

static cuseq_status add_parts(struct checkpoint *checkpoint, const json_t *config) {
  bool decoder = json_object_get(config, "decoder") != NULL;
  TRY(add_encoder(checkpoint, config));
  TRY(add_attention(checkpoint, config));
  if (strcmp(text_setting(config, decoder ? "decoder" : "state", "initial_state", "encoder"), "dense") == 0) {
    TRY(named_linear(checkpoint, "initial.h", 0));
    if (decoder)
      TRY(named_linear(checkpoint, "initial.c", 0));
  }
  if (decoder)
    TRY(add_decoder(checkpoint, config));
  return checkpoint_check_leftovers(checkpoint);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static cuseq_status make_model(struct checkpoint *checkpoint, const json_t *config, cuseq_model **model) {
  char *text = json_dumps(config, JSON_COMPACT);
  if (text == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  cuseq_status status = cuseq_model_create(text, checkpoint->tensors, checkpoint->count, model);
  free(text);
  if (status != CUSEQ_STATUS_OK) { /* the library may keep its error texts apart from the program's */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", cuseq_last_error());
    error_set(status, "%s", reason);
  }
  return status;
}

static cuseq_status convert_bytes(const void *bytes, size_t size, json_t *config, cuseq_model **model) {
  struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
  if (checkpoint == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  cuseq_status status;
  json_t *names = json_incref(json_object_get(config, "names"));
  TRY_CLEANUP(safetensors_parse(bytes, size, &checkpoint->file));
  checkpoint->names = names;
  checkpoint->asked = json_object();
  checkpoint->used = calloc(checkpoint->file.tensor_count + 1, sizeof *checkpoint->used);
  if (checkpoint->asked == NULL || checkpoint->used == NULL) {
    status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
    goto cleanup;
  }
  json_object_del(config, "names");
  TRY_CLEANUP(add_parts(checkpoint, config));
  status = make_model(checkpoint, config, model);
cleanup:
  checkpoint_free(checkpoint);
  free(checkpoint);
  json_decref(names);
  return status;
}

cuseq_status pytorch_convert(const char *path, const char *config_json, cuseq_model **model) {
  json_error_t error;
  *model = NULL;
  if (json_bound(config_json, strlen(config_json)).memory > (size_t)MAX_CONFIG_MEMORY)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "configuration: JSON that takes too much memory");
  json_t *config = json_loads(config_json, JSON_REJECT_DUPLICATES, &error);
  if (config == NULL)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "configuration: not JSON (line %d: %.200s)", error.line,
                     error.text);
  void *bytes = NULL;
  size_t size;
  cuseq_status status;
  if (!json_is_object(json_object_get(config, "names"))) {
    status =
        error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                  "configuration: \"names\" is missing (needed: from cuseq's prefixes to the checkpoint's)");
  } else {
    status = file_read(path, &bytes, &size);
    if (status == CUSEQ_STATUS_OK) {
      status = convert_bytes(bytes, size, config, model);
      if (status != CUSEQ_STATUS_OK)
        error_prefix(status, path);
    }
    free(bytes);
  }
  json_decref(config);
  return status;
}
