// Threads that wait for what nobody will do: said soon, and not only when the step budget is spent.
#include "planted.h"

#include <cuda/barrier>

static int *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

template <bool WAITS> __global__ void lanes_of_a_lock(int *lock) { // lock, counter
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) { // fault: lock_that_a_lane_holds
      __threadfence();
      lock[1]++;
      __threadfence();
      if (!WAITS)
        atomicExch(lock, 0);
      done = true;
    }
  }
  __syncwarp(); // the lane that has the lock would wait for the others here
  if (WAITS)
    atomicExch(lock, 0);
}
SMALL(lock_that_a_lane_holds, (lanes_of_a_lock<true><<<1, 32>>>(to)))
SMALL(lock_handed_from_lane_to_lane, (lanes_of_a_lock<false><<<1, 32>>>(to)))

template <bool RING> __global__ void after_the_block_before(volatile int *flags) {
  const unsigned before = blockIdx.x ? blockIdx.x - 1 : gridDim.x - 1;
  if (RING || blockIdx.x)
    while (flags[before] == 0) // fault: blocks_that_wait_in_a_ring
      ;
  flags[blockIdx.x] = 1;
}
SMALL(blocks_that_wait_in_a_ring, (after_the_block_before<true><<<8, 1>>>(to)))
SMALL(blocks_that_wait_in_a_row, (after_the_block_before<false><<<8, 1>>>(to)))

__global__ void barrier_of_all_blocks(int *count) {
  if (threadIdx.x == 0) {
    atomicAdd(count, 1);
    while (*(volatile int *)count < (int)gridDim.x) // fault: more_blocks_than_fit
      ;
  }
  __syncthreads();
}
// Two blocks fit on each multiprocessor. The device reads its settings when the program begins.
static void on_eight_multiprocessors(const char *name, int blocks) {
  if (!getenv("CUSEQ_EMULATOR_MULTIPROCESSORS")) {
    setenv("CUSEQ_EMULATOR_MULTIPROCESSORS", "8", 1);
    execl("/proc/self/exe", "deadlocks", "--run", name, (char *)NULL);
  }
  NEED(cudaMalloc(&to, 4096));
  NEED(cudaMemset(to, 0, 4096));
  barrier_of_all_blocks<<<blocks, 1024>>>(to);
  planted_waits();
  cudaFree(to);
}
static void more_blocks_than_fit() {
  on_eight_multiprocessors("more_blocks_than_fit", 20);
}
static void as_many_blocks_as_fit() {
  on_eight_multiprocessors("as_many_blocks_as_fit", 16);
}

template <bool SET> __global__ void flag_of_the_block(int *) {
  __shared__ volatile int flag;
  if (threadIdx.x == 0)
    flag = 0;
  __syncthreads();
  if (threadIdx.x == 32 && SET)
    flag = 1;
  if (threadIdx.x == 0)
    while (!flag) // fault: flag_that_nobody_sets
      ;
}
SMALL(flag_that_nobody_sets, (flag_of_the_block<false><<<1, 64>>>(to)))
SMALL(flag_that_is_set, (flag_of_the_block<true><<<1, 64>>>(to)))

template <bool CROSSED> __global__ void two_locks(int *locks) { // two locks, and who has taken his first
  int *first = locks + (CROSSED ? blockIdx.x : 0), *second = locks + (CROSSED ? 1 - blockIdx.x : 1);
  while (atomicCAS(first, 0, 1))
    ;
  if (CROSSED)
    for (atomicAdd(locks + 2, 1); atomicAdd(locks + 2, 0) < 2;)
      ;
  while (atomicCAS(second, 0, 1)) // fault: locks_taken_crosswise
    ;
  atomicExch(second, 0);
  atomicExch(first, 0);
}
SMALL(locks_taken_crosswise, (two_locks<true><<<2, 1>>>(to)))
SMALL(locks_taken_in_one_order, (two_locks<false><<<2, 1>>>(to)))

// A wait that looks at the clock now and then.
__global__ void barrier_of(int *, int expected) {
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
  if (threadIdx.x == 0)
    init(&barrier, expected);
  __syncthreads();
  barrier.arrive_and_wait();
}
SMALL(barrier_object_of_all, (barrier_of<<<1, 64>>>(to, 64)))

__global__ void tries(volatile int *flag) { // in vain, but not for ever
  for (int i = 0; i < 100000 && *flag == 0; i++)
    ;
}
SMALL(bounded_wait, (tries<<<1, 1>>>(to)))

__global__ void counts(int *last) {
  int i = 1;
  while (i) // fault: counting_for_ever
    i = i % 100000 + 1;
  *last = i;
}
SMALL(counting_for_ever, (counts<<<1, 1>>>(to)))

#define FOR_EVER(kernel, rest)                                                                               \
  FATAL, cudaErrorLaunchTimeout,                                                                             \
      "deadlock: kernel " kernel ", [^ ]*%S:%L, block \\([0-9]+,0,0\\), thread \\([0-9]+,0,0\\): .*" rest
#define AT_GLOBAL "it looks at 0x[0-9a-f]+, [0-9]+ bytes into 4096 bytes by cudaMalloc"

static const struct planted_case cases[] = {
    {"lock_that_a_lane_holds", lock_that_a_lane_holds, FOR_EVER("lanes_of_a_lock", AT_GLOBAL)},
    {"lock_handed_from_lane_to_lane", lock_handed_from_lane_to_lane, TWIN},
    {"blocks_that_wait_in_a_ring", blocks_that_wait_in_a_ring, FOR_EVER("after_the_block_before", AT_GLOBAL)},
    {"blocks_that_wait_in_a_row", blocks_that_wait_in_a_row, TWIN},
    {"more_blocks_than_fit", more_blocks_than_fit,
     FOR_EVER("barrier_of_all_blocks", AT_GLOBAL ".*; 4 of 20 blocks have not begun")},
    {"as_many_blocks_as_fit", as_many_blocks_as_fit, TWIN},
    {"flag_that_nobody_sets", flag_that_nobody_sets,
     FOR_EVER("flag_of_the_block", "it looks at shared memory at 0x0")},
    {"flag_that_is_set", flag_that_is_set, TWIN},
    {"locks_taken_crosswise", locks_taken_crosswise, FOR_EVER("two_locks", AT_GLOBAL)},
    {"locks_taken_in_one_order", locks_taken_in_one_order, TWIN},
    {"barrier_object_of_all", barrier_object_of_all, TWIN},
    {"bounded_wait", bounded_wait, TWIN},
    {"counting_for_ever", counting_for_ever, FATAL, cudaErrorLaunchTimeout,
     "step budget: kernel counts, [^ ]*%S:[0-9]+, .*1000000"},
};

PLANTED_MAIN(cases)
