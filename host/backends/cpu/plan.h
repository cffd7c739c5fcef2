/* How a call is cut into tasks. Nothing of it changes a bit of the results. */
#ifndef CUSEQ_CPU_PLAN_H
#define CUSEQ_CPU_PLAN_H

#include "backends/cpu/cpu.h"

struct cpu_plan {
  int32_t threads;
  int32_t parts; /* threads that share the products of a tile that is the only one; 1: none do */
  bool whole;    /* a task takes a tile through the whole model; else directions are tasks of their own */
  int32_t encode_tiles; /* tiles of the encoder */
  int32_t decode_tiles; /* tiles of what follows it; the same where `whole` */
};

/* The most rows that a tile of this model has; needs the configuration and limits only. */
int32_t plan_tile_rows(const struct cpu *cpu);

/* Whether the products of a first cell with embeddings are made when the weights are packed, for each token
 * once: a step then reads a row of sums in the place of the weights. Of the encoder's first layer, and of the
 * decoder's, where a token is what it reads first. */
bool plan_encoder_token_sums(const struct structure *structure, int32_t direction);
bool plan_decoder_token_sums(const struct structure *structure);

/* The row at which the weights of a part of what the decoder's first cell reads begin; of the part behind the
 * last one, where all of them end. Tokens whose products are made have no weights. */
int32_t plan_reads_row(const struct structure *structure, int32_t part);

/* Whether the sums of the decoder's cells begin with the state's part, whatever the number of rows. One row
 * can then make that part as soon as it has the state, or when the next step needs it. By turns it does the
 * one and the other: weights that do not all fit into the second-level cache are then read twice in short
 * succession, and every other time come from there. */
bool plan_state_first(const struct cpu *cpu);

/* The bytes of weights from which another thread is worth its part of a product, or what CUSEQ_CPU_PART in
 * the environment says; where it does, threads share products even without cores of their own. */
size_t plan_part_bytes(void);

/* Whether threads make a layer's directions one after the other, since the weights of both would not stay in
 * the third-level cache from step to step. */
bool plan_directions_in_turn(const struct cpu *cpu, const struct encoder_layer *layer);

/* The threads that a session of these limits has use for, when the caller names none. */
int32_t plan_threads(const struct cpu *cpu);

/* The plan of one call of `batch` rows; `steps` 0: no decoding, `encode` false: nothing else. */
struct cpu_plan plan_call(const struct cpu *cpu, bool encode, int32_t batch, int32_t time, int32_t steps);

/* Tile `index` of `tiles` even ones over `batch` rows. */
struct cpu_tile plan_tile(int32_t batch, int32_t tiles, int32_t index);

/* Sorts the batch by lengths, longest first and otherwise in order; lengths NULL: all `time`. */
void plan_order(struct cpu *cpu, const int32_t *lengths, int32_t batch, int32_t time);

#endif
