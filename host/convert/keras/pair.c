#include "convert/keras/pair.h"

#include "convert/keras/layers.h"
#include "error.h"

/* ---- what the step reads -------------------------------------------------------------------------- */

static int64_t last_size(const struct keras_layer *layer) {
  const json_t *shape = layer_input_shape(layer);
  const json_t *size = json_array_get(shape, json_array_size(shape) - 1);
  return json_is_integer(size) ? json_integer_value(size) : -1;
}

/* A new input of the model, a vector a row: ids and states are told apart by what is made of them. */
static cuseq_status make_input(struct keras_pair *pair, struct pair_input *input, bool ids, int32_t index) {
  const int64_t width = ids ? 1 : last_size(input->layer);
  if (width < 1 || width > INT32_MAX)
    return layer_refuse(input->layer, "the size of its last axis is not known");
  struct expression made = {.op = EXPRESSION_INPUT,
                            .width = (int32_t)width,
                            .clock = -1,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = &input->layer->node};
  TRY(expression_make(&pair->evaluator->expressions, &made, &input->value.expression));
  input->value.axis_count = 1;
  input->value.axes[0] = (struct axis){AXIS_BATCH, -1, 0};
  if (input->token)
    value_insert_axis(&input->value, 1, (struct axis){AXIS_REPEAT, 1, 0});
  if (!ids)
    value_insert_axis(&input->value, input->value.axis_count, axis_of_width((int32_t)width));
  return CUSEQ_STATUS_OK;
}

static bool is_ids(const struct keras_layer *layer) {
  return json_array_size(layer_input_shape(layer)) < 3;
}

/* Of the encoder's outputs themselves a model of its own knows no mask. */
static cuseq_status give_inputs(struct keras_pair *pair, struct graph_input *inputs, size_t *count,
                                struct value *bound) {
  pair->evaluator->token = -1;
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct pair_input *input = &pair->inputs[i];
    if (input->sequence) {
      input->value = pair->given[input->output];
      input->value.mask = NULL;
    } else {
      TRY(make_input(pair, input, input->token && is_ids(input->layer), (int32_t)*count));
      inputs[(*count)++].node = &input->layer->node;
    }
    if (input->token)
      pair->evaluator->token = input->value.expression;
    bound[i] = input->value;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what goes on --------------------------------------------------------------------------------- */

/* The state of a cell that an input is; -1: it is none. */
static int32_t find_after(const struct keras_pair *pair, const struct pair_input *input,
                          const struct value *values) {
  for (size_t i = 0; i < pair->step->output_count; i++) {
    const struct expression *e = expression_at(&pair->evaluator->expressions, values[i].expression);
    if (e->op == EXPRESSION_CELL && e->children[1 + e->part] == input->value.expression)
      return (int32_t)i;
  }
  return -1;
}

static cuseq_status find_states(struct keras_pair *pair, const struct value *values,
                                struct recognise_request *request) {
  const struct expressions *expressions = &pair->evaluator->expressions;
  struct graph_state *states =
      arena_allocate(pair->evaluator->arena, ((size_t)pair->input_count + 1) * sizeof *states);
  if (states == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct pair_input *input = &pair->inputs[i];
    if (input->token || input->sequence)
      continue;
    input->after = find_after(pair, input, values);
    if (input->after < 0)
      return layer_refuse(input->layer,
                          "no output of the decoder is it at the next step (needed the states of "
                          "its cells as outputs)");
    const int32_t after = values[input->after].expression;
    TRY(keras_pair_begin(pair, input, expression_at(expressions, after)->part == CELL_C));
    states[request->state_count++] =
        (struct graph_state){.before = input->value.expression,
                             .after = after,
                             .initial = input->zeros ? -1 : pair->given[input->output].expression};
    if (input->zeros)
      TRY(notes_add(&pair->evaluator->notes, "input '%.100s' of the decoder begins with zeros",
                    input->layer->node.name));
  }
  request->states = states;
  return CUSEQ_STATUS_OK;
}

/* The outputs that are no states. */
static cuseq_status list_outputs(struct keras_pair *pair, const struct value *values,
                                 struct recognise_request *request) {
  struct graph_output *outputs =
      arena_allocate(pair->evaluator->arena, (pair->step->output_count + 1) * sizeof *outputs);
  if (outputs == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < pair->step->output_count; i++) {
    bool state = false;
    for (int32_t k = 0; k < pair->input_count; k++)
      state = state || pair->inputs[k].after == (int32_t)i;
    if (!state)
      outputs[request->output_count++] =
          (struct graph_output){pair->step->outputs[i].layer->node.name, values[i]};
  }
  request->outputs = outputs;
  if (request->output_count > 0)
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "the decoder has no outputs beside its states");
}

cuseq_status keras_pair_evaluate(struct keras_pair *pair, struct recognise_request *request) {
  struct value *bound, *values;
  const size_t total = pair->encoder->input_count + pair->step->input_count;
  struct graph_input *inputs = arena_allocate(pair->evaluator->arena, (total + 1) * sizeof *inputs);
  bound = arena_allocate(pair->evaluator->arena, (pair->step->input_count + 1) * sizeof *bound);
  if (inputs == NULL || bound == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < pair->encoder->input_count; i++)
    inputs[request->input_count++].node = &pair->encoder->inputs[i].layer->node;
  TRY(keras_pair_sort(pair));
  TRY(give_inputs(pair, inputs, &request->input_count, bound));
  TRY(evaluate_bound(pair->evaluator, bound, &values));
  TRY(find_states(pair, values, request));
  if (request->state_count == 0)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "no state goes through it: it is no step of a decoder (needed an encoder's file and that of "
        "one step of its decoder)");
  request->inputs = inputs;
  request->token = pair->evaluator->token;
  return list_outputs(pair, values, request);
}
