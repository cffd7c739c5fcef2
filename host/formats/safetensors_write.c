#include "error.h"
#include "formats/file.h"
#include "formats/safetensors.h"
#include "formats/safetensors_dtype.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

static cuseq_status no_memory(void) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "header: no memory to write it");
}

static cuseq_status metadata_json(const struct safetensors *file, json_t *root) {
  if (file->metadata_count == 0)
    return CUSEQ_STATUS_OK;
  json_t *metadata = json_object();
  if (json_object_set_new(root, "__metadata__", metadata) !=
      0) /* fails of NULL; takes the reference even then */
    return no_memory();
  for (size_t i = 0; i < file->metadata_count; i++) {
    const struct safetensors_pair *pair = &file->metadata[i];
    if (json_object_get(metadata, pair->key))
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "__metadata__: two values of '%s'", pair->key);
    if (json_object_set_new(metadata, pair->key, json_string(pair->value)) != 0)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "__metadata__: '%s' or its value is not UTF-8",
                       pair->key);
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_tensor(const struct safetensors_tensor *tensor, const char **dtype_name) {
  *dtype_name = tensor->dtype_name ? tensor->dtype_name : safetensors_dtype_name(tensor->dtype);
  const struct safetensors_dtype *dtype = *dtype_name ? safetensors_dtype_find(*dtype_name) : NULL;
  if (!dtype)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "tensor '%s': a dtype that the file format does not have (%s)", tensor->name,
                     *dtype_name ? *dtype_name : "none");
  if (tensor->rank < 0 || tensor->rank > SAFETENSORS_MAX_RANK)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tensor '%s': its rank is %d (0 to %d can be written)",
                     tensor->name, (int)tensor->rank, SAFETENSORS_MAX_RANK);
  size_t bytes;
  if (safetensors_size(dtype, tensor->rank, tensor->shape, &bytes) != SAFETENSORS_SIZE_OK ||
      bytes != tensor->bytes)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tensor '%s': shape and dtype do not make its %zu bytes",
                     tensor->name, tensor->bytes);
  return CUSEQ_STATUS_OK;
}

static cuseq_status tensor_json(const struct safetensors_tensor *tensor, size_t *offset, json_t *root) {
  const char *dtype_name;
  TRY(check_tensor(tensor, &dtype_name));
  if (json_object_get(root, tensor->name) || strcmp(tensor->name, "__metadata__") == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tensor '%s': a name that is taken", tensor->name);
  size_t end;
  if (__builtin_add_overflow(*offset, tensor->bytes, &end) || end > (size_t)INT64_MAX)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tensor '%s': too many bytes in all", tensor->name);
  json_t *shape = json_array();
  for (int32_t i = 0; i < tensor->rank; i++)
    if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
      json_decref(shape);
      return no_memory();
    }
  json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_name, "shape", shape, "data_offsets",
                            (json_int_t)*offset, (json_int_t)end);
  if (!entry)
    return no_memory();
  *offset = end;
  if (json_object_set_new(root, tensor->name, entry) != 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "tensor '%s': its name is not UTF-8", tensor->name);
  return CUSEQ_STATUS_OK;
}

static cuseq_status header_json(const struct safetensors *file, char **text) {
  cuseq_status status = CUSEQ_STATUS_OK;
  json_t *root = json_object();
  if (!root)
    return no_memory();
  size_t offset = 0;
  TRY_CLEANUP(metadata_json(file, root));
  for (size_t i = 0; i < file->tensor_count; i++)
    TRY_CLEANUP(tensor_json(&file->tensors[i], &offset, root));
  *text = json_dumps(root, JSON_COMPACT);
  if (!*text)
    TRY_CLEANUP(no_memory());
cleanup:
  json_decref(root);
  return status;
}

cuseq_status safetensors_write(const char *path, const struct safetensors *file) {
  char *header = NULL;
  cuseq_status status = header_json(file, &header);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, path);
  struct output_file output;
  TRY_CLEANUP(output_file_open(&output, path));
  size_t length = strlen(header);
  size_t padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  unsigned char prefix[LENGTH_BYTES];
  for (int i = 0; i < LENGTH_BYTES; i++)
    prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  output_file_write(&output, prefix, sizeof prefix); /* the commit tells of failures */
  output_file_write(&output, header, length);
  output_file_write(&output, "        ", padded - length);
  for (size_t i = 0; i < file->tensor_count; i++)
    output_file_write(&output, file->tensors[i].data, file->tensors[i].bytes);
  TRY_CLEANUP(output_file_commit(&output));
cleanup:
  free(header);
  return status;
}
