/* Models of every structure, taken apart into arrays and put together again by a description: bit for bit the
 * same. Arrays are named one by one as the model has them, or lie in modules as PyTorch has them: transposed,
 * GRU gates r, z, n, two biases. */
#include "convert/convert.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "support/folder.h"
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(taken_apart, .init = folder_make, .fini = folder_remove);

enum { STRUCTURES = 300, LARGEST = 6, ARRAYS_MOST = 400, NAME_MOST = 160 };

/* A file and a description that are being made. */
struct apart {
  const cuseq_model *model;
  json_t *names;
  struct safetensors_tensor tensors[ARRAYS_MOST];
  char tensor_names[ARRAYS_MOST][NAME_MOST];
  size_t count;
};

static const cuseq_tensor *tensor_of(const cuseq_model *model, const char *name) {
  for (size_t i = 0; i < model->tensor_count; i++)
    if (strcmp(model->tensors[i].name, name) == 0)
      return &model->tensors[i];
  return NULL;
}

static const cuseq_tensor *part_of(const cuseq_model *model, const char *key, const char *suffix) {
  char name[NAME_MOST];
  snprintf(name, sizeof name, "%.64s.%.32s", key, suffix);
  return tensor_of(model, name);
}

/* Adds an array of these numbers, which it copies; turned: transposed. columns 0: a vector. */
static void add_array(struct apart *apart, const char *name, const float *data, int64_t rows, int64_t columns,
                      bool turned) {
  int64_t across = columns > 0 ? columns : 1;
  float *copy = malloc((size_t)(rows * across) * sizeof *copy);
  cr_assert(apart->count < ARRAYS_MOST && copy != NULL);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < across; c++)
      copy[turned ? c * rows + r : r * across + c] = data[r * across + c];
  char *own = apart->tensor_names[apart->count];
  snprintf(own, NAME_MOST, "%s", name);
  apart->tensors[apart->count++] =
      (struct safetensors_tensor){.name = own,
                                  .dtype = CUSEQ_DTYPE_F32,
                                  .rank = columns > 0 ? 2 : 1,
                                  .shape = {turned ? across : rows, turned ? rows : columns},
                                  .data = copy,
                                  .bytes = (size_t)(rows * across) * sizeof *copy};
}

static void add_tensor(struct apart *apart, const cuseq_tensor *tensor) {
  add_array(apart, tensor->name, tensor->data, tensor->shape[0], tensor->rank == 2 ? tensor->shape[1] : 0,
            false);
}

/* Under PyTorch's name: transposed, a GRU's gates z, r, n as r, z, n; zeros where there is no such tensor. */
static void add_pytorch(struct apart *apart, const char *key, const char *suffix, const cuseq_tensor *tensor,
                        const cuseq_tensor *like, int gates) {
  const cuseq_tensor *shape = tensor != NULL ? tensor : like;
  const int64_t rows = shape->rank == 2 ? shape->shape[0] : 1, columns = shape->shape[shape->rank - 1];
  float *data = calloc((size_t)(rows * columns), sizeof *data);
  char name[NAME_MOST];
  for (int64_t r = 0; tensor != NULL && r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      int64_t units = columns / gates, gate = c / units, from = gates == 3 && gate < 2 ? 1 - gate : gate;
      data[r * columns + c] = ((const float *)tensor->data)[r * columns + from * units + c % units];
    }
  snprintf(name, sizeof name, "m.%.64s.%.32s", key, suffix);
  if (shape->rank == 2)
    add_array(apart, name, data, rows, columns, true);
  else
    add_array(apart, name, data, columns, 0, false);
  free(data);
}

static void name_module(struct apart *apart, const char *key) {
  char name[NAME_MOST];
  snprintf(name, sizeof name, "m.%.64s", key);
  json_object_set_new(apart->names, key, json_string(name));
}

static const struct cell *cell_of(const struct structure *structure, const char *key) {
  int layer = 0;
  char side[16] = "";
  if (sscanf(key, "encoder.layers.%d.%15s", &layer, side) == 2)
    return &structure->encoder.layers[layer].cells[strcmp(side, "backward") == 0];
  cr_assert_eq(sscanf(key, "decoder.layers.%d", &layer), 1, "%s", key);
  return &structure->decoder.layers[layer].cell;
}

/* ---- parts ---- */

static void add_cell(struct apart *apart, const char *key, bool pytorch) {
  static const char *const ours[] = {"kernel", "recurrent_kernel", "bias", "recurrent_bias"};
  static const char *const theirs[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
  const struct cell *cell = cell_of(&apart->model->structure, key);
  const int gates = cell_gates(cell->kind);
  bool can = cell->kind == CELL_LSTM || (cell->reset_after && cell->has_bias == cell->has_recurrent_bias);
  const cuseq_tensor *bias = part_of(apart->model, key, "bias");
  if (pytorch && can) {
    for (int i = 0; i < 4; i++)
      if (i < 2 || cell->has_bias)
        add_pytorch(apart, key, theirs[i], part_of(apart->model, key, ours[i]), bias, gates);
    name_module(apart, key);
    return;
  }
  json_t *value = json_pack("{s:s,s:b}", "gates", gates == 4 ? "i,f,c,o" : "z,r,n", "transpose", 0);
  for (int i = 0; i < 4; i++) {
    const cuseq_tensor *tensor = part_of(apart->model, key, ours[i]);
    if (tensor == NULL)
      continue;
    add_tensor(apart, tensor);
    json_object_set_new(value, ours[i], json_string(tensor->name));
  }
  json_object_set_new(apart->names, key, value);
}

/* The kernel of a tied layer is the embedding, which its module has once more. */
static void add_tied_kernel(struct apart *apart, const char *key, bool pytorch) {
  const cuseq_tensor *table = tensor_of(apart->model, "decoder.embedding");
  char name[NAME_MOST];
  table = table != NULL ? table : tensor_of(apart->model, "input.embedding");
  snprintf(name, sizeof name, pytorch ? "m.%s.weight" : "%.64s.kernel", key);
  add_array(apart, name, table->data, table->shape[0], table->shape[1], !pytorch);
}

static void add_dense(struct apart *apart, const char *key, bool pytorch) {
  const cuseq_tensor *kernel = part_of(apart->model, key, "kernel"),
                     *bias = part_of(apart->model, key, "bias");
  char name[NAME_MOST];
  snprintf(name, sizeof name, "%.64s.kernel", key);
  if (kernel == NULL)
    add_tied_kernel(apart, key, pytorch);
  else if (pytorch)
    add_pytorch(apart, key, "weight", kernel, NULL, 1);
  else
    add_tensor(apart, kernel);
  if (bias != NULL && pytorch)
    add_pytorch(apart, key, "bias", bias, NULL, 1);
  else if (bias != NULL)
    add_tensor(apart, bias);
  if (pytorch) {
    name_module(apart, key);
    return;
  }
  json_t *value = json_pack("{s:s,s:b}", "kernel", name, "transpose", 0);
  if (bias != NULL)
    json_object_set_new(value, "bias", json_string(bias->name));
  json_object_set_new(apart->names, key, value);
}

/* "value" of "attention.value" and "encoder.layers.0.self_attention.value"; NULL of other tensors. */
static const char *part_of_attention(const char *name) {
  static const char attention[] = "attention.";
  const char *found = strstr(name, attention);
  return found != NULL ? found + sizeof attention - 1 : NULL;
}

/* Tables, vectors and matrices that have no bias. */
static bool is_single(const char *name) {
  static const char *const names[] = {"input.embedding", "input.scale", "input.offset", "decoder.embedding"};
  static const char *const parts[] = {"general", "key", "query", "value", "bias", "position_bias"};
  const char *part = part_of_attention(name);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0)
      return true;
  for (size_t i = 0; part != NULL && i < sizeof parts / sizeof *parts; i++)
    if (strcmp(parts[i], part) == 0)
      return true;
  return strstr(name, ".norm.") != NULL;
}

static void add_single(struct apart *apart, const cuseq_tensor *tensor, bool pytorch) {
  const char *part = part_of_attention(tensor->name);
  bool map = part != NULL &&
             (strcmp(part, "general") == 0 || strcmp(part, "key") == 0 || strcmp(part, "query") == 0);
  if (map && pytorch) {
    add_pytorch(apart, tensor->name, "weight", tensor, NULL, 1);
    name_module(apart, tensor->name);
    return;
  }
  add_tensor(apart, tensor);
  json_object_set_new(apart->names, tensor->name,
                      map ? json_pack("{s:s,s:b}", "kernel", tensor->name, "transpose", 0)
                          : json_string(tensor->name));
}

/* ---- together ---- */

static void take_apart(struct apart *apart, bool pytorch) {
  for (size_t i = 0; i < apart->model->tensor_count; i++) {
    const cuseq_tensor *tensor = &apart->model->tensors[i];
    char key[NAME_MOST];
    snprintf(key, sizeof key, "%s", tensor->name);
    *strrchr(key, '.') = 0;
    if (is_single(tensor->name))
      add_single(apart, tensor, pytorch);
    else if (json_object_get(apart->names, key) != NULL)
      continue;
    else if (part_of(apart->model, key, "recurrent_kernel") != NULL)
      add_cell(apart, key, pytorch);
    else
      add_dense(apart, key, pytorch);
  }
}

static void expect_same_model(const struct random_structure *made, bool pytorch) {
  static struct apart apart;
  cuseq_model *model;
  memset(&apart, 0, sizeof apart);
  apart.model = made->model;
  apart.names = json_object();
  take_apart(&apart, pytorch);
  const struct safetensors file = {apart.tensors, apart.count, NULL, 0, NULL};
  cr_assert_eq(safetensors_write(folder_path("apart.safetensors"), &file), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  json_t *root = json_loads(made->json, 0, NULL);
  json_object_set_new(root, "names", apart.names);
  char *text = json_dumps(root, 0);
  cuseq_status status =
      arrays_convert(folder_path("apart.safetensors"), &(struct convert_json){.text = text}, &model);
  cr_assert_eq(status, CUSEQ_STATUS_OK, "%s\n%s", cuseq_last_error(), text);
  cr_assert_eq(model->tensor_count, made->model->tensor_count);
  for (size_t i = 0; i < model->tensor_count; i++) {
    const cuseq_tensor *got = &model->tensors[i], *want = &made->model->tensors[i];
    size_t count = (size_t)want->shape[0] * (want->rank == 2 ? (size_t)want->shape[1] : 1);
    cr_expect(strcmp(got->name, want->name) == 0 && memcmp(got->data, want->data, count * sizeof(float)) == 0,
              "%s is another one in %s", want->name, text);
  }
  for (size_t i = 0; i < apart.count; i++)
    free((void *)apart.tensors[i].data);
  free(text);
  json_decref(root);
  cuseq_model_destroy(model);
}

static void for_all(uint64_t seed, bool pytorch) {
  struct random random = {seed};
  for (int i = 0; i < STRUCTURES; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, LARGEST);
    expect_same_model(&made, pytorch);
    random_structure_free(&made);
  }
}

Test(taken_apart, arrays_named_one_by_one_make_the_same_model) {
  for_all(20260301, false);
}

Test(taken_apart, modules_of_pytorch_make_the_same_model) {
  for_all(20260302, true);
}
