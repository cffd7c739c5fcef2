/* The context vector from weights that are there already: a weighted sum of the annotations. */
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/launch_attention.h"

enum { COLUMNS = 32, PARTS = 16, THREADS = COLUMNS * PARTS, BLOCK = 64 * PARTS };

/* computes  context = sum_t alphas[t] a[t] over t < length, of every row
 * shapes    as in launch_attention.h; 4-byte aligned; the output aliases nothing
 * mapping   block = (row, 32 columns of A); warp = every 16th position, lane = column: a warp reads 128 bytes
 *           of a position at a time, four positions under way. The 16 sums of a column are added up through
 *           shared memory, after one barrier
 * launch    grid B ceil(A / 32), block 512, static shared memory 2 KB
 * budget    56 registers; 2 KB of shared memory
 * numerics  float32; each warp adds its positions in their order, 64 at a time and then these sums, so that
 *           the error does not grow with T; the first warp the 16 sums in theirs: deterministic, and the
 *           order depends on the row's length alone
 * why       where A is wide, more blocks read the annotations side by side than the one of a row that makes
 *           the energies */
__global__ void __launch_bounds__(THREADS)
    attention_context_kernel(const __grid_constant__ struct attention_context c, int tiles, int heads) {
  __shared__ float sums[PARTS][COLUMNS];
  int b = (int)blockIdx.x / tiles, part = (int)threadIdx.x / COLUMNS, lane = (int)threadIdx.x % COLUMNS;
  int A = c.annotation_width, column = ((int)blockIdx.x - b * tiles) * COLUMNS + lane;
  int length = c.d_lengths ? c.d_lengths[b] : c.time;
  const float *alphas = c.d_alphas + ((int64_t)b * heads + column / (A / heads)) * c.alphas_stride;
  const float *annotations = c.d_annotations + (int64_t)(c.d_rows ? c.d_rows[b] : b) * c.time * A + column;
  float sum = 0.0f;
  for (int first = 0; column < A && first < length; first += BLOCK) {
    int end = min(first + (int)BLOCK, length);
    float block = 0.0f;
#pragma unroll 4
    for (int t = first + part; t < end; t += PARTS)
      block = fmaf(alphas[t], annotations[(int64_t)t * A], block);
    sum += block;
  }
  sums[part][lane] = sum;
  __syncthreads(); /* all sums of the columns are there */
  if (part > 0 || column >= A)
    return;
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < PARTS; i++)
    total += sums[i][lane];
  c.d_context[b * c.context_stride + column] = total;
  check_value(c.check, b, c.check.step, LAUNCH_STAGE_CONTEXT, total);
}

extern "C" cuseq_status launch_attention_context(const struct attention_context *arguments,
                                                 const struct launch_stream *stream) {
  static const char *const name = "launch_attention_context";
  const struct attention_context *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->annotation_width >= 1,
              "%s: batch, time or A below 1 (found %d, %d, %d)", name, (int)a->batch, (int)a->time,
              (int)a->annotation_width);
  LAUNCH_NEED(a->d_alphas && a->d_annotations && a->d_context, "%s: an array is NULL", name);
  int tiles = (a->annotation_width + COLUMNS - 1) / COLUMNS;
  int heads = a->heads > 1 ? a->heads : 1;
  LAUNCH_NEED(a->annotation_width % heads == 0, "%s: heads do not divide A (found %d heads of %d units)",
              name, heads, (int)a->annotation_width);
  int64_t blocks = (int64_t)a->batch * tiles;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many rows (found B %d of A %d)", name, (int)a->batch,
              (int)a->annotation_width);
  attention_context_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a, tiles, heads);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  alphas[b,t] = (sum_n of_heads[b,n,t]) / N
 * shapes    as in launch_attention.h; 4-byte aligned; the output aliases nothing
 * mapping   thread = a position of a row, blocks of positions side by side
 * launch    grid B ceil(T / 256), block 256, no shared memory
 * budget    what the compiler takes: it reads what attend has just written, and little else
 * numerics  float32; heads in their order: deterministic
 * why       blocks of different heads make the weights, and none waits for another */
enum { MEAN_THREADS = 256 };
__global__ void __launch_bounds__(MEAN_THREADS)
    attention_mean_kernel(const __grid_constant__ struct attention_mean m, int tiles) {
  int b = (int)blockIdx.x / tiles;
  int t = ((int)blockIdx.x - b * tiles) * MEAN_THREADS + (int)threadIdx.x;
  if (t >= m.time)
    return;
  const float *of_heads = m.d_of_heads + (int64_t)b * m.heads * m.time + t;
  float sum = 0.0f;
  for (int n = 0; n < m.heads; n++)
    sum += of_heads[(int64_t)n * m.time];
  m.d_alphas[b * m.alphas_stride + t] = sum / (float)m.heads;
}

extern "C" cuseq_status launch_attention_mean(const struct attention_mean *arguments,
                                              const struct launch_stream *stream) {
  static const char *const name = "launch_attention_mean";
  const struct attention_mean *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->heads >= 1,
              "%s: batch, time or heads below 1 (found %d, %d, %d)", name, (int)a->batch, (int)a->time,
              (int)a->heads);
  LAUNCH_NEED(a->d_of_heads && a->d_alphas, "%s: an array is NULL", name);
  int tiles = (a->time + MEAN_THREADS - 1) / MEAN_THREADS;
  int64_t blocks = (int64_t)a->batch * tiles;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too large (found B %d of T %d)", name, (int)a->batch, (int)a->time);
  attention_mean_kernel<<<(unsigned)blocks, MEAN_THREADS, 0, (cudaStream_t)stream->stream>>>(*a, tiles);
  return launch_result(stream, name, cudaGetLastError());
}
