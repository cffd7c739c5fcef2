/* Input, encoder and the pieces of random structures. */
#include "support/random_structure_draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void draw_append(struct draw *draw, const char *format, ...) {
  va_list list;
  va_start(list, format);
  draw->used += (size_t)vsnprintf(draw->json + draw->used, RANDOM_STRUCTURE_JSON - draw->used, format, list);
  va_end(list);
  if (draw->used >= RANDOM_STRUCTURE_JSON)
    abort();
}

struct draw_part draw_begin(struct draw *draw, const char *name, int32_t number) {
  const struct draw_part outer = draw->part;
  char text[64];
  snprintf(text, sizeof text, "%s %d", name, (int)number);
  draw->part.named = random_named(&outer.named, text);
  draw->part.random = random_named(&draw->part.named, "itself");
  return outer;
}

void draw_end(struct draw *draw, struct draw_part outer) {
  draw->part = outer;
}

int32_t draw_below(struct draw *draw, int32_t bound) {
  return random_below(&draw->part.random, bound);
}

bool draw_one_in(struct draw *draw, int32_t n) {
  return draw_below(draw, n) == 0;
}

int32_t draw_size(struct draw *draw) {
  return 1 + draw_below(draw, draw->largest);
}

const char *draw_pick(struct draw *draw, const char *const *words) {
  int32_t count = 0;
  while (words[count])
    count++;
  return words[draw_below(draw, count)];
}

/* What grows without bound is left to single layers: exponential of an exponential is beyond every
 * tolerance. */
static const char *const cell_activations[] = {"tanh", "sigmoid",   "hard_tanh", "softsign", "relu",
                                               "elu",  "gelu_tanh", "linear",    NULL};
/* Gates mostly lie between 0 and 1: others let states grow. */
static const char *const recurrent_activations[] = {"hard_sigmoid", "hard_sigmoid_keras2",
                                                    "hard_sigmoid", "hard_sigmoid_keras2",
                                                    "sigmoid",      "hard_sigmoid",
                                                    "tanh",         "softsign",
                                                    "hard_tanh",    NULL};
const char *const draw_dense_activations[] = {
    "linear", "tanh",      "relu",  "sigmoid",  "hard_sigmoid", "hard_sigmoid_keras2", "elu",
    "selu",   "gelu",      "swish", "softplus", "softsign",     "leaky_relu",          "leaky_relu_0.2",
    "tanh",   "gelu_tanh", "tanh",  "tanh",     "hard_tanh",    "leaky_relu_0.3",      NULL};
const char *const draw_last_activations[] = {"softmax",  "softmax",     "log_softmax", "sigmoid", "linear",
                                             "softplus", "exponential", "tanh",        NULL};

/* ---- pieces ---- */

void draw_dense(struct draw *draw, int32_t units, const char *const *activations) {
  draw_append(draw, "\"units\":%d", (int)units);
  if (!draw_one_in(draw, 4))
    draw_append(draw, ",\"activation\":\"%s\"", draw_pick(draw, activations));
  if (draw_one_in(draw, 3))
    draw_append(draw, ",\"bias\":%s", draw_one_in(draw, 4) ? "true" : "false");
}

static void append_norm(struct draw *draw, int32_t units, int32_t fewest) {
  static const char *const epsilons[] = {"0.001", "0.01", "0.1", NULL};
  const int32_t first = draw_one_in(draw, 2) ? draw_below(draw, units - fewest + 1) : 0;
  draw_append(draw, ",\"norm\":{\"epsilon\":%s", draw_pick(draw, epsilons));
  if (first > 0)
    draw_append(draw, ",\"first\":%d", (int)first);
  if (draw_one_in(draw, 2))
    draw_append(draw, ",\"units\":%d", (int)(fewest + draw_below(draw, units - first - fewest + 1)));
  draw_append(draw, "}");
}

void draw_norm(struct draw *draw, int32_t units) {
  const int32_t fewest = 6; /* what fewer err varies so much that no error of theirs is usual */
  const struct draw_part outer = draw_begin(draw, "norm", 0);
  if (units >= fewest && draw_one_in(draw, 3))
    append_norm(draw, units, fewest);
  draw_end(draw, outer);
}

bool draw_cell(struct draw *draw, const char *key, int32_t units) {
  bool lstm = draw_one_in(draw, 2), before = !lstm && draw_one_in(draw, 3), bias = !draw_one_in(draw, 4);
  draw_append(draw, "\"%s\":{\"kind\":\"%s\",\"units\":%d", key, lstm ? "lstm" : "gru", (int)units);
  if (draw_one_in(draw, 3))
    draw_append(draw, ",\"activation\":\"%s\"", draw_pick(draw, cell_activations));
  if (draw_one_in(draw, 3))
    draw_append(draw, ",\"recurrent_activation\":\"%s\"", draw_pick(draw, recurrent_activations));
  if (!bias)
    draw_append(draw, ",\"bias\":false");
  if (before)
    draw_append(draw, ",\"reset\":\"before\"");
  if (!lstm && !before && draw_one_in(draw, 3))
    draw_append(draw, ",\"recurrent_bias\":%s", draw_one_in(draw, 2) ? "true" : "false");
  draw_append(draw, "}");
  return lstm;
}

void draw_parts(struct draw *draw, const char *key, const char *const *allowed, int32_t count,
                const char *wanted) {
  const char *list[MOST_PARTS];
  memcpy(list, allowed, (size_t)count * sizeof *list);
  for (int32_t i = count - 1; i > 0; i--) {
    int32_t j = draw_below(draw, i + 1);
    const char *kept = list[i];
    list[i] = list[j];
    list[j] = kept;
  }
  int32_t taken = 1 + draw_below(draw, count), found = 0;
  for (int32_t i = 0; wanted && strcmp(list[found], wanted) != 0; i++)
    found++;
  taken = wanted && found >= taken ? found + 1 : taken;
  draw_append(draw, "\"%s\":[", key);
  for (int32_t i = 0; i < taken; i++) {
    draw_append(draw, "%s\"%s\"", i ? "," : "", list[i]);
    draw->context_is_read = draw->context_is_read || strcmp(list[i], "context") == 0;
  }
  draw_append(draw, "]");
}

/* ---- input and encoder ---- */

static bool append_input(struct draw *draw) {
  draw->F = draw_size(draw);
  draw_append(draw, "{\"version\":2,\"input\":{\"features\":%d", (int)draw->F);
  draw->E = draw_one_in(draw, 3) ? draw_size(draw) : 0;
  bool affine = draw->E == 0 && draw_one_in(draw, 4);
  if (draw->E > 0)
    draw_append(draw, ",\"embedding\":%d", (int)draw->E);
  if (affine)
    draw_append(draw, ",\"affine\":true");
  draw_append(draw, "},");
  return affine;
}

/* One layer that reads `inputs`; returns the width of what it gives. */
static int32_t append_layer(struct draw *draw, struct encoder_draw *layer, int32_t inputs, bool may_add) {
  static const char *const directions[] = {"forward", "backward", "bidirectional", "bidirectional", NULL};
  static const char *const merges[] = {"concat", "sum", "mul", "ave", NULL};
  const char *direction = draw_pick(draw, directions), *merge = "concat";
  bool both = strcmp(direction, "bidirectional") == 0, apart = both && draw_one_in(draw, 3);
  if (both && draw_one_in(draw, 2))
    merge = draw_pick(draw, merges);
  bool beside = both && strcmp(merge, "concat") == 0;
  bool residual = may_add && draw_one_in(draw, 3) && (!beside || inputs % 2 == 0);
  int32_t forward = residual ? inputs / (beside ? 2 : 1) : draw_size(draw);
  int32_t backward = apart && beside && !residual ? draw_size(draw) : forward;
  draw_append(draw, "{");
  bool lstm = draw_cell(draw, "cell", forward), backward_lstm = lstm;
  if (apart) {
    draw_append(draw, ",");
    backward_lstm = draw_cell(draw, "backward_cell", backward);
  }
  *layer = (struct encoder_draw){{strcmp(direction, "backward") != 0, strcmp(direction, "forward") != 0},
                                 {lstm, backward_lstm},
                                 {forward, backward}};
  if (strcmp(direction, "forward") != 0 || draw_one_in(draw, 2))
    draw_append(draw, ",\"direction\":\"%s\"", direction);
  if (both && (!beside || draw_one_in(draw, 2)))
    draw_append(draw, ",\"merge\":\"%s\"", merge);
  if (residual)
    draw_append(draw, ",\"residual\":true");
  const int32_t merged = beside ? forward + backward : forward;
  const bool dense = draw_one_in(draw, 4);
  const int32_t width = dense ? draw_size(draw) : merged;
  if (dense) {
    draw_append(draw, ",\"dense\":{");
    draw_dense(draw, width, draw_dense_activations);
    draw_norm(draw, width);
    draw_append(draw, "}");
  }
  draw_weighting(draw);
  draw_self_attention(draw, merged, dense);
  draw_append(draw, "}");
  return width;
}

void draw_encoder(struct draw *draw) {
  bool affine = append_input(draw);
  draw->encoder_count = 1 + draw_below(draw, 3);
  draw->A = draw->E > 0 ? draw->E : draw->F;
  draw_append(draw, "\"encoder\":{\"layers\":[");
  for (int32_t l = 0; l < draw->encoder_count; l++) {
    const struct draw_part outer = draw_begin(draw, "encoder layer", l);
    draw_append(draw, "%s", l ? "," : "");
    draw->A = append_layer(draw, &draw->encoder[l], draw->A, l > 0 || !affine);
    draw_end(draw, outer);
  }
  draw_append(draw, "]}");
}

/* ---- initial states ---- */

/* Width of what an encoder layer gives a state; 0 where it does not. */
int32_t draw_final_width(const struct encoder_draw *layer, const char *directions, bool c) {
  bool both = layer->has[0] && layer->has[1], sum = strcmp(directions, "sum") == 0;
  bool one = strcmp(directions, "forward") == 0 || strcmp(directions, "backward") == 0;
  if ((one || sum) && !both)
    return 0;
  int32_t width = 0;
  for (int d = 0; d < 2; d++) {
    bool taken = layer->has[d] && !(one && d != (strcmp(directions, "backward") == 0));
    if (taken && c && !layer->lstm[d])
      return 0;
    width = !taken ? width : sum ? layer->units[d] : width + layer->units[d];
  }
  return sum && layer->units[0] != layer->units[1] ? 0 : width;
}

static const char *const directions[] = {"concat", "sum", "forward", "backward", NULL};

/* The keys of a state [units] from the encoder: directly where some layer's is as wide, else through a
 * dense layer. */
void draw_from_encoder(struct draw *draw, bool is_c, int32_t units) {
  int32_t layer = 0, width = 0;
  const char *mode = "concat";
  bool c = false;
  for (int32_t attempt = 0; attempt < 40 && (width == 0 || (width != units && attempt < 30)); attempt++) {
    layer = draw_below(draw, draw->encoder_count);
    mode = draw_pick(draw, directions);
    c = is_c ? !draw_one_in(draw, 4) : draw_one_in(draw, 4);
    width = draw_final_width(&draw->encoder[layer], mode, c);
  }
  if (width == 0) { /* what every layer has */
    mode = "concat";
    c = false;
    width = draw_final_width(&draw->encoder[layer], mode, c);
  }
  draw_append(draw, "\"layer\":%d", (int)layer);
  if (c != is_c || draw_one_in(draw, 2))
    draw_append(draw, ",\"state\":\"%s\"", c ? "c" : "h");
  if (strcmp(mode, "concat") != 0)
    draw_append(draw, ",\"directions\":\"%s\"", mode);
  if (width != units || draw_one_in(draw, 4)) {
    draw_append(draw, ",\"dense\":{");
    draw_dense(draw, units, draw_dense_activations);
    draw_append(draw, "}");
  }
}

/* A width that some encoder layer's final state has, or any. */
int32_t draw_state_size(struct draw *draw) {
  int32_t layer = draw_below(draw, draw->encoder_count);
  int32_t width =
      draw_one_in(draw, 2) ? draw_final_width(&draw->encoder[layer], draw_pick(draw, directions), false) : 0;
  return width > 0 ? width : draw_size(draw);
}
