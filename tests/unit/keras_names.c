/* Names of weights that were changed in otherwise sound .h5 files: each file is refused, or gives the numbers
 * that it gave before. Run from the repository's root. */
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
  void *stream;
  struct hdf5_tree tree;
  cuseq_model *sound; /* what it gives unchanged */
  int same, refused;
};

static void file_open(struct file *file, const char *path) {
  size_t size;
  int descriptor = open(path, O_RDONLY);
  cr_assert(descriptor >= 0, "%s is missing", path);
  hdf5_process_set_program(HDF5_PROGRAM);
  *file = (struct file){.path = path};
  cr_assert(hdf5_process_run(descriptor, &file->stream, &size) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  close(descriptor);
  cr_assert(hdf5_tree_parse(file->stream, size, &file->tree) == CUSEQ_STATUS_OK);
  cr_assert(model_text_convert_legacy(file->tree.root, NULL, &file->sound, NULL) == CUSEQ_STATUS_OK, "%s: %s",
            path, cuseq_last_error());
}

static void file_close(struct file *file) {
  cuseq_model_destroy(file->sound);
  hdf5_tree_free(&file->tree);
  free(file->stream);
}

static bool same_tensors(const cuseq_model *a, const cuseq_model *b) {
  size_t count = cuseq_model_tensor_count(a);
  bool same = count == cuseq_model_tensor_count(b);
  for (size_t i = 0; same && i < count; i++) {
    cuseq_tensor one, other;
    size_t elements = 1;
    cr_assert(cuseq_model_tensor(a, i, &one) == CUSEQ_STATUS_OK);
    cr_assert(cuseq_model_tensor(b, i, &other) == CUSEQ_STATUS_OK);
    same = strcmp(one.name, other.name) == 0 && one.rank == other.rank;
    for (int32_t axis = 0; same && axis < one.rank; axis++) {
      same = one.shape[axis] == other.shape[axis];
      elements *= (size_t)one.shape[axis];
    }
    same = same && memcmp(one.data, other.data, elements * sizeof *one.data) == 0;
  }
  return same;
}

/* Converts the file as it is now. must_refuse: nothing else will do. */
static void convert(struct file *file, bool must_refuse, const char *change, const struct hdf5_string *name) {
  cuseq_model *model = NULL;
  cuseq_status status = model_text_convert_legacy(file->tree.root, NULL, &model, NULL);
  if (status == CUSEQ_STATUS_OK) {
    cr_expect(!must_refuse, "%s: converted with %.*s %s", file->path, (int)name->size, name->text, change);
    cr_expect(same_tensors(file->sound, model), "%s: other numbers with %.*s %s", file->path, (int)name->size,
              name->text, change);
    file->same++;
  } else {
    cr_expect(strstr(cuseq_last_error(), "layer '") || strstr(cuseq_last_error(), "the file has weights"),
              "%s with %.*s %s: an error that does not say where: %s", file->path, (int)name->size,
              name->text, change, cuseq_last_error());
    file->refused++;
  }
  cuseq_model_destroy(model);
}

/* A name with one letter more, which lives as long as the tree. */
static struct hdf5_string longer(struct file *file, struct hdf5_string name, size_t at) {
  char *text = arena_allocate(&file->tree.arena, name.size + 1);
  cr_assert(text);
  memcpy(text, name.text, at);
  text[at] = 'x';
  memcpy(text + at + 1, name.text + at, name.size - at);
  return (struct hdf5_string){text, name.size + 1};
}

static struct hdf5_node *node_of(const struct hdf5_node *group, const struct hdf5_string *path, size_t size) {
  return (struct hdf5_node *)hdf5_find(group, path->text, size);
}

/* Each change that concerns one name alone. */
static void change_one(struct file *file, const struct hdf5_node *group, struct hdf5_attribute *list,
                       size_t i) {
  struct hdf5_string name = list->strings[i], last = list->strings[list->count - 1];
  struct hdf5_node *array = node_of(group, &name, name.size);
  cr_assert(array != NULL);
  struct hdf5_string array_name = array->name;
  list->strings[i] = longer(file, name, name.size);
  convert(file, true, "renamed in the list", &name);
  array->name = longer(file, array_name, array_name.size);
  convert(file, true, "renamed in the list and where it lies", &name);
  list->strings[i] = name;
  convert(file, true, "renamed where it lies", &name);
  array->name = array_name;
  list->strings[i] = last;
  list->count--;
  convert(file, true, "missing in the list", &name);
  list->count++;
  list->strings[i] = name;
}

/* The first part of the path, in the list and where it lies. */
static void change_scope(struct file *file, const struct hdf5_node *group, struct hdf5_attribute *list,
                         size_t i) {
  const struct hdf5_string *first = &list->strings[i];
  const char *slash = memchr(first->text, '/', first->size);
  if (slash == NULL)
    return;
  size_t size = (size_t)(slash - first->text);
  struct hdf5_string old[64], name = *first;
  struct hdf5_node *scope = node_of(group, first, size);
  struct hdf5_string scope_name = scope->name;
  cr_assert(list->count <= 64);
  for (size_t k = 0; k < list->count; k++) {
    old[k] = list->strings[k];
    if (old[k].size > size && memcmp(old[k].text, name.text, size + 1) == 0)
      list->strings[k] = longer(file, old[k], size);
  }
  scope->name = longer(file, scope_name, size);
  convert(file, false, "in another scope", &name);
  scope->name = scope_name;
  memcpy(list->strings, old, list->count * sizeof *old);
}

static void change_two(struct file *file, struct hdf5_attribute *list, size_t i, size_t k) {
  struct hdf5_string one = list->strings[i], other = list->strings[k];
  list->strings[i] = other;
  convert(file, true, "replaced by another that is there", &one);
  list->strings[k] = one;
  convert(file, false, "exchanged for another in the list", &one);
  list->strings[i] = one;
  list->strings[k] = other;
}

ParameterizedTestParameters(keras_names, changed_name_gives_the_same_numbers_or_an_error) {
  static char paths[][80] = {
      GOLDEN "exercise_keras2.h5",
      GOLDEN "additive.h5",
      GOLDEN "embedding.h5",
      GOLDEN "frozen_direction.h5",
      GOLDEN "frozen_direction_keras2.h5",
      GOLDEN "frozen_nested_direction.h5",
      GOLDEN "frozen_nested_layer_keras2.h5",
      GOLDEN "frozen_nested_energy.h5",
      GOLDEN "reloaded.h5",
      GOLDEN "shared_between_models_keras2.h5",
  };
  return cr_make_param_array(char[80], paths, sizeof paths / sizeof *paths);
}

ParameterizedTest(char (*path)[80], keras_names, changed_name_gives_the_same_numbers_or_an_error) {
  struct file file;
  file_open(&file, *path);
  const struct hdf5_node *layers = hdf5_find(file.tree.root, "model_weights", 13);
  for (const struct hdf5_node *group = layers->first_child; group != NULL; group = group->next) {
    struct hdf5_attribute *list = (struct hdf5_attribute *)hdf5_attribute_find(group, "weight_names");
    for (size_t i = 0; list != NULL && i < list->count; i++) {
      change_one(&file, group, list, i);
      change_scope(&file, group, list, i);
      for (size_t k = 0; k < list->count; k++)
        if (k != i)
          change_two(&file, list, i, k);
    }
  }
  cr_expect(file.same > 0 && file.refused > 50, "%s: %d the same, %d refused", *path, file.same,
            file.refused);
  cuseq_model *again = NULL;
  cr_expect(model_text_convert_legacy(file.tree.root, NULL, &again, NULL) == CUSEQ_STATUS_OK,
            "%s: it was not put together again", *path);
  cuseq_model_destroy(again);
  file_close(&file);
}
