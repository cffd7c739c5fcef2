/* Attention: what lies between the encoder's outputs, what asks, and the context. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>

static const char subject[] = "the attention's energies";

static bool is_timed(const struct recogniser *recogniser, int32_t expression) {
  return expression_at(recogniser->expressions, expression)->clocks != 0;
}

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
    bool end = e->clocks == 0 || e->op == EXPRESSION_SEQUENCE;
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

/* ---- maps in front of the energies ---------------------------------------------------------------- */

/* A leaf that is an activation over a map of `of` alone: the attention's key, value or query map. */
static cuseq_status read_map(struct recogniser *recogniser, int32_t leaf, const struct bases *of, bool *has,
                             struct level *map) {
  struct chain chain;
  const struct expression *e = expression_at(recogniser->expressions, leaf);
  if (*has || e->op != EXPRESSION_ACTIVATION)
    return node_refuse(e->node, "cuseq cannot express what it does to %s", subject);
  TRY(chain_read(recogniser, leaf, of, subject, 1, false, false, &chain));
  *map = chain.levels[0];
  *has = true;
  return CUSEQ_STATUS_OK;
}

/* Settles what is multiplied or goes into the layers on one side: the bases themselves, or one activation
 * over them. */
static cuseq_status settle_side(struct recogniser *recogniser, const struct bases *leaves, bool timed,
                                const struct bases *bases, bool *has_map, struct level *map,
                                struct bases *read) {
  *read = *bases;
  for (int32_t i = 0; i < leaves->count; i++) {
    if (is_timed(recogniser, leaves->list[i]) != timed || bases_have(read, leaves->list[i]))
      continue;
    TRY(read_map(recogniser, leaves->list[i], bases, has_map, map));
    *read = (struct bases){.list = {leaves->list[i]}, .count = 1};
    i = -1; /* the others must be that one too */
  }
  return CUSEQ_STATUS_OK;
}

/* ---- scores --------------------------------------------------------------------------------------- */

/* A bias n of the query, multiplied with the keys, differs from position to position. */
static bool drifts(const struct affine *key, const struct affine *query) {
  bool any = false;
  for (int32_t r = 0; r < key->rows; r++) {
    double drift = 0;
    for (int32_t c = 0; c < key->columns; c++)
      drift += key->matrix[(size_t)r * (size_t)key->columns + (size_t)c] * query->bias[c];
    any = any || drift != 0;
  }
  return any;
}

/* e = scale * (a M + m) . (s N + n): "dot" where both are the vectors themselves, or go through maps of
 * their own; else "general". A bias m of the keys adds the same to the energies of all positions, which
 * the softmax takes out again; a bias n of the query does not, and so keeps the two maps apart. */
static cuseq_status read_product(struct recogniser *recogniser, const struct expression *product,
                                 double scale) {
  const struct expressions *expressions = recogniser->expressions;
  struct found_attention *attention = &recogniser->model->attention;
  struct bases none = {.count = 0}, leaves, read;
  struct bases annotations = {.list = {recogniser->model->encoder.annotations}, .count = 1};
  bool key_first = is_timed(recogniser, product->children[0]);
  int32_t key = product->children[key_first ? 0 : 1], query = product->children[key_first ? 1 : 0];
  if (!is_timed(recogniser, key) || is_timed(recogniser, query))
    return node_refuse(product->node, "its inner product is not one of the encoder's outputs and a state");
  TRY(affine_leaves(expressions, key, &annotations, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  TRY(settle_side(recogniser, &leaves, true, &annotations, &attention->has_key_map, &attention->key_map,
                  &read));
  TRY(affine_make(expressions, key, &read, subject, &attention->key));
  TRY(affine_leaves(expressions, query, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  TRY(settle_side(recogniser, &leaves, false, &attention->query, &attention->has_query_map,
                  &attention->query_map, &read));
  TRY(affine_make(expressions, query, &read, subject, &attention->query_of));
  attention->scale = scale;
  const double largest = affine_largest(&attention->key) * affine_largest(&attention->query_of) *
                         (double)attention->key.columns * fmax(fabs(scale), 1);
  if (!(largest <= AFFINE_MOST))
    return node_refuse(
        product->node,
        "its inner product multiplies by %.2g, near the end of float32's range (needed at most %g)", largest,
        AFFINE_MOST);
  bool plain = affine_is_identity(&attention->query_of);
  if (drifts(&attention->key, &attention->query_of)) {
    if (attention->has_query_map)
      return node_refuse(expression_at(expressions, query)->node,
                         "two layers between what asks and an inner product are more than cuseq can express");
    attention->has_query_map = true;
    attention->query_map = (struct level){.map = attention->query_of, .activation = CUSEQ_ACTIVATION_LINEAR};
    attention->query_of = (struct affine){0};
    /* what is left is the key's map alone, by the same way that a general score takes */
    struct bases mapped = {.list = {query}, .count = 1};
    TRY(affine_make(expressions, query, &mapped, subject, &attention->query_of));
    plain = true;
  }
  for (int32_t c = 0; c < attention->key.columns; c++)
    attention->key.bias[c] = attention->query_of.bias[c] = 0;
  plain = plain && affine_is_identity(&attention->key) && affine_is_identity(&attention->query_of);
  attention->score = plain ? CUSEQ_SCORE_DOT : CUSEQ_SCORE_GENERAL;
  return CUSEQ_STATUS_OK;
}

/* v . tanh(a K_a + s K_s + k): a score of its own name where the two parts are added up, not concatenated. */
static bool is_additive(const struct recogniser *recogniser, int32_t bottom) {
  const struct found_attention *attention = &recogniser->model->attention;
  const struct expression *e = expression_at(recogniser->expressions, bottom);
  if (e->op == EXPRESSION_ACTIVATION)
    e = expression_at(recogniser->expressions, e->children[0]);
  return attention->layers.count == 2 && attention->layers.levels[0].activation == CUSEQ_ACTIVATION_TANH &&
         attention->layers.levels[1].activation == CUSEQ_ACTIVATION_LINEAR && e->op == EXPRESSION_ADD;
}

/* The last level: over the annotations and what asks, each directly or through one layer of its own. */
static cuseq_status read_bottom(struct recogniser *recogniser, int32_t expression, const struct bases *leaves,
                                struct affine *map) {
  struct found_attention *attention = &recogniser->model->attention;
  struct bases annotations = {.list = {recogniser->model->encoder.annotations}, .count = 1}, keys, queries;
  TRY(settle_side(recogniser, leaves, true, &annotations, &attention->has_key_map, &attention->key_map,
                  &keys));
  TRY(settle_side(recogniser, leaves, false, &attention->query, &attention->has_query_map,
                  &attention->query_map, &queries));
  for (int32_t i = 0; i < queries.count; i++)
    if (!bases_add(&keys, queries.list[i]))
      return node_refuse(expression_at(recogniser->expressions, expression)->node,
                         "the attention depends on too many tensors");
  return affine_make(recogniser->expressions, expression, &keys, subject, map);
}

/* Whether a leaf is a further level: an activation over what both sides are in; with nobody that asks,
 * over anything but the annotations themselves. */
static bool is_level(const struct recogniser *recogniser, const struct bases *leaves) {
  const struct expression *e = expression_at(recogniser->expressions, leaves->list[0]);
  return leaves->count == 1 && e->op == EXPRESSION_ACTIVATION && e->clocks != 0 && !e->atom &&
         leaves->list[0] != recogniser->model->encoder.annotations;
}

/* Layers of the energies, the last one first. */
static cuseq_status read_layers(struct recogniser *recogniser, int32_t energies) {
  const struct expressions *expressions = recogniser->expressions;
  struct found_attention *attention = &recogniser->model->attention;
  struct bases stops = attention->query, leaves;
  bases_add(&stops, recogniser->model->encoder.annotations);
  int32_t expression = energies, lowest = energies;
  while (expression >= 0) {
    const struct expression e = *expression_at(expressions, expression);
    struct level *level = &attention->layers.levels[attention->layers.count];
    if (attention->layers.count >= CUSEQ_MAX_ATTENTION_LAYERS)
      return node_refuse(e.node, "the attention has more than %d layers", CUSEQ_MAX_ATTENTION_LAYERS);
    level->activation = CUSEQ_ACTIVATION_LINEAR;
    lowest = expression;
    if (e.op == EXPRESSION_ACTIVATION && !bases_have(&stops, expression)) {
      level->activation = (cuseq_activation)e.part;
      expression = e.children[0];
    }
    TRY(affine_leaves(expressions, expression, &stops, leaves.list, AFFINE_MAX_BASES, &leaves.count));
    if (is_level(recogniser, &leaves)) {
      TRY(affine_make(expressions, expression, &leaves, subject, &level->map));
      expression = leaves.list[0];
    } else {
      TRY(read_bottom(recogniser, expression, &leaves, &level->map));
      expression = -1;
    }
    attention->layers.count++;
  }
  chain_reverse(&attention->layers);
  attention->score = is_additive(recogniser, lowest) ? CUSEQ_SCORE_ADDITIVE : CUSEQ_SCORE_CONCAT;
  return CUSEQ_STATUS_OK;
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
  double scale = 1;
  struct expression e = *expression_at(expressions, energies);
  while (e.op == EXPRESSION_SCALE) {
    scale *= e.scalar;
    if (!(fabs(scale) <= AFFINE_MOST))
      return node_refuse(e.node, "its energies are multiplied by %g (needed at most %g)", scale, AFFINE_MOST);
    e = *expression_at(expressions, e.children[0]);
  }
  attention->scale = 1;
  if (e.op == EXPRESSION_DOT)
    return read_product(recogniser, &e, scale);
  return read_layers(recogniser, energies);
}
