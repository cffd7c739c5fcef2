#include "support/random_model.h"

#include "model/config.h"
#include "model/model.h"
#include "model/structure_version1.h"
#include "model/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t random_bits(struct random *random) {
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (uint32_t)(random->state * 0x2545f4914f6cdd1dull >> 32);
}

int32_t random_below(struct random *random, int32_t bound) {
  return (int32_t)((uint64_t)random_bits(random) * (uint32_t)bound >> 32);
}

float random_between(struct random *random, float low, float high) {
  return low + (high - low) * ((float)(random_bits(random) >> 8) * 0x1p-24f);
}

static void *checked(void *memory) {
  if (!memory)
    abort();
  return memory;
}

/* The structure that a configuration makes, in a model without weights. */
static void structure_make(const char *json, const struct random_widths *widths, cuseq_model *model) {
  if (config_parse(json, strlen(json), model) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "random_model: %s: %s\n", cuseq_last_error(), json);
    abort();
  }
  if (model->version != 1)
    return;
  cuseq_config *config = &model->config;
  config->state_units = config->state_units ? config->state_units : widths->state_units;
  config->additive_units = widths->additive_units;
  config->embedding_units = widths->embedding_units;
  structure_of_version1(config, widths->additive_bias, &model->structure);
}

/* Whether gates stay between 0 and 1. */
static bool is_gate(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_SIGMOID || activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
         activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
}

static bool cell_saturates(const struct cell *cell) {
  return cell->activation == CUSEQ_ACTIVATION_TANH && is_gate(cell->recurrent_activation);
}

/* Whether no cell lets its state grow: cells that do not saturate multiply a rounding error from step to step unless
 * their weights are small. */
static bool saturates(const struct structure *structure) {
  bool all = true;
  for (int32_t l = 0; l < structure->encoder.count; l++)
    for (int d = 0; d < 2; d++)
      all = all && (!encoder_layer_has(&structure->encoder.layers[l], d) ||
                    cell_saturates(&structure->encoder.layers[l].cells[d]));
  for (int32_t l = 0; l < structure->decoder.count; l++)
    all = all && cell_saturates(&structure->decoder.layers[l].cell);
  return all;
}

/* What weights reach to, uniformly. */
typedef float reach_of(const struct structure *structure, const struct tensor_entry *entry);

static float plain_reach(const struct structure *structure, const struct tensor_entry *entry) {
  return entry->rank == 1 ? 0.5f : (saturates(structure) ? 1.7f : 0.8f) / sqrtf((float)entry->shape[0]);
}

static bool is_saturating_cell(const struct structure *structure, const struct tensor_entry *entry) {
  return strncmp(entry->name, "decoder.", 8) == 0 ? cell_saturates(&structure->decoder.layers[0].cell)
                                                  : cell_saturates(&structure->encoder.layers[0].cells[0]);
}

/* sqrt(3) times the standard deviation. Of structures of version 1. */
static float trained_reach(const struct structure *structure, const struct tensor_entry *entry) {
  const float root3 = 1.7320508f, root = sqrtf((float)entry->shape[0]);
  const int32_t layers = structure->attention.layers.count;
  char last[64];
  snprintf(last, sizeof last, "attention.layers.%d.kernel", (int)layers - 1);
  if (strcmp(entry->name, "attention.value") == 0 || (layers > 1 && strcmp(entry->name, last) == 0))
    return 2.0f * root3;
  if (entry->rank == 1)
    return 0.3f * root3;
  if (strncmp(entry->name, "attention.", 10) == 0)
    return 4.0f * root3 / root;
  if (strcmp(entry->name, "output.kernel") == 0)
    return 6.0f * root3 / root;
  if (strcmp(entry->name, "decoder.embedding") == 0)
    return 0.5f * root3;
  return (is_saturating_cell(structure, entry) ? 3.25f : 1.0f) * root3 / root;
}

static cuseq_model *model_of(const char *json, const struct random_widths *widths, struct random *random,
                             reach_of *reach) {
  static const struct random_widths none;
  cuseq_model *plan = checked(calloc(1, sizeof *plan));
  struct tensor_list list;
  structure_make(json, widths ? widths : &none, plan);
  if (tensor_list_make(&plan->structure, plan->version, &list) != CUSEQ_STATUS_OK)
    abort();
  cuseq_tensor *tensors = checked(calloc(list.count, sizeof *tensors));
  for (size_t i = 0; i < list.count; i++) {
    const struct tensor_entry *entry = &list.entries[i];
    size_t size = (size_t)entry->shape[0] * (size_t)(entry->rank == 2 ? entry->shape[1] : 1);
    float *data = checked(malloc(size * sizeof *data)), most = reach(&plan->structure, entry);
    for (size_t j = 0; j < size; j++)
      data[j] = random_between(random, -most, most);
    tensors[i] =
        (cuseq_tensor){.name = entry->name, .dtype = CUSEQ_DTYPE_F32, .rank = entry->rank, .data = data};
    memcpy(tensors[i].shape, entry->shape, sizeof entry->shape);
  }
  cuseq_model *model;
  if (cuseq_model_create(json, tensors, list.count, &model) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "random_model: %s: %s\n", cuseq_last_error(), json);
    abort();
  }
  for (size_t i = 0; i < list.count; i++)
    free((void *)tensors[i].data);
  free(tensors);
  tensor_list_free(&list);
  atomic_init(&plan->references, 1);
  model_release(plan);
  return model;
}

cuseq_model *random_model(const char *json, const struct random_widths *widths, struct random *random) {
  return model_of(json, widths, random, plain_reach);
}

cuseq_model *trained_like_model(const char *json, const struct random_widths *widths, struct random *random) {
  return model_of(json, widths, random, trained_reach);
}
