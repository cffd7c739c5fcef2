/* What follows an encoder layer's cells: merges other than concat, residuals, weights of positions,
 * self-attention, dense layers; and the caller's annotations past the rows' lengths. */
#include "backends/cpu/cpu.h"

#include <string.h>

/* The merged hidden states of a position, in whole vectors. */
static void merge_position(const struct cpu *cpu, const struct encoder_layer *layer, const float *sides,
                           float *merged) {
  const float *forward = sides, *backward = sides + cpu->units_stride;
  const size_t first = encoder_layer_has(layer, 0) ? (size_t)layer->cells[0].units : 0;
  const size_t second = encoder_layer_has(layer, 1) ? (size_t)layer->cells[1].units : 0;
  if (layer->direction == LAYER_BIDIRECTIONAL && layer->merge != CUSEQ_MERGE_CONCAT) {
    cpu->kernels->merge(layer->merge, forward, backward, layer->merged_width, merged);
    return;
  }
  memcpy(merged, forward, first * sizeof *merged);
  memcpy(merged + first, backward, second * sizeof *merged);
}

/* What the layer read of row b at position t is added. */
static void add_input(const struct cpu_call *call, size_t b, size_t t, float *merged) {
  const struct cpu *cpu = call->cpu;
  const struct input_structure *in = &cpu->structure->input;
  const struct backend_input *input = call->input;
  const int32_t width = cpu->structure->encoder.layers[call->layer].inputs;
  const float *x = NULL;
  const size_t at = b * (size_t)input->time + t;
  if (call->layer > 0)
    x = layer_output(cpu, call->layer - 1) + b * cpu->layer_stride +
        t * layer_position(&cpu->structure->encoder.layers[call->layer - 1]);
  else if (input->ids && in->embedding_units > 0)
    x = in->embedding + (size_t)input->ids[at] * (size_t)in->embedding_units;
  else if (input->ids)
    merged[input->ids[at]] += 1.0f;
  else if (input->f32)
    x = input->f32 + at * (size_t)in->features;
  for (int32_t j = 0; j < width && !input->ids && !input->f32 && call->layer == 0; j++)
    merged[j] += (float)input->f64[at * (size_t)in->features + (size_t)j];
  for (int32_t j = 0; x && j < width; j++)
    merged[j] += x[j];
}

/* The merged hidden states of positions t .. t + count - 1 of row b, and what the layer read where it is
 * residual: [count][stride]. */
static void merge_positions(const struct cpu_call *call, size_t b, size_t t, int32_t count, float *to,
                            size_t stride) {
  const struct cpu *cpu = call->cpu;
  const struct encoder_layer *layer = &cpu->structure->encoder.layers[call->layer];
  for (int32_t i = 0; i < count; i++, to += stride, t++) {
    merge_position(cpu, layer, cpu->sides + b * cpu->side_stride + 2 * t * cpu->units_stride, to);
    if (layer->residual)
      add_input(call, b, t, to);
  }
}

/* ---- layers that look at several positions at a time ---- */

/* All positions of row b, each with zeros up to a whole vector; weighted where the layer does that. */
static struct cpu_positions merge_row(const struct cpu_call *call, struct cpu_worker *worker, size_t b) {
  struct cpu *cpu = call->cpu;
  const struct encoder_layer *layer = &cpu->structure->encoder.layers[call->layer];
  const int32_t width = layer->merged_width, length = cpu->lengths[b];
  const size_t stride = arena_padded(width), rest = stride - (size_t)width;
  float *x = worker->row;
  merge_positions(call, b, 0, length, x, stride);
  for (int32_t t = 0; rest > 0 && t < length; t++)
    memset(x + (size_t)t * stride + (size_t)width, 0, rest * sizeof *x);
  if (layer->weighting.kernel &&
      !weighting_run(cpu, worker, &cpu->packed->weights.encoder[call->layer].weighting, x, stride, length))
    cpu_note(cpu, b, 0, BACKEND_STAGE_MERGE);
  return (struct cpu_positions){.x = x, .stride = stride, .width = width, .length = length};
}

/* What `count` positions from t on have asked, or that and themselves: [count][stride]. */
static void ask_positions(const struct cpu_call *call, struct cpu_worker *worker, const struct cpu_self *self,
                          const struct cpu_positions *row, size_t b, int32_t t, int32_t count, float *to,
                          size_t stride) {
  struct cpu *cpu = call->cpu;
  const int32_t C = self->attention->context_width;
  bool finite = self_attention_ask(cpu, worker, self, row, t, count, to, stride);
  for (int32_t i = 0; i < count; i++, to += stride) {
    finite = finite && cpu->kernels->finite(to, C, false);
    if (cpu->structure->encoder.layers[call->layer].beside)
      memcpy(to + C, row->x + (size_t)(t + i) * row->stride, (size_t)row->width * sizeof *to);
  }
  if (!finite)
    cpu_note(cpu, b, 0, BACKEND_STAGE_MERGE);
}

/* ---- rows ---- */

/* Positions t .. t + count - 1 of row b, at most CPU_LANES: their vectors at worker->pointers, mapped where
 * there is a dense layer, end in the layer's output. */
static void finish_positions(const struct cpu_call *call, struct cpu_worker *worker, size_t b, size_t t,
                             int32_t count, float *out) {
  struct cpu *cpu = call->cpu;
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const struct encoder_layer *layer = &encoder->layers[call->layer];
  const size_t stride = layer_position(layer);
  if (layer->dense.kernel)
    chain_run(cpu, worker, &cpu->packed->weights.encoder[call->layer].dense, worker->pointers,
              layer->joined_width, count, out, NULL, stride, false);
  for (int32_t i = 0; i < count; i++)
    cpu_check(cpu, b, 0, BACKEND_STAGE_MERGE, out + (size_t)i * stride, layer->width);
  float *annotations = call->layer == encoder->count - 1 ? call->encoding->annotations : NULL;
  const size_t A = (size_t)encoder->width;
  for (int32_t i = 0; annotations && i < count; i++)
    memcpy(annotations + (b * (size_t)call->input->time + t + (size_t)i) * A, out + (size_t)i * stride,
           A * sizeof *annotations);
}

static void finish_row(const struct cpu_call *call, struct cpu_worker *worker, size_t b) {
  const struct cpu *cpu = call->cpu;
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const struct encoder_layer *layer = &encoder->layers[call->layer];
  const size_t stride = layer->dense.kernel ? arena_padded(layer->joined_width) : layer_position(layer);
  struct cpu_self self = {.attention = encoder_self_attention(encoder, layer)};
  struct cpu_positions row = {0};
  if (self.attention || layer->weighting.kernel)
    row = merge_row(call, worker, b);
  if (self.attention) {
    self.weights = &cpu->packed->weights.self_attentions[layer->self_attention - 1];
    self_attention_begin(cpu, worker, &self, &row);
  }
  for (int32_t t = 0; t < cpu->lengths[b]; t += CPU_LANES) {
    const int32_t left = cpu->lengths[b] - t, count = left < CPU_LANES ? left : CPU_LANES;
    float *out = layer_output(cpu, call->layer) + b * cpu->layer_stride + (size_t)t * layer_position(layer);
    float *to = layer->dense.kernel ? worker->merged : out;
    if (self.attention)
      ask_positions(call, worker, &self, &row, b, t, count, to, stride);
    else if (row.x)
      memcpy(to, row.x + (size_t)t * row.stride, (size_t)count * row.stride * sizeof *to);
    else
      merge_positions(call, b, (size_t)t, count, to, stride);
    for (int32_t i = 0; i < count; i++)
      worker->pointers[i] = to + (size_t)i * stride;
    finish_positions(call, worker, b, (size_t)t, count, out);
  }
}

void encoder_finish(const struct cpu_call *call, struct cpu_tile tile, int32_t worker) {
  const struct cpu *cpu = call->cpu;
  if (!layer_finishes(&cpu->structure->encoder.layers[call->layer]))
    return;
  for (int32_t i = 0; i < tile.count; i++)
    finish_row(call, &cpu->workers[worker], (size_t)cpu->order[tile.first + i]);
}

void encoder_clear(const struct cpu_call *call, struct cpu_tile tile) {
  const struct cpu *cpu = call->cpu;
  const size_t T = (size_t)call->input->time, A = (size_t)cpu->structure->encoder.width;
  float *annotations = call->encoding->annotations;
  if (!annotations)
    return;
  for (int32_t i = 0; i < tile.count; i++) {
    const size_t b = (size_t)cpu->order[tile.first + i], length = (size_t)cpu->lengths[b];
    memset(annotations + (b * T + length) * A, 0, (T - length) * A * sizeof *annotations);
  }
}
