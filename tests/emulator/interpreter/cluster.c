/* Addresses of other blocks of a cluster, the elected lane, and instructions that only hint or order what is
 * ordered here anyway: mapa, getctarank, elect, griddepcontrol, nanosleep, fence.proxy, fence.mbarrier_init,
 * createpolicy, setmaxnreg. */
#include "interpreter.h"

#include "../checks/order.h"

enum { RANK_SHIFT = 24, OFFSET_MASK = 0xffffff };

/* option[0]: the address is a generic one */
static void map_address(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask) {
    uint64_t address = emu_lane_value(w, &in->operand[1], lane);
    const uint32_t rank = emu_u32(w, &in->operand[2])[lane];
    if (rank >= emu_cluster_size(w)) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK, "mapa to block %u of a cluster of %u", rank,
                emu_cluster_size(w));
      return;
    }
    if (in->option[0] && emu_space_of(address) != EMU_SPACE_SHARED) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK, "mapa of 0x%llx, which is no shared memory",
                (unsigned long long)address);
      return;
    }
    address = (address & OFFSET_MASK) | (uint64_t)(rank + 1) << RANK_SHIFT;
    if (in->option[0])
      address += EMU_WINDOW_SHARED;
    if (in->operand[0].bytes == 8)
      emu_u64(w, &in->operand[0])[lane] = address;
    else
      emu_u32(w, &in->operand[0])[lane] = (uint32_t)address;
  }
}

static void rank_of_address(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask) {
    const uint32_t rank = (uint32_t)emu_lane_value(w, &in->operand[1], lane) >> RANK_SHIFT;
    emu_u32(w, &in->operand[0])[lane] = rank ? rank - 1 : emu_cluster_rank(w);
  }
}

static void elect(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *d = in->elements + in->operand[0].first;
  uint32_t members[EMU_LANES] = {0}, elected = 0;
  EMU_FOR_LANES (lane, mask)
    members[lane] = emu_u32(w, &in->operand[1])[lane];
  if (!emu_warp_converge(w, in, members, mask))
    return;
  EMU_FOR_LANES (lane, mask) {
    const uint32_t leader = (uint32_t)__builtin_ctz(members[lane]);
    emu_u32(w, &d[0])[lane] = leader;
    elected |= (uint32_t)(leader == lane) << lane;
  }
  emu_set_predicate(w, &d[1], elected, mask);
}

static void nothing(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  (void)w;
  (void)in;
  (void)mask;
}

static void fence_of_init(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  (void)in;
  emu_order_init_fence(w, mask);
}

static void sleep_a_while(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  (void)in;
  (void)mask;
  emu_warp_polls(w);
}

static void create_policy(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask)
    emu_u64(w, &in->operand[0])[lane] = 0;
}

/* ---- Decoding ---- */

static enum emu_decode_result decode_map(struct emu_decoder *decoder, struct emu_instruction *out) {
  out->option[0] = !emu_take(decoder, "shared::cluster");
  const unsigned bytes = emu_type_bytes(emu_take_type(decoder));
  if (bytes < 4 || !emu_bind_value(decoder, out, 0, 0, bytes) || !emu_bind_value(decoder, out, 1, 1, bytes) ||
      !emu_bind_value(decoder, out, 2, 2, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_INTEGER;
  out->run = map_address;
  return EMU_DECODED;
}

static enum emu_decode_result decode_rank(struct emu_decoder *decoder, struct emu_instruction *out) {
  emu_take(decoder, "shared::cluster");
  const unsigned bytes = emu_type_bytes(emu_take_type(decoder));
  if (bytes < 4 || !emu_bind_value(decoder, out, 0, 0, 4) || !emu_bind_value(decoder, out, 1, 1, bytes))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_INTEGER;
  out->run = rank_of_address;
  return EMU_DECODED;
}

static enum emu_decode_result decode_elect(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "sync") || !emu_bind_vector(decoder, out, 0, 0, 0) || out->operand[0].count != 2 ||
      !emu_bind_value(decoder, out, 1, 1, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = elect;
  return EMU_DECODED;
}

static enum emu_decode_result decode_dependents(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "launch_dependents") && !emu_take(decoder, "wait"))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = nothing;
  return EMU_DECODED;
}

static enum emu_decode_result decode_sleep(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "u32") || !emu_bind_value(decoder, out, 0, 0, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = sleep_a_while;
  return EMU_DECODED;
}

static enum emu_decode_result decode_fence(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const kinds[] = {"alias", "async", NULL};
  static const char *const spaces[] = {"global", "shared::cta", "shared::cluster", NULL};
  out->run = nothing;
  if (emu_take(decoder, "mbarrier_init")) {
    emu_take(decoder, "release");
    emu_take(decoder, "cluster");
    out->run = fence_of_init;
  } else if (emu_take(decoder, "proxy")) {
    if (emu_take_one(decoder, kinds) < 0)
      return EMU_UNSUPPORTED;
    emu_take_one(decoder, spaces);
  } else
    return EMU_NOT_MINE;
  out->class = EMU_CLASS_SYNCHRONISATION;
  return EMU_DECODED;
}

static enum emu_decode_result decode_policy(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const priorities[] = {"L2::evict_last", "L2::evict_normal", "L2::evict_first",
                                           "L2::evict_unchanged", NULL};
  if (!emu_take(decoder, "fractional") || emu_take_one(decoder, priorities) < 0 || !emu_take(decoder, "b64"))
    return EMU_UNSUPPORTED;
  emu_take_one(decoder, priorities);
  if (!emu_bind_value(decoder, out, 0, 0, 8))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_INTEGER;
  out->run = create_policy;
  return EMU_DECODED;
}

static enum emu_decode_result decode_registers(struct emu_decoder *decoder, struct emu_instruction *out) {
  if ((!emu_take(decoder, "inc") && !emu_take(decoder, "dec")) || !emu_take(decoder, "sync") ||
      !emu_take(decoder, "aligned") || !emu_take(decoder, "u32") || !emu_bind_value(decoder, out, 0, 0, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = nothing;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"mapa", decode_map},
    {"getctarank", decode_rank},
    {"elect", decode_elect},
    {"griddepcontrol", decode_dependents},
    {"nanosleep", decode_sleep},
    {"fence", decode_fence},
    {"createpolicy", decode_policy},
    {"setmaxnreg", decode_registers},
    {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_cluster) = {"cluster", opcodes};
