/* What a decoder begins with, where the caller says it: the token before the first step, and its states. */
#ifndef CUSEQ_CLI_BEGIN_H
#define CUSEQ_CLI_BEGIN_H

#include "cuseq/cuseq.h"
#include "formats/npz.h"

#include <stdbool.h>

struct begin {
  int32_t *previous; /* [B], or NULL: the model's start token                                             */
  float *initial_h;  /* [B,S], or NULL: as the model says                                                 */
  float *initial_c;
  int32_t state_width; /* S                                                                               */
};

/* Begins all rows with a token, by its number or, where the model has a vocabulary, by its symbol; text NULL:
 * none is said. Returns an exit status; release with begin_free in any case. */
int begin_token(struct begin *begin, const cuseq_model *model, const char *text, int32_t rows);

/* Takes the arrays initial_h and initial_c of an archive, where it has them. Returns an exit status.
 *   path  of the archive, for messages */
int begin_states(struct begin *begin, const cuseq_model *model, const char *path, const struct npz *archive,
                 int32_t rows);

/* Whether an array of an archive is one of these, of a model that takes such. */
bool begin_is_state(const cuseq_model *model, const char *name);

/* Hands rows first .. over to a decoding. */
void begin_bind(const struct begin *begin, int32_t first, cuseq_decoding *decoding);

void begin_free(struct begin *begin);

#endif
