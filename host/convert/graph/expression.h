/* What a graph computes, as expressions with equal ones merged: a model is recognised by what it computes,
 * whatever its layers are called and however often they are shared. Every front end (Keras, ONNX) evaluates
 * its graph to these; recognise/ makes a model of them or says why not.
 *
 * An expression is a vector of `width` numbers, for each row of the batch. A timed one is such a vector for
 * every position of each of its *clocks*. A clock is what counts positions: a sequence that the model is
 * given (the encoder's input; the tokens that a decoder is given while it is trained), or a number of
 * repetitions that the graph itself says (RepeatVector). Attention energies in a training graph have two
 * clocks, the decoder's and the encoder's: one number for each pair of positions. Which clock is the
 * encoder's no front end needs to know; recognition tells by what is summed over and what the outputs have.
 * How a tensor arranges width and clocks in axes is value.h's matter.
 *
 * How the parts of models are said:
 *   an encoder layer        SEQUENCE and FINAL over its input, no states behind it
 *   a decoder over given    SEQUENCE over its input, whose clock is the given tokens', with the initial
 *     tokens                states as further children
 *   a decoder over          the same over REPEAT(vector), whose clock is made by clock_make for the repeating
 *     RepeatVector          layer
 *   a decoder whose steps   CELL, once for each step, the states of a step children of the next; the outputs
 *     are written out       join them by STEPS or are listed one by one
 *   a decoder of one step   CELL over inputs that are states; recognise.h's request says which output follows
 *                           which
 *   attention               SOFTMAX over the encoder's clock of energies; CONTEXT of it and the values
 *   self-attention          the same, where the encoder's sequence asks itself: the positions that are
 *                             attended to are counted by its clock's twin (clock_twin), so that energies have
 *                             two clocks; a CONTEXT of such weights comes out as a SELF_ATTENTION
 *   weights of positions    WEIGHTED, which the product of a sequence and the WEIGHTS of its MIX comes out as
 */
#ifndef CUSEQ_GRAPH_EXPRESSION_H
#define CUSEQ_GRAPH_EXPRESSION_H

#include "convert/graph/node.h"
#include "cuseq/cuseq.h"
#include "formats/arena.h"
#include "model/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields beside op, node and children that an op uses are named; all others stay 0, matrix and bias -1. */
enum expression_op {
  /* the model's input number `index`, over `clock` (-1: a vector a row). Token ids have width 1 */
  EXPRESSION_INPUT,
  EXPRESSION_ZEROS,     /* a vector of `width` zeros                                                   */
  EXPRESSION_CONSTANT,  /* the vector `matrix`, one row                                                */
  EXPRESSION_EMBEDDING, /* rows of `matrix` by token ids: child 0                                      */
  /* the outputs of recurrent layer `index` over its input, child 0. Further children: its initial states, h
   * (and c of an LSTM) of each direction, forward first; none: zeros. part: SEQUENCE_*; `width` is given */
  EXPRESSION_SEQUENCE,
  EXPRESSION_FINAL, /* its final states; children as above; part: FINAL_*; `width` is given        */
  EXPRESSION_DENSE, /* child 0 times `matrix` plus `bias` (-1: none)                               */
  /* child 0 times the row vector `matrix` plus the row vector `bias`, elementwise; -1: none. A folded
   * normalisation, a sum with constants */
  EXPRESSION_AFFINE,
  EXPRESSION_ACTIVATION, /* part: a cuseq_activation, elementwise                                       */
  /* child 0, of whose elements `part` from element `index` on are brought to mean 0 and variance 1, `scalar`
   * is added to the variance; then times the row vector `matrix` plus the row vector `bias` */
  EXPRESSION_NORM,
  EXPRESSION_CONCAT,  /* the children side by side                                                   */
  EXPRESSION_SLICE,   /* `width` elements of child 0 from element `index` on                         */
  EXPRESSION_ADD,     /* the children's sum                                                          */
  EXPRESSION_PRODUCT, /* the children, elementwise; a child of width 1 multiplies every element      */
  EXPRESSION_SCALE,   /* child 0 times `scalar`                                                      */
  /* the inner product of two children, width 1; `index` above 1: of so many equal parts of each (heads), side
   * by side */
  EXPRESSION_DOT,
  /* child 0, each element by itself, over the positions of `clock`; masked: it leaves masked positions out */
  EXPRESSION_SOFTMAX,
  EXPRESSION_CLASSES, /* child 0, over its elements; part: CLASSES_*                                 */
  /* sum over a clock's positions of child 0 (a SOFTMAX) times child 1; where child 0 has several elements,
   * each times its own part of child 1, which is cut into as many equal ones */
  EXPRESSION_CONTEXT,
  /* child 0 over the positions of `clock`: part POOL_*; masked: it leaves masked positions out */
  EXPRESSION_POOL,
  EXPRESSION_POSITION, /* child 0 at position `index` of `clock`; negative from the end, -1 the last  */
  EXPRESSION_FLAT,     /* child 0 at all `index` positions of `clock`, side by side */
  EXPRESSION_REVERSE,  /* child 0, the positions of `clock` from the last to the first                */
  /* child 0 at `index` positions before, at the position itself and at `part` positions behind, side by side
   * in that order; zeros where there is no position. A convolution's input */
  EXPRESSION_WINDOW,
  /* child 0, over a clock that `clock` was cut from, without its first positions: over `clock`. A convolution
   * without padding is this over a WINDOW of positions before */
  EXPRESSION_CUT,
  /* child 0, over a clock that `clock` was thinned from, at position `index` and at every stride-th behind
   * it: over `clock`. A pooling of MaxPooling1D's kind is the maximum of some of these, a convolution with
   * strides a map of them */
  EXPRESSION_THIN,
  /* child 0, `index` positions of zeros before the first one and `part` behind the last one: over `clock`. A
   * convolution whose padding is written out reads it; nothing else can */
  EXPRESSION_PAD,
  /* child 0, over the clock `index`, taken as over `clock`: positions of two inputs that belong together. No
   * clock is the other then; recognition makes one input of both, or refuses them */
  EXPRESSION_ALIGN,
  EXPRESSION_REPEAT, /* child 0 at every position of `clock`                                        */
  EXPRESSION_CELL, /* one step of cell `index`: input, h (and c of an LSTM) are the children; part: CELL_* */
  EXPRESSION_ARGMAX, /* the position of child 0's largest element                                   */
  EXPRESSION_STEPS,  /* the children as successive steps                                            */
  /* child 0, over the clock `index`, as over `clock`, its twin, which counts the same positions once more */
  EXPRESSION_TWIN,
  /* every position of child 0's clock asks all of them. Child 0, cut into `index` parts side by side (heads),
   * each of which attends by itself, added up with the softmax of the energies: what the expression `part`
   * makes of the further children, whose PLACEs it is over. masked: it leaves masked positions out. The
   * energies are no child, so that nobody takes them for a vector of the graph */
  EXPRESSION_SELF_ATTENTION,
  /* in such energies: child `index` of the SELF_ATTENTION, `width` wide, at the position that is attended to
   * (part PLACE_KEY) or that asks (PLACE_QUERY) */
  EXPRESSION_PLACE,
  /* each element of child 0 at all positions times `matrix`, [positions, positions], plus the row vector
   * `bias` (-1: none): a Dense layer over the positions */
  EXPRESSION_MIX,
  EXPRESSION_WEIGHTS, /* the softmax over the positions of each element of child 0, a MIX */
  /* child 0 times the WEIGHTS of its MIX by `matrix` and `bias`, elementwise: what a PRODUCT of these is */
  EXPRESSION_WEIGHTED,
  EXPRESSION_SLOT, /* recognition's own: number `index` of what a step finds when it begins, `width` wide */
};

enum { SEQUENCE_MERGED = 0, SEQUENCE_FORWARD = 1, SEQUENCE_BACKWARD = 2 };
enum { FINAL_FORWARD_H = 0, FINAL_FORWARD_C = 1, FINAL_BACKWARD_H = 2, FINAL_BACKWARD_C = 3 };
enum { CELL_H = 0, CELL_C = 1 };
enum { CLASSES_SOFTMAX = 0, CLASSES_LOG_SOFTMAX = 1 };
enum { PLACE_KEY = 0, PLACE_QUERY = 1 };
enum { POOL_MEAN = 0, POOL_MAXIMUM = 1, POOL_SUM = 2 };

/* Weights, rows x columns, row-major; a vector has one row. */
struct matrix {
  const void *owner; /* what it was loaded for, with slot: loaded once */
  int32_t slot;
  int32_t rows;
  int32_t columns;
  float *data;
};

/* A cell: one direction of a recurrent layer, or a decoder's. Gates lie as in model/structure.h, whatever the
 * file has: LSTM i, f, c, o; GRU z, r, n. */
struct recurrent_cell {
  const struct graph_node *node;
  enum cell_kind kind;
  bool reset_after; /* GRU; see struct cell */
  int32_t units;
  cuseq_activation activation;
  cuseq_activation recurrent_activation;
  int32_t kernel, recurrent_kernel, bias; /* matrices; bias -1: none */
  int32_t recurrent_bias;                 /* of a GRU with reset_after, or -1 */
};

struct recurrent_layer {
  const struct graph_node *node;
  struct recurrent_cell directions[2]; /* forward, backward; one that is not there is not looked at */
  enum layer_direction direction;
  /* it gives its directions one by one: SEQUENCE_MERGED is not used; side by side they are "concat" */
  bool apart;
  cuseq_merge
      merge; /* of two directions in SEQUENCE_MERGED; of one direction SEQUENCE_MERGED is that direction */
  const struct graph_node *mask; /* the layer whose mask it honours, or NULL */
  bool woven; /* recognition's own: parts of what it gives stay parts, though a direction alone gives them */
};

struct expression {
  enum expression_op op;
  uint32_t clocks; /* the set of its clocks, bit n for clock n; computed */
  int32_t width;
  int32_t part;
  int32_t clock;        /* computed for SEQUENCE, FINAL and CONTEXT */
  bool masked;          /* of SOFTMAX and POOL */
  int32_t matrix, bias; /* -1: none */
  int32_t index;
  double scalar;
  int32_t child_count;
  const int32_t *children;
  const struct graph_node *node; /* the first that made it; no part of its identity */
  /* recognition's own: it stands for itself and is not taken apart, by affine.h or where a part of it is
   * taken; no part of its identity */
  bool atom;
};

enum { MAX_CLOCKS = 32 };

struct clock {
  const struct graph_node *node; /* the input, or what repeats */
  int64_t length;                /* its number of positions, -1: not known */
  bool repeats;                  /* it counts repetitions, not given positions */
  int32_t of;                    /* the clock that it was cut or thinned from, or -1 */
  int32_t cut;                   /* how many positions of the first of these it has not */
  int32_t stride;                /* of a thinned one: it has a position for so many of these; else 0 */
  int32_t reach;                 /* and how many of them there have to be for one */
  int32_t twin;                  /* the clock whose positions it counts once more, or -1 */
};

struct expressions {
  struct arena *arena;
  struct expression *list;
  int32_t count, capacity;
  int32_t *table; /* hash table of indices, -1: free */
  int32_t table_size;
  struct matrix *matrices;
  int32_t matrix_count, matrix_capacity;
  struct recurrent_layer *layers;
  int32_t layer_count, layer_capacity;
  struct recurrent_cell *cells;
  int32_t cell_count, cell_capacity;
  struct clock clocks[MAX_CLOCKS];
  int32_t clock_count;
  size_t matrix_elements; /* that were loaded; what is made of them is held against it */
};

/* Releases; does nothing on a zeroed structure. */
void expressions_free(struct expressions *expressions);

/* Whether what an operation gives at a position is of its children at that position alone. */
static inline bool expression_op_is_pointwise(enum expression_op op) {
  return op == EXPRESSION_DENSE || op == EXPRESSION_AFFINE || op == EXPRESSION_ACTIVATION ||
         op == EXPRESSION_NORM || op == EXPRESSION_CONCAT || op == EXPRESSION_SLICE || op == EXPRESSION_ADD ||
         op == EXPRESSION_PRODUCT || op == EXPRESSION_SCALE;
}

/* Enters an expression, or finds the equal one; it may come out simpler than it was made. Width and clocks
 * are computed. The children are copied.
 *   made      op, node, child_count, children, and what enum expression_op says of the op
 *   expression  receives the index */
cuseq_status expression_make(struct expressions *expressions, const struct expression *made,
                             int32_t *expression);

/* The same for one child, for two, or for any number, of operations that have nothing else. */
cuseq_status expression_unary(struct expressions *expressions, enum expression_op op, int32_t part,
                              int32_t child, const struct graph_node *node, int32_t *expression);
cuseq_status expression_binary(struct expressions *expressions, enum expression_op op, int32_t first,
                               int32_t second, const struct graph_node *node, int32_t *expression);

cuseq_status expression_several(struct expressions *expressions, enum expression_op op,
                                const int32_t *children, int32_t count, const struct graph_node *node,
                                int32_t *expression);

/* The same for SOFTMAX, POOL, POSITION, REVERSE and REPEAT over a clock.
 *   part    of POOL; the position of POSITION; otherwise 0 */
cuseq_status expression_over(struct expressions *expressions, enum expression_op op, int32_t clock,
                             int32_t part, bool masked, int32_t child, const struct graph_node *node,
                             int32_t *expression);

/* A dense map; bias -1: none. */
cuseq_status expression_dense(struct expressions *expressions, int32_t child, int32_t matrix, int32_t bias,
                              const struct graph_node *node, int32_t *expression);

/* `width` elements of a child from `first` on. */
cuseq_status expression_slice(struct expressions *expressions, int32_t child, int32_t first, int32_t width,
                              const struct graph_node *node, int32_t *expression);
/* Times a number; by 1 it is the child itself. */
cuseq_status expression_scale(struct expressions *expressions, int32_t child, double factor,
                              const struct graph_node *node, int32_t *expression);

/* The largest of `count` vectors, elementwise, as a sum of relus of differences. */
cuseq_status expression_maximum(struct expressions *expressions, const int32_t *list, int32_t count,
                                const struct graph_node *node, int32_t *expression);

/* Layer normalisation of all elements of a child. */
cuseq_status expression_norm(struct expressions *expressions, int32_t child, double epsilon, int32_t scale,
                             int32_t offset, const struct graph_node *node, int32_t *expression);

/* A vector of zeros. */
cuseq_status expression_zeros(struct expressions *expressions, int32_t width, const struct graph_node *node,
                              int32_t *expression);

/* A new matrix of zeros, or the one that was made for the same owner and slot (*found true).
 * Owner NULL: always a new one. */
cuseq_status matrix_make(struct expressions *expressions, const void *owner, int32_t slot, int64_t rows,
                         int64_t columns, int32_t *matrix, bool *found);

/* Releases the elements of all matrices, which nothing may read from then on: the model's tensors are made of
 * them. */
void matrices_release(struct expressions *expressions);
bool matrices_are_there(const struct expressions *expressions);

/* The clock of a node, made when it is first asked for. Refused where there are too many. */
cuseq_status clock_make(struct expressions *expressions, const struct graph_node *node, int64_t length,
                        bool repeats, int32_t *clock);

/* The clock of what is left of another one behind its first `cut` positions. */
cuseq_status clock_cut(struct expressions *expressions, const struct graph_node *node, int32_t of,
                       int32_t cut, int32_t *clock);

/* The clock that has a position for `stride` positions of another one, as long as `reach` of these are
 * left. */
cuseq_status clock_thin(struct expressions *expressions, const struct graph_node *node, int32_t of,
                        int32_t stride, int32_t reach, int32_t *clock);

/* The clock that counts the positions of another one, which is no twin, once more. */
cuseq_status clock_twin(struct expressions *expressions, int32_t of, int32_t *clock);

/* Whether one of two clocks is the twin of the other. */
static inline bool clocks_are_twins(const struct expressions *expressions, int32_t a, int32_t b) {
  return expressions->clocks[a].twin == b || expressions->clocks[b].twin == a;
}

/* The clock that one was cut from, itself where it was not. */
static inline int32_t clock_whole(const struct expressions *expressions, int32_t clock) {
  while (expressions->clocks[clock].of >= 0)
    clock = expressions->clocks[clock].of;
  return clock;
}

/* Enters a recurrent layer or a cell, or finds the one of the same node. A layer that is applied with a mask
 * and without it is refused. */
cuseq_status recurrent_layer_make(struct expressions *expressions, const struct recurrent_layer *made,
                                  int32_t *index);
cuseq_status recurrent_cell_make(struct expressions *expressions, const struct recurrent_cell *made,
                                 int32_t *index);

/* Whether every position of what an operation gives is made of all positions of the child that it reads. */
static inline bool expression_takes_all(const struct expression *e) {
  return e->op == EXPRESSION_SELF_ATTENTION || e->op == EXPRESSION_MIX || e->op == EXPRESSION_WEIGHTS ||
         e->op == EXPRESSION_WEIGHTED;
}

/* Whether an operation works over the positions of the clock that it names, `clock`. */
static inline bool expression_names_clock(const struct expression *e) {
  return e->op == EXPRESSION_POOL || e->op == EXPRESSION_POSITION || e->op == EXPRESSION_FLAT ||
         e->op == EXPRESSION_SOFTMAX || e->op == EXPRESSION_REVERSE || e->op == EXPRESSION_WINDOW ||
         e->op == EXPRESSION_CUT;
}

static inline const struct expression *expression_at(const struct expressions *expressions, int32_t index) {
  return &expressions->list[index];
}

#endif
