#include "answer.h"

#include "answer_text.h"

#include <math.h>
#include <string.h>

void answer_memory_free(struct answer_memory *memory) {
  room_free(&memory->text);
  room_free(&memory->packed);
  room_free(&memory->probabilities);
}

/* ---- buffers ---- */

static TRITONSERVER_Error *buffer_make(struct job *job, const struct port *port, struct taken *taken,
                                       bool takes_device) {
  int64_t shape[PORT_RANK + 1] = {job->rows};
  size_t size = (size_t)job->rows * type_size(port->type);
  for (int32_t i = 0; i < port->rank; i++) {
    shape[i + 1] = axis_size(port->axes[i], job->time, job->steps, job_best(job));
    size *= (size_t)shape[i + 1];
  }
  TRITONBACKEND_Output *output = NULL;
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  int64_t id = 0;
  TRY(TRITONBACKEND_ResponseOutput(job->response, &output, port->name, port->type, shape,
                                   (uint32_t)port->rank + 1));
  TRY(TRITONBACKEND_OutputBuffer(output, &taken->data, size, &memory, &id));
  taken->on_device = memory == TRITONSERVER_MEMORY_GPU;
  job->alone |= taken->on_device;
  if (taken->on_device && !takes_device)
    return fault(TRITONSERVER_ERROR_UNSUPPORTED,
                 "%s: its buffer lies on a device (needed host memory, or an instance of KIND_GPU)",
                 port->name);
  return NULL;
}

static TRITONSERVER_Error *host_check(const struct job *job, const struct served *served) {
  bool made = job->wanted & (OUTPUT_BIT(OUTPUT_TEXT) | OUTPUT_BIT(OUTPUT_SCORES));
  for (int id = 0; made && id < OUTPUT_COUNT; id++)
    if (job->taken[id].on_device)
      return fault(TRITONSERVER_ERROR_UNSUPPORTED,
                   "%s: a buffer on a device goes without TEXT and SCORES (needed host memory)",
                   served->ports.outputs[id].name);
  return NULL;
}

static TRITONSERVER_Error *inputs_check(const struct job *job, const struct served *served,
                                        bool takes_device) {
  for (int id = 0; id < INPUT_COUNT; id++)
    if (job->given[id].on_device && !takes_device)
      return fault(TRITONSERVER_ERROR_UNSUPPORTED,
                   "%s: lies on a device (needed host memory, or an instance of KIND_GPU)",
                   served->ports.inputs[id].name);
  return NULL;
}

TRITONSERVER_Error *answer_prepare(struct job *job, const struct served *served, bool takes_device) {
  TRY(inputs_check(job, served, takes_device));
  TRY(TRITONBACKEND_ResponseNew(&job->response, job->request));
  for (int id = 0; id < OUTPUT_COUNT; id++)
    if (id != OUTPUT_TEXT && (job->wanted & OUTPUT_BIT(id)))
      TRY(buffer_make(job, &served->ports.outputs[id], &job->taken[id], takes_device));
  return host_check(job, served);
}

/* ---- arrays ---- */

/* Copies the job's part of an array: of the call's sizes it has its own, which are smaller or the same. */
static void array_copy(const struct job *job, const struct call *call, const struct port *port,
                       const void *array, int32_t first, void *to) {
  size_t own[PORT_RANK] = {1, 1, 1}, all[PORT_RANK] = {1, 1, 1}, element = type_size(port->type);
  for (int32_t i = 0; i < port->rank; i++) {
    int32_t at = PORT_RANK - port->rank + i; /* the last axis is the innermost */
    own[at] = (size_t)axis_size(port->axes[i], job->time, job->steps, job_best(job));
    all[at] = (size_t)axis_size(port->axes[i], call->time, call->steps, job_best(job));
  }
  char *target = to;
  for (size_t b = 0; b < (size_t)job->rows; b++)
    for (size_t i = 0; i < own[0]; i++)
      for (size_t j = 0; j < own[1]; j++) {
        size_t row = ((((size_t)first + b) * all[0] + i) * all[1] + j) * all[2];
        memcpy(target, (const char *)array + row * element, own[2] * element);
        target += own[2] * element;
      }
}

static void arrays_fill(struct job *job, const struct call *call, int32_t first,
                        const struct served *served) {
  for (int id = 0; id < OUTPUT_COUNT; id++) {
    void *to = job->taken[id].data;
    if (to && call->arrays[id] && to != call->arrays[id])
      array_copy(job, call, &served->ports.outputs[id], call->arrays[id], first, to);
  }
}

TRITONSERVER_Error *answer_fill(struct job *job, const struct call *call, int32_t first,
                                const struct served *served, struct answer_memory *memory) {
  arrays_fill(job, call, first, served);
  struct answer_source source = {
      .job = job, .call = call, .first = first, .served = served, .scores = job->taken[OUTPUT_SCORES].data};
  if (job->search.beam > 0 || !source.scores)
    source.scores = NULL; /* nothing is left to be made of it */
  if (!(job->wanted & OUTPUT_BIT(OUTPUT_TEXT)) && !source.scores)
    return NULL;
  return answer_text(&source, memory);
}

/* ---- sending ---- */

void answer_send(struct job *job) {
  TRITONSERVER_Error *failure = NULL;
  if (!job->response)
    failure = TRITONBACKEND_ResponseNew(&job->response, job->request);
  if (!failure)
    failure = TRITONBACKEND_ResponseSend(job->response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, job->error);
  if (failure) {
    fault_drop(TRITONSERVER_LogMessage(TRITONSERVER_LOG_ERROR, __FILE__, __LINE__,
                                       TRITONSERVER_ErrorMessage(failure)));
    fault_drop(failure);
  }
  job->response = NULL;
  fault_drop(job->error);
  job->error = NULL;
}
