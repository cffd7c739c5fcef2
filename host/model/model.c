#include "model/model.h"

#include "error.h"
#include "formats/file.h"
#include "formats/safetensors.h"
#include "model/config.h"
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

cuseq_model *model_retain(const cuseq_model *model) {
  cuseq_model *shared = (cuseq_model *)model; /* only the count changes */
  atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
  return shared;
}

void model_release(cuseq_model *model) {
  if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1)
    return;
  vocabulary_free(&model->vocabulary);
  free(model->json);
  free(model->tensors);
  free(model->names);
  free(model->storage);
  lowered_storage_free(&model->lowered_storage);
  pthread_mutex_destroy(&model->parts_lock);
  free(model);
}

void cuseq_model_destroy(cuseq_model *model) {
  model_release(model);
}

static cuseq_status model_make(const char *json, size_t json_size, const struct weights_source *sources,
                               size_t count, cuseq_model **model) {
  cuseq_model *made = calloc(1, sizeof *made);
  if (!made)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory");
  atomic_init(&made->references, 1);
  pthread_mutex_init(&made->parts_lock, NULL);
  cuseq_status status = config_parse(json, json_size, made);
  if (status == CUSEQ_STATUS_OK)
    status = weights_load(made, sources, count);
  if (status == CUSEQ_STATUS_OK)
    status = structure_lower(&made->structure, &made->lowered, &made->lowered_storage);
  if (status != CUSEQ_STATUS_OK) {
    model_release(made);
    return status;
  }
  *model = made;
  return CUSEQ_STATUS_OK;
}

static const char *dtype_name(cuseq_dtype dtype) {
  static const char *const names[] = {"F32", "F64", "F16", "BF16", "I32", "I64"};
  return (unsigned)dtype <= CUSEQ_DTYPE_I64 ? names[dtype] : "an unknown type";
}

cuseq_status cuseq_model_create(const char *config_json, const cuseq_tensor *tensors, size_t count,
                                cuseq_model **model) {
  if (model)
    *model = NULL;
  if (!config_json || !tensors || !model)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_create: an argument is NULL");
  struct weights_source *sources = calloc(count ? count : 1, sizeof *sources);
  if (!sources)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_model_create: out of memory");
  cuseq_status status = CUSEQ_STATUS_OK;
  for (size_t i = 0; i < count && status == CUSEQ_STATUS_OK; i++) {
    const cuseq_tensor *tensor = &tensors[i];
    if (!tensor->name || tensor->rank < 0 || tensor->rank > CUSEQ_MAX_RANK)
      status = error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_create: tensors[%zu] has %s", i,
                         tensor->name ? "an impossible rank" : "no name");
    sources[i] = (struct weights_source){tensor->name,       dtype_name(tensor->dtype),
                                         (int)tensor->dtype, tensor->rank,
                                         tensor->shape,      tensor->data};
  }
  if (status == CUSEQ_STATUS_OK)
    status = model_make(config_json, strlen(config_json), sources, count, model);
  free(sources);
  return status;
}

static cuseq_status model_from_file(const struct safetensors *file, cuseq_model **model) {
  const char *json = safetensors_metadata(file, "cuseq");
  if (!json)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "not a cuseq model (its __metadata__ has no \"cuseq\")");
  struct weights_source *sources = calloc(file->tensor_count ? file->tensor_count : 1, sizeof *sources);
  if (!sources)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory");
  for (size_t i = 0; i < file->tensor_count; i++) {
    const struct safetensors_tensor *tensor = &file->tensors[i];
    sources[i] = (struct weights_source){tensor->name, tensor->dtype_name, tensor->dtype,
                                         tensor->rank, tensor->shape,      tensor->data};
  }
  cuseq_status status = model_make(json, strlen(json), sources, file->tensor_count, model);
  free(sources);
  return status;
}

cuseq_status cuseq_model_load_memory(const void *bytes, size_t size, cuseq_model **model) {
  if (model)
    *model = NULL;
  if (!bytes || !model)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_load_memory: an argument is NULL");
  struct safetensors file;
  memset(&file, 0, sizeof file);
  cuseq_status status = safetensors_parse(bytes, size, &file);
  if (status == CUSEQ_STATUS_OK)
    status = model_from_file(&file, model);
  safetensors_free(&file);
  return status;
}

cuseq_status cuseq_model_load(const char *path, cuseq_model **model) {
  if (model)
    *model = NULL;
  if (!path || !model)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_load: an argument is NULL");
  void *bytes;
  size_t size;
  TRY(file_read_checked(path, safetensors_check, &bytes, &size));
  cuseq_status status = cuseq_model_load_memory(bytes, size, model);
  free(bytes);
  return status == CUSEQ_STATUS_OK ? status : error_prefix(status, path);
}

cuseq_status cuseq_model_save(const cuseq_model *model, const char *path) {
  if (!model || !path)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_save: an argument is NULL");
  struct safetensors_tensor *tensors = calloc(model->tensor_count, sizeof *tensors);
  if (!tensors)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_model_save: out of memory");
  for (size_t i = 0; i < model->tensor_count; i++) {
    const cuseq_tensor *tensor = &model->tensors[i];
    tensors[i] = (struct safetensors_tensor){.name = tensor->name,
                                             .dtype_name = "F32",
                                             .dtype = CUSEQ_DTYPE_F32,
                                             .rank = tensor->rank,
                                             .data = tensor->data,
                                             .bytes = sizeof(float)};
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
      tensors[i].shape[axis] = tensor->shape[axis];
      tensors[i].bytes *= (size_t)tensor->shape[axis];
    }
  }
  struct safetensors_pair metadata = {"cuseq", model->json};
  struct safetensors file = {tensors, model->tensor_count, &metadata, 1, NULL};
  cuseq_status status = safetensors_write(path, &file);
  free(tensors);
  return status;
}

const cuseq_config *cuseq_model_config(const cuseq_model *model) {
  return model ? &model->config : NULL;
}

const char *cuseq_model_config_json(const cuseq_model *model) {
  return model ? model->json : NULL;
}

size_t cuseq_model_tensor_count(const cuseq_model *model) {
  return model ? model->tensor_count : 0;
}

cuseq_status cuseq_model_tensor(const cuseq_model *model, size_t index, cuseq_tensor *tensor) {
  if (!model || !tensor)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_tensor: an argument is NULL");
  if (index >= model->tensor_count)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_model_tensor: no tensor %zu (there are %zu)",
                     index, model->tensor_count);
  *tensor = model->tensors[index];
  return CUSEQ_STATUS_OK;
}
