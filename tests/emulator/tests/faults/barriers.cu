// Barriers and instructions of a warp whose named threads do not all come; launches that never end.
#include "planted.h"

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

__global__ void return_before_barrier(int *to, int n) {
  if (threadIdx.x >= n)
    return;
  to[threadIdx.x] = 1;
  __syncthreads(); // fault: threads_gone_before_the_barrier
  to[threadIdx.x] = 2;
}

__global__ void named_barrier(int *to, int some) {
  if (threadIdx.x < some)
    asm volatile("barrier.sync 3, 96;" ::: "memory"); // fault: too_few_at_a_named_barrier
  to[threadIdx.x] = 1;
}

__global__ void two_barriers(int *to, int crossed) {
  if (threadIdx.x < 32 || !crossed) {
    asm volatile("barrier.sync 1, 64;" ::: "memory"); // fault: warps_wait_at_different_barriers
    asm volatile("barrier.sync 2, 64;" ::: "memory");
  } else {
    asm volatile("barrier.sync 2, 64;" ::: "memory"); // other: warps_wait_at_different_barriers
    asm volatile("barrier.sync 1, 64;" ::: "memory");
  }
  to[threadIdx.x] = 1;
}

__global__ void shuffle_for_some(int *to, int some) {
  int value = threadIdx.x;
  if (threadIdx.x < some)
    value = __shfl_sync(0xffffffff, value, 0); // fault: shuffle_without_all_lanes
  to[threadIdx.x] = value;
}

__global__ void shuffle_of_two_halves(int *to) { // each half names itself, in a branch of its own
  int value = threadIdx.x;
  if (threadIdx.x < 16)
    value = __shfl_xor_sync(0x0000ffff, value, 1);
  else
    value = __shfl_xor_sync(0xffff0000, value, 2);
  to[threadIdx.x] = value;
}

// Lane 3 takes what lane 20 has, which is not among those that are named.
__global__ void shuffle_from(int *to, int source) {
  int value = threadIdx.x;
  const int lane = threadIdx.x == 3 ? source : 5;
  if (threadIdx.x < 16)
    value = __shfl_sync(0x0000ffff, value, lane); // fault: shuffle_from_a_lane_that_is_not_named
  to[threadIdx.x] = value;
}

// A sum over 16 lanes: the upper ones of them read beyond, in vain, as only lane 0's sum is used; or the sum
// of lane 9 is.
__global__ void sum_of_half_a_warp(int *to, int used) {
  if (threadIdx.x < 16) {
    int sum = threadIdx.x, best = threadIdx.x;
    for (int d = 8; d; d /= 2) {
      sum += __shfl_down_sync(0x0000ffff, sum, d); // fault: sum_with_lanes_that_are_not_named
      int other = __shfl_down_sync(0x0000ffff, best, d);
      best = other > best ? other : best;
    }
    if (threadIdx.x == used)
      to[0] = sum + best;
  }
}

__global__ void branch_on_a_shuffle(int *to, int source) {
  int value = 0;
  if (threadIdx.x < 16)
    value = __shfl_sync(0x0000ffff, threadIdx.x, source); // fault: branch_on_a_lane_that_is_not_named
  if (threadIdx.x < 16 && value == 7)
    to[threadIdx.x] = clock();
  else
    atomicAdd(to + threadIdx.x, 1);
}

__global__ void ballot_after_exit(int *to, int gone) {
  if (threadIdx.x < gone)
    return;
  to[threadIdx.x] = __ballot_sync(0xffffffff, threadIdx.x & 1); // fault: ballot_without_all_lanes
}

__global__ void synchronise_lanes(int *to, unsigned mask) {
  if (threadIdx.x < 16)
    __syncwarp(mask); // fault: lane_outside_of_its_mask
  to[threadIdx.x] = 1;
}

__global__ void reconverge(int *to) { // lanes come to one __syncwarp from two branches
  if (threadIdx.x & 1)
    to[threadIdx.x] = 1;
  else
    to[threadIdx.x] = 2;
  __syncwarp();
  int sum = __reduce_add_sync(0xffffffff, to[threadIdx.x]);
  to[threadIdx.x] = sum;
}

__global__ void grid_sync_for_some(int *to, int some) {
  cg::grid_group grid = cg::this_grid();
  if (blockIdx.x < some)
    grid.sync();
  if (threadIdx.x == 0)
    to[blockIdx.x] = 1;
}

__global__ void __cluster_dims__(2, 1, 1) cluster_wait(int *to, int arrives) {
  if (blockIdx.x == 0 || arrives)
    asm volatile("barrier.cluster.arrive;" ::: "memory");
  if (blockIdx.x == 0)
    asm volatile("barrier.cluster.wait;" ::: "memory");
  else if (!arrives)
    asm volatile("barrier.cluster.wait;" ::: "memory"); // fault: cluster_barrier_of_one_block
  if (threadIdx.x == 0)
    to[blockIdx.x] = 1;
}

__global__ void wait_for(volatile int *flag) {
  while (*flag == 0) { // fault: endless_kernel
  }
}

static int *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

static void raise_flag() {
  NEED(cudaMemset(to, 1, 4));
}

static void grid(int some) {
  void *arguments[] = {&to, &some};
  NEED(cudaLaunchCooperativeKernel((void *)grid_sync_for_some, dim3(4), dim3(64), arguments, 0, 0));
}

SMALL(threads_gone_before_the_barrier, (return_before_barrier<<<1, 64>>>(to, 40)))
SMALL(no_threads_gone_before_the_barrier, (return_before_barrier<<<1, 64>>>(to, 64)))
SMALL(too_few_at_a_named_barrier, (named_barrier<<<1, 128>>>(to, 64)))
SMALL(enough_at_a_named_barrier, (named_barrier<<<1, 128>>>(to, 96)))
SMALL(warps_wait_at_different_barriers, (two_barriers<<<1, 64>>>(to, 1)))
SMALL(warps_wait_at_the_same_barriers, (two_barriers<<<1, 64>>>(to, 0)))
SMALL(shuffle_without_all_lanes, (shuffle_for_some<<<1, 32>>>(to, 20)))
SMALL(shuffle_with_all_lanes, (shuffle_for_some<<<1, 32>>>(to, 32)))
SMALL(shuffle_in_two_halves, (shuffle_of_two_halves<<<1, 32>>>(to)))
SMALL(shuffle_from_a_lane_that_is_not_named, (shuffle_from<<<1, 32>>>(to, 20)))
SMALL(shuffle_from_a_lane_that_is_named, (shuffle_from<<<1, 32>>>(to, 12)))
SMALL(sum_with_lanes_that_are_not_named, (sum_of_half_a_warp<<<1, 32>>>(to, 9)))
SMALL(sum_that_reads_other_lanes_in_vain, (sum_of_half_a_warp<<<1, 32>>>(to, 0)))
SMALL(branch_on_a_lane_that_is_not_named, (branch_on_a_shuffle<<<1, 32>>>(to, 16)))
SMALL(branch_on_a_lane_that_is_named, (branch_on_a_shuffle<<<1, 32>>>(to, 7)))
SMALL(ballot_without_all_lanes, (ballot_after_exit<<<1, 32>>>(to, 3)))
SMALL(ballot_with_all_lanes, (ballot_after_exit<<<1, 32>>>(to, 0)))
SMALL(lane_outside_of_its_mask, (synchronise_lanes<<<1, 32>>>(to, 0xff)))
SMALL(lanes_in_their_mask, (synchronise_lanes<<<1, 32>>>(to, 0xffff)))
SMALL(lanes_from_two_branches, (reconverge<<<1, 32>>>(to)))
SMALL(blocks_missing_at_the_grid_barrier, grid(3))
SMALL(all_blocks_at_the_grid_barrier, grid(4))
SMALL(cluster_barrier_of_one_block, (cluster_wait<<<2, 32>>>(to, 0)))
SMALL(cluster_barrier_of_both_blocks, (cluster_wait<<<2, 32>>>(to, 1)))
SMALL(endless_kernel, (wait_for<<<1, 1>>>(to)))
SMALL(ending_kernel, (raise_flag(), wait_for<<<1, 1>>>(to)))

#define STUCK(check, kernel, rest)                                                                           \
  FATAL, cudaErrorLaunchFailure,                                                                             \
      check ": kernel " kernel ", [^ ]*%S:%L, block \\([0-9],0,0\\), thread \\([0-9]+,0,0\\): .*" rest

#define USED(kernel, rest)                                                                                   \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "warp synchronisation: kernel " kernel                                                                 \
      ", [^ ]*:[0-9]+, block \\(0,0,0\\), thread \\([0-9]+,0,0\\): " rest

static const struct planted_case cases[] = {
    {"threads_gone_before_the_barrier", threads_gone_before_the_barrier,
     STUCK("barrier", "return_before_barrier",
           "40 of 64 are there; thread \\(40,0,0\\) (has exited|waits for other lanes of its warp) at [^ "
           "]*%S:[0-9]+")},
    {"no_threads_gone_before_the_barrier", no_threads_gone_before_the_barrier, TWIN},
    {"too_few_at_a_named_barrier", too_few_at_a_named_barrier,
     STUCK("barrier", "named_barrier", "barrier 3 .64 of 96 are there; thread \\(64,0,0\\) has exited at")},
    {"enough_at_a_named_barrier", enough_at_a_named_barrier, TWIN},
    {"warps_wait_at_different_barriers", warps_wait_at_different_barriers,
     STUCK("barrier", "two_barriers",
           "barrier 1 .32 of 64 are there; thread \\(32,0,0\\) waits at another barrier at [^ ]*%S:%O")},
    {"shuffle_without_all_lanes", shuffle_without_all_lanes,
     STUCK("warp synchronisation", "shuffle_for_some", "0x000fffff are there, 0xffffffff")},
    {"shuffle_with_all_lanes", shuffle_with_all_lanes, TWIN},
    {"shuffle_in_two_halves", shuffle_in_two_halves, TWIN},
    {"shuffle_from_a_lane_that_is_not_named", shuffle_from_a_lane_that_is_not_named,
     USED(
         "shuffle_from",
         "shfl reads lane 20, which takes no part in it .member mask 0x0000ffff., and the value is used at")},
    {"shuffle_from_a_lane_that_is_named", shuffle_from_a_lane_that_is_named, TWIN},
    {"sum_with_lanes_that_are_not_named", sum_with_lanes_that_are_not_named,
     USED("sum_of_half_a_warp", "shfl reads lane [12][0-9], which takes no part in it")},
    {"sum_that_reads_other_lanes_in_vain", sum_that_reads_other_lanes_in_vain, TWIN},
    {"branch_on_a_lane_that_is_not_named", branch_on_a_lane_that_is_not_named,
     USED("branch_on_a_shuffle", "shfl reads lane 16, which takes no part in it")},
    {"branch_on_a_lane_that_is_named", branch_on_a_lane_that_is_named, TWIN},
    {"ballot_without_all_lanes", ballot_without_all_lanes,
     STUCK("warp synchronisation", "ballot_after_exit",
           "0xfffffff8 are there, 0xffffffff are named; thread \\(0,0,0\\) has exited")},
    {"ballot_with_all_lanes", ballot_with_all_lanes, TWIN},
    {"lane_outside_of_its_mask", lane_outside_of_its_mask,
     STUCK("warp synchronisation", "synchronise_lanes", "not in its own member mask .0x000000ff")},
    {"lanes_in_their_mask", lanes_in_their_mask, TWIN},
    {"lanes_from_two_branches", lanes_from_two_branches, TWIN},
    {"blocks_missing_at_the_grid_barrier", blocks_missing_at_the_grid_barrier, FATAL, cudaErrorLaunchTimeout,
     "kernel grid_sync_for_some, [^ ]*:[0-9]+, block \\([0-9],0,0\\)"},
    {"all_blocks_at_the_grid_barrier", all_blocks_at_the_grid_barrier, TWIN},
    {"cluster_barrier_of_both_blocks", cluster_barrier_of_both_blocks, TWIN},
    {"endless_kernel", endless_kernel, FATAL, cudaErrorLaunchTimeout,
     "deadlock: kernel wait_for, [^ ]*%S:%L, block \\(0,0,0\\), thread \\(0,0,0\\): "
     "the thread waits for what nobody will do"},
    {"ending_kernel", ending_kernel, TWIN},
    {"warps_wait_at_the_same_barriers", warps_wait_at_the_same_barriers, TWIN},
    {"cluster_barrier_of_one_block", cluster_barrier_of_one_block,
     STUCK("barrier", "cluster_wait", "without having arrived")},
};

PLANTED_MAIN(cases)
