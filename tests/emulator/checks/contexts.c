/* Contexts: blocks of launches, and copies, numbered through the life of the process. The last operations
 * are remembered; what is older counts as
 * ordered. When the numbers run out, the shadows are wiped and they start again. */
#include "races.h"

#include <string.h>

enum { REMEMBERED = 256, NAME_BYTES = 96 };

static struct range {
  uint32_t first, end, operation;
  char name[NAME_BYTES];
  struct emu_dim3 grid; /* x 0: no launch */
} ranges[REMEMBERED];
static uint32_t range_count; /* ever; the newest is at (range_count - 1) % REMEMBERED */
static uint32_t next_context = 1;

uint32_t emu_contexts_open(const struct emu_operation *operation, const char *name, uint64_t count,
                           const struct emu_dim3 *grid) {
  if (count > EMU_CONTEXTS / 2)
    count = 1;
  if (next_context + count >= EMU_CONTEXTS) {
    emu_regions_forget_races();
    emu_allocations_forget_origins();
    next_context = 1;
    range_count = 0;
  }
  struct range *r = &ranges[range_count++ % REMEMBERED];
  *r = (struct range){.first = next_context,
                      .end = next_context + (uint32_t)count,
                      .operation = operation ? operation->id : 0};
  snprintf(r->name, sizeof r->name, "%s", name ? name : "another operation");
  if (grid)
    r->grid = *grid;
  next_context = r->end;
  return r->first;
}

uint32_t emu_contexts_extend(void) {
  if (next_context + 1 >= EMU_CONTEXTS || !range_count)
    return 0;
  ranges[(range_count - 1) % REMEMBERED].end++;
  return next_context++;
}

static bool ordered(const struct range *r, const struct emu_operation *operation) {
  return !operation || !operation->ordered || r->operation == operation->id ||
         operation->ordered(operation->context, r->operation);
}

uint32_t emu_contexts_settled(const struct emu_operation *operation) {
  uint32_t settled = next_context;
  uint32_t kept = range_count < REMEMBERED ? range_count : REMEMBERED;
  for (uint32_t i = 0; i < kept; i++) {
    const struct range *r = &ranges[(range_count - 1 - i) % REMEMBERED];
    if (!ordered(r, operation))
      settled = r->first;
  }
  return settled;
}

static const struct range *find(uint32_t context) {
  uint32_t kept = range_count < REMEMBERED ? range_count : REMEMBERED;
  for (uint32_t i = 0; i < kept; i++) {
    const struct range *r = &ranges[(range_count - 1 - i) % REMEMBERED];
    if (context >= r->first && context < r->end)
      return r;
  }
  return NULL;
}

bool emu_context_ordered(uint32_t context, const struct emu_operation *operation, struct emu_ordered *all) {
  const struct range *r = find(context);
  if (r && !ordered(r, operation))
    return false;
  *all = r ? (struct emu_ordered){r->first, r->end - r->first} : (struct emu_ordered){context, 1};
  return true;
}

bool emu_context_before(uint32_t context, const struct emu_operation *operation) {
  struct emu_ordered all;
  return emu_context_ordered(context, operation, &all);
}

void emu_context_describe(uint32_t context, uint64_t block, char *text, size_t bytes) {
  const struct range *r = find(context);
  if (!r) {
    snprintf(text, bytes, "an earlier operation");
    return;
  }
  uint64_t blocks = (uint64_t)r->grid.x * r->grid.y * r->grid.z;
  if (r->grid.x && block == UINT64_MAX && context > r->first)
    block = context - r->first - 1;
  if (!r->grid.x)
    snprintf(text, bytes, "%s", r->name);
  else if (block >= blocks)
    snprintf(text, bytes, "several blocks of kernel %s", r->name);
  else
    snprintf(text, bytes, "block (%u,%u,%u) of kernel %s", (uint32_t)(block % r->grid.x),
             (uint32_t)(block / r->grid.x % r->grid.y), (uint32_t)(block / r->grid.x / r->grid.y), r->name);
}

/* Who accesses a range, and the operations before it whose writes and reads were met last. */
struct accessor {
  const struct emu_operation *operation;
  uint32_t context, settled;
  struct emu_ordered wrote, read;
};

/* Whether a shadow word stands in the way; old work that is ordered does not. */
static bool conflicts(uint32_t word, uint32_t bytes, const struct accessor *by, struct emu_ordered *known) {
  uint32_t other = word >> EMU_CONTEXT_SHIFT;
  return other >= by->settled && other != by->context && word & bytes && !emu_is_ordered(known, other) &&
         !emu_context_ordered(other, by->operation, known);
}

enum { CHUNK = 256 }; /* words */

/* A chunk that nobody has accessed whom the operation is not ordered after: recorded, true. */
static bool chunk_is_settled(const struct emu_allocation *a, uint64_t first, enum emu_doing doing,
                             const struct accessor *by) {
  uint32_t *writers = a->writers + first, *readers = a->readers + first;
  const uint32_t word = by->context << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES, settled = by->settled;
  const struct emu_ordered wrote = by->wrote, read = by->read;
  uint32_t bad = 0;
  for (unsigned i = 0; i < CHUNK; i++) {
    const uint32_t w = writers[i] >> EMU_CONTEXT_SHIFT, r = readers[i] >> EMU_CONTEXT_SHIFT;
    bad |= (uint32_t)(w >= settled) & (uint32_t)(w - wrote.first >= wrote.count);
    bad |= (uint32_t)(r >= settled) & (uint32_t)(r - read.first >= read.count);
  }
  if (bad)
    return false;
  uint32_t *to = doing == EMU_READS ? readers : writers;
  for (unsigned i = 0; i < CHUNK && doing <= EMU_WRITES; i++)
    to[i] = word;
  return true;
}

bool emu_race_range(struct emu_allocation *a, uint64_t offset, uint64_t bytes, enum emu_doing doing,
                    const struct emu_operation *operation, uint32_t context, char *text, size_t size) {
  static const char *const names[] = {"reads", "writes", "allocates", "frees"};
  bool write = doing != EMU_READS;
  if (!a->writers || !bytes)
    return true;
  struct accessor by = {
      .operation = operation, .context = context, .settled = emu_contexts_settled(operation)};
  by.settled = by.settled > context ? context : by.settled;
  if (doing == EMU_WRITES)
    emu_race_writes(a, context);
  uint64_t first = offset / 4, last = (offset + bytes - 1) / 4;
  for (uint64_t i = first; i <= last; i++) {
    if (i > first && i + CHUNK <= last && chunk_is_settled(a, i, doing, &by)) {
      i += CHUNK - 1;
      continue;
    }
    uint32_t mask = EMU_SHADOW_BYTES;
    if (i == first)
      mask &= EMU_SHADOW_BYTES << offset % 4;
    if (i == last)
      mask &= EMU_SHADOW_BYTES >> (3 - (offset + bytes - 1) % 4);
    bool by_write = conflicts(a->writers[i], mask, &by, &by.wrote);
    bool by_read = conflicts(a->readers[i], mask, &by, &by.read);
    if (by_write || (by_read && write)) {
      char who[200], what[300];
      emu_context_describe((by_write ? a->writers[i] : a->readers[i]) >> EMU_CONTEXT_SHIFT, UINT64_MAX, who,
                           sizeof who);
      emu_allocation_describe(a, what, sizeof what);
      snprintf(text, size, "race: %s %s 0x%llx (%llu bytes into %s), not ordered after a %s by %s",
               operation ? operation->name : "the host", names[doing], (unsigned long long)(a->base + i * 4),
               (unsigned long long)(i * 4), what, by_write ? "write" : "read", who);
      return false;
    }
    uint32_t word = context << EMU_CONTEXT_SHIFT | mask, reader = a->readers[i] >> EMU_CONTEXT_SHIFT;
    if (doing > EMU_WRITES)
      continue;
    if (write)
      a->writers[i] = word;
    else if (reader < by.settled || (!by_read && emu_is_ordered(&by.read, reader)))
      a->readers[i] = word;
  }
  return true;
}
