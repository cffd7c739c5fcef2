// What devices say of themselves, several of them, and peers. Runs with CUSEQ_EMULATOR_DEVICES=2.
#include "check.h"

#include <stdlib.h>
#include <string.h>

__device__ int of_device = 7;

__global__ void bump(int *out) {
  of_device++;
  *out = of_device;
}

static void properties_are_those_of_the_capability() {
  cudaDeviceProp p;
  int major, minor, value;
  static const struct {
    int capability, multiprocessors, shared;
  } known[] = {{75, 40, 64 << 10}, {80, 108, 163 << 10}, {90, 132, 227 << 10}, {120, 170, 99 << 10}};
  OK(cudaGetDeviceProperties(&p, 0));
  OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  OK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  CHECK(p.major == major && p.minor == minor);
  CHECK(strstr(p.name, "emulated") != NULL);
  for (const auto &k : known)
    if (k.capability == 10 * major + minor) {
      CHECK_EQUAL(p.multiProcessorCount, k.multiprocessors);
      CHECK_EQUAL(p.sharedMemPerBlockOptin, k.shared);
      OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
      CHECK_EQUAL(value, k.shared);
    }
  CHECK(p.warpSize == 32 && p.maxThreadsPerBlock == 1024 && p.cooperativeLaunch &&
        p.clusterLaunch == (major >= 9));
  CODE(cudaDeviceGetAttribute(&value, (cudaDeviceAttr)9999, 0), cudaErrorInvalidValue);
  CODE(cudaDeviceGetAttribute(NULL, cudaDevAttrWarpSize, 0), cudaErrorInvalidValue);
  CODE(cudaDeviceGetAttribute(&value, cudaDevAttrWarpSize, 99), cudaErrorInvalidDevice);
  CODE(cudaGetDeviceProperties(&p, -1), cudaErrorInvalidDevice);
  CODE(cudaGetDeviceProperties(NULL, 0), cudaErrorInvalidValue);
  cudaGetLastError();
}

// The program has PTX for 75 and 90; CUSEQ_EMULATOR_CODE may keep the newer one from a device.
static void the_newest_code_that_suits_is_taken() {
  cudaFuncAttributes a;
  int major;
  const char *most = getenv("CUSEQ_EMULATOR_CODE");
  OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  OK(cudaFuncGetAttributes(&a, bump));
  CHECK_EQUAL(a.ptxVersion, most ? atoi(most) : major < 9 ? 75 : 90);
}

static void versions_names_and_limits() {
  int version;
  size_t limit;
  OK(cudaRuntimeGetVersion(&version));
  CHECK_EQUAL(version, CUDART_VERSION);
  OK(cudaDriverGetVersion(&version));
  CHECK(version >= CUDART_VERSION);
  CHECK(!strcmp(cudaGetErrorName(cudaErrorInvalidValue), "cudaErrorInvalidValue"));
  CHECK(!strcmp(cudaGetErrorString(cudaSuccess), "no error"));
  CHECK(!strcmp(cudaGetErrorString((cudaError_t)12345), "unrecognized error code"));
  OK(cudaDeviceSetLimit(cudaLimitStackSize, 4096));
  OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
  CHECK_EQUAL(limit, 4096);
  CODE(cudaDeviceGetLimit(&limit, (cudaLimit)77), cudaErrorInvalidValue);
  char bus[32];
  int device;
  OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
  OK(cudaDeviceGetByPCIBusId(&device, bus));
  CHECK_EQUAL(device, 0);
  void *entry = (void *)1;
  cudaDriverEntryPointQueryResult result;
  OK(cudaGetDriverEntryPointByVersion("cuMemAlloc", &entry, 13000, cudaEnableDefault, &result));
  CHECK(!entry && result == cudaDriverEntryPointSymbolNotFound);
  cudaGetLastError();
}

static void what_is_not_built_says_so() {
  cudaArray_t array;
  cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  CHECK(format.x == 32 && format.f == cudaChannelFormatKindFloat);
  CODE(cudaMallocArray(&array, &format, 4, 4), cudaErrorNotSupported);
  CODE(cudaGetLastError(), cudaErrorNotSupported);
}

static void devices_keep_to_themselves() {
  int count, current, *first, *second, value, can;
  OK(cudaGetDeviceCount(&count));
  if (count < 2) {
    puts("one device only: nothing to tell apart");
    return;
  }
  OK(cudaMalloc(&first, 4));
  OK(cudaSetDevice(1));
  OK(cudaGetDevice(&current));
  CHECK_EQUAL(current, 1);
  OK(cudaMalloc(&second, 4));
  for (int i = 0; i < 3; i++)
    bump<<<1, 1>>>(second);
  OK(cudaMemcpy(&value, second, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(value, 10);
  cudaPointerAttributes a;
  OK(cudaPointerGetAttributes(&a, second));
  CHECK_EQUAL(a.device, 1);
  OK(cudaSetDevice(0));
  bump<<<1, 1>>>(first);
  OK(cudaMemcpy(&value, first, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(value, 8); // its own copy of the variable
  OK(cudaDeviceCanAccessPeer(&can, 0, 1));
  CHECK(can);
  OK(cudaDeviceEnablePeerAccess(1, 0));
  CODE(cudaDeviceEnablePeerAccess(1, 0), cudaErrorPeerAccessAlreadyEnabled);
  OK(cudaMemcpyPeer(first, 0, second, 1, 4));
  OK(cudaMemcpy(&value, first, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(value, 10);
  OK(cudaDeviceDisablePeerAccess(1));
  CODE(cudaDeviceDisablePeerAccess(1), cudaErrorPeerAccessNotEnabled);
  cudaEvent_t event;
  cudaStream_t other;
  OK(cudaEventCreate(&event));
  OK(cudaSetDevice(1));
  OK(cudaStreamCreate(&other));
  CODE(cudaEventRecord(event, other), cudaErrorInvalidResourceHandle);
  OK(cudaStreamWaitEvent(other, event, 0)); // waiting across devices is fine
  CODE(cudaSetDevice(count), cudaErrorInvalidDevice);
  OK(cudaEventDestroy(event));
  OK(cudaStreamDestroy(other));
  OK(cudaFree(first));
  OK(cudaFree(second));
  cudaGetLastError();
  OK(cudaSetDevice(0));
}

static void a_reset_forgets_everything() {
  int *p, value;
  cudaStream_t stream;
  OK(cudaMalloc(&p, 4));
  OK(cudaStreamCreate(&stream));
  bump<<<1, 1>>>(p);
  OK(cudaDeviceReset());
  CODE(cudaFree(p), cudaErrorInvalidValue);
  CODE(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  OK(cudaMalloc(&p, 4));
  bump<<<1, 1>>>(p);
  OK(cudaMemcpy(&value, p, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(value, 8); // variables are as they were at first
  OK(cudaFree(p));
}

int main() {
  properties_are_those_of_the_capability();
  the_newest_code_that_suits_is_taken();
  versions_names_and_limits();
  what_is_not_built_says_so();
  devices_keep_to_themselves();
  a_reset_forgets_everything();
  return finish();
}
