/* A file of named arrays, and how they become cuseq's tensors. */
#ifndef CUSEQ_ARRAYS_CHECKPOINT_H
#define CUSEQ_ARRAYS_CHECKPOINT_H

#include "convert/arrays/array_file.h"
#include "convert/arrays/names.h"

#include <stdbool.h>

enum { CHECKPOINT_MAX_TENSORS = 1024 };

/* An array of the file. */
struct checkpoint_tensor {
  const char *name; /* without what wraps the model, checkpoint_open */
  const struct named_array *data;
  bool used; /* something was made of it */
};

struct checkpoint {
  struct array_file file;
  struct checkpoint_tensor *tensors;
  size_t tensor_count;
  struct arena texts;                        /* what stripped names lie in */
  bool wrapped;                              /* names were stripped, checkpoint_open */
  bool parallel;                             /* ... of "module." */
  cuseq_tensor made[CHECKPOINT_MAX_TENSORS]; /* names and data from malloc */
  size_t made_count;
};

/* An array of floats from the file: rows x columns, a vector has one row. */
struct checkpoint_array {
  int64_t rows, columns;
  float *data; /* from malloc, NULL where there is no such tensor */
};

/* Reads a file. What nn.DataParallel and torch.compile put into names is taken out of them, unless two would
 * then be one: "module." where all begin so, and the part "_orig_mod" anywhere. Release it with
 * checkpoint_close, on failure too. Errors name the file. */
cuseq_status checkpoint_open(const char *path, struct checkpoint *checkpoint);
void checkpoint_close(struct checkpoint *checkpoint);

/* Releases the file when all is made of it: nothing but `made` and checkpoint_close is left. */
void checkpoint_drop_file(struct checkpoint *checkpoint);

/* Strips what names says of the file, as the file's names were: its author may write them with or without.
 * The texts live as long as the checkpoint. */
cuseq_status checkpoint_unwrap(struct checkpoint *checkpoint, const char **module);
cuseq_status checkpoint_unwrap_names(struct checkpoint *checkpoint, struct names *names);

/* The rest of `name` behind a module's prefix and a dot, NULL where it lies elsewhere: of module "rnn" and
 * tensor "rnn.bias" it is "bias". All lie in the module "". */
const char *checkpoint_within(const char *module, const char *name);

/* The tensor MODULE.SUFFIX, or NULL. */
struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *module,
                                          const char *suffix);

/* Reads tensor MODULE.SUFFIX (suffix NULL: a tensor of the very name MODULE), whose numbers are finite in
 * float32 or the reason of a refusal. rank 1 or 2; one that is missing is an error if `needed`, and
 * otherwise data is NULL. */
cuseq_status checkpoint_read(struct checkpoint *checkpoint, const char *module, const char *suffix, int rank,
                             bool needed, struct checkpoint_array *array);

/* The tensor of this very name, or of this name and ":0", which TensorFlow adds; NULL where there is none. */
struct checkpoint_tensor *checkpoint_named(const struct checkpoint *checkpoint, const char *name);

/* Reads a tensor as a matrix, of two axes and any of 1 behind them (a convolution over one position is a
 * matrix), or as a vector, of one axis and any of 1. As in checkpoint_read. */
cuseq_status checkpoint_read_matrix(struct checkpoint_tensor *tensor, struct checkpoint_array *array);
cuseq_status checkpoint_read_vector(struct checkpoint_tensor *tensor, struct checkpoint_array *array);

/* The error that there is no tensor MODULE.SUFFIX. */
cuseq_status checkpoint_missing(const char *module, const char *suffix);

/* Adds a tensor of the model and takes the data over, on failure too. columns 0: a vector of rows. */
cuseq_status checkpoint_add(struct checkpoint *checkpoint, const char *name, int64_t rows, int64_t columns,
                            float *data);

/* Checks the prefixes that are to be ignored: each hides something, and nothing of a module that names maps.
 */
cuseq_status checkpoint_check_ignored(const struct checkpoint *checkpoint, const struct names *names);

/* Refuses tensors that nothing was made of: those of modules that names maps, of which nothing may be left,
 * and others that are not ignored. */
cuseq_status checkpoint_check_mapped(const struct checkpoint *checkpoint, const struct names *names);
cuseq_status checkpoint_check_others(const struct checkpoint *checkpoint, const struct names *names);

/* The transpose, in place of the array. */
cuseq_status checkpoint_transpose(struct checkpoint_array *array);

/* Puts the unit matrix below a matrix: rows more of what is added as it is. */
cuseq_status checkpoint_put_unit(struct checkpoint_array *array);

/* Moves the first `count` rows behind the others. */
cuseq_status checkpoint_rotate_rows(struct checkpoint_array *array, int64_t count);

#endif
