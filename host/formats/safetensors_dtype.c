#include "formats/safetensors_dtype.h"

#include "cuseq/cuseq.h"

#include <string.h>

static const struct safetensors_dtype dtypes[] = {
    {"BOOL", 8, -1},
    {"F4", 4, -1},
    {"F6_E2M3", 6, -1},
    {"F6_E3M2", 6, -1},
    {"U8", 8, -1},
    {"I8", 8, -1},
    {"F8_E5M2", 8, -1},
    {"F8_E4M3", 8, -1},
    {"F8_E8M0", 8, -1},
    {"F8_E4M3FNUZ", 8, -1},
    {"F8_E5M2FNUZ", 8, -1},
    {"I16", 16, -1},
    {"U16", 16, -1},
    {"F16", 16, CUSEQ_DTYPE_F16},
    {"BF16", 16, CUSEQ_DTYPE_BF16},
    {"I32", 32, CUSEQ_DTYPE_I32},
    {"U32", 32, -1},
    {"F32", 32, CUSEQ_DTYPE_F32},
    {"C64", 64, -1},
    {"F64", 64, CUSEQ_DTYPE_F64},
    {"I64", 64, CUSEQ_DTYPE_I64},
    {"U64", 64, -1},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

const struct safetensors_dtype *safetensors_dtype_find(const char *name) {
  for (size_t i = 0; i < DTYPE_COUNT; i++)
    if (strcmp(dtypes[i].name, name) == 0)
      return &dtypes[i];
  return NULL;
}

const char *safetensors_dtype_name(int dtype) {
  for (size_t i = 0; i < DTYPE_COUNT && dtype >= 0; i++)
    if (dtypes[i].dtype == dtype)
      return dtypes[i].name;
  return NULL;
}

enum safetensors_size_error safetensors_size(const struct safetensors_dtype *dtype, int32_t rank,
                                             const int64_t *shape, size_t *bytes) {
  size_t bits = dtype->bits;
  for (int32_t i = 0; i < rank; i++)
    if (shape[i] < 0 || __builtin_mul_overflow(bits, (size_t)shape[i], &bits))
      return SAFETENSORS_SIZE_OVERFLOW;
  *bytes = bits / 8;
  return bits % 8 ? SAFETENSORS_SIZE_PARTIAL_BYTE : SAFETENSORS_SIZE_OK;
}
