#include "convert/graph/affine.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_VISITS = 20000 };
static const size_t allowance = (size_t)4 << 20;

struct walk {
  const struct expressions *expressions;
  const struct bases *bases;
  const char *subject;
  int32_t rows;
  /* what a tensor's numbers are multiplied by on their way to the expression that is asked for, at most */
  double gain;
  int depth;
  int visits;
};

void affine_free(struct affine *affine) {
  free(affine->matrix);
  free(affine->bias);
  *affine = (struct affine){0};
}

static cuseq_status affine_zeros(const struct walk *walk, int32_t columns, struct affine *affine) {
  size_t elements = (size_t)walk->rows * (size_t)columns;
  *affine = (struct affine){.rows = walk->rows, .columns = columns};
  if (elements > allowance + 4 * walk->expressions->matrix_elements)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "its layers multiply out to weights of an absurd size");
  affine->matrix = calloc(elements > 0 ? elements : 1, sizeof *affine->matrix);
  affine->bias = calloc(columns > 0 ? (size_t)columns : 1, sizeof *affine->bias);
  if (affine->matrix != NULL && affine->bias != NULL)
    return CUSEQ_STATUS_OK;
  affine_free(affine);
  return error_out_of_memory();
}

static int32_t find_base(const struct bases *bases, int32_t expression) {
  for (int32_t i = 0; i < bases->count; i++)
    if (bases->list[i] == expression)
      return i;
  return -1;
}

/* The graph may be deep and share its parts: both are bounded. */
static cuseq_status enter(struct walk *walk, const struct expression *e) {
  if (++walk->visits > MAX_VISITS || walk->depth >= MAX_DEPTH)
    return node_refuse(e->node, "too many layers without an activation follow each other");
  return CUSEQ_STATUS_OK;
}

/* The largest sum of a column's magnitudes. */
static double column_sum(const struct matrix *matrix) {
  double largest = 0;
  for (int32_t c = 0; c < matrix->columns; c++) {
    double sum = 0;
    for (int32_t r = 0; r < matrix->rows; r++)
      sum += fabs((double)matrix->data[(size_t)r * (size_t)matrix->columns + (size_t)c]);
    largest = fmax(largest, sum);
  }
  return largest;
}

/* What an operation multiplies its children's numbers by, at most. */
static double gain_of(const struct walk *walk, const struct expression *e) {
  if (e->op == EXPRESSION_SCALE)
    return fabs(e->scalar);
  if (e->op == EXPRESSION_DENSE)
    return column_sum(&walk->expressions->matrices[e->matrix]);
  double largest = 1;
  if (e->op == EXPRESSION_AFFINE && e->matrix >= 0) {
    const struct matrix *factors = &walk->expressions->matrices[e->matrix];
    largest = 0;
    for (int32_t c = 0; c < factors->columns; c++)
      largest = fmax(largest, fabs((double)factors->data[c]));
  }
  return largest;
}

double affine_largest(const struct affine *affine) {
  double largest = 0;
  for (size_t i = 0; i < (size_t)affine->rows * (size_t)affine->columns; i++)
    largest = isnan(affine->matrix[i]) ? INFINITY : fmax(largest, fabs(affine->matrix[i]));
  for (int32_t c = 0; c < affine->columns; c++)
    largest = isnan(affine->bias[c]) ? INFINITY : fmax(largest, fabs(affine->bias[c]));
  return largest;
}

/* Numbers are multiplied out in float64, and the framework computes step by step in float32: there what lies
 * below its smallest number becomes 0, and what leaves its range infinite. Neither may count in the end. */
static cuseq_status check_range(const struct walk *walk, const struct expression *e,
                                const struct affine *affine) {
  if (!(walk->gain <= AFFINE_MOST))
    return node_refuse(
        e->node,
        "what it computes is multiplied by up to %.2g before it is used, so that numbers below "
        "float32's smallest would count (needed at most %g)",
        walk->gain, AFFINE_MOST);
  if (affine_largest(affine) > AFFINE_MOST)
    return node_refuse(
        e->node, "its layers multiply out to numbers near the end of float32's range (needed at most %g)",
        AFFINE_MOST);
  return CUSEQ_STATUS_OK;
}

static cuseq_status walk_affine(struct walk *walk, int32_t expression, struct affine *affine);

/* target[:, at...] += scale * part */
static void add_columns(struct affine *target, const struct affine *part, int32_t at, double scale) {
  for (int32_t r = 0; r < part->rows; r++)
    for (int32_t c = 0; c < part->columns; c++)
      target->matrix[(size_t)r * (size_t)target->columns + (size_t)(at + c)] +=
          scale * part->matrix[(size_t)r * (size_t)part->columns + (size_t)c];
  for (int32_t c = 0; c < part->columns; c++)
    target->bias[at + c] += scale * part->bias[c];
}

/* to [columns] += from [rows] kernel */
static void multiply_row(const double *from, const struct matrix *kernel, double *to) {
  size_t columns = (size_t)kernel->columns;
  for (size_t k = 0; k < (size_t)kernel->rows; k++)
    for (size_t c = 0; from[k] != 0 && c < columns; c++)
      to[c] += from[k] * (double)kernel->data[k * columns + c];
}

static void multiply(const struct affine *child, const struct matrix *kernel, const struct matrix *bias,
                     struct affine *affine) {
  size_t inner = (size_t)kernel->rows, columns = (size_t)kernel->columns;
  for (size_t r = 0; r < (size_t)child->rows; r++)
    multiply_row(child->matrix + r * inner, kernel, affine->matrix + r * columns);
  if (child->bias != NULL)
    multiply_row(child->bias, kernel, affine->bias);
  for (size_t c = 0; bias != NULL && c < columns; c++)
    affine->bias[c] += (double)bias->data[c];
}

static cuseq_status affine_base(const struct walk *walk, int32_t base, struct affine *affine) {
  int32_t row = 0;
  for (int32_t i = 0; i < base; i++)
    row += expression_at(walk->expressions, walk->bases->list[i])->width;
  for (int32_t c = 0; c < affine->columns; c++)
    affine->matrix[(size_t)(row + c) * (size_t)affine->columns + (size_t)c] = 1;
  return CUSEQ_STATUS_OK;
}

static void take_columns(const struct affine *child, int32_t first, struct affine *affine) {
  for (int32_t r = 0; r < affine->rows; r++)
    memcpy(affine->matrix + (size_t)r * (size_t)affine->columns,
           child->matrix + (size_t)r * (size_t)child->columns + first,
           (size_t)affine->columns * sizeof *affine->matrix);
  memcpy(affine->bias, child->bias + first, (size_t)affine->columns * sizeof *affine->bias);
}

/* Times a row vector and plus one, elementwise: EXPRESSION_AFFINE's own; a CONSTANT has no child and is its
 * matrix. */
static void scale_and_shift(const struct walk *walk, const struct expression *e, struct affine *affine) {
  const struct matrix *matrices = walk->expressions->matrices;
  for (int32_t c = 0; c < affine->columns; c++) {
    double factor = e->op == EXPRESSION_AFFINE && e->matrix >= 0 ? (double)matrices[e->matrix].data[c] : 1;
    int32_t offset = e->op == EXPRESSION_AFFINE ? e->bias : e->matrix;
    for (int32_t r = 0; factor != 1 && r < affine->rows; r++)
      affine->matrix[(size_t)r * (size_t)affine->columns + (size_t)c] *= factor;
    affine->bias[c] = affine->bias[c] * factor + (offset >= 0 ? (double)matrices[offset].data[c] : 0);
  }
}

static cuseq_status affine_operation(struct walk *walk, const struct expression *e, struct affine *affine) {
  int32_t column = 0;
  const double gain = walk->gain;
  walk->gain *= gain_of(walk, e);
  for (int32_t i = 0; i < e->child_count; i++) {
    struct affine child;
    walk->depth++;
    TRY(walk_affine(walk, e->children[i], &child));
    walk->depth--;
    if (e->op == EXPRESSION_DENSE) {
      const struct matrix *bias = e->bias >= 0 ? &walk->expressions->matrices[e->bias] : NULL;
      multiply(&child, &walk->expressions->matrices[e->matrix], bias, affine);
    } else if (e->op == EXPRESSION_SLICE) {
      take_columns(&child, e->index, affine);
    } else {
      add_columns(affine, &child, column, e->op == EXPRESSION_SCALE ? e->scalar : 1);
      column += e->op == EXPRESSION_CONCAT ? child.columns : 0;
    }
    affine_free(&child);
  }
  if (e->op == EXPRESSION_AFFINE || e->op == EXPRESSION_CONSTANT)
    scale_and_shift(walk, e, affine);
  walk->gain = gain;
  return e->child_count > 0 ? check_range(walk, e, affine) : CUSEQ_STATUS_OK;
}

static bool is_affine(const struct expression *e) {
  if (e->atom)
    return false;
  return e->op == EXPRESSION_DENSE || e->op == EXPRESSION_CONCAT || e->op == EXPRESSION_ADD ||
         e->op == EXPRESSION_SCALE || e->op == EXPRESSION_ZEROS || e->op == EXPRESSION_SLICE ||
         e->op == EXPRESSION_AFFINE || e->op == EXPRESSION_CONSTANT;
}

static cuseq_status walk_affine(struct walk *walk, int32_t expression, struct affine *affine) {
  const struct expression *e = expression_at(walk->expressions, expression);
  *affine = (struct affine){0};
  TRY(enter(walk, e));
  int32_t base = find_base(walk->bases, expression);
  if (base < 0 && !is_affine(e))
    return node_refuse(e->node, "cuseq cannot express what it does to %s", walk->subject);
  TRY(affine_zeros(walk, e->width, affine));
  cuseq_status status = base >= 0 ? affine_base(walk, base, affine) : affine_operation(walk, e, affine);
  if (status != CUSEQ_STATUS_OK)
    affine_free(affine);
  return status;
}

cuseq_status affine_make(const struct expressions *expressions, int32_t expression, const struct bases *bases,
                         const char *subject, struct affine *affine) {
  struct walk walk = {.expressions = expressions, .bases = bases, .subject = subject, .gain = 1};
  for (int32_t i = 0; i < bases->count; i++)
    walk.rows += expression_at(expressions, bases->list[i])->width;
  return walk_affine(&walk, expression, affine);
}

static cuseq_status walk_leaves(struct walk *walk, int32_t expression, int32_t *leaves, int32_t capacity,
                                int32_t *count) {
  const struct expression *e = expression_at(walk->expressions, expression);
  TRY(enter(walk, e));
  if (find_base(walk->bases, expression) < 0 && is_affine(e)) {
    walk->depth++;
    for (int32_t i = 0; i < e->child_count; i++)
      TRY(walk_leaves(walk, e->children[i], leaves, capacity, count));
    walk->depth--;
    return CUSEQ_STATUS_OK;
  }
  for (int32_t i = 0; i < *count; i++)
    if (leaves[i] == expression)
      return CUSEQ_STATUS_OK;
  if (*count >= capacity)
    return node_refuse(e->node, "it comes together with other tensors, of which cuseq can express %d here",
                       capacity);
  leaves[(*count)++] = expression;
  return CUSEQ_STATUS_OK;
}

cuseq_status affine_leaves(const struct expressions *expressions, int32_t expression,
                           const struct bases *bases, int32_t *leaves, int32_t capacity, int32_t *count) {
  struct walk walk = {.expressions = expressions, .bases = bases};
  *count = 0;
  return walk_leaves(&walk, expression, leaves, capacity, count);
}

bool affine_has_bias(const struct affine *affine) {
  for (int32_t c = 0; c < affine->columns; c++)
    if (affine->bias[c] != 0)
      return true;
  return false;
}

bool affine_is_identity(const struct affine *affine) {
  if (affine->rows != affine->columns || affine_has_bias(affine))
    return false;
  for (int32_t r = 0; r < affine->rows; r++)
    for (int32_t c = 0; c < affine->columns; c++)
      if (affine->matrix[(size_t)r * (size_t)affine->columns + (size_t)c] != (r == c ? 1 : 0))
        return false;
  return true;
}

void affine_add_product(const double *from, int32_t rows, const struct matrix *kernel, double *to) {
  size_t inner = (size_t)kernel->rows, columns = (size_t)kernel->columns;
  for (size_t r = 0; r < (size_t)rows; r++)
    for (size_t k = 0; k < inner; k++) {
      double factor = from[r * inner + k];
      for (size_t c = 0; factor != 0 && c < columns; c++)
        to[r * columns + c] += factor * (double)kernel->data[k * columns + c];
    }
}
