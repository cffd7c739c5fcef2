/* The devices of this machine, by name. */
#ifndef CUSEQ_HOST_DEVICE_H
#define CUSEQ_HOST_DEVICE_H

#include "backends/backend.h"

/* The backend of a device name (NULL is "auto"); `name` receives the device's own name, as in cuseq_device.
 */
cuseq_status device_find(const char *wanted, const struct backend **backend, char name[32]);

#endif
