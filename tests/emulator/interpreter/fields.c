/* bmsk, szext and fns: masks, extensions and searches by bit position. */
#include "lanes.h"

/* `length` ones from bit `start` on; both are at most 32 */
static inline uint32_t ones(uint32_t start, uint32_t length) {
  const uint64_t all = (UINT64_C(1) << length) - 1;
  return (uint32_t)(all << start);
}

static inline uint32_t cut(uint32_t value) {
  return value > 32 ? 32 : value;
}

static inline uint32_t extend(uint32_t value, uint32_t bits, bool is_signed) {
  if (bits == 0)
    return 0;
  const unsigned unused = 32 - bits;
  return is_signed ? (uint32_t)((int32_t)(value << unused) >> unused) : value << unused >> unused;
}

/* The place of the offset-th set bit, from base upwards, or downwards for negative offsets; all ones if there
 * is none. */
static inline uint32_t find_nth_set(uint32_t value, uint32_t base, int32_t offset) {
  if (base > 31)
    return UINT32_MAX;
  if (offset == 0)
    return value >> base & 1 ? base : UINT32_MAX;
  uint32_t left = offset < 0 ? 0 - (uint32_t)offset : (uint32_t)offset;
  for (uint32_t i = base; i < 32; i += offset < 0 ? UINT32_MAX : 1)
    if (value >> i & 1 && --left == 0)
      return i;
  return UINT32_MAX;
}

EMU_LANEWISE_SAME(mask_clamped, uint32_t, ones(cut(a), cut(b)))
EMU_LANEWISE_SAME(mask_wrapped, uint32_t, ones(a & 31, b & 31))
EMU_LANEWISE_SAME(sign_clamped, uint32_t, extend(a, cut(b), true))
EMU_LANEWISE_SAME(sign_wrapped, uint32_t, extend(a, b & 31, true))
EMU_LANEWISE_SAME(zero_clamped, uint32_t, extend(a, cut(b), false))
EMU_LANEWISE_SAME(zero_wrapped, uint32_t, extend(a, b & 31, false))
EMU_LANEWISE_SAME(nth_set, uint32_t, find_nth_set(a, b, (int32_t)c))

static const char *const modes[] = {"clamp", "wrap", NULL};

static enum emu_decode_result decode_mask(struct emu_decoder *decoder, struct emu_instruction *out) {
  const int mode = emu_take_one(decoder, modes);
  if (mode < 0 || !emu_take(decoder, "b32") || !emu_bind_values(decoder, out, 3, 4))
    return EMU_UNSUPPORTED;
  out->run = mode ? mask_wrapped : mask_clamped;
  out->class = EMU_CLASS_INTEGER;
  return EMU_DECODED;
}

static enum emu_decode_result decode_extend(struct emu_decoder *decoder, struct emu_instruction *out) {
  const int mode = emu_take_one(decoder, modes);
  const enum emu_type type = emu_take_type(decoder);
  if (mode < 0 || (type != EMU_U32 && type != EMU_S32) || !emu_bind_values(decoder, out, 3, 4))
    return EMU_UNSUPPORTED;
  out->run = type == EMU_S32 ? (mode ? sign_wrapped : sign_clamped) : (mode ? zero_wrapped : zero_clamped);
  out->class = EMU_CLASS_INTEGER;
  return EMU_DECODED;
}

static enum emu_decode_result decode_find(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "b32") || !emu_bind_values(decoder, out, 4, 4))
    return EMU_UNSUPPORTED;
  out->run = nth_set;
  out->class = EMU_CLASS_INTEGER;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"bmsk", decode_mask}, {"szext", decode_extend}, {"fns", decode_find}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_fields) = {"fields", opcodes};
