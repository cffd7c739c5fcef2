#include "device.h"
#include "kernel.h"

/* What is known of a kernel, and how many of its blocks run at once. */

struct loaded {
  struct emu_function *function;
  struct emu_kernel *kernel;
  struct emu_kernel_info info;
};

static cudaError_t load(const void *symbol, struct loaded *out) {
  EMU_TRY(emu_function_find(symbol, &out->function));
  return emu_function_load(out->function, emu_device(), &out->kernel, &out->info);
}

enum { DEFAULT_SHARED = 48 * 1024 };

static int dynamic_limit(const struct loaded *l) {
  int rest = DEFAULT_SHARED - (int)l->info.shared_bytes;
  return l->function->max_dynamic_shared > rest ? l->function->max_dynamic_shared : rest;
}

static cudaError_t attributes(struct cudaFuncAttributes *out, const void *symbol) {
  struct loaded l;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  *out = (struct cudaFuncAttributes){.sharedSizeBytes = l.info.shared_bytes,
                                     .constSizeBytes = l.info.constant_bytes,
                                     .localSizeBytes = l.info.local_bytes,
                                     .maxThreadsPerBlock = (int)l.info.max_threads,
                                     .numRegs = (int)l.info.registers,
                                     .ptxVersion = l.info.target,
                                     .binaryVersion = emu_settings()->capability,
                                     .maxDynamicSharedSizeBytes = dynamic_limit(&l),
                                     .preferredShmemCarveout = l.function->carveout,
                                     .requiredClusterWidth = (int)l.info.required_cluster[0],
                                     .requiredClusterHeight = (int)l.info.required_cluster[1],
                                     .requiredClusterDepth = (int)l.info.required_cluster[2],
                                     .clusterSchedulingPolicyPreference = l.function->cluster_policy,
                                     .nonPortableClusterSizeAllowed = l.function->non_portable_cluster};
  if (l.function->required_cluster[0]) {
    out->requiredClusterWidth = l.function->required_cluster[0];
    out->requiredClusterHeight = l.function->required_cluster[1];
    out->requiredClusterDepth = l.function->required_cluster[2];
  }
  out->clusterDimMustBeSet = out->requiredClusterWidth > 0;
  return cudaSuccess;
}

static cudaError_t set_dynamic_shared(struct loaded *l, int value) {
  int most = (int)emu_settings()->shared_per_block - (int)l->info.shared_bytes;
  if (value < 0 || value > most)
    return emu_fail(cudaErrorInvalidValue,
                    "%s: too much dynamic shared memory (asked for %d bytes, at most %d)",
                    l->info.readable_name, value, most);
  l->function->max_dynamic_shared = value;
  return cudaSuccess;
}

static cudaError_t set_attribute(const void *symbol, enum cudaFuncAttribute attribute, int value) {
  struct loaded l;
  EMU_TRY(load(symbol, &l));
  struct emu_function *f = l.function;
  switch (attribute) {
  case cudaFuncAttributeMaxDynamicSharedMemorySize:
    return set_dynamic_shared(&l, value);
  case cudaFuncAttributePreferredSharedMemoryCarveout:
    if (value < -1 || value > 100)
      return cudaErrorInvalidValue;
    f->carveout = value;
    return cudaSuccess;
  case cudaFuncAttributeRequiredClusterWidth:
  case cudaFuncAttributeRequiredClusterHeight:
  case cudaFuncAttributeRequiredClusterDepth:
    if (value < 0 || l.info.required_cluster[0])
      return cudaErrorInvalidValue;
    f->required_cluster[attribute - cudaFuncAttributeRequiredClusterWidth] = value;
    return cudaSuccess;
  case cudaFuncAttributeNonPortableClusterSizeAllowed:
    if (value != 0 && value != 1)
      return cudaErrorInvalidValue;
    f->non_portable_cluster = value;
    return cudaSuccess;
  case cudaFuncAttributeClusterSchedulingPolicyPreference:
    if (value < cudaClusterSchedulingPolicyDefault || value > cudaClusterSchedulingPolicyLoadBalancing)
      return cudaErrorInvalidValue;
    f->cluster_policy = value;
    return cudaSuccess;
  default:
    return cudaErrorInvalidValue;
  }
}

static cudaError_t name_of(const char **out, const void *symbol) {
  struct emu_function *function;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_function_find(symbol, &function));
  *out = function->name;
  return cudaSuccess;
}

static cudaError_t parameter_of(const void *symbol, size_t index, size_t *offset, size_t *size) {
  struct loaded l;
  if (!offset)
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  if (index >= l.info.parameter_count)
    return cudaErrorInvalidValue;
  *offset = l.info.parameters[index].offset;
  if (size)
    *size = l.info.parameters[index].size;
  return cudaSuccess;
}

static cudaError_t preference(const void *symbol, unsigned value, unsigned most) {
  struct emu_function *function;
  EMU_TRY(emu_function_find(symbol, &function));
  return value > most ? cudaErrorInvalidValue : cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attr, const void *func) {
  EMU_API(attributes(attr, func));
}

cudaError_t cudaFuncSetAttribute(const void *func, enum cudaFuncAttribute attr, int value) {
  EMU_API(set_attribute(func, attr, value));
}

static cudaError_t set_for_device(cudaKernel_t kernel, enum cudaFuncAttribute attribute, int value,
                                  int device) {
  EMU_TRY(emu_device_check(device));
  return set_attribute(kernel, attribute, value);
}

cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t kernel, enum cudaFuncAttribute attr, int value,
                                            int device) {
  EMU_API(set_for_device(kernel, attr, value, device));
}

cudaError_t cudaFuncGetName(const char **name, const void *func) {
  EMU_API(name_of(name, func));
}

cudaError_t cudaFuncGetParamInfo(const void *func, size_t paramIndex, size_t *paramOffset,
                                 size_t *paramSize) {
  EMU_API(parameter_of(func, paramIndex, paramOffset, paramSize));
}

cudaError_t cudaFuncSetCacheConfig(const void *func, enum cudaFuncCache cacheConfig) {
  EMU_API(preference(func, cacheConfig, cudaFuncCachePreferEqual));
}

cudaError_t cudaFuncSetSharedMemConfig(const void *func, enum cudaSharedMemConfig config) {
  EMU_API(preference(func, config, cudaSharedMemBankSizeEightByte));
}

/* ---- Occupancy ---- */

static cudaError_t active_blocks(int *out, const void *symbol, int threads, size_t shared) {
  struct loaded l;
  if (!out || threads <= 0)
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  bool fits = threads <= (int)l.info.max_threads && shared <= emu_settings()->shared_per_block;
  *out = fits ? (int)emu_kernel_occupancy(l.kernel, (uint32_t)threads, (uint32_t)shared) : 0;
  return cudaSuccess;
}

static cudaError_t available_shared(size_t *out, const void *symbol, int blocks, int threads) {
  struct loaded l;
  if (!out || blocks <= 0 || threads <= 0)
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  if (emu_kernel_occupancy(l.kernel, (uint32_t)threads, 0) < (uint32_t)blocks)
    return cudaErrorInvalidValue;
  /* The most that still lets that many blocks in: by halving, for what rounds it is the core's business. */
  uint32_t low = 0, high = emu_settings()->shared_per_block - l.info.shared_bytes;
  while (low < high) {
    uint32_t middle = high - (high - low) / 2;
    if (emu_kernel_occupancy(l.kernel, (uint32_t)threads, middle) >= (uint32_t)blocks)
      low = middle;
    else
      high = middle - 1;
  }
  *out = low;
  return cudaSuccess;
}

enum { PORTABLE_CLUSTER = 8, LARGEST_CLUSTER = 16 };

static cudaError_t cluster_size(int *out, const void *symbol, const cudaLaunchConfig_t *config) {
  struct loaded l;
  if (!out || !config)
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  int most = l.function->non_portable_cluster ? LARGEST_CLUSTER : PORTABLE_CLUSTER;
  *out = emu_settings()->capability >= 90 ? most : 1;
  return cudaSuccess;
}

static cudaError_t active_clusters(int *out, const void *symbol, const cudaLaunchConfig_t *config) {
  struct loaded l;
  if (!out || !config || (config->numAttrs && !config->attrs))
    return cudaErrorInvalidValue;
  EMU_TRY(load(symbol, &l));
  unsigned size = 1;
  for (unsigned i = 0; i < config->numAttrs; i++)
    if (config->attrs[i].id == cudaLaunchAttributeClusterDimension)
      size = config->attrs[i].val.clusterDim.x * config->attrs[i].val.clusterDim.y *
             config->attrs[i].val.clusterDim.z;
  if (!size || size > LARGEST_CLUSTER || emu_settings()->capability < 90)
    return cudaErrorInvalidClusterSize;
  unsigned threads = config->blockDim.x * config->blockDim.y * config->blockDim.z;
  unsigned blocks = emu_kernel_occupancy(l.kernel, threads, (uint32_t)config->dynamicSmemBytes) *
                    (unsigned)emu_settings()->multiprocessors;
  *out = (int)(blocks / size);
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *numBlocks, const void *func, int blockSize,
                                                          size_t dynamicSMemSize) {
  EMU_API(active_blocks(numBlocks, func, blockSize, dynamicSMemSize));
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, const void *func,
                                                                   int blockSize, size_t dynamicSMemSize,
                                                                   unsigned int flags) {
  EMU_API(flags > cudaOccupancyDisableCachingOverride
              ? cudaErrorInvalidValue
              : active_blocks(numBlocks, func, blockSize, dynamicSMemSize));
}

cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *dynamicSmemSize, const void *func,
                                                      int numBlocks, int blockSize) {
  EMU_API(available_shared(dynamicSmemSize, func, numBlocks, blockSize));
}

cudaError_t cudaOccupancyMaxPotentialClusterSize(int *clusterSize, const void *func,
                                                 const cudaLaunchConfig_t *launchConfig) {
  EMU_API(cluster_size(clusterSize, func, launchConfig));
}

cudaError_t cudaOccupancyMaxActiveClusters(int *numClusters, const void *func,
                                           const cudaLaunchConfig_t *launchConfig) {
  EMU_API(active_clusters(numClusters, func, launchConfig));
}
