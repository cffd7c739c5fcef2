/* A decoding as the caller gives it, checked and resolved: once for all backends. */
#ifndef CUSEQ_HOST_DECODING_H
#define CUSEQ_HOST_DECODING_H

#include "backends/backend.h"

/* What a decoding is held against. */
struct decoding_limits {
  const cuseq_model *model;
  int32_t max_rows, max_steps;
  int32_t encoded; /* rows and positions of what is, or is about to be, encoded */
  int32_t time;
  bool rows_allowed; /* the call decodes what was encoded before */
  bool is_search;    /* the tokens are a search's: none need be given */
};

/* Refuses arrays that the model does not have and sizes out of range; what is left to the model is filled in:
 * steps, batch. `previous` stays NULL where the start token is meant, and becomes NULL without feedback.
 *   call  the public call, for messages */
cuseq_status decoding_resolve(const struct decoding_limits *limits, const cuseq_decoding *decoding,
                              const char *call, cuseq_decoding *resolved);

/* Looks into the arrays that a resolved decoding starts from, those in host memory: tokens, rows and lengths
 * in range, and numbers finite unless they may be anything.
 *   on_device  [BACKEND_ARRAYS] */
cuseq_status decoding_check(const struct decoding_limits *limits, const cuseq_decoding *decoding,
                            const bool *on_device, bool allow_nonfinite);

/* Whether the output of a model, which has a decoder, is softmax or log_softmax. */
bool decoding_gives_probabilities(const struct structure *structure);

#endif
