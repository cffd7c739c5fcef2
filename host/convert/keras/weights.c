#include "convert/keras/weights.h"
#include "error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PATH = 1024, MAX_NAME = 256 };

/* ---- .keras --------------------------------------------------------------------------------------- */

/* Keras' to_snake_case: LSTM -> lstm, TimeDistributed -> time_distributed, TFOpLambda -> tf_op_lambda. */
static void snake_case(const char *name, char *snake, size_t capacity) {
  size_t used = 0;
  for (size_t i = 0; name[i] != '\0' && used + 2 < capacity; i++) {
    unsigned char c = (unsigned char)name[i];
    if (!isalnum(c) && c != '_')
      continue;
    bool after_lower = i > 0 && islower((unsigned char)name[i - 1]);
    bool before_lower = i > 0 && islower((unsigned char)name[i + 1]);
    if (isupper(c) && (after_lower || before_lower))
      snake[used++] = '_';
    snake[used++] = (char)tolower(c);
  }
  snake[used] = '\0';
}

/* The layer's folder: its class in snake case and, from the second of that class on, _1, _2, ... */
static void folder_name(const struct keras_model *model, const struct keras_layer *layer, char *name,
                        size_t capacity) {
  char own[MAX_NAME], other[MAX_NAME];
  snake_case(layer->class_name, own, sizeof own);
  size_t before = 0;
  for (size_t i = 0; i < layer->position; i++) {
    if (model->layers[i].is_operation)
      continue;
    snake_case(model->layers[i].class_name, other, sizeof other);
    before += strcmp(own, other) == 0;
  }
  if (before == 0)
    snprintf(name, capacity, "%s", own);
  else
    snprintf(name, capacity, "%s_%zu", own, before);
}

static const struct hdf5_node *find_text(const struct hdf5_node *group, const char *path) {
  return group == NULL ? NULL : hdf5_find(group, path, strlen(path));
}

/* The folder of a layer, through the models that it lies in. */
static const struct hdf5_node *layer_group(const struct weights_source *source,
                                           const struct keras_layer *layer) {
  const struct hdf5_node *group = source->root;
  const struct keras_model *model = source->model;
  if (layer->outer != NULL) {
    group = layer_group(source, layer->outer);
    model = layer->outer->inner;
  }
  if (group == NULL || model == NULL)
    return NULL;
  const struct hdf5_node *layers = find_text(group, "layers");
  if (layers == NULL)
    layers = find_text(group, "_layer_checkpoint_dependencies"); /* Keras 2.12 and 2.13 */
  char name[MAX_NAME + 32];
  folder_name(model, layer, name, sizeof name);
  return find_text(layers, name);
}

static cuseq_status find_in_archive(const struct weights_source *source, const struct keras_layer *layer,
                                    enum weights_part part, const char *folder,
                                    struct layer_weights *weights) {
  static const char *const parts[] = {
      [WEIGHTS_WHOLE] = "", [WEIGHTS_FORWARD] = "forward_layer/", [WEIGHTS_BACKWARD] = "backward_layer/"};
  char path[MAX_PATH];
  snprintf(path, sizeof path, "%s%s/vars", parts[part], folder);
  const struct hdf5_node *vars = find_text(layer_group(source, layer), path);
  while (vars != NULL && weights->count < WEIGHTS_MAX_ARRAYS) {
    char number[32];
    snprintf(number, sizeof number, "%zu", weights->count);
    const struct hdf5_node *array = find_text(vars, number);
    if (array == NULL || !array->is_array)
      break;
    weights->arrays[weights->count++] = array;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- legacy .h5 ----------------------------------------------------------------------------------- */

/* How many arrays a layer has in the flat list of the model that it lies in. */
static size_t array_count(const struct keras_layer *layer, const char *class_name, const json_t *config,
                          int depth) {
  bool bias = !json_is_false(json_object_get(config, "use_bias"));
  const json_t *wrapped = json_object_get(config, "layer");
  const char *wrapped_class = json_string_value(json_object_get(wrapped, "class_name"));
  if (depth > GRAPH_MAX_NESTING)
    return 0;
  if (depth == 0 && layer->inner != NULL) {
    size_t sum = 0;
    for (size_t i = 0; i < layer->inner->layer_count; i++) {
      const struct keras_layer *inner = &layer->inner->layers[i];
      sum += array_count(inner, inner->class_name, inner->config, 0);
    }
    return sum;
  }
  if (strcmp(class_name, "RNN") == 0)
    bias = !json_is_false(
        json_object_get(json_object_get(json_object_get(config, "cell"), "config"), "use_bias"));
  if (strcmp(class_name, "LSTM") == 0 || strcmp(class_name, "RNN") == 0)
    return bias ? 3 : 2;
  if (strcmp(class_name, "Dense") == 0)
    return bias ? 2 : 1;
  if (strcmp(class_name, "Embedding") == 0)
    return 1;
  if (strcmp(class_name, "AdditiveAttention") == 0)
    return !json_is_false(json_object_get(config, "use_scale"));
  if (strcmp(class_name, "Attention") == 0) {
    const char *mode = json_string_value(json_object_get(config, "score_mode"));
    return json_is_true(json_object_get(config, "use_scale")) + (mode != NULL && strcmp(mode, "concat") == 0);
  }
  if (wrapped_class != NULL) {
    size_t count = array_count(layer, wrapped_class, json_object_get(wrapped, "config"), depth + 1);
    return strcmp(class_name, "Bidirectional") == 0 ? 2 * count : count;
  }
  return 0;
}

/* Where a layer's arrays begin in its model's flat list: the trainable layers come first. */
static size_t offset_in_model(const struct keras_layer *layer, bool all_frozen) {
  const struct keras_model *model = layer->outer->inner;
  size_t offset = 0;
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *other = &model->layers[i];
    bool earlier = all_frozen || other->trainable == layer->trainable ? i < layer->position
                                                                      : other->trainable && !layer->trainable;
    if (earlier)
      offset += array_count(other, other->class_name, other->config, 0);
  }
  return offset;
}

static cuseq_status bad_names(const struct keras_layer *layer) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': its weights are not where weight_names says",
                   layer->name);
}

/* The text `at` of the list `name`, which Keras splits into name0, name1, ... where it is long. */
static const struct hdf5_string *list_item(const struct hdf5_node *group, const char *name, size_t at) {
  const struct hdf5_attribute *whole = hdf5_attribute_find(group, name);
  if (whole != NULL)
    return at < whole->count ? &whole->strings[at] : NULL;
  for (int chunk = 0; chunk < 100000; chunk++) {
    char numbered[64];
    snprintf(numbered, sizeof numbered, "%s%d", name, chunk);
    const struct hdf5_attribute *part = hdf5_attribute_find(group, numbered);
    if (part == NULL)
      return NULL;
    if (at < part->count)
      return &part->strings[at];
    at -= part->count;
  }
  return NULL;
}

static cuseq_status find_in_legacy(const struct weights_source *source, const struct keras_layer *layer,
                                   enum weights_part part, struct layer_weights *weights) {
  size_t offset = 0, count = array_count(layer, layer->class_name, layer->config, 0);
  const struct keras_layer *top = layer;
  bool all_frozen = false;
  for (const struct keras_layer *outer = layer->outer; outer != NULL; outer = outer->outer)
    all_frozen = all_frozen || !outer->trainable;
  for (; top->outer != NULL; top = top->outer)
    offset += offset_in_model(top, all_frozen);
  const struct hdf5_node *group = source->root;
  if (!source->model_weights_at_root)
    group = find_text(group, "model_weights");
  group = group == NULL ? NULL : hdf5_find(group, top->name, strlen(top->name));
  if (group == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': the file has no weights of it", layer->name);
  if (part != WEIGHTS_WHOLE) {
    count /= 2;
    offset += part == WEIGHTS_BACKWARD ? count : 0;
  }
  for (size_t i = 0; i < count && i < WEIGHTS_MAX_ARRAYS; i++) {
    const struct hdf5_string *name = list_item(group, "weight_names", offset + i);
    if (name == NULL)
      break;
    const struct hdf5_node *array = hdf5_find(group, name->text, name->size);
    if (array == NULL || !array->is_array)
      return bad_names(layer);
    weights->arrays[weights->count++] = array;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status weights_find(const struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, const char *folder, struct layer_weights *weights) {
  *weights = (struct layer_weights){0};
  if (source->legacy)
    return find_in_legacy(source, layer, part, weights);
  return find_in_archive(source, layer, part, folder, weights);
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static float float_at(const struct hdf5_node *array, size_t i) {
  union {
    uint64_t u64;
    uint32_t u32;
    double f64;
    float f32;
  } number = {0};
  static const int sizes[] = {[HDF5_STREAM_F32] = 4, [HDF5_STREAM_F64] = 8, [HDF5_STREAM_BF16] = 2};
  int size = sizes[array->type];
  const unsigned char *bytes = array->data + i * (size_t)size;
  uint64_t bits = 0;
  for (int b = 0; b < size; b++)
    bits |= (uint64_t)bytes[b] << (8 * b);
  if (array->type == HDF5_STREAM_F64) {
    number.u64 = bits;
    return (float)number.f64;
  }
  number.u32 = (uint32_t)bits << (array->type == HDF5_STREAM_BF16 ? 16 : 0);
  return number.f32;
}

static void describe_shape(const struct hdf5_node *array, char *text, size_t capacity) {
  size_t used = (size_t)snprintf(text, capacity, "[");
  for (int32_t i = 0; i < array->rank && used + 24 < capacity; i++)
    used += (size_t)snprintf(text + used, capacity - used, i == 0 ? "%lld" : ", %lld",
                             (long long)array->shape[i]);
  snprintf(text + used, capacity - used, "]");
}

static bool fits(int64_t needed, int64_t found) {
  return found >= 1 && found <= INT32_MAX && (needed < 0 || needed == found);
}

cuseq_status weights_matrix(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what, int64_t rows,
                            int64_t columns, int32_t *matrix) {
  if (at >= weights->count)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': the file lacks its %s", layer->name, what);
  const struct hdf5_node *array = weights->arrays[at];
  char found[160];
  describe_shape(array, found, sizeof found);
  if (array->type == HDF5_STREAM_OTHER)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': its %s has no floating-point numbers",
                     layer->name, what);
  bool single = rows == 0 && columns == 1 && array->rank == 0; /* a scalar is a vector of one */
  bool good = rows == 0 ? single || (array->rank == 1 && fits(columns, array->shape[0]))
                        : array->rank == 2 && fits(rows, array->shape[0]) && fits(columns, array->shape[1]);
  if (!good && rows == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "layer '%.120s': its %s has a wrong shape (%s, needed [%lld])", layer->name, what, found,
                     (long long)columns);
  if (!good)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "layer '%.120s': its %s has a wrong shape (%s, needed [%lld, %lld]; -1: any)",
                     layer->name, what, found, (long long)rows, (long long)columns);
  bool loaded;
  int64_t r = rows == 0 ? 1 : array->shape[0];
  int64_t c = single ? 1 : rows == 0 ? array->shape[0] : array->shape[1];
  TRY(matrix_make(expressions, array, 0, r, c, matrix, &loaded));
  for (size_t i = 0; !loaded && i < array->elements; i++)
    expressions->matrices[*matrix].data[i] = float_at(array, i);
  return CUSEQ_STATUS_OK;
}
