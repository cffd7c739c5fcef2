/* Attention from its sources, and the pieces that all parts are made of. */
#ifndef CUSEQ_ARRAYS_PARTS_ATTENTION_H
#define CUSEQ_ARRAYS_PARTS_ATTENTION_H

#include "convert/arrays/checkpoint.h"
#include "convert/arrays/sources.h"

/* A vector of so many numbers, under its key. */
cuseq_status parts_add_vector(struct checkpoint *checkpoint, const struct sources *sources, int64_t size,
                              const char *size_by, const char *key);

/* A dense layer and what normalises its sums; nothing where there is none. */
cuseq_status parts_add_dense(struct checkpoint *checkpoint, const struct sources *sources,
                             const struct dense *dense, const char *inputs_by, const char *key);

/* What an attention looks at, and is asked by: in words, and the width of what it looks at. */
struct attention_source {
  const char *attended, *asks;
  int32_t width;
};

/* All tensors of an attention.
 *   key  "attention", or "encoder.layers.N.self_attention" */
cuseq_status parts_add_attention(struct checkpoint *checkpoint, const struct sources *sources,
                                 const struct attention_structure *attention,
                                 const struct attention_source *from, const char *key);

#endif
