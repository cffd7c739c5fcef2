/* Order between the blocks of a launch. Each block knows, of every other, up to which of its contexts what
 * it did happens before. A release gives the
 * block a new context, so that what it does later is not covered. Places that several blocks read without
 * order between them hold a set of readers, which
 * has a context number of its own; equal sets are shared. */
#include "races.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BLOCKS = 8192, MAX_MEMBERS = 1 << 22, MEMO_SLOTS = 1 << 14 };
#define IS_SET (1u << 31)

struct reader_set {
  uint32_t count;
  uint32_t members[];
};

struct emu_global_order {
  uint32_t first, blocks;
  uint32_t *info; /* by context - first: its block, or IS_SET | index of a set */
  uint32_t count, capacity;
  struct reader_set **sets;
  uint32_t set_count, set_capacity, member_total;
  struct memo {
    uint32_t reader, block_context, result;
  } memo[MEMO_SLOTS];
  struct emu_publications published;
  struct emu_publications stored; /* the context that last wrote a place by a volatile or relaxed store */
  uint32_t *covered; /* by block: up to which context its fences and releases cover what it did */
};

/* Vectors by block. */
struct emu_knowledge {
  uint32_t *known, *fenced, *pending;
  uint32_t *arrived,
      *met; /* at barrier.cluster: what the block gives, what all have given in the phase that is over */
  bool has_fenced, has_pending;
};

static bool set_info(struct emu_global_order *o, uint32_t context, uint32_t value) {
  uint32_t at = context - o->first;
  if (at >= o->capacity) {
    uint32_t wanted = o->capacity ? o->capacity : 1024;
    while (wanted <= at)
      wanted *= 2;
    uint32_t *grown = realloc(o->info, wanted * sizeof *grown);
    if (!grown)
      return false;
    memset(grown + o->capacity, 0, (wanted - o->capacity) * sizeof *grown);
    o->info = grown;
    o->capacity = wanted;
  }
  o->info[at] = value;
  return true;
}

bool emu_global_order_start(struct emu_launch *l) {
  l->races_between_blocks = l->checks && l->block_total < EMU_CONTEXTS / 2;
  if (!(l->program->flags & EMU_FLAG_SYNCHRONISES) || !l->checks)
    return true;
  if (l->block_total > MAX_BLOCKS) { /* what its blocks tell each other is too much to keep */
    l->races_between_blocks = false;
    return true;
  }
  struct emu_global_order *o = calloc(1, sizeof *o + l->block_total * sizeof *o->covered);
  if (!o)
    return false;
  o->covered = (uint32_t *)(o + 1);
  o->first = l->first_context;
  o->blocks = (uint32_t)l->block_total;
  l->order = o;
  for (uint32_t i = 0; i < o->blocks; i++)
    if (!set_info(o, o->first + 1 + i, i))
      return false;
  return true;
}

void emu_global_order_end(struct emu_launch *l) {
  struct emu_global_order *o = l->order;
  if (!o)
    return;
  for (uint32_t i = 0; i < o->set_count; i++)
    free(o->sets[i]);
  free(o->sets);
  free(o->info);
  emu_publications_free(&o->published);
  emu_publications_free(&o->stored);
  free(o);
  l->order = NULL;
}

bool emu_global_block_start(struct emu_block *b) {
  const struct emu_launch *l = b->launch;
  b->context = l->races_between_blocks ? l->first_context + 1 + (uint32_t)b->index : l->first_context;
  b->several = l->order || !l->races_between_blocks ? 0 : l->first_context;
  b->knowledge = NULL;
  if (!l->order)
    return true;
  uint32_t n = l->order->blocks;
  struct emu_knowledge *k = calloc(1, sizeof *k + 5 * (size_t)n * sizeof(uint32_t));
  if (!k)
    return false;
  k->known = (uint32_t *)(k + 1);
  k->fenced = k->known + n;
  k->pending = k->fenced + n;
  k->arrived = k->pending + n;
  k->met = k->arrived + n;
  b->knowledge = k;
  return true;
}

void emu_global_block_end(struct emu_block *b) {
  free(b->knowledge);
  b->knowledge = NULL;
}

static bool knows_one(const struct emu_block *b, uint32_t context) {
  uint32_t block = b->launch->order->info[context - b->launch->order->first];
  return block == b->index || b->knowledge->known[block] >= context;
}

bool emu_global_knows(const struct emu_block *b, uint32_t context) {
  const struct emu_global_order *o = b->launch->order;
  if (!o || !b->knowledge || context - o->first >= o->capacity)
    return false;
  uint32_t info = o->info[context - o->first];
  if (!(info & IS_SET))
    return knows_one(b, context);
  const struct reader_set *set = o->sets[info & ~IS_SET];
  for (uint32_t i = 0; i < set->count; i++)
    if (!knows_one(b, set->members[i]))
      return false;
  return true;
}

uint64_t emu_global_block_of(const struct emu_launch *l, uint32_t context) {
  const struct emu_global_order *o = l->order;
  if (!o || context - o->first >= o->capacity || o->info[context - o->first] & IS_SET)
    return o ? UINT64_MAX - 1 : UINT64_MAX;
  return o->info[context - o->first];
}

/* A set of the old readers that the block does not know to be over, and the block. */
static uint32_t make_set(struct emu_block *b, uint32_t reader) {
  struct emu_global_order *o = b->launch->order;
  uint32_t info = o->info[reader - o->first];
  const struct reader_set *old = info & IS_SET ? o->sets[info & ~IS_SET] : NULL;
  uint32_t old_count = old ? old->count : 1;
  struct reader_set *set = malloc(sizeof *set + (old_count + 1) * sizeof set->members[0]);
  if (!set || o->member_total > MAX_MEMBERS) {
    free(set);
    return reader;
  }
  set->count = 0;
  for (uint32_t i = 0; i < old_count; i++) {
    uint32_t member = old ? old->members[i] : reader;
    if (!knows_one(b, member))
      set->members[set->count++] = member;
  }
  if (!set->count) {
    free(set);
    return b->context;
  }
  set->members[set->count++] = b->context;
  if (o->set_count == o->set_capacity) {
    uint32_t wanted = o->set_capacity ? o->set_capacity * 2 : 256;
    struct reader_set **grown = realloc(o->sets, wanted * sizeof *grown);
    if (!grown) {
      free(set);
      return reader;
    }
    o->sets = grown;
    o->set_capacity = wanted;
  }
  uint32_t context = emu_contexts_extend();
  if (!context || !set_info(o, context, IS_SET | o->set_count)) {
    free(set);
    return reader;
  }
  o->sets[o->set_count++] = set;
  o->member_total += set->count;
  return context;
}

uint32_t emu_global_add_reader(struct emu_block *b, uint32_t reader) {
  struct emu_global_order *o = b->launch->order;
  if (!o)
    return b->several ? b->several : b->context;
  uint64_t h = ((uint64_t)reader << 32 | b->context) * UINT64_C(0x9e3779b97f4a7c15);
  struct memo *m = &o->memo[h >> 50];
  if (m->reader != reader || m->block_context != b->context || !m->result)
    *m = (struct memo){reader, b->context, make_set(b, reader)};
  b->several = m->result == b->context ? 0 : m->result;
  return m->result;
}

/* The block's later doings get a context of their own. */
static void next_context(struct emu_block *b) {
  b->launch->order->covered[b->index] = b->context;
  uint32_t context = emu_contexts_extend();
  if (context && set_info(b->launch->order, context, (uint32_t)b->index)) {
    b->context = context;
    b->several = 0;
  }
}

static void snapshot(const struct emu_block *b, uint32_t *to) {
  memcpy(to, b->knowledge->known, b->launch->order->blocks * sizeof *to);
  to[b->index] = b->context;
}

void emu_global_fence(struct emu_block *b) {
  struct emu_knowledge *k = b->knowledge;
  if (!k)
    return;
  if (k->has_pending)
    emu_vector_join(k->known, k->pending, b->launch->order->blocks);
  k->has_pending = false;
  snapshot(b, k->fenced);
  k->has_fenced = true;
  next_context(b);
}

void emu_global_release(struct emu_block *b, const void *object) {
  uint32_t *vector =
      b->knowledge ? emu_publication(&b->launch->order->published, object, b->launch->order->blocks, true)
                   : NULL;
  if (!vector)
    return;
  emu_vector_join(vector, b->knowledge->known, b->launch->order->blocks);
  vector[b->index] = b->context;
  next_context(b);
}

void emu_global_acquire(struct emu_block *b, const void *object) {
  const uint32_t *vector =
      b->knowledge ? emu_publication(&b->launch->order->published, object, b->launch->order->blocks, false)
                   : NULL;
  if (vector)
    emu_vector_join(b->knowledge->known, vector, b->launch->order->blocks);
}

void emu_global_strong(struct emu_block *b, const void *object, unsigned kind) {
  struct emu_knowledge *k = b->knowledge;
  if (!k)
    return;
  uint32_t n = b->launch->order->blocks;
  const uint32_t *seen =
      kind & EMU_READ ? emu_publication(&b->launch->order->published, object, n, false) : NULL;
  if (seen) {
    if (!k->has_pending)
      memset(k->pending, 0, n * sizeof *k->pending);
    emu_vector_join(k->pending, seen, n);
    k->has_pending = true;
  }
  uint32_t *vector = kind & EMU_WRITE && k->has_fenced
                         ? emu_publication(&b->launch->order->published, object, n, true)
                         : NULL;
  if (vector)
    emu_vector_join(vector, k->fenced, n);
}

void emu_global_stored(const struct emu_block *b, const void *object) {
  enum { MAX_STORED = 1 << 16 };
  struct emu_global_order *o = b->launch->order;
  uint32_t *by = o ? emu_publication(&o->stored, object, 1, o->stored.count < MAX_STORED) : NULL;
  if (by)
    *by = b->context;
}

bool emu_global_is_unfenced(const struct emu_block *b, const void *object, uint32_t context) {
  struct emu_global_order *o = b->launch->order;
  if (!o || context < o->first || emu_global_knows(b, context))
    return false;
  const uint32_t *by = emu_publication(&o->stored, object, 1, false);
  const uint64_t block = emu_global_block_of(b->launch, context);
  return by && *by == context && block < o->blocks && block != b->index && o->covered[block] < context;
}

void emu_global_complete(struct emu_launch *l, const void *from, const void *to) {
  if (l->order)
    emu_publications_move(&l->order->published, from, to, l->order->blocks);
}

/* ---- barrier.cluster, block by block: the last of its threads to arrive arrives for the block ---- */

void emu_global_arrive(struct emu_block *b, bool releases) {
  struct emu_knowledge *k = b->knowledge;
  if (!k)
    return;
  uint32_t n = b->launch->order->blocks;
  if (releases)
    snapshot(b, k->arrived);
  else if (k->has_fenced)
    memcpy(k->arrived, k->fenced, n * sizeof *k->arrived);
  else
    memset(k->arrived, 0, n * sizeof *k->arrived);
  if (releases)
    next_context(b);
}

void emu_global_meet(struct emu_cluster *c) {
  if (!c->blocks[0].knowledge)
    return;
  uint32_t n = c->blocks[0].launch->order->blocks;
  uint32_t *all = c->blocks[0].knowledge->met;
  memset(all, 0, n * sizeof *all);
  for (uint32_t i = 0; i < c->count; i++)
    emu_vector_join(all, c->blocks[i].knowledge->arrived, n);
  for (uint32_t i = 1; i < c->count; i++)
    memcpy(c->blocks[i].knowledge->met, all, n * sizeof *all);
}

void emu_global_waited(struct emu_block *b) {
  if (b->knowledge)
    emu_vector_join(b->knowledge->known, b->knowledge->met, b->launch->order->blocks);
}
