#include "backends/cuda/search.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/graphs.h"
#include "backends/cuda/trace.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* A graph makes so many steps. Between two graphs the host looks, without waiting for the last one, whether
 * anything was still live at the end of the one before. */
enum { STEPS_AT_ONCE = 8, LOOKS = 2 };

struct cuda_search {
  struct search_arrays arrays; /* all but what a call says */
  struct search_settings *d_settings;
  double *d_divisors;                  /* [max_steps + 1] */
  struct search_hypothesis *h_beam;    /* [B,K] of the limits */
  struct search_hypothesis *h_retired; /* [B,2 K] */
  int32_t *h_counts;                   /* [2,B] */
  /* page-locked */
  double *h_divisors; /* [max_steps + 1], then the settings */
  int32_t *h_live;    /* [LOOKS,B] */
  cudaEvent_t looked[LOOKS];
};

/* Steps that the limits have, up to whole graphs. */
static size_t steps_room(const struct cuda_session *session) {
  return ((size_t)session->limits.steps + STEPS_AT_ONCE - 1) / STEPS_AT_ONCE * STEPS_AT_ONCE;
}

cuseq_status cuda_search_open(struct cuda_session *session) {
  const struct decoder_structure *decoder = &session->model->structure.decoder;
  size_t B = (size_t)session->limits.batch, lanes = B * (size_t)session->limits.beams;
  if (!decoder->present || !decoder_reads_tokens(decoder) || session->limits.capture)
    return CUSEQ_STATUS_OK;
  struct cuda_search *search = session->search = calloc(1, sizeof *search);
  if (search) {
    search->h_beam = malloc(lanes * sizeof *search->h_beam);
    search->h_retired = malloc(2 * lanes * sizeof *search->h_retired);
    search->h_counts = malloc(2 * B * sizeof *search->h_counts);
  }
  if (!search || !search->h_beam || !search->h_retired || !search->h_counts)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  CUDA_TRY(
      cudaHostAlloc((void **)&search->h_divisors,
                    ((size_t)session->limits.steps + 1) * sizeof(double) + sizeof(struct search_settings),
                    cudaHostAllocDefault));
  CUDA_TRY(cudaHostAlloc((void **)&search->h_live, LOOKS * B * sizeof *search->h_live, cudaHostAllocDefault));
  for (int i = 0; i < LOOKS; i++)
    CUDA_TRY(cudaEventCreateWithFlags(&search->looked[i], cudaEventDisableTiming));
  return CUSEQ_STATUS_OK;
}

void cuda_search_close(struct cuda_session *session) {
  struct cuda_search *search = session->search;
  if (!search)
    return;
  for (int i = 0; i < LOOKS; i++)
    if (search->looked[i])
      cudaEventDestroy(search->looked[i]);
  cudaFreeHost(search->h_divisors);
  cudaFreeHost(search->h_live);
  free(search->h_beam);
  free(search->h_retired);
  free(search->h_counts);
  free(search);
  session->search = NULL;
}

void cuda_search_plan(struct cuda_session *session, struct cuda_plan *plan) {
  struct cuda_search *search = session->search;
  if (!search)
    return;
  struct search_arrays *arrays = &search->arrays;
  size_t B = (size_t)session->limits.batch, K = (size_t)session->limits.beams, lanes = B * K;
  size_t choices = steps_room(session) * lanes * sizeof(int32_t);
  cuda_plan_add(plan, &search->d_settings, sizeof *search->d_settings);
  cuda_plan_add(plan, &search->d_divisors, ((size_t)session->limits.steps + 1) * sizeof(double));
  cuda_plan_add(plan, &arrays->d_candidates, lanes * K * sizeof *arrays->d_candidates);
  cuda_plan_add(plan, &arrays->d_beam, lanes * sizeof *arrays->d_beam);
  cuda_plan_add(plan, &arrays->d_retired, 2 * lanes * sizeof *arrays->d_retired);
  cuda_plan_add(plan, &arrays->d_beam_count, B * sizeof(int32_t));
  cuda_plan_add(plan, &arrays->d_retired_count, B * sizeof(int32_t));
  cuda_plan_add(plan, &arrays->d_live, B * sizeof(int32_t));
  cuda_plan_add(plan, &arrays->d_step, sizeof(int32_t));
  cuda_plan_add(plan, &arrays->d_chosen_tokens, choices);
  cuda_plan_add(plan, &arrays->d_chosen_after, choices);
  cuda_plan_add(plan, &arrays->d_chosen_lanes, choices);
  cuda_plan_add(plan, &arrays->d_lane_rows, lanes * sizeof(int32_t));
  cuda_plan_add(plan, &arrays->d_lane_parents, lanes * sizeof(int32_t));
}

/* ---- a call ---- */

/* What a search is of; the graph's arguments. */
struct call {
  struct search_arrays arrays;
  struct search_gather gather;
  struct cuda_stepping stepping;
};

static struct call call_of(const struct cuda_session *session, const struct search *search,
                           const cuseq_decoding *begin, bool keeps_alphas) {
  const struct cuda_steps *steps = session->steps;
  const struct structure *structure = &steps->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  int32_t K = search->rules.beams, B = session->encoded.batch;
  struct call call = {.arrays = session->search->arrays};
  struct search_arrays *arrays = &call.arrays;
  arrays->rows = B;
  arrays->beams = K;
  arrays->tokens = decoder->tokens;
  arrays->time = session->encoded.time;
  arrays->d_settings = session->search->d_settings;
  arrays->d_divisors = session->search->d_divisors;
  arrays->d_lengths = session->encoded.d_lengths;
  arrays->d_previous = begin->previous ? session->work.decoding[BACKEND_PREVIOUS] : NULL;
  arrays->d_logs = steps->d_log_outputs;
  /* the step's, and behind them those of all steps */
  arrays->d_alphas = cuda_decoding_floats(session, BACKEND_ALPHAS);
  if (keeps_alphas)
    arrays->d_all_alphas =
        cuda_decoding_floats(session, BACKEND_ALPHAS) + (size_t)B * (size_t)K * (size_t)session->encoded.time;
  arrays->step_stride = (int64_t)session->limits.batch * session->limits.beams;
  arrays->d_running = session->work.decoding[BACKEND_OUTPUT_LENGTHS];
  arrays->d_attended = steps->d_attended;
  arrays->d_lane_tokens = steps->d_fed_ids;
  call.stepping =
      (struct cuda_stepping){.rows = B * K, .steps = 1, .d_rows = arrays->d_lane_rows, .wants_logs = true};
  call.gather = (struct search_gather){
      .rows = B,
      .beams = K,
      .d_lane_parents = arrays->d_lane_parents,
      .states = {{cuda_decoding_floats(session, BACKEND_DECODER_FINAL_H), decoder->state_width},
                 {cuda_decoding_floats(session, BACKEND_DECODER_FINAL_C), decoder->state_width},
                 {steps->d_attentional, decoder->fed_attentional},
                 {decoder->fed_context > 0 ? steps->d_context : NULL, decoder->fed_context}},
      .d_step = arrays->d_step};
  return call;
}

/* Rows begin with one lane each, the first of their K. */
static cuseq_status begin_queue(struct cuda_session *session, const struct call *call,
                                const cuseq_decoding *begin) {
  const struct cuda_stepping first = {.rows = session->encoded.batch,
                                      .apart = call->arrays.beams,
                                      .given_h = begin->initial_h != NULL,
                                      .given_c = begin->initial_c != NULL,
                                      .given_fed = begin->initial_fed != NULL};
  TRY(cuda_steps_begin(session, &first));
  return cuda_launched(session, launch_search_begin(&call->arrays, &session->launch));
}

static cuseq_status steps_queue(struct cuda_session *session, const void *arguments) {
  const struct call *call = arguments;
  const struct launch_stream *stream = &session->launch;
  for (int i = 0; i < STEPS_AT_ONCE; i++) {
    TRY(cuda_steps_one(session, &call->stepping));
    TRY(cuda_launched(session, launch_search_candidates(&call->arrays, stream)));
    TRY(cuda_launched(session, launch_search_step(&call->arrays, stream)));
    TRY(cuda_launched(session, launch_search_gather(&call->gather, stream)));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status steps_launch(struct cuda_session *session, const struct call *call) {
  if (!session->graphs)
    return steps_queue(session, call);
  struct cuda_graph_key key;
  memset(&key, 0, sizeof key);
  const int64_t sizes[] = {call->stepping.rows, session->encoded.batch, session->encoded.time, STEPS_AT_ONCE};
  const void *arrays[] = {session->search, session->encoded.d_lengths, session->encoded.d_annotations,
                          call->arrays.d_all_alphas, call->arrays.d_previous};
  memcpy(key.sizes, sizes, sizeof sizes);
  memcpy(key.arrays, arrays, sizeof arrays);
  return cuda_graph_launch(session, &key, steps_queue, call);
}

/* Copies the numbers of live lanes at the end of graph `graph`; the host looks at them later. */
static cuseq_status look_queue(struct cuda_session *session, const struct call *call, int32_t graph) {
  struct cuda_search *search = session->search;
  int32_t *h_live = search->h_live + (size_t)(graph % LOOKS) * (size_t)session->limits.batch;
  CUDA_TRY(cudaMemcpyAsync(h_live, call->arrays.d_live, (size_t)session->encoded.batch * sizeof *h_live,
                           cudaMemcpyDeviceToHost, session->stream));
  CUDA_TRY(cudaEventRecord(search->looked[graph % LOOKS], session->stream));
  return CUSEQ_STATUS_OK;
}

/* Whether nothing was live any more at the end of a graph that was queued LOOKS graphs ago. */
static cuseq_status has_ended(struct cuda_session *session, int32_t graph, bool *ended) {
  struct cuda_search *search = session->search;
  const int32_t *h_live = search->h_live + (size_t)(graph % LOOKS) * (size_t)session->limits.batch;
  *ended = false;
  if (graph < LOOKS)
    return CUSEQ_STATUS_OK;
  CUDA_TRY(cudaEventSynchronize(search->looked[graph % LOOKS]));
  *ended = true;
  for (int32_t b = 0; b < session->encoded.batch; b++)
    *ended = *ended && h_live[b] == 0;
  return CUSEQ_STATUS_OK;
}

/* Settings and divisors go to the device. No earlier search reads them any more: each was waited for. */
static cuseq_status settings_bring(struct cuda_session *session, const struct search *search) {
  const struct search_rules *rules = &search->rules;
  struct cuda_search *own = session->search;
  size_t count = (size_t)rules->max_length + 1;
  struct search_settings *h_settings = (struct search_settings *)(own->h_divisors + count);
  *h_settings = (struct search_settings){.end_token = rules->end_token,
                                         .min_length = rules->min_length,
                                         .max_length = rules->max_length,
                                         .retires = rules->retires,
                                         .start_token = session->model->structure.decoder.start_token};
  own->h_divisors[0] = 1.0;
  for (int32_t length = 1; length <= rules->max_length; length++)
    own->h_divisors[length] = search_pruning_divisor(rules, length);
  CUDA_TRY(cudaMemcpyAsync(own->d_settings, h_settings, sizeof *h_settings, cudaMemcpyHostToDevice,
                           session->stream));
  CUDA_TRY(cudaMemcpyAsync(own->d_divisors, own->h_divisors, count * sizeof(double), cudaMemcpyHostToDevice,
                           session->stream));
  return CUSEQ_STATUS_OK;
}

static cuseq_status results_fetch(struct cuda_session *session, const struct search *search,
                                  const struct call *call, float *alphas) {
  const struct search_arrays *arrays = &call->arrays;
  struct cuda_search *own = session->search;
  size_t B = (size_t)session->encoded.batch, lanes = B * (size_t)arrays->beams,
         Y = (size_t)search->rules.max_length;
  size_t choices = Y * (size_t)arrays->step_stride * sizeof(int32_t);
  const struct {
    void *to;
    const void *from;
    size_t bytes;
  } results[] = {{own->h_beam, arrays->d_beam, lanes * sizeof *own->h_beam},
                 {own->h_retired, arrays->d_retired, 2 * lanes * sizeof *own->h_retired},
                 {own->h_counts, arrays->d_beam_count, B * sizeof(int32_t)},
                 {own->h_counts + B, arrays->d_retired_count, B * sizeof(int32_t)},
                 {search->chosen_tokens, arrays->d_chosen_tokens, choices},
                 {search->chosen_after, arrays->d_chosen_after, choices},
                 {search->chosen_lanes, arrays->d_chosen_lanes, choices},
                 {alphas, arrays->d_all_alphas, Y * lanes * (size_t)session->encoded.time * sizeof(float)}};
  session->call.places[BACKEND_BEST_TOKENS] = CUDA_PLACE_PAGEABLE; /* the library's own memory */
  for (size_t i = 0; i < sizeof results / sizeof *results; i++)
    TRY(cuda_copy_out(session, BACKEND_BEST_TOKENS, results[i].to, results[i].from, results[i].bytes));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_search_queue(struct cuda_session *session, struct search *search,
                               const cuseq_decoding *begin, float *alphas) {
  bool ended = false;
  const struct call call = call_of(session, search, begin, alphas != NULL);
  TRY(settings_bring(session, search));
  TRY(cuda_decoding_bring(session, begin, session->encoded.batch));
  TRY(cuda_steps_keys_queue(session));
  TRY(begin_queue(session, &call, begin));
  for (int32_t graph = 0; graph * STEPS_AT_ONCE < search->rules.max_length && !ended; graph++) {
    TRY(has_ended(session, graph, &ended));
    if (ended)
      break;
    TRY(steps_launch(session, &call));
    TRY(look_queue(session, &call, graph));
  }
  return results_fetch(session, search, &call, alphas);
}

static struct hypothesis hypothesis_of(const struct search_hypothesis *found) {
  return (struct hypothesis){.sum = found->sum,
                             .length = found->length,
                             .last = found->last,
                             .lane = found->lane,
                             .is_finished = found->is_finished != 0};
}

void cuda_search_deliver(const struct cuda_session *session, struct search *search) {
  const struct cuda_search *own = session->search;
  int32_t K = search->rules.beams;
  for (int32_t b = 0; b < search->rows; b++) {
    struct search_row *row = &search->row[b];
    row->beam_count = own->h_counts[b];
    row->retired_count = own->h_counts[search->rows + b];
    row->is_live = false;
    for (int32_t i = 0; i < row->beam_count; i++)
      row->beam[i] = hypothesis_of(&own->h_beam[(size_t)b * (size_t)K + (size_t)i]);
    for (int32_t i = 0; i < row->retired_count; i++)
      row->retired[i] = hypothesis_of(&own->h_retired[2 * (size_t)b * (size_t)K + (size_t)i]);
  }
  search->lanes = 0;
}
