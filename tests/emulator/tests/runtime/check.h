#ifndef EMULATOR_TESTS_CHECK_H
#define EMULATOR_TESTS_CHECK_H

#include <cuda_runtime.h>

#include <stdio.h>

/* Assertions of the test programs: a failure says where and what, and the program's exit status counts. */

static int failures;

#define CHECK(condition)                                                                                     \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      failures++;                                                                                            \
      fprintf(stdout, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                \
    }                                                                                                        \
  } while (0)

#define CHECK_EQUAL(found, wanted)                                                                           \
  do {                                                                                                       \
    long long found_ = (long long)(found), wanted_ = (long long)(wanted);                                    \
    if (found_ != wanted_) {                                                                                 \
      failures++;                                                                                            \
      fprintf(stdout, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #found, found_, wanted_);         \
    }                                                                                                        \
  } while (0)

/* A call that must answer this code. */
#define CODE(call, wanted)                                                                                   \
  do {                                                                                                       \
    cudaError_t code_ = (call);                                                                              \
    if (code_ != (wanted)) {                                                                                 \
      failures++;                                                                                            \
      fprintf(stdout, "%s:%d: %s answers %s, not %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(code_),  \
              cudaGetErrorName(wanted));                                                                     \
    }                                                                                                        \
  } while (0)

#define OK(call) CODE(call, cudaSuccess)

static inline int finish(void) {
  if (!failures)
    puts("all as it should be");
  return failures != 0;
}

#endif
