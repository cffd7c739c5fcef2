/* Times of calls, and what many of them come to. */
#ifndef BENCH_CPU_TIMING_H
#define BENCH_CPU_TIMING_H

#include "workload.h"

/* Seconds of one call: the best of calls for about `seconds`, at least two. Ends the program with status 3
 * where a call fails. */
double time_call(const struct instance *instance, cuseq_session *session, double seconds);

/* Smallest, median and largest; NaN without any. */
struct spread {
  double low, median, high;
};

/* Sorts the values. */
struct spread spread_of(double *values, int count);

/* The text that the library describes its device "cpu" with: "AVX-512, 2 cores". Also picks the peak's
 * kernel by it. */
const char *timing_processor(void);

#endif
