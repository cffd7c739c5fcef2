/* Barriers of a block: bar.sync, bar.arrive, bar.red. They count threads; lanes of a warp may come one
 * after the other. */
#include "block.h"

#include "../checks/order.h"
#include "../checks/report.h"

#include <string.h>

static void write_result(struct emu_path *p, const struct emu_instruction *in, const struct emu_barrier *b) {
  uint32_t value = in->option[EMU_OPTION_BARRIER] == EMU_BARRIER_COUNT ? b->joined
                   : in->option[EMU_OPTION_BARRIER] == EMU_BARRIER_ALL
                       ? (b->joined == b->expected ? UINT32_MAX : 0)
                       : (b->joined ? UINT32_MAX : 0);
  uint32_t *result = (uint32_t *)(p->frame->registers + in->operand[0].offset);
  if (in->operand[0].kind == EMU_OPERAND_PREDICATE) {
    *result = (*result & ~p->lanes) | (value & p->lanes);
    return;
  }
  EMU_FOR_LANES (lane, p->lanes)
    result[lane] = value;
}

/* An aligned barrier wants all lanes of a warp at the same instruction. */
static void check_alignment(struct emu_block *block, uint32_t number, uint32_t warp) {
  const struct emu_instruction *code = block->launch->program->code;
  struct emu_warp_state *s = &block->warps[warp];
  const struct emu_path *first = NULL;
  for (uint32_t k = 0; k < s->path_count; k++) {
    const struct emu_path *p = &s->paths[k];
    if (p->state != EMU_PATH_BARRIER || p->wanted != number)
      continue;
    first = first ? first : p;
    const struct emu_instruction *in = &code[p->next - 1], *other = &code[first->next - 1];
    if (in == other || !(in->option[EMU_OPTION_ALIGNED] || other->option[EMU_OPTION_ALIGNED]))
      continue;
    const struct emu_place *at = &block->launch->program->places[other->place];
    emu_finding(
        &s->warp, in, (unsigned)__builtin_ctz(p->lanes),
        "barrier: lanes of one warp come to barrier %u at different instructions (lanes 0x%08x at line %u)",
        number, first->lanes, at->line);
    return;
  }
}

static void complete(struct emu_block *block, uint32_t number) {
  struct emu_barrier *b = &block->barriers[number];
  const struct emu_instruction *code = block->launch->program->code;
  emu_order_barrier(block, b->lanes);
  for (uint32_t i = 0; i < block->warp_count; i++) {
    struct emu_warp_state *s = &block->warps[i];
    if (!b->lanes[i])
      continue;
    if (s->path_count > 1 && block->launch->checks)
      check_alignment(block, number, i);
    for (uint32_t k = 0; k < s->path_count; k++) {
      struct emu_path *p = &s->paths[k];
      if (p->state != EMU_PATH_BARRIER || p->wanted != number)
        continue;
      p->state = EMU_PATH_READY;
      s->blocked = false;
      const struct emu_instruction *in = &code[p->next - 1];
      if (in->option[EMU_OPTION_BARRIER] != EMU_BARRIER_PLAIN)
        write_result(p, in, b);
    }
    if (s->path_count > 1)
      emu_path_merge(s);
  }
  memset(b, 0, sizeof *b);
}

/* Missing lanes of a block's last warp count where the number of threads is given, as it is a multiple of
 * the warp size. */
static uint32_t threads_of(struct emu_warp *w, uint32_t mask, uint32_t expected,
                           const struct emu_barrier *b) {
  uint32_t threads = emu_count_lanes_of(mask);
  if (expected && !b->lanes[w->index])
    threads += 32 - emu_count_lanes_of(w->existing);
  return threads;
}

void emu_barrier_come(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, uint32_t barrier,
                      uint32_t expected, bool waits, uint32_t value) {
  struct emu_warp_state *s = emu_state(w);
  unsigned lane = (unsigned)__builtin_ctz(mask);
  if (barrier >= EMU_BARRIERS) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_INSTRUCTION, "barrier: there is no barrier %u (0 to 15)",
              barrier);
    return;
  }
  if (expected % EMU_LANES || expected > 1024) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_INSTRUCTION,
              "barrier: %u threads cannot be waited for (a multiple of 32 up to 1024)", expected);
    return;
  }
  if (mask != w->active) {
    emu_tally_undo(w, in, mask);
    emu_path_isolate(s, in, mask);
    return;
  }
  struct emu_barrier *b = &w->block->barriers[barrier];
  uint32_t wanted = expected ? expected : w->block->thread_count;
  if (b->arrived && b->expected != wanted) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK,
              "barrier: barrier %u is used for %u threads while others wait for %u", barrier, wanted,
              b->expected);
    return;
  }
  if (b->lanes[w->index] & mask) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK,
              "barrier: the thread comes twice to barrier %u before the others have come once", barrier);
    return;
  }
  if (!b->arrived)
    b->index = in->index;
  b->expected = wanted;
  b->arrived += threads_of(w, mask, expected, b);
  b->lanes[w->index] |= mask;
  b->joined += emu_count_lanes_of(value & mask);
  if (b->arrived > b->expected) {
    emu_fault(w, in, lane, EMU_FAULT_CHECK, "barrier: %u threads come to barrier %u (%u are named)",
              b->arrived, barrier, b->expected);
    return;
  }
  if (waits) {
    emu_path_save(s);
    struct emu_path *p = &s->paths[s->current];
    p->state = EMU_PATH_BARRIER;
    p->wanted = barrier;
    w->stop |= EMU_STOP_PATH;
  }
  if (b->arrived == b->expected)
    complete(w->block, barrier);
}
