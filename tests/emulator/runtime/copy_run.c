#include "copy.h"
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

/* Not a number in every floating-point format and -1 as an integer: what a destination holds until the host
 * has waited for the copy. */
enum { POISON = 0xff };

typedef void each_row(void *row, size_t index, size_t width, void *context);

static void for_rows(const struct emu_copy_work *copy, const struct emu_copy_side *side, each_row *visit,
                     void *context) {
  for (size_t z = 0; z < copy->depth; z++)
    for (size_t y = 0; y < copy->height; y++)
      visit((void *)(uintptr_t)(side->address + z * side->slice + y * side->pitch), z * copy->height + y,
            copy->width, context);
}

static void take_row(void *row, size_t index, size_t width, void *context) {
  memcpy((unsigned char *)context + index * width, row, width);
}

static void poison_row(void *row, size_t index, size_t width, void *context) {
  (void)index, (void)context;
  memset(row, POISON, width);
}

static unsigned char *take_rows(const struct emu_copy_work *copy) {
  unsigned char *rows = emu_need(copy->width * copy->height * copy->depth);
  for_rows(copy, &copy->from, take_row, rows);
  return rows;
}

static bool overlap(uint64_t a, size_t a_bytes, uint64_t b, size_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

struct search {
  uint64_t address;
  size_t bytes;
  const struct emu_allocation_info *pinned; /* the allocation around it, if the device can reach it */
  bool found;
};

static void find_writer(struct emu_stream_operation *operation, void *context) {
  struct search *search = context;
  const struct emu_copy_work *copy = &operation->work.copy;
  if (operation->work.kind == EMU_WORK_HOST)
    search->found = true;
  else if (operation->work.kind == EMU_WORK_COPY && copy->to.host)
    search->found |=
        overlap(copy->to.address, emu_copy_span(copy, &copy->to), search->address, search->bytes);
}

void emu_copy_settle_source(const struct emu_copy_work *copy, const struct emu_clock *after) {
  struct emu_allocation_info info;
  if (!copy->from.host || copy->waits || emu_place(copy->from.address, &info) != EMU_PLACE_HOST)
    return;
  struct search search = {.address = copy->from.address, .bytes = emu_copy_span(copy, &copy->from)};
  emu_queue_visit(find_writer, &search);
  if (search.found)
    emu_queue_run_until(after);
  emu_deliver(after, false);
}

static void keep_source(struct emu_stream_operation *operation) {
  if (!operation->snapshot)
    operation->snapshot = take_rows(&operation->work.copy);
}

/* Queued work that still has to read what a copy to the host is about to poison: a copy takes its source now;
 * for the rest the poison waits until the copy's own turn. */
static void protect_reader(struct emu_stream_operation *operation, void *context) {
  struct search *search = context;
  const struct emu_work *work = &operation->work;
  if (work->kind == EMU_WORK_COPY && work->copy.from.host) {
    if (overlap(work->copy.from.address, emu_copy_span(&work->copy, &work->copy.from), search->address,
                search->bytes))
      keep_source(operation);
  } else if (work->kind == EMU_WORK_HOST || (search->pinned && work->kind == EMU_WORK_LIBRARY)) {
    search->found = true;
  } else if (search->pinned && work->kind == EMU_WORK_KERNEL) {
    uint64_t base = search->pinned->base, size = search->pinned->size;
    for (size_t at = 0; at + 8 <= work->kernel.argument_bytes; at += 8) {
      uint64_t value;
      memcpy(&value, work->kernel.arguments + at, sizeof value);
      search->found |= value - base < size;
    }
  }
}

void emu_copy_queued(struct emu_stream_operation *operation) {
  const struct emu_copy_work *copy = &operation->work.copy;
  struct emu_allocation_info info;
  if (copy->waits)
    return;
  if (copy->from.host && emu_place(copy->from.address, &info) == EMU_PLACE_HOST)
    keep_source(operation);
  if (copy->to.host) {
    bool reachable = emu_memory_find(copy->to.address, &info);
    struct search search = {.address = copy->to.address,
                            .bytes = emu_copy_span(copy, &copy->to),
                            .pinned = reachable ? &info : NULL};
    /* What earlier work has yet to write there holds no value to keep or to read: the poison waits. */
    emu_queue_visit(find_writer, &search);
    search.found |= emu_deliver_awaited(search.address, search.bytes);
    if (!search.found)
      emu_queue_visit(protect_reader, &search);
    operation->poison_late = search.found;
    if (!search.found)
      for_rows(copy, &copy->to, poison_row, NULL);
  }
}

/* One row from place to place; the host side may be a row of a snapshot. */
static enum emu_status copy_row(const struct emu_copy_work *copy, uint64_t to, uint64_t from, size_t bytes,
                                const struct emu_operation *core, struct emu_error *error) {
  if (copy->to.host && copy->from.host) {
    memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, bytes);
    return EMU_OK;
  }
  if (copy->from.host)
    return emu_memory_copy_in(to, (const void *)(uintptr_t)from, bytes, core, error);
  if (copy->to.host)
    return emu_memory_copy_out((void *)(uintptr_t)to, from, bytes, core, error);
  return emu_memory_copy(to, from, bytes, core, error);
}

static bool contiguous(const struct emu_copy_work *copy, const struct emu_copy_side *side) {
  return (copy->height == 1 || side->pitch == copy->width) &&
         (copy->depth == 1 || side->slice == copy->width * copy->height);
}

cudaError_t emu_run_copy(struct emu_stream_operation *operation) {
  struct emu_copy_work copy = operation->work.copy;
  size_t bytes = copy.width * copy.height * copy.depth;
  unsigned char *rows = NULL;
  emu_run.copies[copy.peer ? cudaMemcpyDefault : copy.kind]++;
  emu_run.copy_bytes[copy.peer ? cudaMemcpyDefault : copy.kind] += bytes;
  if (copy.from.host || copy.to.host)
    emu_deliver(&operation->after, false);
  if (operation->snapshot)
    copy.from = (struct emu_copy_side){(uint64_t)(uintptr_t)operation->snapshot, copy.width,
                                       copy.width * copy.height, true};
  if (copy.to.host && !copy.waits) {
    if (operation->poison_late)
      for_rows(&copy, &copy.to, poison_row, NULL);
    rows = emu_need(bytes);
    copy.to = (struct emu_copy_side){(uint64_t)(uintptr_t)rows, copy.width, copy.width * copy.height, true};
  }
  if (contiguous(&copy, &copy.to) && contiguous(&copy, &copy.from))
    copy.width = bytes, copy.height = copy.depth = 1;

  struct emu_operation core = emu_core_operation(operation);
  struct emu_error error = {0};
  enum emu_status status = EMU_OK;
  for (size_t z = 0; z < copy.depth && status == EMU_OK; z++)
    for (size_t y = 0; y < copy.height && status == EMU_OK; y++)
      status =
          copy_row(&copy, copy.to.address + z * copy.to.slice + y * copy.to.pitch,
                   copy.from.address + z * copy.from.slice + y * copy.from.pitch, copy.width, &core, &error);
  if (rows)
    emu_deliver_later(operation, rows);
  return emu_from_core(status == EMU_ERROR_INVALID_VALUE ? EMU_FAULT_ILLEGAL_ADDRESS : status, &error);
}
