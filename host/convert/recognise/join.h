/* Graphs of several inputs, and inputs whose columns are ids: one input of numbers is made of them. */
#ifndef CUSEQ_RECOGNISE_JOIN_H
#define CUSEQ_RECOGNISE_JOIN_H

#include "convert/recognise/recognise.h"

/* Columns of the one input that hold ids, as struct input_lookup (model/structure.h) has them. */
struct graph_lookup {
  int32_t column, columns;
  int32_t matrix; /* the table */
};

struct graph_lookups {
  int32_t count;
  int32_t columns; /* of the input, all together */
  struct graph_lookup list[STRUCTURE_MAX_LOOKUPS];
};

/* What the one input is made of, side by side, as input.parts (docs/model-format.md) says it. */
enum { GRAPH_MOST_PARTS = STRUCTURE_MAX_INPUT_PARTS };

struct graph_part {
  const char *name;
  int32_t columns;
  int32_t behind; /* so many positions of zeros */
  bool repeated;  /* a vector, the same at every position */
};

struct graph_parts {
  int32_t count;
  struct graph_part list[GRAPH_MOST_PARTS];
};

/* Puts parts of one input in the place of several ones that a graph without a decoder reads: sequences
 * side by side at every position, and vectors that are the same at all of them. Notes say how it is to be
 * given.
 *   outputs  [count] expressions
 *   clocks   [MAX_CLOCKS] receives the clock that is in the place of each
 *   parts    receives them; count 0: there were not several, or they cannot be one, and nothing is changed */
cuseq_status join_inputs(const struct recognise_request *request, int32_t *outputs, size_t count,
                         int32_t *clocks, struct graph_parts *parts);

/* Where embeddings look up parts of an input: puts an input of their rows in its place.
 *   lookups  receives what makes those rows; count 0: nothing is changed, and was none to be */
cuseq_status join_lookups(const struct recognise_request *request, int32_t *outputs, size_t count,
                          struct graph_lookups *lookups);

/* Refuses two inputs whose positions belong together and that are not one. */
cuseq_status join_refuse(const struct recognise_request *request, const int32_t *outputs, size_t count);

#endif
