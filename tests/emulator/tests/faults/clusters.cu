// Races between the blocks of a cluster on each other's shared memory, and what orders their threads.
#include "planted.h"

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

#define CLUSTER(blocks) __global__ void __cluster_dims__(blocks, 1, 1)

__device__ static unsigned address_of(const void *own) {
  return (unsigned)__cvta_generic_to_shared(own);
}

// The same place in another block's shared memory.
__device__ static unsigned in_block(const void *own, unsigned rank) {
  unsigned there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address_of(own)), "r"(rank));
  return there;
}

__device__ static unsigned my_rank() {
  return cg::this_cluster().block_rank();
}

__device__ static void store(unsigned at, int value) {
  asm volatile("st.shared::cluster.s32 [%0], %1;" ::"r"(at), "r"(value) : "memory");
}

__device__ static int load(unsigned at) {
  int value;
  asm volatile("ld.shared::cluster.s32 %0, [%1];" : "=r"(value) : "r"(at) : "memory");
  return value;
}

__device__ static void arrive() {
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
}

__device__ static void arrive_relaxed() {
  asm volatile("barrier.cluster.arrive.relaxed;" ::: "memory");
}

__device__ static void wait() {
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

__device__ static void meet() {
  arrive();
  wait();
}

// Blocks 1 and 2 write into block 0, both the same place or each its own.
template <bool APART> CLUSTER(4) two_writers(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  meet();
  unsigned rank = my_rank(), shift = APART ? rank * 8 : 8;
  if (rank == 1 || rank == 2)
    if (threadIdx.x < 8)
      store(in_block(cells + shift + threadIdx.x, 0), rank);
  meet();
  to[blockIdx.x * 64 + threadIdx.x] = cells[threadIdx.x];
}

// Two threads of one block write one place of another block.
template <bool APART> CLUSTER(2) two_threads(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  meet();
  if (threadIdx.x == 0 || threadIdx.x == 40)
    store(in_block(cells + (APART ? threadIdx.x : 3), my_rank() ^ 1), threadIdx.x);
  meet();
  to[blockIdx.x * 64 + threadIdx.x] = cells[threadIdx.x];
}

// The owner reads what the other block writes.
template <bool SYNC> CLUSTER(2) read_by_the_owner(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  meet();
  store(in_block(cells + threadIdx.x, my_rank() ^ 1), threadIdx.x);
  if (SYNC)
    meet();
  to[blockIdx.x * 64 + threadIdx.x] = cells[63 - threadIdx.x];
  meet();
}

// A recurrence over two blocks: each step reads the state of both and writes the next one into both.
template <bool SYNC> CLUSTER(2) recurrence(int *to, int steps) {
  __shared__ int states[2][128];
  unsigned rank = my_rank(), unit = rank * 64 + threadIdx.x;
  for (int i = 0; i < 4; i++)
    states[i / 2][i % 2 * 64 + threadIdx.x] = 1;
  meet();
  for (int step = 0; step < steps; step++) {
    int sum = 0;
    for (int i = 0; i < 128; i++)
      sum += states[step & 1][i];
    for (unsigned r = 0; r < 2; r++)
      store(in_block(&states[~step & 1][unit], r), sum & 7);
    if (SYNC)
      meet();
    else
      __syncthreads();
  }
  meet();
  to[blockIdx.x * 64 + threadIdx.x] = states[steps & 1][unit];
}

// One buffer in place of two: what is read in a step is overwritten in the same step.
template <int BUFFERS> CLUSTER(2) buffers(int *to) {
  __shared__ int states[2][64];
  states[0][threadIdx.x] = states[1][threadIdx.x] = 1;
  meet();
  for (int step = 0; step < 4; step++) {
    int next = states[step % BUFFERS][63 - threadIdx.x] + 1;
    store(in_block(&states[(step + 1) % BUFFERS][threadIdx.x], my_rank() ^ 1), next);
    meet();
  }
  to[blockIdx.x * 64 + threadIdx.x] = states[0][threadIdx.x];
}

template <int HOW> CLUSTER(2) arrivals(int *to) { // 0 release, 1 relaxed, 2 relaxed behind a fence
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  meet();
  store(in_block(cells + threadIdx.x, my_rank() ^ 1), threadIdx.x);
  if (HOW == 2)
    asm volatile("fence.acq_rel.cluster;" ::: "memory");
  if (HOW == 0)
    arrive();
  else
    arrive_relaxed();
  wait();
  to[blockIdx.x * 64 + threadIdx.x] = cells[threadIdx.x];
}

// The same on global memory.
template <bool RELEASES> CLUSTER(2) arrivals_for_global_memory(int *cells, int *to) {
  unsigned i = blockIdx.x * 64 + threadIdx.x;
  cells[i] = i;
  if (RELEASES)
    arrive();
  else
    arrive_relaxed();
  wait();
  to[i] = cells[i ^ 64];
}

template <bool BEFORE> CLUSTER(2) between_arrival_and_wait(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  meet();
  if (BEFORE)
    store(in_block(cells + threadIdx.x, my_rank() ^ 1), 1);
  arrive();
  if (!BEFORE)
    store(in_block(cells + threadIdx.x, my_rank() ^ 1), 1);
  wait();
  to[blockIdx.x * 64 + threadIdx.x] = cells[threadIdx.x];
  meet();
}

// In one block alone: what a thread writes behind its arrival is not covered by it.
template <bool BEFORE> CLUSTER(2) own_cells_between(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  if (BEFORE)
    cells[threadIdx.x] = 1;
  arrive();
  if (!BEFORE)
    cells[threadIdx.x] = 1;
  wait();
  to[blockIdx.x * 64 + threadIdx.x] = cells[63 - threadIdx.x];
}

template <bool WAITS> CLUSTER(2) ends(int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = threadIdx.x;
  meet();
  if (my_rank() == 0)
    to[threadIdx.x] = load(in_block(cells + threadIdx.x, 1));
  if (WAITS)
    meet();
}

// Counters in block 0 by atomics of all blocks, or without.
template <bool ATOMIC> CLUSTER(4) counted(int *to) {
  __shared__ int count;
  if (threadIdx.x == 0)
    count = 0;
  meet();
  int *there = cg::this_cluster().map_shared_rank(&count, 0);
  if (ATOMIC)
    atomicAdd(there, 1);
  else if (threadIdx.x == 0)
    *there += 1;
  meet();
  if (threadIdx.x == 0)
    to[blockIdx.x] = *there;
  meet();
}

__device__ static void wait_for(unsigned barrier, unsigned parity) {
  for (int seen = 0; !seen;)
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2, 0;\n"
                 "selp.b32 %0, 1, 0, p; }"
                 : "=r"(seen)
                 : "r"(barrier), "r"(parity)
                 : "memory");
}

// Block 1 sends, block 0 waits at its mbarrier: sent by st.async, or stored and then told. 0: right, 1: the
// wrong parity, 2: the arrival comes before the stores.
template <bool ASYNC, int FAULT> CLUSTER(2) sent(int *to) {
  __shared__ int cells[64];
  __shared__ unsigned long long barrier;
  cells[threadIdx.x] = 0;
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address_of(&barrier)), "r"(ASYNC ? 1 : 64)
                 : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    if (ASYNC)
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 256;" ::"r"(address_of(&barrier))
                   : "memory");
  }
  meet();
  if (my_rank() == 1) {
    unsigned data = in_block(cells + threadIdx.x, 0), told = in_block(&barrier, 0);
    if (ASYNC) {
      asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(data),
                   "r"(7), "r"(told)
                   : "memory");
    } else {
      if (FAULT != 2)
        store(data, 7);
      asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(told) : "memory");
      if (FAULT == 2)
        store(data, 7);
    }
  } else {
    wait_for(address_of(&barrier), FAULT == 1);
    to[threadIdx.x] = cells[63 - threadIdx.x];
  }
  meet();
}

// A flag in another block's shared memory, with and without fences.
template <bool FENCES> CLUSTER(2) flag(int *to) {
  __shared__ int data;
  __shared__ volatile int raised;
  if (threadIdx.x == 0)
    data = raised = 0;
  meet();
  if (my_rank() == 1 && threadIdx.x == 0) {
    store(in_block(&data, 0), 42);
    if (FENCES)
      __threadfence();
    asm volatile("st.relaxed.cluster.shared::cluster.s32 [%0], 1;" ::"r"(in_block((int *)&raised, 0))
                 : "memory");
  } else if (my_rank() == 0 && threadIdx.x == 0) {
    while (!raised) {
    }
    if (FENCES)
      __threadfence();
    *to = data;
  }
  meet();
}

static int *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

SMALL(one_place_written_by_two_blocks, (two_writers<false><<<4, 64>>>(to)))
SMALL(two_places_written_by_two_blocks, (two_writers<true><<<4, 64>>>(to)))
SMALL(one_place_written_by_two_threads, (two_threads<false><<<2, 64>>>(to)))
SMALL(two_places_written_by_two_threads, (two_threads<true><<<2, 64>>>(to)))
SMALL(read_of_what_another_block_writes, (read_by_the_owner<false><<<2, 64>>>(to)))
SMALL(read_of_what_another_block_wrote, (read_by_the_owner<true><<<2, 64>>>(to)))
SMALL(cluster_barrier_left_out_of_a_loop, (recurrence<false><<<2, 64>>>(to, 4)))
SMALL(cluster_barrier_in_a_loop, (recurrence<true><<<2, 64>>>(to, 4)))
SMALL(one_buffer_for_two, (buffers<1><<<2, 64>>>(to)))
SMALL(two_buffers, (buffers<2><<<2, 64>>>(to)))
SMALL(arrival_that_releases, (arrivals<0><<<2, 64>>>(to)))
SMALL(arrival_that_does_not_release, (arrivals<1><<<2, 64>>>(to)))
SMALL(arrival_behind_a_fence, (arrivals<2><<<2, 64>>>(to)))
SMALL(arrival_that_does_not_release_global_memory,
      (arrivals_for_global_memory<false><<<2, 64>>>(to, to + 512)))
SMALL(arrival_that_releases_global_memory, (arrivals_for_global_memory<true><<<2, 64>>>(to, to + 512)))
SMALL(write_between_arrival_and_wait, (between_arrival_and_wait<false><<<2, 64>>>(to)))
SMALL(write_before_arrival, (between_arrival_and_wait<true><<<2, 64>>>(to)))
SMALL(own_write_between_arrival_and_wait, (own_cells_between<false><<<2, 64>>>(to)))
SMALL(own_write_before_arrival, (own_cells_between<true><<<2, 64>>>(to)))
SMALL(block_ends_before_it_is_read, (ends<false><<<2, 64>>>(to)))
SMALL(block_ends_after_it_is_read, (ends<true><<<2, 64>>>(to)))
SMALL(count_without_atomics, (counted<false><<<4, 64>>>(to)))
SMALL(count_by_atomics, (counted<true><<<4, 64>>>(to)))
SMALL(sent_and_waited_for_wrongly, (sent<true, 1><<<2, 64>>>(to)))
SMALL(stored_and_waited_for_wrongly, (sent<false, 1><<<2, 64>>>(to)))
SMALL(arrival_before_the_stores, (sent<false, 2><<<2, 64>>>(to)))
SMALL(sent_and_waited_for, (sent<true, 0><<<2, 64>>>(to)))
SMALL(stored_and_waited_for, (sent<false, 0><<<2, 64>>>(to)))
SMALL(flag_between_blocks_without_fences, (flag<false><<<2, 64>>>(to)))
SMALL(flag_between_blocks_with_fences, (flag<true><<<2, 64>>>(to)))

#define PLACE(kernel)                                                                                        \
  "race: kernel " kernel "[^ ]*, [^ ]*%S:[0-9]+, block \\([0-3],0,0\\), thread \\([0-9]+,0,0\\): "
#define RACE(kernel, accesses, earlier)                                                                      \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      PLACE(kernel) "shared " accesses                                                                       \
                    " of 4 bytes at 0x[0-9a-f]+ of block \\([0-3],0,0\\), not ordered after a " earlier      \
                    " by thread \\([0-9]+,0,0\\) of block \\([0-3],0,0\\) of the cluster"

static const struct planted_case cases[] = {
    {"one_place_written_by_two_blocks", one_place_written_by_two_blocks,
     RACE("two_writers", "write", "write")},
    {"two_places_written_by_two_blocks", two_places_written_by_two_blocks, TWIN},
    {"one_place_written_by_two_threads", one_place_written_by_two_threads,
     RACE("two_threads", "write", "write")},
    {"two_places_written_by_two_threads", two_places_written_by_two_threads, TWIN},
    {"read_of_what_another_block_writes", read_of_what_another_block_writes,
     RACE("read_by_the_owner", "(read|write)", "(read|write)")},
    {"read_of_what_another_block_wrote", read_of_what_another_block_wrote, TWIN},
    {"cluster_barrier_left_out_of_a_loop", cluster_barrier_left_out_of_a_loop,
     RACE("recurrence", "(read|write)", "(read|write)")},
    {"cluster_barrier_in_a_loop", cluster_barrier_in_a_loop, TWIN},
    {"one_buffer_for_two", one_buffer_for_two, RACE("buffers", "(read|write)", "(read|write)")},
    {"two_buffers", two_buffers, TWIN},
    {"arrival_that_releases", arrival_that_releases, TWIN},
    {"arrival_that_does_not_release", arrival_that_does_not_release, RACE("arrivals", "read", "write")},
    {"arrival_behind_a_fence", arrival_behind_a_fence, TWIN},
    {"arrival_that_does_not_release_global_memory", arrival_that_does_not_release_global_memory, FINDING,
     cudaErrorLaunchFailure, PLACE("arrivals_for_global_memory") "global read of 4 bytes"},
    {"arrival_that_releases_global_memory", arrival_that_releases_global_memory, TWIN},
    {"write_between_arrival_and_wait", write_between_arrival_and_wait,
     RACE("between_arrival_and_wait", "read", "write")},
    {"write_before_arrival", write_before_arrival, TWIN},
    {"own_write_between_arrival_and_wait", own_write_between_arrival_and_wait, FINDING,
     cudaErrorLaunchFailure,
     PLACE("own_cells_between") "shared read of 4 bytes at 0x[0-9a-f]+, not ordered after a write by thread"},
    {"own_write_before_arrival", own_write_before_arrival, TWIN},
    {"block_ends_before_it_is_read", block_ends_before_it_is_read, FINDING, cudaErrorLaunchFailure,
     PLACE("ends") "shared access at 0x[0-9a-f]+ of block \\([01],0,0\\) of the cluster, which may have "
                   "ended by then"},
    {"block_ends_after_it_is_read", block_ends_after_it_is_read, TWIN},
    {"count_without_atomics", count_without_atomics, RACE("counted", "(read|write)", "(read|write)")},
    {"count_by_atomics", count_by_atomics, TWIN},
    {"sent_and_waited_for_wrongly", sent_and_waited_for_wrongly, FINDING, cudaErrorLaunchFailure,
     "race: kernel sent[^ ]*, [^ ]*%S:[0-9]+, .*shared (read|write) of 4 bytes .* of the cluster"},
    {"stored_and_waited_for_wrongly", stored_and_waited_for_wrongly, FINDING, cudaErrorLaunchFailure,
     "race: kernel sent[^ ]*, [^ ]*%S:[0-9]+, .*shared (read|write) of 4 bytes .* of the cluster"},
    {"arrival_before_the_stores", arrival_before_the_stores, FINDING, cudaErrorLaunchFailure,
     "race: kernel sent[^ ]*, [^ ]*%S:[0-9]+, .*shared (read|write) of 4 bytes .* of the cluster"},
    {"sent_and_waited_for", sent_and_waited_for, TWIN},
    {"stored_and_waited_for", stored_and_waited_for, TWIN},
    {"flag_between_blocks_without_fences", flag_between_blocks_without_fences,
     RACE("flag", "(read|write)", "(read|write)")},
    {"flag_between_blocks_with_fences", flag_between_blocks_with_fences, TWIN},
};

PLANTED_MAIN(cases)
