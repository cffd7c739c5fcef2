/* What a session's calls are run by, in words. */
#ifndef CUSEQ_CUDA_EXPLAIN_H
#define CUSEQ_CUDA_EXPLAIN_H

#include "backends/cuda/cuda.h"

/* Lines, each ended by a newline, for calls of the session's limits. Returns the length of the whole text. */
size_t cuda_explain(const struct cuda_session *session, char *text, size_t capacity);

#endif
