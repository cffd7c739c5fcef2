/* barrier.cluster: all threads of all blocks of a cluster. A wait ends when the phase in which the thread
 * arrived is over. */
#include "block.h"

#include "../checks/order.h"

static uint32_t threads_of(const struct emu_cluster *c) {
  uint32_t threads = 0;
  for (uint32_t i = 0; i < c->count; i++)
    threads += c->blocks[i].thread_count;
  return threads;
}

static void next_phase(struct emu_cluster *c) {
  c->arrived = 0;
  c->phase++;
  emu_order_cluster_over(c);
  for (uint32_t i = 0; i < c->count; i++) {
    struct emu_block *b = &c->blocks[i];
    for (uint32_t k = 0; k < b->warp_count; k++) {
      struct emu_warp_state *s = &b->warps[k];
      for (uint32_t p = 0; p < s->path_count; p++)
        if (s->paths[p].state == EMU_PATH_CLUSTER) {
          s->paths[p].state = EMU_PATH_READY;
          s->blocked = false;
          emu_order_cluster_waited(&s->warp, s->paths[p].lanes);
        }
      emu_path_merge(s);
    }
  }
}

void emu_cluster_arrive(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, bool releases) {
  struct emu_warp_state *s = emu_state(w);
  struct emu_cluster *c = w->block->cluster;
  EMU_FOR_LANES (lane, mask) {
    if (s->cluster_phase[lane] == c->phase + 1) {
      emu_fault(
          w, in, lane, EMU_FAULT_CHECK,
          "barrier: the thread arrives twice at the cluster's barrier before the others have arrived once");
      return;
    }
    s->cluster_phase[lane] = c->phase + 1;
  }
  emu_order_cluster_arrive(w, mask, releases);
  c->arrived += (uint32_t)__builtin_popcount(mask);
  if (c->arrived == threads_of(c))
    next_phase(c);
}

void emu_cluster_wait(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  struct emu_warp_state *s = emu_state(w);
  struct emu_cluster *c = w->block->cluster;
  uint32_t waits = 0;
  EMU_FOR_LANES (lane, mask) {
    if (!s->cluster_phase[lane]) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK,
                "barrier: the thread waits at the cluster's barrier without having arrived");
      return;
    }
    waits |= (uint32_t)(s->cluster_phase[lane] == c->phase + 1) << lane;
  }
  if (!waits) {
    emu_order_cluster_waited(w, mask);
    return;
  }
  if (mask != w->active || waits != mask) {
    emu_tally_undo(w, in, mask);
    emu_path_isolate(s, in, waits);
    return;
  }
  emu_path_save(s);
  s->paths[s->current].state = EMU_PATH_CLUSTER;
  w->stop |= EMU_STOP_PATH;
}
