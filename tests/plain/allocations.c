/* After a session is opened no call allocates: every allocating function is wrapped by the linker and
 * counted. */
#include "support/random_case.h"
#include "support/results.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static atomic_int counted;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
  counted++;
  return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  counted++;
  return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
  counted++;
  return __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  counted++;
  return __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
  counted++;
  return __real_posix_memalign(memory, alignment, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  counted++;
  return __real_mmap(address, size, protection, flags, file, offset);
}

char *__wrap_strdup(const char *text) {
  counted++;
  return __real_strdup(text);
}

/* Encodes, attends, decodes and runs, at the session's limits and below; returns the allocations. */
static int calls_count(cuseq_session *session, const struct random_case *made, struct results *results) {
  cuseq_input input = random_case_input(made);
  int before = counted, failed = 0;
  for (int round = 0; round < 3; round++) {
    failed += cuseq_run(session, &input, &results->encoding, &results->decoding) != CUSEQ_STATUS_OK;
    failed += cuseq_encode(session, &input, NULL) != CUSEQ_STATUS_OK;
    failed += cuseq_attend(session, NULL, NULL, results->decoding.alphas) != CUSEQ_STATUS_OK;
    failed += cuseq_decode(session, &results->decoding) != CUSEQ_STATUS_OK;
    input.batch = made->B / 2 > 0 ? made->B / 2 : 1;
  }
  if (failed)
    fprintf(stderr, "a call failed: %s\n", cuseq_last_error());
  return counted - before + failed;
}

int main(void) {
  struct random random = {123};
  int total = 0;
  static const char *const devices[] = {"reference", "cpu"};
  for (int i = 0; i < 60; i++) {
    struct random_case made;
    random_case_make(&made, &random, 50);
    for (int d = 0; d < 2; d++) {
      struct results results;
      cuseq_session_options options;
      cuseq_session *session;
      cuseq_session_options_init(&options, made.model);
      options.device = devices[d];
      options.max_batch = made.B;
      options.max_time = made.T;
      options.max_steps = made.Y;
      options.threads = i % 4;
      results_make(&results, made.model, made.B, made.T, made.Y);
      if (counted == 0 || cuseq_session_open(made.model, &options, &session) != CUSEQ_STATUS_OK) {
        fprintf(stderr, "no session, or nothing is counted: %s\n", cuseq_last_error());
        return 1;
      }
      int found = calls_count(session, &made, &results);
      if (found)
        fprintf(stderr, "%d allocations on %s: %s\n", found, devices[d], made.json);
      total += found;
      cuseq_session_close(session);
      results_free(&results);
    }
    random_case_free(&made);
  }
  printf("%d allocations after opening\n", total);
  return total ? 1 : 0;
}
