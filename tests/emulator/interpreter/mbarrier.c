/* mbarrier.*: init, inval, arrive, arrive_drop, expect_tx, complete_tx, test_wait, try_wait, pending_count.
 */
#include "barrier_object.h"

/* option[0]: these; option[1]: enum emu_scope; option[2]: whether operand 2, a count of arrivals or bytes, is
 * there */
enum { DROPS = 1, EXPECTS = 2, RELAXED = 4, PARITY = 8, NO_COMPLETE = 16, HAS_STATE = 32 };
enum { OFFSET_MASK = 0xffffff };

static uint64_t address_of(struct emu_warp *w, const struct emu_instruction *in, unsigned lane) {
  return emu_lane_address(w, &in->operand[1], lane);
}

static void init(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask) {
    const uint32_t count = emu_u32(w, &in->operand[2])[lane];
    uint64_t *object =
        emu_access(w, in, (enum emu_space)in->space, address_of(w, in, lane), 8, EMU_WRITE, lane);
    if (!object)
      return;
    if (count == 0 || count > EMU_BARRIER_MOST) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK, "mbarrier.init with a count of %u (needs 1 to %d)", count,
                EMU_BARRIER_MOST);
      return;
    }
    const struct emu_mbarrier b = {.expected = count, .pending = count};
    *object = emu_barrier_pack(&b);
    emu_order_init(w, lane, (uint32_t)address_of(w, in, lane) & OFFSET_MASK);
  }
}

static void invalidate(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask) {
    uint64_t *object = emu_barrier_at(w, in, (enum emu_space)in->space, address_of(w, in, lane), lane);
    if (!object)
      return;
    *object = EMU_BARRIER_INVALID;
  }
}

static void arrive(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t kind = in->option[0];
  EMU_FOR_LANES (lane, mask) {
    uint64_t *object = emu_barrier_at(w, in, (enum emu_space)in->space, address_of(w, in, lane), lane);
    if (!object)
      return;
    const uint32_t operand = in->option[2] ? emu_u32(w, &in->operand[2])[lane] : 1;
    const uint64_t before = *object;
    if (kind & EXPECTS && !emu_barrier_add_bytes(w, in, object, operand, lane))
      return;
    emu_order_arrive(w, lane, object, (enum emu_scope)in->option[1], !(kind & RELAXED));
    const uint32_t phase = emu_barrier_unpack(*object).phase;
    if (!emu_barrier_arrive(w, in, object, kind & EXPECTS ? 1 : operand, kind & DROPS, lane))
      return;
    if (kind & NO_COMPLETE && emu_barrier_unpack(*object).phase != phase) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK, "mbarrier.arrive.noComplete completed the phase");
      return;
    }
    if (kind & HAS_STATE)
      emu_u64(w, &in->operand[0])[lane] = before;
  }
}

static void expect(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask) {
    const int64_t bytes = emu_u32(w, &in->operand[2])[lane];
    uint64_t *object = emu_barrier_at(w, in, (enum emu_space)in->space, address_of(w, in, lane), lane);
    if (!object || !emu_barrier_add_bytes(w, in, object, in->option[0] & EXPECTS ? bytes : -bytes, lane))
      return;
  }
}

static void wait(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  uint32_t complete = 0;
  EMU_FOR_LANES (lane, mask) {
    const uint64_t *object = emu_barrier_at(w, in, (enum emu_space)in->space, address_of(w, in, lane), lane);
    if (!object)
      return;
    const uint32_t phase = emu_barrier_unpack(*object).phase;
    const bool done = in->option[0] & PARITY
                          ? (phase & 1) != (emu_u32(w, &in->operand[2])[lane] & 1)
                          : phase != emu_barrier_unpack(emu_u64(w, &in->operand[2])[lane]).phase;
    if (!done)
      continue;
    complete |= 1u << lane;
    emu_order_copies_arrived(w, object, phase);
    if (in->option[0] & RELAXED) /* a fence behind it orders */
      emu_order_strong(w, lane, object, EMU_READ, (enum emu_scope)in->option[1]);
    else
      emu_order_acquire(w, lane, object, (enum emu_scope)in->option[1]);
  }
  emu_set_predicate(w, &in->operand[0], complete, mask);
  if (complete == mask)
    return;
  emu_warp_polls(w);
  w->look = in;
  w->look_address = address_of(w, in, (unsigned)__builtin_ctz(mask & ~complete));
  emu_count_poll(w, in, mask);
}

static void pending_count(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  EMU_FOR_LANES (lane, mask)
    emu_u32(w, &in->operand[0])[lane] = emu_barrier_unpack(emu_u64(w, &in->operand[1])[lane]).pending;
}

/* ---- Decoding ---- */

static void take_order(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const scopes[] = {"cta", "cluster", NULL};
  static const uint32_t named[] = {EMU_CTA, EMU_CLUSTER};
  if (!emu_take(decoder, "acquire") && !emu_take(decoder, "release") && emu_take(decoder, "relaxed"))
    out->option[0] |= RELAXED;
  const int scope = emu_take_one(decoder, scopes);
  out->option[1] = scope < 0 ? EMU_SHARED : named[scope];
  emu_take_space(decoder, out);
}

/* Operands: an address, then `operand` of `bytes`. */
static enum emu_decode_result bind(struct emu_decoder *decoder, struct emu_instruction *out, unsigned address,
                                   unsigned bytes) {
  if (!emu_bind_address(decoder, out, 1, address))
    return EMU_UNSUPPORTED;
  return !bytes || emu_bind_value(decoder, out, 2, address + 1, bytes) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_arrive(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (emu_take(decoder, "expect_tx"))
    out->option[0] |= EXPECTS;
  if (emu_take(decoder, "noComplete"))
    out->option[0] |= NO_COMPLETE;
  take_order(decoder, out);
  const unsigned count = emu_operand_count(decoder);
  const bool has_state = emu_operand_kind(decoder, 0) != EMU_OPERAND_ADDRESS;
  if (has_state) {
    out->option[0] |= HAS_STATE;
    if (!emu_bind_value(decoder, out, 0, 0, 8))
      return EMU_UNSUPPORTED;
  }
  out->option[2] = count > 1u + has_state;
  if ((out->option[0] & (EXPECTS | NO_COMPLETE)) && !out->option[2])
    return emu_refuse(decoder, "a count is missing");
  out->run = arrive;
  return bind(decoder, out, has_state, out->option[2] ? 4 : 0);
}

static enum emu_decode_result decode_wait(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (emu_take(decoder, "parity"))
    out->option[0] |= PARITY;
  take_order(decoder, out);
  out->run = wait;
  if (!emu_bind_predicate(decoder, out, 0, 0))
    return EMU_UNSUPPORTED;
  return bind(decoder, out, 1, out->option[0] & PARITY ? 4 : 8); /* a time limit that follows needs no heed */
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "b64"))
    return EMU_UNSUPPORTED;
  out->class = EMU_CLASS_SYNCHRONISATION;
  if (emu_take(decoder, "init") || emu_take(decoder, "inval")) {
    emu_take_space(decoder, out);
    out->run = emu_has(decoder, "init") ? init : invalidate;
    return bind(decoder, out, 0, emu_has(decoder, "init") ? 4 : 0);
  }
  if (emu_take(decoder, "arrive_drop")) {
    out->option[0] = DROPS;
    return decode_arrive(decoder, out);
  }
  if (emu_take(decoder, "arrive"))
    return decode_arrive(decoder, out);
  if (emu_take(decoder, "test_wait") || emu_take(decoder, "try_wait"))
    return decode_wait(decoder, out);
  if (emu_take(decoder, "expect_tx") || emu_take(decoder, "complete_tx")) {
    out->option[0] = emu_has(decoder, "expect_tx") ? EXPECTS : 0;
    take_order(decoder, out);
    out->run = expect;
    return bind(decoder, out, 0, 4);
  }
  if (!emu_take(decoder, "pending_count"))
    return EMU_UNSUPPORTED;
  out->run = pending_count;
  return emu_bind_value(decoder, out, 0, 0, 4) && emu_bind_value(decoder, out, 1, 1, 8) ? EMU_DECODED
                                                                                        : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {{"mbarrier", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_mbarrier) = {"mbarrier", opcodes};
