/* Products that the cpu makes once for each position in the place of every step: what is folded when, and
 * that it computes the same. */
#include "backends/cpu/fold.h"
#include "session.h"
#include "support/beam_case.h"
#include "support/changed_model.h"
#include "support/compare.h"
#include "support/random_structure.h"
#include "support/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- structures ---- */

#define ENCODER(units)                                                                                       \
  "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'lstm','units':" units           \
  "},'direction':'bidirectional'}]},"
#define HEAD(parts) "'output':{'parts':[" parts "],'layers':[{'units':9,'activation':'softmax'}]}}"
#define TOKENS "'feedback':'output','start_token':1,'end_token':2,'steps':4,"
#define LSTM(units) "{'cell':{'kind':'lstm','units':" units "}"
#define ZEROS ",'initial_h':{'from':'zeros'}"

static const struct {
  const char *json;
  enum cpu_reader reader;
  bool keys;
  bool context_read;
} structures[] = {
    {ENCODER("20") "'attention':{'score':'general','asks':'current'},"
                   "'decoder':{'reads':['token'],'embedding':5," TOKENS "'layers':[" LSTM("33") ZEROS
     ",'initial_c':{'from':'zeros'}}],'attentional':{'parts':['context','state'],'units':37,"
     "'activation':'tanh'}}," HEAD("'attentional'"),
     READER_ATTENTIONAL, true, false},
    /* a map of the values, other activations, the context behind the state, a head that reads it too */
    {ENCODER("9") "'attention':{'score':'dot','query':{'units':18,'bias':false},'value':{'units':21,'"
                  "activation':'tanh'}},"
                  "'decoder':{'reads':['attentional','token'],'embedding':5," TOKENS "'layers':[" LSTM(
                      "18") "}],'attentional':{'parts':['token','state','context'],'units':16,"
                            "'activation':'relu','bias':true}}," HEAD("'attentional','context'"),
     READER_ATTENTIONAL, true, true},
    /* the context of the step before is handed on */
    {ENCODER(
         "6") "'attention':{'score':'general','asks':'current'},"
              "'decoder':{'reads':['context','token']," TOKENS "'layers':[" LSTM(
                  "12") "}],"
                        "'attentional':{'parts':['context','state'],'units':7,'activation':'linear'}}," HEAD(
                            "'attentional'"),
     READER_ATTENTIONAL, true, true},
    {ENCODER("13") "'attention':{'score':'additive','units':11},"
                   "'decoder':{'reads':['token','context'],'embedding':5," TOKENS
                   "'layers':[{'cell':{'kind':'gru','units':35}" ZEROS "}]}," HEAD("'state'"),
     READER_CELL, false, false},
    {ENCODER("8") "'attention':{'score':'additive','units':4,'value':{'units':30}},"
                  "'decoder':{'reads':['token','context'],'embedding':5," TOKENS
                  "'layers':[{'cell':{'kind':'gru','reset':'before','units':40}" ZEROS
                  "}]}," HEAD("'state','context'"),
     READER_CELL, false, true},
    /* a token that is gathered behind it, a second layer that reads it too */
    {ENCODER("16") "'attention':{'score':'general','layer':0},"
                   "'decoder':{'reads':['context','token']," TOKENS "'layers':[" LSTM("32") "}," LSTM(
                       "32") ",'residual':true,'reads_context':true" ZEROS
                             ",'initial_c':{'from':'zeros'}}]}," HEAD("'state'"),
     READER_CELL, true, true},
    /* and one in front */
    {ENCODER("15") "'attention':{'score':'general','value':{'units':33}},"
                   "'decoder':{'reads':['token','context']," TOKENS
                   "'layers':[{'cell':{'kind':'gru','units':30}}]},"
                   "'output':{'layers':[{'units':12,'activation':'softmax'}]}}",
     READER_CELL, true, false},
    /* a query with a bias; nothing else is read, nothing is fed back */
    {ENCODER("7") "'attention':{'score':'dot','query':{'units':14,'bias':true}},"
                  "'decoder':{'reads':['context'],'feedback':'none','steps':4,'layers':[" LSTM("17") ZEROS
     ",'initial_c':{'from':'zeros'}}]},'output':{'layers':[{'units':3}]}}",
     READER_CELL, false, false},
    /* several heads */
    {ENCODER(
         "8") "'attention':{'score':'dot','asks':'current','heads':2,'query':{'units':16}},"
              "'decoder':{'reads':['token']," TOKENS "'layers':[" LSTM(
                  "16") "}],"
                        "'attentional':{'parts':['context','state'],'units':7,'activation':'tanh'}}," HEAD(
                            "'attentional'"),
     READER_NONE, false, true},
};
enum { STRUCTURES = sizeof structures / sizeof *structures, TRIALS = 4 };

static void fold_all(void) {
  setenv("CUSEQ_CPU_FOLD", "1", 1);
}

static const struct cpu *cpu_of(const cuseq_session *session) {
  return session->state;
}

static cuseq_session *session_of(const cuseq_model *model, int32_t batch, int32_t time, int32_t steps,
                                 int32_t beams) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = results_precision("cpu");
  options.max_batch = batch;
  options.max_time = time;
  options.max_steps = steps;
  options.max_beams = beams;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

/* ---- what is folded ---- */

Test(cpu_fold, what_can_be_folded, .init = fold_all) {
  for (int i = 0; i < STRUCTURES; i++) {
    cuseq_model *model = beam_case_model_of(structures[i].json, 1);
    cuseq_session *session = session_of(model, 3, 9, 4, 1);
    const struct cpu_fold *fold = &cpu_of(session)->fold;
    cr_expect_eq(fold->keys.columns > 0, structures[i].keys, "%s", structures[i].json);
    cr_expect_eq(fold->reader, structures[i].reader, "%s", structures[i].json);
    cr_expect_eq(fold->values.columns > 0, fold->reader != READER_NONE, "%s", structures[i].json);
    cr_expect_eq(fold->context_read, structures[i].context_read, "%s", structures[i].json);
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
}

/* Up to how many positions of a row keys and values are folded in a session of these limits. */
static void expect_longest(const cuseq_model *model, int32_t time, int32_t beams, int32_t keys,
                           int32_t values) {
  for (int32_t steps = 1; steps <= 12; steps += 11) { /* those of the session are not looked at */
    cuseq_session *session = session_of(model, 1, time, steps, beams);
    const struct cpu_fold *fold = &cpu_of(session)->fold;
    cr_expect_eq(fold->keys.longest, keys, "T %d, K %d: %d", (int)time, (int)beams, (int)fold->keys.longest);
    cr_expect_eq(fold->values.longest, values, "T %d, K %d: %d", (int)time, (int)beams,
                 (int)fold->values.longest);
    cuseq_session_close(session);
  }
}

static cuseq_model *model_of_steps(int32_t steps, const char *text) {
  char json[1024];
  snprintf(json, sizeof json, text, (int)steps);
  return beam_case_model_of(json, 1);
}

#define STEPS "'feedback':'output','start_token':1,'end_token':2,'steps':%d,"
#define STARTS ZEROS ",'initial_c':{'from':'zeros'}}]"

Test(cpu_fold, rows_are_folded_where_that_is_less_work) {
  static const char luong[] =
      ENCODER("100") "'attention':{'score':'general','asks':'current'},"
                     "'decoder':{'reads':['token'],'embedding':5," STEPS
                     "'layers':[" LSTM("200") "}],'attentional':{'parts':"
                                              "['context','state'],'units':200}}," HEAD("'attentional'");
  static const char bahdanau[] = ENCODER("64") "'attention':{'score':'additive','units':9},"
                                               "'decoder':{'reads':['token','context'],'embedding':5," STEPS
                                               "'layers':[" LSTM("128") STARTS "}," HEAD("'state'");
  unsetenv("CUSEQ_CPU_FOLD");
  cuseq_model *model = model_of_steps(12, luong);
  expect_longest(model, 10, 1, 10, 10);
  expect_longest(model, 100, 1, 13, 13);
  expect_longest(model, 100, 4, 55, 55);
  cuseq_model_destroy(model);
  model = model_of_steps(1, luong);
  expect_longest(model, 10, 1, 1, 1);
  cuseq_model_destroy(model);
  /* four sums of each unit are looked at, in the place of a narrow context */
  model = model_of_steps(12, bahdanau);
  expect_longest(model, 100, 1, 0, 12);
  cuseq_model_destroy(model);
  model = model_of_steps(3000, luong); /* 2 MB */
  expect_longest(model, 3000, 1, 2621, 2621);
  cuseq_model_destroy(model);
}

/* ---- what it computes ---- */

/* What was not asked for is taken over of what was. */
static void contexts_copy(const struct results *from, struct results *to) {
  for (int i = RESULTS_FIRST_DECODED; i < RESULTS_FLOATS; i++)
    if (from->floats[i].data && from->floats[i].kind == CUSEQ_RESULT_CONTEXTS)
      memcpy(to->floats[i].data, from->floats[i].data,
             from->floats[i].rows * from->floats[i].columns * sizeof(float));
}

static void expect_rows_same(const struct results *got, const struct results *want, const char *what,
                             const char *json) {
  for (int32_t b = 0; b < (want->B > want->encoded ? want->B : want->encoded); b++)
    cr_expect(results_same_row(got, b, want, b), "%s: %s: %s", what, results_report(), json);
}

/* All rows folded, none, and the shorter ones; on one thread and two, with contexts and without. */
static const char *const foldings[] = {"1", "0", ""};

static void check(struct random_structure *made) {
  struct results reference, one, other;
  random_structure_run(made, "reference", 0, &reference);
  for (int f = 0; f < 3; f++) {
    setenv("CUSEQ_CPU_FOLD", foldings[f], 1);
    random_structure_run(made, "cpu", 1, &one);
    cr_expect(results_close(&one, &reference, 1.0), "folded \"%s\": %s: %s", foldings[f], results_report(),
              made->json);
    random_structure_run(made, "cpu", 2, &other);
    expect_rows_same(&other, &one, "two threads", made->json);
    results_free(&other);
    made->no_contexts = true;
    random_structure_run(made, "cpu", 1, &other);
    made->no_contexts = false;
    contexts_copy(&one, &other);
    expect_rows_same(&other, &one, "without contexts", made->json);
    results_free(&other);
    results_free(&one);
  }
  results_free(&reference);
}

/* Rows of several lengths, that name others, continue, are given targets: as chance will have it. More
 * positions than are folded at a time. */
Test(cpu_fold, it_computes_what_the_reference_does) {
  struct random random = {23};
  for (int i = 0; i < STRUCTURES; i++)
    for (int trial = 0; trial < TRIALS; trial++) {
      struct random_structure made;
      random_structure_of(&made, beam_case_json(structures[i].json), &random, 7,
                          trial == 0 ? 29 : 1 + random_below(&random, 20), 1 + random_below(&random, 5));
      check(&made);
      random_structure_free(&made);
    }
}

Test(cpu_fold, a_row_has_the_same_bits_whatever_the_others_are) {
  for (int f = 0; f < 3; f++) {
    setenv("CUSEQ_CPU_FOLD", foldings[f], 1);
    for (int i = 0; i < STRUCTURES; i++)
      rows_expect_same_bits(beam_case_json(structures[i].json), "cpu", 13, 4);
  }
}

/* Of rows that are not folded the last one makes parts of its sums early (plan_state_first()). */
Test(cpu_fold, a_row_has_the_same_bits_where_a_step_reads_more_than_a_cache_holds) {
  unsetenv("CUSEQ_CPU_FOLD");
  rows_expect_same_bits(
      beam_case_json(ENCODER("64") "'attention':{'score':'additive','units':9},"
                                   "'decoder':{'reads':['token','context'],'embedding':5,'feedback':'output',"
                                   "'start_token':1,'steps':9,'layers':[" LSTM("256") STARTS
                     "}," HEAD("'state'")),
      "cpu", 13, 9);
}

/* ---- numbers that are not finite ---- */

/* The last of two positions is beyond all others, and no energy has it looked at. */
#define LARGE                                                                                                \
  "{'version':2,'input':{'features':1},'encoder':{'layers':[{'cell':{'kind':'gru','units':8,"                \
  "'activation':'linear'}}]},'attention':{'score':'general','scale':1e-30,'positions':2},"                   \
  "'decoder':{"

static cuseq_model *large_model(const char *rest, const char *name, float factor) {
  static const float bias[2] = {0.0f, -1e37f};
  char text[1024];
  snprintf(text, sizeof text, "%s%s", LARGE, rest);
  cuseq_model *plain = beam_case_model_of(text, 5);
  return changed_model_times(changed_model_with(plain, "attention.position_bias", bias), name, factor);
}

/* The second row's keys or values cannot be folded, the first one's are; both compute what the reference
 * does. */
static void expect_finite(const cuseq_model *model, bool keys, int32_t steps) {
  static const float x[2][2] = {{0.5f, -0.25f}, {0.5f, 1e30f}};
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 2, .time = 2};
  struct results want, got;
  results_make(&want, model, 2, 2, steps);
  results_make(&got, model, 2, 2, steps);
  results_run(&want, model, "reference", 0, &input);
  cuseq_session *session = session_of(model, 2, 2, steps, 1);
  cr_assert_eq(cuseq_run(session, &input, &got.encoding, &got.decoding), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  const struct cpu_fold *fold = &cpu_of(session)->fold;
  cr_expect(keys ? fold->keys.made[0] && !fold->keys.made[1] : fold->values.made[0] && !fold->values.made[1]);
  /* annotations of such numbers are not exact; the outputs of what is not looked at are */
  const double tolerance =
      cuseq_model_tolerance(model, results_precision("cpu"), 2, steps, CUSEQ_RESULT_OUTPUTS);
  cr_expect(compare_f32(got.decoding.outputs, want.decoding.outputs,
                        2 * (size_t)steps * (size_t)cuseq_model_config(model)->outputs, tolerance),
            "%s", compare_report());
  cuseq_session_close(session);
  results_free(&got);
  results_free(&want);
}

Test(cpu_fold, a_row_whose_folded_numbers_are_beyond_float32_goes_without, .init = fold_all) {
  cuseq_model *model = large_model("'reads':['token']," TOKENS "'layers':["
                                   "{'cell':{'kind':'gru','units':8}" ZEROS "}],"
                                   "'attentional':{'parts':['context','state'],'units':8,"
                                   "'activation':'tanh'}}," HEAD("'attentional'"),
                                   "decoder.attentional.kernel", 1e20f);
  expect_finite(model, false, 3);
  cuseq_model_destroy(model);
  model = large_model("'reads':['context']," TOKENS "'layers':["
                      "{'cell':{'kind':'gru','units':8}" ZEROS "}]}," HEAD("'state'"),
                      "decoder.layers.0.kernel", 1e20f);
  expect_finite(model, false, 3);
  cuseq_model_destroy(model);
  /* nothing asks at the first step: its energies are zeros */
  model = large_model("'reads':['context']," TOKENS "'layers':["
                      "{'cell':{'kind':'gru','units':8}" ZEROS "}]}," HEAD("'state'"),
                      "attention.general", 1e20f);
  expect_finite(model, true, 1);
  cuseq_model_destroy(model);
}
