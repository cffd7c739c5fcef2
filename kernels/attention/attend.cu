/* One attention step for callers who run a decoder loop of their own. */
#include "kernels/attention/attention_step.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/start_state.cuh"

enum { THREADS = 256, SHARED_MOST = 96 * 1024, SEGMENT = 512, ROWS_MOST = 65536 };

/* How rows are shared by blocks: block b segments + i attends to positions SEGMENT i .. SEGMENT i + SEGMENT -
 * 1 of row b. Each head of a row is a row here. */
struct attend_split {
  int segments;    /* of a row, T's                                                                      */
  int heads;       /* N                                                                                  */
  int part_floats; /* of what a block tells the others: context [A], maximum, sum; not divided by the sum */
  unsigned *counters; /* [B] blocks that are done                                                           */
  float *parts;       /* [B,segments,part_floats]                                                           */
  float *workspace;   /* the placement's                                                                    */
};

/* This block's maximum and sum behind its part of the context. */
static __device__ __forceinline__ void part_finish(const struct attention_row &row, float *part, int A) {
  int lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  if (threadIdx.x < WARP) {
    float most = warp_max(lane < warps ? row.reduce[lane] : -INFINITY);
    float sum = warp_sum(lane < warps ? row.reduce[32 + lane] : 0.0f);
    if (lane == 0) {
      part[A] = most;
      part[A + 1] = sum;
    }
  }
}

/* Whether all blocks of the row have written their parts, and this one, the last, sees them; the same in all
 * threads. */
static __device__ __forceinline__ bool row_is_complete(unsigned *counter, int blocks) {
  __shared__ bool is_last;
  __syncthreads(); /* this block's part is written */
  if (threadIdx.x == 0) {
    unsigned before;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
    is_last = before == (unsigned)blocks - 1;
    if (is_last)
      atomicExch(counter, 0u); /* for the next launch */
  }
  __syncthreads(); /* all threads come after what thread 0 has seen */
  return is_last;
}

/* alphas and context of a row from its blocks' parts, in the order of the parts. */
static __device__ void parts_join(const float *parts, int part_floats, int blocks, int A, int length,
                                  float *alphas, float *context, const struct launch_check &check, int b) {
  float most = -INFINITY, sum = 0.0f;
  for (int i = 0; i < blocks; i++)
    most = fmaxf(most, parts[(int64_t)i * part_floats + A]);
  for (int i = 0; i < blocks; i++) {
    const float *part = parts + (int64_t)i * part_floats;
    sum = fmaf(part[A + 1], device_exp(part[A] - most), sum);
  }
  if (threadIdx.x == 0 && !check_is_finite(sum))
    check_tell(check, b, check.step, LAUNCH_STAGE_ENERGIES);
  float normaliser = 1.0f / sum;
  for (int j = (int)threadIdx.x; context && j < A; j += (int)blockDim.x) {
    float total = 0.0f;
    for (int i = 0; i < blocks; i++) {
      const float *part = parts + (int64_t)i * part_floats;
      total = fmaf(part[j], device_exp(part[A] - most), total);
    }
    total *= normaliser;
    context[j] = total;
    check_value(check, b, check.step, LAUNCH_STAGE_CONTEXT, total);
  }
  for (int t = (int)threadIdx.x; alphas && t < length; t += (int)blockDim.x)
    alphas[t] *= device_exp(parts[(int64_t)(t / SEGMENT) * part_floats + A] - most) * normaliser;
}

/* computes  e[t] = score(a[t], s), alphas = softmax over t < length, context = sum_t alphas[t] a[t], of every
 *           row
 * shapes    as in launch_attention.h; 4-byte aligned; outputs alias nothing
 * mapping   block = 512 positions of a row, or of one of its heads. Query, unless it is given: thread =
 *           (part of S, unit). Energies: 1..32 lanes a position; three dense layers and more: a warp a
 *           position. Softmax: thread = t, the maximum and the sum through warps, two barriers. Context:
 *           thread = (part of T, column); the normaliser is folded in after the sum. A row of several
 *           blocks: the last one to be done joins their maxima, sums and contexts, and finishes the alphas
 * launch    grid B N ceil(T / 512), block 256, shared: placement of partial sums, s, query, energies up to 96
 *           KB, what is beyond lies in the workspace; 16 bytes more
 * budget    128 registers; 4.5 KB + 4 (S + U + min(T, 512)) bytes of shared memory
 * numerics  float32; sums by parts in a fixed order that depends on S, U, A and the row's length, not on the
 *           batch or T: deterministic. Which block is the last does not matter to what it computes
 * why       a row of up to 512 positions needs no barrier between blocks; beyond, blocks side by side, and
 *           one atomic each. The keys are read once and the annotations once */
__global__ void __launch_bounds__(THREADS, 1)
    attend_kernel(const __grid_constant__ struct attend arguments,
                  const __grid_constant__ struct placement placement,
                  const __grid_constant__ struct attend_split split) {
  extern __shared__ float4 shared[];
  const struct attention_score &score = arguments.score;
  int b = (int)blockIdx.x / split.segments, segment = (int)blockIdx.x - b * split.segments;
  int asking = b / split.heads, head = b - asking * split.heads; /* the row that asks */
  int width = arguments.values_width ? arguments.values_width : score.annotation_width,
      A = width / split.heads;
  int U = attention_keys_wide(score), first = segment * SEGMENT;
  int encoded = arguments.d_rows ? arguments.d_rows[asking] : asking;
  int length = arguments.d_lengths ? arguments.d_lengths[asking] : arguments.time;
  int blocks = length > SEGMENT ? (length + SEGMENT - 1) / SEGMENT : 1; /* of the row, that have positions */
  float *alphas = arguments.d_alphas ? arguments.d_alphas + b * arguments.alphas_stride : nullptr;
  float *context =
      arguments.d_context ? arguments.d_context + asking * arguments.context_stride + head * A : nullptr;
  struct attention_row row;
  row.time = min((int)SEGMENT, arguments.time - first);
  row.length = min((int)SEGMENT, length - first);
  if (segment >= blocks) { /* the same in all threads */
    if (alphas)
      block_fill(alphas + first, 0.0f, row.time);
    return;
  }
  attention_row_place(&row, score, placement, (float *)shared,
                      split.workspace + blockIdx.x * placement.workspace_floats);
  int64_t position = (int64_t)encoded * arguments.time + first;
  row.stride = width;
  row.key_stride = U * split.heads;
  row.annotations =
      (arguments.d_values ? arguments.d_values : arguments.d_annotations) + position * width + head * A;
  row.keys = (score.score == CUSEQ_SCORE_DOT ? arguments.d_annotations : arguments.d_keys) +
             position * row.key_stride + head * U;
  row.position_bias = arguments.d_position_bias ? arguments.d_position_bias + first : nullptr;
  const struct initial_state &start = arguments.start;
  block_start_state(start, false, b, start.d_final_h + (int64_t)b * start.units,
                    (int64_t)arguments.batch * start.units, (float *)row.state);
  if (arguments.d_queries) /* the same in all threads */
    for (int j = (int)threadIdx.x; j < U; j += (int)blockDim.x)
      row.query[j] = arguments.d_queries[(int64_t)b * U + j];
  __syncthreads(); /* the state, and a query that is given, are complete */
  if (!arguments.d_queries)
    block_query(block_split_make(attention_keys_wide(score)), score, row);
  float *own = alphas ? alphas + first : nullptr;
  if (blocks == 1) {
    block_attend_query<true>(block_split_make(A), score, row, A, arguments.check, asking,
                             arguments.check.step, own, context, nullptr);
    return;
  }
  float *parts = split.parts + (int64_t)b * split.segments * split.part_floats;
  float *part = parts + (int64_t)segment * split.part_floats;
  block_energies<true>(score, row);
  __syncthreads(); /* energies and the warps' maxima are complete */
  block_exponents(row);
  __syncthreads(); /* exponents and the warps' sums are complete */
  part_finish(row, part, A);
  block_context(block_split_make(A), row, A, arguments.check, asking, 0, own, context ? part : nullptr,
                nullptr, true);
  if (row_is_complete(split.counters + b, blocks))
    parts_join(parts, split.part_floats, blocks, A, length, alphas, context, arguments.check, asking);
}

static struct placement attend_placement(const struct attend *arguments, const struct launch_device *device) {
  struct placement placement =
      placement_make(device->shared_bytes < SHARED_MOST ? device->shared_bytes : SHARED_MOST);
  attention_place(&placement, &arguments->score, THREADS,
                  arguments->time < SEGMENT ? arguments->time : SEGMENT);
  return placement;
}

static int32_t heads_of(const struct attend *arguments) {
  return arguments->heads > 1 ? arguments->heads : 1;
}

/* Of all heads. */
static int32_t values_wide(const struct attend *arguments) {
  return arguments->values_width ? arguments->values_width : arguments->score.annotation_width;
}

/* The workspace: counters, always in the same place, then what each block needs. */
static size_t attend_split_make(const struct attend *arguments, const struct placement *placement,
                                struct attend_split *split) {
  split->segments = (arguments->time + SEGMENT - 1) / SEGMENT;
  split->heads = heads_of(arguments);
  int32_t width = values_wide(arguments) / split->heads;
  split->part_floats = split->segments > 1 ? (width + 2 + 3) / 4 * 4 : 0;
  size_t counters = (size_t)ROWS_MOST * (size_t)split->heads * sizeof(unsigned);
  size_t blocks = (size_t)arguments->batch * (size_t)split->heads * (size_t)split->segments;
  size_t parts = (blocks * (size_t)split->part_floats + 63) / 64 * 64;
  size_t floats = parts + blocks * (size_t)placement->workspace_floats;
  split->counters = (unsigned *)arguments->d_workspace;
  split->parts = (float *)((char *)arguments->d_workspace + counters);
  split->workspace = split->parts + parts;
  return floats == 0 ? 0 : counters + floats * sizeof(float);
}

extern "C" size_t attend_workspace_bytes(const struct attend *arguments, const struct launch_device *device) {
  struct placement placement = attend_placement(arguments, device);
  struct attend_split split;
  return attend_split_make(arguments, &placement, &split);
}

extern "C" cuseq_status launch_attend(const struct attend *arguments, const struct launch_stream *stream) {
  static const char *const name = "launch_attend";
  const char *fault = attention_score_fault(&arguments->score, arguments->d_queries != nullptr);
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
  LAUNCH_NEED(arguments->d_values ? arguments->values_width >= 1
                                  : values_wide(arguments) == arguments->score.annotation_width,
              "%s: values without a width, or a width without values", name);
  LAUNCH_NEED(heads_of(arguments) == 1 || arguments->score.score == CUSEQ_SCORE_GENERAL,
              "%s: heads of a score that is no inner product", name);
  LAUNCH_NEED(values_wide(arguments) % heads_of(arguments) == 0,
              "%s: heads do not divide the values (found %d heads of %d units)", name,
              (int)heads_of(arguments), (int)values_wide(arguments));
  LAUNCH_NEED(!arguments->d_queries || attention_has_query(arguments->score),
              "%s: queries for a score that has none", name);
  struct placement placement = attend_placement(arguments, stream->device);
  struct attend_split split;
  size_t needed = attend_split_make(arguments, &placement, &split);
  LAUNCH_NEED(needed == 0 || arguments->d_workspace, "%s: a workspace is needed", name);
  int64_t blocks = (int64_t)arguments->batch * split.heads * split.segments;
  LAUNCH_NEED(blocks <= INT32_MAX && (split.segments == 1 || arguments->batch <= ROWS_MOST),
              "%s: too many rows (found B %d of T %d, at most %d beyond T %d)", name, (int)arguments->batch,
              (int)arguments->time, (int)ROWS_MOST, (int)SEGMENT);
  size_t bytes = (size_t)placement.shared_floats * 4;
  cuseq_status status = launch_allow_shared(stream, name, attend_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  attend_kernel<<<(unsigned)blocks, THREADS, bytes, (cudaStream_t)stream->stream>>>(*arguments, placement,
                                                                                    split);
  return launch_result(stream, name, cudaGetLastError());
}
