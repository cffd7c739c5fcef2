#include "formats/onnx/onnx.h"

#include "error.h"
#include "formats/file.h"
#include "formats/onnx/copy.h"
#include "onnx.pb-c.h"

#include <stdlib.h>
#include <string.h>

cuseq_status onnx_parse(const void *bytes, size_t size, struct onnx_file *file) {
  void *copy;
  size_t copy_size;
  *file = (struct onnx_file){.bytes = bytes, .size = size};
  TRY(onnx_copy(bytes, size, &copy, &copy_size));
  OnnxFile__Model *model = onnx_file__model__unpack(NULL, copy_size, copy);
  free(copy);
  if (model == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not an ONNX model: protobuf-c cannot read it");
  if (model->graph == NULL) {
    onnx_file__model__free_unpacked(model, NULL);
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not an ONNX model: it has no graph");
  }
  file->model = model;
  return CUSEQ_STATUS_OK;
}

/* "a/b.onnx" is in "a", "b.onnx" in ".". */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL)
    return strdup(".");
  return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

cuseq_status onnx_read(const char *path, struct onnx_file *file) {
  void *bytes;
  size_t size;
  *file = (struct onnx_file){0};
  TRY(file_read(path, &bytes, &size));
  cuseq_status status = onnx_parse(bytes, size, file);
  if (status == CUSEQ_STATUS_OK) {
    file->read = bytes;
    file->folder = folder_of(path);
    if (file->folder != NULL)
      return CUSEQ_STATUS_OK;
    status = error_out_of_memory();
  }
  if (file->model != NULL)
    onnx_file__model__free_unpacked(file->model, NULL);
  free(bytes);
  *file = (struct onnx_file){0};
  return error_prefix(status, path);
}

void onnx_release_bytes(struct onnx_file *file) {
  if (file->read == NULL) /* the caller's bytes */
    return;
  free(file->read);
  file->read = NULL;
  file->bytes = NULL;
  file->size = 0;
}

void onnx_free(struct onnx_file *file) {
  if (file->model != NULL)
    onnx_file__model__free_unpacked(file->model, NULL);
  onnx_release_bytes(file);
  free(file->folder);
  *file = (struct onnx_file){0};
}
