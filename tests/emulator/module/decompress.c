#include "fatbin.h"

#include <limits.h>
#include <lz4.h>
#include <zstd.h>

int emu_decompress_zstd(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t full) {
  size_t got = ZSTD_decompress(out, full, packed, packed_size);
  return !ZSTD_isError(got) && got == full;
}

int emu_decompress_lz4(const uint8_t *packed, size_t packed_size, uint8_t *out, size_t full) {
  if (packed_size > INT_MAX || full > INT_MAX)
    return 0;
  int got = LZ4_decompress_safe((const char *)packed, (char *)out, (int)packed_size, (int)full);
  return got >= 0 && (size_t)got == full;
}
