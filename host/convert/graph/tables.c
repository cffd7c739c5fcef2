/* What expressions refer to by number: matrices, clocks, recurrent layers and cells. */
#include "convert/graph/expression.h"
#include "error.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>

static const size_t matrix_allowance = (size_t)4 << 20;

void expressions_free(struct expressions *expressions) {
  for (int32_t i = 0; i < expressions->matrix_count; i++)
    free(expressions->matrices[i].data);
  free(expressions->matrices);
  free(expressions->list);
  free(expressions->table);
  free(expressions->layers);
  free(expressions->cells);
  *expressions = (struct expressions){0};
}

/* ---- matrices ------------------------------------------------------------------------------------- */

cuseq_status matrix_make(struct expressions *expressions, const void *owner, int32_t slot, int64_t rows,
                         int64_t columns, int32_t *matrix, bool *found) {
  *found = true;
  for (int32_t i = 0; owner != NULL && i < expressions->matrix_count; i++)
    if (expressions->matrices[i].owner == owner && expressions->matrices[i].slot == slot) {
      *matrix = i;
      return CUSEQ_STATUS_OK;
    }
  *found = false;
  if (rows < 1 || columns < 1 || rows > INT32_MAX || columns > INT32_MAX)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "weights of an absurd shape (%lld x %lld)", (long long)rows,
                     (long long)columns);
  size_t elements = (size_t)rows * (size_t)columns;
  if (owner != NULL)
    expressions->matrix_elements += elements;
  else if (elements > matrix_allowance + 4 * expressions->matrix_elements)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "its layers multiply out to weights of an absurd size");
  if (expressions->matrix_count == expressions->matrix_capacity) {
    int32_t capacity = expressions->matrix_capacity * 2 + 64;
    struct matrix *list = realloc(expressions->matrices, (size_t)capacity * sizeof *list);
    if (list == NULL)
      return error_out_of_memory();
    expressions->matrices = list;
    expressions->matrix_capacity = capacity;
  }
  float *data = calloc(elements, sizeof *data);
  if (data == NULL)
    return error_out_of_memory();
  *matrix = expressions->matrix_count++;
  expressions->matrices[*matrix] = (struct matrix){owner, slot, (int32_t)rows, (int32_t)columns, data};
  return CUSEQ_STATUS_OK;
}

bool matrices_are_there(const struct expressions *expressions) {
  return expressions->matrix_count == 0 || expressions->matrices[0].data != NULL;
}

void matrices_release(struct expressions *expressions) {
  for (int32_t i = 0; i < expressions->matrix_count; i++) {
    free(expressions->matrices[i].data);
    expressions->matrices[i].data = NULL;
  }
#ifdef __GLIBC__
  malloc_trim(0); /* what lies between blocks that are still in use would stay with the process */
#endif
}

/* ---- clocks --------------------------------------------------------------------------------------- */

static cuseq_status clock_add(struct expressions *expressions, struct clock clock) {
  if (expressions->clock_count >= MAX_CLOCKS)
    return node_refuse(clock.node, "the model has more than %d sequences", MAX_CLOCKS);
  expressions->clocks[expressions->clock_count++] = clock;
  return CUSEQ_STATUS_OK;
}

cuseq_status clock_make(struct expressions *expressions, const struct graph_node *node, int64_t length,
                        bool repeats, int32_t *clock) {
  for (*clock = 0; *clock < expressions->clock_count; ++*clock)
    if (expressions->clocks[*clock].node == node && expressions->clocks[*clock].of < 0 &&
        expressions->clocks[*clock].twin < 0)
      return CUSEQ_STATUS_OK;
  return clock_add(expressions, (struct clock){node, length, repeats, -1, 0, 0, 0, -1});
}

cuseq_status clock_cut(struct expressions *expressions, const struct graph_node *node, int32_t of,
                       int32_t cut, int32_t *clock) {
  const struct clock from = expressions->clocks[of];
  for (*clock = 0; *clock < expressions->clock_count; ++*clock)
    if (expressions->clocks[*clock].of == of && expressions->clocks[*clock].stride == 0 &&
        expressions->clocks[*clock].cut == from.cut + cut)
      return CUSEQ_STATUS_OK;
  const int64_t length = from.length < 0 ? -1 : from.length - cut;
  return clock_add(expressions, (struct clock){node, length, from.repeats, of, from.cut + cut, 0, 0, -1});
}

cuseq_status clock_thin(struct expressions *expressions, const struct graph_node *node, int32_t of,
                        int32_t stride, int32_t reach, int32_t *clock) {
  const struct clock from = expressions->clocks[of];
  const int64_t length = from.length < 0 ? -1 : (from.length - reach) / stride + 1;
  for (*clock = 0; *clock < expressions->clock_count; ++*clock) {
    const struct clock *other = &expressions->clocks[*clock];
    if (other->of == of && other->stride == stride && other->length == length &&
        (length >= 0 || other->reach == reach))
      return CUSEQ_STATUS_OK;
  }
  return clock_add(expressions, (struct clock){node, length, from.repeats, of, 0, stride, reach, -1});
}

cuseq_status clock_twin(struct expressions *expressions, int32_t of, int32_t *clock) {
  const struct clock from = expressions->clocks[of];
  for (*clock = 0; *clock < expressions->clock_count; ++*clock)
    if (expressions->clocks[*clock].twin == of)
      return CUSEQ_STATUS_OK;
  return clock_add(expressions, (struct clock){from.node, from.length, from.repeats, -1, 0, 0, 0, of});
}

/* ---- recurrent layers and cells ------------------------------------------------------------------- */

cuseq_status recurrent_layer_make(struct expressions *expressions, const struct recurrent_layer *made,
                                  int32_t *index) {
  for (*index = 0; *index < expressions->layer_count; ++*index)
    if (expressions->layers[*index].node == made->node) {
      if (expressions->layers[*index].mask != made->mask)
        return node_refuse(made->node, "it is applied with a mask and without it");
      return CUSEQ_STATUS_OK;
    }
  if (expressions->layer_count == expressions->layer_capacity) {
    int32_t capacity = expressions->layer_capacity * 2 + 8;
    struct recurrent_layer *list = realloc(expressions->layers, (size_t)capacity * sizeof *list);
    if (list == NULL)
      return error_out_of_memory();
    expressions->layers = list;
    expressions->layer_capacity = capacity;
  }
  expressions->layers[expressions->layer_count++] = *made;
  return CUSEQ_STATUS_OK;
}

cuseq_status recurrent_cell_make(struct expressions *expressions, const struct recurrent_cell *made,
                                 int32_t *index) {
  for (*index = 0; *index < expressions->cell_count; ++*index)
    if (expressions->cells[*index].node == made->node)
      return CUSEQ_STATUS_OK;
  if (expressions->cell_count == expressions->cell_capacity) {
    int32_t capacity = expressions->cell_capacity * 2 + 8;
    struct recurrent_cell *list = realloc(expressions->cells, (size_t)capacity * sizeof *list);
    if (list == NULL)
      return error_out_of_memory();
    expressions->cells = list;
    expressions->cell_capacity = capacity;
  }
  expressions->cells[expressions->cell_count++] = *made;
  return CUSEQ_STATUS_OK;
}
