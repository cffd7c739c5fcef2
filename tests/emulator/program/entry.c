/* Which registers have to be zero when a function begins: all that might be read before the thread has
 * written them, which leaves few. A register is left out where the first statement that mentions it writes
 * it, always, and no branch leads into what is between that and the last statement that does. */
#include "build.h"

#include "../interpreter/interpreter.h"

#include <stdlib.h>
#include <string.h>

struct jump {
  uint32_t from, to;
};

/* By register: the first and the last statement that mention it, and whether the first only writes it. */
struct mention {
  uint32_t first, last;
  bool written;
};

struct walk {
  const struct emu_program *program;
  const struct emu_code_function *function;
  struct mention *mentions;
  struct jump *jumps;
  uint32_t jump_count;
};

static void see(struct walk *w, const struct emu_symbol *s, uint32_t at, bool writes) {
  if (!s || s->kind != EMU_SYMBOL_REGISTER)
    return;
  struct mention *m = &w->mentions[s->index];
  if (m->first == EMU_NO_TARGET)
    *m = (struct mention){.first = at, .written = writes};
  m->last = at;
}

static void see_operands(struct walk *w, const struct emu_syntax *list, uint32_t count, uint32_t at,
                         bool writes) {
  for (uint32_t i = 0; i < count; i++) {
    see(w, list[i].symbol, at, writes);
    see_operands(w, list[i].list, list[i].list_count, at, writes);
  }
}

/* Whether operand 0 is nothing but a result. */
static bool has_result(const struct emu_instruction *in) {
  const uint8_t kind = in->operand[0].kind;
  const bool computes = in->class <= EMU_CLASS_CONVERSION || in->class == EMU_CLASS_CONSTANT;
  return in->guard == EMU_NO_GUARD && (computes || in->flags & EMU_FLAG_LOADS) &&
         (kind == EMU_OPERAND_VALUE || kind == EMU_OPERAND_PREDICATE || kind == EMU_OPERAND_VECTOR);
}

/* Sources are seen before results. */
static void see_statement(struct walk *w, uint32_t i) {
  const struct emu_statement *s = &w->function->syntax->statements[i];
  const struct emu_instruction *in = &w->program->code[w->function->first + i];
  uint32_t results = has_result(in) && s->operand_count ? 1 : 0;
  see(w, s->guard, i, false);
  see_operands(w, s->operands + results, s->operand_count - results, i, false);
  see_operands(w, s->operands, results, i, true);
}

static uint32_t targets(const struct walk *w, const struct emu_instruction *in, struct jump *to) {
  const uint32_t first = w->function->first, from = in->index - first;
  const struct emu_branch_targets *t = in->extra;
  switch (in->option[EMU_OPTION_FLOW]) {
  case EMU_FLOW_BRANCH:
    if (to)
      to[0] = (struct jump){from, in->operand[0].target - first};
    return 1;
  case EMU_FLOW_TABLE:
    for (uint32_t i = 0; to && i < t->count; i++)
      to[i] = (struct jump){from, t->target[i] - first};
    return t->count;
  default:
    return 0;
  }
}

static bool is_branch(const struct emu_instruction *in) {
  return in->class == EMU_CLASS_CONTROL;
}

static bool find_jumps(struct walk *w) {
  const struct emu_instruction *code = w->program->code + w->function->first;
  for (int pass = 0; pass < 2; pass++) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->function->count; i++)
      if (is_branch(&code[i]))
        count += targets(w, &code[i], pass ? w->jumps + count : NULL);
    if (!pass && !(w->jumps = malloc((count + 1) * sizeof *w->jumps)))
      return false;
    w->jump_count = count;
  }
  return true;
}

static bool must_be_zero(const struct walk *w, const struct mention *m) {
  if (m->first == EMU_NO_TARGET)
    return false;
  bool entered = !m->written;
  for (uint32_t i = 0; i < w->jump_count && !entered; i++) {
    const struct jump *j = &w->jumps[i];
    entered = j->to > m->first && j->to <= m->last && (j->from < m->first || j->from > m->last);
  }
  return entered;
}

static bool add(struct emu_program *p, struct emu_code_function *f, uint32_t offset, uint32_t bytes) {
  struct emu_zeros *last = f->zero_count ? &f->zeros[f->zero_count - 1] : NULL;
  if (last && last->offset + last->bytes == offset) {
    last->bytes += bytes;
    return true;
  }
  f->zeros = emu_arena_grow(p->arena, f->zeros, sizeof *f->zeros, f->zero_count, &f->zero_capacity);
  if (f->zeros)
    f->zeros[f->zero_count++] = (struct emu_zeros){offset, bytes};
  return f->zeros != NULL;
}

bool emu_find_zeros(struct emu_program *p, struct emu_code_function *f) {
  const struct emu_function *s = f->syntax;
  struct walk w = {.program = p, .function = f};
  w.mentions = malloc((s->register_count + 1) * sizeof *w.mentions);
  bool done = w.mentions && find_jumps(&w);
  if (done) {
    memset(w.mentions, 0xff, (s->register_count + 1) * sizeof *w.mentions);
    for (uint32_t i = 0; i < s->statement_count; i++)
      see_statement(&w, i);
  }
  for (uint32_t i = 0; done && i < s->register_count; i++) {
    const unsigned bytes = emu_type_bytes(s->registers[i]->type), own = bytes == 1 ? 2 : bytes;
    if (must_be_zero(&w, &w.mentions[i]))
      done = add(p, f, f->register_offset[i], own ? own * EMU_LANES : 4);
  }
  if (done && f->carry)
    done = add(p, f, f->carry, 4);
  if (done && f->sink)
    done = add(p, f, f->sink, 512);
  free(w.mentions);
  free(w.jumps);
  return done;
}
