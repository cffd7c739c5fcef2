/* Volatile and relaxed loads that no loop repeats. A loop that looks at one place again and again waits for
 * what another thread will write there, and needs no order to begin with; a load that looks once relies on
 * what it finds. Loads whose address a loop changes look once at each place. */
#include "build.h"

#include <stdlib.h>
#include <string.h>

struct walk {
  const struct emu_program *program;
  const struct emu_code_function *function;
  unsigned char *seen;      /* by instruction */
  unsigned char *registers; /* by place in the frame: reached backwards from the address */
  uint32_t *stack;
};

static bool is_register(const struct emu_operand *o) {
  return (o->kind == EMU_OPERAND_VALUE || o->kind == EMU_OPERAND_ADDRESS) && o->base == EMU_BASE_FRAME;
}

/* Whether the instruction gives the register a value. */
static bool defines(const struct emu_instruction *in, uint32_t offset) {
  const struct emu_operand *o = &in->operand[0];
  if (o->kind == EMU_OPERAND_VECTOR) {
    for (uint32_t k = 0; k < o->count; k++)
      if (in->elements[o->first + k].base == EMU_BASE_FRAME && in->elements[o->first + k].offset == offset)
        return true;
    return false;
  }
  return o->kind == EMU_OPERAND_VALUE && o->base == EMU_BASE_FRAME && o->offset == offset;
}

static void push(struct walk *w, uint32_t *depth, uint32_t at) {
  const struct emu_code_function *f = w->function;
  if (at < f->first || at >= f->first + f->count || w->seen[at - f->first])
    return;
  w->seen[at - f->first] = 1;
  w->stack[(*depth)++] = at;
}

static void push_successors(struct walk *w, uint32_t *depth, uint32_t at) {
  const struct emu_instruction *in = &w->program->code[at];
  const uint32_t flow = in->option[EMU_OPTION_FLOW];
  if (flow == EMU_FLOW_BRANCH)
    push(w, depth, in->operand[0].target);
  if (flow == EMU_FLOW_TABLE) {
    const struct emu_branch_targets *t = in->extra;
    for (uint32_t k = 0; k < t->count; k++)
      push(w, depth, t->target[k]);
  }
  if (flow == EMU_FLOW_NEXT || in->guard != EMU_NO_GUARD)
    push(w, depth, at + 1);
}

/* Whether control comes back to a load; with `unchanged`, without another value for its address. */
static bool comes_back(struct walk *w, uint32_t load, bool unchanged) {
  const struct emu_operand *address = &w->program->code[load].operand[1];
  uint32_t depth = 0;
  memset(w->seen, 0, w->function->count);
  push_successors(w, &depth, load);
  while (depth) {
    const uint32_t at = w->stack[--depth];
    if (at == load)
      return true;
    if (!unchanged || !is_register(address) || w->program->code[at].guard != EMU_NO_GUARD ||
        !defines(&w->program->code[at], address->offset))
      push_successors(w, &depth, at);
  }
  return false;
}

/* Whether a register's value follows from itself, or from memory that others may write; registers that have
 * been looked at are marked 2, those on the way 1. */
static bool varies(struct walk *w, uint32_t offset, uint32_t depth) {
  const struct emu_code_function *f = w->function;
  if (w->registers[offset / 64] || depth > 64)
    return w->registers[offset / 64] != 2;
  w->registers[offset / 64] = 1;
  for (uint32_t i = f->first; i < f->first + f->count; i++) {
    const struct emu_instruction *in = &w->program->code[i];
    if (!defines(in, offset))
      continue;
    if (in->flags & EMU_FLAG_LOADS && (in->class == EMU_CLASS_GLOBAL || in->class == EMU_CLASS_SHARED))
      return true;
    for (unsigned k = 1; k < EMU_OPERANDS; k++)
      if (is_register(&in->operand[k]) && varies(w, in->operand[k].offset, depth + 1))
        return true;
  }
  w->registers[offset / 64] = 2;
  return false;
}

static bool waits(struct walk *w, uint32_t load) {
  const struct emu_operand *address = &w->program->code[load].operand[1];
  if (comes_back(w, load, true))
    return true;
  memset(w->registers, 0, w->function->frame_bytes / 64 + 1);
  return comes_back(w, load, false) && !(is_register(address) && varies(w, address->offset, 0));
}

bool emu_mark_looks_once(struct emu_program *p, const struct emu_code_function *f) {
  struct walk w = {.program = p, .function = f};
  const uint32_t wanted = EMU_FLAG_LOADS | EMU_FLAG_SYNCHRONISES;
  bool any = false;
  for (uint32_t i = f->first; i < f->first + f->count && !any; i++)
    any = (p->code[i].flags & wanted) == wanted;
  if (!any)
    return true;
  w.seen = malloc(f->count);
  w.stack = malloc(f->count * sizeof *w.stack);
  w.registers = malloc(f->frame_bytes / 64 + 1);
  const bool ok = w.seen && w.stack && w.registers;
  for (uint32_t i = f->first; ok && i < f->first + f->count; i++)
    if ((p->code[i].flags & wanted) == wanted && !waits(&w, i))
      p->code[i].flags |= EMU_FLAG_LOOKS_ONCE;
  free(w.seen);
  free(w.stack);
  free(w.registers);
  return ok;
}
