/* Clusters: ranks, addresses in other blocks, barriers, stores, reductions and bulk copies that complete at
 * an mbarrier. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 32, BLOCKS = 8, CLUSTER = 4, WORDS = BLOCKS * THREADS };

/* Before the body, %r20 is the rank in the cluster, %r21 the rank of the next block, %mine the thread's word
 * of the buffer (over all blocks), %r10 the shared address of sdata. */
static char *run(const char *body, uint32_t buffer[WORDS]) {
  struct text text = {0};
  text_add(&text,
           "mov.u32 %%r20, %%cluster_ctarank; add.u32 %%r21, %%r20, 1; and.b32 %%r21, %%r21, %d; mov.b32 "
           "%%r10, sdata;\n"
           "mad.lo.u32 %%r22, %%block, %%threads, %%thread; mad.wide.u32 %%mine, %%r22, 4, %%buffer;\n%s\n",
           CLUSTER - 1, body);
  char *kernel = probe_kernel(text.at, 1024),
       *report = probe_launch(kernel, BLOCKS, THREADS, CLUSTER, buffer, WORDS);
  text_free(&text);
  free(kernel);
  return report;
}

typedef uint32_t expectation(unsigned block, unsigned thread);

static void check(const char *what, const char *body, expectation *expected) {
  uint32_t buffer[WORDS];
  for (unsigned i = 0; i < WORDS; i++)
    buffer[i] = 5000 + i;
  char *report = run(body, buffer);
  unsigned wrong = 0, first = 0;
  for (unsigned i = 0; i < WORDS && !report; i++)
    if (buffer[i] != expected(i / THREADS, i % THREADS) && !wrong++)
      first = i;
  probe_check(!report && !wrong, "cluster %s: %u wrong, word %u is %u, not %u %s", what, wrong, first,
              buffer[first], expected(first / THREADS, first % THREADS), report ? report : "");
  free(report);
}

#define SYNC "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;\n"
#define OWN_WORD                                                                                             \
  "mad.lo.u32 %r11, %thread, 4, %r10; mad.lo.u32 %r0, %r20, 1000, %thread; st.shared.b32 [%r11], %r0;\n"

static uint32_t next_of(unsigned block) {
  return (block % CLUSTER + 1) % CLUSTER;
}

static uint32_t special(unsigned block, unsigned thread) {
  (void)thread;
  return block % CLUSTER | (block / CLUSTER) << 4 | (BLOCKS / CLUSTER) << 8 | CLUSTER << 12 |
         (block % CLUSTER) << 16 | CLUSTER << 20;
}

static uint32_t from_next(unsigned block, unsigned thread) {
  return next_of(block) * 1000 + thread;
}

static uint32_t next_and_own(unsigned block, unsigned thread) {
  (void)thread;
  return next_of(block) * 10 + block % CLUSTER;
}

static uint32_t from_previous(unsigned block, unsigned thread) {
  return (block + CLUSTER - 1) % CLUSTER * 1000 + thread;
}

static uint32_t count_of_threads(unsigned block, unsigned thread) {
  (void)block;
  (void)thread;
  return CLUSTER * THREADS;
}

static uint32_t stored(unsigned block, unsigned thread) {
  return from_previous(block, thread);
}

static uint32_t reduced(unsigned block, unsigned thread) {
  (void)block;
  (void)thread;
  return 100 + THREADS * (THREADS - 1) / 2;
}

static uint32_t copied(unsigned block, unsigned thread) {
  return 5000 + (block ^ 1) * THREADS + thread;
}

static uint32_t of_first(unsigned block, unsigned thread) {
  return 5000 + block / CLUSTER * CLUSTER * THREADS + thread;
}

static uint32_t elected(unsigned block, unsigned thread) {
  (void)block;
  return (thread < 8 ? 3u : 8u) | (thread == 3 || thread == 8 ? 256u : 0);
}

static void check_addresses(void) {
  check("special registers",
        "mov.u32 %r1, %clusterid.x; mov.u32 %r2, %nclusterid.x; mov.u32 %r3, %cluster_nctarank; mov.u32 %r4, "
        "%cluster_ctaid.x;\n"
        "mov.u32 %r5, %cluster_nctaid.x; shl.b32 %r1, %r1, 4; shl.b32 %r2, %r2, 8; shl.b32 %r3, %r3, 12; "
        "shl.b32 %r4, %r4, 16;\n"
        "shl.b32 %r5, %r5, 20; or.b32 %r0, %r20, %r1; or.b32 %r0, %r0, %r2; or.b32 %r0, %r0, %r3; or.b32 "
        "%r0, %r0, %r4;\n"
        "or.b32 %r0, %r0, %r5; st.global.b32 [%mine], %r0;",
        special);
  check("ld.shared::cluster",
        OWN_WORD SYNC "mapa.shared::cluster.u32 %r12, %r11, %r21; ld.shared::cluster.b32 %r1, [%r12]; "
                      "st.global.b32 [%mine], %r1;\n" SYNC,
        from_next);
  check("generic mapa",
        OWN_WORD SYNC
        "cvt.u64.u32 %q0, %r11; cvta.shared.u64 %q0, %q0; mapa.u64 %q1, %q0, %r21; ld.b32 %r1, [%q1];\n"
        "st.global.b32 [%mine], %r1;\n" SYNC,
        from_next);
  check("getctarank",
        "mapa.shared::cluster.u32 %r12, %r10, %r21; getctarank.shared::cluster.u32 %r1, %r12; cvt.u64.u32 "
        "%q0, %r10;\n"
        "cvta.shared.u64 %q0, %q0; getctarank.u64 %r2, %q0; mad.lo.u32 %r1, %r1, 10, %r2; st.global.b32 "
        "[%mine], %r1;",
        next_and_own);
  check("st.shared::cluster", /* not before the other block has begun */
        SYNC
        "mad.lo.u32 %r11, %thread, 4, %r10; mapa.shared::cluster.u32 %r12, %r11, %r21; mad.lo.u32 %r0, %r20, "
        "1000, %thread;\n"
        "st.shared::cluster.b32 [%r12], %r0;\n"
        "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;\n"
        "ld.shared.b32 %r1, [%r11]; st.global.b32 [%mine], %r1;",
        from_previous);
  check("atom.shared::cluster",
        "mov.b32 %r1, 0; mov.b32 %r2, 0; setp.eq.u32 %p1, %thread, 0; @%p1 st.shared.b32 [%r10], %r1;\n" SYNC
        "mapa.shared::cluster.u32 %r12, %r10, %r2; atom.shared::cluster.add.u32 %r3, [%r12], 1;\n" SYNC
        "ld.shared::cluster.b32 %r1, [%r12]; st.global.b32 [%mine], %r1;\n" SYNC,
        count_of_threads);
}

#define BARRIER(count)                                                                                       \
  "add.u32 %r15, %r10, 512; setp.eq.u32 %p1, %thread, 0; @%p1 mbarrier.init.shared::cta.b64 [%r15], " count  \
  ";\n"                                                                                                      \
  "fence.mbarrier_init.release.cluster;\n" SYNC
#define WAIT                                                                                                 \
  "wait: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [%r15], 0; @!%p2 bra wait;\n"

static void check_async(void) {
  check("mbarrier.arrive in another block",
        "mad.lo.u32 %r11, %thread, 4, %r10;\n" BARRIER(
            "32") "mapa.shared::cluster.u32 %r12, %r11, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21; "
                  "mad.lo.u32 %r0, %r20, 1000, %thread;\n"
                  "st.shared::cluster.b32 [%r12], %r0; mbarrier.arrive.release.cluster.shared::cluster.b64 "
                  "_, [%r16];\n" WAIT "ld.shared.b32 %r1, [%r11]; st.global.b32 [%mine], %r1;\n" SYNC,
        stored);
  check("st.async",
        "mad.lo.u32 %r11, %thread, 4, %r10;\n" BARRIER(
            "1") "@%p1 mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%r15], 128;\n"
                 "mapa.shared::cluster.u32 %r12, %r11, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21; "
                 "mad.lo.u32 %r0, %r20, 1000, %thread;\n"
                 "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r12], %r0, [%r16];\n" WAIT
                 "ld.shared.b32 %r1, [%r11]; st.global.b32 [%mine], %r1;\n" SYNC,
        stored);
  check("st.async, seen by a relaxed look and a fence of shared memory",
        "mad.lo.u32 %r11, %thread, 4, %r10;\n" BARRIER(
            "1") "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 128;\n"
                 "mapa.shared::cluster.u32 %r12, %r11, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21; "
                 "mad.lo.u32 %r0, %r20, 1000, %thread;\n"
                 "st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r12], %r0, [%r16];\n"
                 "wait: mbarrier.try_wait.parity.relaxed.cluster.shared::cta.b64 %p2, [%r15], 0; @!%p2 bra "
                 "wait;\n"
                 "fence.acquire.sync_restrict::shared::cluster.cluster;\n"
                 "ld.shared.b32 %r1, [%r11]; st.global.b32 [%mine], %r1;\n" SYNC,
        stored);
  check("st.async of a vector",
        "mad.lo.u32 %r11, %thread, 16, %r10;\n" BARRIER(
            "1") "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 512;\n"
                 "mapa.shared::cluster.u32 %r12, %r11, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21; "
                 "mad.lo.u32 %r0, %r20, 1000, %thread;\n"
                 "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%r12], {%r20, %r20, %r20, "
                 "%r0}, [%r16];\n" WAIT "ld.shared.b32 %r1, [%r11+12]; st.global.b32 [%mine], %r1;\n" SYNC,
        stored);
  check("red.async",
        "mov.b32 %r1, 100; setp.eq.u32 %p1, %thread, 0; @%p1 st.shared.b32 [%r10], %r1;\n" BARRIER(
            "1") "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 128;\n"
                 "mapa.shared::cluster.u32 %r12, %r10, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21;\n"
                 "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r12], "
                 "%thread, [%r16];\n" WAIT "ld.shared.b32 %r1, [%r10]; st.global.b32 [%mine], %r1;\n" SYNC,
        reduced);
}

static void check_bulk(void) {
  check("cp.async.bulk to shared memory and back",
        BARRIER(
            "1") "mov.u32 %r3, %block; xor.b32 %r3, %r3, 1; mad.wide.u32 %q1, %r3, 128, %buffer; "
                 "mad.wide.u32 %q2, %block, 128, %buffer;\n"
                 "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 128;\n"
                 "@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r10], [%q1], 128, "
                 "[%r15];\n" WAIT SYNC "fence.proxy.async.shared::cta; @%p1 "
                 "cp.async.bulk.global.shared::cta.bulk_group [%q2], [%r10], 128;\n"
                 "cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0; cp.async.bulk.wait_group 0;\n",
        copied);
  check(
      "cp.async.bulk to all blocks",
      BARRIER(
          "1") "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 128;\n"
               "setp.eq.and.u32 %p3, %r20, 0, %p1; mov.b16 %h1, 15; mad.wide.u32 %q2, %block, 128, %buffer;\n"
               "@%p3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
               "[%r10], [%q2], 128, [%r15], %h1;\n" WAIT
               "mad.lo.u32 %r11, %thread, 4, %r10; ld.shared.b32 %r1, [%r11];\n" SYNC
               "st.global.b32 [%mine], %r1;\n",
      of_first);
  check("cp.async.bulk between blocks",
        OWN_WORD BARRIER(
            "1") "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r15], 128; add.u32 %r12, %r10, 256;\n"
                 "mapa.shared::cluster.u32 %r13, %r12, %r21; mapa.shared::cluster.u32 %r16, %r15, %r21;\n"
                 "@%p1 cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r13], "
                 "[%r10], 128, [%r16];\n" WAIT
                 "ld.shared.b32 %r1, [%r11+256]; st.global.b32 [%mine], %r1;\n" SYNC,
        from_previous);
}

void test_cluster(void) {
  uint32_t buffer[WORDS] = {0};
  check_addresses();
  check_async();
  check_bulk();
  check(
      "elect.sync",
      "setp.lt.u32 %p1, %thread, 8; mov.b32 %r1, 0xffffff00; @%p1 mov.b32 %r1, 0x000000f8; mov.b32 %r2, 0;\n"
      "setp.ge.u32 %p3, %thread, 3; mov.b32 %r3, 3; setp.eq.u32 %p2, 0, 1;\n"
      "@%p1 bra low; elect.sync %r3|%p2, 0xffffff00; bra.uni done;\n"
      "low: @!%p3 bra done; elect.sync %r3|%p2, 0x000000f8;\n"
      "done: selp.b32 %r2, 256, 0, %p2; or.b32 %r0, %r3, %r2; st.global.b32 [%mine], %r0;",
      elected);
  check("hints",
        OWN_WORD
        "griddepcontrol.wait; griddepcontrol.launch_dependents; nanosleep.u32 100; fence.proxy.alias;\n"
        "fence.proxy.async; fence.proxy.async.global;\n" SYNC
        "mapa.shared::cluster.u32 %r12, %r11, %r21; ld.shared::cluster.b32 %r1, [%r12]; st.global.b32 "
        "[%mine], %r1;\n" SYNC,
        from_next);
  char *report = run("mov.b32 %r1, 4; mapa.shared::cluster.u32 %r12, %r10, %r1;", buffer);
  probe_check(report && strstr(report, "mapa"), "mapa outside the cluster must be reported, was: %s",
              report ? report : "nothing");
  free(report);
}
