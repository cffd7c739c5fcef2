#include "cuda.h"

#include "cuseq/cuseq.h"

#include <dlfcn.h>
#include <pthread.h>

/* The library and its CUDA module are of CUDA 13. */
#define RUNTIME "libcudart.so.13"

/* What the runtime's headers call cudaEventDisableTiming, cudaMemcpyDefault, cudaMemoryTypeDevice and
 * -Managed. */
enum { EVENT_WITHOUT_TIMING = 2, COPY_BY_ADDRESSES = 4, MEMORY_DEVICE = 2, MEMORY_MANAGED = 3 };

static struct {
  int (*get_device)(int *device);
  int (*set_device)(int device);
  int (*allocate)(void **pointer, size_t bytes);
  int (*release)(void *pointer);
  int (*event_create)(void **event, unsigned flags);
  int (*event_record)(void *event, void *stream);
  int (*event_synchronize)(void *event);
  int (*event_destroy)(void *event);
  int (*stream_wait)(void *stream, void *event, unsigned flags);
  int (*stream_synchronize)(void *stream);
  int (*copy)(void *to, const void *from, size_t bytes, int kind, void *stream);
  int (*copy_lines)(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                    size_t height, int kind, void *stream);
  int (*attributes)(void *attributes, const void *pointer);
  int (*last_error)(void);
  const char *(*error_text)(int error);
} runtime;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *absent = "there is no CUDA device";

static bool find(void *library, const char *name, void *function) {
  return (*(void **)function = dlsym(library, name)) != NULL;
}

static void load(void) {
  /* The library loads its module, and so the runtime, when it first looks for devices. */
  if (cuseq_device_count() <= 0)
    return;
  void *library = dlopen(RUNTIME, RTLD_NOW | RTLD_NOLOAD);
  if (!library)
    return;
  if (find(library, "cudaGetDevice", &runtime.get_device) &&
      find(library, "cudaSetDevice", &runtime.set_device) && find(library, "cudaMalloc", &runtime.allocate) &&
      find(library, "cudaFree", &runtime.release) &&
      find(library, "cudaEventCreateWithFlags", &runtime.event_create) &&
      find(library, "cudaEventRecord", &runtime.event_record) &&
      find(library, "cudaEventSynchronize", &runtime.event_synchronize) &&
      find(library, "cudaEventDestroy", &runtime.event_destroy) &&
      find(library, "cudaStreamWaitEvent", &runtime.stream_wait) &&
      find(library, "cudaStreamSynchronize", &runtime.stream_synchronize) &&
      find(library, "cudaMemcpyAsync", &runtime.copy) &&
      find(library, "cudaMemcpy2DAsync", &runtime.copy_lines) &&
      find(library, "cudaPointerGetAttributes", &runtime.attributes) &&
      find(library, "cudaGetLastError", &runtime.last_error) &&
      find(library, "cudaGetErrorString", &runtime.error_text))
    absent = NULL;
  else
    absent = "the CUDA runtime lacks a function that is needed (" RUNTIME ")";
}

static const char *ready(void) {
  pthread_once(&once, load);
  return absent;
}

/* A failure's text; it is not left to be found by others as the runtime's last error. */
static const char *text_of(int error) {
  if (error == 0)
    return NULL;
  runtime.last_error();
  return runtime.error_text(error);
}

/* Makes a device current; cuda_leave makes the one before current again. */
static const char *enter(int device, int *before) {
  if (ready())
    return absent;
  int error = runtime.get_device(before);
  return text_of(error == 0 ? runtime.set_device(device) : error);
}

static const char *leave(int before, int error) {
  const char *reason = text_of(error);
  const int restored = runtime.set_device(before);
  return reason ? reason : text_of(restored);
}

const char *cuda_allocate(int device, size_t bytes, void **pointer) {
  int before;
  const char *reason = enter(device, &before);
  return reason ? reason : leave(before, runtime.allocate(pointer, bytes));
}

void cuda_free(void *pointer) {
  if (pointer && !ready())
    text_of(runtime.release(pointer));
}

const char *cuda_event_make(int device, void *stream, void **event) {
  int before;
  const char *reason = enter(device, &before);
  if (reason)
    return reason;
  *event = NULL;
  int error = runtime.event_create(event, EVENT_WITHOUT_TIMING);
  if (error == 0 && (error = runtime.event_record(*event, stream)) != 0) {
    runtime.event_destroy(*event);
    *event = NULL;
  }
  return leave(before, error);
}

const char *cuda_event_wait(int device, void *stream, void *event) {
  int before;
  const char *reason = enter(device, &before);
  return reason ? reason : leave(before, runtime.stream_wait(stream, event, 0));
}

const char *cuda_event_finish(void *event) {
  return ready() ? absent : text_of(runtime.event_synchronize(event));
}

void cuda_event_free(void *event) {
  if (event && !ready())
    text_of(runtime.event_destroy(event));
}

const char *cuda_copy(int device, void *stream, void *to, size_t to_pitch, const void *from,
                      size_t from_pitch, size_t width, size_t height) {
  int before;
  const char *reason = enter(device, &before);
  if (reason)
    return reason;
  return leave(before, height == 1 ? runtime.copy(to, from, width, COPY_BY_ADDRESSES, stream)
                                   : runtime.copy_lines(to, to_pitch, from, from_pitch, width, height,
                                                        COPY_BY_ADDRESSES, stream));
}

const char *cuda_finish(int device, void *stream) {
  int before;
  const char *reason = enter(device, &before);
  return reason ? reason : leave(before, runtime.stream_synchronize(stream));
}

const char *cuda_device_of(const void *pointer, int *device) {
  struct { /* cudaPointerAttributes, with room for what later versions may add */
    int type, device;
    void *addresses[14];
  } found = {0};
  const char *reason = ready() ? absent : text_of(runtime.attributes(&found, pointer));
  if (!reason && found.type != MEMORY_DEVICE && found.type != MEMORY_MANAGED)
    return "it is no memory of a device";
  *device = found.device;
  return reason;
}
