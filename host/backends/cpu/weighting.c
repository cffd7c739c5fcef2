/* Weights of the positions of a row, for each feature by itself: the product that makes their energies is a
 * dense layer's, whose rows are features and whose inputs and units are positions. */
#include "backends/cpu/cpu.h"

#include <string.h>

/* Features j .. j + CPU_LANES - 1 of the positions, one after the other: [CPU_LANES][time], zeros behind the
 * last position. */
static void features_turn(const struct cpu *cpu, const float *x, size_t stride, int32_t length, int32_t j,
                          size_t time, float *features) {
  const int32_t width = cpu->kernels->width;
  for (int32_t t = 0; t < length; t += width)
    cpu->kernels->transpose(x + (size_t)t * stride + j, stride, width, CPU_LANES, features + t, time);
  for (int32_t i = 0; i < CPU_LANES; i++)
    memset(features + (size_t)i * time + length, 0, (time - (size_t)length) * sizeof *features);
}

bool weighting_run(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *weighting,
                   float *x, size_t stride, int32_t length) {
  const struct cpu_kernels *kernels = cpu->kernels;
  const int32_t T = weighting->layers[0].units, width = kernels->width;
  const size_t time = arena_padded(T);
  float *features = worker->weighting.features, *alphas = worker->weighting.alphas;
  bool finite = true;
  for (int32_t j = 0; j < (int32_t)stride; j += CPU_LANES) {
    features_turn(cpu, x, stride, length, j, time, features);
    for (int32_t i = 0; i < CPU_LANES; i++)
      worker->pointers[i] = features + (size_t)i * time;
    chain_run(cpu, worker, weighting, worker->pointers, T, CPU_LANES, alphas, NULL, time, false);
    for (int32_t i = 0; i < CPU_LANES; i++) {
      float *of_feature = alphas + (size_t)i * time;
      kernels->softmax(of_feature, length, of_feature);
      finite = finite && kernels->finite(of_feature, length, false);
      kernels->merge(CUSEQ_MERGE_MUL, of_feature, features + (size_t)i * time, length, of_feature);
    }
    for (int32_t t = 0; t < length; t += width)
      kernels->transpose(alphas + t, time, CPU_LANES, width, x + (size_t)t * stride + j, stride);
  }
  return finite;
}
