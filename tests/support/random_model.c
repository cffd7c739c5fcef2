#include "support/random_model.h"

#include "model/config.h"
#include "model/tensor_list.h"

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

cuseq_model *random_model(const char *json, const struct random_widths *widths, struct random *random) {
  cuseq_config config;
  struct vocabulary vocabulary;
  char *canonical;
  struct model_weights weights;
  if (config_parse(json, strlen(json), &config, &vocabulary, &canonical) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "random_model: %s: %s\n", cuseq_last_error(), json);
    abort();
  }
  config.state_units = config.state_units ? config.state_units : widths->state_units;
  config.additive_units = widths->additive_units;
  config.embedding_units = widths->embedding_units;
  /* cells that do not saturate multiply a rounding error from step to step unless their weights are small */
  bool saturates = config.activation == CUSEQ_ACTIVATION_TANH &&
                   (!config.has_decoder || config.decoder_activation == CUSEQ_ACTIVATION_TANH);
  float gain = saturates ? 1.7f : 0.8f;
  struct tensor_list *list = checked(malloc(sizeof *list));
  tensor_list_make(&config, widths->additive_bias, &weights, list);
  cuseq_tensor *tensors = checked(calloc(list->count, sizeof *tensors));
  for (size_t i = 0; i < list->count; i++) {
    const struct tensor_entry *entry = &list->entries[i];
    size_t size = (size_t)entry->shape[0] * (size_t)(entry->rank == 2 ? entry->shape[1] : 1);
    float *data = checked(malloc(size * sizeof *data)), reach = gain / sqrtf((float)entry->shape[0]);
    for (size_t j = 0; j < size; j++)
      data[j] =
          entry->rank == 1 ? random_between(random, -0.5f, 0.5f) : random_between(random, -reach, reach);
    tensors[i] =
        (cuseq_tensor){.name = entry->name, .dtype = CUSEQ_DTYPE_F32, .rank = entry->rank, .data = data};
    memcpy(tensors[i].shape, entry->shape, sizeof entry->shape);
  }
  cuseq_model *model;
  if (cuseq_model_create(json, tensors, list->count, &model) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "random_model: %s: %s\n", cuseq_last_error(), json);
    abort();
  }
  for (size_t i = 0; i < list->count; i++)
    free((void *)tensors[i].data);
  free(tensors);
  free(list);
  free(canonical);
  vocabulary_free(&vocabulary);
  return model;
}
