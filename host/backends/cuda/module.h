/* What libcuseq_cuda.so shows to libcuseq.so: one symbol, cuseq_cuda_module, of type struct cuda_module. */
#ifndef CUSEQ_CUDA_MODULE_H
#define CUSEQ_CUDA_MODULE_H

#include "backends/backend.h"

struct cuda_module {
  const char *version; /* cuseq_version() of the sources it was built from; another one is refused */
  const struct backend *backend;
  /* How many devices there are. On failure 0, and the module's error text says why there are none. */
  int32_t (*device_count)(void);
  /* One line about a device: its name and what it has. */
  void (*device_describe)(int32_t index, char *text, size_t capacity);
  /* Whether an address is device memory, managed memory excepted. Only after a session was opened. */
  bool (*device_memory)(const void *pointer);
  /* The text of this thread's last failure inside the module. */
  const char *(*error_text)(void);
};

#endif
