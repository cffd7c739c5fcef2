/* Attention of a tile's rows. */
#include "backends/cpu/cpu.h"

#include <string.h>

static size_t padded_time(const struct cpu *cpu) {
  return arena_padded(cpu->time);
}

static const float *annotations_of(const struct cpu *cpu, size_t b) {
  return cpu->layers[0] + b * cpu->layer_stride;
}

/* a_t K_a + k of a row's positions, as [units][time]. What stands past the length, up to a whole vector,
 * is never looked at. */
static void keys_of_row(struct cpu *cpu, struct cpu_worker *worker, size_t b) {
  const struct cpu_weights *weights = &cpu->weights;
  const float *a = annotations_of(cpu, b);
  const int32_t length = cpu->lengths[b], width = cpu->kernels->width, A = cpu->config.annotation_width;
  const size_t stride = padded_time(cpu);
  float *keys = cpu->keys + b * cpu->key_rows * arena_padded(cpu->limits.time);
  if (weights->key) {
    cpu->kernels->dots(a, cpu->annotation_stride, A, weights->key, weights->key_bias, 1.0f, length, keys);
    return;
  }
  for (int32_t t = 0; t < length; t += width) {
    const int32_t here = length - t < width ? length - t : width;
    for (int32_t i = 0; i < here; i++)
      worker->pointers[i] = a + (size_t)(t + i) * cpu->annotation_stride;
    cpu->kernels->dense(&weights->keys, worker->pointers, here, worker->scratch, cpu->key_rows);
    cpu->kernels->transpose(worker->scratch, cpu->key_rows, width, weights->keys.units, keys + t, stride);
  }
  cpu->key_powers[b] = cpu->kernels->key_powers(&weights->energy, keys, stride, length);
}

void attention_keys(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile) {
  for (int32_t i = 0; i < tile.count && cpu->keyed; i++)
    keys_of_row(cpu, worker, (size_t)cpu->order[tile.first + i]);
}

static void row_energies(const struct cpu *cpu, const struct cpu_worker *worker, size_t b,
                         const float *query) {
  const int32_t length = cpu->lengths[b];
  if (cpu->keyed)
    cpu->kernels->energies(&cpu->weights.energy,
                           cpu->keys + b * cpu->key_rows * arena_padded(cpu->limits.time), padded_time(cpu),
                           cpu->key_powers[b], query, length, worker->scratch, worker->energies);
  else
    cpu->kernels->dots(annotations_of(cpu, b), cpu->annotation_stride, cpu->config.annotation_width, query,
                       0.0f, cpu->config.scale, length, worker->energies);
}

void attention_step(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile, int32_t count,
                    const float *hidden, struct attention_out out) {
  const size_t A = (size_t)cpu->config.annotation_width, T = (size_t)cpu->time;
  const bool direct = cpu->config.score == CUSEQ_SCORE_DOT; /* the state itself is the query */
  for (int32_t n = 0; n < count; n++)
    worker->pointers[n] = hidden + (size_t)worker->active[n] * cpu->state_stride;
  if (!direct)
    cpu->kernels->dense(&cpu->weights.query, worker->pointers, count, worker->query, cpu->query_stride);
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    const size_t b = (size_t)cpu->order[tile.first + i], length = (size_t)cpu->lengths[b];
    float *context = worker->context + (size_t)i * cpu->annotation_stride;
    row_energies(cpu, worker, b,
                 direct ? worker->pointers[n] : worker->query + (size_t)n * cpu->query_stride);
    cpu->kernels->attend(annotations_of(cpu, b), cpu->annotation_stride, cpu->config.annotation_width,
                         (int32_t)length, worker->energies, context);
    if (out.contexts)
      memcpy(out.contexts + b * out.context_stride, context, A * sizeof(float));
    if (out.alphas) {
      float *alphas = out.alphas + b * out.alpha_stride;
      memcpy(alphas, worker->energies, length * sizeof(float));
      memset(alphas + length, 0, (T - length) * sizeof(float));
    }
  }
}
