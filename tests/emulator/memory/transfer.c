/* Copies and sets by the runtime, and accesses by library calls: bounds, what is initialised, races
 * between operations. */
#include "../checks/races.h"

#include <string.h>

struct side {
  struct emu_allocation *a;
  uint64_t offset;
};

static bool locate(uint64_t address, uint64_t bytes, struct side *side, const char *what,
                   struct emu_error *error) {
  char text[256];
  side->a = emu_allocation_find(address);
  if (!side->a || side->a->retired) {
    const struct emu_allocation *old = side->a ? side->a : emu_allocation_find_freed(address);
    error->status = EMU_ERROR_INVALID_VALUE;
    if (old) {
      emu_allocation_describe(old, text, sizeof text);
      snprintf(error->text, sizeof error->text, "%s: 0x%llx is used after free (it was in %s)", what,
               (unsigned long long)address, text);
    } else {
      snprintf(error->text, sizeof error->text, "%s: 0x%llx is no device memory", what,
               (unsigned long long)address);
    }
    return false;
  }
  side->offset = address - side->a->base;
  if (bytes <= side->a->size - side->offset)
    return true;
  emu_allocation_describe(side->a, text, sizeof text);
  error->status = EMU_ERROR_INVALID_VALUE;
  snprintf(error->text, sizeof error->text, "%s: out of bounds (%llu bytes at 0x%llx, %llu bytes into %s)",
           what, (unsigned long long)bytes, (unsigned long long)address, (unsigned long long)side->offset,
           text);
  return false;
}

static uint32_t context_of(const struct emu_operation *operation, const char *what) {
  if (emu_settings()->checks == EMU_CHECKS_OFF)
    return 0;
  return emu_contexts_open(operation, operation && operation->name ? operation->name : what, 1, NULL);
}

/* Whether the operation that allocated the memory in its stream is ordered before; the text if not. */
static bool allocated_before(const struct emu_allocation *a, const struct emu_operation *operation,
                             struct emu_error *error) {
  char what[256];
  if (!a->origin || emu_context_before(a->origin, operation))
    return true;
  emu_allocation_describe(a, what, sizeof what);
  snprintf(error->text, sizeof error->text, "race: %s uses %s, not ordered after its allocation",
           operation->name, what);
  return false;
}

static bool races(const struct side *side, uint64_t bytes, enum emu_doing doing,
                  const struct emu_operation *operation, uint32_t context, const char *what,
                  struct emu_error *error) {
  if (!context)
    return false;
  struct emu_operation named = operation ? *operation : (struct emu_operation){0};
  named.name = named.name ? named.name : what;
  if (allocated_before(side->a, &named, error) &&
      emu_race_range(side->a, side->offset, bytes, doing, &named, context, error->text, sizeof error->text))
    return false;
  if (emu_settings()->checks == EMU_CHECKS_REPORT) {
    fprintf(stderr, "%s\n", error->text);
    return false;
  }
  error->status = EMU_FAULT_CHECK;
  return true;
}

static void mark(const struct side *side, uint64_t bytes) {
  if (!side->a->initialised || side->a->whole || emu_settings()->checks == EMU_CHECKS_OFF)
    return;
  memset(side->a->initialised + side->offset, 1, bytes);
  side->a->whole = bytes == side->a->size;
}

/* Whoever copies all of an allocation may find that nothing in it is uninitialised. */
static void look_at_whole(const struct side *side, uint64_t bytes) {
  struct emu_allocation *a = side->a;
  if (a->initialised && !a->whole && bytes == a->size && emu_settings()->checks != EMU_CHECKS_OFF)
    a->whole = !memchr(a->initialised, 0, bytes);
}

void *emu_memory_host_view(uint64_t address, uint64_t bytes, struct emu_error *error) {
  struct side side;
  return locate(address, bytes, &side, "memory", error) ? side.a->host + side.offset : NULL;
}

enum emu_status emu_memory_copy_in(uint64_t to, const void *from, uint64_t bytes,
                                   const struct emu_operation *operation, struct emu_error *error) {
  struct side d;
  if (!bytes)
    return EMU_OK;
  if (!locate(to, bytes, &d, "copy to the device", error) ||
      races(&d, bytes, EMU_WRITES, operation, context_of(operation, "a copy"), "a copy", error))
    return error->status;
  memmove(d.a->host + d.offset, from, bytes);
  mark(&d, bytes);
  return EMU_OK;
}

enum emu_status emu_memory_copy_out(void *to, uint64_t from, uint64_t bytes,
                                    const struct emu_operation *operation, struct emu_error *error) {
  struct side s;
  if (!bytes)
    return EMU_OK;
  if (!locate(from, bytes, &s, "copy from the device", error) ||
      races(&s, bytes, EMU_READS, operation, context_of(operation, "a copy"), "a copy", error))
    return error->status;
  memmove(to, s.a->host + s.offset, bytes);
  look_at_whole(&s, bytes);
  return EMU_OK;
}

enum emu_status emu_memory_copy(uint64_t to, uint64_t from, uint64_t bytes,
                                const struct emu_operation *operation, struct emu_error *error) {
  struct side d, s;
  if (!bytes)
    return EMU_OK;
  if (!locate(to, bytes, &d, "copy to the device", error) ||
      !locate(from, bytes, &s, "copy from the device", error))
    return error->status;
  uint32_t context = context_of(operation, "a copy");
  if (races(&s, bytes, EMU_READS, operation, context, "a copy", error) ||
      races(&d, bytes, EMU_WRITES, operation, context, "a copy", error))
    return error->status;
  memmove(d.a->host + d.offset, s.a->host + s.offset, bytes);
  if (s.a->initialised && d.a->initialised && emu_settings()->checks != EMU_CHECKS_OFF &&
      d.a->kind == EMU_MEMORY_DEVICE) {
    memmove(d.a->initialised + d.offset, s.a->initialised + s.offset, bytes);
    d.a->whole = d.a->whole && s.a->whole;
  } else {
    mark(&d, bytes);
  }
  return EMU_OK;
}

enum emu_status emu_memory_set(uint64_t to, uint32_t value, unsigned width, uint64_t count,
                               const struct emu_operation *operation, struct emu_error *error) {
  struct side d;
  if (!count)
    return EMU_OK;
  if ((width != 1 && width != 2 && width != 4) || count > UINT64_MAX / 4 || to % width) {
    error->status = EMU_ERROR_INVALID_VALUE;
    snprintf(error->text, sizeof error->text,
             "set: elements of %u bytes at 0x%llx (aligned ones of 1, 2 or 4 are needed)", width,
             (unsigned long long)to);
    return error->status;
  }
  uint64_t bytes = width * count;
  if (!locate(to, bytes, &d, "set", error) ||
      races(&d, bytes, EMU_WRITES, operation, context_of(operation, "a set"), "a set", error))
    return error->status;
  unsigned char *at = d.a->host + d.offset;
  if (width == 1)
    memset(at, (int)value, bytes);
  else
    for (uint64_t i = 0; i < count; i++)
      memcpy(at + i * width, &value, width);
  mark(&d, bytes);
  return EMU_OK;
}

enum emu_status emu_access_record(uint64_t address, uint64_t bytes, bool write,
                                  const struct emu_operation *operation, struct emu_error *error) {
  struct side d;
  const char *what = operation && operation->name ? operation->name : "a library call";
  if (!bytes)
    return EMU_OK;
  if (!locate(address, bytes, &d, what, error)) {
    error->status = EMU_FAULT_ILLEGAL_ADDRESS;
    return error->status;
  }
  if (races(&d, bytes, write ? EMU_WRITES : EMU_READS, operation, context_of(operation, what), what, error))
    return error->status;
  if (write) {
    mark(&d, bytes);
    return EMU_OK;
  }
  const unsigned char *shadow = d.a->initialised ? d.a->initialised + d.offset : NULL;
  if (!shadow || emu_settings()->checks == EMU_CHECKS_OFF)
    return EMU_OK;
  const unsigned char *gap = memchr(shadow, 0, bytes);
  if (!gap)
    return EMU_OK;
  char text[256];
  emu_allocation_describe(d.a, text, sizeof text);
  snprintf(error->text, sizeof error->text,
           "uninitialised: %s reads 0x%llx (%llu bytes into %s, never written)", what,
           (unsigned long long)(address + (uint64_t)(gap - shadow)),
           (unsigned long long)(d.offset + (uint64_t)(gap - shadow)), text);
  if (emu_settings()->checks == EMU_CHECKS_REPORT) {
    fprintf(stderr, "%s\n", error->text);
    return EMU_OK;
  }
  error->status = EMU_FAULT_CHECK;
  return error->status;
}

enum emu_status emu_memory_claim(uint64_t address, bool frees, const struct emu_operation *operation,
                                 struct emu_error *error) {
  struct side all = {.a = emu_allocation_find(address)};
  if (!all.a)
    return EMU_OK; /* the freeing itself says so */
  uint32_t context = context_of(operation, operation->name);
  if (!frees)
    all.a->origin = context;
  if (races(&all, all.a->size, frees ? EMU_FREES : EMU_ALLOCATES, operation, context, operation->name, error))
    return error->status;
  return EMU_OK;
}
