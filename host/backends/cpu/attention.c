/* Attention of a tile's rows. */
#include "backends/cpu/cpu.h"

#include <string.h>

static size_t padded_time(const struct cpu *cpu) {
  return arena_padded(cpu->time);
}

static float *keys_of(const struct cpu *cpu, size_t row) {
  return cpu->keys + row * (cpu->key_rows + cpu->key_stride) * arena_padded(cpu->limits.time);
}

static struct cpu_positions positions_of(const struct cpu *cpu, int32_t row) {
  return (struct cpu_positions){.x = annotations_of(cpu, row),
                                .stride = annotation_stride(cpu),
                                .width = cpu->structure->encoder.width,
                                .length = cpu->lengths[row]};
}

int32_t attention_layered_keys(const struct cpu *cpu, struct cpu_worker *worker,
                               const struct attention_structure *attention,
                               const struct cpu_attention *weights, const struct cpu_positions *row,
                               float *keys, size_t stride) {
  const int32_t width = cpu->kernels->width;
  if (weights->key) {
    cpu->kernels->dots(row->x, row->stride, row->width, weights->key, weights->key_bias, 1.0f, row->length,
                       keys);
    return 0;
  }
  const size_t units = arena_padded(attention->key_width);
  for (int32_t t = 0; t < row->length; t += width) {
    const int32_t here = row->length - t < width ? row->length - t : width;
    chain_positions(cpu, worker, &weights->keys, row, t, here, worker->scratch, units);
    if (attention_key_rows(attention) == 1) /* one unit behind other layers */
      for (int32_t i = 0; i < here; i++)
        keys[t + i] = worker->scratch[(size_t)i * units];
    else
      cpu->kernels->transpose(worker->scratch, units, width, attention->key_width, keys + t, stride);
  }
  return cpu->kernels->key_powers(&weights->energy, keys, stride, row->length);
}

/* Keys of inner products, or values, as [time][stride]. */
static void mapped_positions(struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *chain,
                             int32_t row, float *out, size_t stride) {
  const struct cpu_positions positions = positions_of(cpu, row);
  for (int32_t t = 0; t < positions.length; t += CPU_LANES) {
    const int32_t left = positions.length - t, here = left < CPU_LANES ? left : CPU_LANES;
    chain_positions(cpu, worker, chain, &positions, t, here, out + (size_t)t * stride, stride);
  }
}

static float *values_of(const struct cpu *cpu, int32_t row) {
  return cpu->values + (size_t)row * cpu->value_stride * arena_padded(cpu->limits.time);
}

void attention_keys(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile) {
  for (int32_t i = 0; i < tile.count; i++) {
    const int32_t row = cpu->order[tile.first + i];
    const struct cpu_attention *weights = &cpu->packed->weights.attention;
    const struct cpu_positions positions = positions_of(cpu, row);
    if (cpu->key_rows > 0)
      cpu->key_powers[row] = attention_layered_keys(cpu, worker, &cpu->structure->attention, weights,
                                                    &positions, keys_of(cpu, (size_t)row), padded_time(cpu));
    if (cpu->key_stride > 0)
      mapped_positions(cpu, worker, &weights->keys, row, keys_of(cpu, (size_t)row), cpu->key_stride);
    if (cpu->value_stride > 0)
      mapped_positions(cpu, worker, &weights->values, row, values_of(cpu, row), cpu->value_stride);
  }
}

static void row_energies(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row,
                         const float *query) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const int32_t length = cpu->lengths[row];
  if (attention->kind == ENERGY_LAYERS)
    cpu->kernels->energies(&cpu->packed->weights.attention.energy, keys_of(cpu, (size_t)row),
                           padded_time(cpu), cpu->key_powers[row], query, length, worker->scratch,
                           worker->energies);
  else if (cpu->key_stride > 0)
    cpu->kernels->dots(keys_of(cpu, (size_t)row), cpu->key_stride, attention->key_width, query, 0.0f,
                       attention->scale, length, worker->energies);
  else
    cpu->kernels->dots(annotations_of(cpu, row), annotation_stride(cpu), attention->key_width, query, 0.0f,
                       attention->scale, length, worker->energies);
  for (int32_t t = 0; attention->position_bias && t < length; t++)
    worker->energies[t] += attention->position_bias[t];
}

/* What was not finite; what asks may have been so before. */
static void note(struct cpu *cpu, int32_t number, int32_t step, enum cpu_attended attended,
                 const float *asks) {
  const size_t row = (size_t)number;
  if (step > 1)
    cpu_check(cpu, row, step - 1, BACKEND_STAGE_DECODER, asks, cpu->structure->attention.query_inputs);
  cpu_note(cpu, row, step,
           attended == CPU_ATTENDED_ENERGIES ? BACKEND_STAGE_ENERGIES : BACKEND_STAGE_CONTEXT);
}

void attention_step(struct cpu *cpu, struct cpu_worker *worker, int32_t count, const float **asks,
                    struct attention_out out) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const size_t C = (size_t)attention->context_width, T = (size_t)cpu->time;
  const size_t stride = cpu->query_stride > cpu->read_stride ? cpu->query_stride : cpu->read_stride;
  /* inner products read whole vectors of what asks, and only a padded state has them */
  const struct cpu_chain *query = &cpu->packed->weights.attention.query;
  if (query->count > 0 || attention->asks == ASKS_TOKEN)
    chain_run(cpu, worker, query, asks, attention->query_inputs, count, worker->query, worker->read, stride,
              false);
  const bool direct = query->count == 0 && attention->asks != ASKS_TOKEN;
  const size_t key = (size_t)attention->key_width;
  for (int32_t n = 0; n < count && !direct && attention->kind == ENERGY_PRODUCT; n++)
    memset(worker->query + (size_t)n * stride + key, 0,
           (arena_padded(attention->key_width) - key) * sizeof(float));
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n], row = worker->encoded[i];
    const size_t b = (size_t)worker->number[i], length = (size_t)cpu->lengths[row];
    float *context = worker->context + (size_t)i * cpu->context_stride;
    row_energies(cpu, worker, row, direct ? asks[n] : worker->query + (size_t)n * stride);
    const float *a = cpu->value_stride > 0 ? values_of(cpu, row) : annotations_of(cpu, row);
    const size_t a_stride = cpu->value_stride > 0 ? cpu->value_stride : annotation_stride(cpu);
    const enum cpu_attended attended = cpu->kernels->attend(a, a_stride, attention->context_width,
                                                            (int32_t)length, worker->energies, context);
    if (attended != CPU_ATTENDED)
      note(cpu, worker->number[i], out.step, attended, asks[n]);
    if (out.contexts)
      memcpy(out.contexts + b * out.context_stride, context, C * sizeof(float));
    if (out.alphas) {
      float *alphas = out.alphas + b * out.alpha_stride;
      memcpy(alphas, worker->energies, length * sizeof(float));
      memset(alphas + length, 0, (T - length) * sizeof(float));
    }
  }
}
