#include "../module/fatbin.h"
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

struct emu_image **emu_images;
size_t emu_image_count;

struct emu_image *emu_image_make(const void *data) {
  struct emu_image *image = emu_need(sizeof *image);
  image->data = data;
  emu_images = emu_need_again(emu_images, (emu_image_count + 1) * sizeof *emu_images);
  emu_images[emu_image_count++] = image;
  emu_handle_add(image, EMU_HANDLE_MODULE);
  return image;
}

static void unload(struct emu_image *image, int device) {
  struct emu_loaded *loaded = &image->loaded[device];
  for (size_t i = 0; i < loaded->count; i++)
    emu_module_unload(loaded->modules[i]);
  free(loaded->modules);
  *loaded = (struct emu_loaded){0};
  image->failed[device] = cudaSuccess;
  for (struct emu_function *f = image->functions; f; f = f->next)
    f->kernels[device] = NULL;
}

void emu_image_delete(struct emu_image *image) {
  for (int device = 0; device < EMU_MAX_DEVICES; device++)
    unload(image, device);
  for (struct emu_function *f = image->functions, *next; f; f = next) {
    next = f->next;
    emu_handle_remove(f);
    free(f->name);
    free(f);
  }
  for (struct emu_variable *v = image->variables, *next; v; v = next) {
    next = v->next;
    free(v->name);
    free(v);
  }
  for (size_t i = 0; i < emu_image_count; i++)
    if (emu_images[i] == image)
      emu_images[i--] = emu_images[--emu_image_count];
  emu_handle_remove(image);
  free(image->owned);
  free(image);
}

void emu_images_reset(int device) {
  for (size_t i = 0; i < emu_image_count; i++)
    unload(emu_images[i], device);
}

static cudaError_t from_fatbin(emu_fatbin_status status, const char *why) {
  if (why)
    emu_say("%s", why);
  switch (status) {
  case EMU_FATBIN_NO_IMAGE:
    return cudaErrorNoKernelImageForDevice;
  case EMU_FATBIN_PTX_VERSION:
    return cudaErrorUnsupportedPtxVersion;
  case EMU_FATBIN_MEMORY:
    return cudaErrorMemoryAllocation;
  default:
    return cudaErrorInvalidKernelImage;
  }
}

/* Managed variables exist once for all devices: the first device that loads the image decides where. */
static void publish_managed(struct emu_image *image, int device) {
  struct emu_variable_info info;
  for (struct emu_variable *v = image->variables; v; v = v->next)
    if (v->managed && !*v->managed && emu_image_variable(image, v->name, device, &info))
      *v->managed = (void *)(uintptr_t)info.address;
}

struct emu_kernel *emu_image_kernel(const struct emu_image *image, const char *name, int device) {
  const struct emu_loaded *loaded = &image->loaded[device];
  struct emu_kernel *kernel = NULL;
  for (size_t i = 0; i < loaded->count && !kernel; i++)
    kernel = emu_module_kernel(loaded->modules[i], name);
  return kernel;
}

bool emu_image_variable(const struct emu_image *image, const char *name, int device,
                        struct emu_variable_info *info) {
  const struct emu_loaded *loaded = &image->loaded[device];
  for (size_t i = 0; i < loaded->count; i++)
    if (emu_module_variable(loaded->modules[i], name, info))
      return true;
  return false;
}

/* Adds the module that one container holds; says why not, if that is wanted. */
static cudaError_t load_one(struct emu_image *image, const void *data, int device, bool aloud) {
  struct emu_loaded *loaded = &image->loaded[device];
  emu_fatbin_ptx ptx;
  char why[512] = "fat binary: the host has no memory for its PTX";
  unsigned newest = emu_settings()->newest_code;
  emu_fatbin_status status = emu_fatbin_select(data, SIZE_MAX, newest, &ptx, why, sizeof why);
  if (status != EMU_FATBIN_OK)
    return from_fatbin(status, aloud ? why : NULL);
  struct emu_error error = {0};
  struct emu_module *module = NULL;
  enum emu_status result = emu_module_load(ptx.text, ptx.length, image->lazy, device, &module, &error);
  free(ptx.text);
  if (result != EMU_OK)
    return emu_from_core(result, aloud ? &error : NULL);
  loaded->modules = emu_need_again(loaded->modules, (loaded->count + 1) * sizeof(struct emu_module *));
  loaded->modules[loaded->count++] = module;
  return cudaSuccess;
}

/* Objects that nvcc linked relocatably are machine code in the linked container; their PTX is in those that
 * were linked. Each becomes a module of its own: what calls from one into another does not load. */
static cudaError_t load_linked(struct emu_image *image, int device) {
  struct emu_loaded *loaded = &image->loaded[device];
  const void *const *parts = emu_fatbin_linked(image->data);
  cudaError_t status = cudaErrorNoKernelImageForDevice;
  for (size_t i = 0; parts && parts[i]; i++) {
    cudaError_t one = load_one(image, parts[i], device, i == 0);
    if (i == 0)
      status = one;
  }
  return loaded->count ? cudaSuccess : status;
}

static cudaError_t load(struct emu_image *image, int device) {
  cudaError_t status;
  if (emu_fatbin_linked(image->data))
    status = load_linked(image, device);
  else
    status = load_one(image, image->data, device, true);
  if (status == cudaSuccess)
    publish_managed(image, device);
  return status;
}

cudaError_t emu_image_load(struct emu_image *image, int device) {
  if (!image->loaded[device].count && image->failed[device] == cudaSuccess)
    image->failed[device] = load(image, device);
  return image->failed[device];
}

static struct emu_function *add_function(struct emu_image *image, const void *symbol, const char *name) {
  struct emu_function *function = emu_need(sizeof *function);
  function->symbol = symbol;
  function->name = emu_need_copy(name, strlen(name) + 1);
  function->image = image;
  function->carveout = -1;
  function->next = image->functions;
  image->functions = function;
  emu_handle_add(function, EMU_HANDLE_FUNCTION);
  return function;
}

cudaError_t emu_image_function(struct emu_image *image, const char *name, int device,
                               struct emu_function **out) {
  EMU_TRY(emu_image_load(image, device));
  for (struct emu_function *f = image->functions; f; f = f->next)
    if (!strcmp(f->name, name)) {
      *out = f;
      return cudaSuccess;
    }
  if (!emu_image_kernel(image, name, device))
    return emu_fail(cudaErrorSymbolNotFound, "kernel: the module has none of that name (found \"%s\")", name);
  *out = add_function(image, NULL, name);
  return cudaSuccess;
}

cudaError_t emu_function_find(const void *symbol, struct emu_function **out) {
  if (emu_handle_is(symbol, EMU_HANDLE_FUNCTION)) {
    *out = (struct emu_function *)(uintptr_t)symbol;
    return cudaSuccess;
  }
  /* Kernels that live in many fat binaries (templates in headers) have one host symbol: the last to register
   * wins. */
  for (size_t i = emu_image_count; symbol && i-- > 0;)
    for (struct emu_function *f = emu_images[i]->functions; f; f = f->next)
      if (f->symbol == symbol) {
        *out = f;
        return cudaSuccess;
      }
  return emu_fail(cudaErrorInvalidDeviceFunction,
                  "kernel: no such function (found %p, which no module registered)", symbol);
}

cudaError_t emu_function_load(struct emu_function *function, int device, struct emu_kernel **kernel,
                              struct emu_kernel_info *info) {
  EMU_TRY(emu_image_load(function->image, device));
  if (!function->kernels[device])
    function->kernels[device] = emu_image_kernel(function->image, function->name, device);
  if (!function->kernels[device])
    return emu_fail(cudaErrorInvalidDeviceFunction,
                    "kernel: the module's PTX has none of that name (found \"%s\")", function->name);
  struct emu_error error = {0};
  *kernel = function->kernels[device];
  return emu_from_core(emu_kernel_describe(*kernel, info, &error), &error);
}

cudaError_t emu_variable_find(const void *symbol, int device, struct emu_variable_info *info) {
  for (size_t i = emu_image_count; symbol && i-- > 0;)
    for (struct emu_variable *v = emu_images[i]->variables; v; v = v->next)
      if (v->symbol == symbol || (const void *)v->managed == symbol) {
        EMU_TRY(emu_image_load(v->image, device));
        if (emu_image_variable(v->image, v->name, device, info))
          return cudaSuccess;
        return emu_fail(cudaErrorInvalidSymbol,
                        "variable: the module's PTX has none of that name (found \"%s\")", v->name);
      }
  return emu_fail(cudaErrorInvalidSymbol, "variable: no such symbol (found %p, which no module registered)",
                  symbol);
}

/* ---- What the code that nvcc generates calls before main and at exit ---- */

EMU_EXPORT void **__cudaRegisterFatBinary(void *fatCubin);
EMU_EXPORT void __cudaRegisterFatBinaryEnd(void **handle);
EMU_EXPORT void __cudaUnregisterFatBinary(void **handle);
EMU_EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                                       int limit, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid, int *size);
EMU_EXPORT void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                                  size_t size, int constant, int global);
EMU_EXPORT void __cudaRegisterHostVar(void **handle, const char *name, char *host, size_t size);
EMU_EXPORT void __cudaRegisterManagedVar(void **handle, void **host, char *device, const char *name,
                                         int external, size_t size, int constant, int global);
EMU_EXPORT char __cudaInitModule(void **handle);

/* Registration asks nothing of a device, so a device that has failed does not stand in its way. */
static struct emu_image *begin(void **handle) {
  emu_enter(EMU_CALL_PLAIN);
  return emu_handle_is(handle, EMU_HANDLE_MODULE) ? (struct emu_image *)handle : NULL;
}

void **__cudaRegisterFatBinary(void *fatCubin) {
  emu_enter(EMU_CALL_PLAIN);
  struct emu_image *image = emu_image_make(fatCubin);
  image->lazy = true; /* as the runtime loads what a program brings with it */
  emu_leave(cudaSuccess);
  return (void **)image;
}

void __cudaRegisterFatBinaryEnd(void **handle) {
  struct emu_image *image = begin(handle);
  if (image)
    image->complete = true;
  emu_leave(cudaSuccess);
}

void __cudaUnregisterFatBinary(void **handle) {
  struct emu_image *image = begin(handle);
  if (image)
    emu_image_delete(image);
  emu_leave(cudaSuccess);
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit,
                            uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid, int *size) {
  (void)device, (void)limit, (void)tid, (void)bid, (void)block, (void)grid, (void)size;
  struct emu_image *image = begin(handle);
  if (image && host && name)
    add_function(image, host, name);
  emu_leave(cudaSuccess);
}

static void add_variable(void **handle, const void *symbol, void **managed, const char *name) {
  struct emu_image *image = begin(handle);
  if (image && name) {
    struct emu_variable *variable = emu_need(sizeof *variable);
    *variable = (struct emu_variable){.symbol = symbol,
                                      .managed = managed,
                                      .name = emu_need_copy(name, strlen(name) + 1),
                                      .image = image,
                                      .next = image->variables};
    image->variables = variable;
  }
  emu_leave(cudaSuccess);
}

void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external, size_t size,
                       int constant, int global) {
  (void)device, (void)external, (void)size, (void)constant, (void)global;
  add_variable(handle, host, NULL, name);
}

void __cudaRegisterHostVar(void **handle, const char *name, char *host, size_t size) {
  (void)size;
  add_variable(handle, host, NULL, name);
}

void __cudaRegisterManagedVar(void **handle, void **host, char *device, const char *name, int external,
                              size_t size, int constant, int global) {
  (void)device, (void)external, (void)size, (void)constant, (void)global;
  add_variable(handle, host, host, name);
}

char __cudaInitModule(void **handle) {
  struct emu_image *image = begin(handle);
  cudaError_t status = image ? emu_image_load(image, emu_device()) : cudaErrorInvalidResourceHandle;
  emu_leave(status);
  return status == cudaSuccess;
}
