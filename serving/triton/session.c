#include "session.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_TIME = 64 };

static int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static int32_t larger(int32_t a, int32_t b) {
  return a > b ? a : b;
}

/* Which device: the kind decides, and a parameter that contradicts it is refused. */
static TRITONSERVER_Error *device_choose(char device[DEVICE_NAME], const struct served *served,
                                         TRITONSERVER_InstanceGroupKind kind, int32_t id) {
  const char *wanted = served->parameters.device;
  bool cuda = strncmp(wanted, "cuda", 4) == 0;
  if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) {
    snprintf(device, DEVICE_NAME, "cuda:%d", (int)id);
    if (*wanted && strcmp(wanted, "auto") != 0 && strcmp(wanted, "cuda") != 0 && strcmp(wanted, device) != 0)
      return fault(TRITONSERVER_ERROR_INVALID_ARG,
                   "parameters.device: contradicts the instance group (found %s, needed %s of KIND_GPU)",
                   wanted, device);
    return NULL;
  }
  if (kind == TRITONSERVER_INSTANCEGROUPKIND_CPU) {
    if (cuda)
      return fault(TRITONSERVER_ERROR_INVALID_ARG,
                   "parameters.device: contradicts the instance group (found %s, needed cpu or reference of "
                   "KIND_CPU; KIND_GPU and KIND_MODEL take cuda)",
                   wanted);
    bool other = *wanted && strcmp(wanted, "auto") != 0;
    snprintf(device, DEVICE_NAME, "%s", other ? wanted : "cpu");
    return NULL;
  }
  snprintf(device, DEVICE_NAME, "%s", *wanted ? wanted : "auto");
  return NULL;
}

static TRITONSERVER_Error *reopen(struct served_session *session, int32_t time, int32_t steps,
                                  int32_t beams) {
  const struct served *served = session->served;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, served->model);
  options.device = session->device;
  options.max_batch = served->max_batch;
  options.max_time = time;
  options.max_steps = steps;
  options.max_beams = beams;
  options.threads = served->parameters.threads;
  options.precision = served->parameters.precision;
  options.cuda_plan = *served->parameters.plan ? served->parameters.plan : NULL;
  cuseq_session *next = NULL;
  TRY(fault_library(cuseq_session_open(served->model, &options, &next), NULL));
  cuseq_session_close(session->session);
  session->session = next;
  session->takes_device = strncmp(cuseq_session_device(next), "cuda", 4) == 0;
  session->time = time;
  session->steps = steps;
  session->beams = beams;
  return NULL;
}

TRITONSERVER_Error *served_session_open(struct served_session *session, const struct served *served,
                                        TRITONSERVER_InstanceGroupKind kind, int32_t id) {
  *session = (struct served_session){.served = served};
  TRY(device_choose(session->device, served, kind, id));
  const cuseq_config *config = served->config;
  bool open_ended = served->parameters.max_time == 0 && config->text_length == 0 && config->only_time == 0;
  int32_t time = open_ended ? smaller(FIRST_TIME, served->max_time) : served->max_time;
  int32_t beams = larger(1, served->parameters.search.beam);
  return reopen(session, time, served->max_steps, beams);
}

void served_session_close(struct served_session *session) {
  cuseq_session_close(session->session);
  session->session = NULL;
}

/* How far a size grows that does not suffice: at least twofold, so that it grows seldom. */
static int32_t grown(int32_t now, int32_t needed, int32_t most) {
  if (needed <= now)
    return now;
  return smaller(larger(needed, now > most / 2 ? most : 2 * now), most);
}

TRITONSERVER_Error *served_session_fit(struct served_session *session, int32_t time, int32_t steps,
                                       int32_t beams) {
  const struct served *served = session->served;
  int32_t next_time = grown(session->time, time, served->max_time);
  int32_t next_steps = grown(session->steps, steps, served->max_steps);
  int32_t next_beams = grown(session->beams, beams, served->parameters.max_beam);
  if (session->session && next_time == session->time && next_steps == session->steps &&
      next_beams == session->beams)
    return NULL;
  return reopen(session, next_time, next_steps, next_beams);
}

TRITONSERVER_Error *served_session_result(struct served_session *session, cuseq_status status) {
  TRITONSERVER_Error *error = fault_library(status, NULL);
  if (status == CUSEQ_STATUS_DEVICE_FAILED)
    served_session_close(session);
  return error;
}
