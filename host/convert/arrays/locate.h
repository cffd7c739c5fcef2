/* The arrays of a source: found by the names that PyTorch and Keras give them in a module, or named one by
 * one. */
#ifndef CUSEQ_ARRAYS_LOCATE_H
#define CUSEQ_ARRAYS_LOCATE_H

#include "convert/arrays/checkpoint.h"
#include "convert/arrays/sources.h"

/* Who named the arrays, which says how they lie. */
enum convention {
  CONVENTION_NONE,    /* arrays named one by one, or one array for a module: their shapes say how they lie */
  CONVENTION_PYTORCH, /* weight [outputs,inputs]; gates i, f, g, o and r, z, n                              */
  CONVENTION_KERAS,   /* kernel [inputs,outputs]; gates i, f, c, o and z, r, h                              */
};

struct located {
  struct checkpoint_tensor *arrays[ARRAY_ROLES]; /* NULL where there is none */
  enum convention convention;
};

/* Which cell of a source is wanted. */
struct wanted_cell {
  enum cell_kind kind;
  int layers;       /* how many of the module are wanted: of "encoder" and "decoder"; 1 of all other keys */
  int layer;        /* which of these; what the source goes through is in front of the first */
  const char *side; /* "forward" or "backward" where both directions are to be in the module; else NULL */
};

/* Finds the arrays of a recurrent layer; refuses modules that are other ones, or more. */
cuseq_status locate_cell(const struct checkpoint *checkpoint, const struct source *source,
                         const struct wanted_cell *wanted, struct located *located);

/* Finds those of a dense layer, an embedding or a vector.
 *   module  the source's, or one that it goes through; NULL: its arrays are named */
cuseq_status locate_dense(const struct checkpoint *checkpoint, const struct source *source,
                          const char *module, struct located *located);

#endif
