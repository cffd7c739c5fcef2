/* Where a block's arrays lie: in dynamic shared memory as long as there is room, then in its part of the
 * workspace. */
#ifndef CUSEQ_KERNELS_PLACEMENT_CUH
#define CUSEQ_KERNELS_PLACEMENT_CUH

#include <stddef.h>
#include <stdint.h>

/* The arrays of a block that attends or decodes, in the order in which they are given shared memory. */
enum place {
  PLACE_PARTIAL,     /* [4 threads] partial sums                                                            */
  PLACE_REDUCE,      /* [PLACE_REDUCE_FLOATS] what warps tell each other                                    */
  PLACE_STATE,       /* [S] h                                                                               */
  PLACE_NEXT_STATE,  /* [S] h of the next step                                                              */
  PLACE_CELL,        /* [S] c                                                                               */
  PLACE_INPUT,       /* [A+E] the cell's input                                                              */
  PLACE_QUERY,       /* [U]                                                                                 */
  PLACE_ENERGIES,    /* [T] energies, then exp(e - max)                                                     */
  PLACE_LOGITS,      /* [V]                                                                                 */
  PLACE_LAYERS,      /* [warps, 2, widest] score concat, three layers and more                              */
  PLACE_HIDDEN,      /* [D, 2, core::HIDDEN] whole models: the encoder's h                                  */
  PLACE_FINAL,       /* [2, D, H] whole models: the encoder's final h, then c                               */
  PLACE_ANNOTATIONS, /* [T,A] a row's; copies of weights and of a row's arrays from here on                 */
  PLACE_KEYS,        /* [T,U]                                                                               */
  PLACE_KEY_KERNEL,  /* [A,U] whole models                                                                  */
  PLACE_BELOW,       /* [T,A] whole models of several layers: the layer below                               */
  PLACE_PRODUCTS,    /* [steps,D,H,4] whole models: x W                                                     */
  PLACE_STAGE,       /* whole models with dense x: slices of x and W                                        */
  PLACE_QUERY_KERNEL,
  PLACE_OUTPUT_KERNEL,
  PLACE_BIAS,
  PLACE_OUTPUT_BIAS,
  PLACE_RECURRENT,
  PLACE_KERNEL,
  PLACES
};
enum { PLACE_REDUCE_FLOATS = 128 };

/* Offsets in floats: >= 0 in shared memory; PLACE_NOWHERE; otherwise -1 - offset in the block's workspace. */
static const int64_t PLACE_NOWHERE = INT64_MIN;
struct placement {
  int64_t at[PLACES];
  int64_t shared_floats;
  int64_t workspace_floats; /* of one block, a multiple of 64                                               */
  int64_t shared_limit;
};

static inline struct placement placement_make(int64_t shared_bytes) {
  struct placement placement;
  for (int i = 0; i < PLACES; i++)
    placement.at[i] = PLACE_NOWHERE;
  placement.shared_floats = 0;
  placement.workspace_floats = 0;
  placement.shared_limit = shared_bytes / 4;
  return placement;
}

/* Gives an array its place; whether it lies in shared memory. Copies get none where shared memory is full. */
static inline bool placement_add(struct placement *placement, enum place place, int64_t floats,
                                 bool is_copy) {
  int64_t padded = (floats + 3) / 4 * 4;
  if (floats == 0)
    return false;
  if (placement->shared_floats + padded <= placement->shared_limit) {
    placement->at[place] = placement->shared_floats;
    placement->shared_floats += padded;
    return true;
  }
  if (is_copy)
    return false;
  placement->at[place] = -1 - placement->workspace_floats;
  placement->workspace_floats += (floats + 63) / 64 * 64;
  return false;
}

#ifdef __CUDACC__
/* The address of an array in the block's memory; NULL for one that has no place. */
__device__ __forceinline__ float *placed(const struct placement &placement, enum place place, float *shared,
                                         float *workspace) {
  int64_t at = placement.at[place];
  if (at >= 0)
    return shared + at;
  return at == PLACE_NOWHERE ? nullptr : workspace + (-1 - at);
}

/* The same where there is no workspace: all but copies lie in shared memory, and the compiler sees that they
 * do. Not for copies. */
__device__ __forceinline__ float *placed(const struct placement &placement, enum place place, float *shared,
                                         decltype(nullptr)) {
  return shared + (int)placement.at[place];
}
#endif

#endif
