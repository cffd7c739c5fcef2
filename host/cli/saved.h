/* Arrays that a framework saved, and which of a model's they are. */
#ifndef CUSEQ_CLI_SAVED_H
#define CUSEQ_CLI_SAVED_H

#include "cli/input_array.h"
#include "cli/results.h"
#include "cli/verdict.h"
#include "formats/npz.h"

/* An array that there is: a result of the model, of several heads the outputs of one, or its input. */
struct given_array {
  const char *name;
  enum result_id id; /* RESULT_COUNT: the input                                                           */
  bool is_alias; /* another name for a result that is in the list by its own                              */
  int32_t rank;
  int64_t shape[4];
  int32_t offset, width; /* of its values in the innermost vectors of the result                          */
  int32_t inner;         /* width of those vectors                                                        */
};

struct saved_array {
  const char *name; /* in the file                                                                        */
  const struct npy_array *values;
  const struct given_array *given; /* which of the model's it is                                          */
  bool by_shape;
  struct verdict verdict;
};

struct saved {
  struct npz archive;
  struct given_array *given;
  int32_t given_count;
  struct saved_array *arrays;
  int32_t count;
};

/* Reads the archive and finds which array each is: by its name, else by its shape, axes of 1 left out, where
 * that is one array's alone. What a decoder begins with (begin.h) is none of them. Refuses those that are
 * none, could be several, or are one that is there already. Returns an exit status; release it with
 * saved_free in any case.
 *   input    what the model reads, which the file may have, too
 *   results  shapes for all rows; those of rank 0 are not compared */
int saved_load(struct saved *saved, const char *path, const cuseq_model *model,
               const struct input_array *input, const struct results *results);
void saved_free(struct saved *saved);

/* Element `index`, of any type. */
double saved_value(const struct npy_array *array, size_t index);

/* The array that is a result, all of it; NULL where the file has none. */
const struct saved_array *saved_find(const struct saved *saved, enum result_id id);

#endif
