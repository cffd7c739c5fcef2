/* Random numbers and tensors, the same everywhere. */
#ifndef BENCH_CPU_RANDOM_H
#define BENCH_CPU_RANDOM_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

/* xorshift64*, one state for the process. */
void random_seed(uint64_t seed); /* anything but 0 */
uint32_t random_bits(void);
float random_between(float low, float high);

/* `count` numbers between -reach and reach. Ends the process where there is no memory, as `checked` does. */
float *random_array(size_t count, float reach);
void *checked(void *memory);

enum { MOST_TENSORS = 48, MOST_TENSOR_NAME = 64 };

/* A model's tensors, while it is made. */
struct tensors {
  cuseq_tensor list[MOST_TENSORS];
  char names[MOST_TENSORS][MOST_TENSOR_NAME];
  size_t count;
};

/* One more, of numbers between -reach and reach; rows 0: a vector. */
void tensors_add(struct tensors *tensors, const char *name, int64_t rows, int64_t columns, float reach);

/* A matrix whose products with numbers near 1 are near 1, and a bias near 0. */
void tensors_add_kernel(struct tensors *tensors, const char *name, int64_t rows, int64_t columns);
void tensors_add_bias(struct tensors *tensors, const char *name, int64_t columns);

/* The model of a configuration and these tensors, which are freed; NULL with a message on stderr. */
cuseq_model *tensors_model(struct tensors *tensors, const char *json);

#endif
