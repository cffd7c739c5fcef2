#include "stream.h"
#include "capture.h"

#include <stdlib.h>

enum { LOWEST_PRIORITY = 0, HIGHEST_PRIORITY = -5 };

static struct CUstream_st *legacy[EMU_MAX_DEVICES];
static _Thread_local struct CUstream_st *own[EMU_MAX_DEVICES];
static unsigned long long last_id;
/* Work of streams that were destroyed before it ran; of the blocking ones apart, as the legacy stream waits
 * for it. */
static struct emu_clock orphans[EMU_MAX_DEVICES], blocking_orphans[EMU_MAX_DEVICES];

/* Those of the program and of its threads, without the legacy ones: asked for at every launch. */
static cudaStream_t *streams;
static size_t stream_count;

cudaStream_t emu_stream_at(size_t index) {
  return index < stream_count ? streams[index] : NULL;
}

static void list(cudaStream_t stream) {
  streams = emu_need_again(streams, (stream_count + 1) * sizeof(cudaStream_t));
  streams[stream_count++] = stream;
  emu_handle_add(stream, EMU_HANDLE_STREAM);
}

static void unlist(cudaStream_t stream) {
  emu_handle_remove(stream);
  for (size_t i = 0; i < stream_count; i++)
    if (streams[i] == stream) {
      streams[i] = streams[--stream_count];
      return;
    }
}

static cudaStream_t make(int device, unsigned flags, int priority) {
  cudaStream_t stream = emu_need(sizeof *stream);
  stream->device = device;
  stream->flags = flags;
  stream->priority = priority;
  stream->id = ++last_id;
  stream->queue = emu_queue_take();
  return stream;
}

cudaError_t emu_stream_find(cudaStream_t handle, cudaStream_t *stream) {
  int device = emu_device();
  *stream = NULL;
  if (!handle || handle == cudaStreamLegacy) {
    if (!legacy[device]) {
      legacy[device] = make(device, cudaStreamDefault, 0);
      legacy[device]->legacy = true;
    }
    *stream = legacy[device];
    return cudaSuccess;
  }
  if (handle == cudaStreamPerThread) {
    if (!own[device]) {
      own[device] = make(device, cudaStreamDefault, 0);
      own[device]->per_thread = true;
      list(own[device]);
    }
    *stream = own[device];
    return cudaSuccess;
  }
  if (!emu_handle_is(handle, EMU_HANDLE_STREAM))
    return emu_fail(cudaErrorInvalidResourceHandle, "stream: no such stream (found handle %p)",
                    (void *)handle);
  *stream = handle;
  return cudaSuccess;
}

void emu_stream_order(cudaStream_t stream, struct emu_clock *clock) {
  emu_clock_join(clock, &emu_host_clock);
  emu_clock_join(clock, &stream->last);
  if (stream->legacy) {
    cudaStream_t other;
    for (size_t i = 0; (other = emu_stream_at(i)); i++)
      if (other->device == stream->device && !(other->flags & cudaStreamNonBlocking))
        emu_clock_join(clock, &other->last);
    emu_clock_join(clock, &blocking_orphans[stream->device]);
  } else if (!(stream->flags & cudaStreamNonBlocking) && legacy[stream->device]) {
    emu_clock_join(clock, &legacy[stream->device]->last);
  }
}

void emu_device_clock(int device, struct emu_clock *clock) {
  cudaStream_t stream;
  for (size_t i = 0; (stream = emu_stream_at(i)); i++)
    if (stream->device == device)
      emu_clock_join(clock, &stream->last);
  if (legacy[device])
    emu_clock_join(clock, &legacy[device]->last);
  emu_clock_join(clock, &orphans[device]);
}

void emu_device_drain(int device) {
  struct emu_clock clock = {0};
  emu_device_clock(device, &clock);
  emu_queue_run_until(&clock);
  emu_clock_free(&clock);
  emu_queue_forget_unawaited();
}

cudaError_t emu_issue(cudaStream_t handle, struct emu_work *work) {
  cudaStream_t stream;
  cudaError_t status = emu_stream_find(handle, &stream);
  if (status == cudaSuccess && stream->capture)
    return emu_capture_add(stream, work);
  if (status == cudaSuccess)
    status = emu_capture_forbids_legacy(stream);
  if (status != cudaSuccess) {
    emu_work_release(work);
    return status;
  }
  struct emu_clock order = {0};
  emu_stream_order(stream, &order);
  emu_clock_join(&stream->last, emu_queue_append(stream->queue, &order, work));
  emu_clock_free(&order);
  return cudaSuccess;
}

cudaError_t emu_stream_wait(cudaStream_t stream) {
  EMU_TRY(emu_capture_forbids_waiting(stream));
  struct emu_clock clock = {0};
  /* The legacy stream's own work waits for the blocking streams; waiting for the stream is waiting for them.
   */
  if (stream->legacy)
    emu_stream_order(stream, &clock);
  emu_clock_join(&clock, &stream->last);
  emu_host_wait(&clock);
  emu_clock_free(&clock);
  return emu_sticky(stream->device);
}

static cudaError_t create(cudaStream_t *out, unsigned flags, int priority) {
  if (!out || (flags & ~(unsigned)cudaStreamNonBlocking))
    return cudaErrorInvalidValue;
  priority = priority < HIGHEST_PRIORITY  ? HIGHEST_PRIORITY
             : priority > LOWEST_PRIORITY ? LOWEST_PRIORITY
                                          : priority;
  *out = make(emu_device(), flags, priority);
  list(*out);
  return cudaSuccess;
}

static void destroy(cudaStream_t stream) {
  emu_capture_abandon(stream);
  unlist(stream);
  emu_queue_give(stream->queue);
  emu_clock_join(&orphans[stream->device], &stream->last);
  if (!(stream->flags & cudaStreamNonBlocking))
    emu_clock_join(&blocking_orphans[stream->device], &stream->last);
  emu_clock_free(&stream->last);
  free(stream);
}

static cudaError_t destroy_created(cudaStream_t stream) {
  if (!emu_handle_is(stream, EMU_HANDLE_STREAM) || stream->per_thread)
    return emu_fail(cudaErrorInvalidResourceHandle, "cudaStreamDestroy: no such stream (found handle %p)",
                    (void *)stream);
  destroy(stream);
  return cudaSuccess;
}

void emu_streams_reset(int device) {
  cudaStream_t stream;
  for (size_t i = 0; (stream = emu_stream_at(i));)
    if (stream->device == device && !stream->per_thread)
      destroy(stream), i = 0;
    else
      i++;
}

static cudaError_t query(cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  EMU_TRY(emu_capture_forbids_waiting(stream));
  struct emu_clock clock = {0};
  if (stream->legacy)
    emu_stream_order(stream, &clock);
  emu_clock_join(&clock, &stream->last);
  if (!emu_queue_reached(&clock))
    emu_queue_run_one();
  bool reached = emu_queue_reached(&clock);
  if (reached)
    emu_host_sees(&clock);
  emu_clock_free(&clock);
  return reached ? emu_sticky(stream->device) : cudaErrorNotReady;
}

static cudaError_t wait_for(cudaStream_t handle) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  return emu_stream_wait(stream);
}

static cudaError_t wait_for_device(void) {
  EMU_TRY(emu_capture_forbids_unsafe());
  struct emu_clock clock = {0};
  emu_device_clock(emu_device(), &clock);
  emu_host_wait(&clock);
  emu_clock_free(&clock);
  return emu_sticky(emu_device());
}

cudaError_t cudaStreamCreate(cudaStream_t *pStream) {
  EMU_API(create(pStream, cudaStreamDefault, 0));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *pStream, unsigned int flags) {
  EMU_API(create(pStream, flags, 0));
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *pStream, unsigned int flags, int priority) {
  EMU_API(create(pStream, flags, priority));
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  EMU_API(destroy_created(stream));
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  EMU_API(wait_for(stream));
}

EMU_EXPORT cudaError_t cudaStreamSynchronize_ptsz(cudaStream_t stream) {
  EMU_API(wait_for(emu_per_thread(stream)));
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  EMU_API(query(stream));
}

EMU_EXPORT cudaError_t cudaStreamQuery_ptsz(cudaStream_t stream) {
  EMU_API(query(emu_per_thread(stream)));
}

cudaError_t cudaDeviceSynchronize(void) {
  EMU_API(wait_for_device());
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *leastPriority, int *greatestPriority) {
  if (leastPriority)
    *leastPriority = LOWEST_PRIORITY;
  if (greatestPriority)
    *greatestPriority = HIGHEST_PRIORITY;
  EMU_API(cudaSuccess);
}
