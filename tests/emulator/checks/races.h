/* Race detection. A shadow word per 4 bytes says who accessed them last:
 *   global memory   context (27 bits) | strong (1) | bytes (4)   a context is a block of a launch, or a
 * copy, up to its next release
 *   shared memory   time (17 bits) | thread (10) | strong or many (1) | bytes (4)   time counts the
 * synchronisations of the block; of many readers a row says which lanes of each warp they are
 * A conflict is two accesses of which one writes and one is weak, neither ordered before the other. */
#ifndef EMU_RACES_H
#define EMU_RACES_H

#include "../scheduler/block.h"

enum {
  EMU_SHADOW_BYTES = 15,
  EMU_SHADOW_STRONG = 16,
  EMU_CONTEXT_SHIFT = 5,
  EMU_TIME_SHIFT = 15,
  EMU_THREAD_SHIFT = 5,
  EMU_THREAD_MASK = 1023
};
#define EMU_CONTEXTS (1u << 27)
#define EMU_TIMES (1u << 17)

/* What was released at objects: a vector of times or contexts each. */
struct emu_publications {
  struct emu_publication {
    const void *object;
    uint32_t *vector;
  } * slots; /* open addressing */
  size_t count, capacity;
};

/* The vector of an object, `length` long; NULL if there is none and `make` is false, or without host
 * memory. */
uint32_t *emu_publication(struct emu_publications *p, const void *object, uint32_t length, bool make);
/* What was published at one object is from now on published at another. */
void emu_publications_move(struct emu_publications *p, const void *from, const void *to, uint32_t length);
void emu_publications_free(struct emu_publications *p);
static inline void emu_vector_join(uint32_t *to, const uint32_t *from, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    to[i] = to[i] > from[i] ? to[i] : from[i];
}

/* Lanes of a warp that have read a word, at `time` or later. */
struct emu_lane_readers {
  uint32_t time, lanes;
};

/* Words that want a closer look than the plain shadows give. */
enum emu_watch {
  EMU_WATCH_COPY = 1,    /* a copy to them has been asked for and not been waited for */
  EMU_WATCH_FOREIGN = 2, /* another block of the cluster has accessed them */
  EMU_WATCH_BYTES = 4,   /* a part of them has been accessed alone */
  EMU_WATCH_SOURCE = 8,  /* a bulk copy reads them */
};

struct emu_shared_races {
  uint32_t *writers, *readers;
  struct emu_read_log
      *log; /* reads that `readers` does not hold yet: read_log.h; NULL if there never were any */
  /* By line of EMU_LINE words: the time of the latest access that `writers` and `readers` hold, or later; of
   * bytes, that of their words. */
  uint32_t *wrote, *read;
  uint32_t lines;
  /* What strong writes have taken the place of in `writers`, and what no barrier of the whole block has
   * ordered since: the last weak write, and behind those the last strong one by another thread. NULL until
   * there is one. */
  uint32_t *hidden;
  uint32_t *since; /* of words with "many": the time from which on their entries of `many` count */
  uint32_t words;
  uint32_t
      cells; /* entries of these and columns of `many`: the words, and behind them, if bytes are looked at one
                     by one, four for each word */
  uint32_t capacity;
  struct emu_lane_readers *many; /* by warp, then by word: who has read; NULL until a word has many readers */
  uint32_t warp_count, many_cells;
  uint8_t *watched;                 /* by word, enum emu_watch; NULL if there are none */
  uint16_t *copying;                /* by word: the thread that asked for the copy; there with `watched` */
  struct emu_awaited_copy *awaited; /* copies that mbarriers tell of */
  struct emu_bulk_sources *sources; /* NULL if there never were any */
  struct emu_inits *inits;          /* of mbarriers; NULL if there are none, or no cluster */
  struct emu_foreign *foreign;      /* accesses by other blocks of the cluster; NULL if there were none */
  struct emu_touched_line *touched; /* within_block.h */
  uint32_t epoch;                   /* how often the times have started again */
  uint32_t time;
  uint32_t floor; /* everything up to this time is ordered, by a barrier of the whole block */
  uint32_t known[EMU_MAX_WARPS]
                [EMU_MAX_WARPS]; /* [of][about]: accesses of that warp up to this time are ordered before */
  /* The same between lanes of a warp: [of * 32 + about]; NULL where warps synchronise whole. */
  uint32_t *lanes[EMU_MAX_WARPS];
  uint32_t *threads; /* the same between threads: [of * count + about]; NULL if nobody released alone */
  uint32_t thread_count;
  uint32_t fenced[EMU_MAX_WARPS * EMU_LANES]; /* time of each thread's last fence */
  uint32_t fenced_warps;                      /* those with a thread that has fenced: a bit each */
  /* When each thread last exchanged values within its warp, and with which lanes: what they had read by then,
   * they had. */
  uint32_t exchanged[EMU_MAX_WARPS * EMU_LANES], exchangers[EMU_MAX_WARPS * EMU_LANES];
  uint32_t **pending;                /* by thread: what it has seen published, until its next fence */
  struct emu_publications published; /* vectors of thread_count */
};

/* contexts.c: who is who in the shadows of global memory. */
/* `count` new contexts for an operation, which is described by `name` (copied) and, for launches, its
 * grid. */
uint32_t emu_contexts_open(const struct emu_operation *operation, const char *name, uint64_t count,
                           const struct emu_dim3 *grid);
/* One more context of the operation opened last; 0 if there are no more. */
uint32_t emu_contexts_extend(void);
/* Every context below happens before the operation. */
uint32_t emu_contexts_settled(const struct emu_operation *operation);
bool emu_context_before(uint32_t context, const struct emu_operation *operation);
/* The same; where it is so, `ordered` becomes all of the operation that the context belongs to. */
bool emu_context_ordered(uint32_t context, const struct emu_operation *operation,
                         struct emu_ordered *ordered);
static inline bool emu_is_ordered(const struct emu_ordered *o, uint32_t context) {
  return context - o->first < o->count;
}
/* "block (1,0,0) of kernel f" or "cudaMemcpyAsync". `block`: index of the block if the caller knows it,
 * else UINT64_MAX. */
void emu_context_describe(uint32_t context, uint64_t block, char *text, size_t bytes);
/* What an operation does to a range. The last two, to a whole allocation, are compared with every access and
 * leave no mark. */
enum emu_doing { EMU_READS = 0, EMU_WRITES, EMU_ALLOCATES, EMU_FREES };
/* A copy or library call: checks and records a range. False and a text if it races. */
bool emu_race_range(struct emu_allocation *a, uint64_t offset, uint64_t bytes, enum emu_doing doing,
                    const struct emu_operation *operation, uint32_t context, char *text, size_t size);

/* global_order.c: order between the blocks of a launch. */
bool emu_global_order_start(struct emu_launch *launch);
void emu_global_order_end(struct emu_launch *launch);
bool emu_global_block_start(struct emu_block *block);
void emu_global_block_end(struct emu_block *block);
bool emu_global_knows(const struct emu_block *block, uint32_t context);
/* The reader that stands for `reader` and the block. */
uint32_t emu_global_add_reader(struct emu_block *block, uint32_t reader);
uint64_t emu_global_block_of(const struct emu_launch *launch, uint32_t context);
void emu_global_fence(struct emu_block *block);
void emu_global_release(struct emu_block *block, const void *object);
void emu_global_acquire(struct emu_block *block, const void *object);
void emu_global_strong(struct emu_block *block, const void *object, unsigned kind);
/* A volatile or relaxed store, no atomic; whether the context's write by one is covered by no fence of its
 * block, and not known to this one. */
void emu_global_stored(const struct emu_block *block, const void *object);
bool emu_global_is_unfenced(const struct emu_block *block, const void *object, uint32_t context);
void emu_global_complete(struct emu_launch *launch, const void *from, const void *to);
/* barrier.cluster: all threads of a block have arrived; all blocks have; a block waits no longer. */
void emu_global_arrive(struct emu_block *block, bool releases);
void emu_global_meet(struct emu_cluster *cluster);
void emu_global_waited(struct emu_block *block);

/* shared_block.c, shared_order.c: order between the threads of a block. */
bool emu_shared_block_start(struct emu_block *block);
void emu_shared_block_free(struct emu_block *block);
void emu_shared_forget_lanes(struct emu_shared_races *s);
bool emu_shared_knows(const struct emu_shared_races *s, uint32_t thread, uint32_t about, uint32_t time);
uint32_t *emu_shared_row(struct emu_shared_races *s, uint32_t thread);
/* The time up to which accesses are covered by what synchronises now. */
uint32_t emu_shared_tick(struct emu_shared_races *s);
/* All that a thread knows of each thread of its block, into a vector. */
void emu_shared_effective(const struct emu_shared_races *s, uint32_t thread, uint32_t *to);

/* Whether a weak access by thread `me`, whose warp knows `row`, wants a closer look at who wrote: another
 * thread that nothing orders, or the thread itself by a strong write, which may hide others' writes. */
static inline uint32_t emu_write_in_the_way(uint32_t writer, const uint32_t *row, uint32_t me) {
  const uint32_t thread = writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
  return (uint32_t)(writer >> EMU_TIME_SHIFT > row[thread >> 5]) &
         ((uint32_t)(thread != me) | (writer >> 4 & 1));
}

enum { EMU_LINE = 32 };
/* Words from `first` to `end` are accessed now; `lines`: wrote or read. */
static inline void emu_recent_add(const struct emu_shared_races *s, uint32_t *lines, uint32_t first,
                                  uint32_t end) {
  for (uint32_t i = first / EMU_LINE; i <= (end - 1) / EMU_LINE; i++)
    lines[i] = s->time;
}
/* Whether some of these words may have been accessed since the last barrier of the whole block. */
static inline bool emu_recently(const struct emu_shared_races *s, const uint32_t *lines, uint32_t first,
                                uint32_t end) {
  uint32_t last = 0;
  for (uint32_t i = first / EMU_LINE; i <= (end - 1) / EMU_LINE; i++)
    last = last > lines[i] ? last : lines[i];
  return last > s->floor;
}

/* shared_readers.c: who has read a word since it was last written. */
/* Adds a lane of a warp, or the lanes of `all`, if there are any. Of several readers only the bytes that
 * all of them have read are kept. */
void emu_shared_add_reader(struct emu_shared_races *s, uint32_t warp, unsigned lane, uint32_t word,
                           uint32_t bytes, uint32_t all);
/* All lanes of a warp read `count` words side by side, `per` words each, whose writers are ordered before:
 * records them. */
void emu_shared_add_row(struct emu_shared_races *s, uint32_t warp, uint32_t word, unsigned count,
                        unsigned per);
/* Calls `visit` for each reader of a word that the shadows hold, until it returns true; whether it did. */
bool emu_shared_each_reader(const struct emu_shared_races *s, uint32_t word,
                            bool (*visit)(void *context, uint32_t thread, uint32_t time), void *context);

/* pending_copies.c: asynchronous copies to shared memory from their issue until they are waited for. Whoever
 * touches such a word meanwhile, the thread that asked for the copy included, races with it: false after a
 * report that ends the launch. */
bool emu_copy_in_the_way(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                         const struct emu_block *owner, uint32_t offset, unsigned bytes, unsigned kind);

/* bulk_sources.c: the same for a write of what a bulk copy reads. */
bool emu_source_in_the_way(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           const struct emu_block *owner, uint32_t offset, unsigned bytes);
void emu_bulk_sources_free(struct emu_shared_races *s);

static inline bool emu_watched(const struct emu_shared_races *s, uint32_t word, unsigned count) {
  uint32_t any = 0;
  if (!s->watched)
    return false;
  for (unsigned i = 0; i < count; i++)
    any |= s->watched[word + i];
  return any != 0;
}
/* A strong write is about to take the place of `writers[cell]`. */
void emu_shared_hide(struct emu_shared_races *s, uint32_t cell, uint32_t thread);
static inline uint32_t emu_hidden_weak(const struct emu_shared_races *s, uint32_t cell) {
  /* Inits of mbarriers in a cluster have a fence of their own, which is asked for the latest write alone. */
  return s->hidden && !s->inits && s->hidden[cell] >> EMU_TIME_SHIFT > s->floor ? s->hidden[cell] : 0;
}
static inline uint32_t emu_hidden_strong(const struct emu_shared_races *s, uint32_t cell) {
  return s->hidden ? s->hidden[s->cells + cell] : 0;
}
/* Makes the tables of what is watched; false without host memory. */
bool emu_shared_watch(struct emu_shared_races *s);
/* Makes entries for the bytes of words; false without host memory. The entry of a word's first byte. */
bool emu_shared_watch_bytes(struct emu_shared_races *s);
enum { EMU_CELLS_OF_WORD = 5 }; /* itself and its bytes */
static inline uint32_t emu_byte_cell(const struct emu_shared_races *s, uint32_t word) {
  return s->words + 4 * word;
}
static inline uint32_t emu_word_of_cell(const struct emu_shared_races *s, uint32_t cell) {
  return cell < s->words ? cell : (cell - s->words) / 4;
}
void emu_foreign_free(struct emu_shared_races *s);
void emu_inits_free(struct emu_shared_races *s);
void emu_awaited_copies_free(struct emu_shared_races *s);
/* Whether an access is strong: races with weak ones only. The first look of a compare-and-swap loop is taken
 * for one, and noted where it meets a strong write that nothing orders. */
static inline bool emu_is_strong(const struct emu_instruction *in, unsigned kind) {
  return kind & EMU_STRONG || (kind & EMU_READ && in->flags & EMU_FLAG_FIRST_LOOK);
}
void emu_note_first_look(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, unsigned kind);
/* Whether a store that nothing orders after the last write of its place leaves there what is there: noted as
 * what it is. */
bool emu_same_value(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const void *at,
                    unsigned bytes);

/* Both check and record. False after a report that ends the launch. */
bool emu_race_global(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                     struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind);
bool emu_race_shared(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, uint32_t offset,
                     unsigned bytes, unsigned kind);

/* The block writes to an allocation. */
static inline void emu_race_writes(struct emu_allocation *a, uint32_t context) {
  if (a->written < context)
    a->written = context;
}

/* The first context of the launch where nothing orders its blocks: who reads what another of them has read
 * makes several of the two. UINT32_MAX where blocks may be ordered. */
static inline uint32_t emu_others_of_launch(const struct emu_warp *w) {
  return !w->launch->order && w->block->several ? w->block->several : UINT32_MAX;
}

/* `count` whole words of global memory at once, all last accessed in ways that are ordered before: recorded,
 * true. Otherwise nothing changes: false. Who has written is looked at where anybody may have. */
static inline bool emu_race_read_words(const struct emu_warp *w, const struct emu_allocation *a,
                                       uint64_t offset, unsigned count) {
  const uint32_t *writers = a->writers + offset / 4;
  uint32_t *readers = a->readers + offset / 4;
  const uint32_t me = w->block->context, settled = w->launch->settled_context, kept = w->worker->kept,
                 several = w->block->several ? w->block->several : UINT32_MAX,
                 others = emu_others_of_launch(w);
  const struct emu_ordered wrote = w->worker->wrote, read = w->worker->read;
  const unsigned written = a->written >= settled ? count : 0;
  uint32_t bad = 0;
  for (unsigned i = 0; i < written; i++) {
    uint32_t by = writers[i] >> EMU_CONTEXT_SHIFT;
    bad |= (uint32_t)(by >= settled) & (uint32_t)(by != me) & (uint32_t)(by - wrote.first >= wrote.count);
  }
  for (unsigned i = 0; i < count; i++) {
    uint32_t r = readers[i] >> EMU_CONTEXT_SHIFT;
    bad |= (uint32_t)(r >= settled) & (uint32_t)(r != me) & (uint32_t)(r - read.first >= read.count) &
           (uint32_t)(r != several) & (uint32_t)(r < others) & (uint32_t)(readers[i] != kept);
  }
  if (bad)
    return false;
  const uint32_t word = me << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES;
  for (unsigned i = 0; i < count; i++) {
    const uint32_t r = readers[i] >> EMU_CONTEXT_SHIFT;
    const uint32_t now = r >= others && r != me ? several << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES : word;
    readers[i] = r == several || (kept && readers[i] == kept) ? readers[i] : now;
  }
  return true;
}

static inline bool emu_race_write_words(const struct emu_warp *w, struct emu_allocation *a, uint64_t offset,
                                        unsigned count) {
  uint32_t *writers = a->writers + offset / 4;
  const uint32_t *readers = a->readers + offset / 4;
  const uint32_t me = w->block->context, settled = w->launch->settled_context;
  const struct emu_ordered wrote = w->worker->wrote, read = w->worker->read;
  uint32_t bad = 0;
  for (unsigned i = 0; i < count; i++) {
    uint32_t by = writers[i] >> EMU_CONTEXT_SHIFT, r = readers[i] >> EMU_CONTEXT_SHIFT;
    bad |= (uint32_t)(by >= settled) & (uint32_t)(by != me) & (uint32_t)(by - wrote.first >= wrote.count);
    bad |= (uint32_t)(r >= settled) & (uint32_t)(r != me) & (uint32_t)(r - read.first >= read.count);
  }
  if (bad)
    return false;
  const uint32_t word = me << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES;
  emu_race_writes(a, me);
  for (unsigned i = 0; i < count; i++)
    writers[i] = word;
  return true;
}

/* One word likewise. */
static inline bool emu_race_read_word(const struct emu_warp *w, uint32_t writer, uint32_t *reader) {
  const uint32_t me = w->block->context, settled = w->launch->settled_context;
  const uint32_t by = writer >> EMU_CONTEXT_SHIFT, r = *reader >> EMU_CONTEXT_SHIFT;
  if (by >= settled && by != me && !emu_is_ordered(&w->worker->wrote, by))
    return false;
  if (r < settled || r == me || emu_is_ordered(&w->worker->read, r))
    *reader = me << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES;
  else if (r != w->block->several && r >= emu_others_of_launch(w))
    *reader = w->block->several << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES;
  else if (r != w->block->several && *reader != w->worker->kept)
    return false;
  return true;
}

/* All lanes of a warp write words of shared memory: word i belongs to thread first + i / per. `row` is
 * what the warp knows; what has been read is in the shadows. */
static inline bool emu_race_shared_write(struct emu_shared_races *s, uint32_t at, unsigned count,
                                         unsigned per, uint32_t first, const uint32_t *row) {
  uint32_t *writers = s->writers + at, bad = 0;
  const uint32_t *readers = s->readers + at;
  if (emu_watched(s, at, count))
    return false;
  const unsigned wrote = emu_recently(s, s->wrote, at, at + count) ? count : 0,
                 read = emu_recently(s, s->read, at, at + count) ? count : 0;
  for (unsigned i = 0; i < wrote; i++)
    bad |= emu_write_in_the_way(writers[i], row, first + i / per);
  for (unsigned i = 0; i < read; i++) {
    uint32_t r = readers[i], reader = r >> EMU_THREAD_SHIFT & EMU_THREAD_MASK;
    bad |= (uint32_t)(r >> EMU_TIME_SHIFT > s->floor) & (r >> 4 & 1);
    bad |= (uint32_t)(r >> EMU_TIME_SHIFT > row[reader >> 5]) & (uint32_t)(reader != first + i / per);
  }
  if (bad)
    return false;
  for (unsigned i = 0; i < count; i++)
    writers[i] = s->time << EMU_TIME_SHIFT | (first + i / per) << EMU_THREAD_SHIFT | EMU_SHADOW_BYTES;
  emu_recent_add(s, s->wrote, at, at + count);
  return true;
}

#endif
