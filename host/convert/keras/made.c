/* Expressions that several kinds of layers make, and what they ask of those that there are. */
#include "convert/graph/lift.h"
#include "convert/keras/layers.h"
#include "error.h"

/* Of all vectors that are made of settings and not loaded, against a file that has more of them than a
 * model. */
static const size_t most_elements = (size_t)16 << 20;

/* A row vector, or a column (rows: its width), that is made of settings. */
static cuseq_status new_vector(struct evaluator *evaluator, const struct keras_layer *layer, int32_t rows,
                               int32_t columns, int32_t *matrix) {
  bool found;
  evaluator->made_elements += (size_t)rows * (size_t)columns;
  if (evaluator->made_elements > most_elements)
    return layer_refuse(layer, "the model's arithmetic with constants takes too much memory");
  return matrix_make(&evaluator->expressions, NULL, 0, rows, columns, matrix, &found);
}

cuseq_status scale_make(struct evaluator *evaluator, const struct keras_layer *layer, double scalar,
                        int32_t child, int32_t *expression) {
  return expression_scale(&evaluator->expressions, child, scalar, &layer->node, expression);
}

struct affine_map {
  const struct keras_layer *layer;
  int32_t factors, terms;
};

static cuseq_status affine(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct affine_map *map = context;
  struct expression made = {.op = EXPRESSION_AFFINE,
                            .matrix = map->factors,
                            .bias = map->terms,
                            .node = &map->layer->node,
                            .child_count = 1,
                            .children = &child};
  return expression_make(&evaluator->expressions, &made, expression);
}

/* Equal vectors get one matrix, so that a layer that is applied twice gives equal expressions. */
static cuseq_status enter_vector(struct evaluator *evaluator, const struct keras_layer *layer,
                                 const double *numbers, int32_t width, int32_t *matrix) {
  struct expressions *expressions = &evaluator->expressions;
  *matrix = -1;
  for (int32_t i = 0; numbers != NULL && i < width; i++)
    if ((float)numbers[i] - (float)numbers[i] != 0)
      return layer_refuse(layer, "a number that it multiplies or adds is not finite in float32");
  for (int32_t m = 0; numbers != NULL && m < expressions->matrix_count && *matrix < 0; m++) {
    const struct matrix *known = &expressions->matrices[m];
    bool same = known->owner == NULL && known->rows == 1 && known->columns == width;
    for (int32_t i = 0; same && i < width; i++)
      same = known->data[i] == (float)numbers[i];
    *matrix = same ? m : -1;
  }
  if (numbers == NULL || *matrix >= 0)
    return CUSEQ_STATUS_OK;
  TRY(new_vector(evaluator, layer, 1, width, matrix));
  for (int32_t i = 0; i < width; i++)
    expressions->matrices[*matrix].data[i] = (float)numbers[i];
  return CUSEQ_STATUS_OK;
}

cuseq_status affine_apply(struct evaluator *evaluator, const struct keras_layer *layer, const double *factors,
                          const double *terms, struct value *value) {
  struct affine_map map = {.layer = layer};
  int32_t width = expression_at(&evaluator->expressions, value->expression)->width;
  TRY(enter_vector(evaluator, layer, factors, width, &map.factors));
  TRY(enter_vector(evaluator, layer, terms, width, &map.terms));
  return value_map(evaluator, value, affine, &map);
}

cuseq_status weighted_sum(struct evaluator *evaluator, const struct keras_layer *layer, const float *scale,
                          int32_t child, int32_t *expression) {
  struct expressions *expressions = &evaluator->expressions;
  int32_t width = expression_at(expressions, child)->width, column = -1;
  for (int32_t m = 0; m < expressions->matrix_count && column < 0; m++) {
    const struct matrix *known = &expressions->matrices[m];
    bool same = known->owner == NULL && known->rows == width && known->columns == 1;
    for (int32_t i = 0; same && i < width; i++)
      same = known->data[i] == (scale == NULL ? 1 : scale[i]);
    column = same ? m : -1;
  }
  if (column < 0) {
    TRY(new_vector(evaluator, layer, width, 1, &column));
    for (int32_t i = 0; i < width; i++)
      expressions->matrices[column].data[i] = scale == NULL ? 1 : scale[i];
  }
  return expression_dense(expressions, child, column, -1, &layer->node, expression);
}

/* ---- what lies below ------------------------------------------------------------------------------ */

const struct graph_node *masked_below(const struct expressions *expressions, int32_t expression) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_SEQUENCE)
    return expressions->layers[e->index].mask;
  for (int32_t i = 0; i < e->child_count; i++) {
    const struct expression *child = expression_at(expressions, e->children[i]);
    const struct graph_node *mask = child->clocks != 0 ? masked_below(expressions, e->children[i]) : NULL;
    if (mask != NULL)
      return mask;
  }
  return NULL;
}

/* Operations on each position by itself, of one child. */
static bool works_on_positions(const struct expression *e) {
  return e->child_count == 1 &&
         (e->op == EXPRESSION_DENSE || e->op == EXPRESSION_ACTIVATION || e->op == EXPRESSION_AFFINE ||
          e->op == EXPRESSION_SCALE || e->op == EXPRESSION_SLICE || e->op == EXPRESSION_CLASSES);
}

/* Whether an expression is computed, position by position, of the sequence of a layer that reads forwards.
 * *sequence receives that. */
static bool reads_forward(const struct expressions *expressions, int32_t expression, int32_t *sequence) {
  const struct expression *e = expression_at(expressions, expression);
  while (works_on_positions(e)) {
    expression = e->children[0];
    e = expression_at(expressions, expression);
  }
  *sequence = expression;
  return expression_reads_forward(expressions, e);
}

bool padding_repeats(const struct expressions *expressions, int32_t expression) {
  int32_t sequence;
  if (!reads_forward(expressions, expression, &sequence))
    return false;
  const struct recurrent_layer *layer = &expressions->layers[expression_at(expressions, sequence)->index];
  const struct keras_layer *keras = layer_of(layer->node);
  return layer->mask != NULL && layer->direction == LAYER_FORWARD &&
         !json_is_true(json_object_get(keras->config, "zero_output_for_mask"));
}
