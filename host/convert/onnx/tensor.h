/* What an ONNX tensor is while a graph is evaluated.
 *
 *   NUMBERS    constants: weights, and what is made of weights alone
 *   INTEGERS   integers that depend on nothing but how many rows and positions there are: shapes, axes,
 *              indices
 *   FILL       one number everywhere, under a shape that may depend on rows and positions: initial states
 *   TABLE      what depends on the model's input: expressions, one for each combination of the stacked axes
 *   LENGTHS    the rows' lengths, which cuseq is given in another way
 *   ORDER      the rows ordered by their lengths (TopK's indices), or the way back
 *   POSITIONS  0, 1, 2, ... along the positions, or along the rows
 *   MASK       a number for positions within a row's length, another beyond it
 *
 * The last five lie along axes: rows, positions, features, or things that are stacked - directions, layers,
 * steps. */
#ifndef CUSEQ_ONNX_TENSOR_H
#define CUSEQ_ONNX_TENSOR_H

#include "convert/graph/value.h"
#include "convert/onnx/dim.h"
#include "formats/onnx/onnx.h"

enum tensor_kind {
  TENSOR_NONE, /* an input that is left out */
  TENSOR_NUMBERS,
  TENSOR_INTEGERS,
  TENSOR_FILL,
  TENSOR_TABLE,
  TENSOR_LENGTHS,
  TENSOR_ORDER,
  TENSOR_POSITIONS,
  TENSOR_MASK,
};

enum { TENSOR_MAX_AXES = ONNX_MAX_RANK, TENSOR_MAX_CELLS = 65536, TENSOR_MAX_INTEGERS = 1 << 16 };

enum tensor_axis_kind {
  TENSOR_BATCH,
  TENSOR_TIME,
  TENSOR_TWIN, /* the positions once more, counted by the clock's twin: in pairs with those of TENSOR_TIME */
  TENSOR_FEATURE,           /* the elements of the expressions; there is none where they have one */
  TENSOR_STACK,             /* one expression after the other; of size 1, an axis of one entry    */
  TENSOR_ROWS_OF_POSITIONS, /* batch and time in one: for each row, its positions       */
  TENSOR_POSITIONS_OF_ROWS, /* for each position, the rows                              */
  TENSOR_ROWS_OF_STACK,     /* for each row, what is stacked: the heads of an attention */
};

struct tensor_axis {
  enum tensor_axis_kind kind;
  int32_t stacked; /* of TENSOR_ROWS_OF_STACK: how many for each row; else 0 */
  struct dim size;
};

struct tensor {
  enum tensor_kind kind;
  bool integer; /* its numbers are integers or truth values, as far as that makes a difference */
  /* NUMBERS, INTEGERS, FILL */
  int32_t rank;
  struct dim dims[TENSOR_MAX_AXES];
  const OnnxFile__Tensor *stored; /* NUMBERS that were not loaded: they lie in the file */
  const float *floats;            /* NUMBERS otherwise, in the arena */
  const struct dim *integers;     /* INTEGERS, in the arena */
  double fill;                    /* FILL */
  /* TABLE, LENGTHS, ORDER, POSITIONS, MASK */
  int32_t axis_count;
  struct tensor_axis axes[TENSOR_MAX_AXES];
  const int32_t *cells; /* TABLE: an expression for each combination of stacked axes, the last axis fastest */
  bool ordered;         /* its rows are ordered by their lengths */
  bool masked;          /* TABLE: energies, at positions beyond the row's length minus infinity */
  bool back;            /* ORDER: the way back */
  double inside, beyond; /* MASK: its numbers at positions within the row's length and beyond it */
};

/* The size of an axis, and of an array's any. */
struct dim tensor_dim(const struct tensor *tensor, int32_t at);
int32_t tensor_rank(const struct tensor *tensor);

/* Whether it lies along axes. */
static inline bool tensor_has_axes(const struct tensor *tensor) {
  return tensor->kind >= TENSOR_TABLE;
}

/* How many expressions an axis makes: more than one where it is stacked. */
static inline int32_t tensor_axis_cells(const struct tensor_axis *axis) {
  return axis->kind == TENSOR_STACK           ? (int32_t)axis->size.factor
         : axis->kind == TENSOR_ROWS_OF_STACK ? axis->stacked
                                              : 1;
}

/* How many expressions the stacked axes make. */
int32_t tensor_cell_count(const struct tensor *tensor);

/* The first axis of a kind, or -1. */
int32_t tensor_find_axis(const struct tensor *tensor, enum tensor_axis_kind kind);

static inline struct tensor_axis tensor_single(void) {
  return (struct tensor_axis){TENSOR_STACK, 0, dim_of(1)};
}
static inline bool tensor_is_single(const struct tensor_axis *axis) {
  return axis->kind == TENSOR_STACK && dim_is(&axis->size, 1);
}

/* Inserts an axis of one entry, removes one; false where there are too many, or there is more in it. */
bool tensor_insert_single(struct tensor *tensor, int32_t at);
bool tensor_remove_single(struct tensor *tensor, int32_t at);

/* "[batch, time, 32]", for messages; returns `text`. */
const char *tensor_describe(const struct tensor *tensor, char *text, size_t capacity);

#endif
