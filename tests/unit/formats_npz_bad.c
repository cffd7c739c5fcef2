/* Archives that are damaged, hostile or something else get one line that says why, and no memory. */
#include "formats/npz.h"

#include "error.h"
#include "support/archive.h"
#include "support/bytes.h"
#include "support/folder.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

TestSuite(npz_file, .init = folder_make, .fini = folder_remove);

static struct bytes array_file(const char *shape, size_t data_bytes) {
  struct bytes file = {0};
  char dictionary[128];
  snprintf(dictionary, sizeof dictionary, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
  bytes_add(&file, "\x93NUMPY\1\0", 8);
  bytes_add_little_endian(&file, strlen(dictionary), 2);
  bytes_add_text(&file, dictionary);
  bytes_add_repeated(&file, "x", data_bytes);
  return file;
}

static void assert_refused(const struct bytes *file, const char *reason) {
  struct npz archive;
  unsigned char *exact = malloc(file->size + !file->size);
  if (file->size > 0)
    memcpy(exact, file->data, file->size);
  cuseq_status status = npz_parse(exact, file->size, &archive);
  free(exact);
  cr_assert_eq(status, CUSEQ_STATUS_INVALID_FILE, "%d (%s) instead of: %s", status, error_text(), reason);
  cr_assert(strstr(error_text(), reason), "%s instead of: %s", error_text(), reason);
  cr_assert(archive.entries == NULL && archive.count == 0);
}

static void assert_member_refused(struct member member, const char *shape, size_t data_bytes,
                                  const char *reason) {
  struct bytes array = array_file(shape, data_bytes);
  member.data = array.data;
  member.size = array.size;
  struct bytes file = archive_of(&member, 1);
  assert_refused(&file, reason);
  bytes_free(&file);
  bytes_free(&array);
}

Test(npz_bad, an_archive_made_by_hand_is_read_so_that_the_others_are_refused_for_their_reason_alone) {
  struct bytes array = array_file("(3,)", 3);
  struct member members[] = {{.name = "a.npy", .data = array.data, .size = array.size},
                             {.name = "../../b.npy", .data = array.data, .size = array.size}};
  struct bytes file = archive_of(members, 2);
  struct npz archive;
  cr_assert_eq(npz_parse(file.data, file.size, &archive), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(archive.count, 2);
  cr_assert_str_eq(archive.entries[1].name, "../../b");
  npz_free(&archive);
  bytes_free(&file);
  bytes_free(&array);
}

Test(npz_bad, other_kinds_of_file_are_refused_by_what_they_are) {
  struct bytes empty = {0}, npy = array_file("(3,)", 3), text = {0}, no_members = archive_of(NULL, 0);
  bytes_add_text(&text, "hello, world; this is no archive of any kind");
  assert_refused(&empty, "archive: the file is empty");
  assert_refused(&npy, "archive: a single .npy array (an .npz is needed)");
  assert_refused(&text, "archive: cannot be read (Not a zip archive)");
  assert_refused(&no_members, "archive: no arrays in it");
  bytes_free(&npy);
  bytes_free(&text);
  bytes_free(&no_members);
}

Test(npz_bad, members_that_are_not_arrays_are_refused) {
  assert_member_refused((struct member){.name = "config.json"}, "(3,)", 3, "'config.json': not an array");
  assert_member_refused((struct member){.name = ".npy"}, "(3,)", 3, "'.npy': not an array");
  struct member text = {.name = "a.npy", .data = "hello", .size = 5},
                empty = {.name = "b.npy", .data = "", .size = 0};
  struct bytes file = archive_of(&text, 1);
  assert_refused(&file, "a.npy: header: not an .npy file");
  bytes_free(&file);
  file = archive_of(&empty, 1);
  assert_refused(&file, "b.npy: header: the file is empty");
  bytes_free(&file);
}

Test(npz_bad, arrays_that_lie_about_their_shape_are_refused) {
  assert_member_refused((struct member){.name = "a.npy"}, "(4,)", 3,
                        "a.npy: data: shape and dtype need 4 bytes (there are 3)");
  assert_member_refused((struct member){.name = "a.npy"}, "(2,)", 3,
                        "a.npy: data: shape and dtype need 2 bytes");
  assert_member_refused((struct member){.name = "a.npy"}, "(1000000000000000000,)", 3,
                        "a.npy: data: shape and dtype");
  assert_member_refused((struct member){.name = "a.npy"}, "()", 1, "a.npy: shape: a single number");
}

Test(npz_bad, two_arrays_of_a_name_are_refused) {
  struct bytes array = array_file("(3,)", 3);
  struct member members[] = {{.name = "a.npy", .data = array.data, .size = array.size},
                             {.name = "b.npy", .data = array.data, .size = array.size},
                             {.name = "a.npy", .data = array.data, .size = array.size}};
  struct bytes file = archive_of(members, 3);
  assert_refused(&file, "'a': two arrays of this name");
  bytes_free(&file);
  bytes_free(&array);
}

Test(npz_bad, encrypted_members_are_refused) {
  assert_member_refused((struct member){.name = "a.npy", .flags = 1}, "(3,)", 3, "'a.npy': encrypted");
}

Test(npz_bad, other_compressions_are_refused_by_number) {
  assert_member_refused((struct member){.name = "a.npy", .method = 12}, "(3,)", 3,
                        "'a.npy': compressed by method 12 (stored and deflated can be read)");
}

Test(npz_bad, a_wrong_checksum_is_refused) {
  assert_member_refused((struct member){.name = "a.npy", .told_checksum_change = 1}, "(3,)", 3,
                        "a.npy: cannot be read (CRC error)");
}

Test(npz_bad, a_size_that_is_not_there_is_refused) {
  assert_member_refused((struct member){.name = "a.npy", .told_size = 4000000000u}, "(3,)", 3,
                        "'a.npy': unpacks to too much (4000000000 bytes;");
  assert_member_refused((struct member){.name = "a.npy", .told_size = 1000000}, "(3,)", 3, "a.npy: ");
  assert_member_refused((struct member){.name = "a.npy", .told_size = 20}, "(3,)", 3, "a.npy: ");
}

Test(npz_bad, garbage_in_place_of_deflated_data_is_refused) {
  assert_member_refused((struct member){.name = "a.npy", .method = 8}, "(3,)", 3, "a.npy: cannot be read");
}

Test(npz_bad, every_truncation_is_refused) {
  struct bytes array = array_file("(3,)", 3);
  struct member member = {.name = "a.npy", .data = array.data, .size = array.size};
  struct bytes file = archive_of(&member, 1);
  size_t whole = file.size;
  for (file.size = 0; file.size < whole; file.size++)
    assert_refused(&file, "archive: ");
  bytes_free(&file);
  bytes_free(&array);
}

Test(npz_bad, a_changed_byte_is_refused_or_read_without_harm) {
  struct bytes array = array_file("(3,)", 3);
  struct member member = {.name = "a.npy", .data = array.data, .size = array.size};
  struct bytes file = archive_of(&member, 1);
  size_t refused = 0;
  for (size_t i = 0; i < file.size; i++)
    for (int change = 1; change < 256; change += 7) {
      struct npz archive;
      file.data[i] ^= (unsigned char)change;
      refused += npz_parse(file.data, file.size, &archive) != CUSEQ_STATUS_OK;
      npz_free(&archive);
      file.data[i] ^= (unsigned char)change;
    }
  cr_assert(refused > file.size * 10, "%zu",
            refused); /* of 37 changes to each byte; dates and the like do no harm */
  bytes_free(&file);
  bytes_free(&array);
}

Test(npz_file, errors_name_the_file) {
  struct npz archive;
  cr_assert_eq(npz_read(folder_write("a.npz", "junk", 4), &archive), CUSEQ_STATUS_INVALID_FILE);
  cr_assert(strstr(error_text(), "a.npz: archive: cannot be read"), "%s", error_text());
  cr_assert_eq(npz_read(folder_path("b.npz"), &archive), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "b.npz: cannot be opened"), "%s", error_text());
  npz_free(&archive);
}

/* An archive of deflated zeros: the header of a real array, and `megabytes` of data. */
static const char *write_bomb(size_t megabytes) {
  char shape[32];
  snprintf(shape, sizeof shape, "(%zu,)", megabytes << 20);
  struct bytes start = array_file(shape, 0);
  unsigned char *zeros = calloc(megabytes, 1 << 20);
  zip_buffer_fragment_t fragments[] = {{start.data, start.size}, {zeros, megabytes << 20}};
  const char *path = folder_path("bomb.npz");
  zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
  cr_assert(zip && zip_file_add(zip, "a.npy", zip_source_buffer_fragment(zip, fragments, 2, 0), 0) == 0);
  cr_assert_eq(zip_close(zip), 0);
  free(zeros);
  bytes_free(&start);
  return path;
}

Test(npz_file, that_is_a_zip_bomb_is_refused_before_memory_is_spent) {
  const char *path = write_bomb(100);
  if (!memory_limit(64 << 20))
    cr_skip_test("memory cannot be limited under a sanitizer");
  struct npz archive;
  cr_assert_eq(npz_read(path, &archive), CUSEQ_STATUS_INVALID_FILE);
  cr_assert(strstr(error_text(), "bomb.npz: 'a.npy': unpacks to too much (10485"), "%s", error_text());
}

Test(npz_file, that_is_as_large_unpacked_as_is_allowed_is_read_in_its_bound) {
  const char *path = write_bomb(39);
  if (!memory_limit(64 << 20))
    cr_skip_test("memory cannot be limited under a sanitizer");
  struct npz archive;
  cr_assert_eq(npz_read(path, &archive), CUSEQ_STATUS_OK, "%s", error_text());
  npz_free(&archive);
}

Test(npz_bad, a_directory_of_millions_of_entries_is_refused_before_memory_is_spent) {
  struct bytes file = {0};
  struct member member = {.name = "", .data = "", .size = 0};
  enum { COUNT = 300000 };
  for (int i = 0; i < COUNT; i++) {
    bytes_add(&file, "PK\1\2\x14\0\x14\0", 8);
    archive_add_common(&file, &member);
    bytes_add_little_endian(&file, 0, 14);
  }
  uint64_t size = file.size;
  bytes_add(&file, "PK\6\6\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0", 24);
  bytes_add_little_endian(&file, COUNT, 8);
  bytes_add_little_endian(&file, COUNT, 8);
  bytes_add_little_endian(&file, size, 8);
  bytes_add_little_endian(&file, 0, 8);
  bytes_add(&file, "PK\6\7\0\0\0\0", 8);
  bytes_add_little_endian(&file, size, 8);
  bytes_add_little_endian(&file, 1, 4);
  bytes_add(&file, "PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0", 22);
  if (!memory_limit(file.size + (64 << 20)))
    cr_skip_test("memory cannot be limited under a sanitizer");
  struct npz archive;
  cr_assert_eq(npz_parse(file.data, file.size, &archive), CUSEQ_STATUS_INVALID_FILE);
  cr_assert(strstr(error_text(), "archive: too many entries (at most 16384)"), "%s", error_text());
}
