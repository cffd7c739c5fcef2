/* ld and st: every type, vector width, space, cache operator and order; sign extension; local, constant and
 * parameter space; conversions of addresses. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 128 };

/* One thread; the buffer's first 64 bytes are a pattern, `body` fills the rest. */
static char *run(const char *body, unsigned char buffer[BYTES]) {
  for (unsigned i = 0; i < 64; i++)
    buffer[i] = (unsigned char)(0x81 + 37 * i);
  memset(buffer + 64, 0, BYTES - 64);
  uint32_t words[BYTES / 4];
  memcpy(words, buffer, BYTES);
  char *kernel = probe_kernel(body, 256), *report = probe_launch(kernel, 1, 1, 0, words, BYTES / 4);
  memcpy(buffer, words, BYTES);
  free(kernel);
  return report;
}

static void check(const char *what, const char *body, const unsigned char *want, unsigned bytes) {
  unsigned char buffer[BYTES];
  char *report = run(body, buffer);
  probe_check(!report && !memcmp(buffer + 64, want, bytes),
              "%s: wrong bytes, the first are %02x %02x %02x %02x, not %02x %02x %02x %02x %s", what,
              buffer[64], buffer[65], buffer[66], buffer[67], want[0], want[1], want[2], want[3],
              report ? report : "");
  free(report);
}

static unsigned char pattern(unsigned i) {
  return (unsigned char)(0x81 + 37 * i);
}

/* Copies `bytes` from offset 32 through registers with these load and store modifiers and vector. */
static void copy(const char *load, const char *store, const char *type, const char *registers,
                 unsigned bytes) {
  struct text body = {0};
  char what[160];
  unsigned char want[32];
  for (unsigned i = 0; i < bytes; i++)
    want[i] = pattern(32 + i);
  text_add(&body, "ld%s%s %s, [%%buffer+32];\nst%s%s [%%buffer+64], %s;\n", load, type, registers, store,
           type, registers);
  snprintf(what, sizeof what, "ld%s%s and st%s%s", load, type, store, type);
  check(what, body.at, want, bytes);
  text_free(&body);
}

static void widths(void) {
  static const struct {
    const char *type, *registers;
    unsigned bytes;
  } cases[] = {{".b8", "%h1", 1},
               {".u8", "%r1", 1},
               {".b16", "%h1", 2},
               {".u16", "%r1", 2},
               {".b32", "%r1", 4},
               {".f32", "%f1", 4},
               {".u64", "%q1", 8},
               {".f64", "%g1", 8},
               {".v2.b8", "{%h1, %h2}", 2},
               {".v4.u8", "{%h1, %h2, %h3, %h4}", 4},
               {".v2.b16", "{%h1, %h2}", 4},
               {".v4.b16", "{%h1, %h2, %h3, %h4}", 8},
               {".v2.u32", "{%r1, %r2}", 8},
               {".v4.f32", "{%f1, %f2, %f3, %f4}", 16},
               {".v2.b64", "{%q1, %q2}", 16},
               {".v2.f64", "{%g1, %g2}", 16},
               {".b128", "%x1", 16}};
  static const char *const loads[] = {".global",
                                      "",
                                      ".global.ca",
                                      ".global.cg",
                                      ".global.cs",
                                      ".global.lu",
                                      ".global.cv",
                                      ".volatile.global",
                                      ".relaxed.gpu.global",
                                      ".acquire.sys.global",
                                      ".global.nc",
                                      ".relaxed.cta",
                                      ".weak.global",
                                      ".global.L1::evict_last",
                                      ".global.nc.L1::no_allocate.L2::128B"};
  static const char *const stores[] = {".global",
                                       "",
                                       ".global.wb",
                                       ".global.cg",
                                       ".global.cs",
                                       ".global.wt",
                                       ".global",
                                       ".volatile.global",
                                       ".relaxed.gpu.global",
                                       ".release.sys.global",
                                       ".global",
                                       ".release.cta",
                                       ".weak.global",
                                       ".global.L1::evict_first",
                                       ".global"};
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (unsigned k = 0; k < 15; k++) {
      /* ordered accesses take no vectors but those up to 128 bits as scalars */
      const bool ordered =
          strstr(loads[k], "relaxed") || strstr(loads[k], "acquire") || strstr(loads[k], "volatile");
      const bool bits128 = !strcmp(cases[i].type, ".b128");
      if ((ordered && strstr(cases[i].type, ".v")) || (bits128 && k != 0 && !ordered))
        continue;
      copy(loads[k], stores[k], cases[i].type, cases[i].registers, cases[i].bytes);
    }
}

/* A load into a wider register extends by the type's sign. */
static void extensions(void) {
  static const struct {
    const char *type;
    bool is_signed;
    unsigned bytes;
  } cases[] = {{"s8", true, 1},   {"u8", false, 1}, {"s16", true, 2},
               {"u16", false, 2}, {"s32", true, 4}, {"u32", false, 4}};
  for (unsigned i = 0; i < 6; i++)
    for (unsigned offset = 32; offset < 48; offset += 4) {
      struct text body = {0};
      uint64_t value = 0;
      unsigned char want[8];
      for (unsigned b = 0; b < cases[i].bytes; b++)
        value |= (uint64_t)pattern(offset + b) << 8 * b;
      const unsigned unused = 64 - 8 * cases[i].bytes;
      if (cases[i].is_signed)
        value = (uint64_t)((int64_t)(value << unused) >> unused);
      memcpy(want, &value, sizeof want);
      text_add(&body, "ld.global.%s %%q1, [%%buffer+%u]; st.global.b64 [%%buffer+64], %%q1;", cases[i].type,
               offset);
      check(cases[i].type, body.at, want, 8);
      text_free(&body);
    }
}

static void spaces(void) {
  unsigned char want[16];
  for (unsigned i = 0; i < 16; i++)
    want[i] = pattern(32 + i);
#define LOAD "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%buffer+32];\n"
#define STORE "st.global.v4.b32 [%buffer+64], {%r5, %r6, %r7, %r8};\n"
  check("shared memory",
        LOAD "st.shared.v4.b32 [sdata+16], {%r1, %r2, %r3, %r4}; ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, "
             "[sdata+16];\n" STORE,
        want, 16);
  check("shared memory by generic addresses",
        LOAD "mov.u64 %q1, sdata; cvta.shared.u64 %q1, %q1; st.v4.b32 [%q1+32], {%r1, %r2, %r3, %r4};\n"
             "ld.v4.b32 {%r5, %r6, %r7, %r8}, [%q1+32];\n" STORE,
        want, 16);
  check("there and back between address spaces",
        LOAD "mov.u32 %r10, sdata; cvt.u64.u32 %q1, %r10; cvta.shared.u64 %q1, %q1; cvta.to.shared.u64 %q2, "
             "%q1; cvt.u32.u64 %r11, %q2;\n"
             "st.volatile.shared.v4.b32 [%r11], {%r1, %r2, %r3, %r4}; ld.volatile.shared.v4.b32 {%r5, %r6, "
             "%r7, %r8}, [%r10];\n" STORE,
        want, 16);
  check("local memory",
        ".local .align 16 .b8 place[64];\n" LOAD
        "mov.u64 %q1, place; cvta.local.u64 %q2, %q1; st.local.v4.b32 [%q1+16], {%r1, %r2, %r3, %r4};\n"
        "ld.v4.b32 {%r5, %r6, %r7, %r8}, [%q2+16];\n" STORE,
        want, 16);
}

static void which_space(void) {
  static const unsigned char want[] = {1, 0, 0, 0, 1, 0, 0, 1};
  check("isspacep",
        ".local .b8 place[4]; mov.u64 %q1, sdata; cvta.shared.u64 %q1, %q1; mov.u64 %q2, place; "
        "cvta.local.u64 %q2, %q2;\n"
        "isspacep.shared %p1, %q1; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+64], %r1;\n"
        "isspacep.global %p1, %q1; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+65], %r1;\n"
        "isspacep.local %p1, %q1; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+66], %r1;\n"
        "isspacep.shared %p1, %q2; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+67], %r1;\n"
        "isspacep.local %p1, %q2; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+68], %r1;\n"
        "isspacep.const %p1, %buffer; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+69], %r1;\n"
        "isspacep.shared %p1, %buffer; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+70], %r1;\n"
        "isspacep.global %p1, %buffer; selp.u32 %r1, 1, 0, %p1; st.global.u8 [%buffer+71], %r1;",
        want, 8);
}

static void refused(const char *what, const char *body, const char *says) {
  unsigned char buffer[BYTES];
  char *report = run(body, buffer);
  probe_check(report && strstr(report, says), "%s: must be reported with \"%s\", was: %s", what, says,
              report ? report : "nothing");
  free(report);
}

void test_memory(void) {
  widths();
  extensions();
  spaces();
  which_space();
  refused("a misaligned load", "ld.global.b32 %r1, [%buffer+2]; st.global.b32 [%buffer+64], %r1;", "aligned");
  refused("a load past the end", "ld.global.b32 %r1, [%buffer+4096]; st.global.b32 [%buffer+64], %r1;",
          "bounds");
  refused("a null pointer", "mov.u64 %q1, 0; ld.global.b32 %r1, [%q1]; st.global.b32 [%buffer+64], %r1;",
          "0x");
  check("prefetches and discards do no harm",
        "prefetch.global.L2 [%buffer]; prefetch.L1 [%buffer]; prefetchu.L1 [%buffer]; mov.b32 %r1, "
        "0x04030201; st.global.b32 [%buffer+64], %r1;",
        (const unsigned char[]){1, 2, 3, 4}, 4);
}
