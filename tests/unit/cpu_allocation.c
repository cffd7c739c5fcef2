/* Nothing is allocated after a session is opened: this program counts its allocations. */
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define COUNTS 1
static atomic_long allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_memalign(alignment, size);
}
#else
#define COUNTS 0
static atomic_long allocations;
#endif

static void *hide(void *memory) { /* keeps the compiler from leaving an allocation out */
  __asm__ volatile("" : "+r"(memory));
  return memory;
}

Test(cpu_allocation, the_counter_counts) {
  if (!COUNTS)
    cr_skip("skipped: a sanitizer owns the allocator");
  long before = atomic_load(&allocations);
  free(hide(malloc(100)));
  free(hide(calloc(10, 10)));
  cr_expect_eq(atomic_load(&allocations), before + 2);
}

static void call_all(cuseq_session *session, const struct random_case *made, const struct results *results) {
  cuseq_input input = random_case_input(made);
  int failed = cuseq_run(session, &input, &results->encoding, &results->decoding) != CUSEQ_STATUS_OK;
  failed += cuseq_encode(session, &input, &results->encoding) != CUSEQ_STATUS_OK;
  failed += cuseq_decode(session, &results->decoding) != CUSEQ_STATUS_OK;
  failed += cuseq_attend(session, NULL, NULL, NULL) != CUSEQ_STATUS_OK;
  cr_assert_eq(failed, 0, "%s: %s", cuseq_last_error(), made->json);
}

Test(cpu_allocation, no_call_after_open_allocates) {
  if (!COUNTS)
    cr_skip("skipped: a sanitizer owns the allocator");
  struct random random = {41};
  for (int i = 0; i < 100; i++) {
    struct random_case made;
    struct results results;
    random_case_make(&made, &random, 20);
    results_make(&results, made.model, made.B, made.T, made.Y);
    cuseq_session_options options;
    cuseq_session_options_init(&options, sizeof options, made.model);
    options.device = "cpu";
    options.precision = results_precision("cpu");
    options.max_batch = made.B;
    options.max_time = made.T;
    options.max_steps = made.Y;
    options.threads = i % 4;
    cuseq_session *session;
    cr_assert_eq(cuseq_session_open(made.model, &options, &session), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    long before = atomic_load(&allocations);
    call_all(session, &made, &results);
    long after = atomic_load(&allocations);
    cr_expect_eq(after, before, "%ld allocations: %s", after - before, made.json);
    cuseq_session_close(session);
    results_free(&results);
    random_case_free(&made);
  }
}
