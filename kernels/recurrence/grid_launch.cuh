/* What the launchers of the mapping GRID's kernels share: the workspace, blocks of a group, the launch
 * itself. */
#ifndef CUSEQ_KERNELS_GRID_LAUNCH_CUH
#define CUSEQ_KERNELS_GRID_LAUNCH_CUH

#include "kernels/recurrence/grid_group.cuh"

static inline size_t grid_round_up(size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

/* Counters of as many teams of groups as a device has room for, two of a block. They come first and have a
 * size of their own, so that launches of other batches leave them alone. */
static inline size_t grid_counter_bytes(const struct launch_device *device) {
  return grid_round_up((size_t)device->multiprocessors * 2 * GRID_COUNTERS * sizeof(unsigned));
}

static inline size_t grid_cell_bytes(int32_t batch, int32_t units, int32_t directions) {
  return grid_round_up((size_t)batch * directions * units * sizeof(float));
}

static inline void grid_place(const struct sequence *a, const struct launch_device *device,
                              struct sequence_grid *g) {
  char *workspace = (char *)a->d_workspace;
  g->counters = (unsigned *)workspace;
  g->cells = (float *)(workspace + grid_counter_bytes(device));
  g->hidden =
      (float *)(workspace + grid_counter_bytes(device) + grid_cell_bytes(a->batch, a->units, a->directions));
}

/* Blocks that a direction has room for. */
static inline int grid_room(int32_t directions, const struct launch_device *device) {
  int each = device->cooperative ? device->multiprocessors / directions : 1;
  return each < 1 ? 1 : each;
}

/* Blocks of a group: one for each tile of `width` units as far as a direction's share of the SMs goes. */
static inline int grid_blocks(int32_t units, int width, int32_t directions,
                              const struct launch_device *device) {
  int tiles = (units + width - 1) / width, room = grid_room(directions, device);
  return tiles < room ? tiles : room;
}

/* Tiles of `width` units that a block owns at most. */
__host__ __device__ static inline int grid_owned(int32_t units, int width, int blocks) {
  return ((units + width - 1) / width + blocks - 1) / blocks;
}

/* Launches a kernel of the two structures; cooperatively where blocks wait for one another. */
static inline cudaError_t grid_launch(const void *kernel, const struct sequence_parameters *p,
                                      const struct sequence_grid *g, int threads, size_t bytes,
                                      cudaStream_t stream) {
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes) != cudaSuccess)
    return cudaGetLastError();
  void *arguments[] = {(void *)p, (void *)g};
  dim3 grid((unsigned)(g->groups * g->blocks)), block((unsigned)threads);
  cudaError_t status = g->blocks > 1
                           ? cudaLaunchCooperativeKernel(kernel, grid, block, arguments, bytes, stream)
                           : cudaLaunchKernel(kernel, grid, block, arguments, bytes, stream);
  cudaError_t last = cudaGetLastError();
  return status != cudaSuccess ? status : last;
}

/* The mapping's two kernels: with tensor cores, and without where a device or its code has none. Rows of U
 * that stay in shared memory, of H; -1 where not even the rest has room there. */
int tensor_resident(int32_t units, int32_t directions, cuseq_precision precision,
                    const struct launch_device *device);
cudaError_t tensor_launch(const struct sequence_parameters *parameters, const struct launch_device *device,
                          cudaStream_t stream);

#endif
