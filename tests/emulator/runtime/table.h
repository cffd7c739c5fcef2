#ifndef EMU_RUNTIME_TABLE_H
#define EMU_RUNTIME_TABLE_H

#include "../core.h"

#include <cuda_runtime_api.h>

/* What the emulated cuBLAS needs of the emulated runtime: both work on one device memory, which lives in the
 * runtime. cudaGetExportTable answers this table for EMU_TABLE_ID; nothing of it is exported by name. */

#define EMU_TABLE_ID                                                                                         \
  { "cuseq-emu-cublas" }

struct emu_runtime_table {
  size_t size; /* sizeof this: a library of another build is refused */
  cudaError_t (*enter)(void);
  void (*leave)(void);
  void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2)));
  int (*device)(void);
  void (*handle_add)(const void *handle);
  void (*handle_remove)(const void *handle);
  bool (*handle_is)(const void *handle);
  /* Whether the address is memory that the device can reach. */
  bool (*reachable)(const void *address);
  /* Queues a library call on a stream, or adds it to the graph being captured. `run` works on the context
   * when its turn comes; a status other than success ends the device. `release` frees the context. */
  cudaError_t (*issue)(cudaStream_t stream, const char *name, void *context,
                       cudaError_t (*run)(void *context, const struct emu_operation *operation,
                                          const char **report),
                       void (*release)(void *context));
  /* Waits for a stream: calls that answer into host memory. */
  cudaError_t (*wait)(cudaStream_t stream);
  cudaError_t (*check_stream)(cudaStream_t stream);
  cudaError_t (*from_core)(enum emu_status status, const struct emu_error *error);
  void *(*host_view)(uint64_t address, uint64_t bytes, struct emu_error *error);
  enum emu_status (*access)(uint64_t address, uint64_t bytes, bool write,
                            const struct emu_operation *operation, struct emu_error *error);
};

#endif
