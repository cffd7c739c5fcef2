/* The "names" of a description of version 2: which arrays of the file each part of the model is made of. */
#ifndef CUSEQ_ARRAYS_SOURCES_H
#define CUSEQ_ARRAYS_SOURCES_H

#include "convert/arrays/names.h"
#include "model/structure.h"

enum { SOURCES_MOST_THROUGH = 4 };

/* What a part is, which says what its source may be. */
enum source_kind {
  SOURCE_CELLS,  /* recurrent: of one cell, of a layer's, or of several layers'  */
  SOURCE_DENSE,  /* a kernel and a bias                                         */
  SOURCE_MATRIX, /* a dense layer without a bias                                */
  SOURCE_TABLE,  /* an embedding                                                */
  SOURCE_VECTOR,
  SOURCE_PROJECTIONS, /* queries', keys' and values' maps as one array: of an nn.MultiheadAttention */
};

/* The arrays that a source may name one by one. */
enum array_role { ROLE_KERNEL, ROLE_RECURRENT_KERNEL, ROLE_BIAS, ROLE_RECURRENT_BIAS, ARRAY_ROLES };
extern const char *const array_role_names[ARRAY_ROLES];

/* Whether a kernel lies as [outputs,inputs] and has to be transposed. */
enum transposed { TRANSPOSED_AS_USUAL, TRANSPOSED_NO, TRANSPOSED_YES };

/* Where a part comes from. */
struct source {
  struct name *
      name; /* its key; its module, or NULL where arrays are named one by one; whether its order is swapped */
  enum source_kind kind;
  const char *arrays[ARRAY_ROLES];
  enum transposed transposed;
  char gates[5]; /* "ifco" or "zrn" in the order of the file; "": as its kind usually has them */
  int layer;     /* of a recurrent module; -1: the part's own */
  const char *through
      [SOURCES_MOST_THROUGH]; /* dense layers without an activation in front of it, the first one first */
  size_t through_count;
  bool zeros; /* there is no such part: its kernel is zeros */
  /* a dense layer behind a self-attention, beside which stands what it reads: the module is of the contexts
   * alone, and what stands beside is added */
  bool residual;
};

struct sources {
  struct names names; /* keys and modules, in the same order */
  struct source *entries;
};

/* Checks the names against the structure, as far as that needs no file: every key at every level is known,
 * every part that needs a name has one, and no module is two parts that cannot be one.
 *   object   the value of "names", or NULL; must outlive the sources
 *   sources  release it with sources_free, after a failure too */
cuseq_status sources_parse(const json_t *object, const struct structure *structure, struct sources *sources);
void sources_free(struct sources *sources);

/* The source of a key, or NULL. */
const struct source *sources_find(const struct sources *sources, const char *key);

/* The source of the key PREFIX.N.SIDE, else of PREFIX.N, else of the part before ".layers": "encoder" of
 * "encoder.layers", 2, "forward". side NULL: there are none. NULL where there is no source. */
const struct source *sources_find_cell(const struct sources *sources, const char *prefix, int layer,
                                       const char *side);

/* An error about a source: "module 'rnn' ("encoder"): ...", or "names: "encoder": ..." where arrays are
 * named. */
cuseq_status source_error(const struct source *source, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
