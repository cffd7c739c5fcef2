#include "workload.h"

#include "arrays.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATES .T = 30, .F = 37, .H = 32, .keys = 10, .S = 64, .Y = 10, .V = 11, .ids = true

static const struct workload all[] = {
    {.name = "W1", .B = 5, .T = 30, .F = 37, .H = 16, .keys = 1},
    {.name = "W2 B1", .B = 1, DATES},
    {.name = "W2 B32", .B = 32, DATES},
    {.name = "W2 B1024", .B = 1024, DATES},
    {.name = "W3", .B = 32, .T = 100, .F = 128, .H = 128, .keys = 1, .encodes_only = true},
    {.name = "W4", .B = 64, .T = 128, .F = 512, .H = 512, .keys = 1, .encodes_only = true},
};

const struct workload *workloads(int *count) {
  *count = sizeof all / sizeof *all;
  return all;
}

const struct workload *workload_find(const char *name) {
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(all[i].name, name) == 0)
      return &all[i];
  return NULL;
}

int32_t workload_steps(const struct workload *workload) {
  return workload->Y > 0 ? workload->Y : 1;
}

/* The same numbers everywhere: xorshift64*. */
struct chance {
  uint64_t state;
};

static uint32_t chance_bits(struct chance *chance) {
  chance->state ^= chance->state >> 12;
  chance->state ^= chance->state << 25;
  chance->state ^= chance->state >> 27;
  return (uint32_t)(chance->state * 0x2545f4914f6cdd1du >> 32);
}

static float *chance_array(struct chance *chance, size_t count, float reach) {
  float *data = array_take(count * sizeof *data);
  for (size_t i = 0; data && i < count; i++)
    data[i] = reach * ((float)(chance_bits(chance) >> 8) * 0x1p-23f - 1.0f);
  return data;
}

static void *(*take)(size_t) = malloc;
static void (*release)(void *) = free;

void workload_arrays(void *(*taking)(size_t bytes), void (*releasing)(void *memory)) {
  take = taking;
  release = releasing;
}

void *array_take(size_t bytes) {
  return take(bytes);
}

void array_release(void *array) {
  if (array)
    release(array);
}

struct tensors {
  cuseq_tensor list[16];
  size_t count;
  struct chance *chance;
  bool failed;
};

/* [rows, columns] of about 1/sqrt(rows), or with rows 0 a bias. */
static void add(struct tensors *tensors, const char *name, int32_t rows, int32_t columns) {
  cuseq_tensor *tensor = &tensors->list[tensors->count++];
  *tensor = (cuseq_tensor){.name = name, .dtype = CUSEQ_DTYPE_F32, .rank = rows > 0 ? 2 : 1};
  tensor->shape[0] = rows > 0 ? rows : columns;
  tensor->shape[1] = rows > 0 ? columns : 0;
  tensor->data = chance_array(tensors->chance, (size_t)(rows > 0 ? rows : 1) * (size_t)columns,
                              rows > 0 ? 1.0f / sqrtf((float)rows) : 0.1f);
  tensors->failed |= tensor->data == NULL;
}

static void add_all(struct tensors *tensors, const struct workload *w) {
  const int32_t H = w->H, A = 2 * H, S = w->S > 0 ? w->S : A;
  add(tensors, "encoder.layers.0.forward.kernel", w->F, 4 * H);
  add(tensors, "encoder.layers.0.forward.recurrent_kernel", H, 4 * H);
  add(tensors, "encoder.layers.0.forward.bias", 0, 4 * H);
  add(tensors, "encoder.layers.0.backward.kernel", w->F, 4 * H);
  add(tensors, "encoder.layers.0.backward.recurrent_kernel", H, 4 * H);
  add(tensors, "encoder.layers.0.backward.bias", 0, 4 * H);
  add(tensors, "attention.layers.0.kernel", A + S, w->keys);
  add(tensors, "attention.layers.0.bias", 0, w->keys);
  if (w->keys > 1) {
    add(tensors, "attention.layers.1.kernel", w->keys, 1);
    add(tensors, "attention.layers.1.bias", 0, 1);
  }
  if (w->S > 0) {
    add(tensors, "decoder.kernel", A, 4 * S);
    add(tensors, "decoder.recurrent_kernel", S, 4 * S);
    add(tensors, "decoder.bias", 0, 4 * S);
    add(tensors, "output.kernel", S, w->V);
    add(tensors, "output.bias", 0, w->V);
  }
}

static bool make_model(struct instance *instance, struct chance *chance) {
  const struct workload *w = &instance->workload;
  char json[1024], layers[128], decoder[160] = "";
  if (w->keys > 1)
    snprintf(layers, sizeof layers,
             "{\"units\":%d,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}", (int)w->keys);
  else
    snprintf(layers, sizeof layers, "{\"units\":1,\"activation\":\"tanh\"}");
  if (w->S > 0)
    snprintf(decoder, sizeof decoder,
             ",\"decoder\":{\"units\":%d,\"steps\":%d,\"initial_state\":\"zeros\"},\"output\":{\"units\":%d}",
             (int)w->S, (int)w->Y, (int)w->V);
  snprintf(json, sizeof json,
           "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d},"
           "\"attention\":{\"score\":\"concat\",\"layers\":[%s]}%s}",
           (int)w->F, (int)w->H, layers, decoder);
  struct tensors tensors = {.chance = chance};
  add_all(&tensors, w);
  cuseq_status status = CUSEQ_STATUS_OUT_OF_MEMORY;
  if (!tensors.failed)
    status = cuseq_model_create(json, tensors.list, tensors.count, &instance->model);
  for (size_t i = 0; i < tensors.count; i++)
    array_release((void *)tensors.list[i].data);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "bench: %s: %s\n", w->name, tensors.failed ? "out of memory" : cuseq_last_error());
  return status == CUSEQ_STATUS_OK;
}

static bool make_input(struct instance *instance, struct chance *chance) {
  const struct workload *w = &instance->workload;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  if (w->ids)
    instance->ids = array_take(positions * sizeof *instance->ids);
  else
    instance->x = chance_array(chance, positions * (size_t)w->F, 1.0f);
  for (size_t i = 0; instance->ids && i < positions; i++)
    instance->ids[i] = (int32_t)(chance_bits(chance) % (uint32_t)w->F);
  if (w->mixed_lengths)
    instance->lengths = array_take((size_t)w->B * sizeof *instance->lengths);
  for (int32_t b = 0; instance->lengths && b < w->B; b++)
    instance->lengths[b] = b == 0 ? w->T : 1 + (int32_t)(chance_bits(chance) % (uint32_t)w->T);
  return (instance->x || instance->ids) && (instance->lengths || !w->mixed_lengths);
}

bool instance_make(struct instance *instance, const struct workload *workload) {
  struct chance chance = {88172645463325252u};
  *instance = (struct instance){.workload = *workload};
  if (!make_model(instance, &chance))
    return false;
  if (make_input(instance, &chance))
    return true;
  fprintf(stderr, "bench: %s: out of memory\n", workload->name);
  instance_free(instance);
  return false;
}

void instance_free(struct instance *instance) {
  cuseq_model_destroy(instance->model);
  array_release(instance->x);
  array_release(instance->ids);
  array_release(instance->lengths);
  for (int i = 0; i < VERIFIED_ROWS; i++)
    answers_free(&instance->reference[i]);
  *instance = (struct instance){0};
}

cuseq_input instance_input(const struct instance *instance) {
  const struct workload *w = &instance->workload;
  return (cuseq_input){.size = sizeof(cuseq_input),
                       .data = w->ids ? (const void *)instance->ids : (const void *)instance->x,
                       .dtype = w->ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                       .batch = w->B,
                       .time = w->T,
                       .lengths = instance->lengths};
}
