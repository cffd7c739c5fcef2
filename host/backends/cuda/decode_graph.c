/* Large decoders: for every step attention, products over all rows, the cell and the output, one kernel or product each; a
 * graph, so that the loop is one launch whatever Y is. Everything is made in the session's own buffers, so that a graph serves
 * whatever a caller wants of it. */
#include "backends/cuda/decode_graph.h"

#include "backends/cuda/graphs.h"
#include "error.h"

#include <string.h>

/* Values of the query's weights from which on a product over all rows is less work than each row's block reading them all. */
enum { QUERY_PRODUCT = 128 * 128 };
/* Annotations wider than this are summed by a kernel of their own, in more blocks than rows. */
enum { CONTEXT_WITH_ENERGIES = 256 };

/* U where the queries are products, otherwise 0. */
static int32_t query_width(const cuseq_config *config) {
  struct decode sizes = {0};
  cuda_decode_sizes(config, &sizes);
  bool has_query = config->score == CUSEQ_SCORE_CONCAT || config->score == CUSEQ_SCORE_ADDITIVE;
  int32_t U = has_query ? attention_key_width(&sizes.score) : 0;
  return (int64_t)U * config->state_units >= QUERY_PRODUCT ? U : 0;
}

void cuda_decode_steps_plan(struct cuda_session *session, struct cuda_plan *plan) {
  const cuseq_config *config = &session->model->config;
  struct cuda_decode_steps *steps = &session->decoder->steps;
  size_t B = (size_t)session->limits.batch, S = (size_t)config->state_units;
  bool feeds = config->feedback == CUSEQ_FEEDBACK_OUTPUT;
  cuda_plan_add(plan, &steps->d_gates, B * S * 4 * sizeof(float));
  cuda_plan_add(plan, &steps->d_logits, B * (size_t)config->outputs * sizeof(float));
  cuda_plan_add(plan, &steps->d_queries, B * (size_t)query_width(config) * sizeof(float));
  cuda_plan_add(plan, &steps->d_attended, B * sizeof(int32_t));
  cuda_plan_add(plan, &steps->d_fed_ids, feeds ? B * sizeof(int32_t) : 0);
  cuda_plan_add(plan, &steps->d_fed, feeds ? B * (size_t)config->embedding_units * sizeof(float) : 0);
}

static struct decode_rows rows_of(const struct cuda_session *session, const struct decode *d) {
  const struct cuda_decoder *decoder = session->decoder;
  return (struct decode_rows){.batch = d->batch,
                              .time = d->time,
                              .steps = d->steps,
                              .d_lengths = d->d_lengths,
                              .feedback = d->feedback,
                              .embedding_units = d->embedding_units,
                              .d_embedding = d->d_embedding,
                              .d_previous = d->d_previous,
                              .start_token = d->start_token,
                              .end_token = d->end_token,
                              .outputs = d->outputs,
                              .output_activation = d->output_activation,
                              .d_output_bias = d->d_output_bias,
                              .d_logits = decoder->steps.d_logits,
                              .d_output_lengths = decoder->d_output_lengths,
                              .d_attended = decoder->steps.d_attended,
                              .d_fed_ids = decoder->steps.d_fed_ids,
                              .d_fed = decoder->steps.d_fed,
                              .d_outputs = decoder->d_outputs,
                              .d_tokens = decoder->d_tokens,
                              .check = d->check};
}

static struct attend attend_of(const struct cuda_session *session, const struct decode *d) {
  const struct cuda_decoder *decoder = session->decoder;
  struct attend attend = {.score = d->score,
                          .start = d->start,
                          .batch = d->batch,
                          .time = d->time,
                          .d_lengths = decoder->steps.d_attended,
                          .d_annotations = d->d_annotations,
                          .d_keys = d->d_keys,
                          .d_queries = decoder->steps.d_queries,
                          .alphas_stride = (int64_t)d->steps * d->time,
                          .context_stride = (int64_t)d->steps * d->score.annotation_width,
                          .d_workspace = d->d_workspace,
                          .check = d->check};
  attend.start.d_given_h = decoder->d_final_h;
  attend.start.d_given_c = NULL;
  return attend;
}

static struct cell_step cell_of(const struct cuda_session *session, const struct decode *d) {
  const struct cuda_decoder *decoder = session->decoder;
  bool one_hot = d->feedback == CUSEQ_FEEDBACK_OUTPUT && !d->d_embedding;
  size_t contexts = (size_t)d->score.annotation_width * (size_t)d->score.state_units * 4;
  return (struct cell_step){.batch = d->batch,
                            .time = d->steps,
                            .units = d->score.state_units,
                            .directions = 1,
                            .activation = d->activation,
                            .recurrent_activation = d->recurrent_activation,
                            .d_lengths = decoder->d_output_lengths,
                            .d_products = decoder->steps.d_gates,
                            .d_row_ids = one_hot ? decoder->steps.d_fed_ids : NULL,
                            .d_kernel = one_hot ? d->d_kernel + contexts : NULL,
                            .d_bias = d->d_bias,
                            .d_previous_c = decoder->d_final_c,
                            .d_h = decoder->d_final_h,
                            .d_c = decoder->d_final_c,
                            .d_output = {decoder->d_states, NULL},
                            .leading = d->score.state_units,
                            .check = d->check};
}

/* gates = h recurrent + context kernel (+ fed kernel): the cell's input in its three parts. */
static cuseq_status gates_queue(struct cuda_session *session, const struct decode *d, const float *context) {
  const struct cuda_decoder *decoder = session->decoder;
  int32_t A = d->score.annotation_width, S = d->score.state_units;
  struct cuda_product product = {.a = decoder->d_final_h,
                                 .b = d->d_recurrent,
                                 .c = decoder->steps.d_gates,
                                 .m = d->batch,
                                 .n = 4 * S,
                                 .k = S,
                                 .lda = S};
  TRY(cuda_blas_product(session, &product));
  product.adds = true;
  product.a = context;
  product.b = d->d_kernel;
  product.k = A;
  product.lda = (int64_t)d->steps * A;
  TRY(cuda_blas_product(session, &product));
  if (d->feedback != CUSEQ_FEEDBACK_OUTPUT || !d->d_embedding)
    return CUSEQ_STATUS_OK;
  product.a = decoder->steps.d_fed;
  product.b = d->d_kernel + (size_t)A * (size_t)S * 4;
  product.k = product.lda = d->embedding_units;
  return cuda_blas_product(session, &product);
}

/* The queries, where they are products, then energies and softmax, and the context. */
static cuseq_status attention_queue(struct cuda_session *session, const struct attend *attend) {
  int32_t S = attend->score.state_units, U = query_width(&session->model->config);
  const struct cuda_product query = {.a = attend->start.d_given_h,
                                     .b = attend->score.d_query,
                                     .c = session->decoder->steps.d_queries,
                                     .m = attend->batch,
                                     .n = U,
                                     .k = S,
                                     .lda = S};
  struct attend energies = *attend;
  const struct attention_context context = {.batch = attend->batch,
                                            .time = attend->time,
                                            .annotation_width = attend->score.annotation_width,
                                            .d_lengths = attend->d_lengths,
                                            .d_annotations = attend->d_annotations,
                                            .d_alphas = attend->d_alphas,
                                            .alphas_stride = attend->alphas_stride,
                                            .d_context = attend->d_context,
                                            .context_stride = attend->context_stride,
                                            .check = attend->check};
  if (U > 0)
    TRY(cuda_blas_product(session, &query));
  if (context.annotation_width <= CONTEXT_WITH_ENERGIES)
    return cuda_launched(session, launch_attend(attend, &session->launch));
  energies.d_context = NULL;
  TRY(cuda_launched(session, launch_attend(&energies, &session->launch)));
  return cuda_launched(session, launch_attention_context(&context, &session->launch));
}

static cuseq_status loop_queue(struct cuda_session *session, const void *arguments) {
  const struct decode *d = arguments;
  const struct cuda_decoder *decoder = session->decoder;
  const struct launch_stream *stream = &session->launch;
  const struct initial_states initial = {d->start, d->batch, decoder->d_final_h, decoder->d_final_c};
  struct decode_rows rows = rows_of(session, d);
  struct attend attend = attend_of(session, d);
  struct cell_step cell = cell_of(session, d);
  const struct cuda_product output = {.a = decoder->d_final_h,
                                      .b = d->d_output_kernel,
                                      .c = rows.d_logits,
                                      .m = d->batch,
                                      .n = d->outputs,
                                      .k = cell.units,
                                      .lda = cell.units};
  TRY(cuda_launched(session, launch_initial_states(&initial, stream)));
  TRY(cuda_launched(session, launch_decode_begin(&rows, stream)));
  for (cell.step = 0; cell.step < d->steps; cell.step++) {
    attend.check.step = cell.check.step = cell.step + 1;
    attend.d_alphas = decoder->d_alphas + (size_t)cell.step * (size_t)d->time;
    attend.d_context = decoder->d_contexts + (size_t)cell.step * (size_t)d->score.annotation_width;
    TRY(attention_queue(session, &attend));
    TRY(gates_queue(session, d, attend.d_context));
    TRY(cuda_launched(session, launch_cell_step(&cell, stream)));
    TRY(cuda_blas_product(session, &output));
    TRY(cuda_launched(session, launch_decode_output(&rows, cell.step, stream)));
  }
  return CUSEQ_STATUS_OK;
}

/* A result to where it is wanted, if that is elsewhere. */
static cuseq_status deliver(struct cuda_session *session, void *wanted, const void *made, size_t bytes) {
  if (wanted && wanted != made)
    CUDA_TRY(cudaMemcpyAsync(wanted, made, bytes, cudaMemcpyDeviceToDevice, session->stream));
  return CUSEQ_STATUS_OK;
}

static cuseq_status results_deliver(struct cuda_session *session, const struct decode *d) {
  const struct cuda_decoder *decoder = session->decoder;
  size_t B = (size_t)d->batch, steps = B * (size_t)d->steps, S = (size_t)d->score.state_units * sizeof(float);
  TRY(deliver(session, d->d_contexts, decoder->d_contexts,
              steps * (size_t)d->score.annotation_width * sizeof(float)));
  TRY(deliver(session, d->d_alphas, decoder->d_alphas, steps * (size_t)d->time * sizeof(float)));
  TRY(deliver(session, d->d_states, decoder->d_states, steps * S));
  TRY(deliver(session, d->d_outputs, decoder->d_outputs, steps * (size_t)d->outputs * sizeof(float)));
  TRY(deliver(session, d->d_tokens, decoder->d_tokens, steps * sizeof(int32_t)));
  TRY(deliver(session, d->d_output_lengths, decoder->d_output_lengths, B * sizeof(int32_t)));
  TRY(deliver(session, d->d_final_h, decoder->d_final_h, B * S));
  return deliver(session, d->d_final_c, decoder->d_final_c, B * S);
}

cuseq_status cuda_decode_steps_queue(struct cuda_session *session, const struct decode *d) {
  struct cuda_graph_key key;
  memset(&key, 0, sizeof key);
  const int64_t sizes[] = {d->batch, d->time, d->steps};
  const void *arrays[] = {d->d_output_kernel, d->d_lengths,       d->d_annotations,
                          d->d_keys,          d->start.d_given_h, d->start.d_given_c,
                          d->start.d_final_h, d->start.d_final_c, d->d_previous};
  memcpy(key.sizes, sizes, sizeof sizes);
  memcpy(key.arrays, arrays, sizeof arrays);
  TRY(cuda_graph_launch(session, &key, loop_queue, d));
  return results_deliver(session, d);
}
