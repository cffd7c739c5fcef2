#include "workload.h"

#include "arrays.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATES .T = 30, .F = 37, .H = 32, .keys = 10, .S = 64, .Y = 10, .V = 11, .ids = true

#define ENCODER .keys = 1, .encodes_only = true
#define FORWARD ENCODER, .forward = true

static const struct workload all[] = {
    {.name = "W1", .B = 5, .T = 30, .F = 37, .H = 16, .keys = 1},
    {.name = "W2 B1", .B = 1, DATES},
    {.name = "W2 B32", .B = 32, DATES},
    {.name = "W2 B1024", .B = 1024, DATES},
    {.name = "W3", .B = 32, .T = 100, .F = 128, .H = 128, ENCODER},
    {.name = "W4", .B = 64, .T = 128, .F = 512, .H = 512, ENCODER},
    {.name = "W8", .B = 64, .T = 200, .F = 256, .H = 256, ENCODER, .ragged = true},
    {.name = "W6 encoder B1", .B = 1, .T = 25, .F = 500, .H = 250, ENCODER, .layers = 2},
    {.name = "W6 encoder B32", .B = 32, .T = 25, .F = 500, .H = 250, ENCODER, .layers = 2},
    {.name = "W7 encoder B1", .B = 1, .T = 40, .F = 128, .H = 256, ENCODER, .layers = 2},
    {.name = "W7 encoder B32", .B = 32, .T = 40, .F = 128, .H = 256, ENCODER, .layers = 2},
    {.name = "W9 encoder B1", .B = 1, .T = 10, .F = 50, .H = 100, ENCODER},
    {.name = "W9 encoder B128", .B = 128, .T = 10, .F = 50, .H = 100, ENCODER},
    /* docs/gpu-kit.md says who published what of these; T, where they do not say it, is 100. */
    {.name = "forward H40", .B = 6, .T = 100, .F = 40, .H = 40, FORWARD},
    {.name = "forward H72", .B = 6, .T = 100, .F = 72, .H = 72, FORWARD},
    {.name = "forward H128", .B = 16, .T = 100, .F = 128, .H = 128, FORWARD},
    {.name = "forward H768", .B = 16, .T = 1024, .F = 768, .H = 768, FORWARD},
    {.name = "two layers", .B = 32, .T = 60, .F = 293, .H = 128, ENCODER, .layers = 2},
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

int32_t workload_layers(const struct workload *workload) {
  return workload->layers > 0 ? workload->layers : 1;
}

int32_t workload_directions(const struct workload *workload) {
  return workload->forward ? 1 : 2;
}

int32_t workload_annotations(const struct workload *workload) {
  return workload_directions(workload) * workload->H;
}

bool workload_has_lengths(const struct workload *workload) {
  return workload->mixed_lengths || workload->ragged;
}

void workload_tensor(char name[MOST_TENSOR_NAME], int32_t layer, int32_t direction, const char *part) {
  snprintf(name, MOST_TENSOR_NAME, "encoder.layers.%d.%s.%s", (int)layer,
           direction == 0 ? "forward" : "backward", part);
}

const float *model_tensor(const cuseq_model *model, const char *name) {
  cuseq_tensor tensor;
  for (size_t i = 0; cuseq_model_tensor(model, i, &tensor) == CUSEQ_STATUS_OK; i++)
    if (strcmp(tensor.name, name) == 0)
      return tensor.data;
  return NULL;
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

enum { MOST_TENSORS = 24 };

struct tensors {
  cuseq_tensor list[MOST_TENSORS];
  char names[MOST_TENSORS][MOST_TENSOR_NAME];
  size_t count;
  struct chance *chance;
  bool failed;
};

/* [rows, columns] of about 1/sqrt(rows), or with rows 0 a bias. */
static void add(struct tensors *tensors, const char *name, int32_t rows, int32_t columns) {
  cuseq_tensor *tensor = &tensors->list[tensors->count];
  char *kept = tensors->names[tensors->count++];
  snprintf(kept, MOST_TENSOR_NAME, "%s", name);
  *tensor = (cuseq_tensor){.name = kept, .dtype = CUSEQ_DTYPE_F32, .rank = rows > 0 ? 2 : 1};
  tensor->shape[0] = rows > 0 ? rows : columns;
  tensor->shape[1] = rows > 0 ? columns : 0;
  tensor->data = chance_array(tensors->chance, (size_t)(rows > 0 ? rows : 1) * (size_t)columns,
                              rows > 0 ? 1.0f / sqrtf((float)rows) : 0.1f);
  tensors->failed |= tensor->data == NULL;
}

static void add_encoder(struct tensors *tensors, const struct workload *w) {
  const int32_t H = w->H, A = workload_annotations(w);
  char name[MOST_TENSOR_NAME];
  for (int32_t l = 0; l < workload_layers(w); l++)
    for (int32_t d = 0; d < workload_directions(w); d++) {
      workload_tensor(name, l, d, "kernel");
      add(tensors, name, l > 0 ? A : w->F, 4 * H);
      workload_tensor(name, l, d, "recurrent_kernel");
      add(tensors, name, H, 4 * H);
      workload_tensor(name, l, d, "bias");
      add(tensors, name, 0, 4 * H);
    }
}

static void add_all(struct tensors *tensors, const struct workload *w) {
  const int32_t A = workload_annotations(w), S = w->S > 0 ? w->S : A;
  add_encoder(tensors, w);
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
           "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d,\"layers\":%d,\"direction\":\"%s\"},"
           "\"attention\":{\"score\":\"concat\",\"layers\":[%s]}%s}",
           (int)w->F, (int)w->H, (int)workload_layers(w), w->forward ? "forward" : "bidirectional", layers,
           decoder);
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

/* The lengths of the CPU's benchmark of the same workload. */
static void make_ragged(int32_t *lengths, const struct workload *w) {
  enum { SHORTEST = 5 };
  uint32_t state = 1;
  for (int32_t b = 0; b < w->B; b++) {
    state = state * 1664525u + 1013904223u;
    const double share = (double)(state >> 8) * 0x1p-24;
    lengths[b] = (int32_t)lround(SHORTEST * pow((double)w->T / SHORTEST, share));
  }
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
  if (workload_has_lengths(w))
    instance->lengths = array_take((size_t)w->B * sizeof *instance->lengths);
  for (int32_t b = 0; instance->lengths && b < w->B && !w->ragged; b++)
    instance->lengths[b] = b == 0 ? w->T : 1 + (int32_t)(chance_bits(chance) % (uint32_t)w->T);
  if (instance->lengths && w->ragged)
    make_ragged(instance->lengths, w);
  return (instance->x || instance->ids) && (instance->lengths || !workload_has_lengths(w));
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
