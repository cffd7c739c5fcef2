#include "device.h"
#include "capture.h"
#include "kernel.h"
#include "memory.h"
#include "report.h"
#include "stream.h"

#include <stdio.h>
#include <string.h>

enum { LIMITS = cudaLimitPersistingL2CacheSize + 1 };

static _Thread_local int current;
static unsigned device_flags[EMU_MAX_DEVICES];
static bool peers[EMU_MAX_DEVICES][EMU_MAX_DEVICES];
static const size_t default_limits[LIMITS] = {[cudaLimitStackSize] = 1024,
                                              [cudaLimitPrintfFifoSize] = 1 << 20,
                                              [cudaLimitMallocHeapSize] = 8 << 20,
                                              [cudaLimitDevRuntimeSyncDepth] = 2,
                                              [cudaLimitDevRuntimePendingLaunchCount] = 2048,
                                              [cudaLimitMaxL2FetchGranularity] = 64};
static size_t asked_limits[EMU_MAX_DEVICES][LIMITS]; /* value + 1; 0: the default */

int emu_device(void) {
  return current;
}

cudaError_t emu_device_check(int device) {
  if (device >= 0 && device < emu_settings()->devices)
    return cudaSuccess;
  return emu_fail(cudaErrorInvalidDevice, "device: no such device (found %d, there are %d)", device,
                  emu_settings()->devices);
}

size_t emu_device_limit(int device, enum cudaLimit limit) {
  return asked_limits[device][limit] ? asked_limits[device][limit] - 1 : default_limits[limit];
}

static cudaError_t choose(int device) {
  EMU_TRY(emu_device_check(device));
  current = device;
  return cudaSuccess;
}

static cudaError_t give(int *out, int value) {
  if (!out)
    return cudaErrorInvalidValue;
  *out = value;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
  EMU_API_PLAIN(give(count, emu_settings()->devices));
}

cudaError_t cudaSetDevice(int device) {
  EMU_API_PLAIN(choose(device));
}

cudaError_t cudaGetDevice(int *device) {
  EMU_API_PLAIN(give(device, current));
}

cudaError_t cudaInitDevice(int device, unsigned int deviceFlags, unsigned int flags) {
  (void)deviceFlags, (void)flags;
  EMU_API_PLAIN(emu_device_check(device));
}

cudaError_t cudaChooseDevice(int *device, const struct cudaDeviceProp *prop) {
  EMU_API_PLAIN(prop ? give(device, 0) : cudaErrorInvalidValue);
}

static cudaError_t check_list(const int *devices, int length) {
  if (length < 0 || (length && !devices))
    return cudaErrorInvalidValue;
  for (int i = 0; i < length; i++)
    EMU_TRY(emu_device_check(devices[i]));
  return cudaSuccess;
}

cudaError_t cudaSetValidDevices(int *device_arr, int len) {
  EMU_API_PLAIN(check_list(device_arr, len));
}

static cudaError_t set_flags(unsigned flags) {
  if ((flags & cudaDeviceScheduleMask) > cudaDeviceScheduleBlockingSync ||
      (flags & ~(unsigned)cudaDeviceMask))
    return cudaErrorInvalidValue;
  device_flags[current] = flags;
  return cudaSuccess;
}

static cudaError_t get_flags(unsigned *out) {
  if (!out)
    return cudaErrorInvalidValue;
  *out = device_flags[current] | cudaDeviceMapHost;
  return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned int flags) {
  EMU_API(set_flags(flags));
}

cudaError_t cudaGetDeviceFlags(unsigned int *flags) {
  EMU_API(get_flags(flags));
}

static cudaError_t set_limit(enum cudaLimit limit, size_t value) {
  if ((unsigned)limit >= LIMITS)
    return cudaErrorInvalidValue;
  if (limit == cudaLimitDevRuntimeSyncDepth)
    return cudaErrorUnsupportedLimit;
  asked_limits[current][limit] = value + 1;
  return cudaSuccess;
}

static cudaError_t get_limit(size_t *out, enum cudaLimit limit) {
  if (!out || (unsigned)limit >= LIMITS)
    return cudaErrorInvalidValue;
  if (limit == cudaLimitDevRuntimeSyncDepth)
    return cudaErrorUnsupportedLimit;
  *out = emu_device_limit(current, limit);
  return cudaSuccess;
}

cudaError_t cudaDeviceSetLimit(enum cudaLimit limit, size_t value) {
  EMU_API(set_limit(limit, value));
}

cudaError_t cudaDeviceGetLimit(size_t *pValue, enum cudaLimit limit) {
  EMU_API(get_limit(pValue, limit));
}

/* Everything of the device goes: work that was not waited for is waited for first, as on hardware. */
static cudaError_t reset(void) {
  EMU_TRY(emu_capture_forbids_unsafe());
  struct emu_clock clock = {0};
  emu_device_clock(current, &clock);
  emu_host_wait(&clock);
  emu_clock_free(&clock);
  emu_report_leaks();
  emu_streams_reset(current);
  emu_memory_reset(current);
  emu_images_reset(current);
  memset(asked_limits[current], 0, sizeof asked_limits[current]);
  device_flags[current] = 0;
  return emu_sticky(current);
}

cudaError_t cudaDeviceReset(void) {
  EMU_API(reset());
}

/* ---- Other devices ---- */

static cudaError_t can_access(int *out, int device, int peer) {
  EMU_TRY(emu_device_check(device));
  EMU_TRY(emu_device_check(peer));
  return give(out, device != peer);
}

static cudaError_t enable_peer(int peer, unsigned flags) {
  EMU_TRY(emu_device_check(peer));
  if (flags)
    return cudaErrorInvalidValue;
  if (peer == current)
    return cudaErrorInvalidDevice;
  if (peers[current][peer])
    return cudaErrorPeerAccessAlreadyEnabled;
  peers[current][peer] = true;
  return cudaSuccess;
}

static cudaError_t disable_peer(int peer) {
  EMU_TRY(emu_device_check(peer));
  if (!peers[current][peer])
    return cudaErrorPeerAccessNotEnabled;
  peers[current][peer] = false;
  return cudaSuccess;
}

static cudaError_t peer_attribute(int *out, enum cudaDeviceP2PAttr attribute, int from, int to) {
  EMU_TRY(emu_device_check(from));
  EMU_TRY(emu_device_check(to));
  if (from == to)
    return cudaErrorInvalidDevice;
  switch (attribute) {
  case cudaDevP2PAttrPerformanceRank:
    return give(out, 0);
  case cudaDevP2PAttrAccessSupported:
  case cudaDevP2PAttrNativeAtomicSupported:
    return give(out, 1);
  case cudaDevP2PAttrCudaArrayAccessSupported:
  case cudaDevP2PAttrOnlyPartialNativeAtomicSupported:
    return give(out, 0);
  }
  return cudaErrorInvalidValue;
}

cudaError_t cudaDeviceCanAccessPeer(int *canAccessPeer, int device, int peerDevice) {
  EMU_API(can_access(canAccessPeer, device, peerDevice));
}

cudaError_t cudaDeviceEnablePeerAccess(int peerDevice, unsigned int flags) {
  EMU_API(enable_peer(peerDevice, flags));
}

cudaError_t cudaDeviceDisablePeerAccess(int peerDevice) {
  EMU_API(disable_peer(peerDevice));
}

cudaError_t cudaDeviceGetP2PAttribute(int *value, enum cudaDeviceP2PAttr attr, int srcDevice, int dstDevice) {
  EMU_API(peer_attribute(value, attr, srcDevice, dstDevice));
}

/* ---- Versions, profiler, caches ---- */

cudaError_t cudaDriverGetVersion(int *driverVersion) {
  EMU_API_PLAIN(give(driverVersion, CUDART_VERSION));
}

cudaError_t cudaRuntimeGetVersion(int *runtimeVersion) {
  EMU_API_PLAIN(give(runtimeVersion, CUDART_VERSION));
}

EMU_EXPORT cudaError_t cudaProfilerStart(void);
EMU_EXPORT cudaError_t cudaProfilerStop(void);

cudaError_t cudaProfilerStart(void) {
  EMU_API(cudaSuccess);
}

cudaError_t cudaProfilerStop(void) {
  EMU_API(cudaSuccess);
}

cudaError_t cudaDeviceSetCacheConfig(enum cudaFuncCache cacheConfig) {
  EMU_API((unsigned)cacheConfig > cudaFuncCachePreferEqual ? cudaErrorInvalidValue : cudaSuccess);
}

static cudaError_t cache_preference(enum cudaFuncCache *out) {
  if (!out)
    return cudaErrorInvalidValue;
  *out = cudaFuncCachePreferNone;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetCacheConfig(enum cudaFuncCache *pCacheConfig) {
  EMU_API(cache_preference(pCacheConfig));
}

static cudaError_t bank_size(enum cudaSharedMemConfig *out) {
  if (!out)
    return cudaErrorInvalidValue;
  *out = cudaSharedMemBankSizeFourByte;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetSharedMemConfig(enum cudaSharedMemConfig *pConfig) {
  EMU_API(bank_size(pConfig));
}

cudaError_t cudaDeviceSetSharedMemConfig(enum cudaSharedMemConfig config) {
  EMU_API((unsigned)config > cudaSharedMemBankSizeEightByte ? cudaErrorInvalidValue : cudaSuccess);
}

cudaError_t cudaCtxResetPersistingL2Cache(void) {
  EMU_API(cudaSuccess);
}

/* ---- PCI names: an emulated device sits on no bus; its number stands where the bus would be ---- */

static cudaError_t bus_name(char *out, int length, int device) {
  EMU_TRY(emu_device_check(device));
  if (!out || length < 13)
    return cudaErrorInvalidValue;
  snprintf(out, (size_t)length, "0000:%02x:00.0", device + 1);
  return cudaSuccess;
}

static cudaError_t by_bus_name(int *out, const char *name) {
  unsigned domain, bus, slot;
  if (!out || !name || sscanf(name, "%x:%x:%x", &domain, &bus, &slot) != 3)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_device_check((int)bus - 1));
  return give(out, (int)bus - 1);
}

cudaError_t cudaDeviceGetPCIBusId(char *pciBusId, int len, int device) {
  EMU_API(bus_name(pciBusId, len, device));
}

cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *pciBusId) {
  EMU_API(by_bus_name(device, pciBusId));
}
