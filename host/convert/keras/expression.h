/* What a graph computes, as expressions with equal ones merged: a model is recognised by what it computes, whatever
 * its layers are called and however often they are shared.
 *
 * An expression is a vector of `width` numbers, for each row of the batch; a timed one is such a vector for every
 * encoder position. How a tensor arranges them in axes is value.h's matter. */
#ifndef CUSEQ_KERAS_EXPRESSION_H
#define CUSEQ_KERAS_EXPRESSION_H

#include "convert/keras/graph.h"
#include "cuseq/cuseq.h"

enum expression_op {
  EXPRESSION_INPUT,      /* an input layer                                                              */
  EXPRESSION_ZEROS,      /* a vector of zeros                                                           */
  EXPRESSION_EMBEDDING,  /* rows of `matrix` by token ids: child 0                                      */
  EXPRESSION_SEQUENCE,   /* the outputs of encoder layer `index`, over its input: child 0; part:
                            SEQUENCE_*                                                                  */
  EXPRESSION_FINAL,      /* the final states of encoder layer `index`; part: FINAL_*                  */
  EXPRESSION_DENSE,      /* child 0 times `matrix` plus `bias`                                          */
  EXPRESSION_ACTIVATION, /* part: a cuseq_activation, elementwise                                       */
  EXPRESSION_CONCAT,     /* the children side by side                                                   */
  EXPRESSION_ADD,        /* the children's sum                                                          */
  EXPRESSION_PRODUCT,    /* the children, elementwise; a child of width 1 multiplies every element      */
  EXPRESSION_SCALE,      /* child 0 times `scalar`                                                      */
  EXPRESSION_DOT,        /* the inner product of two children, width 1                                  */
  EXPRESSION_SOFTMAX,    /* child 0, over the encoder's positions                                       */
  EXPRESSION_CLASSES,    /* child 0, softmax over its elements                                          */
  EXPRESSION_CONTEXT,    /* sum over the positions of child 0 (weights) times child 1                   */
  EXPRESSION_CELL,       /* one step of decoder cell `cell`: input, h, c are the children; part: CELL_* */
  EXPRESSION_ARGMAX,     /* the position of child 0's largest element                                   */
  EXPRESSION_STEPS,      /* the children as successive steps                                            */
};

enum { SEQUENCE_MERGED = 0, SEQUENCE_FORWARD = 1, SEQUENCE_BACKWARD = 2 };
enum { FINAL_FORWARD_H = 0, FINAL_FORWARD_C = 1, FINAL_BACKWARD_H = 2, FINAL_BACKWARD_C = 3 };
enum { CELL_H = 0, CELL_C = 1 };

/* Weights, rows x columns, row-major; a vector has one row. */
struct matrix {
  const void *owner; /* what it was loaded for, with slot: loaded once */
  int32_t slot;
  int32_t rows;
  int32_t columns;
  float *data;
};

/* An LSTM as Keras has it: one direction of an encoder layer, or a decoder cell. */
struct lstm {
  const struct keras_layer *layer;
  int32_t units;
  cuseq_activation activation;
  cuseq_activation recurrent_activation;
  int32_t kernel, recurrent_kernel, bias; /* matrices */
};

struct encoder_layer {
  const struct keras_layer *layer;
  struct lstm directions[2];
  bool bidirectional;
  bool apart; /* merge_mode None: it gives its two directions */
  cuseq_merge merge;
  const struct keras_layer *mask; /* the layer whose mask it honours, or NULL */
};

struct expression {
  enum expression_op op;
  bool timed;
  int32_t width;
  int32_t part;
  int32_t matrix, bias; /* -1: none */
  int32_t index;        /* of the encoder layer, the cell, the input */
  double scalar;
  int32_t child_count;
  const int32_t *children;
  const struct keras_layer *layer; /* the first that made it; no part of its identity */
};

struct expressions {
  struct arena *arena;
  struct expression *list;
  int32_t count, capacity;
  int32_t *table; /* hash table of indices, -1: free */
  int32_t table_size;
  struct matrix *matrices;
  int32_t matrix_count, matrix_capacity;
  struct encoder_layer *encoders;
  int32_t encoder_count, encoder_capacity;
  struct lstm *cells;
  int32_t cell_count, cell_capacity;
  size_t matrix_elements; /* that were loaded; what is made of them is held against it */
};

/* Releases; does nothing on a zeroed structure. */
void expressions_free(struct expressions *expressions);

/* Enters an expression, or finds the equal one. A context of a dense map becomes the dense map of a context. width and
 * timed are computed. The children are copied.
 *   made      op, part, matrix, bias, index, scalar, layer, child_count, children; width where it has no children
 *   expression  receives the index */
cuseq_status expression_make(struct expressions *expressions, const struct expression *made,
                             int32_t *expression);

/* The same for one or two children. */
cuseq_status expression_unary(struct expressions *expressions, enum expression_op op, int32_t part,
                              int32_t child, const struct keras_layer *layer, int32_t *expression);
cuseq_status expression_binary(struct expressions *expressions, enum expression_op op, int32_t first,
                               int32_t second, const struct keras_layer *layer, int32_t *expression);

/* A dense map; bias -1: none. */
cuseq_status expression_dense(struct expressions *expressions, int32_t child, int32_t matrix, int32_t bias,
                              const struct keras_layer *layer, int32_t *expression);

/* A new matrix of zeros, or the one that was made for the same owner and slot (*found true).
 * Owner NULL: always a new one. */
cuseq_status matrix_make(struct expressions *expressions, const void *owner, int32_t slot, int64_t rows,
                         int64_t columns, int32_t *matrix, bool *found);

static inline const struct expression *expression_at(const struct expressions *expressions, int32_t index) {
  return &expressions->list[index];
}

#endif
