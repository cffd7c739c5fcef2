// Atomic and volatile accesses beside plain ones, and without the fences that would order them.
#include "planted.h"

static int *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

// Each thread clears a bin, then all count in the first.
template <bool BARRIER> __global__ void bins(int *sums) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  if (BARRIER)
    __syncthreads();
  atomicAdd(&cells[0], 1); // fault: bins_cleared_under_way
  __syncthreads();
  if (threadIdx.x == 0)
    *sums = cells[0];
}
SMALL(bins_cleared_under_way, (bins<false><<<1, 64>>>(to)))
SMALL(bins_cleared_before, (bins<true><<<1, 64>>>(to)))

template <bool BARRIER> __global__ void sum(float *result) { // the reader is the one who added last
  __shared__ float total;
  if (threadIdx.x == 0)
    total = 0;
  __syncthreads();
  atomicAdd(&total, 1.0f);
  if (BARRIER)
    __syncthreads();
  if (threadIdx.x == 63)
    *result = total;
}
SMALL(sum_read_by_the_last, (sum<false><<<1, 64>>>((float *)to)))
SMALL(sum_read_behind_a_barrier, (sum<true><<<1, 64>>>((float *)to)))

template <bool ATOMIC> __global__ void cleared_by_one(int *counter) { // global memory, one block
  if (threadIdx.x == 33 && !ATOMIC)
    *counter = 0;
  else
    atomicAdd(counter, threadIdx.x == 33 ? 0 : 1);
}
SMALL(counter_cleared_among_atomics, (cleared_by_one<false><<<1, 64>>>(to)))
SMALL(counter_left_to_atomics, (cleared_by_one<true><<<1, 64>>>(to)))

template <bool BARRIER> __global__ void count(int *counter) {
  atomicAdd(counter, 1);
  if (BARRIER)
    __syncthreads();
  if (threadIdx.x == 40)
    counter[1] = *counter;
}
SMALL(counter_read_among_atomics, (count<false><<<1, 64>>>(to)))
SMALL(counter_read_after_atomics, (count<true><<<1, 64>>>(to)))

// The last block adds up what all have left, which is volatile: no race, but without fences no order either.
template <bool FENCE> __global__ void last_block(volatile int *sums, int *counter) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = 1; // other: volatile_sums_without_fence
    if (FENCE)
      __threadfence();
    last = atomicAdd(counter, 1) == (int)gridDim.x - 1;
  }
  __syncthreads();
  if (!last)
    return;
  int sum = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x)
    sum += sums[i]; // fault: volatile_sums_without_fence
  counter[1 + threadIdx.x] = sum;
}
SMALL(volatile_sums_without_fence, (last_block<false><<<10, 4>>>(to, to + 16)))
SMALL(volatile_sums_with_fence, (last_block<true><<<10, 4>>>(to, to + 16)))

__global__ void stop_at(volatile int *stop, int *sums) { // a look at every step, needs no fence
  int sum = 0;
  for (int i = 0; i < 100 && *stop == 0; i++)
    sum += i;
  atomicAdd(sums, sum ? 1 : 0);
  if (blockIdx.x == 0)
    *stop = 1;
}
SMALL(volatile_flag_looked_at_again_and_again, (stop_at<<<10, 1>>>(to, to + 1)))

#define SHARED(kernel, rest) /* what has not been cleared may be seen first */                               \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "(race|uninitialised): kernel " kernel                                                                 \
      ", [^ ]*%S:[0-9]+, block \\(0,0,0\\), thread \\([0-9]+,0,0\\): shared .*" rest
#define GLOBAL(kernel, rest)                                                                                 \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel ", [^ ]*%S:[0-9]+, block \\(0,0,0\\), thread \\([0-9]+,0,0\\): global .* 4 "    \
      "bytes at 0x[0-9a-f]+ .* not ordered after a " rest " of the same block"

static const struct planted_case cases[] = {
    {"bins_cleared_under_way", bins_cleared_under_way,
     SHARED("bins", "4 bytes at 0x0(, "
                    "not ordered after a write by thread \\([0-9]+,0,0\\)| .never written)")},
    {"bins_cleared_before", bins_cleared_before, TWIN},
    {"sum_read_by_the_last", sum_read_by_the_last,
     SHARED("sum", "4 bytes at 0x0, not ordered after a (write|read) by thread \\([0-9]+,0,0\\)")},
    {"sum_read_behind_a_barrier", sum_read_behind_a_barrier, TWIN},
    {"counter_cleared_among_atomics", counter_cleared_among_atomics,
     GLOBAL("cleared_by_one", "(strong )?write by (the warp of )?thread \\([0-9]+,0,0\\)")},
    {"counter_left_to_atomics", counter_left_to_atomics, TWIN},
    {"counter_read_among_atomics", counter_read_among_atomics,
     GLOBAL("count", "(strong write|read) by (the warp of )?thread \\([0-9]+,0,0\\)")},
    {"counter_read_after_atomics", counter_read_after_atomics, TWIN},
    {"volatile_sums_without_fence", volatile_sums_without_fence, FINDING, cudaErrorLaunchFailure,
     "order: kernel last_block, [^ ]*%S:%L, block \\([0-9],0,0\\), thread \\([0-9],0,0\\): "
     "global read of 4 bytes at 0x[0-9a-f]+ .* may miss what block \\([0-9],0,0\\) of kernel last_block "
     "wrote there: .*no fence"},
    {"volatile_sums_with_fence", volatile_sums_with_fence, TWIN},
    {"volatile_flag_looked_at_again_and_again", volatile_flag_looked_at_again_and_again, TWIN},
};

PLANTED_MAIN(cases)
