/* Bounds on what a test may allocate. */
#ifndef TESTS_SUPPORT_MEMORY_H
#define TESTS_SUPPORT_MEMORY_H

#include <stddef.h>

/* Lets this process allocate `bytes` more than it has now, touched or not; what is beyond that fails. Returns
 * 0 where it cannot: under sanitizers, which reserve address space of their own. */
int memory_limit(size_t bytes);

#endif
