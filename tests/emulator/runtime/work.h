#ifndef EMU_RUNTIME_WORK_H
#define EMU_RUNTIME_WORK_H

#include "runtime.h"

/* A piece of work as a program asked for it: what a stream executes and what a graph's node holds. */

struct emu_function;
struct emu_stream_operation;

enum emu_work_kind {
  EMU_WORK_EMPTY,
  EMU_WORK_KERNEL,
  EMU_WORK_COPY,
  EMU_WORK_SET,
  EMU_WORK_HOST,
  EMU_WORK_EVENT_RECORD,
  EMU_WORK_EVENT_WAIT, /* in graphs only; a stream takes the event's order at once */
  EMU_WORK_ALLOCATE,   /* the memory is there already; from here on it may be used */
  EMU_WORK_FREE,
  EMU_WORK_LIBRARY, /* a cuBLAS call */
  EMU_WORK_CHILD,   /* in graphs only: a graph of its own */
};

struct emu_kernel_work {
  struct emu_function *function;
  struct emu_dim3 grid, block, cluster;
  uint32_t dynamic_shared;
  bool cooperative;
  unsigned char *arguments; /* owned; laid out as the kernel's parameters */
  uint32_t argument_bytes;
};

/* width bytes x height rows x depth slices; each side has its own pitch and slice size in bytes. */
struct emu_copy_side {
  uint64_t address;
  size_t pitch, slice;
  bool host; /* host memory, by the copy's kind or by what the address is */
};
struct emu_copy_work {
  struct emu_copy_side to, from;
  size_t width, height, depth;
  enum cudaMemcpyKind kind; /* resolved: never cudaMemcpyDefault */
  bool peer;
  bool waits; /* the host waits for it at once: nothing to poison, nothing to keep */
};

struct emu_set_work {
  uint64_t to;
  uint32_t value;
  unsigned element;                          /* 1, 2 or 4 bytes */
  size_t pitch, slice, width, height, depth; /* width in elements, pitch and slice in bytes */
};

struct emu_host_work {
  void (*function)(void *);
  void *data;
  cudaStreamCallback_t callback; /* the older form, used where function is NULL */
  cudaStream_t stream;
};

/* Shared by every copy of the work; released with the last. */
struct emu_library_work {
  cudaError_t (*run)(void *context, const struct emu_operation *operation, const char **report);
  void (*release)(void *context);
  void *context;
  int users;
};

struct emu_work {
  enum emu_work_kind kind;
  int device;
  const char *name; /* for reports; stays valid */
  union {
    struct emu_kernel_work kernel;
    struct emu_copy_work copy;
    struct emu_set_work set;
    struct emu_host_work host;
    struct {
      cudaEvent_t event;
      unsigned flags;
    } event;
    struct {
      uint64_t address;
      size_t bytes;
      struct emu_graph_allocation *of_graph;
    } memory;
    struct emu_library_work *library;
    cudaGraph_t child;
  };
};

/* A deep copy: arguments, event references and library contexts are held once more. */
struct emu_work emu_work_copy(const struct emu_work *work);
void emu_work_release(struct emu_work *work);

/* Queues work on a stream, or adds it to the graph that the stream is being captured into. Takes the work
 * over, also on failure. */
cudaError_t emu_issue(cudaStream_t stream, struct emu_work *work);

/* Executes one piece when its turn has come; each returns the error that then sticks to the device. */
cudaError_t emu_run_kernel(struct emu_stream_operation *operation);
cudaError_t emu_run_copy(struct emu_stream_operation *operation);
cudaError_t emu_run_set(struct emu_stream_operation *operation);
cudaError_t emu_run_host(struct emu_stream_operation *operation);
cudaError_t emu_run_allocate(struct emu_stream_operation *operation);
cudaError_t emu_run_free(struct emu_stream_operation *operation);

#endif
