/* Products that several threads of the cpu make in parts have the bits of one thread's. The parts here are as
 * small as they can be, so that small models have them, whatever the number of cores. */
#include "support/beam_case.h"
#include "support/compare.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 70, ROWS_MOST = 6, TIME_MOST = 9, STEPS_MOST = 5, STRUCTURES = 40, BEAMS = 5 };

static const int32_t threads_of[] = {2, 3, 4, 7};
enum { THREADS = sizeof threads_of / sizeof *threads_of };

static void check_threads(const struct random_structure *made) {
  struct results want, got;
  random_structure_run(made, "cpu", 1, &want);
  for (int t = 0; t < THREADS; t++) {
    random_structure_run(made, "cpu", threads_of[t], &got);
    for (int32_t b = 0; b < (want.B > want.encoded ? want.B : want.encoded); b++)
      cr_expect(results_same_row(&got, b, &want, b), "%d threads: %s: %s", (int)threads_of[t],
                results_report(), made->json);
    results_free(&got);
  }
  results_free(&want);
}

/* A structure by chance, or of a configuration whose quotes are single ones. */
static void check_case(struct random *random, const char *text, int32_t rows) {
  struct random_structure made;
  const int32_t time = 1 + random_below(random, TIME_MOST), steps = 1 + random_below(random, STEPS_MOST);
  char json[RANDOM_STRUCTURE_JSON];
  if (text)
    snprintf(json, sizeof json, "%s", beam_case_json(text));
  else
    random_structure_json(random, LARGEST, time, steps, json);
  random_structure_of(&made, json, random, rows, time, steps);
  check_threads(&made);
  if (!text && random_structure_give(&made, LARGEST))
    check_threads(&made);
  random_structure_free(&made);
}

static void smallest_parts(void) {
  setenv("CUSEQ_CPU_PART", "1", 1);
}

Test(cpu_parts, structures_by_chance, .init = smallest_parts) {
  struct random random = {71};
  for (int i = 0; i < STRUCTURES; i++)
    check_case(&random, NULL, 1 + i % ROWS_MOST);
}

/* An encoder of one direction, whose threads share its steps; a decoder of as many units, with an output of
 * several groups of vectors. */
static void check_cell(const char *cell, int32_t units, int32_t rows) {
  char text[1024];
  struct random random = {(uint64_t)(units * 8 + rows)};
  snprintf(text, sizeof text,
           "{'version':2,'input':{'features':%d},'encoder':{'layers':[{'cell':{%s,'units':%d},"
           "'direction':'backward'}]},'attention':{'asks':'current','score':'general'},"
           "'decoder':{'reads':['token','context'],'feedback':'output','start_token':1,'end_token':0,"
           "'steps':5,'embedding':%d,'layers':[{'cell':{%s,'units':%d}}]},"
           "'output':{'parts':['state','context'],'layers':[{'units':331,'activation':'softmax'}]}}",
           units + 3, cell, units, units / 2, cell, units);
  check_case(&random, text, rows);
}

Test(cpu_parts, cells_of_each_kind_and_of_any_number_of_blocks, .init = smallest_parts) {
  static const char *const cells[] = {"'kind':'lstm'", "'kind':'gru'", "'kind':'gru','reset':'before'",
                                      "'kind':'gru','reset':'before','activation':'relu'",
                                      "'kind':'lstm','recurrent_activation':'hard_sigmoid'"};
  static const int32_t units[] = {5, 16, 33, 100, 131, 200};
  for (size_t c = 0; c < sizeof cells / sizeof *cells; c++)
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
      for (int32_t rows = 1; rows <= 9; rows += 4)
        check_cell(cells[c], units[u], rows);
}

/* Of the sizes that are shared where nobody asks for it: the decoder's sums begin with the state's part
 * (plan_state_first()). Where there is one core, one thread does all. */
Test(cpu_parts, a_model_whose_weights_do_not_fit_one_core_s_cache) {
  check_cell("'kind':'lstm'", 200, 1);
  check_cell("'kind':'lstm'", 200, 3);
  check_cell("'kind':'gru'", 250, 1);
}

/* ---- beam search ---- */

static void search(const cuseq_model *model, int32_t threads, struct beam_found *found) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = results_precision("cpu");
  options.threads = threads;
  options.max_batch = ROWS;
  options.max_time = TIME;
  options.max_beams = BEAMS;
  beam_found_make(found, model, BEAMS, BEAMS);
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  beam_case_encode(session, 0, ROWS);
  cr_assert_eq(cuseq_beam_search(session, &found->beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
}

static int same_found(const struct beam_found *got, const struct beam_found *want) {
  return compare_bytes(got->tokens, want->tokens, sizeof got->tokens) &&
         compare_bytes(got->lengths, want->lengths, sizeof got->lengths) &&
         compare_bytes(got->scores, want->scores, sizeof got->scores) &&
         compare_bytes(got->sums, want->sums, sizeof got->sums) &&
         compare_bytes(got->alphas, want->alphas, sizeof got->alphas);
}

Test(cpu_parts, searches, .init = smallest_parts) {
  static struct beam_found want, got;
  for (int32_t structure = 0; structure < BEAM_STRUCTURES; structure++)
    for (uint64_t seed = 1; seed <= 3; seed++) {
      cuseq_model *model = beam_case_model(structure, seed);
      search(model, 1, &want);
      for (int t = 0; t < THREADS; t++) {
        search(model, threads_of[t], &got);
        cr_expect(same_found(&got, &want), "%s, seed %d, %d threads: %s", beam_case_name(structure),
                  (int)seed, (int)threads_of[t], compare_report());
      }
      cuseq_model_destroy(model);
    }
}

/* 16.1 MB of both directions' state weights. */
Test(cpu_parts, directions_that_are_made_in_turn, .init = smallest_parts) {
  struct random random = {73};
  for (int32_t rows = 1; rows <= 3; rows += 2)
    check_case(&random,
               "{'version':2,'input':{'features':5},'encoder':{'layers':[{'cell':{'kind':'gru','units':840},"
               "'direction':'bidirectional'}]},"
               "'output':{'over':'every','layers':[{'units':7,'activation':'softmax'}]}}",
               rows);
}
