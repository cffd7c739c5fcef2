#include "convert/recognise/recognised.h"
#include "error.h"

#include <math.h>

static const char subject[] = "the attention's energies";

/* ---- the state that attends ----------------------------------------------------------------------- */

static bool contains(const struct bases *bases, int32_t expression) {
  for (int32_t i = 0; i < bases->count; i++)
    if (bases->list[i] == expression)
      return true;
  return false;
}

/* Collects what the energies depend on beside the annotations, through activations and products. */
static cuseq_status find_states(struct recogniser *recogniser, int32_t energies,
                                const struct recognised *model, int depth, int32_t *found, int32_t *count) {
  enum { MOST = 8 };
  struct bases stops = {.list = {model->annotations}, .count = 1};
  int32_t leaves[MOST], leaf_count;
  if (depth > CUSEQ_MAX_ATTENTION_LAYERS + 2)
    return node_refuse(expression_at(recogniser->expressions, energies)->node,
                       "the attention has too many layers");
  TRY(affine_leaves(recogniser->expressions, energies, &stops, leaves, MOST, &leaf_count));
  for (int32_t i = 0; i < leaf_count; i++) {
    const struct expression e = *expression_at(recogniser->expressions, leaves[i]);
    if (leaves[i] == model->annotations)
      continue;
    if (e.clocks && (e.op == EXPRESSION_ACTIVATION || e.op == EXPRESSION_DOT)) {
      for (int32_t k = 0; k < e.child_count; k++)
        TRY(find_states(recogniser, e.children[k], model, depth + 1, found, count));
      continue;
    }
    bool known = false;
    for (int32_t k = 0; k < *count; k++)
      known = known || found[k] == leaves[i];
    if (!known && *count >= MOST)
      return node_refuse(
          e.node, "it comes together with other states in the attention, of which cuseq can express %d",
          MOST);
    if (!known)
      found[(*count)++] = leaves[i];
  }
  return CUSEQ_STATUS_OK;
}

/* In an attention-only model: the encoder's final states themselves, or one vector made of them, or an input. */
static cuseq_status settle_state(struct recogniser *recogniser, int32_t energies, struct recognised *model,
                                 struct bases *state) {
  int32_t found[8], count = 0;
  TRY(find_states(recogniser, energies, model, 0, found, &count));
  bool finals = true;
  for (int32_t i = 0; i < count; i++)
    finals = finals && contains(&model->final_h, found[i]);
  if (finals) {
    *state = model->final_h;
    return CUSEQ_STATUS_OK;
  }
  const struct expression *e = expression_at(recogniser->expressions, found[0]);
  if (count != 1 || e->clocks)
    return node_refuse(e->node, "the attention depends on it beside the encoder's outputs and final states");
  *state = (struct bases){.list = {found[0]}, .count = 1};
  return CUSEQ_STATUS_OK;
}

/* ---- scores --------------------------------------------------------------------------------------- */

/* e = scale * (a M + m) . (s N + n): "dot" where both are the vectors themselves, else "general". A bias m of the
 * keys adds the same to the energies of all positions, which the softmax takes out again; a bias n of the query does
 * not. */
static cuseq_status recognise_product(struct recogniser *recogniser, const struct expression *product,
                                      double scale, const struct bases *state, struct recognised *model) {
  struct expressions *expressions = recogniser->expressions;
  bool key_first = expression_at(expressions, product->children[0])->clocks;
  int32_t key = product->children[key_first ? 0 : 1], query = product->children[key_first ? 1 : 0];
  if (!expression_at(expressions, key)->clocks || expression_at(expressions, query)->clocks)
    return node_refuse(product->node, "its inner product is not one of the encoder's outputs and a state");
  struct bases annotations = {.list = {model->annotations}, .count = 1};
  TRY(affine_make(expressions, key, &annotations, subject, &model->key));
  TRY(affine_make(expressions, query, state, subject, &model->query));
  for (int32_t r = 0; r < model->key.rows; r++) {
    double drift = 0;
    for (int32_t c = 0; c < model->key.columns; c++)
      drift += model->key.matrix[(size_t)r * (size_t)model->key.columns + (size_t)c] * model->query.bias[c];
    if (drift != 0)
      return node_refuse(expression_at(expressions, query)->node,
                         "its bias, multiplied with the encoder's outputs, is nothing that cuseq can express "
                         "(use_bias=False is)");
  }
  for (int32_t c = 0; c < model->key.columns; c++)
    model->key.bias[c] = model->query.bias[c] = 0;
  bool plain = affine_is_identity(&model->key) && affine_is_identity(&model->query);
  model->score = plain ? CUSEQ_SCORE_DOT : CUSEQ_SCORE_GENERAL;
  model->scale = scale;
  return CUSEQ_STATUS_OK;
}

/* One dense layer of the attention, the last one first. *next receives the expression below, or -1 at the bottom. */
static cuseq_status read_level(struct recogniser *recogniser, int32_t expression, const struct bases *bottom,
                               struct recognised *model, int32_t *next) {
  const struct expressions *expressions = recogniser->expressions;
  struct expression e = *expression_at(expressions, expression);
  cuseq_activation activation = CUSEQ_ACTIVATION_LINEAR;
  int32_t level = model->level_count;
  if (level >= CUSEQ_MAX_ATTENTION_LAYERS)
    return node_refuse(e.node, "the attention has more than %d layers", CUSEQ_MAX_ATTENTION_LAYERS);
  if (e.op == EXPRESSION_ACTIVATION && !contains(bottom, expression)) {
    activation = (cuseq_activation)e.part;
    expression = e.children[0];
  }
  int32_t leaves[AFFINE_MAX_BASES + 1], count, above = 0;
  TRY(affine_leaves(expressions, expression, bottom, leaves, AFFINE_MAX_BASES + 1, &count));
  for (int32_t i = 0; i < count; i++)
    above += !contains(bottom, leaves[i]);
  const struct expression *leaf = count > 0 ? expression_at(expressions, leaves[0]) : &e;
  bool deeper = count == 1 && above == 1 && leaf->op == EXPRESSION_ACTIVATION && leaf->clocks;
  struct bases below = *bottom;
  if (deeper)
    below = (struct bases){.list = {leaves[0]}, .count = 1};
  TRY(affine_make(expressions, expression, &below, subject, &model->levels[level]));
  model->activations[level] = activation;
  model->level_count++;
  *next = deeper ? leaves[0] : -1;
  return CUSEQ_STATUS_OK;
}

/* v . tanh(a K_a + s K_s + k): a score of its own name where the two parts are added up, not concatenated. */
static bool is_additive(const struct expressions *expressions, int32_t bottom,
                        const struct recognised *model) {
  return model->level_count == 2 && model->activations[0] == CUSEQ_ACTIVATION_TANH &&
         model->activations[1] == CUSEQ_ACTIVATION_LINEAR &&
         expression_at(expressions, bottom)->op == EXPRESSION_ADD;
}

static cuseq_status recognise_layers(struct recogniser *recogniser, int32_t energies,
                                     const struct bases *state, struct recognised *model) {
  struct bases bottom = {.list = {model->annotations}, .count = 1};
  for (int32_t i = 0; i < state->count; i++)
    bottom.list[bottom.count++] = state->list[i];
  int32_t next = energies, lowest = energies;
  while (next >= 0) {
    lowest = next;
    TRY(read_level(recogniser, lowest, &bottom, model, &next));
  }
  for (int32_t low = 0, high = model->level_count - 1; low < high; low++, high--) {
    struct affine level = model->levels[low];
    model->levels[low] = model->levels[high];
    model->levels[high] = level;
    cuseq_activation activation = model->activations[low];
    model->activations[low] = model->activations[high];
    model->activations[high] = activation;
  }
  const struct expression *e = expression_at(recogniser->expressions, lowest);
  int32_t sum = e->op == EXPRESSION_ACTIVATION ? e->children[0] : lowest;
  model->score = is_additive(recogniser->expressions, sum, model) ? CUSEQ_SCORE_ADDITIVE : CUSEQ_SCORE_CONCAT;
  return CUSEQ_STATUS_OK;
}

/* ---- masks ---------------------------------------------------------------------------------------- */

/* Keras' attention layers leave masked positions out, as cuseq does by lengths; an attention of Dense and softmax
 * layers attends to them. */
static cuseq_status check_mask(struct recogniser *recogniser, const struct expression *alphas,
                               const struct recognised *model) {
  const struct recurrent_layer *encoder = &recogniser->expressions->layers[model->encoders[0]];
  if (encoder->mask == NULL && !alphas->masked)
    return CUSEQ_STATUS_OK;
  if (encoder->mask == NULL)
    return node_refuse(alphas->node, "it has a mask that the encoder has not");
  if (!alphas->masked)
    return node_refuse(
        encoder->mask,
        "the encoder honours its mask and the attention '%.100s' attends to masked positions, which "
        "cuseq cannot express (Keras' attention layers leave them out)",
        alphas->node->name);
  return notes_add(recogniser->notes,
                   "layer '%.100s' masks padding: give lengths instead (padding must be at the end)",
                   encoder->mask->name);
}

cuseq_status recognise_attention(struct recogniser *recogniser, int32_t context, struct bases *state,
                                 struct recognised *model) {
  struct expressions *expressions = recogniser->expressions;
  struct expression c = *expression_at(expressions, context);
  struct expression alphas = *expression_at(expressions, c.children[0]);
  int32_t energies = alphas.children[0];
  TRY(recognise_encoder(recogniser, c.children[1], model));
  TRY(check_mask(recogniser, &alphas, model));
  if (state->count == 0)
    TRY(settle_state(recogniser, energies, model, state));
  for (int32_t i = 0; i < state->count; i++)
    model->state_units += expression_at(expressions, state->list[i])->width;
  double scale = 1;
  struct expression e = *expression_at(expressions, energies);
  while (e.op == EXPRESSION_SCALE) {
    scale *= e.scalar;
    e = *expression_at(expressions, e.children[0]);
  }
  if (!isfinite((float)scale))
    return node_refuse(
        e.node, "the numbers that its energies are multiplied by leave float32's range (found %g)", scale);
  model->scale = 1;
  if (e.op == EXPRESSION_DOT)
    return recognise_product(recogniser, &e, scale, state, model);
  return recognise_layers(recogniser, energies, state, model);
}
