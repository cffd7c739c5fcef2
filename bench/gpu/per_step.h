/* A model step by step, as most code runs it: cuBLAS for every product, a kernel for what stands between
 * them. Per time step and direction a product h U and a pointwise kernel, x W by one product ahead (of ids:
 * its row is read by the pointwise kernel); per decoder step the attention as concat, product, bias and
 * activation for each of its layers, softmax and context, then the decoder's cell and the output layer.
 * Nothing is kept on the chip and nothing that does not change from step to step is kept. One stream, plain
 * float32. */
#ifndef BENCH_GPU_PER_STEP_H
#define BENCH_GPU_PER_STEP_H

#include "workload.h"

#include <cuda_runtime_api.h>

struct per_step;

/* Weights and workspaces of a workload on the current device; calls go to `stream`. NULL with a message on
 * stderr. The instance is not needed afterwards. */
struct per_step *per_step_open(const struct instance *instance, cudaStream_t stream);
void per_step_close(struct per_step *per_step);

/* Queues: the input from host memory to the device; a whole call, from device arrays to device arrays; the
 * answers to host memory. false with a message on stderr. */
bool per_step_input(struct per_step *per_step, const struct instance *instance);
bool per_step_run(struct per_step *per_step);
bool per_step_answers(struct per_step *per_step, const struct answers *answers);

/* per_step_run() captured once as a graph, and that graph queued: one launch of the host, the same
 * kernels. */
bool per_step_capture(struct per_step *per_step);
bool per_step_run_graph(struct per_step *per_step);

#endif
