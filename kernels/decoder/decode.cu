/* The whole decoder loop in one launch. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/decode_small.cuh"

/* Where a row's annotations and keys are: in shared memory where they have a place; copied there by the
 * copiers. Complete after block_copies_wait() and the next barrier. */
static __device__ __forceinline__ void decode_stage(const struct decode &d, const struct placement &placement,
                                                    int b, int length, const struct block_copiers &copiers,
                                                    float *shared, const float **annotations,
                                                    const float **keys) {
  int A = d.score.annotation_width, U = attention_keys_wide(d.score);
  int64_t T = d.time;
  *annotations = block_keep(placement, PLACE_ANNOTATIONS, shared, d.d_annotations + b * T * A,
                            (int64_t)length * A, copiers);
  *keys = d.score.score == CUSEQ_SCORE_DOT
              ? *annotations
              : block_keep(placement, PLACE_KEYS, shared, d.d_keys + b * T * U, (int64_t)length * U, copiers);
}

/* Row b of a small model. ATTENDS: by the warps that do; all threads are here at the same time. */
template <bool ATTENDS>
static __device__ __forceinline__ void
decode_small_row(const struct decode &d, const struct placement &placement, int b, float *shared,
                 const struct small_score &score, const struct small_cell &cell,
                 struct small_attention *attention, struct small_writer *writer) {
  const struct block_copiers all = {(int)threadIdx.x, (int)blockDim.x};
  int H = d.start.units;
  int64_t offset = (int64_t)b * H;
  float *partial = placed(placement, PLACE_PARTIAL, shared, nullptr);
  float *first_c = placed(placement, PLACE_CELL, shared, nullptr);
  int A = d.score.annotation_width;
  struct small_source source = {nullptr, nullptr, A, A, score.units, b};
  decode_stage(d, placement, b, d.d_lengths ? d.d_lengths[b] : d.time, all, shared, &source.annotations,
               &source.keys);
  small_begin(d, b, source, d.start.d_final_h + offset, d.start.d_final_c + offset, (int64_t)d.batch * H,
              partial, first_c);
  block_copies_wait();
  small_barrier(); /* annotations, keys and the state are complete */
  /* Places are found again: registers are short with all weights in them. */
  int number = b;
  asm volatile("" : "+r"(number));
  struct small_row row =
      small_row_make(d, number, partial, placed(placement, PLACE_ENERGIES, shared, nullptr));
  small_decode_row<ATTENDS>(d, row, small_kept_source(row), score, cell, attention, writer, first_c);
  small_barrier(); /* this row's arrays are read before the next row's come */
}

/* All rows of a block of a small model. */
static __device__ __forceinline__ void decode_small(const struct decode &d, const struct placement &placement,
                                                    const struct small_score &score, float *shared) {
  struct small_cell cell;
  small_load_cell<false>(cell, d, d.d_kernel);
  small_load_gate(cell, device_gates_make(d.activation, d.recurrent_activation),
                  placed(placement, PLACE_PARTIAL, shared, nullptr));
  if (small_warp() < SMALL_ATTENDING) {
    struct small_attention attention;
    small_load_recurrent<false>(attention, d, d.d_recurrent);
    small_load_query(attention, d.score.state_units, score.units, d.score.d_query);
    for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x)
      decode_small_row<true>(d, placement, b, shared, score, cell, &attention, nullptr);
  } else {
    struct small_writer writer;
    small_load_recurrent<false>(writer, d, d.d_recurrent);
    small_load_biases(writer, d, d.d_bias);
    small_load_output(writer, d, d.d_output_kernel, d.d_output_bias);
    for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x)
      decode_small_row<false>(d, placement, b, shared, score, cell, nullptr, &writer);
  }
}

/* All rows of a block of any model. */
static __device__ __forceinline__ void decode_any(const struct decode &d, const struct placement &placement,
                                                  float *shared) {
  struct decoder_block block;
  const struct block_copiers all = {(int)threadIdx.x, (int)blockDim.x};
  decoder_block_make(&block, d, placement, shared,
                     (float *)d.d_workspace + blockIdx.x * placement.workspace_floats, all);
  block.row.time = d.time;
  for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x) {
    block.row.length = d.d_lengths ? d.d_lengths[b] : d.time;
    decode_stage(d, placement, b, block.row.length, all, shared, &block.row.annotations, &block.row.keys);
    const struct initial_state &start = d.start;
    int64_t offset = (int64_t)b * start.units, stride = (int64_t)d.batch * start.units;
    block_start_state(start, false, b, start.d_final_h + offset, stride, block.state);
    block_start_state(start, true, b, start.d_final_c + offset, stride, block.cell);
    block_copies_wait();
    __syncthreads(); /* weights, annotations, keys and the state are complete */
    block_decode_row(d, block, b);
    __syncthreads(); /* this row's arrays are read before the next row's come */
  }
}

/* computes  for every row and step: attention over the annotations with the previous state, the LSTM cell
 *           over concat(context, fed back), output = softmax or linear(s O + o), token = argmax; a row ends
 *           at its end token
 * shapes    as in launch_attention.h: any S, A, U, T, V, E, Y
 * mapping   block = row, then the row gridDim.x further on; all steps of a row without leaving the block.
 *           Small models: as decode_small.cuh says. Others, a step: query (thread = part of S, unit),
 *           energies (1..32 lanes a position), softmax, context (part of T, column), gates (thread = part of
 *           A+E+S, unit: its four gates), output (part of S, class), argmax
 * launch    grid min(B, SMs), block 256, dynamic shared memory: the placement: partial sums, vectors, then
 *           copies of keys, annotations, query, output, recurrent and input weights while there is room
 * budget    256 registers; 4.5 KB + 4 (3 S + A + E + U + T + V) bytes of shared memory and what is kept, at
 *           most the device's limit; the dates: 148.7 KB with everything kept
 * numerics  float32; every sum in a fixed order that depends on S, A, U, V and not on the batch or T:
 *           deterministic
 * cost      a step of the dates (S 64, A 64, T 30, U 10, V 11): bench/machine/table.md
 * why       one launch at any size. What is kept is read from memory once per block, not once per step; a
 *           small model's weights once per block, into registers */
__global__ void __launch_bounds__(DECODE_THREADS, 1)
    decode_kernel(const __grid_constant__ struct decode d, const __grid_constant__ struct placement placement,
                  bool is_small) {
  extern __shared__ float4 shared4[];
  float *shared = (float *)shared4;
  struct small_score score;
  score.is_bounded = false;
  if (is_small)
    score = small_load_score(d.score);
  if (score.is_bounded)
    decode_small(d, placement, score, shared);
  else
    decode_any(d, placement, shared);
}

extern "C" const char *decode_small_fault(const struct decode *d) {
  const struct attention_score *s = &d->score;
  if (s->state_units > DECODE_SMALL_STATE || s->annotation_width > DECODE_SMALL_INPUTS)
    return "S and A of at most 64";
  if (d->outputs < 1 || d->outputs > DECODE_SMALL_CLASSES)
    return "at most 32 classes";
  if (d->embedding_units > 0)
    return "tokens without an embedding";
  if (!attention_has_query(*s) || (s->score == CUSEQ_SCORE_CONCAT && s->layers > 2))
    return "score additive, or concat with one layer or two";
  if (attention_keys_wide(*s) > DECODE_SMALL_KEYS)
    return "keys of at most 16 units";
  if (s->score == CUSEQ_SCORE_CONCAT && s->activation[0] != CUSEQ_ACTIVATION_TANH)
    return "tanh over the keys";
  if (s->score == CUSEQ_SCORE_CONCAT && s->layers == 2 && s->activation[1] != CUSEQ_ACTIVATION_LINEAR &&
      s->activation[1] != CUSEQ_ACTIVATION_RELU)
    return "energies that are linear or relu";
  return nullptr;
}

static struct placement decode_placement(const struct decode *d, const struct launch_device *device) {
  struct placement placement = placement_make(device->shared_bytes);
  bool is_repeated = d->steps > 1 || d->batch > device->multiprocessors;
  decode_place_vectors(&placement, d, DECODE_THREADS, d->time);
  if (!is_repeated)
    return placement;
  if (d->score.score != CUSEQ_SCORE_DOT)
    placement_add(&placement, PLACE_KEYS, (int64_t)d->time * attention_keys_wide(d->score), true);
  placement_add(&placement, PLACE_ANNOTATIONS, (int64_t)d->time * d->score.annotation_width, true);
  decode_place_weights(&placement, d);
  return placement;
}

/* Blocks for as many rows as run at once, so that weights are fetched once for all the rows of a block. */
static int32_t decode_blocks(const struct decode *d, const struct launch_device *device) {
  return device->multiprocessors < d->batch ? device->multiprocessors : d->batch;
}

/* Room for every block; the slack covers what smaller shapes lose to rounding. */
extern "C" size_t decode_workspace_bytes(const struct decode *d, const struct launch_device *device) {
  size_t floats = (size_t)decode_placement(d, device).workspace_floats, slack = 64 * PLACES;
  return floats == 0 ? 0 : (size_t)decode_blocks(d, device) * (floats + slack) * 4;
}

extern "C" cuseq_status launch_decode(const struct decode *d, const struct launch_stream *stream) {
  static const char *const name = "launch_decode";
  const char *fault = attention_score_fault(&d->score);
  fault = fault ? fault : initial_state_fault(&d->start, true);
  fault = fault ? fault : initial_state_source_fault(&d->start, true);
  fault = fault ? fault : decode_fault(d);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  LAUNCH_NEED(d->batch >= 1 && d->time >= 1, "%s: batch or time below 1 (found %d, %d)", name, (int)d->batch,
              (int)d->time);
  LAUNCH_NEED(d->d_annotations && (d->d_keys || d->score.score == CUSEQ_SCORE_DOT),
              "%s: annotations or keys are NULL", name);
  struct placement placement = decode_placement(d, stream->device);
  LAUNCH_NEED(placement.workspace_floats == 0 || d->d_workspace, "%s: a workspace is needed", name);
  size_t bytes = (size_t)placement.shared_floats * 4;
  cuseq_status status = launch_allow_shared(stream, name, decode_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  /* The two ways have their sums in other orders, so that T must not choose: only what has no room, beyond
   * some 10,000 positions, cannot go the first one. */
  bool is_small = !decode_small_fault(d) && placement.workspace_floats == 0;
  int32_t blocks = decode_blocks(d, stream->device);
  decode_kernel<<<(unsigned)blocks, DECODE_THREADS, bytes, (cudaStream_t)stream->stream>>>(*d, placement,
                                                                                           is_small);
  return launch_result(stream, name, cudaGetLastError());
}
