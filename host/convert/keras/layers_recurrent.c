/* LSTM, GRU, RNN and Bidirectional: a layer over a sequence, or one step of a decoder's cell. */
#include "convert/keras/cells.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

enum { MAX_FRONT = 12 }; /* layers in front, as far as one is looked for among them */

/* A layer that is applied to a sequence. */
struct run {
  struct recurrent_layer layer;
  int32_t index;          /* among the expressions' layers */
  const json_t *config;   /* that has return_sequences and return_state */
  bool sequences, states; /* what they say */
  int32_t children[5];    /* the sequence; its initial states */
  int32_t child_count;
  int32_t final[4]; /* by FINAL_*; -1: it has no such state */
};

/* ---- layers over a sequence ----------------------------------------------------------------------- */

static bool has_direction(const struct recurrent_layer *layer, int direction) {
  return layer->direction == LAYER_BIDIRECTIONAL || (layer->direction == LAYER_BACKWARD) == (direction == 1);
}

static cuseq_status run_expression(struct evaluator *evaluator, const struct run *run, enum expression_op op,
                                   int32_t part, int32_t width, int32_t *expression) {
  struct expression made = {.op = op,
                            .part = part,
                            .width = width,
                            .matrix = -1,
                            .bias = -1,
                            .index = run->index,
                            .node = run->layer.node,
                            .child_count = run->child_count,
                            .children = run->children};
  return expression_make(&evaluator->expressions, &made, expression);
}

/* The initial states of an encoder that are zeros, or inputs, are left out; others are handed on. */
static cuseq_status take_states(struct evaluator *evaluator, struct layer_call *call, struct run *run) {
  const struct expressions *expressions = &evaluator->expressions;
  int32_t needed = 0;
  bool zeros = true;
  for (int d = 0; d < 2; d++)
    needed += has_direction(&run->layer, d) ? cell_states(&run->layer.directions[d]) : 0;
  if (call->state_count != 0 && call->state_count != (size_t)needed)
    return layer_refuse(call->layer, "its initial state has %zu parts (needed %d)", call->state_count,
                        needed);
  for (size_t i = 0; i < call->state_count; i++) {
    const struct expression *e = expression_at(expressions, call->states[i].expression);
    bool input = e->op == EXPRESSION_INPUT && e->clocks == 0;
    zeros = zeros && (e->op == EXPRESSION_ZEROS || input);
    run->children[1 + i] = call->states[i].expression;
  }
  for (size_t i = 0; zeros && i < call->state_count; i++) {
    const struct expression *e = expression_at(expressions, call->states[i].expression);
    if (e->op == EXPRESSION_INPUT)
      TRY(notes_add(&evaluator->notes, "input '%.100s', an initial state of the encoder, is taken as zeros",
                    e->node->name));
  }
  run->child_count = zeros ? 1 : 1 + (int32_t)call->state_count;
  return CUSEQ_STATUS_OK;
}

static cuseq_status make_finals(struct evaluator *evaluator, struct run *run) {
  for (int d = 0; d < 2; d++)
    for (int32_t state = 0; state < 2; state++) {
      const struct recurrent_cell *cell = &run->layer.directions[d];
      int32_t part = 2 * d + state;
      run->final[part] = -1;
      if (has_direction(&run->layer, d) && state < cell_states(cell))
        TRY(run_expression(evaluator, run, EXPRESSION_FINAL, part, cell->units, &run->final[part]));
    }
  return CUSEQ_STATUS_OK;
}

/* The last outputs of both directions, merged as the layer says. */
static cuseq_status merge_final(struct evaluator *evaluator, const struct keras_layer *layer,
                                const struct run *run, int32_t *expression) {
  static const enum expression_op ops[] = {[CUSEQ_MERGE_CONCAT] = EXPRESSION_CONCAT,
                                           [CUSEQ_MERGE_SUM] = EXPRESSION_ADD,
                                           [CUSEQ_MERGE_MUL] = EXPRESSION_PRODUCT,
                                           [CUSEQ_MERGE_AVE] = EXPRESSION_ADD};
  TRY(expression_binary(&evaluator->expressions, ops[run->layer.merge], run->final[FINAL_FORWARD_H],
                        run->final[FINAL_BACKWARD_H], &layer->node, expression));
  if (run->layer.merge == CUSEQ_MERGE_AVE)
    return scale_make(evaluator, layer, 0.5, *expression, expression);
  return CUSEQ_STATUS_OK;
}

/* The width of what the directions give together. */
static int32_t merged_width(const struct recurrent_layer *layer) {
  int32_t forward = layer->directions[0].units, backward = layer->directions[1].units;
  if (layer->direction != LAYER_BIDIRECTIONAL)
    return layer->direction == LAYER_BACKWARD ? backward : forward;
  return layer->merge == CUSEQ_MERGE_CONCAT ? forward + backward : forward;
}

/* The sequence of a layer, or of one of its directions (part). Keras gives what a layer with go_backwards
 * makes in the order in which it was made, the last position first. */
static cuseq_status sequence_output(struct evaluator *evaluator, struct layer_call *call,
                                    const struct run *run, int32_t part, int32_t width) {
  struct value output = call->inputs[0];
  TRY(run_expression(evaluator, run, EXPRESSION_SEQUENCE, part, width, &output.expression));
  if (run->layer.direction == LAYER_BACKWARD) {
    if (output.mask != NULL)
      return layer_refuse(call->layer,
                          "it gives its outputs backwards and is masked: padding would come first");
    TRY(expression_over(&evaluator->expressions, EXPRESSION_REVERSE, output.axes[1].clock, 0, false,
                        output.expression, &call->layer->node, &output.expression));
  }
  output.axes[2] = axis_of_width(width);
  return call_output(evaluator, call, &output);
}

static cuseq_status vector_output(struct evaluator *evaluator, struct layer_call *call, int32_t expression) {
  int32_t width = expression_at(&evaluator->expressions, expression)->width;
  struct value output = {
      .expression = expression, .axis_count = 2, .axes = {{AXIS_BATCH, -1, 0}, axis_of_width(width)}};
  return call_output(evaluator, call, &output);
}

/* The sequence or the last output; with merge_mode None of each direction. */
static cuseq_status main_outputs(struct evaluator *evaluator, struct layer_call *call, const struct run *run,
                                 bool sequences) {
  const struct recurrent_layer *layer = &run->layer;
  if (layer->apart) {
    static const int32_t last[] = {FINAL_FORWARD_H, FINAL_BACKWARD_H};
    for (int d = 0; d < 2; d++)
      TRY(sequences ? sequence_output(evaluator, call, run, SEQUENCE_FORWARD + d, layer->directions[d].units)
                    : vector_output(evaluator, call, run->final[last[d]]));
    return CUSEQ_STATUS_OK;
  }
  if (sequences)
    return sequence_output(evaluator, call, run, SEQUENCE_MERGED, merged_width(layer));
  int32_t final = run->final[layer->direction == LAYER_BACKWARD ? FINAL_BACKWARD_H : FINAL_FORWARD_H];
  if (layer->direction == LAYER_BIDIRECTIONAL)
    TRY(merge_final(evaluator, call->layer, run, &final));
  return vector_output(evaluator, call, final);
}

/* Makes the outputs: the sequence or the last output, then the states if they are asked for. */
/* The Masking layer that put zeros into what an expression is made of, through layers that keep positions
 * apart; NULL: none. */
static const struct graph_node *zeroed_by(const struct expressions *expressions, int32_t expression,
                                          int depth) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_AFFINE && e->matrix < 0 && e->bias < 0)
    return e->node;
  bool end =
      depth >= MAX_FRONT || e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL || e->clocks == 0;
  const struct graph_node *found = NULL;
  for (int32_t i = 0; !end && found == NULL && i < e->child_count; i++)
    found = zeroed_by(expressions, e->children[i], depth + 1);
  return found;
}

static cuseq_status run_over(struct evaluator *evaluator, struct layer_call *call, struct run *run) {
  const struct keras_layer *layer = call->layer;
  if (run->layer.mask != NULL && !run->sequences)
    TRY(cell_refuse_setting(layer, run->config, "zero_output_for_mask",
                            "gives a shorter row's last output, not zeros"));
  const struct graph_node *zeroed =
      run->layer.mask == NULL ? zeroed_by(&evaluator->expressions, call->inputs[0].expression, 0) : NULL;
  if (zeroed != NULL)
    return layer_refuse(
        layer,
        "it reads without a mask what '%.100s' masked: the zeros that are put there, in the place of "
        "another mask_value, are nothing that cuseq can express",
        zeroed->name);
  bool unrolled;
  TRY(layer_bool(layer, run->config, "unroll", false, &unrolled));
  if (unrolled && run->layer.mask != NULL && run->layer.direction != LAYER_FORWARD &&
      evaluator->version.major < 3)
    return layer_refuse(layer,
                        "it is masked and has unroll=True, where Keras 2 does not reverse the mask for the "
                        "backward direction (needed unroll=False)");
  run->children[0] = call->inputs[0].expression;
  TRY(take_states(evaluator, call, run));
  TRY(recurrent_layer_make(&evaluator->expressions, &run->layer, &run->index));
  TRY(make_finals(evaluator, run));
  TRY(main_outputs(evaluator, call, run, run->sequences));
  for (int32_t part = 0; run->states && part < 4; part++)
    if (run->final[part] >= 0)
      TRY(vector_output(evaluator, call, run->final[part]));
  return CUSEQ_STATUS_OK;
}

/* ---- the decoder's cell --------------------------------------------------------------------------- */

/* One step: h, and c of an LSTM, from the input and the states before, which are zeros where none are
 * given. */
static cuseq_status one_step(struct evaluator *evaluator, struct layer_call *call,
                             const struct recurrent_cell *cell, bool sequences, bool states) {
  const struct keras_layer *layer = call->layer;
  struct expressions *expressions = &evaluator->expressions;
  int32_t children[3] = {call->inputs[0].expression, -1, -1}, index, given[2], count = cell_states(cell);
  if (call->state_count != 0 && call->state_count != (size_t)count)
    return layer_refuse(layer, "its initial state has %zu parts (needed %s)", call->state_count,
                        count == 2 ? "h and c" : "h");
  for (int32_t i = 0; i < count; i++) {
    if (call->state_count == 0)
      TRY(expression_zeros(expressions, cell->units, &layer->node, &children[1 + i]));
    else
      children[1 + i] = call->states[i].expression;
    const struct expression *e = expression_at(expressions, children[1 + i]);
    if (e->width != cell->units || e->clocks != 0)
      return layer_refuse(layer, "its initial state has %d units (needed %d)", e->width, cell->units);
  }
  TRY(recurrent_cell_make(expressions, cell, &index));
  for (int32_t part = 0; part < count; part++) {
    struct expression made = {.op = EXPRESSION_CELL,
                              .part = CELL_H + part,
                              .matrix = -1,
                              .bias = -1,
                              .index = index,
                              .node = &layer->node,
                              .child_count = 1 + count,
                              .children = children};
    TRY(expression_make(expressions, &made, &given[part]));
  }
  TRY(vector_output(evaluator, call, given[0]));
  if (sequences)
    value_insert_axis(&call->outputs[0], 1, (struct axis){AXIS_REPEAT, 1, 0});
  for (int32_t part = 0; states && part < count; part++)
    TRY(vector_output(evaluator, call, given[part]));
  return CUSEQ_STATUS_OK;
}

/* ---- the layers ----------------------------------------------------------------------------------- */

static cuseq_status refuse_input(struct evaluator *evaluator, const struct layer_call *call) {
  char text[128];
  return layer_refuse(call->layer,
                      "it reads %s, which is neither the encoder's sequence nor one step of a decoder",
                      value_describe(&evaluator->expressions, &call->inputs[0], text, sizeof text));
}

static bool is_sequence(const struct evaluator *evaluator, const struct value *x) {
  return value_has_axes(&evaluator->expressions, x, "BTF") &&
         expression_at(&evaluator->expressions, x->expression)->clocks != 0;
}

cuseq_status cell_run(struct evaluator *evaluator, struct layer_call *call, const struct cell_source *source,
                      bool sequences, bool states) {
  const struct keras_layer *layer = call->layer;
  const struct value *x = &call->inputs[0];
  const struct expression *e = expression_at(&evaluator->expressions, x->expression);
  const bool sequence = is_sequence(evaluator, x);
  struct recurrent_cell cell;
  bool backwards;
  TRY(layer_bool(layer, layer->config, "go_backwards", false, &backwards));
  if (sequence && e->op == EXPRESSION_REVERSE) { /* it reads what is turned around: the other way */
    call->inputs[0].expression = e->children[0];
    backwards = !backwards;
  }
  TRY(cell_read(evaluator, source, e->width, &cell));
  cell.node = &layer->node;
  if (!sequence)
    TRY(cell_refuse_setting(layer, source->config, "stateful", "cannot express states that outlast a batch"));
  if (!sequence)
    return one_step(evaluator, call, &cell, sequences, states);
  struct run run = {.layer = {.node = &layer->node,
                              .direction = backwards ? LAYER_BACKWARD : LAYER_FORWARD,
                              .mask = call->without_mask ? NULL : x->mask},
                    .config = layer->config,
                    .sequences = sequences,
                    .states = states};
  run.layer.directions[backwards ? 1 : 0] = cell;
  return run_over(evaluator, call, &run);
}

cuseq_status layer_recurrent(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  bool sequences, states;
  TRY(cell_take_input(evaluator, call));
  TRY(steps_as_sequence(evaluator, layer, &call->inputs[0]));
  const struct value *x = &call->inputs[0];
  if (!is_sequence(evaluator, x) && !(value_has_axes(&evaluator->expressions, x, "B1F") &&
                                      expression_at(&evaluator->expressions, x->expression)->clocks == 0))
    return refuse_input(evaluator, call);
  TRY(layer_bool(layer, layer->config, "return_sequences", false, &sequences));
  TRY(layer_bool(layer, layer->config, "return_state", false, &states));
  const json_t *cells = weights_cells(layer);
  if (cells != NULL)
    return cells_run(evaluator, call, cells, sequences, states);
  struct cell_source source = {layer, layer->node.class_name, layer->config, WEIGHTS_WHOLE, NULL};
  return cell_run(evaluator, call, &source, sequences, states);
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

/* The layer in a Bidirectional one that reads forwards, and the one that reads backwards: a copy of it, or
 * one of the author's choice. What it returns must be the same of both, which Keras sees to. */
static cuseq_status read_directions(struct evaluator *evaluator, const struct keras_layer *layer,
                                    int32_t inputs, struct recurrent_cell *cells) {
  const json_t *forward = json_object_get(layer->config, "layer");
  const json_t *backward = json_object_get(layer->config, "backward_layer");
  bool own = json_is_object(backward);
  for (int d = 0; d < 2; d++) {
    const json_t *json = d == 1 && own ? backward : forward;
    const json_t *config = json_object_get(json, "config");
    struct cell_source source = {layer, json_string_value(json_object_get(json, "class_name")), config,
                                 d == 0 ? WEIGHTS_FORWARD : WEIGHTS_BACKWARD, NULL};
    bool backwards;
    TRY(layer_bool(layer, config, "go_backwards", d == 1, &backwards));
    if (json == forward && d == 0 && backwards)
      return layer_refuse(layer, "its forward layer goes backwards");
    if (json == backward && !backwards)
      return layer_refuse(layer, "its backward layer does not go backwards");
    TRY(cell_read(evaluator, &source, inputs, &cells[d]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status layer_bidirectional(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  TRY(cell_take_input(evaluator, call));
  TRY(steps_as_sequence(evaluator, layer, &call->inputs[0]));
  const struct value *x = &call->inputs[0];
  if (!is_sequence(evaluator, x))
    return refuse_input(evaluator, call);
  struct run run = {.layer = {.node = &layer->node,
                              .direction = LAYER_BIDIRECTIONAL,
                              .mask = call->without_mask ? NULL : x->mask},
                    .config = json_object_get(json_object_get(layer->config, "layer"), "config")};
  TRY(layer_bool(layer, run.config, "return_sequences", false, &run.sequences));
  TRY(layer_bool(layer, run.config, "return_state", false, &run.states));
  TRY(read_merge(layer, &run.layer.merge, &run.layer.apart));
  TRY(read_directions(evaluator, layer, expression_at(&evaluator->expressions, x->expression)->width,
                      run.layer.directions));
  const struct recurrent_cell *f = &run.layer.directions[0], *b = &run.layer.directions[1];
  if (f->units != b->units && (run.layer.merge != CUSEQ_MERGE_CONCAT || run.layer.apart))
    return layer_refuse(layer,
                        "its two directions have %d and %d units (needed as many, or merge_mode concat)",
                        f->units, b->units);
  return run_over(evaluator, call, &run);
}
