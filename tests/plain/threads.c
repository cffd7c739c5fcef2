/* One model, many threads: each opens sessions of its own on every device and must get the same bits. */
#include "support/random_case.h"
#include "support/random_structure.h"
#include "support/results.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 3, CASES = 3, FEW = 2, MANY = 40, STRUCTURES = 12, TIME = 4, STEPS = 3 };

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

static int case_run(uint64_t seed, int32_t rows) {
  struct random random = {seed};
  struct random_case made;
  struct results want[2];
  random_case_make(&made, &random, 40);
  made.B = made.B < rows ? made.B : rows;
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

/* Structures of every kind whose threads share the products of few rows. */
static int structures_run(void) {
  struct random random = {7};
  int failed = 0;
  for (int i = 0; i < STRUCTURES; i++) {
    struct random_structure made;
    struct results want, got;
    char json[RANDOM_STRUCTURE_JSON];
    random_structure_json(&random, MANY, TIME, STEPS, json);
    random_structure_of(&made, json, &random, 1 + i % FEW, TIME, STEPS);
    random_structure_run(&made, "cpu", 1, &want);
    random_structure_run(&made, "cpu", 4, &got);
    for (int32_t b = 0; b < made.B; b++)
      failed += !results_same_row(&got, b, &want, b);
    results_free(&want);
    results_free(&got);
    random_structure_free(&made);
  }
  return failed;
}

int main(void) {
  int failed = 0;
  for (uint64_t seed = 1; seed <= 2 * CASES; seed++) {
    if (seed > CASES) /* sessions whose threads share the products of few rows */
      setenv("CUSEQ_CPU_PART", "1", 1);
    failed += case_run(seed, seed > CASES ? FEW : MANY);
  }
  failed += structures_run();
  printf("%d threads on one model, %d models, %d structures: %d differences\n", THREADS, 2 * CASES,
         STRUCTURES, failed);
  return failed ? 1 : 0;
}
