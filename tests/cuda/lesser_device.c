/* A device or a runtime that has less than the emulated one, for LD_PRELOAD. CUSEQ_LESSER is a list of words:
 *   cooperative, clusters   the device says that it has none, and such a launch is an error
 *   launches                the device says that it has both, and such a launch is an error all the same
 *   pointers                the runtime cannot tell where an array lies */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The runtime's own; the module's libraries are not among those that RTLD_NEXT looks through. */
static void *runtime(const char *name) {
  void *library = dlopen("libcudart.so.13", RTLD_LAZY);
  void *function = library ? dlsym(library, name) : NULL;
  if (!function)
    abort();
  return function;
}

static int is_without(const char *word) {
  const char *words = getenv("CUSEQ_LESSER");
  return words && strstr(words, word) != NULL;
}

__attribute__((visibility("default"))) cudaError_t
cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device) {
  cudaError_t (*real)(int *, enum cudaDeviceAttr, int);
  *(void **)&real = runtime("cudaDeviceGetAttribute");
  cudaError_t status = real(value, which, device);
  if (status == cudaSuccess && ((which == cudaDevAttrCooperativeLaunch && is_without("cooperative")) ||
                                (which == cudaDevAttrClusterLaunch && is_without("clusters"))))
    *value = 0;
  return status;
}

__attribute__((visibility("default"))) cudaError_t cudaLaunchCooperativeKernel(const void *kernel, dim3 grid,
                                                                               dim3 block, void **arguments,
                                                                               size_t shared,
                                                                               cudaStream_t stream) {
  cudaError_t (*real)(const void *, dim3, dim3, void **, size_t, cudaStream_t);
  *(void **)&real = runtime("cudaLaunchCooperativeKernel");
  return is_without("cooperative") || is_without("launches")
             ? cudaErrorNotSupported
             : real(kernel, grid, block, arguments, shared, stream);
}

__attribute__((visibility("default"))) cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config,
                                                                       const void *kernel, void **arguments) {
  cudaError_t (*real)(const cudaLaunchConfig_t *, const void *, void **);
  *(void **)&real = runtime("cudaLaunchKernelExC");
  return is_without("clusters") || is_without("launches") ? cudaErrorNotSupported
                                                          : real(config, kernel, arguments);
}

__attribute__((visibility("default"))) cudaError_t
cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *pointer) {
  cudaError_t (*real)(struct cudaPointerAttributes *, const void *);
  *(void **)&real = runtime("cudaPointerGetAttributes");
  return is_without("pointers") ? cudaErrorNotSupported : real(attributes, pointer);
}
