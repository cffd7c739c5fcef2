#include "instance.h"

#include <stdio.h>
#include <stdlib.h>

/* What an operator sees of an instance when it is there. */
static TRITONSERVER_Error *log_opened(const struct instance *instance) {
  const struct served_session *session = &instance->session;
  const char *name = NULL;
  char line[512], plan[256];
  int threads = (int)cuseq_session_threads(session->session);
  TRY(TRITONBACKEND_ModelInstanceName(instance->handle, &name));
  cuseq_session_plan(session->session, plan, sizeof plan);
  for (char *at = plan; *at; at++)
    *at = *at == '\n' ? (at[1] ? ';' : '\0') : *at;
  snprintf(line, sizeof line, "cuseq: %s: device %s, %d thread%s, up to %d rows of %d positions%s%s", name,
           cuseq_session_device(session->session), threads, threads == 1 ? "" : "s",
           (int)instance->served->max_batch, (int)session->time, *plan ? ", " : "", plan);
  return TRITONSERVER_LogMessage(TRITONSERVER_LOG_INFO, __FILE__, __LINE__, line);
}

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
  TRY(served_session_open(&instance->session, instance->served, kind, id));
  return log_opened(instance);
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
