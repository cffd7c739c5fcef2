/* The energies of an attention: inner products of what is attended to and what asks, or layers over both. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char subject[] = "the attention's energies";

struct asking {
  struct recogniser *recogniser;
  struct found_attention *attention;
  int32_t annotations; /* what is attended to */
  bool itself;         /* it is also what asks */
};

static bool is_timed(const struct asking *asking, int32_t expression) {
  return expression_at(asking->recogniser->expressions, expression)->clocks != 0;
}

/* ---- maps in front of the energies ---------------------------------------------------------------- */

/* A leaf that is an activation over a map of `of` alone: the attention's key, value or query map. */
static cuseq_status read_map(const struct asking *asking, int32_t leaf, const struct bases *of, bool *has,
                             struct level *map) {
  struct chain chain;
  const struct expression *e = expression_at(asking->recogniser->expressions, leaf);
  if (*has || e->op != EXPRESSION_ACTIVATION)
    return node_refuse(e->node, "cuseq cannot express what it does to %s", subject);
  TRY(chain_read(asking->recogniser, leaf, of, subject, 1, false, false, &chain));
  *map = chain.levels[0];
  *has = true;
  return CUSEQ_STATUS_OK;
}

/* Settles what is multiplied or goes into the layers on one side: the bases themselves, or one activation
 * over them. */
static cuseq_status settle_side(const struct asking *asking, const struct bases *leaves, bool timed,
                                const struct bases *bases, bool *has_map, struct level *map,
                                struct bases *read) {
  *read = *bases;
  for (int32_t i = 0; i < leaves->count; i++) {
    if (is_timed(asking, leaves->list[i]) != timed || bases_have(read, leaves->list[i]))
      continue;
    TRY(read_map(asking, leaves->list[i], bases, has_map, map));
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

/* An affine map as that of a side which has none so far. */
static void move_map(struct affine *affine, bool *has, struct level *map) {
  if (affine_is_identity(affine))
    return;
  *map = (struct level){.map = *affine, .activation = CUSEQ_ACTIVATION_LINEAR};
  *affine = (struct affine){0};
  *has = true;
}

/* Of a sequence that asks itself, and of several heads: "dot" behind a map of each side, whose widths are the
 * heads'. false: a side has two maps. */
static bool keep_maps(struct found_attention *attention) {
  memset(attention->key.bias, 0, (size_t)attention->key.columns * sizeof *attention->key.bias);
  if ((attention->has_key_map && !affine_is_identity(&attention->key)) ||
      (attention->has_query_map && !affine_is_identity(&attention->query_of)))
    return false;
  move_map(&attention->key, &attention->has_key_map, &attention->key_map);
  move_map(&attention->query_of, &attention->has_query_map, &attention->query_map);
  attention->score = CUSEQ_SCORE_DOT;
  return true;
}

/* e = scale * (a M + m) . (s N + n): "dot" where both are the vectors themselves, or go through maps of
 * their own; else "general". A bias m of the keys adds the same to the energies of all positions, which
 * the softmax takes out again; a bias n of the query does not, and so keeps the two maps apart. */
static cuseq_status read_product(const struct asking *asking, const struct expression *product,
                                 double scale) {
  const struct expressions *expressions = asking->recogniser->expressions;
  struct found_attention *attention = asking->attention;
  struct bases none = {.count = 0}, leaves, read;
  struct bases annotations = {.list = {asking->annotations}, .count = 1};
  bool key_first = is_timed(asking, product->children[0]);
  int32_t key = product->children[key_first ? 0 : 1], query = product->children[key_first ? 1 : 0];
  if (!is_timed(asking, key) || is_timed(asking, query))
    return node_refuse(product->node, "its inner product is not one of the encoder's outputs and a state");
  TRY(affine_leaves(expressions, key, &annotations, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  TRY(settle_side(asking, &leaves, true, &annotations, &attention->has_key_map, &attention->key_map, &read));
  TRY(affine_make(expressions, key, &read, subject, &attention->key));
  TRY(affine_leaves(expressions, query, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  TRY(settle_side(asking, &leaves, false, &attention->query, &attention->has_query_map, &attention->query_map,
                  &read));
  TRY(affine_make(expressions, query, &read, subject, &attention->query_of));
  attention->scale = scale;
  const double largest = affine_largest(&attention->key) * affine_largest(&attention->query_of) *
                         (double)attention->key.columns * fmax(fabs(scale), 1);
  if (!(largest <= AFFINE_MOST))
    return node_refuse(
        product->node,
        "its inner product multiplies by %.2g, near the end of float32's range (needed at most %g)", largest,
        AFFINE_MOST);
  if ((asking->itself || attention->heads > 1) && keep_maps(attention))
    return CUSEQ_STATUS_OK;
  if (attention->heads > 1)
    return node_refuse(product->node, "two layers between what its heads read and their inner products are "
                                      "more than cuseq can express");
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
static bool is_additive(const struct asking *asking, int32_t bottom) {
  const struct found_attention *attention = asking->attention;
  const struct expression *e = expression_at(asking->recogniser->expressions, bottom);
  if (e->op == EXPRESSION_ACTIVATION)
    e = expression_at(asking->recogniser->expressions, e->children[0]);
  return attention->layers.count == 2 && attention->layers.levels[0].activation == CUSEQ_ACTIVATION_TANH &&
         attention->layers.levels[1].activation == CUSEQ_ACTIVATION_LINEAR && e->op == EXPRESSION_ADD;
}

/* The last level: over the annotations and what asks, each directly or through one layer of its own. */
static cuseq_status read_bottom(const struct asking *asking, int32_t expression, const struct bases *leaves,
                                struct affine *map) {
  struct found_attention *attention = asking->attention;
  struct bases annotations = {.list = {asking->annotations}, .count = 1}, keys, queries;
  TRY(settle_side(asking, leaves, true, &annotations, &attention->has_key_map, &attention->key_map, &keys));
  TRY(settle_side(asking, leaves, false, &attention->query, &attention->has_query_map, &attention->query_map,
                  &queries));
  for (int32_t i = 0; i < queries.count; i++)
    if (!bases_add(&keys, queries.list[i]))
      return node_refuse(expression_at(asking->recogniser->expressions, expression)->node,
                         "the attention depends on too many tensors");
  return affine_make(asking->recogniser->expressions, expression, &keys, subject, map);
}

/* Whether a leaf is a further level: an activation over what both sides are in; with nobody that asks,
 * over anything but the annotations themselves. */
static bool is_level(const struct asking *asking, const struct bases *leaves) {
  const struct expression *e = expression_at(asking->recogniser->expressions, leaves->list[0]);
  return leaves->count == 1 && e->op == EXPRESSION_ACTIVATION && e->clocks != 0 && !e->atom &&
         leaves->list[0] != asking->annotations;
}

/* Layers of the energies, the last one first. */
static cuseq_status read_layers(const struct asking *asking, int32_t energies) {
  const struct expressions *expressions = asking->recogniser->expressions;
  struct found_attention *attention = asking->attention;
  struct bases stops = attention->query, leaves;
  bases_add(&stops, asking->annotations);
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
    if (is_level(asking, &leaves)) {
      TRY(affine_make(expressions, expression, &leaves, subject, &level->map));
      expression = leaves.list[0];
    } else {
      TRY(read_bottom(asking, expression, &leaves, &level->map));
      expression = -1;
    }
    attention->layers.count++;
  }
  chain_reverse(&attention->layers);
  attention->score = is_additive(asking, lowest) ? CUSEQ_SCORE_ADDITIVE : CUSEQ_SCORE_CONCAT;
  return CUSEQ_STATUS_OK;
}

cuseq_status energies_read(struct recogniser *recogniser, struct found_attention *attention,
                           int32_t annotations, bool itself, int32_t energies) {
  const struct asking asking = {recogniser, attention, annotations, itself};
  double scale = 1;
  struct expression e = *expression_at(recogniser->expressions, energies);
  /* What is added to all of them the softmax takes out again. */
  while (e.op == EXPRESSION_SCALE || e.op == EXPRESSION_AFFINE) {
    if (e.width > 1 && e.op == EXPRESSION_AFFINE)
      return node_refuse(e.node, "it adds to its heads' energies, or multiplies them, each in its own way");
    const struct matrix *factors =
        e.op == EXPRESSION_AFFINE && e.matrix >= 0 ? &recogniser->expressions->matrices[e.matrix] : NULL;
    scale *= e.op == EXPRESSION_SCALE ? e.scalar : factors != NULL ? (double)factors->data[0] : 1;
    if (!(fabs(scale) <= AFFINE_MOST))
      return node_refuse(e.node, "its energies are multiplied by %g (needed at most %g)", scale, AFFINE_MOST);
    e = *expression_at(recogniser->expressions, e.children[0]);
  }
  attention->scale = 1;
  if (e.op == EXPRESSION_DOT)
    return read_product(&asking, &e, scale);
  if (attention->heads > 1)
    return node_refuse(e.node, "its heads' energies are no inner products, which cuseq cannot express");
  return read_layers(&asking, energies);
}
