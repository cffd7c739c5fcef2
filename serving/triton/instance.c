#include "instance.h"

#include <stdlib.h>

static TRITONSERVER_Error *open_with(struct instance *instance) {
  TRITONBACKEND_Model *model = NULL;
  TRITONSERVER_InstanceGroupKind kind;
  int32_t id = 0;
  void *state = NULL;
  TRY(TRITONBACKEND_ModelInstanceModel(instance->handle, &model));
  TRY(TRITONBACKEND_ModelState(model, &state));
  TRY(TRITONBACKEND_ModelInstanceKind(instance->handle, &kind));
  TRY(TRITONBACKEND_ModelInstanceDeviceId(instance->handle, &id));
  instance->served = state;
  return served_session_open(&instance->session, instance->served, kind, id);
}

TRITONSERVER_Error *instance_open(TRITONBACKEND_ModelInstance *handle, struct instance **instance) {
  *instance = calloc(1, sizeof **instance);
  if (!*instance)
    return fault_memory("instance");
  (*instance)->handle = handle;
  TRITONSERVER_Error *error = open_with(*instance);
  if (error) {
    instance_close(*instance);
    *instance = NULL;
  }
  return error;
}

void instance_close(struct instance *instance) {
  if (!instance)
    return;
  served_session_close(&instance->session);
  call_memory_free(&instance->calls);
  answer_memory_free(&instance->answers);
  for (uint32_t i = 0; i < instance->capacity; i++)
    job_free(&instance->jobs[i]);
  free(instance->jobs);
  free(instance->group);
  free(instance);
}
