/* Models of any structure from the input to the last token as one launch, where a block holds what a row
 * needs. */
#ifndef CUSEQ_CUDA_WHOLE_ANY_H
#define CUSEQ_CUDA_WHOLE_ANY_H

#include "backends/cuda/cuda.h"

/* Why calls of a session's limits do not run so, in a few words; NULL: they do. */
const char *cuda_whole_any_reason(const struct cuda_session *session);
/* Whether what is forced can run every call of a session; an error says what cannot. For models of version
 * 2. */
cuseq_status cuda_whole_any_check(const struct cuda_session *session);

/* Gives the model a place; copies it once the weights have theirs. Nothing where no call runs so. */
void cuda_whole_any_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_whole_any_upload(struct cuda_session *session);

/* Whether a call from input to output is one launch. */
bool cuda_whole_any_takes(const struct cuda_session *session, const struct backend_input *input,
                          const cuseq_decoding *decoding);
/* Queues encoder and decoder, or heads, as one launch where a call takes one, and copies of what is wanted;
 * otherwise it does nothing. *queued says which. */
cuseq_status cuda_whole_any_queue(struct cuda_session *session, const struct backend_input *input,
                                  const cuseq_encoding *encoding, const cuseq_decoding *decoding,
                                  bool *queued);

#endif
