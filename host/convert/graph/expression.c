#include "convert/graph/expression.h"
#include "convert/graph/self_attention.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_EXPRESSIONS = 1 << 19, MAX_WIDTH = 1 << 20, MAX_CHILDREN = 4096 };
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
  hash = mix(hash, ((uint64_t)(uint32_t)e->clock << 1) | e->masked);
  for (int32_t i = 0; i < e->child_count; i++)
    hash = mix(hash, (uint64_t)e->children[i]);
  return hash ^ (hash >> 29);
}

static bool same(const struct expression *a, const struct expression *b) {
  return a->op == b->op && a->part == b->part && a->matrix == b->matrix && a->bias == b->bias &&
         a->index == b->index && scalar_bits(a) == scalar_bits(b) && a->width == b->width &&
         a->clock == b->clock && a->masked == b->masked && a->child_count == b->child_count &&
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
      return error_out_of_memory();
    expressions->list = list;
    expressions->capacity = capacity;
  }
  if (expressions->count * 2 >= expressions->table_size) {
    int32_t size = expressions->table_size > 0 ? expressions->table_size * 2 : 1024;
    int32_t *table = malloc((size_t)size * sizeof *table);
    if (table == NULL)
      return error_out_of_memory();
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
    return error_out_of_memory();
  if (made->child_count > 0)
    memcpy(children, made->children, (size_t)made->child_count * sizeof *children);
  *expression = expressions->count++;
  expressions->list[*expression] = *made;
  expressions->list[*expression].children = children;
  expressions->table[slot] = *expression;
  return CUSEQ_STATUS_OK;
}

/* ---- width and clocks ----------------------------------------------------------------------------- */

static bool is_recurrent(const struct expression *e) {
  return e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL;
}

/* The one clock of a recurrent layer's input. */
static cuseq_status only_clock(const struct expression *made, uint32_t clocks, int32_t *clock) {
  for (*clock = 0; *clock < MAX_CLOCKS; ++*clock)
    if (clocks == (uint32_t)1 << *clock)
      return CUSEQ_STATUS_OK;
  return node_refuse(made->node, "it reads what is not one sequence");
}

/* The clocks of an expression with children, and its own where an op works over one. */
static cuseq_status set_clocks(const struct expressions *expressions, struct expression *made) {
  const struct expression *list = expressions->list;
  made->clocks = 0;
  for (int32_t i = 0; i < made->child_count; i++)
    made->clocks |= list[made->children[i]].clocks;
  if (is_recurrent(made)) {
    made->clocks = list[made->children[0]].clocks;
    TRY(only_clock(made, made->clocks, &made->clock));
    for (int32_t i = 1; i < made->child_count; i++)
      if (list[made->children[i]].clocks != 0)
        return node_refuse(made->node, "an initial state of it is a sequence");
  }
  uint32_t own = (uint32_t)1 << made->clock;
  switch (made->op) {
  case EXPRESSION_REPEAT:
    made->clocks |= own;
    break;
  case EXPRESSION_CUT:
  case EXPRESSION_THIN:
    made->clocks = (made->clocks & ~((uint32_t)1 << expressions->clocks[made->clock].of)) | own;
    break;
  case EXPRESSION_PAD:
    made->clocks = own;
    break;
  case EXPRESSION_SELF_ATTENTION:
  case EXPRESSION_MIX:
  case EXPRESSION_WEIGHTS:
  case EXPRESSION_WEIGHTED:
    TRY(only_clock(made, made->clocks, &made->clock));
    for (int32_t i = 0; i < made->child_count; i++)
      if (list[made->children[i]].clocks != made->clocks)
        return node_refuse(made->node, "it reads what is not one sequence");
    break;
  case EXPRESSION_TWIN:
  case EXPRESSION_ALIGN:
    made->clocks = (made->clocks & ~((uint32_t)1 << made->index)) | own;
    break;
  case EXPRESSION_CONTEXT:
    made->clock = list[made->children[0]].clock; /* of the SOFTMAX */
    made->clocks &= ~((uint32_t)1 << made->clock);
    break;
  case EXPRESSION_FINAL:
  case EXPRESSION_POOL:
  case EXPRESSION_POSITION:
  case EXPRESSION_FLAT:
    if ((made->clocks & own) == 0)
      return node_refuse(made->node, "it is taken over a sequence of another length");
    made->clocks &= ~own;
    break;
  case EXPRESSION_SOFTMAX:
  case EXPRESSION_REVERSE:
  case EXPRESSION_WINDOW:
    if ((made->clocks & own) == 0)
      return node_refuse(made->node, "it is taken over a sequence of another length");
    break;
  default:
    break;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_width(const struct expressions *expressions, struct expression *made) {
  const struct expression *list = expressions->list;
  int64_t sum = 0, widest = 0;
  for (int32_t i = 0; i < made->child_count; i++) {
    const struct expression *child = &list[made->children[i]];
    sum += child->width;
    widest = child->width > widest ? child->width : widest;
  }
  switch (made->op) {
  case EXPRESSION_EMBEDDING:
  case EXPRESSION_DENSE:
    made->width = expressions->matrices[made->matrix].columns;
    break;
  case EXPRESSION_SEQUENCE:
  case EXPRESSION_FINAL:
  case EXPRESSION_SLICE:
    break; /* given */
  case EXPRESSION_SELF_ATTENTION:
    made->width = list[made->children[0]].width;
    break;
  case EXPRESSION_CELL:
    made->width = expressions->cells[made->index].units;
    break;
  case EXPRESSION_DOT:
    made->width = made->index > 1 ? made->index : 1;
    break;
  case EXPRESSION_ARGMAX:
    made->width = 1;
    break;
  case EXPRESSION_FLAT:
  case EXPRESSION_WINDOW:
    sum *= made->op == EXPRESSION_FLAT ? made->index : (int64_t)made->index + 1 + made->part;
    if (sum > INT32_MAX)
      return node_refuse(made->node, "it is too wide");
    made->width = (int32_t)sum;
    break;
  case EXPRESSION_CONTEXT:
    made->width = list[made->children[1]].width;
    break;
  case EXPRESSION_CONCAT:
    made->width = sum > MAX_WIDTH ? MAX_WIDTH + 1 : (int32_t)sum;
    break;
  default:
    made->width = (int32_t)widest;
    break;
  }
  if (made->width < 1 || made->width > MAX_WIDTH)
    return node_refuse(made->node, "its output is absurdly wide");
  return CUSEQ_STATUS_OK;
}

/* A direction by itself is not there where the layer gives both merged into one. */
static cuseq_status check_part(const struct expressions *expressions, const struct expression *made) {
  const struct recurrent_layer *layer =
      made->op == EXPRESSION_SEQUENCE ? &expressions->layers[made->index] : NULL;
  if (layer == NULL || made->part == SEQUENCE_MERGED || layer->direction != LAYER_BIDIRECTIONAL ||
      layer->apart || layer->merge == CUSEQ_MERGE_CONCAT)
    return CUSEQ_STATUS_OK;
  return node_refuse(made->node, "its directions are merged, of which one alone cannot be read");
}

static cuseq_status complete(const struct expressions *expressions, struct expression *made) {
  if (made->op == EXPRESSION_INPUT)
    made->clocks = made->clock >= 0 ? (uint32_t)1 << made->clock : 0;
  if (made->op == EXPRESSION_CONSTANT)
    made->width = expressions->matrices[made->matrix].columns;
  if (made->child_count == 0)
    return CUSEQ_STATUS_OK;
  TRY(check_part(expressions, made));
  TRY(set_clocks(expressions, made));
  return set_width(expressions, made);
}

/* ---- simplification ------------------------------------------------------------------------------- */

/* sum_t alpha_t (v_t K + k) = (sum_t alpha_t v_t) K + k, as the weights add up to 1. */
static cuseq_status context_of_dense(struct expressions *expressions, const struct expression *made,
                                     int32_t *expression) {
  struct expression dense = *expression_at(expressions, made->children[1]);
  int32_t context;
  TRY(expression_binary(expressions, EXPRESSION_CONTEXT, made->children[0], dense.children[0], made->node,
                        &context));
  return expression_dense(expressions, context, dense.matrix, dense.bias, dense.node, expression);
}

static bool same_children(const struct expression *a, const struct expression *b) {
  return a->child_count == b->child_count &&
         memcmp(a->children, b->children, (size_t)a->child_count * sizeof *a->children) == 0;
}

/* The two directions of a bidirectional layer side by side are what it gives with merge "concat". */
static bool joins_directions(const struct expressions *expressions, const struct expression *made,
                             struct expression *joined) {
  if (made->op != EXPRESSION_CONCAT || made->child_count != 2)
    return false;
  const struct expression *forward = expression_at(expressions, made->children[0]);
  const struct expression *backward = expression_at(expressions, made->children[1]);
  bool both = forward->op == EXPRESSION_SEQUENCE && forward->part == SEQUENCE_FORWARD &&
              backward->op == EXPRESSION_SEQUENCE && backward->part == SEQUENCE_BACKWARD &&
              forward->index == backward->index && same_children(forward, backward);
  *joined = *forward;
  joined->part = SEQUENCE_MERGED;
  joined->width = forward->width + backward->width;
  return both;
}

/* Initial states that are all zeros are as good as none. */
static void drop_zero_states(const struct expressions *expressions, struct expression *made) {
  bool zeros = is_recurrent(made);
  for (int32_t i = 1; zeros && i < made->child_count; i++)
    zeros = expression_at(expressions, made->children[i])->op == EXPRESSION_ZEROS;
  if (zeros && made->child_count > 1)
    made->child_count = 1;
}

/* Whether an expression is its only child, or a child of its child; *same receives that. */
static bool is_child(const struct expressions *expressions, const struct expression *made, int32_t *same) {
  if (made->child_count == 0)
    return false;
  *same = made->children[0];
  const struct expression *child = expression_at(expressions, *same);
  switch (made->op) {
  case EXPRESSION_CONCAT:
  case EXPRESSION_ADD:
  case EXPRESSION_PRODUCT:
    return made->child_count == 1;
  case EXPRESSION_ACTIVATION:
    return made->part == CUSEQ_ACTIVATION_LINEAR;
  case EXPRESSION_SLICE:
    return made->index == 0 && made->width == child->width;
  case EXPRESSION_REVERSE:
    if (child->op != EXPRESSION_REVERSE || child->clock != made->clock)
      return false;
    *same = child->children[0];
    return true;
  default:
    return false;
  }
}

/* A part of a part; a part of vectors side by side that ends where they end; one direction of a layer that
 * gives both side by side. */
static cuseq_status slice(struct expressions *expressions, struct expression *made, int32_t *expression) {
  const struct expression *child = expression_at(expressions, made->children[0]);
  if (made->index < 0 || made->width < 1 || made->index > child->width - made->width)
    return node_refuse(made->node, "it takes elements that there are not");
  if (child->op == EXPRESSION_SLICE)
    return expression_slice(expressions, child->children[0], child->index + made->index, made->width,
                            made->node, expression);
  if (child->op == EXPRESSION_ZEROS)
    return expression_zeros(expressions, made->width, made->node, expression);
  const struct recurrent_layer *layer =
      child->op == EXPRESSION_SEQUENCE ? &expressions->layers[child->index] : NULL;
  if (layer != NULL && child->part == SEQUENCE_MERGED && layer->direction == LAYER_BIDIRECTIONAL &&
      !layer->woven && (layer->apart || layer->merge == CUSEQ_MERGE_CONCAT)) {
    int32_t forward = layer->directions[0].units;
    bool first = made->index == 0 && made->width == forward;
    if (first || (made->index == forward && made->width == child->width - forward)) {
      struct expression part = *child;
      part.part = first ? SEQUENCE_FORWARD : SEQUENCE_BACKWARD;
      part.width = made->width;
      return expression_make(expressions, &part, expression);
    }
  }
  int32_t at = 0;
  for (int32_t i = 0; child->op == EXPRESSION_CONCAT && !child->atom && i < child->child_count; i++) {
    int32_t width = expression_at(expressions, child->children[i])->width;
    if (made->index >= at && made->index + made->width <= at + width)
      return expression_slice(expressions, child->children[i], made->index - at, made->width, made->node,
                              expression);
    at += width;
  }
  TRY(complete(expressions, made));
  return enter(expressions, made, expression);
}

/* The last position of a layer or a direction that reads forwards is its final state, and so is the first of
 * one that reads backwards, masks or not. */
static bool is_final(const struct expressions *expressions, const struct expression *made,
                     struct expression *final) {
  if (made->op != EXPRESSION_POSITION || (made->index != -1 && made->index != 0))
    return false;
  const struct expression *child = expression_at(expressions, made->children[0]);
  enum layer_direction direction = made->index == -1 ? LAYER_FORWARD : LAYER_BACKWARD;
  if (child->op != EXPRESSION_SEQUENCE || child->clock != made->clock)
    return false;
  const int32_t alone = made->index == -1 ? SEQUENCE_FORWARD : SEQUENCE_BACKWARD; /* one of two directions */
  if (expressions->layers[child->index].direction != direction && child->part != alone)
    return false;
  *final = *child;
  final->op = EXPRESSION_FINAL;
  final->part = direction == LAYER_FORWARD ? FINAL_FORWARD_H : FINAL_BACKWARD_H;
  final->atom = false;
  return true;
}

/* Tables that were made for each use, one-hot rows above all, are one table. */
static int32_t same_table(const struct expressions *expressions, int32_t matrix) {
  const struct matrix *table = &expressions->matrices[matrix];
  for (int32_t i = 0; i < matrix; i++) {
    const struct matrix *other = &expressions->matrices[i];
    if (other->rows == table->rows && other->columns == table->columns &&
        memcmp(other->data, table->data,
               (size_t)table->rows * (size_t)table->columns * sizeof *table->data) == 0)
      return i;
  }
  return matrix;
}

/* Whether the weights of a context are those of a sequence that asks itself. */
static bool is_of_itself(const struct expressions *expressions, const struct expression *context) {
  const struct expression *alphas = expression_at(expressions, context->children[0]);
  for (int32_t c = 0; alphas->op == EXPRESSION_SOFTMAX && c < expressions->clock_count; c++)
    if ((alphas->clocks >> c & 1) != 0 && clocks_are_twins(expressions, c, alphas->clock))
      return true;
  return false;
}

/* The product of a sequence and of the weights that its own positions make is the sequence weighted. */
static bool is_weighted(const struct expressions *expressions, const struct expression *made,
                        struct expression *weighted) {
  for (int i = 0; made->op == EXPRESSION_PRODUCT && made->child_count == 2 && i < 2; i++) {
    const struct expression *weights = expression_at(expressions, made->children[i]);
    if (weights->op != EXPRESSION_WEIGHTS && weights->op != EXPRESSION_SOFTMAX)
      continue;
    const struct expression *mix = expression_at(expressions, weights->children[0]);
    if (mix->op != EXPRESSION_MIX || mix->children[0] != made->children[1 - i])
      continue;
    *weighted = *mix;
    weighted->op = EXPRESSION_WEIGHTED;
    weighted->node = made->node;
    return true;
  }
  return false;
}

cuseq_status expression_make(struct expressions *expressions, const struct expression *made,
                             int32_t *expression) {
  struct expression e = *made;
  if (e.child_count > MAX_CHILDREN)
    return node_refuse(e.node, "it joins too many tensors");
  drop_zero_states(expressions, &e);
  if (is_child(expressions, &e, expression))
    return CUSEQ_STATUS_OK;
  struct expression simpler;
  if (joins_directions(expressions, &e, &simpler) || is_final(expressions, &e, &simpler) ||
      is_weighted(expressions, &e, &simpler))
    e = simpler;
  if (e.op == EXPRESSION_EMBEDDING)
    e.matrix = same_table(expressions, e.matrix);
  if (e.op == EXPRESSION_SLICE)
    return slice(expressions, &e, expression);
  if (e.op == EXPRESSION_CONCAT) {
    TRY(self_attention_of_parts(expressions, &e, expression));
    if (*expression < 0)
      TRY(attention_of_parts(expressions, &e, expression));
    if (*expression >= 0)
      return CUSEQ_STATUS_OK;
  }
  if (e.op == EXPRESSION_CONTEXT && is_of_itself(expressions, &e))
    return self_attention_make(expressions, &e, expression);
  if (e.op == EXPRESSION_CONTEXT && expression_at(expressions, e.children[1])->op == EXPRESSION_DENSE &&
      expression_at(expressions, e.children[0])->width == 1)
    return context_of_dense(expressions, &e, expression);
  TRY(complete(expressions, &e));
  return enter(expressions, &e, expression);
}
