/* A PyTorch state_dict in .safetensors, and how its tensors become cuseq's. */
#ifndef CUSEQ_PYTORCH_CHECKPOINT_H
#define CUSEQ_PYTORCH_CHECKPOINT_H

#include "formats/safetensors.h"

#include <jansson.h>
#include <stdbool.h>

enum { CHECKPOINT_MAX_TENSORS = 512, CHECKPOINT_MAX_NAME = 512 };

struct checkpoint {
  struct safetensors file;
  bool *used;          /* [file.tensor_count] */
  const json_t *names; /* our prefix -> a prefix in the file, or {"name": ..., "order": [...]} */
  json_t *asked;       /* the keys of names that were looked for */
  cuseq_tensor tensors[CHECKPOINT_MAX_TENSORS]; /* what was made; names and data from malloc */
  size_t count;
};

/* An array of floats from the file: rows x columns, a vector has one row. */
struct checkpoint_array {
  int64_t rows, columns;
  float *data; /* from malloc, NULL where there is no such tensor */
};

void checkpoint_free(struct checkpoint *checkpoint);

/* The prefix in the file for one of ours; NULL where names has none. */
cuseq_status checkpoint_name(struct checkpoint *checkpoint, const char *key, const char **name);

/* Whether names says that a module's inputs are concatenated with `first` first; the list has to be a permutation of
 * first and second. */
cuseq_status checkpoint_order(const struct checkpoint *checkpoint, const char *key, const char *first,
                              const char *second, bool *swapped);

/* Reads tensor "PREFIX.SUFFIX" (suffix NULL: "PREFIX"). rank 1 or 2; one that is missing is an error if `needed`, and
 * otherwise data is NULL. */
cuseq_status checkpoint_read(struct checkpoint *checkpoint, const char *prefix, const char *suffix, int rank,
                             bool needed, struct checkpoint_array *array);

/* Adds a tensor of the model and takes the data over, on failure too. columns 0: a vector of rows. */
cuseq_status checkpoint_add(struct checkpoint *checkpoint, const char *name, int64_t rows, int64_t columns,
                            float *data);

/* Refuses tensors of the file that nothing was made of, but for those under the prefixes of names' "ignore", and keys
 * of names that nothing asked for. */
cuseq_status checkpoint_check_leftovers(const struct checkpoint *checkpoint);

/* The transpose, in place of the array. */
cuseq_status checkpoint_transpose(struct checkpoint_array *array);

/* Moves the first `count` rows behind the others. */
cuseq_status checkpoint_rotate_rows(struct checkpoint_array *array, int64_t count);

#endif
