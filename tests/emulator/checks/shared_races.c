/* Races on shared memory: one lane's access against who accessed the words before. */
#include "cluster_order.h"
#include "read_log.h"
#include "report.h"

#include <string.h>

/* What an access is compared with, and the pair of threads that is not ordered. */
struct comparison {
  const struct emu_shared_races *s;
  uint32_t me, other;
};

static bool report(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                   unsigned bytes, unsigned kind, uint32_t thread, bool written) {
  struct emu_dim3 d = w->launch->parameters.block;
  const char *name = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : kind & EMU_WRITE                        ? "write of"
                                                               : "read of";
  return !emu_finding(
      w, in, lane, "race: shared %s %u bytes at 0x%x, not ordered after a %s by thread (%u,%u,%u)", name,
      bytes, offset, written ? "write" : "read", thread % d.x, thread / d.x % d.y, thread / d.x / d.y);
}

/* The lane, or with `all` an active one of the warp, that the writer's access is not ordered before;
 * EMU_LANES if there is none. */
static unsigned unordered_lane(const struct emu_shared_races *s, const struct emu_warp *w, unsigned lane,
                               uint32_t writer, bool all) {
  uint32_t thread = writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK, time = writer >> EMU_TIME_SHIFT;
  if (time <= s->known[w->index][thread / EMU_LANES])
    return EMU_LANES;
  EMU_FOR_LANES (k, all ? w->active : 1u << lane) {
    uint32_t one = w->index * EMU_LANES + k;
    if (thread != one && !emu_shared_knows(s, one, thread, time))
      return k;
  }
  return EMU_LANES;
}

static bool is_unordered(void *context, uint32_t thread, uint32_t time) {
  struct comparison *c = context;
  c->other = thread;
  return thread != c->me && time > c->s->floor && !emu_shared_knows(c->s, c->me, thread, time);
}

/* One lane's access to a word, or to bytes of it. */
struct access {
  struct emu_warp *w;
  const struct emu_instruction *in;
  unsigned lane;
  uint32_t offset, word;
  unsigned bytes, kind;
  bool strong, unordered; /* after what somebody has read, which has been reported */
};

/* The access against one write of the cell; false after a report that ends the launch. */
static bool check_writer(const struct access *a, uint32_t cell, uint32_t mask, uint32_t writer) {
  struct emu_warp *w = a->w;
  const bool both = a->strong && writer & EMU_SHADOW_STRONG;
  if (!(writer & mask) || (both && !(a->in->flags & EMU_FLAG_FIRST_LOOK)))
    return true;
  const unsigned apart = unordered_lane(w->block->races, w, a->lane, writer, a->kind & EMU_ALL_OF_WARP);
  if (apart == EMU_LANES)
    return true;
  if (both) {
    emu_note_first_look(w, a->in, apart, a->kind);
    return true;
  }
  return emu_init_is_known(w->block, w->block, cell) ||
         emu_same_value(w, a->in, apart, w->block->shared + a->offset, a->bytes) ||
         report(w, a->in, apart, a->offset, a->bytes, a->kind, writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK,
                true);
}

/* A cell is a word or a byte, `mask` says which of its bytes. False after a report that ends the launch. */
static bool check_cell(struct access *a, uint32_t cell, uint32_t mask) {
  struct emu_warp *w = a->w;
  struct emu_shared_races *s = w->block->races;
  if (!check_writer(a, cell, mask, s->writers[cell]) ||
      !check_writer(a, cell, mask, emu_hidden_weak(s, cell)) ||
      (!a->strong && !check_writer(a, cell, mask, emu_hidden_strong(s, cell))))
    return false;
  struct comparison c = {.s = s, .me = w->index * EMU_LANES + a->lane};
  if (a->kind & EMU_WRITE && s->readers[cell] & mask && emu_shared_each_reader(s, cell, is_unordered, &c)) {
    a->unordered = true;
    return report(w, a->in, a->lane, a->offset, a->bytes, a->kind, c.other, false);
  }
  return true;
}

static void record_cell(const struct access *a, uint32_t cell, uint32_t mask) {
  struct emu_shared_races *s = a->w->block->races;
  const uint32_t me = a->w->index * EMU_LANES + a->lane;
  if (!(a->kind & EMU_WRITE)) {
    if (!a->strong) /* strong reads race with weak writes only, which these are reported at */
      emu_shared_add_reader(s, a->w->index, a->lane, cell, mask,
                            a->kind & EMU_ALL_OF_WARP ? a->w->active : 0);
    return;
  }
  /* A weak write that is ordered after all reads: who is ordered after it is ordered after them. */
  if (!a->unordered && !a->strong && !(s->readers[cell] & EMU_SHADOW_BYTES & ~mask))
    s->readers[cell] = 0;
  emu_recent_add(s, s->wrote, a->word, a->word + 1);
  if (a->strong)
    emu_shared_hide(s, cell, me);
  s->writers[cell] =
      s->time << EMU_TIME_SHIFT | me << EMU_THREAD_SHIFT | mask | (a->strong ? EMU_SHADOW_STRONG : 0);
}

static bool check_bytes(struct access *a, uint32_t mask) {
  const uint32_t first = emu_byte_cell(a->w->block->races, a->word);
  for (unsigned i = 0; i < 4; i++)
    if (mask >> i & 1 && !check_cell(a, first + i, EMU_SHADOW_BYTES))
      return false;
  return true;
}

/* Bytes have entries of their own, since different threads may access those of one word. */
static bool part_of_word(struct access *a, uint32_t mask) {
  struct emu_shared_races *s = a->w->block->races;
  if (!emu_shared_watch_bytes(s))
    return true;
  s->watched[a->word] |= EMU_WATCH_BYTES;
  if (!check_cell(a, a->word, mask) || !check_bytes(a, mask))
    return false;
  for (unsigned i = 0; i < 4; i++)
    if (mask >> i & 1)
      record_cell(a, emu_byte_cell(s, a->word) + i, EMU_SHADOW_BYTES);
  return true;
}

static bool whole_word(struct access *a) {
  struct emu_shared_races *s = a->w->block->races;
  const bool bytes = s->watched && s->watched[a->word] & EMU_WATCH_BYTES;
  if (!check_cell(a, a->word, EMU_SHADOW_BYTES) || (bytes && !check_bytes(a, EMU_SHADOW_BYTES)))
    return false;
  record_cell(a, a->word, EMU_SHADOW_BYTES);
  if (!bytes || !(a->kind & EMU_WRITE) || a->strong || a->unordered)
    return true;
  const uint32_t first = emu_byte_cell(s, a->word);
  for (unsigned i = 0; i < 4; i++)
    s->writers[first + i] = s->readers[first + i] = 0;
  s->watched[a->word] &= (uint8_t)~EMU_WATCH_BYTES;
  return true;
}

bool emu_race_shared(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                     unsigned bytes, unsigned kind) {
  uint32_t last = (offset + bytes - 1) / 4;
  struct access a = {.w = w, .in = in, .lane = lane, .offset = offset, .bytes = bytes, .kind = kind};
  a.strong = emu_is_strong(in, kind);
  for (a.word = offset / 4; a.word <= last; a.word++) {
    uint32_t from = a.word * 4 > offset ? a.word * 4 : offset,
             to = a.word * 4 + 4 < offset + bytes ? a.word * 4 + 4 : offset + bytes;
    uint32_t mask = ((1u << (to - from)) - 1) << (from - a.word * 4);
    a.unordered = false;
    if (kind & EMU_WRITE)
      emu_shared_settle_words(w->block->races, a.word, 1);
    if (!(mask == EMU_SHADOW_BYTES ? whole_word(&a) : part_of_word(&a, mask)))
      return false;
  }
  return true;
}
