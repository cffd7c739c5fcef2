/* PyTorch's checkpoints: what torch.save writes since 1.6, a zip of a pickle, data.pkl, and of storages,
 * data/KEY.
 *
 * Read: tensors (views of storages, shared or not, in any order of their elements) and parameters, in
 * dictionaries and lists that lie in each other; what else there is of numbers and texts is passed over. No
 * code is run: every global but the dozen that a state_dict needs is refused by its name. Refused also:
 * checkpoints written before 1.6, TorchScript, big-endian ones, tensors that reach beyond their storage,
 * storages that are larger together than the file plus 40 MB. */
#ifndef CUSEQ_FORMATS_TORCH_H
#define CUSEQ_FORMATS_TORCH_H

#include "cuseq/cuseq.h"
#include "formats/arena.h"
#include "formats/named_array.h"

#include <stddef.h>

struct torch_file {
  /* In the order of the pickle; the keys of dictionaries in each other with dots between, "model.out.bias",
   * but without those that lead to the only dictionary with tensors in it. */
  struct named_array *arrays;
  size_t count;
  struct arena arena;       /* what arrays and names lie in */
  unsigned char **storages; /* [storage_count], from malloc, NULL where no tensor needs it */
  size_t storage_count;
};

/* Reads a checkpoint. Release it with torch_file_free, after a failure too. Errors do not name the file.
 *   file  open for reading; not closed
 *   size  the file's */
cuseq_status torch_file_read(int file, size_t size, struct torch_file *result);

/* The same of a file that is in memory; the bytes may go afterwards. */
cuseq_status torch_file_parse(const void *bytes, size_t size, struct torch_file *result);

/* Releases; does nothing on a zeroed structure. */
void torch_file_free(struct torch_file *file);

#endif
