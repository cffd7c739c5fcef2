/* Operands of the PTX into places in the frame or in the pool of constants. */
#include "build.h"

#include "../interpreter/interpreter.h"

#include <stdlib.h>
#include <string.h>

static bool complain(struct emu_decoder *d, const char *why) {
  emu_refuse(d, why);
  return false;
}

static const struct emu_syntax *syntax_at(const struct emu_decoder *d, unsigned index) {
  return index < d->statement->operand_count ? &d->statement->operands[index] : NULL;
}

unsigned emu_operand_count(const struct emu_decoder *d) {
  return d->statement->operand_count;
}

enum emu_operand_kind emu_operand_kind(const struct emu_decoder *d, unsigned index) {
  const struct emu_syntax *s = syntax_at(d, index);
  if (!s)
    return EMU_OPERAND_NONE;
  switch (s->kind) {
  case EMU_SYNTAX_ADDRESS:
    return EMU_OPERAND_ADDRESS;
  case EMU_SYNTAX_VECTOR:
  case EMU_SYNTAX_PAIR:
    return EMU_OPERAND_VECTOR;
  case EMU_SYNTAX_SYMBOL:
    if (s->symbol->kind == EMU_SYMBOL_FUNCTION)
      return EMU_OPERAND_FUNCTION;
    return s->symbol->kind == EMU_SYMBOL_REGISTER && s->symbol->type == EMU_PRED ? EMU_OPERAND_PREDICATE
                                                                                 : EMU_OPERAND_VALUE;
  case EMU_SYNTAX_NAME:
    return s->name[0] == '_' || s->name[0] == '%' ? EMU_OPERAND_VALUE : EMU_OPERAND_LABEL;
  default:
    return EMU_OPERAND_VALUE;
  }
}

const char *emu_operand_name(const struct emu_decoder *d, unsigned index) {
  const struct emu_syntax *s = syntax_at(d, index);
  return s && s->name ? s->name : "";
}

unsigned emu_vector_length(const struct emu_decoder *d, unsigned index) {
  const struct emu_syntax *s = syntax_at(d, index);
  return s && (s->kind == EMU_SYNTAX_VECTOR || s->kind == EMU_SYNTAX_PAIR) ? s->list_count : 0;
}

static bool grow_pool(struct emu_program *p, uint32_t bytes) {
  if (p->pool_bytes + bytes > p->pool_capacity) {
    uint32_t wanted = p->pool_capacity ? p->pool_capacity * 2 : 16384;
    unsigned char *grown = emu_arena_allocate(p->arena, wanted);
    if (!grown)
      return false;
    if (p->pool)
      memcpy(grown, p->pool, p->pool_bytes);
    p->pool = grown;
    p->pool_capacity = wanted;
  }
  if (p->pool_used * 2 >= p->pool_slot_count) {
    uint32_t count = p->pool_slot_count ? p->pool_slot_count * 2 : 256;
    uint32_t *slots = emu_arena_allocate(p->arena, count * sizeof *slots);
    if (!slots)
      return false;
    p->pool_slots = slots; /* old entries are only a cache: losing them costs a duplicate */
    p->pool_slot_count = count;
    p->pool_used = 0;
  }
  return true;
}

/* Offset of a constant: `bytes` (at most 512) as they lie in the pool. */
uint32_t emu_pool_constant(struct emu_decoder *d, const void *lanes, uint32_t bytes) {
  struct emu_program *p = d->program;
  uint64_t hash = bytes;
  for (uint32_t i = 0; i < bytes; i += 4) {
    uint32_t word;
    memcpy(&word, (const char *)lanes + i, sizeof word);
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
  }
  if (!grow_pool(p, 512)) {
    d->no_memory = true;
    return 0;
  }
  uint32_t slot = (uint32_t)hash & (p->pool_slot_count - 1);
  for (; p->pool_slots[slot]; slot = (slot + 1) & (p->pool_slot_count - 1)) {
    uint32_t at = p->pool_slots[slot] - 1;
    if (at + bytes <= p->pool_bytes && !memcmp(p->pool + at, lanes, bytes))
      return at;
  }
  uint32_t at = p->pool_bytes;
  memcpy(p->pool + at, lanes, bytes);
  p->pool_bytes += (bytes + 63) & ~63u;
  p->pool_slots[slot] = at + 1;
  p->pool_used++;
  return at;
}

static bool bind_constant_to(struct emu_decoder *d, struct emu_operand *o, uint64_t value, unsigned bytes) {
  union {
    uint16_t h[32];
    uint32_t w[32];
    uint64_t l[64];
  } lanes = {0};
  for (int i = 0; i < 32; i++)
    switch (bytes) {
    case 2:
      lanes.h[i] = (uint16_t)value;
      break;
    case 4:
      lanes.w[i] = (uint32_t)value;
      break;
    default:
      lanes.l[i] = value;
      lanes.l[i + 32] = (int64_t)value < 0 && bytes == 16 ? UINT64_MAX : 0;
    }
  if (bytes < 8)
    value &= (UINT64_C(1) << 8 * bytes) - 1;
  *o = (struct emu_operand){.kind = EMU_OPERAND_VALUE,
                            .base = EMU_BASE_POOL,
                            .bytes = (uint8_t)bytes,
                            .immediate = 1,
                            .value = value};
  o->offset = emu_pool_constant(d, &lanes, bytes * 32);
  return true;
}

bool emu_bind_constant(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, uint64_t value,
                       unsigned bytes) {
  return bind_constant_to(d, &out->operand[slot], value, bytes);
}

static uint32_t frame_place(struct emu_code_function *f, uint32_t bytes) {
  uint32_t at = f->frame_bytes;
  f->frame_bytes += (bytes + 63) & ~63u;
  return at;
}

bool emu_bind_scratch(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned bytes) {
  out->operand[slot] = (struct emu_operand){.kind = EMU_OPERAND_VALUE,
                                            .base = EMU_BASE_FRAME,
                                            .bytes = (uint8_t)bytes,
                                            .offset = frame_place(d->function, bytes * 32)};
  return true;
}

uint32_t emu_frame_constant(struct emu_decoder *d, struct emu_frame_constant wanted) {
  struct emu_code_function *f = d->function;
  for (uint32_t i = 0; i < f->constant_count; i++) {
    const struct emu_frame_constant *c = &f->constants[i];
    if (c->kind == wanted.kind && c->which == wanted.which && c->value == wanted.value &&
        c->bytes == wanted.bytes)
      return c->offset;
  }
  f->constants = emu_arena_grow(d->program->arena, f->constants, sizeof *f->constants, f->constant_count,
                                &f->constant_capacity);
  if (!f->constants) {
    d->no_memory = true;
    f->constant_count = 0;
    f->constant_capacity = 0;
    return 0;
  }
  wanted.offset = frame_place(f, wanted.bytes * 32);
  f->constants[f->constant_count++] = wanted;
  return wanted.offset;
}

static bool bind_symbol(struct emu_decoder *d, struct emu_operand *o, const struct emu_syntax *s,
                        unsigned bytes) {
  const struct emu_symbol *v = s->symbol;
  if (v->kind == EMU_SYMBOL_FUNCTION)
    return bind_constant_to(d, o, EMU_WINDOW_CODE + v->index * 16 + 16, bytes ? bytes : 8);
  if (!bytes)
    bytes = 8;
  switch (v->space) {
  case EMU_VARIABLE_GLOBAL:
  case EMU_VARIABLE_CONST:
    if (!v->address)
      return complain(d, "a variable that is not defined in this module");
    return bind_constant_to(d, o, v->address + s->value, bytes);
  case EMU_VARIABLE_SHARED:
    return bind_constant_to(d, o, v->address + s->value, bytes);
  case EMU_VARIABLE_LOCAL:
  case EMU_VARIABLE_PARAM:
    break;
  }
  uint64_t at = v->kernel_parameter ? v->address : d->function->variable_offset[v->index];
  if (v->kernel_parameter || d->function == d->program->functions)
    return bind_constant_to(d, o, at + s->value, bytes);
  struct emu_frame_constant wanted = {.kind = EMU_CONSTANT_LOCAL, .value = at + s->value, .bytes = bytes};
  *o = (struct emu_operand){.kind = EMU_OPERAND_VALUE, .base = EMU_BASE_FRAME, .bytes = (uint8_t)bytes};
  o->offset = emu_frame_constant(d, wanted);
  return true;
}

static bool bind_register(struct emu_decoder *d, struct emu_operand *o, const struct emu_symbol *r,
                          unsigned bytes) {
  unsigned own = emu_type_bytes(r->type) == 1 ? 2 : emu_type_bytes(r->type);
  if (r->type == EMU_PRED)
    return complain(d, "a predicate where a value is needed");
  if (bytes && own != bytes)
    return complain(d, "a register of another width than the instruction's");
  *o = (struct emu_operand){.kind = EMU_OPERAND_VALUE,
                            .base = EMU_BASE_FRAME,
                            .bytes = (uint8_t)own,
                            .offset = d->function->register_offset[r->index]};
  return true;
}

static bool bind_float(struct emu_decoder *d, struct emu_operand *o, const struct emu_syntax *s,
                       unsigned bytes) {
  double wide;
  float narrow;
  uint64_t bits = 0;
  if (!bytes)
    bytes = s->bytes;
  if (s->bytes == bytes) {
    bits = s->value;
  } else if (s->bytes == 8 && bytes == 4) {
    memcpy(&wide, &s->value, sizeof wide);
    narrow = (float)wide;
    memcpy(&bits, &narrow, sizeof narrow);
  } else if (s->bytes == 4 && bytes == 8) {
    memcpy(&narrow, &s->value, sizeof narrow);
    wide = narrow;
    memcpy(&bits, &wide, sizeof bits);
  } else {
    return complain(d, "a floating constant for an operand of this width");
  }
  return bind_constant_to(d, o, bits, bytes);
}

static uint32_t sink_of(struct emu_decoder *d) {
  if (!d->function->sink)
    d->function->sink = frame_place(d->function, 512);
  return d->function->sink;
}

static bool bind_value_to(struct emu_decoder *d, struct emu_operand *o, const struct emu_syntax *s,
                          unsigned bytes) {
  if (!s)
    return complain(d, "an operand is missing");
  if (s->inverted)
    return complain(d, "'!' before a value");
  switch (s->kind) {
  case EMU_SYNTAX_SYMBOL:
    return s->symbol->kind == EMU_SYMBOL_REGISTER ? bind_register(d, o, s->symbol, bytes)
                                                  : bind_symbol(d, o, s, bytes);
  case EMU_SYNTAX_INTEGER:
    return bind_constant_to(d, o, s->value, bytes ? bytes : 4);
  case EMU_SYNTAX_FLOAT:
    return bind_float(d, o, s, bytes);
  case EMU_SYNTAX_NAME:
    break;
  default:
    return complain(d, "a register or constant is needed");
  }
  if (!strcmp(s->name, "WARP_SZ"))
    return bind_constant_to(d, o, 32, bytes ? bytes : 4);
  if (!strcmp(s->name, "_")) {
    *o = (struct emu_operand){
        .kind = EMU_OPERAND_VALUE, .bytes = (uint8_t)(bytes ? bytes : 8), .offset = sink_of(d)};
    return true;
  }
  int which = emu_special_by_name(s->name);
  if (which < 0)
    return complain(d, "an operand that is neither register, constant nor known special register");
  if (which >= EMU_SPECIAL_RESERVED_BEGIN && which <= EMU_SPECIAL_RESERVED_1)
    d->program->uses_reserved_shared = true;
  if (!bytes)
    bytes = 4;
  *o = (struct emu_operand){.kind = EMU_OPERAND_VALUE, .base = EMU_BASE_FRAME, .bytes = (uint8_t)bytes};
  o->offset = emu_frame_constant(
      d, (struct emu_frame_constant){.kind = EMU_CONSTANT_SPECIAL, .which = (uint32_t)which, .bytes = bytes});
  return true;
}

bool emu_bind_value(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned index,
                    unsigned bytes) {
  return bind_value_to(d, &out->operand[slot], syntax_at(d, index), bytes);
}

bool emu_bind_values(struct emu_decoder *d, struct emu_instruction *out, unsigned count, unsigned bytes) {
  if (d->statement->operand_count != count)
    return complain(d, "another number of operands is needed");
  for (unsigned i = 0; i < count; i++)
    if (!emu_bind_value(d, out, i, i, bytes))
      return false;
  out->operand_count = (uint8_t)count;
  return true;
}

static bool bind_predicate_to(struct emu_decoder *d, struct emu_operand *o, const struct emu_syntax *s) {
  *o = (struct emu_operand){.kind = EMU_OPERAND_PREDICATE, .base = EMU_BASE_FRAME};
  if (!s)
    return complain(d, "a predicate is missing");
  if (s->kind == EMU_SYNTAX_NAME && !strcmp(s->name, "_")) {
    o->offset = sink_of(d);
    return true;
  }
  if (s->kind == EMU_SYNTAX_INTEGER) {
    uint32_t all = s->value ? UINT32_MAX : 0;
    o->base = EMU_BASE_POOL;
    o->offset = emu_pool_constant(d, &all, sizeof all);
    return true;
  }
  if (s->kind != EMU_SYNTAX_SYMBOL || s->symbol->kind != EMU_SYMBOL_REGISTER || s->symbol->type != EMU_PRED)
    return complain(d, "a predicate is needed");
  o->offset = d->function->register_offset[s->symbol->index];
  o->invert = s->inverted ? UINT32_MAX : 0;
  return true;
}

bool emu_bind_predicate(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned index) {
  return bind_predicate_to(d, &out->operand[slot], syntax_at(d, index));
}

bool emu_bind_carry(struct emu_decoder *d, struct emu_instruction *out, unsigned slot) {
  if (!d->function->carry)
    d->function->carry = frame_place(d->function, 4);
  out->operand[slot] = (struct emu_operand){
      .kind = EMU_OPERAND_PREDICATE, .base = EMU_BASE_FRAME, .offset = d->function->carry};
  return true;
}

bool emu_bind_address(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned index) {
  const struct emu_syntax *s = syntax_at(d, index);
  struct emu_operand *o = &out->operand[slot];
  if (!s || s->kind != EMU_SYNTAX_ADDRESS || s->list_count != 1)
    return complain(d, "an address is needed");
  const struct emu_syntax *base = &s->list[0];
  if (base->kind == EMU_SYNTAX_SYMBOL && base->symbol->kind == EMU_SYMBOL_VARIABLE &&
      base->symbol->space == EMU_VARIABLE_PARAM && out->space == EMU_SPACE_PARAM &&
      !base->symbol->kernel_parameter)
    out->space = EMU_SPACE_LOCAL; /* parameters of functions lie in the thread's stack */
  if (!bind_value_to(d, o, base, base->kind == EMU_SYNTAX_INTEGER ? 8 : 0))
    return false;
  if (o->bytes != 4 && o->bytes != 8)
    return complain(d, "an address of 32 or 64 bits is needed");
  o->kind = EMU_OPERAND_ADDRESS;
  o->displacement = (int64_t)s->value;
  return true;
}

bool emu_bind_vector(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned index,
                     unsigned bytes) {
  const struct emu_syntax *s = syntax_at(d, index);
  if (!s)
    return complain(d, "an operand is missing");
  bool listed = s->kind == EMU_SYNTAX_VECTOR || s->kind == EMU_SYNTAX_PAIR;
  uint32_t count = listed ? s->list_count : 1, first = 0;
  for (unsigned i = 0; i < EMU_OPERANDS; i++)
    if (i != slot && out->operand[i].kind == EMU_OPERAND_VECTOR &&
        out->operand[i].first + out->operand[i].count > first)
      first = out->operand[i].first + out->operand[i].count;
  struct emu_operand *elements = emu_arena_allocate(d->program->arena, (first + count) * sizeof *elements);
  if (!elements) {
    d->no_memory = true;
    return complain(d, "no memory");
  }
  if (first)
    memcpy(elements, out->elements, first * sizeof *elements);
  for (uint32_t i = 0; i < count; i++) {
    const struct emu_syntax *e = listed ? &s->list[i] : s;
    bool predicate =
        e->kind == EMU_SYNTAX_SYMBOL && e->symbol->kind == EMU_SYMBOL_REGISTER && e->symbol->type == EMU_PRED;
    if (!(predicate ? bind_predicate_to(d, &elements[first + i], e)
                    : bind_value_to(d, &elements[first + i], e, bytes)))
      return false;
  }
  out->elements = elements;
  out->operand[slot] =
      (struct emu_operand){.kind = EMU_OPERAND_VECTOR, .first = (uint16_t)first, .count = (uint16_t)count};
  return true;
}

bool emu_bind_label(struct emu_decoder *d, struct emu_instruction *out, unsigned slot, unsigned index) {
  const struct emu_syntax *s = syntax_at(d, index);
  const struct emu_label *l =
      s && s->kind == EMU_SYNTAX_NAME ? emu_find_label(d->statement->scope, s->name) : NULL;
  if (!l || l->list)
    return complain(d, "a label is needed");
  out->operand[slot] =
      (struct emu_operand){.kind = EMU_OPERAND_LABEL, .target = d->function->first + l->target};
  return true;
}
