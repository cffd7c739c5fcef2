/* The named arrays of a file, whatever its format: .safetensors, .npz, HDF5 (.h5, and what is in a .keras),
 * and PyTorch's zip checkpoints. */
#ifndef CUSEQ_ARRAYS_ARRAY_FILE_H
#define CUSEQ_ARRAYS_ARRAY_FILE_H

#include "formats/hdf5/tree.h"
#include "formats/named_array.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
#include "formats/torch.h"

struct array_file {
  struct named_array *arrays; /* in the order of the file */
  size_t count;
  const char *format; /* "a PyTorch checkpoint", for messages and notes */
  /* what the arrays lie in: of the file's format */
  void *bytes; /* the file, or the stream of HDF5 */
  struct safetensors safetensors;
  struct npz npz;
  struct torch_file torch;
  struct hdf5_tree tree;
};

/* Reads a file; what it is, is told by what it holds. Names in HDF5 are paths, "lstm/lstm_cell/kernel:0".
 * Release it with array_file_close, after a failure too. Errors name the file. */
cuseq_status array_file_open(const char *path, struct array_file *file);
void array_file_close(struct array_file *file);

#endif
