/* Files are told by what they hold: those of other programs in golden/kinds, our own, damaged and strange
 * ones. Run from the repository's root. */
#include "formats/file_kind.h"

#include "error.h"
#include "support/bytes.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define GOLDEN "tests/golden/"

TestSuite(file_kind, .init = folder_make, .fini = folder_remove);

static void expect_kind(const char *path, enum file_kind wanted) {
  enum file_kind kind;
  cr_assert_eq(file_kind_find(path, &kind), CUSEQ_STATUS_OK, "%s", error_text());
  const char *got = file_kind_name(kind), *want = file_kind_name(wanted);
  cr_expect_eq(kind, wanted, "%s: %s, wanted %s", path, got ? got : "unknown", want ? want : "unknown");
}

static void expect_bytes(const void *bytes, size_t size, enum file_kind wanted) {
  expect_kind(folder_write("a", bytes, size), wanted);
}

Test(file_kind, of_other_programs_files_is_told) {
  static const struct {
    const char *name;
    enum file_kind kind;
  } files[] = {
      {"kinds/architecture.json", FILE_KIND_JSON},
      {"kinds/before_1_6.pth", FILE_KIND_TORCH},
      {"kinds/checkpoint.pt", FILE_KIND_TORCH},
      {"kinds/ckpt.index", FILE_KIND_TF_CHECKPOINT},
      {"kinds/model.onnx", FILE_KIND_ONNX},
      {"kinds/model.tflite", FILE_KIND_TFLITE},
      {"kinds/saved_model", FILE_KIND_SAVED_MODEL},
      {"kinds/saved_model/saved_model.pb", FILE_KIND_SAVED_MODEL},
      {"kinds/script.pt", FILE_KIND_TORCH},
      {"kinds/state_dict.safetensors", FILE_KIND_NAMED_ARRAYS},
      {"kinds/weights.h5", FILE_KIND_HDF5},
      {"kinds/weights.pkl", FILE_KIND_PICKLE},
      {"formats/stored.npz", FILE_KIND_NPZ},
      {"formats/deflated.npz", FILE_KIND_NPZ},
      {"formats/version1.npy", FILE_KIND_NPY},
      {"formats/version3.npy", FILE_KIND_NPY},
      {"index.c", FILE_KIND_TEXT},
      {"dates.tsv", FILE_KIND_TEXT},
      {"pytorch/packed.json", FILE_KIND_JSON},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[200];
    snprintf(path, sizeof path, GOLDEN "%s", files[i].name);
    expect_kind(path, files[i].kind);
  }
}

/* Every file of a folder whose name ends so. */
static size_t expect_folder(const char *name, const char *ending, enum file_kind kind) {
  size_t count = 0;
  DIR *folder = opendir(name);
  cr_assert(folder, "%s", name);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    size_t length = strlen(entry->d_name), wanted = strlen(ending);
    if (length <= wanted || strcmp(entry->d_name + length - wanted, ending) != 0)
      continue;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
    expect_kind(path, kind);
    count++;
  }
  closedir(folder);
  return count;
}

Test(file_kind, of_all_golden_files_is_told) {
  cr_expect(expect_folder(GOLDEN "keras", ".keras", FILE_KIND_KERAS) > 50);
  cr_expect(expect_folder(GOLDEN "keras", ".h5", FILE_KIND_KERAS) > 30);
  cr_expect(expect_folder(GOLDEN "keras", ".npz", FILE_KIND_NPZ) > 50);
  cr_expect(expect_folder(GOLDEN "models", ".safetensors", FILE_KIND_CUSEQ_MODEL) > 50);
  cr_expect(expect_folder(GOLDEN "pytorch", ".safetensors", FILE_KIND_NAMED_ARRAYS) > 15);
}

Test(file_kind, of_small_and_strange_files_is_told) {
  expect_bytes("", 0, FILE_KIND_EMPTY);
  expect_bytes("x", 1, FILE_KIND_TEXT);
  expect_bytes("\1\2\3", 3, FILE_KIND_UNKNOWN);
  expect_bytes("\xff\xfe{\0}\0", 6, FILE_KIND_UNKNOWN); /* UTF-16: the reader of texts has the words for it */
  expect_bytes("\xef\xbb\xbf \n[1]", 8, FILE_KIND_JSON);
  expect_bytes("{\"weight_map\": {}}", 18, FILE_KIND_SHARDS);
  expect_bytes("\n<HTML>", 7, FILE_KIND_WEB_PAGE);
  expect_bytes("version https://git-lfs.github.com/spec/v1\n", 43, FILE_KIND_LFS_POINTER);
  expect_bytes("model_checkpoint_path: \"ckpt\"\n", 30, FILE_KIND_TF_CHECKPOINT);
  expect_bytes("\x1f\x8b\x08\0", 4, FILE_KIND_COMPRESSED);
  expect_bytes("BZh91AY&SY", 10, FILE_KIND_COMPRESSED);
  expect_bytes("BZhang\tBZ\n", 10, FILE_KIND_TEXT);
  expect_bytes("\x89HDF\r\n\x1a\n", 8, FILE_KIND_HDF5);
  expect_bytes("PK\3\4", 4, FILE_KIND_BROKEN_ZIP);
  expect_bytes("\x80\4\x95.", 4, FILE_KIND_PICKLE);
  expect_bytes("\x80\4\x95", 3, FILE_KIND_UNKNOWN);
}

static void expect_header(const char *json, enum file_kind wanted) {
  struct bytes bytes = {0};
  bytes_add_little_endian(&bytes, strlen(json), 8);
  bytes_add_text(&bytes, json);
  expect_bytes(bytes.data, bytes.size, wanted);
  bytes_free(&bytes);
}

Test(file_kind, of_safetensors_is_told_by_its_metadata) {
  expect_header("{\"__metadata__\":{\"a\":\"b\",\"cuseq\":\"{}\"}}", FILE_KIND_CUSEQ_MODEL);
  expect_header("{\"__metadata__\":{\"cuseq\":1}}", FILE_KIND_NAMED_ARRAYS);
  expect_header("{\"cuseq\":\"{}\"}", FILE_KIND_NAMED_ARRAYS);
  expect_header("{}", FILE_KIND_NAMED_ARRAYS);
  expect_header("{\"__metadata__\":{\"cuseq\":\"{}\"}", FILE_KIND_BROKEN_SAFETENSORS);
  expect_header("{\n}", FILE_KIND_NAMED_ARRAYS);
  expect_header("{x}", FILE_KIND_UNKNOWN);
}

static const char *write_zip(const char *const *names, size_t count) {
  const char *path = folder_path("zip");
  int code;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  cr_assert(zip);
  for (size_t i = 0; i < count; i++)
    cr_assert(zip_file_add(zip, names[i], zip_source_buffer(zip, "x", 1, 0), 0) >= 0);
  cr_assert(zip_close(zip) == 0);
  return path;
}

Test(file_kind, of_archives_is_told_by_all_their_members) {
  static const char *const keras[] = {"model.weights.h5", "assets/words.txt", "config.json", "metadata.json"};
  static const char *const torch[] = {"m/data/0", "m/version", "m/data.pkl"};
  static const char *const exported[] = {"m/data/weights/weight_0", "m/models/model.json",
                                         "m/archive_format"};
  static const char *const arrays[] = {"a.npy", "b/c.npy", "notes.txt"};
  expect_kind(write_zip(keras, 4), FILE_KIND_KERAS);
  expect_kind(write_zip(keras + 2, 1), FILE_KIND_ZIP);
  expect_kind(write_zip(torch, 3), FILE_KIND_TORCH);
  expect_kind(write_zip(exported, 3), FILE_KIND_TORCH);
  expect_kind(write_zip(torch, 2), FILE_KIND_ZIP);
  expect_kind(write_zip(arrays, 2), FILE_KIND_NPZ);
  expect_kind(write_zip(arrays, 3), FILE_KIND_ZIP);
}

/* Words that lie across the pieces in which a file is looked through are found. */
Test(file_kind, of_hdf5_does_not_depend_on_where_its_configuration_lies) {
  enum { PIECE = 1 << 16 };
  for (size_t at = PIECE - 14; at < PIECE + 2; at++) {
    struct bytes bytes = {0};
    bytes_add(&bytes, "\x89HDF\r\n\x1a\n", 8);
    bytes_add_repeated(&bytes, "m", at - 8);
    expect_bytes(bytes.data, bytes.size, FILE_KIND_HDF5);
    bytes_add_text(&bytes, "model_config");
    expect_bytes(bytes.data, bytes.size, FILE_KIND_KERAS);
    bytes_free(&bytes);
  }
}

Test(file_kind, of_archives_with_very_many_members_is_not_looked_for) {
  struct bytes bytes = {0};
  bytes_add_text(&bytes, "PK\3\4");
  bytes_add_repeated(&bytes, "PK\1\2", 1 << 16);
  expect_bytes(bytes.data, bytes.size, FILE_KIND_ZIP);
  bytes_free(&bytes);
}

Test(file_kind, of_what_cannot_be_read_is_an_error) {
  enum file_kind kind;
  cr_expect_eq(file_kind_find(folder_path("absent"), &kind), CUSEQ_STATUS_IO);
  cr_expect(strstr(error_text(), "absent: cannot be opened") != NULL, "%s", error_text());
  cr_expect_eq(file_kind_find(folder_path("."), &kind), CUSEQ_STATUS_IO);
  cr_expect(strstr(error_text(), "it is a folder") != NULL, "%s", error_text());
  cr_expect_eq(file_kind_find("/dev/null", &kind), CUSEQ_STATUS_IO);
  cr_expect_eq(kind, FILE_KIND_UNKNOWN);
}

/* Cut at every length and changed at every byte: some kind, and no harm. */
Test(file_kind, of_damaged_files_is_some_kind) {
  static const char *const names[] = {"kinds/checkpoint.pt", "kinds/model.onnx",
                                      "kinds/state_dict.safetensors", "kinds/weights.pkl"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[200];
    unsigned char bytes[4096];
    enum file_kind kind;
    snprintf(path, sizeof path, GOLDEN "%s", names[i]);
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at < size; at += at < 200 ? 1 : 7) {
      cr_assert_eq(file_kind_find(folder_write("a", bytes, at), &kind), CUSEQ_STATUS_OK);
      cr_assert((int)kind < FILE_KINDS);
      bytes[at] ^= 0xff;
      cr_assert_eq(file_kind_find(folder_write("a", bytes, size), &kind), CUSEQ_STATUS_OK);
      cr_assert((int)kind < FILE_KINDS);
      bytes[at] ^= 0xff;
    }
  }
}
