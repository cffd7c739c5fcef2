// Races between blocks of a launch on global memory, and orders by the memory model that are none.
#include "planted.h"

#include <cooperative_groups.h>
#include <cuda/atomic>

namespace cg = cooperative_groups;

// Block 0 writes, block 1 reads what it wrote.
__global__ void other_block(int *cells, int *to, int distance) {
  unsigned i = blockIdx.x * 32 + threadIdx.x;
  cells[i] = i; // other: read_of_another_block
  __syncwarp();
  to[i] = cells[i ^ distance]; // fault: read_of_another_block
}

template <bool APART> __global__ void all_write(int *cells) {
  cells[APART ? blockIdx.x : 0] = (int)blockIdx.x; // fault: write_by_all_blocks
}

__global__ void read_then_write(int *cells, int *to) {
  if (blockIdx.x == 0)
    to[threadIdx.x] = cells[threadIdx.x];
  else
    cells[threadIdx.x] = 1; // fault: write_over_what_another_block_reads
}

// The same in a launch whose blocks could say, or say, when they are done.
template <bool ORDERS> __global__ void read_beside_atomics(int *cells, int *flag, int *to) {
  if (blockIdx.x == 0) {
#pragma unroll 1
    for (int i = threadIdx.x; i < 96; i += 32)
      to[i] = cells[i];
    __threadfence();
    atomicAdd(flag, 1);
  } else {
    while (ORDERS && atomicAdd(flag, 0) < 32) {
    }
    __threadfence();
    cells[64 + threadIdx.x] = 1; // fault: write_beside_atomics
  }
}

__global__ void read_by_all(const int *cells, int *to) {
  to[blockIdx.x * 32 + threadIdx.x] = cells[threadIdx.x];
}

template <bool ATOMIC> __global__ void count(int *counter, int *to) {
  atomicAdd(counter, 1); // other: read_among_global_atomics
  to[blockIdx.x * 32 + threadIdx.x] =
      ATOMIC ? atomicAdd(counter, 0) : *counter; // fault: read_among_global_atomics
}

template <bool BLOCK> __global__ void narrow_atomics(int *counter) {
  if (BLOCK)
    atomicAdd_block(counter, 1); // fault: atomics_of_a_block_between_blocks
  else
    atomicAdd(counter, 1);
}

// The last block to finish sums up what all have left behind.
template <bool FENCE> __global__ void last_block(int *cells, unsigned *counter, int *to) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    cells[blockIdx.x] = blockIdx.x;
    if (FENCE)
      __threadfence();
    last = atomicInc(counter, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last) {
    if (FENCE)
      __threadfence();
    if (threadIdx.x == 0) {
      int sum = 0;
      for (unsigned i = 0; i < gridDim.x; i++)
        sum += cells[i]; // fault: last_block_without_fence
      *to = sum;
      *counter = 0;
    }
  }
}

// As the samples do it: whoever writes fences; who reads comes by the barrier.
__global__ void last_block_of_all_threads(int *cells, unsigned *counter, int *to) {
  __shared__ bool last;
  cells[blockIdx.x * blockDim.x + threadIdx.x] = 1;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0)
    last = atomicInc(counter, gridDim.x) == gridDim.x - 1;
  __syncthreads();
  if (last) {
    __threadfence();
    int sum = 0;
    for (unsigned i = threadIdx.x; i < gridDim.x * blockDim.x; i += blockDim.x)
      sum += cells[i];
    atomicAdd(to, sum);
  }
}

template <int HOW> __global__ void flag_between_blocks(int *data, int *flag, int *to) {
  volatile int *seen = flag;
  if (threadIdx.x != 0)
    return;
  if (blockIdx.x == 0) {
    *data = 42;
    if (HOW)
      __threadfence();
    if (HOW == 2)
      atomicExch(flag, 1);
    else
      *seen = 1;
  } else {
    if (HOW == 2)
      while (atomicAdd(flag, 0) == 0) {
      }
    else
      while (*seen == 0) {
      }
    if (HOW)
      __threadfence();
    *to = *data; // fault: flag_without_fence
  }
}

template <bool ORDERS> __global__ void atomic_references(int *data, int *flag, int *to) {
  cuda::atomic_ref<int, cuda::thread_scope_device> f(*flag);
  if (threadIdx.x != 0)
    return;
  if (blockIdx.x == 0) {
    *data = 42;
    f.store(1, ORDERS ? cuda::memory_order_release : cuda::memory_order_relaxed);
  } else {
    while (f.load(ORDERS ? cuda::memory_order_acquire : cuda::memory_order_relaxed) == 0) {
    }
    *to = *data; // fault: relaxed_flag
  }
}

// Three blocks hand a value on; order is transitive.
__global__ void chain(int *data, int *flags, int *to) {
  cuda::atomic_ref<int, cuda::thread_scope_device> mine(flags[blockIdx.x]);
  if (blockIdx.x == 0) {
    *data = 42;
  } else {
    cuda::atomic_ref<int, cuda::thread_scope_device> before(flags[blockIdx.x - 1]);
    while (before.load(cuda::memory_order_acquire) == 0) {
    }
    if (blockIdx.x == 2)
      *to = *data;
  }
  mine.store(1, cuda::memory_order_release);
}

// All threads of a block write; one releases for them, behind a barrier; one acquires for the others.
__global__ void release_for_a_block(int *data, int *flag, int *to) {
  cuda::atomic_ref<int, cuda::thread_scope_device> f(*flag);
  if (blockIdx.x == 0) {
    data[threadIdx.x] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x == 0)
      f.store(1, cuda::memory_order_release);
  } else {
    if (threadIdx.x == 0)
      while (f.load(cuda::memory_order_acquire) == 0) {
      }
    __syncthreads();
    to[threadIdx.x] = data[63 - threadIdx.x];
  }
}

template <bool SYNC> __global__ void grid_steps(int *cells, int *to) {
  cg::grid_group grid = cg::this_grid();
  unsigned i = grid.thread_rank(), n = grid.size();
  for (int step = 0; step < 3; step++) {
    cells[i] = step; // fault: grid_without_sync
    grid.sync();
    to[i] = cells[n - 1 - i]; // other: grid_without_sync
    if (SYNC)
      grid.sync();
  }
}

template <bool SYNC> __global__ void __cluster_dims__(2, 1, 1) cluster_steps(int *cells, int *to) {
  __shared__ int mine[32];
  cg::cluster_group cluster = cg::this_cluster();
  unsigned i = blockIdx.x * 32 + threadIdx.x;
  cells[i] = i; // other: cluster_without_sync
  mine[threadIdx.x] = i;
  if (SYNC)
    cluster.sync();
  int other = cells[i ^ 32]; // fault: cluster_without_sync
  if (SYNC)
    other += cluster.map_shared_rank(mine, cluster.block_rank() ^ 1)[threadIdx.x];
  to[i] = other;
  cluster.sync();
}

template <bool SYNC> __global__ void __cluster_dims__(2, 1, 1) cluster_begins(int *to) {
  __shared__ int mine[32];
  cg::cluster_group cluster = cg::this_cluster();
  if (SYNC)
    cluster.sync();
  unsigned there = cluster.block_rank() ^ 1;
  cluster.map_shared_rank(mine, there)[threadIdx.x] = threadIdx.x; // fault: cluster_not_begun
  cluster.sync();
  to[blockIdx.x * 32 + threadIdx.x] = mine[threadIdx.x];
}

template <bool COHERENT> __global__ void exchange(int *cells, int *to) {
  unsigned i = blockIdx.x * 64 + threadIdx.x;
  cells[i] = i;
  cg::this_grid().sync();
  to[i] = COHERENT ? __ldcg(cells + (i ^ 64)) : __ldg(cells + (i ^ 64)); // fault: read_only_cache
}

template <bool FENCES> __global__ void lock(int *mutex, int *sum) {
  if (threadIdx.x != 0)
    return;
  while (atomicCAS(mutex, 0, 1) != 0) {
  }
  if (FENCES)
    __threadfence();
  *sum += 1; // fault: lock_without_fences
  if (FENCES)
    __threadfence();
  atomicExch(mutex, 0);
}

// A scan in one pass: each block looks back at those before it.
__global__ void decoupled_look_back(const int *in, int *out, int *aggregates, int *prefixes,
                                    volatile int *states) {
  __shared__ int cells[64], before;
  int t = threadIdx.x, b = blockIdx.x;
  cells[t] = in[b * 64 + t];
  __syncthreads();
  for (int s = 1; s < 64; s *= 2) {
    int add = t >= s ? cells[t - s] : 0;
    __syncthreads();
    cells[t] += add;
    __syncthreads();
  }
  if (t == 0) {
    int sum = 0;
    (b == 0 ? prefixes : aggregates)[b] = cells[63];
    __threadfence();
    states[b] = b == 0 ? 2 : 1;
    for (int p = b - 1; p >= 0; p--) {
      int state;
      while ((state = states[p]) == 0) {
      }
      __threadfence();
      sum += (state == 2 ? prefixes : aggregates)[p];
      if (state == 2)
        break;
    }
    if (b > 0) {
      prefixes[b] = sum + cells[63];
      __threadfence();
      states[b] = 2;
    }
    before = sum;
  }
  __syncthreads();
  out[b * 64 + t] = before + cells[t];
}

// A barrier over all blocks by an atomic counter.
__global__ void own_grid_barrier(int *cells, int *counter, int *to) {
  cells[blockIdx.x * blockDim.x + threadIdx.x] = blockIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(counter, 1);
    while (*(volatile int *)counter < (int)gridDim.x) {
    }
    __threadfence();
  }
  __syncthreads();
  to[blockIdx.x * blockDim.x + threadIdx.x] = cells[(gridDim.x - 1 - blockIdx.x) * blockDim.x + threadIdx.x];
}

static int *a, *b, *c, *d, *e;

static void begin() {
  for (int **p : {&a, &b, &c, &d, &e}) {
    NEED(cudaMalloc(p, 8192));
    NEED(cudaMemset(*p, 0, 8192));
  }
  NEED(cudaDeviceSynchronize());
}

static void end() {
  planted_waits();
  for (int *p : {a, b, c, d, e})
    cudaFree(p);
}

#define SMALL(name, launch)                                                                                  \
  static void name() {                                                                                       \
    begin();                                                                                                 \
    launch;                                                                                                  \
    end();                                                                                                   \
  }

static void cooperatively(void *kernel) {
  void *arguments[] = {&a, &b};
  NEED(cudaLaunchCooperativeKernel(kernel, dim3(6), dim3(64), arguments, 0, 0));
}

SMALL(read_of_another_block, (other_block<<<2, 32>>>(a, b, 32)))
SMALL(read_of_the_own_block, (other_block<<<2, 32>>>(a, b, 1)))
SMALL(write_by_all_blocks, (planted_address(a), all_write<false><<<4, 1>>>(a)))
SMALL(write_apart, (all_write<true><<<4, 1>>>(a)))
SMALL(write_over_what_another_block_reads, (planted_address(a), read_then_write<<<2, 32>>>(a, b)))
SMALL(write_beside_atomics, (read_beside_atomics<false><<<2, 32>>>(a, b, c)))
SMALL(write_after_a_flag, (read_beside_atomics<true><<<2, 32>>>(a, b, c)))
SMALL(read_by_all_blocks, (read_by_all<<<20, 32>>>(a, b)))
SMALL(read_among_global_atomics, (planted_address(a), count<false><<<4, 32>>>(a, b)))
SMALL(atomics_by_all_blocks, (count<true><<<4, 32>>>(a, b)))
SMALL(atomics_of_a_block_between_blocks, (planted_address(a), narrow_atomics<true><<<4, 32>>>(a)))
SMALL(atomics_of_the_device, (narrow_atomics<false><<<4, 32>>>(a)))
SMALL(last_block_without_fence, (last_block<false><<<10, 64>>>(a, (unsigned *)b, c)))
SMALL(last_block_with_fence, (last_block<true><<<10, 64>>>(a, (unsigned *)b, c)))
SMALL(last_block_as_in_samples, (last_block_of_all_threads<<<10, 64>>>(a, (unsigned *)b, c)))
SMALL(flag_without_fence, (planted_address(a), flag_between_blocks<0><<<2, 32>>>(a, b, c)))
SMALL(volatile_flag_with_fences, (flag_between_blocks<1><<<2, 32>>>(a, b, c)))
SMALL(atomic_flag_with_fences, (flag_between_blocks<2><<<2, 32>>>(a, b, c)))
SMALL(relaxed_flag, (planted_address(a), atomic_references<false><<<2, 32>>>(a, b, c)))
SMALL(release_and_acquire, (atomic_references<true><<<2, 32>>>(a, b, c)))
SMALL(order_is_transitive, (chain<<<3, 1>>>(a, b, c)))
SMALL(one_releases_for_its_block, (release_for_a_block<<<2, 64>>>(a, b, c)))
SMALL(grid_without_sync, cooperatively((void *)grid_steps<false>))
SMALL(grid_with_sync, cooperatively((void *)grid_steps<true>))
SMALL(cluster_without_sync, (cluster_steps<false><<<4, 32>>>(a, b)))
SMALL(cluster_with_sync, (cluster_steps<true><<<4, 32>>>(a, b)))
SMALL(cluster_not_begun, (cluster_begins<false><<<4, 32>>>(a)))
SMALL(cluster_begun, (cluster_begins<true><<<4, 32>>>(a)))
SMALL(read_only_cache, cooperatively((void *)exchange<false>))
SMALL(cache_of_all_blocks, cooperatively((void *)exchange<true>))
SMALL(lock_without_fences, (planted_address(b), lock<false><<<6, 32>>>(a, b)))
SMALL(lock_with_fences, (lock<true><<<6, 32>>>(a, b)))
SMALL(look_back, (decoupled_look_back<<<12, 64>>>(a, b, c, d, e)))
SMALL(barrier_over_all_blocks, (own_grid_barrier<<<10, 64>>>(a, b, c)))

#define RACE(kernel, block, rest, other)                                                                     \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel "[^ ]*, [^ ]*%S:(%L|%O), block \\(" block                                       \
      ",0,0\\), thread \\([0-9]+,0,0\\): global " rest                                                       \
      " .*into 8192 bytes by cudaMalloc at 0x[0-9a-f]+.*not ordered after a .*" other " of kernel " kernel

static const struct planted_case cases[] = {
    {"read_of_another_block", read_of_another_block,
     RACE("other_block", "[01]", "(read|write) of 4 bytes at 0x[0-9a-f]+",
          "(read|write) by block \\([01],0,0\\)")},
    {"read_of_the_own_block", read_of_the_own_block, TWIN},
    {"write_by_all_blocks", write_by_all_blocks,
     RACE("all_write", "1", "write of 4 bytes at %A", "write by block \\(0,0,0\\)")},
    {"write_apart", write_apart, TWIN},
    {"write_over_what_another_block_reads", write_over_what_another_block_reads,
     RACE("read_then_write", "1", "write of 4 bytes at %A", "read by block \\(0,0,0\\)")},
    {"write_beside_atomics", write_beside_atomics,
     RACE("read_beside_atomics", "1", "write of 4 bytes at 0x[0-9a-f]+", "read by block \\(0,0,0\\)")},
    {"write_after_a_flag", write_after_a_flag, TWIN},
    {"read_by_all_blocks", read_by_all_blocks, TWIN},
    {"read_among_global_atomics", read_among_global_atomics, FINDING,
     cudaErrorLaunchFailure, /* by another block, or another warp of its own */
     "race: kernel count[^ ]*, [^ ]*%S:(%L|%O), block \\([0-9],0,0\\), thread \\([0-9]+,0,0\\): global (read "
     "of|atomic operation on) 4 bytes at %A .*not ordered after a .*(of kernel count|of the same block)"},
    {"atomics_by_all_blocks", atomics_by_all_blocks, TWIN},
    {"atomics_of_a_block_between_blocks", atomics_of_a_block_between_blocks,
     RACE("narrow_atomics", "1", "atomic operation on 4 bytes at %A", "write by block \\(0,0,0\\)")},
    {"atomics_of_the_device", atomics_of_the_device, TWIN},
    {"last_block_without_fence", last_block_without_fence,
     RACE("last_block", "[0-9]", "read of 4 bytes at 0x[0-9a-f]+", "write by block \\([0-9],0,0\\)")},
    {"last_block_with_fence", last_block_with_fence, TWIN},
    {"last_block_as_in_samples", last_block_as_in_samples, TWIN},
    {"flag_without_fence", flag_without_fence,
     RACE("flag_between_blocks", "1", "read of 4 bytes at %A", "write by block \\(0,0,0\\)")},
    {"volatile_flag_with_fences", volatile_flag_with_fences, TWIN},
    {"atomic_flag_with_fences", atomic_flag_with_fences, TWIN},
    {"relaxed_flag", relaxed_flag,
     RACE("atomic_references", "1", "read of 4 bytes at %A", "write by block \\(0,0,0\\)")},
    {"release_and_acquire", release_and_acquire, TWIN},
    {"order_is_transitive", order_is_transitive, TWIN},
    {"one_releases_for_its_block", one_releases_for_its_block, TWIN},
    {"grid_without_sync", grid_without_sync,
     RACE("grid_steps", "[0-9]", "(read|write) of 4 bytes at 0x[0-9a-f]+",
          "(read|write) by block \\([0-9],0,0\\)")},
    {"grid_with_sync", grid_with_sync, TWIN},
    {"cluster_without_sync", cluster_without_sync,
     RACE("cluster_steps", "[0-9]", "(read|write) of 4 bytes at 0x[0-9a-f]+",
          "(read|write) by block \\([0-9],0,0\\)")},
    {"cluster_with_sync", cluster_with_sync, TWIN},
    {"cluster_not_begun", cluster_not_begun, FINDING, cudaErrorLaunchFailure,
     "race: kernel cluster_begins[^ ]*, [^ ]*%S:%L, block \\([0-9],0,0\\), thread \\([0-9]+,0,0\\): shared "
     "write of 4 "
     "bytes at 0x[0-9a-f]+ of block [01] of the cluster, which may not have begun .no barrier.cluster has "
     "been passed."},
    {"cluster_begun", cluster_begun, TWIN},
    {"read_only_cache", read_only_cache, FINDING, cudaErrorLaunchFailure,
     "race: kernel exchange[^ ]*, [^ ]*%S:%L, block \\([0-9],0,0\\), thread \\([0-9]+,0,0\\): global read of "
     "4 bytes "
     "at 0x[0-9a-f]+ .* by ld.global.nc, which does not see what the same launch wrote there"},
    {"cache_of_all_blocks", cache_of_all_blocks, TWIN},
    {"lock_without_fences", lock_without_fences,
     RACE("lock", "[0-9]", "read of 4 bytes at %A", "write by block \\([0-9],0,0\\)")},
    {"lock_with_fences", lock_with_fences, TWIN},
    {"look_back", look_back, TWIN},
    {"barrier_over_all_blocks", barrier_over_all_blocks, TWIN},
};

PLANTED_MAIN(cases)
