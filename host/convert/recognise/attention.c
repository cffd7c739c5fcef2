/* Attention: what lies between the encoder's outputs, what asks, and the context. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdlib.h>

/* ---- who asks ------------------------------------------------------------------------------------- */

cuseq_status attention_queries(const struct recogniser *recogniser, int32_t energies, struct bases *found) {
  const struct expressions *expressions = recogniser->expressions;
  bool *seen = calloc((size_t)expressions->count, sizeof *seen);
  int32_t *stack = malloc((size_t)expressions->count * sizeof *stack), size = 0;
  cuseq_status status = CUSEQ_STATUS_OK;
  if (seen == NULL || stack == NULL) {
    status = error_out_of_memory();
    goto cleanup;
  }
  found->count = 0;
  stack[size++] = energies;
  while (size > 0) {
    int32_t at = stack[--size];
    const struct expression *e = expression_at(expressions, at);
    if (e->clocks == 0 && !bases_add(found, at)) {
      status = node_refuse(e->node, "the attention depends on too many tensors");
      goto cleanup;
    }
    bool end = e->clocks == 0 || e->op == EXPRESSION_SEQUENCE || expression_takes_all(e);
    for (int32_t i = 0; !end && i < e->child_count; i++)
      if (!seen[e->children[i]]) {
        seen[e->children[i]] = true;
        stack[size++] = e->children[i];
      }
  }
cleanup:
  free(seen);
  free(stack);
  return status;
}

/* What the parts that ask are made of by dense layers. */
static cuseq_status query_leaves(const struct recogniser *recogniser, const struct bases *queries,
                                 struct bases *leaves) {
  struct bases none = {.count = 0}, some;
  leaves->count = 0;
  for (int32_t i = 0; i < queries->count; i++) {
    TRY(chain_leaves(recogniser, queries->list[i], &none, &some));
    for (int32_t k = 0; k < some.count; k++)
      if (!bases_add(leaves, some.list[k]))
        return node_refuse(expression_at(recogniser->expressions, some.list[k])->node,
                           "the attention depends on too many tensors");
  }
  return CUSEQ_STATUS_OK;
}

/* A layer of the decoder: its state before the step, or what it has just made; or the token. */
static cuseq_status settle_asker(struct recogniser *recogniser, int32_t leaf) {
  struct found_attention *attention = &recogniser->model->attention;
  const struct found_decoder *decoder = &recogniser->model->decoder;
  const struct graph_node *node = expression_at(recogniser->expressions, leaf)->node;
  if (leaf == decoder->token) {
    attention->asks = ASKS_TOKEN;
    return CUSEQ_STATUS_OK;
  }
  for (int32_t l = 0; l < decoder->count; l++) {
    attention->asked_layer = l;
    attention->asks = leaf == decoder->layers[l].h ? ASKS_PREVIOUS : ASKS_CURRENT;
    if (leaf == decoder->layers[l].h || leaf == decoder->layers[l].gives)
      return CUSEQ_STATUS_OK;
    if (leaf == decoder->layers[l].c)
      return node_refuse(
          node, "the attention depends on the decoder's cell state (cuseq's asks by the hidden state)");
  }
  return node_refuse(
      node, "the attention depends on it, which is neither a hidden state of the decoder nor its token");
}

static cuseq_status settle_query(struct recogniser *recogniser, const struct bases *queries) {
  struct found_attention *attention = &recogniser->model->attention;
  struct bases leaves;
  TRY(query_leaves(recogniser, queries, &leaves));
  if (leaves.count == 0) { /* nobody: the last layer, whose rows of the weights are zeros then */
    leaves = (struct bases){
        .list = {recogniser->model->decoder.layers[recogniser->model->decoder.count - 1].h}, .count = 1};
  }
  if (leaves.count > 1)
    return node_refuse(expression_at(recogniser->expressions, leaves.list[1])->node,
                       "the attention depends on it and on '%.100s' (cuseq's asks by one of them)",
                       expression_at(recogniser->expressions, leaves.list[0])->node->name);
  attention->query = leaves;
  return settle_asker(recogniser, leaves.list[0]);
}

/* Without a decoder: the final states of a layer, side by side, or one vector made of them, or an input. */
static cuseq_status settle_state(struct recogniser *recogniser, const struct bases *queries) {
  struct found_attention *attention = &recogniser->model->attention;
  const struct found_encoder *encoder = &recogniser->model->encoder;
  const struct found_layer *last = &encoder->layers[encoder->count - 1];
  struct bases none = {.count = 0}, leaves = {.count = 0};
  attention->state = (struct found_initial){.from = INITIAL_ZEROS};
  attention->asked_layer = -1;
  attention->query_width = 1;
  for (int32_t i = 0; i < queries->count; i++) {
    struct bases some;
    TRY(affine_leaves(recogniser->expressions, queries->list[i], &none, some.list, AFFINE_MAX_BASES,
                      &some.count));
    for (int32_t k = 0; k < some.count; k++)
      if (!bases_add(&leaves, some.list[k]))
        return node_refuse(expression_at(recogniser->expressions, some.list[k])->node,
                           "the attention depends on too many tensors");
  }
  bool finals = true;
  for (int32_t i = 0; i < leaves.count; i++)
    finals = finals && bases_have(&last->final_h, leaves.list[i]);
  if (leaves.count == 0)
    return CUSEQ_STATUS_OK;
  if (finals) {
    attention->query = last->final_h;
    attention->state =
        (struct found_initial){.from = INITIAL_ENCODER, .layer = encoder->count - 1, .plain = true};
    return CUSEQ_STATUS_OK;
  }
  const struct graph_node *node = expression_at(recogniser->expressions, leaves.list[0])->node;
  if (leaves.count != 1)
    return node_refuse(node, "the attention depends on it beside the encoder's outputs and final states");
  attention->query = leaves;
  return initial_recognise(recogniser, leaves.list[0], true, node, &attention->state);
}

/* ---- masks ---------------------------------------------------------------------------------------- */

/* Keras' attention layers leave masked positions out, as cuseq does by lengths; an attention of Dense and
 * softmax layers attends to them. */
static cuseq_status check_mask(struct recogniser *recogniser, const struct expression *alphas) {
  const struct graph_node *mask = recogniser->model->encoder.mask;
  if (mask == NULL && !alphas->masked)
    return CUSEQ_STATUS_OK;
  if (mask == NULL)
    return node_refuse(alphas->node, "it has a mask that the encoder has not");
  if (!alphas->masked)
    return node_refuse(
        mask,
        "the encoder honours its mask and the attention '%.100s' attends to masked positions, which "
        "cuseq cannot express (%s)",
        alphas->node->name,
        mask->word == NULL ? "Keras' attention layers leave them out"
                           : "mask its energies, or use no lengths");
  return CUSEQ_STATUS_OK;
}

/* ---- values --------------------------------------------------------------------------------------- */

static cuseq_status has_part(const struct recogniser *recogniser, int32_t whole, int32_t part,
                             int32_t barrier, bool *has) {
  const struct expressions *expressions = recogniser->expressions;
  bool *reached = calloc((size_t)expressions->count, sizeof *reached);
  if (reached == NULL)
    return error_out_of_memory();
  reached[barrier] = whole != barrier;
  cuseq_status status = reach(expressions, whole, reached, expressions->count);
  *has = reached[part];
  free(reached);
  return status;
}

/* The annotations behind the values: they themselves, or, where the energies are made of what is below, a
 * layer over them. */
static cuseq_status settle_values(struct recogniser *recogniser, int32_t energies, int32_t values,
                                  int32_t *annotations) {
  struct found_attention *attention = &recogniser->model->attention;
  struct bases none = {.count = 0}, leaves;
  *annotations = values;
  if (encoder_gives(recogniser->expressions, values))
    return CUSEQ_STATUS_OK;
  TRY(chain_leaves(recogniser, values, &none, &leaves));
  bool below = false;
  if (leaves.count == 1 && encoder_gives(recogniser->expressions, leaves.list[0]))
    TRY(has_part(recogniser, energies, leaves.list[0], values, &below));
  if (!below)
    return CUSEQ_STATUS_OK;
  struct chain chain;
  TRY(chain_read(recogniser, values, &leaves, "the attention's values", 1, false, false, &chain));
  attention->has_value_map = true;
  attention->value_map = chain.levels[0];
  *annotations = leaves.list[0];
  return CUSEQ_STATUS_OK;
}

cuseq_status attention_recognise(struct recogniser *recogniser, int32_t context, int32_t final) {
  struct expressions *expressions = recogniser->expressions;
  struct found_attention *attention = &recogniser->model->attention;
  const struct expression c = *expression_at(expressions, context);
  const struct expression alphas = *expression_at(expressions, c.children[0]);
  int32_t energies = alphas.children[0], annotations;
  struct bases queries;
  attention->present = true;
  attention->context = context;
  attention->asks = ASKS_PREVIOUS;
  attention->heads = alphas.width;
  if (alphas.op != EXPRESSION_SOFTMAX)
    return node_refuse(c.node, "it sums over the positions with weights that are no softmax over them");
  TRY(settle_values(recogniser, energies, c.children[1], &annotations));
  TRY(encoder_recognise(recogniser, annotations, final));
  TRY(check_mask(recogniser, &alphas));
  TRY(attention_queries(recogniser, energies, &queries));
  TRY(recogniser->model->decoder.present ? settle_query(recogniser, &queries)
                                         : settle_state(recogniser, &queries));
  for (int32_t i = 0; i < attention->query.count; i++) {
    if (i == 0)
      attention->query_width = 0;
    attention->query_width += expression_at(expressions, attention->query.list[i])->width;
  }
  return energies_read(recogniser, attention, recogniser->model->encoder.annotations, false, energies);
}
