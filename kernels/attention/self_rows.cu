/* Who asks, and of how many positions, where every position of a row does. */
#include "kernels/common/launch_error.cuh"
#include "kernels/launch_self.h"

enum { THREADS = 256 };

/* computes  rows[b T + t] = b; attended[b T + t] = length of b, 0 where t >= length
 * shapes    as in launch_self.h
 * mapping   a thread a position
 * launch    grid ceil(B T / 256), block 256
 * budget    20 registers
 * numerics  integers */
static __global__ void __launch_bounds__(THREADS)
    self_rows_kernel(const __grid_constant__ struct self_rows a, int count) {
  int row = (int)(blockIdx.x * THREADS + threadIdx.x);
  if (row >= count)
    return;
  int b = row / a.time, length = a.d_lengths ? a.d_lengths[b] : a.time;
  a.d_rows[row] = b;
  a.d_attended[row] = row - b * a.time < length ? length : 0;
}

extern "C" cuseq_status launch_self_rows(const struct self_rows *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "launch_self_rows";
  const struct self_rows *a = arguments;
  int64_t count = (int64_t)a->batch * a->time;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && count <= INT32_MAX - THREADS,
              "%s: batch or time out of range (found %d, %d)", name, (int)a->batch, (int)a->time);
  LAUNCH_NEED(a->d_rows && a->d_attended, "%s: an array is NULL", name);
  self_rows_kernel<<<(unsigned)((count + THREADS - 1) / THREADS), THREADS, 0, (cudaStream_t)stream->stream>>>(
      *a, (int)count);
  return launch_result(stream, name, cudaGetLastError());
}
