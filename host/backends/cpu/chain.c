/* Dense layers one after the other over some rows. */
#include "backends/cpu/cpu.h"

#include <string.h>

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
    cpu->products->dense(dense, in, count, to, stride, turned, worker->room);
    for (int32_t i = 0; i < count; i++) {
      if (chain->activation[l] != CUSEQ_ACTIVATION_LINEAR)
        cpu->kernels->activate(chain->activation[l], to + (size_t)i * stride, dense->units);
      in[i] = to + (size_t)i * stride;
    }
  }
}
