/* Order between the threads of a block: what each warp knows of each, and, where lanes synchronise on
 * their own, each lane or thread. */
#include "cluster_order.h"
#include "order.h"
#include "read_log.h"
#include "within_block.h"

#include <stdlib.h>
#include <string.h>

/* Who has read until now does not matter any more. */
static void forget_reads(struct emu_shared_races *s) {
  if (s->log)
    s->log->used = 0;
}

void emu_shared_forget_lanes(struct emu_shared_races *s) {
  for (uint32_t i = 0; i < EMU_MAX_WARPS; i++) {
    free(s->lanes[i]);
    s->lanes[i] = NULL;
  }
}

/* Times run out: everything before counts as ordered. */
static void start_again(struct emu_shared_races *s) {
  memset(s->writers, 0, 3 * (size_t)s->cells * sizeof *s->writers);
  memset(s->known, 0, sizeof s->known);
  memset(s->fenced, 0, sizeof s->fenced);
  s->fenced_warps = 0;
  memset(s->exchanged, 0, sizeof s->exchanged);
  emu_shared_forget_lanes(s);
  free(s->threads);
  s->threads = NULL;
  emu_publications_free(&s->published);
  for (uint32_t i = 0; s->pending && i < s->thread_count; i++) {
    free(s->pending[i]);
    s->pending[i] = NULL;
  }
  free(s->many);
  s->many = NULL;
  free(s->hidden);
  s->hidden = NULL;
  emu_touched_forget(s);
  s->time = 1;
  s->floor = 0;
  memset(s->wrote, 0, 2 * (size_t)s->lines * sizeof *s->wrote);
  s->epoch++;
}

uint32_t emu_shared_tick(struct emu_shared_races *s) {
  emu_shared_settle_words(s, 0, s->words);
  if (s->time + 2 >= EMU_TIMES)
    start_again(s);
  return s->time++;
}

bool emu_shared_knows(const struct emu_shared_races *s, uint32_t thread, uint32_t about, uint32_t time) {
  uint32_t warp = thread / EMU_LANES, other = about / EMU_LANES;
  if (time <= s->known[warp][other])
    return true;
  if (warp == other && s->lanes[warp] &&
      time <= s->lanes[warp][thread % EMU_LANES * EMU_LANES + about % EMU_LANES])
    return true;
  return s->threads && time <= s->threads[(size_t)thread * s->thread_count + about];
}

/* The row of a thread in the matrix of threads, which is made when the first is asked for; NULL without
 * host memory. */
uint32_t *emu_shared_row(struct emu_shared_races *s, uint32_t thread) {
  if (!s->threads)
    s->threads = calloc((size_t)s->thread_count * s->thread_count, sizeof *s->threads);
  return s->threads ? s->threads + (size_t)thread * s->thread_count : NULL;
}

void emu_shared_effective(const struct emu_shared_races *s, uint32_t thread, uint32_t *to) {
  uint32_t warp = thread / EMU_LANES;
  for (uint32_t v = 0; v < s->thread_count; v++)
    to[v] = s->known[warp][v / EMU_LANES];
  if (s->lanes[warp])
    for (uint32_t k = 0; k < EMU_LANES && warp * EMU_LANES + k < s->thread_count; k++) {
      uint32_t time = s->lanes[warp][thread % EMU_LANES * EMU_LANES + k], *at = &to[warp * EMU_LANES + k];
      *at = time > *at ? time : *at;
    }
  if (s->threads)
    emu_vector_join(to, s->threads + (size_t)thread * s->thread_count, s->thread_count);
}

/* Threads whose lanes are in `lanes`, warp by warp, learn all that any of them knows. */
static void join_threads(struct emu_shared_races *s, const uint32_t *lanes, uint32_t warps, uint32_t now) {
  uint32_t all[EMU_MAX_WARPS * EMU_LANES] = {0}, one[EMU_MAX_WARPS * EMU_LANES];
  for (uint32_t w = 0; w < warps; w++)
    EMU_FOR_LANES (lane, lanes[w]) {
      emu_shared_effective(s, w * EMU_LANES + lane, one);
      emu_vector_join(all, one, s->thread_count);
      all[w * EMU_LANES + lane] = now;
    }
  for (uint32_t w = 0; w < warps; w++)
    EMU_FOR_LANES (lane, lanes[w]) {
      uint32_t *row = emu_shared_row(s, w * EMU_LANES + lane);
      if (row)
        emu_vector_join(row, all, s->thread_count);
    }
}

static void barrier(struct emu_block *b, const uint32_t lanes[EMU_MAX_WARPS]) {
  struct emu_shared_races *s = b->races;
  uint32_t whole = 0, all[EMU_MAX_WARPS] = {0};
  bool partial = false;
  for (uint32_t i = 0; i < b->warp_count; i++) {
    bool complete = lanes[i] == b->warps[i].warp.existing;
    whole += complete;
    partial = partial || (lanes[i] && !complete);
  }
  if (whole == b->warp_count)
    forget_reads(s);
  uint32_t now = emu_shared_tick(s);
  if (whole == b->warp_count) {
    for (uint32_t i = 0; i < b->warp_count; i++)
      for (uint32_t k = 0; k < b->warp_count; k++)
        s->known[i][k] = now;
    s->floor = now;
    return;
  }
  if (partial || s->threads)
    join_threads(s, lanes, b->warp_count, now);
  if (partial)
    return;
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (lanes[i]) {
      emu_vector_join(all, s->known[i], b->warp_count);
      all[i] = now;
    }
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (lanes[i])
      memcpy(s->known[i], all, b->warp_count * sizeof all[0]);
}

void emu_order_barrier(struct emu_block *b, const uint32_t lanes[EMU_MAX_WARPS]) {
  if (!b->races || !b->launch->checks)
    return;
  barrier(b, lanes);
  emu_cluster_join(b, lanes);
}

/* Lanes of one warp, all naming each other. */
static void join_lanes(struct emu_shared_races *s, uint32_t warp, uint32_t group, uint32_t now) {
  if (!s->lanes[warp])
    s->lanes[warp] = calloc(EMU_LANES * EMU_LANES, sizeof(uint32_t));
  uint32_t *m = s->lanes[warp], all[EMU_LANES] = {0};
  if (!m)
    return;
  EMU_FOR_LANES (lane, group) {
    emu_vector_join(all, m + lane * EMU_LANES, EMU_LANES);
    all[lane] = now;
  }
  EMU_FOR_LANES (lane, group)
    memcpy(m + lane * EMU_LANES, all, sizeof all);
}

void emu_order_warp(struct emu_warp *w, const uint32_t members[EMU_LANES], uint32_t mask) {
  struct emu_shared_races *s = w->block->races;
  if (!s || !w->launch->checks)
    return;
  bool whole = s->warp_count == 1 && (members[__builtin_ctz(mask)] & mask) == w->existing;
  if (whole)
    forget_reads(s);
  uint32_t now = emu_shared_tick(s);
  s->floor = whole ? now : s->floor;
  for (uint32_t left = mask; left;) {
    uint32_t group = members[__builtin_ctz(left)] & mask;
    left &= ~group;
    uint32_t lanes[EMU_MAX_WARPS] = {0};
    lanes[w->index] = group;
    if (s->threads)
      join_threads(s, lanes, w->index + 1, now);
    if (group == w->existing)
      s->known[w->index][w->index] = now;
    else
      join_lanes(s, w->index, group, now);
    emu_cluster_join(w->block, lanes);
  }
}

void emu_order_exchange(struct emu_warp *w, const uint32_t members[EMU_LANES], uint32_t mask) {
  struct emu_shared_races *s = w->block->races;
  if (!s || !w->launch->checks)
    return;
  uint32_t *exchanged = s->exchanged + w->index * EMU_LANES,
           *exchangers = s->exchangers + w->index * EMU_LANES;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    exchanged[lane] = mask >> lane & 1 ? s->time : exchanged[lane];
    exchangers[lane] = mask >> lane & 1 ? members[lane] & mask : exchangers[lane];
  }
}

/* What a thread releases: all that it knows of its block, itself up to `own`, and the lanes that it has
 * exchanged values with. */
static void released(const struct emu_shared_races *s, uint32_t thread, uint32_t own, uint32_t *to) {
  uint32_t first = thread - thread % EMU_LANES,
           exchanged = s->exchanged[thread] < own ? s->exchanged[thread] : own;
  emu_shared_effective(s, thread, to);
  EMU_FOR_LANES (lane, exchanged ? s->exchangers[thread] : 0)
    to[first + lane] = to[first + lane] > exchanged ? to[first + lane] : exchanged;
  to[thread] = own;
}

static void publish(struct emu_block *b, uint32_t thread, const void *object, uint32_t own, bool wide) {
  struct emu_shared_races *s = b->races;
  uint32_t vector[EMU_MAX_WARPS * EMU_LANES];
  uint32_t *to = emu_publication(&s->published, object, s->thread_count, true);
  released(s, thread, own, vector);
  if (to)
    emu_vector_join(to, vector, s->thread_count);
  emu_cluster_release(b, thread, object, vector, wide);
}

static bool within_block(enum emu_scope scope) {
  return scope == EMU_CTA || scope == EMU_SHARED;
}

void emu_order_release(struct emu_warp *w, unsigned lane, const void *object, enum emu_scope scope) {
  struct emu_shared_races *s = w->block->races;
  if (!w->launch->checks)
    return;
  if (s)
    publish(w->block, w->index * EMU_LANES + lane, object, emu_shared_tick(s), scope != EMU_CTA);
  if (!within_block(scope))
    emu_global_release(w->block, object);
}

void emu_order_acquire(struct emu_warp *w, unsigned lane, const void *object, enum emu_scope scope) {
  struct emu_shared_races *s = w->block->races;
  uint32_t thread = w->index * EMU_LANES + lane;
  if (!w->launch->checks)
    return;
  const uint32_t *vector = s ? emu_publication(&s->published, object, s->thread_count, false) : NULL;
  uint32_t *row = vector ? emu_shared_row(s, thread) : NULL;
  if (row)
    emu_vector_join(row, vector, s->thread_count);
  if (s)
    emu_cluster_acquire(w->block, thread, object, scope != EMU_CTA);
  if (!within_block(scope))
    emu_global_acquire(w->block, object);
}

/* Arrivals of a phase that is not over are kept under an address that is no object's. */
static const void *unfinished(const void *object) {
  return (const char *)object + 1;
}

void emu_order_arrive(struct emu_warp *w, unsigned lane, const void *object, enum emu_scope scope,
                      bool releases) {
  if (releases)
    emu_order_release(w, lane, unfinished(object), scope);
  else
    emu_order_strong(w, lane, unfinished(object), EMU_WRITE, scope);
}

void emu_order_phase_over(struct emu_warp *w, const void *object) {
  struct emu_cluster *c = w->block->cluster;
  if (!w->launch->checks)
    return;
  for (uint32_t i = 0; i < c->count; i++)
    if (c->blocks[i].races)
      emu_publications_move(&c->blocks[i].races->published, unfinished(object), object,
                            c->blocks[i].thread_count);
  emu_cluster_complete(c, unfinished(object), object);
  emu_global_complete(w->launch, unfinished(object), object);
}

void emu_order_fence(struct emu_warp *w, uint32_t mask, enum emu_scope scope) {
  struct emu_shared_races *s = w->block->races;
  if (!s || !w->launch->checks)
    return;
  uint32_t now = emu_shared_tick(s);
  EMU_FOR_LANES (lane, mask) {
    uint32_t thread = w->index * EMU_LANES + lane;
    s->fenced[thread] = now;
    s->fenced_warps |= 1u << w->index;
    uint32_t *pending = s->pending ? s->pending[thread] : NULL,
             *row = pending ? emu_shared_row(s, thread) : NULL;
    if (row)
      emu_vector_join(row, pending, s->thread_count);
    free(pending);
    if (s->pending)
      s->pending[thread] = NULL;
    emu_cluster_fence(w->block, thread, now, scope != EMU_CTA);
  }
  if (!within_block(scope))
    emu_global_fence(w->block);
}

static void remember_pending(struct emu_shared_races *s, uint32_t thread, const uint32_t *vector) {
  if (!s->pending)
    s->pending = calloc(s->thread_count, sizeof *s->pending);
  if (s->pending && !s->pending[thread])
    s->pending[thread] = calloc(s->thread_count, sizeof **s->pending);
  if (s->pending && s->pending[thread])
    emu_vector_join(s->pending[thread], vector, s->thread_count);
}

bool emu_orders_nothing(const struct emu_warp *w) {
  const struct emu_shared_races *s = w->block->races;
  return !(s->fenced_warps >> w->index & 1) && !s->published.count && !w->block->cluster->order &&
         !w->block->knowledge;
}

void emu_order_strong(struct emu_warp *w, unsigned lane, const void *object, unsigned kind,
                      enum emu_scope scope) {
  struct emu_shared_races *s = w->block->races;
  uint32_t thread = w->index * EMU_LANES + lane;
  if (!s || !w->launch->checks)
    return;
  const uint32_t *seen =
      kind & EMU_READ ? emu_publication(&s->published, object, s->thread_count, false) : NULL;
  if (seen)
    remember_pending(s, thread, seen);
  if (kind & EMU_READ)
    emu_cluster_look(w->block, thread, object, scope != EMU_CTA);
  if (kind & EMU_WRITE && s->fenced[thread])
    publish(w->block, thread, object, s->fenced[thread],
            scope != EMU_CTA && emu_cluster_fenced(w->block, thread));
  if (!within_block(scope))
    emu_global_strong(w->block, object, kind);
}
