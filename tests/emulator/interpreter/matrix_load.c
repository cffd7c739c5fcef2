/* ldmatrix, stmatrix and movmatrix: 8x8 matrices of 16-bit elements between shared memory and a warp's
 * registers.
 *
 * Lane 8 * i + r gives the address of row r of matrix i. Of each matrix, lane l holds elements 2 * (l % 4)
 * and the next of row l / 4, in one register; with .trans, of column l / 4. */
#include "fragment.h"

enum { SIDE = 8, ROW_BYTES = 16 };

/* option[0]: transposed */

/* The rows' places in memory, of `count` matrices; false if the launch has been stopped. */
static bool rows(struct emu_warp *w, const struct emu_instruction *in, const struct emu_operand *address,
                 unsigned count, unsigned kind, uint16_t *row[EMU_LANES]) {
  uint64_t addresses[EMU_LANES];
  for (unsigned lane = 0; lane < count * SIDE; lane++) {
    addresses[lane] = emu_lane_address(w, address, lane);
    row[lane] = emu_access(w, in, (enum emu_space)in->space, addresses[lane], ROW_BYTES, kind, lane);
    if (!row[lane])
      return false;
  }
  const uint32_t mask = count == 4 ? EMU_ALL_LANES : (1u << (count * SIDE)) - 1;
  emu_count_access(w, in, EMU_SPACE_SHARED, addresses, ROW_BYTES, kind, mask);
  return true;
}

static void load(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const unsigned count = in->operand[0].count;
  const struct emu_operand *d = in->elements + in->operand[0].first;
  uint16_t *row[EMU_LANES];
  if (!emu_whole_warp(w, in, mask) || !rows(w, in, &in->operand[1], count, EMU_READ, row))
    return;
  for (unsigned i = 0; i < count; i++)
    for (unsigned lane = 0; lane < EMU_LANES; lane++) {
      const unsigned outer = lane / 4, inner = lane % 4 * 2;
      const uint16_t low = in->option[0] ? row[i * SIDE + inner][outer] : row[i * SIDE + outer][inner];
      const uint16_t high =
          in->option[0] ? row[i * SIDE + inner + 1][outer] : row[i * SIDE + outer][inner + 1];
      emu_u32(w, &d[i])[lane] = low | (uint32_t)high << 16;
    }
}

static void store(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const unsigned count = in->operand[1].count;
  const struct emu_operand *s = in->elements + in->operand[1].first;
  uint16_t *row[EMU_LANES];
  if (!emu_whole_warp(w, in, mask) || !rows(w, in, &in->operand[0], count, EMU_WRITE, row))
    return;
  for (unsigned i = 0; i < count; i++)
    for (unsigned lane = 0; lane < EMU_LANES; lane++) {
      const unsigned outer = lane / 4, inner = lane % 4 * 2;
      const uint32_t pair = emu_u32(w, &s[i])[lane];
      *(in->option[0] ? &row[i * SIDE + inner][outer] : &row[i * SIDE + outer][inner]) = (uint16_t)pair;
      *(in->option[0] ? &row[i * SIDE + inner + 1][outer] : &row[i * SIDE + outer][inner + 1]) =
          (uint16_t)(pair >> 16);
    }
}

static void transpose(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint16_t matrix[SIDE][SIDE];
  if (!emu_whole_warp(w, in, mask))
    return;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    const uint32_t pair = emu_u32(w, &in->operand[1])[lane];
    matrix[lane % 4 * 2][lane / 4] = (uint16_t)pair;
    matrix[lane % 4 * 2 + 1][lane / 4] = (uint16_t)(pair >> 16);
  }
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    const uint16_t *row = matrix[lane / 4] + lane % 4 * 2;
    emu_u32(w, &in->operand[0])[lane] = row[0] | (uint32_t)row[1] << 16;
  }
}

/* ---- Decoding ---- */

static bool take_common(struct emu_decoder *decoder) {
  return emu_take(decoder, "sync") && emu_take(decoder, "aligned") && emu_take(decoder, "m8n8") &&
         emu_take(decoder, "b16");
}

static enum emu_decode_result decode_transfer(struct emu_decoder *decoder, struct emu_instruction *out,
                                              bool loads) {
  static const char *const numbers[] = {"x1", "x2", "x4", NULL};
  if (!take_common(decoder))
    return EMU_UNSUPPORTED;
  const int number = emu_take_one(decoder, numbers);
  out->option[0] = emu_take(decoder, "trans");
  emu_take_space(decoder, out);
  if (out->space != EMU_SPACE_SHARED && out->space != EMU_SPACE_GENERIC)
    return EMU_UNSUPPORTED;
  const unsigned vector = loads ? 0 : 1;
  if (number < 0 || !emu_bind_vector(decoder, out, vector, vector, 4) ||
      !emu_bind_address(decoder, out, 1 - vector, 1 - vector))
    return EMU_UNSUPPORTED;
  if (out->operand[vector].count != 1u << number)
    return emu_refuse(decoder, "the number of registers is not that of the matrices");
  out->class = EMU_CLASS_SHARED;
  out->run = loads ? load : store;
  return EMU_DECODED;
}

static enum emu_decode_result decode_load(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_transfer(decoder, out, true);
}

static enum emu_decode_result decode_store(struct emu_decoder *decoder, struct emu_instruction *out) {
  return decode_transfer(decoder, out, false);
}

static enum emu_decode_result decode_transpose(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!take_common(decoder) || !emu_take(decoder, "trans") || !emu_bind_values(decoder, out, 2, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = transpose;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"ldmatrix", decode_load}, {"stmatrix", decode_store}, {"movmatrix", decode_transpose}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_matrix_load) = {"matrix_load", opcodes};
