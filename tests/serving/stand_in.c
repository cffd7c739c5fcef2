/* The stand-in's half that tests call. */
#include "stand_in_objects.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  TRITONSERVER_Error *(*initialize)(TRITONBACKEND_Backend *);
  TRITONSERVER_Error *(*attribute)(TRITONBACKEND_Backend *, TRITONBACKEND_BackendAttribute *);
  TRITONSERVER_Error *(*model_initialize)(TRITONBACKEND_Model *);
  TRITONSERVER_Error *(*model_finalize)(TRITONBACKEND_Model *);
  TRITONSERVER_Error *(*instance_initialize)(TRITONBACKEND_ModelInstance *);
  TRITONSERVER_Error *(*instance_finalize)(TRITONBACKEND_ModelInstance *);
  TRITONSERVER_Error *(*execute)(TRITONBACKEND_ModelInstance *, TRITONBACKEND_Request **, uint32_t);
} backend;

struct stand_in_device stand_in_device;

_Noreturn void stand_in_wrong(const char *what) {
  fprintf(stderr, "stand-in: %s\n", what);
  abort();
}

/* Copies what an error says, and frees it. */
static bool failed(TRITONSERVER_Error *error, char text[512]) {
  text[0] = '\0';
  if (!error)
    return false;
  snprintf(text, 512, "%s", TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
  return true;
}

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found)
    stand_in_wrong(name);
  return found;
}

const char *stand_in_backend(void) {
  static char text[512];
  void *library = dlopen(TRITON_CUSEQ, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return dlerror();
  *(void **)&backend.initialize = symbol(library, "TRITONBACKEND_Initialize");
  *(void **)&backend.attribute = symbol(library, "TRITONBACKEND_GetBackendAttribute");
  *(void **)&backend.model_initialize = symbol(library, "TRITONBACKEND_ModelInitialize");
  *(void **)&backend.model_finalize = symbol(library, "TRITONBACKEND_ModelFinalize");
  *(void **)&backend.instance_initialize = symbol(library, "TRITONBACKEND_ModelInstanceInitialize");
  *(void **)&backend.instance_finalize = symbol(library, "TRITONBACKEND_ModelInstanceFinalize");
  *(void **)&backend.execute = symbol(library, "TRITONBACKEND_ModelInstanceExecute");
  if (failed(backend.initialize(NULL), text) || failed(backend.attribute(NULL, NULL), text))
    return text;
  return NULL;
}

TRITONBACKEND_Model *stand_in_load(const char *config, const char *folder, bool complete, char error[512]) {
  TRITONBACKEND_Model *model = calloc(1, sizeof *model);
  model->config = strdup(config);
  model->folder = strdup(folder);
  model->complete = complete;
  if (!failed(backend.model_initialize(model), error))
    return model;
  free(model->config);
  free(model->folder);
  free(model);
  return NULL;
}

void stand_in_unload(TRITONBACKEND_Model *model) {
  char error[512];
  if (failed(backend.model_finalize(model), error))
    stand_in_wrong(error);
  free(model->config);
  free(model->folder);
  free(model);
}

const char *stand_in_config(const TRITONBACKEND_Model *model) {
  return model->config;
}

TRITONBACKEND_ModelInstance *stand_in_instance(TRITONBACKEND_Model *model,
                                               TRITONSERVER_InstanceGroupKind kind, int32_t id,
                                               char error[512]) {
  TRITONBACKEND_ModelInstance *instance = calloc(1, sizeof *instance);
  instance->model = model;
  instance->kind = kind;
  instance->id = id;
  if (!failed(backend.instance_initialize(instance), error))
    return instance;
  free(instance);
  return NULL;
}

void stand_in_instance_close(TRITONBACKEND_ModelInstance *instance) {
  char error[512];
  if (failed(backend.instance_finalize(instance), error))
    stand_in_wrong(error);
  free(instance);
}

uint32_t stand_in_calls(TRITONBACKEND_ModelInstance *instance, uint64_t rows[64]) {
  uint32_t calls = instance->calls;
  memcpy(rows, instance->rows, sizeof instance->rows);
  instance->calls = 0;
  return calls;
}

/* ---- requests ---- */

TRITONBACKEND_Request *stand_in_request(void) {
  return calloc(1, sizeof(TRITONBACKEND_Request));
}

void stand_in_input(TRITONBACKEND_Request *request, const char *name, TRITONSERVER_DataType type,
                    const void *data, size_t size, uint32_t rank, const int64_t *shape) {
  TRITONBACKEND_Input *input = &request->inputs[request->input_count++];
  input->tensor = (struct stand_in_tensor){
      .name = name, .type = type, .rank = rank, .size = size, .data = malloc(size + !size)};
  memcpy(input->tensor.shape, shape, rank * sizeof *shape);
  memcpy(input->tensor.data, data, size);
  input->piece = size + !size;
}

void stand_in_texts(TRITONBACKEND_Request *request, const char *const *texts) {
  size_t size = 0;
  int64_t shape[2] = {0, 1};
  for (; texts[shape[0]]; shape[0]++)
    size += 4 + strlen(texts[shape[0]]);
  unsigned char *bytes = malloc(size), *to = bytes;
  for (int64_t i = 0; i < shape[0]; i++) {
    size_t length = strlen(texts[i]);
    for (int k = 0; k < 4; k++)
      *to++ = (unsigned char)(length >> (8 * k));
    memcpy(to, texts[i], length);
    to += length;
  }
  stand_in_input(request, "TEXT", TRITONSERVER_TYPE_BYTES, bytes, size, 2, shape);
  free(bytes);
}

static TRITONBACKEND_Input *input_named(TRITONBACKEND_Request *request, const char *name) {
  for (uint32_t i = 0; i < request->input_count; i++)
    if (strcmp(request->inputs[i].tensor.name, name) == 0)
      return &request->inputs[i];
  return NULL;
}

void stand_in_pieces(TRITONBACKEND_Request *request, const char *name, size_t piece) {
  input_named(request, name)->piece = piece;
}

void stand_in_on_device(TRITONBACKEND_Request *request, const char *name) {
  TRITONBACKEND_Input *input = input_named(request, name);
  if (input) {
    input->on_device = true;
    if (stand_in_device.allocate) {
      void *memory = stand_in_device.allocate(input->tensor.size);
      stand_in_device.copy(memory, input->tensor.data, input->tensor.size);
      free(input->tensor.data);
      input->tensor.data = memory;
    }
  }
  for (uint32_t i = 0; i < request->output_count; i++)
    if (strcmp(request->outputs[i].name, name) == 0)
      request->outputs[i].on_device = true;
}

void stand_in_output(TRITONBACKEND_Request *request, const char *name) {
  request->outputs[request->output_count++].name = name;
}

static struct stand_in_parameter *parameter_add(TRITONBACKEND_Request *request, const char *key,
                                                TRITONSERVER_ParameterType type) {
  struct stand_in_parameter *parameter = &request->parameters[request->parameter_count++];
  parameter->key = key;
  parameter->type = type;
  return parameter;
}

void stand_in_integer(TRITONBACKEND_Request *request, const char *key, int64_t value) {
  parameter_add(request, key, TRITONSERVER_PARAMETER_INT)->value.integer = value;
}

void stand_in_string(TRITONBACKEND_Request *request, const char *key, const char *value) {
  parameter_add(request, key, TRITONSERVER_PARAMETER_STRING)->text = value;
}

void stand_in_boolean(TRITONBACKEND_Request *request, const char *key, bool value) {
  parameter_add(request, key, TRITONSERVER_PARAMETER_BOOL)->value.boolean = value;
}

void stand_in_number(TRITONBACKEND_Request *request, const char *key, double value) {
  parameter_add(request, key, TRITONSERVER_PARAMETER_DOUBLE)->value.number = value;
}

void stand_in_cancel(TRITONBACKEND_Request *request) {
  request->cancelled = true;
}

/* Brings outputs home that lie on the device. */
static void outputs_fetch(TRITONBACKEND_Request *request) {
  for (uint32_t i = 0; i < request->answer.count && stand_in_device.allocate; i++) {
    struct stand_in_tensor *tensor = request->made[i].tensor;
    if (!request->made[i].on_device || !tensor->data)
      continue;
    void *memory = tensor->data;
    tensor->data = malloc(tensor->size + !tensor->size);
    stand_in_device.copy(tensor->data, memory, tensor->size);
    stand_in_device.release(memory);
  }
}

void stand_in_execute(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Request **requests,
                      uint32_t count) {
  char error[512];
  if (failed(backend.execute(instance, requests, count), error))
    stand_in_wrong(error);
  for (uint32_t i = 0; i < count; i++) {
    const struct stand_in_answer *answer = &requests[i]->answer;
    outputs_fetch(requests[i]);
    if (answer->sent != 1 || answer->released != 1 || answer->reported != 1)
      stand_in_wrong("a request that is not answered, reported and released once");
    if (answer->success != (answer->error[0] == '\0'))
      stand_in_wrong("a request whose report is not what its answer is");
  }
}

const struct stand_in_answer *stand_in_answer(const TRITONBACKEND_Request *request) {
  return &request->answer;
}

const struct stand_in_tensor *stand_in_tensor(const TRITONBACKEND_Request *request, const char *name) {
  for (uint32_t i = 0; i < request->answer.count; i++)
    if (strcmp(request->answer.outputs[i].name, name) == 0)
      return &request->answer.outputs[i];
  return NULL;
}

const char *stand_in_text(const TRITONBACKEND_Request *request, const char *name, uint32_t i) {
  static char texts[8][256];
  static int next;
  const struct stand_in_tensor *tensor = stand_in_tensor(request, name);
  const unsigned char *at = tensor ? tensor->data : NULL, *end = at ? at + tensor->size : NULL;
  for (uint32_t k = 0; at && at + 4 <= end; k++) {
    size_t length = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (k == i) {
      char *text = texts[next++ % 8];
      snprintf(text, sizeof texts[0], "%.*s", (int)length, (const char *)at + 4);
      return text;
    }
    at += 4 + length;
  }
  return "(there is no such text)";
}

void stand_in_free(TRITONBACKEND_Request *request) {
  for (uint32_t i = 0; i < request->input_count; i++) {
    bool device = request->inputs[i].on_device && stand_in_device.allocate;
    (device ? stand_in_device.release : free)(request->inputs[i].tensor.data);
  }
  for (uint32_t i = 0; i < request->answer.count; i++)
    free(request->answer.outputs[i].data);
  free(request);
}
