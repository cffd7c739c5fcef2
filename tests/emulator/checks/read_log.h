/* Reads of shared memory that the shadows do not hold yet. Most reads are over at the next barrier of the
 * whole block, and nobody ever asks who they were: they are noted in passing, and go into the shadows when
 * somebody may ask - a write close by, a synchronisation of less than the block - or when there are too
 * many. All of them are of the present time of the block, so that it does not matter in which order they
 * get there.
 *
 * Included by what is compiled for each level of the host processor. */
#ifndef EMU_READ_LOG_H
#define EMU_READ_LOG_H

#include "races.h"

#include <stdlib.h>

/* An entry is a word with its kind, the warp and how many words each lane reads, and then: */
enum emu_logged {
  EMU_LOGGED_ROW,   /* first word, lanes side by side */
  EMU_LOGGED_SAME,  /* first word, the same for all; which lanes */
  EMU_LOGGED_LANES, /* which lanes; first word of each, all 32, in 16 bits */
};
enum { EMU_LOG_WORDS = 1 << 16, EMU_LOG_MOST = 2 + EMU_LANES / 2 };

struct emu_read_log {
  void (*settle)(struct emu_shared_races *s); /* puts all into the shadows */
  uint32_t used;
  uint32_t first, end; /* words of shared memory that the entries lie within */
  uint32_t entries[EMU_LOG_WORDS];
};

/* Before somebody writes these words, or asks who has read them. */
static inline void emu_shared_settle_words(struct emu_shared_races *s, uint32_t word, uint32_t count) {
  const struct emu_read_log *log = s->log;
  if (log && log->used && word < log->end && word + count > log->first)
    log->settle(s);
}

static inline bool emu_is_recent(const struct emu_shared_races *s, uint32_t shadow) {
  return shadow >> EMU_TIME_SHIFT > s->floor;
}

/* ---- Into the shadows ---- */

/* Whether nobody else's reads of a row have to be kept: word i belongs to thread first + i / per. */
static inline bool emu_row_is_alone(const struct emu_shared_races *s, uint32_t warp, uint32_t word,
                                    unsigned count, unsigned per) {
  const uint32_t *readers = s->readers + word, *row = s->known[warp], first = warp * EMU_LANES;
  uint32_t others = 0;
  if (!emu_recently(s, s->read, word, word + count))
    return true;
  for (unsigned i = 0; i < count; i++)
    others |= (uint32_t)emu_is_recent(s, readers[i]) & (readers[i] >> 4 & 1);
  for (unsigned i = 0; i < count && !others; i++) {
    uint32_t r = readers[i], thread = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    others |= (uint32_t)(r >> EMU_TIME_SHIFT > row[thread >> 5]) & (uint32_t)(thread != first + i / per);
  }
  return !others;
}

static inline void emu_settle_row(struct emu_shared_races *s, uint32_t warp, uint32_t word, unsigned count,
                                  unsigned per) {
  uint32_t *readers = s->readers + word, first = warp * EMU_LANES;
  const uint32_t now = s->time << EMU_TIME_SHIFT | EMU_SHADOW_BYTES;
  if (!emu_row_is_alone(s, warp, word, count, per)) {
    emu_shared_add_row(s, warp, word, count, per);
    return;
  }
  for (unsigned i = 0; i < count; i++)
    readers[i] = now | (first + i / per) << EMU_THREAD_SHIFT;
  emu_recent_add(s, s->read, word, word + count);
}

static inline void emu_settle_lane(struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t word) {
  uint32_t r = s->readers[word], thread = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK,
           me = warp * EMU_LANES + lane;
  if (emu_is_recent(s, r) &&
      (r & EMU_SHADOW_STRONG || (thread != me && r >> EMU_TIME_SHIFT > s->known[warp][thread >> 5])))
    emu_shared_add_reader(s, warp, lane, word, EMU_SHADOW_BYTES, 0);
  else
    s->readers[word] = s->time << EMU_TIME_SHIFT | me << EMU_THREAD_SHIFT | EMU_SHADOW_BYTES;
  emu_recent_add(s, s->read, word, word + 1);
}

static void emu_settle_log(struct emu_shared_races *s) {
  struct emu_read_log *log = s->log;
  for (uint32_t at = 0; at < log->used;) {
    const uint32_t *e = log->entries + at;
    uint32_t warp = e[0] >> 2 & 31, per = e[0] >> 8;
    switch (e[0] & 3) {
    case EMU_LOGGED_ROW:
      emu_settle_row(s, warp, e[1], per * EMU_LANES, per);
      at += 2;
      break;
    case EMU_LOGGED_SAME:
      for (uint32_t k = 0; k < per; k++)
        emu_shared_add_reader(s, warp, 0, e[1] + k, EMU_SHADOW_BYTES, e[2]);
      at += 3;
      break;
    default:
      EMU_FOR_LANES (lane, e[1])
        for (uint32_t k = 0; k < per; k++)
          emu_settle_lane(s, warp, lane, ((const uint16_t *)(e + 2))[lane] + k);
      at += EMU_LOG_MOST;
    }
  }
  log->used = 0;
}

/* ---- Notes ---- */

/* Room for `size` words more, about words of shared memory between these; NULL without host memory. */
static inline uint32_t *emu_log_room(struct emu_shared_races *s, uint32_t size, uint32_t first,
                                     uint32_t end) {
  struct emu_read_log *log = s->log;
  if (!log) {
    log = s->log = malloc(sizeof *log);
    if (!log)
      return NULL;
    log->settle = emu_settle_log;
    log->used = 0;
  }
  if (log->used > EMU_LOG_WORDS - EMU_LOG_MOST)
    emu_settle_log(s);
  if (!log->used) {
    log->first = first;
    log->end = end;
  }
  log->first = first < log->first ? first : log->first;
  log->end = end > log->end ? end : log->end;
  uint32_t *entry = log->entries + log->used;
  log->used += size;
  return entry;
}

/* Lanes side by side read `per` words each; false if it wants a closer look. */
static inline bool emu_log_row(struct emu_shared_races *s, uint32_t warp, uint32_t word, unsigned per) {
  const uint32_t *writers = s->writers + word, *row = s->known[warp], first = warp * EMU_LANES;
  uint32_t count = per * EMU_LANES, bad = 0;
  if (emu_watched(s, word, count))
    return false;
  const unsigned wrote = emu_recently(s, s->wrote, word, word + count) ? count : 0;
  for (unsigned i = 0; i < wrote; i++)
    bad |= emu_write_in_the_way(writers[i], row, first + i / per);
  uint32_t *entry = bad ? NULL : emu_log_room(s, 2, word, word + count);
  if (!entry)
    return false;
  entry[0] = EMU_LOGGED_ROW | warp << 2 | per << 8;
  entry[1] = word;
  return true;
}

/* These lanes read the same `per` words. */
static inline bool emu_log_same(struct emu_shared_races *s, uint32_t warp, uint32_t lanes, uint32_t word,
                                unsigned per) {
  if (emu_watched(s, word, per))
    return false;
  const unsigned wrote = emu_recently(s, s->wrote, word, word + per) ? per : 0;
  for (unsigned k = 0; k < wrote; k++) {
    uint32_t w = s->writers[word + k];
    if (w >> EMU_TIME_SHIFT > s->known[warp][w >> (EMU_THREAD_SHIFT + 5) & 31])
      return false;
  }
  uint32_t *entry = emu_log_room(s, 3, word, word + per);
  if (!entry)
    return false;
  entry[0] = EMU_LOGGED_SAME | warp << 2 | per << 8;
  entry[1] = word;
  entry[2] = lanes;
  return true;
}

/* These lanes read `per` words each; of the others the word is that of one of these. */
static inline bool emu_log_lanes(struct emu_shared_races *s, uint32_t warp, uint32_t lanes,
                                 const uint32_t words[EMU_LANES], unsigned per) {
  const uint32_t *row = s->known[warp];
  uint32_t first = UINT32_MAX, last = 0, bad = 0;
  for (unsigned i = 0; i < EMU_LANES; i++) {
    first = words[i] < first ? words[i] : first;
    last = words[i] > last ? words[i] : last;
  }
  for (unsigned k = 0; k < (s->watched ? per : 0); k++)
    for (unsigned i = 0; i < EMU_LANES; i++)
      bad |= s->watched[words[i] + k];
  const unsigned wrote = emu_recently(s, s->wrote, first, last + per) ? per : 0;
  for (unsigned k = 0; k < wrote; k++)
    for (unsigned i = 0; i < EMU_LANES; i++)
      bad |= emu_write_in_the_way(s->writers[words[i] + k], row, warp * EMU_LANES + i) & lanes >> i;
  uint32_t *entry = bad || last > UINT16_MAX ? NULL : emu_log_room(s, EMU_LOG_MOST, first, last + per);
  if (!entry)
    return false;
  entry[0] = EMU_LOGGED_LANES | warp << 2 | per << 8;
  entry[1] = lanes;
  uint16_t *each = (uint16_t *)(entry + 2);
  for (unsigned i = 0; i < EMU_LANES; i++)
    each[i] = (uint16_t)words[i];
  return true;
}

#endif
