#include "device.h"

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

enum { ROUNDS = 10, LAUNCHES = 500 };

/* The time of an empty kernel among many, the best of some rounds. */
static cudaError_t measure_launch(struct device *device) {
  const int rounds = device->is_emulated ? 1 : ROUNDS, launches = device->is_emulated ? 1 : LAUNCHES;
  cudaEvent_t before = NULL, after = NULL;
  cudaError_t error = cudaEventCreate(&before);
  if (error == cudaSuccess)
    error = cudaEventCreate(&after);
  double best = 0;
  for (int round = 0; round < rounds && error == cudaSuccess; round++) {
    float milliseconds = 0;
    cudaEventRecord(before, 0);
    for (int i = 0; i < launches; i++)
      empty_kernel_launch(0);
    cudaEventRecord(after, 0);
    error = cudaEventSynchronize(after);
    if (error == cudaSuccess)
      error = cudaEventElapsedTime(&milliseconds, before, after);
    const double us = 1e3 * milliseconds / launches;
    best = round == 0 || us < best ? us : best;
  }
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  device->launch_us = best;
  return error;
}

/* The same in graphs of so many nodes. */
static cudaError_t measure_node(struct device *device) {
  const int rounds = device->is_emulated ? 1 : ROUNDS, nodes = device->is_emulated ? 1 : LAUNCHES;
  cudaStream_t stream = NULL;
  cudaGraph_t graph = NULL;
  cudaGraphExec_t exec = NULL;
  cudaEvent_t before = NULL, after = NULL;
  cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (error == cudaSuccess)
    error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  for (int i = 0; i < nodes && error == cudaSuccess; i++)
    empty_kernel_launch(stream);
  if (error == cudaSuccess)
    error = cudaStreamEndCapture(stream, &graph);
  if (error == cudaSuccess)
    error = cudaGraphInstantiate(&exec, graph, 0);
  if (error == cudaSuccess)
    error = cudaEventCreate(&before);
  if (error == cudaSuccess)
    error = cudaEventCreate(&after);
  for (int round = 0; round < rounds && error == cudaSuccess; round++) {
    float milliseconds = 0;
    cudaEventRecord(before, stream);
    cudaGraphLaunch(exec, stream);
    cudaEventRecord(after, stream);
    error = cudaEventSynchronize(after);
    if (error == cudaSuccess)
      error = cudaEventElapsedTime(&milliseconds, before, after);
    const double us = 1e3 * milliseconds / nodes;
    device->node_us = round == 0 || us < device->node_us ? us : device->node_us;
  }
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  if (exec)
    cudaGraphExecDestroy(exec);
  if (graph)
    cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
  return error;
}

/* How many cycles a multiprocessor that counts them makes in a second: what the highest clock promises may be
 * more. */
static cudaError_t measure_clock(struct device *device, long long cycles) {
  struct clock_count *d_count = NULL, count = {0};
  cudaError_t error = cudaMalloc((void **)&d_count, sizeof *d_count);
  for (int round = 0; round < 2 && error == cudaSuccess; round++) { /* the first wakes it up */
    clock_kernel_launch(cycles, d_count, 0);
    error = cudaMemcpy(&count, d_count, sizeof count, cudaMemcpyDeviceToHost);
  }
  cudaFree(d_count);
  if (error == cudaSuccess && count.nanoseconds > 0)
    device->busy_clock = 1e9 * (double)count.cycles / (double)count.nanoseconds;
  return error;
}

/* Everything that is measured of the device itself. */
static cudaError_t measure_device(struct device *device) {
  enum { CYCLES = 20000000, FEW_CYCLES = 100 };
  cudaError_t error = measure_launch(device);
  if (error == cudaSuccess)
    error = measure_node(device);
  if (error == cudaSuccess)
    error = measure_clock(device, device->is_emulated ? FEW_CYCLES : CYCLES);
  if (device->is_emulated) /* it has run, and that is no time */
    device->launch_us = device->node_us = device->busy_clock = 0;
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
  if (!device->is_emulated)
    read_clocks(device);
  error = measure_device(device);
  if (error != cudaSuccess)
    snprintf(reason, capacity, "the GPU does not run a kernel (%s)", cudaGetErrorString(error));
  return error == cudaSuccess;
}
