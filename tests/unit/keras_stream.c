/* The stream that cuseq-hdf5 writes, as its reader takes it. */
#include "formats/hdf5/tree.h"
#include "support/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

static void add_string(struct bytes *stream, const char *text) {
  bytes_add_little_endian(stream, strlen(text), 4);
  bytes_add_text(stream, text);
}

static void add_array(struct bytes *stream, const char *name, int type, int rank, const uint64_t *shape) {
  bytes_add_text(stream, "D");
  add_string(stream, name);
  bytes_add_little_endian(stream, (uint64_t)type, 1);
  bytes_add_little_endian(stream, (uint64_t)rank, 1);
  for (int i = 0; i < rank; i++)
    bytes_add_little_endian(stream, shape[i], 8);
}

/* A root with an attribute, a group with an array of 2 x 3 floats, an array that is no floats. */
static struct bytes example(void) {
  struct bytes stream = {0};
  bytes_add(&stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  bytes_add_text(&stream, "A");
  add_string(&stream, "names");
  bytes_add_little_endian(&stream, 2, 4);
  add_string(&stream, "first");
  add_string(&stream, "");
  bytes_add_text(&stream, "G");
  add_string(&stream, "layer");
  add_array(&stream, "kernel", HDF5_STREAM_F32, 2, (uint64_t[]){2, 3});
  bytes_add_repeated(&stream, "abcd", 6);
  bytes_add_text(&stream, "E");
  add_array(&stream, "count", HDF5_STREAM_OTHER, 0, NULL);
  bytes_add_text(&stream, "Z");
  return stream;
}

static void expect_refused(const struct bytes *stream, const char *words) {
  struct hdf5_tree tree;
  cr_expect(hdf5_tree_parse(stream->data, stream->size, &tree) == CUSEQ_STATUS_INVALID_FILE);
  cr_expect(tree.root == NULL);
  cr_expect(strstr(cuseq_last_error(), words), "\"%s\" is not in: %s", words, cuseq_last_error());
  hdf5_tree_free(&tree);
}

Test(keras_stream, tree_has_the_groups_attributes_and_arrays) {
  struct bytes stream = example();
  struct hdf5_tree tree;
  cr_assert(hdf5_tree_parse(stream.data, stream.size, &tree) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  const struct hdf5_attribute *names = hdf5_attribute_find(tree.root, "names");
  cr_assert(names != NULL && names->count == 2);
  cr_expect(names->strings[0].size == 5 && memcmp(names->strings[0].text, "first", 5) == 0);
  cr_expect(names->strings[1].size == 0);
  const struct hdf5_node *kernel = hdf5_find(tree.root, "layer/kernel", 12);
  cr_assert(kernel != NULL && kernel->is_array && kernel->rank == 2 && kernel->elements == 6);
  cr_expect(kernel->shape[0] == 2 && kernel->shape[1] == 3);
  const struct hdf5_node *layer = hdf5_find(tree.root, "layer", 5), *other = hdf5_find(tree.root, "count", 5);
  cr_expect(tree.root->number == 0 && layer->number == 1 && kernel->number == 2 && other->number == 3);
  cr_expect(memcmp(kernel->data, "abcdabcd", 8) == 0);
  const struct hdf5_node *count = hdf5_find(tree.root, "count", 5);
  cr_assert(count != NULL && count->type == HDF5_STREAM_OTHER && count->elements == 0);
  cr_expect(hdf5_find(tree.root, "layer/kernel/deeper", 19) == NULL);
  cr_expect(hdf5_find(tree.root, "lay", 3) == NULL);
  hdf5_tree_free(&tree);
  bytes_free(&stream);
}

Test(keras_stream, every_cut_is_refused) {
  struct bytes stream = example();
  for (size_t size = 0; size < stream.size; size++) {
    struct bytes cut = {.data = stream.data, .size = size};
    expect_refused(&cut, "not a readable HDF5 file");
  }
  bytes_add_text(&stream, "Z");
  expect_refused(&stream, "its reader stopped");
  bytes_free(&stream);
}

Test(keras_stream, lengths_that_lie_are_refused) {
  struct bytes stream = {0};
  bytes_add(&stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  size_t begin = stream.size;
  add_array(&stream, "huge", HDF5_STREAM_F32, 2, (uint64_t[]){1u << 31, 1ull << 40});
  expect_refused(&stream, "absurd");
  stream.size = begin;
  add_array(&stream, "huge", HDF5_STREAM_F64, 1, (uint64_t[]){1ull << 60});
  expect_refused(&stream, "cut short");
  stream.size = begin;
  add_array(&stream, "huge", HDF5_STREAM_F32, 1, (uint64_t[]){UINT64_MAX});
  expect_refused(&stream, "absurd");
  stream.size = begin;
  bytes_add_text(&stream, "A");
  add_string(&stream, "names");
  bytes_add_little_endian(&stream, 0xffffffffu, 4);
  expect_refused(&stream, "too many texts");
  stream.size = begin;
  bytes_add_text(&stream, "G");
  bytes_add_little_endian(&stream, 0xffffffffu, 4);
  expect_refused(&stream, "its reader stopped");
  bytes_free(&stream);
}

Test(keras_stream, nesting_and_number_of_objects_have_a_limit) {
  struct bytes stream = {0};
  bytes_add(&stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  for (int i = 0; i <= HDF5_STREAM_MAX_DEPTH; i++) {
    bytes_add_text(&stream, "G");
    add_string(&stream, "g");
  }
  expect_refused(&stream, "nested too deep");
  stream.size = HDF5_STREAM_MAGIC_SIZE;
  for (int i = 0; i <= HDF5_STREAM_MAX_OBJECTS; i++) {
    bytes_add_text(&stream, "G");
    add_string(&stream, "");
    bytes_add_text(&stream, "E");
  }
  expect_refused(&stream, "too many objects");
  bytes_free(&stream);
}

Test(keras_stream, groups_that_close_too_often_or_not_at_all_are_refused) {
  struct bytes stream = {0};
  bytes_add(&stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  bytes_add_text(&stream, "EZ");
  expect_refused(&stream, "its reader stopped");
  stream.size = HDF5_STREAM_MAGIC_SIZE;
  bytes_add_text(&stream, "G");
  add_string(&stream, "g");
  bytes_add_text(&stream, "Z");
  expect_refused(&stream, "its reader stopped");
  bytes_free(&stream);
}

Test(keras_stream, what_the_reader_says_is_passed_on) {
  struct bytes stream = {0};
  bytes_add(&stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  bytes_add_text(&stream, "X");
  add_string(&stream, "a group cannot be read");
  expect_refused(&stream, "not a readable HDF5 file (a group cannot be read)");
  bytes_free(&stream);
}
