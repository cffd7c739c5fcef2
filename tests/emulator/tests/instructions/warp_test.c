/* shfl, vote, match, redux, activemask: a whole warp, parts of it, and lanes that go different ways. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 32, RESULTS = 4, WORDS = LANES * (1 + RESULTS) };

/* Each lane has its word of the buffer in %r0; `body` leaves results in %r1.. %r4, which are stored. Lanes
 * from `lanes` up leave at once. */
static char *run(const char *body, unsigned lanes, uint32_t buffer[WORDS]) {
  struct text text = {0};
  text_add(
      &text,
      "ld.global.b32 %%r0, [%%mine]; mov.b32 %%r1, 0; mov.b32 %%r2, 0; mov.b32 %%r3, 0; mov.b32 %%r4, 0;\n"
      "setp.ge.u32 %%p7, %%thread, %u; @%%p7 ret;\n%s\n",
      lanes, body);
  for (unsigned i = 1; i <= RESULTS; i++)
    text_add(&text, "st.global.b32 [%%mine+%u], %%r%u;\n", i * LANES * 4, i);
  char *kernel = probe_kernel(text.at, 0), *report = probe_launch(kernel, 1, LANES, 0, buffer, WORDS);
  free(kernel);
  text_free(&text);
  return report;
}

/* ---- shfl: the manual's pseudo code ---- */

struct shuffle {
  const char *mode;
  unsigned b, c;
};

static bool shuffled(const struct shuffle *s, unsigned lane, unsigned *from) {
  const int bval = s->b & 31, cval = s->c & 31, mask = s->c >> 8 & 31, self = (int)lane;
  const int most = (self & mask) | (cval & ~mask), least = self & mask;
  int j;
  bool p;
  if (!strcmp(s->mode, "up")) {
    j = self - bval;
    p = j >= most;
  } else if (!strcmp(s->mode, "down")) {
    j = self + bval;
    p = j <= most;
  } else if (!strcmp(s->mode, "bfly")) {
    j = self ^ bval;
    p = j <= most;
  } else {
    j = least | (bval & ~mask);
    p = j <= most;
  }
  *from = p ? (unsigned)j : lane;
  return p;
}

static void check_shuffle(const struct shuffle *s) {
  struct text body = {0};
  uint32_t buffer[WORDS] = {0};
  for (unsigned i = 0; i < LANES; i++)
    buffer[i] = 1000 + i * 3;
  text_add(&body,
           "shfl.sync.%s.b32 %%r1|%%p1, %%r0, %u, 0x%x, 0xffffffff; selp.b32 %%r2, 1, 0, %%p1;\n"
           "mov.b32 %%r5, %u; mov.b32 %%r6, 0x%x; shfl.sync.%s.b32 %%r3, %%r0, %%r5, %%r6, -1;\n",
           s->mode, s->b, s->c, s->b, s->c, s->mode);
  char *report = run(body.at, LANES, buffer);
  unsigned wrong = 0;
  for (unsigned i = 0; i < LANES && !report; i++) {
    unsigned from;
    const bool inside = shuffled(s, i, &from);
    wrong += buffer[LANES + i] != buffer[from] || buffer[2 * LANES + i] != inside ||
             buffer[3 * LANES + i] != buffer[from];
  }
  probe_check(!report && !wrong, "shfl.sync.%s %u, 0x%x: %u wrong %s", s->mode, s->b, s->c, wrong,
              report ? report : "");
  free(report);
  text_free(&body);
}

static void shuffles(void) {
  static const char *const modes[] = {"up", "down", "bfly", "idx"};
  static const unsigned widths[] = {32, 16, 8, 4, 2, 1}, offsets[] = {0, 1, 2, 3, 5, 8, 16, 31, 32, 33};
  for (unsigned m = 0; m < 4; m++)
    for (unsigned w = 0; w < 6; w++)
      for (unsigned i = 0; i < 10; i++) {
        const unsigned segments = (32 - widths[w]) << 8;
        check_shuffle(&(struct shuffle){modes[m], offsets[i], m == 0 ? segments : segments | 31});
      }
  check_shuffle(&(struct shuffle){"idx", 7, 0x0007});
  check_shuffle(&(struct shuffle){"down", 2, 0x1003});
}

/* ---- Others: results by a function of the lane ---- */

typedef uint32_t expectation(const uint32_t *values, unsigned lane, unsigned result);

static void check(const char *what, const char *body, unsigned lanes, unsigned results,
                  expectation *expected) {
  uint32_t buffer[WORDS] = {0};
  for (unsigned i = 0; i < LANES; i++)
    buffer[i] = (i * 7 + 3) % 5;
  uint32_t values[LANES];
  memcpy(values, buffer, sizeof values);
  char *report = run(body, lanes, buffer);
  unsigned wrong = 0, at = 0;
  for (unsigned i = 0; i < lanes && !report; i++)
    for (unsigned r = 0; r < results; r++)
      if (buffer[(r + 1) * LANES + i] != expected(values, i, r) && !wrong++)
        at = (r + 1) * LANES + i;
  probe_check(!report && !wrong, "%s: %u wrong, result %u of lane %u is %x, not %x %s", what, wrong,
              at / LANES, at % LANES, buffer[at], expected(values, at % LANES, at / LANES - (at >= LANES)),
              report ? report : "");
  free(report);
}

static uint32_t voted(const uint32_t *values, unsigned lane, unsigned result) {
  uint32_t yes = 0;
  (void)lane;
  for (unsigned i = 0; i < LANES; i++)
    yes |= (uint32_t)(values[i] >= 2) << i;
  return result == 0 ? yes : result == 1 ? 0 : result == 2 ? 1 : ~yes;
}

static uint32_t voted_in_halves(const uint32_t *values, unsigned lane, unsigned result) {
  uint32_t yes = 0;
  const unsigned low = lane < 12 ? 0 : 12, high = lane < 12 ? 12 : 32;
  for (unsigned i = low; i < high; i++)
    yes |= (uint32_t)(values[i] >= 2) << i;
  return result == 0 ? yes : result == 1 ? lane < 12 : result == 2 ? lane < 12 : 1;
}

static uint32_t matched(const uint32_t *values, unsigned lane, unsigned result) {
  uint32_t same = 0;
  for (unsigned i = 0; i < LANES; i++)
    same |= (uint32_t)(values[i] == values[lane]) << i;
  return result < 2 ? same : result == 2 ? 0xffffffff : 0;
}

static uint32_t reduced(const uint32_t *values, unsigned lane, unsigned result) {
  uint32_t sum = 0, all = ~0u, any = 0, odd = 0;
  (void)lane;
  for (unsigned i = 0; i < LANES; i++) {
    sum += values[i];
    all &= values[i] | 8;
    any |= values[i];
    odd ^= values[i];
  }
  return result == 0 ? sum : result == 1 ? all : result == 2 ? any : odd;
}

static uint32_t extremes(const uint32_t *values, unsigned lane, unsigned result) {
  (void)values;
  (void)lane;
  return result == 0 ? 0 : result == 1 ? 4 : result == 2 ? (uint32_t)-2 : 2;
}

static uint32_t in_groups(const uint32_t *values, unsigned lane, unsigned result) {
  uint32_t sum = 0, members = 0;
  for (unsigned i = 0; i < 20; i++)
    if (i % 3 == lane % 3) {
      sum += values[i];
      members |= 1u << i;
    }
  return result == 0 ? members : result == 1 ? sum : result == 2 ? members : lane % 3;
}

static void others(void) {
  check("vote.sync",
        "setp.ge.u32 %p1, %r0, 2; vote.sync.ballot.b32 %r1, %p1, 0xffffffff;\n"
        "vote.sync.all.pred %p2, %p1, 0xffffffff; selp.b32 %r2, 1, 0, %p2;\n"
        "vote.sync.any.pred %p2, !%p1, 0xffffffff; selp.b32 %r3, 1, 0, %p2; vote.sync.ballot.b32 %r4, !%p1, "
        "-1;",
        LANES, 4, voted);
  check("vote.sync in two parts",
        "setp.ge.u32 %p1, %r0, 2; setp.lt.u32 %p3, %thread, 12; mov.b32 %r5, 0xfffff000; @%p3 mov.b32 %r5, "
        "0xfff;\n"
        "vote.sync.ballot.b32 %r1, %p1, %r5; vote.sync.all.pred %p2, %p3, %r5; selp.b32 %r2, 1, 0, %p2;\n"
        "vote.sync.any.pred %p2, %p3, %r5; selp.b32 %r3, 1, 0, %p2; vote.sync.uni.pred %p2, %p3, %r5; "
        "selp.b32 %r4, 1, 0, %p2;",
        LANES, 4, voted_in_halves);
  check("match",
        "match.any.sync.b32 %r1, %r0, 0xffffffff; cvt.u64.u32 %q1, %r0; shl.b64 %q1, %q1, 40; "
        "match.any.sync.b64 %r2, %q1, -1;\n"
        "mov.b32 %r5, 77; match.all.sync.b32 %r3|%p1, %r5, 0xffffffff; match.all.sync.b32 %r4|%p2, %r0, "
        "0xffffffff;\n"
        "@!%p1 mov.b32 %r3, 1; @%p2 mov.b32 %r4, 1;",
        LANES, 4, matched);
  check("redux",
        "redux.sync.add.u32 %r1, %r0, 0xffffffff; or.b32 %r5, %r0, 8; redux.sync.and.b32 %r2, %r5, -1;\n"
        "redux.sync.or.b32 %r3, %r0, 0xffffffff; redux.sync.xor.b32 %r4, %r0, 0xffffffff;",
        LANES, 4, reduced);
  check("redux of signs",
        "redux.sync.min.u32 %r1, %r0, -1; redux.sync.max.u32 %r2, %r0, -1; sub.s32 %r5, %r0, 2;\n"
        "redux.sync.min.s32 %r3, %r5, -1; redux.sync.max.s32 %r4, %r5, -1;",
        LANES, 4, extremes);
  /* lanes of three kinds, each on its own way, that a mask of their own brings together */
  check(
      "groups on different ways",
      "rem.u32 %r6, %thread, 3; setp.eq.u32 %p1, %r6, 0; setp.eq.u32 %p2, %r6, 1; mov.b32 %r4, %r6;\n"
      "@%p1 bra zero; @%p2 bra one;\n"
      "activemask.b32 %r1; redux.sync.add.u32 %r2, %r0, 0x24924; vote.sync.ballot.b32 %r3, 1, 0x24924; bra "
      "done;\n"
      "zero: activemask.b32 %r1; redux.sync.add.u32 %r2, %r0, 0x49249; match.any.sync.b32 %r3, %r6, 0x49249; "
      "bra done;\n"
      "one: activemask.b32 %r1; redux.sync.add.u32 %r2, %r0, 0x92492; match.any.sync.b32 %r3, %r6, 0x92492;\n"
      "done:",
      20, 4, in_groups);
}

void test_warp(void) {
  uint32_t buffer[WORDS] = {0};
  shuffles();
  others();
  /* lanes 4 to 7 read lanes that take no part: what they get may be dropped, but not used */
  char *report = run("setp.lt.u32 %p1, %thread, 8; @!%p1 bra out; shfl.sync.down.b32 %r1, %r0, 4, 31, 0xff;\n"
                     "add.u32 %r7, %r1, 1; setp.lt.u32 %p2, %thread, 4; selp.b32 %r1, %r7, 77, %p2; out:",
                     LANES, buffer);
  probe_check(!report, "a shuffle may read lanes that take no part, in vain: %s", report ? report : "");
  for (unsigned i = 4; i < 8; i++)
    probe_check(buffer[LANES + i] == 77, "lane %u: %x", i, buffer[LANES + i]);
  free(report);
  report = run("setp.lt.u32 %p1, %thread, 8; @!%p1 bra out; shfl.sync.down.b32 %r1, %r0, 4, 31, 0xff;\n"
               "add.u32 %r1, %r1, 1; out:",
               LANES, buffer);
  probe_check(report && strstr(report, "thread (4,0,0): shfl reads lane 8, which takes no part in it"),
              "what a lane that takes no part gives must not be used: %s", report ? report : "");
  free(report);
  report =
      run("setp.lt.u32 %p1, %thread, 8; @!%p1 bra out; vote.sync.ballot.b32 %r1, %p1, 0x1ff; out:", LANES,
          buffer);
  probe_check(report != NULL, "a vote whose named lanes do not all come must be reported");
  free(report);
}
