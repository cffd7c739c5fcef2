#include "convert/arrays/checkpoint.h"
#include "convert/arrays/module.h"
#include "error.h"
#include "formats/doubles.h"
#include "formats/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void checkpoint_drop_file(struct checkpoint *checkpoint) {
  free(checkpoint->tensors);
  checkpoint->tensors = NULL;
  checkpoint->tensor_count = 0;
  array_file_close(&checkpoint->file);
}

void checkpoint_close(struct checkpoint *checkpoint) {
  for (size_t i = 0; i < checkpoint->made_count; i++) {
    free((void *)checkpoint->made[i].name);
    free((void *)checkpoint->made[i].data);
  }
  checkpoint_drop_file(checkpoint);
  arena_free(&checkpoint->texts);
  *checkpoint = (struct checkpoint){0};
}

static struct checkpoint_tensor *find(const struct checkpoint *checkpoint, const char *name) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++)
    if (strcmp(checkpoint->tensors[i].name, name) == 0)
      return &checkpoint->tensors[i];
  return NULL;
}

/* ---- wrappers ------------------------------------------------------------------------------------- */

/* Takes the part "_orig_mod" out of a name, wherever it stands. Returns whether it did. */
static bool strip_compiled(char *name) {
  static const char part[] = "_orig_mod.";
  bool any = false;
  size_t length = strlen(name);
  if (length >= 9 && strcmp(name + length - 9, "_orig_mod") == 0 && (length == 9 || name[length - 10] == '.'))
    name[length - (length == 9 ? 9 : 10)] = 0; /* of a module's own name */
  for (char *at = name; (at = strstr(at, part)) != NULL;) {
    if (at == name || at[-1] == '.') {
      memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
      any = true;
    } else {
      at++;
    }
  }
  return any;
}

/* The arrays of the file, under their names without what wraps the model. */
static cuseq_status add_stripped(struct checkpoint *checkpoint) {
  const size_t count = checkpoint->file.count;
  const char **names = malloc((count + 1) * sizeof *names);
  bool compiled = false, parallel = count > 0;
  if (names == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++) {
    const char *whole = checkpoint->file.arrays[i].name;
    char *name = arena_copy(&checkpoint->texts, whole, strlen(whole));
    if (name == NULL) {
      free(names);
      return error_out_of_memory();
    }
    compiled = strip_compiled(name) || compiled;
    parallel = parallel && strncmp(name, "module.", 7) == 0;
    names[i] = name;
  }
  for (size_t i = 0; i < count; i++) {
    names[i] += parallel ? 7 : 0;
    checkpoint->tensors[i] = (struct checkpoint_tensor){names[i], &checkpoint->file.arrays[i], false};
  }
  checkpoint->wrapped = (compiled || parallel) && doubles_find(names, count) == NULL;
  for (size_t i = 0; !checkpoint->wrapped && i < count; i++)
    checkpoint->tensors[i].name = checkpoint->file.arrays[i].name;
  checkpoint->tensor_count = count;
  checkpoint->parallel = checkpoint->wrapped && parallel;
  free(names);
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_unwrap(struct checkpoint *checkpoint, const char **module) {
  if (!checkpoint->wrapped || *module == NULL)
    return CUSEQ_STATUS_OK;
  char *name = arena_copy(&checkpoint->texts, *module, strlen(*module));
  if (name == NULL)
    return error_out_of_memory();
  strip_compiled(name);
  if (checkpoint->parallel && (strcmp(name, "module") == 0 || strncmp(name, "module.", 7) == 0))
    name += name[6] == 0 ? 6 : 7;
  *module = name;
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_unwrap_names(struct checkpoint *checkpoint, struct names *names) {
  for (size_t i = 0; i < names->count; i++)
    TRY(checkpoint_unwrap(checkpoint, &names->entries[i].module));
  for (size_t i = 0; i < names->ignore_count; i++)
    TRY(checkpoint_unwrap(checkpoint, &names->ignore[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_open(const char *path, struct checkpoint *checkpoint) {
  *checkpoint = (struct checkpoint){0};
  TRY(array_file_open(path, &checkpoint->file));
  checkpoint->tensors = calloc(checkpoint->file.count + 1, sizeof *checkpoint->tensors);
  if (checkpoint->tensors == NULL)
    return error_out_of_memory();
  return add_stripped(checkpoint);
}

/* ---- names ---------------------------------------------------------------------------------------- */

const char *checkpoint_within(const char *module, const char *name) {
  size_t length = strlen(module);
  if (length == 0)
    return name;
  bool within = strncmp(name, module, length) == 0 && (name[length] == '.' || name[length] == '/');
  return within ? name + length + 1 : NULL;
}

struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *module,
                                          const char *suffix) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const char *rest = checkpoint_within(module, checkpoint->tensors[i].name);
    if (rest != NULL && strcmp(rest, suffix) == 0)
      return &checkpoint->tensors[i];
  }
  return NULL;
}

/* ---- numbers -------------------------------------------------------------------------------------- */

/* The element at a place counted in elements from the first. */
static float number_at(const struct named_array *array, int64_t place) {
  float number;
  double wide;
  uint16_t half;
  uint32_t bits;
  switch (array->dtype) {
  case CUSEQ_DTYPE_F32:
    memcpy(&number, array->data + 4 * place, 4);
    return number;
  case CUSEQ_DTYPE_F64:
    memcpy(&wide, array->data + 8 * place, 8);
    return (float)wide;
  case CUSEQ_DTYPE_F16:
    memcpy(&half, array->data + 2 * place, 2);
    return npy_half_to_float(half);
  default:
    memcpy(&half, array->data + 2 * place, 2);
    bits = (uint32_t)half << 16;
    memcpy(&number, &bits, 4);
    return number;
  }
}

static cuseq_status check_finite(const char *name, int rank, const struct checkpoint_array *array) {
  size_t elements = (size_t)array->rows * (size_t)array->columns;
  for (size_t i = 0; i < elements; i++) {
    if (isfinite(array->data[i]))
      continue;
    long long row = (long long)i / array->columns, column = (long long)i % array->columns;
    char index[48];
    snprintf(index, sizeof index, rank == 2 ? "[%lld,%lld]" : "[%lld]", rank == 2 ? row : column, column);
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s'%s: not finite in float32 (found %s)", name,
                     index, isnan(array->data[i]) ? "nan" : "infinity or a number too large");
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status convert(const struct named_array *tensor, int rank, struct checkpoint_array *array) {
  bool known = tensor->dtype == CUSEQ_DTYPE_F32 || tensor->dtype == CUSEQ_DTYPE_F64 ||
               tensor->dtype == CUSEQ_DTYPE_F16 || tensor->dtype == CUSEQ_DTYPE_BF16;
  if (!known)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "tensor '%.200s': its type is %s (needed F32, F16, BF16 or F64: quantised weights as they "
        "were before)",
        tensor->name, tensor->dtype_name);
  if (tensor->rank != rank)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s': it has %d axes (needed %d)", tensor->name,
                     tensor->rank, rank);
  array->rows = rank == 2 ? tensor->shape[0] : 1;
  array->columns = tensor->shape[rank - 1];
  if (array->rows < 1 || array->columns < 1)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s': it is empty", tensor->name);
  size_t elements = (size_t)array->rows * (size_t)array->columns; /* the file has as many */
  array->data = malloc(elements * sizeof *array->data);
  if (array->data == NULL)
    return error_out_of_memory();
  const int64_t down = rank == 2 ? tensor->strides[0] : 0, across = tensor->strides[rank - 1];
  for (int64_t r = 0; r < array->rows; r++)
    for (int64_t c = 0; c < array->columns; c++)
      array->data[r * array->columns + c] = number_at(tensor, r * down + c * across);
  cuseq_status status = check_finite(tensor->name, rank, array);
  if (status != CUSEQ_STATUS_OK) {
    free(array->data);
    array->data = NULL;
  }
  return status;
}

struct checkpoint_tensor *checkpoint_named(const struct checkpoint *checkpoint, const char *name) {
  struct checkpoint_tensor *found = find(checkpoint, name);
  size_t length = strlen(name);
  for (size_t i = 0; found == NULL && i < checkpoint->tensor_count; i++)
    if (strncmp(checkpoint->tensors[i].name, name, length) == 0 &&
        strcmp(checkpoint->tensors[i].name + length, ":0") == 0)
      found = &checkpoint->tensors[i];
  return found;
}

cuseq_status checkpoint_read_matrix(struct checkpoint_tensor *tensor, struct checkpoint_array *array) {
  struct named_array squeezed = *tensor->data;
  while (squeezed.rank > 2 && squeezed.shape[squeezed.rank - 1] == 1)
    squeezed.rank--;
  tensor->used = true;
  *array = (struct checkpoint_array){0};
  return convert(&squeezed, 2, array);
}

cuseq_status checkpoint_read_vector(struct checkpoint_tensor *tensor, struct checkpoint_array *array) {
  struct named_array squeezed = *tensor->data;
  int32_t long_axes = 0;
  for (int32_t axis = 0; axis < tensor->data->rank; axis++)
    if (tensor->data->shape[axis] != 1) {
      squeezed.shape[0] = tensor->data->shape[axis];
      squeezed.strides[0] = tensor->data->strides[axis];
      long_axes++;
    }
  if (long_axes == 0) { /* one number */
    squeezed.shape[0] = 1;
    squeezed.strides[0] = 1;
  }
  squeezed.rank = long_axes <= 1 ? 1 : tensor->data->rank;
  tensor->used = true;
  *array = (struct checkpoint_array){0};
  return convert(&squeezed, 1, array);
}

cuseq_status checkpoint_read(struct checkpoint *checkpoint, const char *module, const char *suffix, int rank,
                             bool needed, struct checkpoint_array *array) {
  *array = (struct checkpoint_array){0};
  struct checkpoint_tensor *tensor =
      suffix != NULL ? checkpoint_find(checkpoint, module, suffix) : find(checkpoint, module);
  if (tensor != NULL) {
    tensor->used = true;
    return convert(tensor->data, rank, array);
  }
  return needed ? checkpoint_missing(module, suffix) : CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_missing(const char *module, const char *suffix) {
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s%s%s': missing in the checkpoint", module,
                   *module != 0 && suffix != NULL ? "." : "", suffix != NULL ? suffix : "");
}

cuseq_status checkpoint_add(struct checkpoint *checkpoint, const char *name, int64_t rows, int64_t columns,
                            float *data) {
  char *copy = strdup(name);
  if (copy == NULL || checkpoint->made_count >= CHECKPOINT_MAX_TENSORS) {
    free(copy);
    free(data);
    return error_out_of_memory();
  }
  checkpoint->made[checkpoint->made_count++] = (cuseq_tensor){.name = copy,
                                                              .dtype = CUSEQ_DTYPE_F32,
                                                              .rank = columns > 0 ? 2 : 1,
                                                              .shape = {rows, columns},
                                                              .data = data};
  return CUSEQ_STATUS_OK;
}

/* ---- what is left ---------------------------------------------------------------------------------- */

/* Whether a tensor lies under a prefix, or is it. */
static bool is_under(const char *prefix, const char *name) {
  return strcmp(prefix, name) == 0 || checkpoint_within(prefix, name) != NULL;
}

/* The entry of names whose module a tensor belongs to: the innermost one; NULL where there is none. Where a
 * module is the whole checkpoint, modules within it are others. */
static const struct name *owner_of(const struct names *names, const char *tensor) {
  const struct name *owner = NULL;
  for (size_t i = 0; i < names->count; i++) {
    const char *module = names->entries[i].module;
    bool owns = module != NULL && (*module == 0 ? strpbrk(tensor, "./") == NULL : is_under(module, tensor));
    if (owns && (owner == NULL || strlen(module) > strlen(owner->module)))
      owner = &names->entries[i];
  }
  return owner;
}

static bool is_ignored(const struct names *names, const char *tensor) {
  for (size_t i = 0; i < names->ignore_count; i++)
    if (is_under(names->ignore[i], tensor))
      return true;
  return false;
}

cuseq_status checkpoint_check_ignored(const struct checkpoint *checkpoint, const struct names *names) {
  for (size_t i = 0; i < names->ignore_count; i++) {
    const char *prefix = names->ignore[i];
    size_t hidden = 0;
    for (size_t k = 0; k < checkpoint->tensor_count; k++) {
      const char *tensor = checkpoint->tensors[k].name;
      const struct name *owner = owner_of(names, tensor);
      if (!is_under(prefix, tensor))
        continue;
      if (owner != NULL)
        return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "names: \"ignore\" has '%.200s', which would hide '%.200s' of \"%s\"", prefix,
                         tensor, owner->key);
      hidden++;
    }
    if (hidden == 0)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "names: \"ignore\" has '%.200s', which is nothing in the checkpoint", prefix);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_check_mapped(const struct checkpoint *checkpoint, const struct names *names) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    const struct name *owner = tensor->used ? NULL : owner_of(names, tensor->name);
    if (owner != NULL)
      return module_error(owner, "it has '%.200s' besides, which is not left out%s", tensor->name,
                          module_sign(tensor->name));
  }
  return CUSEQ_STATUS_OK;
}

/* Whether a tensor is all that its module has, a matrix "weight": an nn.Embedding has no more. */
static bool may_be_embedding(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor) {
  const char *dot = strrchr(tensor->name, '.');
  size_t length = dot != NULL ? (size_t)(dot - tensor->name) + 1 : 0;
  if (dot == NULL || strcmp(dot, ".weight") != 0 || tensor->data->rank != 2)
    return false;
  for (size_t i = 0; i < checkpoint->tensor_count; i++)
    if (&checkpoint->tensors[i] != tensor && strncmp(checkpoint->tensors[i].name, tensor->name, length) == 0)
      return false;
  return true;
}

cuseq_status checkpoint_check_others(const struct checkpoint *checkpoint, const struct names *names) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    if (!tensor->used && !is_ignored(names, tensor->name))
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "tensor '%.200s': nothing in names reaches it%s (%sa module that the output does not "
          "depend on is listed in \"ignore\" there)",
          tensor->name, module_sign(tensor->name),
          names->embedding_hint != NULL && may_be_embedding(checkpoint, tensor) ? names->embedding_hint : "");
  }
  return CUSEQ_STATUS_OK;
}
