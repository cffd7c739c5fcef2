// What is no fault but worth a line: plain reads in front of compare-and-swap loops, and stores of one same
// value. And what looks like them but is a race.
#include "planted.h"

// The programming guide's own loop.
__device__ static double add(double *address, double value) {
  unsigned long long *bits = (unsigned long long *)address;
  unsigned long long old = *bits, assumed;
  do {
    assumed = old;
    old = atomicCAS(bits, assumed, __double_as_longlong(value + __longlong_as_double(assumed)));
  } while (assumed != old);
  return __longlong_as_double(old);
}

__device__ static void raise_to(float *address, float value) {
  int *bits = (int *)address, old = *bits, assumed;
  while (__int_as_float(old) < value) {
    assumed = old;
    old = atomicCAS(bits, assumed, __float_as_int(value));
    if (old == assumed)
      break;
  }
}

__global__ void sum_in_global_memory(double *sum) {
  add(sum, 1.0);
}

__global__ void sum_in_shared_memory(double *to) {
  __shared__ double sum;
  if (threadIdx.x == 0)
    sum = 0;
  __syncthreads();
  add(&sum, 1.0);
  __syncthreads();
  if (threadIdx.x == 0)
    *to = sum;
}

__global__ void largest(float *to) {
  raise_to(to, (float)(blockIdx.x * 32 + threadIdx.x));
}

// A block stores plainly what others add to.
__global__ void sum_with_a_plain_store(double *sum) {
  if (blockIdx.x == 1)
    *sum = 0;
  else
    add(sum, 1.0);
}

// What is read plainly is not only compared.
__global__ void sum_that_is_used(int *sum, int *to) {
  int now = *sum;
  atomicCAS(sum, 0, 5);
  to[blockIdx.x] = now;
}

template <int WHAT> __global__ void lanes_store(int *to, int k) { // 0: one value, 1: each its own
  __shared__ int cells[8];
  cells[k] = WHAT ? (int)threadIdx.x : 5;
  __syncthreads();
  to[threadIdx.x] = cells[k];
}

template <int WHAT> __global__ void blocks_store(int *to) {
  if (threadIdx.x == 0)
    *to = WHAT ? (int)blockIdx.x : 7;
}

// One value by all, but read in between.
__global__ void stored_and_read(int *to) {
  to[1 + blockIdx.x] = to[0];
  to[0] = 0;
}

// Two kernels in streams that nothing orders are not one launch.
static void in_two_streams(int *to) {
  cudaStream_t one, two;
  NEED(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  NEED(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  NEED(cudaDeviceSynchronize());
  blocks_store<0><<<1, 32, 0, one>>>(to);
  blocks_store<0><<<1, 32, 0, two>>>(to);
  planted_waits();
  cudaStreamDestroy(one);
  cudaStreamDestroy(two);
}

static void *to;

#define SMALL(name, launch) PLANTED_LAUNCH(name, to, launch)

// The result of a case that must come out right.
static void expect_sum(double wanted) {
  double sum = 0;
  NEED(cudaMemcpy(&sum, to, sizeof sum, cudaMemcpyDeviceToHost));
  if (sum != wanted)
    exit(4);
}

SMALL(compare_and_swap_in_global_memory, (sum_in_global_memory<<<3, 32>>>((double *)to)); expect_sum(96))
SMALL(compare_and_swap_in_shared_memory, (sum_in_shared_memory<<<1, 64>>>((double *)to)); expect_sum(64))
SMALL(compare_and_swap_of_a_maximum, (largest<<<3, 32>>>((float *)to)))
SMALL(compare_and_swap_by_one_thread, (sum_in_global_memory<<<1, 1>>>((double *)to)); expect_sum(1))
SMALL(compare_and_swap_beside_a_store, (sum_with_a_plain_store<<<3, 32>>>((double *)to)))
SMALL(plain_read_that_is_used, (sum_that_is_used<<<3, 1>>>((int *)to, (int *)to + 8)))
SMALL(one_value_by_all_lanes, (lanes_store<0><<<1, 32>>>((int *)to, 3)))
SMALL(one_value_by_two_warps, (lanes_store<0><<<1, 64>>>((int *)to, 3)))
SMALL(values_of_all_lanes, (lanes_store<1><<<1, 32>>>((int *)to, 3)))
SMALL(one_value_by_several_blocks, (blocks_store<0><<<4, 32>>>((int *)to)))
SMALL(values_of_several_blocks, (blocks_store<1><<<4, 32>>>((int *)to)))
SMALL(one_value_and_a_reader, (stored_and_read<<<4, 1>>>((int *)to)))
SMALL(one_value_in_two_streams, in_two_streams((int *)to))

#define NOTE(kernel, text)                                                                                   \
  SAID, cudaSuccess,                                                                                         \
      "^note: kernel " kernel ", [^ ]*%S:[0-9]+, block \\([0-9],0,0\\), thread \\([0-9]+,0,0\\): " text
#define RACE(kernel, text)                                                                                   \
  FINDING, cudaErrorLaunchFailure, "race: kernel " kernel "[^ ]*, [^ ]*%S:[0-9]+, .*" text
#define FIRST_LOOK                                                                                           \
  "a plain read in front of a compare-and-swap loop, not ordered after atomic operations of others"
#define ONE_VALUE "several threads store the same value in one place, and nothing orders them"

static const struct planted_case cases[] = {
    {"compare_and_swap_in_global_memory", compare_and_swap_in_global_memory,
     NOTE("sum_in_global_memory", FIRST_LOOK)},
    {"compare_and_swap_in_shared_memory", compare_and_swap_in_shared_memory,
     NOTE("sum_in_shared_memory", FIRST_LOOK)},
    {"compare_and_swap_of_a_maximum", compare_and_swap_of_a_maximum, NOTE("largest", FIRST_LOOK)},
    {"compare_and_swap_by_one_thread", compare_and_swap_by_one_thread, TWIN},
    {"compare_and_swap_beside_a_store", compare_and_swap_beside_a_store,
     RACE("sum_with_a_plain_store", "global")},
    {"plain_read_that_is_used", plain_read_that_is_used, RACE("sum_that_is_used", "global")},
    {"one_value_by_all_lanes", one_value_by_all_lanes, NOTE("lanes_store", ONE_VALUE)},
    {"one_value_by_two_warps", one_value_by_two_warps, NOTE("lanes_store", ONE_VALUE)},
    {"values_of_all_lanes", values_of_all_lanes, RACE("lanes_store", "shared write")},
    {"one_value_by_several_blocks", one_value_by_several_blocks, NOTE("blocks_store", ONE_VALUE)},
    {"values_of_several_blocks", values_of_several_blocks, RACE("blocks_store", "global write")},
    {"one_value_and_a_reader", one_value_and_a_reader, RACE("stored_and_read", "global")},
    {"one_value_in_two_streams", one_value_in_two_streams, RACE("blocks_store", "global write")},
};

PLANTED_MAIN(cases)
