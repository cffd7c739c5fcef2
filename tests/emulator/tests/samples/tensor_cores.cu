// Matrix products on tensor cores: wmma in f16, bf16, tf32, f64 and s8, and mma.sync by inline PTX with
// ldmatrix and cp.async.
#include "check.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>
#include <vector>

using namespace nvcuda;

enum { M = 64, N = 48, K = 96 };

// One warp a tile; A by rows, B by columns, alpha and beta as in BLAS.
template <typename T, typename A, int TM, int TN, int TK>
__global__ void gemm(const T *a, const T *b, const A *c, A *d, A alpha, A beta) {
  const int row = blockIdx.y * TM, column = blockIdx.x * TN;
  wmma::fragment<wmma::matrix_a, TM, TN, TK, T, wmma::row_major> a_part;
  wmma::fragment<wmma::matrix_b, TM, TN, TK, T, wmma::col_major> b_part;
  wmma::fragment<wmma::accumulator, TM, TN, TK, A> sum, before;
  wmma::fill_fragment(sum, A(0));
  for (int k = 0; k < K; k += TK) {
    wmma::load_matrix_sync(a_part, a + row * K + k, K);
    wmma::load_matrix_sync(b_part, b + column * K + k, K);
    wmma::mma_sync(sum, a_part, b_part, sum);
  }
  wmma::load_matrix_sync(before, c + row * N + column, N, wmma::mem_row_major);
  for (int i = 0; i < sum.num_elements; i++)
    sum.x[i] = alpha * sum.x[i] + beta * before.x[i];
  wmma::store_matrix_sync(d + row * N + column, sum, N, wmma::mem_row_major);
}

__global__ void gemm_tf32(const float *a, const float *b, const float *c, float *d, float alpha, float beta) {
  const int row = blockIdx.y * 16, column = blockIdx.x * 16;
  wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> a_part;
  wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> b_part;
  wmma::fragment<wmma::accumulator, 16, 16, 8, float> sum, before;
  wmma::fill_fragment(sum, 0.f);
  for (int k = 0; k < K; k += 8) {
    wmma::load_matrix_sync(a_part, a + row * K + k, K);
    wmma::load_matrix_sync(b_part, b + column * K + k, K);
    for (int i = 0; i < a_part.num_elements; i++)
      a_part.x[i] = wmma::__float_to_tf32(a_part.x[i]);
    for (int i = 0; i < b_part.num_elements; i++)
      b_part.x[i] = wmma::__float_to_tf32(b_part.x[i]);
    wmma::mma_sync(sum, a_part, b_part, sum);
  }
  wmma::load_matrix_sync(before, c + row * N + column, N, wmma::mem_row_major);
  for (int i = 0; i < sum.num_elements; i++)
    sum.x[i] = alpha * sum.x[i] + beta * before.x[i];
  wmma::store_matrix_sync(d + row * N + column, sum, N, wmma::mem_row_major);
}

// A 64x48 product by one block of four warps: tiles come by cp.async into shared memory, two stages;
// fragments by ldmatrix.
__global__ void gemm_ptx(const __half *a, const __half *b, float *d) {
  __shared__ __align__(16) __half as[2][M][24],
      bs[2][N][24]; // 16 columns and 8 of padding against bank conflicts
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float sum[N / 8][4] = {};
  auto load = [&](int stage, int k) {
    for (int i = threadIdx.x; i < (M + N) * 2; i += blockDim.x) {
      const int row = i / 2, part = i % 2 * 8;
      const __half *from = row < M ? a + row * K + k + part : b + (row - M) * K + k + part;
      const unsigned to =
          (unsigned)__cvta_generic_to_shared(row < M ? &as[stage][row][part] : &bs[stage][row - M][part]);
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  load(0, 0);
  for (int k = 0; k < K; k += 16) {
    const int stage = k / 16 % 2;
    if (k + 16 < K)
      load(stage ^ 1, k + 16);
    if (k + 16 < K)
      asm volatile("cp.async.wait_group 1;" ::: "memory");
    else
      asm volatile("cp.async.wait_group 0;" ::: "memory");
    __syncthreads();
    unsigned x[4];
    const unsigned at = (unsigned)__cvta_generic_to_shared(&as[stage][warp * 16 + lane % 16][lane / 16 * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(at));
    for (int j = 0; j < N / 8; j++) {
      unsigned y[2];
      const unsigned bt = (unsigned)__cvta_generic_to_shared(&bs[stage][j * 8 + lane % 8][lane / 8 % 2 * 8]);
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                   : "=r"(y[0]), "=r"(y[1])
                   : "r"(bt));
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
          "{%0, %1, %2, %3};"
          : "+f"(sum[j][0]), "+f"(sum[j][1]), "+f"(sum[j][2]), "+f"(sum[j][3])
          : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    }
    __syncthreads();
  }
  for (int j = 0; j < N / 8; j++)
    for (int i = 0; i < 4; i++)
      d[(warp * 16 + lane / 4 + (i < 2 ? 0 : 8)) * N + j * 8 + lane % 4 * 2 + i % 2] = sum[j][i];
}

template <typename T> T element(int value) {
  return T(value / 8.f);
}
template <> __half element(int value) {
  return __float2half(value / 8.f);
}
template <> __nv_bfloat16 element(int value) {
  return __float2bfloat16(value / 8.f);
}
template <> signed char element(int value) {
  return (signed char)value;
}

template <typename T> double number(T x) {
  return (double)(float)x;
}

template <typename T, typename A, typename Launch> void check(const char *what, double bound, Launch launch) {
  std::vector<T> a(M * K), b(N * K);
  std::vector<A> c(M * N), got(M * N), want(M * N);
  unsigned state = 23;
  for (T &x : a)
    x = element<T>((int)(noise(state) % 17) - 8);
  for (T &x : b)
    x = element<T>((int)(noise(state) % 17) - 8);
  for (A &x : c)
    x = A((int)(noise(state) % 9) - 4);
  for (int i = 0; i < M; i++)
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < K; k++)
        sum += number(a[i * K + k]) * number(b[j * K + k]);
      want[i * N + j] = A(2 * sum + 3 * (double)c[i * N + j]);
    }
  T *d_a = device_array(a.size(), a.data()), *d_b = device_array(b.size(), b.data());
  A *d_c = device_array(c.size(), c.data()), *d_d = device_array<A>(c.size());
  launch(d_a, d_b, d_c, d_d);
  CHECK(cudaGetLastError());
  fetch(got.data(), d_d, got.size());
  expect_close(what, got.data(), want.data(), got.size(), bound);
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
  CHECK(cudaFree(d_c));
  CHECK(cudaFree(d_d));
}

int main() {
  check<__half, float>("wmma f16 16x16x16", 1e-3, [](auto a, auto b, auto c, auto d) {
    gemm<__half, float, 16, 16, 16><<<dim3(N / 16, M / 16), 32>>>(a, b, c, d, 2, 3);
  });
  check<__half, float>("wmma f16 32x8x16", 1e-3, [](auto a, auto b, auto c, auto d) {
    gemm<__half, float, 32, 8, 16><<<dim3(N / 8, M / 32), 32>>>(a, b, c, d, 2, 3);
  });
  check<__nv_bfloat16, float>("wmma bf16 16x16x16", 1e-3, [](auto a, auto b, auto c, auto d) {
    gemm<__nv_bfloat16, float, 16, 16, 16><<<dim3(N / 16, M / 16), 32>>>(a, b, c, d, 2, 3);
  });
  check<float, float>("wmma tf32", 1e-3, [](auto a, auto b, auto c, auto d) {
    gemm_tf32<<<dim3(N / 16, M / 16), 32>>>(a, b, c, d, 2, 3);
  });
  check<double, double>("wmma f64", 1e-9, [](auto a, auto b, auto c, auto d) {
    gemm<double, double, 8, 8, 4><<<dim3(N / 8, M / 8), 32>>>(a, b, c, d, 2, 3);
  });
  check<signed char, int>("wmma s8", 0, [](auto a, auto b, auto c, auto d) {
    gemm<signed char, int, 16, 16, 16><<<dim3(N / 16, M / 16), 32>>>(a, b, c, d, 2, 3);
  });
  std::vector<__half> a(M * K), b(N * K);
  std::vector<float> got(M * N), want(M * N);
  unsigned state = 29;
  for (__half &x : a)
    x = element<__half>((int)(noise(state) % 33) - 16);
  for (__half &x : b)
    x = element<__half>((int)(noise(state) % 33) - 16);
  for (int i = 0; i < M * N; i++)
    for (int k = 0; k < K; k++)
      want[i] += __half2float(a[i / N * K + k]) * __half2float(b[i % N * K + k]);
  __half *d_a = device_array(a.size(), a.data()), *d_b = device_array(b.size(), b.data());
  float *d_d = device_array<float>(got.size());
  gemm_ptx<<<1, 128>>>(d_a, d_b, d_d);
  CHECK(cudaGetLastError());
  fetch(got.data(), d_d, got.size());
  expect_close("mma by PTX", got.data(), want.data(), got.size(), 1e-3);
  CHECK(cudaFree(d_a));
  CHECK(cudaFree(d_b));
  CHECK(cudaFree(d_d));
  return passed("tensor_cores");
}
