/* Races on the shared memory of a block that other blocks of its cluster access: among those, and with the
 * owner's threads. What the owner does by itself stands in its own shadows (shared_races.c); here is what the
 * others have done. */
#include "cluster_order.h"
#include "read_log.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* Lanes of a warp of the cluster that have read a word, at the stamp or later. */
struct lanes {
  uint32_t stamp, lanes;
};

struct writer {
  uint32_t stamp;
  uint16_t thread;
  uint8_t rank, bytes; /* bytes 0: nobody */
  bool strong;
};

/* The last access of a thread, for the end of the block. */
struct last {
  const struct emu_instruction *in;
  uint32_t stamp, offset;
};

struct emu_foreign {
  struct writer *writers; /* by word */
  struct lanes **readers; /* by word, then by warp of the cluster; NULL: nobody */
  uint8_t *read;          /* by word: the bytes that all of them have read */
  struct last *last;      /* by thread of the cluster */
  uint32_t words, warps, threads;
};

void emu_foreign_free(struct emu_shared_races *s) {
  struct emu_foreign *f = s->foreign;
  s->foreign = NULL;
  if (!f)
    return;
  for (uint32_t i = 0; f->readers && i < f->words; i++)
    free(f->readers[i]);
  free(f->readers);
  free(f->writers);
  free(f->read);
  free(f->last);
  free(f);
}

static struct emu_foreign *foreign_of(struct emu_block *owner) {
  struct emu_shared_races *s = owner->races;
  if (s->foreign)
    return s->foreign;
  struct emu_foreign *f = s->foreign = calloc(1, sizeof *f);
  if (!f)
    return NULL;
  f->words = s->words;
  f->warps = owner->warp_count;
  f->threads = owner->thread_count;
  f->writers = calloc(f->words + (size_t)1, sizeof *f->writers);
  f->readers = calloc(f->words + (size_t)1, sizeof(struct lanes *));
  f->read = calloc(f->words + (size_t)1, 1);
  f->last = calloc((size_t)f->threads * owner->cluster->count, sizeof *f->last);
  if (f->writers && f->readers && f->read && f->last && emu_shared_watch(s))
    return f;
  emu_foreign_free(s);
  return NULL;
}

/* One lane's access to a word of `owner`. */
struct access {
  struct emu_warp *w;
  const struct emu_instruction *in;
  unsigned lane;
  struct emu_block *owner;
  uint32_t thread, offset, word, mask;
  unsigned bytes, kind;
  bool strong;
  const struct emu_block *other; /* whose thread is not ordered before it */
  uint32_t other_thread;
};

static bool report(const struct access *a, bool written) {
  struct emu_dim3 d = a->w->launch->parameters.block;
  const uint32_t *at = a->owner->position, *from = a->other->position, t = a->other_thread;
  const char *name = (a->kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : a->kind & EMU_WRITE                        ? "write of"
                                                                  : "read of";
  return !emu_finding(
      a->w, a->in, a->lane,
      "race: shared %s %u bytes at 0x%x of block (%u,%u,%u), not ordered after a %s by thread (%u,%u,%u) of "
      "block (%u,%u,%u) of the cluster",
      name, a->bytes, a->offset, at[0], at[1], at[2], written ? "write" : "read", t % d.x, t / d.x % d.y,
      t / d.x / d.y, from[0], from[1], from[2]);
}

/* Whether what a thread of the cluster did is ordered before the access; notes whose it was if not. */
static bool is_ordered(struct access *a, uint32_t rank, uint32_t thread, uint32_t stamp) {
  struct emu_block *mine = a->w->block;
  const struct emu_block *other = &mine->cluster->blocks[rank];
  bool known = other != mine ? emu_cluster_knows(mine, a->thread, other, thread, stamp)
                             : thread == a->thread || stamp >> EMU_TIME_BITS < mine->races->epoch ||
                                   emu_shared_knows(mine->races, a->thread, thread, stamp & (EMU_TIMES - 1));
  a->other = other;
  a->other_thread = thread;
  return known;
}

static bool own_reader_unordered(void *context, uint32_t thread, uint32_t time) {
  struct access *a = context;
  return !is_ordered(a, a->owner->rank, thread, emu_stamp(a->owner, time));
}

static bool foreign_reader_unordered(struct access *a) {
  const struct emu_foreign *f = a->owner->races->foreign;
  const struct lanes *row = f->read[a->word] & a->mask ? f->readers[a->word] : NULL;
  for (uint32_t i = 0; row && i < f->warps * a->owner->cluster->count; i++)
    EMU_FOR_LANES (lane, row[i].lanes)
      if (!is_ordered(a, i / f->warps, i % f->warps * EMU_LANES + lane, row[i].stamp))
        return true;
  return false;
}

/* False after a report that ends the launch. */
static bool check_foreign_writer(struct access *a) {
  const struct writer *f = &a->owner->races->foreign->writers[a->word];
  if (!(f->bytes & a->mask) || (a->strong && f->strong) || is_ordered(a, f->rank, f->thread, f->stamp))
    return true;
  return emu_same_value(a->w, a->in, a->lane, a->owner->shared + a->offset, a->bytes) || report(a, true);
}

/* What the owner's threads have done to a cell, a word or a byte; *unordered: one of them has read it. */
static bool check_own(struct access *a, uint32_t cell, uint32_t mask, bool *unordered) {
  struct emu_shared_races *s = a->owner->races;
  uint32_t writer = s->writers[cell], thread = writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
  if (writer & mask && !(a->strong && writer & EMU_SHADOW_STRONG) &&
      !is_ordered(a, a->owner->rank, thread, emu_stamp(a->owner, writer >> EMU_TIME_SHIFT)) &&
      !emu_init_is_known(a->w->block, a->owner, cell) &&
      !emu_same_value(a->w, a->in, a->lane, a->owner->shared + a->offset, a->bytes) && !report(a, true))
    return false;
  *unordered = *unordered || (a->kind & EMU_WRITE && s->readers[cell] & mask &&
                              emu_shared_each_reader(s, cell, own_reader_unordered, a));
  return true;
}

static bool check_owner(struct access *a, bool *unordered) {
  struct emu_shared_races *s = a->owner->races;
  if (a->kind & EMU_WRITE)
    emu_shared_settle_words(s, a->word, 1);
  if (!check_own(a, a->word, a->mask, unordered))
    return false;
  for (unsigned i = 0; i < 4 && s->watched[a->word] & EMU_WATCH_BYTES; i++)
    if (a->mask >> i & 1 && !check_own(a, emu_byte_cell(s, a->word) + i, EMU_SHADOW_BYTES, unordered))
      return false;
  return true;
}

static void forget_foreign_readers(struct emu_foreign *f, uint32_t word, uint32_t mask) {
  if (f->read[word] & ~mask)
    return;
  free(f->readers[word]);
  f->readers[word] = NULL;
  f->read[word] = 0;
}

static void add_foreign_reader(struct access *a) {
  struct emu_foreign *f = a->owner->races->foreign;
  struct lanes **row = &f->readers[a->word];
  struct emu_block *mine = a->w->block;
  uint32_t now = emu_stamp(mine, mine->races->time);
  bool first = !*row || !(f->read[a->word] & a->mask);
  if (!*row)
    *row = calloc((size_t)f->warps * mine->cluster->count, sizeof **row);
  if (!*row)
    return;
  if (first)
    memset(*row, 0, (size_t)f->warps * mine->cluster->count * sizeof **row);
  struct lanes *entry = &(*row)[mine->rank * f->warps + a->w->index];
  bool over = entry->stamp != now;
  EMU_FOR_LANES (lane, over ? entry->lanes & ~(1u << a->lane) : 0)
    over = over && is_ordered(a, mine->rank, a->w->index * EMU_LANES + lane, entry->stamp);
  if (over)
    *entry = (struct lanes){now, 1u << a->lane};
  else
    entry->lanes |= 1u << a->lane; /* lanes that nothing orders share the earlier stamp */
  f->read[a->word] = first ? (uint8_t)a->mask : f->read[a->word] & (uint8_t)a->mask;
}

static bool foreign_word(struct access *a) {
  struct emu_shared_races *s = a->owner->races;
  struct emu_foreign *f = s->foreign;
  s->watched[a->word] |= EMU_WATCH_FOREIGN;
  bool unordered = false;
  if (!check_owner(a, &unordered) || !check_foreign_writer(a))
    return false;
  if (!(a->kind & EMU_WRITE)) {
    if (!a->strong)
      add_foreign_reader(a);
    return true;
  }
  unordered = unordered || foreign_reader_unordered(a);
  if (unordered && !report(a, false))
    return false;
  struct emu_block *mine = a->w->block;
  f->writers[a->word] = (struct writer){.stamp = emu_stamp(mine, mine->races->time),
                                        .thread = (uint16_t)a->thread,
                                        .rank = (uint8_t)mine->rank,
                                        .bytes = (uint8_t)a->mask,
                                        .strong = a->strong};
  if (unordered || a->strong)
    return true;
  forget_foreign_readers(f, a->word, a->mask);
  if (!(s->readers[a->word] & EMU_SHADOW_BYTES & ~a->mask))
    s->readers[a->word] = 0;
  if (!(s->writers[a->word] & EMU_SHADOW_BYTES & ~a->mask))
    s->writers[a->word] = 0;
  return true;
}

static bool owners_word(struct access *a) {
  struct emu_shared_races *s = a->owner->races;
  struct emu_foreign *f = s->foreign;
  if (!check_foreign_writer(a))
    return false;
  if (!(a->kind & EMU_WRITE))
    return true;
  bool unordered = foreign_reader_unordered(a);
  if (unordered && !report(a, false))
    return false;
  if (unordered || a->strong)
    return true;
  forget_foreign_readers(f, a->word, a->mask);
  if (!(f->writers[a->word].bytes & ~a->mask))
    f->writers[a->word].bytes = 0;
  if (!f->writers[a->word].bytes && !f->readers[a->word])
    s->watched[a->word] &= (uint8_t)~EMU_WATCH_FOREIGN;
  return true;
}

static bool each_word(struct access *a, bool (*check)(struct access *a)) {
  uint32_t last = (a->offset + a->bytes - 1) / 4;
  for (a->word = a->offset / 4; a->word <= last; a->word++) {
    uint32_t from = a->word * 4 > a->offset ? a->word * 4 : a->offset,
             to = a->word * 4 + 4 < a->offset + a->bytes ? a->word * 4 + 4 : a->offset + a->bytes;
    a->mask = ((1u << (to - from)) - 1) << (from - a->word * 4);
    if (!check(a))
      return false;
  }
  return true;
}

static struct access access_of(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                               struct emu_block *owner, uint32_t offset, unsigned bytes, unsigned kind) {
  return (struct access){.w = w,
                         .in = in,
                         .lane = lane,
                         .owner = owner,
                         .thread = w->index * EMU_LANES + lane,
                         .offset = offset,
                         .bytes = bytes,
                         .kind = kind,
                         .strong = emu_is_strong(in, kind) && !(kind & EMU_SCOPE_BLOCK)};
}

bool emu_race_foreign(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                      struct emu_block *owner, uint32_t offset, unsigned bytes, unsigned kind) {
  struct emu_foreign *f = foreign_of(owner);
  struct emu_block *mine = w->block;
  if (!f)
    return true;
  EMU_FOR_LANES (one, kind & EMU_ALL_OF_WARP ? w->active : 1u << lane) {
    struct access a = access_of(w, in, one, owner, offset, bytes, kind);
    if (!each_word(&a, foreign_word))
      return false;
    f->last[mine->rank * f->threads + a.thread] =
        (struct last){.in = in, .stamp = emu_stamp(mine, mine->races->time), .offset = offset};
  }
  return true;
}

bool emu_race_with_foreign(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           uint32_t offset, unsigned bytes, unsigned kind) {
  EMU_FOR_LANES (one, kind & EMU_ALL_OF_WARP ? w->active : 1u << lane) {
    struct access a = access_of(w, in, one, w->block, offset, bytes, kind);
    if (!each_word(&a, owners_word))
      return false;
  }
  return true;
}

void emu_foreign_end(struct emu_block *b) {
  const struct emu_foreign *f = b->races->foreign;
  for (uint32_t g = 0; g < f->threads * b->cluster->count; g++) {
    struct emu_block *other = &b->cluster->blocks[g / f->threads];
    const struct last *last = &f->last[g];
    uint32_t thread = g % f->threads;
    if (!last->in || emu_cluster_outlives(b, other, thread, last->stamp))
      continue;
    emu_finding(&other->warps[thread / EMU_LANES].warp, last->in, thread % EMU_LANES,
                "race: shared access at 0x%x of block (%u,%u,%u) of the cluster, which may have ended by "
                "then (its end is not "
                "ordered after it)",
                last->offset, b->position[0], b->position[1], b->position[2]);
    return;
  }
}
