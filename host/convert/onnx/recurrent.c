#include "convert/onnx/recurrent.h"

#include "convert/onnx/numbers.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- activations ---------------------------------------------------------------------------------- */

/* What ONNX's lists of alphas and betas have left for those activations that take some. */
struct parameters {
  const OnnxFile__Attribute *alpha, *beta;
  size_t at;
};

static double next_parameter(const OnnxFile__Attribute *list, size_t at, double absent) {
  return list != NULL && at < list->n_floats ? (double)list->floats[at] : absent;
}

static cuseq_status find_activation(const struct node_call *call, const char *name, size_t length,
                                    struct parameters *parameters, cuseq_activation *activation) {
  static const struct {
    const char *name;
    cuseq_activation activation;
    bool plain; /* without alpha and beta */
  } known[] = {{"Sigmoid", CUSEQ_ACTIVATION_SIGMOID, true},
               {"Tanh", CUSEQ_ACTIVATION_TANH, true},
               {"Relu", CUSEQ_ACTIVATION_RELU, true},
               {"Softsign", CUSEQ_ACTIVATION_SOFTSIGN, true},
               {"Softplus", CUSEQ_ACTIVATION_SOFTPLUS, true},
               {"Elu", CUSEQ_ACTIVATION_ELU, false},
               {"LeakyRelu", CUSEQ_ACTIVATION_LEAKY_RELU, false}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strlen(known[i].name) == length && strncasecmp(known[i].name, name, length) == 0 &&
        (known[i].plain || (parameters->alpha == NULL && parameters->beta == NULL))) {
      *activation = known[i].activation;
      return CUSEQ_STATUS_OK;
    }
  if (length == 11 && strncasecmp(name, "HardSigmoid", length) == 0) {
    double alpha = next_parameter(parameters->alpha, parameters->at, 0.2);
    double beta = next_parameter(parameters->beta, parameters->at++, 0.5);
    *activation =
        fabs(alpha - 0.2) < 1e-6 ? CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2 : CUSEQ_ACTIVATION_HARD_SIGMOID;
    if (fabs(beta - 0.5) < 1e-6 && (fabs(alpha - 0.2) < 1e-6 || fabs(alpha - 1.0 / 6) < 1e-6))
      return CUSEQ_STATUS_OK;
  }
  return call_refuse(call, "its activation %.*s is none of cuseq's with the numbers that it has",
                     length < 40 ? (int)length : 40, name);
}

/* Per direction an LSTM has three: of the gates, of the candidate and of the cell state, the last two of
 * which must be the same; a GRU has the first two. */
static cuseq_status read_activations(const struct node_call *call, bool lstm, int32_t directions,
                                     cuseq_activation found[2][3]) {
  const OnnxFile__Attribute *list = attribute_find(call, "activations");
  struct parameters parameters = {attribute_find(call, "activation_alpha"),
                                  attribute_find(call, "activation_beta"), 0};
  size_t each = lstm ? 3 : 2;
  for (int32_t d = 0; d < 2; d++) {
    found[d][0] = CUSEQ_ACTIVATION_SIGMOID;
    found[d][1] = found[d][2] = CUSEQ_ACTIVATION_TANH;
  }
  if (list == NULL)
    return CUSEQ_STATUS_OK;
  if (list->n_strings != each * (size_t)directions)
    return call_refuse(call, "it has %zu activations (needed %zu)", list->n_strings,
                       each * (size_t)directions);
  for (size_t i = 0; i < list->n_strings; i++)
    TRY(find_activation(call, (const char *)list->strings[i].data, list->strings[i].len, &parameters,
                        &found[i / each][i % each]));
  for (int32_t d = 0; lstm && d < directions; d++)
    if (found[d][1] != found[d][2])
      return call_refuse(
          call, "the activations of its candidate and of its cell state differ (cuseq's cells have one)");
  return CUSEQ_STATUS_OK;
}

/* ---- weights -------------------------------------------------------------------------------------- */

/* For each of cuseq's gates, which of ONNX's it is. */
static const int lstm_gates[] = {0, 2, 3, 1}, gru_gates[] = {0, 1, 2};

/* One direction's [gates x units, inputs] as a kernel [inputs, gates x units]. */
static cuseq_status read_kernel(struct evaluator *evaluator, const struct node_call *call,
                                const struct tensor *stored, const struct recurrent_cell *cell,
                                int32_t direction, int32_t directions, int64_t inputs, int32_t *matrix) {
  struct numbers numbers;
  int64_t gates = cell_gates(cell->kind), units = cell->units, columns = gates * units;
  const int *order = cell->kind == CELL_LSTM ? lstm_gates : gru_gates;
  TRY(numbers_open(evaluator, call, stored, "its weights", &numbers));
  if (numbers.rank != 3 || numbers.dims[0] != directions || numbers.dims[1] != columns ||
      numbers.dims[2] != inputs) {
    numbers_close(&numbers);
    return call_refuse(call, "its weights are not of the shape that ONNX says (needed [%d, %lld, %lld])",
                       directions, (long long)columns, (long long)inputs);
  }
  float *data = malloc((size_t)(inputs * columns) * sizeof *data);
  if (data == NULL) {
    numbers_close(&numbers);
    return error_out_of_memory();
  }
  const float *from = numbers.data + direction * columns * inputs;
  for (int64_t g = 0; g < gates; g++)
    for (int64_t u = 0; u < units; u++)
      for (int64_t i = 0; i < inputs; i++)
        data[i * columns + g * units + u] = from[(order[g] * units + u) * inputs + i];
  numbers_close(&numbers);
  return matrix_enter(evaluator, call, inputs, columns, data, matrix);
}

/* Part of a bias [directions, 2 gates x units], in cuseq's order; `both` adds its halves up. */
static cuseq_status make_bias(struct evaluator *evaluator, const struct node_call *call, const float *from,
                              const struct recurrent_cell *cell, bool both, int32_t *matrix) {
  int64_t gates = cell_gates(cell->kind), units = cell->units, columns = gates * units;
  const int *order = cell->kind == CELL_LSTM ? lstm_gates : gru_gates;
  float *data = malloc((size_t)columns * sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  for (int64_t g = 0; g < gates; g++)
    for (int64_t u = 0; u < units; u++) {
      const float *at = from + order[g] * units + u;
      data[g * units + u] = both ? at[0] + at[columns] : at[0];
    }
  return matrix_enter(evaluator, call, 1, columns, data, matrix);
}

static cuseq_status read_bias(struct evaluator *evaluator, const struct node_call *call, int32_t direction,
                              int32_t directions, struct recurrent_cell *cell) {
  const struct tensor *stored = node_input(call, 3);
  struct numbers numbers;
  int64_t columns = (int64_t)cell_gates(cell->kind) * cell->units;
  bool apart = cell->kind == CELL_GRU && cell->reset_after;
  if (stored->kind == TENSOR_NONE)
    return CUSEQ_STATUS_OK;
  TRY(numbers_open(evaluator, call, stored, "its bias", &numbers));
  cuseq_status status = CUSEQ_STATUS_OK;
  if (numbers.rank != 2 || numbers.dims[0] != directions || numbers.dims[1] != 2 * columns)
    status = call_refuse(call, "its bias is not of the shape that ONNX says (needed [%d, %lld])", directions,
                         (long long)(2 * columns));
  const float *from = numbers.data + direction * 2 * columns;
  if (status == CUSEQ_STATUS_OK)
    status = make_bias(evaluator, call, from, cell, !apart, &cell->bias);
  if (status == CUSEQ_STATUS_OK && apart)
    status = make_bias(evaluator, call, from + columns, cell, false, &cell->recurrent_bias);
  numbers_close(&numbers);
  return status;
}

static cuseq_status no_peepholes(struct evaluator *evaluator, const struct node_call *call) {
  const struct tensor *stored = node_input(call, 7);
  struct numbers numbers;
  double value;
  if (stored->kind == TENSOR_NONE)
    return CUSEQ_STATUS_OK;
  TRY(numbers_open(evaluator, call, stored, "its peepholes", &numbers));
  bool zeros = numbers_uniform(&numbers, &value) && value == 0;
  numbers_close(&numbers);
  return zeros ? CUSEQ_STATUS_OK : call_refuse(call, "it has peepholes, which cuseq's cells have not");
}

/* ---- settings ------------------------------------------------------------------------------------- */

static cuseq_status read_settings(struct evaluator *evaluator, const struct node_call *call, bool lstm,
                                  struct recurrent *recurrent, bool *reset_after) {
  static const char *const directions[] = {"forward", "reverse", "bidirectional"};
  const char *direction;
  int64_t layout, coupled, after;
  TRY(attributes_check(call,
                       "activation_alpha activation_beta activations clip direction hidden_size input_forget "
                       "layout linear_before_reset output_sequence"));
  if (attribute_find(call, "clip") != NULL)
    return call_refuse(call, "it clips its gates, which cuseq's cells do not");
  TRY(attribute_text(evaluator, call, "direction", &direction));
  TRY(attribute_integer(call, "layout", 0, &layout));
  TRY(attribute_integer(call, "input_forget", 0, &coupled));
  TRY(attribute_integer(call, "linear_before_reset", 0, &after));
  if (coupled != 0)
    return call_refuse(call, "its input and forget gates are coupled, which cuseq's are not");
  recurrent->batch_first = layout != 0;
  *reset_after = !lstm && after != 0;
  for (int i = 0; i < 3; i++)
    if (strcmp(direction != NULL ? direction : "forward", directions[i]) == 0) {
      recurrent->direction = (enum layer_direction)i;
      recurrent->direction_count = i == 2 ? 2 : 1;
      return CUSEQ_STATUS_OK;
    }
  return call_refuse(call, "its direction is %.40s", direction);
}

static cuseq_status read_cell(struct evaluator *evaluator, const struct node_call *call, int32_t direction,
                              int32_t directions, int64_t inputs, struct recurrent_cell *cell) {
  TRY(read_kernel(evaluator, call, call->inputs[1], cell, direction, directions, inputs, &cell->kernel));
  TRY(read_kernel(evaluator, call, call->inputs[2], cell, direction, directions, cell->units,
                  &cell->recurrent_kernel));
  return read_bias(evaluator, call, direction, directions, cell);
}

cuseq_status recurrent_read(struct evaluator *evaluator, const struct node_call *call, int64_t inputs,
                            struct recurrent *recurrent) {
  bool lstm = strcmp(call->kept->class_name, "LSTM") == 0, reset_after = false;
  cuseq_activation activations[2][3];
  int64_t units;
  TRY(read_settings(evaluator, call, lstm, recurrent, &reset_after));
  TRY(read_activations(call, lstm, recurrent->direction_count, activations));
  const struct tensor *stored = call->inputs[2];
  TRY(attribute_integer(call, "hidden_size", stored->rank == 3 ? stored->dims[2].factor : -1, &units));
  if (units < 1 || units > 1 << 20 || inputs < 1 || inputs > 1 << 20)
    return call_refuse(call, "its number of units is absurd (%lld)", (long long)units);
  TRY(lstm ? no_peepholes(evaluator, call) : CUSEQ_STATUS_OK);
  for (int32_t d = 0; d < recurrent->direction_count; d++) {
    int32_t place = recurrent->direction == LAYER_BACKWARD ? 1 : d;
    struct recurrent_cell *cell = &recurrent->cells[place];
    *cell = (struct recurrent_cell){.node = call->kept,
                                    .kind = lstm ? CELL_LSTM : CELL_GRU,
                                    .reset_after = reset_after,
                                    .units = (int32_t)units,
                                    .recurrent_activation = activations[d][0],
                                    .activation = activations[d][1],
                                    .bias = -1,
                                    .recurrent_bias = -1};
    TRY(read_cell(evaluator, call, d, recurrent->direction_count, inputs, cell));
  }
  return CUSEQ_STATUS_OK;
}

void recurrent_same_cell(const struct evaluator *evaluator, struct recurrent_cell *cell) {
  for (int32_t i = 0; i < evaluator->expressions->cell_count; i++) {
    struct recurrent_cell other = evaluator->expressions->cells[i];
    if (other.kind == cell->kind && other.reset_after == cell->reset_after && other.units == cell->units &&
        other.activation == cell->activation && other.recurrent_activation == cell->recurrent_activation &&
        other.kernel == cell->kernel && other.recurrent_kernel == cell->recurrent_kernel &&
        other.bias == cell->bias && other.recurrent_bias == cell->recurrent_bias) {
      cell->node = other.node;
      return;
    }
  }
}
