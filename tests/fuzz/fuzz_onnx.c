/* Whatever the bytes, a file gives a graph or an error, and a graph gives a model or an error.
 *
 * An input is an .onnx file. One that begins with a P is an encoder and its decoder: four bytes of the
 * encoder's length follow, then both files. */
#include "convert/onnx/convert.h"
#include "onnx.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* Reads all weights, so that a sanitizer sees what is not in the file. */
static void load_weights(const struct onnx_file *file) {
  const OnnxFile__Graph *graph = file->model->graph;
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const OnnxFile__Tensor *tensor = graph->initializer[i];
    size_t count;
    if (onnx_tensor_count(file, tensor, &count) != CUSEQ_STATUS_OK)
      continue;
    require(count <= 16 * file->size); /* no number takes less than a byte, or comes of nothing */
    float *floats = malloc((count + 1) * sizeof *floats);
    int64_t *integers = malloc((count + 1) * sizeof *integers);
    if (floats != NULL && integers != NULL) {
      cuseq_status status = onnx_type_is_float(tensor->data_type)
                                ? onnx_tensor_floats(file, tensor, floats)
                                : onnx_tensor_integers(file, tensor, integers);
      require(status == CUSEQ_STATUS_OK);
    }
    free(floats);
    free(integers);
  }
}

/* A model that came out has all its tensors, and finite numbers in them. */
static void check_model(cuseq_status status, cuseq_model *model) {
  require((status == CUSEQ_STATUS_OK) == (model != NULL));
  for (size_t i = 0; model != NULL && i < cuseq_model_tensor_count(model); i++) {
    cuseq_tensor tensor;
    require(cuseq_model_tensor(model, i, &tensor) == CUSEQ_STATUS_OK);
    size_t count = 1;
    for (int32_t axis = 0; axis < tensor.rank; axis++)
      count *= (size_t)tensor.shape[axis];
    const float *data = tensor.data;
    for (size_t k = 0; k < count; k++)
      require(data[k] - data[k] == 0);
  }
  cuseq_model_destroy(model);
}

static void convert(struct onnx_file *files, size_t count) {
  struct convert_decoder decoder = {
      .start_token = count == 2 ? 1 : -1, .end_token = -1, .steps = count == 2 ? 3 : 0};
  cuseq_model *model = NULL;
  char *notes = NULL;
  check_model(onnx_convert_files(files, count, NULL, NULL, &decoder, NULL, &model, &notes), model);
  free(notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct onnx_file files[2] = {{0}, {0}};
  uint32_t first = 0;
  bool pair = size > 5 && bytes[0] == 'P';
  if (pair) {
    memcpy(&first, bytes + 1, sizeof first);
    bytes += 5;
    size -= 5;
    first = first < size ? first : (uint32_t)size;
  }
  size_t count = pair ? 2 : 1, parsed = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *begin = i == 0 ? bytes : bytes + first;
    size_t length = !pair ? size : i == 0 ? first : size - first;
    if (onnx_parse(begin, length, &files[i]) != CUSEQ_STATUS_OK) {
      require(files[i].model == NULL);
      break;
    }
    load_weights(&files[i]);
    parsed++;
  }
  if (parsed == count)
    convert(files, count);
  for (size_t i = 0; i < count; i++)
    onnx_free(&files[i]);
  return 0;
}
