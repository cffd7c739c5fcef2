/* Constants of a graph: weights become matrices, and what is computed of constants alone is computed. */
#ifndef CUSEQ_ONNX_NUMBERS_H
#define CUSEQ_ONNX_NUMBERS_H

#include "convert/onnx/evaluate.h"

/* The numbers of a constant while it is looked at; of one that lies in the file they are loaded. */
struct numbers {
  const float *data;
  float *loaded; /* NULL, or to be freed */
  size_t count;
  int32_t rank;
  int64_t dims[TENSOR_MAX_AXES];
};

/* Opens a constant: NUMBERS, INTEGERS or FILL whose dimensions are constants. Anything else is refused, as
 * `what`. Close it with numbers_close. */
cuseq_status numbers_open(struct evaluator *evaluator, const struct node_call *call,
                          const struct tensor *tensor, const char *what, struct numbers *numbers);
void numbers_close(struct numbers *numbers);

/* Whether a tensor is one that numbers_open takes. */
bool numbers_are(const struct tensor *tensor);

/* A new constant in the arena, for the caller to fill in. */
cuseq_status numbers_make(struct evaluator *evaluator, const struct node_call *call, int32_t rank,
                          const int64_t *dims, struct tensor *tensor, float **data);
cuseq_status integers_make(struct evaluator *evaluator, const struct node_call *call, int32_t rank,
                           const struct dim *dims, struct tensor *tensor, struct dim **data);

/* Where the elements of a matrix lie in a constant: element (r, c) at offset + r row + c column. Factor
 * multiplies. */
struct layout {
  int64_t rows, columns;
  int64_t offset, row, column;
  float factor;
};

/* The matrix of a constant's elements; the same elements give the same matrix, however often they are
 * stored. */
cuseq_status numbers_matrix(struct evaluator *evaluator, const struct node_call *call,
                            const struct numbers *numbers, const struct layout *layout, int32_t *matrix);

/* The matrix of these numbers, which are from malloc and become the matrix's, or are freed. */
cuseq_status matrix_enter(struct evaluator *evaluator, const struct node_call *call, int64_t rows,
                          int64_t columns, float *data, int32_t *matrix);

/* One number that a constant is everywhere; false where it is not. */
bool numbers_uniform(const struct numbers *numbers, double *value);

/* The constant that a tensor without dimensions, or of one number, is. */
cuseq_status tensor_scalar(struct evaluator *evaluator, const struct node_call *call,
                           const struct tensor *tensor, double *value);

/* Counts work, and refuses where a file makes more of it than its size accounts for. */
cuseq_status evaluator_work(struct evaluator *evaluator, const struct node_call *call, size_t amount);

#endif
