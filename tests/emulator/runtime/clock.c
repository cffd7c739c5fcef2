#include "queue.h"

#include <stdlib.h>
#include <string.h>

static void widen(struct emu_clock *clock, uint32_t count) {
  if (count <= clock->count)
    return;
  clock->ticks = emu_need_again(clock->ticks, count * sizeof *clock->ticks);
  memset(clock->ticks + clock->count, 0, (count - clock->count) * sizeof *clock->ticks);
  clock->count = count;
}

void emu_clock_join(struct emu_clock *into, const struct emu_clock *other) {
  widen(into, other->count);
  for (uint32_t i = 0; i < other->count; i++)
    if (other->ticks[i] > into->ticks[i])
      into->ticks[i] = other->ticks[i];
}

void emu_clock_set(struct emu_clock *clock, uint32_t queue, uint64_t tick) {
  widen(clock, queue + 1);
  clock->ticks[queue] = tick;
}

bool emu_clock_covers(const struct emu_clock *clock, uint32_t queue, uint64_t tick) {
  return queue < clock->count ? clock->ticks[queue] >= tick : tick == 0;
}

void emu_clock_free(struct emu_clock *clock) {
  free(clock->ticks);
  *clock = (struct emu_clock){0};
}
