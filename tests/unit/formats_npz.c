/* .npz archives of numpy are read, and what is written is read back. */
#include "formats/npz.h"

#include "error.h"
#include "support/compare.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(npz_write, .init = folder_make, .fini = folder_remove);

/* The value of element (i, j, k) of every array that make_format_files.py writes. */
static double golden_value(int element, enum npy_dtype dtype) {
  return 100 * (element / 12) + 10 * (element / 4 % 3) + element % 4 - (dtype == NPY_U8 ? 0 : 50);
}

static void assert_golden(const char *path) {
  static const char *const kinds[] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1"};
  struct npz archive;
  cr_assert_eq(npz_read(path, &archive), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(archive.count, 32);
  for (int dtype = NPY_F16; dtype <= NPY_U8; dtype++)
    for (int variant = 0; variant < 4; variant++) {
      char name[32];
      snprintf(name, sizeof name, "%s_%s_%c", kinds[dtype], variant & 1 ? "big" : "little",
               variant & 2 ? 'F' : 'C');
      struct npy_array *array = (struct npy_array *)npz_find(&archive, name);
      cr_assert_not_null(array, "%s", name);
      cr_assert_eq(array->dtype, (enum npy_dtype)dtype);
      cr_assert(array->rank == 3 && array->shape[0] == 2 && array->shape[1] == 3 && array->shape[2] == 4);
      cr_assert_eq(npy_to_f32(array), CUSEQ_STATUS_OK);
      for (int i = 0; i < 24; i++)
        cr_assert_eq(((float *)array->data)[i], golden_value(i, (enum npy_dtype)dtype), "%s: element %d",
                     name, i);
    }
  cr_assert_null(npz_find(&archive, "f4"));
  npz_free(&archive);
  npz_free(&archive);
}

Test(npz, stored_arrays_of_numpy_with_zip64_fields_are_read) {
  assert_golden("tests/golden/formats/stored.npz");
}

Test(npz, deflated_arrays_of_numpy_are_read) {
  assert_golden("tests/golden/formats/deflated.npz");
}

/* Three arrays, one of them larger than what is read at a time and not a multiple of it. */
enum { LARGE = 100003 };
struct three {
  double large[LARGE];
  int32_t ids[6];
  float number[1];
  struct npz_entry entries[3];
  struct npz archive;
};

static struct three *make_three(void) {
  struct three *three = calloc(1, sizeof *three);
  for (int i = 0; i < LARGE; i++)
    three->large[i] = (double)i * i / 7 - 1e6;
  for (int i = 0; i < 6; i++)
    three->ids[i] = i - 3;
  three->number[0] = 0.25f;
  three->entries[0] = (struct npz_entry){"large", {NPY_F64, 1, {LARGE}, LARGE, three->large}};
  three->entries[1] = (struct npz_entry){"ids", {NPY_I32, 2, {2, 3}, 6, three->ids}};
  three->entries[2] = (struct npz_entry){"Zahl-ä/../x", {NPY_F32, 3, {1, 1, 1}, 1, three->number}};
  three->archive = (struct npz){three->entries, 3};
  return three;
}

static void assert_read_back(enum npz_compression compression) {
  struct three *three = make_three();
  struct npz back;
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, compression), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_assert_eq(folder_entries(), 1);
  cr_assert_eq(npz_read(folder_path("a.npz"), &back), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(back.count, 3);
  for (int i = 0; i < 3; i++) {
    const struct npy_array *got = &back.entries[i].array, *want = &three->entries[i].array;
    cr_assert_str_eq(back.entries[i].name, three->entries[i].name);
    cr_assert(got->dtype == want->dtype && got->rank == want->rank && got->count == want->count);
    assert_same_bytes(got->shape, want->shape, sizeof got->shape[0] * (size_t)want->rank);
    assert_same_bytes(got->data, want->data, want->count * npy_item_size(want->dtype));
  }
  npz_free(&back);
  free(three);
}

Test(npz_write, stored_arrays_are_read_back) {
  assert_read_back(NPZ_STORED);
}

Test(npz_write, deflated_arrays_are_read_back) {
  assert_read_back(NPZ_DEFLATED);
}

Test(npz_write, the_same_arrays_give_the_same_bytes) {
  struct three *three = make_three();
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_OK);
  cr_assert_eq(npz_write(folder_path("b.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_OK);
  FILE *stream = fopen(folder_path("a.npz"), "rb");
  static unsigned char bytes[LARGE * 8 + 4096];
  size_t size = fread(bytes, 1, sizeof bytes, stream);
  cr_assert(size > LARGE * 8 && size < sizeof bytes);
  cr_assert(folder_has("b.npz", bytes, size));
  fclose(stream);
  free(three);
}

Test(npz_write, deflated_arrays_take_less_room) {
  struct three *three = make_three();
  memset(three->large, 0, sizeof three->large);
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, NPZ_DEFLATED), CUSEQ_STATUS_OK);
  FILE *stream = fopen(folder_path("a.npz"), "rb");
  cr_assert(stream && fseek(stream, 0, SEEK_END) == 0 && ftell(stream) < LARGE);
  fclose(stream);
  free(three);
}

Test(npz_write, two_arrays_of_a_name_are_refused_and_nothing_written) {
  struct three *three = make_three();
  three->entries[1].name = "large";
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert(strstr(error_text(), "a.npz: 'large': cannot be written"), "%s", error_text());
  cr_assert_eq(folder_entries(), 0);
  free(three);
}

Test(npz_write, an_array_that_cannot_be_written_is_named) {
  struct three *three = make_three();
  three->entries[1].array.rank = 0;
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert(strstr(error_text(), "a.npz: ids: shape: a single number"), "%s", error_text());
  cr_assert_eq(folder_entries(), 0);
  free(three);
}

Test(npz_write, no_arrays_are_refused) {
  struct npz none = {0};
  cr_assert_eq(npz_write(folder_path("a.npz"), &none, NPZ_STORED), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_assert(strstr(error_text(), "no arrays to write"), "%s", error_text());
  cr_assert_eq(folder_entries(), 0);
}

Test(npz_write, on_a_full_disk_is_an_error_and_leaves_the_old_file) {
  struct three *three = make_three();
  struct rlimit limit = {100000, RLIM_INFINITY};
  folder_write("a.npz", "old", 3);
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_assert_eq(npz_write(folder_path("a.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_IO);
  cr_assert(
      strstr(error_text(),
             "a.npz: cannot be written (File too large; the limit of the size of a file (ulimit -f) is "),
      "%s", error_text());
  cr_assert(folder_has("a.npz", "old", 3));
  cr_assert_eq(folder_entries(), 1);
  free(three);
}

Test(npz_write, in_a_missing_folder_is_an_error) {
  struct three *three = make_three();
  cr_assert_eq(npz_write(folder_path("missing/a.npz"), &three->archive, NPZ_STORED), CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "missing/a.npz: cannot be written"), "%s", error_text());
  free(three);
}
