#include "../module/fatbin.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Modules that a program loads itself: cudaLibrary*. A library is an image like those that nvcc registers. */

enum { LARGEST_FILE = 1 << 30 };

static cudaError_t find(cudaLibrary_t handle, struct emu_image **image) {
  *image = (struct emu_image *)handle;
  if (emu_handle_is(handle, EMU_HANDLE_MODULE))
    return cudaSuccess;
  return emu_fail(cudaErrorInvalidResourceHandle, "library: no such library (found handle %p)",
                  (void *)handle);
}

/* Loads for the current device at once, so that what is wrong with an image is answered here. */
static cudaError_t load(cudaLibrary_t *out, const void *code, void *owned) {
  struct emu_image *image = emu_image_make(code);
  image->owned = owned;
  cudaError_t status = emu_image_load(image, emu_device());
  if (status != cudaSuccess) {
    emu_image_delete(image);
    return status;
  }
  *out = (cudaLibrary_t)image;
  return cudaSuccess;
}

static cudaError_t load_data(cudaLibrary_t *out, const void *code) {
  if (!out || !code)
    return cudaErrorInvalidValue;
  return load(out, code, NULL);
}

static cudaError_t load_file(cudaLibrary_t *out, const char *path) {
  if (!out || !path)
    return cudaErrorInvalidValue;
  FILE *file = fopen(path, "rb");
  if (!file)
    return emu_fail(cudaErrorFileNotFound, "%s: cannot be opened", path);
  long size = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
  char *bytes = size >= 0 && size <= LARGEST_FILE ? calloc(1, (size_t)size + 1) : NULL;
  bool read = bytes && !fseek(file, 0, SEEK_SET) && fread(bytes, 1, (size_t)size, file) == (size_t)size;
  fclose(file);
  if (!read) {
    free(bytes);
    return emu_fail(cudaErrorInvalidKernelImage, "%s: cannot be read", path);
  }
  uint64_t body;
  uint32_t magic;
  uint16_t header;
  if (size >= 16) {
    memcpy(&magic, bytes, sizeof magic);
    memcpy(&header, bytes + 6, sizeof header);
    memcpy(&body, bytes + 8, sizeof body);
    if (magic == 0xba55ed50u && body + header > (uint64_t)size) {
      free(bytes);
      return emu_fail(cudaErrorInvalidKernelImage, "%s: truncated (it claims %llu bytes, found %ld)", path,
                      (unsigned long long)(body + header), size);
    }
  }
  return load(out, bytes, bytes);
}

static cudaError_t unload(cudaLibrary_t handle) {
  struct emu_image *image;
  EMU_TRY(find(handle, &image));
  emu_image_delete(image);
  return cudaSuccess;
}

static cudaError_t kernel(cudaKernel_t *out, cudaLibrary_t handle, const char *name) {
  struct emu_image *image;
  struct emu_function *function;
  EMU_TRY(find(handle, &image));
  if (!out || !name)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_image_function(image, name, emu_device(), &function));
  *out = (cudaKernel_t)function;
  return cudaSuccess;
}

static cudaError_t variable(void **address, size_t *bytes, cudaLibrary_t handle, const char *name,
                            bool managed) {
  struct emu_image *image;
  struct emu_variable_info info;
  EMU_TRY(find(handle, &image));
  if (!name || (!address && !bytes))
    return cudaErrorInvalidValue;
  EMU_TRY(emu_image_load(image, emu_device()));
  if (!emu_image_variable(image, name, emu_device(), &info) || info.managed != managed)
    return emu_fail(cudaErrorSymbolNotFound, "library: no such variable (found \"%s\")", name);
  if (address)
    *address = (void *)(uintptr_t)info.address;
  if (bytes)
    *bytes = info.size;
  return cudaSuccess;
}

static cudaError_t count(unsigned *out, cudaLibrary_t handle) {
  struct emu_image *image;
  EMU_TRY(find(handle, &image));
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_image_load(image, emu_device()));
  *out = (unsigned)emu_module_kernel_count(image->loaded[emu_device()].modules[0]);
  return cudaSuccess;
}

static cudaError_t enumerate(cudaKernel_t *out, unsigned number, cudaLibrary_t handle) {
  struct emu_image *image;
  unsigned all;
  EMU_TRY(count(&all, handle));
  EMU_TRY(find(handle, &image));
  if (!out && number)
    return cudaErrorInvalidValue;
  for (unsigned i = 0; i < number && i < all; i++) {
    struct emu_kernel_info info;
    struct emu_error error = {0};
    struct emu_function *function;
    struct emu_kernel *k = emu_module_kernel_at(image->loaded[emu_device()].modules[0], i);
    EMU_TRY(emu_from_core(emu_kernel_describe(k, &info, &error), &error));
    EMU_TRY(emu_image_function(image, info.name, emu_device(), &function));
    out[i] = (cudaKernel_t)function;
  }
  return cudaSuccess;
}

cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *jitOptions,
                                void **jitOptionsValues, unsigned int numJitOptions,
                                enum cudaLibraryOption *libraryOptions, void **libraryOptionValues,
                                unsigned int numLibraryOptions) {
  (void)jitOptions, (void)jitOptionsValues, (void)numJitOptions;
  (void)libraryOptions, (void)libraryOptionValues, (void)numLibraryOptions;
  EMU_API(load_data(library, code));
}

cudaError_t cudaLibraryLoadFromFile(cudaLibrary_t *library, const char *fileName,
                                    enum cudaJitOption *jitOptions, void **jitOptionsValues,
                                    unsigned int numJitOptions, enum cudaLibraryOption *libraryOptions,
                                    void **libraryOptionValues, unsigned int numLibraryOptions) {
  (void)jitOptions, (void)jitOptionsValues, (void)numJitOptions;
  (void)libraryOptions, (void)libraryOptionValues, (void)numLibraryOptions;
  EMU_API(load_file(library, fileName));
}

cudaError_t cudaLibraryUnload(cudaLibrary_t library) {
  EMU_API(unload(library));
}

cudaError_t cudaLibraryGetKernel(cudaKernel_t *pKernel, cudaLibrary_t library, const char *name) {
  EMU_API(kernel(pKernel, library, name));
}

cudaError_t cudaLibraryGetGlobal(void **dptr, size_t *bytes, cudaLibrary_t library, const char *name) {
  EMU_API(variable(dptr, bytes, library, name, false));
}

cudaError_t cudaLibraryGetManaged(void **dptr, size_t *bytes, cudaLibrary_t library, const char *name) {
  EMU_API(variable(dptr, bytes, library, name, true));
}

cudaError_t cudaLibraryGetKernelCount(unsigned int *number, cudaLibrary_t lib) {
  EMU_API(count(number, lib));
}

cudaError_t cudaLibraryEnumerateKernels(cudaKernel_t *kernels, unsigned int numKernels, cudaLibrary_t lib) {
  EMU_API(enumerate(kernels, numKernels, lib));
}
