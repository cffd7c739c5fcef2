#include "backends/cuda_loader.h"

#include "backends/cuda/module.h"
#include "error.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_bool in_use;               /* a session was opened */
static const struct cuda_module *module; /* NULL: there is none, and `absent` says why */
static int32_t devices;
static char absent[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The folder of the library that this code is in; the program's own where it is linked statically. A program
 * is known by the name it was called by, which has no folder when PATH found it: then the kernel knows. */
static bool own_folder(char *folder, size_t capacity) {
  Dl_info info;
  if (!dladdr(&once, &info) || !info.dli_fname)
    return false;
  if (strchr(info.dli_fname, '/')) {
    if (strlen(info.dli_fname) >= capacity)
      return false;
    memcpy(folder, info.dli_fname, strlen(info.dli_fname) + 1);
  } else {
    ssize_t length = readlink("/proc/self/exe", folder, capacity - 1);
    if (length <= 0 || (size_t)length >= capacity - 1)
      return false;
    folder[length] = '\0';
  }
  char *slash = strrchr(folder, '/');
  if (!slash)
    return false;
  *slash = '\0';
  return true;
}

/* Beside the library, then in its plugin folder, and nowhere else. */
static void *module_open(void) {
  char folder[PATH_MAX], path[PATH_MAX + 64];
  static const char *const places[] = {"%s/libcuseq_cuda.so", "%s/cuseq/libcuseq_cuda.so"};
  if (!own_folder(folder, sizeof folder)) {
    snprintf(absent, sizeof absent, "the folder of libcuseq.so is not known");
    return NULL;
  }
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, places[i], folder);
    FILE *there = fopen(path, "rb");
    if (!there)
      continue;
    fclose(there);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      snprintf(absent, sizeof absent, "the module cannot be loaded (%.400s)", dlerror());
    return handle;
  }
  snprintf(absent, sizeof absent, "the module is missing (%.300s/libcuseq_cuda.so)", folder);
  return NULL;
}

static void module_load(void) {
  void *handle = module_open();
  if (!handle)
    return;
  const struct cuda_module *found = dlsym(handle, "cuseq_cuda_module");
  if (!found) {
    snprintf(absent, sizeof absent, "the module is not one of cuseq's (it has no cuseq_cuda_module)");
  } else if (strcmp(found->version, cuseq_version()) != 0) {
    snprintf(absent, sizeof absent, "the module is of another version (found %.20s, needed %s)",
             found->version, cuseq_version());
  } else {
    devices = found->device_count();
    if (devices > 0)
      module = found;
    else
      snprintf(absent, sizeof absent, "%.500s", found->error_text());
  }
  if (!module)
    dlclose(handle);
}

int32_t cuda_device_count(char *why, size_t capacity) {
  pthread_once(&once, module_load);
  if (!module && why)
    snprintf(why, capacity, "%s", absent);
  return module ? devices : 0;
}

void cuda_device_describe(int32_t index, char *text, size_t capacity) {
  module->device_describe(index, text, capacity);
}

bool cuda_device_memory(const void *pointer) {
  return atomic_load_explicit(&in_use, memory_order_relaxed) && module->device_memory(pointer);
}

/* The module keeps its own error text: copied over when a call of it fails. */
static cuseq_status result(cuseq_status status) {
  return status == CUSEQ_STATUS_OK ? status : error_set(status, "%s", module->error_text());
}

static cuseq_status loader_open(const cuseq_model *model, const struct backend_limits *limits,
                                const char *device, void **state) {
  cuseq_status status = module->backend->open(model, limits, device, state);
  if (status == CUSEQ_STATUS_OK)
    atomic_store(&in_use, true);
  return result(status);
}

static void loader_close(void *state) {
  module->backend->close(state);
}

static int32_t loader_threads(const void *state) {
  return module->backend->threads(state);
}

static size_t loader_plan(const void *state, char *text, size_t capacity) {
  return module->backend->plan(state, text, capacity);
}

static cuseq_status loader_encode(void *state, const struct backend_input *input,
                                  const cuseq_encoding *encoding) {
  return result(module->backend->encode(state, input, encoding));
}

static cuseq_status loader_attend(void *state, const float *hidden, float *context, float *alphas) {
  return result(module->backend->attend(state, hidden, context, alphas));
}

static cuseq_status loader_decode(void *state, const cuseq_decoding *decoding) {
  return result(module->backend->decode(state, decoding));
}

static cuseq_status loader_search(void *state, struct search *search, const cuseq_decoding *begin,
                                  float *alphas) {
  return result(module->backend->search(state, search, begin, alphas));
}

static cuseq_status loader_run(void *state, const struct backend_input *input, const cuseq_encoding *encoding,
                               const cuseq_decoding *decoding) {
  return result(module->backend->run(state, input, encoding, decoding));
}

static cuseq_status loader_synchronize(void *state) {
  return result(module->backend->synchronize(state));
}

static void *loader_stream(const void *state) {
  return module->backend->stream(state);
}

static cuseq_status loader_locate(void *state, enum backend_array array, const void *pointer,
                                  bool *on_device) {
  return result(module->backend->locate(state, array, pointer, on_device));
}

const struct backend backend_cuda = {
    .open = loader_open,
    .close = loader_close,
    .threads = loader_threads,
    .plan = loader_plan,
    .encode = loader_encode,
    .attend = loader_attend,
    .decode = loader_decode,
    .search = loader_search,
    .run = loader_run,
    .synchronize = loader_synchronize,
    .stream = loader_stream,
    .locate = loader_locate,
};
