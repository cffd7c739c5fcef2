/* Arrays that were read become what the public interface takes. */
#include "formats/npy.h"

#include "error.h"
#include "support/compare.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct npy_array make(enum npy_dtype dtype, size_t count, const void *data) {
  size_t size = count * npy_item_size(dtype);
  struct npy_array array = {dtype, 1, {(int64_t)count}, count, malloc(size)};
  memcpy(array.data, data, size);
  return array;
}

Test(npy_convert, every_half_has_its_ieee_value) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    double sign = bits & 0x8000 ? -1 : 1;
    int exponent = bits >> 10 & 0x1f;
    double fraction = bits & 0x3ff;
    float got = npy_half_to_float((uint16_t)bits);
    if (exponent == 31 && fraction > 0)
      cr_assert(isnan(got), "%04x", bits);
    else if (exponent == 31)
      cr_assert(isinf(got) && got * sign > 0, "%04x", bits);
    else {
      double want = sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(1 + fraction / 1024, exponent - 15));
      cr_assert(got == want && !signbit(got) == (sign > 0), "%04x: got %g, want %g", bits, got, want);
    }
  }
}

Test(npy_convert, halves_widen_to_float32) {
  struct npy_array array = make(NPY_F16, 3, (uint16_t[]){0x3e00, 0xc000, 0x7bff});
  cuseq_dtype dtype;
  cr_assert_eq(npy_widen(&array, &dtype), CUSEQ_STATUS_OK);
  cr_assert(dtype == CUSEQ_DTYPE_F32 && array.dtype == NPY_F32);
  assert_same_bytes(array.data, ((float[]){1.5f, -2, 65504}), 12);
  npy_free(&array);
}

Test(npy_convert, small_integers_widen_to_int32_with_their_sign) {
  struct npy_array arrays[] = {make(NPY_I8, 2, (int8_t[]){-128, 127}),
                               make(NPY_I16, 2, (int16_t[]){-32768, 32767}),
                               make(NPY_U8, 2, (uint8_t[]){128, 255})};
  const int32_t want[3][2] = {{-128, 127}, {-32768, 32767}, {128, 255}};
  for (int i = 0; i < 3; i++) {
    cuseq_dtype dtype;
    cr_assert_eq(npy_widen(&arrays[i], &dtype), CUSEQ_STATUS_OK);
    cr_assert(dtype == CUSEQ_DTYPE_I32 && arrays[i].dtype == NPY_I32);
    assert_same_bytes(arrays[i].data, want[i], 8);
    npy_free(&arrays[i]);
  }
}

Test(npy_convert, types_of_the_public_interface_stay_as_they_are) {
  static const enum npy_dtype types[] = {NPY_F32, NPY_F64, NPY_I32, NPY_I64};
  static const cuseq_dtype want[] = {CUSEQ_DTYPE_F32, CUSEQ_DTYPE_F64, CUSEQ_DTYPE_I32, CUSEQ_DTYPE_I64};
  for (int i = 0; i < 4; i++) {
    struct npy_array array = make(types[i], 1, "12345678");
    void *data = array.data;
    cuseq_dtype dtype;
    cr_assert_eq(npy_widen(&array, &dtype), CUSEQ_STATUS_OK);
    cr_assert(dtype == want[i] && array.dtype == types[i] && array.data == data);
    npy_free(&array);
  }
}

Test(npy_convert, float32_of_a_float64_is_the_nearest) {
  const double data[] = {0.1, -1e-50, 1e300, NAN, 16777217};
  struct npy_array array = make(NPY_F64, 5, data);
  cr_assert_eq(npy_to_f32(&array), CUSEQ_STATUS_OK);
  const float *got = array.data;
  cr_assert(got[0] == 0.1f && got[1] == 0 && isinf(got[2]) && isnan(got[3]) && got[4] == 16777216);
  npy_free(&array);
}

Test(npy_convert, float32_of_integers_are_their_values) {
  struct npy_array arrays[] = {make(NPY_I8, 1, (int8_t[]){-3}), make(NPY_U8, 1, (uint8_t[]){253}),
                               make(NPY_I16, 1, (int16_t[]){-300}), make(NPY_I32, 1, (int32_t[]){-70000}),
                               make(NPY_I64, 1, (int64_t[]){1ll << 40})};
  const float want[] = {-3, 253, -300, -70000, 0x1p40f};
  for (int i = 0; i < 5; i++) {
    cr_assert_eq(npy_to_f32(&arrays[i]), CUSEQ_STATUS_OK);
    cr_assert_eq(arrays[i].dtype, NPY_F32);
    cr_assert_eq(*(float *)arrays[i].data, want[i]);
    npy_free(&arrays[i]);
  }
}

Test(npy_convert, int32_of_int64_is_exact_or_an_error_that_names_the_element) {
  struct npy_array good = make(NPY_I64, 2, (int64_t[]){INT32_MIN, INT32_MAX});
  cr_assert_eq(npy_to_i32(&good), CUSEQ_STATUS_OK);
  assert_same_bytes(good.data, ((int32_t[]){INT32_MIN, INT32_MAX}), 8);
  npy_free(&good);
  struct npy_array bad = make(NPY_I64, 3, (int64_t[]){1, 2, 3000000000});
  cr_assert_eq(npy_to_i32(&bad), CUSEQ_STATUS_INVALID_FILE);
  cr_assert_str_eq(error_text(), "data: element 2 is 3000000000 (it must fit into int32)");
  cr_assert_eq(bad.dtype, NPY_I64);
  npy_free(&bad);
}

Test(npy_convert, int32_of_floats_is_refused) {
  struct npy_array array = make(NPY_F64, 1, (double[]){1});
  cr_assert_eq(npy_to_i32(&array), CUSEQ_STATUS_INVALID_FILE);
  cr_assert_str_eq(error_text(), "dtype: float64 (integers are needed)");
  npy_free(&array);
}
