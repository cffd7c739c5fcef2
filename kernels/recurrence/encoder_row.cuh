/* A small model's encoder over one row by one block, in shared memory: x W, the recurrence, the keys. */
#ifndef CUSEQ_KERNELS_ENCODER_ROW_CUH
#define CUSEQ_KERNELS_ENCODER_ROW_CUH

#include "kernels/common/block_dense.cuh"
#include "kernels/recurrence/chain.cuh"
#include "kernels/recurrence/merged.cuh"

/* Steps that one pass of a row's encoder walks: `steps` positions from first(d) on in direction d. A row is
 * one pass where x W of all its positions has room, otherwise several, each with its x W and its load of
 * U. */
struct encoder_pass {
  int step, steps;
  int forward, backward;
  int windows; /* 1: both directions walk the same positions */
  __device__ __forceinline__ int first(bool is_backward) const {
    return is_backward ? backward : forward;
  }
};

__device__ __forceinline__ struct encoder_pass encoder_pass_make(int length, int step, int most) {
  struct encoder_pass pass;
  pass.step = step;
  pass.steps = min(most, length - step);
  pass.forward = step;
  pass.backward = length - step - pass.steps;
  pass.windows = pass.forward == pass.backward ? 1 : 2;
  return pass;
}

/* One layer's weights, packed as launch.h says, its input, and the states around it. */
struct encoder_layer {
  const float4 *kernel, *bias;
  const float *recurrent;
  const int32_t *ids;                 /* [T], or NULL                                                       */
  const float *input;                 /* [T,features] otherwise, rows `apart` floats from one another       */
  const int32_t *rows;                /* [T] which of them a position reads; NULL: its own                  */
  int features, apart;                /* F, or the width of the layer below                                 */
  const float *initial_h, *initial_c; /* of this row, directions B H floats apart; NULL: zeros              */
};

/* products[s, column] = row ids[t] of W for step s of the pass; complete after the next barrier. */
__device__ inline void block_gather(const struct sequence &a, const struct encoder_layer &layer,
                                    const struct encoder_pass &pass, float4 *products) {
  int columns = a.directions * a.units;
  for (int n = (int)threadIdx.x; n < pass.steps * columns; n += (int)blockDim.x) {
    int s = n / columns, column = n - s * columns;
    int t = pass.first(column >= a.units) + s;
    products[n] = layer.kernel[(int64_t)layer.ids[t] * columns + column];
  }
}

/* A slice of x, [windows, steps, width], and of W, [width, columns], into shared memory. */
__device__ inline void block_stage(const struct encoder_layer &layer, const struct encoder_pass &pass,
                                   int from, int width, int columns, float *x, float4 *w) {
  for (int n = (int)threadIdx.x; n < width * columns; n += (int)blockDim.x)
    w[n] = layer.kernel[from * columns + n];
  for (int n = (int)threadIdx.x; n < pass.windows * pass.steps * width; n += (int)blockDim.x) {
    int row = n / width;
    bool upper = row >= pass.steps;
    int t = pass.first(upper) + row - (upper ? pass.steps : 0);
    t = layer.rows ? layer.rows[t] : t;
    x[n] = layer.input[t * layer.apart + from + n - row * width];
  }
}

/* Features from which on a product is summed in blocks; up to here in their order, as the kernels of
 * sequences do. */
enum { BLOCK_FEATURES = 128 };

/* products[s, column] = x[t] W[:, column] for step s of the pass; complete after the next barrier. Slices of
 * x and W are staged, `slice` features at most, so that each is fetched once; a thread makes one column of
 * four positions at a time. */
__device__ inline void block_products(const struct sequence &a, const struct encoder_layer &layer,
                                      const struct encoder_pass &pass, int slice, float *stage,
                                      float4 *products) {
  int columns = a.directions * a.units;
  float4 *w = (float4 *)stage;
  float *x = stage + slice * 4 * columns;
  struct block_split split = block_split_make(columns);
  bool upper = pass.windows == 2 && split.column >= a.units;
  bool in_blocks = layer.features > BLOCK_FEATURES; /* slices are summed each for itself */
  for (int from = 0; from < layer.features; from += slice) {
    int width = min(slice, layer.features - from);
    block_stage(layer, pass, from, width, columns, x, w);
    __syncthreads(); /* the slices are complete */
    const float *window = upper ? x + pass.steps * width : x;
    for (int s = 4 * split.part; s < pass.steps && split.part < split.parts; s += 4 * split.parts) {
      float4 sum[4];
      const float *row[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        bool there = from > 0 && !in_blocks && s + i < pass.steps;
        sum[i] = there ? products[(s + i) * columns + split.column] : sums_zero();
        row[i] = window + min(s + i, pass.steps - 1) * width;
      }
      const float4 *v = w + split.column;
      for (int f = 0; f < width; f++, v += columns)
#pragma unroll
        for (int i = 0; i < 4; i++)
          sums_multiply(sum[i], row[i][f], *v);
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (s + i < pass.steps) {
          float4 &product = products[(s + i) * columns + split.column];
          product = from > 0 && in_blocks ? sums_add(product, sum[i]) : sum[i];
        }
    }
    __syncthreads(); /* the slices are read before the next ones come */
  }
}

/* Where a chain writes h of its unit in shared memory, step after step. */
struct row_writer {
  shared_floats next;
  int apart;
  bool writes;
  __device__ __forceinline__ void write(float h) {
    next.store(0, h, writes);
    next = shared_floats(next, apart);
  }
};

/* One direction of a row over a pass by core::THREADS threads: annotations[t, d H + unit], and the state [2,
 * D, H] from which the next pass goes on. */
template <class core>
__device__ inline void chain_encode(const struct sequence_parameters &p, const struct encoder_layer &layer,
                                    const chain_row &row, const struct encoder_pass &pass,
                                    const float4 *products, float *hidden, float *annotations,
                                    float *states) {
  const struct sequence &a = p.a;
  int columns = a.directions * a.units;
  core u;
  u.template load<false>(layer.recurrent, a.units, row.d);
  bool there = u.unit < a.units;
  int column = row.d * a.units + (there ? u.unit : 0);
  struct chain_state state;
  float c = 0.0f;
  state.h = 0.0f;
  if (there && pass.step > 0) {
    state.h = states[column];
    c = core::cell::HAS_C ? states[columns + column] : 0.0f;
  } else if (there) {
    int64_t at = (int64_t)row.d * a.batch * a.units + u.unit;
    state.h = layer.initial_h ? layer.initial_h[at] : 0.0f;
    c = core::cell::HAS_C && layer.initial_c ? layer.initial_c[at] : 0.0f;
  }
  state.carried = core::cell::carried(state.h, c);
  state.bias = there ? layer.bias[column] : sums_zero();
  const shared_floats buffers(hidden);
  u.begin(buffers, state.h); /* h is there */
  /* x W of step s lies where its position lies in the pass's window */
  int at = row.is_backward ? pass.steps - 1 : 0, apart = row.is_backward ? -columns : columns;
  int leading = (int)a.leading;
  struct row_writer output = {shared_floats(annotations + column + row.t(pass.step) * leading),
                              row.is_backward ? -leading : leading, u.writer};
  const float4 *x = products + at * columns + column;
  if (device_gates_are_usual(p.gates))
    chain_steps_shared(device_usual_gates(), u, x, apart, pass.steps, buffers, output, state);
  else
    chain_steps_shared(p.gates, u, x, apart, pass.steps, buffers, output, state);
  if (u.writer) {
    check_states(a.check, row.b, 0, LAUNCH_STAGE_ENCODER, state.h, state.carried);
    states[column] = state.h;
    states[columns + column] = core::cell::HAS_C ? state.carried : 0.0f;
  }
}

/* annotations [length, W] of two directions of row b side by side become their merge [length, H], in
 * place. */
__device__ inline void block_merge(cuseq_merge merge, float *annotations, int apart, int length, int H,
                                   const struct launch_check &check, int b) {
  for (int n = (int)threadIdx.x; n < length * H; n += (int)blockDim.x) {
    int t = n / H;
    float *forward = annotations + t * apart + n - t * H;
    float merged = merged_states(merge, forward[0], forward[H]);
    *forward = merged;
    check_value(check, b, 0, LAUNCH_STAGE_MERGE, merged);
  }
}

/* keys[t,j] = bias[j] + sum_i annotations[t,i] key[i,j], t < length; complete after the next barrier. Summed
 * as keys.cu does, for the same bits. An odd stride of annotations lets neighbours of different t read
 * different banks. */
__device__ inline void block_keys(const float *annotations, int stride, const float *key, const float *bias,
                                  int length, int A, int U, float *keys) {
  for (int n = (int)threadIdx.x; n < length * U; n += (int)blockDim.x) {
    int t = n / U, j = n - t * U;
    float sum = 0.0f;
    for (int i = 0; i < A; i++) /* A is at most 128, a block of keys.cu */
      sum = fmaf(annotations[t * stride + i], key[(int64_t)i * U + j], sum);
    keys[n] = bias ? sum + bias[j] : sum;
  }
}

#endif
