#include "convert/keras/cells.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

/* ---- settings ------------------------------------------------------------------------------------- */

bool cell_is_recurrent(const char *class_name) {
  return class_name != NULL && (strcmp(class_name, "LSTM") == 0 || strcmp(class_name, "GRU") == 0 ||
                                strcmp(class_name, "SimpleRNN") == 0 || strcmp(class_name, "RNN") == 0);
}

/* What recurrent_activation is where the file does not say: hard_sigmoid before Keras 2.3. TensorFlow 1 and
 * 2.0 both call their Keras 2.2.4-tf and differ. */
static cuseq_status default_recurrent_activation(struct evaluator *evaluator, const struct keras_layer *layer,
                                                 cuseq_activation *activation) {
  const struct keras_version *version = &evaluator->version;
  bool old = version->major < 2 || (version->major == 2 && version->minor < 3);
  if (old && version->tensorflow)
    return layer_refuse(layer,
                        "its recurrent_activation is missing, and Keras %d.%d-tf does not tell which it was",
                        version->major, version->minor);
  *activation = old ? CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2 : CUSEQ_ACTIVATION_SIGMOID;
  return CUSEQ_STATUS_OK;
}

/* Reads an activation of a cell, which works on each unit by itself. */
static cuseq_status read_activation(struct evaluator *evaluator, const struct keras_layer *layer,
                                    const json_t *config, const char *setting, cuseq_activation absent,
                                    cuseq_activation *kind) {
  struct named_activation activation;
  TRY(activation_parse(evaluator, layer, json_object_get(config, setting), absent, &activation));
  *kind = activation.kind;
  if (*kind != CUSEQ_ACTIVATION_SOFTMAX && *kind != CUSEQ_ACTIVATION_LOG_SOFTMAX)
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer, "its %s is a softmax over the units, which cuseq's cells have not", setting);
}

static cuseq_status read_activations(struct evaluator *evaluator, const struct keras_layer *layer,
                                     const json_t *config, bool simple, struct recurrent_cell *cell) {
  TRY(read_activation(evaluator, layer, config, "activation", CUSEQ_ACTIVATION_TANH, &cell->activation));
  if (simple) {
    cell->recurrent_activation = CUSEQ_ACTIVATION_HARD_SIGMOID;
    return CUSEQ_STATUS_OK;
  }
  if (json_object_get(config, "recurrent_activation") == NULL)
    return default_recurrent_activation(evaluator, layer, &cell->recurrent_activation);
  return read_activation(evaluator, layer, config, "recurrent_activation", CUSEQ_ACTIVATION_SIGMOID,
                         &cell->recurrent_activation);
}

cuseq_status cell_refuse_setting(const struct keras_layer *layer, const json_t *config, const char *key,
                                 const char *why) {
  bool set;
  TRY(layer_bool(layer, config, key, false, &set));
  return set ? layer_refuse(layer, "its setting %s: cuseq %s", key, why) : CUSEQ_STATUS_OK;
}

/* Which cell it is, and where its settings are: an RNN layer has them in its cell.
 *   simple  whether it is a simple recurrent cell, which becomes a GRU */
static cuseq_status find_cell(const struct cell_source *source, enum cell_kind *kind, bool *simple,
                              const json_t **settings) {
  const json_t *inner = source->cell != NULL ? source->cell : json_object_get(source->config, "cell");
  const char *name = source->class_name;
  *settings = source->config;
  if (name != NULL && strcmp(name, "RNN") == 0) {
    const char *of_cell = json_string_value(json_object_get(inner, "class_name"));
    *settings = json_object_get(inner, "config");
    name = of_cell == NULL                         ? name
           : strcmp(of_cell, "LSTMCell") == 0      ? "LSTM"
           : strcmp(of_cell, "GRUCell") == 0       ? "GRU"
           : strcmp(of_cell, "SimpleRNNCell") == 0 ? "SimpleRNN"
                                                   : of_cell;
  }
  *simple = name != NULL && strcmp(name, "SimpleRNN") == 0;
  *kind = *simple || (name != NULL && strcmp(name, "GRU") == 0) ? CELL_GRU : CELL_LSTM;
  if (*simple || (name != NULL && (strcmp(name, "GRU") == 0 || strcmp(name, "LSTM") == 0)))
    return CUSEQ_STATUS_OK;
  return layer_refuse(source->layer, "it has a %.60s in it (cuseq has LSTM, GRU and simple recurrent cells)",
                      name != NULL ? name : "?");
}

/* ---- weights -------------------------------------------------------------------------------------- */

/* A GRU that resets after the product has two biases as one array of two rows. */
static cuseq_status read_two_biases(struct expressions *expressions, const struct keras_layer *layer,
                                    const struct layer_weights *weights, struct recurrent_cell *cell) {
  int32_t both, *rows[] = {&cell->bias, &cell->recurrent_bias};
  int32_t width = 3 * cell->units;
  TRY(weights_matrix(expressions, layer, weights, 2, "bias", 2, width, &both));
  for (int row = 0; row < 2; row++) {
    bool found;
    TRY(matrix_make(expressions, weights->arrays[2], 1 + row, 1, width, rows[row], &found));
    memcpy(expressions->matrices[*rows[row]].data,
           expressions->matrices[both].data + (size_t)row * (size_t)width, (size_t)width * sizeof(float));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_weights(struct evaluator *evaluator, const struct cell_source *source,
                                 int32_t inputs, bool use_bias, struct recurrent_cell *cell) {
  struct expressions *expressions = &evaluator->expressions;
  const struct keras_layer *layer = source->layer;
  int64_t width = (int64_t)(cell->kind == CELL_LSTM ? 4 : 3) * cell->units;
  struct layer_weights weights;
  TRY(weights_find(&evaluator->weights, layer, source->part, &weights));
  TRY(weights_matrix(expressions, layer, &weights, 0, "kernel", inputs, width, &cell->kernel));
  TRY(weights_matrix(expressions, layer, &weights, 1, "recurrent kernel", cell->units, width,
                     &cell->recurrent_kernel));
  if (!use_bias)
    return CUSEQ_STATUS_OK;
  if (cell->kind == CELL_GRU && cell->reset_after)
    return read_two_biases(expressions, layer, &weights, cell);
  return weights_matrix(expressions, layer, &weights, 2, "bias", 0, width, &cell->bias);
}

/* ---- simple recurrent cells ----------------------------------------------------------------------- */

/* hard_sigmoid(x) is exactly 1 from 3 on, and exactly 0 from -3 on. */
static const float shut = 8.0F;

/* A matrix of three blocks of columns of which the last is the given one. */
static cuseq_status third_block(struct expressions *expressions, const struct hdf5_node *owner, int32_t slot,
                                int32_t from, int32_t rows, int32_t units, int32_t *made) {
  bool found;
  TRY(matrix_make(expressions, owner, slot, rows, 3 * (int64_t)units, made, &found));
  for (int32_t r = 0; !found && from >= 0 && r < rows; r++)
    memcpy(expressions->matrices[*made].data + (size_t)r * 3 * (size_t)units + 2 * (size_t)units,
           expressions->matrices[from].data + (size_t)r * (size_t)units, (size_t)units * sizeof(float));
  return CUSEQ_STATUS_OK;
}

/* h' = act(x W + h U + b) is a GRU's candidate: one whose update gate is 0 and whose reset gate is 1 gives it
 * as it is. */
static cuseq_status read_simple(struct evaluator *evaluator, const struct cell_source *source, int32_t inputs,
                                bool use_bias, struct recurrent_cell *cell) {
  struct expressions *expressions = &evaluator->expressions;
  struct layer_weights weights;
  int32_t plain[3] = {-1, -1, -1}, units = cell->units;
  TRY(weights_find(&evaluator->weights, source->layer, source->part, &weights));
  TRY(weights_matrix(expressions, source->layer, &weights, 0, "kernel", inputs, units, &plain[0]));
  TRY(weights_matrix(expressions, source->layer, &weights, 1, "recurrent kernel", units, units, &plain[1]));
  if (use_bias)
    TRY(weights_matrix(expressions, source->layer, &weights, 2, "bias", 0, units, &plain[2]));
  TRY(third_block(expressions, weights.arrays[0], 1, plain[0], inputs, units, &cell->kernel));
  TRY(third_block(expressions, weights.arrays[1], 1, plain[1], units, units, &cell->recurrent_kernel));
  TRY(third_block(expressions, weights.arrays[0], 2, plain[2], 1, units, &cell->bias));
  for (int32_t u = 0; u < units; u++) {
    expressions->matrices[cell->bias].data[u] = -shut;
    expressions->matrices[cell->bias].data[units + u] = shut;
  }
  return CUSEQ_STATUS_OK;
}

/* A stateful layer goes on from the batch before. No file has such states: a model that was just loaded
 * begins with zeros, and so does every call of cuseq's. */
static cuseq_status check_stateful(struct evaluator *evaluator, const struct cell_source *source) {
  const struct keras_layer *layer = source->layer;
  bool stateful;
  TRY(layer_bool(layer, source->config, "stateful", false, &stateful));
  for (int32_t i = 0; stateful && i < evaluator->expressions.layer_count; i++)
    if (evaluator->expressions.layers[i].node == &layer->node)
      return layer_refuse(layer, "it is stateful and called again, so that it goes on from its own states");
  if (!stateful)
    return CUSEQ_STATUS_OK;
  return notes_add(
      &evaluator->notes,
      "layer '%.100s' is stateful: every call begins with zeros, as Keras does once the model is "
      "loaded or its states are reset",
      layer->node.name);
}

cuseq_status cell_read(struct evaluator *evaluator, const struct cell_source *source, int32_t inputs,
                       struct recurrent_cell *cell) {
  const struct keras_layer *layer = source->layer;
  const json_t *settings;
  int64_t units;
  bool use_bias, simple;
  *cell = (struct recurrent_cell){.node = &layer->node, .bias = -1, .recurrent_bias = -1};
  TRY(find_cell(source, &cell->kind, &simple, &settings));
  TRY(layer_integer(layer, settings, "units", -1, &units));
  TRY(layer_bool(layer, settings, "use_bias", true, &use_bias));
  if (cell->kind == CELL_GRU && !simple) /* before Keras 2.1.4 there was no such setting */
    TRY(layer_bool(layer, settings, "reset_after", false, &cell->reset_after));
  TRY(check_stateful(evaluator, source));
  TRY(cell_refuse_setting(layer, source->config, "time_major", "takes the batch first"));
  TRY(read_activations(evaluator, layer, settings, simple, cell));
  if (units < 1 || units > (1 << 20))
    return layer_refuse(layer, "its number of units is absurd (%lld)", (long long)units);
  cell->units = (int32_t)units;
  cell->reset_after = cell->reset_after || simple;
  return simple ? read_simple(evaluator, source, inputs, use_bias, cell)
                : read_weights(evaluator, source, inputs, use_bias, cell);
}
