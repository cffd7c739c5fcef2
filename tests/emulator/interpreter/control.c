/* Branches, calls, returns, exit; special cases of calls: printf, malloc, free, assert. */
#include "each_lane.h"

#include "../program/build.h"
#include "../scheduler/block.h"
#include "../scheduler/system.h"

#include <string.h>

EMU_HANDLER(run_branch) {
  if (mask == w->active) {
    w->next = in->operand[0].target;
    return;
  }
  w->worker->tallies[in->index].divergent++;
  emu_path_split(emu_state(w), mask, in->operand[0].target, in->reconverge);
}

EMU_HANDLER(run_branch_table) {
  const struct emu_branch_targets *t = in->extra;
  uint32_t left = mask;
  bool diverged = false;
  while (left) {
    unsigned first = (unsigned)__builtin_ctz(left);
    uint64_t index = emu_lane_value(w, &in->operand[0], first);
    uint32_t same = 0;
    EMU_FOR_LANES (lane, left)
      same |= (uint32_t)(emu_lane_value(w, &in->operand[0], lane) == index) << lane;
    if (index >= t->count) {
      emu_fault(w, in, first, EMU_FAULT_ILLEGAL_INSTRUCTION,
                "branch: index %llu is outside of its table (%u targets)", (unsigned long long)index,
                t->count);
      return;
    }
    left &= ~same;
    if (same == w->active) {
      w->next = t->target[index];
      if (diverged)
        emu_path_save(emu_state(w));
      break;
    }
    diverged = true;
    emu_path_split(emu_state(w), same, t->target[index], in->reconverge);
  }
  w->worker->tallies[in->index].divergent += diverged;
}

EMU_HANDLER(run_exit) {
  emu_path_exit(emu_state(w), in, mask);
}

EMU_HANDLER(run_return) {
  struct emu_warp_state *s = emu_state(w);
  struct emu_frame *frame = w->frame;
  if (!frame->parent) {
    emu_path_exit(s, in, mask);
    return;
  }
  if (mask != w->active) {
    emu_path_split(s, mask, in->index, EMU_NO_TARGET);
    return;
  }
  const struct emu_instruction *call = &w->launch->program->code[frame->return_to - 1];
  emu_call_results(s, call, frame);
  w->next = frame->return_to;
  w->frame = frame->parent;
  emu_frame_hold(w->frame);
  emu_frame_drop(s, frame);
  emu_path_save(s);
  w->base[EMU_BASE_FRAME] = w->frame->registers;
  w->stop |= EMU_STOP_PATH;
}

EMU_HANDLER(run_call) {
  struct emu_warp_state *s = emu_state(w);
  const struct emu_call *call = in->extra;
  if (mask != w->active) {
    emu_tally_undo(w, in, mask);
    emu_path_isolate(s, in, mask);
    return;
  }
  uint32_t to = call->function;
  if (to == EMU_NO_TARGET) { /* indirect: one target at a time */
    unsigned first = (unsigned)__builtin_ctz(mask);
    uint64_t address = emu_u64(w, &in->operand[0])[first];
    uint32_t same = 0;
    EMU_FOR_LANES (lane, mask)
      same |= (uint32_t)(emu_u64(w, &in->operand[0])[lane] == address) << lane;
    if (same != mask) {
      emu_tally_undo(w, in, mask);
      w->next = in->index;
      emu_path_split(s, same, in->index, in->index + 1);
      return;
    }
    to = emu_call_target(w->launch->program, address);
    if (to == EMU_NO_TARGET) {
      emu_fault(w, in, first, EMU_FAULT_ILLEGAL_INSTRUCTION, "call: 0x%llx is not the address of a function",
                (unsigned long long)address);
      return;
    }
  }
  emu_call_enter(s, in, to);
}

EMU_HANDLER(run_system_call) {
  emu_system_call(emu_state(w), in, mask);
}

EMU_HANDLER(run_trap) {
  emu_fault(w, in, (unsigned)__builtin_ctz(mask), EMU_FAULT_TRAP, "trap: the kernel executes trap");
}

EMU_HANDLER(run_nothing) {
  (void)w;
  (void)in;
  (void)mask;
}

static enum emu_decode_result decode_bra(struct emu_decoder *d, struct emu_instruction *out) {
  emu_take(d, "uni");
  out->run = run_branch;
  out->class = EMU_CLASS_CONTROL;
  out->option[EMU_OPTION_FLOW] = EMU_FLOW_BRANCH;
  if (emu_bind_label(d, out, 0, 0))
    return EMU_DECODED;
  out->option[EMU_OPTION_FLOW] = EMU_FLOW_NEXT;
  return EMU_UNSUPPORTED;
}

static enum emu_decode_result decode_brx(struct emu_decoder *d, struct emu_instruction *out) {
  emu_take(d, "uni");
  if (!emu_take(d, "idx"))
    return emu_refuse(d, ".idx is needed");
  out->run = run_branch_table;
  out->class = EMU_CLASS_CONTROL;
  struct emu_branch_targets *t = emu_bind_table(d, 1);
  if (!t || !emu_bind_value(d, out, 0, 0, 4))
    return EMU_UNSUPPORTED;
  out->extra = t;
  out->option[EMU_OPTION_FLOW] = EMU_FLOW_TABLE;
  return EMU_DECODED;
}

static enum emu_decode_result decode_end(struct emu_decoder *d, struct emu_instruction *out) {
  emu_take(d, "uni");
  out->run = emu_opcode(d)[0] == 'r' ? run_return : run_exit;
  out->class = EMU_CLASS_CONTROL;
  out->option[EMU_OPTION_FLOW] = EMU_FLOW_END;
  return EMU_DECODED;
}

static enum emu_decode_result decode_trap(struct emu_decoder *d, struct emu_instruction *out) {
  bool trap = emu_opcode(d)[0] == 't';
  (void)d;
  out->run = trap ? run_trap : run_nothing;
  out->class = EMU_CLASS_CONTROL;
  if (trap)
    out->option[EMU_OPTION_FLOW] = EMU_FLOW_END;
  return EMU_DECODED;
}

static enum emu_decode_result decode_call(struct emu_decoder *d, struct emu_instruction *out) {
  emu_take(d, "uni");
  out->class = EMU_CLASS_CONTROL;
  struct emu_call *call = emu_bind_call(d, out);
  if (!call)
    return EMU_UNSUPPORTED;
  out->extra = call;
  out->run = call->system == EMU_SYSTEM_NONE ? run_call : run_system_call;
  if (call->system != EMU_SYSTEM_NONE)
    out->flags |= EMU_FLAG_SERIAL;
  return EMU_DECODED;
}

static enum emu_decode_result decode_hint(struct emu_decoder *d, struct emu_instruction *out) {
  static const char *const known[] = {"L1",    "L2",    "L2::evict_last", "L2::evict_normal", "global",
                                      "local", "const", "param",          "tensormap",        "L2::128B",
                                      NULL};
  while (emu_take_one(d, known) >= 0)
    ;
  out->run = run_nothing;
  out->class = EMU_CLASS_OTHER;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"bra", decode_bra},
    {"brx", decode_brx},
    {"ret", decode_end},
    {"exit", decode_end},
    {"call", decode_call},
    {"trap", decode_trap},
    {"brkpt", decode_trap},
    {"prefetch", decode_hint},
    {"prefetchu", decode_hint},
    {"applypriority", decode_hint},
    {"discard", decode_hint},
    {"pmevent", decode_hint},
    {NULL, NULL},
};

const struct emu_family EMU_VARIANT(emu_family_control) = {"control", opcodes};
