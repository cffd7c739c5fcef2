/* Arithmetic of f16, f16x2, bf16 and bf16x2: add, sub, mul, fma, neg, abs, min, max, and the approximate ex2
 * and tanh.
 *
 * Everything is worked out for all lanes and stored in those that take part, so that the loops become vector
 * code. An x2 register is two values side by side, so 32 lanes of it are 64 values. */
#include "interpreter.h"
#include "small_float.h"

enum operation { ADD, SUB, MUL, FMA, NEG, ABS, MIN, MAX, EX2, TANH };

/* option[0]: EMU_FLOAT_* flags; option[1]: these */
enum { PROPAGATE_NAN = 1, XOR_SIGN_ABS = 2 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float widen(enum emu_float_format format, uint16_t bits) {
  return format == EMU_FORMAT_F16 ? emu_half_to_float(bits) : emu_bfloat_to_float(bits);
}

ALWAYS_INLINE uint16_t narrow(enum emu_float_format format, float value) {
  return format == EMU_FORMAT_F16 ? emu_half_from_float(value) : emu_bfloat_from_float(value);
}

/* Totally ordered like the numbers, -0 below +0. */
ALWAYS_INLINE int32_t order_of(uint16_t bits) {
  return bits & 0x8000 ? -1 - (int32_t)(bits & 0x7fff) : (int32_t)bits;
}

ALWAYS_INLINE uint16_t smaller_or_larger(enum operation operation, enum emu_float_format format, uint16_t a,
                                         uint16_t b, unsigned kind) {
  const uint16_t sign = (uint16_t)((a ^ b) & 0x8000);
  if (kind & XOR_SIGN_ABS) {
    a &= 0x7fff;
    b &= 0x7fff;
  }
  const bool a_nan = emu_float_is_nan(format, a), b_nan = emu_float_is_nan(format, b);
  if ((a_nan && b_nan) || ((a_nan || b_nan) && kind & PROPAGATE_NAN))
    return 0x7fff;
  uint16_t result = (order_of(a) < order_of(b)) == (operation == MIN) ? a : b;
  if (a_nan || b_nan)
    result = a_nan ? b : a;
  return kind & XOR_SIGN_ABS ? result | sign : result;
}

ALWAYS_INLINE uint16_t one(enum operation operation, enum emu_float_format format, uint16_t a, uint16_t b,
                           uint16_t c, unsigned kind) {
  switch (operation) {
  case ADD:
    return narrow(format, widen(format, a) + widen(format, b));
  case SUB:
    return narrow(format, widen(format, a) - widen(format, b));
  case MUL: /* products are exact in double; bf16 ones may fall below what single precision holds */
    return format == EMU_FORMAT_F16
               ? narrow(format, widen(format, a) * widen(format, b))
               : narrow(format, emu_float_narrow_odd((double)widen(format, a) * widen(format, b)));
  case FMA:
    return narrow(format, emu_float_fma_16(widen(format, a), widen(format, b), widen(format, c)));
  case NEG:
    return a ^ 0x8000;
  case ABS:
    return a & 0x7fff;
  default:
    return smaller_or_larger(operation, format, a, b, kind);
  }
}

/* What .sat and .relu make of a rounded result; both commute with rounding, since 0 and 1 are representable.
 */
static uint16_t clamp(enum emu_float_format format, uint16_t bits, unsigned flags) {
  if (emu_float_is_nan(format, bits))
    return flags & EMU_FLOAT_SAT ? 0 : 0x7fff;
  if (bits & 0x8000)
    return 0;
  const uint16_t unit = format == EMU_FORMAT_F16 ? 0x3c00 : 0x3f80;
  return flags & EMU_FLOAT_SAT && bits > unit ? unit : bits;
}

static uint16_t one_with_flags(enum operation operation, enum emu_float_format format, uint16_t a, uint16_t b,
                               uint16_t c, unsigned flags, unsigned kind) {
  if (flags & EMU_FLOAT_FTZ) {
    a = (uint16_t)emu_float_flush(format, a);
    b = (uint16_t)emu_float_flush(format, b);
    c = (uint16_t)emu_float_flush(format, c);
  }
  uint16_t result = one(operation, format, a, b, c, kind);
  if (flags & EMU_FLOAT_FTZ)
    result = (uint16_t)emu_float_flush(format, result);
  return flags & (EMU_FLOAT_SAT | EMU_FLOAT_RELU) ? clamp(format, result, flags) : result;
}

static void store(struct emu_warp *w, const struct emu_operand *d, const uint16_t *values, uint32_t mask) {
  if (d->bytes == 4) {
    uint32_t pairs[EMU_LANES];
    memcpy(pairs, values, sizeof pairs);
    EMU_FOR_LANES (lane, mask)
      emu_u32(w, d)[lane] = pairs[lane];
  } else
    EMU_FOR_LANES (lane, mask)
      emu_u16(w, d)[lane] = values[lane];
}

ALWAYS_INLINE void arithmetic(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask,
                              enum operation operation, enum emu_float_format format) {
  const unsigned flags = in->option[0], kind = in->option[1], count = in->operand[0].bytes == 4 ? 64 : 32;
  const uint16_t *a = emu_u16(w, &in->operand[1]), *b = emu_u16(w, &in->operand[2]),
                 *c = emu_u16(w, &in->operand[3]);
  uint16_t result[2 * EMU_LANES];
  if (flags)
    for (unsigned i = 0; i < count; i++)
      result[i] = one_with_flags(operation, format, a[i], b[i], c[i], flags, kind);
  else
    for (unsigned i = 0; i < count; i++)
      result[i] = one(operation, format, a[i], b[i], c[i], kind);
  store(w, &in->operand[0], result, mask);
}

#define ARITHMETIC(name, OPERATION)                                                                          \
  static void name##_f16(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {              \
    arithmetic(w, in, mask, OPERATION, EMU_FORMAT_F16);                                                      \
  }                                                                                                          \
  static void name##_bf16(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {             \
    arithmetic(w, in, mask, OPERATION, EMU_FORMAT_BF16);                                                     \
  }
ARITHMETIC(add, ADD)
ARITHMETIC(sub, SUB)
ARITHMETIC(mul, MUL)
ARITHMETIC(fma, FMA)
ARITHMETIC(neg, NEG)
ARITHMETIC(abs, ABS)
ARITHMETIC(min, MIN)
ARITHMETIC(max, MAX)

static emu_handler *const handlers[][2] = {
    [ADD] = {add_f16, add_bf16}, [SUB] = {sub_f16, sub_bf16}, [MUL] = {mul_f16, mul_bf16},
    [FMA] = {fma_f16, fma_bf16}, [NEG] = {neg_f16, neg_bf16}, [ABS] = {abs_f16, abs_bf16},
    [MIN] = {min_f16, min_bf16}, [MAX] = {max_f16, max_bf16},
};

/* ---- Approximate ones: precise, or off by as much as the manual allows after rounding is paid for ---- */

static uint16_t approximate(enum operation operation, enum emu_float_format format, uint16_t a,
                            bool perturbs) {
  const double x = widen(format, a), noise = perturbs ? emu_perturbation(a) : 0;
  double y;
  if (operation == EX2) {
    y = exp2(x); /* relative error 2^-9.9 for f16, 2^-7 for bf16 */
    y *= 1 + (x == 0 ? 0 : noise * (format == EMU_FORMAT_F16 ? 0.5e-3 : 0x1p-8));
  } else {
    y = tanh(x); /* absolute error 2^-10.987 for f16, 2^-8 for bf16 */
    if (x != 0 && isfinite(x))
      y += noise * fabs(y) * (format == EMU_FORMAT_F16 ? 0.2e-3 : 0x1p-9);
    if (fabs(y) > 1)
      y = copysign(1, y);
  }
  return (uint16_t)emu_float_encode(format, y, EMU_ROUND_NEAREST_EVEN, 0);
}

static void special(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum operation operation = (enum operation)in->option[1];
  const enum emu_float_format format = (enum emu_float_format)in->option[2];
  const unsigned count = in->operand[0].bytes == 4 ? 2 : 1;
  const bool flushes = in->option[0] & EMU_FLOAT_FTZ, perturbs = emu_perturbs(w);
  const uint16_t *a = emu_u16(w, &in->operand[1]);
  uint16_t *d = emu_u16(w, &in->operand[0]);
  EMU_FOR_LANES (lane, mask)
    for (unsigned i = lane * count; i < (lane + 1) * count; i++) {
      const uint16_t x = flushes ? (uint16_t)emu_float_flush(format, a[i]) : a[i];
      const uint16_t y = approximate(operation, format, x, perturbs);
      d[i] = flushes ? (uint16_t)emu_float_flush(format, y) : y;
    }
}

/* ---- Decoding ---- */

static bool is_half(enum emu_type type) {
  return type == EMU_F16 || type == EMU_F16X2 || type == EMU_BF16 || type == EMU_BF16X2;
}

static enum emu_float_format format_of(enum emu_type type) {
  return type == EMU_F16 || type == EMU_F16X2 ? EMU_FORMAT_F16 : EMU_FORMAT_BF16;
}

/* Binds d and `sources` operands, and makes operands that are not there equal to the first source. */
static bool bind(struct emu_decoder *decoder, struct emu_instruction *out, enum emu_type type,
                 unsigned sources) {
  if (!emu_bind_values(decoder, out, 1 + sources, emu_type_bytes(type)))
    return false;
  for (unsigned i = 1 + sources; i < 4; i++)
    out->operand[i] = out->operand[1];
  out->class = EMU_CLASS_HALF;
  return true;
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out,
                                     enum operation operation, unsigned sources) {
  if (emu_last_type(decoder) != emu_peek_type(decoder))
    return EMU_NOT_MINE; /* mixed precision */
  const enum emu_type type = emu_take_type(decoder);
  if (!is_half(type))
    return EMU_NOT_MINE;
  const bool brain = format_of(type) == EMU_FORMAT_BF16;
  unsigned flags = 0, kind = 0;
  if (!brain && emu_take(decoder, "ftz"))
    flags |= EMU_FLOAT_FTZ;
  if (operation == MIN || operation == MAX) {
    if (emu_take(decoder, "NaN"))
      kind |= PROPAGATE_NAN;
    if (emu_take(decoder, "xorsign")) {
      if (!emu_take(decoder, "abs"))
        return EMU_UNSUPPORTED;
      kind |= XOR_SIGN_ABS;
    }
  } else if (operation != NEG && operation != ABS) {
    emu_take(decoder, "rn");
    if (!brain && emu_take(decoder, "sat"))
      flags |= EMU_FLOAT_SAT;
    else if (operation == FMA && emu_take(decoder, "relu"))
      flags |= EMU_FLOAT_RELU;
  }
  out->option[0] = flags;
  out->option[1] = kind;
  out->run = handlers[operation][brain];
  return bind(decoder, out, type, sources) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_special(struct emu_decoder *decoder, struct emu_instruction *out,
                                             enum operation operation) {
  const enum emu_type type = emu_take_type(decoder);
  if (!is_half(type))
    return EMU_NOT_MINE;
  if (!emu_take(decoder, "approx"))
    return EMU_UNSUPPORTED;
  if (operation == EX2 && emu_take(decoder, "ftz"))
    out->option[0] = EMU_FLOAT_FTZ;
  out->option[1] = operation;
  out->option[2] = format_of(type);
  out->run = special;
  if (!bind(decoder, out, type, 1))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SPECIAL;
  return EMU_DECODED;
}

#define DECODE(name, OPERATION, sources)                                                                     \
  static enum emu_decode_result decode_##name(struct emu_decoder *decoder, struct emu_instruction *out) {    \
    return decode(decoder, out, OPERATION, sources);                                                         \
  }
DECODE(add, ADD, 2)
DECODE(sub, SUB, 2)
DECODE(mul, MUL, 2)
DECODE(fma, FMA, 3)
DECODE(neg, NEG, 1)
DECODE(abs, ABS, 1)
DECODE(min, MIN, 2)
DECODE(max, MAX, 2)

static enum emu_decode_result decode_ex2(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_special(decoder, out, EX2);
}

static enum emu_decode_result decode_tanh(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_special(decoder, out, TANH);
}

static const struct emu_opcode_entry opcodes[] = {
    {"add", decode_add}, {"sub", decode_sub},   {"mul", decode_mul}, {"fma", decode_fma},
    {"neg", decode_neg}, {"abs", decode_abs},   {"min", decode_min}, {"max", decode_max},
    {"ex2", decode_ex2}, {"tanh", decode_tanh}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_half) = {"half", opcodes};
