#include "convert/pytorch/checkpoint.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cuseq_status out_of_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
}

void checkpoint_free(struct checkpoint *checkpoint) {
  for (size_t i = 0; i < checkpoint->count; i++) {
    free((void *)checkpoint->tensors[i].name);
    free((void *)checkpoint->tensors[i].data);
  }
  free(checkpoint->used);
  json_decref(checkpoint->asked);
  safetensors_free(&checkpoint->file);
  *checkpoint = (struct checkpoint){0};
}

/* ---- names ---------------------------------------------------------------------------------------- */

cuseq_status checkpoint_name(struct checkpoint *checkpoint, const char *key, const char **name) {
  const json_t *value = json_object_get(checkpoint->names, key);
  *name = NULL;
  if (json_object_set_new(checkpoint->asked, key, json_true()) != 0)
    return out_of_memory();
  if (value == NULL)
    return CUSEQ_STATUS_OK;
  *name = json_string_value(json_is_object(value) ? json_object_get(value, "name") : value);
  if (*name == NULL)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "names: \"%.80s\" is no name (needed a text, or an object with "
                     "\"name\" and \"order\")",
                     key);
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_order(const struct checkpoint *checkpoint, const char *key, const char *first,
                              const char *second, bool *swapped) {
  const json_t *order = json_object_get(json_object_get(checkpoint->names, key), "order");
  *swapped = false;
  if (order == NULL)
    return CUSEQ_STATUS_OK;
  const char *a = json_string_value(json_array_get(order, 0)),
             *b = json_string_value(json_array_get(order, 1));
  bool plain = a != NULL && b != NULL && strcmp(a, first) == 0 && strcmp(b, second) == 0;
  *swapped = a != NULL && b != NULL && strcmp(a, second) == 0 && strcmp(b, first) == 0;
  if (json_array_size(order) != 2 || (!plain && !*swapped))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "names: the order of \"%.80s\" is not \"%s\" and \"%s\", in one "
                     "order or the other",
                     key, first, second);
  return CUSEQ_STATUS_OK;
}

static bool is_ignored(const struct checkpoint *checkpoint, const char *name) {
  const json_t *list = json_object_get(checkpoint->names, "ignore");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *prefix = json_string_value(json_array_get(list, i));
    if (prefix != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
      return true;
  }
  return false;
}

cuseq_status checkpoint_check_leftovers(const struct checkpoint *checkpoint) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)checkpoint->names, key, value) {
    if (strcmp(key, "ignore") != 0 && json_object_get(checkpoint->asked, key) == NULL)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "names: \"%.80s\" is nothing that this configuration has", key);
  }
  for (size_t i = 0; i < checkpoint->file.tensor_count; i++)
    if (!checkpoint->used[i] && !is_ignored(checkpoint, checkpoint->file.tensors[i].name))
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "tensor '%.200s': the configuration has no use for it (name it under \"names\", or its prefix "
          "in \"ignore\" there)",
          checkpoint->file.tensors[i].name);
  return CUSEQ_STATUS_OK;
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

static cuseq_status convert(const struct safetensors_tensor *tensor, int rank,
                            struct checkpoint_array *array) {
  bool known = tensor->dtype == CUSEQ_DTYPE_F32 || tensor->dtype == CUSEQ_DTYPE_F64 ||
               tensor->dtype == CUSEQ_DTYPE_F16 || tensor->dtype == CUSEQ_DTYPE_BF16;
  if (!known)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "tensor '%.200s': its type is %s (needed F32, F16, BF16 or F64)", tensor->name,
                     tensor->dtype_name);
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
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_read(struct checkpoint *checkpoint, const char *prefix, const char *suffix, int rank,
                             bool needed, struct checkpoint_array *array) {
  char name[CHECKPOINT_MAX_NAME];
  *array = (struct checkpoint_array){0};
  if (snprintf(name, sizeof name, suffix != NULL ? "%s.%s" : "%s", prefix, suffix) >= (int)sizeof name)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%.80s...\" is too long", prefix);
  for (size_t i = 0; i < checkpoint->file.tensor_count; i++)
    if (strcmp(checkpoint->file.tensors[i].name, name) == 0) {
      checkpoint->used[i] = true;
      return convert(&checkpoint->file.tensors[i], rank, array);
    }
  if (needed)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s': missing in the checkpoint", name);
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_add(struct checkpoint *checkpoint, const char *name, int64_t rows, int64_t columns,
                            float *data) {
  char *copy = strdup(name);
  if (copy == NULL || checkpoint->count >= CHECKPOINT_MAX_TENSORS) {
    free(copy);
    free(data);
    return out_of_memory();
  }
  checkpoint->tensors[checkpoint->count++] = (cuseq_tensor){.name = copy,
                                                            .dtype = CUSEQ_DTYPE_F32,
                                                            .rank = columns > 0 ? 2 : 1,
                                                            .shape = {rows, columns},
                                                            .data = data};
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_transpose(struct checkpoint_array *array) {
  float *data = malloc((size_t)array->rows * (size_t)array->columns * sizeof *data);
  if (data == NULL)
    return out_of_memory();
  for (int64_t r = 0; r < array->rows; r++)
    for (int64_t c = 0; c < array->columns; c++)
      data[c * array->rows + r] = array->data[r * array->columns + c];
  free(array->data);
  *array = (struct checkpoint_array){array->columns, array->rows, data};
  return CUSEQ_STATUS_OK;
}

cuseq_status checkpoint_rotate_rows(struct checkpoint_array *array, int64_t count) {
  size_t moved = (size_t)count * (size_t)array->columns, all = (size_t)array->rows * (size_t)array->columns;
  float *data = malloc(all * sizeof *data);
  if (data == NULL)
    return out_of_memory();
  memcpy(data, array->data + moved, (all - moved) * sizeof *data);
  memcpy(data + all - moved, array->data, moved * sizeof *data);
  free(array->data);
  array->data = data;
  return CUSEQ_STATUS_OK;
}
