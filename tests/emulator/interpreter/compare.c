/* setp, set, selp, slct for integers, f32 and f64. */
#include "each_lane.h"

#include <string.h>

enum combine { COMBINE_NONE, COMBINE_AND, COMBINE_OR, COMBINE_XOR };
enum { OPTION_COMBINE = 0, OPTION_FLOAT_RESULT = 1, OPTION_PAIR = 2 };

typedef uint32_t comparison(const void *a, const void *b);
struct comparison_holder {
  comparison *compare;
};

/* All lanes' results as a mask. */
#define COMPARE(name, type, expression)                                                                      \
  static uint32_t name(const void *first, const void *second) {                                              \
    const type *a = first, *b = second;                                                                      \
    uint32_t result = 0;                                                                                     \
    for (int i = 0; i < EMU_LANES; i++) {                                                                    \
      const type x = a[i], y = b[i];                                                                         \
      result |= (uint32_t)(expression) << i;                                                                 \
    }                                                                                                        \
    return result;                                                                                           \
  }
#define INTEGER_COMPARISONS(suffix, type)                                                                    \
  COMPARE(eq_##suffix, type, x == y)                                                                         \
  COMPARE(ne_##suffix, type, x != y)                                                                         \
  COMPARE(lt_##suffix, type, x < y)                                                                          \
  COMPARE(le_##suffix, type, x <= y)                                                                         \
  COMPARE(gt_##suffix, type, x > y)                                                                          \
  COMPARE(ge_##suffix, type, x >= y)
INTEGER_COMPARISONS(u16, uint16_t)
INTEGER_COMPARISONS(s16, int16_t)
INTEGER_COMPARISONS(u32, uint32_t)
INTEGER_COMPARISONS(s32, int32_t)
INTEGER_COMPARISONS(u64, uint64_t)
INTEGER_COMPARISONS(s64, int64_t)

static inline float flushed(uint32_t bits) {
  bits = bits & 0x7f800000 ? bits : bits & 0x80000000;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
#define PLAIN(v) (v)
#define FLOAT_COMPARISONS(suffix, type, real, get)                                                           \
  COMPARE(eq_##suffix, type, get(x) == get(y))                                                               \
  COMPARE(ne_##suffix, type, (get(x) < get(y)) || (get(x) > get(y)))                                         \
  COMPARE(lt_##suffix, type, get(x) < get(y))                                                                \
  COMPARE(le_##suffix, type, get(x) <= get(y))                                                               \
  COMPARE(gt_##suffix, type, get(x) > get(y))                                                                \
  COMPARE(ge_##suffix, type, get(x) >= get(y))                                                               \
  COMPARE(equ_##suffix, type, !((get(x) < get(y)) || (get(x) > get(y))))                                     \
  COMPARE(neu_##suffix, type, get(x) != get(y))                                                              \
  COMPARE(ltu_##suffix, type, !(get(x) >= get(y)))                                                           \
  COMPARE(leu_##suffix, type, !(get(x) > get(y)))                                                            \
  COMPARE(gtu_##suffix, type, !(get(x) <= get(y)))                                                           \
  COMPARE(geu_##suffix, type, !(get(x) < get(y)))                                                            \
  COMPARE(num_##suffix, type, (get(x) == get(x)) && (get(y) == get(y)))                                      \
  COMPARE(nan_##suffix, type, (get(x) != get(x)) || (get(y) != get(y)))
FLOAT_COMPARISONS(f32, float, float, PLAIN)
FLOAT_COMPARISONS(ftz, uint32_t, float, flushed)
FLOAT_COMPARISONS(f64, double, double, PLAIN)

#define INTEGER_TABLE(s)                                                                                     \
  { eq_##s, ne_##s, lt_##s, le_##s, gt_##s, ge_##s, lt_##s, le_##s, gt_##s, ge_##s }
#define FLOAT_TABLE(s)                                                                                       \
  {                                                                                                          \
    eq_##s, ne_##s, lt_##s, le_##s, gt_##s, ge_##s, NULL, NULL, NULL, NULL, equ_##s, neu_##s, ltu_##s,       \
        leu_##s, gtu_##s, geu_##s, num_##s, nan_##s                                                          \
  }
static const char *const comparison_names[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "lo",
                                               "ls",  "hi",  "hs",  "equ", "neu", "ltu", "leu",
                                               "gtu", "geu", "num", "nan", NULL};

static comparison *find_comparison(enum emu_type type, int which, bool ftz) {
  static comparison *const u16[18] = INTEGER_TABLE(u16), *const s16[18] = INTEGER_TABLE(s16),
                           *const u32[18] = INTEGER_TABLE(u32), *const s32[18] = INTEGER_TABLE(s32),
                           *const u64[18] = INTEGER_TABLE(u64), *const s64[18] = INTEGER_TABLE(s64),
                           *const f32[18] = FLOAT_TABLE(f32), *const flush[18] = FLOAT_TABLE(ftz),
                           *const f64[18] = FLOAT_TABLE(f64);
  switch (type) {
  case EMU_U16:
  case EMU_B16:
    return u16[which];
  case EMU_S16:
    return s16[which];
  case EMU_U32:
  case EMU_B32:
    return u32[which];
  case EMU_S32:
    return s32[which];
  case EMU_U64:
  case EMU_B64:
    return u64[which];
  case EMU_S64:
    return s64[which];
  case EMU_F32:
    return ftz ? flush[which] : f32[which];
  case EMU_F64:
    return f64[which];
  default:
    return NULL;
  }
}

static uint32_t compare(struct emu_warp *w, const struct emu_instruction *in) {
  const struct comparison_holder *holder = in->extra;
  return holder->compare(EMU_OPERAND_AT(w, &in->operand[1]), EMU_OPERAND_AT(w, &in->operand[2]));
}

static uint32_t combine(struct emu_warp *w, const struct emu_instruction *in, uint32_t value) {
  if (in->option[OPTION_COMBINE] == COMBINE_NONE)
    return value;
  uint32_t other = emu_predicate(w, &in->operand[3]);
  switch (in->option[OPTION_COMBINE]) {
  case COMBINE_AND:
    return value & other;
  case COMBINE_OR:
    return value | other;
  default:
    return value ^ other;
  }
}

EMU_HANDLER(run_setp) {
  uint32_t value = compare(w, in);
  uint32_t p = combine(w, in, value), q = combine(w, in, ~value);
  if (in->operand[0].kind == EMU_OPERAND_VECTOR) {
    emu_set_predicate(w, &in->elements[in->operand[0].first], p, mask);
    emu_set_predicate(w, &in->elements[in->operand[0].first + 1], q, mask);
    return;
  }
  emu_set_predicate(w, &in->operand[0], p, mask);
}

EMU_HANDLER(run_set) {
  uint32_t p = combine(w, in, compare(w, in)),
           yes = in->option[OPTION_FLOAT_RESULT] ? 0x3f800000 : UINT32_MAX;
  uint32_t *d = emu_u32(w, &in->operand[0]);
  EMU_FOR_LANES (lane, mask)
    d[lane] = p >> lane & 1 ? yes : 0;
}

static bool decode_comparison(struct emu_decoder *d, struct emu_instruction *out, enum emu_type type) {
  static const char *const combines[] = {"and", "or", "xor", NULL};
  int which = emu_take_one(d, comparison_names);
  bool ftz = emu_take(d, "ftz");
  comparison *c = which < 0 ? NULL : find_comparison(type, which, ftz);
  struct comparison_holder *holder = emu_arena_allocate(emu_decoder_arena(d), sizeof *holder);
  if (!c || !holder) {
    emu_refuse(d, "this comparison is not known for the type");
    return false;
  }
  holder->compare = c;
  out->extra = holder;
  int joins = emu_take_one(d, combines);
  out->option[OPTION_COMBINE] = (uint32_t)(joins + 1);
  out->class = type == EMU_F32 ? EMU_CLASS_FLOAT : type == EMU_F64 ? EMU_CLASS_DOUBLE : EMU_CLASS_INTEGER;
  unsigned bytes = emu_type_bytes(type);
  return emu_bind_value(d, out, 1, 1, bytes) && emu_bind_value(d, out, 2, 2, bytes) &&
         (joins < 0 || emu_bind_predicate(d, out, 3, 3));
}

static bool is_mine(enum emu_type type) {
  return emu_is_integer(type) || type == EMU_F32 || type == EMU_F64;
}

static enum emu_decode_result decode_setp(struct emu_decoder *d, struct emu_instruction *out) {
  enum emu_type type = emu_take_type(d);
  if (!is_mine(type))
    return EMU_NOT_MINE;
  out->run = run_setp;
  if (!decode_comparison(d, out, type))
    return EMU_UNSUPPORTED;
  bool pair = emu_vector_length(d, 0) == 2;
  return (pair ? emu_bind_vector(d, out, 0, 0, 0) : emu_bind_predicate(d, out, 0, 0)) ? EMU_DECODED
                                                                                      : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_set(struct emu_decoder *d, struct emu_instruction *out) {
  enum emu_type result = emu_take_type(d), type = emu_take_type(d);
  if (!is_mine(type) || emu_type_bytes(result) != 4)
    return EMU_NOT_MINE;
  out->run = run_set;
  out->option[OPTION_FLOAT_RESULT] = result == EMU_F32;
  if (!decode_comparison(d, out, type))
    return EMU_UNSUPPORTED;
  return emu_bind_value(d, out, 0, 0, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

#define SELECT(name, type)                                                                                   \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const type, b, 2);                                                                            \
    uint32_t p = emu_predicate(w, &in->operand[3]);                                                          \
    EMU_EACH_LANE(d, mask, p >> i & 1 ? a[i] : b[i]);                                                        \
  }
SELECT(select_16, uint16_t)
SELECT(select_32, uint32_t)
SELECT(select_64, uint64_t)

static enum emu_decode_result decode_selp(struct emu_decoder *d, struct emu_instruction *out) {
  unsigned bytes = emu_type_bytes(emu_take_type(d));
  out->run = bytes == 2 ? select_16 : bytes == 4 ? select_32 : bytes == 8 ? select_64 : NULL;
  out->class = EMU_CLASS_INTEGER;
  out->flags |= EMU_FLAG_SELECTS;
  if (!out->run)
    return emu_refuse(d, "not for this type");
  for (unsigned i = 0; i < 3; i++)
    if (!emu_bind_value(d, out, i, i, bytes))
      return EMU_UNSUPPORTED;
  return emu_bind_predicate(d, out, 3, 3) ? EMU_DECODED : EMU_UNSUPPORTED;
}

/* slct: a where c >= 0, else b. A c that is NaN selects b; -0 counts as 0. */
#define SIGN_SELECT(name, type, condition)                                                                   \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const type, b, 2);                                                                            \
    const int32_t *c = EMU_OPERAND_AT(w, &in->operand[3]);                                                   \
    const float *f = EMU_OPERAND_AT(w, &in->operand[3]);                                                     \
    (void)c;                                                                                                 \
    (void)f;                                                                                                 \
    EMU_EACH_LANE(d, mask, (condition) ? a[i] : b[i]);                                                       \
  }
SIGN_SELECT(slct_16_s32, uint16_t, c[i] >= 0)
SIGN_SELECT(slct_32_s32, uint32_t, c[i] >= 0)
SIGN_SELECT(slct_64_s32, uint64_t, c[i] >= 0)
SIGN_SELECT(slct_16_f32, uint16_t, f[i] >= 0)
SIGN_SELECT(slct_32_f32, uint32_t, f[i] >= 0)
SIGN_SELECT(slct_64_f32, uint64_t, f[i] >= 0)
SIGN_SELECT(slct_16_ftz, uint16_t, flushed((uint32_t)c[i]) >= 0)
SIGN_SELECT(slct_32_ftz, uint32_t, flushed((uint32_t)c[i]) >= 0)
SIGN_SELECT(slct_64_ftz, uint64_t, flushed((uint32_t)c[i]) >= 0)

static enum emu_decode_result decode_slct(struct emu_decoder *d, struct emu_instruction *out) {
  unsigned bytes = emu_type_bytes(emu_take_type(d));
  enum emu_type sign = emu_take_type(d);
  bool ftz = emu_take(d, "ftz");
  if ((sign != EMU_S32 && sign != EMU_F32) || (bytes != 2 && bytes != 4 && bytes != 8))
    return emu_refuse(d, "not for these types");
  int width = bytes == 2 ? 0 : bytes == 4 ? 1 : 2;
  emu_handler *const table[3][3] = {{slct_16_s32, slct_32_s32, slct_64_s32},
                                    {slct_16_f32, slct_32_f32, slct_64_f32},
                                    {slct_16_ftz, slct_32_ftz, slct_64_ftz}};
  out->run = table[sign == EMU_S32 ? 0 : ftz ? 2 : 1][width];
  out->class = EMU_CLASS_INTEGER;
  for (unsigned i = 0; i < 4; i++)
    if (!emu_bind_value(d, out, i, i, i < 3 ? bytes : 4))
      return EMU_UNSUPPORTED;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"setp", decode_setp}, {"set", decode_set}, {"selp", decode_selp}, {"slct", decode_slct}, {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_compare) = {"compare", opcodes};
