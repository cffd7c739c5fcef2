/* The execution core of the emulated CUDA device: all that the runtime API and cuBLAS may use of it.
 *
 * Threads: the core is not re-entrant. A caller holds one lock of its own around every call here, except
 * emu_settings and emu_address_is_device, which may be called at any time from any thread. emu_launch may
 * use threads of its own; they have ended when it returns.
 *
 * Errors: every call that can fail returns an emu_status and, where it takes a struct emu_error, fills in
 * one clear line `SUBJECT: what is wrong (what was found, what is needed)`. Text and status are set on
 * failure only. */
#ifndef EMU_CORE_H
#define EMU_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum emu_status {
  EMU_OK = 0,
  EMU_ERROR_HOST_MEMORY,     /* the host could not give memory */
  EMU_ERROR_DEVICE_MEMORY,   /* the emulated device's memory is full: cudaErrorMemoryAllocation */
  EMU_ERROR_INVALID_VALUE,   /* bad argument or range: cudaErrorInvalidValue */
  EMU_ERROR_INVALID_PTX,     /* malformed PTX: cudaErrorInvalidPtx */
  EMU_ERROR_UNSUPPORTED_PTX, /* ISA version unknown: cudaErrorUnsupportedPtxVersion */
  EMU_ERROR_NO_KERNEL_IMAGE, /* .target newer than the device: cudaErrorNoKernelImageForDevice */
  EMU_ERROR_NOT_FOUND,       /* no such kernel or variable: cudaErrorSymbolNotFound / InvalidDeviceFunction */
  EMU_ERROR_LAUNCH_CONFIGURATION,  /* impossible grid, block, cluster or shared size:
                                      cudaErrorInvalidConfiguration/InvalidValue */
  EMU_ERROR_LAUNCH_RESOURCES,      /* too much of a resource asked for: cudaErrorLaunchOutOfResources */
  EMU_ERROR_COOPERATIVE_TOO_LARGE, /* cudaErrorCooperativeLaunchTooLarge */
  /* What a running kernel ended with; all of these are sticky on hardware. */
  EMU_FAULT_ILLEGAL_ADDRESS,     /* out of bounds, after free: cudaErrorIllegalAddress */
  EMU_FAULT_MISALIGNED_ADDRESS,  /* cudaErrorMisalignedAddress */
  EMU_FAULT_ILLEGAL_INSTRUCTION, /* unsupported or malformed instruction: cudaErrorIllegalInstruction */
  EMU_FAULT_HARDWARE_STACK,      /* local stack or call depth exhausted: cudaErrorHardwareStackError */
  EMU_FAULT_TIMEOUT,             /* step budget used up: cudaErrorLaunchTimeout */
  EMU_FAULT_ASSERT,              /* cudaErrorAssert */
  EMU_FAULT_TRAP,                /* trap: cudaErrorLaunchFailure */
  EMU_FAULT_CHECK                /* race, uninitialised read, barrier fault: cudaErrorLaunchFailure */
};

struct emu_error {
  enum emu_status status;
  char text[2048];
};

/* ---- Settings: read from the environment once, at the first call; never NULL, constant afterwards. ----
 * */

enum emu_checks { EMU_CHECKS_ON = 0, EMU_CHECKS_OFF, EMU_CHECKS_REPORT };

struct emu_settings {
  int capability;         /* CUSEQ_EMULATOR_SM: 75..121, default 90 */
  unsigned newest_code;   /* CUSEQ_EMULATOR_CODE: PTX of newer ones is passed over, default capability */
  int devices;            /* CUSEQ_EMULATOR_DEVICES: 1..16, default 1 */
  uint64_t seed;          /* CUSEQ_EMULATOR_SEED, default 0 */
  uint64_t max_steps;     /* CUSEQ_EMULATOR_MAX_STEPS: warp instructions a launch may take */
  enum emu_checks checks; /* CUSEQ_EMULATOR_CHECKS: on, off, report */
  const char *counters;   /* CUSEQ_EMULATOR_COUNTERS: path of the JSON file, NULL if none */
  int threads;  /* CUSEQ_EMULATOR_THREADS: host threads that run blocks, default: online processors, at most 8
                 */
  bool notes;   /* CUSEQ_EMULATOR_NOTES: what is no fault but worth a line is said, default 1 */
  bool perturb; /* CUSEQ_EMULATOR_PERTURB: approximate instructions err within what the PTX manual allows */
  int multiprocessors; /* CUSEQ_EMULATOR_MULTIPROCESSORS or by capability: 40, 108, 132, 170 */
  uint32_t
      shared_per_block; /* CUSEQ_EMULATOR_SHARED or by capability: largest opt-in shared bytes of a block */
  uint32_t shared_per_multiprocessor;
  uint32_t threads_per_multiprocessor;
  uint32_t blocks_per_multiprocessor;
  uint64_t device_memory; /* CUSEQ_EMULATOR_MEMORY: bytes per device, default 16 GiB */
};

const struct emu_settings *emu_settings(void);

/* ---- Operations and their order: what race detection between launches and copies needs ---- */

/* One piece of work in a stream: a launch, copy, set or cuBLAS call. `id` is not 0 and grows in the order
 * in which the runtime executes operations. `ordered` answers whether the operation with an earlier id
 * happens before this one (same stream, events, synchronisation); NULL means: everything earlier does.
 * Host-side synchronous work passes ordered == NULL after synchronising. `name` appears in reports
 * ("cudaMemcpyAsync"); it must stay valid for the process's life. */
struct emu_operation {
  uint32_t id;
  bool (*ordered)(void *context, uint32_t earlier);
  void *context;
  const char *name;
};

/* ---- Device memory ---- */

enum emu_memory_kind { EMU_MEMORY_DEVICE = 0, EMU_MEMORY_PINNED, EMU_MEMORY_MANAGED, EMU_MEMORY_REGISTERED };

struct emu_allocation_info {
  uint64_t base, size;
  int device;
  enum emu_memory_kind kind;
  const char *site; /* as given to emu_memory_allocate */
  bool is_variable; /* a __device__ or __constant__ variable of a module: not to be freed by cudaFree */
};

/* Allocates `bytes` (> 0), 512-byte aligned. Device memory lies in a range that faults when host code
 * touches it; pinned and managed memory is ordinary host memory at the same address on both sides. `site`
 * names the allocation in reports ("cudaMalloc"), kept as is. */
enum emu_status emu_memory_allocate(int device, uint64_t bytes, enum emu_memory_kind kind, const char *site,
                                    uint64_t *address, struct emu_error *error);
/* Makes host memory of the program's own known to the device (cudaHostRegister); emu_memory_free forgets it
 * again. */
enum emu_status emu_memory_register(void *host, uint64_t bytes, const char *site, struct emu_error *error);
/* `address` must be a base; a double free and an address that never was one give EMU_ERROR_INVALID_VALUE
 * and say which. */
enum emu_status emu_memory_free(uint64_t address, struct emu_error *error);
/* The live allocation that holds `address`; false if none. */
bool emu_memory_find(uint64_t address, struct emu_allocation_info *info);
/* Whether an address lies in the device's part of the address space (live or not). Callable from a signal
 * handler. */
bool emu_address_is_device(uint64_t address);
/* Backing store of [address, address+bytes), for cuBLAS and the like; NULL with `error` set if it is not
 * inside one live allocation. */
void *emu_memory_host_view(uint64_t address, uint64_t bytes, struct emu_error *error);
/* Copies and sets. They check bounds, mark what is written as initialised (copies carry "uninitialised"
 * along) and take part in race detection. Copy between host and device: the host side is any pointer. */
enum emu_status emu_memory_copy_in(uint64_t to, const void *from, uint64_t bytes,
                                   const struct emu_operation *operation, struct emu_error *error);
enum emu_status emu_memory_copy_out(void *to, uint64_t from, uint64_t bytes,
                                    const struct emu_operation *operation, struct emu_error *error);
enum emu_status emu_memory_copy(uint64_t to, uint64_t from, uint64_t bytes,
                                const struct emu_operation *operation, struct emu_error *error);
/* Sets count elements of `width` (1, 2 or 4) bytes. */
enum emu_status emu_memory_set(uint64_t to, uint32_t value, unsigned width, uint64_t count,
                               const struct emu_operation *operation, struct emu_error *error);
/* For library calls that work on emu_memory_host_view: checks bounds, initialisation (reads) and races of a
 * range as `operation`, and marks it initialised (writes). EMU_FAULT_* on a finding. */
enum emu_status emu_access_record(uint64_t address, uint64_t bytes, bool write,
                                  const struct emu_operation *operation, struct emu_error *error);
/* The allocation may not be used any more / from now on, as if it were new; its place stays taken. */
enum emu_status emu_memory_retire(uint64_t address, struct emu_error *error);
void emu_memory_revive(uint64_t address);
/* An operation in a stream allocates or frees the allocation at `address`: checks that no access to it is
 * unordered with that. The freeing itself is emu_memory_free's. EMU_FAULT_CHECK on a finding. */
enum emu_status emu_memory_claim(uint64_t address, bool frees, const struct emu_operation *operation,
                                 struct emu_error *error);
/* Bytes in use and in total of a device. */
void emu_memory_usage(int device, uint64_t *used, uint64_t *total);
/* Writes a line per live allocation (variables excepted) and returns how many there are; `to` may be NULL.
 * */
size_t emu_memory_leaks(FILE *to);

/* ---- Modules ---- */

struct emu_module;
struct emu_kernel;

struct emu_parameter {
  uint32_t offset, size;
};

struct emu_kernel_info {
  const char *name;          /* as in the PTX, mangled */
  const char *readable_name; /* qualified name without parameters, for reports */
  uint32_t parameter_count;
  const struct emu_parameter *parameters;
  uint32_t parameter_bytes;     /* end of the last parameter */
  uint32_t shared_bytes;        /* static shared memory */
  uint32_t local_bytes;         /* per thread */
  uint32_t constant_bytes;      /* __constant__ memory of the module */
  uint32_t registers;           /* an estimate: 32-bit registers that the PTX keeps alive at most, 16..255 */
  uint32_t max_threads;         /* from __launch_bounds__, else 1024 */
  uint32_t required_block[3];   /* .reqntid, 0 if none */
  uint32_t required_cluster[3]; /* .reqnctapercluster, 0 if none */
  int ptx_version;              /* 90 for .version 9.0 */
  int target;                   /* 90 for .target sm_90 */
};

struct emu_variable_info {
  const char *name;
  uint64_t address, size;
  bool constant, managed;
};

/* Parses PTX (need not end in NUL), lays its variables out in the memory of `device` and initialises them.
 * Lazily: what is wrong in a kernel's body is told when the kernel is first described. */
enum emu_status emu_module_load(const char *ptx, size_t length, bool lazily, int device,
                                struct emu_module **module, struct emu_error *error);
/* Frees the module and its variables; NULL does nothing. */
void emu_module_unload(struct emu_module *module);
/* NULL if there is no such kernel. The kernel lives as long as its module. */
struct emu_kernel *emu_module_kernel(struct emu_module *module, const char *name);
bool emu_module_variable(struct emu_module *module, const char *name, struct emu_variable_info *info);
size_t emu_module_kernel_count(const struct emu_module *module);
struct emu_kernel *emu_module_kernel_at(struct emu_module *module, size_t index);
/* Decodes the kernel at the first call; EMU_ERROR_* if it cannot be. */
enum emu_status emu_kernel_describe(struct emu_kernel *kernel, struct emu_kernel_info *info,
                                    struct emu_error *error);
/* How many blocks of that size fit a multiprocessor. */
uint32_t emu_kernel_occupancy(struct emu_kernel *kernel, uint32_t threads, uint32_t dynamic_shared);

/* ---- Counters ---- */

enum emu_class {
  EMU_CLASS_HALF = 0, /* f16 and bf16 arithmetic */
  EMU_CLASS_FLOAT,
  EMU_CLASS_DOUBLE,
  EMU_CLASS_INTEGER, /* integer, logic, shifts, comparison, moves */
  EMU_CLASS_SPECIAL, /* ex2, lg2, rcp, rsqrt, sqrt, sin, cos, tanh .approx */
  EMU_CLASS_CONVERSION,
  EMU_CLASS_CONTROL,
  EMU_CLASS_GLOBAL, /* loads, stores, atomics by state space; generic ones by the space that they hit */
  EMU_CLASS_SHARED,
  EMU_CLASS_LOCAL,
  EMU_CLASS_CONSTANT, /* constant and parameter space */
  EMU_CLASS_TENSOR,
  EMU_CLASS_SYNCHRONISATION, /* barriers, fences, shuffles, votes */
  EMU_CLASS_OTHER,
  EMU_CLASSES
};

extern const char *const emu_class_names[EMU_CLASSES];

struct emu_counters {
  uint64_t warp_instructions[EMU_CLASSES];
  uint64_t thread_instructions[EMU_CLASSES];
  uint64_t global_load_requests, global_store_requests,
      global_atomic_requests; /* a request = one instruction of one warp */
  uint64_t global_load_sectors, global_store_sectors, global_atomic_sectors; /* 32-byte sectors touched */
  uint64_t global_ideal_sectors; /* the fewest sectors that could have carried the distinct bytes of each
                                    request */
  uint64_t shared_load_requests, shared_store_requests, shared_atomic_requests;
  uint64_t shared_replays; /* extra passes by bank conflicts */
  uint64_t local_load_requests, local_store_requests, local_bytes;
  uint64_t barriers;           /* block barrier instructions executed by warps */
  uint64_t divergent_branches; /* branches that split the active lanes */
  /* looks at what others have to change that saw nothing new: how many there are is chance, so they are in no
   * other count */
  uint64_t polls;
  uint64_t blocks, threads;
};

struct emu_line_counters {
  const char *file; /* "" where the PTX has no line information */
  uint32_t line;
  struct emu_counters counters;
};

/* ---- Launches ---- */

struct emu_dim3 {
  uint32_t x, y, z;
};

struct emu_launch_parameters {
  struct emu_kernel *kernel;
  struct emu_dim3 grid, block;
  struct emu_dim3 cluster; /* {0,0,0} or {1,1,1}: none (the kernel's .reqnctapercluster applies) */
  uint32_t dynamic_shared;
  bool cooperative;
  const void *arguments; /* parameter_bytes bytes, laid out by emu_kernel_info.parameters */
  uint32_t argument_bytes;
  uint64_t stack_limit; /* cudaLimitStackSize; 0: 1024 */
  struct emu_operation operation;
};

struct emu_launch_result {
  enum emu_status status;
  char *report; /* lines about what was found; NULL if nothing. Also there with status EMU_OK when checks only
                   report. */
  uint32_t reports;
  struct emu_counters counters;
  struct emu_line_counters *lines; /* filled only if emu_settings()->counters != NULL */
  size_t line_count;
};

/* Whether a launch is possible as asked, without running it: the errors a launch call returns at once. */
enum emu_status emu_launch_validate(const struct emu_launch_parameters *parameters, struct emu_error *error);
/* Runs the launch to its end. The result is always filled in; give it to emu_launch_result_free. */
enum emu_status emu_launch(const struct emu_launch_parameters *parameters, struct emu_launch_result *result);
void emu_launch_result_free(struct emu_launch_result *result);

#endif
