/* The encoder of any structure over one row by one block, in shared memory: layer after layer, what lies
 * behind each of them, and the layers that make keys and values. Used by whole_any. */
#ifndef CUSEQ_KERNELS_ENCODER_ANY_CUH
#define CUSEQ_KERNELS_ENCODER_ANY_CUH

#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/encoder_row.cuh"

/* Where the block's arrays lie, in floats of shared memory. */
struct any_places {
  int steps, slice; /* of a pass, at most; features of x and W that are staged at once */
  int stride;       /* of annotations: an odd number */
  int loop;         /* the decoder's vectors; the next four lie there as well, and are done with before */
  int hidden, products, stage; /* [2,2,HIDDEN]; [steps,D,H,4]; slices */
  int between;                 /* [T, ..] of two layers that make keys or values */
  int final;                   /* [2,D,H] of the layer under way: h, then c */
  int states;                  /* [2, all layers' D H]: h, then c */
  int annotations[2];          /* [T,stride] */
  int keys, values;            /* [T,U], [T,C] */
  int kept, kept_floats;       /* copies of weights */
};

struct any_parameters {
  struct whole_any a;
  struct any_places at;
};

/* A block's row. `which` of the two arrays of annotations the encoder has come to. */
struct any_row {
  const struct any_parameters &p;
  const struct whole_any_model &m;
  float *s;
  int b, length, which;
  __device__ __forceinline__ float *annotations(int other = 0) const {
    return s + (((which ^ other) & 1) == 0 ? p.at.annotations[0] : p.at.annotations[1]);
  }
};

__device__ __forceinline__ struct sequence_parameters any_sequence(const any_row &row,
                                                                   const struct whole_any_layer &layer) {
  const struct loop &call = row.p.a.loop;
  struct sequence_parameters q;
  q.a.batch = call.batch;
  q.a.time = call.time;
  q.a.units = layer.units;
  q.a.directions = layer.directions;
  q.a.is_backward = layer.is_backward;
  q.a.d_lengths = call.d_lengths;
  q.a.d_order = nullptr;
  q.a.leading = row.p.at.stride;
  q.a.check = call.check;
  q.gates = device_gates_make(layer.activation, layer.recurrent_activation);
  return q;
}

/* What layer l reads: the row's ids or features, or the layer below. */
__device__ __forceinline__ struct encoder_layer any_layer(const any_row &row, int l) {
  const struct whole_any &a = row.p.a;
  const struct whole_any_layer &from = row.m.layer[l];
  const int32_t *ids = l == 0 && a.d_ids ? a.d_ids + (int64_t)row.b * a.loop.time : nullptr;
  int64_t state = (int64_t)from.states * a.loop.batch + (int64_t)row.b * from.units;
  struct encoder_layer layer;
  layer.kernel = (const float4 *)from.d_kernel;
  layer.recurrent = from.d_recurrent;
  layer.bias = (const float4 *)from.d_bias;
  layer.features = from.inputs;
  layer.ids = row.m.d_table ? nullptr : ids;
  layer.rows = row.m.d_table ? ids : nullptr;
  layer.input = l > 0        ? row.annotations()
                : layer.rows ? row.m.d_table
                : layer.ids  ? nullptr
                             : a.d_x + (int64_t)row.b * a.loop.time * from.inputs;
  layer.apart = l > 0 ? row.p.at.stride : from.inputs;
  layer.initial_h = a.d_initial_h ? a.d_initial_h + state : nullptr;
  layer.initial_c = a.d_initial_c ? a.d_initial_c + state : nullptr;
  return layer;
}

/* ---- the recurrence ---- */

__device__ __forceinline__ struct encoder_pass any_pass(const any_row &row, int l, int step) {
  struct encoder_pass pass = encoder_pass_make(row.length, step, row.p.at.steps);
  const struct whole_any_layer &layer = row.m.layer[l];
  if (layer.directions == 1) {
    pass.forward = pass.backward = layer.is_backward ? pass.backward : pass.forward;
    pass.windows = 1;
  }
  return pass;
}

/* x W of a pass; complete at its end. */
__device__ __forceinline__ void any_multiply(const any_row &row, int l, int step) {
  const struct sequence_parameters q = any_sequence(row, row.m.layer[l]);
  struct encoder_layer layer = any_layer(row, l);
  struct encoder_pass pass = any_pass(row, l, step);
  float4 *products = (float4 *)(row.s + row.p.at.products);
  if (layer.ids)
    block_gather(q.a, layer, pass, products);
  else
    block_products(q.a, layer, pass, row.p.at.slice, row.s + row.p.at.stage, products);
  __syncthreads(); /* x W is complete; the states of the pass before are written */
}

/* The first threads of the block walk the steps of a pass; annotations go to the other of the two arrays. */
template <class core> __device__ __forceinline__ void any_recur(const any_row &row, int l, int step) {
  int thread = (int)threadIdx.x;
  const struct whole_any_layer &from = row.m.layer[l];
  if (thread >= from.directions * core::THREADS)
    return;
  const struct sequence_parameters q = any_sequence(row, from);
  struct encoder_layer layer = any_layer(row, l);
  chain_row chain(q.a, row.b, thread >= core::THREADS ? 1 : 0);
  chain_encode<core>(q, layer, chain, any_pass(row, l, step), (const float4 *)(row.s + row.p.at.products),
                     row.s + row.p.at.hidden + chain.d * 2 * core::HIDDEN, row.annotations(1),
                     row.s + row.p.at.final);
}

template <class cell> __device__ __forceinline__ void any_recur_cell(const any_row &row, int l, int step) {
  int units = row.m.layer[l].units;
  if (units <= 16)
    any_recur<core_warp16<cell>>(row, l, step);
  else if (units <= 32)
    any_recur<core_warp32<cell>>(row, l, step);
  else
    any_recur<core_block64<cell>>(row, l, step);
}

/* ---- behind a layer's cells ---- */

/* Dense over every position of the row: sums in blocks, as elsewhere. Complete after the next barrier. */
__device__ static void any_dense(const struct whole_dense &dense, const float *from, int from_apart,
                                 int length, float *to, int to_apart) {
  for (int n = (int)threadIdx.x; n < length * dense.units; n += (int)blockDim.x) {
    int t = n / dense.units, j = n - t * dense.units;
    const float *x = from + t * from_apart, *kernel = dense.d_kernel + j;
    float sum = 0.0f;
    for (int first = 0; first < dense.inputs; first += BLOCK_FEATURES) {
      float block = 0.0f;
      int end = min(first + (int)BLOCK_FEATURES, dense.inputs);
#pragma unroll 4
      for (int i = first; i < end; i++, kernel += dense.units)
        block = fmaf(x[i], *kernel, block);
      sum += block;
    }
    to[t * to_apart + j] =
        device_activate_any(dense.activation, sum + (dense.d_bias ? dense.d_bias[j] : 0.0f));
  }
}

/* What the layer read is added to what it made, which lies in the other array. */
__device__ static void any_residual(const any_row &row, int l) {
  const struct whole_any_layer &from = row.m.layer[l];
  struct encoder_layer layer = any_layer(row, l);
  float *made = row.annotations(1);
  for (int n = (int)threadIdx.x; n < row.length * from.merged_width; n += (int)blockDim.x) {
    int t = n / from.merged_width, j = n - t * from.merged_width;
    float *x = made + t * row.p.at.stride + j;
    if (layer.ids)
      *x += layer.ids[t] == j ? 1.0f : 0.0f;
    else
      *x += layer.input[(int64_t)(layer.rows ? layer.rows[t] : t) * layer.apart + j];
  }
  __syncthreads(); /* the sums are complete */
}

/* Tells of what a layer gives where it is not finite: of its cells alone the recurrence has. */
__device__ static void any_check(const any_row &row, const struct whole_any_layer &layer) {
  const float *given = row.annotations();
  for (int n = (int)threadIdx.x; n < row.length * layer.width; n += (int)blockDim.x) {
    int t = n / layer.width;
    check_value(row.p.a.loop.check, row.b, 0, LAUNCH_STAGE_MERGE,
                given[t * row.p.at.stride + n - t * layer.width]);
  }
}

/* A layer's final states, to where all layers' lie and to the caller. */
__device__ static void any_states(const any_row &row, const struct whole_any_layer &layer) {
  const struct whole_any &a = row.p.a;
  int columns = layer.directions * layer.units;
  const float *final = row.s + row.p.at.final;
  float *states = row.s + row.p.at.states + layer.states;
  for (int n = (int)threadIdx.x; n < columns; n += (int)blockDim.x) {
    int d = n >= layer.units ? 1 : 0;
    int64_t block = layer.states + (int64_t)d * layer.units;
    int64_t at = block * a.loop.batch + (int64_t)row.b * layer.units + n - d * layer.units;
    states[n] = final[n];
    states[a.sizes.states + n] = final[columns + n];
    a.d_final_h[at] = final[n];
    a.d_final_c[at] = final[columns + n];
  }
}

/* What follows the last pass of a layer, and what it gives becomes what the next one reads. */
__device__ static void any_finish(any_row &row, int l) {
  const struct whole_any_layer &layer = row.m.layer[l];
  bool merges = layer.directions == 2 && layer.merge != CUSEQ_MERGE_CONCAT;
  any_states(row, layer);
  if (merges) {
    const struct launch_check none = {nullptr, 0, 0};
    block_merge(layer.merge, row.annotations(1), row.p.at.stride, row.length, layer.units, none, row.b);
    __syncthreads(); /* the merged annotations are complete */
  }
  if (layer.residual)
    any_residual(row, l);
  row.which ^= 1;
  if (layer.dense.units > 0) {
    block_copies_wait();
    __syncthreads(); /* the dense layer's weights are there */
    any_dense(layer.dense, row.annotations(), row.p.at.stride, row.length, row.annotations(1),
              row.p.at.stride);
    row.which ^= 1;
  }
  __syncthreads(); /* the layer's annotations are complete, its states are copied */
  if (merges || layer.residual || layer.dense.units > 0)
    any_check(row, layer);
}

/* All layers over a row. */
__device__ __forceinline__ void any_encode(any_row &row) {
  for (int l = 0; l < row.m.layers; l++) {
    for (int step = 0; step < row.length; step += row.p.at.steps) {
      any_multiply(row, l, step);
      if (row.m.layer[l].form == CELL_FORM_LSTM)
        any_recur_cell<cell_lstm>(row, l, step);
      else
        any_recur_cell<cell_gru>(row, l, step);
      __syncthreads(); /* annotations and states are complete, x W is read */
    }
    any_finish(row, l);
  }
}

/* ---- behind the encoder ---- */

/* The last layer's annotations to memory, zeros behind the row's length. */
__device__ static void any_store(const any_row &row, int width) {
  const struct whole_any &a = row.p.a;
  const float *annotations = row.annotations();
  float *target = a.d_annotations + (int64_t)row.b * a.loop.time * width;
  for (int n = (int)threadIdx.x; n < a.loop.time * width; n += (int)blockDim.x) {
    int t = n / width;
    target[n] = t < row.length ? annotations[t * row.p.at.stride + n - t * width] : 0.0f;
  }
}

/* Layers over the annotations, one or two, to `to`. Complete at its end. */
__device__ static void any_layers(const any_row &row, const struct whole_dense *layers, int count,
                                  float *to) {
  float *between = row.s + row.p.at.between;
  const float *from = row.annotations();
  int apart = row.p.at.stride;
  for (int l = 0; l < count; l++) {
    float *made = l == count - 1 ? to : between;
    any_dense(layers[l], from, apart, row.length, made, layers[l].units);
    __syncthreads(); /* the layer is complete */
    from = made;
    apart = layers[l].units;
  }
}

#endif
