/* Small models from the input to the last token in one launch. */
#include "decode_row.cuh"
#include "encoder_row.cuh"
#include "launch_error.cuh"

enum { THREADS = 256, UNITS_MOST = 32, STATE_MOST = 64 };

struct whole_parameters {
  struct lstm_parameters encoder;
  struct decode d;
  struct placement placement;
};

/* Rows of annotations in shared memory are an odd number of floats apart. */
__host__ __device__ static int annotation_stride(int A) {
  return A | 1;
}

/* The annotations [T,A], 0 behind the row's length, and the final states to where they are wanted. */
static __device__ void whole_store(const struct lstm_sequence &a, int b, int length, int A,
                                   const float *annotations, const float *final_states) {
  int columns = a.directions * a.units;
  if (a.d_output[0]) {
    float *target = a.d_output[0] + (int64_t)b * a.time * A;
    for (int n = (int)threadIdx.x; n < length * A; n += (int)blockDim.x)
      target[n] = annotations[n / A * annotation_stride(A) + n % A];
    block_fill(target + (int64_t)length * A, 0.0f, (int64_t)(a.time - length) * A);
  }
  for (int n = (int)threadIdx.x; n < columns; n += (int)blockDim.x) {
    int64_t state = ((int64_t)(n / a.units) * a.batch + b) * a.units + n % a.units;
    if (a.d_final_h)
      a.d_final_h[state] = final_states[n];
    if (a.d_final_c)
      a.d_final_c[state] = final_states[columns + n];
  }
}

/* The encoder over row b: annotations, keys, the decoder's initial state; weights come meanwhile where `fetches`. */
template <class core>
static __device__ void whole_encode(const struct whole_parameters &p, struct decoder_block &block, int b,
                                    float *shared, bool fetches) {
  const struct lstm_sequence &a = p.encoder.a;
  const struct decode &d = p.d;
  const struct placement &placement = p.placement;
  int A = d.score.annotation_width, chain_threads = a.directions * core::THREADS;
  float4 *products = (float4 *)placed(placement, PLACE_PRODUCTS, shared, nullptr);
  float *annotations = placed(placement, PLACE_ANNOTATIONS, shared, nullptr);
  float *final_states = placed(placement, PLACE_FINAL, shared, nullptr);
  int length = block.row.length, thread = (int)threadIdx.x;
  if (a.d_ids)
    block_gather(a, b, length, products);
  else
    block_products(a, b, length, placed(placement, PLACE_STAGE, shared, nullptr), products);
  __syncthreads(); /* x W is complete */
  if (thread < chain_threads) {
    lstm_row row(a, b, thread / core::THREADS);
    float *hidden = placed(placement, PLACE_HIDDEN, shared, nullptr) + row.d * 2 * core::HIDDEN;
    warp_encode<core>(p.encoder, row, products, hidden, annotations, final_states);
  } else if (fetches) {
    const struct block_copiers copiers = {thread - chain_threads, THREADS - chain_threads};
    block_keep(placement, PLACE_KEY_KERNEL, shared, d.score.d_key, (int64_t)A * attention_keys_wide(d.score),
               copiers);
    if (d.outputs > 0)
      decoder_block_make(&block, d, placement, shared, nullptr, copiers);
  }
  __syncthreads(); /* annotations, final states and weights are complete */
  whole_store(a, b, length, A, annotations, final_states);
  block.row.annotations = annotations;
  block.row.stride = annotation_stride(A);
  block.row.keys = annotations;
  block.row.key_stride = block.row.stride;
  if (d.score.score != CUSEQ_SCORE_DOT) {
    float *keys = placed(placement, PLACE_KEYS, shared, nullptr);
    block_keys(annotations, block.row.stride, placed(placement, PLACE_KEY_KERNEL, shared, nullptr),
               d.score.d_key_bias, length, A, attention_keys_wide(d.score), keys);
    block.row.keys = keys;
    block.row.key_stride = attention_keys_wide(d.score);
  }
  block_start_state(d.start, false, b, final_states, a.units, block.state);
  if (d.outputs > 0)
    block_start_state(d.start, true, b, final_states + a.directions * a.units, a.units, block.cell);
}

template <class core> static __device__ void whole_block(const struct whole_parameters &p, float *shared) {
  const struct decode &d = p.d;
  struct decoder_block block;
  const struct block_copiers none = {-1, 0};
  if (d.outputs > 0) {
    decoder_block_make(&block, d, p.placement, shared, nullptr, none);
  } else {
    attention_row_place(&block.row, d.score, p.placement, shared, nullptr);
    block.state = placed(p.placement, PLACE_STATE, shared, nullptr);
  }
  block.row.time = d.time;
  float *first_state = block.state, *first_next = block.next;
  for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x) {
    block.row.length = d.d_lengths ? d.d_lengths[b] : d.time;
    block.state = first_state;
    block.next = first_next;
    whole_encode<core>(p, block, b, shared, b == (int)blockIdx.x);
    __syncthreads(); /* keys and the initial state are complete */
    if (d.outputs > 0)
      block_decode_row(d, block, b);
    else
      block_attend(d.score, block.row, d.d_alphas ? d.d_alphas + (int64_t)b * d.time : nullptr,
                   d.d_contexts ? d.d_contexts + (int64_t)b * d.score.annotation_width : nullptr, nullptr);
    __syncthreads(); /* this row's arrays are read before the next row's come */
  }
}

/* computes  encoder of one layer, keys, and the decoder loop (or one attention step), of every row
 * shapes    as in launch_attention.h; one block makes a row, then the row gridDim.x further on
 * mapping   x W of all positions by the whole block (ids: gathered; dense x: thread = column of four positions); then one warp
 *           per direction walks the recurrence (lstm_cores.cuh) while the other warps fetch the decoder's weights into shared
 *           memory; keys: thread = (t, unit); the decoder loop as in decode.cu. All in shared memory between them
 * launch    grid min(B, SMs), 256 threads, dynamic shared memory: the placement
 * budget    255 registers; shared memory: W1 47.5 KB, the dates 182.3 KB (ids) at T = 30, all weights kept
 * numerics  bit for bit those of lstm_sequence, attention_keys and decode (attend); deterministic, rows independent
 * why       one launch, nothing between the stages passes through global memory; weights are fetched once per block */
__global__ void __launch_bounds__(THREADS, 1)
    whole_model_16(const __grid_constant__ struct whole_parameters p) {
  extern __shared__ float4 shared[];
  whole_block<lstm_core_warp16>(p, (float *)shared);
}

__global__ void __launch_bounds__(THREADS, 1)
    whole_model_32(const __grid_constant__ struct whole_parameters p) {
  extern __shared__ float4 shared[];
  whole_block<lstm_core_warp32>(p, (float *)shared);
}

static struct placement whole_placement(const struct whole_model *model, const struct launch_device *device) {
  const struct lstm_sequence *a = &model->encoder;
  const struct decode *d = &model->decode;
  int64_t columns = (int64_t)a->directions * a->units, T = a->time;
  int64_t A = d->score.annotation_width, U = attention_keys_wide(d->score);
  struct placement placement = placement_make(device->shared_bytes);
  if (d->outputs > 0)
    decode_place_vectors(&placement, d, THREADS, T);
  else
    attention_place(&placement, &d->score, THREADS, T);
  placement_add(&placement, PLACE_HIDDEN, a->directions * 2 * UNITS_MOST, false);
  placement_add(&placement, PLACE_FINAL, 2 * columns, false);
  placement_add(&placement, PLACE_ANNOTATIONS, T * annotation_stride((int)A), false);
  if (d->score.score != CUSEQ_SCORE_DOT) {
    placement_add(&placement, PLACE_KEYS, T * U, false);
    placement_add(&placement, PLACE_KEY_KERNEL, A * U, false);
  }
  placement_add(&placement, PLACE_PRODUCTS, T * columns * 4, false);
  if (!a->d_ids)
    placement_add(&placement, PLACE_STAGE, stage_floats(a->features, a->time, (int)columns), false);
  if (d->outputs > 0)
    decode_place_weights(&placement, d);
  return placement;
}

extern "C" int32_t whole_model_possible(const struct whole_model *model, const struct launch_device *device) {
  const struct lstm_sequence *a = &model->encoder;
  if (a->units < 1 || a->units > UNITS_MOST || a->directions < 1 || a->directions > 2 || a->time < 1)
    return 0;
  if (a->directions == 2 && model->merge != CUSEQ_MERGE_CONCAT)
    return 0;
  if (model->decode.score.annotation_width != a->directions * a->units)
    return 0;
  if (model->decode.score.state_units >
      STATE_MOST) /* launch_decode would take more threads, and give other bits */
    return 0;
  return whole_placement(model, device).workspace_floats == 0;
}

static const char *whole_fault(const struct whole_model *model, const struct launch_device *device) {
  const struct lstm_sequence *a = &model->encoder;
  const struct decode *d = &model->decode;
  const char *fault = attention_score_fault(&d->score);
  fault = fault ? fault : initial_state_fault(&d->start, d->outputs > 0);
  fault = fault || d->outputs == 0 ? fault : decode_fault(d);
  if (fault)
    return fault;
  if (d->start.state_units != d->score.state_units)
    return "the initial state's width differs from the score's";
  if (a->batch < 1)
    return "batch below 1";
  if ((a->d_ids != nullptr) == (a->d_x != nullptr) || a->features < 1)
    return "either ids or x is needed, and features";
  if (!a->d_kernel || !a->d_recurrent || !a->d_bias)
    return "the encoder's weights are missing";
  if (d->score.score != CUSEQ_SCORE_DOT && !d->score.d_key)
    return "the score's key weights are missing";
  return whole_model_possible(model, device) ? nullptr : "the model does not fit into one launch";
}

extern "C" cuseq_status launch_whole_model(const struct whole_model *model,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_whole_model";
  const char *fault = whole_fault(model, stream->device);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  const struct lstm_sequence *a = &model->encoder;
  struct whole_parameters p = {{*a, device_gates_make(a->activation, a->recurrent_activation)},
                               model->decode,
                               whole_placement(model, stream->device)};
  p.encoder.a.d_order = nullptr;
  p.encoder.a.leading = annotation_stride(model->decode.score.annotation_width);
  p.d.batch = a->batch;
  p.d.time = a->time;
  p.d.d_lengths = a->d_lengths;
  size_t bytes = (size_t)p.placement.shared_floats * 4;
  void (*kernel)(const struct whole_parameters) = a->units <= 16 ? whole_model_16 : whole_model_32;
  cuseq_status status = launch_allow_shared(stream, name, kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  int32_t blocks = stream->device->multiprocessors < a->batch ? stream->device->multiprocessors : a->batch;
  kernel<<<(unsigned)blocks, THREADS, bytes, (cudaStream_t)stream->stream>>>(p);
  return launch_result(stream, name, cudaGetLastError());
}
