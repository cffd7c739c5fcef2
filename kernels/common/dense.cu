/* What lies between products: a dense layer's bias, activation and residual; rows of a table. */
#include "kernels/common/activation.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"

enum { THREADS = 128 };

/* computes  output = activation(sums + bias) + added, of rows that count; 0 at positions beyond a row's length
 * shapes    struct dense_finish in launch_steps.h
 * mapping   thread = element, columns innermost
 * launch    grid ceil(rows width / 128), block 128, no shared memory
 * budget    64 registers
 * numerics  float32, elementwise
 * why       the product writes sums of all rows; this keeps those of rows that run, so that ended rows stay as they are */
__global__ void __launch_bounds__(THREADS)
    dense_finish_kernel(const __grid_constant__ struct dense_finish a) {
  int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x, r = n / a.width;
  int j = (int)(n - r * a.width);
  if (r >= a.rows)
    return;
  int row = (int)(r / a.positions), position = (int)(r - (int64_t)row * a.positions);
  if (a.d_running && a.step >= a.d_running[row])
    return;
  float y = 0.0f;
  if (!a.d_lengths || position < a.d_lengths[row]) {
    y = device_activate_any(a.activation, a.d_sums[r * a.sums_stride + j] + (a.d_bias ? a.d_bias[j] : 0.0f));
    if (a.d_added)
      y += a.d_added[r * a.added_stride + j];
    check_value(a.check, row, a.check.step, a.stage, y);
  }
  a.d_output[r * a.output_stride + j] = y;
}

extern "C" cuseq_status launch_dense_finish(const struct dense_finish *arguments,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_dense_finish";
  const struct dense_finish *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->width >= 1 && a->positions >= 1 && a->rows % a->positions == 0,
              "%s: rows, width or positions are not possible (found %lld, %d, %d)", name, (long long)a->rows,
              (int)a->width, (int)a->positions);
  LAUNCH_NEED(a->d_sums && a->d_output && a->sums_stride >= a->width && a->output_stride >= a->width,
              "%s: sums or output are missing", name);
  int64_t blocks = (a->rows * a->width + THREADS - 1) / THREADS;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many elements (found %lld rows of %d)", name, (long long)a->rows,
              (int)a->width);
  dense_finish_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  output[r] = table[ids[r]], or that added
 * shapes    struct table_lookup in launch_steps.h
 * mapping   thread = element, columns innermost
 * launch    grid ceil(rows width / 128), block 128, no shared memory
 * budget    40 registers
 * numerics  copies, or one addition
 * why       a product with a one-hot matrix is a lookup */
__global__ void __launch_bounds__(THREADS)
    table_lookup_kernel(const __grid_constant__ struct table_lookup a) {
  int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x, r = n / a.width;
  int j = (int)(n - r * a.width);
  if (r >= a.rows)
    return;
  int64_t id = a.d_ids[r];
  float x = a.d_table ? a.d_table[id * a.row_stride + j * a.column_stride] : j == id ? 1.0f : 0.0f;
  float *output = a.d_output + r * a.output_stride + j;
  *output = a.adds ? *output + x : x;
}

extern "C" cuseq_status launch_table_lookup(const struct table_lookup *arguments,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_table_lookup";
  const struct table_lookup *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->width >= 1 && a->d_ids && a->d_output,
              "%s: rows or width below 1, or an array is NULL", name);
  int64_t blocks = (a->rows * a->width + THREADS - 1) / THREADS;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many elements (found %lld rows of %d)", name, (long long)a->rows,
              (int)a->width);
  table_lookup_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}
