/* The devices that the runtime knows, and what of one the kernels depend on. */
#include "backends/cuda/cuda.h"

#include "error.h"

#include <dlfcn.h>
#include <stdio.h>

/* The runtime answers a missing driver and an old one with the same code: the driver's library tells them
 * apart. */
static void no_device_reason(cudaError_t error) {
  if (error == cudaErrorNoDevice) {
    error_store("there is no CUDA device");
    return;
  }
  void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!driver) {
    error_store("there is no NVIDIA driver (libcuda.so.1 is missing)");
    return;
  }
  dlclose(driver);
  int found = 0;
  if (cudaDriverGetVersion(&found) != cudaSuccess)
    cudaGetLastError();
  if (error == cudaErrorInsufficientDriver)
    error_store("the NVIDIA driver is too old (found one for CUDA %d.%d, needed one for CUDA %d.%d)",
                found / 1000, found % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  else
    error_store("CUDA does not start (%s: %s)", cudaGetErrorName(error), cudaGetErrorString(error));
}

int32_t cuda_device_count(void) {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0)
    return count;
  no_device_reason(error == cudaSuccess ? cudaErrorNoDevice : error);
  return 0;
}

void cuda_device_describe(int32_t index, char *text, size_t capacity) {
  struct cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess)
    snprintf(text, capacity, "a device that does not answer");
  else
    snprintf(text, capacity, "%.80s, compute capability %d.%d, %d multiprocessors", properties.name,
             properties.major, properties.minor, properties.multiProcessorCount);
}

cuseq_status cuda_device_read(int32_t index, struct launch_device *device) {
  int major, minor, multiprocessors, shared, cooperative, clusters = 0;
  CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
  CUDA_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
  CUDA_TRY(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, index));
  CUDA_TRY(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
  CUDA_TRY(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, index));
  CUDA_TRY(cudaDeviceGetAttribute(&clusters, cudaDevAttrClusterLaunch, index));
  *device = (struct launch_device){.architecture = 10 * major + minor,
                                   .multiprocessors = multiprocessors,
                                   .shared_bytes = shared,
                                   .cooperative = cooperative,
                                   .clusters = clusters && launch_clusters_built(),
                                   .tensor_cores = launch_tensor_cores_built()};
  return CUSEQ_STATUS_OK;
}
