#include "device.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  const struct backend *backend;
} devices[] = {{"reference", &backend_reference}, {"cpu", &backend_cpu}};

enum { DEVICE_COUNT = sizeof devices / sizeof *devices };

int32_t cuseq_device_count(void) {
  return DEVICE_COUNT;
}

cuseq_status cuseq_device_get(int32_t index, cuseq_device *device) {
  if (!device || index < 0 || index >= DEVICE_COUNT)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq_device_get: no device %d (there are %d)",
                     (int)index, (int)DEVICE_COUNT);
  memset(device, 0, sizeof *device);
  snprintf(device->name, sizeof device->name, "%s", devices[index].name);
  if (devices[index].backend == &backend_cpu)
    backend_cpu_describe(device->description, sizeof device->description);
  else
    snprintf(device->description, sizeof device->description, "the formulas in float64, on one core");
  return CUSEQ_STATUS_OK;
}

cuseq_status device_find(const char *wanted, const struct backend **backend, char name[32]) {
  if (!wanted || strcmp(wanted, "auto") == 0)
    wanted = "cpu";
  char known[128] = "";
  for (int i = 0; i < DEVICE_COUNT; i++) {
    if (strcmp(devices[i].name, wanted) == 0) {
      *backend = devices[i].backend;
      snprintf(name, 32, "%s", wanted);
      return CUSEQ_STATUS_OK;
    }
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", devices[i].name);
  }
  return error_set(CUSEQ_STATUS_NO_DEVICE, "device %.60s: there is no such device (there are %s)", wanted,
                   known);
}
