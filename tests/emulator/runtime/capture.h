#ifndef EMU_RUNTIME_CAPTURE_H
#define EMU_RUNTIME_CAPTURE_H

#include "stream.h"

/* Stream capture: work asked of a capturing stream becomes nodes of a graph instead of being queued. */

/* Adds work as a node after what the stream has captured so far. Takes the work over. */
cudaError_t emu_capture_add(cudaStream_t stream, struct emu_work *work);
/* cudaEventRecord and cudaStreamWaitEvent in a capture: they order, and make no node (external ones do). */
cudaError_t emu_capture_record(cudaStream_t stream, cudaEvent_t event);
cudaError_t emu_capture_wait(cudaStream_t stream, cudaEvent_t event);
/* A call that would wait for the stream, or use the legacy stream beside a capture: ends the capture with an
 * error. */
cudaError_t emu_capture_forbids_waiting(cudaStream_t stream);
/* The launch of an instantiated graph in a captured stream: as hardware does, it ends the capture with an
 * error. */
cudaError_t emu_capture_forbids_graphs(cudaStream_t stream);
cudaError_t emu_capture_forbids_legacy(cudaStream_t stream);
/* Calls that are unsafe while another stream captures in global mode (cudaMalloc, cudaDeviceSynchronize ...).
 */
cudaError_t emu_capture_forbids_unsafe(void);
/* The stream goes away or the device is reset. */
void emu_capture_abandon(cudaStream_t stream);
void emu_event_forget_capture(cudaEvent_t event);

#endif
