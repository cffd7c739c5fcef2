/* Rows of several lengths, and a device held against the reference on a model of given weights. */
#ifndef TESTS_SUPPORT_ROWS_H
#define TESTS_SUPPORT_ROWS_H

#include "cuseq/cuseq.h"

enum { ROWS_MOST = 5 };

/* A batch of rows of dense input: the first one all T long, the last one a single position. */
struct rows {
  float *x;
  int32_t lengths[ROWS_MOST];
  cuseq_input input;
};

void rows_make(struct rows *rows, int32_t batch, int32_t T, int32_t F);

/* Expects a configuration to be refused with these words. */
void rows_expect_refused(const char *json, const char *words);

/* Expects a model of this configuration to compute on `device` what the reference computes, of up to
 * ROWS_MOST rows, of dense and of one-hot positions; Y steps, or T where it has no decoder. */
void rows_expect_close(const char *json, const char *device, int32_t batch, int32_t T, int32_t Y);

/* Expects a row of this model, of dense and of one-hot positions, to have the same bits whatever the number
 * of threads and the other rows are. */
void rows_expect_same_bits(const char *json, const char *device, int32_t T, int32_t Y);

#endif
