#include "backends/cuda/dense.h"

#include "error.h"

static cuseq_status lookup(struct cuda_session *session, const struct cuda_part *part, int64_t rows,
                           int32_t columns, const float *table, int64_t row_stride, int64_t column_stride,
                           float *d_output, int64_t output_stride, bool adds) {
  const struct table_lookup lookup = {.rows = rows,
                                      .width = columns,
                                      .d_ids = part->d_ids,
                                      .d_table = table,
                                      .row_stride = row_stride,
                                      .column_stride = column_stride,
                                      .d_output = d_output,
                                      .output_stride = output_stride,
                                      .adds = adds};
  return cuda_launched(session, launch_table_lookup(&lookup, &session->launch));
}

/* Each part's rows of a kernel, in memory [.., columns], or where it is transposed [columns, ..] with rows
 * `inputs` long. */
static cuseq_status multiply(struct cuda_session *session, const struct cuda_parts *parts, int64_t rows,
                             const float *kernel, int32_t columns, int32_t transposed_inputs, float *d_sums,
                             bool adds) {
  int64_t row_stride = transposed_inputs > 0 ? 1 : columns,
          column_stride = transposed_inputs > 0 ? transposed_inputs : 1;
  if (rows > INT32_MAX)
    return error_set(CUSEQ_STATUS_NOT_SUPPORTED, "cuda: too many rows for a product (found %lld, at most %d)",
                     (long long)rows, INT32_MAX);
  for (int32_t i = 0; i < parts->count; i++) {
    const struct cuda_part *part = &parts->list[i];
    const struct cuda_product product = {.a = part->d_rows,
                                         .b = kernel,
                                         .c = d_sums,
                                         .m = (int32_t)rows,
                                         .n = columns,
                                         .k = part->width,
                                         .lda = part->stride,
                                         .ldb = transposed_inputs > 0 ? transposed_inputs : columns,
                                         .transposed = transposed_inputs > 0,
                                         .adds = adds || i > 0};
    if (part->d_ids)
      TRY(lookup(session, part, rows, columns, kernel, row_stride, column_stride, d_sums, columns,
                 product.adds));
    else
      TRY(cuda_product_queue(session, &product));
    kernel += (int64_t)part->width * row_stride;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_parts_multiply(struct cuda_session *session, const struct cuda_parts *parts, int64_t rows,
                                 const float *kernel, int32_t columns, float *d_sums, bool adds) {
  return multiply(session, parts, rows, kernel, columns, 0, d_sums, adds);
}

cuseq_status cuda_dense_sums(struct cuda_session *session, const struct dense *dense,
                             const struct cuda_parts *parts, int64_t rows, float *d_sums) {
  return multiply(session, parts, rows, dense->kernel, dense->units, dense->transposed ? dense->inputs : 0,
                  d_sums, false);
}

static struct dense_finish finish_of(int64_t rows, int32_t width, const struct cuda_kept *kept) {
  return (struct dense_finish){.rows = rows,
                               .width = width,
                               .positions = kept->positions > 0 ? kept->positions : 1,
                               .activation = CUSEQ_ACTIVATION_LINEAR,
                               .d_running = kept->d_running,
                               .step = kept->step,
                               .d_lengths = kept->d_lengths,
                               .check = kept->check,
                               .stage = kept->stage};
}

static cuseq_status norm_queue(struct cuda_session *session, const struct dense *dense, float *d_sums,
                               int64_t rows, const struct cuda_kept *kept) {
  const struct dense_norm *norm = &dense->norm;
  const struct sums_norm arguments = {.rows = rows,
                                      .width = dense->units,
                                      .positions = kept->positions > 0 ? kept->positions : 1,
                                      .first = norm->first,
                                      .units = norm->units,
                                      .epsilon = norm->epsilon,
                                      .d_sums = d_sums,
                                      .d_bias = dense->bias,
                                      .d_scale = norm->scale,
                                      .d_offset = norm->offset,
                                      .d_lengths = kept->d_lengths};
  return cuda_launched(session, launch_sums_norm(&arguments, &session->launch));
}

cuseq_status cuda_dense_finish(struct cuda_session *session, const struct dense *dense, float *d_sums,
                               int64_t rows, const struct cuda_kept *kept, float *d_output,
                               int64_t output_stride) {
  struct dense_finish finish = finish_of(rows, dense->units, kept);
  const bool norms = dense->norm.units > 0;
  if (norms)
    TRY(norm_queue(session, dense, d_sums, rows, kept));
  if (norms && d_sums == d_output && dense->activation == CUSEQ_ACTIVATION_LINEAR && !kept->d_lengths)
    return CUSEQ_STATUS_OK;
  finish.d_sums = d_sums;
  finish.sums_stride = dense->units;
  finish.d_bias = norms ? NULL : dense->bias;
  finish.activation = dense->activation;
  finish.d_output = d_output;
  finish.output_stride = output_stride;
  return cuda_launched(session, launch_dense_finish(&finish, &session->launch));
}

cuseq_status cuda_chain_sums(struct cuda_session *session, const struct dense_chain *chain,
                             const struct cuda_parts *parts, int64_t rows, float *const d_scratch[2],
                             float *d_sums) {
  const struct cuda_kept all = {0};
  struct cuda_parts below = *parts;
  int32_t last = chain->count - 1;
  for (int32_t l = 0; l < last; l++) {
    const struct dense *dense = &chain->layers[l];
    float *made = d_scratch[l % 2];
    TRY(cuda_dense_sums(session, dense, &below, rows, made));
    TRY(cuda_dense_finish(session, dense, made, rows, &all, made, dense->units));
    below = cuda_parts_one(made, dense->units, dense->units);
  }
  return cuda_dense_sums(session, &chain->layers[last], &below, rows, d_sums);
}

cuseq_status cuda_chain_queue(struct cuda_session *session, const struct dense_chain *chain,
                              const struct cuda_parts *parts, int64_t rows, float *const d_scratch[2],
                              const struct cuda_kept *kept, float *d_output, int64_t output_stride) {
  int32_t last = chain->count - 1;
  float *sums = d_scratch[last % 2];
  TRY(cuda_chain_sums(session, chain, parts, rows, d_scratch, sums));
  return cuda_dense_finish(session, &chain->layers[last], sums, rows, kept, d_output, output_stride);
}

cuseq_status cuda_parts_copy(struct cuda_session *session, const struct cuda_parts *parts, int64_t rows,
                             float *d_output, int64_t output_stride) {
  const struct cuda_kept all = {0};
  for (int32_t i = 0; i < parts->count; i++) {
    const struct cuda_part *part = &parts->list[i];
    struct dense_finish copy = finish_of(rows, part->width, &all);
    copy.d_sums = part->d_rows;
    copy.sums_stride = part->stride;
    copy.d_output = d_output;
    copy.output_stride = output_stride;
    if (part->d_ids)
      TRY(lookup(session, part, rows, part->width, NULL, 0, 0, d_output, output_stride, false));
    else
      TRY(cuda_launched(session, launch_dense_finish(&copy, &session->launch)));
    d_output += part->width;
  }
  return CUSEQ_STATUS_OK;
}

int32_t cuda_chain_widest(const struct dense_chain *chain) {
  int32_t widest = 0;
  for (int32_t l = 0; l < chain->count; l++)
    widest = cuda_larger(widest, chain->layers[l].units);
  return widest;
}
