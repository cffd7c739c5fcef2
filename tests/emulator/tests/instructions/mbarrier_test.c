/* mbarrier objects: phases, counts, states and parities, bytes; and what each form says about misuse. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 32, WORDS = 16 };

/* One thread runs `lines` on the mbarrier at %r10 (shared); they leave their findings in %r0.. %r<count-1>.
 */
static void check_one(const char *what, const char *lines, unsigned count, const uint32_t *want) {
  struct text body = {0};
  uint32_t buffer[WORDS] = {0};
  text_add(&body, "mov.b32 %%r10, sdata;\n%s\n", lines);
  for (unsigned i = 0; i < count; i++)
    text_add(&body, "st.global.b32 [%%buffer+%u], %%r%u;\n", 4 * i, i);
  char *kernel = probe_kernel(body.at, 64), *report = probe_launch(kernel, 1, 1, 0, buffer, WORDS);
  unsigned wrong = 0;
  for (unsigned i = 0; i < count; i++)
    wrong += buffer[i] != want[i];
  probe_check(!report && !wrong, "mbarrier %s: found %u %u %u %u %u %u %s", what, buffer[0], buffer[1],
              buffer[2], buffer[3], buffer[4], buffer[5], report ? report : "");
  free(report);
  free(kernel);
  text_free(&body);
}

#define WANT(...) ((const uint32_t[]){__VA_ARGS__})
#define TEST(n, state) "mbarrier.test_wait.shared.b64 %p1, [%r10], " state "; selp.b32 %r" #n ", 1, 0, %p1;\n"
#define PARITY(n, parity)                                                                                    \
  "mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], " parity "; selp.b32 %r" #n ", 1, 0, %p1;\n"

static void check_phases(void) {
  check_one("state of a phase",
            "mbarrier.init.shared.b64 [%r10], 2;\n"
            "mbarrier.arrive.shared.b64 %q0, [%r10];\n" TEST(
                0, "%q0") "mbarrier.pending_count.b64 %r1, %q0;\n"
                          "mbarrier.arrive.shared.b64 %q1, [%r10];\n" TEST(2, "%q0")
                              TEST(3, "%q1") "mbarrier.pending_count.b64 %r4, %q1;\n"
                                             "mbarrier.arrive.shared.b64 %q2, [%r10];\n" TEST(5, "%q2"),
            6, WANT(0, 2, 1, 1, 1, 0));
  check_one("parity of a phase",
            "mbarrier.init.shared::cta.b64 [%r10], 1;\n" PARITY(0, "0")
                PARITY(1, "1") "mbarrier.arrive.shared::cta.b64 _, [%r10];\n" PARITY(2, "0")
                    PARITY(3, "1") "mbarrier.arrive.release.cta.shared::cta.b64 %q0, [%r10];\n" PARITY(4, "0")
                        PARITY(5, "1"),
            6, WANT(0, 1, 1, 0, 0, 1));
  check_one("arrivals by count",
            "mbarrier.init.shared.b64 [%r10], 5;\n"
            "mbarrier.arrive.shared::cta.b64 %q0, [%r10], 3;\n" TEST(
                0, "%q0") "mbarrier.arrive.noComplete.shared."
                          "b64 %q1, [%r10], 1;\n" TEST(1, "%q0") "mbarrier.arrive."
                                                                 "release.cluster."
                                                                 "shared::cta.b64 "
                                                                 "%q2, [%r10], "
                                                                 "1;\n" TEST(2, "%q0") "mbarrier."
                                                                                       "pending_"
                                                                                       "count.b64 "
                                                                                       "%r3, %q1; "
                                                                                       "mbarrier."
                                                                                       "pending_"
                                                                                       "count.b64 "
                                                                                       "%r4, %q2;\n",
            5, WANT(0, 0, 1, 2, 1));
  check_one("one that drops out",
            "mbarrier.init.shared.b64 [%r10], 3;\n"
            "mbarrier.arrive_drop.shared.b64 %q0, [%r10]; mbarrier.arrive.shared.b64 _, [%r10], 2;\n" TEST(
                0, "%q0") "mbarrier.arrive.shared.b64 %q1, [%r10];\n mbarrier.pending_count.b64 %r1, "
                          "%q1;\n" TEST(2, "%q1") "mbarrier.arrive.shared.b64 %q2, [%r10];\n" TEST(3, "%q1"),
            4, WANT(1, 2, 0, 1));
  check_one("generic addresses",
            "cvt.u64.u32 %q9, %r10; cvta.shared.u64 %q9, %q9; mbarrier.init.b64 [%q9], 1; "
            "mbarrier.arrive.b64 %q0, [%q9];\n"
            "mbarrier.test_wait.b64 %p1, [%q9], %q0; selp.b32 %r0, 1, 0, %p1;\n"
            "mbarrier.try_wait.parity.b64 %p1, [%q9], 1, 100; selp.b32 %r1, 1, 0, %p1;\n",
            2, WANT(1, 0));
  check_one(
      "try_wait with orders and a time limit",
      "mbarrier.init.shared.b64 [%r10], 1; mbarrier.arrive.shared.b64 %q0, [%r10];\n"
      "mbarrier.try_wait.acquire.cta.shared::cta.b64 %p1, [%r10], %q0; selp.b32 %r0, 1, 0, %p1;\n"
      "mbarrier.try_wait.acquire.cluster.shared::cta.b64 %p1, [%r10], %q0, 1000; selp.b32 %r1, 1, 0, %p1;\n"
      "mbarrier.try_wait.parity.relaxed.cta.shared::cta.b64 %p1, [%r10], 1; selp.b32 %r2, 1, 0, %p1;\n",
      3, WANT(1, 1, 0));
}

static void check_bytes(void) {
  check_one(
      "bytes hold the phase up",
      "mbarrier.init.shared.b64 [%r10], 1;\n"
      "mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %q0, [%r10], 48;\n" TEST(
          0,
          "%q0") "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r10], 32;\n" TEST(1,
                                                                                       "%q0") "mbarrier."
                                                                                              "complete_tx."
                                                                                              "relaxed.cta."
                                                                                              "shared::cta."
                                                                                              "b64 [%r10], "
                                                                                              "16;\n" TEST(
                                                                                                  2, "%"
                                                                                                     "q"
                                                                                                     "0"),
      3, WANT(0, 0, 1));
  check_one("bytes that come before they are expected",
            "mbarrier.init.shared.b64 [%r10], 2;\n"
            "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r10], 64;\n"
            "mbarrier.arrive.shared.b64 %q0, [%r10]; mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r10], "
            "64;\n" TEST(0, "%q0") "mbarrier.arrive.shared.b64 _, [%r10];\n" TEST(1, "%q0"),
            2, WANT(0, 1));
  check_one("an expected drop",
            "mbarrier.init.shared.b64 [%r10], 2;\n"
            "mbarrier.arrive_drop.expect_tx.release.cta.shared::cta.b64 %q0, [%r10], 8;\n"
            "mbarrier.arrive.shared.b64 _, [%r10];\n" TEST(0, "%q0") "mbarrier.complete_tx.relaxed.cta."
                                                                     "shared::cta.b64 [%r10], 8;\n" TEST(
                                                                         1, "%q0") "mbarrier.arrive.shared."
                                                                                   "b64 %q1, [%r10];\n "
                                                                                   "mbarrier.pending_count."
                                                                                   "b64 %r2, %q1;\n",
            3, WANT(0, 1, 1));
}

/* 128 threads meet ten times at one mbarrier; each round a value goes to the neighbour in another warp. */
static void check_rounds(void) {
  enum { THREADS = 128 };
  uint32_t buffer[THREADS] = {0};
  char *kernel = probe_kernel(
      "mov.b32 %r10, sdata; setp.eq.u32 %p1, %thread, 0; @%p1 mbarrier.init.shared.b64 [%r10], 128; bar.sync "
      "0;\n"
      "mad.lo.u32 %r11, %thread, 4, %r10; add.u32 %r11, %r11, 64; xor.b32 %r12, %thread, 37; mad.lo.u32 "
      "%r12, %r12, 4, %r10;\n"
      "add.u32 %r12, %r12, 64; mov.b32 %r0, %thread; mov.b32 %r1, 0;\n"
      "round: st.shared.b32 [%r11], %r0; mbarrier.arrive.shared.b64 %q0, [%r10];\n"
      "first: mbarrier.try_wait.shared.b64 %p2, [%r10], %q0; @!%p2 bra first; ld.shared.b32 %r0, [%r12]; "
      "add.u32 %r0, %r0, 1;\n"
      "mbarrier.arrive.shared.b64 %q0, [%r10];\n"
      "second: mbarrier.try_wait.shared.b64 %p2, [%r10], %q0; @!%p2 bra second;\n"
      "add.u32 %r1, %r1, 1; setp.lt.u32 %p3, %r1, 10; @%p3 bra round; st.global.b32 [%mine], %r0;",
      1024);
  char *report = probe_launch(kernel, 1, THREADS, 0, buffer, THREADS);
  unsigned wrong = 0;
  for (unsigned i = 0; i < THREADS; i++)
    wrong += buffer[i] != i + 10;
  probe_check(!report && !wrong, "mbarrier in ten rounds: %u wrong %s", wrong, report ? report : "");
  free(report);
  free(kernel);
}

static void check_misuse(const char *what, const char *lines, const char *says) {
  struct text body = {0};
  uint32_t buffer[WORDS] = {0};
  text_add(&body, "mov.b32 %%r10, sdata;\n%s\n", lines);
  char *kernel = probe_kernel(body.at, 64), *report = probe_launch(kernel, 1, 1, 0, buffer, WORDS);
  probe_check(report && strstr(report, says), "mbarrier %s: must be reported with \"%s\", was: %s", what,
              says, report ? report : "nothing");
  free(report);
  free(kernel);
  text_free(&body);
}

void test_mbarrier(void) {
  check_phases();
  check_bytes();
  check_rounds();
  check_misuse("with too many arrivals",
               "mbarrier.init.shared.b64 [%r10], 1; mbarrier.arrive.shared.b64 _, [%r10], 2;", "2 arrivals");
  check_misuse("after inval",
               "mbarrier.init.shared.b64 [%r10], 1; mbarrier.inval.shared.b64 [%r10]; "
               "mbarrier.arrive.shared.b64 _, [%r10];",
               "invalidated");
  check_misuse("with a count of 0", "mov.b32 %r1, 0; mbarrier.init.shared.b64 [%r10], %r1;", "count of 0");
  check_misuse("never initialised", "mbarrier.arrive.shared.b64 _, [%r10];", "initialised");
  check_misuse("noComplete that completes",
               "mbarrier.init.shared.b64 [%r10], 1; mbarrier.arrive.noComplete.shared.b64 %q0, [%r10], 1;",
               "noComplete");
}
