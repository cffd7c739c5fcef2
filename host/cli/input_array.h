/* The input of `run` and `compare`: an array from a file, checked against a model. */
#ifndef CUSEQ_CLI_INPUT_ARRAY_H
#define CUSEQ_CLI_INPUT_ARRAY_H

#include "cuseq/cuseq.h"
#include "formats/npy.h"

#include <stdbool.h>

struct input_array {
  struct npy_array array;
  cuseq_dtype dtype;
  int32_t batch, time, features; /* features 1 for ids                                                    */
  struct npy_array lengths_array;
  const int32_t *lengths; /* [batch] or NULL                                                              */
};

/* Reads floats (or whole numbers) [B,T,F], or ids [B,T], and the lengths where `lengths_path` is not NULL,
 * and checks everything that depends on values: lengths, ids, finiteness (unless `allow_nonfinite`), one-hot
 * rows where the model looks ids up. Returns an exit status; release it with input_free in any case. */
int input_load(struct input_array *input, const char *path, const char *lengths_path,
               const cuseq_config *config, bool allow_nonfinite);
void input_free(struct input_array *input);

/* Rows first .. first + count - 1 as a call's argument. */
cuseq_input input_rows(const struct input_array *input, int32_t first, int32_t count);

/* An element of the array as it was read: a value, or an id. */
double input_value(const struct input_array *input, size_t index);

/* The ids of row `b`, where it is ids or all its positions are one-hot: fills ids [time], those past the
 * row's length with -1. Returns false for any other row. */
bool input_row_ids(const struct input_array *input, int32_t b, int32_t *ids);

#endif
