/* One model, many threads: each opens sessions of its own on every device and must get the same bits. */
#include "support/random_case.h"
#include "support/results.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 3, CASES = 3 };

struct work {
  const struct random_case *made;
  const struct results *want[2];
  int failed;
};

static const char *const devices[] = {"reference", "cpu"};

static void *work_run(void *argument) {
  struct work *work = argument;
  const struct random_case *made = work->made;
  cuseq_input input = random_case_input(made);
  for (int round = 0; round < ROUNDS; round++)
    for (int d = 0; d < 2; d++) {
      struct results got;
      results_make(&got, made->model, made->B, made->T, made->Y);
      results_run(&got, made->model, devices[d], 1 + round % 3, &input);
      for (int32_t b = 0; b < made->B; b++)
        work->failed += !results_same_row(&got, b, work->want[d], b);
      results_free(&got);
    }
  /* the text of an error is this thread's own */
  cuseq_model *none;
  work->failed += cuseq_model_create("{}", NULL, 0, &none) != CUSEQ_STATUS_INVALID_ARGUMENT;
  work->failed += strstr(cuseq_last_error(), "cuseq_model_create") == NULL;
  return NULL;
}

static int case_run(uint64_t seed) {
  struct random random = {seed};
  struct random_case made;
  struct results want[2];
  random_case_make(&made, &random, 40);
  cuseq_input input = random_case_input(&made);
  for (int d = 0; d < 2; d++) {
    results_make(&want[d], made.model, made.B, made.T, made.Y);
    results_run(&want[d], made.model, devices[d], 1, &input);
  }
  pthread_t threads[THREADS];
  struct work work[THREADS];
  int failed = 0;
  for (int i = 0; i < THREADS; i++) {
    work[i] = (struct work){&made, {&want[0], &want[1]}, 0};
    if (pthread_create(&threads[i], NULL, work_run, &work[i]) != 0)
      abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    failed += work[i].failed;
  }
  for (int d = 0; d < 2; d++)
    results_free(&want[d]);
  random_case_free(&made);
  return failed;
}

int main(void) {
  int failed = 0;
  for (uint64_t seed = 1; seed <= CASES; seed++)
    failed += case_run(seed);
  printf("%d threads on one model, %d models: %d differences\n", THREADS, CASES, failed);
  return failed ? 1 : 0;
}
