/* What a call gives, and whether it is right. */
#include "arrays.h"
#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Elements of four bytes. */
static void *zeroed(size_t count) {
  void *memory = array_take(count * 4);
  if (memory)
    memset(memory, 0, count * 4);
  return memory;
}

bool answers_make(struct answers *answers, const struct workload *w, int wanted) {
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = (size_t)workload_annotations(w),
               Y = (size_t)workload_steps(w);
  *answers = (struct answers){0};
  bool made = true;
  if (w->encodes_only || (wanted & ANSWERS_ANNOTATIONS)) {
    answers->annotations = zeroed(B * T * A);
    made = answers->annotations != NULL;
  }
  if (!w->encodes_only && (wanted & ANSWERS_RESULTS)) {
    answers->contexts = zeroed(B * Y * A);
    answers->alphas = zeroed(B * Y * T);
    made = made && answers->contexts && answers->alphas;
  }
  if (w->S > 0 && (wanted & ANSWERS_RESULTS)) {
    answers->outputs = zeroed(B * Y * (size_t)w->V);
    answers->tokens = zeroed(B * Y);
    made = made && answers->outputs && answers->tokens;
  }
  if (!made) {
    answers_free(answers);
    fprintf(stderr, "bench: %s: out of memory\n", w->name);
  }
  return made;
}

void answers_free(struct answers *answers) {
  array_release(answers->annotations);
  array_release(answers->contexts);
  array_release(answers->alphas);
  array_release(answers->outputs);
  array_release(answers->tokens);
  *answers = (struct answers){0};
}

cuseq_status workload_call(const struct workload *w, cuseq_session *session, const cuseq_input *input,
                           const struct answers *answers) {
  const cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = answers->annotations};
  if (w->encodes_only)
    return cuseq_encode(session, input, &encoding);
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .contexts = answers->contexts,
                                   .alphas = answers->alphas,
                                   .outputs = answers->outputs,
                                   .tokens = answers->tokens};
  return cuseq_run(session, input, answers->annotations ? &encoding : NULL, &decoding);
}

cuseq_status instance_call(const struct instance *instance, cuseq_session *session,
                           const struct answers *answers) {
  const cuseq_input input = instance_input(instance);
  return workload_call(&instance->workload, session, &input, answers);
}

/* Multiply-adds of the encoder's row beyond which the reference, which takes about a second for so many, is
 * asked for one row. */
static const double LONG_ROW = 1e9;

static double row_work(const struct workload *w) {
  const double inputs = w->ids ? 0 : w->F, more = (workload_layers(w) - 1) * (workload_annotations(w) + w->H);
  return workload_directions(w) * 4.0 * w->H * w->T * (inputs + w->H + more);
}

/* The float64 reference's answers for the rows that are verified, each as a batch of one. */
static bool make_reference(struct instance *instance) {
  const struct workload *w = &instance->workload;
  const int32_t rows = row_work(w) > LONG_ROW ? 1 : VERIFIED_ROWS;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = "reference";
  options.max_time = w->T;
  cuseq_session *session;
  cuseq_status status = cuseq_session_open(instance->model, &options, &session);
  struct workload one = *w;
  one.B = 1;
  for (int32_t n = 0; n < rows && status == CUSEQ_STATUS_OK; n++) {
    const int32_t b = rows == 1 ? w->B - 1 : (int32_t)((int64_t)(w->B - 1) * n / (rows - 1));
    const size_t skipped = (size_t)b * (size_t)w->T;
    cuseq_input input = instance_input(instance);
    input.data = w->ids ? (const void *)(instance->ids + skipped)
                        : (const void *)(instance->x + skipped * (size_t)w->F);
    input.batch = 1;
    input.lengths = instance->lengths ? instance->lengths + b : NULL;
    instance->rows[n] = b;
    if (!answers_make(&instance->reference[n], &one, ANSWERS_RESULTS | ANSWERS_ANNOTATIONS))
      break;
    status = workload_call(w, session, &input, &instance->reference[n]);
    instance->has_reference = status == CUSEQ_STATUS_OK && n == rows - 1;
    instance->verified = n + 1;
  }
  cuseq_session_close(session);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s: %s\n", w->name, cuseq_last_error());
  return instance->has_reference;
}

/* The larger of `worst` and the largest |got - want| / (tolerance x max(1, |want|)); NaN counts as
 * infinite. */
static double worst_share(double worst, const float *got, const float *want, size_t count, double tolerance) {
  for (size_t i = 0; i < count; i++) {
    const double size = fabs((double)want[i]) > 1.0 ? fabs((double)want[i]) : 1.0;
    const double share = fabs((double)got[i] - (double)want[i]) / (tolerance * size);
    worst = share <= worst ? worst : isnan(share) ? INFINITY : share;
  }
  return worst;
}

/* Whether a step's token is the reference's, or one that its outputs do not tell from it. */
static bool same_token(int32_t got, int32_t want, const float *outputs, int32_t V, double tolerance) {
  return got == want ||
         (got >= 0 && got < V && fabs((double)outputs[got] - (double)outputs[want]) <= 2.0 * tolerance);
}

static double allowed(const struct instance *instance, cuseq_result result) {
  return cuseq_model_tolerance(instance->model, CUSEQ_PRECISION_FLOAT32, instance->workload.T,
                               workload_steps(&instance->workload), result);
}

bool instance_verify(struct instance *instance, const struct answers *got, double *worst) {
  const struct workload *w = &instance->workload;
  const size_t A = (size_t)workload_annotations(w), T = (size_t)w->T, Y = (size_t)workload_steps(w),
               V = (size_t)w->V;
  *worst = INFINITY;
  if (!instance->has_reference && !make_reference(instance))
    return false;
  *worst = 0.0;
  for (int n = 0; n < instance->verified; n++) {
    const size_t b = (size_t)instance->rows[n];
    const struct answers *want = &instance->reference[n];
    if (got->annotations)
      *worst = worst_share(*worst, got->annotations + b * T * A, want->annotations, T * A,
                           allowed(instance, CUSEQ_RESULT_ANNOTATIONS));
    if (!got->contexts)
      continue;
    *worst = worst_share(*worst, got->contexts + b * Y * A, want->contexts, Y * A,
                         allowed(instance, CUSEQ_RESULT_CONTEXTS));
    *worst = worst_share(*worst, got->alphas + b * Y * T, want->alphas, Y * T,
                         allowed(instance, CUSEQ_RESULT_ALPHAS));
    if (!got->outputs)
      continue;
    *worst = worst_share(*worst, got->outputs + b * Y * V, want->outputs, Y * V,
                         allowed(instance, CUSEQ_RESULT_OUTPUTS));
    for (size_t y = 0; y < Y; y++)
      if (!same_token(got->tokens[b * Y + y], want->tokens[y], want->outputs + y * V, w->V,
                      allowed(instance, CUSEQ_RESULT_OUTPUTS)))
        *worst = INFINITY;
  }
  return *worst <= 1.0;
}
