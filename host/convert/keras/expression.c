#include "convert/keras/expression.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_EXPRESSIONS = 1 << 19, MAX_WIDTH = 1 << 20, MAX_CHILDREN = 4096 };
static const size_t matrix_allowance = (size_t)4 << 20;

static cuseq_status out_of_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
}

void expressions_free(struct expressions *expressions) {
  for (int32_t i = 0; i < expressions->matrix_count; i++)
    free(expressions->matrices[i].data);
  free(expressions->matrices);
  free(expressions->list);
  free(expressions->table);
  free(expressions->encoders);
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
      return out_of_memory();
    expressions->matrices = list;
    expressions->matrix_capacity = capacity;
  }
  float *data = calloc(elements, sizeof *data);
  if (data == NULL)
    return out_of_memory();
  *matrix = expressions->matrix_count++;
  expressions->matrices[*matrix] = (struct matrix){owner, slot, (int32_t)rows, (int32_t)columns, data};
  return CUSEQ_STATUS_OK;
}

/* ---- the table of expressions --------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdu;
}

static uint64_t scalar_bits(const struct expression *e) {
  uint64_t bits;
  memcpy(&bits, &e->scalar, sizeof bits);
  return bits;
}

static uint64_t hash_of(const struct expression *e) {
  uint64_t hash = mix(mix(mix((uint64_t)e->op, (uint64_t)e->part), (uint64_t)e->matrix), (uint64_t)e->bias);
  hash = mix(mix(mix(hash, (uint64_t)e->index), scalar_bits(e)), (uint64_t)e->width);
  for (int32_t i = 0; i < e->child_count; i++)
    hash = mix(hash, (uint64_t)e->children[i]);
  return hash ^ (hash >> 29);
}

static bool same(const struct expression *a, const struct expression *b) {
  return a->op == b->op && a->part == b->part && a->matrix == b->matrix && a->bias == b->bias &&
         a->index == b->index && scalar_bits(a) == scalar_bits(b) && a->width == b->width &&
         a->child_count == b->child_count &&
         (a->child_count == 0 ||
          memcmp(a->children, b->children, (size_t)a->child_count * sizeof *a->children) == 0);
}

static cuseq_status grow(struct expressions *expressions) {
  if (expressions->count >= MAX_EXPRESSIONS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the model's graph is too large");
  if (expressions->count == expressions->capacity) {
    int32_t capacity = expressions->capacity * 2 + 256;
    struct expression *list = realloc(expressions->list, (size_t)capacity * sizeof *list);
    if (list == NULL)
      return out_of_memory();
    expressions->list = list;
    expressions->capacity = capacity;
  }
  if (expressions->count * 2 >= expressions->table_size) {
    int32_t size = expressions->table_size > 0 ? expressions->table_size * 2 : 1024;
    int32_t *table = malloc((size_t)size * sizeof *table);
    if (table == NULL)
      return out_of_memory();
    for (int32_t i = 0; i < size; i++)
      table[i] = -1;
    for (int32_t i = 0; i < expressions->count; i++) {
      uint64_t slot = hash_of(&expressions->list[i]) % (uint64_t)size;
      while (table[slot] >= 0)
        slot = (slot + 1) % (uint64_t)size;
      table[slot] = i;
    }
    free(expressions->table);
    expressions->table = table;
    expressions->table_size = size;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status enter(struct expressions *expressions, const struct expression *made,
                          int32_t *expression) {
  TRY(grow(expressions));
  uint64_t slot = hash_of(made) % (uint64_t)expressions->table_size;
  while (expressions->table[slot] >= 0) {
    if (same(&expressions->list[expressions->table[slot]], made)) {
      *expression = expressions->table[slot];
      return CUSEQ_STATUS_OK;
    }
    slot = (slot + 1) % (uint64_t)expressions->table_size;
  }
  int32_t *children = arena_allocate(expressions->arena, (size_t)(made->child_count + 1) * sizeof *children);
  if (children == NULL)
    return out_of_memory();
  if (made->child_count > 0)
    memcpy(children, made->children, (size_t)made->child_count * sizeof *children);
  *expression = expressions->count++;
  expressions->list[*expression] = *made;
  expressions->list[*expression].children = children;
  expressions->table[slot] = *expression;
  return CUSEQ_STATUS_OK;
}

/* ---- width and simplification --------------------------------------------------------------------- */

static cuseq_status set_width(struct expressions *expressions, struct expression *made) {
  const struct expression *list = expressions->list;
  if (made->child_count == 0)
    return CUSEQ_STATUS_OK;
  int64_t sum = 0, widest = 0;
  made->timed = false;
  for (int32_t i = 0; i < made->child_count; i++) {
    const struct expression *child = &list[made->children[i]];
    sum += child->width;
    widest = child->width > widest ? child->width : widest;
    made->timed = made->timed || child->timed;
  }
  switch (made->op) {
  case EXPRESSION_EMBEDDING:
  case EXPRESSION_DENSE:
    made->width = expressions->matrices[made->matrix].columns;
    break;
  case EXPRESSION_SEQUENCE:
    break; /* given */
  case EXPRESSION_FINAL:
    made->timed = false;
    break; /* given */
  case EXPRESSION_CELL:
    made->width = expressions->cells[made->index].units;
    break;
  case EXPRESSION_DOT:
  case EXPRESSION_ARGMAX:
    made->width = 1;
    break;
  case EXPRESSION_CONTEXT:
    made->width = list[made->children[1]].width;
    made->timed = false;
    break;
  case EXPRESSION_CONCAT:
    made->width = sum > MAX_WIDTH ? MAX_WIDTH + 1 : (int32_t)sum;
    break;
  default:
    made->width = (int32_t)widest;
    break;
  }
  if (made->width < 1 || made->width > MAX_WIDTH)
    return layer_refuse(made->layer, "its output is absurdly wide");
  return CUSEQ_STATUS_OK;
}

/* sum_t alpha_t (v_t K + k) = (sum_t alpha_t v_t) K + k, as the weights add up to 1. */
static cuseq_status context_of_dense(struct expressions *expressions, const struct expression *made,
                                     int32_t *expression) {
  struct expression dense = *expression_at(expressions, made->children[1]);
  int32_t context;
  TRY(expression_binary(expressions, EXPRESSION_CONTEXT, made->children[0], dense.children[0], made->layer,
                        &context));
  return expression_dense(expressions, context, dense.matrix, dense.bias, dense.layer, expression);
}

/* The two directions of a Bidirectional layer side by side are what it gives with merge_mode "concat". */
static bool joins_directions(const struct expressions *expressions, const struct expression *made,
                             struct expression *joined) {
  if (made->op != EXPRESSION_CONCAT || made->child_count != 2)
    return false;
  const struct expression *forward = expression_at(expressions, made->children[0]);
  const struct expression *backward = expression_at(expressions, made->children[1]);
  bool both = forward->op == EXPRESSION_SEQUENCE && forward->part == SEQUENCE_FORWARD &&
              backward->op == EXPRESSION_SEQUENCE && backward->part == SEQUENCE_BACKWARD &&
              forward->index == backward->index && forward->children[0] == backward->children[0];
  *joined = *forward;
  joined->part = SEQUENCE_MERGED;
  joined->width = 2 * forward->width;
  return both;
}

cuseq_status expression_make(struct expressions *expressions, const struct expression *made,
                             int32_t *expression) {
  struct expression e = *made;
  if (joins_directions(expressions, made, &e))
    return enter(expressions, &e, expression);
  e = *made;
  if (e.child_count > MAX_CHILDREN)
    return layer_refuse(e.layer, "it joins too many tensors");
  if (e.child_count == 1 &&
      (e.op == EXPRESSION_CONCAT || e.op == EXPRESSION_ADD || e.op == EXPRESSION_PRODUCT)) {
    *expression = e.children[0];
    return CUSEQ_STATUS_OK;
  }
  if (e.op == EXPRESSION_ACTIVATION && e.part == CUSEQ_ACTIVATION_LINEAR) {
    *expression = e.children[0];
    return CUSEQ_STATUS_OK;
  }
  if (e.op == EXPRESSION_CONTEXT && expression_at(expressions, e.children[1])->op == EXPRESSION_DENSE)
    return context_of_dense(expressions, &e, expression);
  TRY(set_width(expressions, &e));
  return enter(expressions, &e, expression);
}

cuseq_status expression_unary(struct expressions *expressions, enum expression_op op, int32_t part,
                              int32_t child, const struct keras_layer *layer, int32_t *expression) {
  int32_t children[2] = {child, -1}; /* two, for compilers that look at what other operations read */
  struct expression made = {.op = op,
                            .part = part,
                            .matrix = -1,
                            .bias = -1,
                            .layer = layer,
                            .child_count = 1,
                            .children = children};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_binary(struct expressions *expressions, enum expression_op op, int32_t first,
                               int32_t second, const struct keras_layer *layer, int32_t *expression) {
  int32_t children[2] = {first, second};
  struct expression made = {
      .op = op, .matrix = -1, .bias = -1, .layer = layer, .child_count = 2, .children = children};
  return expression_make(expressions, &made, expression);
}

cuseq_status expression_dense(struct expressions *expressions, int32_t child, int32_t matrix, int32_t bias,
                              const struct keras_layer *layer, int32_t *expression) {
  struct expression made = {.op = EXPRESSION_DENSE,
                            .matrix = matrix,
                            .bias = bias,
                            .layer = layer,
                            .child_count = 1,
                            .children = &child};
  return expression_make(expressions, &made, expression);
}
