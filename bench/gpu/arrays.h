/* Memory of input and answers, as workload_arrays() says. */
#ifndef BENCH_GPU_ARRAYS_H
#define BENCH_GPU_ARRAYS_H

#include <stddef.h>

void *array_take(size_t bytes);  /* NULL where there is none */
void array_release(void *array); /* NULL: nothing */

#endif
