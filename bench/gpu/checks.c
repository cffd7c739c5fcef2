/* That what judges the benchmark's answers finds what is wrong, and that the floors are those of the
 * shapes. */
#include "cases.h"
#include "floor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "bench_gpu_checks: %s\n", what);
    failures++;
  }
}

static bool right(struct instance *instance, const struct answers *got) {
  double worst;
  const bool verdict = instance_verify(instance, got, &worst);
  check(verdict == (worst <= 1.0), "the verdict and the error contradict each other");
  return verdict;
}

/* Whether an element of the last row that is off by `error` is found; it is put back. */
static bool found(struct instance *instance, const struct answers *got, float *element, float error) {
  const float kept = *element;
  *element += error;
  const bool is_found = !right(instance, got);
  *element = kept;
  return is_found;
}

static float allowed(const struct instance *instance, cuseq_result result) {
  return (float)cuseq_model_tolerance(instance->model, CUSEQ_PRECISION_FLOAT32, instance->workload.T,
                                      workload_steps(&instance->workload), result);
}

static void check_verification(const char *name) {
  struct workload workload = *workload_find(name);
  workload.mixed_lengths = true;
  struct instance instance;
  struct answers got;
  cuseq_session *session;
  cuseq_session_options options;
  if (!instance_make(&instance, &workload) ||
      !answers_make(&got, &workload, ANSWERS_RESULTS | ANSWERS_ANNOTATIONS))
    exit(3);
  cuseq_session_options_init(&options, sizeof options, instance.model);
  options.device = "cpu";
  options.max_batch = workload.B;
  options.max_time = workload.T;
  check(cuseq_session_open(instance.model, &options, &session) == CUSEQ_STATUS_OK &&
            instance_call(&instance, session, &got) == CUSEQ_STATUS_OK,
        cuseq_last_error());
  cuseq_session_close(session);
  const size_t B = (size_t)workload.B, T = (size_t)workload.T, A = 2 * (size_t)workload.H;
  const size_t Y = (size_t)workload_steps(&workload), V = (size_t)workload.V;
  const float annotations = allowed(&instance, CUSEQ_RESULT_ANNOTATIONS),
              contexts = allowed(&instance, CUSEQ_RESULT_CONTEXTS),
              alphas = allowed(&instance, CUSEQ_RESULT_ALPHAS);
  check(right(&instance, &got), "the cpu's answers are judged wrong");
  check(found(&instance, &got, &got.annotations[B * T * A - 1], 2.0f * annotations),
        "a wrong annotation is let through");
  check(found(&instance, &got, &got.contexts[B * Y * A - 1], -2.0f * contexts),
        "a wrong context is let through");
  check(found(&instance, &got, &got.alphas[B * Y * T - 1], NAN), "a NaN is let through");
  check(!found(&instance, &got, &got.alphas[0], 0.3f * alphas),
        "an error within the tolerance is judged wrong");
  if (got.outputs) {
    check(found(&instance, &got, &got.outputs[B * Y * V - 1], INFINITY), "an infinity is let through");
    got.tokens[B * Y - 1] = (got.tokens[B * Y - 1] + 1) % workload.V;
    check(!right(&instance, &got), "a wrong token is let through");
  }
  answers_free(&got);
  instance_free(&instance);
}

static bool near(double got, double want) {
  return fabs(got - want) <= 1e-9 * want;
}

/* A device of round figures: 1 GHz, 1 TB/s, 100 T multiply-adds a second, 2 us a launch. */
static void check_floors(void) {
  struct device device = {.clock = 1e9, .bandwidth = 1e12, .fma = 1e14, .launch_us = 2};
  const struct workload *w3 = workload_find("W3"), *w4 = workload_find("W4"), *w2 = workload_find("W2 B1");
  const double adds = 2.0 * (32 * 100 * 128 + 32 * 99 * 128) * 512;
  check(near(floor_multiply_adds(w3, NULL, true), adds), "W3's multiply-adds are miscounted");
  struct floor floor = floor_of(w3, NULL, true, &device);
  check(near(floor.us, 72) && strcmp(floor.binds, "chain") == 0, "W3's floor is not its chain of 100 steps");
  device.fma = 1e12;
  floor = floor_of(w3, NULL, true, &device);
  check(near(floor.us, adds * 1e-6) && strcmp(floor.binds, "arithmetic") == 0,
        "W3's floor is not arithmetic");
  device.bandwidth = 1e9;
  floor = floor_of(w4, NULL, true, &device);
  check(strcmp(floor.binds, "bandwidth") == 0, "W4's floor is not bandwidth where there is little");
  device.launch_us = 1e6;
  check(strcmp(floor_of(w2, NULL, false, &device).binds, "launch") == 0, "a slow launch is not the floor");
  int32_t lengths[32];
  for (int b = 0; b < 32; b++)
    lengths[b] = b == 0 ? 100 : 1;
  check(near(floor_multiply_adds(w3, lengths, true), 2.0 * (131 * 128 + 99 * 128) * 512),
        "rows do not count their own length");
}

static void check_cases(void) {
  struct bench_case cases[MOST_CASES];
  const int count = cases_make(cases);
  check(count > 0 && count <= MOST_CASES, "there are no cases, or too many");
  for (int i = 0; i < count; i++)
    for (int n = 0; n < i; n++)
      check(strcmp(cases[i].workload.name, cases[n].workload.name) != 0, "two cases have one name");
  const struct bench_case mixed = {.workload = {.name = "W2 B32 mixed"}};
  check(case_is_wanted(&mixed, "W2") && case_is_wanted(&mixed, "W2 B32") && !case_is_wanted(&mixed, "W2 B3"),
        "filters do not take whole words");
}

int main(void) {
  check_verification("W1");
  check_verification("W2 B32");
  check_floors();
  check_cases();
  return failures > 0;
}
