/* The few calls of the CUDA runtime that arrays on a device need. The runtime is the very one that
 * libcuseq_cuda.so was loaded with; without that module there is none. No call changes the thread's current
 * device. */
#ifndef CUSEQ_PYTHON_CUDA_H
#define CUSEQ_PYTHON_CUDA_H

#include <stdbool.h>
#include <stddef.h>

/* The legacy default stream, as DLPack and the runtime number it. */
#define CUDA_STREAM_LEGACY ((void *)1)

/* Each returns NULL, or the reason why not as static text. */

/* Memory of a device. cuda_free waits for all work on it. */
const char *cuda_allocate(int device, size_t bytes, void **pointer);
void cuda_free(void *pointer);

/* Which device memory is of. */
const char *cuda_device_of(const void *pointer, int *device);

/* A marker behind all work of the stream so far; cuda_event_wait makes another stream go on behind it,
 * cuda_event_finish the caller. */
const char *cuda_event_make(int device, void *stream, void **event);
const char *cuda_event_wait(int device, void *stream, void *event);
const char *cuda_event_finish(void *event);
void cuda_event_free(void *event);

/* Copies `height` lines of `width` bytes that begin `pitch` bytes apart at each end; from host or device to
 * host or device, in the stream's order. cuda_finish waits for the stream. */
const char *cuda_copy(int device, void *stream, void *to, size_t to_pitch, const void *from,
                      size_t from_pitch, size_t width, size_t height);
const char *cuda_finish(int device, void *stream);

#endif
