/* Asynchronous copies to shared memory that have been asked for and not been waited for: whoever touches
 * their words meanwhile races with them, the thread that asked included. */
#include "order.h"
#include "races.h"
#include "report.h"

#include <stdlib.h>

/* A copy whose end an mbarrier tells, in a phase of it. */
struct emu_awaited_copy {
  struct emu_awaited_copy *next;
  const void *object;
  uint32_t phase, offset, bytes;
};

void emu_awaited_copies_free(struct emu_shared_races *s) {
  while (s->awaited) {
    struct emu_awaited_copy *next = s->awaited->next;
    free(s->awaited);
    s->awaited = next;
  }
}

void emu_order_copy_begins(struct emu_warp *w, unsigned lane, struct emu_block *owner, uint32_t offset,
                           unsigned bytes) {
  struct emu_shared_races *s = owner->races;
  if (!s || !w->launch->checks || !emu_shared_watch(s))
    return;
  for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; i++) {
    s->watched[i] |= EMU_WATCH_COPY;
    s->copying[i] = (uint16_t)(w->index * EMU_LANES + lane);
  }
}

void emu_order_copy_ends(struct emu_block *owner, uint32_t offset, unsigned bytes) {
  struct emu_shared_races *s = owner->races;
  if (!s || !s->watched)
    return;
  for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; i++)
    s->watched[i] &= (uint8_t)~EMU_WATCH_COPY;
}

void emu_order_copy_until(struct emu_warp *w, unsigned lane, struct emu_block *owner, uint32_t offset,
                          unsigned bytes, const void *object, uint32_t phase) {
  struct emu_shared_races *s = owner->races;
  struct emu_awaited_copy *copy = s && w->launch->checks ? malloc(sizeof *copy) : NULL;
  if (!copy)
    return;
  *copy = (struct emu_awaited_copy){s->awaited, object, phase, offset, bytes};
  s->awaited = copy;
  emu_order_copy_begins(w, lane, owner, offset, bytes);
}

void emu_order_copies_arrived(struct emu_warp *w, const void *object, uint32_t phase) {
  struct emu_shared_races *s = w->block->races;
  struct emu_awaited_copy **at = s ? &s->awaited : NULL, *copy;
  while (at && (copy = *at)) {
    if (copy->object != object || copy->phase == phase) {
      at = &copy->next;
      continue;
    }
    emu_order_copy_ends(w->block, copy->offset, copy->bytes);
    *at = copy->next;
    free(copy);
  }
}

bool emu_copy_in_the_way(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                         const struct emu_block *owner, uint32_t offset, unsigned bytes, unsigned kind) {
  const struct emu_shared_races *s = owner->races;
  struct emu_dim3 d = w->launch->parameters.block;
  for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; i++) {
    if (!(s->watched[i] & EMU_WATCH_COPY))
      continue;
    uint32_t t = s->copying[i];
    return !emu_finding(
        w, in, lane,
        "race: shared %s %u bytes at 0x%x, which an asynchronous copy by thread (%u,%u,%u) still writes: it "
        "has not been waited for",
        kind & EMU_WRITE ? "write of" : "read of", bytes, offset, t % d.x, t / d.x % d.y, t / d.x / d.y);
  }
  return true;
}
