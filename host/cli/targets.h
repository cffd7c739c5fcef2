/* TOKENS.npy: the outputs that a model is made to follow. */
#ifndef CUSEQ_CLI_TARGETS_H
#define CUSEQ_CLI_TARGETS_H

#include "cuseq/cuseq.h"
#include "formats/npy.h"

#include <stdbool.h>

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
/* Refuses a model that needs --targets where there are none, and one that cannot follow them. Returns an exit
 * status.
 *   searches  --beam is there, which needs none
 *   started   the token before the first step is said */
int targets_check(const char *model, const cuseq_config *config, const char *path, bool searches,
                  bool started);

/* Whether the model has log-probabilities of the tokens that it follows. */
bool targets_have_logs(const cuseq_config *config);

void targets_free(struct targets *targets);

#endif
