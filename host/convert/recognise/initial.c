/* Where a state begins: with zeros, or with final states of one of the encoder's layers. */
#include "convert/recognise/recognised.h"
#include "error.h"

bool initial_is_zero(const struct expressions *expressions, int32_t expression) {
  const struct expression *e = expression_at(expressions, expression);
  return e->op == EXPRESSION_ZEROS || (e->op == EXPRESSION_INPUT && e->clocks == 0);
}

cuseq_status initial_note_zero(struct recogniser *recogniser, int32_t expression) {
  const struct expression *e = expression_at(recogniser->expressions, expression);
  if (e->op == EXPRESSION_INPUT)
    return notes_add(recogniser->notes, "input '%.100s', an initial state, is taken as zeros", e->node->name);
  return CUSEQ_STATUS_OK;
}

cuseq_status initial_refuse(const struct recogniser *recogniser, int32_t expression, bool hidden,
                            const struct graph_node *owner) {
  const char *name = hidden ? "hidden" : "cell";
  return node_refuse(
      owner,
      "its initial %s state, from layer '%.100s', is nothing that cuseq can express (needed zeros, "
      "an input, or the final states of one of the encoder's layers, directly or through Dense)",
      name, expression_at(recogniser->expressions, expression)->node->name);
}

/* The layer of the encoder, and which of its states, that all of the leaves are; false: they are not of
 * one. */
static bool find_finals(const struct found_encoder *encoder, const struct bases *leaves, int32_t *layer,
                        bool *is_c) {
  for (*layer = encoder->count - 1; *layer >= 0; --*layer)
    for (int c = 0; c < 2; c++) {
      const struct found_layer *from = &encoder->layers[*layer];
      const struct bases *finals = c == 0 ? &from->final_h : &from->final_c;
      int32_t known = 0;
      for (int32_t i = 0; i < leaves->count; i++)
        known += bases_have(finals, leaves->list[i]);
      *is_c = c == 1;
      if (known == leaves->count && known > 0)
        return true;
    }
  return false;
}

cuseq_status initial_recognise(struct recogniser *recogniser, int32_t expression, bool hidden,
                               const struct graph_node *owner, struct found_initial *initial) {
  const struct found_encoder *encoder = &recogniser->model->encoder;
  *initial = (struct found_initial){.from = INITIAL_ZEROS};
  if (initial_is_zero(recogniser->expressions, expression))
    return initial_note_zero(recogniser, expression);
  struct bases none = {.count = 0}, leaves;
  struct chain chain;
  TRY(chain_leaves(recogniser, expression, &none, &leaves));
  if (!find_finals(encoder, &leaves, &initial->layer, &initial->takes_c))
    return initial_refuse(recogniser, expression, hidden, owner);
  const struct found_layer *layer = &encoder->layers[initial->layer];
  const struct bases *finals = initial->takes_c ? &layer->final_c : &layer->final_h;
  if (expression_at(recogniser->expressions, expression)->op == EXPRESSION_CLASSES ||
      chain_read(recogniser, expression, finals, "", 1, false, false, &chain) != CUSEQ_STATUS_OK)
    return initial_refuse(recogniser, expression, hidden, owner);
  initial->from = INITIAL_ENCODER;
  initial->dense = chain.levels[0];
  initial->plain =
      initial->dense.activation == CUSEQ_ACTIVATION_LINEAR && affine_is_identity(&initial->dense.map);
  return CUSEQ_STATUS_OK;
}
