/* Runs one line of PTX on many operands and compares each result with the oracle's.
 *
 * The line names its operands by width and role: sources %ha %hb %hc (16 bits), %ra.. (32), %qa.. (64), %pa..
 * (predicates: the operand's lowest bit), results %hd, %rd, %qd, %pd and the second one %pe. Every width of a
 * source holds the low bits of the same 64-bit operand. A result narrower than 64 bits is zero-extended;
 * predicates are pd | pe << 1. */
#ifndef EMU_TEST_PROBE_H
#define EMU_TEST_PROBE_H

#include "oracle.h"

#include <stddef.h>

/* What an operand's values are drawn from. */
enum probe_operand {
  PROBE_NONE,
  PROBE_F16,
  PROBE_BF16,
  PROBE_F32,
  PROBE_F64,
  PROBE_F16X2,
  PROBE_BF16X2,
  PROBE_I8,
  PROBE_I16,
  PROBE_I32,
  PROBE_I64,
  PROBE_BIT,
};

/* How a result is compared. Floats: any NaN is as good as another. */
enum probe_result {
  PROBE_BITS,
  PROBE_RESULT_F16,
  PROBE_RESULT_BF16,
  PROBE_RESULT_F32,
  PROBE_RESULT_F64,
  PROBE_RESULT_F16X2,
  PROBE_RESULT_BF16X2,
};

/* The expected result of operands x[0..2]; `detail` is the case's own. */
typedef uint64_t probe_oracle(const uint64_t x[3], const void *detail);

struct probe {
  const char *line;
  enum probe_operand operands[3];
  enum probe_result result;
  probe_oracle *expected;
  const void *detail;
  /* If set, replaces the comparison: whether got is right. */
  bool (*accepts)(const uint64_t x[3], uint64_t got, const void *detail);
};

/* Runs a case; prints the first wrong results and counts the failure. */
void probe_run(const struct probe *probe);
/* The same for a line built by printf. */
void probe_format(struct probe probe, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Checks a plain condition; counts a failure and prints the text if it does not hold. */
void probe_check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Loads `ptx`, launches kernel "probe" with these blocks and threads over one buffer of `words` 32-bit words,
 * its parameter, and copies the buffer back. Returns NULL when all went well, else the error or report, to be
 * freed. */
char *probe_launch(const char *ptx, unsigned blocks, unsigned threads, unsigned cluster, uint32_t *buffer,
                   size_t words);
/* Kernel text around a body: declares the buffer's address %buffer, %mine (its word of the thread), %thread,
 * %block, %threads, and some registers of each width. */
char *probe_kernel(const char *body, unsigned shared_bytes);

/* Whether an instruction line is refused when it is launched. */
bool probe_is_refused(const char *line);

int probe_failures(void);
int probe_cases(void);

#endif
