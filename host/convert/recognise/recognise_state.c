#include "convert/recognise/recognised.h"
#include "error.h"

/* Zeros, or an input layer of the model, which stands for them: those who save such a model feed zeros. */
static cuseq_status is_zero(struct recogniser *recogniser, int32_t expression, bool *zero) {
  const struct expression *e = expression_at(recogniser->expressions, expression);
  bool input = e->op == EXPRESSION_INPUT && e->clocks == 0;
  *zero = e->op == EXPRESSION_ZEROS || input;
  if (e->op == EXPRESSION_INPUT && *zero)
    return notes_add(recogniser->notes, "input '%.100s', an initial state, is taken as zeros", e->node->name);
  return CUSEQ_STATUS_OK;
}

/* Says why a state is none that cuseq can begin with.
 *   others  the encoder's final states of the other kind */
static cuseq_status refuse_state(const struct expressions *expressions, int32_t expression,
                                 const struct bases *others, const char *name, const char *other,
                                 const struct graph_node *owner) {
  const struct expression *e = expression_at(expressions, expression);
  struct affine map = {0};
  int32_t below = e->op == EXPRESSION_ACTIVATION ? e->children[0] : expression;
  bool swapped = affine_make(expressions, below, others, "", &map) == CUSEQ_STATUS_OK;
  affine_free(&map);
  if (swapped)
    return node_refuse(owner,
                       "its initial %s state is made of the encoder's %s states, by '%.100s' (needed "
                       "initial_state=[h, c], h of hidden and c of cell states)",
                       name, other, e->node->name);
  return node_refuse(
      owner,
      "its initial %s state, from layer '%.100s', is nothing that cuseq can express (needed zeros, "
      "an input, or the final %s states of the encoder's last layer, directly or through Dense)",
      name, e->node->name, name);
}

static cuseq_status read_state(struct recogniser *recogniser, int32_t expression, bool hidden,
                               const struct recognised *model, const struct graph_node *owner,
                               struct initial_state *state) {
  const struct expressions *expressions = recogniser->expressions;
  bool zero;
  *state = (struct initial_state){.kind = CUSEQ_INITIAL_STATE_ZEROS, .activation = CUSEQ_ACTIVATION_LINEAR};
  TRY(is_zero(recogniser, expression, &zero));
  if (zero)
    return CUSEQ_STATUS_OK;
  struct expression e = *expression_at(expressions, expression);
  int32_t whole = expression;
  if (e.op == EXPRESSION_ACTIVATION) {
    state->activation = (cuseq_activation)e.part;
    expression = e.children[0];
  }
  const struct bases *finals = hidden ? &model->final_h : &model->final_c;
  if (affine_make(expressions, expression, finals, "", &state->map) != CUSEQ_STATUS_OK)
    return refuse_state(expressions, whole, hidden ? &model->final_c : &model->final_h,
                        hidden ? "hidden" : "cell", hidden ? "cell" : "hidden", owner);
  bool plain = affine_is_identity(&state->map) && state->activation == CUSEQ_ACTIVATION_LINEAR;
  state->kind = plain ? CUSEQ_INITIAL_STATE_ENCODER : CUSEQ_INITIAL_STATE_DENSE;
  return CUSEQ_STATUS_OK;
}

/* Zeros as an affine map, beside a state that is dense. */
static cuseq_status dense_zeros(struct recogniser *recogniser, const struct bases *finals, int32_t units,
                                const struct graph_node *owner, struct initial_state *state) {
  struct expression zeros = {.op = EXPRESSION_ZEROS, .width = units, .matrix = -1, .bias = -1, .node = owner};
  int32_t expression;
  TRY(expression_make(recogniser->expressions, &zeros, &expression));
  return affine_make(recogniser->expressions, expression, finals, "", &state->map);
}

cuseq_status recognise_states(struct recogniser *recogniser, int32_t h, int32_t c,
                              const struct graph_node *owner, struct recognised *model) {
  TRY(read_state(recogniser, h, true, model, owner, &model->h));
  if (c < 0)
    return CUSEQ_STATUS_OK;
  TRY(read_state(recogniser, c, false, model, owner, &model->c));
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
      return node_refuse(owner, "its initial states come through different activations");
    if (zero)
      TRY(dense_zeros(recogniser, i == 0 ? &model->final_h : &model->final_c, model->state_units, owner,
                      state));
    state->kind = CUSEQ_INITIAL_STATE_DENSE;
    state->activation = activation;
  }
  return CUSEQ_STATUS_OK;
}
