/* cp.async in all its forms, and when its bytes arrive. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 32, WORDS = 4 };

/* Each lane fills its 16 bytes of shared memory with ones, runs `lines`, and stores the 16 bytes it finds
 * there; without `want_words` it must be told that they are still on their way. %r10 is the lane's shared
 * address, %mine its global one; the buffer holds 100 * lane + word. */
static void check(const char *lines, const uint32_t *want_words, const char *what) {
  struct text body = {0};
  uint32_t buffer[2 * LANES * WORDS] = {0};
  for (unsigned i = 0; i < LANES * WORDS; i++)
    buffer[i] = 100 * (i / WORDS + 1) + i % WORDS;
  text_add(
      &body,
      "mad.wide.u32 %%mine, %%thread, 16, %%buffer; mov.b32 %%r10, sdata; mad.lo.u32 %%r10, %%thread, 16, "
      "%%r10;\n"
      "mov.b32 %%r0, 1; st.shared.v4.b32 [%%r10], {%%r0, %%r0, %%r0, %%r0}; setp.lt.u32 %%p1, %%thread, 16;\n"
      "%s\n"
      "ld.shared.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [%%r10]; st.global.v4.b32 [%%mine+512], {%%r0, %%r1, %%r2, "
      "%%r3};\n"
      "cp.async.wait_all;\n",
      lines);
  char *kernel = probe_kernel(body.at, LANES * 16),
       *report = probe_launch(kernel, 1, LANES, 0, buffer, 2 * LANES * WORDS);
  unsigned wrong = 0;
  bool early = report && strstr(report, "which an asynchronous copy by thread (0,0,0) still writes");
  for (unsigned i = 0; i < LANES * WORDS && !report && want_words; i++) {
    /* 2: the source's word, 1: as before, 0: zero, 3: the source's first word's low half; +10: lanes below 16
     * only zero */
    const uint32_t kind = want_words[i % WORDS], source = 100 * (i / WORDS + 1) + i % WORDS;
    uint32_t want = kind % 10 == 2 ? source : kind % 10 == 3 ? source & 0xff : kind % 10;
    if (kind >= 10 && i / WORDS < 16)
      want = 0;
    wrong += buffer[LANES * WORDS + i] != want;
  }
  probe_check(want_words ? !report && !wrong : early, "cp.async %s: %u wrong (%u %u %u %u) %s", what, wrong,
              buffer[128], buffer[129], buffer[130], buffer[131], report ? report : "");
  free(report);
  free(kernel);
  text_free(&body);
}

#define WANT(a, b, c, d) ((const uint32_t[]){a, b, c, d})

static void check_barrier(void) {
  uint32_t buffer[3 * LANES] = {0};
  for (unsigned i = 0; i < LANES; i++)
    buffer[i] = 1000 + i;
  /* the mbarrier at sdata expects each lane's copy; without .noinc it counts for nothing */
  char *kernel = probe_kernel(
      "mov.b32 %r10, sdata; mad.lo.u32 %r11, %thread, 4, %r10; add.u32 %r11, %r11, 64; setp.eq.u32 %p1, "
      "%thread, 0;\n"
      "@%p1 mbarrier.init.shared.b64 [%r10], 32; bar.sync 0;\n"
      "cp.async.ca.shared.global [%r11], [%mine], 4; cp.async.mbarrier.arrive.shared.b64 [%r10];\n"
      "cp.async.mbarrier.arrive.noinc.shared.b64 [%r10];\n"
      "wait: mbarrier.try_wait.parity.shared.b64 %p2, [%r10], 0; @!%p2 bra wait;\n"
      "xor.b32 %r12, %r11, 4; ld.shared.b32 %r0, [%r12]; st.global.b32 [%mine+128], %r0;",
      256);
  char *report = probe_launch(kernel, 1, LANES, 0, buffer, 3 * LANES);
  unsigned wrong = 0;
  for (unsigned i = 0; i < LANES; i++)
    wrong += buffer[LANES + i] != 1000 + (i ^ 1);
  probe_check(!report && !wrong, "cp.async.mbarrier.arrive: %u wrong %s", wrong, report ? report : "");
  free(report);
  free(kernel);
}

void test_async_copy(void) {
  const char *const after = "cp.async.commit_group; cp.async.wait_group 0;";
  struct text lines = {0};
  static const struct {
    const char *copy, *what;
    uint32_t want[4];
  } cases[] = {
      {"cp.async.ca.shared.global [%r10], [%mine], 16;", "16 bytes", {2, 2, 2, 2}},
      {"cp.async.cg.shared.global [%r10], [%mine], 16;", "16 bytes past L1", {2, 2, 2, 2}},
      {"cp.async.cg.shared::cta.global.L2::128B [%r10], [%mine], 16;", "with a prefetch", {2, 2, 2, 2}},
      {"cp.async.ca.shared.global [%r10], [%mine], 8;", "8 bytes", {2, 2, 1, 1}},
      {"cp.async.ca.shared.global [%r10+4], [%mine+4], 4;", "4 bytes", {1, 2, 1, 1}},
      {"cp.async.ca.shared.global [%r10], [%mine], 16, 8;", "8 of 16 bytes", {2, 2, 0, 0}},
      {"cp.async.cg.shared.global [%r10], [%mine], 16, 0;", "none of 16 bytes", {0, 0, 0, 0}},
      {"cp.async.ca.shared.global [%r10], [%mine], 4, 1;", "1 of 4 bytes", {3, 1, 1, 1}},
      {"cp.async.cg.shared.global [%r10], [%mine], 16, 12;", "12 of 16 bytes", {2, 2, 2, 0}},
      {"cp.async.cg.shared.global [%r10], [%mine], 16, %p1;", "ignored by lanes", {12, 12, 12, 12}},
      {"createpolicy.fractional.L2::evict_first.b64 %q5, 0f3F800000; "
       "cp.async.cg.shared.global.L2::cache_hint [%r10], "
       "[%mine], 16, %q5;",
       "with a policy",
       {2, 2, 2, 2}},
  };
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    lines.length = 0;
    text_add(&lines, "%s\n%s", cases[i].copy, after);
    check(lines.at, cases[i].want, cases[i].what);
  }
  text_free(&lines);
  check("cp.async.ca.shared.global [%r10], [%mine], 16; cp.async.commit_group;", NULL, "before any wait");
  check("cp.async.ca.shared.global [%r10], [%mine], 8; cp.async.commit_group;\n"
        "cp.async.ca.shared.global [%r10+8], [%mine+8], 8; cp.async.commit_group; cp.async.wait_group 1;",
        NULL, "with one group left");
  check("cp.async.ca.shared.global [%r10], [%mine], 8; cp.async.commit_group; cp.async.commit_group;\n"
        "cp.async.ca.shared.global [%r10+8], [%mine+8], 8; cp.async.wait_group 1;",
        NULL, "with an empty group and none committed");
  check("cp.async.ca.shared.global [%r10], [%mine], 8; cp.async.wait_all;", WANT(2, 2, 1, 1),
        "wait_all without commit");
  check_barrier();
  probe_check(probe_is_refused("cp.async.cg.shared.global [%r0], [%q0], 8; mov.b32 %rd, 0;"),
              "cp.async.cg is of 16 bytes");
}
