/* ld and st, in all state spaces. */
#include "memory_lanes.h"
#include "memory_strong.h"

#include <string.h>

/* Whether a lane's registers hold something else than what it loads. */
static bool emu_transfer_differs(struct emu_warp *w, const struct emu_instruction *in,
                                 const struct emu_transfer *t, unsigned lane, unsigned part,
                                 const unsigned char *from) {
  for (unsigned at = 0; at < t->piece; at += t->element) {
    const struct emu_operand *o = &in->elements[in->operand[0].first + (part + at) / t->element];
    uint64_t value = emu_lane_value(w, o, lane);
    if (o->bytes > 8 || memcmp(&value, from + at, t->element < o->bytes ? t->element : o->bytes) != 0)
      return true;
  }
  return false;
}

/* Lanes one by one: any space, any pattern. */
static __attribute__((noinline)) void load_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                                 uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  uint64_t address[EMU_LANES];
  enum emu_space space = EMU_SPACE_GLOBAL;
  uint32_t done = 0, left = mask;
  bool changed = false;
  EMU_FOR_LANES (lane, mask) {
    address[lane] = emu_lane_address(w, &in->operand[1], lane);
    for (unsigned part = 0; part < t->bytes; part += t->piece) {
      const unsigned char *from =
          emu_access(w, in, (enum emu_space)in->space, address[lane] + part, t->piece, t->kind, lane);
      if (!from)
        return;
      changed =
          (t->kind & EMU_STRONG && !changed && emu_transfer_differs(w, in, t, lane, part, from)) || changed;
      emu_transfer_to_registers(w, in, t, lane, part, from);
      if (t->kind & EMU_STRONG)
        emu_transfer_order(w, t, lane, from);
    }
  }
  if (t->kind & EMU_STRONG) {
    emu_warp_polls(w);
    if (emu_count_look(w, in, address[__builtin_ctz(mask)], changed, mask))
      return;
  }
  while ((done = emu_same_space(in, address, left, &space))) {
    emu_count_access(w, in, space, address, t->bytes, EMU_READ, done);
    left &= ~done;
  }
}

static __attribute__((noinline)) void store_lanes(struct emu_warp *w, const struct emu_instruction *in,
                                                  uint32_t mask) {
  const struct emu_transfer *t = in->extra;
  uint64_t address[EMU_LANES];
  enum emu_space space = EMU_SPACE_GLOBAL;
  uint32_t done = 0, left = mask;
  EMU_FOR_LANES (lane, mask) {
    address[lane] = emu_lane_address(w, &in->operand[0], lane);
    for (unsigned part = 0; part < t->bytes; part += t->piece) {
      unsigned char value[16];
      emu_transfer_from_registers(w, in, t, lane, part, value);
      w->storing = t->kind & EMU_STRONG ? NULL : value;
      unsigned char *to =
          emu_access(w, in, (enum emu_space)in->space, address[lane] + part, t->piece, t->kind, lane);
      w->storing = NULL;
      if (!to)
        return;
      if (t->kind & EMU_STRONG)
        emu_transfer_order(w, t, lane, to);
      memcpy(to, value, t->piece);
    }
  }
  while ((done = emu_same_space(in, address, left, &space))) {
    emu_count_access(w, in, space, address, t->bytes, EMU_WRITE, done);
    left &= ~done;
  }
}

/* A parameter at a constant address: the same for all lanes. */
EMU_HANDLER(load_parameter) {
  const struct emu_transfer *t = in->extra;
  uint64_t at = emu_lane_address(w, &in->operand[1], 0);
  if (at > w->launch->program->parameter_bytes || at + t->bytes > w->launch->program->parameter_bytes ||
      at % t->piece) {
    load_lanes(w, in, mask);
    return;
  }
  if (!t->plain || mask != EMU_ALL_LANES) {
    EMU_FOR_LANES (lane, mask)
      for (unsigned part = 0; part < t->bytes; part += t->piece)
        emu_transfer_to_registers(w, in, t, lane, part, w->launch->arguments + at + part);
    return;
  }
  for (unsigned k = 0; k < t->count; k++) {
    const struct emu_operand *o = &in->elements[in->operand[0].first + k];
    const unsigned char *from = w->launch->arguments + at + k * t->element;
    if (o->bytes == 4) {
      uint32_t *r = emu_u32(w, o), value;
      memcpy(&value, from, sizeof value);
      for (int i = 0; i < EMU_LANES; i++)
        r[i] = value;
    } else {
      uint64_t *r = emu_u64(w, o), value;
      memcpy(&value, from, sizeof value);
      for (int i = 0; i < EMU_LANES; i++)
        r[i] = value;
    }
  }
}

/* Not inlined, so that the common cases need few registers and little of the stack. */
static __attribute__((noinline)) void load_elsewhere(struct emu_warp *w, const struct emu_instruction *in,
                                                     uint32_t mask) {
  if (in->flags & EMU_FLAG_FIRST_LOOK || !emu_load_scattered(w, in, mask))
    load_lanes(w, in, mask);
}

static __attribute__((noinline)) void store_elsewhere(struct emu_warp *w, const struct emu_instruction *in,
                                                      uint32_t mask) {
  if (!emu_store_scattered(w, in, mask))
    store_lanes(w, in, mask);
}

EMU_HANDLER(load) {
  if (mask != EMU_ALL_LANES || in->flags & EMU_FLAG_FIRST_LOOK || !emu_load_words(w, in))
    load_elsewhere(w, in, mask);
}

EMU_HANDLER(store) {
  if (mask != EMU_ALL_LANES || !emu_store_words(w, in))
    store_elsewhere(w, in, mask);
}

EMU_HANDLER(load_strong) {
  if (in->flags & EMU_FLAG_FIRST_LOOK || !emu_load_strong(w, in, mask))
    load_lanes(w, in, mask);
}

EMU_HANDLER(store_strong) {
  if (!emu_store_strong(w, in, mask))
    store_lanes(w, in, mask);
}

/* ---- Decoding ---- */

static void take_hints(struct emu_decoder *d) {
  static const char *const hints[] = {"ca",
                                      "cg",
                                      "cs",
                                      "lu",
                                      "cv",
                                      "wb",
                                      "wt",
                                      "nc",
                                      "L1::evict_normal",
                                      "L1::evict_unchanged",
                                      "L1::evict_first",
                                      "L1::evict_last",
                                      "L1::no_allocate",
                                      "L2::evict_normal",
                                      "L2::evict_first",
                                      "L2::evict_last",
                                      "L2::cache_hint",
                                      "L2::64B",
                                      "L2::128B",
                                      "L2::256B",
                                      "unified",
                                      NULL};
  while (emu_take_one(d, hints) >= 0)
    ;
}

/* .weak, .volatile, .relaxed.gpu, .acquire.cta ... */
static void take_ordering(struct emu_decoder *d, struct emu_instruction *out, struct emu_transfer *t) {
  static const char *const orders[] = {"weak", "volatile", "relaxed", "acquire", "release", "mmio", NULL};
  static const char *const scopes[] = {"cta", "cluster", "gpu", "sys", NULL};
  int order = emu_take_one(d, orders);
  if (order == 5)
    emu_take(d, "relaxed");
  int scope = emu_take_one(d, scopes);
  if (order <= 0)
    return;
  t->kind |= EMU_STRONG;
  t->scope = (uint8_t)(scope < 0 ? EMU_SYS : scope);
  t->acquires = order == 3;
  t->releases = order == 4;
  if (t->scope == EMU_CTA)
    t->kind |= EMU_SCOPE_BLOCK;
  if (t->scope == EMU_CLUSTER)
    t->kind |= EMU_SCOPE_CLUSTER;
  if (out->space == EMU_SPACE_GENERIC || out->space == EMU_SPACE_GLOBAL)
    out->flags |= EMU_FLAG_SERIAL | EMU_FLAG_SYNCHRONISES;
}

static void set_class(struct emu_instruction *out) {
  static const uint8_t classes[] = {
      [EMU_SPACE_GENERIC] = EMU_CLASS_GLOBAL, [EMU_SPACE_GLOBAL] = EMU_CLASS_GLOBAL,
      [EMU_SPACE_SHARED] = EMU_CLASS_SHARED,  [EMU_SPACE_LOCAL] = EMU_CLASS_LOCAL,
      [EMU_SPACE_CONST] = EMU_CLASS_CONSTANT, [EMU_SPACE_PARAM] = EMU_CLASS_CONSTANT};
  out->class = classes[out->space];
  if (out->space == EMU_SPACE_GENERIC)
    out->flags |= EMU_FLAG_ANY_SPACE;
}

static enum emu_decode_result decode(struct emu_decoder *d, struct emu_instruction *out, bool is_store) {
  static const char *const vectors[] = {"v2", "v4", "v8", NULL};
  struct emu_transfer *t = emu_arena_allocate(emu_decoder_arena(d), sizeof *t);
  if (!t || emu_has(d, "async"))
    return EMU_NOT_MINE;
  emu_take_space(d, out);
  t->kind = is_store ? EMU_WRITE : EMU_READ;
  take_ordering(d, out, t);
  if (emu_has(d, "nc"))
    t->kind |= EMU_NONCOHERENT;
  take_hints(d);
  int vector = emu_take_one(d, vectors);
  enum emu_type type = emu_take_type(d);
  t->element = (uint8_t)emu_type_bytes(type);
  t->count = (uint8_t)(vector < 0 ? 1 : 2 << vector);
  t->bytes = (uint8_t)(t->element * t->count);
  t->piece = t->bytes > 16 ? 16 : t->bytes;
  t->is_signed = emu_type_signed(type);
  if (!t->element || t->bytes > 32)
    return emu_refuse(d, "a type is needed, of at most 32 bytes in all");
  out->extra = t;
  unsigned data = is_store ? 1 : 0;
  unsigned width = t->element == 16 ? 16 : 0;
  if (!emu_bind_address(d, out, 1 - data, 1 - data))
    return EMU_UNSUPPORTED;
  if (!emu_bind_vector(d, out, data, data, width) || out->operand[data].count != t->count)
    return emu_refuse(d, "as many registers as elements are needed");
  for (unsigned i = 0; i < t->count; i++)
    if (out->elements[out->operand[data].first + i].kind != EMU_OPERAND_VALUE)
      return emu_refuse(d, "values are needed, no predicates");
  set_class(out);
  const bool strong = t->kind & EMU_STRONG;
  out->run = is_store ? (strong ? store_strong : store) : strong ? load_strong : load;
  if (!is_store)
    out->flags |= EMU_FLAG_LOADS;
  t->plain = emu_transfer_is_plain(out, t, data);
  if (!is_store && out->space == EMU_SPACE_PARAM && out->operand[1].immediate)
    out->run = load_parameter;
  return EMU_DECODED;
}

static enum emu_decode_result decode_load(struct emu_decoder *d, struct emu_instruction *out) {
  return decode(d, out, false);
}

static enum emu_decode_result decode_store(struct emu_decoder *d, struct emu_instruction *out) {
  return decode(d, out, true);
}

static const struct emu_opcode_entry opcodes[] = {
    {"ld", decode_load},
    {"ldu", decode_load},
    {"st", decode_store},
    {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_memory) = {"memory", opcodes};
