/* The model as a textbook writes it: a loop for every sum, libm for every function, a K_a computed again in
 * every step. */
#ifndef BENCH_FRAMEWORKS_TEXTBOOK_H
#define BENCH_FRAMEWORKS_TEXTBOOK_H

#include "../cpu/workload.h"

struct textbook;

/* Reads the instance's weights and input and writes its annotations, contexts (W1) and outputs (W2), rows of
 * the batch in `threads` parallel parts. NULL without memory. The instance must outlive it. */
struct textbook *textbook_open(const struct instance *instance, int threads);

/* One batch. */
void textbook_run(struct textbook *textbook);

void textbook_close(struct textbook *textbook);

#endif
