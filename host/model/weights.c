#include "model/weights.h"

#include "error.h"
#include "model/config.h"
#include "model/structure_version1.h"
#include "model/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct weights_source *source_find(const struct weights_source *sources, size_t count,
                                                const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(sources[i].name, name) == 0)
      return &sources[i];
  return NULL;
}

/* "[2,3]" */
static void shape_text(char *text, size_t capacity, int32_t rank, const int64_t *shape) {
  size_t used = (size_t)snprintf(text, capacity, "[");
  for (int32_t i = 0; i < rank && used < capacity; i++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%lld", i ? "," : "", (long long)shape[i]);
  if (used < capacity)
    snprintf(text + used, capacity - used, "]");
}

static cuseq_status width_from(const struct weights_source *sources, size_t count, const char *name,
                               int32_t rank, int32_t axis, int32_t *width) {
  const struct weights_source *source = source_find(sources, count, name);
  if (!source)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s: missing", name);
  if (source->rank != rank || source->shape[axis] < 1 || source->shape[axis] > 1 << 20) {
    char found[128];
    shape_text(found, sizeof found, source->rank, source->shape);
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "tensor %s: the wrong shape (found %s, needed %d dimension%s)", name, found, (int)rank,
                     rank == 1 ? "" : "s");
  }
  *width = (int32_t)source->shape[axis];
  return CUSEQ_STATUS_OK;
}

/* The widths that the configuration leaves to the tensors. */
static cuseq_status widths_resolve(cuseq_config *config, const struct weights_source *sources, size_t count) {
  if (config->state_units == 0)
    TRY(width_from(sources, count, "initial.h.kernel", 2, 1, &config->state_units));
  if (config->score == CUSEQ_SCORE_ADDITIVE)
    TRY(width_from(sources, count, "attention.value", 1, 0, &config->additive_units));
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT && source_find(sources, count, "decoder.embedding"))
    TRY(width_from(sources, count, "decoder.embedding", 2, 1, &config->embedding_units));
  return config_check_widths(config);
}

static cuseq_status source_check(const struct weights_source *source, const struct tensor_entry *entry) {
  bool same = source->rank == entry->rank;
  for (int32_t i = 0; same && i < entry->rank; i++)
    same = source->shape[i] == entry->shape[i];
  if (!same) {
    char found[128], needed[64];
    shape_text(found, sizeof found, source->rank, source->shape);
    shape_text(needed, sizeof needed, entry->rank, entry->shape);
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s: the wrong shape (found %s, needed %s)",
                     entry->name, found, needed);
  }
  if (source->dtype < 0 || source->dtype > CUSEQ_DTYPE_BF16)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "tensor %s: the wrong type (found %s, needed F32, F64, F16 or BF16)", entry->name,
                     source->dtype_name);
  if (!source->data)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s: no data (found NULL)", entry->name);
  return CUSEQ_STATUS_OK;
}

static float half_to_float(uint16_t half) {
  int exponent = half >> 10 & 31, fraction = half & 1023;
  float magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                    : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                   : ldexpf((float)fraction, -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

static float source_value(const struct weights_source *source, size_t index) {
  const unsigned char *bytes = source->data;
  uint16_t half;
  uint32_t word;
  double wide;
  float value;
  switch (source->dtype) {
  case CUSEQ_DTYPE_F64:
    memcpy(&wide, bytes + index * 8, 8);
    return (float)wide;
  case CUSEQ_DTYPE_F16:
    memcpy(&half, bytes + index * 2, 2);
    return half_to_float(half);
  case CUSEQ_DTYPE_BF16:
    memcpy(&half, bytes + index * 2, 2);
    word = (uint32_t)half << 16;
    memcpy(&value, &word, 4);
    return value;
  default:
    memcpy(&value, bytes + index * 4, 4);
    return value;
  }
}

static size_t entry_size(const struct tensor_entry *entry) {
  return (size_t)entry->shape[0] * (size_t)(entry->rank == 2 ? entry->shape[1] : 1);
}

/* Converts one tensor to float32; refuses what is not finite, also what float32 cannot hold. */
static cuseq_status source_convert(const struct weights_source *source, const struct tensor_entry *entry,
                                   float *data) {
  size_t size = entry_size(entry);
  for (size_t i = 0; i < size; i++) {
    data[i] = source_value(source, i);
    if (isfinite(data[i]))
      continue;
    int64_t columns = entry->rank == 2 ? entry->shape[1] : entry->shape[0];
    char index[48];
    snprintf(index, sizeof index, entry->rank == 2 ? "[%lld,%lld]" : "[%lld]",
             (long long)(entry->rank == 2 ? (int64_t)i / columns : (int64_t)i),
             (long long)((int64_t)i % columns));
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s%s: not finite in float32 (found %s)", entry->name,
                     index, isnan(data[i]) ? "nan" : "infinity or a number too large");
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status list_match(const struct tensor_list *list, const struct weights_source *sources,
                               size_t count) {
  for (size_t i = 0; i < list->count; i++) {
    const struct weights_source *source = source_find(sources, count, list->entries[i].name);
    if (!source) {
      char needed[64];
      shape_text(needed, sizeof needed, list->entries[i].rank, list->entries[i].shape);
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s: missing (needed %s)", list->entries[i].name,
                       needed);
    }
    TRY(source_check(source, &list->entries[i]));
  }
  for (size_t i = 0; i < count; i++) {
    size_t known = 0;
    while (known < list->count && strcmp(list->entries[known].name, sources[i].name) != 0)
      known++;
    if (known == list->count)
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %.200s: not part of this model", sources[i].name);
    if (source_find(sources, i, sources[i].name))
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor %s: there twice", sources[i].name);
  }
  return CUSEQ_STATUS_OK;
}

/* Every tensor starts at a multiple of 16 floats, so that vector loads of a row's start are aligned. */
static size_t entry_stride(const struct tensor_entry *entry) {
  return (entry_size(entry) + 15) / 16 * 16;
}

static cuseq_status list_allocate(cuseq_model *model, const struct tensor_list *list) {
  size_t floats = 0;
  for (size_t i = 0; i < list->count; i++)
    floats += entry_stride(&list->entries[i]);
  if (list->count == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "model: it has no tensors");
  model->storage = aligned_alloc(64, floats * sizeof(float));
  model->tensors = calloc(list->count, sizeof *model->tensors);
  model->names = calloc(list->count, TENSOR_NAME_CAPACITY);
  if (!model->storage || !model->tensors || !model->names)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory (%zu bytes of weights)",
                     floats * sizeof(float));
  model->tensor_count = list->count;
  return CUSEQ_STATUS_OK;
}

static cuseq_status list_fill(cuseq_model *model, const struct tensor_list *list,
                              const struct weights_source *sources, size_t count) {
  TRY(list_match(list, sources, count));
  TRY(list_allocate(model, list));
  float *data = model->storage;
  for (size_t i = 0; i < list->count; i++) {
    const struct tensor_entry *entry = &list->entries[i];
    TRY(source_convert(source_find(sources, count, entry->name), entry, data));
    char *name = model->names + i * TENSOR_NAME_CAPACITY;
    memcpy(name, entry->name, TENSOR_NAME_CAPACITY);
    model->tensors[i] =
        (cuseq_tensor){.name = name, .dtype = CUSEQ_DTYPE_F32, .rank = entry->rank, .data = data};
    memcpy(model->tensors[i].shape, entry->shape, sizeof entry->shape);
    *entry->view = data;
    data += entry_stride(entry);
  }
  return CUSEQ_STATUS_OK;
}

/* Tensors that are read in two places. */
static void structure_link(struct structure *structure) {
  struct decoder_structure *decoder = &structure->decoder;
  if (decoder->embedding_is_encoders)
    decoder->embedding = structure->input.embedding;
  for (int32_t i = 0; i < structure->output.count; i++) {
    struct head *head = &structure->output.heads[i];
    struct dense *last = &head->layers.layers[head->layers.count - 1];
    if (head->is_tied) {
      last->kernel = decoder->embedding;
      last->transposed = true;
    }
  }
}

/* What callers allocate by. */
static void config_of_structure(const struct structure *structure, bool is_version1, cuseq_config *config) {
  const struct decoder_structure *decoder = &structure->decoder;
  const struct encoder_layer *last = &structure->encoder.layers[structure->encoder.count - 1];
  config->encoder_state_width = 0;
  for (int32_t l = 0; l < structure->encoder.count; l++)
    config->encoder_state_width += structure_final_width(&structure->encoder.layers[l], INITIAL_CONCAT);
  config->context_width = structure->attention.context_width;
  config->query_width = structure->attention.query_inputs;
  config->only_time = structure_time(structure);
  config->decoder_state_width = decoder->state_width;
  config->fed_width = decoder->fed_width;
  config->heads = structure->output.count;
  config->is_tagger = structure_is_tagger(structure);
  config->ids_only = structure->input.embedding_units > 0;
  config->backward_units = encoder_layer_has(last, 1) ? last->cells[1].units : 0;
  if (is_version1)
    return;
  config->features = structure->input.features;
  config->layers = structure->encoder.count;
  config->units = last->cells[last->direction == LAYER_BACKWARD].units;
  config->direction =
      last->direction == LAYER_BIDIRECTIONAL ? CUSEQ_DIRECTION_BIDIRECTIONAL : CUSEQ_DIRECTION_FORWARD;
  config->annotation_width = structure->encoder.width;
  config->has_decoder = decoder->present;
  config->steps = decoder->steps;
  config->feedback = decoder->feedback == FEEDBACK_OUTPUT          ? CUSEQ_FEEDBACK_OUTPUT
                     : decoder->feedback == FEEDBACK_PROBABILITIES ? CUSEQ_FEEDBACK_PROBABILITIES
                                                                   : CUSEQ_FEEDBACK_NONE;
  config->needs_targets = decoder->present && decoder->feedback == FEEDBACK_GIVEN;
  config->given_width = decoder->given_width;
  config->start_token = decoder->present ? decoder->start_token : -1;
  config->end_token = decoder->present ? decoder->end_token : -1;
  config->outputs = structure->output.width;
  if (structure->output.count > 0) {
    const struct dense_chain *layers = &structure->output.heads[0].layers;
    config->output_activation = layers->layers[layers->count - 1].activation;
  }
  config->state_units =
      decoder->present ? structure_part_width(structure, PART_STATE) : structure->asking.units;
}

cuseq_status weights_load(cuseq_model *model, const struct weights_source *sources, size_t count) {
  struct tensor_list list = {0};
  cuseq_status status;
  if (model->version == 1) {
    TRY(widths_resolve(&model->config, sources, count));
    bool has_additive_bias = source_find(sources, count, "attention.bias") != NULL;
    structure_of_version1(&model->config, has_additive_bias, &model->structure);
  }
  TRY_CLEANUP(tensor_list_make(&model->structure, model->version, &list));
  TRY_CLEANUP(list_fill(model, &list, sources, count));
  structure_link(&model->structure);
  if (model->version == 1)
    weights_of_version1(&model->structure, &model->weights);
  config_of_structure(&model->structure, model->version == 1, &model->config);
cleanup:
  tensor_list_free(&list);
  return status;
}
