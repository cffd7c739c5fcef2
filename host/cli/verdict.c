#include "cli/verdict.h"

#include <math.h>

void verdicts_allow(struct verdicts *verdicts, const cuseq_model *model, cuseq_precision precision,
                    int32_t time, int32_t steps, double room) {
  static const cuseq_result results[] = {[RESULT_ANNOTATIONS] = CUSEQ_RESULT_ANNOTATIONS,
                                         [RESULT_H_FW] = CUSEQ_RESULT_ENCODER_H,
                                         [RESULT_C_FW] = CUSEQ_RESULT_ENCODER_C,
                                         [RESULT_H_BW] = CUSEQ_RESULT_ENCODER_H,
                                         [RESULT_C_BW] = CUSEQ_RESULT_ENCODER_C,
                                         [RESULT_CONTEXT] = CUSEQ_RESULT_CONTEXTS,
                                         [RESULT_ALPHAS] = CUSEQ_RESULT_ALPHAS,
                                         [RESULT_STATES] = CUSEQ_RESULT_STATES,
                                         [RESULT_OUTPUTS] = CUSEQ_RESULT_OUTPUTS,
                                         [RESULT_LOG_PROBABILITIES] = CUSEQ_RESULT_LOG_PROBABILITIES};
  for (int id = 0; id < RESULT_COUNT; id++)
    if (!result_is_integer((enum result_id)id))
      verdicts->tolerance[id] = room * cuseq_model_tolerance(model, precision, time, steps, results[id]);
}

static double error_of(double got, double want) {
  double error = fabs(got - want) / fmax(1, fabs(want));
  return isnan(error) ? INFINITY : error;
}

void verdict_judge(struct verdict *verdict, double tolerance, double got, double want, int64_t row,
                   size_t element) {
  double error = error_of(got, want);
  verdict->compared++;
  verdict->missed += !(error <= tolerance);
  if (verdict->compared > 1 && !(error > verdict->worst))
    return;
  verdict->worst = error;
  verdict->got = got;
  verdict->want = want;
  verdict->row = row;
  verdict->element = element;
}

bool verdict_is_tie(const float *outputs, int32_t count, int32_t a, int32_t b, double tolerance) {
  double best = -INFINITY;
  if (a < 0 || b < 0 || a >= count || b >= count)
    return false;
  for (int32_t v = 0; v < count; v++)
    best = fmax(best, (double)outputs[v]);
  return best - fmin((double)outputs[a], (double)outputs[b]) <= 2 * tolerance * fmax(1, fabs(best));
}

struct row_pair {
  const struct results *got, *want;
  int32_t slot;
  int64_t row;
};

/* Compares the tokens of a row; returns up to how many steps the row can be compared. */
static int32_t judge_tokens(struct verdicts *verdicts, const cuseq_config *config,
                            const struct row_pair *pair) {
  int32_t steps = (int32_t)pair->want->arrays[RESULT_TOKENS].shape[1];
  const int32_t *got = results_integers(pair->got, RESULT_TOKENS, pair->slot);
  const int32_t *want = results_integers(pair->want, RESULT_TOKENS, pair->slot);
  const float *outputs = results_floats(pair->want, RESULT_OUTPUTS, pair->slot);
  bool depends = !verdicts->given && (config->feedback == CUSEQ_FEEDBACK_OUTPUT || config->end_token >= 0);
  for (int32_t y = 0; y < steps; y++) {
    bool may_differ =
        got[y] != want[y] && verdict_is_tie(outputs + (size_t)y * (size_t)config->outputs, config->outputs,
                                            got[y], want[y], verdicts->tolerance[RESULT_OUTPUTS]);
    verdicts->ties += may_differ;
    if (!may_differ)
      verdict_judge(&verdicts->arrays[RESULT_TOKENS], 0, got[y], want[y], pair->row, (size_t)y);
    if (may_differ && depends) {
      verdicts->parted++;
      return y + 1;
    }
  }
  return steps;
}

static void judge_row(struct verdicts *verdicts, const cuseq_config *config, const struct row_pair *pair) {
  int32_t all = config->has_decoder ? (int32_t)pair->want->arrays[RESULT_TOKENS].shape[1] : 1;
  int32_t steps = config->has_decoder ? judge_tokens(verdicts, config, pair) : 1;
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &pair->want->arrays[id];
    if (result->rank == 0 || result_is_integer((enum result_id)id))
      continue;
    size_t elements = result_row(result);
    if (id >= RESULT_CONTEXT)
      elements = elements / (size_t)all * (size_t)steps;
    const float *got = results_floats(pair->got, (enum result_id)id, pair->slot);
    const float *want = results_floats(pair->want, (enum result_id)id, pair->slot);
    for (size_t i = 0; i < elements; i++)
      verdict_judge(&verdicts->arrays[id], verdicts->tolerance[id], (double)got[i], (double)want[i],
                    pair->row, i);
  }
  if (pair->want->arrays[RESULT_OUTPUT_LENGTHS].rank && steps == all)
    verdict_judge(&verdicts->arrays[RESULT_OUTPUT_LENGTHS], 0,
                  *results_integers(pair->got, RESULT_OUTPUT_LENGTHS, pair->slot),
                  *results_integers(pair->want, RESULT_OUTPUT_LENGTHS, pair->slot), pair->row, 0);
}

void verdicts_add(struct verdicts *verdicts, const cuseq_config *config, const struct results *got,
                  const struct results *want, int64_t first, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    judge_row(verdicts, config, &(struct row_pair){got, want, i, first + i});
}

bool verdicts_missed(const struct verdicts *verdicts) {
  for (int id = 0; id < RESULT_COUNT; id++)
    if (verdicts->arrays[id].missed > 0)
      return true;
  return false;
}

double verdicts_worst(const struct verdicts *verdicts) {
  double worst = 0;
  for (int id = 0; id < RESULT_COUNT; id++)
    if (!result_is_integer((enum result_id)id))
      worst = fmax(worst, verdicts->arrays[id].worst);
  return worst;
}
