// Races between the threads of a block on shared memory, and orders that are none.
#include "planted.h"

#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda/barrier>
#include <cuda_pipeline.h>

namespace cg = cooperative_groups;

template <bool BARRIER> __global__ void neighbours(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  __syncthreads();
  cells[threadIdx.x] = threadIdx.x; // other: read_without_barrier
  if (BARRIER)
    __syncthreads();
  to[threadIdx.x] = cells[63 - threadIdx.x]; // fault: read_without_barrier
}

template <bool BARRIER> __global__ void rounds(int *to) {
  __shared__ int cells[64];
  int sum = 0;
  for (int i = 0; i < 3; i++) {
    cells[threadIdx.x] = i; // fault: write_over_what_others_read
    __syncthreads();
    sum += cells[63 - threadIdx.x]; // other: write_over_what_others_read
    if (BARRIER)
      __syncthreads();
  }
  to[threadIdx.x] = sum;
}

template <bool SAME> __global__ void one_cell(int *to) {
  __shared__ int cell;
  cell = SAME ? 5 : (int)threadIdx.x; // fault: write_of_one_word_by_all
  __syncthreads();
  to[threadIdx.x] = cell;
}

template <bool SYNC> __global__ void within_a_warp(int *to) {
  __shared__ int cells[32];
  cells[threadIdx.x] = threadIdx.x;
  if (SYNC)
    __syncwarp();
  to[threadIdx.x] = cells[31 - threadIdx.x]; // fault: read_within_a_warp
}

template <bool SYNC> __global__ void half_warps(int *to) {
  __shared__ int cells[32];
  unsigned half = threadIdx.x < 16 ? 0xffff : 0xffff0000;
  cells[threadIdx.x] = threadIdx.x;
  __syncwarp(half);
  to[threadIdx.x] = cells[SYNC ? threadIdx.x ^ 15 : threadIdx.x ^ 16]; // fault: read_across_half_warps
}

template <bool BARRIER> __global__ void count(int *to) {
  __shared__ int counter;
  if (threadIdx.x == 0)
    counter = 0;
  __syncthreads();
  atomicAdd(&counter, 1);
  if (BARRIER)
    __syncthreads();
  to[threadIdx.x] = counter; // fault: read_among_atomics
}

__global__ void bytes(int *to) { // each thread has a byte of its own
  __shared__ unsigned char cells[64];
  __shared__ unsigned short pairs[64];
  cells[threadIdx.x] = 0;
  pairs[63 - threadIdx.x] = 0;
  for (int i = 0; i < 5; i++) {
    cells[threadIdx.x]++;
    pairs[63 - threadIdx.x] += cells[threadIdx.x];
  }
  to[threadIdx.x] = pairs[63 - threadIdx.x];
}

template <bool OVERLAP> __global__ void words_and_bytes(int *to) {
  __shared__ unsigned char cells[64];
  if (threadIdx.x < 32)
    cells[threadIdx.x] = 1; // other: write_of_a_word_over_bytes
  else if (threadIdx.x == 32)
    *(int *)(cells + (OVERLAP ? 28 : 32)) = 0; // fault: write_of_a_word_over_bytes
  __syncthreads();
  to[threadIdx.x] = cells[threadIdx.x & 31];
}

// The first warps make what the last one takes, by two named barriers.
template <bool WAIT> __global__ void producer_and_consumer(int *to) {
  __shared__ int cells[96];
  if (threadIdx.x < 96)
    cells[threadIdx.x] = 0;
  __syncthreads();
  for (int round = 0; round < 3; round++) {
    if (threadIdx.x < 96) {
      asm volatile("barrier.sync 2, 128;" ::: "memory");
      cells[threadIdx.x] = round + threadIdx.x; // other: consumer_without_barrier
      asm volatile("barrier.arrive 1, 128;" ::: "memory");
    } else {
      asm volatile("barrier.arrive 2, 128;" ::: "memory");
      if (WAIT)
        asm volatile("barrier.sync 1, 128;" ::: "memory");
      int sum = 0;
      for (int i = threadIdx.x - 96; i < 96; i += 32)
        sum += cells[i]; // fault: consumer_without_barrier
      to[threadIdx.x - 96] = sum;
      if (!WAIT)
        asm volatile("barrier.sync 1, 128;" ::: "memory");
    }
  }
}

__global__ void barrier_objects(int *to) {
  __shared__ int cells[64];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
  if (threadIdx.x == 0)
    init(&barrier, blockDim.x);
  __syncthreads();
  for (int i = 0; i < 3; i++) {
    cells[threadIdx.x] = i;
    auto token = barrier.arrive();
    barrier.wait(cuda::std::move(token));
    to[threadIdx.x] = cells[63 - threadIdx.x];
    barrier.arrive_and_wait();
  }
}

__global__ void reduction_in_a_block(int *to) { // the classic tree, its last steps in one warp
  __shared__ int cells[128];
  unsigned t = threadIdx.x;
  cells[t] = t;
  __syncthreads();
  for (unsigned s = 64; s > 16; s /= 2) {
    if (t < s)
      cells[t] += cells[t + s];
    __syncthreads();
  }
  if (t < 32) {
    int sum = cells[t];
    for (int s = 16; s; s /= 2)
      sum += __shfl_down_sync(0xffffffff, sum, s);
    if (t == 0)
      *to = sum;
  }
}

__global__ void synchronous_warp(int *to) { // reduction in shared memory by one warp
  __shared__ volatile int cells[64];
  unsigned t = threadIdx.x;
  cells[t] = t;
  cells[t + 32] = t;
  __syncwarp();
  int sum = cells[t];
  for (int s = 32; s; s /= 2) {
    if (t < (unsigned)s || s == 32) {
      sum += cells[t + s];
    }
    __syncwarp();
    cells[t] = sum;
    __syncwarp();
  }
  to[t] = sum;
}

__global__ void scan_in_a_block(int *to) { // double buffering: one barrier per step
  __shared__ int cells[2][64];
  int in = 0, t = threadIdx.x;
  cells[0][t] = 1;
  __syncthreads();
  for (int s = 1; s < 64; s *= 2) {
    cells[1 - in][t] = cells[in][t] + (t >= s ? cells[in][t - s] : 0);
    in = 1 - in;
    __syncthreads();
  }
  to[t] = cells[in][t];
}

template <bool FENCES> __global__ void flag_in_shared_memory(int *to) {
  __shared__ int data;
  __shared__ volatile int flag;
  if (threadIdx.x == 0)
    flag = 0;
  __syncthreads();
  if (threadIdx.x == 0) {
    data = *to;
    if (FENCES)
      __threadfence_block();
    flag = 1;
  } else if (threadIdx.x == 32) {
    while (!flag) {
    }
    if (FENCES)
      __threadfence_block();
    to[1] = data; // fault: flag_without_fences
  }
}

__global__ void lock_in_shared_memory(int *to) {
  __shared__ int lock, sum;
  if (threadIdx.x == 0)
    lock = sum = 0;
  __syncthreads();
  for (bool done = false; !done;) {
    if (atomicCAS(&lock, 0, 1) == 0) {
      __threadfence_block();
      sum += threadIdx.x;
      __threadfence_block();
      atomicExch(&lock, 0);
      done = true;
    }
  }
  __syncthreads();
  to[threadIdx.x] = sum;
}

template <bool WAIT> __global__ void pipelined_copy(const int *from, int *to) {
  __shared__ int cells[2][64];
  unsigned t = threadIdx.x;
  __pipeline_memcpy_async(&cells[0][t], from + t, 4);
  __pipeline_commit();
  for (int i = 0; i < 4; i++) {
    if (i < 3) {
      __pipeline_memcpy_async(&cells[(i + 1) & 1][t], from + t, 4);
      __pipeline_commit();
    }
    if (WAIT)
      __pipeline_wait_prior(i < 3 ? 1 : 0);
    __syncthreads();
    to[t] = cells[i & 1][63 - t]; // fault: copy_not_waited_for
    __syncthreads();
  }
  __pipeline_wait_prior(0);
}

__global__ void copy_of_a_group(const int *from, int *to) {
  __shared__ int cells[64];
  cg::thread_block block = cg::this_thread_block();
  cg::memcpy_async(block, cells, from, sizeof cells);
  cg::wait(block);
  to[threadIdx.x] = cells[63 - threadIdx.x];
}

__global__ void tiles(int *to) { // each tile of 8 for itself
  __shared__ int cells[64];
  auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  cells[threadIdx.x] = threadIdx.x;
  tile.sync();
  to[threadIdx.x] = cells[(threadIdx.x & ~7) + 7 - tile.thread_rank()];
}

static int *to;

/* A look at an mbarrier's phase that orders nothing by itself. */
template <bool FENCE> __global__ void phase_looked_at(int *to) {
  __shared__ int cell;
  __shared__ unsigned long long phase;
  unsigned at = (unsigned)__cvta_generic_to_shared(&phase);
  if (threadIdx.x == 0) {
    cell = 0;
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(at) : "memory");
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    cell = 7; // other: phase_without_a_fence
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
  }
  for (int seen = 0; !seen;)
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.relaxed.cluster.shared::cta.b64 p, [%1], 0;\n"
                 "selp.b32 %0, 1, 0, p; }"
                 : "=r"(seen)
                 : "r"(at)
                 : "memory");
  if (FENCE)
    asm volatile("fence.acquire.sync_restrict::shared::cluster.cluster;" ::: "memory");
  to[threadIdx.x] = cell; // fault: phase_without_a_fence
}

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

SMALL(read_without_barrier, (neighbours<false><<<1, 64>>>(to)))
SMALL(read_after_barrier, (neighbours<true><<<1, 64>>>(to)))
SMALL(write_over_what_others_read, (rounds<false><<<1, 64>>>(to)))
SMALL(write_after_others_have_read, (rounds<true><<<1, 64>>>(to)))
SMALL(write_of_one_word_by_all, (one_cell<false><<<1, 64>>>(to)))
SMALL(write_of_one_value_by_all, (one_cell<true><<<1, 64>>>(to)))
SMALL(read_within_a_warp, (within_a_warp<false><<<1, 32>>>(to)))
SMALL(read_within_a_synchronised_warp, (within_a_warp<true><<<1, 32>>>(to)))
SMALL(read_across_half_warps, (half_warps<false><<<1, 32>>>(to)))
SMALL(read_within_half_warps, (half_warps<true><<<1, 32>>>(to)))
SMALL(read_among_atomics, (count<false><<<1, 64>>>(to)))
SMALL(read_after_atomics, (count<true><<<1, 64>>>(to)))
SMALL(a_byte_per_thread, (bytes<<<1, 64>>>(to)))
SMALL(write_of_a_word_over_bytes, (words_and_bytes<true><<<1, 64>>>(to)))
SMALL(write_of_a_word_beside_bytes, (words_and_bytes<false><<<1, 64>>>(to)))
SMALL(consumer_without_barrier, (producer_and_consumer<false><<<1, 128>>>(to)))
SMALL(consumer_behind_a_named_barrier, (producer_and_consumer<true><<<1, 128>>>(to)))
SMALL(barrier_in_memory, (barrier_objects<<<1, 64>>>(to)))
SMALL(tree_reduction, (reduction_in_a_block<<<1, 128>>>(to)))
SMALL(warp_reduction_in_shared_memory, (synchronous_warp<<<1, 32>>>(to)))
SMALL(double_buffered_scan, (scan_in_a_block<<<1, 64>>>(to)))
SMALL(flag_without_fences, (flag_in_shared_memory<false><<<1, 64>>>(to)))
SMALL(flag_with_fences, (flag_in_shared_memory<true><<<1, 64>>>(to)))
SMALL(lock_by_compare_and_swap, (lock_in_shared_memory<<<1, 64>>>(to)))
SMALL(copy_not_waited_for, (pipelined_copy<false><<<1, 64>>>(to + 512, to)))
SMALL(copy_waited_for, (pipelined_copy<true><<<1, 64>>>(to + 512, to)))
SMALL(copy_of_a_cooperative_group, (copy_of_a_group<<<1, 64>>>(to + 512, to)))
SMALL(tiles_of_a_block, (tiles<<<1, 64>>>(to)))
SMALL(phase_without_a_fence, (phase_looked_at<false><<<1, 64>>>(to)))
SMALL(phase_with_a_fence_of_shared_memory, (phase_looked_at<true><<<1, 64>>>(to)))

#define RACE(kernel, rest)                                                                                   \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel                                                                                 \
      "[^ ]*, [^ ]*%S:(%L|%O), block \\(0,0,0\\), thread \\([0-9]+,0,0\\): shared " rest                     \
      " by thread \\([0-9]+,0,0\\)"

static const struct planted_case cases[] = {
    {"read_without_barrier", read_without_barrier,
     RACE("neighbours", "(read|write) of 4 bytes at 0x[0-9a-f]+, not ordered after a (read|write)")},
    {"read_after_barrier", read_after_barrier, TWIN},
    {"write_over_what_others_read", write_over_what_others_read,
     RACE("rounds", "(read|write) of 4 bytes at 0x[0-9a-f]+, not ordered after a (read|write)")},
    {"write_after_others_have_read", write_after_others_have_read, TWIN},
    {"write_of_one_word_by_all", write_of_one_word_by_all,
     RACE("one_cell", "write of 4 bytes at 0x[0-9a-f]+, not ordered after a write")},
    {"write_of_one_value_by_all", write_of_one_value_by_all, TWIN},
    {"read_within_a_warp", read_within_a_warp,
     RACE("within_a_warp", "read of 4 bytes at 0x[0-9a-f]+, not ordered after a write")},
    {"read_within_a_synchronised_warp", read_within_a_synchronised_warp, TWIN},
    {"read_across_half_warps", read_across_half_warps,
     RACE("half_warps", "read of 4 bytes at 0x[0-9a-f]+, not ordered after a write")},
    {"read_within_half_warps", read_within_half_warps, TWIN},
    {"read_among_atomics", read_among_atomics,
     RACE("count", "read of 4 bytes at 0x[0-9a-f]+, not ordered after a write")},
    {"read_after_atomics", read_after_atomics, TWIN},
    {"a_byte_per_thread", a_byte_per_thread, TWIN},
    {"write_of_a_word_over_bytes", write_of_a_word_over_bytes,
     RACE("words_and_bytes", "write of [14] bytes at 0x1[c-f], not ordered after a write")},
    {"write_of_a_word_beside_bytes", write_of_a_word_beside_bytes, TWIN},
    {"consumer_without_barrier", consumer_without_barrier,
     RACE("producer_and_consumer",
          "(read|write) of 4 bytes at 0x[0-9a-f]+, not ordered after a (read|write)")},
    {"consumer_behind_a_named_barrier", consumer_behind_a_named_barrier, TWIN},
    {"barrier_in_memory", barrier_in_memory, TWIN},
    {"tree_reduction", tree_reduction, TWIN},
    {"warp_reduction_in_shared_memory", warp_reduction_in_shared_memory, TWIN},
    {"double_buffered_scan", double_buffered_scan, TWIN},
    {"flag_without_fences", flag_without_fences,
     RACE("flag_in_shared_memory", "read of 4 bytes at 0x[0-9a-f]+, not ordered after a write")},
    {"flag_with_fences", flag_with_fences, TWIN},
    {"lock_by_compare_and_swap", lock_by_compare_and_swap, TWIN},
    {"copy_not_waited_for", copy_not_waited_for, FINDING, cudaErrorLaunchFailure,
     "(race|uninitialised): kernel pipelined_copy[^ ]*, [^ ]*%S:%L, .*shared read of 4 bytes"},
    {"copy_waited_for", copy_waited_for, TWIN},
    {"copy_of_a_cooperative_group", copy_of_a_cooperative_group, TWIN},
    {"tiles_of_a_block", tiles_of_a_block, TWIN},
    {"phase_without_a_fence", phase_without_a_fence,
     RACE("phase_looked_at", "(read|write) of 4 bytes at 0x[0-9a-f]+, not ordered after a (read|write)")},
    {"phase_with_a_fence_of_shared_memory", phase_with_a_fence_of_shared_memory, TWIN},
};

PLANTED_MAIN(cases)
