#include "queue.h"
#include "copy.h"
#include "report.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

struct queue {
  struct emu_stream_operation *first, *last;
  uint64_t issued, ended;
  bool taken, busy; /* busy: its first operation runs, perhaps in another thread */
};
static struct queue *queues;
static uint32_t queue_count;

/* Which operation an id was given to: what the core asks when it meets an earlier access. */
static struct {
  uint32_t queue;
  uint64_t tick;
} * begun;
static uint32_t begun_count, begun_room;

uint32_t emu_queue_take(void) {
  for (uint32_t i = 0; i < queue_count; i++)
    if (!queues[i].taken && !queues[i].first) {
      queues[i].taken = true;
      return i;
    }
  queues = emu_need_again(queues, (queue_count + 1) * sizeof *queues);
  queues[queue_count] = (struct queue){.taken = true};
  return queue_count++;
}

void emu_queue_give(uint32_t queue) {
  queues[queue].taken = false;
}

const struct emu_clock *emu_queue_append(uint32_t queue, const struct emu_clock *after,
                                         struct emu_work *work) {
  if (work->kind == EMU_WORK_COPY)
    emu_copy_settle_source(&work->copy, after);
  struct emu_stream_operation *operation = emu_need(sizeof *operation);
  struct queue *q = &queues[queue];
  operation->queue = queue;
  operation->tick = ++q->issued;
  operation->work = *work;
  emu_clock_join(&operation->after, after);
  emu_clock_set(&operation->after, queue, operation->tick);
  if (work->kind == EMU_WORK_EVENT_RECORD)
    operation->event_generation = ++work->event.event->generation;
  if (work->kind == EMU_WORK_COPY)
    emu_copy_queued(operation);
  if (q->last)
    q->last->next = operation;
  else
    q->first = operation;
  q->last = operation;
  emu_idle_start();
  return &operation->after;
}

void emu_queue_visit(void (*visit)(struct emu_stream_operation *, void *), void *context) {
  for (uint32_t i = 0; i < queue_count; i++)
    for (struct emu_stream_operation *o = queues[i].first; o; o = o->next)
      if (o != queues[i].first || !queues[i].busy)
        visit(o, context);
}

static bool ready(const struct emu_stream_operation *operation) {
  const struct emu_clock *after = &operation->after;
  for (uint32_t i = 0; i < after->count; i++)
    if (i != operation->queue && queues[i].ended < after->ticks[i])
      return false;
  return true;
}

/* One of the queues whose first operation may run, at random; NULL if none can. */
static struct queue *choose(bool *running) {
  struct queue *chosen = NULL;
  uint32_t found = 0;
  *running = false;
  for (uint32_t i = 0; i < queue_count; i++) {
    if (queues[i].busy)
      *running = true;
    else if (queues[i].first && ready(queues[i].first) && emu_random(++found) == 0)
      chosen = &queues[i];
  }
  return chosen;
}

static void record_event(struct emu_stream_operation *operation) {
  cudaEvent_t event = operation->work.event.event;
  if (operation->event_generation > event->done_generation) {
    event->done_generation = operation->event_generation;
    event->time = emu_milliseconds();
  }
}

static cudaError_t run_library(struct emu_stream_operation *operation) {
  struct emu_operation core = emu_core_operation(operation);
  struct emu_library_work *library = operation->work.library;
  const char *report = NULL;
  emu_deliver(&operation->after, true);
  emu_run.library_calls++;
  emu_report_library(operation->work.name);
  cudaError_t status = library->run(library->context, &core, &report);
  if (report)
    emu_say("%s", report);
  return status;
}

static cudaError_t run(struct emu_stream_operation *operation) {
  switch (operation->work.kind) {
  case EMU_WORK_KERNEL:
    return emu_run_kernel(operation);
  case EMU_WORK_COPY:
    return emu_run_copy(operation);
  case EMU_WORK_SET:
    return emu_run_set(operation);
  case EMU_WORK_HOST:
    return emu_run_host(operation);
  case EMU_WORK_LIBRARY:
    return run_library(operation);
  case EMU_WORK_FREE:
    return emu_run_free(operation);
  case EMU_WORK_ALLOCATE:
    return emu_run_allocate(operation);
  case EMU_WORK_EVENT_RECORD:
    record_event(operation);
    break;
  case EMU_WORK_EMPTY:
  case EMU_WORK_EVENT_WAIT:
  case EMU_WORK_CHILD:
    break;
  }
  return cudaSuccess;
}

static void remember_id(struct emu_stream_operation *operation) {
  if (begun_count + 1 >= begun_room) {
    begun_room = begun_room ? begun_room * 2 : 1024;
    begun = emu_need_again(begun, begun_room * sizeof *begun);
  }
  operation->id = ++begun_count;
  begun[operation->id].queue = operation->queue;
  begun[operation->id].tick = operation->tick;
}

static void release(struct emu_stream_operation *operation) {
  emu_work_release(&operation->work);
  emu_clock_free(&operation->after);
  free(operation->snapshot);
  free(operation);
}

static void execute(uint32_t index) {
  struct emu_stream_operation *operation = queues[index].first;
  int device = operation->work.device;
  queues[index].busy = true;
  remember_id(operation);
  /* After a fault nothing runs on that device any more, but everything ends. */
  if (emu_sticky(device) == cudaSuccess || operation->work.kind == EMU_WORK_EVENT_RECORD) {
    cudaError_t status = run(operation);
    if (status != cudaSuccess)
      emu_set_sticky(device, status);
  } else if (operation->work.kind == EMU_WORK_HOST && operation->work.host.callback) {
    emu_run_host(operation); /* the older callbacks are told of the error */
  }
  struct queue *q = &queues[index]; /* host functions may have let others add queues */
  q->busy = false;
  q->ended = operation->tick;
  q->first = operation->next;
  if (!q->first)
    q->last = NULL;
  release(operation);
  emu_callback_ended();
}

bool emu_queue_reached(const struct emu_clock *clock) {
  for (uint32_t i = 0; i < clock->count; i++)
    if (queues[i].ended < clock->ticks[i])
      return false;
  return true;
}

static bool run_any(void) {
  bool running;
  struct queue *chosen = choose(&running);
  if (chosen)
    execute((uint32_t)(chosen - queues));
  else if (running)
    emu_wait_for_callback();
  return chosen || running;
}

void emu_queue_run_until(const struct emu_clock *clock) {
  while (!emu_queue_reached(clock) && run_any()) {
  }
}

void emu_queue_run_one(void) {
  bool running;
  struct queue *chosen = choose(&running);
  if (chosen)
    execute((uint32_t)(chosen - queues));
}

/* What has run while the program made no call. */
static struct {
  uint32_t queue;
  uint64_t tick;
} * unawaited;
static size_t unawaited_count, unawaited_room;

static void forget_covered(const struct emu_clock *clock) {
  size_t kept = 0;
  for (size_t i = 0; i < unawaited_count; i++)
    if (!emu_clock_covers(clock, unawaited[i].queue, unawaited[i].tick))
      unawaited[kept++] = unawaited[i];
  unawaited_count = kept;
}

static bool counts(enum emu_work_kind kind) {
  return kind != EMU_WORK_EMPTY && kind != EMU_WORK_EVENT_RECORD && kind != EMU_WORK_FREE &&
         kind != EMU_WORK_ALLOCATE;
}

bool emu_queue_run_idle(void) {
  bool running;
  struct queue *chosen = choose(&running);
  if (!chosen)
    return false;
  const struct emu_stream_operation *o = chosen->first;
  if (unawaited_count == unawaited_room) {
    unawaited_room = unawaited_room ? unawaited_room * 2 : 64;
    unawaited = emu_need_again(unawaited, unawaited_room * sizeof *unawaited);
  }
  if (o->work.kind == EMU_WORK_HOST) {
    forget_covered(&o->after); /* a host function can tell that all before it has run */
  } else if (counts(o->work.kind)) {
    unawaited[unawaited_count].queue = o->queue;
    unawaited[unawaited_count++].tick = o->tick;
  }
  execute((uint32_t)(chosen - queues));
  return true;
}

size_t emu_queue_unawaited(void) {
  forget_covered(&emu_host_clock);
  return unawaited_count;
}

void emu_queue_forget_unawaited(void) {
  unawaited_count = 0;
}

size_t emu_queue_drop(int device) {
  size_t dropped = 0;
  for (uint32_t i = 0; i < queue_count; i++) {
    struct queue *q = &queues[i];
    if (q->busy || !q->first || (device >= 0 && q->first->work.device != device))
      continue;
    for (struct emu_stream_operation *o = q->first, *next; o; o = next) {
      next = o->next;
      dropped += counts(o->work.kind);
      release(o);
    }
    q->first = q->last = NULL;
    q->ended = q->issued;
  }
  return dropped;
}

static bool happens_before(void *context, uint32_t earlier) {
  const struct emu_stream_operation *operation = context;
  if (!earlier || earlier > begun_count)
    return true;
  return emu_clock_covers(&operation->after, begun[earlier].queue, begun[earlier].tick);
}

struct emu_operation emu_core_operation(struct emu_stream_operation *operation) {
  return (struct emu_operation){
      .id = operation->id, .ordered = happens_before, .context = operation, .name = operation->work.name};
}
