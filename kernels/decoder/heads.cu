/* What heads read where there is no decoder, what decoders begin from, and the end of a head. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/head.cuh"
#include "kernels/launch.h"

enum { THREADS = 128, HEAD_THREADS = 256, POOL_BLOCK = 128 };

/* computes  output = [first, second] or first + second of the row that each row of a decoding attends to
 * shapes    struct initial_gather in launch_steps.h
 * mapping   block = row, thread = column
 * launch    grid batch, block 128, no shared memory
 * budget    40 registers
 * numerics  copies, or one addition */
__global__ void __launch_bounds__(THREADS)
    initial_gather_kernel(const __grid_constant__ struct initial_gather a) {
  int b = (int)blockIdx.x;
  int64_t encoded = a.d_rows ? a.d_rows[b] : b;
  int width = a.first_units + (a.d_second && !a.sums ? a.second_units : 0);
  const float *first = a.d_first ? a.d_first + encoded * a.first_units : nullptr;
  const float *second = a.d_second ? a.d_second + encoded * a.second_units : nullptr;
  for (int j = (int)threadIdx.x; j < width; j += THREADS) {
    float x = 0.0f;
    if (j < a.first_units)
      x = first ? first[j] : 0.0f;
    if (second && a.sums)
      x += second[j];
    if (j >= a.first_units)
      x = second[j - a.first_units];
    a.d_output[b * a.stride + j] = x;
  }
}

extern "C" cuseq_status launch_initial_gather(const struct initial_gather *arguments,
                                              const struct launch_stream *stream) {
  static const char *const name = "launch_initial_gather";
  const struct initial_gather *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->first_units >= 1 && a->d_output, "%s: sizes or output are missing", name);
  LAUNCH_NEED(!a->d_second || (a->d_first && a->second_units >= 1), "%s: a second direction without a first",
              name);
  LAUNCH_NEED(!a->sums || !a->d_second || a->first_units == a->second_units,
              "%s: a sum of unequal widths (found %d and %d)", name, (int)a->first_units,
              (int)a->second_units);
  initial_gather_kernel<<<(unsigned)a->batch, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  the mean, the maximum or the last of a row's annotations
 * shapes    struct pool in launch_steps.h
 * mapping   block = (row, 128 columns), thread = column
 * launch    grid (ceil(width / 128), batch), block 128, no shared memory
 * budget    40 registers
 * numerics  float32; positions are added 128 at a time and then these sums: the error does not grow with T */
__global__ void __launch_bounds__(THREADS) pool_kernel(const __grid_constant__ struct pool a) {
  int j = (int)(blockIdx.x * THREADS + threadIdx.x);
  if (j >= a.width)
    return;
  for (int b = (int)blockIdx.y; b < a.batch; b += (int)gridDim.y) {
    int length = a.d_lengths ? a.d_lengths[b] : a.time;
    const float *column = a.d_annotations + (int64_t)b * a.time * a.width + j;
    float result = column[(int64_t)(length - 1) * a.width];
    if (a.kind == POOL_MAXIMUM)
      for (int t = 0; t < length; t++) {
        float x = column[(int64_t)t * a.width];
        result = x > result || x != x ? x : result;
      }
    if (a.kind == POOL_MEAN) {
      result = 0.0f;
      for (int first = 0; first < length; first += POOL_BLOCK) {
        float block = 0.0f;
        for (int t = first; t < min(first + (int)POOL_BLOCK, length); t++)
          block += column[(int64_t)t * a.width];
        result += block;
      }
      result /= (float)length;
    }
    a.d_output[(int64_t)b * a.width + j] = result;
  }
}

extern "C" cuseq_status launch_pool(const struct pool *arguments, const struct launch_stream *stream) {
  static const char *const name = "launch_pool";
  const struct pool *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->width >= 1 && a->d_annotations && a->d_output,
              "%s: batch, time or width below 1, or an array is NULL", name);
  dim3 grid((unsigned)((a->width + THREADS - 1) / THREADS), (unsigned)(a->batch < 65535 ? a->batch : 65535));
  pool_kernel<<<grid, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  output = activation(logits + bias), token = argmax; zeros where a row does not count
 * shapes    struct head_output in launch_steps.h
 * mapping   block = row, thread = class, then the class 256 further on
 * launch    grid rows, block 256, static shared memory 512 bytes; dynamic: the head's floats, up to 40 KB
 * budget    64 registers; 512 bytes of shared memory
 * numerics  as decode_output */
__global__ void __launch_bounds__(HEAD_THREADS)
    head_output_kernel(const __grid_constant__ struct head_output a, bool has_room) {
  extern __shared__ float room[];
  __shared__ float reduce[PLACE_REDUCE_FLOATS];
  int64_t r = blockIdx.x;
  int row = (int)(r / a.positions), position = (int)(r - (int64_t)row * a.positions);
  float *output = a.d_outputs ? a.d_outputs + r * a.output_stride : nullptr;
  int token = 0;
  if (a.d_lengths && position >= a.d_lengths[row]) { /* the same in all threads */
    for (int v = (int)threadIdx.x; output && v < a.units; v += HEAD_THREADS)
      output[v] = 0.0f;
  } else {
    float *sums = head_sums(a.d_logits + r * a.units, a.units, has_room, room);
    token =
        block_head(sums, a.d_bias, a.units, a.activation, output, nullptr, reduce, a.check, row, a.check.step)
            .token;
  }
  if (threadIdx.x == 0 && a.d_tokens)
    a.d_tokens[r * a.token_stride] = token;
}

extern "C" cuseq_status launch_head_output(const struct head_output *arguments,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_head_output";
  const struct head_output *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->rows <= INT32_MAX && a->units >= 1 && a->positions >= 1,
              "%s: rows, units or positions are not possible (found %lld, %d, %d)", name, (long long)a->rows,
              (int)a->units, (int)a->positions);
  LAUNCH_NEED(a->d_logits, "%s: the logits are missing", name);
  size_t room = head_room(a->units);
  head_output_kernel<<<(unsigned)a->rows, HEAD_THREADS, room, (cudaStream_t)stream->stream>>>(*a, room > 0);
  return launch_result(stream, name, cudaGetLastError());
}

/* computes  what is at a row's first position, at all of them; 0 behind its last
 * shapes    struct head_spread in launch_steps.h
 * mapping   block = position behind a row's first one, thread = class, then the class 128 further on
 * launch    grid batch (time - 1), block 128, no shared memory
 * budget    32 registers
 * numerics  copies
 * why       a head over a row is computed once; the first position is read here and written by none */
__global__ void __launch_bounds__(THREADS) head_spread_kernel(const __grid_constant__ struct head_spread a) {
  const int64_t b = blockIdx.x / (unsigned)(a.time - 1), first = b * a.time;
  const int64_t at = first + 1 + blockIdx.x % (unsigned)(a.time - 1);
  const bool there = !a.d_lengths || at - first < a.d_lengths[b];
  for (int v = (int)threadIdx.x; a.d_outputs && v < a.units; v += THREADS)
    a.d_outputs[at * a.output_stride + v] = there ? a.d_outputs[first * a.output_stride + v] : 0.0f;
  if (threadIdx.x == 0 && a.d_tokens)
    a.d_tokens[at * a.token_stride] = there ? a.d_tokens[first * a.token_stride] : 0;
}

extern "C" cuseq_status launch_head_spread(const struct head_spread *arguments,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_head_spread";
  const struct head_spread *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->units >= 1 && (a->d_outputs || a->d_tokens),
              "%s: sizes are not possible, or there is nothing to spread (found %d, %d, %d)", name,
              (int)a->batch, (int)a->time, (int)a->units);
  const int64_t blocks = (int64_t)a->batch * (a->time - 1);
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many positions (found %lld)", name, (long long)blocks);
  if (blocks == 0)
    return CUSEQ_STATUS_OK;
  head_spread_kernel<<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}
