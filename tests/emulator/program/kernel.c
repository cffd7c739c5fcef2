/* What a kernel is and needs. */
#include "module.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct emu_program *emu_kernel_program(struct emu_kernel *kernel, struct emu_error *error) {
  if (kernel->function->body && emu_parse_body(&kernel->module->syntax, kernel->function, error) != EMU_OK)
    return NULL;
  if (!kernel->program)
    kernel->program =
        emu_program_build(&kernel->module->syntax, kernel->function, kernel->module->arena, error);
  return kernel->program;
}

/* Appends <length><name>; NULL if there is none. */
static const char *append_part(const char *at, char *text, size_t bytes) {
  size_t length = 0;
  while (isdigit((unsigned char)*at) && length < 10000)
    length = length * 10 + (size_t)(*at++ - '0');
  if (!length || strlen(at) < length)
    return NULL;
  bool anonymous = !strncmp(at, "_GLOBAL__N_", 11) || !strncmp(at, "_INTERNAL_", 10);
  size_t used = strlen(text);
  snprintf(text + used, bytes - used, "%s%.*s", used ? "::" : "", anonymous ? 11 : (int)length,
           anonymous ? "(anonymous)" : at);
  return at + length;
}

const char *emu_readable_name(struct emu_arena *arena, const char *mangled) {
  char text[512] = "";
  const char *at = mangled;
  if (strncmp(at, "_Z", 2))
    return mangled;
  at += 2;
  at += *at == 'L';
  if (*at == 'N') {
    at++;
    while (at && isdigit((unsigned char)*at))
      at = append_part(at, text, sizeof text);
  } else {
    at = append_part(at, text, sizeof text);
  }
  const char *copy = text[0] ? emu_arena_text(arena, text, strlen(text)) : NULL;
  return copy ? copy : mangled;
}

enum emu_status emu_kernel_describe(struct emu_kernel *kernel, struct emu_kernel_info *info,
                                    struct emu_error *error) {
  const struct emu_program *p = emu_kernel_program(kernel, error);
  const struct emu_function *f = kernel->function;
  if (!p)
    return error->status;
  if (!kernel->parameters) {
    kernel->parameters =
        emu_arena_allocate(kernel->module->arena, (f->parameter_count + 1) * sizeof *kernel->parameters);
    if (!kernel->parameters) {
      error->status = EMU_ERROR_HOST_MEMORY;
      snprintf(error->text, sizeof error->text, "kernel %s: no memory to describe it", f->name);
      return error->status;
    }
    uint64_t at = 0;
    for (uint32_t i = 0; i < f->parameter_count; i++) {
      uint64_t align = f->parameters[i]->align ? f->parameters[i]->align : 1;
      at = (at + align - 1) & ~(align - 1);
      kernel->parameters[i] = (struct emu_parameter){(uint32_t)at, (uint32_t)f->parameters[i]->bytes};
      at += f->parameters[i]->bytes;
    }
  }
  *info = (struct emu_kernel_info){.name = f->name,
                                   .readable_name = kernel->readable_name,
                                   .parameter_count = f->parameter_count,
                                   .parameters = kernel->parameters,
                                   .parameter_bytes = p->parameter_bytes,
                                   .shared_bytes = p->shared_bytes,
                                   .local_bytes = p->stack_bytes,
                                   .constant_bytes = kernel->module->constant_bytes,
                                   .registers = p->registers,
                                   .max_threads = f->max_threads,
                                   .ptx_version = kernel->module->syntax.version,
                                   .target = kernel->module->syntax.target};
  memcpy(info->required_block, f->required_block, sizeof info->required_block);
  memcpy(info->required_cluster, f->required_cluster, sizeof info->required_cluster);
  return EMU_OK;
}

uint32_t emu_kernel_occupancy(struct emu_kernel *kernel, uint32_t threads, uint32_t dynamic_shared) {
  const struct emu_settings *s = emu_settings();
  struct emu_error error;
  const struct emu_program *p = emu_kernel_program(kernel, &error);
  if (!p || !threads || threads > kernel->function->max_threads)
    return 0;
  uint32_t warps = (threads + 31) / 32;
  uint32_t most = s->blocks_per_multiprocessor;
  uint32_t by_threads = s->threads_per_multiprocessor / 32 / warps;
  uint64_t shared = (uint64_t)p->shared_bytes + dynamic_shared;
  uint32_t reserved = s->capability >= 80 ? 1024 : 0;
  if (shared > s->shared_per_block)
    return 0;
  shared = (shared + reserved + 255) & ~UINT64_C(255);
  uint32_t by_shared = shared ? (uint32_t)(s->shared_per_multiprocessor / shared) : most;
  uint32_t registers_of_warp = (p->registers * 32 + 255) & ~255u;
  uint32_t by_registers = 65536 / (registers_of_warp * ((warps + 3) & ~3u));
  most = by_threads < most ? by_threads : most;
  most = by_shared < most ? by_shared : most;
  return by_registers < most ? by_registers : most;
}
