/* A number that a graph computes about shapes: a constant, or one that depends on how many rows and positions
 * there are. */
#ifndef CUSEQ_ONNX_DIM_H
#define CUSEQ_ONNX_DIM_H

#include <stdbool.h>
#include <stdint.h>

/* factor x B^batch x T^time. */
struct dim {
  bool known; /* what is made of unknown ones is unknown, and nothing else may be made of it */
  int64_t factor;
  int32_t batch, time;
};

static inline struct dim dim_of(int64_t value) {
  return (struct dim){true, value, 0, 0};
}
static inline struct dim dim_batch(void) {
  return (struct dim){true, 1, 1, 0};
}
static inline struct dim dim_time(void) {
  return (struct dim){true, 1, 0, 1};
}

/* Whether it is a constant; *value receives it. */
bool dim_constant(const struct dim *dim, int64_t *value);

/* Whether it is that constant. */
bool dim_is(const struct dim *dim, int64_t value);

/* Whether both are the same for any batch and any length. */
bool dim_equal(const struct dim *a, const struct dim *b);

/* Arithmetic; unknown where the result is no such number. Division is exact or, of constants, towards
 * zero. */
struct dim dim_multiply(struct dim a, struct dim b);
struct dim dim_add(struct dim a, struct dim b, int sign);
struct dim dim_divide(struct dim a, struct dim b);

#endif
