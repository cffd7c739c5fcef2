/* Values that are undefined because a shuffle read a lane which takes no part in it. To read such a lane is
 * no fault - a reduction over a part of a warp does it in vain -, to use the value is: as an address, in a
 * branch, in memory, in a vote. So it is followed through the registers of the warp, lane by lane, until it
 * is used or overwritten. What goes through local memory is lost sight of. */
#include "order.h"
#include "report.h"

#include <stdlib.h>

struct undefined_value {
  const void *place; /* of the register: its 32 values, or a predicate's bits */
  uint32_t lanes;
  const struct emu_instruction *shuffle;
  uint32_t members;
  uint8_t source[EMU_LANES]; /* the lane that each lane's value was read from */
};

struct emu_undefined {
  uint32_t count, capacity;
  struct undefined_value values[];
};

static struct undefined_value *find(const struct emu_warp *w, const void *place) {
  struct emu_undefined *u = w->undefined;
  for (uint32_t i = 0; u && i < u->count; i++)
    if (u->values[i].place == place)
      return &u->values[i];
  return NULL;
}

static void add(struct emu_warp *w, const struct undefined_value *value) {
  struct undefined_value *old = find(w, value->place);
  struct emu_undefined *u = w->undefined;
  if (old) {
    old->lanes |= value->lanes;
    old->shuffle = value->shuffle;
    old->members = value->members;
    EMU_FOR_LANES (lane, value->lanes)
      old->source[lane] = value->source[lane];
    return;
  }
  if (!u || u->count == u->capacity) {
    uint32_t wanted = u ? u->capacity * 2 : 8;
    struct emu_undefined *grown = realloc(u, sizeof *grown + wanted * sizeof grown->values[0]);
    if (!grown)
      return;
    grown->count = u ? grown->count : 0;
    grown->capacity = wanted;
    w->undefined = u = grown;
  }
  u->values[u->count++] = *value;
}

/* Lanes of a register that hold something else from now on. */
static void overwrite(struct emu_warp *w, const void *place, uint32_t lanes) {
  struct undefined_value *v = find(w, place);
  if (!v || (v->lanes &= ~lanes))
    return;
  *v = w->undefined->values[--w->undefined->count];
  if (!w->undefined->count)
    emu_undefined_forget(w);
}

void emu_undefined_forget(struct emu_warp *w) {
  free(w->undefined);
  w->undefined = NULL;
}

typedef void visit(struct emu_warp *w, const void *place, void *context);

static void each_register(struct emu_warp *w, const struct emu_instruction *in, const struct emu_operand *o,
                          visit *visit, void *context) {
  if (o->kind == EMU_OPERAND_VECTOR)
    for (uint32_t i = 0; i < o->count; i++)
      each_register(w, in, &in->elements[o->first + i], visit, context);
  else if (o->kind == EMU_OPERAND_VALUE || o->kind == EMU_OPERAND_PREDICATE || o->kind == EMU_OPERAND_ADDRESS)
    visit(w, EMU_OPERAND_AT(w, o), context);
}

/* What of an instruction's sources is undefined. */
struct sources {
  uint32_t lanes;
  struct undefined_value example;
};

static void gather(struct emu_warp *w, const void *place, void *context) {
  struct sources *s = context;
  const struct undefined_value *v = find(w, place);
  if (!v)
    return;
  s->lanes |= v->lanes;
  s->example = *v;
}

struct change {
  uint32_t clear;
  const struct sources *sources;
};

static void change_result(struct emu_warp *w, const void *place, void *context) {
  const struct change *c = context;
  overwrite(w, place, c->clear);
  if (!c->sources->lanes)
    return;
  struct undefined_value value = c->sources->example;
  value.place = place;
  value.lanes = c->sources->lanes;
  add(w, &value);
}

/* False after a report that ends the launch. */
static bool report_use(struct emu_warp *w, const struct emu_instruction *in, const struct sources *s) {
  const struct emu_place *place = &w->launch->program->places[in->place];
  const struct undefined_value *v = &s->example;
  unsigned lane = (unsigned)__builtin_ctz(s->lanes);
  char used[300];
  if (place->file[0])
    snprintf(used, sizeof used, "%s:%u", place->file, place->line);
  else
    snprintf(used, sizeof used, "PTX line %u", in->line);
  bool goes_on = !emu_finding(
      w, v->shuffle, lane,
      "warp synchronisation: shfl reads lane %u, which takes no part in it (member mask 0x%08x), and "
      "the value is used at %s",
      v->source[lane], v->members, used);
  if (goes_on) {
    const void *where = v->place;
    overwrite(w, where, EMU_ALL_LANES);
  }
  return goes_on;
}

static bool computes(const struct emu_instruction *in) {
  return in->class <= EMU_CLASS_CONVERSION || in->class == EMU_CLASS_CONSTANT;
}

/* selp: the lanes whose chosen value or predicate is undefined. */
static struct sources chosen(struct emu_warp *w, const struct emu_instruction *in) {
  uint32_t first = emu_predicate(w, &in->operand[3]);
  struct sources all = {0}, one;
  for (unsigned i = 1; i <= 3; i++) {
    one = (struct sources){0};
    each_register(w, in, &in->operand[i], gather, &one);
    one.lanes &= i == 1 ? first : i == 2 ? ~first : EMU_ALL_LANES;
    all = one.lanes ? (struct sources){all.lanes | one.lanes, one.example} : all;
  }
  return all;
}

bool emu_undefined_before(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  struct sources guard = {0}, sources = {0};
  if (in->guard != EMU_NO_GUARD)
    gather(w, w->base[EMU_BASE_FRAME] + in->guard, &guard);
  guard.lanes &= w->active;
  bool plain = computes(in), loads = in->flags & EMU_FLAG_LOADS;
  if (in->flags & EMU_FLAG_SHUFFLES)
    mask &= guard.lanes; /* the shuffle itself says what becomes of its values */
  if (guard.lanes && !plain)
    return report_use(w, in, &guard);
  if (in->flags & EMU_FLAG_SHUFFLES)
    return true;
  if (in->flags & EMU_FLAG_SELECTS)
    sources = chosen(w, in);
  else
    for (unsigned i = plain || loads ? 1 : 0; i < EMU_OPERANDS; i++)
      each_register(w, in, &in->operand[i], gather, &sources);
  sources.lanes &= mask;
  if (sources.lanes && !plain && in->space != EMU_SPACE_LOCAL)
    return report_use(w, in, &sources);
  if (!plain && !loads)
    return true;
  if (!plain)
    sources.lanes = 0;
  if (guard.lanes) /* whether the result is written is not known */
    sources = (struct sources){sources.lanes | guard.lanes, guard.example};
  struct change change = {mask & ~sources.lanes, &sources};
  each_register(w, in, &in->operand[0], change_result, &change);
  return true;
}

void emu_undefined_shuffled(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask,
                            const void *to, const void *from, const uint8_t sources[EMU_LANES],
                            const uint32_t members[EMU_LANES]) {
  const struct undefined_value *there = find(w, from);
  struct undefined_value old = there ? *there : (struct undefined_value){0};
  if (!w->launch->checks)
    return;
  overwrite(w, to, mask);
  EMU_FOR_LANES (lane, mask) {
    uint32_t source = sources[lane];
    bool takes_part = members[lane] >> source & mask >> source & 1;
    struct undefined_value value = {
        .place = to, .lanes = 1u << lane, .shuffle = in, .members = members[lane]};
    value.source[lane] = (uint8_t)source;
    if (takes_part && !(old.lanes >> source & 1))
      continue;
    if (takes_part) {
      value.shuffle = old.shuffle;
      value.members = old.members;
      value.source[lane] = old.source[source];
    }
    add(w, &value);
  }
}
