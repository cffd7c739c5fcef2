/* Heads: the last activation of one, and those of models without a decoder. */
#include "backends/cpu/cpu.h"

#include <string.h>

void output_activate(const struct cpu *cpu, const struct head *head, float *logits, int32_t best,
                     float *out) {
  const cuseq_activation last = head->layers.layers[head->layers.count - 1].activation;
  if (last == CUSEQ_ACTIVATION_SOFTMAX) {
    cpu->kernels->softmax(logits, head->units, out);
  } else if (last == CUSEQ_ACTIVATION_LOG_SOFTMAX) {
    const float top = logits[best];
    cpu->kernels->log_softmax(logits, head->units, top, cpu->kernels->log_sum(logits, head->units, top), out);
  } else {
    memcpy(out, logits, (size_t)head->units * sizeof *out);
  }
}

int32_t output_best(const struct cpu *cpu, const struct head *head, const float *logits, bool *finite) {
  const cuseq_activation last = head->layers.layers[head->layers.count - 1].activation;
  return cpu->kernels->argmax(logits, head->units, last == CUSEQ_ACTIVATION_SOFTMAX, finite);
}

/* The annotations of a row, gathered into one vector. */
static void pool_positions(const struct cpu *cpu, enum head_source source, int32_t row, float *to) {
  const float *a = annotations_of(cpu, row);
  const size_t A = (size_t)cpu->structure->encoder.width, stride = annotation_stride(cpu);
  const int32_t length = cpu->lengths[row];
  for (size_t j = 0; j < A; j++) {
    double sum = (double)a[j]; /* so that the mean of a long row errs no more than that of a short one */
    float largest = a[j];
    for (int32_t t = 1; t < length; t++) {
      const float value = a[(size_t)t * stride + j];
      sum += (double)value;
      largest = value > largest || value != value ? value : largest;
    }
    to[j] = source == HEAD_MEAN ? (float)(sum / length) : largest;
  }
}

/* The annotations of a row side by side, zeros behind its last. */
static void line_up(const struct cpu *cpu, const struct head_read *read, int32_t row, float *to) {
  const size_t A = (size_t)cpu->structure->encoder.width;
  const int32_t length = cpu->lengths[row];
  for (int32_t t = 0; t < length; t++)
    memcpy(to + (size_t)t * A, annotations_of(cpu, row) + (size_t)t * annotation_stride(cpu), A * sizeof *to);
  memset(to + (size_t)length * A, 0, (size_t)(read->positions - length) * A * sizeof *to);
}

/* A vector that a head reads of a row: where it lies, or in `room`. */
static const float *source_of(struct cpu *cpu, const struct cpu_worker *worker, const struct head_read *read,
                              int32_t i, int32_t t, float *room) {
  const int32_t row = worker->encoded[i];
  switch (read->source) {
  case HEAD_CONTEXT:
    return worker->context + (size_t)i * cpu->context_stride;
  case HEAD_FINAL:
    return (read->takes_c ? cpu->final_c : cpu->final_h) + (size_t)row * cpu->final_stride +
           structure_final_offset(&cpu->structure->encoder, read->layer, 0);
  case HEAD_LAST:
    return annotations_of(cpu, row) + (size_t)(cpu->lengths[row] - 1) * annotation_stride(cpu);
  case HEAD_EVERY:
    return annotations_of(cpu, row) + (size_t)t * annotation_stride(cpu);
  case HEAD_POSITIONS:
    line_up(cpu, read, row, room);
    return room;
  case HEAD_MEAN:
  case HEAD_MAXIMUM:
  case HEAD_STEP:
    break;
  }
  pool_positions(cpu, read->source, row, room);
  return room;
}

/* All that a head reads of a row, side by side in `room` where it is several vectors. */
static const float *sources_of(struct cpu *cpu, const struct cpu_worker *worker, const struct head *head,
                               int32_t i, float *room) {
  if (head->read_count == 1)
    return source_of(cpu, worker, &head->reads[0], i, 0, room);
  float *to = room;
  for (int32_t k = 0; k < head->read_count; to += head->reads[k++].width) {
    const float *from = source_of(cpu, worker, &head->reads[k], i, 0, to);
    if (from != to)
      memcpy(to, from, (size_t)head->reads[k].width * sizeof *to);
  }
  return room;
}

/* One head over `count` vectors at worker->pointers: outputs of the rows `at`, `step` apart, of the caller's
 * arrays. */
static void head_run(struct cpu *cpu, struct cpu_worker *worker, int32_t number, int32_t count,
                     const size_t *at, const cuseq_decoding *d) {
  const struct output_structure *output = &cpu->structure->output;
  const struct head *head = &output->heads[number];
  chain_run(cpu, worker, &cpu->packed->weights.heads[number], worker->pointers, head->inputs, count,
            worker->chained, worker->query, cpu->read_stride, false);
  for (int32_t n = 0; n < count; n++) {
    float *logits = worker->chained + (size_t)n * cpu->read_stride;
    bool finite;
    const int32_t token = output_best(cpu, head, logits, &finite);
    if (!finite)
      cpu_note(cpu, at[n] / (size_t)d->steps, 1, BACKEND_STAGE_OUTPUTS);
    if (d->outputs)
      output_activate(cpu, head, logits, token,
                      d->outputs + at[n] * (size_t)output->width + (size_t)head->offset);
    if (d->tokens)
      d->tokens[at[n] * (size_t)output->count + (size_t)number] = token;
  }
}

/* A head over every position of row i. */
static void head_every(struct cpu *cpu, struct cpu_worker *worker, int32_t number, int32_t i,
                       const cuseq_decoding *d) {
  const struct head *head = &cpu->structure->output.heads[number];
  const int32_t length = cpu->lengths[worker->encoded[i]];
  const size_t first = (size_t)worker->number[i] * (size_t)d->steps;
  for (int32_t t = 0; t < length; t += CPU_LANES) {
    const int32_t here = length - t < CPU_LANES ? length - t : CPU_LANES;
    size_t at[CPU_LANES];
    for (int32_t n = 0; n < here; n++) {
      worker->pointers[n] = source_of(cpu, worker, &head->reads[0], i, t + n, NULL);
      at[n] = first + (size_t)(t + n);
    }
    head_run(cpu, worker, number, here, at, d);
  }
}

/* What a head over row i gives at its first position stands at all of them. */
static void spread(struct cpu *cpu, struct cpu_worker *worker, int32_t number, int32_t i,
                   const cuseq_decoding *d) {
  const struct output_structure *output = &cpu->structure->output;
  const struct head *head = &output->heads[number];
  const size_t first = (size_t)worker->number[i] * (size_t)d->steps, V = (size_t)output->width;
  for (size_t t = 1; t < (size_t)cpu->lengths[worker->encoded[i]]; t++) {
    if (d->outputs)
      memcpy(d->outputs + (first + t) * V + head->offset, d->outputs + first * V + head->offset,
             (size_t)head->units * sizeof *d->outputs);
    if (d->tokens)
      d->tokens[(first + t) * (size_t)output->count + (size_t)number] =
          d->tokens[first * (size_t)output->count + (size_t)number];
  }
}

/* A head over one vector a row, CPU_LANES rows at a time. */
static void head_rows(struct cpu *cpu, struct cpu_worker *worker, int32_t number, int32_t count,
                      const cuseq_decoding *d) {
  const struct head *head = &cpu->structure->output.heads[number];
  for (int32_t first = 0; first < count; first += CPU_LANES) {
    const int32_t here = count - first < CPU_LANES ? count - first : CPU_LANES;
    size_t at[CPU_LANES];
    for (int32_t n = 0; n < here; n++) {
      worker->pointers[n] =
          sources_of(cpu, worker, head, first + n, worker->read + (size_t)n * cpu->read_stride);
      at[n] = (size_t)worker->number[first + n] * (size_t)d->steps; /* one, or the row's positions */
    }
    head_run(cpu, worker, number, here, at, d);
  }
}

/* Zeros at the positions that a row does not have. */
static void clear_past_end(const struct cpu *cpu, const struct cpu_worker *worker, int32_t i,
                           const cuseq_decoding *d) {
  const struct output_structure *output = &cpu->structure->output;
  const size_t length = (size_t)cpu->lengths[worker->encoded[i]], left = (size_t)d->steps - length;
  const size_t first = (size_t)worker->number[i] * (size_t)d->steps + length;
  if (d->outputs)
    memset(d->outputs + first * (size_t)output->width, 0, left * (size_t)output->width * sizeof(float));
  if (d->tokens)
    memset(d->tokens + first * (size_t)output->count, 0, left * (size_t)output->count * sizeof(int32_t));
}

void output_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t thread) {
  struct cpu *cpu = call->cpu;
  struct cpu_worker *worker = &cpu->workers[thread];
  const cuseq_decoding *d = call->decoding;
  const struct output_structure *output = &cpu->structure->output;
  const bool tagger = structure_is_tagger(cpu->structure);
  if (cpu->structure->attention.present)
    initial_attend(cpu, tile, thread, d->initial_h, d->contexts, d->alphas);
  for (int32_t i = 0; i < tile.count; i++)
    worker->encoded[i] = worker->number[i] = cpu->order[tile.first + i];
  for (int32_t h = 0; h < output->count && (d->outputs || d->tokens); h++) {
    const bool every = output->heads[h].source == HEAD_EVERY;
    if (!every)
      head_rows(cpu, worker, h, tile.count, d);
    for (int32_t i = 0; tagger && i < tile.count; i++)
      (every ? head_every : spread)(cpu, worker, h, i, d);
  }
  for (int32_t i = 0; i < tile.count; i++) {
    if (tagger)
      clear_past_end(cpu, worker, i, d);
    if (d->output_lengths)
      d->output_lengths[worker->number[i]] = tagger ? cpu->lengths[worker->encoded[i]] : 1;
  }
}
