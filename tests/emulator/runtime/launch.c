#include "../module/fatbin.h"
#include "capture.h"
#include "device.h"
#include "kernel.h"
#include "report.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_DYNAMIC_SHARED = 48 * 1024, PORTABLE_CLUSTER = 8, LARGEST_CLUSTER = 16 };

/* What <<<...>>> left for the launch that follows; nested, since an argument's expression may launch too. */
struct configuration {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
};
enum { DEEPEST = 16 };
static _Thread_local struct configuration pushed[DEEPEST];
static _Thread_local unsigned pushed_count;

EMU_EXPORT unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream);
EMU_EXPORT cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream);
EMU_EXPORT cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function);
EMU_EXPORT cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                                          size_t shared, cudaStream_t stream);
EMU_EXPORT cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                                               size_t shared, cudaStream_t stream);

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
  if (pushed_count == DEEPEST)
    return 1;
  pushed[pushed_count++] = (struct configuration){grid, block, shared, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
  if (!pushed_count)
    return cudaErrorMissingConfiguration;
  const struct configuration *last = &pushed[--pushed_count];
  *grid = last->grid;
  *block = last->block;
  *shared = last->shared;
  *(cudaStream_t *)stream = last->stream;
  return cudaSuccess;
}

static cudaError_t read_arguments(const struct emu_kernel_info *info, void **arguments, unsigned char *out) {
  for (uint32_t i = 0; i < info->parameter_count; i++) {
    const struct emu_parameter *p = &info->parameters[i];
    void *value = NULL;
    if (!arguments || emu_probe_read(&value, &arguments[i], sizeof value) != sizeof value || !value)
      return emu_fail(cudaErrorInvalidValue, "%s: too few arguments (found %u, need %u)", info->readable_name,
                      i, info->parameter_count);
    if (emu_probe_read(out + p->offset, value, p->size) != p->size)
      return emu_fail(cudaErrorInvalidValue, "%s: argument %u cannot be read (%u bytes at %p)",
                      info->readable_name, i, p->size, value);
  }
  return cudaSuccess;
}

static cudaError_t check_shared(const struct emu_function *function, const struct emu_kernel_info *info,
                                size_t dynamic) {
  size_t most = emu_settings()->shared_per_block, total = dynamic + info->shared_bytes;
  size_t allowed = (size_t)function->max_dynamic_shared;
  if (total < dynamic || total > most)
    return emu_fail(cudaErrorInvalidValue,
                    "%s: too much shared memory (asked for %zu dynamic and %u static bytes, at most %zu)",
                    info->readable_name, dynamic, info->shared_bytes, most);
  if (total > DEFAULT_DYNAMIC_SHARED && dynamic > allowed)
    return emu_fail(
        cudaErrorInvalidValue,
        "%s: too much shared memory (asked for %zu dynamic and %u static bytes, at most %d without "
        "cudaFuncAttributeMaxDynamicSharedMemorySize, which is %zu)",
        info->readable_name, dynamic, info->shared_bytes, DEFAULT_DYNAMIC_SHARED, allowed);
  return cudaSuccess;
}

static cudaError_t check_cluster(const struct emu_function *function,
                                 const struct emu_launch_request *request, const char *name) {
  dim3 c = request->cluster, g = request->grid;
  uint64_t size = (uint64_t)c.x * c.y * c.z;
  if (!c.x && !c.y && !c.z)
    return cudaSuccess;
  if (emu_settings()->capability < 90 && size != 1)
    return emu_fail(cudaErrorNotSupported, "%s: clusters need sm_90 (found sm_%d)", name,
                    emu_settings()->capability);
  unsigned most = function->non_portable_cluster ? LARGEST_CLUSTER : PORTABLE_CLUSTER;
  if (!size || size > most || g.x % c.x || g.y % c.y || g.z % c.z)
    return emu_fail(
        cudaErrorInvalidClusterSize,
        "%s: impossible cluster (found %ux%ux%u in a grid of %ux%ux%u, need a divisor of at most %u blocks)",
        name, c.x, c.y, c.z, g.x, g.y, g.z, most);
  return cudaSuccess;
}

static cudaError_t check_cooperative(struct emu_kernel *kernel, const struct emu_kernel_info *info,
                                     const struct emu_launch_request *request) {
  uint32_t threads = request->block.x * request->block.y * request->block.z;
  uint64_t blocks = (uint64_t)request->grid.x * request->grid.y * request->grid.z;
  uint64_t most = (uint64_t)emu_kernel_occupancy(kernel, threads, (uint32_t)request->dynamic_shared) *
                  (uint64_t)emu_settings()->multiprocessors;
  if (blocks > most)
    return emu_fail(cudaErrorCooperativeLaunchTooLarge,
                    "%s: too many blocks for a cooperative launch (asked for %llu, at most %llu run at once)",
                    info->readable_name, (unsigned long long)blocks, (unsigned long long)most);
  return cudaSuccess;
}

static cudaError_t check_dimensions(const struct emu_launch_request *request, const char *name) {
  dim3 g = request->grid, b = request->block;
  bool grid = g.x && g.y && g.z && g.x <= 0x7fffffffu && g.y <= 65535 && g.z <= 65535;
  bool block =
      b.x && b.y && b.z && b.x <= 1024 && b.y <= 1024 && b.z <= 64 && (uint64_t)b.x * b.y * b.z <= 1024;
  if (!grid)
    return emu_fail(cudaErrorInvalidConfiguration,
                    "%s: impossible grid (found %ux%ux%u, at most 2147483647x65535x65535)", name, g.x, g.y,
                    g.z);
  if (!block)
    return emu_fail(cudaErrorInvalidConfiguration,
                    "%s: impossible block (found %ux%ux%u, at most 1024x1024x64 and 1024 threads)", name, b.x,
                    b.y, b.z);
  return cudaSuccess;
}

cudaError_t emu_kernel_work(const struct emu_launch_request *request, int device, struct emu_work *work) {
  struct emu_function *function;
  struct emu_kernel *kernel;
  struct emu_kernel_info info;
  EMU_TRY(emu_function_find(request->function, &function));
  EMU_TRY(emu_function_load(function, device, &kernel, &info));
  EMU_TRY(check_dimensions(request, info.readable_name));
  EMU_TRY(check_shared(function, &info, request->dynamic_shared));
  EMU_TRY(check_cluster(function, request, info.readable_name));
  dim3 g = request->grid, b = request->block, c = request->cluster;
  if (function->required_cluster[0] && !c.x)
    c = (dim3){(unsigned)function->required_cluster[0], (unsigned)function->required_cluster[1],
               (unsigned)function->required_cluster[2]};
  *work = (struct emu_work){.kind = EMU_WORK_KERNEL,
                            .device = device,
                            .name = emu_name(info.readable_name),
                            .kernel = {.function = function,
                                       .grid = {g.x, g.y, g.z},
                                       .block = {b.x, b.y, b.z},
                                       .cluster = {c.x, c.y, c.z},
                                       .dynamic_shared = (uint32_t)request->dynamic_shared,
                                       .cooperative = request->cooperative,
                                       .argument_bytes = info.parameter_bytes}};
  struct emu_launch_parameters parameters = {.kernel = kernel,
                                             .grid = work->kernel.grid,
                                             .block = work->kernel.block,
                                             .cluster = work->kernel.cluster,
                                             .dynamic_shared = work->kernel.dynamic_shared,
                                             .cooperative = request->cooperative,
                                             .argument_bytes = info.parameter_bytes};
  unsigned char *arguments = emu_need(info.parameter_bytes);
  parameters.arguments = arguments;
  struct emu_error error = {0};
  cudaError_t status = request->cooperative ? check_cooperative(kernel, &info, request) : cudaSuccess;
  if (status == cudaSuccess)
    status = emu_from_core(emu_launch_validate(&parameters, &error), &error);
  if (status == cudaSuccess)
    status = read_arguments(&info, request->arguments, arguments);
  if (status != cudaSuccess)
    free(arguments);
  else
    work->kernel.arguments = arguments;
  return status;
}

static cudaError_t launch(const struct emu_launch_request *request) {
  cudaStream_t stream;
  struct emu_work work;
  EMU_TRY(emu_stream_find(request->stream, &stream));
  EMU_TRY(emu_kernel_work(request, stream->device, &work));
  return emu_issue(request->stream, &work);
}

cudaError_t emu_run_kernel(struct emu_stream_operation *operation) {
  const struct emu_work *work = &operation->work;
  const struct emu_kernel_work *kernel = &work->kernel;
  struct emu_kernel *loaded;
  struct emu_kernel_info info;
  EMU_TRY(emu_function_load(kernel->function, work->device, &loaded, &info));
  emu_deliver(&operation->after, true);
  struct emu_launch_parameters parameters = {.kernel = loaded,
                                             .grid = kernel->grid,
                                             .block = kernel->block,
                                             .cluster = kernel->cluster,
                                             .dynamic_shared = kernel->dynamic_shared,
                                             .cooperative = kernel->cooperative,
                                             .arguments = kernel->arguments,
                                             .argument_bytes = kernel->argument_bytes,
                                             .stack_limit =
                                                 emu_device_limit(work->device, cudaLimitStackSize),
                                             .operation = emu_core_operation(operation)};
  struct emu_launch_result result = {0};
  emu_run.launches++;
  emu_launch(&parameters, &result);
  if (result.report) {
    size_t length = strlen(result.report);
    fflush(stdout);
    fprintf(stderr, "%s%s", result.report, length && result.report[length - 1] == '\n' ? "" : "\n");
  }
  emu_report_launch(work, &info, &result);
  cudaError_t status = emu_from_core(result.status, NULL);
  emu_launch_result_free(&result);
  return status;
}

static struct emu_launch_request plain(const void *function, dim3 grid, dim3 block, void **arguments,
                                       size_t shared, cudaStream_t stream, bool cooperative) {
  return (struct emu_launch_request){.function = function,
                                     .grid = grid,
                                     .block = block,
                                     .arguments = arguments,
                                     .dynamic_shared = shared,
                                     .stream = stream,
                                     .cooperative = cooperative};
}

static cudaError_t launch_extended(const cudaLaunchConfig_t *config, const void *function, void **arguments,
                                   bool per_thread) {
  if (!config || (config->numAttrs && !config->attrs))
    return cudaErrorInvalidValue;
  cudaStream_t stream = per_thread ? emu_per_thread(config->stream) : config->stream;
  struct emu_launch_request request =
      plain(function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes, stream, false);
  for (unsigned i = 0; i < config->numAttrs; i++) {
    const cudaLaunchAttribute *a = &config->attrs[i];
    switch (a->id) {
    case cudaLaunchAttributeClusterDimension:
      request.cluster = (dim3){a->val.clusterDim.x, a->val.clusterDim.y, a->val.clusterDim.z};
      break;
    case cudaLaunchAttributeCooperative:
      request.cooperative = a->val.cooperative != 0;
      break;
    /* These move work in time or in the caches; on the emulated device they change nothing. */
    case cudaLaunchAttributeIgnore:
    case cudaLaunchAttributeAccessPolicyWindow:
    case cudaLaunchAttributeSynchronizationPolicy:
    case cudaLaunchAttributeClusterSchedulingPolicyPreference:
    case cudaLaunchAttributeProgrammaticStreamSerialization:
    case cudaLaunchAttributePriority:
    case cudaLaunchAttributeMemSyncDomainMap:
    case cudaLaunchAttributeMemSyncDomain:
    case cudaLaunchAttributePreferredClusterDimension:
    case cudaLaunchAttributePreferredSharedMemoryCarveout:
      break;
    default:
      return emu_fail(cudaErrorNotSupported, "cudaLaunchKernelExC: launch attribute %d is not supported",
                      (int)a->id);
    }
  }
  return launch(&request);
}

static cudaError_t get_kernel(cudaKernel_t *kernel, const void *symbol) {
  struct emu_function *function;
  if (!kernel)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_function_find(symbol, &function));
  *kernel = (cudaKernel_t)function;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *function) {
  EMU_API_PLAIN(get_kernel(kernel, function));
}

cudaError_t cudaGetKernel(cudaKernel_t *kernelPtr, const void *entryFuncAddr) {
  EMU_API(get_kernel(kernelPtr, entryFuncAddr));
}

cudaError_t cudaGetFuncBySymbol(cudaFunction_t *functionPtr, const void *symbolPtr) {
  EMU_API(get_kernel((cudaKernel_t *)functionPtr, symbolPtr));
}

static cudaError_t launch_plain(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                                cudaStream_t stream, bool cooperative) {
  struct emu_launch_request request = plain(function, grid, block, arguments, shared, stream, cooperative);
  return launch(&request);
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                               cudaStream_t stream) {
  EMU_API(launch_plain(kernel, grid, block, arguments, shared, stream, false));
}

cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                                    size_t shared, cudaStream_t stream) {
  EMU_API(launch_plain(kernel, grid, block, arguments, shared, emu_per_thread(stream), false));
}

cudaError_t cudaLaunchKernel(const void *func, dim3 gridDim, dim3 blockDim, void **args, size_t sharedMem,
                             cudaStream_t stream) {
  EMU_API(launch_plain(func, gridDim, blockDim, args, sharedMem, stream, false));
}

EMU_EXPORT cudaError_t cudaLaunchKernel_ptsz(const void *func, dim3 gridDim, dim3 blockDim, void **args,
                                             size_t sharedMem, cudaStream_t stream) {
  EMU_API(launch_plain(func, gridDim, blockDim, args, sharedMem, emu_per_thread(stream), false));
}

cudaError_t cudaLaunchCooperativeKernel(const void *func, dim3 gridDim, dim3 blockDim, void **args,
                                        size_t sharedMem, cudaStream_t stream) {
  EMU_API(launch_plain(func, gridDim, blockDim, args, sharedMem, stream, true));
}

EMU_EXPORT cudaError_t cudaLaunchCooperativeKernel_ptsz(const void *func, dim3 gridDim, dim3 blockDim,
                                                        void **args, size_t sharedMem, cudaStream_t stream) {
  EMU_API(launch_plain(func, gridDim, blockDim, args, sharedMem, emu_per_thread(stream), true));
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *func, void **args) {
  EMU_API(launch_extended(config, func, args, false));
}

EMU_EXPORT cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t *config, const void *func,
                                                void **args) {
  EMU_API(launch_extended(config, func, args, true));
}
