#include "cudnn_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct cudnn_library library;

static void *find(void *handle, const char *name, bool *all, char *text, size_t capacity) {
  void *found = dlsym(handle, name);
  if (!found && *all) {
    snprintf(text, capacity, "libcudnn.so.9 has no %s", name);
    *all = false;
  }
  return found;
}

const struct cudnn_library *cudnn_library(const char **reason) {
  static bool tried, loaded;
  static char text[200];
  if (!tried) {
    tried = true;
    void *handle = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    loaded = handle != NULL;
    if (!handle)
      snprintf(text, sizeof text, "libcudnn.so.9 cannot be loaded");
#define CUDNN_FIND(name)                                                                                     \
  if (handle) {                                                                                              \
    void *found = find(handle, #name, &loaded, text, sizeof text);                                           \
    memcpy(&library.name, &found, sizeof found);                                                             \
  }
    CUDNN_CALLS(CUDNN_FIND)
#undef CUDNN_FIND
  }
  *reason = text;
  return loaded ? &library : NULL;
}
