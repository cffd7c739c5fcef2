/* GIVEN.npy: the numbers that a decoder reads at every step. */
#ifndef CUSEQ_CLI_GIVEN_H
#define CUSEQ_CLI_GIVEN_H

#include "cuseq/cuseq.h"
#include "formats/npy.h"

#include <stdbool.h>

struct given {
  struct npy_array array;
  const float *numbers; /* [B,Y,G]; NULL: none are given */
  size_t row;           /* Y x G */
};

/* Refuses a model that needs --given where there is none, and one that reads no such numbers. Returns an exit
 * status. */
int given_check(const char *model, const cuseq_config *config, const char *path);

/* Reads numbers [batch,Y,G] and checks them against the model; a path of NULL does nothing. Returns an exit
 * status; release them with given_free in any case.
 *   steps  in: what is asked for, which Y has to be; 0: nothing. out: Y */
int given_load(struct given *given, const char *path, const cuseq_config *config, int32_t batch,
               bool allow_nonfinite, int32_t *steps);

/* Those of the rows from `first` on; NULL where there are none. */
const float *given_rows(const struct given *given, int32_t first);

void given_free(struct given *given);

#endif
