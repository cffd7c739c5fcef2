/* The decoder loop of any structure in one launch. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/loop_row.cuh"

/* computes  all steps of a row: attention, cells, attentional vector, head, token; as
 *           host/backends/cuda/steps_decode.c does them in launches of their own
 * shapes    struct loop in launch_loop.h; 4-byte aligned, packed cells 16-byte aligned; outputs alias nothing
 * mapping   block = row. Products: thread = (part of the inputs, unit). Attention as in attend
 * launch    grid R, block 256, dynamic shared memory: the model's vectors and T energies
 * budget    128 registers; 4 (shared floats + T) bytes of shared memory
 * numerics  float32; sums by parts in a fixed order that depends on widths and the row's length alone:
 *           deterministic, and a row's bits depend on no other
 * why       one launch in place of ten and more a step; the structure is data in memory that all blocks
 *           share, so that one kernel serves all */
__global__ void __launch_bounds__(THREADS, 2) loop_kernel(const __grid_constant__ struct loop a) {
  extern __shared__ float4 shared[];
  int b = (int)blockIdx.x, encoded = a.d_rows ? a.d_rows[b] : b;
  const struct loop_model &m = *a.d_model;
  int U = attention_keys_wide(m.score), C = m.values_width;
  loop_row row = {m,
                  a,
                  {a.d_keys + (int64_t)encoded * a.time * U, a.d_values + (int64_t)encoded * a.time * C, U, C,
                   a.d_final_h, a.d_final_c, a.encoded, encoded},
                  (float *)shared,
                  b,
                  a.d_lengths ? a.d_lengths[encoded] : a.time,
                  0,
                  0};
  loop_run(row);
}

extern "C" cuseq_status launch_loop(const struct loop *arguments, const struct launch_stream *stream) {
  static const char *const name = "launch_loop";
  const struct loop *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->steps >= 1 && a->encoded >= 1,
              "%s: batch, time, steps or encoded rows below 1 (found %d, %d, %d, %d)", name, (int)a->batch,
              (int)a->time, (int)a->steps, (int)a->encoded);
  LAUNCH_NEED(a->d_model && a->shared_floats > 0, "%s: the model is missing", name);
  size_t bytes = ((size_t)a->shared_floats + (size_t)a->time) * sizeof(float);
  cuseq_status status = launch_allow_shared(stream, name, loop_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  loop_kernel<<<(unsigned)a->batch, THREADS, bytes, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}
