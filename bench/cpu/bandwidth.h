/* How fast one thread reads memory of some size again and again, and where memory of that size lies. */
#ifndef BENCH_CPU_BANDWIDTH_H
#define BENCH_CPU_BANDWIDTH_H

#include <stddef.h>

/* Bytes per second: the best of several passes over `bytes` (at least 1 KB), with vectors as wide as the
 * peak's. Ends the program with status 3 where memory runs out. */
double bandwidth_measure(size_t bytes);

/* "first-level cache", "second-level cache", "third-level cache" or "memory", by the sizes that the system
 * tells; "memory or caches" where it tells none. */
const char *bandwidth_level(size_t bytes);

#endif
