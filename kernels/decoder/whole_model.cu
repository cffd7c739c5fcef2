/* Small models from the input to the last token in one launch. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/decode_row.cuh"
#include "kernels/recurrence/encoder_row.cuh"

enum {
  UNITS_MOST = 64,
  STATE_MOST = 128,
  TIME_MOST = 512,     /* longer rows attend by several blocks (attend.cu)                                  */
  STEPS_LEAST = 8,     /* of a pass                                                                         */
  STAGE_FLOATS = 8192, /* about what slices of x and W may take                                             */
};

struct whole_parameters {
  struct sequence_parameters encoder; /* the first layer; leading: of annotations in shared memory */
  struct whole_layer above[WHOLE_MODEL_LAYERS_MOST - 1];
  int layers, steps,
      slice;  /* steps: of a pass, at most; slice: features of x and W that are staged at once */
  bool keeps; /* all of the decoder's weights in shared memory */
  cuseq_merge merge;
  struct decode d;
  struct placement placement;
};

/* Layer l for row b: its weights, and what lies below it. */
static __device__ __forceinline__ struct encoder_layer whole_layer_make(const struct whole_parameters &p,
                                                                        int l, int b, const float *below) {
  const struct sequence &a = p.encoder.a;
  struct whole_layer w = {a.d_kernel, a.d_recurrent, a.d_bias};
#pragma unroll
  for (int i = 1; i < WHOLE_MODEL_LAYERS_MOST; i++)
    if (l == i)
      w = p.above[i - 1];
  int64_t state = ((int64_t)l * a.directions * a.batch + b) * a.units;
  struct encoder_layer layer;
  layer.kernel = (const float4 *)w.d_kernel;
  layer.recurrent = w.d_recurrent;
  layer.bias = (const float4 *)w.d_bias;
  layer.ids = l == 0 && a.d_ids ? a.d_ids + (int64_t)b * a.time : nullptr;
  layer.input = l > 0 ? below : a.d_x ? a.d_x + (int64_t)b * a.time * a.features : nullptr;
  layer.rows = nullptr;
  layer.features = l > 0 ? p.d.score.annotation_width : a.features;
  layer.apart = l > 0 ? (int)a.leading : a.features;
  layer.initial_h = a.d_initial_h ? a.d_initial_h + state : nullptr;
  layer.initial_c = a.d_initial_c ? a.d_initial_c + state : nullptr;
  return layer;
}

/* A layer's final states, and the last one's annotations [T,A], 0 behind the row's length, to where they are wanted. */
static __device__ __forceinline__ void whole_store(const struct whole_parameters &p, int l, int b, int length,
                                                   const float *annotations, const float *states) {
  const struct sequence &a = p.encoder.a;
  int columns = a.directions * a.units, A = p.d.score.annotation_width;
  if (a.d_output[0] && l == p.layers - 1) {
    float *target = a.d_output[0] + (int64_t)b * a.time * A;
    for (int n = (int)threadIdx.x; n < length * A; n += (int)blockDim.x) {
      int t = n / A;
      target[n] = annotations[t * (int)a.leading + n - t * A];
    }
    block_fill(target + length * A, 0.0f, (a.time - length) * A);
  }
  for (int n = (int)threadIdx.x; n < columns; n += (int)blockDim.x) {
    bool upper = n >= a.units;
    int64_t chain = ((int64_t)l * a.directions + upper) * a.batch + b,
            state = chain * a.units + n - (upper ? a.units : 0);
    if (a.d_final_h)
      a.d_final_h[state] = states[n];
    if (a.d_final_c)
      a.d_final_c[state] = states[columns + n];
  }
}

/* The weights of keys and decoder into shared memory, by some of the threads; the rest of the block goes on meanwhile. */
static __device__ __forceinline__ void whole_fetch(const struct whole_parameters &p, float *shared,
                                                   const struct block_copiers &copiers) {
  const struct attention_score &score = p.d.score;
  struct decoder_block
      block; /* its places are found again after the encoder: registers are short until then */
  if (score.score != CUSEQ_SCORE_DOT)
    block_keep(p.placement, PLACE_KEY_KERNEL, shared, score.d_key,
               score.annotation_width * attention_keys_wide(score), copiers);
  if (p.d.outputs > 0)
    decoder_block_make(&block, p.d, p.placement, shared, nullptr, copiers);
}

/* Where the encoder stands: a row, and the number of a pass over it in one of the layers. The rest follows from the two, and is
 * found again after a recurrence: registers are short while U is in them. */
struct whole_place {
  int length, layer, passes;
  struct encoder_pass pass;
  float *annotations, *below; /* what the layer makes, and the layer below it made */
  __device__ __forceinline__ whole_place(const struct whole_parameters &p, int b, int number, float *shared) {
    length = p.d.d_lengths ? p.d.d_lengths[b] : p.d.time;
    passes = (length + p.steps - 1) / p.steps;
    layer = number / passes;
    pass = encoder_pass_make(length, (number - layer * passes) * p.steps, p.steps);
    bool is_even = ((p.layers - 1 - layer) & 1) == 0; /* layers write two arrays in turns */
    annotations = placed(p.placement, is_even ? PLACE_ANNOTATIONS : PLACE_BELOW, shared, nullptr);
    below = placed(p.placement, is_even ? PLACE_BELOW : PLACE_ANNOTATIONS, shared, nullptr);
  }
};

/* x W of a pass. Weights come meanwhile where `fetches`. */
template <class core>
static __device__ __forceinline__ void whole_multiply(const struct whole_parameters &p, int b, int number,
                                                      float *shared, bool fetches) {
  const struct sequence &a = p.encoder.a;
  struct whole_place place(p, b, number, shared);
  struct encoder_layer layer = whole_layer_make(p, place.layer, b, place.below);
  float4 *products = (float4 *)placed(p.placement, PLACE_PRODUCTS, shared, nullptr);
  if (layer.ids)
    block_gather(a, layer, place.pass, products);
  else
    block_products(a, layer, place.pass, p.slice, placed(p.placement, PLACE_STAGE, shared, nullptr),
                   products);
  __syncthreads(); /* x W is complete; the states of the pass before are written */
  int chain_threads = a.directions * core::THREADS,
      first = chain_threads < (int)blockDim.x ? chain_threads : 0;
  if (fetches && (int)threadIdx.x >= first) {
    const struct block_copiers copiers = {(int)threadIdx.x - first, (int)blockDim.x - first};
    whole_fetch(p, shared, copiers);
  }
}

/* The recurrence of a pass by the first threads of the block. */
template <class core>
static __device__ __forceinline__ void whole_recur(const struct whole_parameters &p, int b, int number,
                                                   float *shared) {
  int thread = (int)threadIdx.x;
  if (thread < p.encoder.a.directions * core::THREADS) {
    struct whole_place place(p, b, number, shared);
    chain_row row(p.encoder.a, b, thread >= core::THREADS ? 1 : 0);
    struct encoder_layer layer = whole_layer_make(p, place.layer, b, place.below);
    float *hidden = placed(p.placement, PLACE_HIDDEN, shared, nullptr) + row.d * 2 * core::HIDDEN;
    const float4 *products = (const float4 *)placed(p.placement, PLACE_PRODUCTS, shared, nullptr);
    chain_encode<core>(p.encoder, layer, row, place.pass, products, hidden, place.annotations,
                       placed(p.placement, PLACE_FINAL, shared, nullptr));
  }
  block_copies_wait();
  __syncthreads(); /* annotations, states and fetched weights are complete, x W is read */
}

/* What follows the last pass of a layer: the merge, and results. */
static __device__ __forceinline__ void whole_finish(const struct whole_parameters &p, int b,
                                                    const struct whole_place &place, float *shared) {
  const struct sequence &a = p.encoder.a;
  if (a.directions == 2 && p.merge != CUSEQ_MERGE_CONCAT) {
    block_merge(p.merge, place.annotations, (int)a.leading, place.length, a.units, a.check, b);
    __syncthreads(); /* the merged annotations are complete */
  }
  whole_store(p, place.layer, b, place.length, place.annotations,
              placed(p.placement, PLACE_FINAL, shared, nullptr));
}

/* All layers over row b. */
template <class core>
static __device__ __forceinline__ void whole_encode(const struct whole_parameters &p, int b, float *shared,
                                                    bool fetches) {
  bool is_done = false;
  for (int number = 0; !is_done; number++) {
    whole_multiply<core>(p, b, number, shared, fetches && number == 0);
    whole_recur<core>(p, anew(b), anew(number), shared);
    struct whole_place place(p, anew(b), anew(number), shared);
    bool ends = number + 1 == (place.layer + 1) * place.passes;
    if (ends)
      whole_finish(p, b, place, shared);
    is_done = ends && place.layer == p.layers - 1;
  }
}

/* Places of the block's arrays, the row's keys and the initial state. Complete after the next barrier. */
template <bool KEPT>
static __device__ __forceinline__ void whole_begin(const struct whole_parameters &p,
                                                   struct decoder_block *block, int b, float *shared) {
  const struct sequence &a = p.encoder.a;
  const struct decode &d = p.d;
  const struct block_copiers none = {-1, 0};
  if (d.outputs > 0) {
    decoder_block_make<KEPT>(block, d, p.placement, shared, nullptr, none);
  } else {
    block->splits = attention_splits_make(d.score);
    attention_row_place(&block->row, d.score, p.placement, shared, nullptr);
    block->state = placed(p.placement, PLACE_STATE, shared, nullptr);
  }
  float *annotations = placed(p.placement, PLACE_ANNOTATIONS, shared, nullptr);
  int length = d.d_lengths ? d.d_lengths[b] : d.time;
  block->row.length = length;
  block->row.time = d.time;
  block->row.annotations = annotations;
  block->row.stride = (int)a.leading;
  block->row.keys = annotations;
  block->row.key_stride = block->row.stride;
  if (d.score.score != CUSEQ_SCORE_DOT) {
    int A = d.score.annotation_width, U = attention_keys_wide(d.score);
    float *keys = placed(p.placement, PLACE_KEYS, shared, nullptr);
    const float *kernel = block_keep(p.placement, PLACE_KEY_KERNEL, shared, d.score.d_key, A * U, none);
    block_keys(annotations, (int)a.leading, kernel, d.score.d_key_bias, length, A, U, keys);
    block->row.keys = keys;
    block->row.key_stride = U;
  }
  const float *states = placed(p.placement, PLACE_FINAL, shared, nullptr);
  block_start_state(d.start, false, b, states, a.units, block->state);
  if (d.outputs > 0)
    block_start_state(d.start, true, b, states + a.directions * a.units, a.units, block->cell);
}

/* The decoder loop of a row; KEPT: its weights are all in shared memory. */
template <bool KEPT>
static __device__ __forceinline__ void whole_decode(const struct whole_parameters &p, int row,
                                                    float *shared) {
  struct decoder_block block;
  whole_begin<KEPT>(p, &block, row, shared);
  __syncthreads(); /* keys and the initial state are complete */
  block_decode_row(p.d, block, row);
}

/* One attention step of a row. */
static __device__ __forceinline__ void whole_attend(const struct whole_parameters &p, int row,
                                                    float *shared) {
  const struct decode &d = p.d;
  struct decoder_block block;
  whole_begin<false>(p, &block, row, shared);
  __syncthreads(); /* keys and the initial state are complete */
  block_attend(block.splits, d.score, block.row, d.check, row, 1,
               d.d_alphas ? d.d_alphas + (int64_t)row * d.time : nullptr,
               d.d_contexts ? d.d_contexts + (int64_t)row * d.score.annotation_width : nullptr, nullptr);
}

template <class core> static __device__ void whole_block(const struct whole_parameters &p, float *shared) {
  const struct decode &d = p.d;
  for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x) {
    whole_encode<core>(p, b, shared, b == (int)blockIdx.x);
    int row = anew(b);
    if (d.outputs > 0 && p.keeps)
      whole_decode<true>(p, row, shared);
    else if (d.outputs > 0)
      whole_decode<false>(p, row, shared);
    else
      whole_attend(p, row, shared);
    __syncthreads(); /* this row's arrays are read before the next row's come */
  }
}

/* computes  encoder of one or few layers, keys, and the decoder loop (or one attention step), of every row
 * shapes    as in launch_attention.h; one block makes a row, then the row gridDim.x further on
 * mapping   x W of a pass - all positions, where they have room - by the whole block (ids: gathered; dense x: thread = column
 *           of four positions); then one warp (H > 32: four) per direction walks the recurrence (cores.cuh) while the
 *           other warps, or asynchronous copies, fetch the decoder's weights into shared memory; layers one after the other;
 *           keys: thread = (t, unit); the decoder loop as in decode.cu. All in shared memory between them
 * launch    grid min(B, SMs), block 256, dynamic shared memory: the placement
 * budget    242 registers; shared memory: W1 47.6 KB, the dates 182.4 KB (ids) at T = 30, all weights kept
 * numerics  bit for bit those of sequence, layer_merge, attention_keys and decode (attend); deterministic, rows independent
 * cost      the dates, batch 1: 3.55 million thread instructions (4.60 with 64-bit indices in place of pointers that move);
 *           a cell step and a step of the decoder as in sequence_warp.cu and decode.cu
 * why       one launch, nothing between the stages passes through global memory; weights are fetched once per block, U once
 *           per pass */
#define WHOLE_MODEL_KERNEL(name, core)                                                                       \
  static __global__ void __launch_bounds__(DECODE_THREADS, 1)                                                \
      name(const __grid_constant__ struct whole_parameters p) {                                              \
    extern __shared__ float4 shared[];                                                                       \
    whole_block<core>(p, (float *)shared);                                                                   \
  }

WHOLE_MODEL_KERNEL(whole_model_16, core_warp16<cell_lstm>)
WHOLE_MODEL_KERNEL(whole_model_32, core_warp32<cell_lstm>)
WHOLE_MODEL_KERNEL(whole_model_64, core_block64<cell_lstm>)

/* Rows of annotations in shared memory are an odd number of floats apart. */
static int annotation_stride(const struct sequence *a) {
  return (a->directions * a->units) | 1;
}

/* What slices of x and W may take: a quarter of a small device's shared memory. */
static int stage_most(const struct launch_device *device) {
  int quarter = device->shared_bytes / 16;
  return quarter < STAGE_FLOATS ? quarter : STAGE_FLOATS;
}

/* How many features of x and W are staged at once in passes of `steps`: all, or what there is room for; 0: there are none.
 * Layers above the first have dense input. *floats is what they take. */
static int stage_features(const struct whole_model *model, int steps, const struct launch_device *device,
                          int64_t *floats) {
  const struct sequence *a = &model->encoder;
  int each = (steps < a->time ? 2 : 1) * steps + 4 * a->directions * a->units;
  int features = a->d_ids ? 0 : a->features, below = model->decode.score.annotation_width;
  features = model->layers > 1 && below > features ? below : features;
  int fit = stage_most(device) / each < 1 ? 1 : stage_most(device) / each;
  int slice = fit < features ? fit : features;
  *floats = (int64_t)slice * each;
  return slice;
}

/* The places with passes of `steps`; *all says whether all copies of weights have one. */
static struct placement whole_place(const struct whole_model *model, int steps,
                                    const struct launch_device *device, bool *all) {
  const struct sequence *a = &model->encoder;
  const struct decode *d = &model->decode;
  int64_t columns = (int64_t)a->directions * a->units, T = a->time;
  int64_t A = d->score.annotation_width, U = attention_keys_wide(d->score);
  struct placement placement = placement_make(device->shared_bytes);
  if (d->outputs > 0)
    decode_place_vectors(&placement, d, DECODE_THREADS, T);
  else
    attention_place(&placement, &d->score, DECODE_THREADS, T);
  placement_add(&placement, PLACE_HIDDEN, a->directions * 2 * core_block64<cell_lstm>::HIDDEN, false);
  placement_add(&placement, PLACE_FINAL, 2 * columns, false);
  placement_add(&placement, PLACE_ANNOTATIONS, T * annotation_stride(a), false);
  if (model->layers > 1)
    placement_add(&placement, PLACE_BELOW, T * annotation_stride(a), false);
  if (d->score.score != CUSEQ_SCORE_DOT)
    placement_add(&placement, PLACE_KEYS, T * U, false);
  placement_add(&placement, PLACE_PRODUCTS, steps * columns * 4, false);
  int64_t staged;
  stage_features(model, steps, device, &staged);
  placement_add(&placement, PLACE_STAGE, staged, false);
  if (d->score.score != CUSEQ_SCORE_DOT)
    placement_add(&placement, PLACE_KEY_KERNEL, A * U, true);
  if (d->outputs > 0)
    decode_place_weights(&placement, d);
  *all = (d->score.score == CUSEQ_SCORE_DOT || placement.at[PLACE_KEY_KERNEL] >= 0) &&
         (d->outputs == 0 || placement.at[PLACE_KERNEL] >= 0) && placement.workspace_floats == 0;
  return placement;
}

/* The longest pass with which everything is kept; where that is none, the longest that is possible. 0: there is none. */
static int whole_steps(const struct whole_model *model, const struct launch_device *device,
                       struct placement *placement) {
  int T = model->encoder.time, possible = 0;
  bool all = false;
  for (int steps = T; steps > 0 && !all; steps = steps == T ? (T - 1) / 8 * 8 : steps - 8) {
    struct placement found = whole_place(model, steps, device, &all);
    if (all || (possible == 0 && found.workspace_floats == 0)) {
      *placement = found;
      possible = steps;
    }
  }
  return possible;
}

extern "C" int32_t whole_model_possible(const struct whole_model *model, const struct launch_device *device) {
  const struct sequence *a = &model->encoder;
  struct placement placement;
  if (a->units < 1 || a->units > UNITS_MOST || a->directions < 1 || a->directions > 2 || a->time < 1 ||
      a->time > TIME_MOST || model->layers < 1 || model->layers > WHOLE_MODEL_LAYERS_MOST)
    return 0;
  bool is_merged = a->directions == 2 && model->merge != CUSEQ_MERGE_CONCAT;
  if (model->decode.score.annotation_width != (is_merged ? 1 : a->directions) * a->units)
    return 0;
  if (!a->d_ids && (int64_t)a->features * TIME_MOST > INT32_MAX) /* offsets are 32 bits wide */
    return 0;
  return model->decode.score.state_units <= STATE_MOST && whole_steps(model, device, &placement) > 0;
}

static const char *whole_fault(const struct whole_model *model, const struct launch_device *device) {
  const struct sequence *a = &model->encoder;
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
  for (int l = 1; l < model->layers && l < WHOLE_MODEL_LAYERS_MOST; l++)
    if (!model->above[l - 1].d_kernel || !model->above[l - 1].d_recurrent || !model->above[l - 1].d_bias)
      return "the weights of a layer are missing";
  if (d->score.score != CUSEQ_SCORE_DOT && !d->score.d_key)
    return "the score's key weights are missing";
  return whole_model_possible(model, device) ? nullptr : "the model does not fit into one launch";
}

extern "C" cuseq_status launch_whole_model(const struct whole_model *model,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_whole_model";
  const char *fault = whole_fault(model, stream->device);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  const struct sequence *a = &model->encoder;
  struct whole_parameters p;
  p.encoder.a = *a;
  p.encoder.a.d_order = nullptr;
  p.encoder.a.leading = annotation_stride(a);
  p.encoder.gates = device_gates_make(a->activation, a->recurrent_activation);
  for (int l = 0; l < WHOLE_MODEL_LAYERS_MOST - 1; l++)
    p.above[l] = model->above[l];
  p.layers = model->layers;
  p.steps = whole_steps(model, stream->device, &p.placement);
  p.keeps = model->decode.outputs > 0 && decoder_is_kept(&p.placement, &model->decode);
  int64_t staged;
  p.slice = stage_features(model, p.steps, stream->device, &staged);
  p.merge = model->merge;
  p.d = model->decode;
  p.d.batch = a->batch;
  p.d.time = a->time;
  p.d.d_lengths = a->d_lengths;
  size_t bytes = (size_t)p.placement.shared_floats * 4;
  void (*kernel)(const struct whole_parameters) = a->units <= 16   ? whole_model_16
                                                  : a->units <= 32 ? whole_model_32
                                                                   : whole_model_64;
  cuseq_status status = launch_allow_shared(stream, name, kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  int32_t blocks = stream->device->multiprocessors < a->batch ? stream->device->multiprocessors : a->batch;
  kernel<<<(unsigned)blocks, DECODE_THREADS, bytes, (cudaStream_t)stream->stream>>>(p);
  return launch_result(stream, name, cudaGetLastError());
}
