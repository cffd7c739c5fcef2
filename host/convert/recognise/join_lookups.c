/* Embeddings of parts of an input: what recognition sees is an input of their rows, and the model looks
 * them up (input.lookups of docs/model-format.md). */
#include "convert/graph/rewrite.h"
#include "convert/recognise/join.h"
#include "convert/recognise/recognised.h"
#include "error.h"

enum { MOST_COLUMNS = 1 << 16 };

struct looking {
  struct expressions *expressions;
  int32_t input;   /* the INPUT that embeddings read parts of, -1: none */
  int32_t *table;  /* [its width] the matrix that looks a column up, -1: it is a number */
  int32_t *offset; /* [its width + 1] where a column lies in the rows */
  int32_t rows;    /* the INPUT of the rows */
};

/* The one column of an input that an embedding reads; false: it reads all of its input, or something else. */
static bool column_of(const struct expressions *expressions, const struct expression *e, int32_t *input,
                      int32_t *column) {
  if (e->op != EXPRESSION_EMBEDDING)
    return false;
  const struct expression *slice = expression_at(expressions, e->children[0]);
  if (slice->op != EXPRESSION_SLICE || slice->width != 1)
    return false;
  *input = slice->children[0];
  *column = slice->index;
  return expression_at(expressions, *input)->op == EXPRESSION_INPUT;
}

/* Finds the input and the tables of its columns. */
static cuseq_status find_tables(struct looking *looking, const bool *reached, int32_t limit) {
  const struct expressions *expressions = looking->expressions;
  int32_t input, column;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || !column_of(expressions, e, &input, &column))
      continue;
    const int32_t width = expression_at(expressions, input)->width;
    if (looking->input < 0) {
      looking->table = arena_allocate(expressions->arena, (size_t)width * sizeof *looking->table);
      looking->offset = arena_allocate(expressions->arena, ((size_t)width + 1) * sizeof *looking->offset);
      if (looking->table == NULL || looking->offset == NULL)
        return error_out_of_memory();
      for (int32_t c = 0; c < width; c++)
        looking->table[c] = -1;
      looking->input = input;
    }
    if (input != looking->input || width > MOST_COLUMNS)
      return node_refuse(e->node, "what it looks up is no part of the model's one input");
    if (looking->table[column] >= 0 && looking->table[column] != e->matrix)
      return node_refuse(e->node,
                         "cuseq can express one embedding of each of several inputs, and this is the "
                         "second one");
    looking->table[column] = e->matrix;
  }
  return CUSEQ_STATUS_OK;
}

/* Neighbouring columns of one table are one lookup. */
static cuseq_status group(const struct looking *looking, struct graph_lookups *lookups) {
  const struct expression *input = expression_at(looking->expressions, looking->input);
  lookups->columns = input->width;
  for (int32_t c = 0; c < input->width; c++) {
    struct graph_lookup *last = lookups->count > 0 ? &lookups->list[lookups->count - 1] : NULL;
    if (looking->table[c] < 0)
      continue;
    if (last != NULL && last->matrix == looking->table[c] && last->column + last->columns == c) {
      last->columns++;
      continue;
    }
    if (lookups->count == STRUCTURE_MAX_LOOKUPS)
      return node_refuse(input->node, "more than %d embeddings look up parts of the model's inputs",
                         STRUCTURE_MAX_LOOKUPS);
    lookups->list[lookups->count++] = (struct graph_lookup){c, 1, looking->table[c]};
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status make_rows(struct looking *looking) {
  struct expression rows = *expression_at(looking->expressions, looking->input);
  int64_t width = 0;
  for (int32_t c = 0; c < rows.width; c++) {
    looking->offset[c] = (int32_t)width;
    width += looking->table[c] < 0 ? 1 : looking->expressions->matrices[looking->table[c]].columns;
    if (width > INT32_MAX / 2)
      return node_refuse(rows.node, "the model's inputs are absurdly wide");
  }
  looking->offset[rows.width] = (int32_t)width;
  struct graph_node *node;
  TRY(node_copy(looking->expressions->arena, rows.node, &node));
  rows.node = node;
  rows.width = (int32_t)width;
  rows.scalar = 1; /* another expression than the input itself, were it as wide */
  rows.atom = false;
  return expression_make(looking->expressions, &rows, &looking->rows);
}

static cuseq_status rows_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  const struct looking *looking = rewrite->context;
  const struct expression e = *expression_at(looking->expressions, expression);
  int32_t input, column;
  if (column_of(looking->expressions, &e, &input, &column))
    return expression_slice(looking->expressions, looking->rows, looking->offset[column], e.width, e.node,
                            made);
  const bool part = e.op == EXPRESSION_SLICE && e.children[0] == looking->input;
  for (int32_t c = e.index; part && c < e.index + e.width; c++)
    if (looking->table[c] >= 0)
      return node_refuse(e.node, "it is looked up by an embedding and read as numbers, too");
  if (part)
    return expression_slice(looking->expressions, looking->rows, looking->offset[e.index], e.width, e.node,
                            made);
  if (expression == looking->input)
    return node_refuse(e.node, "it is looked up by embeddings and read as a whole, too");
  return CUSEQ_STATUS_OK;
}

cuseq_status join_lookups(const struct recognise_request *request, int32_t *outputs, size_t count,
                          struct graph_lookups *lookups) {
  struct looking looking = {.expressions = request->expressions, .input = -1};
  const int32_t limit = looking.expressions->count;
  bool *reached;
  *lookups = (struct graph_lookups){0};
  TRY(reach_list(looking.expressions, outputs, count, &reached));
  TRY(find_tables(&looking, reached, limit));
  if (looking.input < 0)
    return CUSEQ_STATUS_OK;
  TRY(group(&looking, lookups));
  TRY(make_rows(&looking));
  return rewrite_all(looking.expressions, rows_rule, &looking, outputs, count);
}
