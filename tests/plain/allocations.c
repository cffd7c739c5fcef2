/* After a session is opened no call allocates: every allocating function is wrapped by the linker and
 * counted. */
#include "support/beam_case.h"
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

/* Searches, of all rows and of fewer: from the first on where there is room for beams from the beginning,
 * and with alphas from the second on. */
static int searches_count(const char *device) {
  int found = 0, failed = 0;
  setenv("BEAM_DEVICE", device, 1);
  for (int32_t structure = 0; structure < BEAM_STRUCTURES; structure++) {
    cuseq_model *model = beam_case_model(structure, 1);
    cuseq_session *session = beam_case_session(model, WIDEST_BEAM, TIME);
    static struct beam_found results;
    beam_found_make(&results, model, 5, 3);
    float *alphas = results.beam.alphas;
    beam_case_encode(session, 0, ROWS);
    for (int round = 0; round < 4; round++) {
      int before = counted;
      results.beam.alphas = round > 0 ? alphas : NULL;
      failed += cuseq_beam_search(session, &results.beam) != CUSEQ_STATUS_OK;
      found += round == 1 ? 0 : counted - before;
      beam_case_encode(session, 1, ROWS - 1);
    }
    cuseq_session_close(session);
    cuseq_model_destroy(model);
  }
  if (failed || found)
    fprintf(stderr, "%d allocations by searches on %s, %d failed: %s\n", found, device, failed,
            cuseq_last_error());
  return found + failed;
}

int main(void) {
  struct random random = {123};
  int total = searches_count("reference") + searches_count("cpu");
  static const char *const devices[] = {"reference", "cpu"};
  for (int i = 0; i < 60; i++) {
    struct random_case made;
    random_case_make(&made, &random, 50);
    for (int d = 0; d < 2; d++) {
      struct results results;
      cuseq_session_options options;
      cuseq_session *session;
      cuseq_session_options_init(&options, sizeof options, made.model);
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
