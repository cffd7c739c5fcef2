/* What barrier.cluster orders: a thread's arrival covers what it did before, its wait what all arrivals
 * covered. What it does in between is covered by neither. An arrival with .relaxed covers only what a fence
 * before it does. */
#include "cluster_order.h"
#include "order.h"

#include <string.h>

void emu_order_cluster_arrive(struct emu_warp *w, uint32_t mask, bool releases) {
  struct emu_block *b = w->block;
  struct emu_cluster *c = b->cluster;
  if (!b->races || !w->launch->checks)
    return;
  if (!c->order)
    c->order = emu_cluster_order_make(c);
  uint32_t now = emu_shared_tick(b->races);
  EMU_FOR_LANES (lane, mask)
    emu_cluster_arrival(b, w->index * EMU_LANES + lane, now, releases);
  b->arrived += (uint32_t)__builtin_popcount(mask);
  b->releases = b->releases || releases;
  if (b->arrived < b->thread_count)
    return;
  emu_global_arrive(b, b->releases);
  b->arrived = 0;
  b->releases = false;
}

void emu_order_cluster_over(struct emu_cluster *c) {
  if (!c->blocks[0].races || !c->blocks[0].launch->checks)
    return;
  emu_cluster_phase_over(c);
  emu_global_meet(c);
}

/* A whole warp has waited: it knows of each warp what all of that one's lanes have released. */
static void learn_of_warps(struct emu_block *b, uint32_t warp) {
  struct emu_shared_races *s = b->races;
  uint32_t floor = UINT32_MAX;
  for (uint32_t v = 0; v < b->warp_count; v++) {
    uint32_t least = UINT32_MAX;
    EMU_FOR_LANES (lane, b->warps[v].warp.existing) {
      uint32_t time = emu_cluster_arrived(b, v * EMU_LANES + lane);
      least = time < least ? time : least;
    }
    s->known[warp][v] = s->known[warp][v] > least ? s->known[warp][v] : least;
  }
  for (uint32_t i = 0; i < b->warp_count; i++)
    for (uint32_t v = 0; v < b->warp_count; v++)
      floor = s->known[i][v] < floor ? s->known[i][v] : floor;
  s->floor = s->floor > floor ? s->floor : floor;
}

void emu_order_cluster_waited(struct emu_warp *w, uint32_t mask) {
  struct emu_block *b = w->block;
  if (!b->races || !w->launch->checks)
    return;
  if (mask == w->existing)
    learn_of_warps(b, w->index);
  EMU_FOR_LANES (lane, mask)
    emu_cluster_waited(b, w->index * EMU_LANES + lane);
  emu_global_waited(b);
}
