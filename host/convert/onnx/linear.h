/* A part of a vector as a sum of dense maps: the gates of a cell that is written out. */
#ifndef CUSEQ_ONNX_LINEAR_H
#define CUSEQ_ONNX_LINEAR_H

#include "convert/onnx/evaluate.h"

enum { LINEAR_MAX_TERMS = 8 };

/* Columns of a matrix from `column` on. */
struct linear_part {
  int32_t source; /* the vector that is multiplied; of a bias -1 */
  int32_t matrix;
  int32_t column;
};

/* The sum of source times columns, and of bias vectors, each `width` wide. */
struct linear {
  int32_t width;
  int32_t term_count, bias_count;
  struct linear_part terms[LINEAR_MAX_TERMS], biases[LINEAR_MAX_TERMS];
};

/* Takes an expression apart; false where it is no such sum. */
bool linear_of(const struct evaluator *evaluator, int32_t expression, struct linear *linear);

/* Writes the columns that belong to a source into a kernel [width of the source, columns] from `column` on; a
 * source that the sum has not is zeros there. */
void linear_put(const struct evaluator *evaluator, const struct linear *linear, int32_t source, float *kernel,
                int64_t columns, int64_t column);

/* Adds the biases. */
void linear_put_bias(const struct evaluator *evaluator, const struct linear *linear, float *bias);

#endif
