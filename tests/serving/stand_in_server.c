/* The stand-in's half that the backend calls. */
#include "stand_in_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t stand_in_major = TRITON_MAJOR, stand_in_minor = TRITON_MINOR;

static int alive;

int stand_in_alive(void) {
  return alive;
}

/* ---- errors, log, messages ---- */

struct TRITONSERVER_Error {
  TRITONSERVER_Error_Code code;
  char *text;
};

TRITONSERVER_Error *TRITONSERVER_ErrorNew(TRITONSERVER_Error_Code code, const char *message) {
  TRITONSERVER_Error *error = malloc(sizeof *error);
  *error = (TRITONSERVER_Error){code, strdup(message)};
  alive++;
  return error;
}

void TRITONSERVER_ErrorDelete(TRITONSERVER_Error *error) {
  free(error->text);
  free(error);
  alive--;
}

const char *TRITONSERVER_ErrorMessage(TRITONSERVER_Error *error) {
  return error->text;
}

TRITONSERVER_Error_Code stand_in_code(const TRITONSERVER_Error *error) {
  return error->code;
}

TRITONSERVER_Error *TRITONSERVER_LogMessage(TRITONSERVER_LogLevel level, const char *file, int line,
                                            const char *message) {
  if (level == TRITONSERVER_LOG_ERROR)
    fprintf(stderr, "log %s:%d %s\n", file, line, message);
  return NULL;
}

struct TRITONSERVER_Message {
  char *text;
};

TRITONSERVER_Error *TRITONSERVER_MessageNewFromSerializedJson(TRITONSERVER_Message **message,
                                                              const char *base, size_t size) {
  *message = malloc(sizeof **message);
  (*message)->text = strndup(base, size);
  alive++;
  return NULL;
}

TRITONSERVER_Error *TRITONSERVER_MessageDelete(TRITONSERVER_Message *message) {
  free(message->text);
  free(message);
  alive--;
  return NULL;
}

TRITONSERVER_Error *TRITONSERVER_MessageSerializeToJson(TRITONSERVER_Message *message, const char **base,
                                                        size_t *size) {
  *base = message->text;
  *size = strlen(message->text);
  return NULL;
}

/* ---- backend, models, instances ---- */

TRITONSERVER_Error *TRITONBACKEND_ApiVersion(uint32_t *major, uint32_t *minor) {
  *major = stand_in_major;
  *minor = stand_in_minor;
  return NULL;
}

TRITONSERVER_Error *
TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(TRITONBACKEND_BackendAttribute *attribute,
                                                        TRITONSERVER_InstanceGroupKind kind, uint64_t count,
                                                        const uint64_t *device_ids, uint64_t id_count) {
  (void)attribute, (void)kind, (void)count, (void)device_ids, (void)id_count;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelVersion(TRITONBACKEND_Model *model, uint64_t *version) {
  (void)model;
  *version = 1;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelRepository(TRITONBACKEND_Model *model,
                                                  TRITONBACKEND_ArtifactType *artifact,
                                                  const char **location) {
  *artifact = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  *location = model->folder;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelConfig(TRITONBACKEND_Model *model, uint32_t version,
                                              TRITONSERVER_Message **config) {
  if (version != 1)
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, "only version 1 of a configuration");
  return TRITONSERVER_MessageNewFromSerializedJson(config, model->config, strlen(model->config));
}

TRITONSERVER_Error *TRITONBACKEND_ModelAutoCompleteConfig(TRITONBACKEND_Model *model, bool *wanted) {
  *wanted = model->complete;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelSetConfig(TRITONBACKEND_Model *model, uint32_t version,
                                                 TRITONSERVER_Message *config) {
  (void)version;
  free(model->config);
  model->config = strdup(config->text);
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelState(TRITONBACKEND_Model *model, void **state) {
  *state = model->state;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelSetState(TRITONBACKEND_Model *model, void *state) {
  model->state = state;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceName(TRITONBACKEND_ModelInstance *instance,
                                                    const char **name) {
  (void)instance;
  *name = "model_0";
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceKind(TRITONBACKEND_ModelInstance *instance,
                                                    TRITONSERVER_InstanceGroupKind *kind) {
  *kind = instance->kind;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceDeviceId(TRITONBACKEND_ModelInstance *instance, int32_t *id) {
  *id = instance->id;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance *instance,
                                                     TRITONBACKEND_Model **model) {
  *model = instance->model;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceState(TRITONBACKEND_ModelInstance *instance, void **state) {
  *state = instance->state;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceSetState(TRITONBACKEND_ModelInstance *instance, void *state) {
  instance->state = state;
  return NULL;
}

/* Times of what succeeded are in order, and none is 0. */
static bool in_order(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return a > 0 && a <= b && b <= c && c <= d;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportStatistics(TRITONBACKEND_ModelInstance *instance,
                                                                TRITONBACKEND_Request *request, bool success,
                                                                uint64_t exec_start, uint64_t compute_start,
                                                                uint64_t compute_end, uint64_t exec_end) {
  (void)instance;
  if (request->answer.released > 0 ||
      (success && !in_order(exec_start, compute_start, compute_end, exec_end)))
    stand_in_wrong("statistics of a request that is released, or out of order");
  request->answer.reported++;
  request->answer.success = success;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportBatchStatistics(TRITONBACKEND_ModelInstance *instance,
                                                                     uint64_t batch_size, uint64_t exec_start,
                                                                     uint64_t compute_start,
                                                                     uint64_t compute_end,
                                                                     uint64_t exec_end) {
  if (!in_order(exec_start, compute_start, compute_end, exec_end) || instance->calls == 64)
    stand_in_wrong("statistics of a batch that are out of order, or too many");
  instance->rows[instance->calls++] = batch_size;
  return NULL;
}

/* ---- requests and responses ---- */

static TRITONSERVER_Error *missing(const char *what) {
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, what);
}

TRITONSERVER_Error *TRITONBACKEND_RequestIsCancelled(TRITONBACKEND_Request *request, bool *is_cancelled) {
  *is_cancelled = request->cancelled;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestParameterCount(TRITONBACKEND_Request *request, uint32_t *count) {
  *count = request->parameter_count;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestParameter(TRITONBACKEND_Request *request, uint32_t index,
                                                   const char **key, TRITONSERVER_ParameterType *type,
                                                   const void **value) {
  if (index >= request->parameter_count)
    return missing("no such parameter");
  struct stand_in_parameter *parameter = &request->parameters[index];
  *key = parameter->key;
  *type = parameter->type;
  *value =
      parameter->type == TRITONSERVER_PARAMETER_STRING ? parameter->text : (const void *)&parameter->value;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestInputCount(TRITONBACKEND_Request *request, uint32_t *count) {
  *count = request->input_count;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestInputByIndex(TRITONBACKEND_Request *request, uint32_t index,
                                                      TRITONBACKEND_Input **input) {
  if (index >= request->input_count)
    return missing("no such input");
  *input = &request->inputs[index];
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestOutputCount(TRITONBACKEND_Request *request, uint32_t *count) {
  *count = request->output_count;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestOutputName(TRITONBACKEND_Request *request, uint32_t index,
                                                    const char **name) {
  if (index >= request->output_count)
    return missing("no such output");
  *name = request->outputs[index].name;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_RequestRelease(TRITONBACKEND_Request *request, uint32_t flags) {
  (void)flags;
  request->answer.released++;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_InputProperties(TRITONBACKEND_Input *input, const char **name,
                                                  TRITONSERVER_DataType *type, const int64_t **shape,
                                                  uint32_t *rank, uint64_t *size, uint32_t *buffers) {
  *name = input->tensor.name;
  *type = input->tensor.type;
  *shape = input->tensor.shape;
  *rank = input->tensor.rank;
  *size = input->tensor.size;
  *buffers = (uint32_t)((input->tensor.size + input->piece - 1) / input->piece);
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_InputBuffer(TRITONBACKEND_Input *input, uint32_t index, const void **buffer,
                                              uint64_t *size, TRITONSERVER_MemoryType *type, int64_t *id) {
  size_t from = index * input->piece, left = input->tensor.size - from;
  *buffer = (char *)input->tensor.data + from;
  *size = left < input->piece ? left : input->piece;
  *type = input->on_device ? TRITONSERVER_MEMORY_GPU : TRITONSERVER_MEMORY_CPU;
  *id = 0;
  return NULL;
}

struct TRITONBACKEND_Response {
  TRITONBACKEND_Request *request;
};

TRITONSERVER_Error *TRITONBACKEND_ResponseNew(TRITONBACKEND_Response **response,
                                              TRITONBACKEND_Request *request) {
  *response = malloc(sizeof **response);
  (*response)->request = request;
  alive++;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response *response,
                                                 TRITONBACKEND_Output **output, const char *name,
                                                 TRITONSERVER_DataType type, const int64_t *shape,
                                                 uint32_t rank) {
  struct stand_in_answer *answer = &response->request->answer;
  struct stand_in_tensor *tensor = &answer->outputs[answer->count];
  *tensor = (struct stand_in_tensor){.name = name, .type = type, .rank = rank};
  memcpy(tensor->shape, shape, rank * sizeof *shape);
  TRITONBACKEND_Output *made = &response->request->made[answer->count++];
  made->tensor = tensor;
  made->on_device = false;
  for (uint32_t i = 0; i < response->request->output_count; i++)
    if (strcmp(response->request->outputs[i].name, name) == 0)
      made->on_device = response->request->outputs[i].on_device;
  *output = made;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output *output, void **buffer, uint64_t size,
                                               TRITONSERVER_MemoryType *type, int64_t *id) {
  bool device = output->on_device && stand_in_device.allocate;
  output->tensor->data = device ? stand_in_device.allocate(size) : malloc(size + !size);
  output->tensor->size = size;
  if (!device)
    memset(output->tensor->data, 0xA5, size); /* what is not written is seen */
  *buffer = output->tensor->data;
  *type = output->on_device ? TRITONSERVER_MEMORY_GPU : TRITONSERVER_MEMORY_CPU;
  *id = 0;
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ResponseSend(TRITONBACKEND_Response *response, uint32_t flags,
                                               TRITONSERVER_Error *error) {
  struct stand_in_answer *answer = &response->request->answer;
  if (flags != TRITONSERVER_RESPONSE_COMPLETE_FINAL || answer->released > 0)
    stand_in_wrong("a response that is not final, or of a request that is released");
  answer->sent++;
  if (error) {
    answer->code = error->code;
    snprintf(answer->error, sizeof answer->error, "%s", error->text);
  }
  free(response);
  alive--;
  return NULL;
}
