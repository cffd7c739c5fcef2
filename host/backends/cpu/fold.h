/* What a decoder's steps multiply that is the same at every step, made once for each encoded position
 * instead: such products are folded.
 *
 * The layer that reads the context c = sum_t alpha_t v_t makes W c of it, which is sum_t alpha_t (W v_t):
 * with the folded values W v_t a step adds them up in the place of the values, and W is read no more. The
 * reader is the attentional layer, or the decoder's first cell, whose folded values have its bias too (the
 * alphas add up to 1) and are where its sums begin. Energies key_t . (W q) of inner products are
 * (W^T key_t) . q: with folded keys the state asks as it is.
 *
 * Which rows are folded depends on their own length: what the steps save must be worth what the positions
 * cost. A row of which a folded number is not finite goes without, as products of large weights with large
 * values may be that a sum with alphas never comes to. */
#ifndef CUSEQ_CPU_FOLD_H
#define CUSEQ_CPU_FOLD_H

#include "backends/cpu/cpu.h"

/* Decides what is folded, up to how many positions of a row: by the structure, and the session's beams, which
 * share an encoded row. CUSEQ_CPU_FOLD in the environment folds all that can be (1) or nothing (0), for
 * tests. */
void fold_plan(struct cpu *cpu);

/* The weights of all that may be folded of this structure, beside the model's others, since sessions that
 * fold other rows share them: those of positions, and what is left to a step. */
void fold_pack_positions(const struct cpu *cpu, struct cpu_arena *arena);
void fold_pack_steps(const struct cpu *cpu, struct cpu_arena *arena);

/* Room for what is folded. */
void fold_take(struct cpu *cpu, struct cpu_arena *arena);
void fold_worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker);

/* A row's folded keys or values, [time][stride], and whether it has them. */
static inline float *folded_of(const struct cpu_folded *folded, int32_t row) {
  return folded->x + (size_t)row * (size_t)folded->longest * folded->stride;
}
static inline bool folded_has(const struct cpu_folded *folded, int32_t row) {
  return folded->columns > 0 && folded->made[row];
}

/* The sum of folded values of a tile's row. */
static inline float *folded_sum_of(const struct cpu *cpu, const struct cpu_worker *worker, int32_t i) {
  return worker->folded + (size_t)i * cpu->fold.values.stride;
}

/* Folds all positions of the encoded rows order[tile], whose values are made. */
void fold_positions(struct cpu *cpu, const struct cpu_worker *worker, struct cpu_tile tile);

/* Parts but for the context. */
struct parts fold_parts(const struct parts *parts);

#endif
