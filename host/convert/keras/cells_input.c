/* What a recurrent layer is given: its states apart from its input, and what becomes a sequence, or a
 * step. */
#include "convert/graph/lift.h"
#include "convert/graph/rewrite.h"
#include "convert/keras/cells.h"
#include "convert/keras/layers.h"
#include "error.h"

/* Keras 2 gives the states after the sequence, in one list. */
static void split_states(struct layer_call *call) {
  if (call->state_count == 0 && call->input_count > 1) {
    call->states = call->inputs + 1;
    call->state_count = call->input_count - 1;
    call->input_count = 1;
  }
}

/* A vector that is repeated becomes a sequence where a layer reads it as one. */
static cuseq_status read_repeated(struct evaluator *evaluator, struct layer_call *call) {
  struct value *x = &call->inputs[0];
  const struct expressions *expressions = &evaluator->expressions;
  bool repeated = x->axis_count == 3 && x->axes[0].kind == AXIS_BATCH && x->axes[1].kind == AXIS_REPEAT &&
                  x->axes[1].size > 1 && value_is_feature_axis(expressions, x, 2) &&
                  expression_at(expressions, x->expression)->clocks == 0;
  if (!repeated)
    return CUSEQ_STATUS_OK;
  int32_t clock;
  TRY(clock_make(&evaluator->expressions, &call->layer->node, x->axes[1].size, true, &clock));
  x->axes[1] = (struct axis){AXIS_TIME, x->axes[1].size, clock};
  return expression_over(&evaluator->expressions, EXPRESSION_REPEAT, clock, 0, false, x->expression,
                         &call->layer->node, &x->expression);
}

/* Numbers in a row, [batch, n] with an axis of one entry behind them, are a sequence where a layer reads them
 * as one. */
static cuseq_status read_numbers(struct evaluator *evaluator, struct layer_call *call) {
  struct value *x = &call->inputs[0];
  bool single = x->axis_count == 3 && x->axes[2].kind == AXIS_REPEAT && x->axes[2].size == 1;
  if (!single || !input_is_vector(evaluator, x))
    return CUSEQ_STATUS_OK;
  return input_as_sequence(evaluator, expression_at(&evaluator->expressions, x->expression)->width, 1, x);
}

/* What is the same at every position stays, and what works on each position by itself works on the first one:
 * later steps do it to vectors. */
static cuseq_status first_position_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const int32_t clock = *(const int32_t *)rewrite->context;
  const struct expression *e = expression_at(rewrite->expressions, expression);
  if (!(e->clocks >> clock & 1))
    *made = expression;
  if (!(e->clocks >> clock & 1) || expression_op_is_pointwise(e->op))
    return CUSEQ_STATUS_OK;
  return expression_position(rewrite->expressions, clock, 0, expression, e->node, made);
}

/* A sequence of one position is a step where it is the first of a loop: the layer is called again, and begins
 * with states of another one. */
static cuseq_status read_first_step(struct evaluator *evaluator, struct layer_call *call) {
  struct value *x = &call->inputs[0];
  bool begun = false;
  for (size_t i = 0; i < call->state_count; i++) {
    const struct expression *e = expression_at(&evaluator->expressions, call->states[i].expression);
    begun = begun || (e->op != EXPRESSION_ZEROS && e->op != EXPRESSION_INPUT);
  }
  if (!begun || call->layer->call_count < 2 || x->axis_count != 3 || x->axes[1].kind != AXIS_TIME ||
      x->axes[1].size != 1)
    return CUSEQ_STATUS_OK;
  int32_t clock = x->axes[1].clock, timed = x->expression;
  TRY(position_apply(evaluator, call->layer, 1, 0, x));
  value_insert_axis(x, 1, (struct axis){AXIS_REPEAT, 1, 0});
  x->expression = timed;
  return rewrite_all(&evaluator->expressions, first_position_rule, &clock, &x->expression, 1);
}

cuseq_status cell_take_input(struct evaluator *evaluator, struct layer_call *call) {
  split_states(call);
  TRY(call_arity(call, 1, 1));
  TRY(read_repeated(evaluator, call));
  TRY(read_numbers(evaluator, call));
  return read_first_step(evaluator, call);
}
