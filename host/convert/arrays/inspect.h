/* What a file of named arrays has in it: its arrays, the modules that they look like, and a description to
 * begin with. */
#ifndef CUSEQ_ARRAYS_INSPECT_H
#define CUSEQ_ARRAYS_INSPECT_H

#include "convert/arrays/checkpoint.h"

enum inspected_kind {
  INSPECTED_LSTM,
  INSPECTED_GRU,
  INSPECTED_RNN,
  INSPECTED_LINEAR,
  INSPECTED_LINEAR_OR_EMBEDDING, /* a matrix "weight" and no bias */
  INSPECTED_EMBEDDING,
  INSPECTED_OTHER, /* an array by itself, a normalisation, a convolution */
};

/* A module, or arrays that look like one. */
struct inspected_module {
  const char *name;
  const char *what; /* "an nn.LSTM", "a GRU of Keras" */
  enum inspected_kind kind;
  int64_t units, inputs; /* of a dense layer what it gives and reads; of an embedding its width and rows */
  int layers, directions;
  bool cell;                           /* one layer and direction by its nature: an nn.LSTMCell */
  bool bias;                           /* it has biases */
  bool recurrent_too;                  /* ... two of a GRU, so that its reset comes after the product */
  struct checkpoint_tensor *arrays[4]; /* of single arrays: kernel, recurrent kernel, bias, recurrent bias */
  int64_t projected;                   /* proj_size, which no model can have, or 0 */
};

struct inspection {
  struct checkpoint checkpoint;
  struct inspected_module *modules;
  size_t count;
};

/* Reads a file and looks what it has. Release it with inspection_close, after a failure too. Errors name the
 * file. */
cuseq_status inspection_open(const char *path, struct inspection *inspection);
void inspection_close(struct inspection *inspection);

/* A description of version 2 as far as the arrays tell, JSON, for free(). Values that they do not tell are
 * texts that begin with "FILL IN", which no configuration takes: arrays_convert then says which key it is
 * about. */
cuseq_status inspection_propose(const struct inspection *inspection, char **json);

#endif
