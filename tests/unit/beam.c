/* Beam search over models: what it gives, against greedy decoding and teacher forcing. */
#include "support/beam_case.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void search(cuseq_session *session, const struct beam_found *found) {
  cr_assert_eq(cuseq_beam_search(session, &found->beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

Test(beam, of_one_gives_greedys_tokens) {
  for (int32_t s = 0; s < BEAM_STRUCTURES; s++)
    for (uint64_t seed = 1; seed <= 20; seed++) {
      cuseq_model *model = beam_case_model(s, seed);
      int32_t Y = cuseq_model_config(model)->steps, tokens[ROWS * LONGEST], steps[ROWS];
      cuseq_session *session = beam_case_session(model, 1, TIME);
      struct beam_found found;
      beam_found_make(&found, model, 1, 1);
      beam_case_encode(session, 0, ROWS);
      search(session, &found);
      /* the decoder whose tokens are given has no greedy decoding: it is given what the search found */
      const cuseq_decoding greedy = {.size = sizeof(cuseq_decoding),
                                     .tokens = tokens,
                                     .output_lengths = steps,
                                     .targets = s == BEAM_GIVEN ? found.tokens : NULL,
                                     .target_lengths = s == BEAM_GIVEN ? found.lengths : NULL};
      cr_assert_eq(cuseq_decode(session, &greedy), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
      for (int32_t b = 0; b < ROWS; b++) {
        cr_assert_eq(found.lengths[b], steps[b], "%s, seed %d, row %d", beam_case_name(s), (int)seed, b);
        cr_assert(memcmp(found.tokens + b * Y, tokens + b * Y, (size_t)Y * sizeof *tokens) == 0,
                  "%s, seed %d, row %d", beam_case_name(s), (int)seed, b);
      }
      cuseq_session_close(session);
      cuseq_model_destroy(model);
    }
}

/* Decodes every result again with its tokens forced, all hypotheses in one call, and compares sums and
 * alphas. Between the steps of a search states are float32. */
static void expect_forced(cuseq_session *session, const cuseq_model *model, const struct beam_found *found,
                          const char *name) {
  const int32_t N = found->beam.n_best, Y = cuseq_model_config(model)->steps;
  int32_t rows[RESULTS];
  static float logs[RESULTS * LONGEST], alphas[RESULTS * LONGEST * TIME];
  for (int32_t i = 0; i < ROWS * N; i++)
    rows[i] = i / N;
  const cuseq_decoding forced = {.size = sizeof(cuseq_decoding),
                                 .batch = ROWS * N,
                                 .rows = rows,
                                 .targets = found->tokens,
                                 .target_lengths = found->lengths,
                                 .log_probabilities = logs,
                                 .alphas = found->beam.alphas ? alphas : NULL};
  cr_assert_eq(cuseq_decode(session, &forced), CUSEQ_STATUS_OK, "%s: %s", name, cuseq_last_error());
  for (int32_t i = 0; i < ROWS * N; i++) {
    double sum = 0;
    for (int32_t y = 0; y < found->lengths[i]; y++)
      sum += (double)logs[i * Y + y];
    cr_assert(fabs(sum - (double)found->sums[i]) <= 2e-6 * fmax(1, fabs(sum)),
              "%s, result %d: sum %.9g, forced %.9g", name, i, (double)found->sums[i], sum);
    for (int32_t j = 0; found->beam.alphas && j < Y * TIME; j++)
      cr_assert(fabsf(found->alphas[i * Y * TIME + j] - alphas[i * Y * TIME + j]) <= 1e-6f,
                "%s, result %d: alphas at %d: %.9g, forced %.9g", name, i, j,
                (double)found->alphas[i * Y * TIME + j], (double)alphas[i * Y * TIME + j]);
  }
}

/* Best first, all different, ended by the end token or as long as may be, and filled up behind. */
static void expect_in_order(const cuseq_model *model, const struct beam_found *found, const char *name) {
  const cuseq_config *config = cuseq_model_config(model);
  int32_t N = found->beam.n_best, Y = config->steps;
  for (int32_t i = 0; i < ROWS * N; i++) {
    const int32_t *tokens = found->tokens + i * Y;
    int32_t length = found->lengths[i];
    cr_assert(length >= 1 && length <= Y, "%s: length %d", name, length);
    for (int32_t y = 0; y < Y; y++)
      cr_assert_eq(tokens[y] == config->end_token,
                   config->end_token >= 0 && y >= length - 1 &&
                       (y >= length || tokens[length - 1] == config->end_token),
                   "%s, result %d: token %d is %d", name, i, y, tokens[y]);
    cr_assert(length == Y || tokens[length - 1] == config->end_token);
    for (int32_t j = i + 1; j < i / N * N + N; j++) {
      cr_assert_geq(found->scores[i], found->scores[j], "%s: results %d and %d", name, i, j);
      cr_assert(length != found->lengths[j] ||
                memcmp(tokens, found->tokens + j * Y, (size_t)length * sizeof *tokens) != 0);
    }
  }
}

Test(beam, gives_the_sums_and_alphas_that_teacher_forcing_gives) {
  for (int32_t s = 0; s < BEAM_STRUCTURES; s++)
    for (uint64_t seed = 1; seed <= 12; seed++) {
      cuseq_model *model = beam_case_model(s, seed);
      cuseq_session *session = beam_case_session(model, WIDEST_BEAM, TIME);
      struct beam_found found;
      int32_t beams = cuseq_model_config(model)->outputs < 6 ? 5 : 2 + (int32_t)seed % 5;
      beam_found_make(&found, model, beams, beams);
      found.beam.finished = seed % 2 ? CUSEQ_FINISHED_RETIRES : CUSEQ_FINISHED_KEEPS;
      found.beam.length_penalty = (cuseq_length_penalty)(seed % 3);
      found.beam.alpha = 0.7f;
      found.beam.prune_by_score = seed % 4 == 0;
      beam_case_encode(session, 0, ROWS);
      search(session, &found);
      expect_in_order(model, &found, beam_case_name(s));
      expect_forced(session, model, &found, beam_case_name(s));
      cuseq_session_close(session);
      cuseq_model_destroy(model);
    }
}

Test(beam, scores_are_sums_after_the_length_penalty) {
  cuseq_model *model = beam_case_model(0, 3);
  cuseq_session *session = beam_case_session(model, 4, TIME);
  beam_case_encode(session, 0, ROWS);
  for (int32_t penalty = 0; penalty < 3; penalty++) {
    struct beam_found found;
    beam_found_make(&found, model, 4, 4);
    found.beam.length_penalty = (cuseq_length_penalty)penalty;
    found.beam.alpha = 0.6f;
    search(session, &found);
    for (int32_t i = 0; i < ROWS * 4; i++) {
      double by = penalty == 0   ? 1
                  : penalty == 1 ? pow(found.lengths[i], 0.6f)
                                 : pow((5 + found.lengths[i]) / 6.0, 0.6f);
      cr_expect(fabs((double)found.scores[i] - (double)found.sums[i] / by) < 1e-6, "penalty %d, result %d",
                penalty, i);
    }
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* A row's results do not depend on the rows beside it, nor on searches before. */
Test(beam, of_a_row_has_the_same_bits_alone) {
  for (int32_t s = 0; s < BEAM_STRUCTURES; s++) {
    cuseq_model *model = beam_case_model(s, 5);
    const int32_t N = 3, Y = cuseq_model_config(model)->steps;
    cuseq_session *session = beam_case_session(model, 4, TIME);
    struct beam_found all, one;
    beam_found_make(&all, model, 4, N);
    beam_case_encode(session, 0, ROWS);
    search(session, &all);
    for (int32_t b = 0; b < ROWS; b++) {
      beam_found_make(&one, model, 4, N);
      beam_case_encode(session, b, 1);
      search(session, &one);
      cr_expect(memcmp(one.tokens, all.tokens + b * N * Y, (size_t)(N * Y) * sizeof(int32_t)) == 0);
      cr_expect(memcmp(one.lengths, all.lengths + b * N, (size_t)N * sizeof(int32_t)) == 0);
      cr_expect(memcmp(one.scores, all.scores + b * N, (size_t)N * sizeof(float)) == 0);
      cr_expect(memcmp(one.sums, all.sums + b * N, (size_t)N * sizeof(float)) == 0);
      if (all.beam.alphas)
        cr_expect(memcmp(one.alphas, all.alphas + b * N * Y * TIME, (size_t)(N * Y * TIME) * sizeof(float)) ==
                  0);
      for (int32_t i = N * Y; i < RESULTS * LONGEST; i++)
        cr_assert_eq(one.tokens[i], 0x55555555, "written behind its results");
    }
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
}

/* From the states, the handed-on vectors and the tokens after two greedy steps, a beam of one does what
 * greedy does. */
static void expect_continued(int32_t structure, uint64_t seed) {
  cuseq_model *model = beam_case_model(structure, seed);
  const cuseq_config *config = cuseq_model_config(model);
  const int32_t Y = config->steps, more = Y - 2;
  bool has_c = structure != 1, has_fed = config->fed_width > 0;
  cuseq_session *session = beam_case_session(model, 1, TIME);
  int32_t whole[ROWS * LONGEST], begun[ROWS * 2], previous[ROWS];
  float h[ROWS * 16], c[ROWS * 16], fed[ROWS * 16];
  beam_case_encode(session, 0, ROWS);
  cr_assert_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding), .tokens = whole}),
               CUSEQ_STATUS_OK);
  const cuseq_decoding begin = {.size = sizeof(cuseq_decoding),
                                .steps = 2,
                                .tokens = begun,
                                .final_h = h,
                                .final_c = has_c ? c : NULL,
                                .final_fed = has_fed ? fed : NULL};
  cr_assert_eq(cuseq_decode(session, &begin), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int32_t b = 0; b < ROWS; b++)
    previous[b] = begun[2 * b + 1];
  struct beam_found found;
  beam_found_make(&found, model, 1, 1);
  found.beam.max_length = more;
  found.beam.initial_h = h;
  found.beam.initial_c = has_c ? c : NULL;
  found.beam.initial_fed = has_fed ? fed : NULL;
  found.beam.previous = previous;
  search(session, &found);
  for (int32_t b = 0; b < ROWS; b++) {
    bool ended = begun[2 * b] == config->end_token || begun[2 * b + 1] == config->end_token;
    cr_expect(ended ||
                  memcmp(found.tokens + b * more, whole + b * Y + 2, (size_t)more * sizeof(int32_t)) == 0,
              "%s, seed %d, row %d", beam_case_name(structure), (int)seed, b);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(beam, begins_where_the_caller_says) {
  for (int32_t s = 0; s < BEAM_STRUCTURES; s++)
    for (uint64_t seed = 1; s != BEAM_GIVEN && seed <= 30; seed++)
      expect_continued(s, seed);
}

Test(beam, makes_no_output_shorter_or_longer_than_it_may_be) {
  cuseq_model *model = beam_case_model(1, 2);
  cuseq_session *session = beam_case_session(model, 4, TIME);
  beam_case_encode(session, 0, ROWS);
  for (int32_t least = 0; least <= 5; least++)
    for (int32_t most = least > 1 ? least : 1; most <= 5; most++) {
      struct beam_found found;
      beam_found_make(&found, model, 4, 4);
      found.beam.min_length = least;
      found.beam.max_length = most;
      search(session, &found);
      for (int32_t i = 0; i < ROWS * 4; i++)
        cr_expect((found.lengths[i] >= least && found.lengths[i] <= most) || found.lengths[i] == 0,
                  "length %d of %d to %d", found.lengths[i], least, most);
    }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* One token, which ends, and not before the second step: there is no hypothesis at all. */
Test(beam, fills_up_where_there_are_fewer_hypotheses_than_results) {
  cuseq_model *model = beam_case_model_of(
      "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'lstm','units':2}}]},"
      "'decoder':{'reads':['token'],'feedback':'output','start_token':0,'end_token':0,'steps':2,"
      "'layers':[{'cell':{'kind':'lstm','units':2}}]},"
      "'output':{'layers':[{'units':1,'activation':'softmax'}]}}",
      3);
  cuseq_session *session = beam_case_session(model, 1, TIME);
  struct beam_found found;
  beam_found_make(&found, model, 1, 1);
  found.beam.min_length = 2;
  beam_case_encode(session, 0, ROWS);
  search(session, &found);
  for (int32_t b = 0; b < ROWS; b++)
    cr_expect(found.lengths[b] == 0 && found.scores[b] == -INFINITY && found.sums[b] == -INFINITY &&
              found.tokens[2 * b] == 0 && found.tokens[2 * b + 1] == 0);
  found.beam.min_length = 1;
  search(session, &found);
  cr_expect(found.lengths[0] == 1 && found.scores[0] == 0);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* A model of two steps whose output is its biases whatever it reads. */
static cuseq_model *fixed_model(const char *activation, const float *biases, const float *zeros) {
  char text[512];
  const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {7, 4}, zeros},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, zeros},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4}, zeros},
      {"decoder.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {3, 4}, zeros},
      {"decoder.layers.0.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, zeros},
      {"decoder.layers.0.bias", CUSEQ_DTYPE_F32, 1, {4}, zeros},
      {"output.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {1, 3}, zeros},
      {"output.layers.0.bias", CUSEQ_DTYPE_F32, 1, {3}, biases}};
  cuseq_model *model;
  snprintf(text, sizeof text,
           "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'lstm','units':1}}]},"
           "'decoder':{'reads':['token'],'feedback':'output','start_token':0,'steps':2,"
           "'layers':[{'cell':{'kind':'lstm','units':1}}]},"
           "'output':{'layers':[{'units':3,'activation':'%s'}]}}",
           activation);
  cr_assert_eq(cuseq_model_create(beam_case_json(text), tensors, sizeof tensors / sizeof *tensors, &model),
               CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return model;
}

/* Biases of the output that make all but one token improbable beyond float32: their logarithms are there
 * all the same. */
Test(beam, knows_log_probabilities_whose_probabilities_vanish) {
  cuseq_model *models[2];
  float biases[3] = {0, -300, -600}, zeros[64] = {0};
  for (int i = 0; i < 2; i++)
    models[i] = fixed_model(i == 0 ? "softmax" : "log_softmax", biases, zeros);
  for (int i = 0; i < 2; i++) {
    cuseq_session *session = beam_case_session(models[i], 3, TIME);
    struct beam_found found;
    beam_found_make(&found, models[i], 3, 3);
    beam_case_encode(session, 0, 1);
    search(session, &found);
    /* two steps: 0 0, then one 1 in either place */
    cr_expect(found.sums[0] == 0 && found.sums[1] == -300 && found.sums[2] == -300, "%g %g %g",
              (double)found.sums[0], (double)found.sums[1], (double)found.sums[2]);
    cr_expect(found.tokens[2] == 0 && found.tokens[3] == 1 && found.tokens[4] == 1 && found.tokens[5] == 0);
    float logs[2];
    const int32_t targets[2] = {2, 1};
    cr_assert_eq(cuseq_decode(session, &(cuseq_decoding){.size = sizeof(cuseq_decoding),
                                                         .targets = targets,
                                                         .log_probabilities = logs}),
                 CUSEQ_STATUS_OK);
    cr_expect(logs[0] == -600 && logs[1] == -300, "%g %g", (double)logs[0], (double)logs[1]);
    cuseq_session_close(session);
    cuseq_model_destroy(models[i]);
  }
}
