#include "report.h"
#include "runtime.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t callback_ended = PTHREAD_COND_INITIALIZER;
static _Thread_local unsigned depth, callbacks;
static _Thread_local bool on_device;
static _Thread_local cudaError_t last_error;
static cudaError_t sticky[EMU_MAX_DEVICES];
static uint64_t random_state;
struct emu_run emu_run;

static atomic_uint waiting;
static uint64_t calls;
static bool ending;

cudaError_t emu_enter(enum emu_call kind) {
  if (depth++ == 0) {
    atomic_fetch_add(&waiting, 1);
    pthread_mutex_lock(&lock);
    atomic_fetch_sub(&waiting, 1);
    calls++;
  }
  static bool begun;
  if (!begun) {
    begun = true;
    random_state = emu_settings()->seed;
    emu_report_begin();
  }
  on_device = kind == EMU_CALL_CONTEXT;
  if (callbacks) {
    emu_say("host function: it calls the CUDA runtime, which functions of a stream must not");
    return cudaErrorNotPermitted;
  }
  return kind == EMU_CALL_CONTEXT ? sticky[emu_device()] : cudaSuccess;
}

cudaError_t emu_leave(cudaError_t status) {
  /* Work that ran during the call may have ended the device: then the call answers for it. */
  if (status == cudaSuccess && on_device)
    status = sticky[emu_device()];
  if (status != cudaSuccess)
    last_error = status;
  if (--depth == 0)
    pthread_mutex_unlock(&lock);
  return status;
}

uint64_t emu_calls(void) {
  return calls;
}

bool emu_is_called(void) {
  return atomic_load(&waiting) != 0;
}

bool emu_idle_enter(void) {
  pthread_mutex_lock(&lock);
  if (!ending)
    return true;
  pthread_mutex_unlock(&lock);
  return false;
}

void emu_idle_leave(void) {
  pthread_mutex_unlock(&lock);
}

void emu_idle_end(void) {
  ending = true;
}

static void before_fork(void) {
  if (!depth)
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
  if (!depth)
    pthread_mutex_unlock(&lock);
}

static void in_child(void) {
  atomic_store(&waiting, 0);
  after_fork();
}

void emu_idle_survive_fork(void) {
  pthread_atfork(before_fork, after_fork, in_child);
}

void emu_unlock_for_callback(void) {
  callbacks++;
  pthread_mutex_unlock(&lock);
}

void emu_lock_after_callback(void) {
  pthread_mutex_lock(&lock);
  callbacks--;
}

void emu_wait_for_callback(void) {
  pthread_cond_wait(&callback_ended, &lock);
}

void emu_callback_ended(void) {
  pthread_cond_broadcast(&callback_ended);
}

EMU_EXPORT cudaError_t cudaGetLastError(void) {
  cudaError_t entered = emu_enter(EMU_CALL_CONTEXT), status = entered != cudaSuccess ? entered : last_error;
  if (--depth == 0)
    pthread_mutex_unlock(&lock);
  last_error = cudaSuccess;
  return status;
}

EMU_EXPORT cudaError_t cudaPeekAtLastError(void) {
  cudaError_t entered = emu_enter(EMU_CALL_CONTEXT), status = entered != cudaSuccess ? entered : last_error;
  if (--depth == 0)
    pthread_mutex_unlock(&lock);
  return status;
}

cudaError_t emu_sticky(int device) {
  return sticky[device];
}

void emu_set_sticky(int device, cudaError_t status) {
  if (sticky[device] == cudaSuccess)
    sticky[device] = status;
}

static void say(const char *format, va_list arguments) {
  char line[4096];
  vsnprintf(line, sizeof line, format, arguments);
  fflush(stdout); /* what the program printed before belongs before */
  fprintf(stderr, "cuseq-emulator: %s\n", line);
}

void emu_say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
}

cudaError_t emu_fail(cudaError_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  return status;
}

cudaError_t emu_from_core(enum emu_status status, const struct emu_error *error) {
  if (status == EMU_OK)
    return cudaSuccess;
  if (error && error->text[0])
    emu_say("%s", error->text);
  switch (status) {
  case EMU_OK:
    return cudaSuccess;
  case EMU_ERROR_HOST_MEMORY:
  case EMU_ERROR_DEVICE_MEMORY:
    return cudaErrorMemoryAllocation;
  case EMU_ERROR_INVALID_VALUE:
    return cudaErrorInvalidValue;
  case EMU_ERROR_INVALID_PTX:
    return cudaErrorInvalidPtx;
  case EMU_ERROR_UNSUPPORTED_PTX:
    return cudaErrorUnsupportedPtxVersion;
  case EMU_ERROR_NO_KERNEL_IMAGE:
    return cudaErrorNoKernelImageForDevice;
  case EMU_ERROR_NOT_FOUND:
    return cudaErrorSymbolNotFound;
  case EMU_ERROR_LAUNCH_CONFIGURATION:
    return cudaErrorInvalidConfiguration;
  case EMU_ERROR_LAUNCH_RESOURCES:
    return cudaErrorLaunchOutOfResources;
  case EMU_ERROR_COOPERATIVE_TOO_LARGE:
    return cudaErrorCooperativeLaunchTooLarge;
  case EMU_FAULT_ILLEGAL_ADDRESS:
    return cudaErrorIllegalAddress;
  case EMU_FAULT_MISALIGNED_ADDRESS:
    return cudaErrorMisalignedAddress;
  case EMU_FAULT_ILLEGAL_INSTRUCTION:
    return cudaErrorIllegalInstruction;
  case EMU_FAULT_HARDWARE_STACK:
    return cudaErrorHardwareStackError;
  case EMU_FAULT_TIMEOUT:
    return cudaErrorLaunchTimeout;
  case EMU_FAULT_ASSERT:
    return cudaErrorAssert;
  case EMU_FAULT_TRAP:
  case EMU_FAULT_CHECK:
    break;
  }
  return cudaErrorLaunchFailure;
}

cudaError_t emu_unsupported(const char *name) {
  cudaError_t entered = emu_enter(EMU_CALL_PLAIN);
  if (entered == cudaSuccess) {
    emu_say("%s: not supported by the emulated device", name);
    entered = cudaErrorNotSupported;
  }
  return emu_leave(entered);
}

static void *needed(void *memory) {
  if (!memory) {
    emu_say("host memory: none left for the emulator's own tables");
    abort();
  }
  return memory;
}

void *emu_need(size_t bytes) {
  return needed(calloc(1, bytes ? bytes : 1));
}

void *emu_need_again(void *old, size_t bytes) {
  return needed(realloc(old, bytes ? bytes : 1));
}

void *emu_need_copy(const void *from, size_t bytes) {
  void *to = emu_need(bytes);
  if (bytes)
    memcpy(to, from, bytes);
  return to;
}

uint32_t emu_random(uint32_t bound) {
  random_state += 0x9e3779b97f4a7c15u;
  uint64_t z = random_state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (uint32_t)(((z >> 32) * bound) >> 32);
}

double emu_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}
