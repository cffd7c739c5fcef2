/* Modules and kernels, as the core sees them. */
#ifndef EMU_MODULE_H
#define EMU_MODULE_H

#include "../memory/memory.h"
#include "build.h"

struct emu_kernel {
  struct emu_module *module;
  struct emu_function *function;
  struct emu_program *program; /* NULL until it is needed */
  struct emu_parameter *parameters;
  const char *readable_name;
};

struct emu_module {
  struct emu_arena *arena;
  struct emu_syntax_module syntax;
  int device;
  struct emu_allocation **variables; /* by index of the variable; NULL where it takes no memory */
  struct emu_kernel *kernels;
  size_t kernel_count;
  uint32_t constant_bytes;
};

/* Builds the program at the first call; NULL with `error` set. */
struct emu_program *emu_kernel_program(struct emu_kernel *kernel, struct emu_error *error);
/* "space::name" of a mangled name, without parameters; the name itself if it is not mangled. */
const char *emu_readable_name(struct emu_arena *arena, const char *mangled);

#endif
