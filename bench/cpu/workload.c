#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct workload all[] = {
    {.name = "W1",
     .what = "Bi-LSTM over dense input, attention Dense(1,tanh), one step",
     .B = 5,
     .T = 30,
     .F = 37,
     .H = 16,
     .keys = 1,
     .bar = 0.65},
    {.name = "W2 B1",
     .what = "dates: one-hot ids, attention Dense(10,tanh) Dense(1,relu), LSTM decoder, 10 steps",
     .B = 1,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true},
    {.name = "W2 B32",
     .what = "the same",
     .B = 32,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true,
     .bar = 0.62},
    {.name = "W2 B1024",
     .what = "the same",
     .B = 1024,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true,
     .bar_gain = 0.93},
    {.name = "W3",
     .what = "Bi-LSTM",
     .B = 32,
     .T = 100,
     .F = 128,
     .H = 128,
     .keys = 1,
     .encode_only = true,
     .bar = 0.88,
     .bar_gain = 0.93},
    {.name = "W4",
     .what = "Bi-LSTM",
     .B = 64,
     .T = 128,
     .F = 512,
     .H = 512,
     .keys = 1,
     .encode_only = true,
     .bar = 0.90,
     .bar_gain = 0.93},
};

const struct workload *workloads(int *count) {
  *count = sizeof all / sizeof *all;
  return all;
}

double workload_flops(const struct workload *w) {
  double B = w->B, T = w->T, F = w->ids ? 0 : w->F, H = w->H, A = 2 * H, S = w->S > 0 ? w->S : A, u = w->keys;
  double encoder = 2 * B * (T * F + (T - 1) * H) * 4 * H;
  if (w->encode_only)
    return 2 * encoder;
  double steps = w->Y > 0 ? w->Y : 1, keys = B * T * A * u;
  double attention = B * (S * u + (u > 1 ? T * u : 0) + T * A) * steps;
  double decoder = w->Y > 0 ? B * ((A * steps + S * (steps - 1)) * 4 * S + S * w->V * steps) : 0;
  return 2 * (encoder + keys + attention + decoder);
}

/* The same numbers everywhere: xorshift64*. */
static uint64_t random_state = 88172645463325252u;

static uint32_t random_bits(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)(random_state * 0x2545f4914f6cdd1du >> 32);
}

static float random_between(float low, float high) {
  return low + (high - low) * ((float)(random_bits() >> 8) * 0x1p-24f);
}

static void *checked(void *memory) {
  if (!memory) {
    fprintf(stderr, "bench: out of memory\n");
    exit(3);
  }
  return memory;
}

static float *random_array(size_t count, float reach) {
  float *array = checked(malloc(count * sizeof *array));
  for (size_t i = 0; i < count; i++)
    array[i] = random_between(-reach, reach);
  return array;
}

enum { MOST_TENSORS = 16 };

struct tensors {
  cuseq_tensor list[MOST_TENSORS];
  size_t count;
};

static void add(struct tensors *tensors, const char *name, int64_t rows, int64_t columns) {
  cuseq_tensor *tensor = &tensors->list[tensors->count++];
  *tensor = (cuseq_tensor){.name = name, .dtype = CUSEQ_DTYPE_F32, .rank = rows > 0 ? 2 : 1};
  tensor->shape[0] = rows > 0 ? rows : columns;
  tensor->shape[1] = rows > 0 ? columns : 0;
  tensor->data = random_array((size_t)(rows > 0 ? rows : 1) * (size_t)columns,
                              rows > 0 ? 1.7f / sqrtf((float)rows) : 0.1f);
}

static void add_all(struct tensors *tensors, const struct workload *w) {
  const int64_t H = w->H, A = 2 * H, S = w->S > 0 ? w->S : A;
  add(tensors, "encoder.layers.0.forward.kernel", w->F, 4 * H);
  add(tensors, "encoder.layers.0.forward.recurrent_kernel", H, 4 * H);
  add(tensors, "encoder.layers.0.forward.bias", 0, 4 * H);
  add(tensors, "encoder.layers.0.backward.kernel", w->F, 4 * H);
  add(tensors, "encoder.layers.0.backward.recurrent_kernel", H, 4 * H);
  add(tensors, "encoder.layers.0.backward.bias", 0, 4 * H);
  add(tensors, "attention.layers.0.kernel", A + S, w->keys);
  add(tensors, "attention.layers.0.bias", 0, w->keys);
  if (w->keys > 1) {
    add(tensors, "attention.layers.1.kernel", w->keys, 1);
    add(tensors, "attention.layers.1.bias", 0, 1);
  }
  if (w->Y > 0) {
    add(tensors, "decoder.kernel", A, 4 * S);
    add(tensors, "decoder.recurrent_kernel", S, 4 * S);
    add(tensors, "decoder.bias", 0, 4 * S);
    add(tensors, "output.kernel", S, w->V);
    add(tensors, "output.bias", 0, w->V);
  }
}

static bool make_model(struct instance *instance) {
  const struct workload *w = instance->workload;
  char json[1024];
  int used = snprintf(json, sizeof json, "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d},",
                      (int)w->F, (int)w->H);
  used += snprintf(
      json + used, sizeof json - (size_t)used, "\"attention\":{\"score\":\"concat\",\"layers\":[%s]}",
      w->keys > 1 ? "{\"units\":10,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}"
                  : "{\"units\":1,\"activation\":\"tanh\"}");
  if (w->Y > 0)
    used += snprintf(
        json + used, sizeof json - (size_t)used,
        ",\"decoder\":{\"units\":%d,\"steps\":%d,\"initial_state\":\"zeros\"},\"output\":{\"units\":%d}",
        (int)w->S, (int)w->Y, (int)w->V);
  snprintf(json + used, sizeof json - (size_t)used, "}");
  struct tensors tensors = {.count = 0};
  add_all(&tensors, w);
  cuseq_status status = cuseq_model_create(json, tensors.list, tensors.count, &instance->model);
  for (size_t i = 0; i < tensors.count; i++)
    free((void *)tensors.list[i].data);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s\n", cuseq_last_error());
  return status == CUSEQ_STATUS_OK;
}

bool instance_make(struct instance *instance, const struct workload *workload) {
  const struct workload *w = workload;
  const size_t positions = (size_t)w->B * (size_t)w->T, A = 2 * (size_t)w->H;
  const size_t steps = (size_t)w->B * (size_t)(w->Y > 0 ? w->Y : 1);
  *instance = (struct instance){.workload = workload};
  if (!make_model(instance))
    return false;
  if (w->ids) {
    instance->ids = checked(malloc(positions * sizeof(int32_t)));
    for (size_t i = 0; i < positions; i++)
      instance->ids[i] = (int32_t)(random_bits() % (uint32_t)w->F);
  } else {
    instance->x = random_array(positions * (size_t)w->F, 1.0f);
  }
  instance->annotations = checked(calloc(positions * A, sizeof(float)));
  instance->contexts = checked(calloc(steps * A, sizeof(float)));
  instance->alphas = checked(calloc(steps * (size_t)w->T, sizeof(float)));
  instance->outputs = checked(calloc(steps * (size_t)(w->V > 0 ? w->V : 1), sizeof(float)));
  instance->tokens = checked(calloc(steps, sizeof(int32_t)));
  return true;
}

void instance_free(struct instance *instance) {
  cuseq_model_destroy(instance->model);
  free(instance->x);
  free(instance->ids);
  free(instance->annotations);
  free(instance->contexts);
  free(instance->alphas);
  free(instance->outputs);
  free(instance->tokens);
}

cuseq_session *instance_open(const struct instance *instance, const char *device, int32_t threads,
                             int32_t batch) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = device;
  options.threads = threads;
  options.max_batch = batch;
  options.max_time = instance->workload->T;
  cuseq_session *session;
  if (cuseq_session_open(instance->model, &options, &session) != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s\n", cuseq_last_error());
  return session;
}

cuseq_status instance_call(const struct instance *instance, cuseq_session *session, int32_t first,
                           int32_t batch) {
  const struct workload *w = instance->workload;
  const size_t skipped = (size_t)first * (size_t)w->T;
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = w->ids ? (const void *)(instance->ids + skipped)
                                            : (const void *)(instance->x + skipped * (size_t)w->F),
                             .dtype = w->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                             .batch = batch,
                             .time = w->T};
  const cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = instance->annotations};
  if (w->encode_only)
    return cuseq_encode(session, &input, &encoding);
  cuseq_decoding decoding = {
      .size = sizeof(cuseq_decoding), .contexts = instance->contexts, .alphas = instance->alphas};
  if (w->Y > 0) {
    decoding.outputs = instance->outputs;
    decoding.tokens = instance->tokens;
  }
  return cuseq_run(session, &input, w->Y > 0 ? NULL : &encoding, &decoding);
}

/* The largest |got - want| / (tolerance x max(1, |want|)); NaN counts as infinite. */
static double worst_share(const float *got, const float *want, size_t count, double tolerance) {
  double worst = 0.0;
  for (size_t i = 0; i < count; i++) {
    double size = fabs((double)want[i]) > 1.0 ? fabs((double)want[i]) : 1.0;
    double share = fabs((double)got[i] - (double)want[i]) / (tolerance * size);
    worst = share <= worst ? worst : isnan(share) ? INFINITY : share;
  }
  return worst;
}

static double larger(double a, double b) {
  return a > b ? a : b;
}

static double allowed(const struct instance *instance, cuseq_result result) {
  return cuseq_model_tolerance(instance->model, instance->workload->T, 0, result);
}

bool instance_verify(const struct instance *instance, cuseq_session *session, double *worst) {
  const struct workload *w = instance->workload;
  const size_t A = 2 * (size_t)w->H, T = (size_t)w->T, Y = (size_t)(w->Y > 0 ? w->Y : 1);
  struct instance reference;
  *worst = INFINITY;
  if (instance_call(instance, session, 0, w->B) != CUSEQ_STATUS_OK || !instance_make(&reference, w))
    return false;
  float *x = reference.x; /* another's weights and input by now: take this one's */
  int32_t *ids = reference.ids;
  cuseq_model_destroy(reference.model);
  reference.model = instance->model;
  reference.x = instance->x;
  reference.ids = instance->ids;
  cuseq_session *slow = instance_open(&reference, "reference", 1, 1);
  bool called = slow != NULL;
  *worst = called ? 0.0 : INFINITY;
  for (int32_t n = 0; n < 4 && called; n++) { /* four rows: the first, the last and two between */
    const int32_t b = (int32_t)((int64_t)(w->B - 1) * n / 3);
    called = instance_call(&reference, slow, b, 1) == CUSEQ_STATUS_OK;
    if (w->encode_only || w->Y == 0)
      *worst = larger(*worst, worst_share(instance->annotations + (size_t)b * T * A, reference.annotations,
                                          T * A, allowed(instance, CUSEQ_RESULT_ANNOTATIONS)));
    if (w->encode_only)
      continue;
    const size_t step = (size_t)b * Y;
    *worst = larger(*worst, worst_share(instance->contexts + step * A, reference.contexts, Y * A,
                                        allowed(instance, CUSEQ_RESULT_CONTEXTS)));
    *worst = larger(*worst, worst_share(instance->alphas + step * T, reference.alphas, Y * T,
                                        allowed(instance, CUSEQ_RESULT_ALPHAS)));
    if (w->V > 0)
      *worst = larger(*worst, worst_share(instance->outputs + step * (size_t)w->V, reference.outputs,
                                          Y * (size_t)w->V, allowed(instance, CUSEQ_RESULT_OUTPUTS)));
  }
  cuseq_session_close(slow);
  reference.model = NULL;
  reference.x = x;
  reference.ids = ids;
  instance_free(&reference);
  return called && *worst <= 1.0;
}
