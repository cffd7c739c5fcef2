/* The model that the decoder's loop walks (launch_loop.h), made of a lowered structure: vectors get their
 * places in shared memory one after the other. */
#ifndef CUSEQ_CUDA_LOOP_MODEL_H
#define CUSEQ_CUDA_LOOP_MODEL_H

#include "backends/cuda/steps.h"

/* A model under way. */
struct loop_maker {
  const struct structure *structure;
  const struct cuda_cell *cells; /* the decoder's, on the device; NULL: only sizes are wanted */
  struct loop_model *model;      /* begins as zeros */
};

/* The widest of the dense layers and vectors of what the loop walks. */
int32_t loop_widest(const struct structure *structure);

/* A decoder's: everything but the energies, whose place is the last. */
void loop_decoder_make(struct loop_maker *maker);
/* What attention and heads of a model without a decoder work in, but for the energies and what heads read.
 * Returns the place of the state that asks. */
int32_t loop_heads_make(struct loop_maker *maker);

/* A place for a vector, in floats. */
int32_t loop_place(struct loop_maker *maker, int32_t width);
void loop_parts_add(struct loop_parts *parts, int32_t at, int32_t width, bool is_token);
struct loop_dense loop_dense_of(const struct dense *dense, struct loop_parts reads, int32_t to);
/* Layers one after the other, the last one to `to`; no layers: a copy, `width` wide. */
struct loop_chain loop_chain_of(const struct loop_maker *maker, const struct dense_chain *chain,
                                struct loop_parts reads, int32_t width, int32_t to);
/* A head's layers, the last one's sums to the logits. */
struct loop_chain loop_head_of(const struct loop_maker *maker, const struct head *head,
                               struct loop_parts reads);
/* A state that begins with the encoder's, to `to`. */
struct loop_initial loop_initial_of(const struct loop_maker *maker, const struct initial_structure *initial,
                                    int32_t to);

#endif
