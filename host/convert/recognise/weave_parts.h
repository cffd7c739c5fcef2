/* The stack that weave.c makes, while it grows. */
#ifndef CUSEQ_RECOGNISE_WEAVE_PARTS_H
#define CUSEQ_RECOGNISE_WEAVE_PARTS_H

#include "convert/recognise/recognised.h"

enum { WEAVE_MOST = 64 };

/* Neighbouring elements of what the topmost layer gives. */
struct weave_block {
  int32_t width;
  int32_t offset; /* -1: it is not handed on any more */
};

/* An expression of the graph, by blocks: one, or two of which `merge` says how they are put together. */
struct weave_item {
  int32_t expression;
  int32_t blocks[2]; /* the second one -1: none */
  cuseq_merge merge; /* CUSEQ_MERGE_MUL is not among them */
};

/* A final state of the graph, and the expression that is the same over the stack. */
struct weave_final {
  int32_t expression, made;
};

struct weave {
  struct expressions *expressions;
  int32_t clock;
  int32_t limit;                 /* of the graph's expressions; later ones are made here */
  const struct graph_node *mask; /* that all of the recurrent layers honour, or NULL */
  int32_t stages
      [WEAVE_MOST]; /* recurrent layers, by one of their expressions, activations, windows: in their order */
  struct bases reads[WEAVE_MOST]; /* what each stage reads through affine maps */
  int32_t stage_count;
  int32_t visits; /* of parts of the graph, against one that is made to take long */
  int32_t *top;   /* expressions that the outputs read at each position */
  int32_t top_count;
  int32_t stack; /* the expression that the topmost layer gives, or the input */
  struct weave_block blocks[3 * WEAVE_MOST];
  int32_t block_count;
  struct weave_item items[4 * WEAVE_MOST];
  int32_t item_count;
  struct weave_final finals[4 * WEAVE_MOST];
  int32_t final_count;
};

/* Whether an expression, or one of the same recurrent layer, is what stage `s` makes. */
bool weave_is_of_stage(const struct weave *weave, int32_t s, int32_t expression);

/* What an expression reads at each position, each a map of what is below it: number 0, 1, ...; -1: no more.
 * Of an attention, whose energies are looked at by themselves, the values. */
int32_t weave_read(const struct weave *weave, int32_t expression, int32_t number);

/* What blocks side by side come to. */
int32_t weave_width(const struct weave *weave, const int32_t *blocks, int32_t count);

/* Puts a stage on the stack. */
cuseq_status weave_stage_make(struct weave *weave, int32_t s);

/* Puts a layer on the stack that hands all on that is read of it, forwards: its final state is what there is
 * at the last position. */
cuseq_status weave_last_make(struct weave *weave);

/* Puts a layer on the stack that hands blocks on, forwards, and nothing else. */
cuseq_status weave_carry(struct weave *weave, const struct graph_node *node, const int32_t *blocks,
                         int32_t count);

/* The blocks on the stack that something behind stage `s` reads. */
void weave_find_read(const struct weave *weave, int32_t s, int32_t *blocks, int32_t *count);

/* Adds the blocks that an expression is made of. */
cuseq_status weave_add_read_by(struct weave *weave, int32_t expression, int32_t *blocks, int32_t *count);

/* Whether the stack ends with a layer behind which no dense one lies. */
bool weave_ends_plainly(const struct weave *weave);

/* One cell, and beside it, in the other direction, what is handed on.
 *   block  receives what the cell gives */
cuseq_status weave_put_cell(struct weave *weave, int32_t s, int direction, const struct recurrent_cell *cell,
                            const int32_t *handed, int32_t count, int32_t *block);

/* ---- weave_product.c ---- */

/* Whether an expression multiplies two sequences. */
bool weave_is_product(const struct weave *weave, const struct expression *e);

/* What its first factor is the gate's activation of, and the second factor. */
int32_t weave_factor(const struct weave *weave, const struct expression *product, int32_t number);

/* A product of two sequences, elementwise. */
cuseq_status weave_product_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count);

/* ---- weave_itself.c ---- */

/* A sequence's attention to itself, behind the topmost layer. */
cuseq_status weave_itself_make(struct weave *weave, int32_t s);

/* ---- weave_weighted.c ---- */

/* A sequence whose positions are weighted, of the topmost layer's or of one that gives it; `handed`: the
 * blocks that are read behind it, of which there must be none. */
cuseq_status weave_weighted_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count);

/* ---- weave_cells.c: cells that read the whole stack ---- */

/* An expression at each position as a map of the stack.
 *   map  release with affine_free, after a failure too */
cuseq_status weave_map(struct weave *weave, int32_t expression, struct affine *map);

/* A map of the stack in front of which blocks are handed on as they are.
 *   both    release with affine_free; nothing after a failure
 *   handed  receives the blocks' width */
cuseq_status weave_map_behind(struct weave *weave, const int32_t *blocks, int32_t count,
                              const struct affine *map, struct affine *both, int32_t *handed);

/* The cell of a layer that reads a map of the stack, over the stack itself. */
cuseq_status weave_cell_over(struct weave *weave, const struct recurrent_cell *cell, const struct affine *map,
                             struct recurrent_cell *made);

/* A cell that gives activation(map of the stack). */
cuseq_status weave_dense_cell(struct weave *weave, const struct graph_node *node, cuseq_activation activation,
                              const struct affine *map, struct recurrent_cell *cell);

/* A cell that hands blocks on, one behind the other. */
cuseq_status weave_passing_cell(struct weave *weave, const struct graph_node *node, const int32_t *blocks,
                                int32_t count, struct recurrent_cell *cell);

/* A cell whose state is what it reads and, moved on by one place at each position, what it read before.
 *   first        columns of the map that are handed on as they are; the others are moved
 *   count        places, the newest vector's own among them
 *   newest_last  whether that one lies last rather than first */
cuseq_status weave_moving_cell(struct weave *weave, const struct graph_node *node, const struct affine *map,
                               int32_t first, int32_t count, bool newest_last, struct recurrent_cell *cell);

/* ---- weave_parts.c ---- */

/* Adds a block at the end of the stack, and an item. */
cuseq_status weave_add_block(struct weave *weave, int32_t width, int32_t offset, int32_t *block);
cuseq_status weave_add_item(struct weave *weave, struct weave_item item);

/* An item as an expression over the stack. */
cuseq_status weave_item_make(struct weave *weave, const struct weave_item *item, int32_t *made);

/* Whether a stage from `from` on, or an output, reads an expression. */
bool weave_is_read(const struct weave *weave, int32_t expression, int32_t from);

#endif
