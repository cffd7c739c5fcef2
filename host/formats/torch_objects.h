/* What a state_dict's pickle calls by name, as values: storages and tensors. */
#ifndef CUSEQ_FORMATS_TORCH_OBJECTS_H
#define CUSEQ_FORMATS_TORCH_OBJECTS_H

#include "formats/named_array.h"
#include "formats/pickle.h"

#include <stdbool.h>

/* A storage as a persistent id tells it. */
struct torch_storage {
  const char *key; /* its bytes are data/KEY */
  const char *dtype_name;
  int dtype;
  size_t item; /* bytes of an element */
  uint64_t elements;
};

/* What a PICKLE_OBJECT of such a pickle is. */
struct torch_object {
  bool is_tensor;
  struct torch_storage storage;
  struct named_array array; /* of a tensor: all but name and data */
  uint64_t offset;          /* of a tensor in its storage, in elements */
  uint64_t extent;          /* elements from there to its last one; 0: it has none */
};

/* The reader of such pickles. Its objects lie in the arena.
 *   arena  is the reader's context */
struct pickle_reader torch_reader(struct arena *arena);

#endif
