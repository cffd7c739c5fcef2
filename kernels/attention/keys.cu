/* What attention needs of the annotations and never again: keys = annotations K_a + bias. */
#include "kernels/attention/attention_step.cuh"
#include "kernels/common/launch_error.cuh"

enum { TILE_ROWS = 64, TILE_K = 16, BLOCK_SLICES = 8, THREADS = 256 };

/* Keys of up to so many units are the rule (U = 1 or 10); wider ones are a product for tensor cores, where
 * there are some: theirs are at least 32 columns. */
enum { NARROW = 16 };

/* computes  keys[m,j] = bias[j] + sum_i annotations[m,i] key[i,j], m = (b,t), of all rows and positions
 * shapes    annotations [M,A], key [A,U], bias [U] or NULL, keys [M,U]; row-major, 4-byte aligned; no
 *           aliasing
 * mapping   block = 64 rows x COLUMNS columns (16 or 64); thread = 4 rows x COLUMNS / 16 columns, 16 rows
 *           apart, so that neighbours write neighbouring columns; slices of 16 of A pass through shared
 *           memory
 * launch    grid (ceil(M / 64), ceil(U / COLUMNS)), 256 threads, static shared memory
 * budget    64 registers; 4 (16 66 + 16 COLUMNS) bytes of shared memory: 8.3 KB
 * numerics  float32, summed in the order of i, 128 at a time and then these sums, the bias last;
 *           deterministic, independent of M
 * why       narrow keys (U = 1 or 10) are the rule: with 64 columns most products would be of padding. Two
 *           columns more in the slice keep its stores, 16 along A by 2 rows, in different banks */
template <int COLUMNS>
__global__ void __launch_bounds__(THREADS, 4)
    keys_kernel(const float *annotations, const float *key, const float *bias, float *keys, int64_t M, int A,
                int U) {
  enum { WIDE = COLUMNS / 16 };
  __shared__ float a[TILE_K][TILE_ROWS + 2];
  __shared__ float w[TILE_K][COLUMNS];
  int x = (int)threadIdx.x % 16, y = (int)threadIdx.x / 16;
  int64_t first_row = (int64_t)blockIdx.x * TILE_ROWS;
  int first_column = (int)blockIdx.y * COLUMNS;
  float sum[4][WIDE] = {}, total[4][WIDE] = {};
  for (int first = 0; first < A; first += TILE_K) {
    for (int n = (int)threadIdx.x; n < TILE_ROWS * TILE_K; n += THREADS) {
      int i = n % TILE_K, m = n / TILE_K;
      bool inside = first + i < A && first_row + m < M;
      a[i][m] = inside ? annotations[(first_row + m) * A + first + i] : 0.0f;
    }
    for (int n = (int)threadIdx.x; n < COLUMNS * TILE_K; n += THREADS) {
      int j = n % COLUMNS, i = n / COLUMNS;
      bool inside = first + i < A && first_column + j < U;
      w[i][j] = inside ? key[(int64_t)(first + i) * U + first_column + j] : 0.0f;
    }
    __syncthreads(); /* the slices are complete */
#pragma unroll
    for (int i = 0; i < TILE_K; i++)
#pragma unroll
      for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < WIDE; c++)
          sum[r][c] = fmaf(a[i][y + 16 * r], w[i][x + 16 * c], sum[r][c]);
    __syncthreads(); /* the slices are read before the next ones come */
    if ((first / TILE_K + 1) % BLOCK_SLICES == 0) {
#pragma unroll
      for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < WIDE; c++) {
          total[r][c] += sum[r][c];
          sum[r][c] = 0.0f;
        }
    }
  }
#pragma unroll
  for (int r = 0; r < 4; r++)
#pragma unroll
    for (int c = 0; c < WIDE; c++) {
      int64_t m = first_row + y + 16 * r;
      int j = first_column + x + 16 * c;
      float z = total[r][c] + sum[r][c];
      if (m < M && j < U)
        keys[m * U + j] = bias ? z + bias[j] : z;
    }
}

extern "C" int32_t attention_score_key_width(const struct attention_score *score) {
  return attention_keys_wide(*score);
}

extern "C" cuseq_status launch_attention_keys(const struct attention_keys *arguments,
                                              const struct launch_stream *stream) {
  static const char *const name = "launch_attention_keys";
  const struct attention_score *score = &arguments->score;
  LAUNCH_NEED(score->score != CUSEQ_SCORE_DOT, "%s: score dot has no keys", name);
  int U = attention_keys_wide(*score), A = score->annotation_width;
  LAUNCH_NEED(U >= 1 && A >= 1, "%s: a width below 1 (found A %d, U %d)", name, A, U);
  LAUNCH_NEED(arguments->batch >= 1 && arguments->time >= 1, "%s: batch or time below 1 (found %d, %d)", name,
              (int)arguments->batch, (int)arguments->time);
  LAUNCH_NEED(arguments->d_annotations && arguments->d_keys && score->d_key,
              "%s: annotations, keys or weights are NULL", name);
  int64_t M = (int64_t)arguments->batch * arguments->time;
  if (U > NARROW && stream->device->tensor_cores) {
    LAUNCH_NEED(M <= INT32_MAX, "%s: too many positions (found %lld)", name, (long long)M);
    struct product product = {};
    product.d_a = arguments->d_annotations, product.d_b = score->d_key, product.d_c = arguments->d_keys;
    product.d_bias = score->d_key_bias;
    product.m = (int32_t)M, product.n = U, product.k = A;
    product.lda = A, product.ldb = U;
    product.precision = arguments->precision;
    return launch_product(&product, stream);
  }
  int columns = U <= NARROW ? 16 : 64;
  LAUNCH_NEED((M + TILE_ROWS - 1) / TILE_ROWS <= INT32_MAX && (U + columns - 1) / columns <= 65535,
              "%s: too large a product (found %lld positions, %d units)", name, (long long)M, U);
  dim3 grid((unsigned)((M + TILE_ROWS - 1) / TILE_ROWS), (unsigned)((U + columns - 1) / columns));
  cudaStream_t queue = (cudaStream_t)stream->stream;
  if (columns == 16)
    keys_kernel<16><<<grid, THREADS, 0, queue>>>(arguments->d_annotations, score->d_key, score->d_key_bias,
                                                 arguments->d_keys, M, A, U);
  else
    keys_kernel<64><<<grid, THREADS, 0, queue>>>(arguments->d_annotations, score->d_key, score->d_key_bias,
                                                 arguments->d_keys, M, A, U);
  return launch_result(stream, name, cudaGetLastError());
}
