/* A group of blocks that share a state, as both kernels of the mapping GRID have it (grid_block.cuh,
 * grid_tensor.cuh): its sizes, its flag barrier, the cells' input. */
#ifndef CUSEQ_KERNELS_GRID_GROUP_CUH
#define CUSEQ_KERNELS_GRID_GROUP_CUH

#include "kernels/recurrence/sequence.cuh"

static const int GRID_COUNTERS = 64; /* words between the counters of two groups: a pair of 128-byte lines */

struct sequence_grid {
  int blocks;      /* of a group                                                                    */
  int groups;      /* D | groups: group g owns direction g % D, tiles g / D, g / D + groups / D ... */
  int rows, tiles; /* rows of a tile, a multiple of 8; ceil(B / rows) */
  int resident;    /* rows of U of each of a block's unit tiles that stay in shared memory          */
  int teams;       /* of a block, each with tiles and counters of its own: the tensor kernel's      */
  unsigned *counters;
  float *cells;  /* [B,D,H]: what the cells carry, each value touched by one block alone          */
  float *hidden; /* [D][tile][2][...]: h, double-buffered, as the kernel reads it                 */
};

struct grid_tile {
  int d, first, rows, steps; /* places [first, first + rows) of the order; the longest row's length */
  float *hidden;             /* of this direction and tile                                          */
};

/* One thread tells that its block, or team, has arrived: all that its threads did before the barrier that
 * they must have met at. */
__device__ __forceinline__ void grid_tell(unsigned *counter) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
}

/* Leaves the counters at 0 for the next launch: the last block to have left all barriers clears them. */
__device__ __forceinline__ void grid_leave(unsigned *counter, unsigned blocks) {
  if (blocks > 1 && atomicAdd(counter + GRID_COUNTERS / 2, 1u) == blocks - 1) {
    atomicExch(counter, 0u);
    atomicExch(counter + GRID_COUNTERS / 2, 0u);
  }
}

/* x W of a position and a unit, without the bias. */
__device__ __forceinline__ float4 grid_input(const struct sequence &a, int d, int b, int t, int unit) {
  size_t position = (size_t)b * a.time + t;
  if (a.d_ids)
    return __ldg((const float4 *)a.d_kernel + ((size_t)a.d_ids[position] * a.directions + d) * a.units +
                 unit);
  return __ldg((const float4 *)a.d_projected + (position * a.directions + d) * a.units + unit);
}

#endif
