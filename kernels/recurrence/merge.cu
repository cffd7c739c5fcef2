/* The merges of two directions other than concat. */
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/recurrence/merged.cuh"

static const int MERGE_THREADS = 256;

/* computes  output = forward + backward | forward * backward | (forward + backward) / 2, elementwise.
 * shapes    three arrays [count], 4-byte aligned; the output may be one of the inputs.
 * mapping   a thread takes every (grid x block)-th element; neighbours take neighbours.
 * launch    grid min(ceil(count / 256), 65535), block 256, no shared memory.
 * budget    32 registers.
 * numerics  one rounding (ave: the halving is exact). */
static __global__ void __launch_bounds__(MERGE_THREADS)
    layer_merge_elements(const __grid_constant__ struct layer_merge a) {
  int64_t step = (int64_t)gridDim.x * MERGE_THREADS;
  for (int64_t i = (int64_t)blockIdx.x * MERGE_THREADS + threadIdx.x; i < a.count; i += step) {
    float merged = merged_states(a.merge, a.d_forward[i], a.d_backward[i]);
    a.d_output[i] = merged;
    if (!check_is_finite(merged))
      check_tell(a.check, a.row > 0 ? (int)(i / a.row) : 0, 0, LAUNCH_STAGE_MERGE);
  }
}

cuseq_status launch_layer_merge(const struct layer_merge *arguments, const struct launch_stream *stream) {
  const struct layer_merge *a = arguments;
  if (a->merge != CUSEQ_MERGE_SUM && a->merge != CUSEQ_MERGE_MUL && a->merge != CUSEQ_MERGE_AVE)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT, "merge: merge %d is not sum, mul or ave",
                         (int)a->merge);
  if (a->count < 1 || !a->d_forward || !a->d_backward || !a->d_output)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "merge: an array is missing or empty (count %lld)", (long long)a->count);
  int64_t blocks = (a->count + MERGE_THREADS - 1) / MERGE_THREADS;
  layer_merge_elements<<<(unsigned)(blocks < 65535 ? blocks : 65535), MERGE_THREADS, 0,
                         (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, "merge", cudaGetLastError());
}
