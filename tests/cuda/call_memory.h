/* The arrays of a call, again in another kind of memory. */
#ifndef TESTS_CUDA_CALL_MEMORY_H
#define TESTS_CUDA_CALL_MEMORY_H

#include "support/results.h"

#include <stddef.h>

/* Where arrays are made. PAGEABLE is malloc's. */
enum memory_kind { MEMORY_PAGEABLE, MEMORY_LOCKED, MEMORY_REGISTERED, MEMORY_DEVICE, MEMORY_MANAGED };

/* A copy of `bytes` in that kind of memory of the current device; NULL of NULL. Complete when it returns.
 * Free it with memory_free. */
void *memory_copy(enum memory_kind kind, const void *data, size_t bytes);
void memory_free(void *memory);

/* The bytes of a copy, back in host memory; waits for nothing but the legacy default stream. */
void memory_fetch(void *host, const void *memory, size_t bytes);

/* The outputs of `results` and the initial states it decodes from, in that kind of memory. */
struct call_memory {
  cuseq_encoding encoding;
  cuseq_decoding decoding;
};
void call_memory_make(struct call_memory *made, const struct results *results, enum memory_kind kind);
/* Brings the outputs to the arrays of `results`; they must be complete. */
void call_memory_fetch(const struct call_memory *made, struct results *results);
void call_memory_free(struct call_memory *made);

/* The same for what is encoded; `bytes` of data and of one initial state. */
cuseq_input input_memory_make(const cuseq_input *input, size_t bytes, size_t state_bytes,
                              enum memory_kind kind);
void input_memory_free(cuseq_input *input);

#endif
