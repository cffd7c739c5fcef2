/* Loading a module: its variables get memory and values, its kernels a handle each. */
#include "module.h"

#include "../interpreter/interpreter.h"

#include <stdlib.h>
#include <string.h>

static enum emu_status fail(struct emu_error *error, enum emu_status status, const char *what,
                            const char *name) {
  error->status = status;
  snprintf(error->text, sizeof error->text, "%s: %s", name, what);
  return status;
}

static bool place_variable(struct emu_module *m, struct emu_symbol *v, struct emu_error *error) {
  if (v->space != EMU_VARIABLE_GLOBAL && v->space != EMU_VARIABLE_CONST)
    return true;
  if (v->external || !v->name[0] || !v->bytes)
    return true;
  enum emu_memory_kind kind = v->managed ? EMU_MEMORY_MANAGED : EMU_MEMORY_DEVICE;
  struct emu_allocation *a = emu_allocation_create(m->device, v->bytes, v->align, kind, "module", error);
  if (!a)
    return false;
  a->name = v->name;
  a->constant = v->space == EMU_VARIABLE_CONST;
  m->variables[v->index] = a;
  v->address = a->base;
  memset(a->host, 0, a->size);
  memset(a->initialised, 1, a->size);
  a->whole = true;
  if (a->constant)
    m->constant_bytes += (uint32_t)v->bytes;
  return true;
}

static bool initialise_variable(struct emu_module *m, const struct emu_symbol *v, struct emu_error *error) {
  struct emu_allocation *a = m->variables[v->index];
  for (size_t i = 0; a && i < v->initial_count; i++) {
    const struct emu_initial *initial = &v->initial[i];
    uint64_t value = initial->value;
    if (initial->symbol) {
      uint64_t address = initial->symbol->kind == EMU_SYMBOL_FUNCTION
                             ? EMU_WINDOW_CODE + initial->symbol->index * 16 + 16
                             : initial->symbol->address;
      if (!address) {
        fail(error, EMU_ERROR_INVALID_PTX, "its initial value names a variable that has no memory", v->name);
        return false;
      }
      value = (value + address) >> initial->shift;
    }
    if (initial->offset + initial->bytes <= v->bytes)
      memcpy(a->host + initial->offset, &value, initial->bytes < 8 ? initial->bytes : 8);
  }
  return true;
}

static bool list_kernels(struct emu_module *m) {
  m->kernels = emu_arena_allocate(m->arena, (m->syntax.function_count + 1) * sizeof *m->kernels);
  if (!m->kernels)
    return false;
  for (uint32_t i = 0; i < m->syntax.function_count; i++) {
    struct emu_function *f = m->syntax.functions[i];
    if (f->entry && f->defined)
      m->kernels[m->kernel_count++] = (struct emu_kernel){
          .module = m, .function = f, .readable_name = emu_readable_name(m->arena, f->name)};
  }
  return true;
}

static enum emu_status lay_out(struct emu_module *m, struct emu_error *error) {
  int capability = emu_settings()->capability;
  if (m->syntax.target > capability) {
    error->status = EMU_ERROR_NO_KERNEL_IMAGE;
    snprintf(error->text, sizeof error->text,
             "PTX: it is for a newer device (sm_%d, the emulated device is sm_%d)", m->syntax.target,
             capability);
    return error->status;
  }
  uint32_t count = m->syntax.variable_count;
  m->variables = emu_arena_allocate(m->arena, (count + 1) * sizeof *m->variables);
  if (!m->variables || !list_kernels(m))
    return fail(error, EMU_ERROR_HOST_MEMORY, "no memory to load it", "module");
  for (uint32_t i = 0; i < count; i++)
    if (!place_variable(m, m->syntax.variables[i], error))
      return error->status;
  for (uint32_t i = 0; i < count; i++)
    if (!initialise_variable(m, m->syntax.variables[i], error))
      return error->status;
  return EMU_OK;
}

enum emu_status emu_module_load(const char *ptx, size_t length, bool lazily, int device,
                                struct emu_module **module, struct emu_error *error) {
  struct emu_arena *arena = emu_arena_create();
  struct emu_module *m = arena ? emu_arena_allocate(arena, sizeof *m) : NULL;
  *module = NULL;
  if (!m) {
    emu_arena_destroy(arena);
    return fail(error, EMU_ERROR_HOST_MEMORY, "no memory to load it", "module");
  }
  m->arena = m->syntax.arena = arena;
  m->device = device;
  enum emu_status status = emu_parse(&m->syntax, ptx, length, lazily, error);
  if (status == EMU_OK)
    status = lay_out(m, error);
  if (status != EMU_OK) {
    emu_module_unload(m);
    return status;
  }
  *module = m;
  return EMU_OK;
}

void emu_module_unload(struct emu_module *m) {
  if (!m)
    return;
  for (uint32_t i = 0; m->variables && i < m->syntax.variable_count; i++)
    if (m->variables[i])
      emu_allocation_destroy(m->variables[i]);
  emu_arena_destroy(m->arena);
}

struct emu_kernel *emu_module_kernel(struct emu_module *m, const char *name) {
  for (size_t i = 0; i < m->kernel_count; i++)
    if (!strcmp(m->kernels[i].function->name, name))
      return &m->kernels[i];
  return NULL;
}

size_t emu_module_kernel_count(const struct emu_module *m) {
  return m->kernel_count;
}

struct emu_kernel *emu_module_kernel_at(struct emu_module *m, size_t index) {
  return index < m->kernel_count ? &m->kernels[index] : NULL;
}

bool emu_module_variable(struct emu_module *m, const char *name, struct emu_variable_info *info) {
  for (uint32_t i = 0; i < m->syntax.variable_count; i++) {
    const struct emu_symbol *v = m->syntax.variables[i];
    const struct emu_allocation *a = m->variables[i];
    if (!a || strcmp(v->name, name))
      continue;
    *info = (struct emu_variable_info){v->name, a->base, a->size, a->constant, v->managed};
    return true;
  }
  return false;
}
