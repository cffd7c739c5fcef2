/* Writes archives as a framework would have saved them, of what the reference gives for small.safetensors on
 * dense.npy, and tagger.safetensors on it: FOLDER, where cli_files wrote these. */
#include "cuseq/cuseq.h"
#include "formats/npz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = 3, T = 5, A = 4, Y = 3, S = 4, V = 5, KINDS = 4, OTHERS = 2, MOST = B * T * 8 };

static const char *folder;

static struct {
  float annotations[B * T * A], alphas[B * Y * T], context[B * Y * A], outputs[B * Y * V], tagged[B * T * 6];
  int32_t tokens[B * Y];
} ours;

static const char *path_of(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void check(cuseq_status status, const char *what) {
  if (status == CUSEQ_STATUS_OK)
    return;
  fprintf(stderr, "framework: %s: %s\n", what, cuseq_last_error());
  exit(2);
}

static void compute(const char *name, const cuseq_encoding *encoding, const cuseq_decoding *decoding) {
  struct npy_array dense;
  cuseq_model *model;
  cuseq_session *session;
  cuseq_session_options options;
  check(npy_read(path_of("dense.npy"), &dense), "dense.npy");
  check(cuseq_model_load(path_of(name), &model), name);
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.max_batch = B;
  options.max_time = T;
  check(cuseq_session_open(model, &options, &session), name);
  const cuseq_input input = {
      .size = sizeof input, .data = dense.data, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  check(cuseq_run(session, &input, encoding, decoding), name);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  npy_free(&dense);
}

/* An array of float64, as frameworks often save them. */
static struct npz_entry doubles(const char *name, const float *values, int32_t rank, const int64_t *shape) {
  static double room[16][MOST];
  static int next;
  struct npz_entry entry = {name, {.dtype = NPY_F64, .rank = rank, .count = 1, .data = room[next++ % 16]}};
  for (int32_t i = 0; i < rank; i++)
    entry.array.count *= (size_t)(entry.array.shape[i] = shape[i]);
  for (size_t i = 0; i < entry.array.count; i++)
    ((double *)entry.array.data)[i] = (double)values[i];
  return entry;
}
#define DOUBLES(name, values, ...)                                                                           \
  doubles(name, values, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void write(const char *name, struct npz_entry *entries, size_t count) {
  check(npz_write(path_of(name), &(struct npz){entries, count}, NPZ_STORED), name);
}
#define WRITE(name, ...)                                                                                     \
  write(name, (struct npz_entry[]){__VA_ARGS__},                                                             \
        sizeof((struct npz_entry[]){__VA_ARGS__}) / sizeof(struct npz_entry))

/* What fits: by names, by shapes, with axes of 1, of other types. */
static void write_right(void) {
  int64_t tokens[B * Y];
  for (int i = 0; i < B * Y; i++)
    tokens[i] = ours.tokens[i];
  const struct npz_entry chosen = {
      "tokens", {.dtype = NPY_I64, .rank = 2, .shape = {B, Y}, .count = B * Y, .data = tokens}};
  WRITE("framework.npz", DOUBLES("alphas", ours.alphas, B, Y, T, 1),
        DOUBLES("arr_0", ours.annotations, B, T, A), DOUBLES("output", ours.outputs, B, Y, V),
        DOUBLES("context", ours.context, B, Y, 1, A), chosen);
  float kind[B * T * KINDS], other[B * T * OTHERS];
  for (int i = 0; i < B * T; i++) {
    memcpy(kind + i * KINDS, ours.tagged + i * (KINDS + OTHERS), KINDS * sizeof(float));
    memcpy(other + i * OTHERS, ours.tagged + i * (KINDS + OTHERS) + KINDS, OTHERS * sizeof(float));
  }
  WRITE("heads.npz", DOUBLES("kind", kind, B, T, KINDS), DOUBLES("head 1", other, B, T, OTHERS));
}

/* What does not. */
static void write_wrong(void) {
  float alphas[B * Y * T], zeros[MOST] = {0};
  memcpy(alphas, ours.alphas, sizeof alphas);
  alphas[(1 * Y + 2) * T + 3] += 0.25f;
  WRITE("off.npz", DOUBLES("alphas", alphas, B, Y, T), DOUBLES("outputs", ours.outputs, B, Y, V));
  alphas[(1 * Y + 2) * T + 3] = NAN;
  WRITE("nan.npz", DOUBLES("alphas", alphas, B, Y, T));
  WRITE("ambiguous.npz", DOUBLES("arr_0", zeros, B, 2));
  WRITE("unknown.npz", DOUBLES("weights", zeros, B, 7));
  WRITE("shape.npz", DOUBLES("alphas", zeros, B, T, Y));
  WRITE("twice.npz", DOUBLES("arr_0", ours.annotations, B, T, A),
        DOUBLES("annotations", ours.annotations, B, T, A));
  WRITE("fewer.npz", DOUBLES("annotations", zeros, B - 1, T, A));
}

/* What comes of a decoder that begins with these states. */
static void write_begun(void) {
  float states[2][B * S], outputs[B * Y * V];
  for (int i = 0; i < B * S; i++) {
    states[0][i] = 0.5f - 0.25f * (float)(i % 5);
    states[1][i] = 0.125f * (float)(i % 7);
  }
  const cuseq_decoding decoding = {
      .size = sizeof decoding, .initial_h = states[0], .initial_c = states[1], .outputs = outputs};
  compute("small.safetensors", NULL, &decoding);
  WRITE("begun.npz", DOUBLES("outputs", outputs, B, Y, V), DOUBLES("initial_h", states[0], B, S),
        DOUBLES("initial_c", states[1], B, S));
  WRITE("begun_wide.npz", DOUBLES("outputs", outputs, B, Y, V), DOUBLES("initial_h", outputs, B, V));
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: framework FOLDER\n");
    return 2;
  }
  folder = argv[1];
  const cuseq_encoding encoding = {.size = sizeof encoding, .annotations = ours.annotations};
  const cuseq_decoding decoding = {.size = sizeof decoding,
                                   .alphas = ours.alphas,
                                   .contexts = ours.context,
                                   .outputs = ours.outputs,
                                   .tokens = ours.tokens};
  const cuseq_decoding tagging = {.size = sizeof tagging, .outputs = ours.tagged};
  compute("small.safetensors", &encoding, &decoding);
  compute("tagger.safetensors", NULL, &tagging);
  write_right();
  write_wrong();
  write_begun();
  return 0;
}
