/* Allocations: a sorted table of the live ones and a ring of the freed ones. */
#include "memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 512, GUARD_BYTES = 512, FREED_KEPT = 4096, PAGE = 4096 };

static struct emu_allocation **live; /* by base */
static size_t live_count, live_capacity;
static struct emu_allocation freed[FREED_KEPT];
static size_t freed_next;
static uint64_t used_bytes[16];
uint64_t emu_allocation_generation = 1;

static void clear(unsigned char *p, uint64_t bytes);

static enum emu_status fail(struct emu_error *error, enum emu_status status, const char *text) {
  error->status = status;
  snprintf(error->text, sizeof error->text, "%s", text);
  return status;
}

/* Index of the first live allocation whose base is above the address. */
static size_t upper_bound(uint64_t address) {
  size_t low = 0, high = live_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (live[middle]->base <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct emu_allocation *emu_allocation_find(uint64_t address) {
  size_t i = upper_bound(address);
  return i && address - live[i - 1]->base < live[i - 1]->size ? live[i - 1] : NULL;
}

const struct emu_allocation *emu_allocation_find_freed(uint64_t address) {
  for (size_t i = 0; i < FREED_KEPT; i++) {
    const struct emu_allocation *a = &freed[(freed_next + FREED_KEPT - 1 - i) % FREED_KEPT];
    if (a->size && address - a->base < a->size)
      return a;
  }
  return NULL;
}

const struct emu_allocation *emu_allocation_nearest(uint64_t address) {
  size_t i = upper_bound(address);
  const struct emu_allocation *below = i ? live[i - 1] : NULL, *above = i < live_count ? live[i] : NULL;
  if (!below || !above)
    return below ? below : above;
  return address - (below->base + below->size) <= above->base - address ? below : above;
}

/* A place for `bytes` with a guard behind: upwards, then in the gaps. 0 if there is none. */
static uint64_t find_place(struct emu_region *r, uint64_t bytes, uint64_t align) {
  uint64_t need = bytes + GUARD_BYTES;
  uint64_t place = (r->next + align - 1) & ~(align - 1);
  if (place + need >= place && place + need <= r->base + r->size) {
    r->next = place + need;
    return place;
  }
  uint64_t from = r->base;
  for (size_t i = upper_bound(r->base); i <= live_count; i++) {
    bool last = i == live_count || live[i]->base >= r->base + r->size;
    uint64_t to = last ? r->base + r->size : live[i]->base;
    place = (from + align - 1) & ~(align - 1);
    if (place < to && to - place >= need)
      return place;
    if (last)
      return 0;
    from = live[i]->base + live[i]->size + GUARD_BYTES;
  }
  return 0;
}

static bool insert(struct emu_allocation *a) {
  if (live_count == live_capacity) {
    size_t wanted = live_capacity ? live_capacity * 2 : 64;
    struct emu_allocation **grown = realloc(live, wanted * sizeof *grown);
    if (!grown)
      return false;
    live = grown;
    live_capacity = wanted;
  }
  size_t i = upper_bound(a->base);
  memmove(live + i + 1, live + i, (live_count - i) * sizeof *live);
  live[i] = a;
  live_count++;
  emu_allocation_generation++;
  return true;
}

struct emu_allocation *emu_allocation_create(int device, uint64_t bytes, uint64_t align,
                                             enum emu_memory_kind kind, const char *site,
                                             struct emu_error *error) {
  const struct emu_settings *settings = emu_settings();
  struct emu_region *all = emu_regions(error);
  if (!all)
    return NULL;
  if (device < 0 || device >= 16 || !bytes) {
    fail(error, EMU_ERROR_INVALID_VALUE, "memory: an allocation of no bytes or on no device");
    return NULL;
  }
  if (kind == EMU_MEMORY_DEVICE &&
      (bytes > settings->device_memory || used_bytes[device] > settings->device_memory - bytes)) {
    error->status = EMU_ERROR_DEVICE_MEMORY;
    snprintf(error->text, sizeof error->text,
             "device memory: %llu bytes do not fit (%llu of %llu are in use)", (unsigned long long)bytes,
             (unsigned long long)used_bytes[device], (unsigned long long)settings->device_memory);
    return NULL;
  }
  struct emu_region *r = &all[kind == EMU_MEMORY_DEVICE ? EMU_REGION_DEVICE : EMU_REGION_HOST];
  struct emu_allocation *a = calloc(1, sizeof *a);
  uint64_t place = bytes < r->size ? find_place(r, bytes, align > ALIGNMENT ? align : ALIGNMENT) : 0;
  if (!a || !place) {
    free(a);
    fail(error, EMU_ERROR_DEVICE_MEMORY, "device memory: the address space is full");
    return NULL;
  }
  uint64_t at = place - r->base;
  *a = (struct emu_allocation){.base = place,
                               .size = bytes,
                               .host = r->host + at,
                               .initialised = r->initialised + at,
                               .writers = r->writers + at / 4,
                               .readers = r->readers + at / 4,
                               .region = r,
                               .site = site,
                               .device = device,
                               .kind = kind};
  if (!insert(a)) {
    free(a);
    fail(error, EMU_ERROR_HOST_MEMORY, "memory: no memory for the table of allocations");
    return NULL;
  }
  if (kind == EMU_MEMORY_DEVICE) {
    used_bytes[device] += bytes;
  } else if (settings->checks != EMU_CHECKS_OFF) { /* what the host writes there is not seen */
    memset(a->initialised, 1, bytes);
    a->whole = true;
  }
  return a;
}

/* Zeroes [p, p+bytes), giving whole pages back. */
static void clear(unsigned char *p, uint64_t bytes) {
  unsigned char *first = (unsigned char *)(((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
  unsigned char *last = (unsigned char *)((uintptr_t)(p + bytes) & ~(uintptr_t)(PAGE - 1));
  if (last <= first || madvise(first, (size_t)(last - first), MADV_DONTNEED)) {
    memset(p, 0, bytes);
    return;
  }
  memset(p, 0, (size_t)(first - p));
  memset(last, 0, (size_t)(p + bytes - last));
}

void emu_allocation_destroy(struct emu_allocation *a) {
  size_t i = upper_bound(a->base);
  if (!i || live[i - 1] != a)
    return;
  memmove(live + i - 1, live + i, (live_count - i) * sizeof *live);
  live_count--;
  emu_allocation_generation++;
  if (a->region) {
    clear(a->initialised, a->size);
    clear((unsigned char *)a->writers, (a->size + 3) & ~UINT64_C(3));
    clear((unsigned char *)a->readers, (a->size + 3) & ~UINT64_C(3));
    if (a->region->file < 0) {
      clear(a->host, a->size);
    } else {
      uint64_t at = a->base - a->region->base;
      uint64_t first = (at + PAGE - 1) & ~(uint64_t)(PAGE - 1), last = (at + a->size) & ~(uint64_t)(PAGE - 1);
      if (last > first)
        fallocate(a->region->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first,
                  (off_t)(last - first));
    }
    if (a->kind == EMU_MEMORY_DEVICE)
      used_bytes[a->device] -= a->size;
  }
  freed[freed_next] = *a;
  freed[freed_next].name = NULL;
  freed_next = (freed_next + 1) % FREED_KEPT;
  free(a);
}

void emu_allocations_forget_origins(void) {
  for (size_t i = 0; i < live_count; i++)
    live[i]->origin = live[i]->written = 0;
}

void emu_allocation_describe(const struct emu_allocation *a, char *text, size_t bytes) {
  if (a->name)
    snprintf(text, bytes, "%svariable %s of %llu bytes at 0x%llx", a->constant ? "constant " : "", a->name,
             (unsigned long long)a->size, (unsigned long long)a->base);
  else
    snprintf(text, bytes, "%llu bytes by %s at 0x%llx", (unsigned long long)a->size,
             a->site ? a->site : "an allocation", (unsigned long long)a->base);
}

enum emu_status emu_memory_allocate(int device, uint64_t bytes, enum emu_memory_kind kind, const char *site,
                                    uint64_t *address, struct emu_error *error) {
  struct emu_allocation *a = emu_allocation_create(device, bytes, ALIGNMENT, kind, site, error);
  if (!a)
    return error->status;
  *address = a->base;
  return EMU_OK;
}

enum emu_status emu_memory_register(void *host, uint64_t bytes, const char *site, struct emu_error *error) {
  uint64_t base = (uint64_t)(uintptr_t)host;
  if (!host || !bytes || base + bytes < base)
    return fail(error, EMU_ERROR_INVALID_VALUE, "memory: no host range to register");
  size_t i = upper_bound(base + bytes - 1);
  if (i && live[i - 1]->base + live[i - 1]->size > base)
    return fail(error, EMU_ERROR_INVALID_VALUE, "memory: the host range is registered already");
  struct emu_allocation *a = calloc(1, sizeof *a);
  if (!a)
    return fail(error, EMU_ERROR_HOST_MEMORY, "memory: no memory for the table of allocations");
  *a = (struct emu_allocation){
      .base = base, .size = bytes, .host = host, .site = site, .device = 0, .kind = EMU_MEMORY_REGISTERED};
  if (insert(a))
    return EMU_OK;
  free(a);
  return fail(error, EMU_ERROR_HOST_MEMORY, "memory: no memory for the table of allocations");
}

enum emu_status emu_memory_free(uint64_t address, struct emu_error *error) {
  struct emu_allocation *a = emu_allocation_find(address);
  char what[256];
  error->status = EMU_ERROR_INVALID_VALUE;
  if (a && a->base == address && !a->name && !a->device_heap) {
    emu_allocation_destroy(a);
    error->status = EMU_OK;
    return EMU_OK;
  }
  const struct emu_allocation *old = emu_allocation_find_freed(address);
  if (a) {
    emu_allocation_describe(a, what, sizeof what);
    snprintf(error->text, sizeof error->text, "free: 0x%llx cannot be freed (it is inside of %s)",
             (unsigned long long)address, what);
  } else if (old) {
    emu_allocation_describe(old, what, sizeof what);
    snprintf(error->text, sizeof error->text, "free: 0x%llx is freed twice (it was %s)",
             (unsigned long long)address, what);
  } else {
    snprintf(error->text, sizeof error->text, "free: 0x%llx was never allocated",
             (unsigned long long)address);
  }
  return error->status;
}

enum emu_status emu_memory_retire(uint64_t address, struct emu_error *error) {
  struct emu_allocation *a = emu_allocation_find(address);
  char what[256];
  if (!a || a->base != address)
    return emu_memory_free(address, error);
  if (a->retired) {
    emu_allocation_describe(a, what, sizeof what);
    error->status = EMU_ERROR_INVALID_VALUE;
    snprintf(error->text, sizeof error->text, "free: 0x%llx is freed twice (it was %s)",
             (unsigned long long)address, what);
    return error->status;
  }
  a->retired = true;
  return EMU_OK;
}

void emu_memory_revive(uint64_t address) {
  struct emu_allocation *a = emu_allocation_find(address);
  if (!a)
    return;
  a->retired = a->whole = false;
  if (a->initialised)
    clear(a->initialised, a->size);
}

bool emu_memory_find(uint64_t address, struct emu_allocation_info *info) {
  const struct emu_allocation *a = emu_allocation_find(address);
  if (!a)
    return false;
  *info = (struct emu_allocation_info){
      a->base, a->size, a->device, a->kind, a->name ? a->name : a->site, a->name != NULL};
  return true;
}

void emu_memory_usage(int device, uint64_t *used, uint64_t *total) {
  *used = device >= 0 && device < 16 ? used_bytes[device] : 0;
  *total = emu_settings()->device_memory;
}

size_t emu_memory_leaks(FILE *to) {
  size_t count = 0;
  for (size_t i = 0; i < live_count; i++) {
    if (live[i]->name || live[i]->device_heap || live[i]->kind == EMU_MEMORY_REGISTERED || live[i]->retired)
      continue;
    count++;
    char what[256];
    emu_allocation_describe(live[i], what, sizeof what);
    if (to)
      fprintf(to, "leak: %s was not freed (device %d)\n", what, live[i]->device);
  }
  return count;
}
