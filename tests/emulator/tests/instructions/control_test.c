/* Branches, loops, indirect branches, calls and what lanes do when they part: every lane's path is its
 * own. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 32, THREADS = 64 };

typedef uint32_t expectation(unsigned thread);

static void check_text(const char *what, const char *ptx, expectation *expected) {
  uint32_t buffer[THREADS] = {0};
  char *report = probe_launch(ptx, 1, THREADS, 0, buffer, THREADS);
  unsigned wrong = 0, at = 0;
  for (unsigned i = 0; i < THREADS && !report; i++)
    if (buffer[i] != expected(i) && !wrong++)
      at = i;
  probe_check(!report && !wrong, "%s: %u wrong, thread %u has %u, not %u %s", what, wrong, at, buffer[at],
              expected(at), report ? report : "");
  free(report);
}

static void check(const char *what, const char *body, expectation *expected) {
  char *kernel = probe_kernel(body, 1024);
  check_text(what, kernel, expected);
  free(kernel);
}

static uint32_t collatz(unsigned thread) {
  uint32_t steps = 0;
  for (uint32_t n = thread + 1; n != 1; steps++)
    n = n % 2 ? 3 * n + 1 : n / 2;
  return steps;
}

static uint32_t switched(unsigned thread) {
  static const uint32_t values[] = {11, 22, 33, 44};
  return values[thread % 4] + thread;
}

static uint32_t nested(unsigned thread) {
  uint32_t sum = 0;
  for (unsigned i = 0; i < thread % 7; i++)
    for (unsigned j = 0; j < i + thread % 3; j++)
      sum += (i + j) % 2 ? 3 : 5;
  return sum;
}

static uint32_t early(unsigned thread) {
  return thread % 3 == 0 ? 0 : thread * 2;
}

static uint32_t barrier_after_exit(unsigned thread) {
  return thread < 32 ? 32 * 31 / 2 : 0;
}

static uint32_t doubled(unsigned thread) {
  return 2 * thread + 5;
}

static uint32_t factorial(unsigned thread) {
  uint32_t result = 1;
  for (unsigned i = 2; i <= thread % 10; i++)
    result *= i;
  return result;
}

static uint32_t by_pointer(unsigned thread) {
  return thread % 2 ? thread * thread : thread + 100;
}

static uint32_t ping_pong(unsigned thread) {
  return thread;
}

static uint32_t predicated(unsigned thread) {
  return thread % 2 ? thread * 3 : thread % 4 ? 7 : 9;
}

static void inside_kernel(void) {
  check("a loop whose lanes leave one by one",
        "add.u32 %r1, %thread, 1; mov.b32 %r2, 0;\n"
        "loop: setp.eq.u32 %p1, %r1, 1; @%p1 bra out; and.b32 %r3, %r1, 1; setp.eq.u32 %p2, %r3, 1; @%p2 bra "
        "odd;\n"
        "shr.u32 %r1, %r1, 1; bra next;\nodd: mad.lo.u32 %r1, %r1, 3, 1;\nnext: add.u32 %r2, %r2, 1; bra.uni "
        "loop;\n"
        "out: st.global.b32 [%mine], %r2;",
        collatz);
  check("brx.idx",
        "and.b32 %r1, %thread, 3;\ntargets: .branchtargets a, b, c, d;\nbrx.idx %r1, targets;\n"
        "a: mov.b32 %r2, 11; bra done; b: mov.b32 %r2, 22; bra done; c: mov.b32 %r2, 33; bra done; d: "
        "mov.b32 %r2, 44;\n"
        "done: add.u32 %r2, %r2, %thread; st.global.b32 [%mine], %r2;",
        switched);
  check("nested loops",
        "rem.u32 %r1, %thread, 7; rem.u32 %r2, %thread, 3; mov.b32 %r3, 0; mov.b32 %r4, 0;\n"
        "outer: setp.ge.u32 %p1, %r4, %r1; @%p1 bra out; mov.b32 %r5, 0; add.u32 %r6, %r4, %r2;\n"
        "inner: setp.ge.u32 %p2, %r5, %r6; @%p2 bra inner_out; add.u32 %r7, %r4, %r5; and.b32 %r7, %r7, 1; "
        "setp.eq.u32 %p3, %r7, 1;\n"
        "@%p3 add.u32 %r3, %r3, 3; @!%p3 add.u32 %r3, %r3, 5; add.u32 %r5, %r5, 1; bra inner;\n"
        "inner_out: add.u32 %r4, %r4, 1; bra outer;\nout: st.global.b32 [%mine], %r3;",
        nested);
  check("some lanes return early",
        "rem.u32 %r1, %thread, 3; setp.eq.u32 %p1, %r1, 0; @%p1 ret; shl.b32 %r2, %thread, 1; st.global.b32 "
        "[%mine], %r2;",
        early);
  check("a barrier of those who stay",
        "setp.ge.u32 %p1, %thread, 32; @%p1 exit; mov.u32 %r1, sdata; mad.lo.u32 %r2, %thread, 4, %r1; "
        "st.shared.b32 [%r2], %thread;\n"
        "bar.sync 1, 32; mov.b32 %r3, 0; mov.b32 %r4, 0;\nsum: ld.shared.b32 %r5, [%r1]; add.u32 %r3, %r3, "
        "%r5; "
        "add.u32 %r1, %r1, 4;\n"
        "add.u32 %r4, %r4, 1; setp.lt.u32 %p2, %r4, 32; @%p2 bra sum; st.global.b32 [%mine], %r3;",
        barrier_after_exit);
  check("guards without branches",
        "and.b32 %r1, %thread, 1; setp.eq.u32 %p1, %r1, 1; and.b32 %r1, %thread, 3; setp.ne.u32 %p2, %r1, 0; "
        "mov.b32 %r2, 9;\n"
        "@%p2 mov.b32 %r2, 7; @%p1 mul.lo.u32 %r2, %thread, 3; st.global.b32 [%mine], %r2;",
        predicated);
  /* odd lanes wait for what even lanes of the same warp write after them */
  check("lanes of one warp wait for each other",
        "mov.u32 %r1, sdata; mad.lo.u32 %r2, %thread, 4, %r1; mov.b32 %r3, 0; st.volatile.shared.b32 [%r2], "
        "%r3; bar.sync 0;\n"
        "and.b32 %r4, %thread, 1; setp.eq.u32 %p1, %r4, 0; @%p1 bra even;\n"
        "wait: ld.acquire.cta.shared.b32 %r5, [%r2]; setp.eq.u32 %p2, %r5, 0; @%p2 bra wait; bra done;\n"
        "even: mov.b32 %r5, 1; st.release.cta.shared.b32 [%r2+4], %r5;\n"
        "done: st.global.b32 [%mine], %thread;",
        ping_pong);
}

#define HEAD ".version 8.6\n.target sm_90\n.address_size 64\n"
#define KERNEL                                                                                               \
  ".visible .entry probe(.param .u64 buffer) {\n.reg .b32 %r<8>; .reg .b64 %q<8>; .reg .pred %p<4>;\n"       \
  "ld.param.u64 %q1, [buffer]; cvta.to.global.u64 %q1, %q1; mov.u32 %r1, %tid.x; mad.wide.u32 %q1, %r1, 4, " \
  "%q1;\n"
#define CALL(target, prototype)                                                                              \
  "{ .param .b32 a0; .param .b32 r0; st.param.b32 [a0], %r1; call (r0), " target ", (a0)" prototype          \
  "; ld.param.b32 %r2, [r0]; }\n"
#define STORE "st.global.b32 [%q1], %r2; ret; }\n"

static void calls(void) {
  check_text("a call by value",
             HEAD ".func (.param .b32 out) twice(.param .b32 in) {\n.reg .b32 %r<3>; ld.param.b32 %r1, [in]; "
                  "shl.b32 %r1, %r1, 1;\n"
                  "add.u32 %r2, %r1, 5; st.param.b32 [out], %r2; ret; }\n" KERNEL CALL("twice", "") STORE,
             doubled);
  check_text("recursion, as deep as each lane wants",
             HEAD ".func (.param .b32 out) factorial(.param .b32 in) {\n.reg .b32 %r<5>; .reg .pred %p<2>; "
                  "ld.param.b32 %r1, [in];\n"
                  "mov.b32 %r2, 1; setp.lt.u32 %p1, %r1, 2; @%p1 bra done; sub.u32 %r3, %r1, 1;\n"
                  "{ .param .b32 a0; .param .b32 r0; st.param.b32 [a0], %r3; call.uni (r0), factorial, (a0); "
                  "ld.param.b32 %r4, [r0]; }\n"
                  "mul.lo.u32 %r2, %r1, %r4;\ndone: st.param.b32 [out], %r2; ret; }\n" KERNEL
                  "rem.u32 %r1, %r1, 10;\n" CALL("factorial", "") STORE,
             factorial);
  check_text("calls through pointers",
             HEAD
             ".func (.param .b32 out) square(.param .b32 in) {\n.reg .b32 %r<3>; ld.param.b32 %r1, [in];\n"
             "mul.lo.u32 %r2, %r1, %r1; st.param.b32 [out], %r2; ret; }\n"
             ".func (.param .b32 out) plus(.param .b32 in) {\n.reg .b32 %r<3>; ld.param.b32 %r1, [in];\n"
             "add.u32 %r2, %r1, 100; st.param.b32 [out], %r2; ret; }\n"
             ".global .align 8 .u64 table[2] = {plus, square};\n" KERNEL
             "and.b32 %r3, %r1, 1; mov.u64 %q2, table; cvta.global.u64 %q2, %q2; mad.wide.u32 %q2, %r3, 8, "
             "%q2; ld.u64 %q3, [%q2];\n"
             "proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n" CALL("%q3", ", proto") STORE,
             by_pointer);
}

static void ends(void) {
  static const struct {
    const char *what, *body, *says;
  } cases[] = {{"trap", "trap;", "trap"},
               {"an endless loop", "again: bra again;", "step"},
               {"a barrier that not all reach",
                "setp.lt.u32 %p1, %thread, 7; @%p1 bra over; bar.sync 0; over: bar.sync 1;", "arrier"},
               {"an instruction that does not exist", "frobnicate.b32 %r1, %r2;", "frobnicate"}};
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t buffer[THREADS] = {0};
    char *kernel = probe_kernel(cases[i].body, 0),
         *report = probe_launch(kernel, 1, THREADS, 0, buffer, THREADS);
    probe_check(report && strstr(report, cases[i].says), "%s: must be reported with \"%s\", was: %s",
                cases[i].what, cases[i].says, report ? report : "nothing");
    free(report);
    free(kernel);
  }
}

void test_control(void) {
  inside_kernel();
  calls();
  ends();
}
