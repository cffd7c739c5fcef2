#include "device.h"

#include <stdio.h>
#include <string.h>

enum {
  REGISTERS = 65536,
  LARGEST_X = 0x7fffffff,
  LARGEST_YZ = 65535,
  CONSTANT_BYTES = 65536,
  DEFAULT_SHARED = 49152,
  RESERVED_SHARED = 1024,
  L2_BYTES = 50 << 20,
  BUS_BITS = 5120,
  TEXTURE_ALIGNMENT = 512,
};

static int reserved_shared(void) {
  return emu_settings()->capability >= 80 ? RESERVED_SHARED : 0;
}

/* The device says what it is: nobody shall take its figures for a GPU's. */
static cudaError_t properties(struct cudaDeviceProp *out, int device) {
  const struct emu_settings *s = emu_settings();
  uint64_t used, total;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_device_check(device));
  emu_memory_usage(device, &used, &total);
  *out = (struct cudaDeviceProp){
      .totalGlobalMem = total,
      .sharedMemPerBlock = DEFAULT_SHARED,
      .regsPerBlock = REGISTERS,
      .warpSize = 32,
      .memPitch = LARGEST_X,
      .maxThreadsPerBlock = 1024,
      .maxThreadsDim = {1024, 1024, 64},
      .maxGridSize = {LARGEST_X, LARGEST_YZ, LARGEST_YZ},
      .totalConstMem = CONSTANT_BYTES,
      .major = s->capability / 10,
      .minor = s->capability % 10,
      .textureAlignment = TEXTURE_ALIGNMENT,
      .texturePitchAlignment = 32,
      .multiProcessorCount = s->multiprocessors,
      .canMapHostMemory = 1,
      .surfaceAlignment = TEXTURE_ALIGNMENT,
      .concurrentKernels = 1,
      .ECCEnabled = 1,
      .pciBusID = device + 1,
      .asyncEngineCount = 2,
      .unifiedAddressing = 1,
      .memoryBusWidth = BUS_BITS,
      .l2CacheSize = L2_BYTES,
      .maxThreadsPerMultiProcessor = (int)s->threads_per_multiprocessor,
      .streamPrioritiesSupported = 1,
      .globalL1CacheSupported = 1,
      .localL1CacheSupported = 1,
      .sharedMemPerMultiprocessor = s->shared_per_multiprocessor,
      .regsPerMultiprocessor = REGISTERS,
      .managedMemory = 1,
      .multiGpuBoardGroupID = device,
      .concurrentManagedAccess = 1,
      .computePreemptionSupported = 1,
      .canUseHostPointerForRegisteredMem = 1,
      .cooperativeLaunch = 1,
      .sharedMemPerBlockOptin = s->shared_per_block,
      .maxBlocksPerMultiProcessor = (int)s->blocks_per_multiprocessor,
      .reservedSharedMemPerBlock = (size_t)reserved_shared(),
      .hostRegisterSupported = 1,
      .memoryPoolsSupported = 1,
      .clusterLaunch = s->capability >= 90,
      .deviceNumaId = -1,
      .hostNumaId = -1,
  };
  snprintf(out->name, sizeof out->name, "cuseq emulated device (sm_%d, on the CPU)", s->capability);
  snprintf(out->uuid.bytes, sizeof out->uuid.bytes, "cuseq-emu-%04d", device);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device) {
  EMU_API_PLAIN(properties(prop, device));
}

/* Answers true for an attribute that exists; what the emulated device has no use for is 0. */
static bool attribute(enum cudaDeviceAttr attr, const struct cudaDeviceProp *p, int *out) {
  switch (attr) {
  case cudaDevAttrMaxThreadsPerBlock:
  case cudaDevAttrMaxBlockDimX:
  case cudaDevAttrMaxBlockDimY:
    *out = 1024;
    return true;
  case cudaDevAttrMaxBlockDimZ:
    *out = p->maxThreadsDim[2];
    return true;
  case cudaDevAttrMaxGridDimX:
  case cudaDevAttrMaxPitch:
    *out = LARGEST_X;
    return true;
  case cudaDevAttrMaxGridDimY:
  case cudaDevAttrMaxGridDimZ:
    *out = LARGEST_YZ;
    return true;
  case cudaDevAttrMaxSharedMemoryPerBlock:
    *out = DEFAULT_SHARED;
    return true;
  case cudaDevAttrTotalConstantMemory:
    *out = CONSTANT_BYTES;
    return true;
  case cudaDevAttrWarpSize:
    *out = p->warpSize;
    return true;
  case cudaDevAttrMaxRegistersPerBlock:
  case cudaDevAttrMaxRegistersPerMultiprocessor:
    *out = REGISTERS;
    return true;
  case cudaDevAttrClockRate:
  case cudaDevAttrMemoryClockRate:
    *out = 1000000; /* kHz; there is no clock, and nothing may divide by 0 */
    return true;
  case cudaDevAttrTextureAlignment:
  case cudaDevAttrSurfaceAlignment:
    *out = TEXTURE_ALIGNMENT;
    return true;
  case cudaDevAttrTexturePitchAlignment:
    *out = (int)p->texturePitchAlignment;
    return true;
  case cudaDevAttrMultiProcessorCount:
    *out = p->multiProcessorCount;
    return true;
  case cudaDevAttrPciBusId:
    *out = p->pciBusID;
    return true;
  case cudaDevAttrGlobalMemoryBusWidth:
    *out = BUS_BITS;
    return true;
  case cudaDevAttrL2CacheSize:
    *out = L2_BYTES;
    return true;
  case cudaDevAttrMaxThreadsPerMultiProcessor:
    *out = p->maxThreadsPerMultiProcessor;
    return true;
  case cudaDevAttrAsyncEngineCount:
    *out = p->asyncEngineCount;
    return true;
  case cudaDevAttrComputeCapabilityMajor:
    *out = p->major;
    return true;
  case cudaDevAttrComputeCapabilityMinor:
    *out = p->minor;
    return true;
  case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
    *out = (int)p->sharedMemPerMultiprocessor;
    return true;
  case cudaDevAttrMultiGpuBoardGroupID:
    *out = p->multiGpuBoardGroupID;
    return true;
  case cudaDevAttrSingleToDoublePrecisionPerfRatio:
    *out = 2;
    return true;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin:
    *out = (int)p->sharedMemPerBlockOptin;
    return true;
  case cudaDevAttrMaxBlocksPerMultiprocessor:
    *out = p->maxBlocksPerMultiProcessor;
    return true;
  case cudaDevAttrReservedSharedMemoryPerBlock:
    *out = (int)p->reservedSharedMemPerBlock;
    return true;
  case cudaDevAttrClusterLaunch:
    *out = p->clusterLaunch;
    return true;
  case cudaDevAttrGpuOverlap:
  case cudaDevAttrCanMapHostMemory:
  case cudaDevAttrConcurrentKernels:
  case cudaDevAttrEccEnabled:
  case cudaDevAttrUnifiedAddressing:
  case cudaDevAttrStreamPrioritiesSupported:
  case cudaDevAttrGlobalL1CacheSupported:
  case cudaDevAttrLocalL1CacheSupported:
  case cudaDevAttrManagedMemory:
  case cudaDevAttrConcurrentManagedAccess:
  case cudaDevAttrComputePreemptionSupported:
  case cudaDevAttrCanUseHostPointerForRegisteredMem:
  case cudaDevAttrCooperativeLaunch:
  case cudaDevAttrHostRegisterSupported:
  case cudaDevAttrMemoryPoolsSupported:
  case cudaDevAttrMemSyncDomainCount:
    *out = 1;
    return true;
  case cudaDevAttrNumaId:
  case cudaDevAttrHostNumaId:
    *out = -1;
    return true;
  default:
    *out = 0;
    return attr > 0 && attr < cudaDevAttrMax;
  }
}

static cudaError_t ask(int *out, enum cudaDeviceAttr attr, int device) {
  struct cudaDeviceProp p;
  EMU_TRY(emu_device_check(device));
  EMU_TRY(properties(&p, device));
  return out && attribute(attr, &p, out) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device) {
  EMU_API_PLAIN(ask(value, attr, device));
}
