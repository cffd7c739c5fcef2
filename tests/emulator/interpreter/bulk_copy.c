/* cp.async.bulk between global memory and the shared memory of a cluster's blocks, and st.async,
 * red.async.
 *
 * They take place at once, which the manual permits, and complete their bytes at an mbarrier or belong to
 * a bulk group; what a copy of a group reads is watched until the group has been waited for. A tensor
 * map's forms are not supported. */
#include "barrier_object.h"

#include <string.h>

enum { STEP = 16, RANK_SHIFT = 24, OFFSET_MASK = 0xffffff };

/* The same place in another block of the cluster. */
static uint64_t in_block(uint64_t address, unsigned rank) {
  return (address & OFFSET_MASK) | (uint64_t)(rank + 1) << RANK_SHIFT;
}

/* Bytes have arrived: publish what the lane did and tell the barrier. */
static bool complete(struct emu_warp *w, const struct emu_instruction *in, uint64_t barrier, int64_t bytes,
                     unsigned lane) {
  uint64_t *object = emu_barrier_at(w, in, EMU_SPACE_SHARED, barrier, lane);
  if (!object)
    return false;
  emu_order_arrive(w, lane, object, EMU_CLUSTER, true);
  return emu_barrier_add_bytes(w, in, object, -bytes, lane);
}

static bool move(struct emu_warp *w, const struct emu_instruction *in, enum emu_space to_space, uint64_t to,
                 enum emu_space from_space, uint64_t from, uint32_t bytes, unsigned lane) {
  for (uint32_t done = 0; done < bytes; done += STEP) {
    const void *source = emu_access(w, in, from_space, from + done, STEP, EMU_READ, lane);
    void *target = source ? emu_access(w, in, to_space, to + done, STEP, EMU_WRITE, lane) : NULL;
    if (!target)
      return false;
    memmove(target, source, STEP);
    if (from_space == EMU_SPACE_GLOBAL || to_space == EMU_SPACE_GLOBAL) {
      uint64_t addresses[EMU_LANES] = {0};
      const bool reads = from_space == EMU_SPACE_GLOBAL;
      addresses[lane] = (reads ? from : to) + done;
      emu_count_access(w, in, EMU_SPACE_GLOBAL, addresses, STEP, reads ? EMU_READ : EMU_WRITE, 1u << lane);
    }
  }
  return true;
}

/* A copy to shared memory, and its bytes at the mbarrier. Nobody may touch what it writes before that has
 * been waited for. */
static bool copy_and_tell(struct emu_warp *w, const struct emu_instruction *in, uint64_t to, uint64_t from,
                          uint32_t bytes, uint64_t barrier, unsigned lane) {
  const enum emu_space to_space = (enum emu_space)in->option[0], from_space = (enum emu_space)in->option[1];
  if (!move(w, in, to_space, to, from_space, from, bytes, lane))
    return false;
  const uint64_t *object = emu_barrier_at(w, in, EMU_SPACE_SHARED, barrier, lane);
  if (!object)
    return false;
  struct emu_block *owner = emu_block_of_shared(w, (uint32_t)to);
  if (owner && bytes)
    emu_order_copy_until(w, lane, owner, (uint32_t)to & OFFSET_MASK, bytes, object,
                         emu_barrier_unpack(*object).phase);
  return complete(w, in, barrier, bytes, lane);
}

/* option[0]: space of the target, option[1]: of the source; operands: target, source, bytes, mbarrier, mask
 * of blocks */
static void copy(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const enum emu_space to_space = (enum emu_space)in->option[0], from_space = (enum emu_space)in->option[1];
  EMU_FOR_LANES (lane, mask) {
    const uint64_t to = emu_lane_address(w, &in->operand[0], lane),
                   from = emu_lane_address(w, &in->operand[1], lane);
    const uint32_t bytes = emu_u32(w, &in->operand[2])[lane];
    if (bytes % STEP || to % STEP || from % STEP) {
      emu_fault(w, in, lane, EMU_FAULT_MISALIGNED_ADDRESS,
                "a bulk copy of %u bytes from 0x%llx to 0x%llx (all three need multiples of 16)", bytes,
                (unsigned long long)from, (unsigned long long)to);
      return;
    }
    if (in->operand[3].kind == EMU_OPERAND_NONE) {
      if (!move(w, in, to_space, to, from_space, from, bytes, lane))
        return;
      emu_order_bulk_reads(w, lane, (uint32_t)from & OFFSET_MASK, bytes);
      continue;
    }
    const uint64_t barrier = emu_lane_address(w, &in->operand[3], lane);
    if (in->operand[4].kind == EMU_OPERAND_NONE) {
      if (!copy_and_tell(w, in, to, from, bytes, barrier, lane))
        return;
      continue;
    }
    const uint32_t blocks = (uint32_t)emu_lane_value(w, &in->operand[4], lane);
    for (unsigned rank = 0; rank < 16; rank++)
      if (blocks >> rank & 1 &&
          !copy_and_tell(w, in, in_block(to, rank), from, bytes, in_block(barrier, rank), lane))
        return;
  }
}

static void commit(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  (void)in;
  emu_order_bulk_commit(w, mask);
}

static void wait(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  emu_order_bulk_wait(w, mask, (uint32_t)in->operand[0].value);
}

/* ---- st.async and red.async: operands are address, values, mbarrier; option[0]: bytes, option[1]: enum
 * reduction ---- */

enum reduction { ADD, MIN, MAX, INC, DEC, AND, OR, XOR };

static void store(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct emu_operand *values = in->elements + in->operand[1].first;
  const uint32_t bytes = in->option[0], count = in->operand[1].count;
  EMU_FOR_LANES (lane, mask) {
    const uint64_t address = emu_lane_address(w, &in->operand[0], lane);
    unsigned char *to = emu_access(w, in, EMU_SPACE_SHARED, address, bytes * count, EMU_WRITE, lane);
    if (!to)
      return;
    for (uint32_t i = 0; i < count; i++) {
      const uint64_t value = emu_lane_value(w, &values[i], lane);
      memcpy(to + i * bytes, &value, bytes);
    }
    if (!complete(w, in, emu_lane_address(w, &in->operand[2], lane), bytes * count, lane))
      return;
  }
}

static uint64_t reduced(enum reduction reduction, bool is_signed, unsigned bytes, uint64_t old,
                        uint64_t value) {
  const int64_t a = bytes == 8 ? (int64_t)old : (int32_t)old,
                b = bytes == 8 ? (int64_t)value : (int32_t)value;
  const bool less = is_signed ? a < b : old < value;
  switch (reduction) {
  case ADD:
    return old + value;
  case MIN:
    return less ? old : value;
  case MAX:
    return less ? value : old;
  case INC:
    return old >= value ? 0 : old + 1;
  case DEC:
    return old == 0 || old > value ? value : old - 1;
  case AND:
    return old & value;
  case OR:
    return old | value;
  case XOR:
    return old ^ value;
  }
  return 0;
}

/* option[2]: signed */
static void reduce(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const uint32_t bytes = in->option[0];
  EMU_FOR_LANES (lane, mask) {
    const uint64_t address = emu_lane_address(w, &in->operand[0], lane);
    void *to = emu_access(w, in, EMU_SPACE_SHARED, address, bytes,
                          EMU_READ_WRITE | EMU_STRONG | EMU_SCOPE_CLUSTER, lane);
    if (!to)
      return;
    uint64_t old = 0;
    memcpy(&old, to, bytes);
    const uint64_t value = emu_lane_value(w, &in->operand[1], lane);
    const uint64_t result = reduced((enum reduction)in->option[1], in->option[2], bytes, old, value);
    memcpy(to, &result, bytes);
    if (!complete(w, in, emu_lane_address(w, &in->operand[2], lane), bytes, lane))
      return;
  }
}

/* ---- Decoding ---- */

static bool take_completion(struct emu_decoder *decoder) {
  return emu_take(decoder, "mbarrier::complete_tx::bytes");
}

static enum emu_decode_result decode_bulk_copy(struct emu_decoder *decoder, struct emu_instruction *out) {
  const bool to_global = emu_take(decoder, "bulk_group"),
             multicasts = emu_take(decoder, "multicast::cluster");
  const bool has_policy = emu_take(decoder, "L2::cache_hint");
  const bool from_global = emu_take(decoder, "global") && !to_global;
  const bool to_cluster = emu_take(decoder, "shared::cluster");
  if (!emu_take(decoder, "shared::cta") && !to_cluster)
    return EMU_UNSUPPORTED;
  if (to_global == take_completion(decoder) || (to_global && to_cluster))
    return EMU_UNSUPPORTED;
  out->option[0] = to_global ? EMU_SPACE_GLOBAL : EMU_SPACE_SHARED;
  out->option[1] = from_global ? EMU_SPACE_GLOBAL : EMU_SPACE_SHARED;
  if (emu_operand_count(decoder) != 3u + !to_global + multicasts + has_policy ||
      !emu_bind_address(decoder, out, 0, 0) || !emu_bind_address(decoder, out, 1, 1) ||
      !emu_bind_value(decoder, out, 2, 2, 4) || (!to_global && !emu_bind_address(decoder, out, 3, 3)) ||
      (multicasts && !emu_bind_value(decoder, out, 4, 4, 2)))
    return EMU_UNSUPPORTED;
  out->class = from_global || to_global ? EMU_CLASS_GLOBAL : EMU_CLASS_SHARED;
  out->run = copy;
  return EMU_DECODED;
}

static enum emu_decode_result decode_cp(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "async") || !emu_take(decoder, "bulk"))
    return EMU_NOT_MINE;
  if (emu_take(decoder, "commit_group")) {
    out->run = commit;
    out->class = EMU_CLASS_SYNCHRONISATION;
    return EMU_DECODED;
  }
  if (emu_take(decoder, "wait_group")) {
    emu_take(decoder, "read");
    out->run = wait;
    out->class = EMU_CLASS_SYNCHRONISATION;
    return emu_bind_value(decoder, out, 0, 0, 4) && out->operand[0].immediate ? EMU_DECODED : EMU_UNSUPPORTED;
  }
  return decode_bulk_copy(decoder, out);
}

/* What st.async and red.async have in common. */
static bool take_async(struct emu_decoder *decoder, struct emu_instruction *out, enum emu_type *type) {
  if (!emu_take(decoder, "weak") && emu_take(decoder, "relaxed"))
    emu_take(decoder, "cluster");
  emu_take(decoder, "shared::cluster");
  *type = emu_take_type(decoder);
  out->option[0] = emu_type_bytes(*type);
  out->class = EMU_CLASS_SHARED;
  return take_completion(decoder) && out->option[0] >= 4 && emu_bind_address(decoder, out, 0, 0) &&
         emu_bind_address(decoder, out, 2, 2);
}

static enum emu_decode_result decode_store(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const vectors[] = {"v2", "v4", NULL};
  enum emu_type type;
  if (!emu_take(decoder, "async"))
    return EMU_NOT_MINE;
  const int vector = emu_take_one(decoder, vectors);
  if (!take_async(decoder, out, &type) || !emu_bind_vector(decoder, out, 1, 1, emu_type_bytes(type)) ||
      out->operand[1].count != 1u << (vector + 1) || out->operand[1].count * emu_type_bytes(type) > STEP)
    return EMU_UNSUPPORTED;
  out->run = store;
  return EMU_DECODED;
}

static enum emu_decode_result decode_reduce(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const names[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor", NULL};
  enum emu_type type;
  if (!emu_take(decoder, "async"))
    return EMU_NOT_MINE;
  const int reduction = emu_take_one(decoder, names);
  if (reduction < 0 || !take_async(decoder, out, &type) || type == EMU_F32 || type == EMU_F64 ||
      !emu_bind_value(decoder, out, 1, 1, emu_type_bytes(type)))
    return EMU_UNSUPPORTED;
  out->option[1] = (uint32_t)reduction;
  out->option[2] = emu_type_signed(type);
  out->run = reduce;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"cp", decode_cp}, {"st", decode_store}, {"red", decode_reduce}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_bulk_copy) = {"bulk_copy", opcodes};
