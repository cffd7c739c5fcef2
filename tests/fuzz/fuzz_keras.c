/* Whatever the bytes, a stream of cuseq-hdf5 gives a tree or an error, and a tree gives a model or an error.
 *
 * An input is a stream (host/formats/hdf5/stream.h) of a whole-model .h5; one that begins with a text of JSON
 * and a zero byte stands for a .keras archive: that is its config.json, and the stream of its weights
 * follows. */
#include "convert/keras/model_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* Reads every array, so that a sanitizer sees what was not in the stream. */
static size_t touch(const struct hdf5_node *node) {
  static const size_t sizes[] = {
      [HDF5_STREAM_F32] = 4, [HDF5_STREAM_F64] = 8, [HDF5_STREAM_BF16] = 2, [HDF5_STREAM_RAW16] = 2};
  size_t sum = 0;
  for (size_t i = 0; node->is_array && i < node->elements * sizes[node->type]; i++)
    sum += node->data[i];
  for (const struct hdf5_attribute *a = node->attributes; a != NULL; a = a->next)
    for (size_t i = 0; i < a->count; i++)
      sum += a->strings[i].size > 0 ? (unsigned char)a->strings[i].text[a->strings[i].size - 1] : 0;
  for (const struct hdf5_node *child = node->first_child; child != NULL; child = child->next)
    sum += touch(child);
  return sum;
}

/* A model that came out has all its tensors, and finite numbers in them. */
static void check_model(cuseq_status status, cuseq_model *model) {
  require((status == CUSEQ_STATUS_OK) == (model != NULL));
  for (size_t i = 0; model != NULL && i < cuseq_model_tensor_count(model); i++) {
    cuseq_tensor tensor;
    require(cuseq_model_tensor(model, i, &tensor) == CUSEQ_STATUS_OK);
    size_t count = 1;
    for (int32_t axis = 0; axis < tensor.rank; axis++)
      count *= (size_t)tensor.shape[axis];
    const float *data = tensor.data;
    for (size_t k = 0; k < count; k++)
      require(data[k] - data[k] == 0);
  }
  cuseq_model_destroy(model);
}

static void convert(const struct hdf5_node *root, const char *config_text, size_t config_size) {
  cuseq_model *model = NULL;
  char *notes = NULL;
  if (config_text == NULL) {
    cuseq_status status = model_text_convert_legacy(root, NULL, &model, &notes);
    check_model(status, model);
  } else {
    json_t *config = NULL;
    struct keras_version version = {.major = 3, .minor = 15};
    if (model_text_parse(config_text, config_size, "config.json", &config) != CUSEQ_STATUS_OK)
      return;
    cuseq_status status = model_text_convert(config, &version, root, false, NULL, &model, &notes);
    check_model(status, model);
    json_decref(config);
  }
  free(notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const char *config = NULL;
  size_t config_size = 0;
  if (size > 0 && bytes[0] == '{') {
    const uint8_t *end = memchr(bytes, 0, size);
    if (end == NULL)
      return 0;
    config = (const char *)bytes;
    config_size = (size_t)(end - bytes);
    size -= config_size + 1;
    bytes = end + 1;
  }
  struct hdf5_tree tree;
  if (hdf5_tree_parse(bytes, size, &tree) != CUSEQ_STATUS_OK) {
    require(tree.root == NULL && tree.arena.blocks == NULL);
    return 0;
  }
  require(touch(tree.root) <= 255 * size);
  convert(tree.root, config, config_size);
  hdf5_tree_free(&tree);
  return 0;
}
