/* .npy files that are right are read as their values, and written as numpy would read them. */
#include "formats/npy.h"

#include "error.h"
#include "support/bytes.h"
#include "support/compare.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(npy_write, .init = folder_make, .fini = folder_remove);

/* A version 1 file with this dictionary. */
static struct bytes npy_file(const char *dictionary, const void *data, size_t size) {
  struct bytes file = {0};
  bytes_add(&file, "\x93NUMPY\1\0", 8);
  bytes_add_little_endian(&file, strlen(dictionary), 2);
  bytes_add_text(&file, dictionary);
  bytes_add(&file, data, size);
  return file;
}

static struct npy_array parse(const char *dictionary, const void *data, size_t size) {
  struct npy_array array;
  struct bytes file = npy_file(dictionary, data, size);
  cr_assert_eq(npy_parse(file.data, file.size, &array), CUSEQ_STATUS_OK, "%s: %s", dictionary, error_text());
  bytes_free(&file);
  return array;
}

static void assert_shape(const struct npy_array *array, enum npy_dtype dtype, int32_t rank,
                         const int64_t *shape) {
  size_t count = 1;
  cr_assert_eq(array->dtype, dtype);
  cr_assert_eq(array->rank, rank);
  for (int32_t i = 0; i < rank; i++) {
    cr_assert_eq(array->shape[i], shape[i]);
    count *= (size_t)shape[i];
  }
  cr_assert_eq(array->count, count);
}

Test(npy, little_endian_float32_in_c_order_reads_as_its_values) {
  const float want[] = {1.5f, -2, 3, 4, 5, 6e30f};
  struct npy_array array =
      parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", want, sizeof want);
  assert_shape(&array, NPY_F32, 2, (int64_t[]){2, 3});
  assert_same_bytes(array.data, want, sizeof want);
  npy_free(&array);
  cr_assert_null(array.data);
  npy_free(&array);
}

Test(npy, big_endian_float64_in_fortran_order_reads_as_its_values) {
  /* columns of {{1, 2}, {-1, 0.5}, {3, 4}} */
  const unsigned char data[] = {0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0,
                                0x40, 0x08, 0, 0, 0, 0, 0, 0, 0x40, 0,    0, 0, 0, 0, 0, 0,
                                0x3f, 0xe0, 0, 0, 0, 0, 0, 0, 0x40, 0x10, 0, 0, 0, 0, 0, 0};
  struct npy_array array =
      parse("{'descr': '>f8', 'fortran_order': True, 'shape': (3, 2), }", data, sizeof data);
  assert_shape(&array, NPY_F64, 2, (int64_t[]){3, 2});
  const double want[] = {1, 2, -1, 0.5, 3, 4};
  assert_same_bytes(array.data, want, sizeof want);
  npy_free(&array);
}

Test(npy, integers_of_one_byte_have_no_byte_order) {
  static const char *const types[] = {"|i1", "i1", "<i1", ">i1", "=i1", "|u1", "u1", "<u1", ">u1", "=u1"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char dictionary[100];
    snprintf(dictionary, sizeof dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }",
             types[i]);
    struct npy_array array = parse(dictionary, "\1\xff\3", 3);
    assert_shape(&array, i < 5 ? NPY_I8 : NPY_U8, 1, (int64_t[]){3});
    assert_same_bytes(array.data, "\1\xff\3", 3);
    npy_free(&array);
  }
}

Test(npy, header_may_be_any_python_dictionary_of_the_three_keys) {
  static const char *const dictionaries[] = {
      "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1)}",
      "{'shape': (2, 1), 'fortran_order': False, 'descr': '<i2'}\n",
      "{'fortran_order':False,'shape':(2,1),'descr':'<i2'}",
      "{\"descr\": \"<i2\", \"fortran_order\": False, \"shape\": (2, 1), }          \n",
      "  { 'descr' : 'i2' ,\n\t'shape' : ( 2 , 1 , ) ,\r\n'fortran_order' : False , }\n",
      "{'descr': '=i2', 'fortran_order': False, 'shape': (2L, 1L), }",
      "{u'descr': u'<i2', u'fortran_order': False, u'shape': (2, 1), }",
      "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 1,), }",
  };
  for (size_t i = 0; i < sizeof dictionaries / sizeof *dictionaries; i++) {
    struct npy_array array = parse(dictionaries[i], "\1\0\xfe\xff", 4);
    assert_shape(&array, NPY_I16, 2, (int64_t[]){2, 1});
    assert_same_bytes(array.data, ((int16_t[]){1, -2}), 4);
    npy_free(&array);
  }
}

Test(npy, eight_dimensions_in_fortran_order_are_transposed) {
  uint8_t data[256], want[256];
  for (int i = 0; i < 256; i++) {
    data[i] = (uint8_t)i;
    int reversed = 0;
    for (int bit = 0; bit < 8; bit++)
      reversed |= (i >> bit & 1) << (7 - bit);
    want[i] = (uint8_t)reversed;
  }
  struct npy_array array = parse(
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2, 2, 2, 2, 2, 2), }", data, sizeof data);
  assert_same_bytes(array.data, want, sizeof want);
  npy_free(&array);
}

Test(npy, header_of_the_greatest_length_is_read) {
  static char dictionary[65536];
  memset(dictionary, ' ', sizeof dictionary - 1);
  const char *text = "{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }";
  memcpy(dictionary, text, strlen(text));
  struct npy_array array = parse(dictionary, "\7", 1);
  assert_same_bytes(array.data, "\7", 1);
  npy_free(&array);
}

Test(npy, versions_1_2_and_3_written_by_numpy_are_read) {
  double want[24];
  for (int i = 0; i < 24; i++)
    want[i] = 100 * (i / 12) + 10 * (i / 4 % 3) + i % 4 - 50;
  for (int version = 1; version <= 3; version++) {
    char path[64];
    snprintf(path, sizeof path, "tests/golden/formats/version%d.npy", version);
    struct npy_array array;
    cr_assert_eq(npy_read(path, &array), CUSEQ_STATUS_OK, "%s", error_text());
    assert_shape(&array, NPY_F64, 3, (int64_t[]){2, 3, 4});
    assert_same_bytes(array.data, want, sizeof want);
    npy_free(&array);
  }
}

Test(npy, the_one_hot_dates_are_read) {
  const char *path = "../shared/data/dates_onehot.npy";
  if (access(path, R_OK) != 0)
    cr_skip_test("%s is not there", path);
  struct npy_array array;
  cr_assert_eq(npy_read(path, &array), CUSEQ_STATUS_OK, "%s", error_text());
  assert_shape(&array, NPY_F64, 3, (int64_t[]){5, 30, 37});
  const double *values = array.data;
  for (size_t row = 0; row < 150; row++) {
    double sum = 0;
    for (size_t i = 0; i < 37; i++)
      sum += values[row * 37 + i];
    cr_assert_eq(sum, 1, "row %zu", row);
  }
  npy_free(&array);
}

Test(npy_write, what_is_written_is_read_back_in_every_type) {
  unsigned char data[48];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (unsigned char)(i * 37 + 11);
  for (int dtype = NPY_F16; dtype <= NPY_U8; dtype++)
    for (int32_t rank = 1; rank <= NPY_MAX_RANK; rank++) {
      struct npy_array array = {(enum npy_dtype)dtype, rank, {1, 1, 1, 1, 1, 1, 1, 1}, 6, data}, back;
      array.shape[0] = rank > 1 ? 2 : 6;
      array.shape[rank - 1] = rank > 1 ? 3 : 6;
      cr_assert_eq(npy_write(folder_path("a.npy"), &array), CUSEQ_STATUS_OK, "%s", error_text());
      cr_assert_eq(npy_read(folder_path("a.npy"), &back), CUSEQ_STATUS_OK, "%s", error_text());
      assert_shape(&back, array.dtype, rank, array.shape);
      assert_same_bytes(back.data, data, 6 * npy_item_size(array.dtype));
      npy_free(&back);
    }
}

Test(npy_write, the_bytes_are_those_of_numpy) {
  const int32_t data[] = {1, 2};
  struct npy_array array = {NPY_I32, 1, {2}, 2, (void *)data};
  cr_assert_eq(npy_write(folder_path("a.npy"), &array), CUSEQ_STATUS_OK, "%s", error_text());
  struct bytes want = {0};
  bytes_add(&want, "\x93NUMPY\1\0\x76\0", 10);
  bytes_add_text(&want, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }");
  bytes_add_repeated(&want, " ", 60);
  bytes_add_text(&want, "\n");
  bytes_add(&want, data, sizeof data);
  cr_assert(folder_has("a.npy", want.data, want.size));
  bytes_free(&want);
}

Test(npy_write, an_array_that_could_not_be_read_back_is_refused_and_nothing_written) {
  float data[1] = {0};
  struct npy_array scalar = {NPY_F32, 0, {0}, 1, data}, empty = {NPY_F32, 2, {3, 0}, 0, data},
                   many = {NPY_F32, 9, {1}, 1, data}, large = {NPY_F32, 2, {1ll << 40, 1ll << 40}, 1, data};
  cr_assert_eq(npy_write(folder_path("a.npy"), &scalar), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert_eq(npy_write(folder_path("a.npy"), &empty), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert_eq(npy_write(folder_path("a.npy"), &many), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert_eq(npy_write(folder_path("a.npy"), &large), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert(strstr(error_text(), "a.npy: shape: more elements"), "%s", error_text());
  cr_assert_eq(folder_entries(), 0);
}

Test(npy_write, in_a_missing_folder_is_an_error_that_names_the_path) {
  float data[1] = {0};
  struct npy_array array = {NPY_F32, 1, {1}, 1, data};
  cr_assert_eq(npy_write(folder_path("missing/a.npy"), &array), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "missing/a.npy: cannot be written"), "%s", error_text());
}
