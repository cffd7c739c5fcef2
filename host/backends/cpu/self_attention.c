/* Self-attention of one row in an encoder's layer: every position asks all of them. Energies of inner
 * products, and contexts, are products of some queries at a time with a matrix that is made of the row: its
 * keys, turned, and its values lie as packed weights do (kernels.h), each head's by themselves.
 *
 *   keys    in groups of 4, then 2, then 1 vectors of positions: [key_width][vectors][width], a head's part
 *           of which is its units'; of layered energies [key_rows][time], as attention.c has them
 *   values  in blocks of positions for each head: a sum over many is one of at most SELF_BLOCKS, so that its
 *           error does not grow with them */
#include "backends/cpu/cpu.h"

#include <string.h>

/* Vectors of positions that lie side by side. */
struct group {
  int32_t first, count;
};

/* The group that vector `at` of `all` is in. */
static struct group group_of(int32_t at, int32_t all) {
  const int32_t whole = all & ~3, left = all - whole;
  if (at < whole)
    return (struct group){at & ~3, 4};
  if (left >= 2 && at < whole + 2)
    return (struct group){whole, 2};
  return (struct group){left >= 2 ? whole + 2 : whole, 1};
}

static int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static int32_t vectors_of(const struct cpu *cpu, int32_t n) {
  return (n + cpu->kernels->width - 1) / cpu->kernels->width;
}

/* How many positions the values' blocks of a row have. */
static int32_t block_of(int32_t length) {
  const int32_t most = SELF_BLOCKS * SELF_BLOCK;
  return (length + most - 1) / most * SELF_BLOCK;
}

/* The positions of a row of keys or values: as they are, or mapped. */
static const float *mapped(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *chain,
                           const struct cpu_positions *row, int32_t t, int32_t here, size_t *stride) {
  if (chain->count == 0) {
    *stride = row->stride;
    return row->x + (size_t)t * row->stride;
  }
  *stride = arena_padded(chain->layers[chain->count - 1].units);
  chain_positions(cpu, worker, chain, row, t, here, worker->self.mapped, *stride);
  return worker->self.mapped;
}

/* Keys of inner products from position t on: turned into their groups. */
static void keys_pack(const struct cpu *cpu, struct cpu_worker *worker, const float *rows, size_t stride,
                      int32_t key_width, int32_t t, int32_t here, int32_t length) {
  const int32_t width = cpu->kernels->width;
  for (int32_t i = 0; i < here; i += width) {
    const int32_t at = (t + i) / width;
    const struct group group = group_of(at, vectors_of(cpu, length));
    const size_t line = (size_t)group.count * (size_t)width;
    float *to = worker->self.keys + (size_t)(group.first * width) * (size_t)key_width +
                (size_t)((at - group.first) * width);
    cpu->kernels->transpose(rows + (size_t)i * stride, stride, width, key_width, to, line);
  }
}

/* Where a head's values of position `first` lie, at which a block of a row begins. */
static float *values_at(const struct cpu_worker *worker, int32_t head, int32_t first, int32_t length,
                        int32_t units) {
  const int32_t block = block_of(length), whole = (length + block - 1) / block * block;
  return worker->self.values + ((size_t)head * (size_t)whole + (size_t)first) * arena_padded(units);
}

/* Values of position t, each head's columns into their groups. */
static void values_pack(const struct cpu *cpu, const struct cpu_worker *worker, const float *row,
                        int32_t heads, int32_t units, int32_t t, int32_t length) {
  const int32_t width = cpu->kernels->width, block = block_of(length), into = t % block;
  const int32_t positions = smaller(block, length - (t - into));
  for (int32_t head = 0; head < heads; head++) {
    float *to = values_at(worker, head, t - into, length, units);
    for (int32_t at = 0; at < vectors_of(cpu, units);) {
      const struct group group = group_of(at, vectors_of(cpu, units));
      const int32_t line = group.count * width, first = at * width;
      memcpy(to + (size_t)first * (size_t)positions + (size_t)into * (size_t)line,
             row + (size_t)(head * units + first), (size_t)smaller(line, units - first) * sizeof *to);
      at += group.count;
    }
  }
}

void self_attention_begin(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                          const struct cpu_positions *row) {
  const struct attention_structure *attention = self->attention;
  const int32_t heads = attention->heads, units = attention->context_width / heads;
  size_t stride;
  if (attention->kind == ENERGY_LAYERS)
    worker->self.powers = attention_layered_keys(cpu, worker, attention, self->weights, row,
                                                 worker->self.keys, arena_padded(cpu->limits.time));
  for (int32_t t = 0; t < row->length; t += CPU_LANES) {
    const int32_t here = smaller(CPU_LANES, row->length - t);
    if (attention->kind == ENERGY_PRODUCT) {
      const float *keys = mapped(cpu, worker, &self->weights->keys, row, t, here, &stride);
      keys_pack(cpu, worker, keys, stride, attention->key_width, t, here, row->length);
    }
    const float *values = mapped(cpu, worker, &self->weights->values, row, t, here, &stride);
    for (int32_t i = 0; i < here; i++)
      values_pack(cpu, worker, values + (size_t)i * stride, heads, units, t + i, row->length);
  }
}

/* The queries of `here` positions, [here][*stride]. */
static const float *queries_of(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                               const struct cpu_positions *row, int32_t t, int32_t here, size_t *stride) {
  const float scale = self->weights->query_scale,
              *rows = mapped(cpu, worker, &self->weights->query, row, t, here, stride);
  const int32_t width = self->attention->key_width;
  if (scale == 1.0f)
    return rows;
  const size_t to = arena_padded(width);
  float *scaled = worker->self.mapped;
  for (int32_t i = 0; i < here; i++)
    for (int32_t j = 0; j < width; j++)
      scaled[(size_t)i * to + (size_t)j] = rows[(size_t)i * *stride + (size_t)j] * scale;
  *stride = to;
  return scaled;
}

/* Energies [here][time] of a head for queries [here][stride]. */
static void energies_make(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                          int32_t length, const float *queries, size_t stride, int32_t here, int32_t head) {
  static const float no_bias[4 * CPU_LANES];
  const struct attention_structure *attention = self->attention;
  const size_t time = arena_padded(cpu->limits.time);
  const int32_t width = cpu->kernels->width, all = vectors_of(cpu, length),
                units = attention->key_width / attention->heads;
  float *energies = worker->self.energies;
  if (attention->kind == ENERGY_LAYERS) {
    for (int32_t i = 0; i < here; i++)
      cpu->kernels->energies(&self->weights->energy, worker->self.keys, time, worker->self.powers,
                             queries + (size_t)i * stride, length, worker->scratch,
                             energies + (size_t)i * time);
    return;
  }
  for (int32_t i = 0; i < here; i++)
    worker->pointers[i] = queries + (size_t)i * stride + (size_t)(head * units);
  for (int32_t at = 0; at < all;) {
    const struct group group = group_of(at, all);
    const int32_t line = group.count * width;
    const struct cpu_dense keys = {.weights = worker->self.keys +
                                              (size_t)(at * width) * (size_t)attention->key_width +
                                              (size_t)(head * units) * (size_t)line,
                                   .bias = no_bias,
                                   .scale = 1.0f,
                                   .inputs = units,
                                   .units = line};
    cpu->kernels->products.dense(&keys, worker->pointers, here, energies + (size_t)(at * width), time, false,
                                 NULL);
    at += group.count;
  }
}

/* What a head adds to the contexts at `to`, [here][stride] of `units` each: of exponentials, and with the
 * factors that make alphas of them. */
static void contexts_make(const struct cpu *cpu, struct cpu_worker *worker, int32_t length, int32_t here,
                          int32_t head, int32_t units, const float *factors, float *to, size_t stride) {
  static const float no_bias[4 * CPU_LANES];
  const size_t time = arena_padded(cpu->limits.time), padded = arena_padded(units);
  const int32_t width = cpu->kernels->width, all = vectors_of(cpu, units);
  const int32_t block = block_of(length);
  for (int32_t first = 0; first < length; first += block) {
    const int32_t positions = smaller(block, length - first);
    const float *values = values_at(worker, head, first, length, units);
    for (int32_t i = 0; i < here; i++)
      worker->pointers[i] = worker->self.energies + (size_t)i * time + (size_t)first;
    for (int32_t at = 0; at < all;) {
      const struct group group = group_of(at, all);
      const struct cpu_dense weights = {.weights = values + (size_t)(at * width) * (size_t)positions,
                                        .bias = no_bias,
                                        .scale = 1.0f,
                                        .inputs = positions,
                                        .units = group.count * width};
      cpu->kernels->products.dense(&weights, worker->pointers, here,
                                   worker->self.contexts + (size_t)(at * width), padded, false, NULL);
      at += group.count;
    }
    for (int32_t i = 0; i < here; i++) {
      const float *sums = worker->self.contexts + (size_t)i * padded;
      float *context = to + (size_t)i * stride;
      for (int32_t j = 0; j < units; j++)
        context[j] = sums[j] * factors[i] + (first > 0 ? context[j] : 0.0f);
    }
  }
}

bool self_attention_ask(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                        const struct cpu_positions *row, int32_t t, int32_t here, float *to, size_t stride) {
  const struct attention_structure *attention = self->attention;
  const int32_t heads = attention->heads, units = attention->context_width / heads;
  const size_t time = arena_padded(cpu->limits.time);
  size_t query_stride;
  const float *queries = queries_of(cpu, worker, self, row, t, here, &query_stride);
  float factors[CPU_LANES];
  bool finite = true;
  for (int32_t head = 0; head < heads; head++) {
    energies_make(cpu, worker, self, row->length, queries, query_stride, here, head);
    for (int32_t i = 0; i < here; i++) {
      const float sum = cpu->kernels->exponentials(worker->self.energies + (size_t)i * time, row->length);
      finite = finite && sum < __builtin_inff();
      factors[i] = 1.0f / sum;
    }
    contexts_make(cpu, worker, row->length, here, head, units, factors, to + (size_t)head * (size_t)units,
                  stride);
  }
  return finite;
}
