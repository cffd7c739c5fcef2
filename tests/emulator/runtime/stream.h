#ifndef EMU_RUNTIME_STREAM_H
#define EMU_RUNTIME_STREAM_H

#include "queue.h"

struct emu_capture;

struct CUstream_st {
  int device;
  unsigned flags;
  int priority;
  bool legacy, per_thread;
  unsigned long long id;
  uint32_t queue;
  struct emu_clock last; /* all that was asked of it so far, waits included */
  struct emu_capture *capture;
  struct CUgraphNode_st **tips; /* under capture: what the next node comes after */
  size_t tip_count;
  cudaStreamAttrValue access_policy;
};

struct CUevent_st {
  int device;
  unsigned flags;
  int users; /* the program's handle and the operations that will record it */
  bool recorded, external;
  uint64_t generation, done_generation;
  double time; /* of the last recording that was executed, milliseconds */
  struct emu_clock clock;
  struct emu_capture *capture;   /* recorded in a stream under capture: that capture ... */
  struct CUgraphNode_st **nodes; /* ... and the nodes that a wait for it then depends on */
  size_t node_count;
};

/* The stream behind a handle: 0, cudaStreamLegacy and cudaStreamPerThread included. */
cudaError_t emu_stream_find(cudaStream_t handle, cudaStream_t *stream);
/* The index-th stream in no special order, the legacy ones excepted; NULL past the end. */
cudaStream_t emu_stream_at(size_t index);
cudaError_t emu_event_find(cudaEvent_t handle);
/* The queue's clock when something is appended to the stream now: legacy default stream rules included. */
void emu_stream_order(cudaStream_t stream, struct emu_clock *clock);
/* Everything asked of a device so far. */
void emu_device_clock(int device, struct emu_clock *clock);
/* Waits for all work of a device without letting the host see copies it did not wait for. */
void emu_device_drain(int device);
cudaError_t emu_stream_wait(cudaStream_t stream);
void emu_event_release(cudaEvent_t event);
void emu_streams_reset(int device);
/* A stream of the emulator's own choosing for the calling thread where per-thread semantics are asked for. */
static inline cudaStream_t emu_per_thread(cudaStream_t stream) {
  return stream ? stream : cudaStreamPerThread;
}

#endif
