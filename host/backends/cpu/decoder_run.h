/* A tile's rows while they are decoded: what decoder_begin.c begins and decoder.c goes on with. */
#ifndef CUSEQ_CPU_DECODER_RUN_H
#define CUSEQ_CPU_DECODER_RUN_H

#include "backends/cpu/fold.h"

/* What the steps of a tile share. */
struct run {
  struct cpu *cpu;
  struct cpu_worker *worker;
  const cuseq_decoding *decoding;
  float *log_outputs; /* [rows, V] of a search's step; else NULL */
  const struct decoder_structure *decoder;
  struct cpu_tile tile;
  struct cpu_cell_step
      steps[STRUCTURE_MAX_DECODER_LAYERS]; /* how each layer's cell puts its input together */
  struct cpu_cell_step whole[STRUCTURE_MAX_DECODER_LAYERS]; /* cpu->state_first: with the state in front */
  struct parts reads_rest, attentional_rest; /* what a row's folded context leaves to be read */
  struct cpu_cell_step step_rest;            /* the same of the first layer's cell */
  bool begun;                                /* the state's part of this step's sums is made: worker->begun */
  bool zero_state[STRUCTURE_MAX_DECODER_LAYERS]; /* the first step's hidden state is zero */
  bool output;                                   /* someone wants the outputs or tokens */
  bool turned; /* this step takes weights from the last to the first: see cpu_cell_step */
};

/* ---- what a row's vectors are ---- */

static inline float *hidden_of(const struct run *run, int32_t layer, int32_t y, int32_t i) {
  return run->worker->hidden[y & 1] + (size_t)i * run->cpu->states_stride + run->cpu->state_offset[layer];
}

/* What layer `layer` has given in step y: its new state, or that and what it read. */
static inline const float *given_of(const struct run *run, int32_t layer, int32_t y, int32_t i) {
  return run->decoder->layers[layer].residual
             ? run->worker->given + (size_t)i * run->cpu->states_stride + run->cpu->state_offset[layer]
             : hidden_of(run, layer, y + 1, i);
}

static inline const float *part_of(const struct run *run, enum part part, int32_t y, int32_t i) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  switch (part) {
  case PART_TOKEN:
    return run->decoder->embedding_units > 0
               ? run->decoder->embedding + (size_t)worker->token[i] * (size_t)run->decoder->embedding_units
               : worker->one_hot + (size_t)i * cpu->token_stride;
  case PART_CONTEXT:
    return worker->context + (size_t)i * cpu->context_stride;
  case PART_ATTENTIONAL:
    return worker->attentional + (size_t)i * cpu->attentional_stride;
  case PART_GIVEN:
    return worker->numbers + (size_t)i * cpu->numbers_stride;
  case PART_STATE:
    break;
  }
  return given_of(run, run->decoder->count - 1, y, i);
}

/* Whether the first layer takes a token's row: of its weights, or of the sums made of them. Else it reads a
 * vector. */
static inline bool reads_hot(const struct run *run) {
  return run->cpu->packed->weights.decoder[0].cell.token_sums ||
         (run->decoder->embedding_units == 0 && run->decoder->fed_probabilities == 0);
}

/* The vectors of a row that its next step reads of this one, in the order of a call's `fed`; 0 wide where it
 * reads none. */
enum { CPU_FED = 3 };
struct cpu_fed {
  float *vector;
  int32_t width;
};
void cpu_run_fed(const struct run *run, int32_t i, struct cpu_fed fed[CPU_FED]);

/* Initial states, tokens and fed vectors of the tile's rows, and how the cells put their inputs together. */
void cpu_run_begin(struct run *run, const struct cpu_call *call);

/* Some rows' vectors side by side: worker->pointers to where they lie, which is worker->read for more than
 * one. */
void cpu_run_read(struct run *run, const struct parts *parts, int32_t y, const int32_t *rows, int32_t count);

/* Notes what of row i's states after `y` steps is not finite. */
void cpu_run_check_states(struct run *run, int32_t i, int32_t y);

/* decoder_output.c: the outputs and tokens of the `count` active rows of step y, `ends` where the end token
 * ends rows; and those that are still to be made when the steps are. */
void cpu_run_output(struct run *run, int32_t y, int32_t count, bool ends);
void cpu_run_output_end(struct run *run);

/* The token that row i is given next; -1: none. */
void cpu_run_token(struct run *run, int32_t i, int32_t token);

#endif
