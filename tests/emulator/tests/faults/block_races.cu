// Races on global memory between threads of one block.
#include "planted.h"

enum { THREADS = 128 };

// Each thread reads what one of another warp has written.
template <bool BARRIER> __global__ void other_warp(int *to) {
  unsigned t = threadIdx.x;
  to[t] = t; // other: read_of_another_warp
  if (BARRIER)
    __syncthreads();
  to[THREADS + t] = to[THREADS - 1 - t]; // fault: read_of_another_warp
}

// All move up by one, in place.
template <bool BARRIER> __global__ void moved_up(int *to) {
  unsigned t = threadIdx.x;
  int next = to[t + 1];
  if (BARRIER)
    __syncthreads();
  to[t] = next; // fault: write_over_a_neighbours_read
}

template <bool SYNC> __global__ void other_lane(int *to) {
  unsigned t = threadIdx.x;
  to[t] = t;
  if (SYNC)
    __syncwarp();
  to[THREADS + t] = to[t ^ 1]; // fault: read_of_another_lane
}

// One thread of a warp writes, all lanes read.
template <bool SYNC> __global__ void told_to_all(int *to) {
  unsigned t = threadIdx.x;
  if (t == 5)
    to[0] = 7; // other: read_by_all_lanes
  if (SYNC)
    __syncwarp();
  to[1 + t] = to[0]; // fault: read_by_all_lanes
}

// Written in an order that is nobody's, read in rows.
template <bool BARRIER> __global__ void scattered(int *to) {
  unsigned t = threadIdx.x;
  to[t * 37 % THREADS] = t; // other: read_of_scattered_words
  if (BARRIER)
    __syncthreads();
  to[THREADS + t] = to[t ^ 64]; // fault: read_of_scattered_words
}

// Four words by each thread, read one by one.
template <bool BARRIER> __global__ void of_four(int *to) {
  unsigned t = threadIdx.x;
  ((int4 *)to)[t] = make_int4(t, t, t, t); // other: read_of_four_words
  if (BARRIER)
    __syncthreads();
  to[4 * THREADS + t] = to[t]; // fault: read_of_four_words
}

// A flag in global memory.
template <bool FENCES> __global__ void told_by_a_flag(int *to) {
  if (threadIdx.x == 0) {
    to[0] = 42;
    if (FENCES)
      __threadfence_block();
    atomicExch(to + 32, 1);
  } else if (threadIdx.x == 64) {
    while (atomicAdd(to + 32, 0) == 0) {
    }
    if (FENCES)
      __threadfence_block();
    to[64] = to[0]; // fault: flag_without_fences
  }
}

// Rows of a matrix by warps, then columns; the pitch is odd, so that rows share lines.
template <bool BARRIER> __global__ void rows_and_columns(int *to) {
  unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (unsigned row = warp; row < 8; row += THREADS / 32)
    to[row * 33 + lane] = lane; // other: columns_of_all_rows
  if (BARRIER)
    __syncthreads();
  int sum = 0;
  for (unsigned row = 0; row < 8 && threadIdx.x < 32; row++)
    sum += to[row * 33 + lane]; // fault: columns_of_all_rows
  if (threadIdx.x < 32)
    to[512 + lane] = sum;
}

// Round after round in two buffers, one barrier each.
__global__ void two_buffers(int *to) {
  unsigned t = threadIdx.x;
  for (int i = 0; i < 6; i++) {
    const int *from = to + i % 2 * THREADS;
    int next = from[t] + from[(t + 1) % THREADS];
    to[(i + 1) % 2 * THREADS + t] = next;
    __syncthreads();
  }
}

// Each thread alone, again and again; bytes and halves beside each other.
__global__ void own_places(int *to) {
  unsigned t = threadIdx.x;
  for (int i = 0; i < 4; i++) {
    to[t] += i;
    ((char *)(to + THREADS))[t] = (char)i;
    ((short *)(to + 2 * THREADS))[t] = ((char *)(to + THREADS))[t];
    to[3 * THREADS + (t ^ 7)]++;
  }
}

// Memory of the device's heap goes from thread to thread.
__global__ void heap(int *to) {
  int *mine = (int *)malloc(4);
  *mine = threadIdx.x;
  to[threadIdx.x] = *mine;
  free(mine);
}

static int *to;

#define SMALL(name, kernel, threads)                                                                         \
  static void name() {                                                                                       \
    NEED(cudaMalloc(&to, 8192));                                                                             \
    NEED(cudaMemset(to, 0, 8192));                                                                           \
    kernel<<<1, threads>>>(to);                                                                              \
    planted_waits();                                                                                         \
    cudaFree(to);                                                                                            \
  }

SMALL(read_of_another_warp, other_warp<false>, THREADS)
SMALL(read_of_another_warp_behind_a_barrier, other_warp<true>, THREADS)
SMALL(write_over_a_neighbours_read, moved_up<false>, THREADS)
SMALL(write_behind_a_barrier, moved_up<true>, THREADS)
SMALL(read_of_another_lane, other_lane<false>, 32)
SMALL(read_of_another_lane_synchronised, other_lane<true>, THREADS)
SMALL(read_by_all_lanes, told_to_all<false>, 32)
SMALL(read_by_all_lanes_synchronised, told_to_all<true>, 32)
SMALL(read_of_scattered_words, scattered<false>, THREADS)
SMALL(read_of_scattered_words_behind_a_barrier, scattered<true>, THREADS)
SMALL(read_of_four_words, of_four<false>, THREADS)
SMALL(read_of_four_words_behind_a_barrier, of_four<true>, THREADS)
SMALL(flag_without_fences, told_by_a_flag<false>, THREADS)
SMALL(flag_with_fences, told_by_a_flag<true>, THREADS)
SMALL(columns_of_all_rows, rows_and_columns<false>, THREADS)
SMALL(columns_behind_a_barrier, rows_and_columns<true>, THREADS)
SMALL(rounds_in_two_buffers, two_buffers, THREADS)
SMALL(own_places_alone, own_places, THREADS)
SMALL(memory_of_the_heap, heap, THREADS)

#define RACE(kernel, access, other)                                                                          \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel ", [^ ]*%S:(%L|%O), block \\(0,0,0\\), thread \\([0-9]+,0,0\\): global " access \
      " [0-9]+ bytes at 0x[0-9a-f]+ .*into 8192 bytes by cudaMalloc at 0x[0-9a-f]+.*not ordered after "      \
      "a " other " by (the warp of )?thread \\([0-9]+,0,0\\) of the same block"

static const struct planted_case cases[] = {
    {"read_of_another_warp", read_of_another_warp, RACE("other_warp", "(read|write) of", "(write|read)")},
    {"read_of_another_warp_behind_a_barrier", read_of_another_warp_behind_a_barrier, TWIN},
    {"write_over_a_neighbours_read", write_over_a_neighbours_read, RACE("moved_up", "write of", "read")},
    {"write_behind_a_barrier", write_behind_a_barrier, TWIN},
    {"read_of_another_lane", read_of_another_lane, RACE("other_lane", "read of", "write")},
    {"read_of_another_lane_synchronised", read_of_another_lane_synchronised, TWIN},
    {"read_by_all_lanes", read_by_all_lanes, RACE("told_to_all", "(read|write) of", "(write|read)")},
    {"read_by_all_lanes_synchronised", read_by_all_lanes_synchronised, TWIN},
    {"read_of_scattered_words", read_of_scattered_words,
     RACE("scattered", "(read|write) of", "(write|read)")},
    {"read_of_scattered_words_behind_a_barrier", read_of_scattered_words_behind_a_barrier, TWIN},
    {"read_of_four_words", read_of_four_words, RACE("of_four", "(read|write) of", "(write|read)")},
    {"read_of_four_words_behind_a_barrier", read_of_four_words_behind_a_barrier, TWIN},
    {"flag_without_fences", flag_without_fences, RACE("told_by_a_flag", "read of", "write")},
    {"flag_with_fences", flag_with_fences, TWIN},
    {"columns_of_all_rows", columns_of_all_rows, RACE("rows_and_columns", "(read|write) of", "(write|read)")},
    {"columns_behind_a_barrier", columns_behind_a_barrier, TWIN},
    {"rounds_in_two_buffers", rounds_in_two_buffers, TWIN},
    {"own_places_alone", own_places_alone, TWIN},
    {"memory_of_the_heap", memory_of_the_heap, TWIN},
};

PLANTED_MAIN(cases)
