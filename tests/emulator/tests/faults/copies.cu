// Asynchronous copies to shared memory that are not, or not enough, waited for, and shared buffers that
// several warps hand round.
#include "planted.h"

#include <cuda_pipeline.h>

__device__ static unsigned address_of(const void *own) {
  return (unsigned)__cvta_generic_to_shared(own);
}

enum { STAGES = 4, TILES = 8 };

// The usual pipeline: STAGES buffers, the copy of a tile is asked for STAGES - 1 tiles ahead. LEFT groups may
// be under way when a tile is used.
template <int LEFT> __global__ void pipeline(const int *from, int *to) {
  __shared__ int tiles[STAGES][64];
  unsigned t = threadIdx.x;
  for (int i = 0; i < STAGES - 1; i++) {
    __pipeline_memcpy_async(&tiles[i][t], from + i * 64 + t, 4);
    __pipeline_commit();
  }
  int sum = 0;
  for (int i = 0; i < TILES; i++) {
    __pipeline_wait_prior(LEFT);
    __syncthreads();
    sum += tiles[i % STAGES][63 - t]; // fault: one_group_too_many_left
    if (i + STAGES - 1 < TILES)
      __pipeline_memcpy_async(&tiles[(i + STAGES - 1) % STAGES][t], from + (i + STAGES - 1) * 64 + t, 4);
    __pipeline_commit();
  }
  to[t] = sum;
  __pipeline_wait_prior(0);
}

// A thread looks at what it has copied itself.
template <bool WAITS> __global__ void own_copy(const int *from, int *to) {
  __shared__ int cells[64];
  cells[threadIdx.x] = 0;
  __pipeline_memcpy_async(&cells[threadIdx.x], from + threadIdx.x, 4);
  __pipeline_commit();
  if (WAITS)
    __pipeline_wait_prior(0);
  to[threadIdx.x] = cells[threadIdx.x]; // fault: own_copy_not_waited_for
  __pipeline_wait_prior(0);
}

// Waiting for groups does not wait for what has not been committed.
template <bool COMMITS> __global__ void committed(const int *from, int *to) {
  __shared__ int cells[64];
  __pipeline_memcpy_async(&cells[threadIdx.x], from + threadIdx.x, 4);
  if (COMMITS)
    asm volatile("cp.async.commit_group;" ::: "memory");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  to[threadIdx.x] = cells[63 - threadIdx.x]; // fault: copy_not_committed
  asm volatile("cp.async.wait_all;" ::: "memory");
}

// A buffer is filled again while others still read it; the barrier behind the wait comes too late.
template <bool SYNC> __global__ void filled_again(const int *from, int *to) {
  __shared__ int cells[64];
  int sum = 0;
  for (int i = 0; i < 3; i++) {
    __pipeline_memcpy_async(&cells[threadIdx.x], from + i * 64 + threadIdx.x,
                            4); // fault: filled_while_others_read
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    sum += cells[63 - threadIdx.x];
    if (SYNC)
      __syncthreads();
  }
  to[threadIdx.x] = sum;
}

template <bool WAITS> __global__ void source(int *from, int *to) {
  __shared__ int cells[64];
  __pipeline_memcpy_async(&cells[threadIdx.x], from + threadIdx.x, 4); // fault: source_written_under_way
  __pipeline_commit();
  if (WAITS)
    __pipeline_wait_prior(0);
  from[threadIdx.x] = 5;
  __pipeline_wait_prior(0);
  to[threadIdx.x] = cells[threadIdx.x];
}

// A bulk copy, which an mbarrier tells of. The thread that asked for it looks at once, or waits.
template <bool WAITS> __global__ void bulk(const int *from, int *to) {
  __shared__ __align__(16) int cells[64];
  __shared__ unsigned long long barrier;
  unsigned at = address_of(&barrier);
  if (threadIdx.x != 0)
    return;
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(at) : "memory");
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 256;" ::"r"(at) : "memory");
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 256, [%2];" ::"r"(
          address_of(cells)),
      "l"(from), "r"(at)
      : "memory");
  for (int seen = !WAITS; !seen;)
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0;\nselp.b32 %0, 1, 0, p; }"
        : "=r"(seen)
        : "r"(at)
        : "memory");
  to[0] = cells[63]; // fault: bulk_copy_not_waited_for
}

__device__ static void wait_for(unsigned long long *barrier, unsigned parity) {
  for (int seen = 0; !seen;)
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.b32 %0, 1, 0, p; }"
        : "=r"(seen)
        : "r"(address_of(barrier)), "r"(parity)
        : "memory");
}

__device__ static void arrive_at(unsigned long long *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address_of(barrier)) : "memory");
}

// A ring of two buffers: warp 0 fills, warps 1 and 2 read all of a buffer, and both or one of them tell that
// they have read.
template <bool BOTH> __global__ void ring(int *to) {
  __shared__ int cells[2][32];
  __shared__ unsigned long long full[2], empty[2];
  unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0)
    for (int i = 0; i < 2; i++) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 32;" ::"r"(address_of(&full[i])) : "memory");
      asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address_of(&empty[i])), "r"(BOTH ? 64 : 32)
                   : "memory");
    }
  __syncthreads();
  int sum = 0;
  for (int i = 0; i < 6; i++) {
    if (warp == 0) {
      if (i >= 2)
        wait_for(&empty[i & 1], (i - 2) / 2 & 1);
      cells[i & 1][lane] = i; // other: ring
      arrive_at(&full[i & 1]);
    } else {
      wait_for(&full[i & 1], i / 2 & 1);
      for (int k = 0; k < 32; k++)
        sum += cells[i & 1][k]; // fault: ring
      if (BOTH || warp == 1)
        arrive_at(&empty[i & 1]);
    }
  }
  to[threadIdx.x] = sum;
}

// Lanes read what one of them owns, the warp synchronises, and the owner writes it, reads it and writes it
// again.
template <bool SYNC> __global__ void owner_of_a_word(int *to, int readers) {
  __shared__ int cells[64];
  int lane = threadIdx.x, sum = 0;
  cells[lane] = lane;
  __syncwarp();
  for (int round = 0; round < 3; round++) {
    if (lane < readers)
      sum += cells[5];
    if (SYNC)
      __syncwarp();
    if (lane == 5)
      cells[5] = round; // fault: owner_writes_under_readers
    __syncwarp();
    if (lane == 5)
      cells[5] += sum;
    __syncwarp();
  }
  to[lane] = sum;
}

// Two warps read a word, one of them then owns it: the other has to be waited for.
template <bool SYNC> __global__ void owner_among_warps(int *to) {
  __shared__ int cell;
  if (threadIdx.x == 0)
    cell = 1;
  __syncthreads();
  int sum = cell;
  asm volatile("" : "+r"(sum)); // the read stays where it is
  if (SYNC)
    __syncthreads();
  else
    __syncwarp();
  if (threadIdx.x == 33)
    cell = sum + 1; // fault: owner_writes_under_another_warp
  to[threadIdx.x] = sum;
}

static int *from, *to;

#define SMALL(name, launch)                                                                                  \
  static void name() {                                                                                       \
    NEED(cudaMalloc(&from, 4096));                                                                           \
    NEED(cudaMalloc(&to, 4096));                                                                             \
    NEED(cudaMemset(from, 0, 4096));                                                                         \
    launch;                                                                                                  \
    planted_waits();                                                                                         \
    cudaFree(from);                                                                                          \
    cudaFree(to);                                                                                            \
  }

SMALL(one_group_too_many_left, (pipeline<STAGES - 1><<<1, 64>>>(from, to)))
SMALL(as_many_groups_left_as_may, (pipeline<STAGES - 2><<<1, 64>>>(from, to)))
SMALL(own_copy_not_waited_for, (own_copy<false><<<1, 64>>>(from, to)))
SMALL(own_copy_waited_for, (own_copy<true><<<1, 64>>>(from, to)))
SMALL(copy_not_committed, (committed<false><<<1, 64>>>(from, to)))
SMALL(copy_committed, (committed<true><<<1, 64>>>(from, to)))
SMALL(filled_while_others_read, (filled_again<false><<<1, 64>>>(from, to)))
SMALL(filled_after_others_have_read, (filled_again<true><<<1, 64>>>(from, to)))
SMALL(source_written_under_way, (source<false><<<1, 64>>>(from, to)))
SMALL(source_written_afterwards, (source<true><<<1, 64>>>(from, to)))
SMALL(bulk_copy_not_waited_for, (bulk<false><<<1, 32>>>(from, to)))
SMALL(bulk_copy_waited_for, (bulk<true><<<1, 32>>>(from, to)))
SMALL(ring_handed_round, (ring<true><<<1, 96>>>(to)))
SMALL(ring_told_by_one_of_two_readers, (ring<false><<<1, 96>>>(to)))
SMALL(owner_writes_under_readers, (owner_of_a_word<false><<<1, 32>>>(to, 9)))
SMALL(owner_writes_after_readers, (owner_of_a_word<true><<<1, 32>>>(to, 9)))
SMALL(owner_writes_after_itself, (owner_of_a_word<true><<<1, 32>>>(to, 32)))
SMALL(owner_writes_under_another_warp, (owner_among_warps<false><<<1, 64>>>(to)))
SMALL(owner_writes_after_another_warp, (owner_among_warps<true><<<1, 64>>>(to)))

#define PLACE(kernel)                                                                                        \
  "race: kernel " kernel "[^ ]*, [^ ]*:[0-9]+, block \\(0,0,0\\), thread \\([0-9]+,0,0\\): "
#define EARLY(kernel)                                                                                        \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel                                                                                 \
      "[^ ]*, [^ ]*%S:%L, block \\(0,0,0\\), thread \\([0-9]+,0,0\\): shared read of 4 bytes at "            \
      "0x[0-9a-f]+, which an asynchronous copy by thread \\([0-9]+,0,0\\) still writes"
#define RACE(kernel, accesses, earlier)                                                                      \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      PLACE(kernel) "shared " accesses " of 4 bytes at 0x[0-9a-f]+, not ordered after a " earlier            \
                    " by thread \\([0-9]+,0,0\\)"

static const struct planted_case cases[] = {
    {"one_group_too_many_left", one_group_too_many_left, EARLY("pipeline")},
    {"as_many_groups_left_as_may", as_many_groups_left_as_may, TWIN},
    {"own_copy_not_waited_for", own_copy_not_waited_for, EARLY("own_copy")},
    {"own_copy_waited_for", own_copy_waited_for, TWIN},
    {"copy_not_committed", copy_not_committed, EARLY("committed")},
    {"copy_committed", copy_committed, TWIN},
    {"filled_while_others_read", filled_while_others_read,
     RACE("filled_again", "(read|write)", "(read|write)")},
    {"filled_after_others_have_read", filled_after_others_have_read, TWIN},
    {"source_written_under_way", source_written_under_way, FINDING, cudaErrorLaunchFailure,
     PLACE("source") "the source of cp.async at 0x[0-9a-f]+ .4 bytes. has been written before the copy was "
                     "waited for"},
    {"source_written_afterwards", source_written_afterwards, TWIN},
    {"bulk_copy_not_waited_for", bulk_copy_not_waited_for, EARLY("bulk")},
    {"bulk_copy_waited_for", bulk_copy_waited_for, TWIN},
    {"ring_handed_round", ring_handed_round, TWIN},
    {"ring_told_by_one_of_two_readers", ring_told_by_one_of_two_readers, RACE("ring", "write", "read")},
    {"owner_writes_under_readers", owner_writes_under_readers,
     RACE("owner_of_a_word", "(read|write)", "(read|write)")},
    {"owner_writes_after_readers", owner_writes_after_readers, TWIN},
    {"owner_writes_after_itself", owner_writes_after_itself, TWIN},
    {"owner_writes_under_another_warp", owner_writes_under_another_warp,
     RACE("owner_among_warps", "(read|write)", "(read|write)")},
    {"owner_writes_after_another_warp", owner_writes_after_another_warp, TWIN},
};

PLANTED_MAIN(cases)
