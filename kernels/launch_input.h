/* The part of launch.h, which includes this file, for arrays that a caller left on the device: what host code
 * does with host arrays - range checks, conversions - done there. What launch.h says of pointers, launchers
 * and errors holds here as well, but that a source is aligned to its elements only. */
#ifndef CUSEQ_KERNELS_LAUNCH_INPUT_H
#define CUSEQ_KERNELS_LAUNCH_INPUT_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { INPUT_ARRAYS = 8 };

/* One array, [rows, columns]. */
struct input_array {
  int32_t name;      /* 0..31, what a fault calls it; of several faults the one of the lowest name is told */
  cuseq_dtype dtype; /* of the source: F32, F64, I32 or I64 */
  const void *d_source;
  void *d_target; /* I32 from integers, F32 from floats; apart from the source. NULL: looked at only */
  int64_t rows, columns;
  int32_t low, high; /* integers: the range; what is outside is a fault and is clamped */
  int32_t finite;    /* floats: not 0: NaN, and what is infinite in float32, is a fault */
  /* [rows]: of row b the first d_lengths[b] of `positions` equal parts count, the length clamped to
   * 1..positions; the rest is not read and becomes 0 in the target. NULL: all count. */
  const int32_t *d_lengths;
  int32_t positions;
};

/* The first fault: the lowest name, then the lowest index. Host memory that the device writes. */
struct input_fault {
  int32_t found;            /* not 0: there is one, and what follows is valid */
  struct input_array array; /* whose it is */
  int64_t index;            /* row * columns + column */
  int64_t call;
  int64_t integer; /* the value, of integers */
  double number;   /* of floats */
};

/* Device memory, zeroed once; every launch leaves it ready for the next one on the same stream. */
struct input_record {
  uint64_t lowest;  /* of this launch: the complement of (name, index), 0: none */
  uint32_t arrived; /* blocks that are done */
  uint32_t
      pending; /* not 0: a fault was told and not taken yet; no other is told until the host makes it 0 */
};

/* Checks and converts up to INPUT_ARRAYS arrays. */
struct input_check {
  struct input_array arrays[INPUT_ARRAYS];
  int32_t count;
  int64_t call; /* for the fault: which call it was */
  struct input_record *d_record;
  struct input_fault *fault; /* page-locked, mapped */
};
cuseq_status launch_input_check(const struct input_check *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
