#ifndef EMU_MODULE_FATBIN_H
#define EMU_MODULE_FATBIN_H

#include <stddef.h>
#include <stdint.h>

/* Reads what nvcc puts into a program: the fat binary wrapper, the container and its entries (PTX text or
 * machine code, plain or compressed by zstd or LZ4). Nothing in it is trusted: every length is checked before
 * it is used. */

typedef enum {
  EMU_FATBIN_OK,
  EMU_FATBIN_NO_IMAGE,    /* well formed, but no PTX in it suits the device */
  EMU_FATBIN_CORRUPT,     /* not a fat binary, truncated, or a payload that does not decompress */
  EMU_FATBIN_PTX_VERSION, /* the PTX that suits is of a newer version of the language */
  EMU_FATBIN_MEMORY,
} emu_fatbin_status;

/* The PTX that was chosen; text is allocated, ends with a NUL, and belongs to the caller (free). */
typedef struct {
  char *text;
  size_t length;
  unsigned architecture; /* 75, 80, 90 ... */
  char suffix;           /* 0, 'a' or 'f' */
} emu_fatbin_ptx;

/* Chooses the PTX for a device as NVIDIA's JIT does: the highest architecture that is not above the device;
 * an architecture-specific one (sm_90a) on exactly that device, a family-specific one (sm_100f) within its
 * family. image  a wrapper, a container, PTX text ending in a NUL, or a cubin; any address, readable or not
 *   known  bytes known to be there, or SIZE_MAX: then only what the process can read
 *   why    receives one line on failure */
emu_fatbin_status emu_fatbin_select(const void *image, size_t known, unsigned device, emu_fatbin_ptx *out,
                                    char *why, size_t why_size);

/* The containers that were linked into a wrapper relocatably (nvcc -rdc=true), ending in NULL, if the
 * wrapper is of that kind and its own container has no PTX; else NULL. */
const void *const *emu_fatbin_linked(const void *image);

/* Expands a compressed payload into exactly full bytes; 0 where it does not. */
int emu_decompress_zstd(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t full);
int emu_decompress_lz4(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t full);

/* Bytes that can be read from address on without a fault, at most limit. */
size_t emu_readable_bytes(const void *address, size_t limit);

/* Copies between this process's addresses without a fault; returns the bytes copied before the first bad
 * page. */
size_t emu_probe_read(void *to, const void *from, size_t bytes);
size_t emu_probe_write(void *to, const void *from, size_t bytes);

#endif
