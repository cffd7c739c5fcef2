/* The best token of a step by screening: the bounds hold, and tokens, probabilities and states are those of
 * all logits, bit by bit. */
#include "backends/cpu/isa.h"
#include "backends/cpu/screen.h"
#include "session.h"
#include "support/beam_case.h"
#include "support/changed_model.h"
#include "support/random_structure.h"
#include "support/rows.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENCODER                                                                                              \
  "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'gru','units':12}}]},"
#define TOKENS "'feedback':'output','start_token':1,'end_token':2,'steps':4,"
#define GRU(units) "'layers':[{'cell':{'kind':'gru','units':" units "},'initial_h':{'from':'zeros'}}]"
#define HEAD(units, activation) "'output':{'layers':[{'units':" units ",'activation':'" activation "'}]}}"

static const struct {
  const char *json;
  bool screened;
} structures[] = {
    {ENCODER "'attention':{'score':'additive','units':9},'decoder':{'reads':['token','context'],"
             "'embedding':5," TOKENS GRU("13") "}," HEAD("150", "softmax"),
     true},
    /* side by side, and a layer in front; columns that are no whole group */
    {ENCODER "'attention':{'score':'dot'},'decoder':{'reads':['token','context'],'embedding':5," TOKENS GRU(
         "12") "},'output':{'parts':['state','context'],'layers':[{'units':21,'activation':'tanh'},"
               "{'units':65,'activation':'log_softmax'}]}}",
     true},
    {ENCODER "'attention':{'score':'dot'},'decoder':{'reads':['token','context'],"
             "'embedding':12," TOKENS GRU("12") "},'output':{'tied':true,'layers':[{'units':67}]}}",
     true},
    /* no end, tokens without an embedding */
    {ENCODER "'decoder':{'reads':['token'],'feedback':'output','start_token':1,'steps':4," GRU(
         "20") "}," HEAD("31", "softmax"),
     true},
    /* nothing is fed back */
    {ENCODER
     "'attention':{'score':'general'},'decoder':{'reads':['context'],'feedback':'none','steps':4," GRU(
         "20") "}," HEAD("70", "softmax"),
     true},
    {ENCODER "'decoder':{'reads':['token'],'embedding':5," TOKENS GRU("13") "}," HEAD("150", "sigmoid"),
     false},
    {ENCODER "'decoder':{'reads':['token'],'feedback':'probabilities','steps':4," GRU("13") "}," HEAD(
         "15", "softmax"),
     false},
};
enum { STRUCTURES = sizeof structures / sizeof *structures, STEPS = 30, MODELS = 3 };

static void screen(const char *how) {
  setenv("CUSEQ_CPU_SCREEN", how, 1);
}

/* Whether this processor screens, and the session's numbers are those that are screened. */
static bool available(const cuseq_session *session) {
  const struct cpu *cpu = session->state;
  return isa_screening(cpu->kernels) && cpu->products->word_inputs == 1;
}

static cuseq_session *session_of(const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = results_precision("cpu");
  options.max_batch = ROWS_MOST;
  options.max_time = TIME;
  options.max_steps = STEPS;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static const struct cpu_screen *screen_of(const cuseq_session *session) {
  return &((const struct cpu *)session->state)->packed->weights.screen;
}

/* ---- what is screened ---- */

static void expect_screened(const char *json, const char *how, bool want) {
  cuseq_model *model = beam_case_model_of(json, 1);
  screen(how);
  cuseq_session *session = session_of(model);
  cr_expect_eq(screen_of(session)->weights != NULL, want && available(session), "%s: %s", how, json);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(cpu_screen, what_is_screened) {
  for (int i = 0; i < STRUCTURES; i++) {
    expect_screened(structures[i].json, "1", structures[i].screened);
    expect_screened(structures[i].json, "0", false);
    expect_screened(structures[i].json, "", false);
  }
  /* 512 KB */
  expect_screened(ENCODER "'decoder':{'reads':['token']," TOKENS GRU("64") "}," HEAD("2048", "softmax"), "",
                  true);
  expect_screened(ENCODER "'decoder':{'reads':['token']," TOKENS GRU("64") "}," HEAD("2047", "softmax"), "",
                  false);
}

/* ---- bounds ---- */

struct bound_case {
  const struct cpu *cpu;
  const struct dense *dense;
  float *x, *most, *logits;
  uint8_t *inputs;
};

/* What is screened of x: `most` is not below any logit, nor `least` above the largest one; of exact logits,
 * and of those that the product makes. */
static void expect_bounds(const struct bound_case *of, double *tightest) {
  const struct cpu *cpu = of->cpu;
  const struct cpu_screen *screened = &cpu->packed->weights.screen;
  const struct cpu_chain *head = &cpu->packed->weights.heads[0];
  const int32_t V = of->dense->units, groups = (V + SCREEN_COLUMNS - 1) / SCREEN_COLUMNS;
  struct cpu_screen_row row = {.inputs = of->inputs, .most = of->most};
  float least;
  double largest = -INFINITY, length = 0.0;
  cr_assert(cpu->screening->begin(of->x, of->dense->inputs, &row));
  cpu->screening->groups(screened, (struct cpu_part){0, groups}, &row, 1, &least);
  cpu->products->dense(&head->layers[head->count - 1], (const float *const[]){of->x}, 1, of->logits,
                       (size_t)groups * SCREEN_COLUMNS, false, NULL);
  for (int32_t k = 0; k < of->dense->inputs; k++)
    length += (double)of->x[k] * (double)of->x[k];
  for (int32_t j = 0; j < V; j++) {
    double exact = of->dense->bias ? (double)of->dense->bias[j] : 0.0;
    for (int32_t k = 0; k < of->dense->inputs; k++)
      exact += (double)of->x[k] * (double)dense_weight(of->dense, k, j);
    const double made = (double)of->logits[j], lower = fmin(exact, made), upper = fmax(exact, made);
    cr_assert((double)of->most[j] >= upper, "column %d: %.9g of %.9g", (int)j, (double)of->most[j], upper);
    largest = fmax(largest, lower);
    *tightest = fmin(*tightest, ((double)of->most[j] - exact) / sqrt(length));
  }
  cr_assert((double)least <= largest, "%.9g of %.9g", (double)least, largest);
}

/* Inputs that make the most of what column j loses: of its weights, where they lose nothing themselves, and
 * of what they lose themselves. */
static void expect_worst(const struct bound_case *of, int32_t j) {
  double largest = 0.0, tightest = 0.0;
  for (int32_t k = 0; k < of->dense->inputs; k++)
    largest = fmax(largest, fabs((double)dense_weight(of->dense, k, j)));
  for (int way = 0; way < 4; way++) {
    const double side = way % 2 ? -1.0 : 1.0;
    for (int32_t k = 0; k < of->dense->inputs; k++) {
      const double weight = (double)dense_weight(of->dense, k, j), eight = weight / largest * 127.0,
                   lost = eight - nearbyint(eight);
      of->x[k] = (float)(way < 2 ? side * copysign(1.0, lost)
                                 : side * (copysign(k == 0 ? 127.0 : 20.0 + k % 50 + 0.49, weight)) / 127.0);
    }
    expect_bounds(of, &tightest);
  }
}

/* Numbers of 8 bits, the largest among them often. */
static const float *whole_weights(int32_t count) {
  static float weights[100 * 333];
  for (int32_t n = 0; n < count; n++)
    weights[n] = n % 7 == 0 ? 127.0f : (float)(n * 37 % 255 - 127);
  return weights;
}

Test(cpu_screen, no_logit_is_outside_its_bounds) {
  enum { INPUTS = 100, TRIALS = 40 };
  static const char *const json =
      ENCODER "'decoder':{'reads':['token']," TOKENS GRU("100") "}," HEAD("333", "softmax");
  static const float factors[] = {1.0f, 1e-9f, 1e9f, 1.0f};
  struct random random = {3};
  screen("1");
  for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
    cuseq_model *model =
        changed_model_times(beam_case_model_of(json, 1 + f), "output.layers.0.kernel", factors[f]);
    if (f == 3) /* weights that lose nothing */
      model = changed_model_with(model, "output.layers.0.kernel", whole_weights(INPUTS * 333));
    cuseq_session *session = session_of(model);
    const struct cpu *cpu = session->state;
    const struct head *head = &cpu->structure->output.heads[0];
    if (!available(session))
      cr_skip_test("this processor has no instructions to screen with");
    const size_t columns = (size_t)head->units + SCREEN_COLUMNS;
    struct bound_case of = {.cpu = cpu,
                            .dense = &head->layers.layers[0],
                            .x = calloc(INPUTS, sizeof(float)),
                            .most = calloc(columns, sizeof(float)),
                            .logits = calloc(columns, sizeof(float)),
                            .inputs = calloc(INPUTS + CPU_LANES, 1)};
    cr_assert_eq(of.dense->inputs, INPUTS);
    double tightest = INFINITY;
    for (int trial = 0; trial < TRIALS; trial++) {
      const float size = trial % 4 == 3 ? 1e12f : trial % 4 == 2 ? 1e-12f : 1.0f;
      for (int32_t k = 0; k < INPUTS; k++)
        of.x[k] = size * (random_below(&random, 2001) / 1000.0f - 1.0f) * (trial % 2 && k % 9 ? 1e-3f : 1.0f);
      expect_bounds(&of, &tightest);
    }
    /* what is lost in 8 bits is some 1% of weights of 0.3 and less */
    cr_expect(tightest < 0.1 * (double)factors[f] || f == 3, "%g", tightest);
    for (int32_t j = 0; j < head->units; j += 11)
      expect_worst(&of, j);
    free(of.x);
    free(of.most);
    free(of.logits);
    free(of.inputs);
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
}

Test(cpu_screen, inputs_out_of_range_are_not_taken) {
  static const float numbers[] = {NAN, INFINITY, -INFINITY, 1e19f, -1e19f, 1e-19f, 0.0f};
  screen("1");
  cuseq_model *model = beam_case_model_of(structures[0].json, 1);
  cuseq_session *session = session_of(model);
  const struct cpu *cpu = session->state;
  if (!available(session))
    cr_skip_test("this processor has no instructions to screen with");
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
    for (int32_t k = 0; k < 13; k++) {
      float x[13] = {0.0f};
      x[k] = numbers[n];
      cr_expect_not(screen_takes(cpu, &cpu->workers[0], x), "%g", (double)numbers[n]);
      x[k] = 1.0f;
      cr_expect(screen_takes(cpu, &cpu->workers[0], x));
    }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* A token that is far above all others is found without all logits, of each of several rows. */
Test(cpu_screen, one_group_is_looked_at_again) {
  enum { S = 13, V = 150, BEST = 77 };
  static float kernel[S * V], x[SCREENED_ROWS][S];
  const float *rows[SCREENED_ROWS];
  int32_t tokens[SCREENED_ROWS];
  for (int32_t n = 0; n < S * V; n++)
    kernel[n] = n % V == BEST ? 10.0f : n % V == BEST - 1 ? -10.0f : 0.01f * (float)(n % 11);
  for (int32_t n = 0; n < SCREENED_ROWS * S; n++)
    x[n / S][n % S] = n / S % 2 ? -0.5f : 0.5f;
  screen("1");
  cuseq_model *model =
      changed_model_with(beam_case_model_of(structures[0].json, 1), "output.layers.0.kernel", kernel);
  cuseq_session *session = session_of(model);
  const struct cpu *cpu = session->state;
  if (!available(session))
    cr_skip_test("this processor has no instructions to screen with");
  for (int32_t n = 0; n < SCREENED_ROWS; n++)
    rows[n] = x[n];
  screen_tokens(cpu, &cpu->workers[0], rows, SCREENED_ROWS, tokens);
  for (int32_t n = 0; n < SCREENED_ROWS; n++)
    cr_expect_eq(tokens[n], n % 2 ? BEST - 1 : BEST, "%d", (int)tokens[n]);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* ---- the same bits ---- */

enum { OUTPUTS = 1, LOG_PROBABILITIES = 2, TOKENS_ONLY = 0, WANTED = 4 };

static void run(const cuseq_model *model, int32_t batch, int wanted, int32_t threads, const int32_t *targets,
                struct results *results) {
  struct rows rows;
  rows_make(&rows, batch, TIME, 7);
  results_make(results, model, batch, TIME, STEPS);
  if (!(wanted & OUTPUTS))
    results->decoding.outputs = NULL;
  if (!(wanted & LOG_PROBABILITIES))
    results->decoding.log_probabilities = NULL;
  results->decoding.targets = targets;
  results_run(results, model, "cpu", threads, &rows.input);
  free(rows.x);
}

/* What a model gives with screening and without, of one row and of more. */
static void expect_same(const cuseq_model *model, const int32_t *targets, const char *what) {
  for (int32_t batch = 1; batch <= ROWS_MOST; batch += batch == 1 ? 1 : 3)
    for (int wanted = 0; wanted < WANTED; wanted++)
      for (int32_t threads = 1; threads <= 2; threads++) {
        struct results want, got;
        screen("0");
        run(model, batch, wanted, 1, targets, &want);
        screen("1");
        run(model, batch, wanted, threads, targets, &got);
        for (int32_t b = 0; b < batch; b++)
          cr_assert(results_same_row(&got, b, &want, b), "%d rows, wanted %d, %d threads: %s: %s", (int)batch,
                    wanted, (int)threads, results_report(), what);
        results_free(&want);
        results_free(&got);
      }
}

static void shared_parts(void) {
  setenv("CUSEQ_CPU_PART", "1", 1);
}

Test(cpu_screen, it_gives_what_all_logits_give, .init = shared_parts) {
  int32_t targets[ROWS_MOST * STEPS];
  for (int i = 0; i < STRUCTURES; i++)
    for (uint64_t seed = 1; seed <= MODELS; seed++) {
      cuseq_model *model = beam_case_model_of(structures[i].json, seed);
      expect_same(model, NULL, structures[i].json);
      const int32_t V = cuseq_model_config(model)->outputs;
      for (int32_t n = 0; n < ROWS_MOST * STEPS; n++)
        targets[n] = (n * 7 + (int32_t)seed) % V;
      if (seed == 1 && cuseq_model_config(model)->feedback == CUSEQ_FEEDBACK_OUTPUT)
        expect_same(model, targets, structures[i].json);
      cuseq_model_destroy(model);
    }
}

/* Columns that are equal, all of them or but for the last bit; a token far above all others; numbers out of
 * range. */
Test(cpu_screen, columns_that_are_alike_or_out_of_range, .init = shared_parts) {
  enum { S = 13, V = 1030 };
  static const char *const json =
      ENCODER "'decoder':{'reads':['token'],'embedding':5," TOKENS GRU("13") "}," HEAD("1030", "softmax");
  static float kernel[S * V], zeros[V];
  static const char *const names[] = {"pairs", "the last bit", "all",  "one",
                                      "large", "small",        "zero", "halves"};
  struct random random = {5};
  for (int kind = 0; kind < 8; kind++) {
    for (int32_t k = 0; k < S; k++)
      for (int32_t j = 0; j < V; j++) {
        const float weight = random_below(&random, 2001) / 1000.0f - 1.0f,
                    before = j > 0 ? kernel[k * V + j - 1] : 0.5f;
        kernel[k * V + j] = kind == 0    ? j % 2 ? before : weight
                            : kind == 1  ? j % 2 ? nextafterf(before, 2.0f) : weight
                            : kind == 2  ? j > 0 ? before : weight
                            : kind == 3  ? j == 77 ? 30.0f * weight : 1e-3f * weight
                            : kind == 4  ? 1e19f * weight
                            : kind == 5  ? 1e-25f * weight
                            : kind == 6  ? 0.0f
                            : j >= V / 2 ? kernel[k * V + j - V / 2]
                                         : weight;
      }
    cuseq_model *model = changed_model_with(beam_case_model_of(json, 1), "output.layers.0.kernel", kernel);
    model = changed_model_with(model, "output.layers.0.bias", zeros);
    expect_same(model, NULL, names[kind]);
    cuseq_model_destroy(model);
  }
  for (int32_t j = 0; j < V; j++)
    kernel[j] = -100.0f;
  cuseq_model *model = changed_model_with(beam_case_model_of(json, 1), "output.layers.0.bias", kernel);
  expect_same(model, NULL, "below zero");
  cuseq_model_destroy(model);
}

/* The line of a call whose logits are beyond float32. */
static void refusal(const cuseq_model *model, const char *how, const int32_t *targets, char words[256]) {
  struct rows rows;
  struct results results;
  rows_make(&rows, 2, TIME, 7);
  results_make(&results, model, 2, TIME, STEPS);
  results.decoding.outputs = NULL;
  results.decoding.targets = targets;
  screen(how);
  cuseq_session *session = session_of(model);
  cr_expect_neq(cuseq_run(session, &rows.input, &results.encoding, &results.decoding), CUSEQ_STATUS_OK);
  snprintf(words, 256, "%s", cuseq_last_error());
  cuseq_session_close(session);
  results_free(&results);
  free(rows.x);
}

Test(cpu_screen, logits_that_are_not_finite_are_refused_alike) {
  enum { S = 13, V = 150 };
  static float kernel[S * V];
  static const int32_t targets[2 * STEPS];
  for (int32_t n = 0; n < S * V; n++)
    kernel[n] = n % 2 ? 3e38f : -3e38f;
  cuseq_model *model =
      changed_model_with(beam_case_model_of(structures[0].json, 1), "output.layers.0.kernel", kernel);
  model = changed_model_times(model, "decoder.layers.0.kernel", 1e10f); /* states of 1 and -1 */
  for (int given = 0; given < 2; given++) {
    char want[256], got[256];
    refusal(model, "0", given ? targets : NULL, want);
    refusal(model, "1", given ? targets : NULL, got);
    cr_expect_str_eq(got, want);
  }
  cuseq_model_destroy(model);
}

Test(cpu_screen, structures_by_chance) {
  struct random random = {29};
  for (int i = 0; i < 60; i++) {
    struct random_structure made;
    struct results want, got;
    random_structure_make(&made, &random, 40);
    screen("0");
    random_structure_run(&made, "cpu", 1, &want);
    screen("1");
    random_structure_run(&made, "cpu", 1 + i % 2, &got);
    for (int32_t b = 0; b < (want.B > want.encoded ? want.B : want.encoded); b++)
      cr_expect(results_same_row(&got, b, &want, b), "%s: %s", results_report(), made.json);
    results_free(&want);
    results_free(&got);
    random_structure_free(&made);
  }
}
