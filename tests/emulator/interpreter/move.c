/* mov, including packing and unpacking of vectors, clocks; prmt; cvta and isspacep. */
#include "each_lane.h"

#include "../scheduler/block.h"

#include <string.h>

#define COPY(name, type)                                                                                     \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_EACH_LANE(d, mask, a[i]);                                                                            \
  }
COPY(move_16, uint16_t)
COPY(move_32, uint32_t)
COPY(move_64, uint64_t)
EMU_HANDLER(move_128) {
  EMU_VALUES(uint64_t, d, 0);
  EMU_VALUES(const uint64_t, a, 1);
  EMU_EACH_LANE(d, mask, a[i]);
  EMU_EACH_LANE(d + EMU_LANES, mask, a[EMU_LANES + i]);
}

EMU_HANDLER(move_predicate) {
  emu_set_predicate(w, &in->operand[0], emu_predicate(w, &in->operand[1]), mask);
}

static void get_bytes(const struct emu_operand *o, const unsigned char *at, unsigned lane, unsigned char *to,
                      unsigned bytes) {
  if (o->bytes != 16) {
    memcpy(to, at + lane * o->bytes, bytes);
    return;
  }
  memcpy(to, at + lane * 8, 8);
  memcpy(to + 8, at + EMU_LANES * 8 + lane * 8, 8);
}

static void put_bytes(const struct emu_operand *o, unsigned char *at, unsigned lane,
                      const unsigned char *from, unsigned bytes) {
  uint64_t wide = 0;
  if (o->bytes == 16) {
    memcpy(at + lane * 8, from, 8);
    memcpy(at + EMU_LANES * 8 + lane * 8, from + 8, 8);
    return;
  }
  memcpy(&wide, from, bytes);
  memcpy(at + lane * o->bytes, &wide, o->bytes);
}

/* {a, b} = c or c = {a, b}: option[0] is the width of one element. */
EMU_HANDLER(move_vector) {
  const struct emu_operand *from = &in->operand[1], *to = &in->operand[0];
  unsigned bytes = in->option[0];
  unsigned count = from->kind == EMU_OPERAND_VECTOR ? from->count : to->count;
  EMU_FOR_LANES (lane, mask) {
    unsigned char value[32];
    for (unsigned k = 0; k < count; k++) {
      if (from->kind != EMU_OPERAND_VECTOR)
        break;
      const struct emu_operand *e = &in->elements[from->first + k];
      get_bytes(e, EMU_OPERAND_AT(w, e), lane, value + k * bytes, bytes);
    }
    if (from->kind != EMU_OPERAND_VECTOR)
      get_bytes(from, EMU_OPERAND_AT(w, from), lane, value, bytes * count);
    if (to->kind != EMU_OPERAND_VECTOR) {
      put_bytes(to, EMU_OPERAND_AT(w, to), lane, value, bytes * count);
      continue;
    }
    for (unsigned k = 0; k < count; k++) {
      const struct emu_operand *e = &in->elements[to->first + k];
      put_bytes(e, EMU_OPERAND_AT(w, e), lane, value + k * bytes, bytes);
    }
  }
}

/* Clocks count: they only ever grow, and the same run gives the same values. */
EMU_HANDLER(move_clock) {
  static _Thread_local uint64_t clock;
  uint64_t now = clock += 16;
  EMU_FOR_LANES (lane, mask) {
    uint64_t value = in->option[0] == 3 ? now * 1000 : in->option[0] == 2 ? now >> 32 : now;
    if (in->operand[0].bytes == 8)
      emu_u64(w, &in->operand[0])[lane] = value;
    else
      emu_u32(w, &in->operand[0])[lane] = (uint32_t)value;
  }
  w->worker->clocked = true;
  emu_warp_polls(w);
}

static int clock_named(const char *name) {
  static const char *const names[] = {"%clock",       "%clock64",        "%clock_hi",
                                      "%globaltimer", "%globaltimer_lo", "%globaltimer_hi"};
  static const int kinds[] = {1, 1, 2, 3, 3, 2};
  for (int i = 0; i < 6; i++)
    if (!strcmp(name, names[i]))
      return kinds[i];
  return 0;
}

static enum emu_decode_result decode_pack(struct emu_decoder *d, struct emu_instruction *out,
                                          unsigned bytes) {
  bool packs = emu_vector_length(d, 1) > 0;
  unsigned count = emu_vector_length(d, packs ? 1 : 0);
  if (emu_vector_length(d, packs ? 0 : 1) || (count != 2 && count != 4))
    return emu_refuse(d, "a vector on one side is needed");
  out->run = move_vector;
  out->option[0] = bytes / count;
  bool bound = packs ? emu_bind_value(d, out, 0, 0, bytes) &&
                           emu_bind_vector(d, out, 1, 1, bytes / count < 2 ? 0 : bytes / count)
                     : emu_bind_vector(d, out, 0, 0, bytes / count < 2 ? 0 : bytes / count) &&
                           emu_bind_value(d, out, 1, 1, bytes);
  return bound ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_mov(struct emu_decoder *d, struct emu_instruction *out) {
  enum emu_type type = emu_take_type(d);
  unsigned bytes = emu_type_bytes(type);
  out->class = EMU_CLASS_INTEGER;
  if (type == EMU_PRED) {
    out->run = move_predicate;
    return emu_bind_predicate(d, out, 0, 0) && emu_bind_predicate(d, out, 1, 1) ? EMU_DECODED
                                                                                : EMU_UNSUPPORTED;
  }
  if (emu_vector_length(d, 0) || emu_vector_length(d, 1))
    return decode_pack(d, out, bytes);
  int clock = clock_named(emu_operand_name(d, 1));
  if (clock) {
    out->run = move_clock;
    out->option[0] = (uint32_t)clock;
    return emu_bind_value(d, out, 0, 0, bytes) ? EMU_DECODED : EMU_UNSUPPORTED;
  }
  out->run = bytes == 2    ? move_16
             : bytes == 4  ? move_32
             : bytes == 8  ? move_64
             : bytes == 16 ? move_128
                           : NULL;
  return emu_decode_values(d, out, out->run, 2, bytes, EMU_CLASS_INTEGER);
}

/* prmt: each result byte is one of the eight source bytes, or that byte's sign. */
EMU_HANDLER(run_prmt) {
  EMU_VALUES(uint32_t, d, 0);
  EMU_VALUES(const uint32_t, a, 1);
  EMU_VALUES(const uint32_t, b, 2);
  EMU_VALUES(const uint32_t, c, 3);
  EMU_FOR_LANES (lane, mask) {
    uint64_t both = (uint64_t)b[lane] << 32 | a[lane];
    uint32_t result = 0;
    for (int k = 0; k < 4; k++) {
      uint32_t selector = c[lane] >> 4 * k & 15;
      uint32_t byte = both >> 8 * (selector & 7) & 0xff;
      if (selector & 8)
        byte = byte & 0x80 ? 0xff : 0;
      result |= byte << 8 * k;
    }
    d[lane] = result;
  }
}

/* prmt with a mode: the selector's two low bits choose among four fixed patterns. */
EMU_HANDLER(run_prmt_mode) {
  static const uint16_t patterns[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, /* f4e */
      {0x5670, 0x6701, 0x7012, 0x0123}, /* b4e */
      {0x0000, 0x1111, 0x2222, 0x3333}, /* rc8 */
      {0x3210, 0x3211, 0x3222, 0x3333}, /* ecl */
      {0x0000, 0x1110, 0x2210, 0x3210}, /* ecr */
      {0x1010, 0x3232, 0x1010, 0x3232}, /* rc16 */
  };
  EMU_VALUES(uint32_t, d, 0);
  EMU_VALUES(const uint32_t, a, 1);
  EMU_VALUES(const uint32_t, b, 2);
  EMU_VALUES(const uint32_t, c, 3);
  EMU_FOR_LANES (lane, mask) {
    uint64_t both = (uint64_t)b[lane] << 32 | a[lane];
    uint32_t pattern = patterns[in->option[0]][c[lane] & 3], result = 0;
    for (int k = 0; k < 4; k++)
      result |= (uint32_t)(both >> 8 * (pattern >> 4 * k & 7) & 0xff) << 8 * k;
    d[lane] = result;
  }
}

static enum emu_decode_result decode_prmt(struct emu_decoder *d, struct emu_instruction *out) {
  static const char *const modes[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16", NULL};
  int mode = emu_take_one(d, modes);
  out->option[0] = (uint32_t)mode;
  if (emu_take_type(d) != EMU_B32)
    return emu_refuse(d, ".b32 is needed");
  return emu_decode_values(d, out, mode < 0 ? run_prmt : run_prmt_mode, 4, 4, EMU_CLASS_INTEGER);
}

static uint64_t window_of(enum emu_space space) {
  return space == EMU_SPACE_SHARED  ? EMU_WINDOW_SHARED
         : space == EMU_SPACE_LOCAL ? EMU_WINDOW_LOCAL
         : space == EMU_SPACE_PARAM ? EMU_WINDOW_PARAM
                                    : 0;
}

EMU_HANDLER(add_window) {
  EMU_FOR_LANES (lane, mask) {
    uint64_t address = emu_lane_value(w, &in->operand[1], lane);
    uint64_t window = window_of((enum emu_space)in->space);
    emu_u64(w, &in->operand[0])[lane] = window ? window + (uint32_t)address : address;
  }
}

EMU_HANDLER(drop_window) {
  bool window = window_of((enum emu_space)in->space) != 0;
  EMU_FOR_LANES (lane, mask) {
    uint64_t address = emu_lane_value(w, &in->operand[1], lane);
    address = window ? (uint32_t)address : address;
    if (in->operand[0].bytes == 8)
      emu_u64(w, &in->operand[0])[lane] = address;
    else
      emu_u32(w, &in->operand[0])[lane] = (uint32_t)address;
  }
}

static enum emu_decode_result decode_cvta(struct emu_decoder *d, struct emu_instruction *out) {
  bool to = emu_take(d, "to");
  emu_take_space(d, out);
  unsigned bytes = emu_type_bytes(emu_take_type(d));
  out->class = EMU_CLASS_INTEGER;
  if (!window_of((enum emu_space)out->space) && bytes == 8)
    out->run = move_64;
  else
    out->run = to ? drop_window : bytes == 8 ? add_window : NULL;
  if (!out->run)
    return emu_refuse(d, "64-bit generic addresses are needed");
  return emu_bind_value(d, out, 0, 0, bytes) && emu_bind_value(d, out, 1, 1, bytes) ? EMU_DECODED
                                                                                    : EMU_UNSUPPORTED;
}

EMU_HANDLER(run_isspacep) {
  uint32_t result = 0;
  uint32_t own = emu_cluster_rank(w) + 1;
  EMU_FOR_LANES (lane, mask) {
    uint64_t address = emu_lane_value(w, &in->operand[1], lane);
    enum emu_space space = emu_space_of(address);
    bool is =
        space == (enum emu_space)in->space || (in->space == EMU_SPACE_CONST && emu_is_constant(address));
    uint32_t block = (uint32_t)address >> 24;
    if (is && in->space == EMU_SPACE_SHARED && in->option[0])
      is = block == 0 || block == own;
    result |= (uint32_t)is << lane;
  }
  emu_set_predicate(w, &in->operand[0], result, mask);
}

static enum emu_decode_result decode_isspacep(struct emu_decoder *d, struct emu_instruction *out) {
  out->option[0] = !emu_has(d, "shared::cluster"); /* of the own block only */
  emu_take_space(d, out);
  if (out->space == EMU_SPACE_GENERIC)
    return emu_refuse(d, "a state space is needed");
  out->run = run_isspacep;
  out->class = EMU_CLASS_INTEGER;
  return emu_bind_predicate(d, out, 0, 0) && emu_bind_value(d, out, 1, 1, 8) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"mov", decode_mov},           {"prmt", decode_prmt}, {"cvta", decode_cvta},
    {"isspacep", decode_isspacep}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_move) = {"move", opcodes};
