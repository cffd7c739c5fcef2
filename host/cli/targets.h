/* TOKENS.npy: the outputs that a model is made to follow. */
#ifndef CUSEQ_CLI_TARGETS_H
#define CUSEQ_CLI_TARGETS_H

#include "cuseq/cuseq.h"
#include "formats/npy.h"

struct targets {
  struct npy_array array;
  int32_t steps;         /* Y                                                                             */
  const int32_t *tokens; /* [B,Y]                                                                         */
  int32_t *lengths;      /* [B] up to and with the end token, or up to the first negative entry           */
  int32_t *widened;      /* the rows of a file of fewer columns, [B,Y]                                    */
};

/* Reads whole numbers [batch,n] and checks them against the model. Returns an exit status; release them with
 * targets_free in any case.
 *   asked  steps that are asked for, of which n may be fewer; 0: n are made */
int targets_load(struct targets *targets, const char *path, const cuseq_config *config, int32_t batch,
                 int32_t asked);
void targets_free(struct targets *targets);

#endif
