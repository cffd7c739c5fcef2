/* The decoder loop of one row by one block. Used by decode, which reads annotations and keys from memory, and
 * by whole_model, which has just made them. */
#ifndef CUSEQ_KERNELS_DECODE_ROW_CUH
#define CUSEQ_KERNELS_DECODE_ROW_CUH

#include "kernels/attention/attention_step.cuh"
#include "kernels/decoder/decoder_step.cuh"
#include "kernels/decoder/start_state.cuh"

/* Threads of a block that decodes, the same for all: sums are split among threads. */
enum { DECODE_THREADS = 256 };

/* A block's arrays and weights: shared memory, or global memory where they have no place there. */
struct decoder_block {
  struct attention_row row;
  struct decoder_cell weights;
  const float4
      *kernel; /* [A+E or A+V, S] in global memory: the rows of one-hot feedback                    */
  const float *output_kernel, *output_bias;
  struct attention_splits splits;
  struct block_split cell_split, output_split;
  struct device_gates gates;
  float *state, *next,
      *cell;     /* [S]                                                                         */
  float *input;  /* [A+E]                                                                       */
  float *logits; /* [V]                                                                         */
};

/* The width of the cell's dense input: the context and an embedding; one-hot feedback is a row of the
 * kernel. */
__host__ __device__ static inline int decode_inputs(const struct decode &d) {
  return d.score.annotation_width + (d.feedback == CUSEQ_FEEDBACK_OUTPUT ? d.embedding_units : 0);
}

/* Gives a decoder's vectors their places. */
static inline void decode_place_vectors(struct placement *placement, const struct decode *d, int threads,
                                        int64_t time) {
  int64_t S = d->score.state_units;
  attention_place(placement, &d->score, threads, (time + WARP - 1) / WARP * WARP);
  placement_add(placement, PLACE_NEXT_STATE, S, false);
  placement_add(placement, PLACE_CELL, S, false);
  placement_add(placement, PLACE_INPUT, decode_inputs(*d), false);
  placement_add(placement, PLACE_LOGITS, d->outputs, false);
}

/* Gives copies of a decoder's weights their places while there is room. */
static inline void decode_place_weights(struct placement *placement, const struct decode *d) {
  int64_t S = d->score.state_units;
  if (attention_has_query(d->score))
    placement_add(placement, PLACE_QUERY_KERNEL, S * attention_keys_wide(d->score), true);
  placement_add(placement, PLACE_OUTPUT_KERNEL, S * d->outputs, true);
  placement_add(placement, PLACE_BIAS, 4 * S, true);
  placement_add(placement, PLACE_OUTPUT_BIAS, d->outputs, true);
  placement_add(placement, PLACE_RECURRENT, 4 * S * S, true);
  placement_add(placement, PLACE_KERNEL, 4 * S * decode_inputs(*d), true);
}

/* Whether all of a decoder's weights have a place in shared memory. */
static inline bool decoder_is_kept(const struct placement *placement, const struct decode *d) {
  const enum place places[] = {PLACE_OUTPUT_KERNEL, PLACE_BIAS, PLACE_OUTPUT_BIAS, PLACE_RECURRENT,
                               PLACE_KERNEL};
  bool kept = !attention_has_query(d->score) || placement->at[PLACE_QUERY_KERNEL] >= 0;
  for (enum place place : places)
    kept = kept && placement->at[place] >= 0;
  return kept;
}

/* The threads that copy, numbered from 0; a thread below 0 does not. */
struct block_copiers {
  int thread, threads;
};

/* `source` copied to its place, or itself where it has none. Complete after block_copies_wait() and the next
 * barrier. */
__device__ inline const float *block_keep(const struct placement &placement, enum place place, float *shared,
                                          const float *source, int64_t count,
                                          const struct block_copiers &copiers) {
  if (placement.at[place] < 0)
    return source;
  float *target = shared + (int)placement.at[place];
  if (copiers.thread >= 0)
    block_copy(target, source, (int)count, copiers.thread, copiers.threads);
  return target;
}

/* The block's arrays and weights, but for the row's. Complete after block_copies_wait() and the next
 * barrier. */
template <class Workspace>
__device__ inline void decoder_block_make(struct decoder_block *block, const struct decode &d,
                                          const struct placement &placement, float *shared,
                                          Workspace workspace, const struct block_copiers &copiers) {
  int S = d.score.state_units, inputs = decode_inputs(d);
  attention_row_place(&block->row, d.score, placement, shared, workspace);
  block->state = placed(placement, PLACE_STATE, shared, workspace);
  block->next = placed(placement, PLACE_NEXT_STATE, shared, workspace);
  block->cell = placed(placement, PLACE_CELL, shared, workspace);
  block->input = placed(placement, PLACE_INPUT, shared, workspace);
  block->logits = placed(placement, PLACE_LOGITS, shared, workspace);
  block->gates = device_gates_make(d.activation, d.recurrent_activation);
  block->splits = attention_splits_make(d.score);
  block->cell_split = block_split_make(S);
  block->output_split = block_split_make(d.outputs);
  block->kernel = (const float4 *)d.d_kernel;
  block->weights.bias =
      (const float4 *)block_keep(placement, PLACE_BIAS, shared, d.d_bias, (int64_t)4 * S, copiers);
  block->output_bias = block_keep(placement, PLACE_OUTPUT_BIAS, shared, d.d_output_bias, d.outputs, copiers);
  block->weights.inputs = inputs;
  block->weights.units = S;
  block->weights.kernel = (const float4 *)block_keep(placement, PLACE_KERNEL, shared, d.d_kernel,
                                                     (int64_t)4 * S * inputs, copiers);
  block->weights.recurrent = (const float4 *)block_keep(placement, PLACE_RECURRENT, shared, d.d_recurrent,
                                                        (int64_t)4 * S * S, copiers);
  block->output_kernel =
      block_keep(placement, PLACE_OUTPUT_KERNEL, shared, d.d_output_kernel, (int64_t)S * d.outputs, copiers);
  if (attention_has_query(d.score))
    block->row.query_kernel = block_keep(placement, PLACE_QUERY_KERNEL, shared, d.score.d_query,
                                         (int64_t)S * attention_keys_wide(d.score), copiers);
}

/* One step of row b; returns the token, the same to all threads. The state must be complete and `partial`
 * free; the new state, and nothing else that later steps read, is complete at its end. */
__device__ inline int block_decode_step(const struct decode &d, struct decoder_block &block, int b, int step,
                                        int previous) {
  int A = d.score.annotation_width, S = d.score.state_units, V = d.outputs, E = d.embedding_units;
  int64_t y = (int64_t)b * d.steps + step;
  block.row.state = block.state;
  block_attend(block.splits, d.score, block.row, d.check, b, step + 1,
               d.d_alphas ? d.d_alphas + y * block.row.time : nullptr,
               d.d_contexts ? d.d_contexts + y * A : nullptr, block.input);
  const float4 *one_hot = nullptr;
  if (d.feedback == CUSEQ_FEEDBACK_OUTPUT && d.d_embedding)
    for (int j = (int)threadIdx.x; j < E; j += (int)blockDim.x)
      block.input[A + j] = d.d_embedding[(int64_t)previous * E + j];
  else if (d.feedback == CUSEQ_FEEDBACK_OUTPUT)
    one_hot = block.kernel + ((int64_t)A + previous) * S;
  __syncthreads(); /* the cell's input is complete, partial sums of the context are read */
  block_cell(block.cell_split, block.weights, block.gates, block.input, block.state, one_hot,
             (float4 *)block.row.partial, block.next, block.cell, d.check, b, step + 1);
  __syncthreads(); /* the new state is complete, partial sums of the gates are read */
  float *swap = block.state;
  block.state = block.next;
  block.next = swap;
  if (d.d_states)
    for (int j = (int)threadIdx.x; j < S; j += (int)blockDim.x)
      d.d_states[y * S + j] = block.state[j];
  bool has_token = d.d_tokens || d.feedback == CUSEQ_FEEDBACK_OUTPUT || d.end_token >= 0;
  if (!d.d_outputs && !has_token)
    return -1;
  block_dense(block.output_split, block.state, S, block.output_kernel, block.output_bias, V, block.logits,
              block.row.partial);
  __syncthreads(); /* the logits are complete, partial sums are read */
  int token =
      block_output(block.logits, V, d.output_activation == CUSEQ_ACTIVATION_SOFTMAX,
                   d.d_outputs ? d.d_outputs + y * V : nullptr, block.row.reduce, d.check, b, step + 1);
  if (d.d_tokens && threadIdx.x == 0)
    d.d_tokens[y] = token;
  return token;
}

/* What stands behind the last step of row b, and how many there were. */
__device__ inline void block_decode_fill(const struct decode &d, int b, int steps, int time) {
  int64_t Y = d.steps, first = b * Y + steps;
  int left = d.steps - steps;
  if (d.d_contexts)
    block_fill(d.d_contexts + first * d.score.annotation_width, 0.0f, left * d.score.annotation_width);
  if (d.d_alphas)
    block_fill(d.d_alphas + first * time, 0.0f, left * time);
  if (d.d_states)
    block_fill(d.d_states + first * d.score.state_units, 0.0f, left * d.score.state_units);
  if (d.d_outputs)
    block_fill(d.d_outputs + first * d.outputs, 0.0f, left * d.outputs);
  for (int y = (int)threadIdx.x; d.d_tokens && y < left; y += (int)blockDim.x)
    d.d_tokens[first + y] = d.end_token;
  if (d.d_output_lengths && threadIdx.x == 0)
    d.d_output_lengths[b] = steps;
}

/* All steps of row b, from block.state and block.cell, which must be complete; `partial` must be free. Ends
 * without a barrier: the block's arrays may still be read by some threads. */
__device__ inline void block_decode_row(const struct decode &d, struct decoder_block &block, int b) {
  int S = d.score.state_units;
  int previous = d.d_previous ? d.d_previous[b] : d.start_token;
  int step = 0;
  for (bool ended = false; step < d.steps && !ended; step++) {
    previous = block_decode_step(d, block, b, step, previous);
    ended = d.end_token >= 0 && previous == d.end_token;
  }
  block_decode_fill(d, b, step, block.row.time);
  for (int j = (int)threadIdx.x; j < S; j += (int)blockDim.x) {
    if (d.d_final_h)
      d.d_final_h[(int64_t)b * S + j] = block.state[j];
    if (d.d_final_c)
      d.d_final_c[(int64_t)b * S + j] = block.cell[j];
  }
}

/* What is wrong with a decoder, its score apart; NULL when nothing is. */
static inline const char *decode_fault(const struct decode *d) {
  if (d->steps < 1 || d->outputs < 1)
    return "steps or outputs below 1";
  int64_t S = d->score.state_units, A = d->score.annotation_width, widest = S > A ? S : A;
  widest = widest > d->outputs ? widest : d->outputs;
  widest = widest > d->time ? widest : d->time;
  if (d->steps * widest > INT32_MAX) /* offsets in a row are 32 bits wide */
    return "a row's outputs are too many (needed steps times A, S, T and V below 2^31)";
  if (!d->d_kernel || !d->d_recurrent || !d->d_bias || !d->d_output_kernel || !d->d_output_bias)
    return "weights are missing";
  if (d->embedding_units < 0 || (d->embedding_units > 0) != (d->d_embedding != nullptr))
    return "embedding_units and d_embedding must be given together";
  if (d->end_token >= d->outputs)
    return "the end token is no class";
  if (d->feedback == CUSEQ_FEEDBACK_OUTPUT && !d->d_previous &&
      (d->start_token < 0 || d->start_token >= d->outputs))
    return "the start token is no class";
  if (d->start.state_units != d->score.state_units)
    return "the initial state's width differs from the score's";
  return nullptr;
}

#endif
