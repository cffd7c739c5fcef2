/* What the file lists as the model's outputs, held against the arrays that cuseq gives: the outputs of the
 * decoder's steps come all and in their order, and what stands beside them is one of cuseq's other arrays,
 * or the model is refused. */
#ifndef CUSEQ_RECOGNISE_OUTPUTS_H
#define CUSEQ_RECOGNISE_OUTPUTS_H

#include "convert/recognise/recognised.h"

/* One output of the model in its file's order. */
struct listed_output {
  struct value value;
  const int32_t *parts; /* the expressions that it joins, or itself */
  int32_t part_count;
  bool joined; /* along an axis of steps, or the features */
  bool flat;   /* joined along the features */
  bool beside; /* it is to be one of cuseq's arrays that every run gives; otherwise a model's output */
};

struct listed_outputs {
  struct listed_output *list;
  size_t count;
  int32_t *steps; /* what the outputs that are not beside consist of, in the file's order */
  int32_t step_count;
};

/* Takes the outputs apart. */
cuseq_status outputs_list(struct recogniser *recogniser, struct listed_outputs *listed);

/* The context of an attention-only model, which must be its one output but for those beside it. */
cuseq_status outputs_context(struct listed_outputs *listed, const struct expressions *expressions,
                             int32_t *context);

/* Once the model is recognised: refuses outputs whose numbers lie otherwise than cuseq's and outputs
 * beside the model's that are none of cuseq's arrays; says on the notes which array each one is. */
cuseq_status outputs_check(struct recogniser *recogniser, const struct listed_outputs *listed,
                           const struct recognised *model);

#endif
