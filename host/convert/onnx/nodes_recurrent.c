/* LSTM and GRU: a layer over the positions of a sequence, or steps of a decoder's cell. */
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "convert/onnx/recurrent.h"
#include "convert/onnx/table.h"
#include "error.h"

enum { MAX_STATES = 4 };

/* One use of a layer or cell. */
struct use {
  struct recurrent recurrent;
  struct tensor input; /* positions, rows, features */
  bool lstm;
  int32_t states[MAX_STATES]; /* h of each direction, and c behind each h of an LSTM */
  int32_t state_count;        /* 0: zeros */
};

/* Where a file is made for one row, an axis of one entry may be taken for the rows' and theirs for it:
 * between two axes of one entry that makes no difference. Makes axis 1 the rows'. */
static void rows_second(struct tensor *tensor) {
  if (tensor->axis_count != 3 || tensor->axes[0].kind != TENSOR_BATCH || !dim_is(&tensor->axes[0].size, 1) ||
      !tensor_is_single(&tensor->axes[1]))
    return;
  tensor->axes[1] = tensor->axes[0];
  tensor->axes[0] = tensor_single();
}

/* ---- initial states ------------------------------------------------------------------------------- */

static bool is_zeros(struct evaluator *evaluator, const struct node_call *call, const struct tensor *tensor) {
  struct numbers numbers;
  double value;
  if (tensor->kind == TENSOR_NONE)
    return true;
  if (tensor->kind == TENSOR_FILL)
    return tensor->fill == 0;
  if (!numbers_are(tensor) ||
      numbers_open(evaluator, call, tensor, "an initial state", &numbers) != CUSEQ_STATUS_OK)
    return false;
  bool zeros = numbers_uniform(&numbers, &value) && value == 0;
  numbers_close(&numbers);
  return zeros;
}

/* One of the two states, [directions, rows, units], into every place that is its. */
static cuseq_status read_state(struct evaluator *evaluator, const struct node_call *call, struct use *use,
                               size_t input, int32_t part, int32_t parts) {
  const struct recurrent *recurrent = &use->recurrent;
  struct tensor state = *node_input(call, input);
  char text[128];
  int32_t units = recurrent->cells[recurrent->direction == LAYER_BACKWARD].units;
  static const int32_t batch_second[] = {1, 0, 2};
  if (is_zeros(evaluator, call, &state)) {
    for (int32_t d = 0; d < recurrent->direction_count; d++)
      TRY(expression_zeros(evaluator->expressions, units, call->kept, &use->states[d * parts + part]));
    return CUSEQ_STATUS_OK;
  }
  if (state.kind == TENSOR_TABLE && recurrent->batch_first && state.axis_count == 3) {
    struct tensor whole = state;
    TRY(table_permute(evaluator, call, &whole, batch_second, &state));
  }
  rows_second(&state);
  struct dim directions = dim_of(recurrent->direction_count);
  bool fits = state.kind == TENSOR_TABLE && !state.integer && state.axis_count == 3 &&
              state.axes[0].kind == TENSOR_STACK && dim_equal(&state.axes[0].size, &directions) &&
              state.axes[1].kind == TENSOR_BATCH && table_width(evaluator, &state) == units &&
              !state.masked && tensor_cell_count(&state) == recurrent->direction_count;
  if (!fits)
    return call_refuse(call, "its initial state is %s, which cuseq cannot express (needed [%d, batch, %d])",
                       tensor_describe(&state, text, sizeof text), recurrent->direction_count, units);
  if (state.ordered != use->input.ordered)
    return call_refuse(call, "its initial state has its rows in another order than its input");
  for (int32_t d = 0; d < recurrent->direction_count; d++)
    use->states[d * parts + part] = state.cells[d];
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_states(struct evaluator *evaluator, const struct node_call *call, struct use *use) {
  int32_t parts = use->lstm ? 2 : 1;
  use->state_count = use->recurrent.direction_count * parts;
  TRY(read_state(evaluator, call, use, 5, 0, parts));
  return use->lstm ? read_state(evaluator, call, use, 6, 1, parts) : CUSEQ_STATUS_OK;
}

/* ---- a layer over positions ----------------------------------------------------------------------- */

static cuseq_status read_lengths(struct evaluator *evaluator, const struct node_call *call,
                                 const struct use *use, const struct graph_node **mask) {
  const struct tensor *lengths = node_input(call, 4);
  *mask = NULL;
  if (lengths->kind == TENSOR_NONE)
    return CUSEQ_STATUS_OK;
  if (lengths->kind == TENSOR_FILL && lengths->rank == 1) {
    struct dim time = use->input.axes[0].size;
    if (dim_is(&time, (int64_t)lengths->fill))
      return CUSEQ_STATUS_OK; /* every row is as long as there are positions */
  }
  if (lengths->kind != TENSOR_LENGTHS || lengths->axis_count != 1)
    return call_refuse(call, "its lengths are none that the model is given");
  if (lengths->ordered != use->input.ordered)
    return call_refuse(call, "its lengths are in another order than its rows");
  *mask = evaluator->lengths;
  return CUSEQ_STATUS_OK;
}

static cuseq_status layer_expression(struct evaluator *evaluator, const struct node_call *call,
                                     const struct use *use, enum expression_op op, int32_t index,
                                     int32_t part, int32_t width, int32_t *expression) {
  int32_t children[1 + MAX_STATES] = {use->input.cells[0]};
  for (int32_t i = 0; i < use->state_count; i++)
    children[1 + i] = use->states[i];
  struct expression made = {.op = op,
                            .part = part,
                            .width = width,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = call->kept,
                            .child_count = 1 + use->state_count,
                            .children = children};
  return expression_make(evaluator->expressions, &made, expression);
}

/* The two or three outputs of axes [positions, directions, rows, units] and [directions, rows, units]. */
static cuseq_status layer_outputs(struct evaluator *evaluator, struct node_call *call, const struct use *use,
                                  int32_t index) {
  const struct recurrent *recurrent = &use->recurrent;
  int32_t first = recurrent->direction == LAYER_BACKWARD, units = recurrent->cells[first].units, *cells;
  struct tensor_axis directions = {TENSOR_STACK, 0, dim_of(recurrent->direction_count)},
                     features = table_feature_axis(units);
  struct tensor_axis axes[4] = {use->input.axes[0], directions, use->input.axes[1], features};
  for (size_t i = 0; i < call->node->n_output && i < 3; i++) {
    struct tensor made = {.ordered = use->input.ordered};
    TRY(table_make(evaluator, call, i == 0 ? axes : axes + 1, i == 0 ? 4 : 3, &made, &cells));
    for (int32_t d = 0; d < recurrent->direction_count; d++) {
      int32_t part = i == 0 ? (recurrent->direction_count == 2 ? SEQUENCE_FORWARD + d : SEQUENCE_MERGED)
                            : 2 * (first + d) + (int32_t)i - 1;
      TRY(layer_expression(evaluator, call, use, i == 0 ? EXPRESSION_SEQUENCE : EXPRESSION_FINAL, index, part,
                           units, &cells[d]));
    }
    call->outputs[i] = made;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status run_layer(struct evaluator *evaluator, struct node_call *call, struct use *use) {
  const struct recurrent *recurrent = &use->recurrent;
  struct recurrent_layer layer = {.node = call->kept,
                                  .directions = {recurrent->cells[0], recurrent->cells[1]},
                                  .direction = recurrent->direction,
                                  .apart = recurrent->direction_count == 2,
                                  .merge = CUSEQ_MERGE_CONCAT};
  int32_t index, *cells;
  TRY(read_lengths(evaluator, call, use, &layer.mask));
  const struct expression *e = expression_at(evaluator->expressions, use->input.cells[0]);
  if ((e->clocks & (uint32_t)1 << evaluator->clock) == 0) { /* the same vector at every position */
    struct tensor repeated = use->input;
    TRY(table_make(evaluator, call, use->input.axes, use->input.axis_count, &repeated, &cells));
    TRY(expression_over(evaluator->expressions, EXPRESSION_REPEAT, evaluator->clock, 0, false,
                        use->input.cells[0], call->kept, &cells[0]));
    use->input = repeated;
  }
  TRY(recurrent_layer_make(evaluator->expressions, &layer, &index));
  return layer_outputs(evaluator, call, use, index);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static cuseq_status cell_expression(struct evaluator *evaluator, const struct node_call *call, int32_t index,
                                    int32_t part, int32_t input, const int32_t *states, int32_t count,
                                    int32_t *expression) {
  int32_t children[3] = {input, states[0], count > 1 ? states[1] : -1};
  struct expression made = {.op = EXPRESSION_CELL,
                            .part = part,
                            .matrix = -1,
                            .bias = -1,
                            .index = index,
                            .node = call->kept,
                            .child_count = 1 + count,
                            .children = children};
  return expression_make(evaluator->expressions, &made, expression);
}

static cuseq_status run_steps(struct evaluator *evaluator, struct node_call *call, struct use *use) {
  struct recurrent *recurrent = &use->recurrent;
  int32_t steps = tensor_cell_count(&use->input), parts = use->lstm ? 2 : 1, index, *cells, *last;
  struct recurrent_cell *cell = &recurrent->cells[recurrent->direction == LAYER_BACKWARD];
  struct tensor_axis features = table_feature_axis(cell->units);
  struct tensor_axis axes[4] = {use->input.axes[0], tensor_single(), use->input.axes[1], features};
  struct tensor sequence = {.ordered = use->input.ordered}, final = sequence;
  if (recurrent->direction_count != 1 || (recurrent->direction == LAYER_BACKWARD && steps > 1) ||
      node_input(call, 4)->kind != TENSOR_NONE)
    return call_refuse(call,
                       "it goes backwards over the steps of a decoder, or has lengths of its own there");
  recurrent_same_cell(evaluator, cell);
  TRY(recurrent_cell_make(evaluator->expressions, cell, &index));
  TRY(table_make(evaluator, call, axes, 4, &sequence, &cells));
  for (int32_t i = 0; i < steps; i++) {
    int32_t made[2] = {-1, -1};
    for (int32_t part = 0; part < parts; part++)
      TRY(cell_expression(evaluator, call, index, part, use->input.cells[i], use->states, parts,
                          &made[part]));
    use->states[0] = made[0];
    use->states[1] = made[1];
    cells[i] = made[0];
  }
  call->outputs[0] = sequence;
  for (size_t i = 1; i < call->node->n_output && i <= (size_t)parts; i++) {
    TRY(table_make(evaluator, call, axes + 1, 3, &final, &last));
    last[0] = use->states[i - 1];
    call->outputs[i] = final;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the nodes ------------------------------------------------------------------------------------ */

/* With layout 1 the rows come first in everything. */
static cuseq_status turn_outputs(struct evaluator *evaluator, struct node_call *call) {
  static const int32_t sequence[] = {2, 0, 1, 3}, final[] = {1, 0, 2};
  for (size_t i = 0; i < call->node->n_output && call->outputs[i].kind == TENSOR_TABLE; i++) {
    struct tensor whole = call->outputs[i];
    TRY(table_permute(evaluator, call, &whole, i == 0 ? sequence : final, &call->outputs[i]));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status node_recurrent(struct evaluator *evaluator, struct node_call *call) {
  struct use use = {.lstm = false};
  static const int32_t positions_first[] = {1, 0, 2};
  char text[128];
  int64_t layout;
  TRY(node_arity(call, 3, 8));
  TRY(attribute_integer(call, "layout", 0, &layout));
  use.lstm = call->kept->class_name[0] == 'L';
  use.input = *call->inputs[0];
  if (use.input.kind != TENSOR_TABLE || use.input.integer || use.input.axis_count != 3 || use.input.masked)
    return call_refuse(call, "it reads %s, which is no sequence",
                       tensor_describe(&use.input, text, sizeof text));
  if (layout != 0) {
    struct tensor whole = use.input;
    TRY(table_permute(evaluator, call, &whole, positions_first, &use.input));
  }
  rows_second(&use.input);
  bool steps = use.input.axes[0].kind == TENSOR_STACK, layer = use.input.axes[0].kind == TENSOR_TIME;
  bool features = use.input.axes[2].kind == TENSOR_FEATURE || tensor_is_single(&use.input.axes[2]);
  if (use.input.axes[1].kind != TENSOR_BATCH || !features || (!steps && !layer)) {
    evaluator->turned = use.input.axes[0].kind == TENSOR_BATCH && use.input.axes[1].kind == TENSOR_TIME;
    return call_refuse(call, "it reads %s (needed [time, batch, features])",
                       tensor_describe(&use.input, text, sizeof text));
  }
  TRY(recurrent_read(evaluator, call, table_width(evaluator, &use.input), &use.recurrent));
  TRY(read_states(evaluator, call, &use));
  TRY(steps ? run_steps(evaluator, call, &use) : run_layer(evaluator, call, &use));
  return layout != 0 ? turn_outputs(evaluator, call) : CUSEQ_STATUS_OK;
}
