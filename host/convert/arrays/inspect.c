#include "convert/arrays/inspect.h"

#include "convert/arrays/array_names.h"
#include "convert/arrays/module.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---------------------------------------------------------------------------------------- */

/* The first `length` bytes of a name, without a dot or slash at their end; NULL without memory. */
static const char *prefix_of(struct inspection *inspection, const char *name, size_t length) {
  if (length > 0 && (name[length - 1] == '.' || name[length - 1] == '/'))
    length--;
  return arena_copy(&inspection->checkpoint.texts, name, length);
}

static struct checkpoint_tensor *find(const struct inspection *inspection, const char *name) {
  return checkpoint_named(&inspection->checkpoint, name);
}

/* The array with the last part of a name replaced, or NULL. */
static struct checkpoint_tensor *sibling(const struct inspection *inspection, const char *name,
                                         const char *leaf) {
  char path[1024];
  if (snprintf(path, sizeof path, "%.*s%s", (int)(array_name_leaf(name) - name), name, leaf) >=
      (int)sizeof path)
    return NULL;
  return find(inspection, path);
}

static int64_t axis_of(const struct checkpoint_tensor *tensor, int axis) {
  return tensor != NULL && axis < tensor->data->rank ? tensor->data->shape[axis] : 0;
}

static void use(struct checkpoint_tensor *tensor) {
  if (tensor != NULL)
    tensor->used = true;
}

static struct inspected_module *add(struct inspection *inspection) {
  return &inspection->modules[inspection->count++];
}

static enum inspected_kind kind_of_gates(int64_t gates) {
  return gates == 4 ? INSPECTED_LSTM : gates == 3 ? INSPECTED_GRU : INSPECTED_RNN;
}

/* ---- PyTorch -------------------------------------------------------------------------------------- */

static bool begins_recurrent(const char *leaf) {
  static const char *const stems[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"};
  for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
    if (strncmp(leaf, stems[i], strlen(stems[i])) == 0)
      return true;
  return false;
}

/* An nn.LSTM, nn.GRU, nn.RNN or a cell, of which `tensor` is one array. */
static cuseq_status inspect_recurrent(struct inspection *inspection, const struct checkpoint_tensor *tensor,
                                      bool *found) {
  struct checkpoint *checkpoint = &inspection->checkpoint;
  const char *name =
      prefix_of(inspection, tensor->name, (size_t)(array_name_leaf(tensor->name) - tensor->name));
  if (name == NULL)
    return error_out_of_memory();
  const struct recurrent seen = module_look(checkpoint, name);
  *found = begins_recurrent(array_name_leaf(tensor->name)) &&
           (seen.gates == 1 || seen.gates == 3 || seen.gates == 4);
  if (!*found)
    return CUSEQ_STATUS_OK;
  *add(inspection) = (struct inspected_module){
      .name = name,
      .what = module_recurrent_class(&seen),
      .kind = kind_of_gates(seen.gates),
      .units = seen.units,
      .inputs = axis_of(checkpoint_find(checkpoint, name, seen.layers > 0 ? "weight_ih_l0" : "weight_ih"), 1),
      .layers = seen.layers > 0 ? seen.layers : 1,
      .directions = seen.reverse ? 2 : 1,
      .cell = seen.layers == 0,
      .bias = seen.bias,
      .recurrent_too = true,
      .projected = seen.projected};
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const char *rest = checkpoint_within(name, checkpoint->tensors[i].name);
    if (rest != NULL && begins_recurrent(rest))
      use(&checkpoint->tensors[i]);
  }
  return CUSEQ_STATUS_OK;
}

/* An nn.Linear or nn.Embedding. */
static cuseq_status inspect_weight(struct inspection *inspection, struct checkpoint_tensor *tensor,
                                   bool *found) {
  *found =
      array_name_ends(tensor->name, "weight") && tensor->data->rank == 2 && strchr(tensor->name, '.') != NULL;
  if (!*found)
    return CUSEQ_STATUS_OK;
  struct checkpoint_tensor *bias = sibling(inspection, tensor->name, "bias");
  const char *name =
      prefix_of(inspection, tensor->name, (size_t)(array_name_leaf(tensor->name) - tensor->name));
  if (name == NULL)
    return error_out_of_memory();
  *add(inspection) =
      (struct inspected_module){.name = name,
                                .what = bias ? "an nn.Linear" : "an nn.Linear or an nn.Embedding",
                                .kind = bias ? INSPECTED_LINEAR : INSPECTED_LINEAR_OR_EMBEDDING,
                                .units = axis_of(tensor, 0),
                                .inputs = axis_of(tensor, 1),
                                .bias = bias != NULL};
  use(tensor);
  use(bias);
  return CUSEQ_STATUS_OK;
}

/* ---- Keras ---------------------------------------------------------------------------------------- */

/* Where in a path the part of a direction begins: "bi/forward_lstm/..." at 3; 0 where there is none. */
static size_t direction_at(const char *path, const char **other) {
  static const char *const sides[] = {"forward", "backward"};
  for (int side = 0; side < 2; side++)
    for (const char *at = path; (at = strstr(at, sides[side])) != NULL; at++)
      if (at > path && at[-1] == '/') {
        *other = sides[1 - side];
        return (size_t)(at - path);
      }
  return 0;
}

/* The kernel of the other direction of the same layer, or NULL. */
static bool has_other(const struct inspection *inspection, const char *prefix, const char *other) {
  bool has = false;
  for (size_t i = 0; i < inspection->checkpoint.tensor_count; i++) {
    const char *rest = checkpoint_within(prefix, inspection->checkpoint.tensors[i].name);
    has = has || (rest != NULL && strncmp(rest, other, strlen(other)) == 0);
  }
  return has;
}

/* A recurrent layer of Keras; both directions are one where they are in a Bidirectional. */
static cuseq_status inspect_keras_recurrent(struct inspection *inspection, struct checkpoint_tensor *tensor,
                                            bool *found) {
  const bool vars = array_name_in_vars(tensor->name);
  struct checkpoint_tensor *kernel = sibling(inspection, tensor->name, vars ? "0" : "kernel");
  struct checkpoint_tensor *recurrent = sibling(inspection, tensor->name, vars ? "1" : "recurrent_kernel");
  struct checkpoint_tensor *bias = sibling(inspection, tensor->name, vars ? "2" : "bias");
  const int64_t units = axis_of(recurrent, 0), gates = units > 0 ? axis_of(recurrent, 1) / units : 0;
  *found = kernel != NULL && recurrent != NULL && recurrent->data->rank == 2 && kernel->data->rank == 2 &&
           axis_of(kernel, 1) == axis_of(recurrent, 1) && (gates == 1 || gates == 3 || gates == 4) &&
           axis_of(recurrent, 1) % units == 0;
  if (!*found)
    return CUSEQ_STATUS_OK;
  const char *other = NULL;
  size_t side = direction_at(tensor->name, &other),
         folder = (size_t)(array_name_leaf(tensor->name) - tensor->name);
  const char *name = prefix_of(inspection, tensor->name, side > 0 ? side : vars ? folder - 5 : folder);
  if (name == NULL)
    return error_out_of_memory();
  bool both = side > 0 && has_other(inspection, name, other);
  if (side > 0 && !both && (name = prefix_of(inspection, tensor->name, vars ? folder - 5 : folder)) == NULL)
    return error_out_of_memory();
  static const char *const whats[] = {"an LSTM of Keras", "a GRU of Keras", "a SimpleRNN of Keras"};
  *add(inspection) = (struct inspected_module){.name = name,
                                               .what = whats[kind_of_gates(gates)],
                                               .kind = kind_of_gates(gates),
                                               .units = units,
                                               .inputs = axis_of(kernel, 0),
                                               .layers = 1,
                                               .directions = both ? 2 : 1,
                                               .bias = bias != NULL,
                                               .recurrent_too = bias == NULL || bias->data->rank == 2};
  for (size_t i = 0; i < inspection->checkpoint.tensor_count; i++)
    if (checkpoint_within(name, inspection->checkpoint.tensors[i].name) != NULL)
      use(&inspection->checkpoint.tensors[i]);
  return CUSEQ_STATUS_OK;
}

/* A Dense or Embedding of Keras. */
static cuseq_status inspect_keras_dense(struct inspection *inspection, struct checkpoint_tensor *tensor,
                                        bool *found) {
  const bool vars = array_name_in_vars(tensor->name),
             embeddings = array_name_ends(tensor->name, "embeddings");
  struct checkpoint_tensor *bias = sibling(inspection, tensor->name, vars ? "1" : "bias");
  *found = tensor->data->rank == 2 &&
           (embeddings || array_name_ends(tensor->name, "kernel") ||
            (vars && array_name_ends(tensor->name, "0"))) &&
           (bias == NULL || (bias->data->rank == 1 && axis_of(bias, 0) == axis_of(tensor, 1)));
  if (!*found)
    return CUSEQ_STATUS_OK;
  size_t folder = (size_t)(array_name_leaf(tensor->name) - tensor->name);
  const char *name = prefix_of(inspection, tensor->name, vars ? folder - 5 : folder);
  if (name == NULL)
    return error_out_of_memory();
  bool table = embeddings || (vars && bias == NULL && strstr(name, "embedding") != NULL);
  *add(inspection) = (struct inspected_module){.name = name,
                                               .what = table ? "an Embedding of Keras" : "a Dense of Keras",
                                               .kind = table ? INSPECTED_EMBEDDING : INSPECTED_LINEAR,
                                               .units = axis_of(tensor, 1),
                                               .inputs = axis_of(tensor, 0),
                                               .bias = bias != NULL};
  use(tensor);
  use(bias);
  return CUSEQ_STATUS_OK;
}

/* ---- single arrays -------------------------------------------------------------------------------- */

/* The array whose name has `to` where this one has `from` for the last time, or NULL. */
static struct checkpoint_tensor *replaced(const struct inspection *inspection, const char *name,
                                          const char *from, const char *to) {
  const char *last = NULL;
  char path[1024];
  for (const char *at = name; (at = strstr(at, from)) != NULL; at++)
    last = at;
  if (last == NULL || snprintf(path, sizeof path, "%.*s%s%s", (int)(last - name), name, to,
                               last + strlen(from)) >= (int)sizeof path)
    return NULL;
  return find(inspection, path);
}

/* The bias that goes with a kernel by name: "enc_b_ih" of "enc_w_ih"; NULL where none fits. */
static struct checkpoint_tensor *bias_of(const struct inspection *inspection,
                                         const struct checkpoint_tensor *kernel, int64_t size) {
  static const char *const pairs[][2] = {
      {"weight", "bias"}, {"kernel", "bias"}, {"_w", "_b"}, {"w_", "b_"}, {"W", "b"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct checkpoint_tensor *bias = replaced(inspection, kernel->name, pairs[i][0], pairs[i][1]);
    if (bias != NULL && bias != kernel && bias->data->rank == 1 && axis_of(bias, 0) == size)
      return bias;
  }
  return NULL;
}

/* Two kernels of one name but for "hh" and "ih": those of a cell. */
static void inspect_pair(struct inspection *inspection, struct checkpoint_tensor *recurrent) {
  struct checkpoint_tensor *kernel = replaced(inspection, recurrent->name, "hh", "ih");
  int64_t a = axis_of(recurrent, 0), b = axis_of(recurrent, 1), units = a < b ? a : b, all = a < b ? b : a;
  if (kernel == NULL || recurrent->data->rank != 2 || kernel->data->rank != 2 || units < 1 ||
      (all != 3 * units && all != 4 * units) || axis_of(kernel, a < b) != all)
    return;
  struct checkpoint_tensor *bias = bias_of(inspection, kernel, all),
                           *other = bias_of(inspection, recurrent, all);
  *add(inspection) =
      (struct inspected_module){.name = recurrent->name,
                                .what = all == 3 * units ? "arrays of a GRU" : "arrays of an LSTM",
                                .kind = all == 3 * units ? INSPECTED_GRU : INSPECTED_LSTM,
                                .units = units,
                                .inputs = axis_of(kernel, a > b),
                                .layers = 1,
                                .directions = 1,
                                .cell = true,
                                .bias = bias != NULL,
                                .recurrent_too = other != NULL || bias == NULL,
                                .arrays = {kernel, recurrent, bias, other}};
  for (int i = 0; i < 4; i++)
    use(inspection->modules[inspection->count - 1].arrays[i]);
}

/* A matrix and a vector of one name but for "w" and "b": those of a dense layer. */
static void inspect_affine(struct inspection *inspection, struct checkpoint_tensor *kernel) {
  const int64_t rows = axis_of(kernel, 0), columns = axis_of(kernel, 1);
  if (kernel->used || kernel->data->rank != 2 || rows == columns)
    return;
  struct checkpoint_tensor *bias = bias_of(inspection, kernel, rows);
  bool turned = bias != NULL; /* [outputs,inputs] */
  bias = turned ? bias : bias_of(inspection, kernel, columns);
  if (bias == NULL || bias->used)
    return;
  *add(inspection) = (struct inspected_module){.name = kernel->name,
                                               .what = "arrays of a dense layer",
                                               .kind = INSPECTED_LINEAR,
                                               .units = turned ? rows : columns,
                                               .inputs = turned ? columns : rows,
                                               .bias = true,
                                               .arrays = {kernel, NULL, bias, NULL}};
  use(kernel);
  use(bias);
}

static const char *what_else(const struct checkpoint_tensor *tensor) {
  bool weight = array_name_ends(tensor->name, "weight");
  if (*module_sign(tensor->name) != 0)
    return "of a module that no model can have";
  if (weight && tensor->data->rank == 1)
    return "a normalisation, such as nn.LayerNorm";
  if (weight && tensor->data->rank > 2)
    return "a convolution";
  return tensor->data->rank == 2 ? "a matrix" : tensor->data->rank == 1 ? "a vector" : "an array";
}

/* ---- all together --------------------------------------------------------------------------------- */

static cuseq_status inspect_array(struct inspection *inspection, struct checkpoint_tensor *tensor) {
  bool found = false;
  TRY(inspect_recurrent(inspection, tensor, &found));
  if (!found)
    TRY(inspect_weight(inspection, tensor, &found));
  if (!found && (array_name_ends(tensor->name, "recurrent_kernel") ||
                 array_name_ends(tensor->name, "kernel") || array_name_in_vars(tensor->name)))
    TRY(inspect_keras_recurrent(inspection, tensor, &found));
  if (!found)
    TRY(inspect_keras_dense(inspection, tensor, &found));
  if (!found)
    inspect_pair(inspection, tensor);
  return CUSEQ_STATUS_OK;
}

/* Modules in the order of their first arrays; what is left over are arrays by themselves. */
static cuseq_status inspect(struct inspection *inspection) {
  struct checkpoint *checkpoint = &inspection->checkpoint;
  for (size_t i = 0; i < checkpoint->tensor_count; i++)
    if (!checkpoint->tensors[i].used)
      TRY(inspect_array(inspection, &checkpoint->tensors[i]));
  for (size_t i = 0; i < checkpoint->tensor_count; i++)
    inspect_affine(inspection, &checkpoint->tensors[i]);
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    if (tensor->used)
      continue;
    *add(inspection) = (struct inspected_module){.name = tensor->name,
                                                 .what = what_else(tensor),
                                                 .kind = INSPECTED_OTHER,
                                                 .units = axis_of(tensor, tensor->data->rank == 2),
                                                 .inputs = tensor->data->rank == 2 ? axis_of(tensor, 0) : 0};
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status inspection_open(const char *path, struct inspection *inspection) {
  *inspection = (struct inspection){0};
  TRY(checkpoint_open(path, &inspection->checkpoint));
  inspection->modules = calloc(inspection->checkpoint.tensor_count + 1, sizeof *inspection->modules);
  return inspection->modules != NULL ? inspect(inspection) : error_out_of_memory();
}

void inspection_close(struct inspection *inspection) {
  free(inspection->modules);
  checkpoint_close(&inspection->checkpoint);
  *inspection = (struct inspection){0};
}
