/* What of a workload is verified, and by what. */
#include "workload.h"

#include <math.h>
#include <string.h>

static double allowed(const struct instance *instance, cuseq_result result) {
  return cuseq_model_tolerance(instance->model, instance->precision, instance->workload->T, 0, result);
}

/* Tokens and their log-probabilities, a row's numbers of each. */
static int judged_tokens(const struct instance *instance, size_t tokens, size_t logs,
                         struct judged judged[MOST_JUDGED]) {
  const double tolerance = allowed(instance, CUSEQ_RESULT_OUTPUTS);
  judged[0] = (struct judged){.name = "tokens", .tokens = instance->tokens, .row = tokens};
  judged[1] = (struct judged){"log-probabilities", instance->log_probabilities, NULL, logs, tolerance};
  return 2;
}

static int judged_version1(const struct instance *instance, bool all, struct judged judged[MOST_JUDGED]) {
  const struct workload *w = instance->workload;
  const size_t T = (size_t)w->T, A = (size_t)workload_annotations(w), Y = w->Y > 0 ? (size_t)w->Y : 1;
  const double annotations = allowed(instance, CUSEQ_RESULT_ANNOTATIONS),
               contexts = allowed(instance, CUSEQ_RESULT_CONTEXTS),
               alphas = allowed(instance, CUSEQ_RESULT_ALPHAS),
               outputs = allowed(instance, CUSEQ_RESULT_OUTPUTS);
  int count = 0;
  if (w->Y > 0)
    judged[count++] = (struct judged){"outputs", instance->outputs, NULL, Y * (size_t)w->V, outputs};
  else
    judged[count++] = (struct judged){"annotations", instance->annotations, NULL, T * A, annotations};
  if (!w->encode_only && (all || w->Y == 0))
    judged[count++] = (struct judged){"contexts", instance->contexts, NULL, Y * A, contexts};
  if (!w->encode_only && all)
    judged[count++] = (struct judged){"alphas", instance->alphas, NULL, Y * T, alphas};
  return count;
}

int instance_judged(const struct instance *instance, bool all, struct judged judged[MOST_JUDGED]) {
  const struct workload *w = instance->workload;
  const size_t T = (size_t)w->T, A = (size_t)workload_annotations(w), Y = (size_t)w->Y, V = (size_t)w->V;
  if (w->beams > 0)
    return judged_tokens(instance, (size_t)w->beams * Y, (size_t)w->beams, judged);
  if (w->published && w->published->decoder != DECODER_NONE)
    return judged_tokens(instance, Y, Y, judged);
  if (w->published && w->published->tagger) {
    const double tolerance = allowed(instance, CUSEQ_RESULT_OUTPUTS);
    judged[0] = (struct judged){"outputs", instance->outputs, NULL, T * V, tolerance};
    return 1;
  }
  if (w->published) {
    const double tolerance = allowed(instance, CUSEQ_RESULT_ANNOTATIONS);
    judged[0] = (struct judged){"annotations", instance->annotations, NULL, T * A, tolerance};
    return 1;
  }
  return judged_version1(instance, all, judged);
}

/* The largest |got - want| / (tolerance x max(1, |want|)) of a row; NaN counts as infinite. */
static double worst_value(const float *got, const float *want, size_t count, double tolerance) {
  double worst = 0.0;
  for (size_t i = 0; i < count; i++) {
    const double value = (double)want[i], size = fabs(value) > 1.0 ? fabs(value) : 1.0;
    const double share = fabs((double)got[i] - value) / (tolerance * size);
    worst = share <= worst ? worst : isnan(share) ? INFINITY : share;
  }
  return worst;
}

/* The row at `got_at` beside the one at `want_at`; a token that differs counts as infinite. */
static double worst_share(const struct judged *got, size_t got_at, const struct judged *want,
                          size_t want_at) {
  if (!got->tokens)
    return worst_value(got->values + got_at, want->values + want_at, got->row, got->tolerance);
  return memcmp(got->tokens + got_at, want->tokens + want_at, got->row * sizeof *got->tokens) == 0 ? 0.0
                                                                                                   : INFINITY;
}

bool reference_make(const struct instance *instance, struct instance *reference) {
  const struct workload *w = instance->workload;
  int32_t rows[VERIFIED_ROWS];
  *reference = (struct instance){.workload = w,
                                 .model = instance->model,
                                 .x = instance->x,
                                 .ids = instance->ids,
                                 .lengths = instance->lengths};
  instance_make_results(reference);
  cuseq_session *session = instance_open(reference, "reference", 1, 1);
  const int count = workload_verified(w, rows);
  bool made = session != NULL;
  for (int n = 0; n < count && made; n++) {
    const struct instance row = instance_at(reference, n);
    made = instance_call(&row, session, rows[n], 1) == CUSEQ_STATUS_OK;
  }
  cuseq_session_close(session);
  return made;
}

void reference_free(struct instance *reference) {
  reference->model = NULL; /* these are the instance's */
  reference->x = NULL;
  reference->ids = reference->lengths = NULL;
  instance_free(reference);
}

double reference_worst(const struct instance *got, const struct instance *reference) {
  struct judged ours[MOST_JUDGED], wanted[MOST_JUDGED];
  int32_t rows[VERIFIED_ROWS];
  const int count = workload_verified(got->workload, rows), arrays = instance_judged(got, true, ours);
  instance_judged(reference, true, wanted);
  double worst = 0.0;
  for (int n = 0; n < count; n++)
    for (int i = 0; i < arrays; i++)
      worst = fmax(
          worst, worst_share(&ours[i], (size_t)rows[n] * ours[i].row, &wanted[i], (size_t)n * wanted[i].row));
  return worst;
}

bool instance_verify(const struct instance *instance, cuseq_session *session, double *worst) {
  struct instance reference;
  *worst = INFINITY;
  if (instance_call(instance, session, 0, instance->workload->B) != CUSEQ_STATUS_OK)
    return false;
  if (reference_make(instance, &reference))
    *worst = reference_worst(instance, &reference);
  reference_free(&reference);
  return *worst <= 1.0;
}
