/* mbarriers that have been initialised, and fence.mbarrier_init: what it covers are a thread's
 * mbarrier.init before it and nothing else, for whoever waits at a barrier.cluster that the thread arrives
 * at behind it, with .relaxed too. */
#include "cluster_order.h"
#include "order.h"

#include <stdlib.h>

struct emu_inits {
  uint32_t count, capacity;
  struct {
    uint32_t word, thread, time, epoch;
    bool fenced;
  } all[];
};

void emu_inits_free(struct emu_shared_races *s) {
  free(s->inits);
  s->inits = NULL;
}

static struct emu_inits *room(struct emu_shared_races *s) {
  struct emu_inits *inits = s->inits;
  if (inits && inits->count < inits->capacity)
    return inits;
  uint32_t wanted = inits ? inits->capacity * 2 : 8;
  struct emu_inits *grown = realloc(inits, sizeof *grown + wanted * sizeof grown->all[0]);
  if (!grown)
    return NULL;
  grown->count = inits ? grown->count : 0;
  grown->capacity = wanted;
  return s->inits = grown;
}

void emu_order_init(struct emu_warp *w, unsigned lane, uint32_t offset) {
  struct emu_shared_races *s = w->block->races;
  if (!s || !w->launch->checks || w->launch->cluster_size == 1)
    return;
  struct emu_inits *inits = s->inits;
  uint32_t i = 0;
  while (inits && i < inits->count && inits->all[i].word != offset / 4)
    i++;
  if (!inits || i == inits->count) {
    if (!(inits = room(s)))
      return;
    inits->count++;
  }
  inits->all[i].word = offset / 4;
  inits->all[i].thread = w->index * EMU_LANES + lane;
  inits->all[i].time = s->time;
  inits->all[i].epoch = s->epoch;
  inits->all[i].fenced = false;
}

void emu_order_init_fence(struct emu_warp *w, uint32_t mask) {
  struct emu_inits *inits = w->block->races ? w->block->races->inits : NULL;
  for (uint32_t i = 0; inits && i < inits->count; i++) {
    uint32_t thread = inits->all[i].thread;
    inits->all[i].fenced |= thread / EMU_LANES == w->index && mask >> thread % EMU_LANES & 1;
  }
}

bool emu_init_is_known(const struct emu_block *b, const struct emu_block *owner, uint32_t word) {
  const struct emu_shared_races *s = owner->races;
  const struct emu_inits *inits = s->inits;
  uint32_t writer = inits ? s->writers[word] : 0;
  for (uint32_t i = 0; inits && i < inits->count; i++)
    if (inits->all[i].fenced && inits->all[i].word == (word & ~1u) && inits->all[i].epoch == s->epoch &&
        inits->all[i].time == writer >> EMU_TIME_SHIFT &&
        inits->all[i].thread == (writer >> EMU_THREAD_SHIFT & EMU_THREAD_MASK))
      return emu_cluster_has_met(b, owner, inits->all[i].thread, emu_stamp(owner, inits->all[i].time));
  return false;
}
