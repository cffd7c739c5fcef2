/* The plain read in front of a compare-and-swap loop, as the programming guide writes it:
 *   old = *address; do { assumed = old; old = atomicCAS(address, assumed, f(assumed)); } while (assumed !=
 *   old);
 * What it reads is only compared, so that an older value does no harm. Such a read is found by its form: it
 * reads the very address (register and displacement) of an atom.cas of the same function and width, and what
 * it reads gets to the value compared. */
#include "build.h"

#include <stdlib.h>
#include <string.h>

/* Registers, by place in the frame, 64 bytes apart. */
struct reached {
  unsigned char *set;
  uint32_t count;
};

static bool has(const struct reached *r, const struct emu_operand *o) {
  return o->kind == EMU_OPERAND_VALUE && o->base == EMU_BASE_FRAME && o->offset / 64 < r->count &&
         r->set[o->offset / 64];
}

/* True if it is new. */
static bool reach(struct reached *r, const struct emu_operand *o) {
  if (o->kind != EMU_OPERAND_VALUE || o->base != EMU_BASE_FRAME || o->offset / 64 >= r->count ||
      r->set[o->offset / 64])
    return false;
  r->set[o->offset / 64] = 1;
  return true;
}

/* Follows a value from register to register, as it is or converted. */
static void follow(const struct emu_program *p, const struct emu_code_function *f, struct reached *r) {
  for (bool more = true; more;) {
    more = false;
    for (uint32_t i = f->first; i < f->first + f->count; i++) {
      const struct emu_instruction *in = &p->code[i];
      bool moves = in->class == EMU_CLASS_INTEGER || in->class == EMU_CLASS_CONVERSION;
      bool swap = in->flags & EMU_FLAG_COMPARES; /* what it gives is what is compared next */
      for (unsigned k = 1; k < EMU_OPERANDS && moves && !swap; k++)
        if (has(r, &in->operand[k]))
          more = reach(r, &in->operand[0]) || more;
    }
  }
}

/* The constant that an address's register holds throughout: it has one definition, of a constant. */
static bool constant_of(const struct emu_program *p, const struct emu_code_function *f,
                        const struct emu_operand *o, uint64_t *value) {
  const struct emu_instruction *definition = NULL;
  *value = 0;
  if (o->base == EMU_BASE_POOL) {
    memcpy(value, p->pool + o->offset, o->bytes);
    return true;
  }
  for (uint32_t i = f->first; i < f->first + f->count; i++) {
    const struct emu_instruction *in = &p->code[i];
    if (in->operand[0].kind != EMU_OPERAND_VALUE || in->operand[0].base != EMU_BASE_FRAME ||
        in->operand[0].offset != o->offset)
      continue;
    if (definition)
      return false;
    definition = in;
  }
  if (!definition || !definition->operand[1].immediate || definition->operand[2].kind != EMU_OPERAND_NONE)
    return false;
  *value = definition->operand[1].value;
  return true;
}

static bool same_place(const struct emu_program *p, const struct emu_code_function *f,
                       const struct emu_operand *a, const struct emu_operand *b) {
  uint64_t x, y;
  if (a->kind != EMU_OPERAND_ADDRESS || b->kind != EMU_OPERAND_ADDRESS)
    return false;
  if (a->base == b->base && a->offset == b->offset)
    return a->displacement == b->displacement;
  return constant_of(p, f, a, &x) && constant_of(p, f, b, &y) &&
         x + (uint64_t)a->displacement == y + (uint64_t)b->displacement;
}

static bool is_first_look(const struct emu_program *p, const struct emu_code_function *f,
                          const struct emu_instruction *load, struct reached *r) {
  const struct emu_operand *to = &load->operand[0];
  if (to->kind == EMU_OPERAND_VECTOR && to->count == 1)
    to = &load->elements[to->first];
  memset(r->set, 0, r->count);
  if (!reach(r, to))
    return false;
  follow(p, f, r);
  for (uint32_t i = f->first; i < f->first + f->count; i++) {
    const struct emu_instruction *in = &p->code[i];
    if (in->flags & EMU_FLAG_COMPARES && same_place(p, f, &in->operand[1], &load->operand[1]) &&
        in->operand[2].bytes == to->bytes && has(r, &in->operand[2]))
      return true;
  }
  return false;
}

bool emu_mark_first_looks(struct emu_program *p, const struct emu_code_function *f) {
  bool any = false;
  for (uint32_t i = f->first; i < f->first + f->count; i++)
    any = any || p->code[i].flags & EMU_FLAG_COMPARES;
  if (!any)
    return true;
  struct reached r = {calloc(f->frame_bytes / 64 + 1, 1), f->frame_bytes / 64 + 1};
  for (uint32_t i = f->first; r.set && i < f->first + f->count; i++)
    if (p->code[i].flags & EMU_FLAG_LOADS && is_first_look(p, f, &p->code[i], &r))
      p->code[i].flags |= EMU_FLAG_FIRST_LOOK;
  any = r.set != NULL;
  free(r.set);
  return any;
}
