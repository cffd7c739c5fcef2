#include "device.h"

#include "backends/cuda_loader.h"
#include "error.h"
#include "sized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The devices that every machine has; CUDA's follow them. */
static const struct {
  const char *name;
  const struct backend *backend;
} devices[] = {{"reference", &backend_reference}, {"cpu", &backend_cpu}};

enum { DEVICE_COUNT = sizeof devices / sizeof *devices };

int32_t cuseq_device_count(void) {
  return DEVICE_COUNT + cuda_device_count(NULL, 0);
}

static const struct sized sized_device = SIZED(cuseq_device, "CUSEQ_DEVICE_INIT");

static void describe(int32_t index, cuseq_device *device) {
  *device = (cuseq_device)CUSEQ_DEVICE_INIT;
  if (index >= DEVICE_COUNT) {
    snprintf(device->name, sizeof device->name, "cuda:%d", (int)(index - DEVICE_COUNT));
    cuda_device_describe(index - DEVICE_COUNT, device->description, sizeof device->description);
    return;
  }
  snprintf(device->name, sizeof device->name, "%s", devices[index].name);
  if (devices[index].backend == &backend_cpu)
    backend_cpu_describe(device->description, sizeof device->description);
  else
    snprintf(device->description, sizeof device->description, "the formulas in float64, on one core");
}

cuseq_status cuseq_device_get(int32_t index, cuseq_device *device) {
  int32_t count = cuseq_device_count();
  if (!device || index < 0 || index >= count)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_device_get: no device %d (there are %d)",
                     (int)index, (int)count);
  cuseq_device made;
  TRY(sized_read(device, &sized_device, "cuseq_device_get", &made));
  describe(index, &made);
  sized_write(&made, &sized_device, device);
  return CUSEQ_STATUS_OK;
}

/* "cuda" or "cuda:N": N, otherwise -1. */
static int32_t cuda_index(const char *wanted) {
  if (strcmp(wanted, "cuda") == 0)
    return 0;
  if (strncmp(wanted, "cuda:", 5) != 0 || wanted[5] < '0' || wanted[5] > '9' || strlen(wanted) > 8)
    return -1;
  char *end;
  long index = strtol(wanted + 5, &end, 10);
  return *end ? -1 : (int32_t)index;
}

static cuseq_status device_absent(const char *wanted, const char *why) {
  char known[256] = "";
  for (int i = 0; i < DEVICE_COUNT; i++) {
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", devices[i].name);
  }
  int32_t count = cuda_device_count(NULL, 0);
  for (int32_t i = 0; i < count && strlen(known) + 16 < sizeof known; i++) {
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, ", cuda:%d", (int)i);
  }
  return error_set(CUSEQ_STATUS_NO_DEVICE, "device %.60s: %s (there are %s)", wanted, why, known);
}

static cuseq_status cuda_find(const char *wanted, int32_t index, const struct backend **backend,
                              char name[32]) {
  char why[512] = "";
  int32_t count = cuda_device_count(why, sizeof why);
  if (count == 0)
    return device_absent(wanted, why);
  if (index >= count)
    return device_absent(wanted, "there is no such device");
  *backend = &backend_cuda;
  snprintf(name, 32, "cuda:%d", (int)index);
  return CUSEQ_STATUS_OK;
}

cuseq_status device_find(const char *wanted, const struct backend **backend, char name[32]) {
  if (!wanted || strcmp(wanted, "auto") == 0)
    wanted = cuda_device_count(NULL, 0) > 0 ? "cuda" : "cpu";
  for (int i = 0; i < DEVICE_COUNT; i++)
    if (strcmp(devices[i].name, wanted) == 0) {
      *backend = devices[i].backend;
      snprintf(name, 32, "%s", wanted);
      return CUSEQ_STATUS_OK;
    }
  int32_t index = cuda_index(wanted);
  return index >= 0 ? cuda_find(wanted, index, backend, name)
                    : device_absent(wanted, "there is no such device");
}
