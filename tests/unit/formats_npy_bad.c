/* .npy files that are not right get one line that says why, and no memory. */
#include "formats/npy.h"

#include "error.h"
#include "support/bytes.h"
#include "support/folder.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(npy_file, .init = folder_make, .fini = folder_remove);

static void assert_refused(const struct bytes *file, const char *reason) {
  struct npy_array array;
  unsigned char *exact = malloc(file->size + !file->size); /* so that a sanitizer sees what lies beyond */
  if (file->size > 0)
    memcpy(exact, file->data, file->size);
  cuseq_status status = npy_parse(exact, file->size, &array);
  free(exact);
  cr_assert_eq(status, CUSEQ_STATUS_INVALID_FILE, "%d instead of: %s", status, reason);
  cr_assert(strstr(error_text(), reason), "%s instead of: %s", error_text(), reason);
  cr_assert_null(array.data);
}

static void assert_dictionary_refused(const char *dictionary, const char *reason) {
  struct bytes file = {0};
  bytes_add(&file, "\x93NUMPY\1\0", 8);
  bytes_add_little_endian(&file, strlen(dictionary), 2);
  bytes_add_text(&file, dictionary);
  bytes_add_little_endian(&file, 0, 8);
  assert_refused(&file, reason);
  bytes_free(&file);
}

struct refusal {
  const char *dictionary;
  const char *reason;
};

static void assert_all_refused(const struct refusal *refusals, size_t count) {
  for (size_t i = 0; i < count; i++)
    assert_dictionary_refused(refusals[i].dictionary, refusals[i].reason);
}
#define ASSERT_ALL_REFUSED(refusals) assert_all_refused(refusals, sizeof(refusals) / sizeof *(refusals))

#define WITH_DESCR(descr) "{'descr': " descr ", 'fortran_order': False, 'shape': (1,), }"
#define WITH_SHAPE(shape) "{'descr': '<f8', 'fortran_order': False, 'shape': " shape ", }"

Test(npy_bad, element_types_that_are_not_read_are_refused_with_the_reason) {
  static const struct refusal refusals[] = {
      {WITH_DESCR("'|b1'"), "dtype '|b1' cannot be read (booleans; save it as .astype('uint8'))"},
      {WITH_DESCR("'|O'"), "Python objects, which are never unpickled"},
      {WITH_DESCR("[('a', '<f4'), ('b', '<i4')]"), "structured arrays cannot be read"},
      {WITH_DESCR("('<f4', (2,))"), "structured arrays cannot be read"},
      {WITH_DESCR("'<f4,<i4'"), "a structured array"},
      {WITH_DESCR("'|V8'"), "a structured array"},
      {WITH_DESCR("'<U8'"), "texts, not numbers"},
      {WITH_DESCR("'|S8'"), "texts, not numbers"},
      {WITH_DESCR("'<c8'"), "complex numbers"},
      {WITH_DESCR("'<u4'"), "not one of f2 f4 f8 i1 i2 i4 i8 u1"},
      {WITH_DESCR("'<M8[ns]'"), "not one of f2 f4 f8 i1 i2 i4 i8 u1"},
      {WITH_DESCR("'<f16'"), "not one of f2 f4 f8 i1 i2 i4 i8 u1"},
      {WITH_DESCR("''"), "not one of f2 f4 f8 i1 i2 i4 i8 u1"},
      {WITH_DESCR("'|f4'"), "does not tell the byte order"},
      {WITH_DESCR("None"), "a string is needed"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(npy_bad, shapes_without_dimensions_or_elements_are_refused_with_the_reason) {
  static const struct refusal refusals[] = {
      {WITH_SHAPE("()"), "shape: a single number without dimensions (at least 1 is needed)"},
      {WITH_SHAPE("(0,)"), "shape: no elements (dimension 0 is 0)"},
      {WITH_SHAPE("(3, 0, 2)"), "shape: no elements (dimension 1 is 0)"},
      {WITH_SHAPE("(9223372036854775807, 9223372036854775807, 0)"), "shape: no elements (dimension 2 is 0)"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(npy_bad, shapes_that_lie_are_refused) {
  static const struct refusal refusals[] = {
      {WITH_SHAPE("(2,)"), "data: truncated (shape and dtype need 16 bytes, the file has 8)"},
      {WITH_SHAPE("(1000000000000000000,)"),
       "data: truncated (shape and dtype need 8000000000000000000 bytes"},
      {WITH_SHAPE("(1000000000, 1000000000)"), "data: truncated"},
      {WITH_SHAPE("(4294967296, 4294967296)"), "shape: more elements than can be counted"},
      {WITH_SHAPE("(9223372036854775807,)"), "shape: more elements than can be counted"},
      {WITH_SHAPE("(9223372036854775808,)"), "a dimension that is too large"},
      {WITH_SHAPE("(99999999999999999999999999,)"), "a dimension that is too large"},
      {WITH_SHAPE("(-1,)"), "a negative dimension"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }",
       "data: bytes after the array (shape and dtype need 7 bytes, the file has 8)"},
      {WITH_SHAPE("(1,1,1,1,1,1,1,1,1)"), "too many dimensions (more than 8)"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(npy_bad, headers_that_are_no_dictionary_of_the_three_keys_are_refused) {
  static const struct refusal refusals[] = {
      {"", "not a dictionary (at character 0"},
      {"[]", "not a dictionary"},
      {"{", "a string is needed (at character 1"},
      {"{}", "'descr' is missing"},
      {"{'descr': '<f8', 'shape': (1,)}", "'fortran_order' is missing"},
      {"{'descr': '<f8', 'fortran_order': False}", "'shape' is missing"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)", "a comma is needed"},
      {"{'descr': '<f8' 'fortran_order': False, 'shape': (1,)}", "a comma is needed"},
      {"{'descr' '<f8', 'fortran_order': False, 'shape': (1,)}", "a colon is needed"},
      {"{'descr': '<f8', 'fortran_order': 1, 'shape': (1,)}", "fortran_order is neither True nor False"},
      {"{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "'descr' is there twice"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", "unknown key 'x'"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} import os", "text after the dictionary"},
      {"{'descr: '<f8', 'fortran_order': False, 'shape': (1,)}", "unknown key 'descr: '"},
      {"{'descr': '<f8", "a string does not end"},
      {"{'desc\\162': '<f8'", "a string that is no known key or dtype"},
      {"{,}", "a string is needed"},
      {WITH_SHAPE("[1]"), "the shape is not a tuple"},
      {WITH_SHAPE("1"), "the shape is not a tuple"},
      {WITH_SHAPE("(1)"), "which of one dimension needs a comma"},
      {WITH_SHAPE("(1 1)"), "a comma is missing in the shape"},
      {WITH_SHAPE("(1,,1)"), "a dimension is needed"},
      {WITH_SHAPE("(,)"), "a dimension is needed"},
      {WITH_SHAPE("(1.0,)"), "a comma is missing in the shape"},
      {WITH_SHAPE("(01,)"), "leading zeros"},
      {WITH_SHAPE("(True,)"), "a dimension is needed"},
      {WITH_SHAPE("(1,"), "a dimension is needed"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(npy_bad, a_zero_byte_in_the_header_is_refused) {
  struct bytes file = {0};
  bytes_add(&file, "\x93NUMPY\1\0\x4\0{\0}\0", 14);
  assert_refused(&file, "a string is needed");
  bytes_free(&file);
}

Test(npy_bad, every_truncation_of_a_good_file_is_refused) {
  struct bytes file = {0};
  const char *dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  bytes_add(&file, "\x93NUMPY\2\0", 8);
  bytes_add_little_endian(&file, strlen(dictionary), 4);
  bytes_add_text(&file, dictionary);
  bytes_add_little_endian(&file, 0, 8);
  bytes_add_little_endian(&file, 0, 8);
  size_t whole = file.size;
  for (file.size = 0; file.size < whole; file.size++)
    assert_refused(&file, file.size == 0                        ? "the file is empty"
                          : file.size < 12 + strlen(dictionary) ? "header: truncated"
                                                                : "data: truncated");
  bytes_free(&file);
}

Test(npy_bad, other_kinds_of_file_are_refused_by_what_they_are) {
  static const struct {
    const char *start;
    size_t size;
    const char *reason;
  } cases[] = {
      {"PK\3\4abcdef", 10, "a zip archive, perhaps an .npz (an .npy is needed)"},
      {"hello, world", 12, "not an .npy file"},
      {"\x93NUMPX\1\0\0\0", 10, "not an .npy file"},
      {"\x93NUMPY\4\0\0\0\0\0", 12, "version 4.0 (1.0, 2.0 and 3.0 can be read)"},
      {"\x93NUMPY\0\0\0\0\0\0", 12, "version 0.0"},
      {"\x93NUMPY\1\1\0\0\0\0", 12, "version 1.1"},
      {"\x93NUMPY\2\0\xff\xff\xff\xff", 12, "header: too long (4294967295 bytes, at most 65535)"},
      {"\x93NUMPY\1\0\xff\xff  ", 12, "header: truncated (2 bytes of 65535)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct bytes file = {0};
    bytes_add(&file, cases[i].start, cases[i].size);
    assert_refused(&file, cases[i].reason);
    bytes_free(&file);
  }
}

Test(npy_file, errors_name_the_file) {
  struct npy_array array;
  cr_assert_eq(npy_read(folder_write("a.npy", "junk", 4), &array), CUSEQ_STATUS_INVALID_FILE);
  cr_assert(strstr(error_text(), "a.npy: header: not an .npy file"), "%s", error_text());
  cr_assert_eq(npy_read(folder_path("b.npy"), &array), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "b.npy: cannot be opened"), "%s", error_text());
  cr_assert_eq(npy_read(folder_path(""), &array), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "it is a folder"), "%s", error_text());
  npy_free(&array);
}

Test(npy_file, in_fortran_order_and_of_the_other_byte_order_is_read_in_twice_its_size) {
  enum { MEGABYTES = 48 };
  struct bytes file = {0};
  const char *dictionary = "{'descr': '>f4', 'fortran_order': True, 'shape': (1024, 48, 256), }";
  bytes_add(&file, "\x93NUMPY\1\0", 8);
  bytes_add_little_endian(&file, strlen(dictionary), 2);
  bytes_add_text(&file, dictionary);
  char *megabyte = calloc(1 << 20, 1);
  for (int i = 0; i < MEGABYTES; i++)
    bytes_add(&file, megabyte, 1 << 20);
  const char *path = folder_write("a.npy", file.data, file.size);
  size_t size = file.size;
  bytes_free(&file);
  free(megabyte);
  if (!memory_limit(2 * size + (64 << 20)))
    cr_skip_test("memory cannot be limited under a sanitizer");
  struct npy_array array;
  cr_assert_eq(npy_read(path, &array), CUSEQ_STATUS_OK, "%s", error_text());
  npy_free(&array);
}
