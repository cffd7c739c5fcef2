/* setp and set for f16, f16x2, bf16 and bf16x2. */
#include "interpreter.h"
#include "small_float.h"

enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };

/* A comparison is the set of outcomes it is true for. */
static const struct {
  const char *name;
  unsigned outcomes;
} comparisons[] = {
    {"eq", EQUAL},
    {"ne", LESS | GREATER},
    {"lt", LESS},
    {"le", LESS | EQUAL},
    {"gt", GREATER},
    {"ge", GREATER | EQUAL},
    {"equ", EQUAL | UNORDERED},
    {"neu", LESS | GREATER | UNORDERED},
    {"ltu", LESS | UNORDERED},
    {"leu", LESS | EQUAL | UNORDERED},
    {"gtu", GREATER | UNORDERED},
    {"geu", GREATER | EQUAL | UNORDERED},
    {"num", LESS | EQUAL | GREATER},
    {"nan", UNORDERED},
};

static const char *const boolean_names[] = {"and", "or", "xor", NULL};
enum boolean { AND, OR, XOR, NO_BOOLEAN };

/* option[0]: outcomes; option[1]: format, | 256 with .ftz; option[2]: enum boolean; option[3]: what set
 * writes as true */
enum { FTZ_BIT = 256 };

static unsigned outcome(enum emu_float_format format, bool flushes, uint16_t a, uint16_t b) {
  if (flushes) {
    a = (uint16_t)emu_float_flush(format, a);
    b = (uint16_t)emu_float_flush(format, b);
  }
  const float x = format == EMU_FORMAT_F16 ? emu_half_to_float(a) : emu_bfloat_to_float(a);
  const float y = format == EMU_FORMAT_F16 ? emu_half_to_float(b) : emu_bfloat_to_float(b);
  return x < y ? LESS : x > y ? GREATER : x == y ? EQUAL : UNORDERED;
}

/* Lane masks of where the comparison holds: of the low (or only) values and of the high ones. */
static void compare(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, uint32_t truth[2]) {
  const enum emu_float_format format = (enum emu_float_format)(in->option[1] & 255);
  const bool flushes = in->option[1] & FTZ_BIT;
  const unsigned count = in->operand[1].bytes == 4 ? 2 : 1;
  const uint16_t *a = emu_u16(w, &in->operand[1]), *b = emu_u16(w, &in->operand[2]);
  truth[0] = truth[1] = 0;
  EMU_FOR_LANES (lane, mask)
    for (unsigned i = 0; i < count; i++)
      if (outcome(format, flushes, a[lane * count + i], b[lane * count + i]) & in->option[0])
        truth[i] |= 1u << lane;
}

static uint32_t combine(struct emu_warp *w, const struct emu_instruction *in, uint32_t truth) {
  switch (in->option[2]) {
  case AND:
    return truth & emu_predicate(w, &in->operand[3]);
  case OR:
    return truth | emu_predicate(w, &in->operand[3]);
  case XOR:
    return truth ^ emu_predicate(w, &in->operand[3]);
  default:
    return truth;
  }
}

static void setp(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *d = in->elements + in->operand[0].first;
  uint32_t truth[2];
  compare(w, in, mask, truth);
  const bool pairs = in->operand[1].bytes == 4;
  const uint32_t first = combine(w, in, truth[0]), second = combine(w, in, pairs ? truth[1] : ~truth[0]);
  emu_set_predicate(w, &d[0], first, mask);
  if (in->operand[0].count > 1)
    emu_set_predicate(w, &d[1], second, mask);
}

/* option[3]: how a value is written as true; pairs write one in each half */
static void set(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *d = &in->operand[0];
  uint32_t truth[2];
  compare(w, in, mask, truth);
  truth[0] = combine(w, in, truth[0]);
  truth[1] = combine(w, in, truth[1]);
  const bool pairs = in->operand[1].bytes == 4;
  EMU_FOR_LANES (lane, mask) {
    uint32_t value = truth[0] >> lane & 1 ? in->option[3] : 0;
    if (pairs)
      value |= truth[1] >> lane & 1 ? in->option[3] << 16 : 0;
    if (d->bytes == 4)
      emu_u32(w, d)[lane] = value;
    else
      emu_u16(w, d)[lane] = (uint16_t)value;
  }
}

static bool take_comparison(struct emu_decoder *decoder, struct emu_instruction *out) {
  for (unsigned i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
    if (emu_take(decoder, comparisons[i].name)) {
      out->option[0] = comparisons[i].outcomes;
      return true;
    }
  return false;
}

static bool is_half(enum emu_type type) {
  return type == EMU_F16 || type == EMU_F16X2 || type == EMU_BF16 || type == EMU_BF16X2;
}

static bool is_brain(enum emu_type type) {
  return type == EMU_BF16 || type == EMU_BF16X2;
}

static bool bind_sources(struct emu_decoder *decoder, struct emu_instruction *out, enum emu_type type) {
  const unsigned bytes = emu_type_bytes(type);
  out->option[1] = is_brain(type) ? EMU_FORMAT_BF16 : EMU_FORMAT_F16;
  if (!is_brain(type) && emu_take(decoder, "ftz"))
    out->option[1] |= FTZ_BIT;
  const int boolean = emu_take_one(decoder, boolean_names);
  out->option[2] = boolean < 0 ? NO_BOOLEAN : (uint32_t)boolean;
  out->class = EMU_CLASS_HALF;
  return emu_bind_value(decoder, out, 1, 1, bytes) && emu_bind_value(decoder, out, 2, 2, bytes) &&
         (boolean < 0 || emu_bind_predicate(decoder, out, 3, 3));
}

static enum emu_decode_result decode_setp(struct emu_decoder *decoder, struct emu_instruction *out) {
  const enum emu_type type = emu_take_type(decoder);
  if (!is_half(type))
    return EMU_NOT_MINE;
  out->run = setp;
  if (!take_comparison(decoder, out) || !emu_bind_vector(decoder, out, 0, 0, 0) ||
      !bind_sources(decoder, out, type))
    return EMU_UNSUPPORTED;
  return EMU_DECODED;
}

static enum emu_decode_result decode_set(struct emu_decoder *decoder, struct emu_instruction *out) {
  const enum emu_type to = emu_take_type(decoder), from = emu_take_type(decoder);
  if (!is_half(from))
    return EMU_NOT_MINE;
  const bool pairs = emu_type_bytes(from) == 4;
  if (is_half(to))
    out->option[3] = is_brain(to) ? 0x3f80 : 0x3c00;
  else if (to == EMU_U32 || to == EMU_S32)
    out->option[3] = pairs ? 0xffff : 0xffffffff;
  else if (to == EMU_U16 || to == EMU_S16)
    out->option[3] = 0xffff;
  else if (to == EMU_F32)
    out->option[3] = 0x3f800000;
  else
    return EMU_UNSUPPORTED;
  if (pairs && emu_type_bytes(to) != 4)
    return emu_refuse(decoder, "a comparison of pairs needs a 32-bit result");
  if (!pairs && (to == EMU_F16X2 || to == EMU_BF16X2))
    return emu_refuse(decoder, "a comparison of single values cannot give a pair");
  if (pairs && to == EMU_F32)
    return EMU_UNSUPPORTED;
  out->run = set;
  if (!take_comparison(decoder, out) || !emu_bind_value(decoder, out, 0, 0, emu_type_bytes(to)) ||
      !bind_sources(decoder, out, from))
    return EMU_UNSUPPORTED;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"setp", decode_setp}, {"set", decode_set}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_half_compare) = {"half_compare", opcodes};
