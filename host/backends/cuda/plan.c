#include "backends/cuda/plan.h"

#include "error.h"
#include "model/model.h"

#include <string.h>

/* What one kernel decodes: beyond, a row's block reads weights, keys or annotations from memory at every
 * step, and products over all rows and attention by blocks are less work. */
enum { LOOP_MOST_STATE = 128, LOOP_MOST_ANNOTATION = 256, LOOP_MOST_TIME = 512 };

static const char *const decoder_names[] = {"loop", "steps"};
enum { ENCODER_NAMES = CUDA_ENCODER_CELL + 1, DECODER_NAMES = sizeof decoder_names / sizeof *decoder_names };

/* ---- the choice ---- */

void cuda_decode_sizes(const cuseq_config *config, struct decode *decode) {
  struct attention_score *score = &decode->score;
  score->score = config->score;
  score->scale = config->scale;
  score->annotation_width = config->annotation_width;
  score->state_units = config->state_units;
  score->layers = config->attention_layers;
  score->additive_units = config->additive_units;
  for (int32_t l = 0; l < config->attention_layers; l++) {
    score->units[l] = config->attention_units[l];
    score->activation[l] = config->attention_activation[l];
  }
  decode->start.kind = config->initial_state;
  decode->start.activation = config->initial_activation;
  decode->start.directions = config_directions(config);
  decode->start.units = config->units;
  decode->start.state_units = config->state_units;
  decode->activation = config->decoder_activation;
  decode->recurrent_activation = config->decoder_recurrent_activation;
  decode->feedback = config->feedback;
  decode->embedding_units = config->embedding_units;
  decode->outputs = config->outputs;
  decode->output_activation = config->output_activation;
  decode->start_token = config->start_token;
  decode->end_token = config->end_token;
}

static bool whole_fits(const cuseq_config *config, const struct cuda_shape *shape,
                       const struct launch_device *device) {
  static const int32_t some_ids;
  struct whole_model model = {.layers = config->layers,
                              .merge = config->merge,
                              .encoder = {.batch = 1,
                                          .time = shape->time,
                                          .units = config->units,
                                          .directions = config_directions(config),
                                          .activation = config->activation,
                                          .recurrent_activation = config->recurrent_activation,
                                          .features = config->features,
                                          .d_ids = shape->ids ? &some_ids : NULL}};
  cuda_decode_sizes(config, &model.decode);
  return whole_model_possible(&model, device);
}

enum cuda_decoder_kind cuda_choose_decoder(const cuseq_config *config, int32_t time,
                                           const struct cuda_forced *forced) {
  bool small = config->state_units <= LOOP_MOST_STATE && config->annotation_width <= LOOP_MOST_ANNOTATION &&
               time <= LOOP_MOST_TIME;
  if (forced->decoder != CUDA_FREE)
    return (enum cuda_decoder_kind)forced->decoder;
  return small ? CUDA_DECODER_LOOP : CUDA_DECODER_STEPS;
}

struct cuda_choice cuda_choose(const cuseq_config *config, const struct cuda_shape *shape,
                               const struct launch_device *device, const struct cuda_forced *forced) {
  return (struct cuda_choice){
      .whole = forced->whole != 0 && whole_fits(config, shape, device),
      .decoder = cuda_choose_decoder(config, shape->time, forced),
  };
}

const char *cuda_registers_reason(const cuseq_config *config) {
  struct decode decode = {0};
  cuda_decode_sizes(config, &decode);
  return decode_small_fault(&decode);
}

/* ---- forcing ---- */

cuseq_status cuda_forced_check(const cuseq_config *config, int32_t max_time,
                               const struct launch_device *device, const struct cuda_forced *forced) {
  const struct cuda_shape dense = {max_time, false}, ids = {max_time, true};
  int32_t sm = device->architecture;
  if (forced->whole == 1 && !(whole_fits(config, &dense, device) && whole_fits(config, &ids, device)))
    return error_set(
        CUSEQ_STATUS_NOT_SUPPORTED,
        "cuda plan: \"whole\" cannot run this model (found layers %d, H %d, S %d, max_time %d on compute "
        "capability %d.%d, needed a model that one block holds)",
        (int)config->layers, (int)config->units, (int)config->state_units, (int)max_time, (int)(sm / 10),
        (int)(sm % 10));
  return CUSEQ_STATUS_OK;
}

static cuseq_status word_refuse(const char *word, size_t length) {
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                   "cuda plan: no such word (found \"%.*s\", needed stages, whole, encoder=warp16|warp32|"
                   "block64|cluster128|grid|cell, decoder=loop|steps, separated by commas)",
                   (int)(length < 40 ? length : 40), word);
}

/* Which of the names a word's end is; -1: none. */
static int name_find(const char *const *names, int count, const char *text, size_t length) {
  for (int i = 0; i < count; i++)
    if (strlen(names[i]) == length && memcmp(names[i], text, length) == 0)
      return i;
  return -1;
}

/* The word's value at `prefix`; NULL where the word begins otherwise. */
static const char *value_of(const char *word, size_t length, const char *prefix) {
  size_t skipped = strlen(prefix);
  return length >= skipped && memcmp(word, prefix, skipped) == 0 ? word + skipped : NULL;
}

static cuseq_status word_parse(const char *word, size_t length, struct cuda_forced *forced) {
  static const char *const ways[] = {"stages", "whole"};
  const char *end = word + length, *encoder = value_of(word, length, "encoder="),
             *decoder = value_of(word, length, "decoder=");
  int *place, value;
  if (encoder) {
    place = &forced->encoder;
    value = name_find(cuda_encoder_names, ENCODER_NAMES, encoder, (size_t)(end - encoder));
  } else if (decoder) {
    place = &forced->decoder;
    value = name_find(decoder_names, DECODER_NAMES, decoder, (size_t)(end - decoder));
  } else {
    place = &forced->whole;
    value = name_find(ways, 2, word, length);
  }
  if (value < 0)
    return word_refuse(word, length);
  if (*place != CUDA_FREE)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuda plan: \"%.*s\" comes after a word that says something else of the same",
                     (int)length, word);
  *place = value;
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_forced_parse(const char *text, struct cuda_forced *forced) {
  *forced = (struct cuda_forced){CUDA_FREE, CUDA_FREE, CUDA_FREE};
  if (!text || !*text)
    return CUSEQ_STATUS_OK;
  for (const char *word = text;; word++) {
    size_t length = strcspn(word, ",");
    TRY(word_parse(word, length, forced));
    word += length;
    if (!*word)
      break;
  }
  bool staged = forced->encoder != CUDA_FREE || forced->decoder != CUDA_FREE;
  if (staged && forced->whole == 1)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "cuda plan: \"whole\" goes with no other word (found \"%.80s\")", text);
  if (staged)
    forced->whole = 0;
  return CUSEQ_STATUS_OK;
}
