/* Calls of models of other structures than version 1's on a CUDA device, for counters.py to count; or a
 * comparison of their answers with the float64 reference's.
 *
 *   bench_structures WORKLOAD CALLS|verify [T]    "dates GRU B1", "dates GRU B32", or one of bench_cpu's: "W5
 *                                                 B1", "W9 B1", ...
 *
 * Exit status 1: wrong answers; 2: usage; 3: the device failed. */
#include "cpu/random.h"
#include "cpu/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The dates model with GRUs in place of its LSTMs. */
#define DATES .T = 30, .F = 37, .H = 32, .keys = 10, .S = 64, .Y = 10, .V = 11, .ids = true
static const struct workload dates[] = {{.name = "dates GRU B1", .B = 1, DATES},
                                        {.name = "dates GRU B32", .B = 32, DATES}};
enum { DATES_COUNT = sizeof dates / sizeof *dates };

static void add_cell(struct tensors *tensors, const char *prefix, int64_t inputs, int64_t units) {
  char name[MOST_TENSOR_NAME];
  snprintf(name, sizeof name, "%s.kernel", prefix);
  tensors_add_kernel(tensors, name, inputs, 3 * units);
  snprintf(name, sizeof name, "%s.recurrent_kernel", prefix);
  tensors_add_kernel(tensors, name, units, 3 * units);
  snprintf(name, sizeof name, "%s.bias", prefix);
  tensors_add_bias(tensors, name, 3 * units);
  snprintf(name, sizeof name, "%s.recurrent_bias", prefix);
  tensors_add_bias(tensors, name, 3 * units);
}

static cuseq_model *dates_model(const struct workload *w) {
  static struct tensors tensors;
  const int64_t H = w->H, A = 2 * H, S = w->S;
  char json[1024];
  snprintf(
      json, sizeof json,
      "{\"version\":2,\"input\":{\"features\":%d},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
      "\"units\":%d},\"direction\":\"bidirectional\"}]},\"attention\":{\"score\":\"concat\",\"layers\":["
      "{\"units\":%d,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}]},\"decoder\":{"
      "\"reads\":[\"context\"],\"steps\":%d,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":%d},"
      "\"initial_h\":{\"from\":\"zeros\"}}]},\"output\":{\"parts\":[\"state\"],\"layers\":[{\"units\":%d,"
      "\"activation\":\"softmax\"}]}}",
      (int)w->F, (int)H, (int)w->keys, (int)w->Y, (int)S, (int)w->V);
  tensors.count = 0;
  add_cell(&tensors, "encoder.layers.0.forward", w->F, H);
  add_cell(&tensors, "encoder.layers.0.backward", w->F, H);
  tensors_add_kernel(&tensors, "attention.layers.0.kernel", A + S, w->keys);
  tensors_add_bias(&tensors, "attention.layers.0.bias", w->keys);
  tensors_add_kernel(&tensors, "attention.layers.1.kernel", w->keys, 1);
  tensors_add_bias(&tensors, "attention.layers.1.bias", 1);
  add_cell(&tensors, "decoder.layers.0", A, S);
  tensors_add_kernel(&tensors, "output.layers.0.kernel", S, w->V);
  tensors_add_bias(&tensors, "output.layers.0.bias", w->V);
  return tensors_model(&tensors, json);
}

static bool dates_make(struct instance *instance, const struct workload *w) {
  const size_t positions = (size_t)w->B * (size_t)w->T;
  *instance = (struct instance){.workload = w};
  random_seed(1000003);
  instance->model = dates_model(w);
  if (!instance->model)
    return false;
  instance->ids = checked(malloc(positions * sizeof(int32_t)));
  for (size_t i = 0; i < positions; i++)
    instance->ids[i] = (int32_t)(random_bits() % (uint32_t)w->F);
  instance_make_results(instance);
  return true;
}

static const struct workload *find(const char *name, bool *is_dates) {
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < DATES_COUNT; i++)
    if ((*is_dates = strcmp(dates[i].name, name) == 0))
      return &dates[i];
  for (int i = 0; i < count; i++)
    if (strcmp(all[i].name, name) == 0)
      return &all[i];
  return NULL;
}

/* Calls, or a verification; the exit status. */
static int call(const struct instance *instance, bool verifies, long calls) {
  cuseq_session *session = instance_open(instance, "cuda", 1, instance->workload->B);
  cuseq_status status = session ? CUSEQ_STATUS_OK : CUSEQ_STATUS_DEVICE_FAILED;
  double worst = 0.0;
  bool right = true;
  for (long i = 0; i < calls && status == CUSEQ_STATUS_OK; i++)
    status = instance_call(instance, session, 0, instance->workload->B);
  if (session && status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench_structures: %s\n", cuseq_last_error());
  if (verifies && status == CUSEQ_STATUS_OK)
    right = instance_verify(instance, session, &worst);
  if (!right)
    fprintf(stderr, "bench_structures: %s: wrong answers (error %.3g of what is allowed)\n",
            instance->workload->name, worst);
  cuseq_session_close(session);
  return status != CUSEQ_STATUS_OK ? 3 : right ? 0 : 1;
}

int main(int argc, char **argv) {
  bool is_dates = false;
  const struct workload *found = argc > 2 ? find(argv[1], &is_dates) : NULL;
  const bool verifies = argc > 2 && strcmp(argv[2], "verify") == 0;
  const long calls = argc > 2 && !verifies ? strtol(argv[2], NULL, 10) : 0;
  const long T = argc > 3 ? strtol(argv[3], NULL, 10) : found ? found->T : 0;
  if (!found || calls < 0 || T < 1 || T > 100000 || argc > 4) {
    fprintf(stderr, "usage: bench_structures WORKLOAD CALLS|verify [T]\n");
    return 2;
  }
  struct workload workload = *found;
  workload.T = (int32_t)T;
  struct instance instance;
  if (!(is_dates ? dates_make : instance_make)(&instance, &workload))
    return 3;
  int status = call(&instance, verifies, calls);
  instance_free(&instance);
  return status;
}
