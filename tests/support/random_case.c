#include "support/random_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory) {
  if (!memory)
    abort();
  return memory;
}

static const char *pick(struct random *random, const char *const *words) {
  int32_t count = 0;
  while (words[count])
    count++;
  return words[random_below(random, count)];
}

static const char *const cell_activations[] = {"tanh", "tanh", "relu", "linear", NULL};
static const char *const recurrent_activations[] = {"sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", NULL};
static const char *const dense_activations[] = {"tanh", "relu", "sigmoid", "linear", NULL};
static const char *const merges[] = {"concat", "concat", "sum", "mul", "ave", NULL};
static const char *const scores[] = {"concat", "concat", "dot", "general", "additive", NULL};
static const char *const initial_states[] = {"zeros", "encoder", "dense", NULL};

static void append(struct random_case *made, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct random_case *made, const char *format, ...) {
  size_t used = strlen(made->json);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(made->json + used, sizeof made->json - used, format, arguments);
  va_end(arguments);
}

static void append_attention(struct random_case *made, struct random *random, const char *score) {
  append(made, "\"attention\":{\"score\":\"%s\"", score);
  if (random_below(random, 3) == 0)
    append(made, ",\"scale\":%.3f", (double)random_between(random, 0.1f, 2.0f));
  if (strcmp(score, "concat") == 0) {
    int32_t layers = 1 + random_below(random, 3);
    append(made, ",\"layers\":[");
    for (int32_t l = 0; l < layers; l++)
      append(made, "%s{\"units\":%d,\"activation\":\"%s\"}", l ? "," : "",
             l == layers - 1 ? 1 : 1 + (int)random_below(random, 20), pick(random, dense_activations));
    append(made, "]");
  }
  append(made, "},");
}

static void append_decoder(struct random_case *made, struct random *random, const char *initial, int32_t S,
                           int32_t largest) {
  int32_t V = 2 + random_below(random, largest);
  bool feedback = random_below(random, 2) == 0;
  made->Y = 1 + random_below(random, 6);
  append(made,
         "\"decoder\":{\"units\":%d,\"steps\":%d,\"initial_state\":\"%s\",\"initial_activation\":\"%s\",",
         (int)S, (int)made->Y, initial, pick(random, dense_activations));
  append(made, "\"activation\":\"%s\",\"recurrent_activation\":\"%s\",\"feedback\":\"%s\"",
         pick(random, cell_activations), pick(random, recurrent_activations), feedback ? "output" : "none");
  if (feedback)
    append(made, ",\"start_token\":%d", (int)random_below(random, V));
  if (random_below(random, 2) == 0)
    append(made, ",\"end_token\":%d", (int)random_below(random, V < 4 ? V : 4));
  append(made, "},\"output\":{\"units\":%d,\"activation\":\"%s\"}}", (int)V,
         feedback || random_below(random, 2) == 0 ? "softmax" : "linear");
  if (feedback && random_below(random, 2) == 0)
    made->widths.embedding_units = 1 + random_below(random, 9);
}

static void append_model(struct random_case *made, struct random *random, int32_t largest) {
  int32_t H = 1 + random_below(random, largest), F = 1 + random_below(random, largest);
  bool forward = random_below(random, 4) == 0;
  const char *merge = forward ? "concat" : pick(random, merges), *score = pick(random, scores);
  append(made,
         "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d,\"layers\":%d,\"direction\":\"%s\","
         "\"merge\":\"%s\","
         "\"activation\":\"%s\",\"recurrent_activation\":\"%s\"},",
         (int)F, (int)H, 1 + (int)random_below(random, 3), forward ? "forward" : "bidirectional", merge,
         pick(random, cell_activations), pick(random, recurrent_activations));
  append_attention(made, random, score);
  int32_t final_width = forward ? H : 2 * H, A = strcmp(merge, "concat") == 0 ? final_width : H;
  const char *initial = pick(random, initial_states);
  bool dot = strcmp(score, "dot") == 0;
  if (dot && A != final_width && strcmp(initial, "encoder") == 0)
    initial = "dense";
  int32_t S = dot ? A : strcmp(initial, "encoder") == 0 ? final_width : 1 + random_below(random, largest);
  made->widths.additive_units = strcmp(score, "additive") == 0 ? 1 + random_below(random, largest) : 0;
  made->widths.additive_bias = random_below(random, 2) == 0;
  if (random_below(random, 5) > 0)
    append_decoder(made, random, initial, S, largest);
  else
    append(made, "\"state\":{\"initial_state\":\"%s\",\"initial_activation\":\"%s\",\"units\":%d}}", initial,
           pick(random, dense_activations), (int)S);
}

static void make_input(struct random_case *made, struct random *random) {
  int32_t F = cuseq_model_config(made->model)->features;
  size_t positions = (size_t)made->B * made->T;
  if (random_below(random, 3) > 0) {
    made->lengths = checked(malloc((size_t)made->B * sizeof *made->lengths));
    for (int32_t b = 0; b < made->B; b++)
      made->lengths[b] = 1 + random_below(random, made->T);
  }
  if (random_below(random, 3) == 0) {
    made->ids = checked(malloc(positions * sizeof *made->ids));
    for (size_t i = 0; i < positions; i++)
      made->ids[i] = random_below(random, F);
    return;
  }
  made->x = checked(malloc(positions * (size_t)F * sizeof *made->x));
  for (size_t i = 0; i < positions * (size_t)F; i++)
    made->x[i] = random_between(random, -1.5f, 1.5f);
}

void random_case_make(struct random_case *made, struct random *random, int32_t largest) {
  const struct random own = random_next(random);
  struct random text = random_named(&own, "text"), model = random_named(&own, "model"),
                input = random_named(&own, "input");
  memset(made, 0, sizeof *made);
  made->B = 1 + random_below(&input, largest);
  made->T = 1 + random_below(&input, largest);
  made->Y = 1;
  append_model(made, &text, largest);
  made->model = random_model(made->json, &made->widths, &model);
  make_input(made, &input);
}

void random_case_free(struct random_case *made) {
  cuseq_model_destroy(made->model);
  free(made->lengths);
  free(made->x);
  free(made->ids);
}

cuseq_input random_case_input(const struct random_case *made) {
  return (cuseq_input){.size = sizeof(cuseq_input),
                       .data = made->ids ? (const void *)made->ids : made->x,
                       .dtype = made->ids ? CUSEQ_DTYPE_I64 : CUSEQ_DTYPE_F32,
                       .batch = made->B,
                       .time = made->T,
                       .lengths = made->lengths};
}
