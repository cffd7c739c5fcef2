/* shfl and shfl.sync: a lane reads another lane's register. */
#include "each_lane.h"

#include "../checks/order.h"

#include <string.h>

enum mode { UP, DOWN, BUTTERFLY, INDEX };

/* option[0]: enum mode; operands: result (| predicate), value, lane or distance, clamp and segments, members.
 * Without .sync the members are those who are here. */

/* What a lane that takes no part gives: undefined by the manual, and often read in vain by reductions over
 * part of a warp. No result should depend on it, so it is a NaN and a large number, and followed by the
 * checks (undefined.c). */
#define UNDEFINED 0x7fbadbadu

/* The lane that `lane` reads; *inside says whether it lies in its segment (else it is the lane itself). */
static uint32_t source_of(enum mode mode, uint32_t lane, uint32_t b, uint32_t c, bool *inside) {
  const uint32_t segment = c >> 8 & 31, bound = c & 31, offset = b & 31;
  const uint32_t least = lane & segment, most = least | (bound & ~segment & 31);
  uint32_t source = lane;
  switch (mode) {
  case UP:
    source = lane - offset;
    *inside = (int32_t)source >= (int32_t)most;
    break;
  case DOWN:
    source = lane + offset;
    *inside = source <= most;
    break;
  case BUTTERFLY:
    source = lane ^ offset;
    *inside = source <= most;
    break;
  case INDEX:
    source = least | (offset & ~segment);
    *inside = source <= most;
    break;
  }
  return *inside ? source : lane;
}

static void shuffle(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *d = in->elements + in->operand[0].first;
  uint32_t members[EMU_LANES], values[EMU_LANES], results[EMU_LANES], taken = 0, outside = 0;
  const bool named = in->operand[4].kind != EMU_OPERAND_NONE;
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    members[lane] = named ? emu_u32(w, &in->operand[4])[lane] : mask;
  if (named && !emu_warp_converge(w, in, members, mask))
    return;
  emu_order_exchange(w, members, mask);
  const uint32_t *a = emu_u32(w, &in->operand[1]), *b = emu_u32(w, &in->operand[2]),
                 *c = emu_u32(w, &in->operand[3]);
  uint8_t sources[EMU_LANES];
  memcpy(values, a, sizeof values);
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    bool inside = false;
    const uint32_t source = source_of((enum mode)in->option[0], lane, b[lane], c[lane], &inside);
    const bool takes_part = members[lane] >> source & mask >> source & 1;
    taken |= (uint32_t)inside << lane;
    sources[lane] = (uint8_t)source;
    results[lane] = takes_part ? values[source] : UNDEFINED;
    outside |= (uint32_t)!takes_part << lane;
  }
  uint32_t *to = emu_u32(w, &d[0]);
  EMU_EACH_LANE(to, mask, results[i]);
  if (outside & mask || w->undefined)
    emu_undefined_shuffled(w, in, mask, to, a, sources, members);
  if (in->operand[0].count > 1)
    emu_set_predicate(w, &d[1], taken, mask);
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const modes[] = {"up", "down", "bfly", "idx", NULL};
  const bool sync = emu_take(decoder, "sync");
  const int mode = emu_take_one(decoder, modes);
  if (mode < 0 || !emu_take(decoder, "b32") || emu_operand_count(decoder) != 4u + sync ||
      !emu_bind_vector(decoder, out, 0, 0, 4))
    return EMU_UNSUPPORTED;
  for (unsigned i = 1; i < 4u + sync; i++)
    if (!emu_bind_value(decoder, out, i, i, 4))
      return EMU_UNSUPPORTED;
  out->option[0] = (uint32_t)mode;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = shuffle;
  out->flags |= EMU_FLAG_SHUFFLES;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"shfl", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_shuffle) = {"shuffle", opcodes};
