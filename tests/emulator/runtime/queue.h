#ifndef EMU_RUNTIME_QUEUE_H
#define EMU_RUNTIME_QUEUE_H

#include "work.h"

/* Deferred execution. A queue is a chain of operations that run in order; a stream has one, and a graph that
 * is launched borrows one for each of its branches. What must come before what is a vector clock:
 * clock.ticks[q] = n means "after the n-th operation of queue q". The same clocks tell the core which
 * launches are ordered. */

struct emu_clock {
  uint64_t *ticks;
  uint32_t count;
};

void emu_clock_join(struct emu_clock *into, const struct emu_clock *other);
void emu_clock_set(struct emu_clock *clock, uint32_t queue, uint64_t tick);
bool emu_clock_covers(const struct emu_clock *clock, uint32_t queue, uint64_t tick);
void emu_clock_free(struct emu_clock *clock);

struct emu_stream_operation {
  struct emu_stream_operation *next;
  uint32_t queue, id; /* id: given when it starts */
  uint64_t tick;
  struct emu_clock after; /* all that comes before it, and itself */
  struct emu_work work;
  unsigned char
      *snapshot;    /* a copy's pageable source as it was when the copy was queued, rows without gaps */
  bool poison_late; /* the host destination could not be poisoned when the copy was queued */
  uint64_t event_generation;
};

/* A queue from the pool, empty; gives its number. */
uint32_t emu_queue_take(void);
void emu_queue_give(uint32_t queue);
/* A new operation at the end of a queue, after everything in `after`, which becomes the operation's own clock
 * (allocated, the caller keeps its own). Takes the work over. */
const struct emu_clock *emu_queue_append(uint32_t queue, const struct emu_clock *after,
                                         struct emu_work *work);
/* The operations that are queued and not begun, oldest first in each queue. */
void emu_queue_visit(void (*visit)(struct emu_stream_operation *operation, void *context), void *context);

/* Runs operations, in random order where none is given, until everything in the clock has ended. */
void emu_queue_run_until(const struct emu_clock *clock);
/* Runs one, if any can. */
void emu_queue_run_one(void);
/* idle.c: lets work go on by itself while the program makes no call. */
void emu_idle_start(void);
/* Runs one for it, if any can; true if one has run. */
bool emu_queue_run_idle(void);
/* Those that have run only so, and that nothing waits for or can tell of. */
size_t emu_queue_unawaited(void);
/* The program has waited for all work of a device, in a way. */
void emu_queue_forget_unawaited(void);
bool emu_queue_reached(const struct emu_clock *clock);
/* Forgets what is queued and not begun on a device, or everywhere (-1); returns how many. */
size_t emu_queue_drop(int device);

/* What the host has waited for. */
extern struct emu_clock emu_host_clock;
/* The host waits for a clock: runs, then sees the results. */
void emu_host_wait(const struct emu_clock *clock);
/* The host has learnt without waiting that a clock was reached. */
void emu_host_sees(const struct emu_clock *clock);

/* Fills in what the core needs to know of an operation that runs now. */
struct emu_operation emu_core_operation(struct emu_stream_operation *operation);

/* Results on their way to host memory: rows without gaps, kept until the host has waited for the copy. */
void emu_deliver_later(const struct emu_stream_operation *operation, unsigned char *rows);
/* Hands over what comes before `clock` (NULL: everything); pinned_only leaves pageable memory as it is. */
void emu_deliver(const struct emu_clock *clock, bool pinned_only);
/* Whether something on its way goes there. */
bool emu_deliver_awaited(uint64_t address, size_t bytes);
/* Forgets what is on its way to host memory that is about to be freed. */
void emu_deliver_forget(uint64_t address, size_t bytes);

#endif
