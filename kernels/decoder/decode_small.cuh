/* The decoder loop of one row of a small model by one block: weights in registers, three barriers a step.
 * Used by decode and whole_model, for the models that decode_small_fault() lets pass and whose energies are
 * bounded; decode_row.cuh takes all others.
 *
 * Four of the eight warps attend, the other four carry on: the state's part of the cell, the output layer,
 * and what is written. Of a step, between its barriers,
 *   powers   those that attend make the whole query each (lane = units j and j + 8, a quarter of k), then the
 *            energies (eight lanes for two positions, 32 positions at once), whose exponentials go to shared
 *            memory; the others make the products of h with the cell's recurrent weights (thread = two gates)
 *            and with the output layer's (lane = class, a quarter of k), and write; they take turns at the
 *            token and the softmax of a step, which is written a step later
 *   context  those that attend make sixteen columns each (lane = column, half of 32 positions), not yet
 *            divided by the powers' sum; the others write
 *   cell     all warps: the context's part of the cell (thread = gate, all of k), and the cell of eight units
 *            each; h goes to shared memory
 * Each array of shared memory is written between two barriers and read behind the second of them: none needs
 * another buffer. */
#ifndef CUSEQ_KERNELS_DECODE_SMALL_CUH
#define CUSEQ_KERNELS_DECODE_SMALL_CUH

#include "kernels/decoder/small_step.cuh"
#include "kernels/decoder/small_writer.cuh"

/* What the warps that do not attend do while the others attend: of step `step`, the y-th of all rows, the
 * state's part of the gates, which it returns, and of those before what they gave. They take turns at that.
 * `part`: 1 / sum p of the last one. */
__device__ __forceinline__ float small_carry_on(const struct decode &d, const struct small_row &row,
                                                struct small_writer &writer, struct small_fault &fault,
                                                int step, int64_t y, float part) {
  float z = small_carry(row, writer, step - 1);
  small_write_alpha(row, writer, step, part);
  small_write_vectors(row, writer, step, part, fault);
  if (writer.turn == 0)
    small_choose(row, writer);
  else if (writer.turn == 1)
    small_raise_outputs(d, writer, fault, step - 1, y - 2);
  else if (writer.turn == 2)
    small_sum_outputs(writer);
  else if (writer.turn == 3)
    small_write_outputs(d, writer, y - 4);
  writer.turn = writer.turn == 3 ? 0 : writer.turn + 1;
  return z;
}

/* The steps of a row in the warps that attend, or in the others; returns how many. c is the lane's unit's, as
 * is h at the end. */
template <bool ATTENDS>
__device__ __forceinline__ int small_steps(const struct decode &d, const struct small_row &row,
                                           const struct small_score &score, const struct small_cell &cell,
                                           const struct small_attention *attention,
                                           struct small_writer *writer, float &c, float &h) {
  int A = d.score.annotation_width, S = d.score.state_units;
  bool is_fed = d.feedback == CUSEQ_FEEDBACK_OUTPUT, ends = d.end_token >= 0;
  int awaits_token = small_kept(shared_floats(row.state, SMALL_KEPT_AT + (int)threadIdx.x), is_fed || ends);
  int64_t y = ATTENDS ? 0 : (int64_t)small_kept_number(row) * d.steps;
  struct small_fault fault = {INT32_MAX};
  float part = 0.0f;
  int step = 0;
  for (;;) {
    float z, p[SMALL_EACH];
    if (ATTENDS) {
      float query[2];
      small_query(query, *attention, row.state_quarter);
      z = small_product(shared_floats(row.state, SMALL_CARRIED), attention->recurrent, 0.0f);
      small_attend(row, score, attention->key, attention->mask, query, 0);
      if (__builtin_expect(row.length > SMALL_SET, 0)) {
        const struct small_source source = small_kept_source(row);
#pragma unroll 1
        for (int set = SMALL_SET; set < row.length; set += SMALL_SET) {
          float key[2][2];
          int mask[2];
          small_keys(key, mask, row, source, set);
          small_attend(row, score, key, mask, query, set);
        }
      }
    } else {
      z = small_carry_on(d, row, *writer, fault, step, y, part);
    }
    small_barrier(); /* powers and the token before are there; the context before has been read */
    small_powers(p, row, 0);
    if (!ATTENDS)
      writer->power = small_own_power(row);
    if (__builtin_expect(awaits_token, 0)) {
      int token = __float_as_int(small_read(row.token, 0));
      if (ends && step > 0 && token == d.end_token)
        break;
      if (is_fed && small_unit() < S)
        z += __ldg(d.d_kernel + ((int64_t)A + token) * 4 * S + threadIdx.x);
    }
    float half = small_sums<ATTENDS>(row, p, attention);
    if (!ATTENDS && __builtin_expect(writer->wants & SMALL_MORE, 0))
      small_write_more(d, row, half, y);
    small_barrier();         /* the context and h U are there; h and the powers have been read */
    part = small_part(half); /* behind the barrier, for which nobody waits then */
    if (ATTENDS)
      z += small_read(row.gate_own, 0);
    z = fmaf(small_product(row.context, cell.kernel, 0.0f), part, z);
    small_update(row, cell, z, c, h);
    small_barrier(); /* h is there */
    step++, y++;
    fault.look(c, step, LAUNCH_STAGE_DECODER);
    if (step == d.steps) {
      if (!ATTENDS)
        (void)small_carry_on(d, row, *writer, fault, step, y, part); /* what the last step gave */
      break;
    }
  }
  if (!ATTENDS)
    small_end_outputs(d, *writer, fault, step, y);
  fault.tell(d.check, small_kept_number(row));
  return step;
}

/* What a row begins with, by all threads: h in its place. PLACE_PARTIAL is at `partial`. Complete after the
 * next barrier. */
__device__ __forceinline__ void small_begin(const struct decode &d, int b, const struct small_source &source,
                                            const float *final_h, const float *final_c, int64_t stride,
                                            float *partial, float *cell) {
  int S = d.score.state_units, thread = (int)threadIdx.x;
  block_start_state(d.start, false, b, final_h, stride, partial + SMALL_STATE_AT);
  block_start_state(d.start, true, b, final_c, stride, cell);
  if (thread >= S && thread < SMALL_K)
    partial[SMALL_STATE_AT + thread] = 0.0f;
  if (thread < SMALL_K)
    partial[SMALL_CONTEXT_AT + thread] = 0.0f;
  small_keep_source(source, partial);
  if (thread == 0)
    partial[SMALL_TOKEN_AT] = __int_as_float(d.d_previous ? d.d_previous[b] : d.start_token);
}

__device__ __forceinline__ struct small_row small_row_make(const struct decode &d, int b,
                                                           const float *partial, const float *powers) {
  int thread = small_thread();
  const shared_floats base(partial), weights(powers);
  const shared_floats own(base, SMALL_KEPT_AT + thread), all = small_place(base, own, 0);
  bool attends = small_warp(thread) < SMALL_ATTENDING;
  int quarter = attends ? 4 * small_quarter(thread) : 16 * (small_warp(thread) - SMALL_ATTENDING);
  int vector = small_half(thread) == 1 ? SMALL_STATE_AT : SMALL_CONTEXT_AT;
  return {d.d_lengths ? d.d_lengths[b] : d.time,
          d.time,
          shared_floats(all, SMALL_STATE_AT),
          shared_floats(all, SMALL_CONTEXT_AT),
          shared_floats(all, SMALL_LOGITS_AT),
          shared_floats(all, SMALL_TOKEN_AT),
          weights,
          small_place(base, own, SMALL_STATE_AT + quarter),
          small_place(weights, own, SMALL_EACH * small_half(thread)),
          small_place(weights, own, small_position(thread)),
          small_place(base, own, SMALL_CONTEXT_AT + small_column(thread)),
          small_place(base, own, SMALL_GATES_AT + thread % SMALL_THREADS),
          small_place(base, own, SMALL_STATE_AT + small_unit(thread)),
          small_place(base, own, vector + small_column(thread) % SMALL_K)};
}

/* All steps of a row. h, c [S], annotations and keys must be there. Ends without a barrier. */
template <bool ATTENDS>
__device__ __forceinline__ void
small_decode_row(const struct decode &d, const struct small_row &row, const struct small_source &source,
                 const struct small_score &score, const struct small_cell &cell,
                 struct small_attention *attention, struct small_writer *writer, const float *first_c) {
  int S = d.score.state_units, unit = small_unit();
  float c = unit < S ? first_c[unit] : 0.0f, h = 0.0f;
  if (ATTENDS) {
    small_keys(attention->key, attention->mask, row, source, 0);
    small_annotations(attention->annotations, row, source, 0);
  }
  if (!ATTENDS)
    small_want(*writer, d, row.state, source.b);
  int steps = small_steps<ATTENDS>(d, row, score, cell, attention, writer, c, h);
  int b = small_kept_number(row);
  int64_t at = (int64_t)b * S + unit;
  if (unit < S && small_gate() == 0 && d.d_final_h)
    d.d_final_h[at] = h;
  if (unit < S && small_gate() == 0 && d.d_final_c)
    d.d_final_c[at] = c;
  block_decode_fill(d, b, steps, row.time);
}

#endif
