#include "convert/onnx/linear.h"

enum { MAX_DEPTH = 24 };

static bool add_part(struct linear_part *list, int32_t *count, struct linear_part part) {
  if (*count >= LINEAR_MAX_TERMS)
    return false;
  list[(*count)++] = part;
  return true;
}

/* `width` elements of an expression from `first` on. */
static bool collect(const struct evaluator *evaluator, int32_t expression, int32_t first, int depth,
                    struct linear *linear) {
  const struct expressions *expressions = evaluator->expressions;
  const struct expression *e = expression_at(expressions, expression);
  if (depth > MAX_DEPTH)
    return false;
  int32_t at = 0;
  switch (e->op) {
  case EXPRESSION_ZEROS:
    return true;
  case EXPRESSION_CONSTANT:
    return add_part(linear->biases, &linear->bias_count, (struct linear_part){-1, e->matrix, first});
  case EXPRESSION_SLICE:
    return collect(evaluator, e->children[0], first + e->index, depth + 1, linear);
  case EXPRESSION_ADD:
    for (int32_t i = 0; i < e->child_count; i++)
      if (expression_at(expressions, e->children[i])->width != e->width ||
          !collect(evaluator, e->children[i], first, depth + 1, linear))
        return false;
    return true;
  case EXPRESSION_CONCAT:
    for (int32_t i = 0; i < e->child_count; at += expression_at(expressions, e->children[i++])->width)
      if (first >= at && first + linear->width <= at + expression_at(expressions, e->children[i])->width)
        return collect(evaluator, e->children[i], first - at, depth + 1, linear);
    return false;
  case EXPRESSION_AFFINE:
    return e->matrix < 0 &&
           add_part(linear->biases, &linear->bias_count, (struct linear_part){-1, e->bias, first}) &&
           collect(evaluator, e->children[0], first, depth + 1, linear);
  case EXPRESSION_DENSE:
    return (e->bias < 0 ||
            add_part(linear->biases, &linear->bias_count, (struct linear_part){-1, e->bias, first})) &&
           add_part(linear->terms, &linear->term_count,
                    (struct linear_part){e->children[0], e->matrix, first});
  default:
    return false;
  }
}

bool linear_of(const struct evaluator *evaluator, int32_t expression, struct linear *linear) {
  *linear = (struct linear){.width = expression_at(evaluator->expressions, expression)->width};
  return collect(evaluator, expression, 0, 0, linear);
}

void linear_put(const struct evaluator *evaluator, const struct linear *linear, int32_t source, float *kernel,
                int64_t columns, int64_t column) {
  for (int32_t i = 0; i < linear->term_count; i++) {
    const struct matrix *matrix = &evaluator->expressions->matrices[linear->terms[i].matrix];
    for (int64_t r = 0; linear->terms[i].source == source && r < matrix->rows; r++)
      for (int64_t c = 0; c < linear->width; c++)
        kernel[r * columns + column + c] += matrix->data[r * matrix->columns + linear->terms[i].column + c];
  }
}

void linear_put_bias(const struct evaluator *evaluator, const struct linear *linear, float *bias) {
  for (int32_t i = 0; i < linear->bias_count; i++)
    for (int64_t c = 0; c < linear->width; c++)
      bias[c] +=
          evaluator->expressions->matrices[linear->biases[i].matrix].data[linear->biases[i].column + c];
}
