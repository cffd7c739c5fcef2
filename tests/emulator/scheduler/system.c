/* Decoding of calls, and the functions that the driver provides: vprintf, malloc, free, __assertfail. */
#include "system.h"

#include "../memory/memory.h"

#include <string.h>

static enum emu_system system_named(const char *name) {
  static const struct {
    const char *name;
    enum emu_system system;
  } known[] = {{"vprintf", EMU_SYSTEM_PRINTF},
               {"malloc", EMU_SYSTEM_MALLOC},
               {"free", EMU_SYSTEM_FREE},
               {"__assertfail", EMU_SYSTEM_ASSERT}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (!strcmp(known[i].name, name))
      return known[i].system;
  return EMU_SYSTEM_NONE;
}

static bool bind_values(struct emu_decoder *d, const struct emu_syntax *list, struct emu_call_value **values,
                        uint32_t *count) {
  *count = list->list_count;
  *values = emu_arena_allocate(d->program->arena, (list->list_count + 1) * sizeof **values);
  for (uint32_t i = 0; *values && i < list->list_count; i++) {
    const struct emu_symbol *v = list->list[i].symbol;
    if (list->list[i].kind != EMU_SYNTAX_SYMBOL || v->kind != EMU_SYMBOL_VARIABLE || v->kernel_parameter ||
        (v->space != EMU_VARIABLE_PARAM && v->space != EMU_VARIABLE_LOCAL)) {
      emu_refuse(d, "a call's arguments and results have to be .param variables");
      return false;
    }
    (*values)[i].offset = d->function->variable_offset[v->index];
    (*values)[i].bytes = (uint32_t)v->bytes;
  }
  return *values != NULL;
}

struct emu_call *emu_bind_call(struct emu_decoder *d, struct emu_instruction *out) {
  const struct emu_statement *s = d->statement;
  struct emu_call *call = emu_arena_allocate(d->program->arena, sizeof *call);
  unsigned at = 0;
  if (!call)
    return NULL;
  static const struct emu_syntax nothing = {.kind = EMU_SYNTAX_LIST};
  const struct emu_syntax *results = &nothing, *arguments = &nothing;
  if (s->operand_count && s->operands[0].kind == EMU_SYNTAX_LIST)
    results = &s->operands[at++];
  unsigned callee = at++;
  if (callee >= s->operand_count) {
    emu_refuse(d, "a function is needed");
    return NULL;
  }
  if (at < s->operand_count && s->operands[at].kind == EMU_SYNTAX_LIST)
    arguments = &s->operands[at];
  if (!bind_values(d, results, &call->results, &call->result_count) ||
      !bind_values(d, arguments, &call->arguments, &call->argument_count))
    return NULL;
  const struct emu_symbol *f = s->operands[callee].symbol;
  call->function = EMU_NO_TARGET;
  if (!f || f->kind != EMU_SYMBOL_FUNCTION)
    return emu_bind_value(d, out, 0, callee, 8) ? call : NULL;
  if (f->function->defined) {
    call->function = d->program->function_by_index[f->index];
    return call;
  }
  call->system = system_named(f->name);
  if (call->system != EMU_SYSTEM_NONE)
    return call;
  char why[160];
  snprintf(why, sizeof why, "the function %.100s is not defined", f->name);
  emu_refuse(d, why);
  return NULL;
}

struct emu_branch_targets *emu_bind_table(struct emu_decoder *d, unsigned index) {
  const struct emu_syntax *s = index < d->statement->operand_count ? &d->statement->operands[index] : NULL;
  const struct emu_label *table =
      s && s->kind == EMU_SYNTAX_NAME ? emu_find_label(d->statement->scope, s->name) : NULL;
  if (!table || !table->list) {
    emu_refuse(d, "a list of branch targets is needed");
    return NULL;
  }
  struct emu_branch_targets *t =
      emu_arena_allocate(d->program->arena, sizeof *t + table->list_count * sizeof t->target[0]);
  for (uint32_t i = 0; t && i < table->list_count; i++) {
    const struct emu_syntax *name = &table->list[i];
    const struct emu_label *l =
        name->kind == EMU_SYNTAX_NAME ? emu_find_label(table->scope, name->name) : NULL;
    if (!l || l->list) {
      emu_refuse(d, "a branch target is no label");
      return NULL;
    }
    t->target[t->count++] = d->function->first + l->target;
  }
  return t;
}

static uint64_t argument(const struct emu_warp_state *s, const struct emu_call *call, uint32_t index,
                         unsigned lane) {
  uint64_t value = 0;
  if (index >= call->argument_count)
    return 0;
  uint32_t bytes = call->arguments[index].bytes < 8 ? call->arguments[index].bytes : 8;
  memcpy(&value,
         s->local + s->warp.launch->local_bytes * lane + s->warp.frame->local_base +
             call->arguments[index].offset,
         bytes);
  return value;
}

static void set_result(struct emu_warp_state *s, const struct emu_call *call, unsigned lane, uint64_t value) {
  if (!call->result_count)
    return;
  uint32_t bytes = call->results[0].bytes < 8 ? call->results[0].bytes : 8;
  memcpy(s->local + s->warp.launch->local_bytes * lane + s->warp.frame->local_base + call->results[0].offset,
         &value, bytes);
}

const void *emu_system_read(struct emu_warp_state *s, unsigned lane, uint64_t address, unsigned bytes) {
  enum emu_space space = emu_space_of(address);
  uint32_t low = (uint32_t)address;
  if (space == EMU_SPACE_GLOBAL) {
    const struct emu_allocation *a = emu_allocation_find(address);
    return a && a->size - (address - a->base) >= bytes ? a->host + (address - a->base) : NULL;
  }
  if (space == EMU_SPACE_LOCAL)
    return (uint64_t)low + bytes <= s->warp.launch->local_bytes
               ? s->local + s->warp.launch->local_bytes * lane + low
               : NULL;
  if (space == EMU_SPACE_SHARED)
    return (uint64_t)low + bytes <= s->block->shared_bytes ? s->block->shared + low : NULL;
  return (uint64_t)low + bytes <= s->warp.launch->program->parameter_bytes ? s->warp.launch->arguments + low
                                                                           : NULL;
}

static void read_text(struct emu_warp_state *s, unsigned lane, uint64_t address, char *text, size_t bytes) {
  size_t n = 0;
  const char *c;
  while (n + 1 < bytes && (c = emu_system_read(s, lane, address + n, 1)) && *c)
    text[n++] = *c;
  text[n] = '\0';
}

static void assert_failed(struct emu_warp_state *s, const struct emu_instruction *in,
                          const struct emu_call *call, unsigned lane) {
  char condition[200], file[200], function[200];
  read_text(s, lane, argument(s, call, 0, lane), condition, sizeof condition);
  read_text(s, lane, argument(s, call, 1, lane), file, sizeof file);
  read_text(s, lane, argument(s, call, 3, lane), function, sizeof function);
  emu_fault(&s->warp, in, lane, EMU_FAULT_ASSERT, "assert: assertion '%s' of %s failed (%s:%u)", condition,
            function, file, (unsigned)argument(s, call, 2, lane));
}

enum { HEAP_LIMIT = 8 << 20 };

static uint64_t heap_allocate(struct emu_warp_state *s, uint64_t bytes) {
  struct emu_error error;
  if (!bytes || bytes > HEAP_LIMIT)
    return 0;
  struct emu_allocation *a = emu_allocation_create(s->warp.launch->kernel->module->device, bytes, 16,
                                                   EMU_MEMORY_DEVICE, "malloc in device code", &error);
  if (!a)
    return 0;
  a->device_heap = true;
  return a->base;
}

static void heap_free(struct emu_warp_state *s, const struct emu_instruction *in, unsigned lane,
                      uint64_t address) {
  struct emu_allocation *a = address ? emu_allocation_find(address) : NULL;
  if (!address)
    return;
  if (!a || !a->device_heap || a->base != address) {
    const struct emu_allocation *old = emu_allocation_find_freed(address);
    emu_fault(&s->warp, in, lane, EMU_FAULT_ILLEGAL_ADDRESS, "%s: free of 0x%llx in device code (%s)",
              old ? "double free" : "out of bounds", (unsigned long long)address,
              old ? "it has been freed" : "it was not allocated there");
    return;
  }
  emu_allocation_destroy(a);
  memset(s->warp.worker->cache, 0, s->warp.launch->program->code_count * sizeof *s->warp.worker->cache);
}

void emu_system_call(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_call *call = in->extra;
  EMU_FOR_LANES (lane, mask) {
    int count = -1;
    switch (call->system) {
    case EMU_SYSTEM_PRINTF:
      if (!emu_device_printf(s, lane, argument(s, call, 0, lane), argument(s, call, 1, lane), stdout,
                             &count)) {
        emu_fault(&s->warp, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
                  "out of bounds: printf's format or arguments cannot be read");
        return;
      }
      set_result(s, call, lane, (uint32_t)count);
      break;
    case EMU_SYSTEM_MALLOC:
      set_result(s, call, lane, heap_allocate(s, argument(s, call, 0, lane)));
      break;
    case EMU_SYSTEM_FREE:
      heap_free(s, in, lane, argument(s, call, 0, lane));
      break;
    default:
      assert_failed(s, in, call, lane);
      return;
    }
  }
}
