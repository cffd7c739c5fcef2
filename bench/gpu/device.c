#include "floor.h"

#include "empty_kernel.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* Float32 units of a multiprocessor, by compute capability. */
static int cores(int capability) {
  return capability == 75 || capability == 80 ? 64 : 128;
}

static double attribute(enum cudaDeviceAttr which) {
  int value = 0;
  cudaDeviceGetAttribute(&value, which, 0);
  return value;
}

static void read_clocks(struct device *device) {
  FILE *pipe = popen("nvidia-smi -i 0 --format=csv,noheader "
                     "--query-gpu=driver_version,clocks.sm,clocks.mem,clocks.max.sm,power.limit 2>/dev/null",
                     "r");
  if (pipe && !fgets(device->clocks, sizeof device->clocks, pipe))
    device->clocks[0] = 0;
  device->clocks[strcspn(device->clocks, "\n")] = 0;
  if (pipe)
    pclose(pipe);
}

/* The time of an empty kernel among many, the best of some rounds. */
static cudaError_t measure_launch(struct device *device) {
  enum { ROUNDS = 10, LAUNCHES = 500 };
  cudaEvent_t before = NULL, after = NULL;
  cudaError_t error = cudaEventCreate(&before);
  if (error == cudaSuccess)
    error = cudaEventCreate(&after);
  double best = 0;
  for (int round = 0; round < ROUNDS && error == cudaSuccess; round++) {
    float milliseconds = 0;
    cudaEventRecord(before, 0);
    for (int i = 0; i < LAUNCHES; i++)
      empty_kernel_launch(0);
    cudaEventRecord(after, 0);
    error = cudaEventSynchronize(after);
    if (error == cudaSuccess)
      error = cudaEventElapsedTime(&milliseconds, before, after);
    const double us = 1e3 * milliseconds / LAUNCHES;
    best = round == 0 || us < best ? us : best;
  }
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  device->launch_us = best;
  return error;
}

bool device_is_emulated(void) {
  struct cudaDeviceProp properties;
  int current = 0;
  return cudaGetDevice(&current) == cudaSuccess &&
         cudaGetDeviceProperties(&properties, current) == cudaSuccess &&
         strstr(properties.name, "emulated") != NULL;
}

/* The runtime has one code for no driver and for one that is too old. */
static const char *why_none(cudaError_t error) {
  if (error != cudaErrorInsufficientDriver)
    return cudaGetErrorString(error);
  void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!driver)
    return "no NVIDIA driver is installed";
  dlclose(driver);
  return "the NVIDIA driver is older than CUDA 13 needs";
}

bool device_find(struct device *device, char *reason, size_t capacity) {
  *device = (struct device){0};
  struct cudaDeviceProp properties;
  int count = 0, driver = 0, runtime = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count == 0)
    error = cudaErrorNoDevice;
  if (error == cudaSuccess)
    error = cudaSetDevice(0);
  if (error == cudaSuccess)
    error = cudaGetDeviceProperties(&properties, 0);
  if (error != cudaSuccess) {
    snprintf(reason, capacity, "there is no NVIDIA GPU to measure (%s)", why_none(error));
    return false;
  }
  snprintf(device->name, sizeof device->name, "%s", properties.name);
  device->is_emulated = device_is_emulated();
  device->capability = 10 * properties.major + properties.minor;
  device->multiprocessors = properties.multiProcessorCount;
  device->clock = 1e3 * attribute(cudaDevAttrClockRate);
  device->bandwidth = 2e3 * attribute(cudaDevAttrMemoryClockRate) * properties.memoryBusWidth / 8;
  device->fma = device->clock * device->multiprocessors * cores(device->capability);
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  snprintf(device->versions, sizeof device->versions, "driver for CUDA %d.%d, runtime %d.%d", driver / 1000,
           driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
  if (device->is_emulated)
    return true;
  read_clocks(device);
  error = measure_launch(device);
  if (error != cudaSuccess)
    snprintf(reason, capacity, "the GPU does not run a kernel (%s)", cudaGetErrorString(error));
  return error == cudaSuccess;
}
