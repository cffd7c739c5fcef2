#include "convert/recognise/tabulate.h"
#include "convert/graph/affine.h"
#include "convert/graph/rewrite.h"
#include "error.h"
#include "model/activation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, MAX_DEPTH = 200, MOST_CHILDREN = 16 }; /* BLOCK: tokens at a time */
enum { OF_NOTHING = -1, OF_MORE = -2 };                   /* of no token; of other things than one token */
static const int64_t allowance = (int64_t)4 << 20; /* elements of a table, however small the embedding */

/* What an expression is made of. */
struct made_of {
  int32_t source;   /* the tokens, OF_NOTHING or OF_MORE */
  int32_t rows;     /* how many tokens there are */
  int64_t elements; /* of the largest embedding of them */
  bool curved;      /* it is not affine in the embedding */
};

struct tabulation {
  struct expressions *expressions;
  int32_t one_hot;
  int32_t limit;           /* expressions before it are looked at */
  struct made_of *made_of; /* [limit] */
  double **memo;           /* [limit] of a block of tokens: what an expression is, or NULL so far */
};

/* ---- what is made of one token -------------------------------------------------------------------- */

/* Whether an op computes each position by itself, of its children alone. */
static bool is_pointwise(const struct expression *e) {
  if (e->child_count > MOST_CHILDREN)
    return false;
  if (e->op == EXPRESSION_AFFINE) /* one without numbers is a mask's zeros */
    return e->matrix >= 0 || e->bias >= 0;
  return expression_op_is_pointwise(e->op) || e->op == EXPRESSION_DOT || e->op == EXPRESSION_CLASSES;
}

static bool is_curved(enum expression_op op) {
  return op == EXPRESSION_ACTIVATION || op == EXPRESSION_PRODUCT || op == EXPRESSION_DOT ||
         op == EXPRESSION_CLASSES || op == EXPRESSION_NORM;
}

static struct made_of classify(const struct tabulation *tabulation, int32_t at) {
  const struct expression *e = expression_at(tabulation->expressions, at);
  struct made_of of = {OF_NOTHING, 0, 0, is_curved(e->op)};
  if (at == tabulation->one_hot) {
    of = (struct made_of){at, e->width, 0, false};
  } else if (e->op == EXPRESSION_EMBEDDING && tabulation->one_hot < 0) {
    const struct matrix *table = &tabulation->expressions->matrices[e->matrix];
    of = (struct made_of){e->children[0], table->rows, (int64_t)table->rows * table->columns, false};
  } else if (is_pointwise(e)) {
    for (int32_t i = 0; i < e->child_count; i++) {
      const struct made_of *child = &tabulation->made_of[e->children[i]];
      if (child->source != OF_NOTHING)
        of.source = of.source == OF_NOTHING || of.source == child->source ? child->source : OF_MORE;
      of.rows = child->rows > 0 && (of.rows == 0 || child->rows < of.rows) ? child->rows : of.rows;
      of.elements = child->elements > of.elements ? child->elements : of.elements;
      of.curved = of.curved || child->curved;
    }
  } else if (e->op != EXPRESSION_CONSTANT && e->op != EXPRESSION_ZEROS) {
    of.source = OF_MORE;
  }
  return of;
}

static cuseq_status begin(struct tabulation *tabulation) {
  const size_t size = (size_t)tabulation->expressions->count;
  tabulation->limit = tabulation->expressions->count;
  tabulation->made_of = calloc(size + 1, sizeof *tabulation->made_of);
  tabulation->memo = calloc(size + 1, sizeof *tabulation->memo);
  if (tabulation->made_of == NULL || tabulation->memo == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < tabulation->limit; i++)
    tabulation->made_of[i] = classify(tabulation, i);
  return CUSEQ_STATUS_OK;
}

static void forget(struct tabulation *tabulation) {
  for (int32_t i = 0; i < tabulation->limit; i++) {
    free(tabulation->memo[i]);
    tabulation->memo[i] = NULL;
  }
}

static void end(struct tabulation *tabulation) {
  if (tabulation->memo != NULL)
    forget(tabulation);
  free(tabulation->made_of);
  free(tabulation->memo);
}

/* ---- a block of tokens ---------------------------------------------------------------------------- */

struct block {
  int32_t first, count; /* tokens */
};

/* Of one token: x times a matrix, row by row, as it lies. */
static void multiply(const struct matrix *matrix, const struct matrix *bias, const double *x, double *y) {
  for (int32_t j = 0; j < matrix->columns; j++)
    y[j] = bias != NULL ? (double)bias->data[j] : 0.0;
  for (int32_t k = 0; k < matrix->rows; k++) {
    const float *row = matrix->data + (size_t)k * (size_t)matrix->columns;
    for (int32_t j = 0; j < matrix->columns; j++)
      y[j] += x[k] * (double)row[j];
  }
}

/* Of one token: e over its children's numbers. */
static void compute(const struct expressions *expressions, const struct expression *e, const double *const *x,
                    const int32_t *widths, double *y) {
  const struct matrix *matrix = e->matrix >= 0 ? &expressions->matrices[e->matrix] : NULL;
  const struct matrix *bias = e->bias >= 0 ? &expressions->matrices[e->bias] : NULL;
  int32_t at = 0;
  if (e->op == EXPRESSION_DENSE && matrix != NULL) {
    multiply(matrix, bias, x[0], y);
    return;
  }
  if (e->op == EXPRESSION_NORM && matrix != NULL && bias != NULL) {
    memcpy(y, x[0], (size_t)e->width * sizeof *y);
    activation_normalise(y + e->index, e->part, e->scalar, matrix->data, bias->data);
    return;
  }
  for (int32_t i = 0; e->op == EXPRESSION_CONCAT && i < e->child_count; at += widths[i++])
    memcpy(y + at, x[i], (size_t)widths[i] * sizeof *y);
  for (int32_t j = 0; e->op != EXPRESSION_CONCAT && j < e->width; j++) {
    double sum = e->op == EXPRESSION_PRODUCT ? 1.0 : 0.0;
    if (e->op == EXPRESSION_DOT)
      for (int32_t k = j * (widths[0] / e->width); k < (j + 1) * (widths[0] / e->width); k++)
        sum += x[0][k] * x[1][widths[1] > 1 ? k : 0];
    else if (e->op == EXPRESSION_AFFINE)
      sum = matrix != NULL ? x[0][j] * (double)matrix->data[j] : x[0][j];
    else if (e->op == EXPRESSION_SLICE)
      sum = x[0][e->index + j];
    else if (e->op == EXPRESSION_SCALE)
      sum = x[0][j] * e->scalar;
    else if (e->op == EXPRESSION_ACTIVATION)
      sum = activation_value((cuseq_activation)e->part, x[0][j]);
    else if (e->op == EXPRESSION_CLASSES)
      sum = x[0][j];
    else
      for (int32_t i = 0; i < e->child_count; i++) {
        const double value = x[i][widths[i] > 1 ? j : 0];
        sum = e->op == EXPRESSION_ADD ? sum + value : sum * value;
      }
    y[j] = bias != NULL ? sum + (double)bias->data[j] : sum;
  }
  if (e->op == EXPRESSION_CLASSES && e->part == CLASSES_SOFTMAX)
    activation_softmax(y, e->width, e->width);
  if (e->op == EXPRESSION_CLASSES && e->part == CLASSES_LOG_SOFTMAX)
    activation_log_softmax(y, e->width);
}

/* What has no children that are computed. */
static void look_up(const struct expressions *expressions, const struct expression *e, int32_t token,
                    double *y) {
  const struct matrix *matrix = e->matrix >= 0 ? &expressions->matrices[e->matrix] : NULL;
  const size_t row = e->op == EXPRESSION_EMBEDDING ? (size_t)token : 0;
  for (int32_t j = 0; j < e->width; j++)
    y[j] = matrix != NULL              ? (double)matrix->data[row * (size_t)matrix->columns + (size_t)j]
           : e->op == EXPRESSION_ZEROS ? 0.0
           : j == token                ? 1.0
                                       : 0.0;
}

static cuseq_status evaluate(struct tabulation *tabulation, int32_t expression, const struct block *block,
                             int depth) {
  const struct expression *e = expression_at(tabulation->expressions, expression);
  const bool leaf = expression == tabulation->one_hot || !is_pointwise(e);
  const double *x[MOST_CHILDREN];
  int32_t widths[MOST_CHILDREN];
  if (tabulation->memo[expression] != NULL)
    return CUSEQ_STATUS_OK;
  if (depth > MAX_DEPTH)
    return node_refuse(e->node, "the model's graph is too deep");
  for (int32_t i = 0; !leaf && i < e->child_count; i++)
    TRY(evaluate(tabulation, e->children[i], block, depth + 1));
  double *y = malloc((size_t)block->count * (size_t)e->width * sizeof *y);
  if (y == NULL)
    return error_out_of_memory();
  tabulation->memo[expression] = y;
  for (int32_t i = 0; i < MOST_CHILDREN; i++) { /* of children that there are not, nothing is read */
    x[i] = y;
    widths[i] = 1;
  }
  for (int32_t t = 0; t < block->count; t++) {
    for (int32_t i = 0; !leaf && i < e->child_count; i++) {
      widths[i] = expression_at(tabulation->expressions, e->children[i])->width;
      x[i] = tabulation->memo[e->children[i]] + (size_t)t * (size_t)widths[i];
    }
    if (leaf)
      look_up(tabulation->expressions, e, block->first + t, y + (size_t)t * (size_t)e->width);
    else
      compute(tabulation->expressions, e, x, widths, y + (size_t)t * (size_t)e->width);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- tables --------------------------------------------------------------------------------------- */

/* Whether every number of a table is one that float32 holds with room. */
static cuseq_status fill(struct tabulation *tabulation, int32_t expression, int32_t rows, float *data,
                         bool *sound) {
  const size_t width = (size_t)expression_at(tabulation->expressions, expression)->width;
  cuseq_status status = CUSEQ_STATUS_OK;
  *sound = true;
  for (struct block block = {0, BLOCK}; status == CUSEQ_STATUS_OK && block.first < rows;
       block.first += BLOCK) {
    block.count = rows - block.first < BLOCK ? rows - block.first : BLOCK;
    status = evaluate(tabulation, expression, &block, 0);
    const size_t elements = (size_t)block.count * width;
    for (size_t i = 0; status == CUSEQ_STATUS_OK && i < elements; i++) {
      const double number = tabulation->memo[expression][i];
      *sound = *sound && fabs(number) <= AFFINE_MOST;
      data[(size_t)block.first * width + i] = (float)number;
    }
    forget(tabulation);
  }
  return status;
}

cuseq_status tabulate_embed(struct expressions *expressions, int32_t tokens, int32_t matrix,
                            const struct graph_node *node, int32_t *made) {
  struct expression e = {.op = EXPRESSION_EMBEDDING,
                         .matrix = matrix,
                         .bias = -1,
                         .node = node,
                         .child_count = 1,
                         .children = &tokens};
  return expression_make(expressions, &e, made);
}

/* What is made of one token, as an embedding of it. */
static cuseq_status table_rule(struct rewrite *rewrite, int32_t expression, int32_t *made) {
  struct tabulation *tabulation = rewrite->context;
  struct expressions *expressions = rewrite->expressions;
  const struct made_of *of = &tabulation->made_of[expression];
  if (of->source < 0 || !of->curved)
    return CUSEQ_STATUS_OK;
  const struct expression e = *expression_at(expressions, expression);
  int32_t matrix, tokens = of->source;
  bool found, sound;
  if (of->rows == 0 || (int64_t)of->rows * e.width > allowance + 4 * of->elements)
    return CUSEQ_STATUS_OK;
  TRY(matrix_make(expressions, NULL, 0, of->rows, e.width, &matrix, &found));
  TRY(fill(tabulation, expression, of->rows, expressions->matrices[matrix].data, &sound));
  if (!sound)
    return CUSEQ_STATUS_OK;
  if (tokens != tabulation->one_hot)
    TRY(rewrite_run(rewrite, tokens, &tokens));
  return tabulate_embed(expressions, tokens, matrix, e.node, made);
}

cuseq_status tabulate(struct expressions *expressions, int32_t one_hot, int32_t *list, size_t count) {
  struct tabulation tabulation = {.expressions = expressions, .one_hot = one_hot};
  cuseq_status status = begin(&tabulation);
  bool any = false;
  for (int32_t i = 0; status == CUSEQ_STATUS_OK && i < tabulation.limit; i++)
    any = any || (tabulation.made_of[i].source >= 0 && tabulation.made_of[i].curved);
  if (status == CUSEQ_STATUS_OK && any)
    status = rewrite_all(expressions, table_rule, &tabulation, list, count);
  end(&tabulation);
  return status == CUSEQ_STATUS_OK ? tabulate_merge(expressions, one_hot, list, count) : status;
}
