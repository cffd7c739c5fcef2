/* Which functions a kernel can reach, and where registers, local and shared variables lie. */
#include "build.h"

#include <string.h>

enum { MAX_FRAME_BYTES = 1 << 28, MAX_LOCAL_BYTES = 512 * 1024, MAX_CALL_DEPTH = 256 };

struct walk {
  struct emu_program *program;
  struct emu_error *error;
  bool failed;
};

static bool fail(struct walk *w, enum emu_status status, const char *text, const char *name) {
  if (!w->failed) {
    w->error->status = status;
    snprintf(w->error->text, sizeof w->error->text, "kernel %s: %s%s", w->program->functions[0].syntax->name,
             text, name);
  }
  w->failed = true;
  return false;
}

static bool add_function(struct walk *w, const struct emu_function *f) {
  struct emu_program *p = w->program;
  uint32_t index = f->symbol->index;
  if (p->function_by_index[index] != EMU_NO_TARGET || !f->defined || f->entry)
    return true;
  p->functions =
      emu_arena_grow(p->arena, p->functions, sizeof *p->functions, p->function_count, &p->function_capacity);
  if (!p->functions)
    return fail(w, EMU_ERROR_HOST_MEMORY, "no memory to decode it", "");
  p->function_by_index[index] = p->function_count;
  p->functions[p->function_count++] = (struct emu_code_function){.syntax = f};
  return true;
}

static uint64_t place_after(uint64_t at, const struct emu_symbol *v) {
  uint64_t align = v->align ? v->align : 1;
  return (at + align - 1) & ~(align - 1);
}

/* Shared variables: `address` is their offset while this kernel is decoded; EMU_NO_TARGET marks those not
 * placed yet. */
static bool place_shared(struct walk *w, struct emu_symbol *v) {
  struct emu_program *p = w->program;
  if (v->unsized || v->external) {
    p->dynamic_align = v->align > p->dynamic_align ? v->align : p->dynamic_align;
    return true;
  }
  if (v->address != EMU_NO_TARGET)
    return true;
  v->address = place_after(p->shared_bytes, v);
  if (v->address + v->bytes > (16u << 20))
    return fail(w, EMU_ERROR_LAUNCH_RESOURCES, "shared variables of more than 16 MB: ", v->name);
  p->shared_bytes = (uint32_t)(v->address + v->bytes);
  return true;
}

static bool visit_symbol(struct walk *w, const struct emu_symbol *v) {
  if (v->kind == EMU_SYMBOL_FUNCTION)
    return add_function(w, v->function);
  if (v->kind == EMU_SYMBOL_VARIABLE && v->space == EMU_VARIABLE_SHARED)
    return place_shared(w, (struct emu_symbol *)v);
  return true;
}

static bool visit_operands(struct walk *w, const struct emu_syntax *list, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if ((list[i].symbol && !visit_symbol(w, list[i].symbol)) ||
        !visit_operands(w, list[i].list, list[i].list_count))
      return false;
  return true;
}

static bool is_call(const struct emu_statement *s) {
  return !strcmp(s->opcode, "call");
}

/* The called function: behind the results if there are any. */
static const struct emu_syntax *callee_of(const struct emu_statement *s) {
  unsigned at = s->operand_count && s->operands[0].kind == EMU_SYNTAX_LIST ? 1 : 0;
  return at < s->operand_count ? &s->operands[at] : NULL;
}

static bool visit_function(struct walk *w, const struct emu_function *f) {
  struct emu_program *p = w->program;
  for (uint32_t i = 0; i < f->statement_count; i++) {
    const struct emu_statement *s = &f->statements[i];
    if (!visit_operands(w, s->operands, s->operand_count))
      return false;
    const struct emu_syntax *callee = is_call(s) ? callee_of(s) : NULL;
    if (!callee)
      continue;
    const char *name = callee->symbol ? callee->symbol->name : "";
    p->calls_printf = p->calls_printf || !strcmp(name, "vprintf");
    p->calls_heap = p->calls_heap || !strcmp(name, "malloc") || !strcmp(name, "free");
    if (!callee->symbol || callee->symbol->kind == EMU_SYMBOL_REGISTER)
      p->indirect_calls = true;
  }
  return true;
}

static void forget_shared(struct emu_syntax_module *m) {
  for (uint32_t i = 0; i < m->variable_count; i++)
    if (m->variables[i]->space == EMU_VARIABLE_SHARED)
      m->variables[i]->address = EMU_NO_TARGET;
  for (uint32_t f = 0; f < m->function_count; f++)
    for (uint32_t i = 0; i < m->functions[f]->variable_count; i++)
      if (m->functions[f]->variables[i]->space == EMU_VARIABLE_SHARED)
        m->functions[f]->variables[i]->address = EMU_NO_TARGET;
}

static void place_dynamic_shared(struct emu_program *p) {
  uint32_t align = p->dynamic_align ? p->dynamic_align : 1;
  if (p->dynamic_align)
    p->shared_bytes = (p->shared_bytes + align - 1) & ~(align - 1);
  for (uint32_t i = 0; i < p->syntax->variable_count; i++) {
    struct emu_symbol *v = p->syntax->variables[i];
    if (v->space == EMU_VARIABLE_SHARED && (v->unsized || v->external))
      v->address = p->shared_bytes;
  }
  for (uint32_t f = 0; f < p->function_count; f++)
    for (uint32_t i = 0; i < p->functions[f].syntax->variable_count; i++) {
      struct emu_symbol *v = p->functions[f].syntax->variables[i];
      if (v->space == EMU_VARIABLE_SHARED && (v->unsized || v->external))
        v->address = p->shared_bytes;
    }
}

/* Registers by falling width behind the predicates; local and param variables one behind the other. */
static bool place_function(struct walk *w, struct emu_code_function *f) {
  const struct emu_function *s = f->syntax;
  f->register_offset =
      emu_arena_allocate(w->program->arena, (s->register_count + 1) * sizeof *f->register_offset);
  f->variable_offset =
      emu_arena_allocate(w->program->arena, (s->variable_count + 1) * sizeof *f->variable_offset);
  if (!f->register_offset || !f->variable_offset)
    return fail(w, EMU_ERROR_HOST_MEMORY, "no memory to decode it", "");
  uint64_t at = 64;
  for (unsigned bytes = 0; bytes <= 16; bytes = bytes ? bytes * 2 : 2) {
    for (uint32_t i = 0; i < s->register_count; i++) {
      unsigned own = emu_type_bytes(s->registers[i]->type) == 1 ? 2 : emu_type_bytes(s->registers[i]->type);
      if (own != bytes)
        continue;
      f->register_offset[i] = (uint32_t)at;
      at += bytes ? bytes * 32u : 4u;
    }
    at = (at + 63) & ~UINT64_C(63);
    if (at > MAX_FRAME_BYTES)
      return fail(w, EMU_ERROR_LAUNCH_RESOURCES, "too many registers in ", s->name);
  }
  f->frame_bytes = (uint32_t)at;
  uint64_t local = 0;
  for (uint32_t i = 0; i < s->variable_count; i++) {
    const struct emu_symbol *v = s->variables[i];
    if (v->space == EMU_VARIABLE_SHARED || v->kernel_parameter)
      continue;
    local = place_after(local, v);
    f->variable_offset[i] = (uint32_t)local;
    local += v->bytes;
    if (local > MAX_LOCAL_BYTES)
      return fail(w, EMU_ERROR_LAUNCH_RESOURCES, "more than 512 KB of local memory in ", s->name);
  }
  f->local_bytes = (uint32_t)((local + 15) & ~UINT64_C(15));
  return true;
}

/* Bytes of the deepest chain of direct calls from a function. */
static uint64_t stack_need(struct emu_program *p, uint32_t index, unsigned depth) {
  const struct emu_code_function *f = &p->functions[index];
  uint64_t deepest = 0;
  if (depth > MAX_CALL_DEPTH || depth > p->function_count) {
    p->recursive = true;
    return 0;
  }
  for (uint32_t i = 0; i < f->syntax->statement_count && !p->recursive; i++) {
    const struct emu_syntax *callee =
        is_call(&f->syntax->statements[i]) ? callee_of(&f->syntax->statements[i]) : NULL;
    if (!callee || !callee->symbol || callee->symbol->kind != EMU_SYMBOL_FUNCTION)
      continue;
    uint32_t to = p->function_by_index[callee->symbol->index];
    uint64_t need = to == EMU_NO_TARGET ? 0 : stack_need(p, to, depth + 1);
    deepest = need > deepest ? need : deepest;
  }
  return f->local_bytes + deepest;
}

bool emu_layout_program(struct emu_program *p, struct emu_error *error) {
  struct walk w = {.program = p, .error = error};
  forget_shared(p->syntax);
  for (uint32_t i = 0; i < p->function_count; i++) {
    if (!visit_function(&w, p->functions[i].syntax))
      return false;
    if (i + 1 == p->function_count && p->indirect_calls)
      for (uint32_t f = 0; f < p->syntax->function_count; f++)
        if (!add_function(&w, p->syntax->functions[f]))
          return false;
  }
  place_dynamic_shared(p);
  const struct emu_function *kernel = p->functions[0].syntax;
  uint64_t parameters = 0;
  for (uint32_t i = 0; i < kernel->parameter_count; i++) {
    struct emu_symbol *v = kernel->parameters[i];
    v->address = parameters = place_after(parameters, v);
    parameters += v->bytes;
    if (parameters > 32764)
      return fail(&w, EMU_ERROR_INVALID_PTX, "more than 32764 bytes of parameters", "");
  }
  p->parameter_bytes = (uint32_t)parameters;
  for (uint32_t i = 0; i < p->function_count; i++)
    if (!place_function(&w, &p->functions[i]))
      return false;
  uint64_t need = p->indirect_calls ? 0 : stack_need(p, 0, 0);
  if (p->indirect_calls) {
    p->recursive = true;
    for (uint32_t i = 0; i < p->function_count; i++)
      need += p->functions[i].local_bytes;
  }
  if (need > MAX_LOCAL_BYTES)
    return fail(&w, EMU_ERROR_LAUNCH_RESOURCES, "more than 512 KB of local memory per thread", "");
  p->stack_bytes = (uint32_t)(need > p->functions[0].local_bytes ? need : p->functions[0].local_bytes);
  return true;
}
