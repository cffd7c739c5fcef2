/* A device's searches against the reference's: the same hypotheses where no two scores are as close as
 * float32 errs. */
#include "support/beam_case.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 19, MOST = 16, FOUND = ROWS * MOST };

/* What a search gives. */
struct given {
  int32_t tokens[FOUND * STEPS], lengths[FOUND];
  float scores[FOUND], sums[FOUND], alphas[FOUND * STEPS * TIME];
};

/* Luong's attention with input feeding, two GRU layers, an embedding; V outputs, of which the first ends. */
static cuseq_model *model_of(int32_t V, uint64_t seed) {
  static char text[1024];
  snprintf(
      text, sizeof text,
      "{'version':2,'input':{'features':7},'encoder':{'layers':[{'cell':{'kind':'gru','units':3},"
      "'direction':'bidirectional'}]},'attention':{'asks':'current','score':'general'},"
      "'decoder':{'reads':['token','attentional'],'feedback':'output','start_token':1,'end_token':0,"
      "'steps':%d,'embedding':6,'attentional':{'parts':['context','state'],'units':8,"
      "'activation':'tanh'},'layers':[{'cell':{'kind':'gru','units':6}},{'cell':{'kind':'gru','units':6}}]},"
      "'output':{'parts':['attentional'],'layers':[{'units':%d,'activation':'softmax'}]}}",
      STEPS, V);
  struct random random = {seed * 88172645463325252u};
  return trained_like_model(beam_case_json(text), NULL, &random);
}

static void search_on(const char *device, const cuseq_model *model, const cuseq_beam *rules,
                      struct given *given) {
  cuseq_session *session = beam_case_session_on(device, model, rules->beams, TIME);
  cuseq_beam beam = *rules;
  memset(given, 0x55, sizeof *given);
  beam.tokens = given->tokens;
  beam.lengths = given->lengths;
  beam.scores = given->scores;
  beam.log_probabilities = given->sums;
  beam.alphas = given->alphas;
  beam_case_encode(session, 0, ROWS);
  cr_assert_eq(cuseq_beam_search(session, &beam), CUSEQ_STATUS_OK, "%s: %s", device, cuseq_last_error());
  cuseq_session_close(session);
}

/* Whether hypothesis `i` of a row is the same in both, or is as good as another. */
static bool same(const struct given *got, const struct given *want, int32_t i, int32_t n_best, int32_t Y) {
  double allowed = 2e-5 * fmax(1, fabs((double)want->scores[i]));
  if (!(fabs((double)got->scores[i] - (double)want->scores[i]) <= allowed) &&
      !(isinf(got->scores[i]) && isinf(want->scores[i])))
    return false;
  bool alike = got->lengths[i] == want->lengths[i] &&
               memcmp(got->tokens + i * Y, want->tokens + i * Y, (size_t)Y * sizeof(int32_t)) == 0;
  bool close = false; /* to a neighbour, or to what did not get in */
  int32_t first = i / n_best * n_best;
  for (int32_t j = first; j < first + n_best; j++)
    close = close || (j != i && fabs((double)want->scores[j] - (double)want->scores[i]) <= allowed);
  if (!alike)
    return close || i == first + n_best - 1;
  for (int32_t k = 0; k < Y * TIME; k++)
    if (!(fabsf(got->alphas[i * Y * TIME + k] - want->alphas[i * Y * TIME + k]) <= 1e-4f))
      return false;
  return true;
}

static void expect_same(int32_t V, uint64_t seed, const cuseq_beam *rules) {
  static struct given want, got;
  cuseq_model *model = model_of(V, seed);
  int32_t Y = rules->max_length > 0 ? rules->max_length : STEPS, alike = 0;
  search_on("reference", model, rules, &want);
  search_on(beam_case_device(), model, rules, &got);
  for (int32_t i = 0; i < ROWS * rules->n_best; i++) {
    cr_expect(same(&got, &want, i, rules->n_best, Y),
              "V %d, seed %d, K %d, result %d: score %.9g of length %d, the reference's %.9g of length %d", V,
              (int)seed, rules->beams, i, (double)got.scores[i], got.lengths[i], (double)want.scores[i],
              want.lengths[i]);
    alike += memcmp(got.tokens + i * Y, want.tokens + i * Y, (size_t)Y * sizeof(int32_t)) == 0;
  }
  cr_expect(4 * alike >= 3 * ROWS * rules->n_best, "V %d, seed %d: %d of %d hypotheses are the reference's",
            V, (int)seed, alike, ROWS * rules->n_best);
  cuseq_model_destroy(model);
}

Test(beam_devices, any_rules_give_the_references_hypotheses) {
  static const int32_t beams[] = {1, 2, 5, 16};
  for (uint64_t seed = 1; seed <= 24; seed++) {
    cuseq_beam rules;
    cuseq_beam_init(&rules, sizeof rules);
    rules.beams = rules.n_best = beams[seed % 4];
    rules.finished = seed % 2 ? CUSEQ_FINISHED_RETIRES : CUSEQ_FINISHED_KEEPS;
    rules.length_penalty = (cuseq_length_penalty)(seed % 3);
    rules.alpha = 0.7f;
    rules.prune_by_score = seed % 5 == 0;
    rules.min_length = seed % 7 == 0 ? 4 : 0;
    rules.max_length = seed % 6 == 0 ? 9 : 0;
    expect_same(20, seed, &rules);
  }
}

/* More outputs than a block has threads, and hypotheses that all live to the last step. */
Test(beam_devices, many_outputs_give_the_references_hypotheses) {
  for (uint64_t seed = 31; seed <= 34; seed++) {
    cuseq_beam rules;
    cuseq_beam_init(&rules, sizeof rules);
    rules.beams = rules.n_best = 4;
    rules.min_length = STEPS;
    expect_same(700, seed, &rules);
  }
}
