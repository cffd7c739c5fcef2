#include "formats/safetensors.h"

#include "error.h"
#include "formats/json_bound.h"
#include "formats/safetensors_dtype.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_DEPTH = 3 /* names, entries, shapes */ };

struct owner {
  json_t *root; /* has the names and the metadata's texts */
  struct safetensors_tensor *tensors;
  struct safetensors_pair *metadata;
};

/* A tensor and where the header says that its data are, which the order of the tensors is found from. */
struct placed {
  struct safetensors_tensor tensor;
  uint64_t begin, end;
};

static uint64_t little_endian_64(const unsigned char *bytes) {
  uint64_t value = 0;
  for (int i = LENGTH_BYTES - 1; i >= 0; i--)
    value = value << 8 | bytes[i];
  return value;
}

/* Refuses a header that would take too much memory, here or in jansson, or that nests too deeply to be
 * one. */
static cuseq_status bound_memory(const unsigned char *header, size_t length, size_t file_size) {
  struct json_bound bound = json_bound(header, length);
  if (bound.depth > HEADER_DEPTH)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: nested too deeply (%zu levels, at most %d)",
                     bound.depth, HEADER_DEPTH);
  size_t per_entry = sizeof(struct placed) + 2 * sizeof(struct safetensors_tensor);
  size_t cost = bound.memory + bound.objects * per_entry + bound.keys * sizeof(struct safetensors_pair);
  size_t limit = file_size + ((size_t)40 << 20);
  if (cost > limit)
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "header: too complex (reading it would take %zu bytes of memory, at most %zu are allowed)", cost,
        limit);
  return CUSEQ_STATUS_OK;
}

static cuseq_status parse_json(const unsigned char *header, size_t length, json_t **root) {
  json_error_t error;
  *root = json_loadb((const char *)header, length, JSON_REJECT_DUPLICATES, &error);
  if (*root)
    return CUSEQ_STATUS_OK;
  if (json_lacked_memory(&error))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "header: no memory to read it (%zu bytes)", length);
  return error_set(CUSEQ_STATUS_INVALID_FILE, "header: not valid JSON (%s at byte %d)", error.text,
                   error.position);
}

static cuseq_status entry_error(const char *name, const char *what) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%s': %s", name, what);
}

static cuseq_status read_dtype(const char *name, json_t *value, struct safetensors_tensor *tensor,
                               const struct safetensors_dtype **dtype) {
  if (!json_is_string(value))
    return entry_error(name, "its dtype is missing or not a string");
  *dtype = safetensors_dtype_find(json_string_value(value));
  if (!*dtype)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%s': unknown dtype '%s'", name,
                     json_string_value(value));
  tensor->dtype_name = (*dtype)->name;
  tensor->dtype = (*dtype)->dtype;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_shape(const char *name, json_t *value, struct safetensors_tensor *tensor) {
  if (!json_is_array(value))
    return entry_error(name, "its shape is missing or not an array");
  if (json_array_size(value) > SAFETENSORS_MAX_RANK)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%s': too many dimensions (%zu, at most %d)", name,
                     json_array_size(value), SAFETENSORS_MAX_RANK);
  tensor->rank = (int32_t)json_array_size(value);
  for (int32_t i = 0; i < tensor->rank; i++) {
    json_t *dimension = json_array_get(value, (size_t)i);
    if (!json_is_integer(dimension) || json_integer_value(dimension) < 0)
      return entry_error(name, "its shape has something that is not a non-negative integer");
    tensor->shape[i] = json_integer_value(dimension);
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_offsets(const char *name, json_t *value, size_t buffer_size, struct placed *entry) {
  json_t *begin = json_array_get(value, 0); /* NULL of anything but an array */
  json_t *end = json_array_get(value, 1);
  if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
      json_integer_value(begin) < 0 || json_integer_value(end) < 0)
    return entry_error(name, "its data_offsets are missing or not two non-negative integers");
  entry->begin = (uint64_t)json_integer_value(begin);
  entry->end = (uint64_t)json_integer_value(end);
  if (entry->begin > entry->end)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%s': its data_offsets run backwards (%ju to %ju)",
                     name, (uintmax_t)entry->begin, (uintmax_t)entry->end);
  if (entry->end > buffer_size)
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "tensor '%s': its data lie beyond the end of the file (bytes %ju to %ju of the data, which have "
        "%zu bytes)",
        name, (uintmax_t)entry->begin, (uintmax_t)entry->end, buffer_size);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_entry(const char *name, json_t *value, const unsigned char *buffer,
                               size_t buffer_size, struct placed *entry) {
  if (!json_is_object(value))
    return entry_error(name, "its header entry is not an object");
  const char *key;
  json_t *ignored;
  json_object_foreach(value, key, ignored) {
    if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%s': unknown key '%s' in its header entry", name,
                       key);
  }
  const struct safetensors_dtype *dtype;
  struct safetensors_tensor *tensor = &entry->tensor;
  tensor->name = name;
  TRY(read_dtype(name, json_object_get(value, "dtype"), tensor, &dtype));
  TRY(read_shape(name, json_object_get(value, "shape"), tensor));
  TRY(read_offsets(name, json_object_get(value, "data_offsets"), buffer_size, entry));
  switch (safetensors_size(dtype, tensor->rank, tensor->shape, &tensor->bytes)) {
  case SAFETENSORS_SIZE_OK:
    break;
  case SAFETENSORS_SIZE_OVERFLOW:
    return entry_error(name, "its shape has more elements than can be counted");
  case SAFETENSORS_SIZE_PARTIAL_BYTE:
    return entry_error(name, "its elements do not fill whole bytes");
  }
  if (entry->end - entry->begin != tensor->bytes)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "tensor '%s': shape and dtype need %zu bytes (its data_offsets have %ju)", name,
                     tensor->bytes, (uintmax_t)(entry->end - entry->begin));
  tensor->data = buffer + entry->begin;
  return CUSEQ_STATUS_OK;
}

static int by_place(const void *left, const void *right) {
  const struct placed *a = left, *b = right;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  if (a->end != b->end) /* tensors without data come before the one that starts where they are */
    return a->end < b->end ? -1 : 1;
  return strcmp(a->tensor.name, b->tensor.name);
}

/* The data must follow each other from the first byte to the last. */
static cuseq_status check_places(const struct placed *entries, size_t count, size_t buffer_size) {
  uint64_t covered = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].begin != covered)
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "tensor '%s': its data %s (they start at byte %ju, needed %ju)",
                       entries[i].tensor.name,
                       entries[i].begin < covered ? "overlap another tensor's" : "leave a hole before them",
                       (uintmax_t)entries[i].begin, (uintmax_t)covered);
    covered = entries[i].end;
  }
  if (covered != buffer_size)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "data: bytes after the last tensor (the tensors have %ju bytes, the file has %zu)",
                     (uintmax_t)covered, buffer_size);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_tensors(json_t *root, const unsigned char *buffer, size_t buffer_size,
                                 struct safetensors *file, struct owner *owner) {
  cuseq_status status = CUSEQ_STATUS_OK;
  size_t capacity = json_object_size(root) + 1; /* never 0 */
  struct placed *entries = calloc(capacity, sizeof *entries);
  owner->tensors = calloc(capacity, sizeof *owner->tensors);
  if (!entries || !owner->tensors)
    TRY_CLEANUP(error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "header: no memory for its %zu tensors", capacity - 1));
  size_t count = 0;
  const char *name;
  json_t *value;
  json_object_foreach(root, name, value) {
    if (strcmp(name, "__metadata__") != 0)
      TRY_CLEANUP(read_entry(name, value, buffer, buffer_size, &entries[count++]));
  }
  qsort(entries, count, sizeof *entries, by_place);
  TRY_CLEANUP(check_places(entries, count, buffer_size));
  for (size_t i = 0; i < count; i++)
    owner->tensors[i] = entries[i].tensor;
  file->tensors = owner->tensors;
  file->tensor_count = count;
cleanup:
  free(entries);
  return status;
}

static cuseq_status read_metadata(json_t *value, struct safetensors *file, struct owner *owner) {
  if (!value)
    return CUSEQ_STATUS_OK;
  if (!json_is_object(value))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "__metadata__: not an object");
  owner->metadata = calloc(json_object_size(value) + 1, sizeof *owner->metadata);
  if (!owner->metadata)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "__metadata__: no memory for its %zu entries",
                     json_object_size(value));
  file->metadata = owner->metadata;
  const char *key;
  json_t *text;
  json_object_foreach(value, key, text) {
    if (!json_is_string(text))
      return error_set(CUSEQ_STATUS_INVALID_FILE, "__metadata__: the value of '%s' is not a string", key);
    file->metadata[file->metadata_count++] = (struct safetensors_pair){key, json_string_value(text)};
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status safetensors_check(const void *bytes, size_t count, size_t size) {
  const unsigned char *start = bytes;
  if (count < LENGTH_BYTES)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: %s (%zu bytes, at least %d are needed)",
                     size ? "the file ends in its length" : "the file is empty", size, LENGTH_BYTES);
  uint64_t length = little_endian_64(start);
  if (length > size - LENGTH_BYTES)
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "header: longer than the file, which is truncated or no .safetensors (%ju bytes, the file has "
        "%zu after the length)",
        (uintmax_t)length, size - LENGTH_BYTES);
  if (length == 0 || count <= LENGTH_BYTES || start[LENGTH_BYTES] != '{')
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: does not begin with '{'");
  return CUSEQ_STATUS_OK;
}

cuseq_status safetensors_parse(const void *bytes, size_t size, struct safetensors *file) {
  cuseq_status status = CUSEQ_STATUS_OK;
  memset(file, 0, sizeof *file);
  TRY(safetensors_check(bytes, size, size));
  uint64_t length = little_endian_64(bytes);
  const unsigned char *header = (const unsigned char *)bytes + LENGTH_BYTES;
  TRY(bound_memory(header, length, size));

  struct owner *owner = calloc(1, sizeof *owner);
  if (!owner)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "header: no memory to read it (%ju bytes)",
                     (uintmax_t)length);
  file->owner = owner;
  TRY_CLEANUP(parse_json(header, length, &owner->root));
  TRY_CLEANUP(read_metadata(json_object_get(owner->root, "__metadata__"), file, owner));
  TRY_CLEANUP(read_tensors(owner->root, header + length, size - LENGTH_BYTES - length, file, owner));
  return CUSEQ_STATUS_OK;
cleanup:
  safetensors_free(file);
  return status;
}

void safetensors_free(struct safetensors *file) {
  struct owner *owner = file->owner;
  if (owner) {
    json_decref(owner->root);
    free(owner->tensors);
    free(owner->metadata);
    free(owner);
  }
  memset(file, 0, sizeof *file);
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
  for (size_t i = 0; i < file->metadata_count; i++)
    if (strcmp(file->metadata[i].key, key) == 0)
      return file->metadata[i].value;
  return NULL;
}
