#ifndef EMU_RUNTIME_RUNTIME_H
#define EMU_RUNTIME_RUNTIME_H

#include "../core.h"
#include "cuda_api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* State that every part of the runtime shares. One lock guards all of it and the core beneath: emu_enter
 * takes it, emu_leave gives it back. Host functions run without it. */

enum { EMU_MAX_DEVICES = 16 };

/* What a call needs before it may begin. */
enum emu_call {
  EMU_CALL_CONTEXT, /* works on the current device: answers its sticky error, if it has one */
  EMU_CALL_PLAIN,   /* asks about the runtime itself: works even then */
};

cudaError_t emu_enter(enum emu_call kind);
/* Records what a call answers as the thread's last error and ends the call. */
cudaError_t emu_leave(cudaError_t status);

/* The body of an exported function. */
#define EMU_API(expression)                                                                                  \
  do {                                                                                                       \
    cudaError_t entered_ = emu_enter(EMU_CALL_CONTEXT);                                                      \
    return emu_leave(entered_ == cudaSuccess ? (expression) : entered_);                                     \
  } while (0)
#define EMU_API_PLAIN(expression)                                                                            \
  do {                                                                                                       \
    cudaError_t entered_ = emu_enter(EMU_CALL_PLAIN);                                                        \
    return emu_leave(entered_ == cudaSuccess ? (expression) : entered_);                                     \
  } while (0)

#define EMU_TRY(expression)                                                                                  \
  do {                                                                                                       \
    cudaError_t tried_ = (expression);                                                                       \
    if (tried_ != cudaSuccess)                                                                               \
      return tried_;                                                                                         \
  } while (0)

/* Lets other threads in while a host function runs; the calling thread may not call CUDA meanwhile. */
void emu_unlock_for_callback(void);
void emu_lock_after_callback(void);
/* Waits until another thread's host function has ended. */
void emu_wait_for_callback(void);
void emu_callback_ended(void);

/* The thread that lets work go on when no call is made: takes the lock, unless the process is at its end;
 * gives it back. */
bool emu_idle_enter(void);
void emu_idle_leave(void);
void emu_idle_survive_fork(void);
/* No more of it. */
void emu_idle_end(void);
/* How many calls there have been; whether one waits to begin. */
uint64_t emu_calls(void);
bool emu_is_called(void);

/* One line on stderr: `cuseq-emulator: text`. */
void emu_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says what is wrong and returns status. */
cudaError_t emu_fail(cudaError_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The runtime's code for a core's status; says its text where there is one. */
cudaError_t emu_from_core(enum emu_status status, const struct emu_error *error);
/* What a call that is not built answers. */
cudaError_t emu_unsupported(const char *name);

/* Small allocations of the runtime itself; end the process with one line where the host has no memory left.
 */
void *emu_need(size_t bytes);
void *emu_need_again(void *old, size_t bytes);
void *emu_need_copy(const void *from, size_t bytes);

int emu_device(void);
cudaError_t emu_device_check(int device);
/* The error that ended a device's work; stays until the process ends. */
cudaError_t emu_sticky(int device);
void emu_set_sticky(int device, cudaError_t status);

/* Handles given out, so that a stale or invented one is refused and a forgotten one reported. */
enum emu_handle_kind {
  EMU_HANDLE_STREAM = 1,
  EMU_HANDLE_EVENT,
  EMU_HANDLE_GRAPH,
  EMU_HANDLE_NODE,
  EMU_HANDLE_EXEC,
  EMU_HANDLE_POOL,
  EMU_HANDLE_FUNCTION,
  EMU_HANDLE_LIBRARY,
  EMU_HANDLE_MODULE,
  EMU_HANDLE_OBJECT,
  EMU_HANDLE_CUBLAS,
  EMU_HANDLE_KINDS
};
void emu_handle_add(const void *handle, enum emu_handle_kind kind);
void emu_handle_remove(const void *handle);
bool emu_handle_is(const void *handle, enum emu_handle_kind kind);
/* A handle of a kind, the index-th in no special order; NULL past the end. */
void *emu_handle_at(enum emu_handle_kind kind, size_t index);
size_t emu_handle_count(enum emu_handle_kind kind);

/* Random numbers from CUSEQ_EMULATOR_SEED: below bound, which is not 0. */
uint32_t emu_random(uint32_t bound);

/* Milliseconds on the host's clock. */
double emu_milliseconds(void);

/* Things that happened, for the counters of a run. */
struct emu_run {
  uint64_t launches, library_calls, host_functions, graph_launches;
  uint64_t graph_nodes;              /* of launches and library_calls those that were nodes of graphs */
  uint64_t copies[5], copy_bytes[5]; /* by cudaMemcpyKind; [cudaMemcpyDefault] counts peer copies */
  uint64_t sets, set_bytes;
  uint64_t synchronisations; /* host waits: stream, event and device, and copies that wait */
  uint64_t allocations, allocated_bytes, frees;
};
extern struct emu_run emu_run;

#endif
