#include "capture.h"
#include "stream.h"

#include <stdlib.h>

/* Times are the host's clock when the emulator reached the event: never to be taken for the time of a GPU. */

static cudaError_t create(cudaEvent_t *out, unsigned flags) {
  unsigned known = cudaEventBlockingSync | cudaEventDisableTiming | cudaEventInterprocess;
  if (!out || (flags & ~known) || ((flags & cudaEventInterprocess) && !(flags & cudaEventDisableTiming)))
    return cudaErrorInvalidValue;
  *out = emu_need(sizeof **out);
  (*out)->device = emu_device();
  (*out)->flags = flags;
  (*out)->users = 1;
  emu_handle_add(*out, EMU_HANDLE_EVENT);
  return cudaSuccess;
}

cudaError_t emu_event_find(cudaEvent_t handle) {
  if (emu_handle_is(handle, EMU_HANDLE_EVENT))
    return cudaSuccess;
  return emu_fail(cudaErrorInvalidResourceHandle, "event: no such event (found handle %p)", (void *)handle);
}

void emu_event_release(cudaEvent_t event) {
  if (--event->users)
    return;
  emu_event_forget_capture(event);
  emu_clock_free(&event->clock);
  free(event);
}

static cudaError_t destroy(cudaEvent_t event) {
  EMU_TRY(emu_event_find(event));
  emu_handle_remove(event);
  emu_event_release(event);
  return cudaSuccess;
}

static cudaError_t record(cudaEvent_t event, cudaStream_t handle, unsigned flags) {
  cudaStream_t stream;
  EMU_TRY(emu_event_find(event));
  EMU_TRY(emu_stream_find(handle, &stream));
  if (flags & ~(unsigned)cudaEventRecordExternal)
    return cudaErrorInvalidValue;
  if (event->device != stream->device)
    return emu_fail(cudaErrorInvalidResourceHandle,
                    "cudaEventRecord: the event is of another device (found %d, need %d)", event->device,
                    stream->device);
  if (stream->capture && !(flags & cudaEventRecordExternal))
    return emu_capture_record(stream, event);
  if (flags && !stream->capture)
    return cudaErrorIllegalState;
  emu_event_forget_capture(event);
  struct emu_work work = {.kind = EMU_WORK_EVENT_RECORD,
                          .device = stream->device,
                          .name = "cudaEventRecord",
                          .event = {.event = event}};
  event->users++;
  bool captured = stream->capture != NULL;
  EMU_TRY(emu_issue(handle, &work));
  if (captured)
    return cudaSuccess;
  event->recorded = true;
  emu_clock_free(&event->clock);
  emu_clock_join(&event->clock, &stream->last);
  return cudaSuccess;
}

static cudaError_t wait_event(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  EMU_TRY(emu_event_find(event));
  if (flags & ~(unsigned)cudaEventWaitExternal)
    return cudaErrorInvalidValue;
  if ((stream->capture && !flags) || event->capture)
    return emu_capture_wait(stream, event);
  if (stream->capture) {
    struct emu_work work = {.kind = EMU_WORK_EVENT_WAIT,
                            .device = stream->device,
                            .name = "cudaStreamWaitEvent",
                            .event = {.event = event}};
    event->users++;
    return emu_issue(handle, &work);
  }
  emu_clock_join(&stream->last, &event->clock);
  return cudaSuccess;
}

static cudaError_t query(cudaEvent_t event) {
  EMU_TRY(emu_event_find(event));
  if (event->capture)
    return cudaErrorCapturedEvent;
  if (!emu_queue_reached(&event->clock))
    emu_queue_run_one();
  if (!emu_queue_reached(&event->clock))
    return cudaErrorNotReady;
  emu_host_sees(&event->clock);
  return emu_sticky(event->device);
}

static cudaError_t wait_host(cudaEvent_t event) {
  EMU_TRY(emu_event_find(event));
  if (event->capture)
    return cudaErrorCapturedEvent;
  emu_host_wait(&event->clock);
  return emu_sticky(event->device);
}

static cudaError_t elapsed(float *out, cudaEvent_t start, cudaEvent_t end) {
  EMU_TRY(emu_event_find(start));
  EMU_TRY(emu_event_find(end));
  if (!out)
    return cudaErrorInvalidValue;
  if (start->device != end->device || (start->flags & cudaEventDisableTiming) ||
      (end->flags & cudaEventDisableTiming) || !start->recorded || !end->recorded) {
    emu_say("cudaEventElapsedTime: %s", !start->recorded || !end->recorded
                                            ? "an event that has not been recorded"
                                            : "events without times, or of two devices");
    return cudaErrorInvalidResourceHandle;
  }
  if (!emu_queue_reached(&start->clock) || !emu_queue_reached(&end->clock))
    return cudaErrorNotReady;
  static bool said;
  if (!said)
    emu_say("cudaEventElapsedTime: milliseconds of this host's clock, not the time of any GPU");
  said = true;
  *out = (float)(end->time - start->time);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
  EMU_API(create(event, cudaEventDefault));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
  EMU_API(create(event, flags));
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  EMU_API(destroy(event));
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  EMU_API(record(event, stream, 0));
}

EMU_EXPORT cudaError_t cudaEventRecord_ptsz(cudaEvent_t event, cudaStream_t stream) {
  EMU_API(record(event, emu_per_thread(stream), 0));
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int flags) {
  EMU_API(record(event, stream, flags));
}

EMU_EXPORT cudaError_t cudaEventRecordWithFlags_ptsz(cudaEvent_t event, cudaStream_t stream,
                                                     unsigned int flags) {
  EMU_API(record(event, emu_per_thread(stream), flags));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  EMU_API(wait_event(stream, event, flags));
}

EMU_EXPORT cudaError_t cudaStreamWaitEvent_ptsz(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  EMU_API(wait_event(emu_per_thread(stream), event, flags));
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  EMU_API(query(event));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  EMU_API(wait_host(event));
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
  EMU_API(elapsed(ms, start, end));
}
