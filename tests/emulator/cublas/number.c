#include "blas.h"

#include "../interpreter/small_float.h"

#include <string.h>

/* Between storage types and the types that are computed in. */

size_t emu_type_size(cudaDataType_t type) {
  switch (type) {
  case CUDA_R_8I:
  case CUDA_R_8U:
    return 1;
  case CUDA_R_16F:
  case CUDA_R_16BF:
    return 2;
  case CUDA_R_32F:
  case CUDA_R_32I:
    return 4;
  case CUDA_R_64F:
    return 8;
  default:
    return 0;
  }
}

/* Each storage type's element i as it is read. */
#define READ_EACH(TYPE, VALUE)                                                                               \
  for (int64_t i = 0; i < n; i++) {                                                                          \
    TYPE bits;                                                                                               \
    memcpy(&bits, (const char *)from + (size_t)i * sizeof bits, sizeof bits);                                \
    to[i] = VALUE;                                                                                           \
  }                                                                                                          \
  break

#define READ_CASES(TO)                                                                                       \
  switch (type) {                                                                                            \
  case CUDA_R_8I:                                                                                            \
    READ_EACH(int8_t, (TO)bits);                                                                             \
  case CUDA_R_8U:                                                                                            \
    READ_EACH(uint8_t, (TO)bits);                                                                            \
  case CUDA_R_16F:                                                                                           \
    READ_EACH(uint16_t, (TO)emu_half_to_float(bits));                                                        \
  case CUDA_R_16BF:                                                                                          \
    READ_EACH(uint16_t, (TO)emu_bfloat_to_float(bits));                                                      \
  case CUDA_R_32F:                                                                                           \
    READ_EACH(float, (TO)bits);                                                                              \
  case CUDA_R_32I:                                                                                           \
    READ_EACH(int32_t, (TO)bits);                                                                            \
  case CUDA_R_64F:                                                                                           \
    READ_EACH(double, (TO)bits);                                                                             \
  default:                                                                                                   \
    break;                                                                                                   \
  }

void emu_widen(const void *from, cudaDataType_t type, int64_t n, double *to) {
  READ_CASES(double)
}

void emu_widen_float(const void *from, cudaDataType_t type, int64_t n, float *to) {
  if (type == CUDA_R_32F) {
    memcpy(to, from, (size_t)n * sizeof *to);
    return;
  }
  READ_CASES(float)
}

static int32_t to_integer(double value, double low, double high) {
  if (!(value >= low))
    return (int32_t)low;
  return value > high ? (int32_t)high : (int32_t)value;
}

#define WRITE_EACH(TYPE, VALUE)                                                                              \
  for (int64_t i = 0; i < n; i++) {                                                                          \
    TYPE bits = (TYPE)(VALUE);                                                                               \
    memcpy((char *)to + (size_t)i * sizeof bits, &bits, sizeof bits);                                        \
  }                                                                                                          \
  break

#define WRITE_CASES                                                                                          \
  switch (type) {                                                                                            \
  case CUDA_R_8I:                                                                                            \
    WRITE_EACH(int8_t, to_integer(from[i], INT8_MIN, INT8_MAX));                                             \
  case CUDA_R_8U:                                                                                            \
    WRITE_EACH(uint8_t, to_integer(from[i], 0, UINT8_MAX));                                                  \
  case CUDA_R_16F:                                                                                           \
    WRITE_EACH(uint16_t, emu_float_encode(EMU_FORMAT_F16, from[i], EMU_ROUND_NEAREST_EVEN, 0));              \
  case CUDA_R_16BF:                                                                                          \
    WRITE_EACH(uint16_t, emu_float_encode(EMU_FORMAT_BF16, from[i], EMU_ROUND_NEAREST_EVEN, 0));             \
  case CUDA_R_32F:                                                                                           \
    WRITE_EACH(float, from[i]);                                                                              \
  case CUDA_R_32I:                                                                                           \
    WRITE_EACH(int32_t, to_integer(from[i], INT32_MIN, INT32_MAX));                                          \
  case CUDA_R_64F:                                                                                           \
    WRITE_EACH(double, from[i]);                                                                             \
  default:                                                                                                   \
    break;                                                                                                   \
  }

void emu_narrow(const double *from, int64_t n, cudaDataType_t type, void *to) {
  WRITE_CASES
}

void emu_narrow_float(const float *from, int64_t n, cudaDataType_t type, void *to) {
  if (type == CUDA_R_32F) {
    memcpy(to, from, (size_t)n * sizeof *from);
    return;
  }
  WRITE_CASES
}
