/* The decoder loop of any structure over one row by one block, in shared memory. Used by loop and
 * whole_any. */
#ifndef CUSEQ_KERNELS_LOOP_ROW_CUH
#define CUSEQ_KERNELS_LOOP_ROW_CUH

#include "kernels/attention/attention_step.cuh"
#include "kernels/decoder/head.cuh"
#include "kernels/recurrence/cell_any.cuh"

enum { THREADS = LOOP_THREADS };

/* What is encoded of a row: keys and values, rows of them so far apart; and the encoder's final states, for
 * each direction of each layer a block of `rows` rows, of which the row is number `row`. */
struct loop_encoded {
  const float *keys, *values;
  int key_stride, value_stride;
  const float *final_h, *final_c;
  int rows, row;
};

/* A row's block: the model, the call, what is encoded, shared memory, and where the loop is. */
struct loop_row {
  const struct loop_model &m;
  const struct loop &a;
  struct loop_encoded encoded;
  float *s;
  int b, length, token, step;
};

/* ---- products ---- */

/* The sum of a column over the parts, this thread's share of it. */
template <class V>
__device__ __forceinline__ V parts_sum(const loop_row &row, const struct block_split &split,
                                       const struct loop_parts &parts, const V *kernel, int units, int j,
                                       V sum) {
  for (int i = 0; i < parts.count; i++) {
    int width = parts.list[i].width;
    if (parts.list[i].is_token) {
      if (split.part == 0)
        multiply_add(sum, 1.0f, kernel[(int64_t)row.token * units + j]);
    } else {
      part_products(split, row.s + parts.list[i].at, width, kernel + j, units, sum);
    }
    kernel += (int64_t)width * units;
  }
  return sum;
}

/* Element j of the parts side by side. */
__device__ static float parts_at(const loop_row &row, const struct loop_parts &parts, int j) {
  for (int i = 0; i < parts.count; i++) {
    int width = parts.list[i].width;
    if (j < width)
      return parts.list[i].is_token ? (j == row.token ? 1.0f : 0.0f) : row.s[parts.list[i].at + j];
    j -= width;
  }
  return 0.0f;
}

/* A kernel that lies as [units, inputs]: a warp for each unit, lanes along the inputs. */
__device__ static void dense_transposed(const loop_row &row, const struct loop_dense &dense) {
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
  for (int j = warp; j < dense.units; j += THREADS / WARP) {
    const float *kernel = dense.d_kernel + (int64_t)j * dense.inputs;
    float sum = 0.0f;
    for (int i = 0; i < dense.reads.count; i++) {
      const float *x = row.s + dense.reads.list[i].at;
      int width = dense.reads.list[i].width;
      if (dense.reads.list[i].is_token)
        sum += lane == 0 ? kernel[row.token] : 0.0f;
      else
        for (int k = lane; k < width; k += WARP)
          sum = fmaf(x[k], kernel[k], sum);
      kernel += width;
    }
    sum = warp_sum(sum);
    if (lane == 0)
      row.s[dense.to + j] =
          device_activate_any(dense.activation, sum + (dense.d_bias ? dense.d_bias[j] : 0.0f));
  }
}

/* A dense layer. What it reads is ready; what it gives is complete at its end. */
__device__ static void loop_dense(const loop_row &row, const struct loop_dense &dense) {
  float *partial = row.s + row.m.partial_at;
  int units = dense.units;
  if (!dense.d_kernel) {
    for (int j = (int)threadIdx.x; j < units; j += THREADS)
      row.s[dense.to + j] = parts_at(row, dense.reads, j);
  } else if (dense.transposed) {
    dense_transposed(row, dense);
  } else {
    struct block_split split = block_split_make(units);
    for (int first = 0; first < units; first += split.columns) {
      int j = first + split.column;
      float sum = 0.0f;
      if (split.part < split.parts && j < units)
        sum = parts_sum(row, split, dense.reads, dense.d_kernel, units, j, 0.0f);
      if (split.parts > 1) { /* the same in all threads; then a single pass of this loop */
        partial[threadIdx.x] = sum;
        __syncthreads(); /* the partial sums are written */
        for (int p = 1; split.part == 0 && p < split.parts; p++)
          sum += partial[p * split.columns + split.column];
      }
      if (split.part == 0 && j < units)
        row.s[dense.to + j] =
            device_activate_any(dense.activation, sum + (dense.d_bias ? dense.d_bias[j] : 0.0f));
    }
  }
  __syncthreads(); /* the layer is complete, and the partial sums are free */
}

__device__ static void loop_chain(const loop_row &row, const struct loop_chain &chain) {
  for (int l = 0; l < chain.count; l++)
    loop_dense(row, chain.layers[l]);
}

/* ---- cells ---- */

/* The candidate's product of a GRU that resets before it; all threads take part. */
__device__ static float candidate_sum(const loop_row &row, const struct loop_layer &layer,
                                      const struct block_split &split) {
  float *partial = row.s + row.m.partial_at;
  float sum = 0.0f;
  if (split.part < split.parts)
    part_products(split, row.s + row.m.reset_at, layer.units, layer.d_candidate + split.column, layer.units,
                  sum);
  partial[threadIdx.x] = sum;
  __syncthreads(); /* the partial sums are written */
  for (int p = 1; split.part == 0 && p < split.parts; p++)
    sum += partial[p * split.columns + split.column];
  return sum;
}

/* The sums of a cell's unit, complete in the threads of part 0. Units are at most half of the block: a single
 * pass. */
__device__ static float4 cell_sums(const loop_row &row, const struct loop_layer &layer,
                                   const struct block_split &split) {
  float4 *partial = (float4 *)(row.s + row.m.partial_at);
  float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  int j = split.column, S = layer.units;
  if (split.part < split.parts) {
    sum = parts_sum(row, split, layer.reads, (const float4 *)layer.d_kernel, S, j, sum);
    part_products(split, row.s + layer.h, S, (const float4 *)layer.d_recurrent + j, S, sum);
  }
  partial[threadIdx.x] = sum;
  __syncthreads(); /* the partial sums are written, and all have read h */
  for (int p = 1; split.part == 0 && p < split.parts; p++)
    sum = add4(sum, partial[p * split.columns + j]);
  return split.part == 0 ? add4(sum, ((const float4 *)layer.d_bias)[j]) : sum;
}

/* One step of a layer's cell, h and c in place. What it reads is ready; what it gives is complete at its
 * end. */
__device__ static void loop_cell(const loop_row &row, const struct loop_layer &layer) {
  struct block_split split = block_split_make(layer.units);
  float4 z = cell_sums(row, layer, split);
  int j = split.column;
  bool owns = split.part == 0;
  float h = owns ? row.s[layer.h + j] : 0.0f, c = owns ? row.s[layer.c + j] : 0.0f, candidate = 0.0f;
  const struct cell_functions functions = {false, {}, layer.activation, layer.recurrent_activation};
  if (layer.form == CELL_FORM_GRU_RESET_BEFORE) {
    if (owns)
      row.s[row.m.reset_at + j] = cell_any_reset(functions, z.y) * h;
    __syncthreads(); /* r h is complete; the partial sums have been read */
    candidate = candidate_sum(row, layer, split);
  }
  if (owns)
    h = cell_any_update(layer.form, functions, z, candidate, h, c);
  if (owns) {
    row.s[layer.h + j] = h;
    if (layer.form == CELL_FORM_LSTM)
      row.s[layer.c + j] = c;
    check_states(row.a.check, row.b, row.step + 1, LAUNCH_STAGE_DECODER, h, c);
    if (layer.residual) {
      struct loop_parts below = layer.reads;
      below.count = layer.below_parts;
      float above = h + parts_at(row, below, j);
      row.s[layer.above + j] = above;
      check_value(row.a.check, row.b, row.step + 1, LAUNCH_STAGE_DECODER, above);
    }
  }
  __syncthreads(); /* the states are complete, and the partial sums are free */
}

/* ---- attention ---- */

/* Attends for the query that its chain makes, for row y of the results; the context is complete at its
 * end. */
__device__ static void loop_attend(const loop_row &row, int64_t y) {
  const struct loop_model &m = row.m;
  const struct loop &a = row.a;
  int C = m.values_width;
  struct attention_row r;
  loop_chain(row, m.query);
  r.annotations = row.encoded.values;
  r.keys = row.encoded.keys;
  r.query_kernel = nullptr;
  r.state = r.query = row.s + m.query_at;
  r.energies = row.s + m.energies_at;
  r.layers = row.s + m.deep_at;
  r.partial = row.s + m.partial_at;
  r.reduce = row.s + m.reduce_at;
  r.position_bias = m.d_position_bias;
  r.length = row.length;
  r.time = a.time;
  r.widest = attention_widest(m.score);
  r.stride = row.encoded.value_stride;
  r.key_stride = row.encoded.key_stride;
  block_attend_query<true>(block_split_make(C), m.score, r, C, a.check, row.b, row.step + 1,
                           a.d_alphas ? a.d_alphas + y * a.time : nullptr, row.s + m.context_at,
                           a.d_contexts ? a.d_contexts + y * C : nullptr);
  __syncthreads(); /* the context is complete */
}

/* ---- the beginning ---- */

__device__ static void initial_state(const loop_row &row, const struct loop_initial &initial, int units,
                                     int to) {
  const struct loop_encoded &encoded = row.encoded;
  const float *final = initial.takes_c ? encoded.final_c : encoded.final_h;
  int width = initial.first_units + (initial.sums ? 0 : initial.second_units);
  int target = initial.dense.units > 0 ? row.m.scratch_at[0] : to;
  const float *first =
      final + (int64_t)initial.first * encoded.rows + (int64_t)encoded.row * initial.first_units;
  const float *second =
      final + (int64_t)initial.second * encoded.rows + (int64_t)encoded.row * initial.second_units;
  if (!initial.from_encoder)
    width = units;
  for (int j = (int)threadIdx.x; j < width; j += THREADS) {
    float x = 0.0f;
    if (initial.from_encoder)
      x = j < initial.first_units ? first[j] : second[j - initial.first_units];
    if (initial.from_encoder && initial.sums && initial.second_units > 0)
      x += second[j];
    row.s[target + j] = x;
  }
  __syncthreads(); /* what is taken is complete */
  if (initial.from_encoder && initial.dense.units > 0) {
    loop_dense(row, initial.dense);
    for (int j = (int)threadIdx.x; j < units; j += THREADS)
      check_value(row.a.check, row.b, 0, LAUNCH_STAGE_DECODER, row.s[to + j]);
  }
}

__device__ static void begin_layer(const loop_row &row, const struct loop_layer &layer) {
  const struct loop &a = row.a;
  float *h = row.s + layer.h, *c = row.s + layer.c;
  bool is_lstm = layer.form == CELL_FORM_LSTM;
  if (a.d_given_h) {
    int64_t at = (int64_t)row.b * row.m.state_width + layer.offset;
    for (int j = (int)threadIdx.x; j < layer.units; j += THREADS) {
      h[j] = a.d_given_h[at + j];
      c[j] = is_lstm && a.d_given_c ? a.d_given_c[at + j] : 0.0f;
    }
    return;
  }
  initial_state(row, layer.initial_h, layer.units, layer.h);
  if (is_lstm)
    initial_state(row, layer.initial_c, layer.units, layer.c);
  __syncthreads(); /* both states are complete */
  for (int j = (int)threadIdx.x; j < layer.units; j += THREADS) {
    if (!is_lstm)
      c[j] = 0.0f;
    else if (layer.initial_h.is_other)
      h[j] = c[j];
    else if (layer.initial_c.is_other)
      c[j] = h[j];
  }
}

__device__ static void begin(const loop_row &row) {
  const struct loop_model &m = row.m;
  const float *fed = row.a.d_given_fed;
  int X = m.attentional_width + m.carried_width;
  for (int l = 0; l < m.layers; l++)
    begin_layer(row, m.layer[l]);
  if (fed)
    fed += (int64_t)row.b * X;
  for (int j = (int)threadIdx.x; j < X; j += THREADS) {
    int at = j < m.attentional_width ? m.attentional.to + j : m.context_at + j - m.attentional_width;
    row.s[at] = fed ? fed[j] : 0.0f;
  }
}

/* The embedding of the token that the step reads; complete after the next barrier. */
__device__ static void embed(const loop_row &row) {
  int E = row.m.embedding_units;
  for (int j = (int)threadIdx.x; row.m.reads_token && j < E; j += THREADS)
    row.s[row.m.token_at + j] = row.m.d_embedding[(int64_t)row.token * E + j];
}

/* ---- results ---- */

__device__ __forceinline__ void store(float *to, int64_t at, const float *from, int width) {
  for (int j = (int)threadIdx.x; to && j < width; j += THREADS)
    to[at * width + j] = from ? from[j] : 0.0f;
}

__device__ static void clear_behind(const loop_row &row, int from) {
  const struct loop_model &m = row.m;
  const struct loop &a = row.a;
  for (int step = from; step < a.steps; step++) {
    int64_t y = (int64_t)row.b * a.steps + step;
    store(a.d_contexts, y, nullptr, m.values_width);
    store(a.d_alphas, y, nullptr, a.time);
    store(a.d_states, y, nullptr, m.layer[m.layers - 1].units);
    store(a.d_outputs, y, nullptr, m.outputs);
    if (threadIdx.x == 0 && a.d_log_probabilities)
      a.d_log_probabilities[y] = 0.0f;
    if (threadIdx.x == 0 && a.d_tokens)
      a.d_tokens[y] = m.end_token < 0 ? 0 : m.end_token;
  }
}

__device__ static void finish(const loop_row &row, int steps) {
  const struct loop_model &m = row.m;
  const struct loop &a = row.a;
  int X = m.attentional_width + m.carried_width;
  clear_behind(row, steps);
  for (int l = 0; l < m.layers; l++)
    for (int j = (int)threadIdx.x; j < m.layer[l].units; j += THREADS) {
      int64_t at = (int64_t)row.b * m.state_width + m.layer[l].offset + j;
      if (a.d_end_h)
        a.d_end_h[at] = row.s[m.layer[l].h + j];
      if (a.d_end_c)
        a.d_end_c[at] = row.s[m.layer[l].c + j];
    }
  for (int j = (int)threadIdx.x; a.d_end_fed && j < X; j += THREADS)
    a.d_end_fed[(int64_t)row.b * X + j] =
        row.s[j < m.attentional_width ? m.attentional.to + j : m.context_at + j - m.attentional_width];
  if (threadIdx.x == 0 && a.d_output_lengths)
    a.d_output_lengths[row.b] = steps;
}

/* ---- the loop ---- */

__device__ static void step_layers(const loop_row &row) {
  const struct loop_model &m = row.m;
  for (int l = 0; l < m.layers; l++) {
    loop_cell(row, m.layer[l]);
    if (m.attends == LOOP_ATTENDS_BEHIND && m.asked_layer == l)
      loop_attend(row, (int64_t)row.b * row.a.steps + row.step);
  }
}

/* A step up to its outputs; returns the next token, and whether the best one is the end token. */
__device__ static int step_output(const loop_row &row, bool *ends) {
  const struct loop_model &m = row.m;
  const struct loop &a = row.a;
  int64_t y = (int64_t)row.b * a.steps + row.step;
  float *logits = row.s + m.logits_at;
  struct head_result result = block_head(logits, m.d_output_bias, m.outputs, m.output_activation,
                                         a.d_outputs ? a.d_outputs + y * m.outputs : nullptr, nullptr,
                                         row.s + m.reduce_at, a.check, row.b, row.step + 1);
  int next = a.d_targets ? a.d_targets[y] : result.token;
  store(a.d_states, y, row.s + m.layer[m.layers - 1].above, m.layer[m.layers - 1].units);
  if (threadIdx.x == 0 && a.d_tokens)
    a.d_tokens[y] = result.token;
  if (threadIdx.x == 0 && a.d_log_probabilities)
    a.d_log_probabilities[y] = (logits[next] - result.best) - result.log_sum;
  *ends = !a.d_targets && m.end_token >= 0 && result.token == m.end_token;
  return next;
}

/* All steps of a row. */
__device__ static void loop_run(loop_row &row) {
  const struct loop_model &m = row.m;
  const struct loop &a = row.a;
  int steps = a.d_target_lengths ? a.d_target_lengths[row.b] : a.steps;
  bool ends = false;
  row.token = a.d_previous ? a.d_previous[row.b] : m.start_token;
  begin(row);
  for (row.step = 0; row.step < steps && !ends; row.step++) { /* the same in all threads */
    embed(row);
    __syncthreads(); /* states, fed vectors and token are there; what the step before wrote has been read */
    if (m.attends == LOOP_ATTENDS_BEFORE)
      loop_attend(row, (int64_t)row.b * a.steps + row.step);
    step_layers(row);
    if (m.has_attentional) {
      loop_dense(row, m.attentional);
      for (int j = (int)threadIdx.x; j < m.attentional.units; j += THREADS)
        check_value(a.check, row.b, row.step + 1, LAUNCH_STAGE_DECODER, row.s[m.attentional.to + j]);
    }
    loop_chain(row, m.head);
    row.token = step_output(row, &ends);
  }
  __syncthreads(); /* the last step is complete */
  finish(row, row.step);
}

#endif
