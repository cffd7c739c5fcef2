/* The pieces that random structures are made of: what draws them writes their text and keeps the widths
 * that what follows must fit. */
#ifndef TESTS_SUPPORT_RANDOM_STRUCTURE_DRAW_H
#define TESTS_SUPPORT_RANDOM_STRUCTURE_DRAW_H

#include "support/random_structure.h"

#include <stdbool.h>

enum { MOST_LAYERS = 4, MOST_PARTS = 4 };

struct encoder_draw {
  bool has[2], lstm[2]; /* forward, backward */
  int32_t units[2];
};

/* What is drawn from while a part of the structure is drawn: a generator of the part's own, so that parts
 * change nothing in one another but the widths that must fit. */
struct draw_part {
  struct random named; /* what the parts within it are named of: nothing is drawn from it */
  struct random random;
};

/* What the configuration so far says. */
struct draw {
  struct draw_part part;
  int32_t largest, time, steps;
  char *json;
  size_t used;
  int32_t F, E; /* of the input; E 0: no embedding */
  int32_t encoder_count;
  struct encoder_draw encoder[MOST_LAYERS];
  int32_t A;
  bool attends, asks_token;
  int32_t asked_layer;
  int32_t C; /* of the context */
  bool feeds_back, feeds_probabilities, is_tied, shares_embedding;
  int32_t embedding; /* of the token; 0: one-hot */
  int32_t V;
  int32_t state; /* of the last decoder layer, or of what asks without one */
  int32_t attentional;
  bool context_is_read;
};

/* Begins a part, by its name and its number among its like within the part that is being drawn; returns the
 * latter, which draw_end() goes back to. */
struct draw_part draw_begin(struct draw *draw, const char *name, int32_t number);
void draw_end(struct draw *draw, struct draw_part outer);

void draw_append(struct draw *draw, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 0 to bound - 1. */
int32_t draw_below(struct draw *draw, int32_t bound);
/* True once in n. */
bool draw_one_in(struct draw *draw, int32_t n);
/* 1 to draw->largest. */
int32_t draw_size(struct draw *draw);
/* One of a list that ends with NULL. */
const char *draw_pick(struct draw *draw, const char *const *words);

/* Activations of dense layers, and of the last one of a head. */
extern const char *const draw_dense_activations[];
extern const char *const draw_last_activations[];

/* units, activation and bias of a dense layer, without its braces. */
void draw_dense(struct draw *draw, int32_t units, const char *const *activations);
/* Now and then the normalisation of a dense layer of so many units, a part of its own. */
void draw_norm(struct draw *draw, int32_t units);
/* ,"key":{...}, a dense layer. */
void draw_map(struct draw *draw, const char *key, int32_t units);
/* Score, and maps of keys and queries, of an attention over vectors of `width` that one of `query` asks;
 * returns the keys' width where it is "dot", else 0. */
int32_t draw_score(struct draw *draw, int32_t width, int32_t query);
/* Now and then the heads that cut keys and values of such widths, a part of its own. */
void draw_cut(struct draw *draw, int32_t key, int32_t value);
/* Now and then the weights of a layer's positions, a part of its own. */
void draw_weighting(struct draw *draw);
/* Now and then the self-attention of a layer whose merged output is `width` wide, a part of its own; it gives
 * the same width where no dense layer is behind it. */
void draw_self_attention(struct draw *draw, int32_t width, bool has_dense);
/* "key":{...}, a cell; returns whether it is an lstm. */
bool draw_cell(struct draw *draw, const char *key, int32_t units);
/* "key":[...], 1 to `count` of the parts in `allowed`, in any order; `wanted` is among them where it is
 * not NULL. */
void draw_parts(struct draw *draw, const char *key, const char *const *allowed, int32_t count,
                const char *wanted);

/* The configuration's beginning: "input" and "encoder". */
void draw_encoder(struct draw *draw);

/* A width that some encoder layer's final state has, or any. */
int32_t draw_state_size(struct draw *draw);
/* The keys of a state [units] from the encoder: directly where some layer's is as wide, else through a
 * dense layer. */
void draw_from_encoder(struct draw *draw, bool is_c, int32_t units);
/* Width of what an encoder layer gives a state; 0 where it does not. */
int32_t draw_final_width(const struct encoder_draw *layer, const char *directions, bool c);

#endif
