/* AddressSanitizer's checks of vectors, for the kernels in a build with it. gcc makes of each access of more
 * than 16 bytes a call of __asan_loadN or __asan_storeN, and libasan's, which are for any size, took two
 * thirds of the time of the kernels' tests. These first look whether the shadow of all that is accessed is 0:
 * then every byte may be accessed. All else they leave to libasan, a last granule included of which only the
 * first bytes may be accessed. They are hidden: what they are linked into uses them, and nobody else does. */
#include <stdint.h>
#include <string.h>

#define NO_CHECKS __attribute__((no_sanitize("address", "undefined")))
#define HIDDEN __attribute__((visibility("hidden")))

/* Where gcc for x86-64 on Linux puts the shadow: a byte for each granule of 8. */
enum { GRANULE_BITS = 3, SHADOW_OFFSET = 0x7fff8000 };

void *__asan_region_is_poisoned(void *begin, size_t size);
void __asan_report_load_n(uintptr_t address, size_t size);
void __asan_report_store_n(uintptr_t address, size_t size);
NO_CHECKS HIDDEN void __asan_loadN(uintptr_t address, size_t size);
NO_CHECKS HIDDEN void __asan_storeN(uintptr_t address, size_t size);

NO_CHECKS static inline int may_be_accessed(uintptr_t address, size_t size) {
  const unsigned char *at = (const unsigned char *)((address >> GRANULE_BITS) + SHADOW_OFFSET);
  const unsigned char *last = (const unsigned char *)((address + size - 1) >> GRANULE_BITS) + SHADOW_OFFSET;
  uint64_t poison = *last;
  for (uint64_t eight; last - at >= 8; at += 8, poison |= eight)
    memcpy(&eight, at, sizeof eight);
  for (uint32_t four; last - at >= 4; at += 4, poison |= four)
    memcpy(&four, at, sizeof four);
  for (; at < last; at++)
    poison |= *at;
  return !poison || !__asan_region_is_poisoned((void *)address, size);
}

void __asan_loadN(uintptr_t address, size_t size) {
  if (!may_be_accessed(address, size))
    __asan_report_load_n(address, size);
}

void __asan_storeN(uintptr_t address, size_t size) {
  if (!may_be_accessed(address, size))
    __asan_report_store_n(address, size);
}
