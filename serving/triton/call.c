#include "call.h"

#include <string.h>

int32_t axis_size(int32_t axis, int32_t time, int32_t steps, int32_t best) {
  switch (axis) {
  case AXIS_TIME:
    return time;
  case AXIS_STEPS:
    return steps;
  case AXIS_BEST:
    return best;
  default:
    return axis;
  }
}

int32_t job_best(const struct job *job) {
  return job->search.n_best > 0 ? job->search.n_best : 1;
}

void call_memory_free(struct call_memory *memory) {
  room_free(&memory->data);
  room_free(&memory->lengths);
  room_free(&memory->targets);
  room_free(&memory->target_lengths);
  room_free(&memory->start);
  room_free(&memory->numbers);
  for (int i = 0; i < OUTPUT_COUNT; i++)
    room_free(&memory->outputs[i]);
}

/* ---- in ---- */

static size_t element_size(cuseq_dtype dtype) {
  return dtype == CUSEQ_DTYPE_F32 || dtype == CUSEQ_DTYPE_I32 ? 4 : 8;
}

/* Positions behind a row's length are not looked at, so that padding needs no value. */
static TRITONSERVER_Error *data_gather(const struct call *call, int32_t features, struct room *room,
                                       cuseq_input *input) {
  bool dense = input->dtype == CUSEQ_DTYPE_F32 || input->dtype == CUSEQ_DTYPE_F64;
  size_t position = element_size(input->dtype) * (dense ? (size_t)features : 1);
  size_t stride = position * (size_t)call->time;
  TRY(room_reserve(room, (size_t)call->rows * stride, 1));
  char *to = room->data;
  for (int32_t i = 0; i < call->count; i++) {
    const struct job *job = call->jobs[i];
    size_t own = position * (size_t)job->time;
    for (int32_t b = 0; b < job->rows; b++, to += stride)
      memcpy(to, (const char *)job->data + (size_t)b * own, own);
  }
  input->data = room->data;
  return NULL;
}

/* A number for each row: of the jobs that give none, `fallback` tells it. */
static TRITONSERVER_Error *numbers_gather(const struct call *call, struct room *room,
                                          const int32_t *(*numbers_of)(const struct job *),
                                          int32_t (*fallback)(const struct job *), const int32_t **numbers) {
  TRY(room_reserve(room, (size_t)call->rows, sizeof(int32_t)));
  int32_t *to = room->data;
  for (int32_t i = 0; i < call->count; i++) {
    const struct job *job = call->jobs[i];
    const int32_t *from = numbers_of(job);
    for (int32_t b = 0; b < job->rows; b++)
      *to++ = from ? from[b] : fallback(job);
  }
  *numbers = room->data;
  return NULL;
}

static const int32_t *lengths_of(const struct job *job) {
  return job->lengths;
}

static int32_t time_of(const struct job *job) {
  return job->time;
}

static const int32_t *target_lengths_of(const struct job *job) {
  return job->target_lengths;
}

static int32_t steps_of(const struct job *job) {
  return job->steps;
}

static const int32_t *start_of(const struct job *job) {
  return job->start;
}

static const void *targets_of(const struct job *job) {
  return job->targets;
}

static const void *given_of(const struct job *job) {
  return job->numbers;
}

/* `width` elements of four bytes for each step. */
static TRITONSERVER_Error *steps_gather(const struct call *call, struct room *room,
                                        const void *(*array_of)(const struct job *), int32_t width) {
  size_t row = (size_t)call->steps * (size_t)width * sizeof(int32_t);
  TRY(room_reserve(room, (size_t)call->rows * row, 1));
  char *to = room->data;
  for (int32_t i = 0; i < call->count; i++) {
    const struct job *job = call->jobs[i];
    memcpy(to, array_of(job), (size_t)job->rows * row);
    to += (size_t)job->rows * row;
  }
  return NULL;
}

struct given_arrays {
  cuseq_input input;
  const int32_t *targets, *target_lengths, *start;
  const float *numbers;
};

static TRITONSERVER_Error *gather(const struct call *call, const cuseq_config *config,
                                  struct call_memory *memory, struct given_arrays *given) {
  const struct job *first = call->jobs[0];
  given->input = (cuseq_input){.size = sizeof(cuseq_input),
                               .data = first->data,
                               .dtype = first->dtype,
                               .batch = call->rows,
                               .time = call->time,
                               .lengths = first->lengths};
  given->targets = first->targets;
  given->target_lengths = first->target_lengths;
  given->start = first->start;
  given->numbers = first->numbers;
  if (call->count == 1)
    return NULL;
  TRY(data_gather(call, config->features, &memory->data, &given->input));
  TRY(numbers_gather(call, &memory->lengths, lengths_of, time_of, &given->input.lengths));
  if (first->start)
    TRY(numbers_gather(call, &memory->start, start_of, time_of, &given->start));
  if (first->numbers) {
    TRY(steps_gather(call, &memory->numbers, given_of, config->given_width));
    given->numbers = memory->numbers.data;
  }
  if (!first->targets)
    return NULL;
  TRY(numbers_gather(call, &memory->target_lengths, target_lengths_of, steps_of, &given->target_lengths));
  TRY(steps_gather(call, &memory->targets, targets_of, 1));
  given->targets = memory->targets.data;
  return NULL;
}

/* ---- out ---- */

/* TEXT and SCORES are made of arrays. */
static unsigned made_of(unsigned wanted, const struct served *served, bool searches) {
  const cuseq_config *config = served->config;
  unsigned text = wanted & OUTPUT_BIT(OUTPUT_TEXT), scores = wanted & OUTPUT_BIT(OUTPUT_SCORES);
  unsigned arrays = wanted & ~OUTPUT_BIT(OUTPUT_TEXT) & ~OUTPUT_BIT(OUTPUT_SCORES);
  if (searches) /* a search's scores are an array of their own */
    return arrays | scores | (text ? OUTPUT_BIT(OUTPUT_BEAM_TOKENS) | OUTPUT_BIT(OUTPUT_BEAM_LENGTHS) : 0);
  if (!config->has_decoder)
    return arrays | (text || scores ? OUTPUT_BIT(OUTPUT_OUTPUTS) : 0);
  if (text)
    arrays |= OUTPUT_BIT(OUTPUT_TOKENS);
  if (scores)
    arrays |= OUTPUT_BIT(OUTPUT_LOG_PROBABILITIES);
  if ((text || scores) && config->end_token >= 0)
    arrays |= OUTPUT_BIT(OUTPUT_LENGTHS);
  return arrays;
}

/* How many elements a row of an array has. */
static size_t row_size(const struct call *call, const struct port *port) {
  size_t size = 1;
  for (int32_t i = 0; i < port->rank; i++)
    size *= (size_t)axis_size(port->axes[i], call->time, call->steps, job_best(call->jobs[0]));
  return size;
}

/* A request that is alone in its call has its arrays written where it wants them. */
static TRITONSERVER_Error *outputs_place(struct call *call, const struct ports *all,
                                         struct call_memory *memory) {
  for (int id = 0; id < OUTPUT_COUNT; id++) {
    call->arrays[id] = NULL;
    if (!(call->wanted & OUTPUT_BIT(id)))
      continue;
    const struct taken *taken = &call->jobs[0]->taken[id];
    if (call->count == 1 && taken->data) {
      call->arrays[id] = taken->data;
      continue;
    }
    size_t count = (size_t)call->rows * row_size(call, &all->outputs[id]);
    TRY(room_reserve(&memory->outputs[id], count, sizeof(float)));
    call->arrays[id] = memory->outputs[id].data;
  }
  return NULL;
}

static cuseq_encoding encoding_of(const struct call *call) {
  void *const *arrays = call->arrays;
  return (cuseq_encoding){.size = sizeof(cuseq_encoding),
                          .annotations = arrays[OUTPUT_ANNOTATIONS],
                          .h_fw = arrays[OUTPUT_H_FW],
                          .c_fw = arrays[OUTPUT_C_FW],
                          .h_bw = arrays[OUTPUT_H_BW],
                          .c_bw = arrays[OUTPUT_C_BW]};
}

static cuseq_status decode(const struct call *call, cuseq_session *session,
                           const struct given_arrays *given) {
  void *const *arrays = call->arrays;
  cuseq_encoding encoding = encoding_of(call);
  cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                             .steps = call->steps,
                             .previous = given->start,
                             .targets = given->targets,
                             .target_lengths = given->target_lengths,
                             .contexts = arrays[OUTPUT_CONTEXT],
                             .alphas = arrays[OUTPUT_ALPHAS],
                             .states = arrays[OUTPUT_STATES],
                             .outputs = arrays[OUTPUT_OUTPUTS],
                             .log_probabilities = arrays[OUTPUT_LOG_PROBABILITIES],
                             .tokens = arrays[OUTPUT_TOKENS],
                             .output_lengths = arrays[OUTPUT_LENGTHS],
                             .given = given->numbers};
  bool decodes = decoding.contexts || decoding.alphas || decoding.states || decoding.outputs ||
                 decoding.log_probabilities || decoding.tokens || decoding.output_lengths;
  return cuseq_run(session, &given->input, &encoding, decodes ? &decoding : NULL);
}

static cuseq_status search(const struct call *call, cuseq_session *session,
                           const struct given_arrays *given) {
  void *const *arrays = call->arrays;
  cuseq_encoding encoding = encoding_of(call);
  cuseq_beam beam = search_beam(&call->jobs[0]->search);
  beam.max_length = call->steps;
  beam.previous = given->start;
  beam.tokens = arrays[OUTPUT_BEAM_TOKENS];
  beam.lengths = arrays[OUTPUT_BEAM_LENGTHS];
  beam.scores = arrays[OUTPUT_SCORES];
  beam.log_probabilities = arrays[OUTPUT_BEAM_LOG_PROBABILITIES];
  beam.alphas = arrays[OUTPUT_BEAM_ALPHAS];
  cuseq_status status = cuseq_encode(session, &given->input, &encoding);
  return status == CUSEQ_STATUS_OK ? cuseq_beam_search(session, &beam) : status;
}

/* ---- all ---- */

static void sizes_make(struct call *call, const struct served *served) {
  call->rows = call->time = 0;
  call->steps = call->jobs[0]->steps;
  call->wanted = 0;
  for (int32_t i = 0; i < call->count; i++) {
    const struct job *job = call->jobs[i];
    call->rows += job->rows;
    call->wanted |= job->wanted;
    if (job->time > call->time)
      call->time = job->time;
  }
  call->wanted = made_of(call->wanted, served, call->jobs[0]->search.beam > 0);
}

TRITONSERVER_Error *call_run(struct call *call, struct served_session *session, struct call_memory *memory) {
  const struct served *served = session->served;
  struct given_arrays given;
  sizes_make(call, served);
  int32_t beams = call->jobs[0]->search.beam;
  TRY(served_session_fit(session, call->time, call->steps, beams));
  TRY(gather(call, served->config, memory, &given));
  TRY(outputs_place(call, &served->all, memory));
  cuseq_status status =
      beams > 0 ? search(call, session->session, &given) : decode(call, session->session, &given);
  /* Results that lie on the device are ready in the order of the session's stream; a response has to have
   * them. */
  if (status == CUSEQ_STATUS_OK)
    status = cuseq_session_synchronize(session->session);
  return served_session_result(session, status);
}
