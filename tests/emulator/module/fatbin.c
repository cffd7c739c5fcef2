#include "fatbin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  WRAPPER_MAGIC = 0x466243b1,
  KIND_PTX = 1,
  KIND_ELF = 2,
  CONTAINER_HEADER = 16,
  ENTRY_HEADER = 64,
  FLAG_LZ4 = 0x2000,
  FLAG_ZSTD = 0x8000,
  FLAG_ARCHITECTURE_SPECIFIC = 0x100000,
  FLAG_FAMILY_SPECIFIC = 0x200000,
  NEWEST_PTX_MAJOR = 9,
  NEWEST_PTX_MINOR = 0,
};
static const uint32_t CONTAINER_MAGIC = 0xba55ed50u;
static const size_t LARGEST_IMAGE = (size_t)1 << 30;
static const size_t LARGEST_TEXT = (size_t)1 << 28;

/* The entries of a container, where they lie: the memory may end anywhere, so they are read by probes. */
typedef struct {
  const uint8_t *at;
  size_t size;
} container;

/* One entry of a container; payload is an address in its memory. */
typedef struct {
  unsigned kind, architecture, ptx_major, ptx_minor;
  uint64_t flags;
  const uint8_t *payload;
  size_t stored, full;
} entry;

static uint16_t u16(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static uint32_t u32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static uint64_t u64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* Finds the entries of a container that may end anywhere; 0 with why where it is not whole. Of its memory
 * only the ends are looked at: it may be tens of megabytes, of which one entry is wanted. */
static int open_container(const uint8_t *at, size_t known, container *out, char *why, size_t why_size) {
  uint8_t head[CONTAINER_HEADER], last;
  if (known < sizeof head || emu_probe_read(head, at, sizeof head) != sizeof head) {
    snprintf(why, why_size, "fat binary: truncated (its %d-byte header cannot be read)", CONTAINER_HEADER);
    return 0;
  }
  size_t header = u16(head + 6);
  uint64_t body = u64(head + 8);
  if (u32(head) != CONTAINER_MAGIC || u16(head + 4) != 1 || header < CONTAINER_HEADER) {
    snprintf(why, why_size, "fat binary: not one (magic 0x%08x, version %u, need 0x%08x, 1)", u32(head),
             u16(head + 4), CONTAINER_MAGIC);
    return 0;
  }
  if (body > LARGEST_IMAGE || (known != SIZE_MAX && body + header > known)) {
    snprintf(why, why_size, "fat binary: truncated (it claims %llu bytes, found %zu)",
             (unsigned long long)body, known);
    return 0;
  }
  size_t whole = header + (size_t)body;
  if (emu_probe_read(&last, at + whole - 1, 1) != 1) {
    snprintf(why, why_size, "fat binary: truncated (it claims %llu bytes, %zu can be read)",
             (unsigned long long)body, emu_readable_bytes(at, whole));
    return 0;
  }
  *out = (container){at + header, (size_t)body};
  return 1;
}

/* Reads the entry at *offset and steps over it; 0 with why where it does not fit. */
static int next_entry(const container *from, size_t *offset, entry *out, char *why, size_t why_size) {
  uint8_t p[ENTRY_HEADER] = {0};
  size_t left = from->size - *offset;
  int there = left >= ENTRY_HEADER && emu_probe_read(p, from->at + *offset, sizeof p) == sizeof p;
  uint64_t header = there ? u32(p + 4) : 0, stored = there ? u64(p + 8) : 0;
  if (header < ENTRY_HEADER || header > left || stored > left - header) {
    snprintf(why, why_size,
             "fat binary: corrupt entry at byte %zu (header %llu and payload %llu bytes, %zu left)", *offset,
             (unsigned long long)header, (unsigned long long)stored, left);
    return 0;
  }
  uint32_t packed = u32(p + 16);
  *out = (entry){.kind = u16(p),
                 .ptx_minor = u16(p + 24),
                 .ptx_major = u16(p + 26),
                 .architecture = u32(p + 28),
                 .flags = u64(p + 40),
                 .payload = from->at + *offset + header,
                 .stored = (size_t)stored,
                 .full = (size_t)stored};
  if (out->flags & (FLAG_LZ4 | FLAG_ZSTD)) {
    uint64_t full = u64(p + 56);
    if (packed > stored || full > LARGEST_TEXT) {
      snprintf(why, why_size,
               "fat binary: corrupt entry at byte %zu (%u packed of %llu stored, %llu unpacked bytes)",
               *offset, packed, (unsigned long long)stored, (unsigned long long)full);
      return 0;
    }
    out->stored = packed;
    out->full = (size_t)full;
  }
  *offset += (size_t)(header + stored);
  return 1;
}

static int same_family(unsigned architecture, unsigned device) {
  return architecture / 10 == device / 10 && architecture <= device;
}

static int suits(const entry *e, unsigned device) {
  if (e->flags & FLAG_ARCHITECTURE_SPECIFIC)
    return e->architecture == device;
  if (e->flags & FLAG_FAMILY_SPECIFIC)
    return same_family(e->architecture, device);
  return e->architecture <= device;
}

static unsigned specificity(const entry *e) {
  if (e->flags & FLAG_ARCHITECTURE_SPECIFIC)
    return 2;
  return e->flags & FLAG_FAMILY_SPECIFIC ? 1 : 0;
}

static int better(const entry *a, const entry *b) {
  if (a->architecture != b->architecture)
    return a->architecture > b->architecture;
  return specificity(a) > specificity(b);
}

static emu_fatbin_status take_text(const uint8_t *bytes, size_t size, emu_fatbin_ptx *out) {
  size_t length = strnlen((const char *)bytes, size);
  out->text = malloc(length + 1);
  if (!out->text)
    return EMU_FATBIN_MEMORY;
  memcpy(out->text, bytes, length);
  out->text[length] = 0;
  out->length = length;
  return EMU_FATBIN_OK;
}

static emu_fatbin_status expand(const entry *e, const uint8_t *payload, emu_fatbin_ptx *out, char *why,
                                size_t why_size) {
  if (!(e->flags & (FLAG_LZ4 | FLAG_ZSTD)))
    return take_text(payload, e->stored, out);
  uint8_t *full = malloc(e->full + 1);
  if (!full)
    return EMU_FATBIN_MEMORY;
  int good = e->flags & FLAG_ZSTD ? emu_decompress_zstd(payload, e->stored, full, e->full)
                                  : emu_decompress_lz4(payload, e->stored, full, e->full);
  emu_fatbin_status status = EMU_FATBIN_CORRUPT;
  if (good)
    status = take_text(full, e->full, out);
  else
    snprintf(why, why_size, "fat binary: the PTX for sm_%u does not decompress (%s, %zu to %zu bytes)",
             e->architecture, e->flags & FLAG_ZSTD ? "zstd" : "LZ4", e->stored, e->full);
  free(full);
  return status;
}

static emu_fatbin_status unpack(const entry *e, emu_fatbin_ptx *out, char *why, size_t why_size) {
  static const char suffixes[] = {0, 'f', 'a'};
  out->architecture = e->architecture;
  out->suffix = suffixes[specificity(e)];
  uint8_t *payload = malloc(e->stored + 1);
  if (!payload)
    return EMU_FATBIN_MEMORY;
  emu_fatbin_status status = EMU_FATBIN_CORRUPT;
  size_t there = emu_probe_read(payload, e->payload, e->stored);
  if (there == e->stored)
    status = expand(e, payload, out, why, why_size);
  else
    snprintf(why, why_size, "fat binary: truncated (of the PTX for sm_%u %zu of %zu bytes can be read)",
             e->architecture, there, e->stored);
  free(payload);
  return status;
}

static emu_fatbin_status select_entry(const container *from, unsigned device, emu_fatbin_ptx *out, char *why,
                                      size_t why_size) {
  entry best = {0}, e;
  char found[160] = "";
  size_t offset = 0, found_length = 0;
  while (offset < from->size) {
    if (!next_entry(from, &offset, &e, why, why_size))
      return EMU_FATBIN_CORRUPT;
    if (found_length + 24 < sizeof found)
      found_length += (size_t)snprintf(found + found_length, sizeof found - found_length, "%s%s sm_%u%s",
                                       found_length ? ", " : "", e.kind == KIND_PTX ? "PTX" : "machine code",
                                       e.architecture,
                                       specificity(&e) == 2 ? "a"
                                       : specificity(&e)    ? "f"
                                                            : "");
    if (e.kind == KIND_PTX && suits(&e, device) && (!best.payload || better(&e, &best)))
      best = e;
  }
  if (!best.payload) {
    snprintf(why, why_size,
             "fat binary: no PTX for sm_%u (found %s; build with -gencode arch=compute_%u,code=compute_%u)",
             device, found_length ? found : "nothing", device, device);
    return EMU_FATBIN_NO_IMAGE;
  }
  if (best.ptx_major > NEWEST_PTX_MAJOR ||
      (best.ptx_major == NEWEST_PTX_MAJOR && best.ptx_minor > NEWEST_PTX_MINOR)) {
    snprintf(why, why_size, "fat binary: its PTX is too new (version %u.%u, at most %d.%d)", best.ptx_major,
             best.ptx_minor, NEWEST_PTX_MAJOR, NEWEST_PTX_MINOR);
    return EMU_FATBIN_PTX_VERSION;
  }
  return unpack(&best, out, why, why_size);
}

static emu_fatbin_status select_text(const void *image, size_t known, unsigned device, emu_fatbin_ptx *out,
                                     char *why, size_t why_size) {
  size_t limit = known < LARGEST_TEXT ? known : LARGEST_TEXT, size = 0;
  /* Text has no length of its own: read on page by page up to its NUL. */
  uint8_t *copy = NULL;
  while (size < limit) {
    size_t step = limit - size < 65536 ? limit - size : 65536;
    uint8_t *grown = realloc(copy, size + step);
    if (!grown) {
      free(copy);
      return EMU_FATBIN_MEMORY;
    }
    copy = grown;
    size_t readable = emu_readable_bytes((const uint8_t *)image + size, step);
    size_t got = emu_probe_read(copy + size, (const uint8_t *)image + size, readable);
    if (memchr(copy + size, 0, got)) {
      size += got;
      break;
    }
    size += got;
    if (got < step)
      break;
  }
  out->architecture = device;
  out->suffix = 0;
  emu_fatbin_status status = EMU_FATBIN_CORRUPT;
  if (size && memchr(copy, 0, size))
    status = take_text(copy, size, out);
  else
    snprintf(why, why_size, "module: neither a fat binary nor PTX text (%zu bytes without an end)", size);
  free(copy);
  return status;
}

emu_fatbin_status emu_fatbin_select(const void *image, size_t known, unsigned device, emu_fatbin_ptx *out,
                                    char *why, size_t why_size) {
  *out = (emu_fatbin_ptx){0};
  uint8_t head[24];
  size_t seen = emu_probe_read(head, image, known < sizeof head ? known : sizeof head);
  if (!image || seen < 4) {
    snprintf(why, why_size, "module: cannot be read (%zu bytes at %p)", seen, image);
    return EMU_FATBIN_CORRUPT;
  }
  if (u32(head) == WRAPPER_MAGIC && seen >= sizeof head) {
    const void *data = (const void *)(uintptr_t)u64(head + 8);
    if (emu_probe_read(head, data, 4) != 4 || u32(head) != CONTAINER_MAGIC) {
      snprintf(why, why_size, "fat binary: its wrapper leads nowhere (container at %p)", data);
      return EMU_FATBIN_CORRUPT;
    }
    return emu_fatbin_select(data, SIZE_MAX, device, out, why, why_size);
  }
  if (!memcmp(head, "\177ELF", 4)) {
    snprintf(why, why_size, "module: machine code only (the emulated device runs PTX)");
    return EMU_FATBIN_NO_IMAGE;
  }
  if (u32(head) != CONTAINER_MAGIC) {
    if (u32(head) == WRAPPER_MAGIC || (head[0] & 0x80)) {
      snprintf(why, why_size, "module: neither a fat binary nor PTX text (it begins with 0x%08x)", u32(head));
      return EMU_FATBIN_CORRUPT;
    }
    return select_text(image, known, device, out, why, why_size);
  }
  container from;
  if (!open_container(image, known, &from, why, why_size))
    return EMU_FATBIN_CORRUPT;
  return select_entry(&from, device, out, why, why_size);
}

static int has_ptx(const void *image) {
  char why[512];
  container from;
  size_t offset = 0;
  entry e = {0};
  int found = 0;
  if (!open_container(image, SIZE_MAX, &from, why, sizeof why))
    return 0;
  while (!found && offset < from.size && next_entry(&from, &offset, &e, why, sizeof why))
    found = e.kind == KIND_PTX;
  return found;
}

const void *const *emu_fatbin_linked(const void *image) {
  enum { LINKED = 2 };
  uint8_t head[24];
  if (!image || emu_probe_read(head, image, sizeof head) != sizeof head || u32(head) != WRAPPER_MAGIC ||
      u32(head + 4) != LINKED)
    return NULL;
  const void *const *parts = (const void *const *)(uintptr_t)u64(head + 16);
  const void *first;
  if (emu_probe_read(&first, parts, sizeof first) != sizeof first ||
      has_ptx((const void *)(uintptr_t)u64(head + 8)))
    return NULL;
  return parts;
}
