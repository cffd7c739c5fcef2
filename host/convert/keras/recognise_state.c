#include "convert/keras/recognise.h"
#include "error.h"

/* Zeros, or an input layer of the model, which stands for them: those who save such a model feed zeros. */
static cuseq_status is_zero(struct evaluator *evaluator, int32_t expression, bool *zero) {
  const struct expression *e = expression_at(&evaluator->expressions, expression);
  *zero = e->op == EXPRESSION_ZEROS || (e->op == EXPRESSION_INPUT && !e->timed);
  if (e->op == EXPRESSION_INPUT && *zero)
    return evaluator_note(evaluator, "input '%.100s', an initial state, is taken as zeros", e->layer->name);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_state(struct evaluator *evaluator, int32_t expression, const struct bases *finals,
                               const char *name, const struct keras_layer *owner,
                               struct initial_state *state) {
  const struct expressions *expressions = &evaluator->expressions;
  bool zero;
  *state = (struct initial_state){.kind = CUSEQ_INITIAL_STATE_ZEROS, .activation = CUSEQ_ACTIVATION_LINEAR};
  TRY(is_zero(evaluator, expression, &zero));
  if (zero)
    return CUSEQ_STATUS_OK;
  struct expression e = *expression_at(expressions, expression);
  if (e.op == EXPRESSION_ACTIVATION) {
    state->activation = (cuseq_activation)e.part;
    expression = e.children[0];
  }
  if (affine_make(expressions, expression, finals, "", &state->map) != CUSEQ_STATUS_OK)
    return layer_refuse(
        owner,
        "its initial %s state, from layer '%.100s', is nothing that cuseq can express (needed zeros, "
        "an input, or the final %s states of the encoder's last layer, directly or through Dense)",
        name, e.layer->name, name);
  bool plain = affine_is_identity(&state->map) && state->activation == CUSEQ_ACTIVATION_LINEAR;
  state->kind = plain ? CUSEQ_INITIAL_STATE_ENCODER : CUSEQ_INITIAL_STATE_DENSE;
  return CUSEQ_STATUS_OK;
}

/* Zeros as an affine map, beside a state that is dense. */
static cuseq_status dense_zeros(struct evaluator *evaluator, const struct bases *finals, int32_t units,
                                const struct keras_layer *owner, struct initial_state *state) {
  struct expression zeros = {
      .op = EXPRESSION_ZEROS, .width = units, .matrix = -1, .bias = -1, .layer = owner};
  int32_t expression;
  TRY(expression_make(&evaluator->expressions, &zeros, &expression));
  return affine_make(&evaluator->expressions, expression, finals, "", &state->map);
}

cuseq_status recognise_states(struct evaluator *evaluator, int32_t h, int32_t c,
                              const struct keras_layer *owner, struct recognised *model) {
  TRY(read_state(evaluator, h, &model->final_h, "hidden", owner, &model->h));
  if (c < 0)
    return CUSEQ_STATUS_OK;
  TRY(read_state(evaluator, c, &model->final_c, "cell", owner, &model->c));
  if (model->h.kind == model->c.kind && model->h.activation == model->c.activation)
    return CUSEQ_STATUS_OK;
  /* They differ: both become dense, with the activation that one of them has. */
  cuseq_activation activation = model->h.activation;
  if (model->h.kind == CUSEQ_INITIAL_STATE_ZEROS)
    activation = model->c.activation;
  struct initial_state *states[2] = {&model->h, &model->c};
  for (int i = 0; i < 2; i++) {
    struct initial_state *state = states[i];
    bool zero = state->kind == CUSEQ_INITIAL_STATE_ZEROS;
    if (zero ? activation == CUSEQ_ACTIVATION_SIGMOID : state->activation != activation)
      return layer_refuse(owner, "its initial states come through different activations");
    if (zero)
      TRY(dense_zeros(evaluator, i == 0 ? &model->final_h : &model->final_c, model->state_units, owner,
                      state));
    state->kind = CUSEQ_INITIAL_STATE_DENSE;
    state->activation = activation;
  }
  return CUSEQ_STATUS_OK;
}
