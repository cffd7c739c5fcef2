/* What a beam search refuses, and what it has room for. */
#include "support/beam_case.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void expect_refused(cuseq_session *session, const cuseq_beam *beam, cuseq_status status,
                           const char *words) {
  cuseq_status got = cuseq_beam_search(session, beam);
  cr_expect_eq(got, status, "%s, wanted %s (%s)", cuseq_status_string(got), cuseq_status_string(status),
               words);
  cr_expect(strstr(cuseq_last_error(), words), "\"%s\" does not say \"%s\"", cuseq_last_error(), words);
  cr_expect(!strchr(cuseq_last_error(), '\n'));
}

Test(beam, arguments_out_of_range_are_refused) {
  cuseq_model *model = beam_case_model(2, 1); /* V 5, steps 6 */
  cuseq_session *session = beam_case_session(model, 4, TIME);
  const cuseq_status invalid = CUSEQ_STATUS_INVALID_ARGUMENT;
  cuseq_beam good, beam;
  cuseq_beam_init(&good, sizeof good);
  expect_refused(session, &good, invalid, "nothing is encoded");
  beam_case_encode(session, 0, ROWS);
  expect_refused(NULL, &good, invalid, "the session is NULL");
  expect_refused(session, NULL, invalid, "the beam is NULL");
#define REFUSED(member, value, words)                                                                        \
  beam = good;                                                                                               \
  beam.member = value;                                                                                       \
  expect_refused(session, &beam, invalid, words)
  REFUSED(size, 0, "the size of cuseq_beam is 0 (needed sizeof(cuseq_beam)");
  REFUSED(size, 12, "the size of cuseq_beam is wrong (found 12, needed");
  REFUSED(beams, 0, "beams are out of range (found 0, needed 1 to 64)");
  REFUSED(beams, 65, "beams are out of range (found 65, needed 1 to 64)");
  REFUSED(beams, 6, "beams are more than the model's outputs (found 6, needed 1 to 5)");
  REFUSED(beams, 5, "beams are more than the session has room for (found 5, needed 1 to max_beams 4)");
  REFUSED(n_best, 0, "n_best is out of range (found 0, needed 1 to beams 1)");
  REFUSED(n_best, 2, "n_best is out of range (found 2, needed 1 to beams 1)");
  REFUSED(min_length, -1, "min_length is out of range (found -1, needed 0 to max_length 6)");
  REFUSED(min_length, 7, "min_length is out of range (found 7, needed 0 to max_length 6)");
  REFUSED(max_length, 7, "max_length is out of range (found 7, needed 1 to max_steps 6)");
  REFUSED(max_length, -1, "max_length is out of range (found -1");
  REFUSED(alpha, -0.5f, "alpha is out of range (found -0.5, needed 0 to 10)");
  REFUSED(alpha, NAN, "alpha is out of range (found nan");
  REFUSED(length_penalty, (cuseq_length_penalty)3, "no such length penalty (found 3)");
  REFUSED(finished, (cuseq_finished)2, "finished is neither");
  const int32_t previous[ROWS] = {0, 5, 0};
  const float states[ROWS * 16] = {0};
  REFUSED(previous, previous, "previous: row 1 is out of range (found 5, needed 0 to 4)");
  REFUSED(initial_h, states, "initial_c is NULL");
  REFUSED(initial_fed, states, "initial_fed must be NULL");
  cr_expect_eq(cuseq_beam_search(session, &good), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(beam, a_longer_structure_is_taken_where_what_is_new_in_it_is_not_used) {
  cuseq_model *model = beam_case_model(3, 1);
  cuseq_session *session = beam_case_session(model, 2, TIME);
  struct {
    cuseq_beam beam;
    int32_t more[4];
  } longer;
  cuseq_beam_init(&longer.beam, sizeof longer);
  cr_expect(longer.beam.size == sizeof longer && longer.beam.beams == 1 && longer.beam.n_best == 1 &&
            longer.more[3] == 0);
  beam_case_encode(session, 0, 1);
  cr_expect_eq(cuseq_beam_search(session, &longer.beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  longer.more[3] = 1;
  expect_refused(session, &longer.beam, CUSEQ_STATUS_NOT_SUPPORTED,
                 "members that this version does not know");
  cuseq_beam shorter;
  memset(&shorter, 0x55, sizeof shorter);
  cuseq_beam_init(&shorter, offsetof(cuseq_beam, alpha));
  cr_expect(shorter.size == offsetof(cuseq_beam, alpha) && shorter.alpha != 1,
            "no more is written than there is");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(beam, models_without_feedback_or_probabilities_are_refused) {
#define ENCODER                                                                                              \
  "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'lstm','units':3}}]},"
  static const struct {
    const char *text, *words;
  } cases[] = {
      {ENCODER "'attention':{'score':'general'},'decoder':{'reads':['context'],'steps':3,"
               "'layers':[{'cell':{'kind':'lstm','units':3}}]},"
               "'output':{'layers':[{'units':7,'activation':'softmax'}]}}",
       "feeds no tokens back"},
      {ENCODER "'decoder':{'reads':['token'],'steps':3,'feedback':'output','start_token':0,"
               "'layers':[{'cell':{'kind':'lstm','units':3}}]},"
               "'output':{'layers':[{'units':7,'activation':'linear'}]}}",
       "no softmax or log_softmax"},
      {ENCODER "'decoder':{'reads':['token'],'steps':3,'feedback':'probabilities',"
               "'layers':[{'cell':{'kind':'lstm','units':3}}]},"
               "'output':{'layers':[{'units':7,'activation':'softmax'}]}}",
       "each step reads the probabilities of the step before"},
      {ENCODER "'output':{'over':'final','layers':[{'units':7,'activation':'softmax'}]}}", "no decoder"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cuseq_model *model = beam_case_model_of(cases[i].text, 5);
    cuseq_session *session = beam_case_session(model, 2, TIME);
    cuseq_beam beam;
    cuseq_beam_init(&beam, sizeof beam);
    beam_case_encode(session, 0, 1);
    expect_refused(session, &beam, CUSEQ_STATUS_INVALID_ARGUMENT, cases[i].words);
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
}

/* ---- room ---- */

static cuseq_status open_with(const cuseq_model *model, int32_t batch, int32_t beams, int32_t steps) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.max_batch = batch;
  options.max_beams = beams;
  options.max_steps = steps;
  cuseq_status status = cuseq_session_open(model, &options, &session);
  cuseq_session_close(session);
  return status;
}

Test(beam, more_beams_than_a_session_may_have_are_refused) {
  cuseq_model *model = beam_case_model(3, 1);
  cr_expect_eq(open_with(model, 1, 65, 0), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect(strstr(cuseq_last_error(), "max_beams is out of range (found 65"), "%s", cuseq_last_error());
  cr_expect_eq(open_with(model, 1, -1, 0), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(open_with(model, 1 << 26, 64, 0), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(open_with(model, 1, 0, 0), CUSEQ_STATUS_OK, "0 is 1: %s", cuseq_last_error());
  cuseq_model_destroy(model);
}

/* 64 beams of a row with 2^30 steps remember 3 x 2^36 numbers: more than any machine here has, so that
 * nothing is asked of it. */
Test(beam, memory_that_is_not_there_is_refused_with_what_would_fit) {
  cuseq_model *model = beam_case_model(3, 1);
  cr_expect_eq(open_with(model, 1, 7, 1 << 30), CUSEQ_STATUS_OUT_OF_MEMORY);
  cr_expect(strstr(cuseq_last_error(), "beam search: out of memory (needed ") &&
                strstr(cuseq_last_error(), "max_beams 7, max_steps 1073741824 and 7 outputs; "),
            "%s", cuseq_last_error());
  cr_expect_eq(open_with(model, 1000, 7, 1 << 26), CUSEQ_STATUS_OUT_OF_MEMORY);
  cr_expect(strstr(cuseq_last_error(), "max_batch ") && strstr(cuseq_last_error(), " would fit"), "%s",
            cuseq_last_error());
  cuseq_model_destroy(model);
}

/* What is said to fit does. */
Test(beam, the_batch_that_would_fit_fits) {
  cuseq_model *model = beam_case_model(3, 1);
  if (!memory_limit(256u << 20)) {
    cr_log_info("no limit of memory here: not run");
    cuseq_model_destroy(model);
    return;
  }
  cr_assert_eq(open_with(model, 512, 7, 20000), CUSEQ_STATUS_OUT_OF_MEMORY);
  const char *said = strstr(cuseq_last_error(), "outputs; max_batch ");
  cr_assert(said, "%s", cuseq_last_error());
  int32_t fits = (int32_t)strtol(said + strlen("outputs; max_batch "), NULL, 10);
  cr_expect(fits >= 1 && fits < 512);
  cr_expect_eq(open_with(model, fits - 1, 7, 20000), CUSEQ_STATUS_OK, "%d: %s", fits, cuseq_last_error());
  cuseq_model_destroy(model);
}

/* A decoding may have as many rows as the session has beams for, each of any encoded row. */
Test(beam, room_for_beams_is_room_for_rows_of_decodings) {
  cuseq_model *model = beam_case_model(0, 1);
  cuseq_session *session = beam_case_session(model, 2, TIME);
  int32_t rows[ROWS * 2 + 1] = {2, 1, 0, 0, 1, 2, 0}, tokens[(ROWS * 2 + 1) * LONGEST], alone[ROWS * LONGEST];
  const int32_t Y = cuseq_model_config(model)->steps;
  beam_case_encode(session, 0, ROWS);
  cr_assert_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .tokens = alone}),
               CUSEQ_STATUS_OK);
  cr_assert_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding),
                                                       .batch = ROWS * 2,
                                                       .rows = rows,
                                                       .tokens = tokens}),
               CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int32_t i = 0; i < ROWS * 2; i++)
    cr_expect(memcmp(tokens + i * Y, alone + rows[i] * Y, (size_t)Y * sizeof *tokens) == 0, "row %d", i);
  cr_expect_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding),
                                                       .batch = ROWS * 2 + 1,
                                                       .rows = rows,
                                                       .tokens = tokens}),
               CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect(strstr(cuseq_last_error(), "found 7, needed 1 to max_batch x max_beams, 6"), "%s",
            cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}
