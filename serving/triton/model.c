#include "model.h"

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LENGTH = 4096 };

/* The file of a version: what default_model_filename names, else model.safetensors. Where a model has no
 * configuration at all, the server fills that name in as model.cuseq. */
static TRITONSERVER_Error *file_find(TRITONBACKEND_Model *model, const json_t *root, char path[PATH_LENGTH]) {
  TRITONBACKEND_ArtifactType artifact;
  const char *folder = NULL, *file = json_string_value(json_object_get(root, "default_model_filename"));
  uint64_t version = 0;
  TRY(TRITONBACKEND_ModelRepository(model, &artifact, &folder));
  TRY(TRITONBACKEND_ModelVersion(model, &version));
  if (artifact != TRITONBACKEND_ARTIFACT_FILESYSTEM)
    return fault(TRITONSERVER_ERROR_UNSUPPORTED, "the model's repository is not a file system");
  bool named = file && *file && strcmp(file, "model.cuseq") != 0;
  for (int attempt = named ? 1 : 0; attempt < 2; attempt++) {
    const char *name = named ? file : attempt == 0 ? "model.cuseq" : "model.safetensors";
    int length = snprintf(path, PATH_LENGTH, "%s/%llu/%s", folder, (unsigned long long)version, name);
    if (length >= PATH_LENGTH)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "%.200s...: the path is too long", path);
    if (access(path, F_OK) == 0)
      break;
  }
  return NULL;
}

static void limits_choose(struct served *served) {
  const cuseq_config *config = served->config;
  int32_t time = served->parameters.max_time, steps = served->parameters.max_steps;
  int32_t known = config->text_length > 0 ? config->text_length : config->only_time;
  served->max_time = time > 0 ? time : known > 0 ? known : MAX_TIME;
  served->max_steps = steps > 0 ? steps : config->steps;
}

static TRITONSERVER_Error *max_time_check(const struct served *served) {
  const int32_t asked = served->parameters.max_time, length = served->config->text_length;
  if (asked > 0 && asked < length && served->ports.inputs[INPUT_TEXT].rank >= 0)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "parameters.max_time: shorter than the vocabulary's texts (found %d, needed at least %d)",
                 (int)asked, (int)length);
  if (asked > 0 && asked < served->config->only_time)
    return fault(
        TRITONSERVER_ERROR_INVALID_ARG,
        "parameters.max_time: shorter than every request (found %d, needed at least %d: the model has "
        "weights for each of so many positions)",
        (int)asked, (int)served->config->only_time);
  return NULL;
}

static TRITONSERVER_Error *configure(TRITONBACKEND_Model *model, struct served *served, json_t **root) {
  bool complete = false;
  TRY(TRITONBACKEND_ModelAutoCompleteConfig(model, &complete));
  ports_make(&served->all, served->model);
  served->ports = served->all;
  if (complete) {
    TRY(config_complete(model, *root, &served->ports));
    json_decref(*root);
    TRY(config_read(model, root));
  }
  TRY(config_check(*root, &served->ports, served->config, &served->max_batch));
  TRY(parameters_read(&served->parameters, *root, served->config));
  limits_choose(served);
  TRY(max_time_check(served));
  return NULL;
}

static TRITONSERVER_Error *open_with(TRITONBACKEND_Model *model, struct served *served, json_t **root) {
  char path[PATH_LENGTH];
  TRY(config_read(model, root));
  TRY(file_find(model, *root, path));
  TRY(fault_library(cuseq_model_load(path, &served->model), NULL));
  served->config = cuseq_model_config(served->model);
  return configure(model, served, root);
}

TRITONSERVER_Error *served_open(TRITONBACKEND_Model *model, struct served **served) {
  *served = calloc(1, sizeof **served);
  if (!*served)
    return fault_memory("model");
  json_t *root = NULL;
  TRITONSERVER_Error *error = open_with(model, *served, &root);
  json_decref(root);
  if (error) {
    served_close(*served);
    *served = NULL;
  }
  return error;
}

void served_close(struct served *served) {
  if (!served)
    return;
  cuseq_model_destroy(served->model);
  free(served);
}
