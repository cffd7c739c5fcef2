/* Workloads that run: a model, its input, a session's calls. */
#include "random.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t at_least_one(int32_t count) {
  return count > 0 ? (size_t)count : 1;
}

/* Steps of a row: of its decoder, or the positions that a tagger labels. */
static size_t steps_of(const struct workload *w) {
  return w->published && w->published->tagger ? (size_t)w->T : at_least_one(w->Y);
}

static size_t outputs_of(const struct workload *w) {
  return steps_of(w) * at_least_one(w->V);
}

void instance_make_results(struct instance *instance) {
  const struct workload *w = instance->workload;
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = (size_t)workload_annotations(w),
               Y = at_least_one(w->Y);
  const size_t hypotheses = at_least_one(w->beams);
  instance->annotations = checked(calloc(B * T * A, sizeof(float)));
  instance->tokens = checked(calloc(B * hypotheses * Y, sizeof(int32_t)));
  instance->log_probabilities = checked(calloc(B * (w->beams > 0 ? hypotheses : Y), sizeof(float)));
  if (w->published && !w->published->tagger)
    return;
  instance->contexts = checked(calloc(B * Y * A, sizeof(float)));
  instance->alphas = checked(calloc(B * Y * T, sizeof(float)));
  instance->outputs = checked(calloc(B * outputs_of(w), sizeof(float)));
}

bool instance_make(struct instance *instance, const struct workload *workload) {
  const struct workload *w = workload;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  *instance = (struct instance){.workload = workload};
  if (w->published)
    random_seed(1000003); /* whatever was made before, so that no two best tokens come too near by chance */
  instance->model = workload_model(w);
  if (!instance->model)
    return false;
  if (w->ids) {
    instance->ids = checked(malloc(positions * sizeof(int32_t)));
    for (size_t i = 0; i < positions; i++)
      instance->ids[i] = (int32_t)(random_bits() % (uint32_t)w->F);
  } else {
    instance->x = random_array(positions * (size_t)w->F, 1.0f);
  }
  if (w->ragged) {
    instance->lengths = checked(malloc((size_t)w->B * sizeof(int32_t)));
    workload_lengths(w, instance->lengths);
  }
  instance_make_results(instance);
  return true;
}

void instance_free(struct instance *instance) {
  cuseq_model_destroy(instance->model);
  free(instance->x);
  free(instance->ids);
  free(instance->lengths);
  free(instance->annotations);
  free(instance->contexts);
  free(instance->alphas);
  free(instance->outputs);
  free(instance->log_probabilities);
  free(instance->tokens);
}

struct instance instance_at(const struct instance *instance, int32_t row) {
  const struct workload *w = instance->workload;
  const size_t b = (size_t)row, T = (size_t)w->T, A = (size_t)workload_annotations(w), Y = at_least_one(w->Y);
  struct instance at = *instance;
  at.annotations += b * T * A;
  at.tokens += b * at_least_one(w->beams) * Y;
  at.log_probabilities += b * (w->beams > 0 ? (size_t)w->beams : Y);
  if (!at.outputs)
    return at;
  at.contexts += b * Y * A;
  at.alphas += b * Y * T;
  at.outputs += b * outputs_of(w);
  return at;
}

cuseq_session *instance_open(const struct instance *instance, const char *device, int32_t threads,
                             int32_t batch) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = device;
  if (strcmp(device, "reference") != 0)
    options.precision = instance->precision;
  options.threads = threads;
  options.max_batch = batch;
  options.max_time = instance->workload->T;
  if (instance->workload->beams > 0)
    options.max_beams = instance->workload->beams;
  cuseq_session *session;
  if (cuseq_session_open(instance->model, &options, &session) != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s\n", cuseq_last_error());
  return session;
}

bool instance_has_bf16(const struct instance *instance) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, instance->model);
  options.device = "cpu";
  options.precision = CUSEQ_PRECISION_BF16;
  cuseq_session *session;
  const bool has = cuseq_session_open(instance->model, &options, &session) == CUSEQ_STATUS_OK;
  cuseq_session_close(session);
  return has;
}

/* Encodes and searches; all hypotheses come out. */
static cuseq_status search(const struct instance *instance, cuseq_session *session,
                           const cuseq_input *input) {
  cuseq_beam beam;
  cuseq_beam_init(&beam, sizeof beam);
  beam.beams = beam.n_best = instance->workload->beams;
  beam.tokens = instance->tokens;
  beam.log_probabilities = instance->log_probabilities;
  cuseq_status status = cuseq_encode(session, input, NULL);
  return status == CUSEQ_STATUS_OK ? cuseq_beam_search(session, &beam) : status;
}

cuseq_status instance_call(const struct instance *instance, cuseq_session *session, int32_t first,
                           int32_t batch) {
  const struct workload *w = instance->workload;
  const size_t skipped = (size_t)first * (size_t)w->T;
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = w->ids ? (const void *)(instance->ids + skipped)
                                            : (const void *)(instance->x + skipped * (size_t)w->F),
                             .dtype = w->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                             .batch = batch,
                             .time = w->T,
                             .lengths = instance->lengths ? instance->lengths + first : NULL};
  const cuseq_encoding encoding = {.size = sizeof(cuseq_encoding), .annotations = instance->annotations};
  if (w->encode_only)
    return cuseq_encode(session, &input, &encoding);
  if (w->beams > 0)
    return search(instance, session, &input);
  if (w->published) {
    const bool tagger = w->published->tagger;
    const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                     .outputs = tagger ? instance->outputs : NULL,
                                     .tokens = tagger ? NULL : instance->tokens,
                                     .log_probabilities = tagger ? NULL : instance->log_probabilities};
    return cuseq_run(session, &input, NULL, &decoding);
  }
  cuseq_decoding decoding = {
      .size = sizeof(cuseq_decoding), .contexts = instance->contexts, .alphas = instance->alphas};
  if (w->Y > 0) {
    decoding.outputs = instance->outputs;
    decoding.tokens = instance->tokens;
  }
  return cuseq_run(session, &input, w->Y > 0 ? NULL : &encoding, &decoding);
}
