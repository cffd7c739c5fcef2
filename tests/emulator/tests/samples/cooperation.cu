// Threads that work together: locks between lanes, grid-wide synchronisation, groups of lanes, votes, inline
// PTX, printf and assert, unified memory, cuBLAS.
#include "check.h"

#include <cassert>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cublas_v2.h>
#include <cuda/atomic>
#include <vector>

namespace cg = cooperative_groups;

struct Lock {
  int taken;
  __device__ void acquire() {
    while (atomicCAS(&taken, 0, 1) != 0) {
    }
    __threadfence();
  }
  __device__ void release() {
    __threadfence();
    atomicExch(&taken, 0);
  }
};

__global__ void locked(Lock *lock, volatile int *counter) {
  lock->acquire();
  *counter = *counter + 1;
  lock->release();
}

__global__ void by_atomic_objects(int *data, cuda::atomic<int, cuda::thread_scope_device> *ticket) {
  const int mine = ticket->fetch_add(1, cuda::memory_order_relaxed);
  data[mine] = mine;
  cuda::atomic_ref<int, cuda::thread_scope_device> last(data[gridDim.x * blockDim.x]);
  last.fetch_max(mine);
}

// Jacobi steps on a rod, the whole grid in step.
__global__ void relax(float *a, float *b, int n, int steps) {
  cg::grid_group grid = cg::this_grid();
  for (int step = 0; step < steps; step++) {
    for (unsigned i = grid.thread_rank(); i < n; i += grid.size())
      b[i] = i == 0 || i == n - 1 ? a[i] : .5f * (a[i - 1] + a[i + 1]);
    grid.sync();
    float *t = a;
    a = b;
    b = t;
  }
}

__global__ void groups(int *out) {
  auto block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  auto four = cg::tiled_partition<4>(warp);
  int *mine = out + 6 * block.thread_rank();
  mine[0] = cg::reduce(four, (int)threadIdx.x, cg::greater<int>());
  mine[1] = four.shfl_xor((int)threadIdx.x, 2);
  mine[2] = warp.ballot(threadIdx.x % 5 == 0);
  auto odd = cg::binary_partition(warp, threadIdx.x & 1);
  mine[3] = odd.size() * 100 + odd.thread_rank();
  auto thirds = cg::labeled_partition(warp, threadIdx.x % 3);
  mine[4] = cg::reduce(thirds, 1, cg::plus<int>());
  if (threadIdx.x % 4 == 1) {
    auto some = cg::coalesced_threads();
    mine[5] = some.size() * 100 + some.thread_rank() + (some.any(threadIdx.x == 5) ? 10000 : 0);
  } else
    mine[5] = 0;
}

__global__ void inline_ptx(unsigned *out) {
  unsigned lane, mask, bits;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm volatile("{ .reg .pred p; setp.gt.u32 p, %1, 15; vote.sync.ballot.b32 %0, p, 0xffffffff; }"
               : "=r"(mask)
               : "r"(lane));
  asm("bfi.b32 %0, %1, %2, 8, 5;" : "=r"(bits) : "r"(lane), "r"(mask));
  out[threadIdx.x] = bits;
}

__global__ void speak(int n) {
  if (threadIdx.x < n)
    printf("thread %d of block (%u, %u) says %s, %.3f, %c and %5.2e, %lld, %x\n", threadIdx.x, blockIdx.x,
           blockIdx.y, "hello", threadIdx.x * .5, 'a' + threadIdx.x, 12345.678, -5000000000ll, 48879);
}

__global__ void doubtful(int limit) {
  assert(threadIdx.x < limit);
}

static void check_grid() {
  const int n = 1000, steps = 6;
  std::vector<float> a(n), b(n);
  for (int i = 0; i < n; i++)
    a[i] = (float)(i * i % 37);
  float *d_a = device_array(n, a.data()), *d_b = device_array<float>(n);
  int size = n, count = steps, device = 0, cooperative = 0, blocks = 0;
  CHECK(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device));
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, relax, 64, 0));
  EXPECT(cooperative && blocks > 0);
  void *arguments[] = {&d_a, &d_b, &size, &count};
  CHECK(cudaLaunchCooperativeKernel(relax, dim3(8), dim3(64), arguments));
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < n; i++)
      b[i] = i == 0 || i == n - 1 ? a[i] : .5f * (a[i - 1] + a[i + 1]);
    a.swap(b);
  }
  fetch(b.data(), d_a, n);
  expect_close("relax", b.data(), a.data(), n, 0);
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
}

static void check_groups() {
  int out[6 * 64], *d_out = device_array<int>(6 * 64);
  groups<<<1, 64>>>(d_out);
  fetch(out, d_out, 6 * 64);
  for (int t = 0; t < 64; t++) {
    unsigned fives = 0;
    for (int i = 0; i < 32; i++)
      fives |= (unsigned)((t / 32 * 32 + i) % 5 == 0) << i;
    int same = 0;
    for (int i = t / 32 * 32; i < t / 32 * 32 + 32; i++)
      same += i % 3 == t % 3;
    EXPECT(out[6 * t] == t / 4 * 4 + 3 && out[6 * t + 1] == (t ^ 2) && (unsigned)out[6 * t + 2] == fives);
    EXPECT(out[6 * t + 3] == 1600 + t % 32 / 2 && out[6 * t + 4] == same);
    EXPECT(t % 4 != 1 || out[6 * t + 5] == 800 + t % 32 / 4 + (t < 32 ? 10000 : 0));
  }
  CHECK(cudaFree(d_out));
}

static void check_blas() {
  const int m = 17, n = 9, k = 23;
  std::vector<float> a(m * k), b(k * n), c(m * n), want(m * n);
  unsigned state = 43;
  for (float &x : a)
    x = noise(state) / 1e7f;
  for (float &x : b)
    x = noise(state) / 1e7f;
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      for (int l = 0; l < k; l++)
        want[j * m + i] += a[l * m + i] * b[j * k + l];
  float *d_a = device_array(a.size(), a.data()), *d_b = device_array(b.size(), b.data()),
        *d_c = device_array<float>(c.size());
  cublasHandle_t handle;
  const float one = 1, zero = 0;
  EXPECT(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
  EXPECT(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, d_a, m, d_b, k, &zero, d_c, m) ==
         CUBLAS_STATUS_SUCCESS);
  fetch(c.data(), d_c, c.size());
  expect_close("sgemm", c.data(), want.data(), c.size(), 1e-3);
  EXPECT(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS);
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
  CHECK(cudaFree(d_c));
}

int main() {
  Lock *lock;
  int *counter;
  CHECK(cudaMallocManaged(&lock, sizeof *lock));
  CHECK(cudaMallocManaged(&counter, 300 * sizeof *counter));
  lock->taken = 0;
  *counter = 0;
  locked<<<2, 48>>>(lock, counter);
  CHECK(cudaDeviceSynchronize());
  EXPECT(*counter == 96);
  cuda::atomic<int, cuda::thread_scope_device> *ticket;
  CHECK(cudaMallocManaged(&ticket, sizeof *ticket));
  new (ticket) cuda::atomic<int, cuda::thread_scope_device>(0);
  counter[256] = 0;
  by_atomic_objects<<<4, 64>>>(counter, ticket);
  CHECK(cudaDeviceSynchronize());
  for (int i = 0; i < 256; i++)
    EXPECT(counter[i] == i);
  EXPECT(counter[256] == 255 && ticket->load() == 256);
  CHECK(cudaFree(lock));
  CHECK(cudaFree(counter));
  CHECK(cudaFree(ticket));
  check_grid();
  check_groups();
  unsigned bits[32], *d_bits = device_array<unsigned>(32);
  inline_ptx<<<1, 32>>>(d_bits);
  fetch(bits, d_bits, 32);
  for (unsigned i = 0; i < 32; i++)
    EXPECT(bits[i] == ((0xffff0000u & ~0x1f00u) | i << 8));
  CHECK(cudaFree(d_bits));
  check_blas();
  speak<<<dim3(1, 2), 32>>>(2);
  CHECK(cudaDeviceSynchronize());
  printf("cooperation: passed\n");
  doubtful<<<1, 64>>>(60); // the last call: it leaves the context unusable, as on hardware
  EXPECT(cudaDeviceSynchronize() == cudaErrorAssert);
  EXPECT(cudaGetLastError() == cudaErrorAssert);
  return 0;
}
