/* Every output of a call, poisoned before it and with guard bands around each array. */
#ifndef TESTS_SUPPORT_RESULTS_H
#define TESTS_SUPPORT_RESULTS_H

#include "cuseq/cuseq.h"

#include <stddef.h>

enum { RESULTS_FLOATS = 14, RESULTS_INTEGERS = 2 };

struct results_floats {
  const char *name;
  float *data; /* NULL where the model has no such output */
  size_t rows; /* the batch, or layers x D x batch */
  size_t columns;
};

struct results {
  struct results_floats floats[RESULTS_FLOATS];
  int32_t *tokens;         /* [B,Y] or NULL */
  int32_t *output_lengths; /* [B] or NULL */
  int32_t B, Y, V;
  cuseq_encoding encoding; /* as a call takes them */
  cuseq_decoding decoding;
};

/* Makes them for a model; the decoding's steps are Y. */
void results_make(struct results *results, const cuseq_model *model, int32_t B, int32_t T, int32_t Y);
void results_free(struct results *results);

/* 1 if every guard band is whole; otherwise 0 and `name` receives the array's. */
int results_guards_whole(const struct results *results, const char **name);

/* 1 if `got` is within the tolerance of `want`, array by array; tokens must be equal where the two best of
 * want's outputs differ by more than the tolerance, and rows are compared up to the first token that differs
 * rightly. Otherwise 0, and results_report() tells. */
int results_close(const struct results *got, const struct results *want, double tolerance);

/* 1 if row `got_row` of `got` has the bits of row `want_row` of `want`. Both have the same sizes but for the
 * batch. */
int results_same_row(const struct results *got, int32_t got_row, const struct results *want,
                     int32_t want_row);

const char *results_report(void);

/* Opens a session on `device` of just the size, runs the whole model and closes; aborts the test's process
 * with the message on failure. threads 0: what helps. */
void results_run(struct results *results, const cuseq_model *model, const char *device, int32_t threads,
                 const cuseq_input *input);

#endif
