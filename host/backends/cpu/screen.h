/* The largest logit without the others: a decoder that feeds its best token back needs no more of a step, and
 * the weights of a large vocabulary are most of what a step reads.
 *
 * A row's logits are made of weights and inputs in 8 bits first, a quarter of the bytes, together with a
 * bound of what each is off by: what the weights lost times the inputs' length, what the inputs lost times
 * the weights' length (Cauchy and Schwarz), and the rounding of either way. Only groups of columns whose
 * logit may be the largest by that are then made of the weights themselves, by the product that makes all of
 * them otherwise; so the token is the same, and so is its logit. Where too many groups are left, or numbers
 * are out of range, nothing is gained and all logits are made.
 *
 * The logits that someone else wants - probabilities, log-probabilities - are made for several steps at a
 * time: decoder_output.c. */
#ifndef CUSEQ_CPU_SCREEN_H
#define CUSEQ_CPU_SCREEN_H

#include "backends/cpu/cpu.h"

/* Decides whether sessions of this model screen: by its sizes and the processor. CUSEQ_CPU_SCREEN in the
 * environment screens wherever it can be done (1) or nowhere (0), for tests. */
void screen_plan(struct cpu *cpu);

/* The weights of the decoder's head in 8 bits. */
void screen_pack(const struct cpu *cpu, struct cpu_arena *arena);

/* Room for it. */
void screen_worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker);

/* Whether x, what the head's last layer reads, has its numbers in range: then all logits are finite. */
bool screen_takes(const struct cpu *cpu, const struct cpu_worker *worker, const float *x);

/* The tokens with the largest logits of `count` rows of such x, at most SCREENED_ROWS; -1 where all logits
 * are to be made. */
void screen_tokens(const struct cpu *cpu, const struct cpu_worker *worker, const float *const *in,
                   int32_t count, int32_t *tokens);

#endif
