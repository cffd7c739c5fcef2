/* Products of rows with a matrix by tensor cores: decoders' layers, keys, values, queries, outputs. */
#include "kernels/common/launch_error.cuh"
#include "kernels/common/tensor.cuh"
#include "kernels/launch.h"

/* A block makes 32 rows by 32 columns of C; each of its warps adds up every eighth 16 k of them, 128 k by the
 * tensor cores themselves. The product is B' A': rows of the instruction's first factor are columns of C, its
 * columns rows of C. Which k, and which column, stands where is free: lane (g,t) has k 4 t to 4 t + 3 of
 * every 16 and columns 4 g to 4 g + 3 of 32, so that nothing but loads of 16 bytes brings them there and a
 * row's four columns leave in one store. */
enum { PRODUCT_WARPS = 8, PRODUCT_THREADS = 32 * PRODUCT_WARPS, PRODUCT_EIGHTS = 4 };
enum { PRODUCT_ROWS = 8 * PRODUCT_EIGHTS, PRODUCT_COLUMNS = 32, PRODUCT_SIXTEENS = 8 };

template <bool TRANSPOSED> struct product_block {
  const struct product &p;
  const float *a, *b; /* of this product of `count` */
  int row, column;    /* the block's first */
  int eights;         /* of the block's rows: those that there are */
  bool wide;          /* loads and stores of 16 bytes */
  /* Where this thread reads its warp's next 16 k of A's rows, and of B^T's rows or of four k of B, while they
   * are all there and wide; and how much further that is of B for the 16 k after them. */
  const float *a_at[PRODUCT_EIGHTS], *b_at[4];
  int64_t b_step;

  /* Places of the warp's first 16 k; nothing is read there where there are none. */
  __device__ __forceinline__ void begin() {
    int lane = (int)threadIdx.x % 32, g = lane / 4, k = (int)threadIdx.x / 32 * 16 + lane % 4 * 4;
#pragma unroll
    for (int n = 0; n < PRODUCT_EIGHTS; n++)
      a_at[n] = a + min(row + n * 8 + g, p.m - 1) * p.lda + k;
#pragma unroll
    for (int i = 0; i < 4; i++)
      b_at[i] = TRANSPOSED ? b + min(column + 4 * g + i, p.n - 1) * p.ldb + k
                           : b + (k + i) * p.ldb + min(column + 4 * g, p.n - 4);
    b_step = 16 * PRODUCT_WARPS * (TRANSPOSED ? 1 : p.ldb);
  }

  /* A lane's part of 16 k: of B [k][column], of A [eight rows][k]. */
  struct part {
    float b[4][4];
    float a[PRODUCT_EIGHTS][4];
  };

  /* 16 k that are all there, by 16 bytes; the warp's next ones the next time. */
  __device__ __forceinline__ void fetch_wide(struct part &to) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float4 v = __ldg((const float4 *)b_at[i]);
      b_at[i] += b_step;
      if (TRANSPOSED)
        to.b[0][i] = v.x, to.b[1][i] = v.y, to.b[2][i] = v.z, to.b[3][i] = v.w;
      else
        to.b[i][0] = v.x, to.b[i][1] = v.y, to.b[i][2] = v.z, to.b[i][3] = v.w;
    }
#pragma unroll
    for (int n = 0; n < PRODUCT_EIGHTS; n++) { /* without a branch, of rows that there are not the last one */
      float4 v = __ldg((const float4 *)a_at[n]);
      a_at[n] += 16 * PRODUCT_WARPS;
      to.a[n][0] = v.x, to.a[n][1] = v.y, to.a[n][2] = v.z, to.a[n][3] = v.w;
    }
  }

  /* What lies beyond rows and columns is what lies at their end, and does not leave the block. Beyond k the
   * factor of A is 0. */
  __device__ __forceinline__ void fetch(struct part &to, int sixteen) const {
    int lane = (int)threadIdx.x % 32, g = lane / 4, k = sixteen * 16 + lane % 4 * 4, last = p.k - 1;
    int at = column + 4 * g;
    int64_t along_k = TRANSPOSED ? 1 : p.ldb, along_n = TRANSPOSED ? p.ldb : 1;
#pragma unroll
    for (int i = 0; i < 16; i++)
      to.b[i / 4][i % 4] = __ldg(b + min(k + i / 4, last) * along_k + min(at + i % 4, p.n - 1) * along_n);
#pragma unroll
    for (int n = 0; n < PRODUCT_EIGHTS; n++) {
      const float *from = a + min(row + n * 8 + g, p.m - 1) * p.lda + k;
      to.a[n][0] = to.a[n][1] = to.a[n][2] = to.a[n][3] = 0.0f;
      if (n >= eights)
        continue;
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (k + i < p.k)
          to.a[n][i] = __ldg(from + i);
    }
  }

  /* Sums of a lane: [column 2 m or 2 m + 1 of its four][eight rows][half, row 2 t or 2 t + 1]. */
  struct sums {
    float of[2][PRODUCT_EIGHTS][4];
    __device__ __forceinline__ void clear() {
#pragma unroll
      for (int i = 0; i < 2 * PRODUCT_EIGHTS * 4; i++)
        of[i / (PRODUCT_EIGHTS * 4)][i / 4 % PRODUCT_EIGHTS][i % 4] = 0.0f;
    }
  };

  template <tensor_kind KIND>
  __device__ __forceinline__ void multiply(struct sums &large, struct sums &small,
                                           const struct part &from) const {
#pragma unroll
    for (int step = 0; step < tensor_steps(KIND); step++) {
      uint32_t high[PRODUCT_EIGHTS][2], low[PRODUCT_EIGHTS][2];
#pragma unroll
      for (int i = 0; i < 2 * PRODUCT_EIGHTS; i++)
        if (KIND == TENSOR_BF16)
          high[i / 2][i % 2] = tensor_pack(from.a[i / 2][i % 2 * 2], from.a[i / 2][i % 2 * 2 + 1]);
        else if (KIND == TENSOR_TF32)
          high[i / 2][i % 2] = __float_as_uint(tensor_round(from.a[i / 2][step * 2 + i % 2]));
        else
          tensor_part(from.a[i / 2][step * 2 + i % 2], high[i / 2][i % 2], low[i / 2][i % 2]);
#pragma unroll
      for (int tile = 0; tile < 2; tile++) {
        uint32_t upper[4], rest[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
          if (KIND == TENSOR_BF16)
            upper[i] =
                tensor_pack(from.b[i / 2 * 2][tile * 2 + i % 2], from.b[i / 2 * 2 + 1][tile * 2 + i % 2]);
          else if (KIND == TENSOR_TF32)
            upper[i] = __float_as_uint(tensor_round(from.b[step * 2 + i / 2][tile * 2 + i % 2]));
          else
            tensor_part(from.b[step * 2 + i / 2][tile * 2 + i % 2], upper[i], rest[i]);
#pragma unroll
        for (int n = 0; n < PRODUCT_EIGHTS; n++) {
          if (n >= eights)
            break;
          if (KIND == TENSOR_BF16) {
            tensor_bf16(large.of[tile][n], upper, high[n]);
          } else {
            tensor_tf32(large.of[tile][n], upper, high[n]);
            if (KIND == TENSOR_FLOAT32) {
              tensor_tf32(small.of[tile][n], rest, high[n]);
              tensor_tf32(small.of[tile][n], upper, low[n]);
            }
          }
        }
      }
    }
  }

  /* This warp's share of k. */
  template <tensor_kind KIND> __device__ __forceinline__ void share(struct sums &total) {
    int sixteens = (p.k + 15) / 16, whole = wide ? p.k / 16 : 0;
    struct part now, next;
    struct sums large, small;
    total.clear(), large.clear(), small.clear();
    int i = (int)threadIdx.x / 32, added = 0;
    if (i < whole)
      fetch_wide(next);
    else if (i < sixteens)
      fetch(next, i);
    while (i < sixteens) {
      now = next; /* waits for loads, before there are new ones that would be waited for as well */
      if (i + PRODUCT_WARPS < whole)
        fetch_wide(next);
      else if (i + PRODUCT_WARPS < sixteens)
        fetch(next, i + PRODUCT_WARPS);
      multiply<KIND>(large, small, now);
      i += PRODUCT_WARPS;
      if (++added == PRODUCT_SIXTEENS || i >= sixteens) {
        added = 0;
#pragma unroll
        for (int j = 0; j < 2 * PRODUCT_EIGHTS * 4; j++) {
          int tile = j / (PRODUCT_EIGHTS * 4), n = j / 4 % PRODUCT_EIGHTS;
          total.of[tile][n][j % 4] += KIND == TENSOR_FLOAT32
                                          ? large.of[tile][n][j % 4] + small.of[tile][n][j % 4]
                                          : large.of[tile][n][j % 4];
        }
        large.clear(), small.clear();
      }
    }
  }

  /* The four columns of a thread's row: shares of all warps, and what they are added to. */
  __device__ __forceinline__ void finish(float *c, float4 z) const {
    int lane = (int)threadIdx.x % 32,
        to = row + (int)threadIdx.x / 64 * 8 + lane % 4 * 2 + (int)threadIdx.x / 32 % 2;
    int at = column + lane / 4 * 4;
    if (to >= p.m || at >= p.n)
      return;
    c += (int64_t)to * p.n + at;
    float value[4] = {z.x, z.y, z.z, z.w};
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (p.d_bias && at + j < p.n)
        value[j] += __ldg(p.d_bias + at + j);
    if (wide) {
      float4 before = p.adds ? *(float4 *)c : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      *(float4 *)c =
          make_float4(before.x + value[0], before.y + value[1], before.z + value[2], before.w + value[3]);
      return;
    }
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (at + j < p.n)
        c[j] = p.adds ? c[j] + value[j] : value[j];
  }
};

/* computes  C = A B + bias, or C += A B + bias, of `count` A, B and C
 * shapes    struct product in launch_steps.h
 * mapping   block = 32 rows x 32 columns of C, warp = every eighth 16 k of them, thread = 4 columns of 8
 *           rows, and of one in the end, where the eight warps' sums meet in shared memory
 * launch    grid (ceil(n / 32) ceil(m / 32), count), block 256, static shared memory 32 KB
 * budget    240 registers, no spills; 32 KB of shared memory
 * numerics  TENSOR_FLOAT32: factors as two tf32 numbers each, of whose four products three are made: what
 *           is left out is 2^-24 of a factor and of a product. The others: factors rounded to the nearest.
 *           A warp adds up blocks of 128 k, each summed by the tensor cores themselves; then come the
 *           warps, the bias and what was there. The order follows from k alone, so that a row's bits do not
 *           depend on how many rows there are
 * why       a step's products are small: weights are read once, by as many warps as bring them in, 4 KB of
 *           each on their way. Shared memory would pass on what no other warp reads. cuBLAS's float32
 *           products leave tensor cores idle, and their sums depend on the number of rows. What
 *           was loaded is moved in front of the next loads, and loads stand behind no branch: otherwise a
 *           turn waits for its own (1,752 cycles of a turn in float32 in place of 1,391) */
template <tensor_kind KIND, bool TRANSPOSED>
static __global__ void __launch_bounds__(PRODUCT_THREADS, 1)
    product_kernel(const __grid_constant__ struct product p, bool wide) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  __shared__ float4 shared[PRODUCT_WARPS][PRODUCT_EIGHTS][2][32];
  int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  int columns = (p.n + PRODUCT_COLUMNS - 1) / PRODUCT_COLUMNS, tile = (int)blockIdx.x / columns;
  int64_t which = blockIdx.y;
  struct product_block<TRANSPOSED> block = {
    p, p.d_a + which *p.m *p.lda, p.d_b + which *p.k *p.n, tile *PRODUCT_ROWS,
        ((int)blockIdx.x - tile * columns) * PRODUCT_COLUMNS, 0, wide, {}, {}, 0
  };
  block.eights = min((p.m - block.row + 7) / 8, (int)PRODUCT_EIGHTS);
  block.begin();
  typename product_block<TRANSPOSED>::sums total;
  block.template share<KIND>(total);
#pragma unroll
  for (int i = 0; i < 2 * PRODUCT_EIGHTS; i++)
    shared[warp][i / 2][i % 2][lane] = make_float4(total.of[0][i / 2][i % 2], total.of[0][i / 2][2 + i % 2],
                                                   total.of[1][i / 2][i % 2], total.of[1][i / 2][2 + i % 2]);
  __syncthreads(); /* all shares are there */
  float4 z = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
  for (int i = 0; i < PRODUCT_WARPS; i++) {
    float4 x = shared[i][warp / 2][warp % 2][lane];
    z = make_float4(z.x + x.x, z.y + x.y, z.z + x.z, z.w + x.w);
  }
  block.finish(p.d_c + which * p.m * p.n, z);
#else
  (void)p, (void)wide, __trap(); /* never reached: launch_tensor_cores_built() says so */
#endif
}

static bool product_is_wide(const struct product *p) {
  uintptr_t places = (uintptr_t)p->d_a | (uintptr_t)p->d_b | (uintptr_t)p->d_c;
  return places % 16 == 0 && p->k % 4 == 0 && p->n % 4 == 0 && p->lda % 4 == 0 && p->ldb % 4 == 0;
}

template <tensor_kind KIND>
static void product_queue(const struct product &p, bool wide, dim3 grid, cudaStream_t queue) {
  if (p.transposed)
    product_kernel<KIND, true><<<grid, PRODUCT_THREADS, 0, queue>>>(p, wide);
  else
    product_kernel<KIND, false><<<grid, PRODUCT_THREADS, 0, queue>>>(p, wide);
}

extern "C" cuseq_status launch_product(const struct product *arguments, const struct launch_stream *stream) {
  static const char *const name = "launch_product";
  const struct product *p = arguments;
  LAUNCH_NEED(p->m >= 1 && p->n >= 1 && p->k >= 1, "%s: a size below 1 (found %d, %d, %d)", name, (int)p->m,
              (int)p->n, (int)p->k);
  LAUNCH_NEED(p->d_a && p->d_b && p->d_c, "%s: a matrix is NULL", name);
  LAUNCH_NEED(p->lda >= p->k && p->ldb >= (p->transposed ? p->k : p->n),
              "%s: rows overlap (found %lld, %lld)", name, (long long)p->lda, (long long)p->ldb);
  LAUNCH_NEED(p->precision >= CUSEQ_PRECISION_FLOAT32 && p->precision <= CUSEQ_PRECISION_BF16 &&
                  stream->device->tensor_cores,
              "%s: precision %d is not there on compute capability %d", name, (int)p->precision,
              (int)stream->device->architecture);
  int64_t tiles =
      (int64_t)((p->m + PRODUCT_ROWS - 1) / PRODUCT_ROWS) * ((p->n + PRODUCT_COLUMNS - 1) / PRODUCT_COLUMNS);
  LAUNCH_NEED(tiles <= INT32_MAX && p->count >= 0 && p->count <= 65535,
              "%s: too many rows or columns (found %d, %d)", name, (int)p->m, (int)p->n);
  dim3 grid((unsigned)tiles, (unsigned)(p->count > 1 ? p->count : 1));
  cudaStream_t queue = (cudaStream_t)stream->stream;
  bool wide = product_is_wide(p);
  switch (p->precision) {
  case CUSEQ_PRECISION_TF32:
    product_queue<TENSOR_TF32>(*p, wide, grid, queue);
    break;
  case CUSEQ_PRECISION_BF16:
    product_queue<TENSOR_BF16>(*p, wide, grid, queue);
    break;
  default:
    product_queue<TENSOR_FLOAT32>(*p, wide, grid, queue);
    break;
  }
  return launch_result(stream, name, cudaGetLastError());
}
