/* One call of a workload of the speed targets, on a device: what a counting tool (the emulated device, Nsight Compute)
 * then reports is the call's own, once the counts of "0 calls" are taken away.
 *
 *   bench_counters WORKLOAD [CALLS [T]]    W1, W2, W2x32, W3, W4; CALLS 0, 1, ...; device cuda
 *
 * Weights and inputs are by chance, the same on every machine. */
#include "cuseq/cuseq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct workload {
  const char *name;
  int32_t B, T, F, H;
  int ids, decodes; /* the whole model runs, or the encoder alone */
  const char *json;
};

#define ENCODER(F, H) "{\"version\":1,\"encoder\":{\"features\":" #F ",\"units\":" #H "},"
#define DATES                                                                                                \
  ENCODER(37, 32)                                                                                            \
  "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":10,\"activation\":\"tanh\"},"                  \
  "{\"units\":1,\"activation\":\"relu\"}]},"                                                                 \
  "\"decoder\":{\"units\":64,\"steps\":10,\"initial_state\":\"zeros\"},\"output\":{\"units\":11}}"
#define ONE_DENSE "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]}}"

static const struct workload workloads[] = {
    {"W1", 5, 30, 37, 16, 0, 1, ENCODER(37, 16) ONE_DENSE},
    {"W2", 1, 30, 37, 32, 1, 1, DATES},
    {"W2x32", 32, 30, 37, 32, 1, 1, DATES},
    {"W3", 32, 100, 128, 128, 0, 0, ENCODER(128, 128) ONE_DENSE},
    {"W4", 64, 8, 512, 512, 0, 0, ENCODER(512, 512) ONE_DENSE},
};

static uint64_t state = 88172645463325252u;

static float chance(float reach) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return reach * ((float)(state >> 40) * 0x1p-23f - 1.0f);
}

static void die(const char *what) {
  fprintf(stderr, "bench_counters: %s\n", what);
  exit(2);
}

static float *array(size_t count, float reach) {
  float *data = malloc((count + 1) * sizeof *data);
  if (!data)
    die("out of memory");
  for (size_t i = 0; i < count; i++)
    data[i] = chance(reach);
  return data;
}

static void add(cuseq_tensor *tensors, size_t *count, const char *name, int64_t rows, int64_t columns) {
  cuseq_tensor *tensor = &tensors[(*count)++];
  *tensor = (cuseq_tensor){.name = name, .dtype = CUSEQ_DTYPE_F32, .rank = columns ? 2 : 1};
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->data = array((size_t)rows * (size_t)(columns ? columns : 1), 1.0f / sqrtf((float)rows));
}

static cuseq_model *model_make(const struct workload *w) {
  cuseq_tensor tensors[16];
  size_t count = 0;
  int64_t H = w->H, A = 2 * H, keys = w->H == 32 ? 10 : 1, S = w->H == 32 ? 64 : A;
  add(tensors, &count, "encoder.layers.0.forward.kernel", w->F, 4 * H);
  add(tensors, &count, "encoder.layers.0.forward.recurrent_kernel", H, 4 * H);
  add(tensors, &count, "encoder.layers.0.forward.bias", 4 * H, 0);
  add(tensors, &count, "encoder.layers.0.backward.kernel", w->F, 4 * H);
  add(tensors, &count, "encoder.layers.0.backward.recurrent_kernel", H, 4 * H);
  add(tensors, &count, "encoder.layers.0.backward.bias", 4 * H, 0);
  add(tensors, &count, "attention.layers.0.kernel", A + S, keys);
  add(tensors, &count, "attention.layers.0.bias", keys, 0);
  if (w->H == 32) {
    add(tensors, &count, "attention.layers.1.kernel", keys, 1);
    add(tensors, &count, "attention.layers.1.bias", 1, 0);
    add(tensors, &count, "decoder.kernel", A, 4 * S);
    add(tensors, &count, "decoder.recurrent_kernel", S, 4 * S);
    add(tensors, &count, "decoder.bias", 4 * S, 0);
    add(tensors, &count, "output.kernel", S, 11);
    add(tensors, &count, "output.bias", 11, 0);
  }
  cuseq_model *model;
  if (cuseq_model_create(w->json, tensors, count, &model) != CUSEQ_STATUS_OK)
    die(cuseq_last_error());
  for (size_t i = 0; i < count; i++)
    free((void *)tensors[i].data);
  return model;
}

static cuseq_input input_make(const struct workload *w, int32_t T) {
  size_t count = (size_t)w->B * (size_t)T;
  cuseq_input input = {.batch = w->B, .time = T, .dtype = w->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32};
  if (!w->ids) {
    input.data = array(count * (size_t)w->F, 1.0f);
    return input;
  }
  int32_t *ids = malloc(count * sizeof *ids);
  if (!ids)
    die("out of memory");
  for (size_t i = 0; i < count; i++)
    ids[i] = (int32_t)((chance(1.0f) + 1.0f) * 0.5f * (float)w->F) % w->F;
  input.data = ids;
  return input;
}

/* The results of a decoder, or of the encoder: annotations are an output only where nothing else is. */
static cuseq_status call(cuseq_session *session, const struct workload *w, const cuseq_input *input) {
  size_t B = (size_t)w->B, T = (size_t)input->time, A = 2 * (size_t)w->H, Y = w->H == 32 ? 10 : 1;
  if (!w->decodes) {
    cuseq_encoding encoding = {.annotations = array(B * T * A, 0.0f)};
    cuseq_status status = cuseq_encode(session, input, &encoding);
    free(encoding.annotations);
    return status;
  }
  cuseq_decoding decoding = {.contexts = array(B * Y * A, 0.0f), .alphas = array(B * Y * T, 0.0f)};
  if (w->H == 32) {
    decoding.outputs = array(B * Y * 11, 0.0f);
    decoding.tokens = (int32_t *)array(B * Y, 0.0f);
  }
  cuseq_status status = cuseq_run(session, input, NULL, &decoding);
  free(decoding.contexts);
  free(decoding.alphas);
  free(decoding.outputs);
  free(decoding.tokens);
  return status;
}

int main(int argc, char **argv) {
  const struct workload *w = NULL;
  for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++)
    if (strcmp(argv[1], workloads[i].name) == 0)
      w = &workloads[i];
  long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
  int32_t T = argc > 3 ? (int32_t)strtol(argv[3], NULL, 10) : w ? w->T : 1;
  if (!w || calls < 0 || T < 1)
    die("usage: bench_counters W1|W2|W2x32|W3|W4 [CALLS [T]]");
  cuseq_model *model = model_make(w);
  cuseq_input input = input_make(w, T);
  cuseq_session_options options;
  cuseq_session_options_init(&options, model);
  options.device = "cuda";
  options.max_batch = w->B;
  options.max_time = T;
  cuseq_session *session;
  if (cuseq_session_open(model, &options, &session) != CUSEQ_STATUS_OK)
    die(cuseq_last_error());
  for (long i = 0; i < calls; i++)
    if (call(session, w, &input) != CUSEQ_STATUS_OK)
      die(cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  free((void *)input.data);
  return 0;
}
