#include "error.h"
#include "formats/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *npy_dtype_name(enum npy_dtype dtype) {
  static const char *const names[] = {"float16", "float32", "float64", "int8",
                                      "int16",   "int32",   "int64",   "uint8"};
  return names[dtype];
}

float npy_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1f;
  uint32_t fraction = half & 0x3ff;
  uint32_t bits;
  float value;
  if (exponent == 0) { /* zero and subnormals: fraction x 2^-24, exact in float32 */
    value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
  }
  if (exponent == 0x1f) /* infinity and NaN */
    bits = sign | 0x7f800000 | fraction << 13;
  else
    bits = sign | (exponent + 127 - 15) << 23 | fraction << 13;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static int is_float(enum npy_dtype dtype) {
  return dtype == NPY_F16 || dtype == NPY_F32 || dtype == NPY_F64;
}

static int64_t integer_at(const struct npy_array *array, size_t i) {
  switch (array->dtype) {
  case NPY_I8:
    return ((const int8_t *)array->data)[i];
  case NPY_U8:
    return ((const uint8_t *)array->data)[i];
  case NPY_I16:
    return ((const int16_t *)array->data)[i];
  case NPY_I32:
    return ((const int32_t *)array->data)[i];
  default:
    return ((const int64_t *)array->data)[i];
  }
}

static float float_at(const struct npy_array *array, size_t i) {
  switch (array->dtype) {
  case NPY_F16:
    return npy_half_to_float(((const uint16_t *)array->data)[i]);
  case NPY_F32:
    return ((const float *)array->data)[i];
  case NPY_F64:
    return (float)((const double *)array->data)[i];
  default:
    return (float)integer_at(array, i);
  }
}

/* Memory for the elements of `array` as 4-byte ones. */
static cuseq_status allocate(const struct npy_array *array, void **data) {
  *data = array->count <= SIZE_MAX / 4 ? malloc(array->count * 4) : NULL;
  if (!*data)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "data: no memory to convert the array (%zu elements)",
                     array->count);
  return CUSEQ_STATUS_OK;
}

static void replace(struct npy_array *array, enum npy_dtype dtype, void *data) {
  free(array->data);
  array->dtype = dtype;
  array->data = data;
}

cuseq_status npy_to_f32(struct npy_array *array) {
  if (array->dtype == NPY_F32)
    return CUSEQ_STATUS_OK;
  void *data;
  TRY(allocate(array, &data));
  for (size_t i = 0; i < array->count; i++)
    ((float *)data)[i] = float_at(array, i);
  replace(array, NPY_F32, data);
  return CUSEQ_STATUS_OK;
}

cuseq_status npy_to_i32(struct npy_array *array) {
  if (is_float(array->dtype))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "dtype: %s (integers are needed)",
                     npy_dtype_name(array->dtype));
  if (array->dtype == NPY_I32)
    return CUSEQ_STATUS_OK;
  void *data;
  TRY(allocate(array, &data));
  for (size_t i = 0; i < array->count; i++) {
    int64_t value = integer_at(array, i);
    if (value < INT32_MIN || value > INT32_MAX) {
      free(data);
      return error_set(CUSEQ_STATUS_INVALID_FILE, "data: element %zu is %" PRId64 " (it must fit into int32)",
                       i, value);
    }
    ((int32_t *)data)[i] = (int32_t)value;
  }
  replace(array, NPY_I32, data);
  return CUSEQ_STATUS_OK;
}

cuseq_status npy_widen(struct npy_array *array, cuseq_dtype *dtype) {
  if (array->dtype == NPY_F16)
    TRY(npy_to_f32(array));
  if (array->dtype == NPY_I8 || array->dtype == NPY_I16 || array->dtype == NPY_U8)
    TRY(npy_to_i32(array));
  *dtype = array->dtype == NPY_F32   ? CUSEQ_DTYPE_F32
           : array->dtype == NPY_F64 ? CUSEQ_DTYPE_F64
           : array->dtype == NPY_I32 ? CUSEQ_DTYPE_I32
                                     : CUSEQ_DTYPE_I64;
  return CUSEQ_STATUS_OK;
}
