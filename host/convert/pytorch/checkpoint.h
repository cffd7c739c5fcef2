/* A PyTorch state_dict in .safetensors, and how its tensors become cuseq's. */
#ifndef CUSEQ_PYTORCH_CHECKPOINT_H
#define CUSEQ_PYTORCH_CHECKPOINT_H

#include "convert/pytorch/names.h"
#include "formats/safetensors.h"

#include <stdbool.h>

enum { CHECKPOINT_MAX_TENSORS = 512 };

/* A tensor of the state_dict. Tied ones, which safetensors.torch.save_model stores once, are there under all
 * their names: the file's metadata tells the others. */
struct checkpoint_tensor {
  const char *name;
  const struct safetensors_tensor *data;
  bool used; /* something was made of it */
};

struct checkpoint {
  struct safetensors file;
  struct checkpoint_tensor *tensors;
  size_t tensor_count;
  cuseq_tensor made[CHECKPOINT_MAX_TENSORS]; /* names and data from malloc */
  size_t made_count;
};

/* An array of floats from the file: rows x columns, a vector has one row. */
struct checkpoint_array {
  int64_t rows, columns;
  float *data; /* from malloc, NULL where there is no such tensor */
};

/* Reads the file's header; the bytes must outlive it. Release it with checkpoint_close, on failure too. */
cuseq_status checkpoint_open(const void *bytes, size_t size, struct checkpoint *checkpoint);
void checkpoint_close(struct checkpoint *checkpoint);

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

/* Moves the first `count` rows behind the others. */
cuseq_status checkpoint_rotate_rows(struct checkpoint_array *array, int64_t count);

#endif
