/* LSTM and Bidirectional: a layer of the encoder over a sequence, or one step of the decoder's cell. */
#include "convert/keras/layers.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- settings and weights ------------------------------------------------------------------------- */

/* What LSTM's recurrent_activation is where the file does not say: hard_sigmoid before Keras 2.3. TensorFlow 1 and 2.0
 * both call their Keras 2.2.4-tf and differ. */
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

static cuseq_status read_activations(struct evaluator *evaluator, const struct keras_layer *layer,
                                     const json_t *config, struct recurrent_cell *lstm) {
  bool own;
  TRY(activation_parse(evaluator, layer, json_object_get(config, "activation"), CUSEQ_ACTIVATION_TANH,
                       &lstm->activation, &own));
  if (lstm->activation != CUSEQ_ACTIVATION_TANH && lstm->activation != CUSEQ_ACTIVATION_RELU &&
      lstm->activation != CUSEQ_ACTIVATION_LINEAR)
    return layer_refuse(layer, "its activation is %s (cuseq's cells have tanh, relu and linear)",
                        json_string_value(json_object_get(config, "activation")));
  const json_t *recurrent = json_object_get(config, "recurrent_activation");
  if (recurrent == NULL)
    return default_recurrent_activation(evaluator, layer, &lstm->recurrent_activation);
  TRY(activation_parse(evaluator, layer, recurrent, CUSEQ_ACTIVATION_SIGMOID, &lstm->recurrent_activation,
                       &own));
  if (lstm->recurrent_activation != CUSEQ_ACTIVATION_SIGMOID &&
      lstm->recurrent_activation != CUSEQ_ACTIVATION_HARD_SIGMOID &&
      lstm->recurrent_activation != CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2)
    return layer_refuse(layer, "its recurrent_activation is %s (cuseq's cells have sigmoid and hard_sigmoid)",
                        json_is_string(recurrent) ? json_string_value(recurrent) : "a function");
  return CUSEQ_STATUS_OK;
}

static cuseq_status refuse_setting(const struct keras_layer *layer, const json_t *config, const char *key,
                                   const char *why) {
  bool set;
  TRY(layer_bool(layer, config, key, false, &set));
  return set ? layer_refuse(layer, "its setting %s: cuseq %s", key, why) : CUSEQ_STATUS_OK;
}

/* Where the settings of the cell itself are: an RNN layer has them in its cell, which must be an LSTMCell. */
static cuseq_status cell_settings(const struct keras_layer *layer, const char *class_name,
                                  const json_t *config, const json_t **settings) {
  const json_t *cell = json_object_get(config, "cell");
  const char *cell_class = json_string_value(json_object_get(cell, "class_name"));
  bool lstm = class_name != NULL && strcmp(class_name, "LSTM") == 0;
  bool rnn = class_name != NULL && strcmp(class_name, "RNN") == 0;
  if (!lstm && !(rnn && cell_class != NULL && strcmp(cell_class, "LSTMCell") == 0))
    return layer_refuse(layer, "it has a %.60s in it (cuseq has LSTM)",
                        rnn && cell_class != NULL ? cell_class
                        : class_name != NULL      ? class_name
                                                  : "?");
  *settings = lstm ? config : json_object_get(cell, "config");
  return CUSEQ_STATUS_OK;
}

/* Reads an LSTM's settings and finds its weights.
 *   class_name, config   its configuration, its own or inside Bidirectional's
 *   inputs   the width of what it reads
 *   reverse  whether go_backwards is as it should be when it is set */
static cuseq_status read_lstm(struct evaluator *evaluator, const struct keras_layer *layer,
                              const char *class_name, const json_t *config, enum weights_part part,
                              int32_t inputs, bool reverse, struct recurrent_cell *lstm) {
  *lstm = (struct recurrent_cell){.node = &layer->node, .kind = CELL_LSTM, .bias = -1, .recurrent_bias = -1};
  int64_t units;
  bool use_bias;
  const json_t *cell = config;
  TRY(cell_settings(layer, class_name, config, &cell));
  TRY(layer_integer(layer, cell, "units", -1, &units));
  TRY(layer_bool(layer, cell, "use_bias", true, &use_bias));
  TRY(refuse_setting(layer, config, "stateful", "cannot express states that outlast a batch"));
  TRY(refuse_setting(layer, config, "time_major", "takes the batch first"));
  if (!reverse)
    TRY(refuse_setting(layer, config, "go_backwards", "reads backwards in a Bidirectional layer only"));
  TRY(read_activations(evaluator, layer, cell, lstm));
  if (units < 1 || units > (1 << 20))
    return layer_refuse(layer, "its number of units is absurd (%lld)", (long long)units);
  lstm->units = (int32_t)units;
  struct layer_weights weights;
  TRY(weights_find(&evaluator->weights, layer, part, &weights));
  TRY(weights_matrix(&evaluator->expressions, layer, &weights, 0, "kernel", inputs, 4 * units,
                     &lstm->kernel));
  TRY(weights_matrix(&evaluator->expressions, layer, &weights, 1, "recurrent kernel", units, 4 * units,
                     &lstm->recurrent_kernel));
  if (use_bias)
    TRY(weights_matrix(&evaluator->expressions, layer, &weights, 2, "bias", 0, 4 * units, &lstm->bias));
  return CUSEQ_STATUS_OK;
}

/* ---- encoder layers ------------------------------------------------------------------------------- */

static cuseq_status encoder_expression(struct evaluator *evaluator, const struct recurrent_layer *encoder,
                                       enum expression_op op, int32_t index, int32_t part, int32_t child,
                                       int32_t width, int32_t *expression) {
  struct expression made = {.op = op,
                            .part = part,
                            .width = width,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = encoder->node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(&evaluator->expressions, &made, expression);
}

/* The last outputs of both directions, merged as the layer says. */
static cuseq_status merge_final(struct evaluator *evaluator, const struct recurrent_layer *encoder,
                                const int32_t *final, int32_t *expression) {
  struct expressions *expressions = &evaluator->expressions;
  static const enum expression_op ops[] = {[CUSEQ_MERGE_CONCAT] = EXPRESSION_CONCAT,
                                           [CUSEQ_MERGE_SUM] = EXPRESSION_ADD,
                                           [CUSEQ_MERGE_MUL] = EXPRESSION_PRODUCT,
                                           [CUSEQ_MERGE_AVE] = EXPRESSION_ADD};
  TRY(expression_binary(expressions, ops[encoder->merge], final[FINAL_FORWARD_H], final[FINAL_BACKWARD_H],
                        encoder->node, expression));
  if (encoder->merge != CUSEQ_MERGE_AVE)
    return CUSEQ_STATUS_OK;
  struct expression half = {.op = EXPRESSION_SCALE,
                            .scalar = 0.5,
                            .matrix = -1,
                            .bias = -1,
                            .node = encoder->node,
                            .child_count = 1,
                            .children = expression};
  return expression_make(expressions, &half, expression);
}

static struct axis feature_axis(int32_t width) {
  return width == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_FEATURE, width, 0};
}

/* The sequence, or the last output, of a forward layer or of two directions merged. */
static cuseq_status directions_merged(struct evaluator *evaluator, struct layer_call *call,
                                      const struct recurrent_layer *encoder, int32_t index,
                                      const int32_t *final, bool sequences) {
  struct value output = call->inputs[0];
  int32_t units = encoder->directions[0].units;
  if (sequences) {
    int32_t width =
        encoder->direction == LAYER_BIDIRECTIONAL && encoder->merge == CUSEQ_MERGE_CONCAT ? 2 * units : units;
    TRY(encoder_expression(evaluator, encoder, EXPRESSION_SEQUENCE, index, SEQUENCE_MERGED, output.expression,
                           width, &output.expression));
    output.axes[2] = feature_axis(width);
  } else {
    output.expression = final[FINAL_FORWARD_H];
    if (encoder->direction == LAYER_BIDIRECTIONAL)
      TRY(merge_final(evaluator, encoder, final, &output.expression));
    output.axis_count = 2;
    output.axes[1] = feature_axis(expression_at(&evaluator->expressions, output.expression)->width);
    output.mask = NULL;
  }
  return call_output(evaluator, call, &output);
}

/* The same of each direction, with merge_mode None. */
static cuseq_status directions_apart(struct evaluator *evaluator, struct layer_call *call,
                                     const struct recurrent_layer *encoder, int32_t index,
                                     const int32_t *final, bool sequences) {
  static const int32_t last[] = {FINAL_FORWARD_H, FINAL_BACKWARD_H};
  int32_t units = encoder->directions[0].units;
  for (int d = 0; d < 2; d++) {
    struct value output = call->inputs[0];
    if (sequences) {
      TRY(encoder_expression(evaluator, encoder, EXPRESSION_SEQUENCE, index, SEQUENCE_FORWARD + d,
                             output.expression, units, &output.expression));
      output.axes[2] = feature_axis(units);
    } else {
      output = (struct value){
          .expression = final[last[d]], .axis_count = 2, .axes = {{AXIS_BATCH, -1, 0}, feature_axis(units)}};
    }
    TRY(call_output(evaluator, call, &output));
  }
  return CUSEQ_STATUS_OK;
}

/* Makes the outputs of an encoder layer: the sequence or the last output, then the states if they are asked for. */
static cuseq_status encoder_outputs(struct evaluator *evaluator, struct layer_call *call,
                                    const struct recurrent_layer *encoder, const json_t *config) {
  const struct keras_layer *layer = call->layer;
  const struct value *x = &call->inputs[0];
  int32_t index, final[4], count = encoder->direction == LAYER_BIDIRECTIONAL ? 4 : 2,
                           units = encoder->directions[0].units;
  bool sequences, states;
  TRY(layer_bool(layer, config, "return_sequences", false, &sequences));
  TRY(layer_bool(layer, config, "return_state", false, &states));
  if (encoder->mask != NULL && !sequences)
    TRY(refuse_setting(layer, config, "zero_output_for_mask",
                       "gives a shorter row's last output, not zeros"));
  const struct graph_node *sequence =
      evaluator->sequence_input != NULL ? &evaluator->sequence_input->node : NULL;
  for (size_t i = 0; i < call->state_count; i++) {
    const struct expression *e = expression_at(&evaluator->expressions, call->states[i].expression);
    bool input = e->op == EXPRESSION_INPUT && e->clocks == 0 && e->node != sequence;
    if (e->op != EXPRESSION_ZEROS && !input)
      return layer_refuse(layer, "its initial state is not zero, which cuseq cannot express for an encoder");
    if (e->op == EXPRESSION_INPUT)
      TRY(notes_add(&evaluator->notes, "input '%.100s', an initial state of the encoder, is taken as zeros",
                    e->node->name));
  }
  TRY(recurrent_layer_make(&evaluator->expressions, encoder, &index));
  for (int32_t part = 0; part < count; part++)
    TRY(encoder_expression(evaluator, encoder, EXPRESSION_FINAL, index, part, x->expression, units,
                           &final[part]));
  TRY(encoder->apart ? directions_apart(evaluator, call, encoder, index, final, sequences)
                     : directions_merged(evaluator, call, encoder, index, final, sequences));
  for (int32_t part = 0; states && part < count; part++) {
    struct value state = {
        .expression = final[part], .axis_count = 2, .axes = {{AXIS_BATCH, -1, 0}, feature_axis(units)}};
    TRY(call_output(evaluator, call, &state));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the decoder's cell --------------------------------------------------------------------------- */

/* One step: h and c from the input and the states before, which are zeros where none are given. */
static cuseq_status cell_outputs(struct evaluator *evaluator, struct layer_call *call,
                                 const struct recurrent_cell *lstm) {
  const struct keras_layer *layer = call->layer;
  struct expressions *expressions = &evaluator->expressions;
  int32_t children[3] = {call->inputs[0].expression, -1, -1}, index;
  if (call->state_count != 0 && call->state_count != 2)
    return layer_refuse(layer, "its initial state has %zu parts (needed h and c)", call->state_count);
  for (size_t i = 0; i < 2; i++) {
    if (call->state_count == 0)
      TRY(expression_zeros(expressions, lstm->units, &layer->node, &children[1 + i]));
    else
      children[1 + i] = call->states[i].expression;
    const struct expression *e = expression_at(expressions, children[1 + i]);
    if (e->width != lstm->units || e->clocks != 0)
      return layer_refuse(layer, "its initial state has %d units (needed %d)", e->width, lstm->units);
  }
  TRY(recurrent_cell_make(expressions, lstm, &index));
  bool sequences, states;
  TRY(layer_bool(layer, layer->config, "return_sequences", false, &sequences));
  TRY(layer_bool(layer, layer->config, "return_state", false, &states));
  struct value h = {.axis_count = 2, .axes = {{AXIS_BATCH, -1, 0}, feature_axis(lstm->units)}}, c = h;
  struct expression made = {.op = EXPRESSION_CELL,
                            .part = CELL_H,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = &layer->node,
                            .child_count = 3,
                            .children = children};
  TRY(expression_make(expressions, &made, &h.expression));
  made.part = CELL_C;
  TRY(expression_make(expressions, &made, &c.expression));
  struct value output = h;
  if (sequences)
    value_insert_axis(&output, 1, (struct axis){AXIS_REPEAT, 1, 0});
  TRY(call_output(evaluator, call, &output));
  if (!states)
    return CUSEQ_STATUS_OK;
  TRY(call_output(evaluator, call, &h));
  return call_output(evaluator, call, &c);
}

/* ---- the layers ----------------------------------------------------------------------------------- */

/* Keras 2 gives the states after the sequence, in one list. */
static void split_states(struct layer_call *call) {
  if (call->state_count == 0 && call->input_count > 1) {
    call->states = call->inputs + 1;
    call->state_count = call->input_count - 1;
    call->input_count = 1;
  }
}

static cuseq_status refuse_input(struct evaluator *evaluator, const struct layer_call *call) {
  char text[128];
  return layer_refuse(call->layer,
                      "it reads %s, which is neither the encoder's sequence nor one step of a decoder",
                      value_describe(&evaluator->expressions, &call->inputs[0], text, sizeof text));
}

cuseq_status layer_lstm(struct evaluator *evaluator, struct layer_call *call) {
  split_states(call);
  TRY(call_arity(call, 1, 1));
  const struct value *x = &call->inputs[0];
  const struct expression *e = expression_at(&evaluator->expressions, x->expression);
  struct recurrent_layer encoder = {.node = &call->layer->node, .mask = x->mask};
  bool sequence = value_has_axes(&evaluator->expressions, x, "BTF") && e->clocks != 0;
  if (!sequence && !(value_has_axes(&evaluator->expressions, x, "B1F") && e->clocks == 0))
    return refuse_input(evaluator, call);
  TRY(read_lstm(evaluator, call->layer, call->layer->node.class_name, call->layer->config, WEIGHTS_WHOLE,
                e->width, false, &encoder.directions[0]));
  if (sequence)
    return encoder_outputs(evaluator, call, &encoder, call->layer->config);
  return cell_outputs(evaluator, call, &encoder.directions[0]);
}

/* apart: merge_mode None. The directions may be put together later, which is then "concat". */
static cuseq_status read_merge(const struct keras_layer *layer, cuseq_merge *merge, bool *apart) {
  static const char *const names[] = {"concat", "sum", "mul", "ave"};
  const json_t *setting = json_object_get(layer->config, "merge_mode");
  *merge = CUSEQ_MERGE_CONCAT;
  *apart = json_is_null(setting);
  if (setting == NULL || *apart)
    return CUSEQ_STATUS_OK;
  for (int i = 0; json_is_string(setting) && i < 4; i++)
    if (strcmp(names[i], json_string_value(setting)) == 0) {
      *merge = (cuseq_merge)i;
      return CUSEQ_STATUS_OK;
    }
  return layer_refuse(layer, "its merge_mode is %.40s (needed concat, sum, mul or ave)",
                      json_is_string(setting) ? json_string_value(setting) : "no text");
}

cuseq_status layer_bidirectional(struct evaluator *evaluator, struct layer_call *call) {
  split_states(call);
  TRY(call_arity(call, 1, 1));
  const struct keras_layer *layer = call->layer;
  const struct value *x = &call->inputs[0];
  const struct expression *e = expression_at(&evaluator->expressions, x->expression);
  const json_t *forward = json_object_get(layer->config, "layer");
  const json_t *backward = json_object_get(layer->config, "backward_layer");
  const json_t *settings = json_object_get(forward, "config");
  const char *class_name = json_string_value(json_object_get(forward, "class_name"));
  if (!value_has_axes(&evaluator->expressions, x, "BTF") || e->clocks == 0)
    return refuse_input(evaluator, call);
  struct recurrent_layer encoder = {.node = &layer->node, .mask = x->mask, .direction = LAYER_BIDIRECTIONAL};
  TRY(read_merge(layer, &encoder.merge, &encoder.apart));
  TRY(read_lstm(evaluator, layer, class_name, settings, WEIGHTS_FORWARD, e->width, false,
                &encoder.directions[0]));
  if (json_is_object(backward)) {
    class_name = json_string_value(json_object_get(backward, "class_name"));
    bool reversed;
    TRY(layer_bool(layer, json_object_get(backward, "config"), "go_backwards", true, &reversed));
    if (!reversed)
      return layer_refuse(layer, "its backward layer does not go backwards");
    settings = json_object_get(backward, "config");
  }
  TRY(read_lstm(evaluator, layer, class_name, settings, WEIGHTS_BACKWARD, e->width, true,
                &encoder.directions[1]));
  bool unrolled;
  TRY(layer_bool(layer, settings, "unroll", false, &unrolled));
  if (unrolled && encoder.mask != NULL && evaluator->version.major < 3)
    return layer_refuse(layer,
                        "it is masked and has unroll=True, where Keras 2 does not reverse the mask for the "
                        "backward direction (needed unroll=False)");
  const struct recurrent_cell *f = &encoder.directions[0], *b = &encoder.directions[1];
  if (f->units != b->units || f->activation != b->activation ||
      f->recurrent_activation != b->recurrent_activation)
    return layer_refuse(layer, "its two directions differ in units or activations");
  return encoder_outputs(evaluator, call, &encoder, json_object_get(forward, "config"));
}
