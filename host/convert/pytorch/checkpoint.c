#include "convert/pytorch/checkpoint.h"
#include "convert/pytorch/module.h"
#include "error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_status out_of_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
}

void checkpoint_close(struct checkpoint *checkpoint) {
  for (size_t i = 0; i < checkpoint->made_count; i++) {
    free((void *)checkpoint->made[i].name);
    free((void *)checkpoint->made[i].data);
  }
  free(checkpoint->tensors);
  safetensors_free(&checkpoint->file);
  *checkpoint = (struct checkpoint){0};
}

static struct checkpoint_tensor *find(const struct checkpoint *checkpoint, const char *name) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++)
    if (strcmp(checkpoint->tensors[i].name, name) == 0)
      return &checkpoint->tensors[i];
  return NULL;
}

cuseq_status checkpoint_open(const void *bytes, size_t size, struct checkpoint *checkpoint) {
  struct safetensors *file = &checkpoint->file;
  *checkpoint = (struct checkpoint){0};
  TRY(safetensors_parse(bytes, size, file));
  checkpoint->tensors = calloc(file->tensor_count + file->metadata_count + 1, sizeof *checkpoint->tensors);
  if (checkpoint->tensors == NULL)
    return out_of_memory();
  for (size_t i = 0; i < file->tensor_count; i++)
    checkpoint->tensors[checkpoint->tensor_count++] =
        (struct checkpoint_tensor){.name = file->tensors[i].name, .data = &file->tensors[i]};
  for (size_t i = 0; i < file->metadata_count; i++) {
    const struct checkpoint_tensor *kept = find(checkpoint, file->metadata[i].value);
    if (kept != NULL && find(checkpoint, file->metadata[i].key) == NULL)
      checkpoint->tensors[checkpoint->tensor_count++] =
          (struct checkpoint_tensor){.name = file->metadata[i].key, .data = kept->data};
  }
  return CUSEQ_STATUS_OK;
}

/* ---- names ---------------------------------------------------------------------------------------- */

const char *checkpoint_within(const char *module, const char *name) {
  size_t length = strlen(module);
  if (length == 0)
    return name;
  return strncmp(name, module, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
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

static float from_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  union {
    uint32_t bits;
    float number;
  } result;
  if (exponent == 0) { /* zero or subnormal: fraction x 2^-24 */
    result.number = (float)fraction * 0x1p-24f;
    result.bits |= sign;
  } else if (exponent == 31) {
    result.bits = sign | 0x7f800000u | fraction << 13;
  } else {
    result.bits = sign | (exponent + 112) << 23 | fraction << 13;
  }
  return result.number;
}

static float number_at(const struct safetensors_tensor *tensor, size_t i) {
  const unsigned char *bytes = tensor->data;
  float number;
  double wide;
  uint16_t half;
  uint32_t bits;
  switch (tensor->dtype) {
  case CUSEQ_DTYPE_F32:
    memcpy(&number, bytes + 4 * i, 4);
    return number;
  case CUSEQ_DTYPE_F64:
    memcpy(&wide, bytes + 8 * i, 8);
    return (float)wide;
  case CUSEQ_DTYPE_F16:
    memcpy(&half, bytes + 2 * i, 2);
    return from_half(half);
  default:
    memcpy(&half, bytes + 2 * i, 2);
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

static cuseq_status convert(const struct safetensors_tensor *tensor, int rank,
                            struct checkpoint_array *array) {
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
    return out_of_memory();
  for (size_t i = 0; i < elements; i++)
    array->data[i] = number_at(tensor, i);
  cuseq_status status = check_finite(tensor->name, rank, array);
  if (status != CUSEQ_STATUS_OK) {
    free(array->data);
    array->data = NULL;
  }
  return status;
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
    return out_of_memory();
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
    bool owns = *module == 0 ? strchr(tensor, '.') == NULL : is_under(module, tensor);
    if (owns && (owner == NULL || strlen(module) > strlen(owner->module)))
      owner = &names->entries[i];
  }
  return owner;
}

static bool is_ignored(const struct names *names, const char *tensor) {
  for (size_t i = 0; i < json_array_size(names->ignore); i++)
    if (is_under(json_string_value(json_array_get(names->ignore, i)), tensor))
      return true;
  return false;
}

cuseq_status checkpoint_check_ignored(const struct checkpoint *checkpoint, const struct names *names) {
  for (size_t i = 0; i < json_array_size(names->ignore); i++) {
    const char *prefix = json_string_value(json_array_get(names->ignore, i));
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

/* Which embedding the names could have and have not. */
static const char *hint_of(const struct names *names) {
  if (names_find(names, "encoder.embedding") == NULL)
    return "an embedding of the input is \"encoder.embedding\"; ";
  if (names->feedback && names_find(names, "decoder.embedding") == NULL)
    return "an embedding of the fed back token is \"decoder.embedding\"; ";
  return "";
}

cuseq_status checkpoint_check_others(const struct checkpoint *checkpoint, const struct names *names) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    if (!tensor->used && !is_ignored(names, tensor->name))
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "tensor '%.200s': nothing in names reaches it%s (%sa module that the output does not "
                       "depend on is listed in \"ignore\" there)",
                       tensor->name, module_sign(tensor->name),
                       may_be_embedding(checkpoint, tensor) ? hint_of(names) : "");
  }
  return CUSEQ_STATUS_OK;
}
