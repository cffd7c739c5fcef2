/* One lane's access, with every check. */
#include "cluster_order.h"
#include "order.h"
#include "report.h"

#include <string.h>

enum emu_space emu_space_of(uint64_t generic) {
  switch (generic >> 32) {
  case EMU_WINDOW_SHARED >> 32:
    return EMU_SPACE_SHARED;
  case EMU_WINDOW_LOCAL >> 32:
    return EMU_SPACE_LOCAL;
  case EMU_WINDOW_PARAM >> 32:
    return EMU_SPACE_PARAM;
  default:
    return EMU_SPACE_GLOBAL;
  }
}

bool emu_is_constant(uint64_t address) {
  const struct emu_allocation *a = emu_allocation_find(address);
  return a && a->constant;
}

static const char *access_name(unsigned kind) {
  return (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
         : kind & EMU_WRITE                        ? "write of"
                                                   : "read of";
}

enum { NEAR_BYTES = 1 << 20 };

static void *no_allocation(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           uint64_t address, unsigned bytes, unsigned kind) {
  char what[300];
  unsigned long long at = address;
  const struct emu_allocation *live = emu_allocation_find(address);
  const struct emu_allocation *freed = live ? live : emu_allocation_find_freed(address);
  const struct emu_allocation *near = emu_allocation_nearest(address);
  const char *name = access_name(kind);
  uint64_t apart = !near                  ? 0
                   : address < near->base ? near->base - address
                                          : address - near->base - near->size;
  bool close =
      near && (emu_address_is_device(address) ? near->kind == EMU_MEMORY_DEVICE : apart < NEAR_BYTES);
  if (freed) {
    emu_allocation_describe(freed, what, sizeof what);
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "after free: global %s %u bytes at 0x%llx (%llu bytes into %s, which has been freed)", name,
              bytes, at, (unsigned long long)(address - freed->base), what);
  } else if (address < 65536) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: global %s %u bytes at 0x%llx (a null pointer)", name, bytes, at);
  } else if (close && address >= near->base) {
    emu_allocation_describe(near, what, sizeof what);
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: global %s %u bytes at 0x%llx (%llu bytes behind the end of %s)", name, bytes,
              at, (unsigned long long)(address - near->base - near->size), what);
  } else if (close) {
    emu_allocation_describe(near, what, sizeof what);
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: global %s %u bytes at 0x%llx (%llu bytes before %s)", name, bytes, at,
              (unsigned long long)(near->base - address), what);
  } else {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: global %s %u bytes at 0x%llx (no device memory is near: a host pointer?)", name,
              bytes, at);
  }
  return NULL;
}

static bool is_initialised(const unsigned char *shadow, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++)
    if (!shadow[i])
      return false;
  return true;
}

/* Whether the operation that allocated the memory in its stream is ordered before the launch; looked at when
 * an instruction first meets the allocation. */
static bool allocated_before(struct emu_warp *w, const struct emu_instruction *in,
                             const struct emu_allocation *a, unsigned lane) {
  char what[300];
  if (!w->launch->checks || !a->origin || emu_context_before(a->origin, &w->launch->parameters.operation))
    return true;
  emu_allocation_describe(a, what, sizeof what);
  return !emu_finding(w, in, lane, "race: the launch uses %s, not ordered after its allocation", what);
}

static void *access_global(struct emu_warp *w, const struct emu_instruction *in, uint64_t address,
                           unsigned bytes, unsigned kind, unsigned lane) {
  struct emu_allocation **cache = &w->worker->cache[in->index], *a = *cache;
  if (!a || address - a->base >= a->size) {
    a = emu_allocation_find(address);
    if (!a || a->retired)
      return no_allocation(w, in, lane, address, bytes, kind);
    if (!allocated_before(w, in, a, lane))
      return NULL;
    *cache = a;
  }
  uint64_t offset = address - a->base;
  char what[300];
  if (a->size - offset < bytes) {
    emu_allocation_describe(a, what, sizeof what);
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: global %s %u bytes at 0x%llx (%llu bytes behind the end of %s)",
              access_name(kind), bytes, (unsigned long long)address,
              (unsigned long long)(offset + bytes - a->size), what);
    return NULL;
  }
  if (a->constant && kind & EMU_WRITE) {
    emu_allocation_describe(a, what, sizeof what);
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: %s %u bytes at 0x%llx (it is constant: %s)", access_name(kind), bytes,
              (unsigned long long)address, what);
    return NULL;
  }
  if (!w->launch->checks || !a->initialised)
    return a->host + offset;
  if (kind & EMU_READ && !is_initialised(a->initialised + offset, bytes)) {
    emu_allocation_describe(a, what, sizeof what);
    if (emu_finding(w, in, lane,
                    "uninitialised: global %s %u bytes at 0x%llx (%llu bytes into %s, never written)",
                    access_name(kind), bytes, (unsigned long long)address, (unsigned long long)offset, what))
      return NULL;
  }
  if (!emu_race_global(w, in, lane, a, offset, bytes, kind))
    return NULL;
  if (kind & EMU_WRITE)
    memset(a->initialised + offset, 1, bytes);
  return a->host + offset;
}

struct emu_block *emu_block_of_shared(struct emu_warp *w, uint32_t address) {
  uint32_t rank = address >> 24;
  struct emu_block *own = w->block;
  if (!rank || rank - 1 == own->rank)
    return own;
  if (rank - 1 >= own->cluster->count || !own->cluster->blocks[rank - 1].running)
    return NULL;
  return &own->cluster->blocks[rank - 1];
}

static void *access_shared(struct emu_warp *w, const struct emu_instruction *in, uint64_t address,
                           unsigned bytes, unsigned kind, unsigned lane) {
  struct emu_block *b = address > UINT32_MAX ? NULL : emu_block_of_shared(w, (uint32_t)address);
  uint32_t offset = (uint32_t)address & 0xffffff;
  if (!b) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: shared %s %u bytes at 0x%llx (no such block in the cluster, or it has exited)",
              access_name(kind), bytes, (unsigned long long)address);
    return NULL;
  }
  if (offset + bytes > b->shared_bytes) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: shared %s %u bytes at 0x%x (the block has %u bytes)", access_name(kind), bytes,
              offset, b->shared_bytes);
    return NULL;
  }
  if (!w->launch->checks)
    return b->shared + offset;
  if (b != w->block && b->cluster->phase == 0 &&
      emu_finding(w, in, lane,
                  "race: shared %s %u bytes at 0x%x of block %u of the cluster, which may not have begun (no "
                  "barrier.cluster has been passed)",
                  access_name(kind), bytes, offset, b->rank))
    return NULL;
  if (kind & EMU_READ && !is_initialised(b->shared_initialised + offset, bytes) &&
      emu_finding(w, in, lane, "uninitialised: shared %s %u bytes at 0x%x (never written)", access_name(kind),
                  bytes, offset))
    return NULL;
  if (emu_watched(b->races, offset / 4, (offset + bytes - 1) / 4 - offset / 4 + 1)) {
    if (!emu_copy_in_the_way(w, in, lane, b, offset, bytes, kind) ||
        (kind & EMU_WRITE && !emu_source_in_the_way(w, in, lane, b, offset, bytes)))
      return NULL;
    if (b == w->block && b->races->foreign && !emu_race_with_foreign(w, in, lane, offset, bytes, kind))
      return NULL;
  }
  if (!(b == w->block ? emu_race_shared(w, in, lane, offset, bytes, kind)
                      : emu_race_foreign(w, in, lane, b, offset, bytes, kind)))
    return NULL;
  if (kind & EMU_WRITE)
    memset(b->shared_initialised + offset, 1, bytes);
  return b->shared + offset;
}

static void *access_local(struct emu_warp *w, const struct emu_instruction *in, uint64_t address,
                          unsigned bytes, unsigned kind, unsigned lane) {
  struct emu_warp_state *s = emu_state(w);
  uint64_t end = w->frame->local_base + w->frame->function->local_bytes;
  if (address + bytes > end || address + bytes < address) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: local %s %u bytes at 0x%llx (the thread has %llu bytes)", access_name(kind),
              bytes, (unsigned long long)address, (unsigned long long)end);
    return NULL;
  }
  return s->local + w->launch->local_bytes * lane + address;
}

static void *access_parameter(struct emu_warp *w, const struct emu_instruction *in, uint64_t address,
                              unsigned bytes, unsigned kind, unsigned lane) {
  uint32_t end = w->launch->program->parameter_bytes;
  if (kind & EMU_WRITE || address + bytes > end || address + bytes < address) {
    emu_fault(w, in, lane, EMU_FAULT_ILLEGAL_ADDRESS,
              "out of bounds: parameter %s %u bytes at 0x%llx (there are %u bytes, not to be written)",
              access_name(kind), bytes, (unsigned long long)address, end);
    return NULL;
  }
  return (void *)(uintptr_t)(w->launch->arguments + address);
}

void *emu_access(struct emu_warp *w, const struct emu_instruction *in, enum emu_space space, uint64_t address,
                 unsigned bytes, unsigned kind, unsigned lane) {
  if (space == EMU_SPACE_GENERIC) {
    space = emu_space_of(address);
    if (space != EMU_SPACE_GLOBAL)
      address = (uint32_t)address;
  }
  if (address & (bytes - 1)) {
    emu_fault(w, in, lane, EMU_FAULT_MISALIGNED_ADDRESS,
              "misaligned: %s %u bytes at 0x%llx (a multiple of %u is needed)", access_name(kind), bytes,
              (unsigned long long)address, bytes);
    return NULL;
  }
  switch (space) {
  case EMU_SPACE_SHARED:
    return access_shared(w, in, address, bytes, kind, lane);
  case EMU_SPACE_LOCAL:
    return access_local(w, in, address, bytes, kind, lane);
  case EMU_SPACE_PARAM:
    return access_parameter(w, in, address, bytes, kind, lane);
  default:
    return access_global(w, in, address, bytes, kind, lane);
  }
}
