/* The arrays of a decoding on the device: what the caller gives is brought to the session's own, and what the
 * steps made is brought to the caller's. Made from the table of a call's arrays (backends/call.h). */
#ifndef CUSEQ_CUDA_DECODING_H
#define CUSEQ_CUDA_DECODING_H

#include "backends/cuda/cuda.h"

/* The session's arrays: of R rows at most, each of as many steps as the limits have. */
void cuda_decoding_plan(struct cuda_session *session, struct cuda_plan *plan);

/* How many rows a decoding has. */
int32_t cuda_decoding_rows(const struct cuda_session *session, const cuseq_decoding *decoding);

/* Queues the copies of all inputs of a decoding of `rows` rows, and the checks of those that the caller left
 * on the device. */
cuseq_status cuda_decoding_bring(struct cuda_session *session, const cuseq_decoding *decoding, int32_t rows);

/* Where a result is written: to the caller's array where that is on the device; else to the session's, NULL
 * where nobody wants it. */
void *cuda_decoding_place(const struct cuda_session *session, enum backend_array array, void *wanted);

/* Queues copies of the results to the caller's arrays; made[array] is where each was written. */
cuseq_status cuda_decoding_fetch(struct cuda_session *session, const cuseq_decoding *decoding, int32_t rows,
                                 void *const made[BACKEND_ARRAYS]);

#endif
