/* One attention step for callers who run a decoder loop of their own. */
#include "attention_step.cuh"
#include "launch_error.cuh"
#include "start_state.cuh"

enum { THREADS = 256, SHARED_MOST = 96 * 1024 };

/* computes  e[t] = score(a[t], s), alphas = softmax over t < length, context = sum_t alphas[t] a[t], of every row
 * shapes    as in launch_attention.h; 4-byte aligned; outputs alias nothing
 * mapping   block = row. Query, unless it is given: thread = (part of S, unit). Energies: 1..32 lanes a position; three
 *           dense layers and more: a warp a position. Softmax: thread = t, the maximum and the sum through warps, two
 *           barriers. Context: thread = (part of T, column); the normaliser is folded in after the sum
 * launch    grid B, block 256, shared: placement of partial sums, s, query, energies [T] up to
 *           96 KB; what is beyond lies in the workspace
 * budget    112 registers; 4.5 KB + 4 (S + U + T) bytes of shared memory at 256 threads
 * numerics  float32; sums by parts in a fixed order that depends on S, U, A and not on the batch or T: deterministic
 * why       a row alone in a block needs no barrier between blocks at any T; the keys are read once and the annotations
 *           once */
__global__ void __launch_bounds__(THREADS, 1)
    attend_kernel(const __grid_constant__ struct attend arguments,
                  const __grid_constant__ struct placement placement) {
  extern __shared__ float4 shared[];
  const struct attention_score &score = arguments.score;
  int b = (int)blockIdx.x, A = score.annotation_width;
  int64_t T = arguments.time;
  struct attention_row row;
  float *workspace = (float *)arguments.d_workspace + b * placement.workspace_floats;
  attention_row_place(&row, score, placement, (float *)shared, workspace);
  row.annotations = arguments.d_annotations + b * T * A;
  row.keys = score.score == CUSEQ_SCORE_DOT ? row.annotations
                                            : arguments.d_keys + b * T * attention_keys_wide(score);
  row.length = arguments.d_lengths ? arguments.d_lengths[b] : arguments.time;
  row.time = arguments.time;
  const struct initial_state &start = arguments.start;
  block_start_state(start, false, b, start.d_final_h + (int64_t)b * start.units,
                    (int64_t)arguments.batch * start.units, (float *)row.state);
  __syncthreads(); /* the state is complete */
  float *alphas = arguments.d_alphas ? arguments.d_alphas + b * arguments.alphas_stride : nullptr;
  float *context = arguments.d_context ? arguments.d_context + b * arguments.context_stride : nullptr;
  if (arguments.d_queries) { /* the same in all threads */
    int U = attention_keys_wide(score);
    for (int j = (int)threadIdx.x; j < U; j += (int)blockDim.x)
      row.query[j] = arguments.d_queries[(int64_t)b * U + j];
    __syncthreads(); /* the query is complete */
    block_attend_query(score, row, alphas, context, nullptr);
  } else {
    block_attend(score, row, alphas, context, nullptr);
  }
}

static struct placement attend_placement(const struct attend *arguments, const struct launch_device *device) {
  struct placement placement =
      placement_make(device->shared_bytes < SHARED_MOST ? device->shared_bytes : SHARED_MOST);
  attention_place(&placement, &arguments->score, THREADS, arguments->time);
  return placement;
}

extern "C" size_t attend_workspace_bytes(const struct attend *arguments, const struct launch_device *device) {
  return (size_t)arguments->batch * (size_t)attend_placement(arguments, device).workspace_floats * 4;
}

extern "C" cuseq_status launch_attend(const struct attend *arguments, const struct launch_stream *stream) {
  static const char *const name = "launch_attend";
  const char *fault = attention_score_fault(&arguments->score);
  fault = fault ? fault : initial_state_fault(&arguments->start, false);
  fault = fault ? fault : initial_state_source_fault(&arguments->start, false);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  LAUNCH_NEED(arguments->batch >= 1 && arguments->time >= 1, "%s: batch or time below 1 (found %d, %d)", name,
              (int)arguments->batch, (int)arguments->time);
  LAUNCH_NEED(arguments->start.state_units == arguments->score.state_units,
              "%s: the state's width differs from the score's (found %d, needed %d)", name,
              (int)arguments->start.state_units, (int)arguments->score.state_units);
  LAUNCH_NEED(arguments->d_annotations && (arguments->d_keys || arguments->score.score == CUSEQ_SCORE_DOT),
              "%s: annotations or keys are NULL", name);
  LAUNCH_NEED(!arguments->d_queries || attention_has_query(arguments->score),
              "%s: queries for a score that has none", name);
  struct placement placement = attend_placement(arguments, stream->device);
  LAUNCH_NEED(placement.workspace_floats == 0 || arguments->d_workspace, "%s: a workspace is needed", name);
  size_t bytes = (size_t)placement.shared_floats * 4;
  cuseq_status status = launch_allow_shared(stream, name, attend_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  attend_kernel<<<(unsigned)arguments->batch, THREADS, bytes, (cudaStream_t)stream->stream>>>(*arguments,
                                                                                              placement);
  return launch_result(stream, name, cudaGetLastError());
}
