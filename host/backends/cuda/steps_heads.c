/* Models without a decoder: the context of a state that attends, and heads over it, over the final state, or
 * over one or all of the positions. */
#include "backends/cuda/steps.h"

#include "backends/cuda/trace.h"
#include "error.h"

/* The state that asks. */
static cuseq_status asks(struct cuda_session *session, const struct cuda_stepping *stepping,
                         struct cuda_part *query) {
  const struct cuda_steps *steps = session->steps;
  const struct asking_structure *asking = &steps->structure.asking;
  *query = (struct cuda_part){.stride = asking->units, .width = asking->units};
  float *state = cuda_decoding_floats(session, BACKEND_STATE_H);
  query->d_rows = state;
  return stepping->given_h
             ? CUSEQ_STATUS_OK
             : cuda_steps_initial(session, &asking->initial, stepping, asking->units, state, asking->units);
}

static cuseq_status context_queue(struct cuda_session *session, const struct cuda_stepping *stepping) {
  struct cuda_steps *steps = session->steps;
  if (!steps->structure.attention.present)
    return CUSEQ_STATUS_OK;
  struct cuda_asking asking = {.query = {.count = 1},
                               .rows = stepping->rows,
                               .d_lengths = session->encoded.d_lengths,
                               .d_alphas = cuda_decoding_floats(session, BACKEND_ALPHAS),
                               .alphas_stride = session->encoded.time,
                               .d_context = steps->d_context,
                               .check = cuda_check_results(session, 0)};
  TRY(asks(session, stepping, &asking.query.list[0]));
  TRY(cuda_steps_attend(session, &asking));
  const struct cuda_parts context = cuda_parts_one(steps->d_context, steps->structure.attention.context_width,
                                                   steps->structure.attention.context_width);
  return cuda_parts_copy(session, &context, stepping->rows, cuda_decoding_floats(session, BACKEND_CONTEXTS),
                         context.list[0].width);
}

/* One vector of those that a head reads, of each row or, of every position, of each position: where it lies,
 * or in `d_room`. */
static cuseq_status source_queue(struct cuda_session *session, const struct head_read *read,
                                 const struct cuda_stepping *stepping, float *d_room,
                                 struct cuda_part *part) {
  struct cuda_steps *steps = session->steps;
  const struct initial_structure final = {.from = INITIAL_ENCODER,
                                          .encoder_layer = read->layer,
                                          .takes_c = read->takes_c,
                                          .directions = INITIAL_CONCAT,
                                          .inputs = read->width};
  struct pool pool = {.kind = read->source == HEAD_MEAN      ? POOL_MEAN
                              : read->source == HEAD_MAXIMUM ? POOL_MAXIMUM
                                                             : POOL_LAST,
                      .batch = stepping->rows,
                      .time = session->encoded.time,
                      .width = steps->structure.encoder.width,
                      .d_lengths = session->encoded.d_lengths,
                      .d_annotations = session->encoded.d_annotations,
                      .d_output = d_room};
  *part = (struct cuda_part){.d_rows = d_room, .stride = read->width, .width = read->width};
  switch (read->source) {
  case HEAD_CONTEXT:
    part->d_rows = steps->d_context;
    return CUSEQ_STATUS_OK;
  case HEAD_EVERY:
  case HEAD_POSITIONS: /* a row's lie side by side, and are 0 behind its last */
    part->d_rows = session->encoded.d_annotations;
    return CUSEQ_STATUS_OK;
  case HEAD_FINAL:
    return cuda_steps_initial(session, &final, stepping, read->width, d_room, read->width);
  default:
    return cuda_launched(session, launch_pool(&pool, &session->launch));
  }
}

/* All that a head reads; what has to be made lies one behind the other in the scratch that its first layer
 * does not write. */
static cuseq_status sources_queue(struct cuda_session *session, const struct head *head,
                                  const struct cuda_stepping *stepping, struct cuda_parts *parts) {
  float *d_room = session->steps->d_scratch[1];
  *parts = (struct cuda_parts){.count = head->read_count};
  for (int32_t i = 0; i < head->read_count; i++) {
    TRY(source_queue(session, &head->reads[i], stepping, d_room, &parts->list[i]));
    d_room += (size_t)stepping->rows * (size_t)head->reads[i].width;
  }
  return CUSEQ_STATUS_OK;
}

/* What a head over rows gave at each row's first position stands at all of them, where other heads are over
 * every one. */
static cuseq_status spread_queue(struct cuda_session *session, const struct cuda_stepping *stepping,
                                 const struct head *head, const struct head_output *made) {
  const struct output_structure *output = &session->steps->structure.output;
  const struct head_spread spread = {.batch = stepping->rows,
                                     .time = session->encoded.time,
                                     .units = head->units,
                                     .d_lengths = session->encoded.d_lengths,
                                     .d_outputs = made->d_outputs,
                                     .output_stride = output->width,
                                     .d_tokens = made->d_tokens,
                                     .token_stride = output->count};
  return cuda_launched(session, launch_head_spread(&spread, &session->launch));
}

static cuseq_status head_queue(struct cuda_session *session, const struct cuda_stepping *stepping,
                               int32_t index) {
  struct cuda_steps *steps = session->steps;
  const struct output_structure *output = &steps->structure.output;
  const struct head *head = &output->heads[index];
  bool every = head->source == HEAD_EVERY, spreads = !every && structure_is_tagger(&steps->structure);
  const int32_t apart = spreads ? session->encoded.time : 1; /* rows of the arrays for one of the head's */
  int64_t rows = every ? (int64_t)stepping->rows * session->encoded.time : stepping->rows;
  struct cuda_parts parts;
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  TRY(sources_queue(session, head, stepping, &parts));
  TRY(cuda_chain_sums(session, &head->layers, &parts, rows, every ? session->work.d_wide : steps->d_scratch,
                      steps->d_logits));
  float *outputs = session->work.decoding[BACKEND_OUTPUTS];
  int32_t *tokens = session->work.decoding[BACKEND_TOKENS];
  struct head_output arguments = {.rows = rows,
                                  .units = head->units,
                                  .positions = every ? session->encoded.time : 1,
                                  .activation = last->activation,
                                  .d_logits = steps->d_logits,
                                  .d_bias = last->bias,
                                  .d_outputs = outputs + head->offset,
                                  .output_stride = (int64_t)output->width * apart,
                                  .d_tokens = tokens + index,
                                  .token_stride = output->count * apart,
                                  .d_lengths = every ? session->encoded.d_lengths : NULL,
                                  .check = cuda_check_results(session, 0)};
  if (!(stepping->wanted & cuda_wanted(BACKEND_OUTPUTS)))
    arguments.d_outputs = NULL;
  if (!(stepping->wanted & cuda_wanted(BACKEND_TOKENS)))
    arguments.d_tokens = NULL;
  TRY(cuda_launched(session, launch_head_output(&arguments, &session->launch)));
  return spreads && (arguments.d_outputs || arguments.d_tokens)
             ? spread_queue(session, stepping, head, &arguments)
             : CUSEQ_STATUS_OK;
}

/* Steps of a row: its positions, or one. */
static cuseq_status lengths_queue(struct cuda_session *session, const struct cuda_stepping *stepping) {
  int32_t *lengths = session->work.decoding[BACKEND_OUTPUT_LENGTHS];
  if (!(stepping->wanted & cuda_wanted(BACKEND_OUTPUT_LENGTHS)))
    return CUSEQ_STATUS_OK;
  bool tagger = structure_is_tagger(&session->steps->structure);
  const struct decode_rows rows = {.batch = stepping->rows,
                                   .time = session->encoded.time,
                                   .steps = 1,
                                   .outputs = 1,
                                   .d_lengths = tagger ? session->encoded.d_lengths : NULL,
                                   .d_output_lengths = tagger ? session->steps->d_attended : lengths,
                                   .d_attended = tagger ? lengths : session->steps->d_attended};
  return cuda_launched(session, launch_decode_begin(&rows, &session->launch));
}

cuseq_status cuda_steps_outputs(struct cuda_session *session, const struct cuda_stepping *stepping) {
  CUDA_RANGE("heads", session->encoded.batch, session->encoded.time, session->model->config.units);
  TRY(context_queue(session, stepping));
  for (int32_t i = 0; i < session->steps->structure.output.count; i++)
    TRY(head_queue(session, stepping, i));
  return session->steps->structure.output.count > 0 ? lengths_queue(session, stepping) : CUSEQ_STATUS_OK;
}
