/* Attention of a tile's rows. */
#include "backends/cpu/fold.h"

#include <string.h>

static size_t padded_time(const struct cpu *cpu) {
  return arena_padded(cpu->time);
}

static float *keys_of(const struct cpu *cpu, size_t row) {
  return cpu->keys + row * (cpu->key_rows + cpu->key_stride) * arena_padded(cpu->limits.time);
}

struct cpu_positions attention_annotations(const struct cpu *cpu, int32_t row) {
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

/* x [width] as each head's part by itself, padded to whole vectors. */
static void heads_apart(const float *x, int32_t width, int32_t heads, float *out) {
  const size_t part = (size_t)(width / heads), padded = arena_padded(width / heads);
  for (int32_t h = 0; h < heads; h++) {
    memcpy(out + (size_t)h * padded, x + (size_t)h * part, part * sizeof *out);
    memset(out + (size_t)h * padded + part, 0, (padded - part) * sizeof *out);
  }
}

/* Keys of inner products, or values, [width], as [time][stride]; of several heads apart. */
static void mapped_positions(struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *chain,
                             int32_t row, int32_t width, float *out, size_t stride) {
  const struct cpu_positions positions = attention_annotations(cpu, row);
  const int32_t heads = cpu->structure->attention.heads;
  const size_t together = arena_padded(width);
  for (int32_t t = 0; t < positions.length; t += CPU_LANES) {
    const int32_t left = positions.length - t, here = left < CPU_LANES ? left : CPU_LANES;
    float *to = heads == 1 ? out + (size_t)t * stride : worker->query;
    chain_positions(cpu, worker, chain, &positions, t, here, to, heads == 1 ? stride : together);
    for (int32_t i = 0; i < here && heads > 1; i++)
      heads_apart(to + (size_t)i * together, width, heads, out + (size_t)(t + i) * stride);
  }
}

static float *values_of(const struct cpu *cpu, int32_t row) {
  return cpu->values + (size_t)row * cpu->value_stride * arena_padded(cpu->limits.time);
}

struct cpu_positions attention_values(const struct cpu *cpu, int32_t row) {
  if (cpu->value_stride == 0)
    return attention_annotations(cpu, row);
  return (struct cpu_positions){.x = values_of(cpu, row),
                                .stride = cpu->value_stride,
                                .width = cpu->structure->attention.context_width,
                                .length = cpu->lengths[row]};
}

void attention_keys(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile) {
  const struct attention_structure *attention = &cpu->structure->attention;
  for (int32_t i = 0; i < tile.count; i++) {
    const int32_t row = cpu->order[tile.first + i];
    const struct cpu_attention *weights = &cpu->packed->weights.attention;
    const struct cpu_positions positions = attention_annotations(cpu, row);
    if (cpu->key_rows > 0)
      cpu->key_powers[row] = attention_layered_keys(cpu, worker, attention, weights, &positions,
                                                    keys_of(cpu, (size_t)row), padded_time(cpu));
    if (cpu->key_stride > 0)
      mapped_positions(cpu, worker, &weights->keys, row, attention->key_width, keys_of(cpu, (size_t)row),
                       cpu->key_stride);
    if (cpu->value_stride > 0)
      mapped_positions(cpu, worker, &weights->values, row, attention->context_width, values_of(cpu, row),
                       cpu->value_stride);
  }
  fold_positions(cpu, worker, tile);
}

/* A row's keys of inner products, a head's part of them. */
static struct cpu_positions product_keys(const struct cpu *cpu, int32_t row, int32_t head) {
  const struct attention_structure *attention = &cpu->structure->attention;
  struct cpu_positions keys = attention_annotations(cpu, row);
  keys.width = attention->key_width / attention->heads;
  if (folded_has(&cpu->fold.keys, row)) {
    keys.x = folded_of(&cpu->fold.keys, row);
    keys.stride = cpu->fold.keys.stride;
    keys.width = cpu->fold.keys.columns;
  } else if (cpu->key_stride > 0) {
    keys.x = keys_of(cpu, (size_t)row) + (size_t)head * arena_padded(keys.width);
    keys.stride = cpu->key_stride;
  }
  return keys;
}

/* Of one head; the query is its own part. */
static void row_energies(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row, int32_t head,
                         const float *query) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const int32_t length = cpu->lengths[row];
  if (attention->kind == ENERGY_LAYERS) {
    cpu->kernels->energies(&cpu->packed->weights.attention.energy, keys_of(cpu, (size_t)row),
                           padded_time(cpu), cpu->key_powers[row], query, length, worker->scratch,
                           worker->energies);
  } else {
    const struct cpu_positions keys = product_keys(cpu, row, head);
    cpu->kernels->dots(keys.x, keys.stride, keys.width, query, 0.0f, attention->scale, length,
                       worker->energies);
  }
  for (int32_t t = 0; attention->position_bias && t < length; t++)
    worker->energies[t] += attention->position_bias[t];
}

/* The values of a head by the energies, in the place of which their weights are left. */
static enum cpu_attended add_values(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row,
                                    int32_t head, float *context) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const int32_t width = attention->context_width / attention->heads;
  const bool own = cpu->value_stride > 0;
  const float *values =
      own ? values_of(cpu, row) + (size_t)head * arena_padded(width) : annotations_of(cpu, row);
  return cpu->kernels->attend(values, own ? cpu->value_stride : annotation_stride(cpu), width,
                              cpu->lengths[row], worker->energies, context);
}

/* One head, or all there is: the weights are left in worker->energies. */
static enum cpu_attended attend_head(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row,
                                     int32_t head, const float *query, float *context) {
  row_energies(cpu, worker, row, head, query);
  return add_values(cpu, worker, row, head, context);
}

/* The sum of folded values, and where `context_wanted` the context too: the weights of both are the same. */
static enum cpu_attended attend_folded(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row,
                                       const float *query, bool context_wanted, float *context, float *sum) {
  const struct cpu_folded *values = &cpu->fold.values;
  const size_t bytes = (size_t)cpu->lengths[row] * sizeof(float);
  row_energies(cpu, worker, row, 0, query);
  if (context_wanted) {
    memcpy(worker->kept_energies, worker->energies, bytes);
    add_values(cpu, worker, row, 0, context);
    memcpy(worker->energies, worker->kept_energies, bytes);
  }
  return cpu->kernels->attend(folded_of(values, row), values->stride, values->columns, cpu->lengths[row],
                              worker->energies, sum);
}

/* Several heads: the mean of their weights is left in worker->energies. */
static enum cpu_attended attend_heads(const struct cpu *cpu, const struct cpu_worker *worker, int32_t row,
                                      const float *query, float *context) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const int32_t heads = attention->heads, width = attention->context_width / heads,
                length = cpu->lengths[row];
  const size_t key = arena_padded(attention->key_width / heads);
  enum cpu_attended attended = CPU_ATTENDED;
  heads_apart(query, attention->key_width, heads, worker->head_query);
  memset(worker->mean, 0, (size_t)length * sizeof *worker->mean);
  for (int32_t h = 0; h < heads; h++) {
    const enum cpu_attended one =
        attend_head(cpu, worker, row, h, worker->head_query + (size_t)h * key, worker->of_head);
    if (attended == CPU_ATTENDED || one == CPU_ATTENDED_ENERGIES)
      attended = one;
    memcpy(context + (size_t)h * (size_t)width, worker->of_head, (size_t)width * sizeof *context);
    for (int32_t t = 0; t < length; t++)
      worker->mean[t] += worker->energies[t];
  }
  memset(context + attention->context_width, 0,
         (cpu->context_stride - (size_t)attention->context_width) * sizeof *context);
  for (int32_t t = 0; t < length; t++)
    worker->energies[t] = worker->mean[t] / (float)heads;
  return attended;
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

/* What the keys of `count` rows are multiplied with: their queries, or where keys are folded or there is no
 * query what asks itself. States lie in whole vectors, as inner products read them, and tokens do not. */
static const float *const *make_queries(const struct cpu *cpu, const struct cpu_worker *worker,
                                        const float *const *asks, int32_t count) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const struct cpu_chain *query = &cpu->packed->weights.attention.query;
  const size_t stride = cpu->query_stride > cpu->read_stride ? cpu->query_stride : cpu->read_stride;
  const size_t key = (size_t)attention->key_width;
  int32_t made = 0;
  if (query->count == 0 && attention->asks != ASKS_TOKEN)
    return asks;
  for (int32_t n = 0; n < count; n++)
    if (!folded_has(&cpu->fold.keys, worker->encoded[worker->active[n]]))
      worker->asking[made++] = asks[n];
  if (made > 0)
    chain_run(cpu, worker, query, worker->asking, attention->query_inputs, made, worker->query, worker->read,
              stride, false);
  for (int32_t n = 0; n < made && attention->kind == ENERGY_PRODUCT; n++)
    memset(worker->query + (size_t)n * stride + key, 0,
           (arena_padded(attention->key_width) - key) * sizeof(float));
  for (int32_t n = count - 1; n >= 0; n--)
    worker->asking[n] = folded_has(&cpu->fold.keys, worker->encoded[worker->active[n]])
                            ? asks[n]
                            : worker->query + (size_t)--made * stride;
  return worker->asking;
}

void attention_step(struct cpu *cpu, struct cpu_worker *worker, int32_t count, const float *const *asks,
                    struct attention_out out) {
  const struct attention_structure *attention = &cpu->structure->attention;
  const size_t C = (size_t)attention->context_width, T = (size_t)cpu->time;
  const float *const *queries = make_queries(cpu, worker, asks, count);
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n], row = worker->encoded[i];
    const size_t b = (size_t)worker->number[i], length = (size_t)cpu->lengths[row];
    float *context = worker->context + (size_t)i * cpu->context_stride;
    const enum cpu_attended attended =
        folded_has(&cpu->fold.values, row)
            ? attend_folded(cpu, worker, row, queries[n], out.contexts || cpu->fold.context_read, context,
                            folded_sum_of(cpu, worker, i))
        : attention->heads > 1 ? attend_heads(cpu, worker, row, queries[n], context)
                               : attend_head(cpu, worker, row, 0, queries[n], context);
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
