#include "cuda_api.h"

#include "stream.h"
#include "table.h"

#include <string.h>

static cudaError_t enter(void) {
  return emu_enter(EMU_CALL_CONTEXT);
}

static void leave(void) {
  emu_leave(cudaSuccess);
}

static void handle_add(const void *handle) {
  emu_handle_add(handle, EMU_HANDLE_CUBLAS);
}

static bool handle_is(const void *handle) {
  return emu_handle_is(handle, EMU_HANDLE_CUBLAS);
}

static bool reachable(const void *address) {
  struct emu_allocation_info info;
  return emu_memory_find((uint64_t)(uintptr_t)address, &info);
}

static cudaError_t issue(cudaStream_t handle, const char *name, void *context,
                         cudaError_t (*run)(void *, const struct emu_operation *, const char **),
                         void (*release)(void *)) {
  cudaStream_t stream;
  cudaError_t status = emu_stream_find(handle, &stream);
  if (status != cudaSuccess) {
    release(context);
    return status;
  }
  struct emu_library_work *library = emu_need(sizeof *library);
  *library = (struct emu_library_work){.run = run, .release = release, .context = context, .users = 1};
  struct emu_work work = {
      .kind = EMU_WORK_LIBRARY, .device = stream->device, .name = name, .library = library};
  return emu_issue(handle, &work);
}

static cudaError_t wait_for(cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  return emu_stream_wait(stream);
}

static cudaError_t check_stream(cudaStream_t handle) {
  cudaStream_t stream;
  return emu_stream_find(handle, &stream);
}

static const struct emu_runtime_table table = {.size = sizeof table,
                                               .enter = enter,
                                               .leave = leave,
                                               .say = emu_say,
                                               .device = emu_device,
                                               .handle_add = handle_add,
                                               .handle_remove = emu_handle_remove,
                                               .handle_is = handle_is,
                                               .reachable = reachable,
                                               .issue = issue,
                                               .wait = wait_for,
                                               .check_stream = check_stream,
                                               .from_core = emu_from_core,
                                               .host_view = emu_memory_host_view,
                                               .access = emu_access_record};

cudaError_t cudaGetExportTable(const void **ppExportTable, const cudaUUID_t *pExportTableId) {
  static const cudaUUID_t own = EMU_TABLE_ID;
  if (!ppExportTable || !pExportTableId)
    return cudaErrorInvalidValue;
  if (memcmp(pExportTableId, &own, sizeof own))
    return emu_unsupported("cudaGetExportTable");
  *ppExportTable = &table;
  return cudaSuccess;
}
