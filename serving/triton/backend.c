/* What Triton Inference Server calls. */
#include "instance.h"

#include <string.h>

TRITONSERVER_Error *TRITONBACKEND_Initialize(TRITONBACKEND_Backend *backend) {
  (void)backend;
  uint32_t major = 0, minor = 0;
  TRY(TRITONBACKEND_ApiVersion(&major, &minor));
  if (major != TRITON_MAJOR || minor < TRITON_MINOR)
    return fault(
        TRITONSERVER_ERROR_UNSUPPORTED,
        "cuseq: the server's interface to backends is another (found version %u.%u, needed %d.%d or a "
        "later %d.x)",
        (unsigned)major, (unsigned)minor, TRITON_MAJOR, TRITON_MINOR, TRITON_MAJOR);
  return NULL;
}

/* Models that say nothing of instances get one for each GPU that the library can use, else one on the CPU. */
TRITONSERVER_Error *TRITONBACKEND_GetBackendAttribute(TRITONBACKEND_Backend *backend,
                                                      TRITONBACKEND_BackendAttribute *attribute) {
  (void)backend;
  bool cuda = false;
  for (int32_t i = 0; i < cuseq_device_count(); i++) {
    cuseq_device device = CUSEQ_DEVICE_INIT;
    cuda |= cuseq_device_get(i, &device) == CUSEQ_STATUS_OK && strncmp(device.name, "cuda", 4) == 0;
  }
  if (cuda)
    TRY(TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(attribute, TRITONSERVER_INSTANCEGROUPKIND_GPU,
                                                                1, NULL, 0));
  return TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(
      attribute, TRITONSERVER_INSTANCEGROUPKIND_CPU, 1, NULL, 0);
}

TRITONSERVER_Error *TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model *model) {
  struct served *served = NULL;
  TRY(served_open(model, &served));
  return TRITONBACKEND_ModelSetState(model, served);
}

TRITONSERVER_Error *TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model *model) {
  void *served = NULL;
  TRY(TRITONBACKEND_ModelState(model, &served));
  served_close(served);
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceInitialize(TRITONBACKEND_ModelInstance *handle) {
  struct instance *instance = NULL;
  TRY(instance_open(handle, &instance));
  return TRITONBACKEND_ModelInstanceSetState(handle, instance);
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceFinalize(TRITONBACKEND_ModelInstance *handle) {
  void *instance = NULL;
  TRY(TRITONBACKEND_ModelInstanceState(handle, &instance));
  instance_close(instance);
  return NULL;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance *handle,
                                                       TRITONBACKEND_Request **requests, uint32_t count) {
  void *instance = NULL;
  TRY(TRITONBACKEND_ModelInstanceState(handle, &instance));
  return instance_execute(instance, requests, count);
}
