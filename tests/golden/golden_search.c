/* What beam search finds against make_search.py, which searches and computes models in numpy. Run from the
 * repository's root. */
#include "formats/npz.h"
#include "search/search.h"
#include "support/beam_case.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE, K, N, END, SHORTEST, LONGEST_RULE, PENALTY, RETIRES, PRUNES, RULES, FEWEST_CASES = 40 };

/* What a file says of its cases. */
struct expected {
  struct npz file;
  const int32_t *rules, *tokens, *lengths;
  const float *alpha;
  const double *sums, *scores;
  int32_t cases, rows, most, steps; /* of `tokens` [cases,rows,most,steps] */
};

static const void *data_of(const struct npz *file, const char *name, enum npy_dtype dtype) {
  const struct npy_array *array = npz_find(file, name);
  cr_assert(array && array->dtype == dtype, "%s is not there, or of another type", name);
  return array->data;
}

static struct expected expected_read(const char *path) {
  struct expected expected = {0};
  cr_assert_eq(npz_read(path, &expected.file), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  expected.cases = *(const int32_t *)data_of(&expected.file, "cases", NPY_I32);
  expected.rules = data_of(&expected.file, "rules", NPY_I32);
  expected.alpha = data_of(&expected.file, "alpha", NPY_F32);
  expected.tokens = data_of(&expected.file, "tokens", NPY_I32);
  expected.lengths = data_of(&expected.file, "lengths", NPY_I32);
  expected.sums = data_of(&expected.file, "sums", NPY_F64);
  expected.scores = data_of(&expected.file, "scores", NPY_F64);
  const struct npy_array *tokens = npz_find(&expected.file, "tokens");
  expected.rows = (int32_t)tokens->shape[1];
  expected.most = (int32_t)tokens->shape[2];
  expected.steps = (int32_t)tokens->shape[3];
  cr_assert_geq(expected.cases, FEWEST_CASES);
  return expected;
}

/* One result of a search; a row that has fewer is asked for what is not there. */
struct result {
  int32_t length;
  const int32_t *tokens;
  double sum, score;
};

static void expect_result(const struct expected *expected, int32_t number, int32_t row, int32_t n,
                          const struct result *got, double tolerance) {
  size_t at = ((size_t)number * (size_t)expected->rows + (size_t)row) * (size_t)expected->most + (size_t)n;
  const int32_t *tokens = expected->tokens + at * (size_t)expected->steps;
  int32_t length = expected->lengths[at];
  cr_assert_eq(got->length, length, "case %d, row %d, result %d: length %d, wanted %d", number, row, n,
               got->length, length);
  for (int32_t y = 0; y < length; y++)
    cr_assert_eq(got->tokens[y], tokens[y], "case %d, row %d, result %d: token %d is %d, wanted %d", number,
                 row, n, y, got->tokens[y], tokens[y]);
  double sum = expected->sums[at], score = expected->scores[at];
  bool none = length == 0 && got->sum == sum && got->score == score; /* -infinity */
  cr_assert(none || (fabs(got->sum - sum) <= tolerance * fmax(1, fabs(sum)) &&
                     fabs(got->score - score) <= tolerance * fmax(1, fabs(score))),
            "case %d, row %d, result %d: sum %.15g, score %.15g, wanted %.15g and %.15g", number, row, n,
            got->sum, got->score, sum, score);
}

/* ---- the policy alone ---- */

/* Runs a case through its table of log-probabilities [B,Y,V+1,V]: of the step, the token before it and the
 * next one. */
static void run_table(struct search *search, const float *table, int32_t rows, int32_t steps, int32_t V) {
  float *logs = calloc((size_t)rows * CUSEQ_MAX_BEAMS * (size_t)V, sizeof *logs);
  cr_assert(logs);
  while (search->lanes > 0) {
    for (int32_t lane = 0; lane < search->lanes; lane++) {
      int32_t before = search->step == 0 ? V : search->lane_tokens[lane];
      size_t at = ((size_t)search->lane_rows[lane] * (size_t)steps + (size_t)search->step) * (size_t)(V + 1);
      memcpy(logs + (size_t)lane * (size_t)V, table + (at + (size_t)before) * (size_t)V,
             (size_t)V * sizeof *logs);
    }
    search_step(search, logs);
  }
  search_finish(search);
  free(logs);
}

Test(golden_search, policy_finds_what_numpy_finds) {
  struct expected expected = expected_read("tests/golden/search/policy.npz");
  const struct npy_array *tables = npz_find(&expected.file, "logs");
  cr_assert(tables && tables->rank == 5 && tables->dtype == NPY_F32);
  int32_t steps = (int32_t)tables->shape[2], V = (int32_t)tables->shape[4];
  size_t one = tables->count / (size_t)tables->shape[0];
  for (int32_t i = 0; i < expected.cases; i++) {
    const int32_t *r = expected.rules + (size_t)i * RULES;
    const struct search_limits limits = {expected.rows, r[K], steps};
    const struct search_rules rules = {.beams = r[K],
                                       .tokens = V,
                                       .end_token = r[END],
                                       .min_length = r[SHORTEST],
                                       .max_length = r[LONGEST_RULE],
                                       .penalty = (cuseq_length_penalty)r[PENALTY],
                                       .alpha = (double)expected.alpha[i],
                                       .retires = r[RETIRES],
                                       .prunes_by_score = r[PRUNES]};
    struct search search;
    void *memory = malloc(search_size(&limits));
    search_make(&search, &limits, memory);
    search_begin(&search, &rules, expected.rows);
    run_table(&search, (const float *)tables->data + (size_t)r[TABLE] * one, expected.rows, steps, V);
    for (int32_t b = 0; b < expected.rows; b++)
      for (int32_t n = 0; n < r[N]; n++) {
        int32_t tokens[LONGEST];
        struct result got = {.sum = -INFINITY, .score = -INFINITY, .tokens = tokens};
        if (n < search.row[b].retired_count) {
          const struct hypothesis *h = &search.row[b].retired[n];
          search_trace(&search, h, tokens, NULL);
          got = (struct result){h->length, tokens, h->sum, h->score};
        }
        expect_result(&expected, i, b, n, &got, 1e-12);
      }
    free(memory);
  }
  npz_free(&expected.file);
}

/* ---- models ---- */

static void expect_model(const char *name) {
  const char *device = getenv("BEAM_DEVICE");
  char path[100];
  cuseq_model *model;
  snprintf(path, sizeof path, "tests/golden/search/%s.npz", name);
  struct expected expected = expected_read(path);
  snprintf(path, sizeof path, "tests/golden/search/%s.safetensors", name);
  cr_assert_eq(cuseq_model_load(path, &model), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  const struct npy_array *ids = npz_find(&expected.file, "input");
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = data_of(&expected.file, "input", NPY_I32),
                             .dtype = CUSEQ_DTYPE_I32,
                             .batch = expected.rows,
                             .time = (int32_t)ids->shape[1],
                             .lengths = data_of(&expected.file, "input_lengths", NPY_I32)};
  /* Sums are judged by their own size, as each of their terms is. */
  const double tolerance = device && strcmp(device, "reference") != 0
                               ? cuseq_model_tolerance(model, CUSEQ_PRECISION_FLOAT32, input.time, 0,
                                                       CUSEQ_RESULT_LOG_PROBABILITIES)
                               : 1e-6;
  cuseq_session *session = beam_case_session(model, 8, input.time);
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int32_t i = 0; i < expected.cases; i++) {
    const int32_t *r = expected.rules + (size_t)i * RULES;
    static struct beam_found found;
    beam_found_make(&found, model, r[K], r[N]);
    found.beam.alphas = NULL;
    found.beam.min_length = r[SHORTEST];
    found.beam.max_length = r[LONGEST_RULE];
    found.beam.length_penalty = (cuseq_length_penalty)r[PENALTY];
    found.beam.alpha = expected.alpha[i];
    found.beam.finished = r[RETIRES] ? CUSEQ_FINISHED_RETIRES : CUSEQ_FINISHED_KEEPS;
    found.beam.prune_by_score = r[PRUNES];
    cr_assert_eq(cuseq_beam_search(session, &found.beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int32_t b = 0; b < expected.rows; b++)
      for (int32_t n = 0; n < r[N]; n++) {
        int32_t at = b * r[N] + n;
        const struct result got = {found.lengths[at], found.tokens + at * r[LONGEST_RULE],
                                   (double)found.sums[at], (double)found.scores[at]};
        expect_result(&expected, i, b, n, &got, tolerance);
      }
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  npz_free(&expected.file);
}

Test(golden_search, input_feeding_through_two_layers_finds_what_numpy_finds) {
  expect_model("luong");
}

Test(golden_search, attention_before_a_gru_finds_what_numpy_finds) {
  expect_model("bahdanau");
}
