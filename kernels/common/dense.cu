/* What lies between products: a dense layer's bias, activation and residual; rows of a table. */
#include "kernels/common/activation.cuh"
#include "kernels/common/block_dense.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"

enum { THREADS = 128 };

/* Which element a thread has: its row, its column, and the row's row of the batch and position in it. */
struct element {
  int64_t r;
  int j, row, position;
};

/* Of the thread's number; with 32-bit divisions where they do. */
static __device__ __forceinline__ struct element element_of(int64_t rows, int width, int positions) {
  int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  struct element at;
  if (rows * width <= INT32_MAX - THREADS) {
    unsigned r = (unsigned)n / (unsigned)width, row = r / (unsigned)positions;
    at = {r, (int)((unsigned)n - r * (unsigned)width), (int)row, (int)(r - row * (unsigned)positions)};
  } else {
    at.r = n / width;
    at.j = (int)(n - at.r * width);
    at.row = (int)(at.r / positions);
    at.position = (int)(at.r - (int64_t)at.row * positions);
  }
  return at;
}

/* computes  output = activation(sums + bias) + added, of rows that count; 0 at positions beyond a row's
 *           length
 * shapes    struct dense_finish in launch_steps.h
 * mapping   thread = element, columns innermost
 * launch    grid ceil(rows width / 128), block 128, no shared memory
 * budget    64 registers
 * numerics  float32, elementwise
 * why       the product writes sums of all rows; this keeps those of rows that run, so that ended rows stay
 *           as they are */
__global__ void __launch_bounds__(THREADS)
    dense_finish_kernel(const __grid_constant__ struct dense_finish a) {
  const struct element at = element_of(a.rows, a.width, a.positions);
  if (at.r >= a.rows || (a.d_running && a.step >= a.d_running[at.row]))
    return;
  float y = 0.0f;
  if (!a.d_lengths || at.position < a.d_lengths[at.row]) {
    y = a.d_sums[at.r * a.sums_stride + at.j] + (a.d_bias ? a.d_bias[at.j] : 0.0f);
    if (a.activation != CUSEQ_ACTIVATION_LINEAR)
      y = device_activate_any(a.activation, y);
    if (a.d_added)
      y += a.d_added[at.r * a.added_stride + at.j];
    check_value(a.check, at.row, a.check.step, a.stage, y);
  }
  a.d_output[at.r * a.output_stride + at.j] = y;
}

extern "C" cuseq_status launch_dense_finish(const struct dense_finish *arguments,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_dense_finish";
  const struct dense_finish *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->width >= 1 && a->positions >= 1 && a->rows % a->positions == 0,
              "%s: rows, width or positions are not possible (found %lld, %d, %d)", name, (long long)a->rows,
              (int)a->width, (int)a->positions);
  LAUNCH_NEED(device_activation_is_any(a->activation), "%s: activation %d is none of a number", name,
              (int)a->activation);
  LAUNCH_NEED(a->d_sums && a->d_output && a->sums_stride >= a->width && a->output_stride >= a->width,
              "%s: sums or output are missing", name);
  int64_t blocks = (a->rows * a->width + THREADS - 1) / THREADS;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many elements (found %lld rows of %d)", name, (long long)a->rows,
              (int)a->width);
  dense_finish_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}

/* ---- layer normalisation ---- */

/* computes  sums += bias; sums[first .. first + units - 1] = scale (sums - mean) / sqrt(variance + epsilon) +
 *           offset
 * shapes    struct sums_norm in launch_steps.h
 * mapping   warp = row, lanes along the columns
 * launch    grid ceil(rows / 4), block 128, no shared memory
 * budget    48 registers
 * numerics  float64, rounded once: numbers that are nearly equal keep the digits of their differences. A lane
 *           adds its columns in their order, then the lanes add up in pairs
 * why       three passes over a row that stays in cache; a lane only ever touches its own columns, so that no
 *           pass waits for another lane's stores */
__global__ void __launch_bounds__(THREADS) sums_norm_kernel(const __grid_constant__ struct sums_norm a) {
  const int64_t r = (int64_t)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
  const int lane = (int)threadIdx.x % 32, last = a.first + a.units;
  if (r >= a.rows || (a.d_lengths && r % a.positions >= a.d_lengths[r / a.positions]))
    return;
  float *z = a.d_sums + r * a.width;
  const double part = 1.0 / a.units;
  double mean = 0.0, variance = 0.0;
  for (int j = lane; j < a.width; j += 32) {
    const float sum = z[j] + (a.d_bias ? a.d_bias[j] : 0.0f);
    z[j] = sum;
    if (j >= a.first && j < last)
      mean += (double)sum;
  }
  mean = warp_sum(mean) * part;
  for (int j = lane; j < last; j += 32)
    if (j >= a.first)
      variance += ((double)z[j] - mean) * ((double)z[j] - mean);
  const double factor = 1.0 / sqrt(warp_sum(variance) * part + (double)a.epsilon);
  for (int j = lane; j < last; j += 32)
    if (j >= a.first)
      z[j] = (float)(((double)z[j] - mean) * factor * (double)a.d_scale[j - a.first] +
                     (double)a.d_offset[j - a.first]);
}

extern "C" cuseq_status launch_sums_norm(const struct sums_norm *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "launch_sums_norm";
  const struct sums_norm *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->width >= 1 && a->first >= 0 && a->units >= 1 &&
                  a->units <= a->width - a->first && a->epsilon > 0.0f,
              "%s: sizes or epsilon are not possible (found %lld rows of %d, %d from %d on)", name,
              (long long)a->rows, (int)a->width, (int)a->units, (int)a->first);
  LAUNCH_NEED(!a->d_lengths || (a->positions >= 1 && a->rows % a->positions == 0),
              "%s: lengths without positions (found %d of %lld rows)", name, (int)a->positions,
              (long long)a->rows);
  LAUNCH_NEED(a->d_sums && a->d_scale && a->d_offset, "%s: sums or factors are missing", name);
  const int64_t blocks = (a->rows + THREADS / 32 - 1) / (THREADS / 32);
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many rows (found %lld)", name, (long long)a->rows);
  sums_norm_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  output[r] = table[ids[r]], or that added; at positions beyond a row's length 0, or nothing added
 * shapes    struct table_lookup in launch_steps.h
 * mapping   thread = element, columns innermost
 * launch    grid ceil(rows width / 128), block 128, no shared memory
 * budget    40 registers
 * numerics  copies, or one addition
 * why       a product with a one-hot matrix is a lookup */
__global__ void __launch_bounds__(THREADS)
    table_lookup_kernel(const __grid_constant__ struct table_lookup a) {
  const struct element at = element_of(a.rows, a.width, a.positions);
  if (at.r >= a.rows)
    return;
  float x = 0.0f;
  if (!a.d_lengths || at.position < a.d_lengths[at.row]) {
    int64_t id = a.d_ids[at.r];
    x = a.d_table ? a.d_table[id * a.row_stride + at.j * a.column_stride] : at.j == id ? 1.0f : 0.0f;
  }
  float *output = a.d_output + at.r * a.output_stride + at.j;
  *output = a.adds ? *output + x : x;
}

extern "C" cuseq_status launch_table_lookup(const struct table_lookup *arguments,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_table_lookup";
  const struct table_lookup *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->width >= 1 && a->d_ids && a->d_output,
              "%s: rows or width below 1, or an array is NULL", name);
  LAUNCH_NEED(!a->d_lengths || (a->positions >= 1 && a->rows % a->positions == 0),
              "%s: lengths without positions (found %d of %lld rows)", name, (int)a->positions,
              (long long)a->rows);
  int64_t blocks = (a->rows * a->width + THREADS - 1) / THREADS;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many elements (found %lld rows of %d)", name, (long long)a->rows,
              (int)a->width);
  struct table_lookup lookup = *a;
  lookup.positions = a->d_lengths ? a->positions : 1;
  table_lookup_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(lookup);
  return launch_result(stream, name, cudaGetLastError());
}
