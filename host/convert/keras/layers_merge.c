/* Arithmetic, element by element: of several tensors, or of one and a number. */
#include "convert/keras/arguments.h"
#include "convert/keras/layers.h"
#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <string.h>

enum arithmetic { PLUS, MINUS, TIMES, OVER, LARGER, MEAN };

/* ---- a tensor and a number ------------------------------------------------------------------------ */

/* The number among a call's operands, and whether it comes before the tensor. */
struct operand {
  const json_t *number;
  size_t count;
  bool first;
};

static struct operand find_number(const struct layer_call *call) {
  static const char *const names[] = {"", "x", "y", "x1", "x2"};
  struct operand found = {.count = 0};
  bool tensor = false;
  for (size_t i = 0; i < call->call->count; i++) {
    const struct graph_argument *argument = &call->call->arguments[i];
    const char *name = argument_name(call->layer, call->call, i);
    bool operand = false;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      operand = operand || strcmp(name, names[k]) == 0;
    if (operand && argument->kind == ARGUMENT_CONSTANT) {
      found.number = argument->constant;
      found.first = !tensor;
      found.count++;
    }
    tensor = tensor || argument->kind != ARGUMENT_CONSTANT;
  }
  return found;
}

static cuseq_status scaled(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct layer_call *call = ((void **)context)[0];
  return scale_make(evaluator, call->layer, *(double *)((void **)context)[1], child, expression);
}

/* factor x + term. */
static cuseq_status times_plus(struct evaluator *evaluator, struct layer_call *call, double factor,
                               double term) {
  struct value value = call->inputs[0];
  int32_t width = expression_at(&evaluator->expressions, value.expression)->width;
  if (term == 0) {
    void *context[] = {call, &factor};
    TRY(value_map(evaluator, &value, scaled, context));
    return call_output(evaluator, call, &value);
  }
  double *numbers = arena_allocate(evaluator->arena, 2 * (size_t)width * sizeof *numbers);
  if (numbers == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < width; i++) {
    numbers[i] = factor;
    numbers[width + i] = term;
  }
  TRY(affine_apply(evaluator, call->layer, factor == 1 ? NULL : numbers, numbers + width, &value));
  return call_output(evaluator, call, &value);
}

static cuseq_status with_number(struct evaluator *evaluator, struct layer_call *call, enum arithmetic kind,
                                const struct operand *operand) {
  static const char needed[] =
      "cuseq cannot express its arithmetic with a constant (needed one tensor and one "
      "finite number)";
  if (operand->count + call->input_count != 2 || !json_is_number(operand->number))
    return layer_refuse(call->layer, needed);
  double number = json_number_value(operand->number);
  if (kind == PLUS)
    return times_plus(evaluator, call, 1, number);
  if (kind == MINUS)
    return operand->first ? times_plus(evaluator, call, -1, number) : times_plus(evaluator, call, 1, -number);
  if (kind == TIMES)
    return times_plus(evaluator, call, number, 0);
  if (kind == OVER && !operand->first && isfinite(1 / number))
    return times_plus(evaluator, call, 1 / number, 0);
  if (kind == LARGER && number == 0) {
    struct value value = call->inputs[0];
    TRY(activation_apply(evaluator, call->layer, (struct named_activation){.kind = CUSEQ_ACTIVATION_RELU},
                         &value));
    return call_output(evaluator, call, &value);
  }
  return layer_refuse(call->layer, needed);
}

/* ---- several tensors ------------------------------------------------------------------------------ */

/* *expression, which is the result so far, and another one together. */
static cuseq_status join(struct evaluator *evaluator, const struct keras_layer *layer, enum arithmetic kind,
                         int32_t other, int32_t *expression) {
  struct expressions *expressions = &evaluator->expressions;
  static const enum expression_op ops[] = {[PLUS] = EXPRESSION_ADD,
                                           [MINUS] = EXPRESSION_ADD,
                                           [TIMES] = EXPRESSION_PRODUCT,
                                           [MEAN] = EXPRESSION_ADD};
  const struct expression *a = expression_at(expressions, *expression),
                          *b = expression_at(expressions, other);
  if (kind == OVER)
    return layer_refuse(layer, "it divides by a tensor, which cuseq cannot express");
  if (kind != TIMES && a->width != b->width)
    return layer_refuse(layer, "it joins vectors of %d and %d elements, element by element", a->width,
                        b->width);
  if (a->op == EXPRESSION_STEPS || b->op == EXPRESSION_STEPS)
    return layer_refuse(layer, "cuseq cannot express arithmetic on all steps at once");
  if (kind == LARGER) {
    const int32_t both[] = {*expression, other};
    return expression_maximum(expressions, both, 2, &layer->node, expression);
  }
  if (kind == MINUS)
    TRY(scale_make(evaluator, layer, -1, other, &other));
  TRY(expression_binary(expressions, ops[kind], *expression, other, &layer->node, expression));
  return positions_check_product(evaluator, layer, *expression);
}

static cuseq_status arithmetic(struct evaluator *evaluator, struct layer_call *call, enum arithmetic kind) {
  struct operand number = find_number(call);
  TRY(call_arity(call, 1, SIZE_MAX));
  if (number.count > 0)
    return with_number(evaluator, call, kind, &number);
  TRY(call_arity(call, 2, kind == MINUS || kind == OVER ? 2 : SIZE_MAX));
  struct value result = call->inputs[0];
  for (size_t i = 1; i < call->input_count; i++) {
    struct value joined, other = call->inputs[i];
    TRY(steps_as_sequence(evaluator, call->layer, &result));
    TRY(steps_as_sequence(evaluator, call->layer, &other));
    TRY(value_pair(&evaluator->expressions, &call->layer->node, &result, &other));
    TRY(value_align(&evaluator->expressions, &call->layer->node, &result, &other));
    TRY(value_broadcast(&evaluator->expressions, &call->layer->node, &result, &other, &joined));
    joined.expression = result.expression;
    TRY(join(evaluator, call->layer, kind, other.expression, &joined.expression));
    result = joined;
  }
  if (kind == MEAN)
    TRY(scale_make(evaluator, call->layer, 1.0 / (double)call->input_count, result.expression,
                   &result.expression));
  return call_output(evaluator, call, &result);
}

cuseq_status layer_add(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, PLUS);
}

cuseq_status layer_multiply(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, TIMES);
}

cuseq_status layer_subtract(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, MINUS);
}

cuseq_status layer_divide(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, OVER);
}

cuseq_status layer_average(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, MEAN);
}

cuseq_status layer_maximum(struct evaluator *evaluator, struct layer_call *call) {
  return arithmetic(evaluator, call, LARGER);
}

cuseq_status layer_negative(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  return times_plus(evaluator, call, -1, 0);
}
