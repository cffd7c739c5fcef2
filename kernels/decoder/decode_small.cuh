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

/* The steps of a row in the warps that attend, or in the others; returns how many. c is the lane's unit's, as
 * is h at the end. */
template <bool ATTENDS>
__device__ __forceinline__ int small_steps(const struct decode &d, const struct small_row &row,
                                           const struct small_score &score, const struct small_cell &cell,
                                           const struct small_attention *attention,
                                           struct small_writer *writer, float &c, float &h) {
  int A = d.score.annotation_width, S = d.score.state_units;
  bool is_fed = d.feedback == CUSEQ_FEEDBACK_OUTPUT, ends = d.end_token >= 0;
  int awaits_token = small_kept(is_fed || ends ? small_lane() + 1 : 0);
  int64_t y = (int64_t)row.b * d.steps;
  struct small_fault fault = {INT32_MAX};
  float part = 0.0f;
  int step = 0;
  for (;; step++, y++) {
    float z, fed = 0.0f, p[SMALL_EACH];
    if (ATTENDS) {
      if (step == d.steps)
        break;
      float query[2];
      small_query(query, *attention, row.state_quarter);
      z = small_product(shared_floats(row.state, SMALL_CARRIED), attention->recurrent, 0.0f);
      small_attend(row, score, attention->key, attention->mask, query, 0);
      if (__builtin_expect(row.length > SMALL_SET, 0))
#pragma unroll 1
        for (int set = SMALL_SET; set < row.length; set += SMALL_SET) {
          float key[2][2];
          int mask[2];
          small_keys(key, mask, row, score, set);
          small_attend(row, score, key, mask, query, set);
        }
    } else {
      z = small_carry(row, *writer, step - 1);
      small_write_alpha(row, *writer, step, part);
      small_write_vectors(row, *writer, step, part, fault);
      if (step > 0 && small_is_turn(step - 1))
        small_choose(row, *writer);
      else if (step > 1 && small_is_turn(step - 2))
        small_raise_outputs(d, *writer, fault, step - 1, y - 2);
      else if (step > 2 && small_is_turn(step - 3))
        small_sum_outputs(*writer);
      else if (step > 3 && small_is_turn(step - 4))
        small_write_outputs(d, *writer, y - 4);
      if (step == d.steps)
        break;
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
        fed = __ldg(d.d_kernel + ((int64_t)A + token) * 4 * S + threadIdx.x);
    }
    float half = small_sums<ATTENDS>(row, p, attention, A);
    if (!ATTENDS && __builtin_expect(writer->wants & SMALL_MORE, 0))
      small_write_more(d, row, small_part(row, half), y);
    small_barrier();              /* the context and h U are there; h and the powers have been read */
    part = small_part(row, half); /* behind the barrier, for which nobody waits then */
    if (ATTENDS)
      z += small_read(row.gate_own, 0);
    z = fmaf(small_product(row.context, cell.kernel, 0.0f), part, z) + fed;
    small_update(row, cell, z, c, h);
    small_barrier(); /* h is there */
    fault.look(c, step + 1, LAUNCH_STAGE_DECODER);
  }
  if (!ATTENDS)
    small_end_outputs(d, *writer, fault, step, y);
  fault.tell(d.check, row.b);
  return step;
}

/* What a row begins with, by all threads: h in its place. PLACE_PARTIAL is at `partial`. Complete after the
 * next barrier. */
__device__ __forceinline__ void small_begin(const struct decode &d, int b, const float *final_h,
                                            const float *final_c, int64_t stride, float *partial,
                                            float *cell) {
  int S = d.score.state_units, thread = (int)threadIdx.x;
  block_start_state(d.start, false, b, final_h, stride, partial + SMALL_STATE_AT);
  block_start_state(d.start, true, b, final_c, stride, cell);
  if (thread >= S && thread < SMALL_K)
    partial[SMALL_STATE_AT + thread] = 0.0f;
  if (thread < SMALL_K)
    partial[SMALL_CONTEXT_AT + thread] = 0.0f;
  if (thread == 0)
    partial[SMALL_TOKEN_AT] = __int_as_float(d.d_previous ? d.d_previous[b] : d.start_token);
}

__device__ __forceinline__ struct small_row small_row_make(const struct decode &d, int b,
                                                           const float *partial, const float *powers) {
  const shared_floats all = small_place(partial);
  bool attends = small_warp() < SMALL_ATTENDING;
  int quarter = attends ? 4 * small_quarter() : 16 * (small_warp() - SMALL_ATTENDING);
  int vector = small_half() == 1 ? SMALL_STATE_AT : SMALL_CONTEXT_AT;
  return {nullptr,
          nullptr,
          0,
          0,
          b,
          d.d_lengths ? d.d_lengths[b] : d.time,
          d.time,
          shared_floats(all, SMALL_STATE_AT),
          shared_floats(all, SMALL_CONTEXT_AT),
          shared_floats(all, SMALL_LOGITS_AT),
          shared_floats(all, SMALL_TOKEN_AT),
          shared_floats(powers),
          small_place(partial + SMALL_STATE_AT + quarter),
          small_place(powers + SMALL_EACH * small_half()),
          small_place(powers + small_position()),
          small_place(partial + SMALL_CONTEXT_AT + small_column()),
          small_place(partial + SMALL_GATES_AT + threadIdx.x % SMALL_THREADS),
          small_place(partial + SMALL_STATE_AT + small_unit()),
          small_place(partial + vector + small_column() % SMALL_K)};
}

/* All steps of a row. h, c [S], annotations and keys must be there. Ends without a barrier. */
template <bool ATTENDS>
__device__ __forceinline__ void
small_decode_row(const struct decode &d, const struct small_row &row, const struct small_score &score,
                 const struct small_cell &cell, struct small_attention *attention,
                 struct small_writer *writer, const float *first_c) {
  int S = d.score.state_units, unit = small_unit();
  float c = unit < S ? first_c[unit] : 0.0f, h = 0.0f;
  if (ATTENDS) {
    small_keys(attention->key, attention->mask, row, score, 0);
    small_annotations(attention->annotations, row, d.score.annotation_width, 0);
  }
  if (!ATTENDS)
    small_want(*writer, d, row.b);
  int steps = small_steps<ATTENDS>(d, row, score, cell, attention, writer, c, h);
  int64_t at = (int64_t)row.b * S + unit;
  if (unit < S && small_gate() == 0 && d.d_final_h)
    d.d_final_h[at] = h;
  if (unit < S && small_gate() == 0 && d.d_final_c)
    d.d_final_c[at] = c;
  block_decode_fill(d, row.b, steps, row.time);
}

#endif
