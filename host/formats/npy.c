#include "formats/npy.h"

#include "error.h"
#include "formats/file.h"
#include "formats/npy_data.h"

#include <stdlib.h>
#include <string.h>

cuseq_status npy_parse(const void *bytes, size_t size, struct npy_array *array) {
  struct npy_header header;
  memset(array, 0, sizeof *array);
  TRY(npy_header_parse(bytes, size, &header));
  if (header.data_bytes != size - header.size)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "data: %s (shape and dtype need %zu bytes, the file has %zu)",
                     header.data_bytes > size - header.size ? "truncated" : "bytes after the array",
                     header.data_bytes, size - header.size);
  TRY(npy_data_allocate(&header, array));
  npy_data_place(&header, 0, header.count, (const unsigned char *)bytes + header.size, array->data);
  return CUSEQ_STATUS_OK;
}

cuseq_status npy_read(const char *path, struct npy_array *array) {
  void *bytes;
  size_t size;
  memset(array, 0, sizeof *array);
  TRY(file_read(path, &bytes, &size));
  cuseq_status status = npy_parse(bytes, size, array);
  free(bytes);
  return status == CUSEQ_STATUS_OK ? status : error_prefix(status, path);
}

void npy_free(struct npy_array *array) {
  free(array->data);
  memset(array, 0, sizeof *array);
}

cuseq_status npy_write(const char *path, const struct npy_array *array) {
  char header[NPY_HEADER_WRITTEN];
  size_t length, data_bytes;
  cuseq_status status = npy_header_format(array, header, &length, &data_bytes);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, path);
  struct output_file output;
  TRY(output_file_open(&output, path));
  output_file_write(&output, header, length); /* the commit tells of failures */
  output_file_write(&output, array->data, data_bytes);
  return output_file_commit(&output);
}
