/* An array by its name, as files of weights have them. */
#ifndef CUSEQ_FORMATS_NAMED_ARRAY_H
#define CUSEQ_FORMATS_NAMED_ARRAY_H

#include <stddef.h>
#include <stdint.h>

enum { NAMED_ARRAY_MAX_RANK = 8 };

struct named_array {
  const char *name;
  const char
      *dtype_name; /* as safetensors spells it, "F32", "BF16", "I64"; another word for what that has not  */
  int dtype;       /* its cuseq_dtype, or -1 for one that cuseq has no use for                            */
  int32_t rank;
  int64_t shape[NAMED_ARRAY_MAX_RANK];
  int64_t strides
      [NAMED_ARRAY_MAX_RANK]; /* in elements                                                          */
  const unsigned char
      *data; /* its first element, little-endian; may be unaligned; NULL where it has none        */
};

/* The strides of an array that lies in C order. */
static inline void named_array_pack(struct named_array *array) {
  int64_t stride = 1;
  for (int32_t axis = array->rank - 1; axis >= 0; axis--) {
    array->strides[axis] = stride;
    stride *= array->shape[axis];
  }
}

#endif
