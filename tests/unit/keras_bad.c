/* Keras files that are damaged, cut short, not what they say, or hostile: each gets an error that names the
 * file, and neither a crash nor a hang, a descriptor, a child or a file is left behind. Run from the
 * repository's root. */
#include "convert/convert.h"
#include "formats/hdf5/process.h"
#include "support/bytes.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#define GOLDEN "tests/golden/keras/"

TestSuite(keras_bad, .init = folder_make, .fini = folder_remove);

static struct bytes read_whole(const char *path) {
  struct bytes bytes = {0};
  FILE *file = fopen(path, "rb");
  cr_assert(file, "%s: %s", path, strerror(errno));
  char chunk[4096];
  for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
    bytes_add(&bytes, chunk, got);
  fclose(file);
  cr_assert(bytes.size > 0, "%s is empty", path);
  return bytes;
}

static size_t open_descriptors(void) {
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  cr_assert(folder);
  while (readdir(folder) != NULL)
    count++;
  closedir(folder);
  return count;
}

/* Converts; an error begins with the file's name, is one line and leaves no model. */
static cuseq_status convert(const char *path) {
  cuseq_model *model = (cuseq_model *)1;
  char *notes = (char *)1;
  hdf5_process_set_program(HDF5_PROGRAM);
  cuseq_status status = keras_convert(path, NULL, NULL, NULL, &model, &notes);
  if (status != CUSEQ_STATUS_OK) {
    const char *text = cuseq_last_error();
    cr_expect(model == NULL && notes == NULL, "%s: a model or notes beside an error", path);
    cr_expect(strncmp(text, path, strlen(path)) == 0 && text[strlen(path)] == ':', "%s: %s", path, text);
    cr_expect(strchr(text, '\n') == NULL, "more than a line: %s", text);
  } else {
    cr_expect(model != NULL);
    cuseq_model_destroy(model);
    free(notes);
  }
  return status;
}

static void expect_error(const char *path, const char *words) {
  cr_expect(convert(path) != CUSEQ_STATUS_OK, "%s was converted", path);
  cr_expect(strstr(cuseq_last_error(), words), "\"%s\" is not in: %s", words, cuseq_last_error());
}

Test(keras_bad, what_is_no_keras_file_is_said_to_be_none) {
  expect_error(folder_path("missing.h5"), "No such file");
  expect_error(folder_path("."), "not a regular file");
  expect_error(folder_write("empty.h5", "", 0), "empty");
  expect_error(folder_write("text.keras", "{\"class_name\":1}", 16), "neither HDF5");
  expect_error(folder_write("short.h5", "\x89HDF\r\n\x1a\n", 8), "not a readable HDF5 file");
  expect_error(folder_write("zip.keras", "PK\3\4 and nothing behind it", 26),
               "not a readable .keras archive");
}

Test(keras_bad, missing_hdf5_program_is_named) {
  cuseq_model *model = NULL;
  hdf5_process_set_program(folder_path("cuseq-hdf5"));
  cr_expect(keras_convert(GOLDEN "exercise_keras2.h5", NULL, NULL, NULL, &model, NULL) == CUSEQ_STATUS_IO);
  cr_expect(strstr(cuseq_last_error(), "cuseq-hdf5"), "%s", cuseq_last_error());
}

/* ---- the child process ---------------------------------------------------------------------------- */

/* A program in the place of cuseq-hdf5. */
static const char *write_program(const char *name, const char *text) {
  const char *path = folder_write(name, text, strlen(text));
  static const char *const mode = "chmod +x '%s'";
  char command[4096];
  snprintf(command, sizeof command, mode, path);
  cr_assert(system(command) == 0);
  return path;
}

static void expect_child_error(const char *script, const char *words) {
  cuseq_model *model = NULL;
  hdf5_process_set_program(write_program("stand-in", script));
  size_t descriptors = open_descriptors();
  cr_expect(keras_convert(GOLDEN "exercise_keras2.h5", NULL, NULL, NULL, &model, NULL) ==
                CUSEQ_STATUS_INVALID_FILE,
            "%s", script);
  cr_expect(strstr(cuseq_last_error(), "not a readable HDF5 file"), "%s", cuseq_last_error());
  cr_expect(strstr(cuseq_last_error(), words), "\"%s\" is not in: %s", words, cuseq_last_error());
  cr_expect(open_descriptors() == descriptors);
  cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}

Test(keras_bad, whatever_the_child_dies_of_is_an_error_of_the_file) {
  expect_child_error("#!/bin/sh\nkill -SEGV $$\n", "died of signal 11");
  expect_child_error("#!/bin/sh\nkill -ABRT $$\n", "died of signal 6");
  expect_child_error("#!/bin/sh\nkill -XCPU $$\n", "takes too long");
  expect_child_error("#!/bin/sh\nprintf 'cuseqH5\\001'\n", "its reader stopped");
  expect_child_error("#!/bin/sh\nprintf 'something else entirely'\n", "its reader stopped");
  expect_child_error("#!/bin/sh\nexec cat /dev/zero\n", "larger than the file");
}

/* ---- damage --------------------------------------------------------------------------------------- */

/* A generator of its own, so that the mutations are the same everywhere. */
static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* One to four changes of a byte, of a run, or of a whole number. */
static void mutate(struct bytes *bytes, uint32_t *state) {
  for (uint32_t changes = 1 + next_random(state) % 4; changes > 0; changes--) {
    size_t at = next_random(state) % bytes->size;
    size_t run = 1 + next_random(state) % 8;
    switch (next_random(state) % 4) {
    case 0:
      bytes->data[at] ^= (unsigned char)(1u << next_random(state) % 8);
      break;
    case 1:
      for (size_t i = at; i < at + run && i < bytes->size; i++)
        bytes->data[i] = 0xff;
      break;
    case 2:
      for (size_t i = at; i < at + run && i < bytes->size; i++)
        bytes->data[i] = 0;
      break;
    default:
      bytes->data[at] = (unsigned char)next_random(state);
    }
  }
}

/* Converts many mutations of a file; they may convert, as a flipped bit of a weight does. */
static void convert_mutations(const char *source, const char *name, size_t first, size_t last, int count) {
  struct bytes whole = read_whole(source);
  uint32_t state = 12345;
  int refused = 0;
  size_t descriptors = 0;
  for (int i = 0; i < count; i++) {
    struct bytes copy = {0};
    bytes_add(&copy, whole.data, whole.size);
    struct bytes part = {.data = copy.data + first, .size = (last < copy.size ? last : copy.size) - first};
    mutate(&part, &state);
    refused += convert(folder_write(name, copy.data, copy.size)) != CUSEQ_STATUS_OK;
    bytes_free(&copy);
    cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "mutation %d left a child", i);
    if (i == 0)
      descriptors = open_descriptors();
  }
  cr_expect(refused > 0, "no mutation of %s was refused", source);
  cr_expect(open_descriptors() == descriptors, "descriptors are left");
  cr_expect(folder_entries() == 1, "%zu files are left", folder_entries() - 1);
  bytes_free(&whole);
}

Test(keras_bad, mutated_hdf5_files_do_no_harm, .timeout = 600) {
  convert_mutations(GOLDEN "exercise_keras2.h5", "m.h5", 0, SIZE_MAX, 150);
}

Test(keras_bad, mutated_structures_of_hdf5_do_no_harm, .timeout = 600) {
  convert_mutations(GOLDEN "states_keras2.h5", "m.h5", 0, 2048, 150);
}

Test(keras_bad, mutated_archives_do_no_harm, .timeout = 600) {
  convert_mutations(GOLDEN "exercise.keras", "m.keras", 0, SIZE_MAX, 150);
}

static void convert_cuts(const char *source, const char *name) {
  struct bytes whole = read_whole(source);
  for (size_t i = 0; i < 64; i++) {
    size_t size = whole.size * i / 64;
    cr_expect(convert(folder_write(name, whole.data, size)) != CUSEQ_STATUS_OK, "%zu bytes of %s converted",
              size, source);
  }
  cr_expect(folder_entries() == 1);
  bytes_free(&whole);
}

Test(keras_bad, files_cut_short_are_refused, .timeout = 600) {
  convert_cuts(GOLDEN "exercise_keras2.h5", "cut");
  convert_cuts(GOLDEN "exercise.keras", "cut");
}

/* ---- archives that lie ---------------------------------------------------------------------------- */

/* An archive of these members, deflated. NULL ends the list of names. */
static const char *write_archive(const char *name, const char *const *names, const struct bytes *members) {
  const char *path = folder_path(name);
  int code;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  cr_assert(zip);
  for (size_t i = 0; names[i] != NULL; i++) {
    zip_source_t *source = zip_source_buffer(zip, members[i].data, members[i].size, 0);
    cr_assert(source && zip_file_add(zip, names[i], source, ZIP_FL_OVERWRITE) >= 0);
  }
  cr_assert(zip_close(zip) == 0);
  return path;
}

Test(keras_bad, archives_that_lack_a_member_or_have_other_json_are_refused) {
  static const char *const all[] = {"metadata.json", "config.json", "model.weights.h5", NULL};
  static const char *const two[] = {"metadata.json", "config.json", NULL};
  struct bytes members[3] = {{0}};
  bytes_add_text(&members[0], "{\"keras_version\":\"3.0.0\"}");
  bytes_add_text(&members[1], "{\"class_name\":\"Functional\",\"config\":{}}");
  bytes_add_text(&members[2], "not HDF5 at all");
  expect_error(write_archive("two.keras", two, members), "model.weights.h5: missing");
  expect_error(write_archive("bad.keras", all, members), "not a readable HDF5 file");
  members[1].size = 5;
  expect_error(write_archive("json.keras", all, members), "config.json: not JSON");
  members[0].size = 0;
  bytes_add_text(&members[0], "[]");
  expect_error(write_archive("metadata.keras", all, members), "metadata.json");
  for (int i = 0; i < 3; i++)
    bytes_free(&members[i]);
}

Test(keras_bad, the_json_of_an_archive_may_begin_with_a_byte_order_mark) {
  static const char *const all[] = {"metadata.json", "config.json", "model.weights.h5", NULL};
  struct bytes members[3] = {{0}};
  bytes_add_text(&members[0], "\xef\xbb\xbf{\"keras_version\":\"3.0.0\"}");
  bytes_add_text(&members[1], "\xef\xbb\xbf{\"class_name\":\"Functional\",\"config\":{}}");
  bytes_add_text(&members[2], "not HDF5 at all");
  expect_error(write_archive("marked.keras", all, members), "not a readable HDF5 file");
  bytes_free(&members[1]);
  bytes_add(&members[1], "\xff\xfe{\0", 4);
  expect_error(write_archive("utf16.keras", all, members), "config.json: UTF-16 (needed UTF-8");
  for (int i = 0; i < 3; i++)
    bytes_free(&members[i]);
}

Test(keras_bad, archives_of_more_entries_than_a_model_has_are_refused) {
  struct bytes archive = {0};
  bytes_add_text(&archive, "PK\3\4");
  bytes_add_repeated(&archive, "PK\1\2", 16384);
  expect_error(folder_write("many.keras", archive.data, archive.size), "a damaged zip file");
  bytes_add_text(&archive, "PK\1\2");
  expect_error(folder_write("more.keras", archive.data, archive.size), "more than 16384 entries");
  bytes_free(&archive);
}

Test(keras_bad, zip_bombs_are_refused) {
  static const char *const all[] = {"metadata.json", "config.json", "model.weights.h5", NULL};
  struct bytes members[3] = {{0}};
  bytes_add_text(&members[0], "{\"keras_version\":\"3.0.0\"}");
  bytes_add_text(&members[1], "{}");
  bytes_add_repeated(&members[2], "0123456789abcdef", 4 << 20);
  expect_error(write_archive("weights.keras", all, members), "too large for the archive");
  members[2].size = 16;
  members[1].size = 0;
  bytes_add_repeated(&members[1], "[[[[[[[[[[[[[[[[", 2 << 20);
  expect_error(write_archive("config.keras", all, members), "too large for the archive");
  members[1].size = 4 << 20;
  expect_error(write_archive("deep.keras", all, members), "config.json");
  for (int i = 0; i < 3; i++)
    bytes_free(&members[i]);
}
