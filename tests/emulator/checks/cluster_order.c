/* Order between the threads of a cluster's blocks, for each other's shared memory. What a thread knows of the
 * threads of other blocks is a view: up to which stamp (see emu_stamp) each thread's accesses happen before
 * what it does next. Views do not change and are shared by threads that know the same. */
#include "cluster_order.h"

#include <stdlib.h>
#include <string.h>

struct emu_view {
  uint32_t holders;
  uint32_t stamps[]; /* by thread of the cluster */
};

/* By thread of the cluster, except `published`. */
struct emu_cluster_order {
  uint32_t threads, total; /* of a block, of the cluster */
  struct emu_view **known;
  struct emu_view **seen[2]; /* by relaxed looks, until a fence of the block's scope / of a wider one */
  uint32_t *fenced;          /* stamp of the last fence of a scope wider than the block */
  uint32_t *released, *came; /* at barrier.cluster: what the arrival covers, when it was */
  struct emu_view *gathered; /* what those who have come know */
  struct emu_view *phase,
      *met; /* `released` and `came` of the phase that was over last, with all that was known */
  struct emu_view *waited[EMU_MAX_CLUSTER]; /* `met` of the last phase that a block has waited for */
  struct emu_publications wide, narrow[EMU_MAX_CLUSTER]; /* by object: for the cluster, for one block */
  uint64_t version;                                      /* counts changes of what is published */
  struct emu_view *joined_from, *joined_to;              /* the latest join: of a view ... */
  const uint32_t *joined_with;                           /* ... with this vector, ... */
  uint64_t joined_version;                               /* ... at this version */
};

static struct emu_view *hold(struct emu_view *v) {
  if (v)
    v->holders++;
  return v;
}

static void drop(struct emu_cluster_order *o, struct emu_view *v) {
  if (!v || --v->holders)
    return;
  free(v);
  o->version++; /* another view may get its place */
}

static void replace(struct emu_cluster_order *o, struct emu_view **at, struct emu_view *with) {
  drop(o, *at);
  *at = with;
}

struct emu_cluster_order *emu_cluster_order_make(const struct emu_cluster *c) {
  struct emu_cluster_order *o = calloc(1, sizeof *o);
  if (!o)
    return NULL;
  o->threads = c->blocks[0].launch->threads_per_block;
  o->total = o->threads * c->count;
  o->known = calloc(3 * (size_t)o->total, sizeof(struct emu_view *));
  o->fenced = calloc(3 * (size_t)o->total, sizeof *o->fenced);
  o->seen[0] = o->known + o->total;
  o->seen[1] = o->seen[0] + o->total;
  o->released = o->fenced + o->total;
  o->came = o->released + o->total;
  if (o->known && o->fenced)
    return o;
  free(o->known);
  free(o->fenced);
  free(o);
  return NULL;
}

void emu_cluster_order_free(struct emu_cluster_order *o) {
  if (!o)
    return;
  for (uint32_t i = 0; i < 3 * o->total; i++)
    drop(o, o->known[i]);
  struct emu_view *others[] = {o->gathered, o->phase, o->met, o->joined_from, o->joined_to};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    drop(o, others[i]);
  for (uint32_t i = 0; i < EMU_MAX_CLUSTER; i++) {
    drop(o, o->waited[i]);
    emu_publications_free(&o->narrow[i]);
  }
  emu_publications_free(&o->wide);
  free(o->known);
  free(o->fenced);
  free(o);
}

/* A view with all that a view and a vector hold, held for the caller: the old one where the vector adds
 * nothing to it. */
static struct emu_view *join(struct emu_cluster_order *o, struct emu_view *old, const uint32_t *stamps) {
  if (o->joined_to && o->joined_from == old && o->joined_with == stamps && o->joined_version == o->version)
    return hold(o->joined_to);
  bool more = !old;
  for (uint32_t i = 0; i < o->total && !more; i++)
    more = stamps[i] > old->stamps[i];
  struct emu_view *v = old;
  if (more)
    v = malloc(sizeof *v + o->total * sizeof v->stamps[0]);
  if (!v)
    return hold(old);
  if (more) {
    v->holders = 0;
    memcpy(v->stamps, stamps, o->total * sizeof *stamps);
    if (old)
      emu_vector_join(v->stamps, old->stamps, o->total);
  }
  replace(o, &o->joined_from, hold(old));
  replace(o, &o->joined_to, hold(v));
  o->joined_with = stamps;
  o->joined_version = o->version;
  return hold(v);
}

uint32_t emu_stamp(const struct emu_block *b, uint32_t time) {
  return b->races->epoch << EMU_TIME_BITS | time;
}

bool emu_cluster_knows(const struct emu_block *b, uint32_t thread, const struct emu_block *other,
                       uint32_t about, uint32_t stamp) {
  const struct emu_cluster_order *o = b->cluster->order;
  if (stamp >> EMU_TIME_BITS < other->races->epoch)
    return true;
  const struct emu_view *v = o ? o->known[b->rank * o->threads + thread] : NULL;
  return v && v->stamps[other->rank * o->threads + about] >= stamp;
}

/* What a thread has learnt through other blocks about threads of its own. */
static void learn_of_own_block(struct emu_block *b, uint32_t thread, const struct emu_view *v) {
  const struct emu_cluster_order *o = b->cluster->order;
  struct emu_shared_races *s = b->races;
  const uint32_t *own = v->stamps + b->rank * o->threads;
  for (uint32_t t = 0; t < o->threads; t++) {
    uint32_t time = own[t] & (EMU_TIMES - 1);
    if (own[t] >> EMU_TIME_BITS != s->epoch || emu_shared_knows(s, thread, t, time))
      continue;
    uint32_t *row = emu_shared_row(s, thread);
    if (!row)
      return;
    row[t] = time;
  }
}

static void learn(struct emu_block *b, uint32_t thread, const uint32_t *stamps) {
  struct emu_cluster_order *o = b->cluster->order;
  struct emu_view **known = &o->known[b->rank * o->threads + thread], *v = join(o, *known, stamps);
  if (v != *known && v)
    learn_of_own_block(b, thread, v);
  replace(o, known, v);
}

static void publish(struct emu_cluster_order *o, struct emu_publications *p, const struct emu_block *b,
                    uint32_t thread, const void *object, const uint32_t *own) {
  uint32_t *to = emu_publication(p, object, o->total, true);
  const struct emu_view *v = o->known[b->rank * o->threads + thread];
  if (!to)
    return;
  uint32_t *mine = to + b->rank * o->threads;
  for (uint32_t t = 0; t < o->threads; t++) {
    uint32_t stamp = emu_stamp(b, own[t]);
    mine[t] = own[t] && stamp > mine[t] ? stamp : mine[t];
  }
  if (v)
    emu_vector_join(to, v->stamps, o->total);
  o->version++;
}

void emu_cluster_release(struct emu_block *b, uint32_t thread, const void *object, const uint32_t *own,
                         bool wide) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o)
    return;
  if (wide)
    publish(o, &o->wide, b, thread, object, own);
  if (o->known[b->rank * o->threads + thread])
    publish(o, &o->narrow[b->rank], b, thread, object, own);
}

void emu_cluster_acquire(struct emu_block *b, uint32_t thread, const void *object, bool wide) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o)
    return;
  const uint32_t *near = emu_publication(&o->narrow[b->rank], object, o->total, false);
  const uint32_t *far = wide ? emu_publication(&o->wide, object, o->total, false) : NULL;
  if (near)
    learn(b, thread, near);
  if (far)
    learn(b, thread, far);
}

void emu_cluster_look(struct emu_block *b, uint32_t thread, const void *object, bool wide) {
  struct emu_cluster_order *o = b->cluster->order;
  uint32_t g = o ? b->rank * o->threads + thread : 0;
  for (int far = 0; o && far <= wide; far++) {
    const uint32_t *stamps = emu_publication(far ? &o->wide : &o->narrow[b->rank], object, o->total, false);
    if (stamps)
      replace(o, &o->seen[far][g], join(o, o->seen[far][g], stamps));
  }
}

void emu_cluster_fence(struct emu_block *b, uint32_t thread, uint32_t now, bool wide) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o)
    return;
  uint32_t g = b->rank * o->threads + thread;
  for (int far = 0; far <= wide; far++)
    if (o->seen[far][g]) {
      learn(b, thread, o->seen[far][g]->stamps);
      replace(o, &o->seen[far][g], NULL);
    }
  if (wide)
    o->fenced[g] = emu_stamp(b, now);
}

bool emu_cluster_fenced(const struct emu_block *b, uint32_t thread) {
  const struct emu_cluster_order *o = b->cluster->order;
  return o && o->fenced[b->rank * o->threads + thread];
}

void emu_cluster_complete(struct emu_cluster *c, const void *from, const void *to) {
  struct emu_cluster_order *o = c->order;
  for (uint32_t i = 0; o && i <= c->count; i++) {
    emu_publications_move(i < c->count ? &o->narrow[i] : &o->wide, from, to, o->total);
    o->version++;
  }
}

void emu_cluster_join(struct emu_block *b, const uint32_t lanes[EMU_MAX_WARPS]) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o)
    return;
  struct emu_view **known = o->known + b->rank * o->threads, *all = NULL;
  bool same = true, first = true;
  for (uint32_t w = 0; w < b->warp_count; w++)
    EMU_FOR_LANES (lane, lanes[w]) {
      struct emu_view *v = known[w * EMU_LANES + lane];
      same = same && (first || v == all);
      all = first ? v : all;
      first = false;
    }
  if (same)
    return;
  hold(all);
  for (uint32_t w = 0; w < b->warp_count; w++)
    EMU_FOR_LANES (lane, lanes[w]) {
      struct emu_view *v = known[w * EMU_LANES + lane];
      if (v && v != all)
        replace(o, &all, join(o, all, v->stamps));
    }
  for (uint32_t w = 0; w < b->warp_count; w++)
    EMU_FOR_LANES (lane, lanes[w])
      replace(o, &known[w * EMU_LANES + lane], hold(all));
  drop(o, all);
}

/* ---- barrier.cluster ---- */

void emu_cluster_arrival(struct emu_block *b, uint32_t thread, uint32_t now, bool releases) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o)
    return;
  uint32_t g = b->rank * o->threads + thread;
  o->came[g] = emu_stamp(b, now);
  o->released[g] = releases ? o->came[g] : o->fenced[g];
  struct emu_view *v = o->known[g];
  if (o->released[g] && v && v != o->gathered)
    replace(o, &o->gathered, join(o, o->gathered, v->stamps));
}

void emu_cluster_phase_over(struct emu_cluster *c) {
  struct emu_cluster_order *o = c->order;
  if (!o)
    return;
  o->version++;
  replace(o, &o->phase, join(o, o->gathered, o->released));
  replace(o, &o->met, join(o, NULL, o->came));
  replace(o, &o->gathered, NULL);
  memset(o->released, 0, o->total * sizeof *o->released);
  memset(o->came, 0, o->total * sizeof *o->came);
  o->version++;
}

void emu_cluster_waited(struct emu_block *b, uint32_t thread) {
  struct emu_cluster_order *o = b->cluster->order;
  if (!o || !o->phase)
    return;
  learn(b, thread, o->phase->stamps);
  if (o->waited[b->rank] != o->met)
    replace(o, &o->waited[b->rank], hold(o->met));
}

uint32_t emu_cluster_arrived(const struct emu_block *b, uint32_t thread) {
  const struct emu_cluster_order *o = b->cluster->order;
  uint32_t stamp = o && o->phase ? o->phase->stamps[b->rank * o->threads + thread] : 0;
  return stamp >> EMU_TIME_BITS == b->races->epoch ? stamp & (EMU_TIMES - 1) : 0;
}

bool emu_cluster_has_met(const struct emu_block *b, const struct emu_block *other, uint32_t about,
                         uint32_t stamp) {
  const struct emu_cluster_order *o = b->cluster->order;
  return o && o->waited[b->rank] && o->waited[b->rank]->stamps[other->rank * o->threads + about] >= stamp;
}

bool emu_cluster_outlives(const struct emu_block *b, const struct emu_block *other, uint32_t about,
                          uint32_t stamp) {
  const struct emu_cluster_order *o = b->cluster->order;
  uint32_t g = other->rank * o->threads + about;
  if (stamp >> EMU_TIME_BITS < other->races->epoch || emu_cluster_has_met(b, other, about, stamp))
    return true;
  for (uint32_t t = 0; t < o->threads; t++) {
    const struct emu_view *v = o->known[b->rank * o->threads + t];
    if (v && v->stamps[g] >= stamp)
      return true;
  }
  return false;
}
