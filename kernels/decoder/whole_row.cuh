/* A whole model over one row by one block: the encoder's layers, keys, and the decoder's loop or one
 * attention step. */
#ifndef CUSEQ_KERNELS_WHOLE_ROW_CUH
#define CUSEQ_KERNELS_WHOLE_ROW_CUH

#include "kernels/decoder/decode_small.cuh"
#include "kernels/recurrence/encoder_row.cuh"

struct whole_parameters {
  struct sequence_parameters encoder; /* the first layer; leading: of annotations in shared memory */
  struct whole_layer above[WHOLE_MODEL_LAYERS_MOST - 1];
  int layers, steps,
      slice;     /* steps: of a pass, at most; slice: features of x and W that are staged at once */
  bool keeps;    /* all of the decoder's weights in shared memory */
  bool is_small; /* the decoder's loop is that of decode_small.cuh */
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

/* A layer's final states, and the last one's annotations [T,A], 0 behind the row's length, to where they are
 * wanted. */
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

/* The weights of keys and decoder into shared memory, by some of the threads; the rest of the block goes on
 * meanwhile. */
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

/* Where the encoder stands: a row, and the number of a pass over it in one of the layers. The rest follows
 * from the two, and is found again after a recurrence: registers are short while U is in them. */
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

/* Threads that hold U of one direction: those of the core that whole_recur() takes. */
static __device__ __forceinline__ int whole_chain_threads(const struct sequence &a) {
  return a.units <= core_warp32<cell_lstm>::UNITS ? core_warp32<cell_lstm>::THREADS
                                                  : core_block64<cell_lstm>::THREADS;
}

/* x W of a pass. Weights come meanwhile where `fetches`. */
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
  int chain_threads = a.directions * whole_chain_threads(a),
      first = chain_threads < (int)blockDim.x ? chain_threads : 0;
  if (fetches && (int)threadIdx.x >= first) {
    const struct block_copiers copiers = {(int)threadIdx.x - first, (int)blockDim.x - first};
    whole_fetch(p, shared, copiers);
  }
}

/* The recurrence of a pass by the first threads of the block. */
template <class core>
static __device__ __forceinline__ void whole_walk(const struct whole_parameters &p, int b, int number,
                                                  float *shared) {
  int thread = (int)threadIdx.x;
  if (thread >= p.encoder.a.directions * core::THREADS)
    return;
  struct whole_place place(p, b, number, shared);
  chain_row row(p.encoder.a, b, thread >= core::THREADS ? 1 : 0);
  struct encoder_layer layer = whole_layer_make(p, place.layer, b, place.below);
  float *hidden = placed(p.placement, PLACE_HIDDEN, shared, nullptr) + row.d * 2 * core::HIDDEN;
  const float4 *products = (const float4 *)placed(p.placement, PLACE_PRODUCTS, shared, nullptr);
  chain_encode<core>(p.encoder, layer, row, place.pass, products, hidden, place.annotations,
                     placed(p.placement, PLACE_FINAL, shared, nullptr));
}

/* The same by the core for H, to its end. */
static __device__ __forceinline__ void whole_recur(const struct whole_parameters &p, int b, int number,
                                                   float *shared) {
  int units = p.encoder.a.units;
  if (units <= core_warp16<cell_lstm>::UNITS)
    whole_walk<core_warp16<cell_lstm>>(p, b, number, shared);
  else if (units <= core_warp32<cell_lstm>::UNITS)
    whole_walk<core_warp32<cell_lstm>>(p, b, number, shared);
  else
    whole_walk<core_block64<cell_lstm>>(p, b, number, shared);
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
static __device__ __forceinline__ void whole_encode(const struct whole_parameters &p, int b, float *shared,
                                                    bool fetches) {
  bool is_done = false;
  for (int number = 0; !is_done; number++) {
    whole_multiply(p, b, number, shared, fetches && number == 0);
    whole_recur(p, anew(b), anew(number), shared);
    struct whole_place place(p, anew(b), anew(number), shared);
    bool ends = number + 1 == (place.layer + 1) * place.passes;
    if (ends)
      whole_finish(p, b, place, shared);
    is_done = ends && place.layer == p.layers - 1;
  }
}

/* The keys of a row of this length. Complete after the next barrier. */
static __device__ __forceinline__ const float *whole_keys(const struct whole_parameters &p, int length,
                                                          float *shared) {
  const struct attention_score &score = p.d.score;
  const struct block_copiers none = {-1, 0};
  int A = score.annotation_width, U = attention_keys_wide(score);
  float *keys = placed(p.placement, PLACE_KEYS, shared, nullptr);
  const float *kernel = block_keep(p.placement, PLACE_KEY_KERNEL, shared, score.d_key, A * U, none);
  block_keys(placed(p.placement, PLACE_ANNOTATIONS, shared, nullptr), (int)p.encoder.a.leading, kernel,
             score.d_key_bias, length, A, U, keys);
  return keys;
}

/* Places of the block's arrays, the row's keys and the initial state. Complete after the next barrier. */
static __device__ __forceinline__ void whole_begin(const struct whole_parameters &p,
                                                   struct decoder_block *block, int b, float *shared) {
  const struct sequence &a = p.encoder.a;
  const struct decode &d = p.d;
  const struct block_copiers none = {-1, 0};
  if (d.outputs > 0) {
    decoder_block_make(block, d, p.placement, shared, nullptr, none);
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
    block->row.keys = whole_keys(p, length, shared);
    block->row.key_stride = attention_keys_wide(d.score);
  }
  const float *states = placed(p.placement, PLACE_FINAL, shared, nullptr);
  block_start_state(d.start, false, b, states, a.units, block->state);
  if (d.outputs > 0)
    block_start_state(d.start, true, b, states + a.directions * a.units, a.units, block->cell);
}

/* The decoder loop of a row of any model. */
static __device__ __forceinline__ void whole_decode(const struct whole_parameters &p, int row,
                                                    float *shared) {
  struct decoder_block block;
  whole_begin(p, &block, row, shared);
  __syncthreads(); /* keys and the initial state are complete */
  block_decode_row(p.d, block, row);
}

/* A weight of the decoder's: its copy in shared memory, or where it was. */
static __device__ __forceinline__ const float *
whole_weight(const struct whole_parameters &p, enum place place, float *shared, const float *weight) {
  const struct block_copiers none = {-1, 0};
  return block_keep(p.placement, place, shared, weight, 0, none);
}

/* The cell's weights, and those of h in one of the two roles. */
template <class Role>
static __device__ __forceinline__ void whole_load(const struct whole_parameters &p, struct small_cell &cell,
                                                  Role &role, float *shared) {
  const struct decode &d = p.d;
  if (p.keeps && d.score.state_units == SMALL_K && d.score.annotation_width == SMALL_K) {
    small_load_cell<true>(cell, d, shared + (int)p.placement.at[PLACE_KERNEL]);
    small_load_recurrent<true>(role, d, shared + (int)p.placement.at[PLACE_RECURRENT]);
  } else {
    small_load_cell<false>(cell, d, whole_weight(p, PLACE_KERNEL, shared, d.d_kernel));
    small_load_recurrent<false>(role, d, whole_weight(p, PLACE_RECURRENT, shared, d.d_recurrent));
  }
  small_load_gate(cell, device_gates_make(d.activation, d.recurrent_activation),
                  placed(p.placement, PLACE_PARTIAL, shared, nullptr));
}

/* The decoder loop of a row of a small model. */
static __device__ __forceinline__ void whole_decode_small(const struct whole_parameters &p, int b,
                                                          const struct small_score &score, float *shared) {
  const struct decode &d = p.d;
  const struct sequence &a = p.encoder.a;
  float *partial = placed(p.placement, PLACE_PARTIAL, shared, nullptr);
  float *first_c = placed(p.placement, PLACE_CELL, shared, nullptr);
  const float *states = placed(p.placement, PLACE_FINAL, shared, nullptr);
  struct small_row row = small_row_make(d, b, partial, placed(p.placement, PLACE_ENERGIES, shared, nullptr));
  const struct small_source source = {placed(p.placement, PLACE_ANNOTATIONS, shared, nullptr),
                                      whole_keys(p, row.length, shared),
                                      (int)a.leading,
                                      d.score.annotation_width,
                                      score.units,
                                      b};
  small_begin(d, b, source, states, states + a.directions * a.units, a.units, partial, first_c);
  struct small_cell cell;
  if (small_warp() < SMALL_ATTENDING) {
    struct small_attention attention;
    whole_load(p, cell, attention, shared);
    small_load_query(attention, d.score.state_units, score.units,
                     whole_weight(p, PLACE_QUERY_KERNEL, shared, d.score.d_query));
    small_barrier(); /* keys and the initial state are complete */
    small_decode_row<true>(d, row, source, score, cell, &attention, nullptr, first_c);
  } else {
    struct small_writer writer;
    whole_load(p, cell, writer, shared);
    small_load_biases(writer, d, whole_weight(p, PLACE_BIAS, shared, d.d_bias));
    small_load_output(writer, d, whole_weight(p, PLACE_OUTPUT_KERNEL, shared, d.d_output_kernel),
                      whole_weight(p, PLACE_OUTPUT_BIAS, shared, d.d_output_bias));
    small_barrier(); /* the same */
    small_decode_row<false>(d, row, source, score, cell, nullptr, &writer, first_c);
  }
}

/* One attention step of a row. */
static __device__ __forceinline__ void whole_attend(const struct whole_parameters &p, int row,
                                                    float *shared) {
  const struct decode &d = p.d;
  struct decoder_block block;
  whole_begin(p, &block, row, shared);
  __syncthreads(); /* keys and the initial state are complete */
  block_attend(block.splits, d.score, block.row, d.check, row, 1,
               d.d_alphas ? d.d_alphas + (int64_t)row * d.time : nullptr,
               d.d_contexts ? d.d_contexts + (int64_t)row * d.score.annotation_width : nullptr, nullptr);
}

/* What follows the encoder of a row. */
static __device__ __forceinline__ void whole_row(const struct whole_parameters &p, int row, float *shared) {
  struct small_score score;
  score.is_bounded = false;
  if (p.is_small)
    score = small_load_score(p.d.score);
  if (score.is_bounded)
    whole_decode_small(p, row, score, shared);
  else if (p.d.outputs > 0)
    whole_decode(p, row, shared);
  else
    whole_attend(p, row, shared);
}

static __device__ __forceinline__ void whole_block(const struct whole_parameters &p, float *shared) {
  const struct decode &d = p.d;
  for (int b = (int)blockIdx.x; b < d.batch; b += (int)gridDim.x) {
    whole_encode(p, b, shared, b == (int)blockIdx.x);
    whole_row(p, anew(b), shared);
    __syncthreads(); /* this row's arrays are read before the next row's come */
  }
}

#endif
