/* bar, barrier, bar.warp.sync, barrier.cluster, fences. */
#include "each_lane.h"

#include "../checks/order.h"

#include <string.h>

enum { OPTION_WAITS = 2 };

static uint32_t uniform_value(struct emu_warp *w, const struct emu_operand *o, uint32_t mask) {
  return emu_u32(w, o)[__builtin_ctz(mask)];
}

/* Operands: 0 result, 1 barrier, 2 threads or none, 3 predicate. */
EMU_HANDLER(run_barrier) {
  const struct emu_operand *count = &in->operand[2];
  uint32_t number = uniform_value(w, &in->operand[1], mask), same = in->operand[1].immediate ? mask : 0;
  uint32_t expected = count->kind == EMU_OPERAND_NONE ? 0 : uniform_value(w, count, mask);
  EMU_FOR_LANES (lane, in->operand[1].immediate ? 0 : mask)
    same |= (uint32_t)(emu_u32(w, &in->operand[1])[lane] == number) << lane;
  if (same != mask) {
    emu_tally_undo(w, in, mask);
    emu_path_isolate(emu_state(w), in, same);
    return;
  }
  if (count->kind != EMU_OPERAND_NONE && !expected) {
    emu_fault(w, in, (unsigned)__builtin_ctz(mask), EMU_FAULT_ILLEGAL_INSTRUCTION,
              "barrier: 0 threads cannot be waited for");
    return;
  }
  uint32_t value = in->operand[3].kind == EMU_OPERAND_PREDICATE ? emu_predicate(w, &in->operand[3]) : 0;
  emu_barrier_come(w, in, mask, number, expected, in->option[OPTION_WAITS], value);
}

static bool bind_reduction(struct emu_decoder *d, struct emu_instruction *out, unsigned *next) {
  static const char *const operations[] = {"popc", "and", "or", NULL};
  int operation = emu_take_one(d, operations);
  enum emu_type type = emu_take_type(d);
  if (operation < 0 || (type == EMU_PRED) != (operation > 0))
    return emu_refuse(d, "this reduction is not known") == EMU_DECODED;
  out->option[EMU_OPTION_BARRIER] = (uint32_t)(EMU_BARRIER_COUNT + operation);
  *next = 1;
  return operation == 0 ? emu_bind_value(d, out, 0, 0, 4) : emu_bind_predicate(d, out, 0, 0);
}

static enum emu_decode_result decode_block_barrier(struct emu_decoder *d, struct emu_instruction *out) {
  unsigned next = 0, operands = emu_operand_count(d);
  emu_take(d, "cta");
  bool reduces = emu_take(d, "red");
  out->option[OPTION_WAITS] = !emu_take(d, "arrive");
  out->option[EMU_OPTION_ALIGNED] = emu_take(d, "aligned") || !strcmp(emu_opcode(d), "bar");
  emu_take(d, "sync");
  out->run = run_barrier;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->flags |= EMU_FLAG_BARRIER;
  if (reduces && !bind_reduction(d, out, &next))
    return EMU_UNSUPPORTED;
  if (!emu_bind_value(d, out, 1, next++, 4))
    return EMU_UNSUPPORTED;
  unsigned last = reduces ? operands - 1 : operands;
  if (next < last && !emu_bind_value(d, out, 2, next++, 4))
    return EMU_UNSUPPORTED;
  if (reduces && !emu_bind_predicate(d, out, 3, next++))
    return EMU_UNSUPPORTED;
  return next == operands ? EMU_DECODED : emu_refuse(d, "another number of operands is needed");
}

EMU_HANDLER(run_warp_barrier) {
  uint32_t *members = emu_u32(w, &in->operand[0]);
  if (emu_warp_converge(w, in, members, mask))
    emu_order_warp(w, members, mask);
}

enum { OPTION_RELAXED = 0 };

EMU_HANDLER(run_cluster_arrive) {
  emu_cluster_arrive(w, in, mask, !in->option[OPTION_RELAXED]);
}

EMU_HANDLER(run_cluster_wait) {
  emu_cluster_wait(w, in, mask);
}

static enum emu_decode_result decode_cluster(struct emu_decoder *d, struct emu_instruction *out) {
  static const char *const orders[] = {"release", "relaxed", "acquire", NULL};
  emu_take(d, "cluster");
  bool waits = emu_take(d, "wait");
  if (!waits && !emu_take(d, "arrive"))
    return emu_refuse(d, ".arrive or .wait is needed");
  out->option[OPTION_RELAXED] = emu_take_one(d, orders) == 1;
  emu_take(d, "aligned");
  out->run = waits ? run_cluster_wait : run_cluster_arrive;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->flags |= EMU_FLAG_BARRIER | EMU_FLAG_SYNCHRONISES;
  return EMU_DECODED;
}

static enum emu_decode_result decode_barrier(struct emu_decoder *d, struct emu_instruction *out) {
  if (emu_has(d, "cluster"))
    return decode_cluster(d, out);
  if (!emu_take(d, "warp"))
    return decode_block_barrier(d, out);
  emu_take(d, "sync");
  out->run = run_warp_barrier;
  out->class = EMU_CLASS_SYNCHRONISATION;
  out->flags |= EMU_FLAG_APART;
  return emu_bind_value(d, out, 0, 0, 4) ? EMU_DECODED : EMU_UNSUPPORTED;
}

/* option[0]: enum emu_scope */
EMU_HANDLER(run_fence) {
  emu_order_fence(w, mask, (enum emu_scope)in->option[0]);
}

static enum emu_decode_result decode_fence(struct emu_decoder *d, struct emu_instruction *out) {
  static const char *const orders[] = {"sc", "acq_rel", "acquire", "release", NULL};
  static const char *const scopes[] = {"cta", "cluster", "gpu", "sys", NULL};
  static const char *const levels[] = {"cta", "gl", "sys", NULL};
  static const char *const restricted[] = {"sync_restrict::shared::cluster", "sync_restrict::shared::cta",
                                           NULL};
  static const uint32_t level_scopes[] = {EMU_CTA, EMU_GPU, EMU_SYS};
  if (emu_has(d, "proxy") || emu_has(d, "mbarrier_init"))
    return EMU_NOT_MINE;
  bool membar = !strcmp(emu_opcode(d), "membar");
  if (!membar)
    emu_take_one(d, orders);
  bool shared_alone = emu_take_one(d, restricted) >= 0;
  int scope = emu_take_one(d, membar ? levels : scopes);
  if (scope < 0)
    return emu_refuse(d, "a scope is needed");
  out->option[0] = shared_alone ? EMU_SHARED : membar ? level_scopes[scope] : (uint32_t)scope;
  out->run = run_fence;
  out->class = EMU_CLASS_SYNCHRONISATION;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"bar", decode_barrier},
    {"barrier", decode_barrier},
    {"fence", decode_fence},
    {"membar", decode_fence},
    {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_barrier) = {"barrier", opcodes};
