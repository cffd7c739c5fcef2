/* Cells that read all that the topmost layer gives. */
#include "convert/recognise/hard_cell.h"
#include "convert/recognise/weave_parts.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- maps of the stack ---------------------------------------------------------------------------- */

static int32_t stack_width(const struct weave *weave) {
  return expression_at(weave->expressions, weave->stack)->width;
}

/* Adds what `rows` of a map do to the rows of a block. */
static void add_rows(const struct weave *weave, const struct affine *part, int32_t first, int32_t block,
                     double factor, struct affine *map) {
  const size_t columns = (size_t)map->columns;
  for (size_t r = 0; r < (size_t)weave->blocks[block].width; r++)
    for (size_t c = 0; c < columns; c++)
      map->matrix[((size_t)weave->blocks[block].offset + r) * columns + c] +=
          factor * part->matrix[((size_t)first + r) * columns + c];
}

static cuseq_status refuse_leaf(const struct expression *leaf) {
  const char *what = leaf->op == EXPRESSION_REVERSE   ? "positions from the last to the first"
                     : leaf->op == EXPRESSION_PRODUCT ? "a product of what lies below"
                                                      : NULL;
  return what != NULL
             ? node_refuse(leaf->node, "a layer of the encoder reads of it %s, which cuseq cannot express",
                           what)
             : node_refuse(leaf->node, "a layer of the encoder reads it, which cuseq cannot express");
}

/* Lays a map of items, side by side, on the rows of the stack. */
static cuseq_status spread(const struct weave *weave, const struct bases *leaves, const struct affine *part,
                           struct affine *map) {
  int32_t row = 0;
  for (int32_t i = 0; i < leaves->count; i++) {
    const struct weave_item *item = NULL;
    for (int32_t k = 0; k < weave->item_count; k++)
      if (weave->items[k].expression == leaves->list[i])
        item = &weave->items[k];
    const struct expression *leaf = expression_at(weave->expressions, leaves->list[i]);
    if (item == NULL || weave->blocks[item->blocks[0]].offset < 0)
      return refuse_leaf(leaf);
    const double factor = item->blocks[1] >= 0 && item->merge == CUSEQ_MERGE_AVE ? 0.5 : 1;
    const bool beside = item->merge == CUSEQ_MERGE_CONCAT;
    add_rows(weave, part, row, item->blocks[0], factor, map);
    if (item->blocks[1] >= 0)
      add_rows(weave, part, row + (beside ? weave->blocks[item->blocks[0]].width : 0), item->blocks[1],
               factor, map);
    row += leaf->width;
  }
  return CUSEQ_STATUS_OK;
}

/* An expression at each position as a map of the stack.
 *   map  release with affine_free, after a failure too */
cuseq_status weave_map(struct weave *weave, int32_t expression, struct affine *map) {
  struct bases none = {.count = 0}, leaves;
  struct affine part = {0};
  *map = (struct affine){.rows = stack_width(weave),
                         .columns = expression_at(weave->expressions, expression)->width};
  TRY(affine_leaves(weave->expressions, expression, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  TRY(affine_make(weave->expressions, expression, &leaves, "what the encoder reads", &part));
  map->matrix = calloc((size_t)map->rows * (size_t)map->columns, sizeof *map->matrix);
  map->bias = part.bias;
  part.bias = NULL;
  cuseq_status status = map->matrix == NULL ? error_out_of_memory() : spread(weave, &leaves, &part, map);
  affine_free(&part);
  return status;
}

int32_t weave_width(const struct weave *weave, const int32_t *blocks, int32_t count) {
  int32_t width = 0;
  for (int32_t i = 0; i < count; i++)
    width += weave->blocks[blocks[i]].width;
  return width;
}

cuseq_status weave_map_behind(struct weave *weave, const int32_t *blocks, int32_t count,
                              const struct affine *map, struct affine *both, int32_t *handed) {
  *handed = weave_width(weave, blocks, count);
  *both = (struct affine){.rows = map->rows, .columns = *handed + map->columns};
  /* One more of each, as there may be nothing. */
  both->matrix = calloc((size_t)both->rows * (size_t)both->columns + 1, sizeof *both->matrix);
  both->bias = calloc((size_t)both->columns + 1, sizeof *both->bias);
  if (both->matrix == NULL || both->bias == NULL) {
    affine_free(both);
    return error_out_of_memory();
  }
  for (int32_t i = 0, at = 0; i < count; i++)
    for (int32_t u = 0; u < weave->blocks[blocks[i]].width; u++, at++)
      both->matrix[(size_t)(weave->blocks[blocks[i]].offset + u) * (size_t)both->columns + (size_t)at] = 1;
  for (int32_t c = 0; c < map->columns; c++) {
    both->bias[*handed + c] = map->bias[c];
    for (int32_t r = 0; r < map->rows; r++)
      both->matrix[(size_t)r * (size_t)both->columns + (size_t)(*handed + c)] =
          map->matrix[(size_t)r * (size_t)map->columns + (size_t)c];
  }
  return CUSEQ_STATUS_OK;
}

/* ---- cells ---------------------------------------------------------------------------------------- */

/* to [rows, columns] = from [rows, kernel's rows] kernel, rounded once */
static cuseq_status multiply(const double *from, int32_t rows, const struct matrix *kernel, const float *bias,
                             float *to) {
  const size_t columns = (size_t)kernel->columns;
  double *line = calloc(columns, sizeof *line);
  if (line == NULL)
    return error_out_of_memory();
  for (size_t r = 0; r < (size_t)rows; r++) {
    memset(line, 0, columns * sizeof *line);
    affine_add_product(from + r * (size_t)kernel->rows, 1, kernel, line);
    for (size_t c = 0; c < columns; c++)
      to[r * columns + c] = (float)(line[c] + (bias != NULL ? (double)bias[c] : 0));
  }
  free(line);
  return CUSEQ_STATUS_OK;
}

/* The cell of a layer that reads a map of the stack, over the stack itself. */
cuseq_status weave_cell_over(struct weave *weave, const struct recurrent_cell *cell, const struct affine *map,
                             struct recurrent_cell *made) {
  struct expressions *expressions = weave->expressions;
  const int32_t columns = expressions->matrices[cell->kernel].columns;
  bool found;
  *made = *cell;
  TRY(matrix_make(expressions, NULL, 0, map->rows, columns, &made->kernel, &found));
  TRY(multiply(map->matrix, map->rows, &expressions->matrices[cell->kernel], NULL,
               expressions->matrices[made->kernel].data));
  if (cell->bias < 0 && !affine_has_bias(map))
    return CUSEQ_STATUS_OK;
  TRY(matrix_make(expressions, NULL, 0, 1, columns, &made->bias, &found));
  return multiply(map->bias, 1, &expressions->matrices[cell->kernel],
                  cell->bias >= 0 ? expressions->matrices[cell->bias].data : NULL,
                  expressions->matrices[made->bias].data);
}

/* A cell that gives activation(map of the stack): a GRU whose update gate is 0. */
cuseq_status weave_dense_cell(struct weave *weave, const struct graph_node *node, cuseq_activation activation,
                              const struct affine *map, struct recurrent_cell *cell) {
  struct expressions *expressions = weave->expressions;
  const size_t units = (size_t)map->columns;
  TRY(hard_cell_make(expressions, node, activation, map->rows, map->columns, cell));
  for (size_t u = 0; u < units; u++) {
    expressions->matrices[cell->bias].data[u] = GATE_ZERO;
    expressions->matrices[cell->bias].data[2 * units + u] = (float)map->bias[u];
    for (size_t r = 0; r < (size_t)map->rows; r++)
      expressions->matrices[cell->kernel].data[r * 3 * units + 2 * units + u] =
          (float)map->matrix[r * units + u];
  }
  return CUSEQ_STATUS_OK;
}

/* A cell that hands blocks on, one behind the other. */
cuseq_status weave_passing_cell(struct weave *weave, const struct graph_node *node, const int32_t *blocks,
                                int32_t count, struct recurrent_cell *cell) {
  const struct affine nothing = {.rows = stack_width(weave)};
  struct affine map;
  int32_t handed;
  TRY(weave_map_behind(weave, blocks, count, &nothing, &map, &handed));
  cuseq_status status = weave_dense_cell(weave, node, CUSEQ_ACTIVATION_LINEAR, &map, cell);
  affine_free(&map);
  return status;
}

/* ---- windows -------------------------------------------------------------------------------------- */

/* A candidate x W + h U, the update gate 0, the reset gate 1, where U moves each vector on by one place. */
cuseq_status weave_moving_cell(struct weave *weave, const struct graph_node *node, const struct affine *map,
                               int32_t first, int32_t count, bool newest_last, struct recurrent_cell *cell) {
  struct expressions *expressions = weave->expressions;
  const int32_t width = map->columns - first, units = first + count * width;
  struct affine wide = {.rows = map->rows, .columns = units};
  wide.matrix = calloc((size_t)wide.rows * (size_t)units, sizeof *wide.matrix);
  wide.bias = calloc((size_t)units, sizeof *wide.bias);
  cuseq_status status = CUSEQ_STATUS_OK;
  if (wide.matrix == NULL || wide.bias == NULL)
    TRY_CLEANUP(error_out_of_memory());
  for (int32_t c = 0; c < map->columns; c++) {
    const int32_t to = c < first || !newest_last ? c : c + (count - 1) * width;
    wide.bias[to] = map->bias[c];
    for (int32_t r = 0; r < map->rows; r++)
      wide.matrix[(size_t)r * (size_t)units + (size_t)to] =
          map->matrix[(size_t)r * (size_t)map->columns + (size_t)c];
  }
  TRY_CLEANUP(weave_dense_cell(weave, node, CUSEQ_ACTIVATION_LINEAR, &wide, cell));
  float *gates = expressions->matrices[cell->bias].data;
  float *moved = expressions->matrices[cell->recurrent_kernel].data;
  for (int32_t u = 0; u < units; u++)
    gates[units + u] = GATE_ONE; /* the reset gate */
  for (int32_t u = 0; u < (count - 1) * width; u++) {
    const int32_t from = first + (newest_last ? u + width : u), to = first + (newest_last ? u : u + width);
    moved[(size_t)from * 3 * (size_t)units + 2 * (size_t)units + (size_t)to] = 1;
  }
cleanup:
  affine_free(&wide);
  return status;
}
