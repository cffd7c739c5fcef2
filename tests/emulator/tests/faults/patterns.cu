// Everyday kernels with one barrier, mask, count, phase or wait left out, and the same with it.
#include "planted.h"

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

static int *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

__device__ static unsigned address_of(const void *own) {
  return (unsigned)__cvta_generic_to_shared(own);
}

// For a while only, as a wrong phase may never be over.
__device__ static void wait_for_parity(const void *barrier, int parity) {
  int done = 0;
  for (int i = 0; i < 1000 && !done; i++)
    asm volatile("{.reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.s32 %0, 1, 0, p;}"
                 : "=r"(done)
                 : "r"(address_of(barrier)), "r"(parity)
                 : "memory");
}

// The barrier at the end of a loop's body.
template <bool SYNC> __global__ void scanned(int *to) {
  __shared__ int s[256];
  s[threadIdx.x] = 1;
  __syncthreads();
  for (int d = 1; d < 256; d *= 2) {
    int value = threadIdx.x >= d ? s[threadIdx.x - d] : 0;
    __syncthreads();
    s[threadIdx.x] += value;
    if (SYNC)
      __syncthreads();
  }
  __syncthreads();
  to[threadIdx.x] = s[threadIdx.x];
}

// A tile that the next iteration fills again.
template <bool SYNC> __global__ void tiles(const int *in, int *to) {
  __shared__ int tile[64];
  int sum = 0;
  for (int k = 0; k < 4; k++) {
    tile[threadIdx.x] = in[k * 64 + threadIdx.x];
    __syncthreads();
    for (int i = 0; i < 64; i++)
      sum += tile[i];
    if (SYNC)
      __syncthreads();
  }
  to[512 + threadIdx.x] = sum;
}

// A named barrier of three warps.
template <int COUNT> __global__ void named(int *to) {
  __shared__ int s[96];
  s[threadIdx.x] = threadIdx.x;
  asm volatile("bar.sync 1, %0;" ::"n"(COUNT) : "memory");
  to[threadIdx.x] = s[95 - threadIdx.x];
}

// A producer that is told when it may go on, or is not.
template <bool TOLD> __global__ void handed_over(int *to) {
  __shared__ int s[32];
  int lane = threadIdx.x % 32;
  for (int k = 0; k < 4; k++)
    if (threadIdx.x < 32) {
      if (k && TOLD)
        asm volatile("bar.sync 2, 64;" ::: "memory");
      s[lane] = k;
      asm volatile("bar.arrive 1, 64;" ::: "memory");
    } else {
      asm volatile("bar.sync 1, 64;" ::: "memory");
      to[k * 32 + lane] = s[31 - lane];
      if (k < 3 && TOLD)
        asm volatile("bar.arrive 2, 64;" ::: "memory");
    }
}

// The parity of a phase that is over already.
template <bool RIGHT> __global__ void phases(int *to) {
  __shared__ unsigned long long barrier;
  __shared__ int s[32];
  int lane = threadIdx.x % 32;
  if (threadIdx.x < 32)
    s[lane] = 0;
  if (threadIdx.x == 0)
    asm volatile("mbarrier.init.shared.b64 [%0], 32;" ::"r"(address_of(&barrier)) : "memory");
  __syncthreads();
  for (int k = 0; k < 3; k++) {
    if (threadIdx.x < 32) {
      s[lane] = k;
      asm volatile("{.reg .b64 x; mbarrier.arrive.shared.b64 x, [%0];}" ::"r"(address_of(&barrier))
                   : "memory");
    } else {
      wait_for_parity(&barrier, RIGHT ? k & 1 : ~k & 1);
      to[k * 32 + lane] = s[31 - lane];
    }
    __syncthreads();
  }
}

// Lanes that read of others which the mask does not name.
template <unsigned MASK> __global__ void masks(int *to) {
  __shared__ int s[32];
  s[threadIdx.x] = threadIdx.x;
  if (MASK >> threadIdx.x & 1)
    __syncwarp(MASK);
  if (threadIdx.x < 8)
    to[threadIdx.x] = s[threadIdx.x + 8];
}

// A reduction by one warp.
template <bool SYNC> __global__ void reduced(int *to) {
  __shared__ int s[64];
  s[threadIdx.x] = s[threadIdx.x + 32] = 1;
  __syncthreads();
  for (int d = 32; d; d /= 2) {
    int value = s[threadIdx.x + (threadIdx.x < d ? d : 0)];
    if (SYNC)
      __syncwarp();
    if (threadIdx.x < d)
      s[threadIdx.x] += value;
    if (SYNC)
      __syncwarp();
  }
  to[threadIdx.x] = s[0];
}

// A barrier in either branch, which a warp's lanes part at, or whole warps do.
template <int PER> __global__ void branches(int *to) {
  __shared__ int s[64];
  s[threadIdx.x] = threadIdx.x;
  if (threadIdx.x / PER % 2) {
    __syncthreads();
    to[threadIdx.x] = s[63 - threadIdx.x];
  } else {
    __syncthreads();
    to[threadIdx.x] = s[63 - threadIdx.x] + 1;
  }
}

// Four bytes by one thread, the first of which its neighbour reads.
template <bool SYNC> __global__ void four_bytes(int *to) {
  __shared__ unsigned char s[128];
  for (int i = 0; i < 4; i++)
    s[threadIdx.x * 4 + i] = i;
  if (SYNC)
    __syncwarp();
  to[threadIdx.x] = s[(threadIdx.x * 4 + 4) % 128];
}

// Bytes of one word by several threads: written while others read them, and read as words.
template <bool SYNC> __global__ void bytes(int *to) {
  __shared__ unsigned char s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  int value = s[threadIdx.x ^ 1];
  if (SYNC)
    __syncthreads();
  s[threadIdx.x] = 5;
  to[threadIdx.x] = value;
}

template <bool SYNC> __global__ void word_of_bytes(int *to) {
  __shared__ __align__(4) unsigned char s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  s[threadIdx.x] += 1;
  if (SYNC)
    __syncthreads();
  if (threadIdx.x < 16)
    to[threadIdx.x] = ((const int *)s)[threadIdx.x];
}

// The last iterations of a pipeline commit groups, too, or what is waited for is one too few.
template <bool RIGHT> __global__ void last_groups(const int *in, int *to) {
  __shared__ __align__(16) int s[2][32];
  const unsigned at[] = {address_of(&s[0][threadIdx.x]), address_of(&s[1][threadIdx.x])};
  int sum = 0;
  for (int k = -1; k < 4; k++) {
    if (k < 3)
      asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(at[(k + 1) & 1]),
                   "l"(in + (k + 1) * 32 + threadIdx.x)
                   : "memory");
    if (RIGHT || k < 3)
      asm volatile("cp.async.commit_group;" ::: "memory");
    if (k < 0)
      continue;
    asm volatile("cp.async.wait_group 1;" ::: "memory");
    __syncwarp();
    sum += s[k & 1][31 - threadIdx.x]; // fault: too_few_groups_at_the_end
    __syncwarp();
  }
  to[512 + threadIdx.x] = sum;
}

// What a bulk copy reads is written again.
template <bool WAITS> __global__ void sent_away(int *to) {
  __shared__ __align__(16) int s[32];
  for (int k = 0; k < 3; k++) {
    s[threadIdx.x] = k; // fault: source_of_a_bulk_copy_written_again
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncwarp();
    if (threadIdx.x == 0) {
      asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 128;\n\t"
                   "cp.async.bulk.commit_group;" ::"l"(to + k * 32),
                   "r"(address_of(s))
                   : "memory");
      if (WAITS)
        asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
    }
    __syncwarp();
  }
}

// fence.mbarrier_init covers the initialisation of mbarriers (0), not what else was written (1); without it a
// relaxed arrival covers nothing (2).
template <int HOW> __global__ void __cluster_dims__(2, 1, 1) prepared(int *to) {
  __shared__ unsigned long long barrier;
  __shared__ int cell;
  unsigned rank = cg::this_cluster().block_rank(), there, there_cell;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address_of(&barrier)), "r"(rank ^ 1));
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there_cell) : "r"(address_of(&cell)), "r"(rank ^ 1));
  if (threadIdx.x == 0) {
    cell = 7;
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(address_of(&barrier)) : "memory");
    if (HOW != 2)
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  asm volatile("barrier.cluster.arrive.relaxed;\n\tbarrier.cluster.wait.acquire;" ::: "memory");
  if (threadIdx.x == 0) {
    int value = 1;
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(there) : "memory");
    if (HOW == 1)
      asm volatile("ld.shared::cluster.s32 %0, [%1];" : "=r"(value) : "r"(there_cell) : "memory");
    to[rank] = value;
  }
  wait_for_parity(&barrier, 0);
  cg::this_cluster().sync();
}

SMALL(no_barrier_at_the_end_of_a_loop, (scanned<false><<<1, 256>>>(to)))
SMALL(barrier_at_the_end_of_a_loop, (scanned<true><<<1, 256>>>(to)))
SMALL(tile_filled_while_others_read, (tiles<false><<<1, 64>>>(to, to)))
SMALL(tile_filled_after_others_have_read, (tiles<true><<<1, 64>>>(to, to)))
SMALL(named_barrier_of_too_few, (named<64><<<1, 96>>>(to)))
SMALL(named_barrier_of_all, (named<96><<<1, 96>>>(to)))
SMALL(producer_that_is_not_told, (handed_over<false><<<1, 64>>>(to)))
SMALL(producer_that_is_told, (handed_over<true><<<1, 64>>>(to)))
SMALL(parity_of_the_phase_before, (phases<false><<<1, 64>>>(to)))
SMALL(parity_of_the_phase, (phases<true><<<1, 64>>>(to)))
SMALL(lanes_missing_in_the_mask, (masks<0x00ff><<<1, 32>>>(to)))
SMALL(lanes_named_in_the_mask, (masks<0xffff><<<1, 32>>>(to)))
SMALL(warp_reduction_in_lock_step, (reduced<false><<<1, 32>>>(to)))
SMALL(warp_reduction_with_barriers, (reduced<true><<<1, 32>>>(to)))
SMALL(barriers_in_two_branches_of_a_warp, (branches<16><<<1, 64>>>(to)))
SMALL(barriers_in_two_branches_of_a_block, (branches<32><<<1, 64>>>(to)))
SMALL(byte_read_of_a_neighbour, (four_bytes<false><<<1, 32>>>(to)))
SMALL(byte_read_of_a_neighbour_in_time, (four_bytes<true><<<1, 32>>>(to)))
SMALL(byte_written_while_others_read, (bytes<false><<<1, 64>>>(to)))
SMALL(byte_written_after_others_have_read, (bytes<true><<<1, 64>>>(to)))
SMALL(bytes_read_as_a_word, (word_of_bytes<false><<<1, 64>>>(to)))
SMALL(bytes_read_as_a_word_in_time, (word_of_bytes<true><<<1, 64>>>(to)))
SMALL(too_few_groups_at_the_end, (last_groups<false><<<1, 32>>>(to, to)))
SMALL(enough_groups_at_the_end, (last_groups<true><<<1, 32>>>(to, to)))
SMALL(source_of_a_bulk_copy_written_again, (sent_away<false><<<1, 32>>>(to)))
SMALL(source_of_a_bulk_copy_waited_for, (sent_away<true><<<1, 32>>>(to)))
SMALL(mbarriers_behind_their_fence, (prepared<0><<<2, 32>>>(to)))
SMALL(other_memory_behind_the_fence_of_mbarriers, (prepared<1><<<2, 32>>>(to)))
SMALL(mbarriers_without_their_fence, (prepared<2><<<2, 32>>>(to)))

#define PLACE(kernel)                                                                                        \
  " kernel " kernel "[^ ]*, [^ ]*%S:[0-9]+, block \\([01],0,0\\), thread \\([0-9]+,0,0\\): "
#define RACE(kernel, bytes)                                                                                  \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race:" PLACE(kernel) "shared (read|write) of " bytes                                                  \
                            " bytes at 0x[0-9a-f]+, not ordered after a (read|write) by thread"
#define SAYS(what) FINDING, cudaErrorLaunchFailure, what

static const struct planted_case cases[] = {
    {"no_barrier_at_the_end_of_a_loop", no_barrier_at_the_end_of_a_loop, RACE("scanned", "4")},
    {"barrier_at_the_end_of_a_loop", barrier_at_the_end_of_a_loop, TWIN},
    {"tile_filled_while_others_read", tile_filled_while_others_read, RACE("tiles", "4")},
    {"tile_filled_after_others_have_read", tile_filled_after_others_have_read, TWIN},
    {"named_barrier_of_too_few", named_barrier_of_too_few, FATAL, cudaErrorLaunchFailure,
     "(race|uninitialised|barrier):" PLACE("named") "(shared read|not all threads come to barrier 1)"},
    {"named_barrier_of_all", named_barrier_of_all, TWIN},
    {"producer_that_is_not_told", producer_that_is_not_told, FATAL, cudaErrorLaunchFailure,
     "(race|barrier):" PLACE("handed_over") "(shared (read|write)|the thread comes twice to barrier 1)"},
    {"producer_that_is_told", producer_that_is_told, TWIN},
    {"parity_of_the_phase_before", parity_of_the_phase_before, RACE("phases", "4")},
    {"parity_of_the_phase", parity_of_the_phase, TWIN},
    {"lanes_missing_in_the_mask", lanes_missing_in_the_mask, RACE("masks", "4")},
    {"lanes_named_in_the_mask", lanes_named_in_the_mask, TWIN},
    {"warp_reduction_in_lock_step", warp_reduction_in_lock_step, RACE("reduced", "4")},
    {"warp_reduction_with_barriers", warp_reduction_with_barriers, TWIN},
    {"barriers_in_two_branches_of_a_warp", barriers_in_two_branches_of_a_warp,
     SAYS("barrier:" PLACE("branches") "lanes of one warp come to barrier 0 at different instructions")},
    {"barriers_in_two_branches_of_a_block", barriers_in_two_branches_of_a_block, TWIN},
    {"byte_read_of_a_neighbour", byte_read_of_a_neighbour, RACE("four_bytes", "1")},
    {"byte_read_of_a_neighbour_in_time", byte_read_of_a_neighbour_in_time, TWIN},
    {"byte_written_while_others_read", byte_written_while_others_read, RACE("bytes", "1")},
    {"byte_written_after_others_have_read", byte_written_after_others_have_read, TWIN},
    {"bytes_read_as_a_word", bytes_read_as_a_word, RACE("word_of_bytes", "[14]")},
    {"bytes_read_as_a_word_in_time", bytes_read_as_a_word_in_time, TWIN},
    {"too_few_groups_at_the_end", too_few_groups_at_the_end,
     SAYS("race:" PLACE("last_groups") "shared read of 4 bytes at 0x[0-9a-f]+, which an asynchronous copy")},
    {"enough_groups_at_the_end", enough_groups_at_the_end, TWIN},
    {"source_of_a_bulk_copy_written_again", source_of_a_bulk_copy_written_again,
     SAYS("race:" PLACE("sent_away") "shared write of 4 bytes at 0x[0-9a-f]+, which a bulk copy by thread "
                                     "\\(0,0,0\\) still reads")},
    {"source_of_a_bulk_copy_waited_for", source_of_a_bulk_copy_waited_for, TWIN},
    {"mbarriers_behind_their_fence", mbarriers_behind_their_fence, TWIN},
    {"other_memory_behind_the_fence_of_mbarriers", other_memory_behind_the_fence_of_mbarriers,
     SAYS("race:" PLACE("prepared") "shared read of 4 bytes at 0x[0-9a-f]+ of block")},
    {"mbarriers_without_their_fence", mbarriers_without_their_fence,
     SAYS("race:" PLACE("prepared") "shared atomic operation on 8 bytes at 0x[0-9a-f]+ of block")},
};

PLANTED_MAIN(cases)
