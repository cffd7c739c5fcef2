#ifndef EMU_RUNTIME_MEMORY_H
#define EMU_RUNTIME_MEMORY_H

#include "runtime.h"

cudaError_t emu_allocate(int device, size_t bytes, enum emu_memory_kind kind, const char *name, void **out);
/* Frees what is of one of the kinds (bits 1 << kind); waits for the work of the device it is on. */
cudaError_t emu_release(void *pointer, const char *name, unsigned kinds);
/* A stream-ordered allocation that is freed by cudaFree leaves its pool. */
void emu_pool_forget(uint64_t address);
void emu_pools_reset(int device);
/* Memory that is freed behind emu_release's back. */
void emu_memory_untrack(uint64_t address);
/* Frees all that was allocated on a device. */
void emu_memory_reset(int device);

#endif
