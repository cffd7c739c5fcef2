#include "work.h"
#include "capture.h"
#include "graph.h"
#include "stream.h"

#include <stdlib.h>

struct emu_work emu_work_copy(const struct emu_work *work) {
  struct emu_work copy = *work;
  switch (work->kind) {
  case EMU_WORK_KERNEL:
    copy.kernel.arguments = emu_need_copy(work->kernel.arguments, work->kernel.argument_bytes);
    break;
  case EMU_WORK_EVENT_RECORD:
  case EMU_WORK_EVENT_WAIT:
    copy.event.event->users++;
    break;
  case EMU_WORK_LIBRARY:
    copy.library->users++;
    break;
  case EMU_WORK_ALLOCATE:
  case EMU_WORK_FREE:
    if (copy.memory.of_graph)
      copy.memory.of_graph->users++;
    break;
  case EMU_WORK_CHILD:
    copy.child = emu_graph_copy(work->child, false);
    break;
  default:
    break;
  }
  return copy;
}

void emu_work_release(struct emu_work *work) {
  switch (work->kind) {
  case EMU_WORK_KERNEL:
    free(work->kernel.arguments);
    break;
  case EMU_WORK_EVENT_RECORD:
  case EMU_WORK_EVENT_WAIT:
    emu_event_release(work->event.event);
    break;
  case EMU_WORK_LIBRARY:
    if (--work->library->users == 0) {
      work->library->release(work->library->context);
      free(work->library);
    }
    break;
  case EMU_WORK_ALLOCATE:
  case EMU_WORK_FREE:
    if (work->memory.of_graph)
      emu_graph_allocation_release(work->memory.of_graph);
    break;
  case EMU_WORK_CHILD:
    emu_graph_delete(work->child);
    break;
  default:
    break;
  }
  work->kind = EMU_WORK_EMPTY;
}

cudaError_t emu_run_host(struct emu_stream_operation *operation) {
  struct emu_host_work host = operation->work.host;
  int device = operation->work.device;
  emu_run.host_functions++;
  emu_deliver(&operation->after, false);
  emu_unlock_for_callback();
  if (host.function)
    host.function(host.data);
  else
    host.callback(host.stream, emu_sticky(device), host.data);
  emu_lock_after_callback();
  return cudaSuccess;
}

static cudaError_t launch_host(cudaStream_t handle, cudaHostFn_t function, cudaStreamCallback_t callback,
                               void *data, const char *name) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!function && !callback)
    return cudaErrorInvalidValue;
  if (callback && stream->capture)
    return emu_capture_forbids_waiting(stream);
  struct emu_work work = {
      .kind = EMU_WORK_HOST,
      .device = stream->device,
      .name = name,
      .host = {.function = function, .callback = callback, .data = data, .stream = handle}};
  return emu_issue(handle, &work);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void *userData) {
  EMU_API(launch_host(stream, fn, NULL, userData, "cudaLaunchHostFunc"));
}

EMU_EXPORT cudaError_t cudaLaunchHostFunc_ptsz(cudaStream_t stream, cudaHostFn_t fn, void *userData) {
  EMU_API(launch_host(emu_per_thread(stream), fn, NULL, userData, "cudaLaunchHostFunc"));
}

cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void *userData,
                                  unsigned int flags) {
  EMU_API(flags ? cudaErrorInvalidValue
                : launch_host(stream, NULL, callback, userData, "cudaStreamAddCallback"));
}

EMU_EXPORT cudaError_t cudaStreamAddCallback_ptsz(cudaStream_t stream, cudaStreamCallback_t callback,
                                                  void *userData, unsigned int flags) {
  EMU_API(flags ? cudaErrorInvalidValue
                : launch_host(emu_per_thread(stream), NULL, callback, userData, "cudaStreamAddCallback"));
}
