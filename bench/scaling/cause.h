/* Why a point lies away from its floor, in words, and only what the figures beside it support. */
#ifndef BENCH_SCALING_CAUSE_H
#define BENCH_SCALING_CAUSE_H

#include <stddef.h>

/* What is known of a point. Times in seconds, of the threads that the point has. */
struct evidence {
  const char *unit; /* what is swept: "B", "T", "H", "threads" */
  double order;     /* the exponent of the arithmetic in it: 1, 2, or -1 for threads */
  double value, time;
  double floor;    /* its multiply-adds at the peak */
  double smallest; /* the smallest call there is */
  double on_one;   /* the same work on one thread; 0: this is one thread */
  /* the encoder's weights once a step, the annotations once a decoder step, at the bandwidth measured for
   * their size; and where memory of that size lies: "first-level cache" .. "memory" */
  double weights, annotations;
  const char *weights_level, *annotations_level;
  /* share of the peak; and that of the same model with more rows (0: not measured) */
  double share, more_rows_share, more_rows;
  double next_value, next_time; /* the next larger point; 0: there is none */
};

/* Static text; `text` receives the figures that support it. */
const char *cause_of(const struct evidence *evidence, char *text, size_t capacity);

#endif
