/* Attentions of random structures: a decoder's, and those of an encoder's layers; and weights of positions.
 * */
#include "support/random_structure_draw.h"

#include <string.h>

void draw_map(struct draw *draw, const char *key, int32_t units) {
  draw_append(draw, ",\"%s\":{", key);
  draw_dense(draw, units, draw_dense_activations);
  draw_append(draw, "}");
}

int32_t draw_score(struct draw *draw, int32_t width, int32_t query) {
  static const char *const scores[] = {"dot", "general", "additive", "concat", NULL};
  const char *score = draw_pick(draw, scores);
  draw_append(draw, "\"score\":\"%s\"", score);
  int32_t key = width;
  if (draw_one_in(draw, 3)) {
    key = draw_size(draw);
    draw_map(draw, "key", key);
  }
  if (strcmp(score, "dot") == 0 ? key != query : draw_one_in(draw, 3))
    draw_map(draw, "query", strcmp(score, "dot") == 0 ? key : draw_size(draw));
  if (strcmp(score, "additive") == 0)
    draw_append(draw, ",\"units\":%d%s", (int)draw_size(draw), draw_one_in(draw, 2) ? ",\"bias\":true" : "");
  if (strcmp(score, "concat") == 0) {
    int32_t layers = 1 + draw_below(draw, 3);
    draw_append(draw, ",\"layers\":[");
    for (int32_t l = 0; l < layers; l++) {
      draw_append(draw, "%s{", l ? "," : "");
      draw_dense(draw, l == layers - 1 ? 1 : draw_size(draw), draw_dense_activations);
      draw_append(draw, "}");
    }
    draw_append(draw, "]");
  }
  return strcmp(score, "dot") == 0 ? key : 0;
}

void draw_cut(struct draw *draw, int32_t key, int32_t value) {
  const struct draw_part outer = draw_begin(draw, "heads", 0);
  int32_t heads = 1 + draw_below(draw, 5);
  while (heads > 1 && (key % heads != 0 || value % heads != 0))
    heads--;
  if (key > 0 && heads > 1)
    draw_append(draw, ",\"heads\":%d", (int)heads);
  draw_end(draw, outer);
}

/* Maps of one width for keys and queries, and one for values of `given` units, where the vectors cannot be
 * cut into `heads` or are of another width, and now and then elsewhere. */
static void draw_heads(struct draw *draw, int32_t width, int32_t given, int32_t heads) {
  const int32_t most = draw->largest > heads ? draw->largest / heads : 1;
  draw_append(draw, "\"score\":\"dot\",\"heads\":%d", (int)heads);
  if (width % heads != 0 || draw_one_in(draw, 2)) {
    const int32_t units = heads * (1 + draw_below(draw, most));
    draw_map(draw, "key", units);
    draw_map(draw, "query", units);
  }
  if (given != width || draw_one_in(draw, 2))
    draw_map(draw, "value", given);
}

void draw_weighting(struct draw *draw) {
  const struct draw_part outer = draw_begin(draw, "weighting", 0);
  if (draw_one_in(draw, 6))
    draw_append(draw, ",\"weighting\":{\"positions\":%d%s}", (int)draw->time,
                draw_one_in(draw, 3) ? ",\"bias\":false" : "");
  draw_end(draw, outer);
}

static void append_self_attention(struct draw *draw, int32_t width, bool has_dense) {
  draw_append(draw, ",\"self_attention\":{");
  const int32_t heads = 1 + draw_below(draw, 4), given = has_dense ? draw_size(draw) : width;
  const int32_t cut = (given + heads - 1) / heads * heads;
  if (heads > 1 && (has_dense || width % heads == 0)) {
    draw_heads(draw, width, cut, heads);
  } else {
    draw_score(draw, width, width);
    if (given != width || draw_one_in(draw, 2))
      draw_map(draw, "value", given);
  }
  if (draw_one_in(draw, 2))
    draw_append(draw, ",\"scale\":%.3f", (double)random_between(&draw->part.random, -2.0f, 2.0f));
  draw_append(draw, "%s}", has_dense && draw_one_in(draw, 2) ? ",\"beside\":true" : "");
}

void draw_self_attention(struct draw *draw, int32_t width, bool has_dense) {
  const bool one_id =
      draw->F == 1 && draw->E > 0; /* all positions read the same: nothing is to be told apart */
  const struct draw_part outer = draw_begin(draw, "self-attention", 0);
  if (!one_id && draw_one_in(draw, has_dense ? 2 : 4))
    append_self_attention(draw, width, has_dense);
  draw_end(draw, outer);
}
