/* Attention, decoder and heads of random structures. What is drawn must fit together, so widths are kept
 * while the text is written. */
#include "support/random_structure_draw.h"

#include <stdio.h>
#include <string.h>

/* ---- attention ---- */

/* `asked`: the width of each decoder layer, [layers]; 0 layers: the state asks. */
static void append_attention(struct draw *draw, const int32_t *asked, int32_t layers, int32_t token) {
  static const char *const whens[] = {"previous", "current", NULL};
  const struct draw_part outer = draw_begin(draw, "attention", 0);
  int32_t query = draw->state;
  draw_append(draw, ",\"attention\":{");
  draw->asks_token = token > 0 && draw_one_in(draw, 4);
  if (draw->asks_token) {
    query = token;
    draw_append(draw, "\"asks\":\"token\",");
  } else if (layers > 0) {
    if (!draw_one_in(draw, 3))
      draw_append(draw, "\"asks\":\"%s\",", draw_pick(draw, whens));
    int32_t layer = layers - 1;
    if (draw_one_in(draw, 2)) {
      layer = draw_below(draw, layers);
      draw_append(draw, "\"layer\":%d,", (int)layer);
    }
    query = asked[layer];
  }
  draw_cut(draw, draw_score(draw, draw->A, query), draw->C);
  if (draw_one_in(draw, 3))
    draw_append(draw, ",\"scale\":%.3f", (double)random_between(&draw->part.random, -2.0f, 2.0f));
  if (draw->C != draw->A)
    draw_map(draw, "value", draw->C);
  if (draw_one_in(draw, 4))
    draw_append(draw, ",\"positions\":%d", (int)(draw->time + draw_below(draw, 3)));
  draw_append(draw, "}");
  draw_end(draw, outer);
}

/* ---- decoder ---- */

static void append_initial(struct draw *draw, const char *key, bool is_c, bool may_be_other, int32_t units) {
  draw_append(draw, ",\"%s\":{", key);
  if (draw_one_in(draw, 4))
    draw_append(draw, "\"from\":\"zeros\"");
  else if (may_be_other && draw_one_in(draw, 3))
    draw_append(draw, "\"from\":\"other\"");
  else
    draw_from_encoder(draw, is_c, units);
  draw_append(draw, "}");
}

static void append_decoder_layers(struct draw *draw, const int32_t *units, int32_t count) {
  draw_append(draw, ",\"layers\":[");
  for (int32_t l = 0; l < count; l++) {
    const struct draw_part outer = draw_begin(draw, "decoder layer", l);
    draw_append(draw, "%s{", l ? "," : "");
    bool lstm = draw_cell(draw, "cell", units[l]);
    if (l > 0 && units[l] == units[l - 1] && draw_one_in(draw, 2))
      draw_append(draw, ",\"residual\":true");
    if (l > 0 && draw->attends && draw_one_in(draw, 3)) {
      draw_append(draw, ",\"reads_context\":true");
      draw->context_is_read = true;
    }
    bool other = lstm && draw_one_in(draw, 3);
    append_initial(draw, "initial_h", false, other, units[l]);
    bool h_is_other = strstr(draw->json + draw->used - 8, "other") != NULL;
    if (lstm)
      append_initial(draw, "initial_c", true, !h_is_other, units[l]);
    draw_append(draw, "}");
    draw_end(draw, outer);
  }
  draw_append(draw, "]");
}

/* What parts of a step there are. */
static int32_t parts_there(const struct draw *draw, bool state, bool attentional, const char **list) {
  int32_t count = 0;
  if (draw->feeds_back)
    list[count++] = "token";
  if (draw->attends)
    list[count++] = "context";
  if (state)
    list[count++] = "state";
  if (attentional && draw->attentional > 0)
    list[count++] = "attentional";
  return count;
}

/* The head over a decoder's steps. What must be read and is not yet is read here. */
static void append_step_head(struct draw *draw, bool attentional_is_read) {
  const char *parts[MOST_PARTS];
  int32_t count = parts_there(draw, true, true, parts), layers = 1 + draw_below(draw, 4);
  bool direct = draw->is_tied && draw->state == draw->embedding;
  const char *wanted = draw->attentional > 0 && !attentional_is_read ? "attentional" : NULL;
  if (!wanted && draw->attends && !draw->context_is_read)
    wanted = "context";
  draw_append(draw, ",\"output\":{");
  direct = direct && !wanted && layers == 1;
  if (wanted || (!direct && draw_one_in(draw, 2))) {
    draw_parts(draw, "parts", parts, count, wanted);
    draw_append(draw, ",");
  }
  layers = draw->is_tied && layers == 1 && !direct ? 2 : layers;
  draw_append(draw, "\"layers\":[");
  for (int32_t l = 0; l < layers; l++) {
    const struct draw_part outer = draw_begin(draw, "layer of the output", l);
    bool last = l == layers - 1, before_tied = draw->is_tied && l == layers - 2;
    draw_append(draw, "%s{", l ? "," : "");
    const int32_t units = last ? draw->V : before_tied ? draw->embedding : draw_size(draw);
    if (last && draw->feeds_probabilities)
      draw_append(draw, "\"units\":%d,\"activation\":\"softmax\"", (int)units);
    else
      draw_dense(draw, units, last ? draw_last_activations : draw_dense_activations);
    if (!last)
      draw_norm(draw, units);
    draw_append(draw, "}");
    draw_end(draw, outer);
  }
  draw_append(draw, "]%s}", draw->is_tied ? ",\"tied\":true" : "");
}

static void append_tokens(struct draw *draw) {
  static const char *const feedbacks[] = {"output", "output", "given", NULL};
  const char *feedback = draw->feeds_back ? draw_pick(draw, feedbacks) : "none";
  const bool outputs = strcmp(feedback, "output") == 0;
  draw->feeds_probabilities = outputs && draw->embedding == 0 && draw_one_in(draw, 2);
  draw_append(draw, ",\"feedback\":\"%s\"", draw->feeds_probabilities ? "probabilities" : feedback);
  if (draw->feeds_back && ((outputs && !draw->feeds_probabilities) || draw_one_in(draw, 2)))
    draw_append(draw, ",\"start_token\":%d", (int)draw_below(draw, draw->V));
  if (draw_one_in(draw, 2))
    draw_append(draw, ",\"end_token\":%d", (int)draw_below(draw, draw->V < 4 ? draw->V : 4));
  if (draw->shares_embedding)
    draw_append(draw, ",\"embedding\":\"encoder\"");
  else if (draw->embedding > 0)
    draw_append(draw, ",\"embedding\":%d", (int)draw->embedding);
}

static void choose_tokens(struct draw *draw) {
  draw->feeds_back = !draw_one_in(draw, 4);
  draw->shares_embedding = draw->feeds_back && draw->E > 0 && draw_one_in(draw, 3);
  draw->V = draw->shares_embedding ? draw->F : 1 + draw_size(draw);
  draw->embedding = draw->shares_embedding                     ? draw->E
                    : draw->feeds_back && draw_one_in(draw, 2) ? draw_size(draw)
                                                               : 0;
  draw->is_tied = draw->embedding > 0 && draw_one_in(draw, 3);
}

static void append_decoder(struct draw *draw) {
  const char *parts[MOST_PARTS];
  int32_t units[MOST_LAYERS], count = 1 + draw_below(draw, MOST_LAYERS);
  choose_tokens(draw);
  for (int32_t l = 0; l < count; l++)
    units[l] = l > 0 && draw_one_in(draw, 2) ? units[l - 1] : draw_state_size(draw);
  draw->state = units[count - 1];
  draw->attends = !draw_one_in(draw, 5);
  draw->attentional = draw_one_in(draw, 3) || (!draw->attends && !draw->feeds_back) ? draw_size(draw) : 0;
  int32_t token = !draw->feeds_back ? 0 : draw->embedding > 0 ? draw->embedding : draw->V;
  if (draw->attends)
    append_attention(draw, units, count, token);
  draw_append(draw, ",\"decoder\":{\"steps\":%d", (int)draw->steps);
  append_tokens(draw);
  append_decoder_layers(draw, units, count);
  if (draw->attentional > 0) {
    draw_append(draw, ",\"attentional\":{");
    draw_parts(draw, "parts", parts, parts_there(draw, true, false, parts), NULL);
    draw_append(draw, ",");
    draw_dense(draw, draw->attentional, draw_dense_activations);
    draw_append(draw, "}");
  }
  draw_append(draw, ",");
  size_t before = draw->used;
  /* the head reads one thing that nothing else reads, not two */
  bool needed = draw->attends && draw->attentional > 0 && !draw->context_is_read;
  draw_parts(draw, "reads", parts, parts_there(draw, false, true, parts), needed ? "context" : NULL);
  bool attentional_is_read = strstr(draw->json + before, "attentional") != NULL;
  draw_append(draw, "}");
  append_step_head(draw, attentional_is_read);
}

/* ---- models without a decoder ---- */

/* Several vectors side by side, `first` among them. */
static void append_several(struct draw *draw, const char *first) {
  static const char *const sources[] = {"final", "mean", "maximum", "last", NULL};
  int32_t count = 2 + draw_below(draw, 3);
  draw_append(draw, "\"over\":[\"%s\"", first);
  for (int32_t i = 1; i < count; i++) {
    if (draw_one_in(draw, 3))
      draw_append(draw, ",{\"over\":\"final\",\"layer\":%d}", (int)draw_below(draw, draw->encoder_count));
    else
      draw_append(draw, ",\"%s\"", draw_pick(draw, sources));
  }
  draw_append(draw, "]");
}

/* alone: what it is over stands by itself. */
static void append_head(struct draw *draw, const char *over, bool alone) {
  if (!alone && draw_one_in(draw, 3))
    append_several(draw, over);
  else
    draw_append(draw, "\"over\":\"%s\"", over);
  if (draw_one_in(draw, 3))
    draw_append(draw, ",\"name\":\"of %s\"", over);
  draw_append(draw, ",\"layers\":[");
  int32_t layers = 1 + draw_below(draw, 3);
  for (int32_t l = 0; l < layers; l++) {
    draw_append(draw, "%s{", l ? "," : "");
    const int32_t units = draw_size(draw);
    draw_dense(draw, units, l == layers - 1 ? draw_last_activations : draw_dense_activations);
    if (l < layers - 1)
      draw_norm(draw, units);
    draw_append(draw, "}");
  }
  draw_append(draw, "]");
}

static void append_heads(struct draw *draw) {
  static const char *const sources[] = {"final", "mean", "maximum", "last", NULL};
  int32_t count = 1 + draw_below(draw, 4);
  bool every = !draw->attends && draw_one_in(draw, 3);
  draw_append(draw, ",\"output\":{");
  if (count == 1 && draw_one_in(draw, 2)) {
    append_head(draw, draw->attends ? "context" : every ? "every" : draw_pick(draw, sources), every);
    draw_append(draw, "}");
    return;
  }
  draw_append(draw, "\"heads\":[");
  for (int32_t i = 0; i < count; i++) {
    const struct draw_part outer = draw_begin(draw, "head", i);
    bool context = draw->attends && (i == 0 || draw_one_in(draw, 3));
    draw_append(draw, "%s{", i ? "," : "");
    const bool of_every = every && i % 3 < 2;
    append_head(draw, context ? "context" : of_every ? "every" : draw_pick(draw, sources), every);
    draw_append(draw, "}");
    draw_end(draw, outer);
  }
  draw_append(draw, "]}");
}

static void append_undecoded(struct draw *draw) {
  bool only = draw_one_in(draw, 3);
  draw->attends = only || draw_one_in(draw, 2);
  if (draw->attends && draw_one_in(draw, 2)) {
    draw->state = draw_state_size(draw);
    draw_append(draw, ",\"state\":{\"units\":%d", (int)draw->state);
    if (draw_one_in(draw, 3)) {
      draw_append(draw, ",\"from\":\"zeros\"");
    } else {
      draw_append(draw, ",");
      draw_from_encoder(draw, false, draw->state);
    }
    draw_append(draw, "}");
  } else if (draw->attends) {
    draw->state = draw_final_width(&draw->encoder[draw->encoder_count - 1], "concat", false);
  }
  if (draw->attends)
    append_attention(draw, NULL, 0, 0);
  if (!only)
    append_heads(draw);
}

void random_structure_json(struct random *random, int32_t largest, int32_t time, int32_t steps,
                           char json[RANDOM_STRUCTURE_JSON]) {
  const struct random own = random_next(random);
  struct draw draw = {.part = {own, own}, .largest = largest, .time = time, .steps = steps, .json = json};
  draw_encoder(&draw);
  draw.C = draw_one_in(&draw, 4) ? draw_size(&draw) : draw.A;
  if (draw_one_in(&draw, 3))
    append_undecoded(&draw);
  else
    append_decoder(&draw);
  draw_append(&draw, "}");
}
