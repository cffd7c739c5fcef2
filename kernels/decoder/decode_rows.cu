/* The steps of a decoder around attention, products and cells: what a loop begins from, and what a step
 * gives. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/head.cuh"
#include "kernels/launch.h"

enum { THREADS = 256 };

/* The token that row b's next step is fed with, and its embedding or one-hot row; -1, with probabilities:
 * none. */
static __device__ __forceinline__ void rows_feed(const struct decode_rows &r, int b, int token) {
  for (int v = (int)threadIdx.x; r.d_probabilities && v < r.outputs; v += THREADS)
    r.d_probabilities[(int64_t)b * r.outputs + v] = v == token ? 1.0f : 0.0f;
  if (!r.d_fed_ids)
    return;
  if (threadIdx.x == 0)
    r.d_fed_ids[b] = token;
  if (r.d_embedding)
    for (int j = (int)threadIdx.x; j < r.embedding_units; j += THREADS)
      r.d_fed[(int64_t)b * r.embedding_units + j] = r.d_embedding[(int64_t)token * r.embedding_units + j];
}

/* to[j] = from[j], or 0 where from is NULL; to NULL: nothing. */
static __device__ __forceinline__ void rows_copy(float *to, const float *from, int width) {
  for (int j = (int)threadIdx.x; to && j < width; j += THREADS)
    to[j] = from ? from[j] : 0.0f;
}

/* computes  output lengths, positions to attend to, the token before the first step with its embedding, or
 *           its one-hot row
 * shapes    struct decode_rows in launch_attention.h
 * mapping   block = row, thread = column of the embedding
 * launch    grid B, block 256, no shared memory
 * budget    40 registers
 * numerics  copies
 * why       the first node of the loop's graph: what a step before would have left */
__global__ void __launch_bounds__(THREADS) decode_begin_kernel(const __grid_constant__ struct decode_rows r) {
  int b = (int)blockIdx.x, encoded = r.d_rows ? r.d_rows[b] : b;
  if (threadIdx.x == 0) {
    r.d_output_lengths[b] = r.d_target_lengths ? r.d_target_lengths[b] : r.steps;
    r.d_attended[b] = r.d_lengths ? r.d_lengths[encoded] : r.time;
  }
  rows_feed(r, b, r.d_previous ? r.d_previous[b] : r.start_token);
}

/* A step's vectors to where the results of all steps lie; zeros for a row that has ended. */
static __device__ __forceinline__ void rows_keep(const struct decode_rows &r, int b, int64_t y, bool runs) {
  for (int i = 0; i < DECODE_KEPT; i++) {
    const struct decode_kept &kept = r.kept[i];
    if (!kept.d_from)
      continue;
    const float *from = kept.d_from + b * kept.stride;
    if (kept.of_last_step && runs)
      rows_copy(kept.d_to + b * kept.to_stride, from, kept.width);
    if (!kept.of_last_step)
      rows_copy(kept.d_to + y * kept.to_stride, runs ? from : nullptr, kept.width);
  }
}

/* computes  output = activation(logits + bias); token = argmax, lowest index first; log-probabilities; the
 *           row's end; what is fed back; copies of the step's vectors into the results. Rows that have ended:
 *           zeros, tokens end_token
 * shapes    struct decode_rows in launch_attention.h
 * mapping   block = row, thread = class, then the class 256 further on
 * launch    grid B, block 256, static shared memory 512 bytes; dynamic: V floats, up to 40 KB
 * budget    64 registers; 512 bytes of shared memory
 * numerics  float32; sums in blocks and a fixed order of V alone: deterministic
 * why       one kernel between the output's product and the next step's attention */
__global__ void __launch_bounds__(THREADS, 4)
    decode_output_kernel(const __grid_constant__ struct decode_rows r, int step, bool has_room) {
  extern __shared__ float room[];
  __shared__ float reduce[PLACE_REDUCE_FLOATS];
  int b = (int)blockIdx.x, V = r.outputs;
  int64_t y = (int64_t)b * r.steps + step;
  float *output = r.d_outputs ? r.d_outputs + y * V : nullptr;
  float *fed = r.d_probabilities ? r.d_probabilities + (int64_t)b * V : nullptr;
  float *log_output = r.d_log_outputs ? r.d_log_outputs + y * V : nullptr;
  bool runs = step < r.d_output_lengths[b]; /* the same in all threads */
  if (!runs) {
    rows_keep(r, b, y, false);
    rows_copy(output, nullptr, V);
    rows_copy(log_output, nullptr, V);
    if (threadIdx.x == 0) {
      if (r.d_tokens)
        r.d_tokens[y] = r.end_token < 0 ? 0 : r.end_token;
      if (r.d_log_probabilities)
        r.d_log_probabilities[y] = 0.0f;
    }
    return;
  }
  float *logits = head_sums(r.d_logits + (int64_t)b * V, V, has_room, room);
  struct head_result result = block_head(logits, r.d_output_bias, V, r.output_activation, fed ? fed : output,
                                         log_output, reduce, r.check, b, step + 1);
  int next = r.d_targets ? r.d_targets[y] : result.token;
  if (fed)
    rows_copy(output, fed, V); /* each thread what it has written itself */
  if (!fed || r.d_targets)
    rows_feed(r, b, next);
  rows_keep(r, b, y, true); /* behind it: the probabilities are a step's vector, too */
  if (threadIdx.x != 0)
    return;
  if (r.d_tokens)
    r.d_tokens[y] = result.token;
  if (r.d_log_probabilities)
    r.d_log_probabilities[y] = (logits[next] - result.best) - result.log_sum;
  if (!r.d_targets && r.end_token >= 0 && result.token == r.end_token) {
    r.d_output_lengths[b] = step + 1; /* read by all threads before the barriers of block_head */
    r.d_attended[b] = 0;
  } else if (r.d_target_lengths && step + 1 >= r.d_output_lengths[b]) {
    r.d_attended[b] = 0;
  }
}

static const char *rows_fault(const struct decode_rows *r) {
  if (r->batch < 1 || r->time < 1 || r->steps < 1 || r->outputs < 1)
    return "batch, time, steps or outputs below 1";
  if (!r->d_output_lengths || !r->d_attended)
    return "output lengths or positions to attend to are missing";
  if (r->d_embedding && (!r->d_fed_ids || !r->d_fed || r->embedding_units < 1))
    return "an embedding without a place or a width";
  if (r->d_probabilities &&
      (r->d_fed_ids || r->d_embedding || r->output_activation != CUSEQ_ACTIVATION_SOFTMAX))
    return "probabilities that are none, or beside tokens";
  if (r->d_target_lengths && !r->d_targets)
    return "target lengths without targets";
  return nullptr;
}

extern "C" cuseq_status launch_decode_begin(const struct decode_rows *rows,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_decode_begin";
  const char *fault = rows_fault(rows);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  decode_begin_kernel<<<(unsigned)rows->batch, THREADS, 0, (cudaStream_t)stream->stream>>>(*rows);
  return launch_result(stream, name, cudaGetLastError());
}

extern "C" cuseq_status launch_decode_output(const struct decode_rows *rows, int32_t step,
                                             const struct launch_stream *stream) {
  static const char *const name = "launch_decode_output";
  const char *fault = rows_fault(rows);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  LAUNCH_NEED(step >= 0 && step < rows->steps, "%s: no such step (found %d, steps %d)", name, (int)step,
              (int)rows->steps);
  LAUNCH_NEED(rows->d_logits, "%s: the logits are missing", name);
  size_t room = head_room(rows->outputs);
  decode_output_kernel<<<(unsigned)rows->batch, THREADS, room, (cudaStream_t)stream->stream>>>(*rows, step,
                                                                                               room > 0);
  return launch_result(stream, name, cudaGetLastError());
}
