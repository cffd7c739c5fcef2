/* Every output of a call, poisoned before it and with guard bands around each array. */
#ifndef TESTS_SUPPORT_RESULTS_H
#define TESTS_SUPPORT_RESULTS_H

#include "cuseq/cuseq.h"

#include <stddef.h>

enum { RESULTS_FLOATS = 15, RESULTS_FIRST_DECODED = 7 /* those before are of what is encoded */ };

struct results_floats {
  const char *name;
  float *data; /* NULL where the model has no such output */
  size_t rows; /* of the batch */
  size_t columns;
  cuseq_result kind; /* of what its tolerance is */
  double tolerance;  /* cuseq_model_tolerance() of the model, the precision and the sizes */
};

struct results {
  struct results_floats floats[RESULTS_FLOATS]; /* in the order of the arrays of a call (backends/call.h) */
  int32_t *tokens;                              /* [B,Y,N] or NULL */
  int32_t *output_lengths;                      /* [B] or NULL */
  int32_t encoded;                              /* rows of what is encoded */
  int32_t B, Y, V, N;                           /* of what is decoded; N tokens a step */
  cuseq_encoding encoding;                      /* as a call takes them */
  cuseq_decoding decoding;
  const cuseq_model *model; /* must outlive the results */
  int32_t T;
  cuseq_precision precision; /* of sessions that results_run() opens, but for the reference's */
};

/* Makes them for a model; the decoding's steps are Y: 1, or T, where the model has no decoder. */
void results_make(struct results *results, const cuseq_model *model, int32_t B, int32_t T, int32_t Y);
/* The same for a decoding of B rows that names which of the `encoded` rows they attend to. */
void results_make_rows(struct results *results, const cuseq_model *model, int32_t encoded, int32_t B,
                       int32_t T, int32_t Y);
void results_free(struct results *results);

/* What tests open sessions of a device in: float32, or what CUSEQ_TEST_PRECISION in the environment says,
 * "bf16" or "tf32"; the reference's always float32. Results are made in it. */
cuseq_precision results_precision(const char *device);

/* Makes them results of a precision: the tolerance is its own, and what results_run() opens. */
void results_precise(struct results *results, cuseq_precision precision);

/* 1 if every guard band is whole; otherwise 0 and `name` receives the array's. */
int results_guards_whole(const struct results *results, const char **name);

/* 1 if `got` is within `room` times the tolerance of `want`, array by array; tokens must be equal where the
 * two best of want's outputs differ by more than twice that, and rows are compared up to the first token that
 * differs rightly. Otherwise 0, and results_report() tells. */
int results_close(const struct results *got, const struct results *want, double room);

/* Whether a step's token decides what comes after it. */
int results_follow_tokens(const struct results *results);

/* 1 if row `got_row` of `got` has the bits of row `want_row` of `want`. Both have the same sizes but for the
 * batch; arrays of fewer rows are left out. */
int results_same_row(const struct results *got, int32_t got_row, const struct results *want,
                     int32_t want_row);

const char *results_report(void);

/* Beside the devices: the reference's source in float32 (support/reference_f32.h). */
#define RESULTS_FLOAT32 "float32"

/* Opens a session on `device` of just the size, runs the whole model and closes; aborts the test's process
 * with the message on failure. threads 0: what helps. Where the decoding names rows, encodes and then
 * decodes. */
void results_run(struct results *results, const cuseq_model *model, const char *device, int32_t threads,
                 const cuseq_input *input);

#endif
