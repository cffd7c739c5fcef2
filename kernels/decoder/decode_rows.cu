/* The steps of a large decoder around attention, products and cells: what a loop begins from, and a step's output. */
#include "kernels/decoder/decoder_step.cuh"
#include "kernels/launch.h"
#include "kernels/common/launch_error.cuh"

enum { THREADS = 128 };

/* The token that row b's next step is fed with, and its embedding. */
static __device__ __forceinline__ void rows_feed(const struct decode_rows &r, int b, int token) {
  if (r.feedback != CUSEQ_FEEDBACK_OUTPUT)
    return;
  if (threadIdx.x == 0)
    r.d_fed_ids[b] = token;
  if (r.d_embedding)
    for (int j = (int)threadIdx.x; j < r.embedding_units; j += THREADS)
      r.d_fed[(int64_t)b * r.embedding_units + j] = r.d_embedding[(int64_t)token * r.embedding_units + j];
}

/* computes  output lengths Y, positions to attend to, the token before the first step with its embedding
 * shapes    struct decode_rows in launch_attention.h
 * mapping   block = row, thread = column of the embedding
 * launch    grid B, block 128, no shared memory
 * budget    40 registers
 * numerics  copies
 * why       the first node of the loop's graph: what a step before would have left */
__global__ void __launch_bounds__(THREADS) decode_begin_kernel(const __grid_constant__ struct decode_rows r) {
  int b = (int)blockIdx.x;
  if (threadIdx.x == 0) {
    r.d_output_lengths[b] = r.steps;
    r.d_attended[b] = r.d_lengths ? r.d_lengths[b] : r.time;
  }
  rows_feed(r, b, r.d_previous ? r.d_previous[b] : r.start_token);
}

/* computes  o = logits + bias; output = softmax(o) or o; token = argmax o, lowest index first; the row's end; what is fed back.
 *           Rows that have ended: outputs 0, tokens end_token
 * shapes    struct decode_rows in launch_attention.h
 * mapping   block = row, thread = class, then the class 128 further on; up to 32 classes every warp does the whole softmax
 * launch    grid B, block 128, static shared memory 512 bytes
 * budget    40 registers; 512 bytes of shared memory
 * numerics  float32; sums in a fixed order of V alone: deterministic
 * why       one kernel between the output's product and the next step's attention */
__global__ void __launch_bounds__(THREADS)
    decode_output_kernel(const __grid_constant__ struct decode_rows r, int step) {
  __shared__ float reduce[PLACE_REDUCE_FLOATS];
  int b = (int)blockIdx.x, V = r.outputs;
  int64_t y = (int64_t)b * r.steps + step;
  float *output = r.d_outputs ? r.d_outputs + y * V : nullptr;
  bool runs = step < r.d_output_lengths[b]; /* the same in all threads */
  if (runs) {
    float *logits = r.d_logits + (int64_t)b * V;
    for (int v = (int)threadIdx.x; v < V; v += THREADS)
      logits[v] += r.d_output_bias[v];
    __syncthreads(); /* the logits are complete, and all threads know whether the row runs */
    int token = block_output(logits, V, r.output_activation == CUSEQ_ACTIVATION_SOFTMAX, output, reduce,
                             r.check, b, step + 1);
    rows_feed(r, b, token);
    if (threadIdx.x == 0) {
      if (r.d_tokens)
        r.d_tokens[y] = token;
      if (r.end_token >= 0 && token == r.end_token) {
        r.d_output_lengths[b] = step + 1;
        r.d_attended[b] = 0;
      }
    }
  } else {
    for (int v = (int)threadIdx.x; output && v < V; v += THREADS)
      output[v] = 0.0f;
    if (r.d_tokens && threadIdx.x == 0)
      r.d_tokens[y] = r.end_token;
  }
}

static const char *rows_fault(const struct decode_rows *r) {
  if (r->batch < 1 || r->time < 1 || r->steps < 1 || r->outputs < 1)
    return "batch, time, steps or outputs below 1";
  if (!r->d_output_lengths || !r->d_attended)
    return "output lengths or positions to attend to are missing";
  if (r->feedback == CUSEQ_FEEDBACK_OUTPUT && !r->d_fed_ids)
    return "feedback without a place for its tokens";
  if (r->feedback == CUSEQ_FEEDBACK_OUTPUT && r->d_embedding && (!r->d_fed || r->embedding_units < 1))
    return "an embedding without a place or a width";
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
  LAUNCH_NEED(rows->d_logits && rows->d_output_bias, "%s: logits or bias are missing", name);
  decode_output_kernel<<<(unsigned)rows->batch, THREADS, 0, (cudaStream_t)stream->stream>>>(*rows, step);
  return launch_result(stream, name, cudaGetLastError());
}
