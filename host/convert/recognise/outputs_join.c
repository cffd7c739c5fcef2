/* Several outputs of a decoder's steps lie side by side in the one that cuseq gives. Its last layer has one
 * activation, and where one of them has none, f(x) - f(-x) is x, exactly, for relu, softplus, swish and
 * gelu. */
#include "convert/recognise/recognised.h"
#include "error.h"

static bool is_odd(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_RELU || activation == CUSEQ_ACTIVATION_SOFTPLUS ||
         activation == CUSEQ_ACTIVATION_SWISH || activation == CUSEQ_ACTIVATION_GELU ||
         activation == CUSEQ_ACTIVATION_GELU_TANH;
}

/* Of an output without an activation, beside others that have one: the same through that. */
static cuseq_status through(struct expressions *expressions, cuseq_activation activation, int32_t *output) {
  const struct graph_node *node = expression_at(expressions, *output)->node;
  int32_t forth, back;
  TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, (int32_t)activation, *output, node, &forth));
  TRY(expression_scale(expressions, *output, -1, node, &back));
  TRY(expression_unary(expressions, EXPRESSION_ACTIVATION, (int32_t)activation, back, node, &back));
  TRY(expression_scale(expressions, back, -1, node, &back));
  return expression_binary(expressions, EXPRESSION_ADD, forth, back, node, output);
}

/* Gives all outputs the one activation that some of them have, where it is one of those. */
static cuseq_status even_out(struct expressions *expressions, int32_t *outputs, int32_t count) {
  cuseq_activation activation = CUSEQ_ACTIVATION_LINEAR;
  int32_t plain = 0;
  for (int32_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(expressions, outputs[i]);
    if (e->op == EXPRESSION_CLASSES ||
        (e->op == EXPRESSION_ACTIVATION && activation != CUSEQ_ACTIVATION_LINEAR &&
         e->part != (int32_t)activation))
      return CUSEQ_STATUS_OK;
    plain += e->op != EXPRESSION_ACTIVATION;
    if (e->op == EXPRESSION_ACTIVATION)
      activation = (cuseq_activation)e->part;
  }
  for (int32_t i = 0; plain > 0 && is_odd(activation) && i < count; i++)
    if (expression_at(expressions, outputs[i])->op != EXPRESSION_ACTIVATION)
      TRY(through(expressions, activation, &outputs[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status outputs_join(struct recogniser *recogniser, const struct listed_outputs *listed, int32_t clock,
                          size_t *at, int32_t *output) {
  int32_t *children = arena_allocate(recogniser->arena, (listed->count + 1) * sizeof *children), count = 0;
  if (children == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < listed->count; i++) {
    if (listed->list[i].beside)
      continue;
    const struct expression *e = expression_at(recogniser->expressions, listed->list[i].value.expression);
    if (clock >= 0 && (e->clocks >> clock & 1) == 0)
      return node_refuse(e->node,
                         "the model gives it beside outputs of a decoder's steps, of which it is none "
                         "(cuseq gives those alone): make a model of each output");
    *at = count == 0 ? i : *at;
    children[count++] = listed->list[i].value.expression;
  }
  TRY(even_out(recogniser->expressions, children, count));
  return expression_several(recogniser->expressions, EXPRESSION_CONCAT, children, count,
                            expression_at(recogniser->expressions, children[count - 1])->node, output);
}

/* Says in which columns each of several outputs is. */
static cuseq_status note_columns(struct recogniser *recogniser, const struct listed_outputs *listed,
                                 size_t at, int32_t output) {
  int32_t column = 0;
  if (listed->list[at].value.expression == output)
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < listed->count; i++) {
    if (listed->list[i].beside)
      continue;
    const int32_t width = expression_at(recogniser->expressions, listed->list[i].value.expression)->width;
    TRY(notes_add(recogniser->notes, "output '%.100s' is columns %d to %d of outputs",
                  recogniser->request->outputs[i].name, column, column + width - 1));
    column += width;
  }
  return CUSEQ_STATUS_OK;
}

/* Where several outputs do not fit into one, that is the reason. */
cuseq_status outputs_read_joined(struct recogniser *recogniser, const struct listed_outputs *listed,
                                 size_t at, int32_t joined) {
  const char *name = recogniser->request->outputs[at].name;
  if (listed->list[at].value.expression != joined && recogniser->model->decoder.token >= 0)
    return node_refuse(
        expression_at(recogniser->expressions, joined)->node,
        "the model has several outputs of the steps of a decoder that reads tokens (cuseq gives "
        "one, of which the next token is chosen): make a model of each output");
  const cuseq_status status = head_of_step(recogniser, recogniser->model->decoder.step.outputs[at], name);
  if (status != CUSEQ_STATUS_INVALID_MODEL || listed->list[at].value.expression == joined)
    return status == CUSEQ_STATUS_OK ? note_columns(recogniser, listed, at, joined) : status;
  return node_refuse(
      expression_at(recogniser->expressions, joined)->node,
      "the model has several outputs of a decoder's steps, which have activations that cannot be "
      "those of one (cuseq gives one): make a model of each output");
}
