/* What lanes find out about each other: vote, match, redux, activemask. */
#include "lanes.h"

/* Members of each lane's group, all of them here; false if some have to come first. Without the operand: who
 * is here. */
static bool gather(struct emu_warp *w, const struct emu_instruction *in, unsigned slot, uint32_t mask,
                   uint32_t members[EMU_LANES]) {
  if (in->operand[slot].kind == EMU_OPERAND_NONE) {
    EMU_FOR_LANES (lane, mask)
      members[lane] = mask;
    return true;
  }
  EMU_FOR_LANES (lane, mask)
    members[lane] = emu_u32(w, &in->operand[slot])[lane];
  if (!emu_warp_converge(w, in, members, mask))
    return false;
  emu_order_exchange(w, members, mask);
  return true;
}

/* ---- vote: option[0] ---- */

enum vote { ALL, ANY, UNIFORM, BALLOT };

static void vote(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint32_t members[EMU_LANES] = {0}, result = 0;
  if (!gather(w, in, 2, mask, members))
    return;
  const uint32_t votes = emu_predicate(w, &in->operand[1]);
  EMU_FOR_LANES (lane, mask) {
    const uint32_t yes = votes & members[lane];
    bool holds = false;
    switch ((enum vote)in->option[0]) {
    case ALL:
      holds = yes == members[lane];
      break;
    case ANY:
      holds = yes != 0;
      break;
    case UNIFORM:
      holds = yes == 0 || yes == members[lane];
      break;
    case BALLOT:
      emu_u32(w, &in->operand[0])[lane] = yes;
      break;
    }
    result |= (uint32_t)holds << lane;
  }
  if (in->option[0] != BALLOT)
    emu_set_predicate(w, &in->operand[0], result, mask);
}

static enum emu_decode_result decode_vote(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const kinds[] = {"all", "any", "uni", "ballot", NULL};
  const bool sync = emu_take(decoder, "sync");
  const int kind = emu_take_one(decoder, kinds);
  if (kind < 0 || !emu_take(decoder, kind == BALLOT ? "b32" : "pred") ||
      emu_operand_count(decoder) != 2u + sync)
    return EMU_UNSUPPORTED;
  out->option[0] = (uint32_t)kind;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = vote;
  if (!(kind == BALLOT ? emu_bind_value(decoder, out, 0, 0, 4) : emu_bind_predicate(decoder, out, 0, 0)) ||
      !emu_bind_predicate(decoder, out, 1, 1) || (sync && !emu_bind_value(decoder, out, 2, 2, 4)))
    return EMU_UNSUPPORTED;
  return EMU_DECODED;
}

/* ---- match: option[0] is whether all have to agree ---- */

static void match(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *d = in->elements + in->operand[0].first;
  uint32_t members[EMU_LANES] = {0}, agreed = 0;
  if (!gather(w, in, 2, mask, members))
    return;
  EMU_FOR_LANES (lane, mask) {
    const uint64_t value = emu_lane_value(w, &in->operand[1], lane);
    uint32_t same = 0;
    EMU_FOR_LANES (other, members[lane])
      same |= (uint32_t)(emu_lane_value(w, &in->operand[1], other) == value) << other;
    const bool all = same == members[lane];
    agreed |= (uint32_t)all << lane;
    emu_u32(w, &d[0])[lane] = in->option[0] && !all ? 0 : same;
  }
  if (in->operand[0].count > 1)
    emu_set_predicate(w, &d[1], agreed, mask);
}

static enum emu_decode_result decode_match(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const kinds[] = {"any", "all", NULL};
  const int kind = emu_take_one(decoder, kinds);
  const enum emu_type type = emu_take_type(decoder);
  if (!emu_take(decoder, "sync") || kind < 0 || (type != EMU_B32 && type != EMU_B64) ||
      !emu_bind_vector(decoder, out, 0, 0, 4) || !emu_bind_value(decoder, out, 1, 1, emu_type_bytes(type)) ||
      !emu_bind_value(decoder, out, 2, 2, 4))
    return EMU_UNSUPPORTED;
  out->option[0] = (uint32_t)kind;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = match;
  return EMU_DECODED;
}

/* ---- redux: option[0] the operation, option[1] the type; [2] of f32: 1 absolute values, 2 NaN wins ---- */

enum redux { ADD, MIN, MAX, AND, OR, XOR };

static uint32_t join_floats(enum redux operation, uint32_t a, uint32_t b, uint32_t kind) {
  const float x = emu_float_float_of(kind & 1 ? a & 0x7fffffffu : a),
              y = emu_float_float_of(kind & 1 ? b & 0x7fffffffu : b);
  if (x != x || y != y)
    return kind & 2 || (x != x && y != y) ? 0x7fffffffu : emu_float_float_bits(x != x ? y : x);
  const bool less = x < y || (x == y && signbit(x));
  return emu_float_float_bits(less == (operation == MIN) ? x : y);
}

static uint32_t join(enum redux operation, enum emu_type type, uint32_t a, uint32_t b, uint32_t kind) {
  const bool less = type == EMU_S32 ? (int32_t)a < (int32_t)b : a < b;
  if (type == EMU_F32)
    return join_floats(operation, a, b, kind);
  switch (operation) {
  case ADD:
    return a + b;
  case MIN:
    return less ? a : b;
  case MAX:
    return less ? b : a;
  case AND:
    return a & b;
  case OR:
    return a | b;
  case XOR:
    return a ^ b;
  }
  return 0;
}

static void reduce(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint32_t members[EMU_LANES] = {0}, values[EMU_LANES];
  if (!gather(w, in, 2, mask, members))
    return;
  memcpy(values, emu_u32(w, &in->operand[1]), sizeof values);
  EMU_FOR_LANES (lane, mask) {
    const unsigned first = (unsigned)__builtin_ctz(members[lane]);
    uint32_t result = values[first];
    EMU_FOR_LANES (other, members[lane] & (members[lane] - 1))
      result =
          join((enum redux)in->option[0], (enum emu_type)in->option[1], result, values[other], in->option[2]);
    if (in->option[1] == EMU_F32 && !(members[lane] & (members[lane] - 1)) && in->option[2] & 1)
      result &= 0x7fffffffu;
    emu_u32(w, &in->operand[0])[lane] = result;
  }
}

static enum emu_decode_result decode_redux(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const names[] = {"add", "min", "max", "and", "or", "xor", NULL};
  const bool sync = emu_take(decoder, "sync");
  const int operation = emu_take_one(decoder, names);
  const enum emu_type type = emu_take_type(decoder);
  const bool bitwise = operation >= AND,
             fits = type == EMU_U32 || type == EMU_S32 || (type == EMU_F32 && operation != ADD);
  if (!sync || operation < 0 || (bitwise ? type != EMU_B32 : !fits) || !emu_bind_values(decoder, out, 3, 4))
    return EMU_UNSUPPORTED;
  out->option[0] = (uint32_t)operation;
  out->option[1] = type;
  if (type == EMU_F32)
    out->option[2] = (emu_take(decoder, "abs") ? 1u : 0) | (emu_take(decoder, "NaN") ? 2u : 0);
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = reduce;
  return EMU_DECODED;
}

/* ---- activemask ---- */

static void active_mask(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask)
    emu_u32(w, &in->operand[0])[lane] = mask;
}

static enum emu_decode_result decode_active(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "b32") || !emu_bind_values(decoder, out, 1, 4))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->run = active_mask;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"vote", decode_vote},
                                                  {"match", decode_match},
                                                  {"redux", decode_redux},
                                                  {"activemask", decode_active},
                                                  {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_vote) = {"vote", opcodes};
