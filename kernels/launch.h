/* What host code may see of the kernels: arguments, packing of weights, launchers. C17 and CUDA C++.
 *
 * Letters and layouts are those of cuseq.h. Every pointer in an argument structure that is marked d_ is
 * device memory of the launch's device, 16-byte aligned unless said otherwise; arrays do not overlap unless
 * said otherwise.
 *
 * Every launcher checks its arguments, computes the grid, queues exactly one kernel on the stream and looks
 * at cudaGetLastError. It allocates nothing, synchronises nothing and may be captured in a graph. It returns
 * CUSEQ_STATUS_OK, or a status with one line in launch_stream.error. */
#ifndef CUSEQ_KERNELS_LAUNCH_H
#define CUSEQ_KERNELS_LAUNCH_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the choice of a mapping and a grid depends on. Filled in once per session. */
struct launch_device {
  int32_t architecture;    /* 10 x major + minor: 75, 80, 90, 100, 120 */
  int32_t multiprocessors; /* SMs */
  int32_t shared_bytes;    /* of a block, with the opt-in (cudaDevAttrMaxSharedMemoryPerBlockOptin) */
  int32_t cooperative;     /* not 0: cooperative launches (cudaDevAttrCooperativeLaunch) */
  int32_t clusters;        /* not 0: cudaDevAttrClusterLaunch, and launch_clusters_built() */
  int32_t tensor_cores;    /* not 0: launch_tensor_cores_built() */
};

/* Whether what the current device runs of this build has the kernels that need clusters: 0 where the device
 * took code for an architecture before 90. launch_device.clusters is then to be 0. */
int32_t launch_clusters_built(void);

/* Whether it has the products by tensor cores of tf32 and bfloat16: 0 where the device took code for an
 * architecture before 80. */
int32_t launch_tensor_cores_built(void);

/* Where a launcher queues its kernel and puts its error. */
struct launch_stream {
  void *stream;                       /* the cudaStream_t */
  const struct launch_device *device; /* never NULL */
  char *error;                        /* [error_capacity], receives one line on failure; never NULL */
  size_t error_capacity;
};

/* Where a row's numbers may leave float32's range, in the order in which they are made. */
enum launch_stage {
  LAUNCH_STAGE_ENCODER = 0, /* the encoder's states */
  LAUNCH_STAGE_MERGE = 1,
  LAUNCH_STAGE_ENERGIES = 2,
  LAUNCH_STAGE_CONTEXT = 3,
  LAUNCH_STAGE_DECODER = 4, /* the decoder's states */
  LAUNCH_STAGE_OUTPUTS = 5,
};

/* Where kernels tell of results that are not finite: the least of row << 32 | step << 8 | stage, steps
 * counted from 1, 0 for what is before them. */
struct launch_check {
  uint64_t *d_fault; /* page-locked, mapped; UINT64_MAX: nothing was told. NULL: nothing is looked for */
  int32_t first_row; /* the number that the launch's first row has */
  int32_t step;      /* of launches that are one step; from 1 on */
};

#ifdef __cplusplus
}
#endif

#include "kernels/launch_attention.h"
#include "kernels/launch_input.h"
#include "kernels/launch_loop.h"
#include "kernels/launch_recurrence.h"
#include "kernels/launch_search.h"
#include "kernels/launch_self.h"
#include "kernels/launch_steps.h"
#include "kernels/launch_whole.h"

#endif
