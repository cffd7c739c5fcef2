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

/* Puts parts of one input in the place of several ones that a graph without a decoder reads: sequences side by
 * side at every position, and vectors that are the same at all of them. Notes say how it is to be given.
 *   outputs  [count] expressions
 *   clocks   [MAX_CLOCKS] receives the clock that is in the place of each
 *   joined   receives whether there were several and they can be one; otherwise nothing is changed */
cuseq_status join_inputs(const struct recognise_request *request, int32_t *outputs, size_t count,
                         int32_t *clocks, bool *joined);

/* Where embeddings look up parts of an input: puts an input of their rows in its place.
 *   lookups  receives what makes those rows; count 0: nothing is changed, and was none to be */
cuseq_status join_lookups(const struct recognise_request *request, int32_t *outputs, size_t count,
                          struct graph_lookups *lookups);

/* Refuses two inputs whose positions belong together and that are not one. */
cuseq_status join_refuse(const struct recognise_request *request, const int32_t *outputs, size_t count);

#endif
