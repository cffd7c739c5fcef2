#include "copy.h"
#include "queue.h"

#include <stdlib.h>
#include <string.h>

/* A copy to the host has run, but the host has not waited for it: its rows wait here, and the destination
 * still holds poison. Kept in the order in which the copies ran. */
struct delivery {
  struct delivery *next;
  uint64_t to;
  size_t pitch, slice, width, height, depth;
  uint32_t queue;
  uint64_t tick;
  bool pinned;
  unsigned char *rows;
};
static struct delivery *first;
struct emu_clock emu_host_clock;

void emu_deliver_later(const struct emu_stream_operation *operation, unsigned char *rows) {
  const struct emu_copy_work *copy = &operation->work.copy;
  struct emu_allocation_info info;
  struct delivery *d = emu_need(sizeof *d), **end = &first;
  *d = (struct delivery){.to = copy->to.address,
                         .pitch = copy->to.pitch,
                         .slice = copy->to.slice,
                         .width = copy->width,
                         .height = copy->height,
                         .depth = copy->depth,
                         .queue = operation->queue,
                         .tick = operation->tick,
                         .pinned = emu_memory_find(copy->to.address, &info),
                         .rows = rows};
  while (*end)
    end = &(*end)->next;
  *end = d;
}

static void hand_over(const struct delivery *d) {
  const unsigned char *from = d->rows;
  for (size_t z = 0; z < d->depth; z++)
    for (size_t y = 0; y < d->height; y++, from += d->width)
      memcpy((void *)(uintptr_t)(d->to + z * d->slice + y * d->pitch), from, d->width);
}

void emu_deliver(const struct emu_clock *clock, bool pinned_only) {
  struct delivery **at = &first;
  while (*at) {
    struct delivery *d = *at;
    if ((clock && !emu_clock_covers(clock, d->queue, d->tick)) || (pinned_only && !d->pinned)) {
      at = &d->next;
      continue;
    }
    hand_over(d);
    *at = d->next;
    free(d->rows);
    free(d);
  }
}

void emu_deliver_forget(uint64_t address, size_t bytes) {
  struct delivery **at = &first;
  while (*at) {
    struct delivery *d = *at;
    if (d->to < address || d->to - address >= bytes) {
      at = &d->next;
      continue;
    }
    *at = d->next;
    free(d->rows);
    free(d);
  }
}

void emu_host_sees(const struct emu_clock *clock) {
  emu_clock_join(&emu_host_clock, clock);
  emu_deliver(&emu_host_clock, false);
}

void emu_host_wait(const struct emu_clock *clock) {
  emu_run.synchronisations++;
  emu_queue_run_until(clock);
  emu_host_sees(clock);
}

bool emu_deliver_awaited(uint64_t address, size_t bytes) {
  for (const struct delivery *d = first; d; d = d->next) {
    size_t span = (d->depth - 1) * d->slice + (d->height - 1) * d->pitch + d->width;
    if (d->to < address + bytes && address < d->to + span)
      return true;
  }
  return false;
}
