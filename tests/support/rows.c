#include "support/rows.h"

#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void rows_make(struct rows *rows, int32_t batch, int32_t T, int32_t F) {
  struct random random = {29};
  rows->x = malloc((size_t)(batch * T * F) * sizeof *rows->x);
  for (int32_t i = 0; i < batch * T * F; i++)
    rows->x[i] = random_between(&random, -1.0f, 1.0f);
  for (int32_t b = 0; b < batch; b++)
    rows->lengths[b] = b == 0 ? T : b == batch - 1 ? 1 : 1 + random_below(&random, T);
  rows->input = (cuseq_input){.size = sizeof(cuseq_input),
                              .data = rows->x,
                              .dtype = CUSEQ_DTYPE_F32,
                              .batch = batch,
                              .time = T,
                              .lengths = rows->lengths};
}

/* The rows again with one-hot positions, which a session takes as ids. */
static void rows_make_one_hot(struct rows *rows, int32_t batch, int32_t T, int32_t F) {
  struct random random = {31};
  rows_make(rows, batch, T, F);
  memset(rows->x, 0, (size_t)(batch * T * F) * sizeof *rows->x);
  for (int32_t i = 0; i < batch * T; i++)
    rows->x[i * F + random_below(&random, F)] = 1.0f;
}

static void rows_make_of(struct rows *rows, bool one_hot, int32_t batch, int32_t T, int32_t F) {
  (one_hot ? rows_make_one_hot : rows_make)(rows, batch, T, F);
}

void rows_expect_refused(const char *json, const char *words) {
  const cuseq_tensor none = {.name = "none"};
  cuseq_model *model;
  cr_expect_eq(cuseq_model_create(json, &none, 0, &model), CUSEQ_STATUS_INVALID_MODEL, "%s", json);
  cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
            words);
}

static void expect_close(cuseq_model *model, bool one_hot, const char *json, const char *device,
                         int32_t batch, int32_t T, int32_t Y) {
  struct rows rows;
  struct results got, want;
  const char *name;
  rows_make_of(&rows, one_hot, batch, T, cuseq_model_config(model)->features);
  results_make(&got, model, batch, T, Y);
  results_make(&want, model, batch, T, Y);
  results_run(&want, model, "reference", 1, &rows.input);
  results_run(&got, model, device, 0, &rows.input);
  cr_expect(results_guards_whole(&got, &name), "%s: %s", name, json);
  cr_expect(results_close(&got, &want, 1.0), "%s: T %d%s: %s", results_report(), (int)T,
            one_hot ? ", one-hot" : "", json);
  results_free(&got);
  results_free(&want);
  free(rows.x);
}

void rows_expect_close(const char *json, const char *device, int32_t batch, int32_t T, int32_t Y) {
  struct random random = {(uint64_t)T + 5};
  cuseq_model *model = random_model(json, NULL, &random);
  expect_close(model, false, json, device, batch, T, Y);
  expect_close(model, true, json, device, batch, T, Y);
  cuseq_model_destroy(model);
}

static void expect_same_bits(cuseq_model *model, bool one_hot, const char *device, int32_t T, int32_t Y) {
  const int32_t F = cuseq_model_config(model)->features;
  const char *kind = one_hot ? ", one-hot" : "";
  struct rows rows;
  struct results want, got;
  rows_make_of(&rows, one_hot, ROWS_MOST, T, F);
  results_make(&want, model, ROWS_MOST, T, Y);
  results_run(&want, model, device, 1, &rows.input);
  for (int32_t threads = 2; threads <= 3; threads++) {
    results_make(&got, model, ROWS_MOST, T, Y);
    results_run(&got, model, device, threads, &rows.input);
    for (int32_t b = 0; b < ROWS_MOST; b++)
      cr_expect(results_same_row(&got, b, &want, b), "%d threads%s: %s", (int)threads, kind,
                results_report());
    results_free(&got);
  }
  for (int32_t b = 0; b < ROWS_MOST; b++) {
    const cuseq_input alone = {.size = sizeof(cuseq_input),
                               .data = rows.x + (size_t)b * (size_t)T * (size_t)F,
                               .dtype = CUSEQ_DTYPE_F32,
                               .batch = 1,
                               .time = T,
                               .lengths = &rows.lengths[b]};
    results_make(&got, model, 1, T, Y);
    results_run(&got, model, device, 0, &alone);
    cr_expect(results_same_row(&got, 0, &want, b), "alone%s: %s", kind, results_report());
    results_free(&got);
  }
  results_free(&want);
  free(rows.x);
}

void rows_expect_same_bits(const char *json, const char *device, int32_t T, int32_t Y) {
  struct random random = {41};
  cuseq_model *model = random_model(json, NULL, &random);
  expect_same_bits(model, false, device, T, Y);
  expect_same_bits(model, true, device, T, Y);
  cuseq_model_destroy(model);
}
