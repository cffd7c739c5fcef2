/* The fuzzer's seeds (tests/fuzz/corpus/keras, as fuzz_keras.c reads them) are models that convert: one that
 * is refused early would leave what lies behind unsearched. Run from the repository's root. */
#include "convert/keras/model_text.h"
#include "support/bytes.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS "tests/fuzz/corpus/keras/"

static struct bytes read_seed(const char *name) {
  char path[512], chunk[4096];
  struct bytes bytes = {0};
  snprintf(path, sizeof path, SEEDS "%s", name);
  FILE *file = fopen(path, "rb");
  cr_assert(file, "%s", path);
  for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
    bytes_add(&bytes, chunk, got);
  fclose(file);
  return bytes;
}

/* One that begins with a configuration stands for a .keras file. */
static cuseq_status convert(const struct bytes *seed, cuseq_model **model) {
  struct hdf5_tree tree;
  struct keras_version version = {.major = 3, .minor = 15};
  json_t *config = NULL;
  char *notes = NULL;
  bool legacy = seed->size > 0 && seed->data[0] != '{';
  const unsigned char *end = legacy ? seed->data - 1 : memchr(seed->data, 0, seed->size);
  cr_assert(end);
  size_t before = (size_t)(end + 1 - seed->data);
  cr_assert_eq(hdf5_tree_parse(end + 1, seed->size - before, &tree), CUSEQ_STATUS_OK);
  if (!legacy)
    cr_assert_eq(model_text_parse((const char *)seed->data, before - 1, "config.json", &config),
                 CUSEQ_STATUS_OK);
  cuseq_status status = legacy ? model_text_convert_legacy(tree.root, NULL, model, &notes)
                               : model_text_convert(config, &version, tree.root, false, NULL, model, &notes);
  json_decref(config);
  free(notes);
  hdf5_tree_free(&tree);
  return status;
}

/* The first array of numbers below a group. */
static struct hdf5_node *first_array(struct hdf5_node *group) {
  if (group->is_array)
    return group->type != HDF5_STREAM_OTHER ? group : NULL;
  struct hdf5_node *found = NULL;
  for (struct hdf5_node *child = group->first_child; child != NULL && found == NULL; child = child->next)
    found = first_array(child);
  return found;
}

/* bfloat16, of a model that says that it has float32. */
Test(keras_seeds, with_two_bytes_a_number_and_no_type_are_refused_as_that) {
  struct bytes seed = read_seed("dot_scaled.h5");
  struct hdf5_tree tree;
  cuseq_model *model = NULL;
  char *notes = NULL;
  cr_assert_eq(hdf5_tree_parse(seed.data, seed.size, &tree), CUSEQ_STATUS_OK);
  struct hdf5_node *array = first_array(tree.root);
  cr_assert(array);
  array->type = HDF5_STREAM_RAW16;
  cr_expect_eq(model_text_convert_legacy(tree.root, NULL, &model, &notes), CUSEQ_STATUS_INVALID_FILE);
  cr_expect(strstr(cuseq_last_error(), "two bytes a number and no type"), "%s", cuseq_last_error());
  cr_expect(!model && !notes);
  hdf5_tree_free(&tree);
  bytes_free(&seed);
}

Test(keras_seeds, of_the_fuzzer_convert_and_are_no_longer_than_it_takes) {
  size_t count = 0;
  DIR *folder = opendir(SEEDS);
  cr_assert(folder);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.')
      continue;
    struct bytes seed = read_seed(entry->d_name);
    cuseq_model *model = NULL;
    cr_expect_leq(seed.size, 8192, "%s: %zu bytes", entry->d_name, seed.size);
    cr_expect_eq(convert(&seed, &model), CUSEQ_STATUS_OK, "%s: %s", entry->d_name, cuseq_last_error());
    cuseq_model_destroy(model);
    bytes_free(&seed);
    count++;
  }
  closedir(folder);
  cr_expect_geq(count, 11);
}
