/* Where states begin: zeros, or the encoder's final ones. */
#include "backends/cpu/cpu.h"

#include <string.h>

/* What a row takes of the encoder, [inputs], into `to`. */
static void take_final(const struct cpu *cpu, const struct initial_structure *initial, int32_t row,
                       float *to) {
  const struct encoder_layer *layer = &cpu->structure->encoder.layers[initial->encoder_layer];
  const bool backward = initial->directions == INITIAL_BACKWARD;
  const float *finals = (initial->takes_c ? cpu->final_c : cpu->final_h) + (size_t)row * cpu->final_stride;
  const float *from =
      finals + structure_final_offset(&cpu->structure->encoder, initial->encoder_layer, backward);
  memcpy(to, from, (size_t)initial->inputs * sizeof *to);
  if (initial->directions != INITIAL_SUM || layer->direction != LAYER_BIDIRECTIONAL)
    return;
  from = finals + structure_final_offset(&cpu->structure->encoder, initial->encoder_layer, 1);
  for (int32_t j = 0; j < initial->inputs; j++)
    to[j] += from[j];
}

void initial_state(struct cpu *cpu, struct cpu_worker *worker, int32_t count,
                   const struct initial_structure *initial, const struct cpu_chain *dense, int32_t units,
                   float *state, size_t stride) {
  for (int32_t i = 0; i < count; i++)
    memset(state + (size_t)i * stride, 0, arena_padded(units) * sizeof *state);
  if (initial->from != INITIAL_ENCODER)
    return;
  for (int32_t i = 0; i < count; i++) {
    float *to = dense->count > 0 ? worker->read + (size_t)i * cpu->read_stride : state + (size_t)i * stride;
    take_final(cpu, initial, worker->encoded[i], to);
    worker->pointers[i] = to;
  }
  if (dense->count == 0)
    return;
  chain_run(cpu, worker, dense, worker->pointers, initial->inputs, count, state, NULL, stride, false);
  for (int32_t i = 0; i < count; i++)
    memset(state + (size_t)i * stride + units, 0, (arena_padded(units) - (size_t)units) * sizeof *state);
}

/* What asks before the first step, where the caller does not say it: [count][read_stride] in
 * worker->chained. */
static void asks_first(struct cpu *cpu, struct cpu_worker *worker, int32_t count) {
  const struct structure *s = cpu->structure;
  const int32_t Q = s->attention.query_inputs;
  if (s->attention.asks == ASKS_TOKEN) {
    const int32_t token = s->decoder.start_token > 0 ? s->decoder.start_token : 0;
    for (int32_t i = 0; i < count; i++) {
      float *to = worker->chained + (size_t)i * cpu->read_stride;
      memset(to, 0, arena_padded(Q) * sizeof *to);
      if (s->decoder.embedding_units > 0)
        memcpy(to, s->decoder.embedding + (size_t)token * (size_t)Q, (size_t)Q * sizeof *to);
      else
        to[token] = 1.0f;
    }
    return;
  }
  if (!s->decoder.present) {
    initial_state(cpu, worker, count, &s->asking.initial, &cpu->packed->weights.asking, Q, worker->chained,
                  cpu->read_stride);
    return;
  }
  const struct decoder_layer *layer = &s->decoder.layers[s->attention.asked_layer];
  const struct cpu_decoder_layer *weights = &cpu->packed->weights.decoder[s->attention.asked_layer];
  const bool other = layer->initial_h.from == INITIAL_OTHER;
  initial_state(cpu, worker, count, other ? &layer->initial_c : &layer->initial_h,
                other ? &weights->initial_c : &weights->initial_h, Q, worker->chained, cpu->read_stride);
}

void initial_attend(struct cpu *cpu, struct cpu_tile tile, int32_t thread, const float *hidden,
                    float *context, float *alphas) {
  struct cpu_worker *worker = &cpu->workers[thread];
  const struct attention_structure *attention = &cpu->structure->attention;
  const size_t Q = (size_t)attention->query_inputs;
  for (int32_t i = 0; i < tile.count; i++) {
    worker->active[i] = i;
    worker->encoded[i] = worker->number[i] = cpu->order[tile.first + i];
  }
  if (!hidden)
    asks_first(cpu, worker, tile.count);
  for (int32_t i = 0; i < tile.count; i++) {
    float *to = worker->chained + (size_t)i * cpu->read_stride;
    if (hidden) {
      memset(to, 0, arena_padded(attention->query_inputs) * sizeof *to);
      memcpy(to, hidden + (size_t)worker->number[i] * Q, Q * sizeof *to);
    }
    worker->pointers[i] = to;
  }
  const struct attention_out out = {context, alphas, (size_t)attention->context_width, (size_t)cpu->time, 1};
  attention_step(cpu, worker, tile.count, worker->pointers, out);
}
