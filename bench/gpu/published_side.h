/* Who runs a published model on the GPU: cuseq, cuseq with a launch for each step, and PyTorch. The models,
 * their input and the reference's answers are those of the CPU's benchmark (../cpu). */
#ifndef BENCH_GPU_PUBLISHED_SIDE_H
#define BENCH_GPU_PUBLISHED_SIDE_H

#include "../cpu/workload.h"
#include "timing.h"

struct side {
  char name[32];  /* the label of its rows */
  char note[200]; /* what was chosen, or why there is nothing to measure */
  bool is_there;  /* false: it cannot do this workload here; note says why */
  void *state;
  /* Makes a call and compares its answers: *worst is the largest error as a share of what is allowed. */
  bool (*check)(void *state, const struct instance *reference, double *worst);
  bool (*measure)(void *state, struct sample *sample);
  void (*close)(void *state);
};

/* Each makes *side for an instance; false with a message on stderr where the benchmark cannot go on. */
enum { SIDES = 3, SIDES_EMULATED = 2 };
bool side_cuseq(struct side *side, struct instance *instance, cudaStream_t stream);
bool side_cuseq_steps(struct side *side, struct instance *instance, cudaStream_t stream);
bool side_torch(struct side *side, struct instance *instance, cudaStream_t stream);

#endif
