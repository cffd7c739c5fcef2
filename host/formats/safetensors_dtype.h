/* The element types of .safetensors. */
#ifndef CUSEQ_FORMATS_SAFETENSORS_DTYPE_H
#define CUSEQ_FORMATS_SAFETENSORS_DTYPE_H

#include <stddef.h>
#include <stdint.h>

struct safetensors_dtype {
  const char *name;
  unsigned bits;
  int dtype; /* the cuseq_dtype, or -1 */
};

/* The type of a name, or NULL for a name that the format does not have. */
const struct safetensors_dtype *safetensors_dtype_find(const char *name);

/* The name of a cuseq_dtype; NULL for a value that is none. */
const char *safetensors_dtype_name(int dtype);

enum safetensors_size_error {
  SAFETENSORS_SIZE_OK = 0,
  SAFETENSORS_SIZE_OVERFLOW,     /* more bytes than a size_t counts, or a negative dimension */
  SAFETENSORS_SIZE_PARTIAL_BYTE, /* a type of less than a byte that does not fill its last one */
};

/* The bytes of a tensor of `rank` dimensions; any dimension may be 0. */
enum safetensors_size_error safetensors_size(const struct safetensors_dtype *dtype, int32_t rank,
                                             const int64_t *shape, size_t *bytes);

#endif
