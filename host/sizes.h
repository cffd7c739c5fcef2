/* Sizes in bytes that may be too large to count: SIZE_MAX stands for all of them. */
#ifndef CUSEQ_HOST_SIZES_H
#define CUSEQ_HOST_SIZES_H

#include <stddef.h>
#include <stdint.h>

static inline size_t size_times(size_t a, size_t b) {
  size_t product;
  return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static inline size_t size_plus(size_t a, size_t b) {
  size_t sum;
  return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

#endif
