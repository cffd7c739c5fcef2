/* The CUDA backend as libcuseq.so sees it: a module that is looked for at run time, once. */
#ifndef CUSEQ_BACKENDS_CUDA_LOADER_H
#define CUSEQ_BACKENDS_CUDA_LOADER_H

#include "backends/backend.h"

/* The number of usable CUDA devices; 0 where the module, the driver or a device is missing, and then, where
 * `why` is not NULL, one line there that says which. Thread-safe. */
int32_t cuda_device_count(char *why, size_t capacity);

/* One line about device `index`, 0 .. count - 1. */
void cuda_device_describe(int32_t index, char *text, size_t capacity);

/* Whether an address is device memory, as far as that can be told: only once the process has opened a cuda
 * session, so that nobody who does not use CUDA pays for its start. */
bool cuda_device_memory(const void *pointer);

/* The backend, whose calls go to the module. Only when cuda_device_count() is not 0. */
extern const struct backend backend_cuda;

#endif
