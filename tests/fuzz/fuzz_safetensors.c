/* Whatever the bytes, safetensors_parse gives tensors that cover the data exactly, or an error. */
#include "formats/safetensors.h"
#include "formats/safetensors_dtype.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

static void check_tensor(const struct safetensors_tensor *tensor, const uint8_t *expected_data) {
  const struct safetensors_dtype *dtype = safetensors_dtype_find(tensor->dtype_name);
  size_t bytes;
  require(dtype != NULL && dtype->dtype == tensor->dtype);
  require(tensor->rank >= 0 && tensor->rank <= SAFETENSORS_MAX_RANK);
  require(safetensors_size(dtype, tensor->rank, tensor->shape, &bytes) == SAFETENSORS_SIZE_OK);
  require(bytes == tensor->bytes && tensor->data == expected_data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct safetensors file;
  if (safetensors_parse(bytes, size, &file) != CUSEQ_STATUS_OK) {
    require(file.owner == NULL && file.tensor_count == 0 && file.metadata_count == 0);
    return 0;
  }
  uint64_t header;
  memcpy(&header, bytes, sizeof header);
  const uint8_t *data = bytes + sizeof header + header;
  for (size_t i = 0; i < file.tensor_count; i++) {
    check_tensor(&file.tensors[i], data);
    data += file.tensors[i].bytes;
  }
  require(data == bytes + size);
  for (size_t i = 0; i < file.metadata_count; i++)
    require(safetensors_metadata(&file, file.metadata[i].key) == file.metadata[i].value);
  safetensors_free(&file);
  return 0;
}
