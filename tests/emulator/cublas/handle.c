#include "blas.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION_MAJOR = 13, VERSION_MINOR = 0, VERSION_PATCH = 2 };

const struct emu_runtime_table *emu_runtime(void) {
  static const struct emu_runtime_table *table;
  static const cudaUUID_t id = EMU_TABLE_ID;
  const void *found = NULL;
  if (!table && cudaGetExportTable(&found, &id) == cudaSuccess &&
      ((const struct emu_runtime_table *)found)->size == sizeof *table)
    table = found;
  return table;
}

cublasStatus_t emu_blas_refuse(cublasStatus_t status, const char *name, const char *what) {
  emu_runtime()->say("%s: %s", name, what);
  return status;
}

/* What a call that is not built answers; named by the generated list of names. */
int emu_unsupported(const char *name);
int emu_unsupported(const char *name) {
  if (emu_runtime())
    emu_runtime()->say("%s: not supported by the emulated cuBLAS", name);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t emu_blas_begin(cublasHandle_t handle, const char *name) {
  if (!emu_runtime())
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (emu_runtime()->enter() != cudaSuccess) {
    emu_runtime()->leave();
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  if (emu_runtime()->handle_is(handle))
    return CUBLAS_STATUS_SUCCESS;
  emu_runtime()->say("%s: no such cuBLAS handle (found %p)", name, (void *)handle);
  emu_runtime()->leave();
  return CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t emu_blas_end(cublasStatus_t status) {
  emu_runtime()->leave();
  return status;
}

static cudaError_t run_call(void *context, const struct emu_operation *operation, const char **report) {
  static _Thread_local char text[sizeof((struct emu_error *)0)->text];
  const struct emu_blas_call *call = context;
  struct emu_blas_run run = {.operation = operation};
  call->run(&run, call);
  if (run.status == EMU_OK)
    return cudaSuccess;
  memcpy(text, run.error.text, sizeof text);
  *report = text[0] ? text : NULL;
  return emu_runtime()->from_core(run.status, NULL);
}

cublasStatus_t emu_blas_issue(cublasHandle_t handle, const struct emu_blas_call *call) {
  struct emu_blas_call *context = malloc(sizeof *context);
  if (!context)
    return CUBLAS_STATUS_ALLOC_FAILED;
  *context = *call;
  if (emu_runtime()->issue(handle->stream, call->name, context, run_call, free) != cudaSuccess)
    return CUBLAS_STATUS_EXECUTION_FAILED;
  if (call->result && call->result_on_host && emu_runtime()->wait(handle->stream) != cudaSuccess)
    return CUBLAS_STATUS_EXECUTION_FAILED;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
  if (!emu_runtime())
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!handle)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (emu_runtime()->enter() != cudaSuccess) {
    emu_runtime()->leave();
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  *handle = calloc(1, sizeof **handle);
  if (*handle) {
    (*handle)->device = emu_runtime()->device();
    emu_runtime()->handle_add(*handle);
  }
  return emu_blas_end(*handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED);
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  cublasStatus_t status = emu_blas_begin(handle, "cublasDestroy");
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  emu_runtime()->handle_remove(handle);
  free(handle);
  return emu_blas_end(CUBLAS_STATUS_SUCCESS);
}

/* A property of the handle that is set or asked for. */
#define SET(NAME, PARAMETER, VALID, STATEMENT)                                                               \
  cublasStatus_t NAME(cublasHandle_t handle, PARAMETER) {                                                    \
    cublasStatus_t status = emu_blas_begin(handle, #NAME);                                                   \
    if (status != CUBLAS_STATUS_SUCCESS)                                                                     \
      return status;                                                                                         \
    bool valid = (VALID);                                                                                    \
    if (valid) {                                                                                             \
      STATEMENT;                                                                                             \
    }                                                                                                        \
    return emu_blas_end(valid ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE);                        \
  }

SET(cublasSetStream_v2, cudaStream_t stream, emu_runtime()->check_stream(stream) == cudaSuccess,
    handle->stream = stream)
SET(cublasGetStream_v2, cudaStream_t *stream, stream != NULL, *stream = handle->stream)
SET(cublasSetPointerMode_v2, cublasPointerMode_t mode, (unsigned)mode <= CUBLAS_POINTER_MODE_DEVICE,
    handle->pointer_mode = mode)
SET(cublasGetPointerMode_v2, cublasPointerMode_t *mode, mode != NULL, *mode = handle->pointer_mode)
SET(cublasSetAtomicsMode, cublasAtomicsMode_t mode, (unsigned)mode <= CUBLAS_ATOMICS_ALLOWED,
    handle->atomics = mode)
SET(cublasGetAtomicsMode, cublasAtomicsMode_t *mode, mode != NULL, *mode = handle->atomics)
SET(cublasSetMathMode, cublasMath_t mode, (unsigned)mode < 32, handle->math = mode)
SET(cublasGetMathMode, cublasMath_t *mode, mode != NULL, *mode = handle->math)
SET(cublasSetSmCountTarget, int target, target >= 0, handle->multiprocessors = target)
SET(cublasGetSmCountTarget, int *target, target != NULL, *target = handle->multiprocessors)
SET(cublasGetVersion_v2, int *version, version != NULL,
    *version = VERSION_MAJOR * 10000 + VERSION_MINOR * 100 + VERSION_PATCH)

/* A workspace changes where cuBLAS keeps partial sums; here there are none. */
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t workspaceSizeInBytes) {
  cublasStatus_t status = emu_blas_begin(handle, "cublasSetWorkspace");
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  bool good = !workspaceSizeInBytes || emu_runtime()->reachable(workspace);
  return emu_blas_end(good ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE);
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value) {
  static const int parts[] = {VERSION_MAJOR, VERSION_MINOR, VERSION_PATCH};
  if (!value || (unsigned)type > PATCH_LEVEL)
    return CUBLAS_STATUS_INVALID_VALUE;
  *value = parts[type];
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasGetCudartVersion(void) {
  return CUDART_VERSION;
}

#define STATUSES(STATUS)                                                                                     \
  STATUS(CUBLAS_STATUS_SUCCESS, "success")                                                                   \
  STATUS(CUBLAS_STATUS_NOT_INITIALIZED, "the library was not initialized")                                   \
  STATUS(CUBLAS_STATUS_ALLOC_FAILED, "the resource allocation failed")                                       \
  STATUS(CUBLAS_STATUS_INVALID_VALUE, "an unsupported value or parameter was passed to the function")        \
  STATUS(CUBLAS_STATUS_ARCH_MISMATCH, "the requested feature is not supported on the current architecture")  \
  STATUS(CUBLAS_STATUS_MAPPING_ERROR, "an access to GPU memory space failed")                                \
  STATUS(CUBLAS_STATUS_EXECUTION_FAILED, "the function failed to launch on the GPU")                         \
  STATUS(CUBLAS_STATUS_INTERNAL_ERROR, "an internal operation failed")                                       \
  STATUS(CUBLAS_STATUS_NOT_SUPPORTED, "the requested functionality is not supported")                        \
  STATUS(CUBLAS_STATUS_LICENSE_ERROR,                                                                        \
         "the functionality requested requires some license and an error was detected")

const char *cublasGetStatusName(cublasStatus_t status) {
#define STATUS(name, text)                                                                                   \
  case name:                                                                                                 \
    return #name;
  switch (status) { STATUSES(STATUS) }
#undef STATUS
  return "unrecognized cuBLAS status";
}

const char *cublasGetStatusString(cublasStatus_t status) {
#define STATUS(name, text)                                                                                   \
  case name:                                                                                                 \
    return text;
  switch (status) { STATUSES(STATUS) }
#undef STATUS
  return "unrecognized cuBLAS status";
}

cublasStatus_t cublasLoggerConfigure(int logIsOn, int logToStdOut, int logToStdErr, const char *logFileName) {
  (void)logIsOn, (void)logToStdOut, (void)logToStdErr, (void)logFileName;
  return CUBLAS_STATUS_SUCCESS;
}

static cublasLogCallback log_callback;

cublasStatus_t cublasSetLoggerCallback(cublasLogCallback userCallback) {
  log_callback = userCallback;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetLoggerCallback(cublasLogCallback *userCallback) {
  if (!userCallback)
    return CUBLAS_STATUS_INVALID_VALUE;
  *userCallback = log_callback;
  return CUBLAS_STATUS_SUCCESS;
}
