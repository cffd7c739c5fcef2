/* What is done to every position of a layer beside its recurrence: residuals, the end of dense layers; an embedding's rows. */
#include "kernels/common/activation.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"

enum { THREADS = 128, WARPS = THREADS / 32, BLOCKS_MOST = 65535 };

/* computes  y = activation(v + x + bias), 0 beyond the rows' lengths
 * shapes    struct layer_finish in launch_recurrence.h
 * mapping   a warp takes every (grid x 4)-th position, its lanes the elements: no division for an element
 * launch    grid min(ceil(B T / 4), 65535), block 128, no shared memory
 * budget    56 registers
 * numerics  float32, (v + x) + bias; deterministic */
static __global__ void __launch_bounds__(THREADS)
    layer_finish_positions(const __grid_constant__ struct layer_finish a) {
  int64_t positions = (int64_t)a.batch * a.time;
  for (int64_t p = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32; p < positions;
       p += (int64_t)gridDim.x * WARPS) {
    int b = (int)(p / a.time), t = (int)(p - (int64_t)b * a.time);
    bool there = !a.d_lengths || t < a.d_lengths[b];
    int id = there && a.d_residual_ids ? a.d_residual_ids[p] : -1;
    float *values = a.d_values + p * a.width;
    for (int j = (int)threadIdx.x % 32; j < a.width; j += 32) {
      float y = 0.0f;
      if (there) {
        y = values[j];
        if (a.d_residual)
          y += a.d_residual[p * a.width + j];
        if (j == id)
          y += 1.0f;
        if (a.d_bias)
          y += __ldg(a.d_bias + j);
        if (a.activation != CUSEQ_ACTIVATION_LINEAR)
          y = device_activate_any(a.activation, y);
        check_value(a.check, b, 0, LAUNCH_STAGE_MERGE, y);
      }
      values[j] = y;
    }
  }
}

static unsigned blocks_of(int64_t positions) {
  int64_t blocks = (positions + WARPS - 1) / WARPS;
  return (unsigned)(blocks < BLOCKS_MOST ? blocks : BLOCKS_MOST);
}

cuseq_status launch_layer_finish(const struct layer_finish *arguments, const struct launch_stream *stream) {
  const struct layer_finish *a = arguments;
  LAUNCH_NEED(a->batch > 0 && a->time > 0 && a->width > 0,
              "layer finish: a size is not possible (B %d, T %d, width %d)", a->batch, a->time, a->width);
  LAUNCH_NEED(a->d_values, "layer finish: the values are missing");
  LAUNCH_NEED(!a->d_residual || !a->d_residual_ids, "layer finish: more than one residual");
  LAUNCH_NEED(device_activation_is_any(a->activation), "layer finish: activation %d is none of a number",
              (int)a->activation);
  layer_finish_positions<<<blocks_of((int64_t)a->batch * a->time), THREADS, 0,
                           (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, "layer finish", cudaGetLastError());
}

/* computes  y = row id of the embedding, 0 beyond the rows' lengths
 * shapes    struct embedding_rows in launch_recurrence.h
 * mapping   as above
 * launch    as above
 * budget    56 registers */
static __global__ void __launch_bounds__(THREADS)
    embedding_rows_copy(const __grid_constant__ struct embedding_rows a) {
  int64_t positions = (int64_t)a.batch * a.time;
  for (int64_t p = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32; p < positions;
       p += (int64_t)gridDim.x * WARPS) {
    int b = (int)(p / a.time), t = (int)(p - (int64_t)b * a.time);
    bool there = !a.d_lengths || t < a.d_lengths[b];
    const float *row = a.d_embedding + (there ? (int64_t)a.d_ids[p] * a.width : 0);
    float *output = a.d_output + p * a.width;
    for (int j = (int)threadIdx.x % 32; j < a.width; j += 32)
      output[j] = there ? __ldg(row + j) : 0.0f;
  }
}

cuseq_status launch_embedding_rows(const struct embedding_rows *arguments,
                                   const struct launch_stream *stream) {
  const struct embedding_rows *a = arguments;
  LAUNCH_NEED(a->batch > 0 && a->time > 0 && a->width > 0,
              "embedding rows: a size is not possible (B %d, T %d, width %d)", a->batch, a->time, a->width);
  LAUNCH_NEED(a->d_ids && a->d_embedding && a->d_output, "embedding rows: an array is missing");
  embedding_rows_copy<<<blocks_of((int64_t)a->batch * a->time), THREADS, 0, (cudaStream_t)stream->stream>>>(
      *a);
  return launch_result(stream, "embedding rows", cudaGetLastError());
}
