/* A tensor of the graph: an expression and how its numbers lie along axes. Reshapes, permutations,
 * repetitions and broadcasts change the axes alone. */
#ifndef CUSEQ_GRAPH_VALUE_H
#define CUSEQ_GRAPH_VALUE_H

#include "convert/graph/expression.h"

enum axis_kind {
  AXIS_BATCH,
  AXIS_TIME,    /* the positions of `clock`                                       */
  AXIS_FEATURE, /* the elements of the expression                                 */
  AXIS_REPEAT,  /* the same numbers `size` times; size 1 is an axis of one entry  */
  AXIS_STEP,    /* the children of EXPRESSION_STEPS                               */
};

struct axis {
  enum axis_kind kind;
  int64_t size;  /* -1: not known */
  int32_t clock; /* of AXIS_TIME; otherwise 0 */
};

enum { VALUE_MAX_AXES = 6 };

/* An expression of width 1 has no feature axis; one of any other width has exactly one. A timed expression
 * has exactly one time axis for each of its clocks. */
struct value {
  int32_t expression;
  int32_t axis_count;
  struct axis axes[VALUE_MAX_AXES];
  const struct graph_node *mask; /* the layer that masks the positions, or NULL */
};

/* Whether the axes are exactly these, in short: B batch, T time (of any clock), F features (or an axis of one
 * entry where the width is 1), 1 an axis of one entry, S steps. */
bool value_has_axes(const struct expressions *expressions, const struct value *value, const char *axes);

/* The axes as text, "[batch, time, 32]", for messages. */
const char *value_describe(const struct expressions *expressions, const struct value *value, char *text,
                           size_t capacity);

/* Makes axes[at] the feature axis if it is one or may stand for it; false otherwise. */
bool value_is_feature_axis(const struct expressions *expressions, const struct value *value, int32_t at);

/* `axis` as Keras counts it (negative from the end) as an index, or -1. */
int32_t value_axis(const struct value *value, int64_t axis);

/* Inserts, removes an axis; inserting fails (false) where there are VALUE_MAX_AXES. */
bool value_insert_axis(struct value *value, int32_t at, struct axis axis);
void value_remove_axis(struct value *value, int32_t at);

/* Lines the axes of two values up as elementwise operations do, and gives the axes of the result (not its
 * expression). Refuses, in the name of the layer, what does not fit. */
cuseq_status value_broadcast(const struct expressions *expressions, const struct graph_node *node,
                             const struct value *first, const struct value *second, struct value *result);

/* Where all pairs of positions of one sequence meet, the positions of the one value lying in another axis
 * than those of the other: the later axis counts them by their clock's twin. Otherwise changes nothing. */
cuseq_status value_pair(struct expressions *expressions, const struct graph_node *node, struct value *first,
                        struct value *second);

/* Counts an axis of positions, the only one, by the twin of its clock. */
cuseq_status value_twin(struct expressions *expressions, const struct graph_node *node, int32_t axis,
                        struct value *value);

/* What is left over a twin alone is over its clock again. */
cuseq_status value_untwin(struct expressions *expressions, struct value *value);

/* Takes the positions of `value` as those of `to`, where both are sequences that the model is given of
 * lengths that may be one; otherwise changes nothing. */
cuseq_status value_align(struct expressions *expressions, const struct graph_node *node,
                         const struct value *to, struct value *value);

/* The shape that Keras' Reshape is given ([count], one entry may be -1): the same numbers under other
 * axes. */
cuseq_status value_reshape(const struct expressions *expressions, const struct graph_node *node,
                           const struct value *value, const int64_t *shape, int32_t count,
                           struct value *result);

#endif
