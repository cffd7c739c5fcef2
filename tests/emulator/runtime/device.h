#ifndef EMU_RUNTIME_DEVICE_H
#define EMU_RUNTIME_DEVICE_H

#include "runtime.h"

size_t emu_device_limit(int device, enum cudaLimit limit);

#endif
