#include "convert/keras/layers.h"
#include "convert/keras/weights_parts.h"
#include "error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a layer has ----------------------------------------------------------------------------- */

static void add(struct expected_weights *expected, const char *name, bool there) {
  if (there)
    expected->names[expected->count++] = name;
}

static bool is_class(const char *class_name, const char *name) {
  return class_name != NULL && strcmp(class_name, name) == 0;
}

static void expect_cell(const json_t *cell, const char *usual, const char *name,
                        struct expected_weights *expected) {
  add(expected, "kernel", true);
  add(expected, "recurrent_kernel", true);
  add(expected, "bias", !json_is_false(json_object_get(cell, "use_bias")));
  expected->cell = name;
  expected->usual_cell = usual;
}

static void expect_normalisation(const char *class_name, const json_t *config,
                                 struct expected_weights *expected) {
  if (is_class(class_name, "BatchNormalization")) {
    add(expected, "gamma", !json_is_false(json_object_get(config, "scale")));
    add(expected, "beta", !json_is_false(json_object_get(config, "center")));
    add(expected, "moving_mean", true);
    add(expected, "moving_variance", true);
    expected->statistics = 2;
  } else if (is_class(class_name, "LayerNormalization")) {
    add(expected, "gamma", !json_is_false(json_object_get(config, "scale")));
    add(expected, "beta", !json_is_false(json_object_get(config, "center")));
  } else if (is_class(class_name, "Normalization")) {
    const json_t *mean = json_object_get(config, "mean");
    bool adapted = mean == NULL || json_is_null(mean);
    add(expected, "mean", adapted);
    add(expected, "variance", adapted);
    add(expected, "count", adapted);
    expected->statistics = expected->count;
  }
}

/* What Keras calls the cell of a recurrent layer, or (ending "Cell") of a cell, by its class; NULL: it is
 * none. */
static const char *usual_cell(const char *class_name, const char *ending) {
  static const char *const usual[][2] = {
      {"LSTM", "lstm_cell"}, {"GRU", "gru_cell"}, {"SimpleRNN", "simple_rnn_cell"}};
  for (size_t i = 0; class_name != NULL && i < sizeof usual / sizeof *usual; i++) {
    size_t size = strlen(usual[i][0]);
    if (strncmp(class_name, usual[i][0], size) == 0 && strcmp(class_name + size, ending) == 0)
      return usual[i][1];
  }
  return NULL;
}

const json_t *weights_cells(const struct keras_layer *layer) {
  const json_t *cell = json_object_get(layer->config, "cell");
  if (!is_class(layer->node.class_name, "RNN") ||
      !is_class(json_string_value(json_object_get(cell, "class_name")), "StackedRNNCells"))
    return NULL;
  return json_object_get(json_object_get(cell, "config"), "cells");
}

/* Cell `n` of a list, whose folder is its class, numbered in the list. */
static void expect_listed(const json_t *cells, size_t n, struct expected_weights *expected) {
  const json_t *cell = json_array_get(cells, n), *config = json_object_get(cell, "config");
  const char *class_name = json_string_value(json_object_get(cell, "class_name"));
  const char *name = json_string_value(json_object_get(config, "name"));
  const char *usual = usual_cell(class_name, "Cell");
  char snake[32];
  size_t before = 0;
  if (usual == NULL)
    return;
  for (size_t i = 0; i < n; i++)
    before +=
        is_class(json_string_value(json_object_get(json_array_get(cells, i), "class_name")), class_name);
  expect_cell(config, usual, name != NULL ? name : "", expected);
  weights_snake_case(class_name, snake, sizeof snake);
  snprintf(expected->folder, sizeof expected->folder, before > 0 ? "cell/cells/%s_%zu" : "cell/cells/%s",
           snake, before);
}

/* A layer that is no wrapper. */
static void expect_plain(const char *class_name, const json_t *config, struct expected_weights *expected) {
  const json_t *cell = json_object_get(json_object_get(config, "cell"), "config");
  const char *cell_name = json_string_value(json_object_get(cell, "name"));
  const char *mode = json_string_value(json_object_get(config, "score_mode"));
  const char *of_cell = json_string_value(json_object_get(json_object_get(config, "cell"), "class_name"));
  expect_normalisation(class_name, config, expected);
  if (usual_cell(class_name, "") != NULL) {
    expect_cell(config, usual_cell(class_name, ""), "", expected);
  } else if (is_class(class_name, "RNN")) {
    const char *usual = usual_cell(of_cell, "Cell");
    expect_cell(cell, usual != NULL ? usual : "lstm_cell", cell_name != NULL ? cell_name : "", expected);
  } else if (usual_cell(class_name, "Cell") != NULL) {
    expect_cell(config, NULL, NULL, expected);
  } else if (is_class(class_name, "PReLU")) {
    add(expected, "alpha", true);
  } else if (is_class(class_name, "Dense") || is_class(class_name, "Conv1D") ||
             is_class(class_name, "MultiHeadAttention")) { /* each of its projections */
    add(expected, "kernel", true);
    add(expected, "bias", !json_is_false(json_object_get(config, "use_bias")));
  } else if (is_class(class_name, "Embedding")) {
    add(expected, "embeddings", true);
  } else if (is_class(class_name, "AdditiveAttention")) {
    add(expected, "scale", !json_is_false(json_object_get(config, "use_scale")));
  } else if (is_class(class_name, "Attention")) {
    add(expected, "scale", json_is_true(json_object_get(config, "use_scale")));
    add(expected, "concat_score_weight", is_class(mode, "concat"));
  }
}

/* What Keras calls the projections, and their folders. */
static void expect_projection(const struct keras_layer *layer, int projection,
                              struct expected_weights *expected) {
  static const char *const names[PROJECTIONS] = {"query", "key", "value", "attention_output"};
  static const char *const folders[PROJECTIONS] = {"query_dense", "key_dense", "value_dense", "output_dense"};
  if (projection >= PROJECTIONS)
    return;
  expect_plain(layer->node.class_name, layer->config, expected);
  expected->cell = names[projection];
  snprintf(expected->folder, sizeof expected->folder, "%s", folders[projection]);
}

int weights_parts_in(const struct keras_layer *layer) {
  return is_class(layer->node.class_name, "MultiHeadAttention") ? PROJECTIONS
                                                                : (int)json_array_size(weights_cells(layer));
}

void weights_expect(const struct keras_layer *layer, enum weights_part part,
                    struct expected_weights *expected) {
  const json_t *wrapped = json_object_get(layer->config, "layer");
  const json_t *backward = json_object_get(layer->config, "backward_layer");
  bool bidirectional = is_class(layer->node.class_name, "Bidirectional");
  *expected = (struct expected_weights){.folder = ""};
  if (layer->inner != NULL || layer->is_operation)
    return;
  if (part >= WEIGHTS_CELL && is_class(layer->node.class_name, "MultiHeadAttention")) {
    expect_projection(layer, (int)(part - WEIGHTS_CELL), expected);
    return;
  }
  if (part >= WEIGHTS_CELL) {
    expect_listed(weights_cells(layer), (size_t)(part - WEIGHTS_CELL), expected);
    return;
  }
  if (!bidirectional && !is_class(layer->node.class_name, "TimeDistributed")) {
    expect_plain(layer->node.class_name, layer->config, expected);
    snprintf(expected->folder, sizeof expected->folder, "%s", expected->cell != NULL ? "cell" : "");
    return;
  }
  if (part == WEIGHTS_BACKWARD && json_is_object(backward))
    wrapped = backward;
  expected->wrapper = json_object_get(wrapped, "config");
  expect_plain(json_string_value(json_object_get(wrapped, "class_name")), expected->wrapper, expected);
  snprintf(expected->folder, sizeof expected->folder, "%s",
           !bidirectional             ? "layer"
           : part == WEIGHTS_BACKWARD ? "backward_layer/cell"
                                      : "forward_layer/cell");
}

const struct hdf5_node *weights_child(const struct hdf5_node *group, const char *path) {
  return group == NULL ? NULL : hdf5_find(group, path, strlen(path));
}

/* ---- what was taken ------------------------------------------------------------------------------- */

static size_t highest_number(const struct hdf5_node *node) {
  size_t highest = node->number;
  for (const struct hdf5_node *child = node->first_child; child != NULL; child = child->next) {
    size_t number = highest_number(child);
    highest = number > highest ? number : highest;
  }
  return highest;
}

cuseq_status weights_open(struct weights_source *source, struct keras_model *model) {
  source->model = model;
  source->claims = calloc(highest_number(source->root) + 1, sizeof *source->claims);
  if (source->claims == NULL)
    return error_out_of_memory();
  return source->legacy ? CUSEQ_STATUS_OK : archive_name_folders(source, model);
}

void weights_close(struct weights_source *source) {
  free(source->claims);
  source->claims = NULL;
}

cuseq_status weights_claim(struct weights_source *source, const struct hdf5_node *array,
                           const struct keras_layer *layer, enum weights_part part, size_t at) {
  struct weights_claim *claim = &source->claims[array->number];
  if (claim->layer == NULL)
    *claim = (struct weights_claim){layer, (int)part, at, 0};
  if (claim->layer != layer || claim->part != (int)part || claim->at != at)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "layer '%.120s': its weights have names that are also those of layer '%.120s'",
                     layer->node.name, claim->layer->node.name);
  return CUSEQ_STATUS_OK;
}

bool weights_is_claimed(const struct weights_source *source, const struct hdf5_node *array) {
  return source->claims[array->number].layer != NULL;
}

static bool is_named(const struct hdf5_node *node, const char *name) {
  return node->name.size == strlen(name) && memcmp(node->name.text, name, node->name.size) == 0;
}

/* seeds: in the state of a random generator, which is integers. */
static const struct hdf5_node *unclaimed_below(const struct weights_source *source,
                                               const struct hdf5_node *group, bool seeds, char *path,
                                               size_t capacity) {
  for (const struct hdf5_node *child = group->first_child; child != NULL; child = child->next) {
    size_t size = child->name.size < capacity - 2 ? child->name.size : capacity - 2;
    memcpy(path, child->name.text, size);
    path[size] = child->is_array ? '\0' : '/';
    path[size + 1] = '\0';
    if (child->is_array && !weights_is_claimed(source, child) && !(seeds && child->type == HDF5_STREAM_OTHER))
      return child;
    bool room = capacity - size - 1 >= 2;
    const struct hdf5_node *found =
        unclaimed_below(source, child, seeds || is_named(child, "seed_generator"),
                        room ? path + size + 1 : path, room ? capacity - size - 1 : capacity);
    if (found != NULL)
      return found;
  }
  return NULL;
}

const struct hdf5_node *weights_unclaimed(const struct weights_source *source, const struct hdf5_node *group,
                                          char *path, size_t capacity) {
  return unclaimed_below(source, group, is_named(group, "seed_generator"), path, capacity);
}

cuseq_status weights_find(struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, struct layer_weights *weights) {
  struct layer_weights **found = &layer->marks->found[part];
  if (*found == NULL) {
    struct layer_weights *made = arena_allocate(source->arena, sizeof *made);
    if (made == NULL)
      return error_out_of_memory();
    TRY(source->legacy ? legacy_find(source, layer, part, made) : archive_find(source, layer, part, made));
    *found = made;
  }
  *weights = **found;
  return CUSEQ_STATUS_OK;
}

cuseq_status weights_all_found(const struct weights_source *source) {
  return source->legacy ? legacy_all_found(source) : archive_all_found(source);
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static float float_at(const struct hdf5_node *array, size_t i) {
  union {
    uint64_t u64;
    uint32_t u32;
    double f64;
    float f32;
  } number = {0};
  static const int sizes[] = {
      [HDF5_STREAM_F32] = 4, [HDF5_STREAM_F64] = 8, [HDF5_STREAM_BF16] = 2, [HDF5_STREAM_RAW16] = 2};
  int size = sizes[array->type];
  const unsigned char *bytes = array->data + i * (size_t)size;
  uint64_t bits = 0;
  for (int b = 0; b < size; b++)
    bits |= (uint64_t)bytes[b] << (8 * b);
  if (array->type == HDF5_STREAM_F64) {
    number.u64 = bits;
    return (float)number.f64;
  }
  number.u32 = (uint32_t)bits << (size == 2 ? 16 : 0);
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

static cuseq_status check_type(const struct keras_layer *layer, const struct hdf5_node *array,
                               const char *what) {
  if (array->type == HDF5_STREAM_OTHER)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': its %s has no floating-point numbers",
                     layer->node.name, what);
  if (array->type == HDF5_STREAM_RAW16 && !settings_store_bfloat16(layer))
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "layer '%.120s': its %s has two bytes a number and no type (needed floating-point numbers, "
        "or the dtype bfloat16 of the layer)",
        layer->node.name, what);
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_shape(const struct keras_layer *layer, const struct hdf5_node *array,
                                const char *what, int64_t rows, int64_t columns, bool single) {
  char found[160];
  describe_shape(array, found, sizeof found);
  bool good = rows == 0 ? single || (array->rank == 1 && fits(columns, array->shape[0]))
                        : array->rank == 2 && fits(rows, array->shape[0]) && fits(columns, array->shape[1]);
  if (good)
    return CUSEQ_STATUS_OK;
  if (rows == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "layer '%.120s': its %s has a wrong shape (%s, needed [%lld])", layer->node.name, what,
                     found, (long long)columns);
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "layer '%.120s': its %s has a wrong shape (%s, needed [%lld, %lld]; -1: any)",
                   layer->node.name, what, found, (long long)rows, (long long)columns);
}

/* Loads an array whose shape was looked at, as [rows, columns]. */
static cuseq_status load(struct expressions *expressions, const struct keras_layer *layer,
                         const struct hdf5_node *array, const char *what, int64_t rows, int64_t columns,
                         int32_t *matrix) {
  bool loaded;
  TRY(matrix_make(expressions, array, 0, rows, columns, matrix, &loaded));
  for (size_t i = 0; !loaded && i < array->elements; i++) {
    float number = float_at(array, i);
    if (!isfinite(number))
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "layer '%.120s': its %s is not finite in float32 (found %s)", layer->node.name, what,
                       isnan(number) ? "nan" : "an infinity");
    expressions->matrices[*matrix].data[i] = number;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status array_at(const struct keras_layer *layer, const struct layer_weights *weights, size_t at,
                             const char *what, const struct hdf5_node **array) {
  if (at >= weights->count)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': the file lacks its %s", layer->node.name,
                     what);
  *array = weights->arrays[at];
  return check_type(layer, *array, what);
}

cuseq_status weights_matrix(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what, int64_t rows,
                            int64_t columns, int32_t *matrix) {
  const struct hdf5_node *array;
  TRY(array_at(layer, weights, at, what, &array));
  bool single = rows == 0 && columns == 1 && array->rank == 0; /* a scalar is a vector of one */
  TRY(check_shape(layer, array, what, rows, columns, single));
  int64_t r = rows == 0 ? 1 : array->shape[0];
  int64_t c = single ? 1 : rows == 0 ? array->shape[0] : array->shape[1];
  return load(expressions, layer, array, what, r, c, matrix);
}

cuseq_status weights_shaped(struct expressions *expressions, const struct keras_layer *layer,
                            const struct layer_weights *weights, size_t at, const char *what,
                            const int64_t *shape, int rank, int64_t rows, int32_t *matrix) {
  const struct hdf5_node *array;
  char found[160], needed[160] = "[";
  TRY(array_at(layer, weights, at, what, &array));
  describe_shape(array, found, sizeof found);
  bool good = array->rank == rank;
  for (int i = 0; i < rank; i++) {
    const size_t used = strlen(needed);
    snprintf(needed + used, sizeof needed - used, i == 0 ? "%lld" : ", %lld", (long long)shape[i]);
    good = good && fits(shape[i], array->shape[i]);
  }
  if (!good || rows < 1 || rows > INT32_MAX || (int64_t)array->elements % rows != 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "layer '%.120s': its %s has a wrong shape (%s, needed %s]; -1: any)", layer->node.name,
                     what, found, needed);
  return load(expressions, layer, array, what, rows, (int64_t)array->elements / rows, matrix);
}
