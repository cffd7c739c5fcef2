/* .safetensors files that are right are read, and what is written is right. */
#include "formats/safetensors.h"

#include "error.h"
#include "formats/file.h"
#include "support/bytes.h"
#include "support/compare.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(safetensors_write, .init = folder_make, .fini = folder_remove);

static struct bytes file_of(const char *header, size_t data_bytes) {
  struct bytes file = {0};
  bytes_add_little_endian(&file, strlen(header), 8);
  bytes_add_text(&file, header);
  for (size_t i = 0; i < data_bytes; i++)
    bytes_add(&file, &(unsigned char){(unsigned char)i}, 1);
  return file;
}

static const struct safetensors_tensor *find(const struct safetensors *file, const char *name) {
  for (size_t i = 0; i < file->tensor_count; i++)
    if (strcmp(file->tensors[i].name, name) == 0)
      return &file->tensors[i];
  cr_assert_fail("no tensor '%s'", name);
  return NULL;
}

Test(safetensors, a_file_of_the_python_package_is_read) {
  void *bytes;
  size_t size;
  struct safetensors file;
  cr_assert_eq(file_read("tests/golden/formats/package.safetensors", &bytes, &size), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_assert_eq(safetensors_parse(bytes, size, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(file.tensor_count, 7);
  cr_assert_eq(file.metadata_count, 2);
  cr_assert_str_eq(safetensors_metadata(&file, "framework"), "none");
  cr_assert_str_eq(safetensors_metadata(&file, "Schlüssel"), "a \"quoted\"\nvalue");
  cr_assert_null(safetensors_metadata(&file, "cuseq"));

  const struct safetensors_tensor *matrix = find(&file, "matrix");
  cr_assert(matrix->dtype == CUSEQ_DTYPE_F32 && matrix->rank == 2 && matrix->shape[0] == 3 &&
            matrix->shape[1] == 4);
  assert_same_bytes(matrix->data, ((float[]){-50, -49, -48, -47, -40, -39, -38, -37, -30, -29, -28, -27}),
                    48);
  const struct safetensors_tensor *scalar = find(&file, "scalar");
  cr_assert(scalar->dtype == CUSEQ_DTYPE_F64 && scalar->rank == 0);
  assert_same_bytes(scalar->data, ((double[]){0.1}), 8);
  const struct safetensors_tensor *halves = find(&file, "halves");
  cr_assert(halves->dtype == CUSEQ_DTYPE_F16 && halves->rank == 1);
  assert_same_bytes(halves->data, ((uint16_t[]){0x3e00, 0xc000, 0x7bff}), 6);
  const struct safetensors_tensor *ids = find(&file, "ids");
  cr_assert_eq(ids->dtype, CUSEQ_DTYPE_I64);
  assert_same_bytes(ids->data, ((int64_t[]){1ll << 40, -1}), 16);
  const struct safetensors_tensor *empty = find(&file, "empty");
  cr_assert(empty->rank == 2 && empty->shape[0] == 0 && empty->shape[1] == 3 && empty->bytes == 0);
  const struct safetensors_tensor *truths = find(&file, "Gewicht-ä");
  cr_assert(truths->dtype == -1 && strcmp(truths->dtype_name, "BOOL") == 0 && truths->bytes == 2);
  safetensors_free(&file);
  safetensors_free(&file);
  free(bytes);
}

Test(safetensors, a_file_without_tensors_is_read) {
  struct bytes bytes = file_of("{}      ", 0);
  struct safetensors file;
  cr_assert_eq(safetensors_parse(bytes.data, bytes.size, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(file.tensor_count == 0 && file.metadata_count == 0);
  safetensors_free(&file);
  bytes_free(&bytes);
}

Test(safetensors, tensors_come_in_the_order_of_their_data) {
  struct bytes bytes = file_of("{\"c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]},"
                               "\"b\":{\"shape\":[4],\"data_offsets\":[0,4],\"dtype\":\"U8\"},"
                               "\"a\":{\"data_offsets\":[4,4],\"dtype\":\"F64\",\"shape\":[0]}}",
                               6);
  struct safetensors file;
  cr_assert_eq(safetensors_parse(bytes.data, bytes.size, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(file.tensor_count, 3);
  cr_assert_str_eq(file.tensors[0].name, "b");
  cr_assert_str_eq(file.tensors[1].name, "a");
  cr_assert_str_eq(file.tensors[2].name, "c");
  assert_same_bytes(file.tensors[2].data, "\4\5", 2);
  safetensors_free(&file);
  bytes_free(&bytes);
}

Test(safetensors, every_type_of_the_format_is_known_by_its_size) {
  static const struct {
    const char *name;
    size_t bytes_of_eight;
    int dtype;
  } types[] = {{"BOOL", 8, -1},
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
               {"U64", 64, -1}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char header[128];
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%zu]}}",
             types[i].name, types[i].bytes_of_eight);
    struct bytes bytes = file_of(header, types[i].bytes_of_eight);
    struct safetensors file;
    cr_assert_eq(safetensors_parse(bytes.data, bytes.size, &file), CUSEQ_STATUS_OK, "%s", error_text());
    cr_assert_eq(file.tensors[0].dtype, types[i].dtype, "%s", types[i].name);
    cr_assert_str_eq(file.tensors[0].dtype_name, types[i].name);
    safetensors_free(&file);
    bytes_free(&bytes);
  }
}

/* Two tensors and two metadata, with what JSON has to escape. */
static float matrix_data[] = {1, 2, 3, 4, 5, 6};
static double scalar_data[] = {0.5};
static struct safetensors_tensor some_tensors[] = {
    {.name = "matrix",
     .dtype = CUSEQ_DTYPE_F32,
     .rank = 2,
     .shape = {2, 3},
     .data = matrix_data,
     .bytes = 24},
    {.name = "sca\"lär\n", .dtype_name = "F64", .dtype = -1, .rank = 0, .data = scalar_data, .bytes = 8},
};
static struct safetensors_pair some_metadata[] = {{"cuseq", "{\"version\":1}"}, {"ü", "\t"}};
static const struct safetensors some_file = {some_tensors, 2, some_metadata, 2, NULL};

Test(safetensors_write, what_is_written_is_read_back_and_aligned) {
  void *bytes;
  size_t size;
  struct safetensors back;
  cr_assert_eq(safetensors_write(folder_path("a"), &some_file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(file_read(folder_path("a"), &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert_eq(*(unsigned char *)bytes % 8, 0);
  cr_assert_eq(safetensors_parse(bytes, size, &back), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(back.tensor_count == 2 && back.metadata_count == 2);
  for (int i = 0; i < 2; i++) {
    cr_assert_str_eq(back.tensors[i].name, some_tensors[i].name);
    cr_assert_eq(back.tensors[i].rank, some_tensors[i].rank);
    cr_assert_eq(back.tensors[i].bytes, some_tensors[i].bytes);
    assert_same_bytes(back.tensors[i].data, some_tensors[i].data, some_tensors[i].bytes);
    cr_assert_str_eq(safetensors_metadata(&back, some_metadata[i].key), some_metadata[i].value);
  }
  cr_assert_eq(((const unsigned char *)back.tensors[0].data - (unsigned char *)bytes) % 8, 0);
  safetensors_free(&back);
  free(bytes);
}

Test(safetensors_write, the_header_has_the_order_given_and_no_needless_byte) {
  cr_assert_eq(safetensors_write(folder_path("a"), &some_file), CUSEQ_STATUS_OK, "%s", error_text());
  const char *header = "{\"__metadata__\":{\"cuseq\":\"{\\\"version\\\":1}\",\"ü\":\"\\t\"},"
                       "\"matrix\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                       "\"sca\\\"lär\\n\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[24,32]}}";
  struct bytes want = {0};
  size_t padded = (strlen(header) + 7) / 8 * 8;
  bytes_add_little_endian(&want, padded, 8);
  bytes_add_text(&want, header);
  bytes_add_repeated(&want, " ", padded - strlen(header));
  bytes_add(&want, matrix_data, sizeof matrix_data);
  bytes_add(&want, scalar_data, sizeof scalar_data);
  cr_assert(folder_has("a", want.data, want.size));
  bytes_free(&want);
}

Test(safetensors_write, a_file_without_anything_is_written) {
  struct safetensors nothing = {0};
  cr_assert_eq(safetensors_write(folder_path("a"), &nothing), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "\x8\0\0\0\0\0\0\0{}      ", 16));
}

Test(safetensors_write, tensors_that_would_make_a_wrong_file_are_refused_and_nothing_written) {
  static const struct {
    struct safetensors_tensor tensor;
    const char *reason;
  } cases[] = {
      {{.name = "a", .dtype = CUSEQ_DTYPE_F32, .rank = 1, .shape = {3}, .bytes = 8},
       "do not make its 8 bytes"},
      {{.name = "a", .dtype = CUSEQ_DTYPE_F32, .rank = 1, .shape = {-1}, .bytes = 8},
       "do not make its 8 bytes"},
      {{.name = "a", .dtype = -1, .rank = 1, .shape = {2}, .bytes = 8},
       "a dtype that the file format does not have"},
      {{.name = "a", .dtype_name = "F33", .rank = 1, .shape = {2}, .bytes = 8}, "does not have (F33)"},
      {{.name = "a", .dtype_name = "F4", .rank = 1, .shape = {3}, .bytes = 1}, "do not make its 1 bytes"},
      {{.name = "a", .dtype = CUSEQ_DTYPE_F32, .rank = 9, .bytes = 8},
       "its rank is 9 (0 to 8 can be written)"},
      {{.name = "matrix", .dtype_name = "F32", .rank = 1, .shape = {0}}, "a name that is taken"},
      {{.name = "__metadata__", .dtype_name = "F32", .rank = 1, .shape = {0}}, "a name that is taken"},
      {{.name = "\xff", .dtype_name = "F32", .rank = 1, .shape = {0}}, "its name is not UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct safetensors_tensor tensors[] = {some_tensors[0], cases[i].tensor};
    struct safetensors file = {.tensors = tensors, .tensor_count = 2};
    cr_assert_eq(safetensors_write(folder_path("file"), &file), CUSEQ_STATUS_INVALID_ARGUMENT, "%s",
                 cases[i].reason);
    cr_assert(strstr(error_text(), cases[i].reason), "%s", error_text());
    cr_assert(strstr(error_text(), "/file: tensor '"), "%s", error_text());
  }
  struct safetensors_pair twice[] = {{"a", "1"}, {"a", "2"}}, wrong[] = {{"a", "\xff"}};
  cr_assert_eq(
      safetensors_write(folder_path("file"), &(struct safetensors){.metadata = twice, .metadata_count = 2}),
      CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert_eq(
      safetensors_write(folder_path("file"), &(struct safetensors){.metadata = wrong, .metadata_count = 1}),
      CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert_eq(folder_entries(), 0);
}

Test(safetensors_write, on_a_full_disk_is_an_error_and_leaves_the_old_file) {
  struct rlimit limit = {100, RLIM_INFINITY};
  folder_write("a", "old", 3);
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_assert_eq(safetensors_write(folder_path("a"), &some_file), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(),
                   "cannot be written (File too large; the limit of the size of a file (ulimit -f) is "),
            "%s", error_text());
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
}
