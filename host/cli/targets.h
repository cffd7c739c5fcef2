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
};

/* Reads whole numbers [batch,Y] and checks them against the model. Returns an exit status; release them
 * with targets_free in any case. */
int targets_load(struct targets *targets, const char *path, const cuseq_config *config, int32_t batch);
void targets_free(struct targets *targets);

#endif
