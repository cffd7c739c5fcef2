// Copies from global to shared memory behind the threads' back: cooperative groups' memcpy_async,
// cuda::pipeline with stages and with roles, cuda::barrier with tokens, split arrive and wait, and the
// pipeline primitives.
#include "check.h"

#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda_pipeline.h>
#include <vector>

namespace cg = cooperative_groups;
using barrier = cuda::barrier<cuda::thread_scope_block>;

enum { THREADS = 128 };

__global__ void by_group(const int *in, int *out, int batches) {
  __shared__ int staged[2][THREADS];
  auto block = cg::this_thread_block();
  cg::memcpy_async(block, staged[0], in, sizeof(int) * THREADS);
  for (int i = 0; i < batches; i++) {
    if (i + 1 < batches) {
      cg::memcpy_async(block, staged[(i + 1) % 2], in + (i + 1) * THREADS, sizeof(int) * THREADS);
      cg::wait_prior<1>(block);
    } else
      cg::wait(block);
    out[i * THREADS + threadIdx.x] = 2 * staged[i % 2][THREADS - 1 - threadIdx.x];
    block.sync();
  }
}

__global__ void by_pipeline(const int *in, int *out, int batches) {
  constexpr int stages = 3;
  __shared__ int staged[stages][THREADS];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, stages> state;
  auto block = cg::this_thread_block();
  auto pipeline = cuda::make_pipeline(block, &state);
  for (int done = 0, fetched = 0; done < batches; done++) {
    for (; fetched < batches && fetched < done + stages; fetched++) {
      pipeline.producer_acquire();
      cuda::memcpy_async(block, staged[fetched % stages], in + fetched * THREADS, sizeof(int) * THREADS,
                         pipeline);
      pipeline.producer_commit();
    }
    pipeline.consumer_wait();
    out[done * THREADS + threadIdx.x] = 2 * staged[done % stages][THREADS - 1 - threadIdx.x];
    pipeline.consumer_release();
  }
}

__global__ void by_roles(const int *in, int *out, int batches) {
  __shared__ int staged[2][THREADS];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cg::this_thread_block();
  const auto role = threadIdx.x < 32 ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer;
  auto pipeline = cuda::make_pipeline(block, &state, role);
  if (role == cuda::pipeline_role::producer)
    for (int i = 0; i < batches; i++) {
      pipeline.producer_acquire();
      for (int j = threadIdx.x; j < THREADS; j += 32)
        cuda::memcpy_async(&staged[i % 2][j], in + i * THREADS + j, sizeof(int), pipeline);
      pipeline.producer_commit();
    }
  else
    for (int i = 0; i < batches; i++) {
      pipeline.consumer_wait();
      for (int j = threadIdx.x - 32; j < THREADS; j += blockDim.x - 32)
        out[i * THREADS + j] = 2 * staged[i % 2][THREADS - 1 - j];
      pipeline.consumer_release();
    }
}

__global__ void by_barrier(const int *in, int *out, int batches) {
  __shared__ alignas(16) int staged[THREADS];
  __shared__ barrier ready;
  auto block = cg::this_thread_block();
  if (block.thread_rank() == 0)
    init(&ready, block.size());
  block.sync();
  for (int i = 0; i < batches; i++) {
    cuda::memcpy_async(block, staged, in + i * THREADS, cuda::aligned_size_t<16>(sizeof(int) * THREADS),
                       ready);
    ready.arrive_and_wait();
    out[i * THREADS + threadIdx.x] = 2 * staged[THREADS - 1 - threadIdx.x];
    barrier::arrival_token token = ready.arrive();
    ready.wait(std::move(token));
  }
}

__global__ void by_primitives(const int4 *in, int4 *out, int batches) {
  __shared__ int4 staged[2][THREADS / 4];
  if (threadIdx.x < THREADS / 4)
    __pipeline_memcpy_async(&staged[0][threadIdx.x], in + threadIdx.x, sizeof(int4));
  __pipeline_commit();
  for (int i = 0; i < batches; i++) {
    if (i + 1 < batches && threadIdx.x < THREADS / 4)
      __pipeline_memcpy_async(&staged[(i + 1) % 2][threadIdx.x], in + (i + 1) * (THREADS / 4) + threadIdx.x,
                              sizeof(int4));
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    if (threadIdx.x < THREADS / 4) {
      const int4 x = staged[i % 2][THREADS / 4 - 1 - threadIdx.x];
      out[i * (THREADS / 4) + threadIdx.x] = make_int4(2 * x.w, 2 * x.z, 2 * x.y, 2 * x.x);
    }
    __syncthreads();
  }
}

int main() {
  const int batches = 9, n = batches * THREADS;
  std::vector<int> in(n), got(n), want(n);
  for (int i = 0; i < n; i++)
    in[i] = 7 * i + 1;
  for (int i = 0; i < n; i++)
    want[i] = 2 * in[i / THREADS * THREADS + THREADS - 1 - i % THREADS];
  int *d_in = device_array(n, in.data()), *d_out = device_array<int>(n);
  auto check = [&](const char *what) {
    CHECK(cudaGetLastError());
    fetch(got.data(), d_out, n);
    expect_close(what, got.data(), want.data(), n, 0);
    CHECK(cudaMemset(d_out, 0, n * sizeof(int)));
  };
  by_group<<<1, THREADS>>>(d_in, d_out, batches);
  check("cooperative groups");
  by_pipeline<<<1, THREADS>>>(d_in, d_out, batches);
  check("cuda::pipeline");
  by_roles<<<1, THREADS>>>(d_in, d_out, batches);
  check("cuda::pipeline with roles");
  by_barrier<<<1, THREADS>>>(d_in, d_out, batches);
  check("cuda::barrier");
  by_primitives<<<1, THREADS>>>((const int4 *)d_in, (int4 *)d_out, batches);
  check("primitives");
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
  return passed("async_copies");
}
