#include "random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state = 88172645463325252u;

void random_seed(uint64_t seed) {
  random_state = seed;
}

uint32_t random_bits(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)(random_state * 0x2545f4914f6cdd1du >> 32);
}

float random_between(float low, float high) {
  return low + (high - low) * ((float)(random_bits() >> 8) * 0x1p-24f);
}

void *checked(void *memory) {
  if (!memory) {
    fprintf(stderr, "bench: out of memory\n");
    exit(3);
  }
  return memory;
}

float *random_array(size_t count, float reach) {
  float *array = checked(malloc(count * sizeof *array));
  for (size_t i = 0; i < count; i++)
    array[i] = random_between(-reach, reach);
  return array;
}

void tensors_add(struct tensors *tensors, const char *name, int64_t rows, int64_t columns, float reach) {
  cuseq_tensor *tensor = &tensors->list[tensors->count];
  char *kept = tensors->names[tensors->count++];
  snprintf(kept, MOST_TENSOR_NAME, "%s", name);
  *tensor = (cuseq_tensor){.name = kept, .dtype = CUSEQ_DTYPE_F32, .rank = rows > 0 ? 2 : 1};
  tensor->shape[0] = rows > 0 ? rows : columns;
  tensor->shape[1] = rows > 0 ? columns : 0;
  tensor->data = random_array((size_t)(rows > 0 ? rows : 1) * (size_t)columns, reach);
}

void tensors_add_kernel(struct tensors *tensors, const char *name, int64_t rows, int64_t columns) {
  tensors_add(tensors, name, rows, columns, 1.7f / sqrtf((float)rows));
}

void tensors_add_bias(struct tensors *tensors, const char *name, int64_t columns) {
  tensors_add(tensors, name, 0, columns, 0.1f);
}

cuseq_model *tensors_model(struct tensors *tensors, const char *json) {
  cuseq_model *model;
  cuseq_status status = cuseq_model_create(json, tensors->list, tensors->count, &model);
  for (size_t i = 0; i < tensors->count; i++)
    free((void *)tensors->list[i].data);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s\n", cuseq_last_error());
  return model;
}
