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

/* Seeds that differ by little give numbers that have nothing in common (splitmix64's last steps). */
static struct random seeded(uint64_t seed) {
  seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
  seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
  seed ^= seed >> 31;
  return (struct random){seed ? seed : 1};
}

struct random random_next(struct random *random) {
  random_bits(random);
  return seeded(random->state);
}

struct random random_named(const struct random *random, const char *name) {
  uint64_t seed = random->state;
  for (; *name; name++)
    seed = (seed ^ (unsigned char)*name) * 0x100000001b3u;
  return seeded(seed);
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

/* Whether no cell lets its state grow: cells that do not saturate multiply a rounding error from step to step
 * unless their weights are small. */
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

/* The cell that a tensor is of, or NULL. */
static const struct cell *cell_of(const struct structure *structure, const char *name) {
  int layer = 0;
  char direction[16] = "";
  if (sscanf(name, "encoder.layers.%d.%15[a-z_].", &layer, direction) == 2)
    if (strcmp(direction, "forward") == 0 || strcmp(direction, "backward") == 0)
      return &structure->encoder.layers[layer].cells[strcmp(direction, "backward") == 0];
  if (sscanf(name, "decoder.layers.%d.%15[a-z_].", &layer, direction) == 1 ||
      strcmp(direction, "initial_h") == 0)
    return strstr(name, "initial") ? NULL : &structure->decoder.layers[layer].cell;
  return strncmp(name, "decoder.kernel", 14) == 0 || strncmp(name, "decoder.recurrent", 17) == 0
             ? &structure->decoder.layers[0].cell
             : NULL;
}

/* The last layer of a head that a tensor is the kernel of, or NULL. */
static const struct dense *last_of_head(const struct structure *structure, const char *name) {
  for (int32_t i = 0; i < structure->output.count; i++) {
    const struct head *head = &structure->output.heads[i];
    char last[64], of_several[64];
    snprintf(last, sizeof last, "output.layers.%d.kernel", (int)head->layers.count - 1);
    snprintf(of_several, sizeof of_several, "output.heads.%d.layers.%d.kernel", (int)i,
             (int)head->layers.count - 1);
    if (strcmp(name, last) == 0 || strcmp(name, of_several) == 0 || strcmp(name, "output.kernel") == 0)
      return &head->layers.layers[head->layers.count - 1];
  }
  return NULL;
}

/* The attention that a tensor is of, or NULL; *part receives the rest of its name. */
static const struct attention_structure *attention_of(const struct structure *structure, const char *name,
                                                      const char **part) {
  int layer, end = 0;
  if (sscanf(name, "encoder.layers.%d.self_attention.%n", &layer, &end) == 1 && end > 0) {
    *part = name + end;
    return encoder_self_attention(&structure->encoder, &structure->encoder.layers[layer]);
  }
  *part = name + strlen("attention.");
  return strncmp(name, "attention.", strlen("attention.")) == 0 ? &structure->attention : NULL;
}

/* The root mean square of a kernel's weights times the root of its inputs: about 1 makes of inputs of about 1
 * sums of about 1. docs/exactness.md has those of trained models. */
static float trained_gain(const struct structure *structure, const struct tensor_entry *entry) {
  const struct cell *cell = cell_of(structure, entry->name);
  if (cell)
    return !cell_saturates(cell) ? 0.8f : cell->kind == CELL_GRU ? 1.8f : 3.0f;
  const struct dense *last = last_of_head(structure, entry->name);
  if (last)
    return last->activation == CUSEQ_ACTIVATION_EXPONENTIAL ? 1.0f : 5.0f;
  const char *part;
  const struct attention_structure *attention = attention_of(structure, entry->name, &part);
  if (attention && strncmp(part, "layers.", 7) == 0)
    return atoi(part + 7) == attention->layers.count - 1 ? 5.0f : 4.0f;
  return attention ? 2.0f : 1.5f;
}

static float trained_reach(const struct structure *structure, const struct tensor_entry *entry) {
  const float root3 = 1.7320508f; /* of uniform numbers: what they reach to, times the root mean square */
  const char *part;
  if (attention_of(structure, entry->name, &part) && strcmp(part, "value") == 0)
    return 5.0f * root3 / sqrtf((float)entry->shape[0]);
  if (entry->rank == 1)
    return 0.4f * root3;
  if (strcmp(entry->name, "input.embedding") == 0 || strcmp(entry->name, "decoder.embedding") == 0)
    return 0.9f * root3;
  return trained_gain(structure, entry) * root3 / sqrtf((float)entry->shape[0]);
}

/* Numbers up to `most`; a normalisation's factors are about 1. */
static void fill(const struct tensor_entry *entry, float most, const struct random *model, float *data) {
  const size_t size = (size_t)entry->shape[0] * (size_t)(entry->rank == 2 ? entry->shape[1] : 1);
  const bool scale = strstr(entry->name, ".norm.") && strstr(entry->name, ".scale");
  struct random own = random_named(model, entry->name);
  for (size_t j = 0; j < size; j++)
    data[j] = random_between(&own, -most, most) + (scale ? 1.0f : 0.0f);
}

static cuseq_model *model_of(const char *json, const struct random_widths *widths, struct random *random,
                             reach_of *reach, float cells) {
  static const struct random_widths none;
  const struct random own = random_next(random);
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
    most *= cell_of(&plan->structure, entry->name) && entry->rank == 2 ? cells : 1.0f;
    fill(entry, most, &own, data);
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
  return model_of(json, widths, random, plain_reach, 1.0f);
}

cuseq_model *trained_like_model(const char *json, const struct random_widths *widths, struct random *random) {
  return model_of(json, widths, random, trained_reach, 1.0f);
}

cuseq_model *calmer_model(const char *json, const struct random_widths *widths, struct random *random,
                          float cells) {
  return model_of(json, widths, random, trained_reach, cells);
}
