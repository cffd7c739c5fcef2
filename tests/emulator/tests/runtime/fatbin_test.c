/* The fat binary reader on containers made here: what it chooses, and what it answers to damage. */
#include "../../module/fatbin.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

static int failures;
#define CHECK(condition)                                                                                     \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      failures++;                                                                                            \
      printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                         \
    }                                                                                                        \
  } while (0)

enum { PTX = 1, ELF = 2, PLAIN = 0, LZ4 = 0x2000, ZSTD = 0x8000, SPECIFIC = 0x100000, FAMILY = 0x200000 };

static unsigned char image[1 << 16];
static size_t size;

static void put(size_t at, unsigned long long value, size_t bytes) {
  memcpy(image + at, &value, bytes);
}

static void begin(void) {
  memset(image, 0, sizeof image);
  put(0, 0xba55ed50u, 4);
  put(4, 1, 2);
  put(6, 16, 2);
  size = 16;
}

/* Adds an entry and sets the container's size. */
static void add(int kind, unsigned architecture, unsigned flags, const char *text, unsigned major) {
  char packed[4096];
  size_t length = strlen(text) + 1, stored = length;
  memcpy(packed, text, length);
  if (flags & ZSTD)
    stored = ZSTD_compress(packed, sizeof packed, text, length, 3);
  if (flags & LZ4)
    stored = (size_t)LZ4_compress_default(text, packed, (int)length, sizeof packed);
  size_t padded = (stored + 7) / 8 * 8, at = size;
  put(at, (unsigned)kind, 2);
  put(at + 2, 0x101, 2);
  put(at + 4, 64, 4);
  put(at + 8, padded, 8);
  if (flags & (ZSTD | LZ4)) {
    put(at + 16, stored, 4);
    put(at + 56, length, 8);
  }
  put(at + 26, major, 2);
  put(at + 28, architecture, 4);
  put(at + 40, flags | 0x11, 8);
  memcpy(image + at + 64, packed, stored);
  size = at + 64 + padded;
  put(8, size - 16, 8);
}

static char why[512];

static emu_fatbin_status choose(unsigned device, emu_fatbin_ptx *out) {
  why[0] = 0;
  return emu_fatbin_select(image, size, device, out, why, sizeof why);
}

static void chooses(unsigned device, const char *text) {
  emu_fatbin_ptx ptx;
  emu_fatbin_status status = choose(device, &ptx);
  if (!text) {
    CHECK(status == EMU_FATBIN_NO_IMAGE && why[0] && !ptx.text);
    return;
  }
  CHECK(status == EMU_FATBIN_OK && ptx.text && !strcmp(ptx.text, text) && ptx.length == strlen(text));
  free(ptx.text);
}

static void the_highest_that_fits_is_chosen(void) {
  begin();
  add(PTX, 80, PLAIN, "// eighty", 9);
  add(PTX, 75, ZSTD, "// seventy-five, packed by zstd", 9);
  add(ELF, 90, PLAIN, "\177ELF", 0);
  add(PTX, 90, LZ4, "// ninety, packed by LZ4 LZ4 LZ4 LZ4 LZ4 LZ4", 9);
  chooses(74, NULL);
  chooses(75, "// seventy-five, packed by zstd");
  chooses(79, "// seventy-five, packed by zstd");
  chooses(80, "// eighty");
  chooses(89, "// eighty");
  chooses(90, "// ninety, packed by LZ4 LZ4 LZ4 LZ4 LZ4 LZ4");
  chooses(120, "// ninety, packed by LZ4 LZ4 LZ4 LZ4 LZ4 LZ4");
}

static void specific_ones_fit_their_device_alone(void) {
  begin();
  add(PTX, 90, SPECIFIC, "// sm_90a", 9);
  add(PTX, 100, FAMILY, "// sm_100f", 9);
  add(PTX, 80, PLAIN, "// sm_80", 9);
  chooses(90, "// sm_90a");
  chooses(89, "// sm_80");
  chooses(100, "// sm_100f");
  chooses(103, "// sm_100f");
  chooses(110, "// sm_80");
  chooses(120, "// sm_80");
}

static void machine_code_alone_is_no_image(void) {
  begin();
  add(ELF, 90, PLAIN, "\177ELF", 0);
  chooses(90, NULL);
  CHECK(strstr(why, "machine code sm_90") != NULL);
  begin();
  put(8, 0, 8);
  chooses(90, NULL);
}

static void newer_language_is_refused(void) {
  emu_fatbin_ptx ptx;
  begin();
  add(PTX, 80, PLAIN, "// from the future", 12);
  CHECK(choose(90, &ptx) == EMU_FATBIN_PTX_VERSION && why[0]);
}

/* Cut anywhere and with any byte changed: an answer, never a crash. Unreadable memory begins right behind. */
static void damage_is_answered(void) {
  begin();
  add(PTX, 80, ZSTD, "// some text that is packed, packed, packed, packed", 9);
  add(PTX, 90, LZ4, "// some other text that is packed, packed, packed, packed", 9);
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = size;
  unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && whole < page && !mprotect(pages + page, page, PROT_NONE));
  for (size_t cut = 0; cut < whole; cut++) {
    emu_fatbin_ptx ptx;
    unsigned char *at = pages + page - cut;
    memcpy(at, image, cut);
    CHECK(emu_fatbin_select(at, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
    CHECK(emu_fatbin_select(at, cut, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
    CHECK(why[0] && !ptx.text);
  }
  int refused = 0;
  for (size_t i = 0; i < whole; i++)
    for (int bit = 0; bit < 8; bit++) {
      emu_fatbin_ptx ptx;
      unsigned char *at = pages + page - whole;
      memcpy(at, image, whole);
      at[i] ^= (unsigned char)(1 << bit);
      refused += emu_fatbin_select(at, SIZE_MAX, 90, &ptx, why, sizeof why) != EMU_FATBIN_OK;
      free(ptx.text);
    }
  CHECK(refused > 0);
  munmap(pages, 2 * page);
}

static void huge_claims_are_refused(void) {
  emu_fatbin_ptx ptx;
  begin();
  add(PTX, 90, ZSTD, "// a text", 9);
  put(16 + 56, 1ull << 60, 8); /* unpacked size */
  CHECK(choose(90, &ptx) == EMU_FATBIN_CORRUPT);
  begin();
  add(PTX, 90, PLAIN, "// a text", 9);
  put(8, 1ull << 62, 8); /* the container's size */
  CHECK(emu_fatbin_select(image, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
  begin();
  add(PTX, 90, PLAIN, "// a text", 9);
  put(16 + 8, ~0ull, 8); /* the entry's size wraps around */
  CHECK(choose(90, &ptx) == EMU_FATBIN_CORRUPT);
}

static void other_things_are_told_apart(void) {
  emu_fatbin_ptx ptx;
  static const char text[] = ".version 9.0\n.target sm_75\n";
  CHECK(emu_fatbin_select(text, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_OK &&
        !strcmp(ptx.text, text));
  free(ptx.text);
  CHECK(emu_fatbin_select("\177ELF....", 8, 90, &ptx, why, sizeof why) == EMU_FATBIN_NO_IMAGE);
  CHECK(emu_fatbin_select("\xff\xff\xff\xff", 4, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
  CHECK(emu_fatbin_select(NULL, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
  CHECK(emu_fatbin_select((const void *)16, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
  begin();
  add(PTX, 90, PLAIN, "// within a wrapper", 9);
  struct {
    unsigned magic, version;
    const void *data, *more;
  } wrapper = {0x466243b1u, 1, image, NULL};
  CHECK(emu_fatbin_select(&wrapper, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_OK);
  free(ptx.text);
  wrapper.data = (const void *)64;
  CHECK(emu_fatbin_select(&wrapper, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
  wrapper.data = &wrapper; /* a wrapper of itself */
  CHECK(emu_fatbin_select(&wrapper, SIZE_MAX, 90, &ptx, why, sizeof why) == EMU_FATBIN_CORRUPT);
}

int main(void) {
  the_highest_that_fits_is_chosen();
  specific_ones_fit_their_device_alone();
  machine_code_alone_is_no_image();
  newer_language_is_refused();
  damage_is_answered();
  huge_claims_are_refused();
  other_things_are_told_apart();
  if (!failures)
    puts("all as it should be");
  return failures != 0;
}
