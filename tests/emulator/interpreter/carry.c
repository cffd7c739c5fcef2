/* Instructions that pass a carry on: add.cc, addc, sub.cc, subc, mad.cc, madc. operand[4] is the carry, a
 * predicate. */
#include "lanes.h"

/* option[0]: these; option[1]: enum part */
enum { TAKES = 1, GIVES = 2, SUBTRACTS = 4 };
enum part { SUM, LOW, HIGH };

static uint64_t value_at(struct emu_warp *w, const struct emu_instruction *in, unsigned slot, unsigned lane) {
  return emu_lane_value(w, &in->operand[slot], lane);
}

static void run(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t kind = in->option[0];
  const unsigned bits = 8 * in->operand[0].bytes;
  const uint32_t before = kind & TAKES ? emu_predicate(w, &in->operand[4]) : 0;
  uint32_t after = 0;
  EMU_FOR_LANES (lane, mask) {
    uint64_t a = value_at(w, in, 1, lane), b = value_at(w, in, 2, lane);
    const uint64_t c = before >> lane & 1;
    if (in->option[1] != SUM) {
      unsigned __int128 product = (unsigned __int128)a * b;
      if (in->option[2]) { /* signed */
        const unsigned unused = 64 - bits;
        product = (unsigned __int128)((__int128)((int64_t)(a << unused) >> unused) *
                                      ((int64_t)(b << unused) >> unused));
      }
      a = (uint64_t)(in->option[1] == HIGH ? product >> bits : product) & (~UINT64_C(0) >> (64 - bits));
      b = value_at(w, in, 3, lane);
    }
    const unsigned __int128 sum =
        kind & SUBTRACTS ? (unsigned __int128)a - b - c : (unsigned __int128)a + b + c;
    after |= (uint32_t)(sum >> bits & 1) << lane;
    if (bits == 64)
      emu_u64(w, &in->operand[0])[lane] = (uint64_t)sum;
    else
      emu_u32(w, &in->operand[0])[lane] = (uint32_t)sum;
  }
  if (kind & GIVES)
    emu_set_predicate(w, &in->operand[4], after, mask);
}

/* ---- Decoding ---- */

static enum emu_decode_result decode_carry(struct emu_decoder *decoder, struct emu_instruction *out,
                                           uint32_t kind, bool multiplies) {
  static const char *const parts[] = {"lo", "hi", NULL};
  if (emu_take(decoder, "cc"))
    kind |= GIVES;
  if (!(kind & (GIVES | TAKES)))
    return EMU_NOT_MINE;
  const enum emu_type type = emu_take_type(decoder);
  const unsigned bytes = emu_type_bytes(type);
  if (type != EMU_U32 && type != EMU_S32 && type != EMU_U64 && type != EMU_S64)
    return EMU_UNSUPPORTED;
  if (multiplies) {
    const int part = emu_take_one(decoder, parts);
    if (part < 0)
      return EMU_UNSUPPORTED;
    out->option[1] = part ? HIGH : LOW;
    out->option[2] = emu_type_signed(type);
  }
  out->option[0] = kind;
  out->class = EMU_CLASS_INTEGER;
  out->run = run;
  return emu_bind_values(decoder, out, multiplies ? 4 : 3, bytes) && emu_bind_carry(decoder, out, 4)
             ? EMU_DECODED
             : EMU_UNSUPPORTED;
}

#define DECODE(name, kind, multiplies)                                                                       \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return decode_carry(decoder, out, kind, multiplies);                                                     \
  }
DECODE(add, 0, false)
DECODE(addc, TAKES, false)
DECODE(sub, SUBTRACTS, false)
DECODE(subc, SUBTRACTS | TAKES, false)
DECODE(mad, 0, true)
DECODE(madc, TAKES, true)

static const struct emu_opcode_entry opcodes[] = {
    {"add", decode_add}, {"addc", decode_addc}, {"sub", decode_sub}, {"subc", decode_subc},
    {"mad", decode_mad}, {"madc", decode_madc}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_carry) = {"carry", opcodes};
