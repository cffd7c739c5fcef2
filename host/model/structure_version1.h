/* Version 1 of the format: its configuration as a structure, and its weights in the words of version 1. */
#ifndef CUSEQ_MODEL_STRUCTURE_VERSION1_H
#define CUSEQ_MODEL_STRUCTURE_VERSION1_H

#include "model/model.h"

/* The structure of a version 1 configuration whose widths are all known, without weights.
 *   has_additive_bias  the one optional tensor that no width tells of */
void structure_of_version1(const cuseq_config *config, bool has_additive_bias, struct structure *structure);

/* The weights of such a structure by their version 1 names. */
void weights_of_version1(const struct structure *structure, struct model_weights *weights);

#endif
