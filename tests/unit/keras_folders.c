/* Folders and arrays in .keras archives that are not where they should be, or are more than there should be:
 * each file is refused. Run from the repository's root. */
#include "convert/keras/archive.h"
#include "convert/keras/model_text.h"
#include "formats/hdf5/process.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN "tests/golden/keras/"

struct file {
  const char *path;
  struct archive archive;
  json_t *config;
  struct keras_version version;
  void *stream;
  struct hdf5_tree tree;
  bool has_names; /* folders have the names of their layers as attributes */
  int changes;
};

static void file_open(struct file *file, const char *path, const char *version) {
  size_t size;
  int descriptor = open(path, O_RDONLY);
  cr_assert(descriptor >= 0, "%s is missing", path);
  hdf5_process_set_program(HDF5_PROGRAM);
  *file = (struct file){.path = path};
  cr_assert(archive_read(descriptor, &file->archive) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  close(descriptor);
  cr_assert(model_text_version(version, strlen(version), &file->version) == CUSEQ_STATUS_OK);
  cr_assert(model_text_parse(file->archive.config.bytes, file->archive.config.size, "config.json",
                             &file->config) == CUSEQ_STATUS_OK);
  cr_assert(hdf5_process_run(file->archive.weights, &file->stream, &size) == CUSEQ_STATUS_OK);
  cr_assert(hdf5_tree_parse(file->stream, size, &file->tree) == CUSEQ_STATUS_OK);
}

static void file_close(struct file *file) {
  hdf5_tree_free(&file->tree);
  free(file->stream);
  json_decref(file->config);
  archive_free(&file->archive);
}

static cuseq_status convert(struct file *file) {
  cuseq_model *model = NULL;
  cuseq_status status =
      model_text_convert(file->config, &file->version, file->tree.root, false, NULL, &model, NULL);
  cuseq_model_destroy(model);
  return status;
}

static void must_refuse(struct file *file, const char *change, const struct hdf5_string *name) {
  cr_expect(convert(file) != CUSEQ_STATUS_OK, "%s: converted with %.*s %s", file->path, (int)name->size,
            name->text, change);
  file->changes++;
}

static bool has_arrays(const struct hdf5_node *node) {
  bool has = node->is_array;
  for (const struct hdf5_node *child = node->first_child; child != NULL && !has; child = child->next)
    has = has_arrays(child);
  return has;
}

/* Another name, one array more, and the neighbour's name. */
static void change_node(struct file *file, struct hdf5_node *node) {
  struct hdf5_string name = node->name;
  struct hdf5_node *next = node->next;
  node->name = (struct hdf5_string){"9", 1};
  must_refuse(file, "called 9", &name);
  node->name = name;
  struct hdf5_node more = {.name = {"7", 1}, .number = 5000, .is_array = 1, .next = next};
  node->next = &more;
  must_refuse(file, "and an array beside it", &name);
  node->next = next;
  if (node->is_array || !file->has_names || next == NULL || next->is_array || !has_arrays(next) ||
      !hdf5_find(node, "vars", 4) || !hdf5_find(next, "vars", 4))
    return;
  node->name = next->name;
  next->name = name;
  must_refuse(file, "exchanged for the next folder", &name);
  next->name = node->name;
  node->name = name;
}

static void change_all(struct file *file, struct hdf5_node *group) {
  for (struct hdf5_node *child = group->first_child; child != NULL; child = child->next)
    if (has_arrays(child)) {
      change_node(file, child);
      change_all(file, child);
    }
}

struct archived {
  char path[80], version[8];
  bool has_names;
};

ParameterizedTestParameters(keras_folders, changed_folder_is_an_error) {
  static struct archived files[] = {
      {GOLDEN "stacked.keras", "3.15", true},
      {GOLDEN "frozen_nested_energy.keras", "3.15", true},
      {GOLDEN "shared_between_models.keras", "3.15", true},
      {GOLDEN "time_distributed.keras", "3.15", true},
      {GOLDEN "states_keras2.keras", "2.15", false},
      {GOLDEN "old_folders_keras2_13.keras", "2.13", false},
  };
  return cr_make_param_array(struct archived, files, sizeof files / sizeof *files);
}

ParameterizedTest(struct archived *archived, keras_folders, changed_folder_is_an_error) {
  struct file file;
  file_open(&file, archived->path, archived->version);
  file.has_names = archived->has_names;
  cr_expect(convert(&file) == CUSEQ_STATUS_OK, "%s: %s", archived->path, cuseq_last_error());
  change_all(&file, file.tree.root);
  cr_expect(file.changes > 30, "%s: %d changes", archived->path, file.changes);
  cr_expect(convert(&file) == CUSEQ_STATUS_OK, "%s: it was not put together again", archived->path);
  file_close(&file);
}
