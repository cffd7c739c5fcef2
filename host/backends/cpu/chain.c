/* Dense layers one after the other over some rows. */
#include "backends/cpu/cpu.h"

#include <math.h>
#include <string.h>

/* The mean of (z - from) to the power of 1 or 2, in sums that do not wait for one another. */
static double mean_of(const float *z, int32_t units, double from, bool squares) {
  enum { SUMS = 8 };
  double sums[SUMS] = {0.0}, total = 0.0;
  for (int32_t j = 0; j < units; j += SUMS)
    for (int32_t k = 0; k < SUMS && j + k < units; k++) {
      const double difference = (double)z[j + k] - from;
      sums[k] += squares ? difference * difference : difference;
    }
  for (int k = 0; k < SUMS; k++)
    total += sums[k];
  return total / units;
}

/* In float64: a difference to the mean of numbers that are nearly equal keeps its digits. */
static void normalise(const struct dense_norm *norm, float *sums) {
  float *z = sums + norm->first;
  const double mean = mean_of(z, norm->units, 0.0, false);
  const double factor = 1.0 / sqrt(mean_of(z, norm->units, mean, true) + (double)norm->epsilon);
  for (int32_t j = 0; j < norm->units; j++)
    z[j] = (float)(((double)z[j] - mean) * factor * (double)norm->scale[j] + (double)norm->offset[j]);
}

void chain_positions(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *chain,
                     const struct cpu_positions *row, int32_t t, int32_t here, float *out, size_t stride) {
  for (int32_t i = 0; i < here; i++)
    worker->pointers[i] = row->x + (size_t)(t + i) * row->stride;
  if (chain->count == 1) {
    chain_run(cpu, worker, chain, worker->pointers, row->width, here, out, NULL, stride, false);
    return;
  }
  chain_run(cpu, worker, chain, worker->pointers, row->width, here, worker->read, worker->chained,
            cpu->read_stride, false);
  for (int32_t i = 0; i < here; i++)
    memcpy(out + (size_t)i * stride, worker->read + (size_t)i * cpu->read_stride, stride * sizeof *out);
}

void chain_run(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_chain *chain,
               const float **in, int32_t width, int32_t count, float *out, float *spare, size_t stride,
               bool turned) {
  if (chain->count == 0) {
    for (int32_t i = 0; i < count; i++)
      memmove(out + (size_t)i * stride, in[i], (size_t)width * sizeof *out);
    return;
  }
  for (int32_t l = 0; l < chain->count; l++) {
    const struct cpu_dense *dense = &chain->layers[l];
    float *to = (chain->count - 1 - l) % 2 == 0 ? out : spare; /* the last one ends in `out` */
    product_dense(cpu, worker, dense, in, count, to, stride, turned);
    for (int32_t i = 0; i < count; i++) {
      if (chain->norm[l].units > 0)
        normalise(&chain->norm[l], to + (size_t)i * stride);
      if (chain->activation[l] != CUSEQ_ACTIVATION_LINEAR)
        cpu->kernels->activate(chain->activation[l], to + (size_t)i * stride, dense->units);
      in[i] = to + (size_t)i * stride;
    }
  }
}
