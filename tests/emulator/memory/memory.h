/* Device address space. Two regions hold all memory that the device owns: device memory, which host code
 * must not touch (the addresses are a mapping without access rights; the bytes are reached through a second
 * mapping of the same pages), and host memory (pinned, managed). A region has shadows of its own size,
 * reserved at once and given pages as they are touched: initialised a byte per byte: 1 once it has been
 * written writers a word per 4 bytes: who wrote last } see ../checks/races.h readers a word per 4 bytes: who
 * read last } Addresses are handed out upwards and reused only when the region is full, so that an access
 * after free is seen. */
#ifndef EMU_MEMORY_H
#define EMU_MEMORY_H

#include "../core.h"

struct emu_region {
  uint64_t base, size, next;
  unsigned char *host; /* bytes of `base` */
  unsigned char *initialised;
  uint32_t *writers, *readers;
  int file; /* memory file behind it, -1 */
};

/* Pointers are those of `base`; the shadows are NULL for registered host memory. */
struct emu_allocation {
  uint64_t base, size;
  unsigned char *host, *initialised;
  uint32_t *writers, *readers;
  struct emu_region *region;
  const char *site;
  const char *name; /* of a variable; NULL otherwise */
  int device;
  enum emu_memory_kind kind;
  bool whole; /* every byte is known to be initialised */
  bool constant;
  bool device_heap; /* malloc in device code */
  bool retired;     /* freed, but its place is kept: of a graph's allocation node between launches */
  uint32_t written; /* the newest context that has written to it, or a newer one: see ../checks/races.h */
  /* context of the operation in a stream that allocated it, 0 if none did: see ../checks/races.h */
  uint32_t origin;
};

enum { EMU_REGION_DEVICE = 0, EMU_REGION_HOST, EMU_REGIONS };

/* Reserves the address space at the first call. NULL with `error` set if the host refuses. */
struct emu_region *emu_regions(struct emu_error *error);

/* The live allocation that holds the address, NULL if none. The pointer is valid until it is freed. */
struct emu_allocation *emu_allocation_find(uint64_t address);
/* A freed allocation that held the address, the latest; NULL if none is remembered. */
const struct emu_allocation *emu_allocation_find_freed(uint64_t address);
/* The live allocation that ends last before the address / starts first behind it: to explain an access out
 * of bounds. */
const struct emu_allocation *emu_allocation_nearest(uint64_t address);
/* emu_memory_allocate for module variables and the device heap. `name` and `site` are kept as they are. */
struct emu_allocation *emu_allocation_create(int device, uint64_t bytes, uint64_t align,
                                             enum emu_memory_kind kind, const char *site,
                                             struct emu_error *error);
void emu_allocation_destroy(struct emu_allocation *allocation);
/* Describes an allocation: "512 bytes by cudaMalloc at 0x..." */
void emu_allocation_describe(const struct emu_allocation *allocation, char *text, size_t bytes);
/* Counts allocations and frees; a cached pointer is stale when it has changed. */
extern uint64_t emu_allocation_generation;
void emu_allocations_forget_origins(void);
/* Forgets all that the race shadows hold. */
void emu_regions_forget_races(void);

#endif
