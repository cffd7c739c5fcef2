#include "model/config.h"

#include "error.h"
#include "formats/json_bound.h"
#include "model/model.h"
#include "model/structure_parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CONFIG_MAX_MEMORY = 12 << 20, /* bytes that reading it may take: some 100,000 symbols */
  CONFIG_MAX_WIDTH = 1 << 20,   /* units, features, classes */
  CONFIG_MAX_STEPS = 1 << 20,
};

/* How many symbols a vocabulary needs on each side. */
struct structure_sizes {
  const char *inputs_key; /* the key that says it */
  int32_t inputs, outputs;
  bool may_lack_outputs; /* without a decoder, outputs may have labels, or no names at all */
};

static const struct word version1_direction[] = {
    {"bidirectional", CUSEQ_DIRECTION_BIDIRECTIONAL}, {"forward", CUSEQ_DIRECTION_FORWARD}, {NULL, 0}};
static const struct word version1_merge[] = {{"concat", CUSEQ_MERGE_CONCAT},
                                             {"sum", CUSEQ_MERGE_SUM},
                                             {"mul", CUSEQ_MERGE_MUL},
                                             {"ave", CUSEQ_MERGE_AVE},
                                             {NULL, 0}};
static const struct word version1_cell_activation[] = {{"tanh", CUSEQ_ACTIVATION_TANH},
                                                       {"relu", CUSEQ_ACTIVATION_RELU},
                                                       {"linear", CUSEQ_ACTIVATION_LINEAR},
                                                       {NULL, 0}};
static const struct word version1_recurrent_activation[] = {
    {"sigmoid", CUSEQ_ACTIVATION_SIGMOID},
    {"hard_sigmoid", CUSEQ_ACTIVATION_HARD_SIGMOID},
    {"hard_sigmoid_keras2", CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2},
    {NULL, 0}};
static const struct word version1_attention_activation[] = {{"tanh", CUSEQ_ACTIVATION_TANH},
                                                            {"relu", CUSEQ_ACTIVATION_RELU},
                                                            {"sigmoid", CUSEQ_ACTIVATION_SIGMOID},
                                                            {"linear", CUSEQ_ACTIVATION_LINEAR},
                                                            {NULL, 0}};
static const struct word version1_initial_activation[] = {{"linear", CUSEQ_ACTIVATION_LINEAR},
                                                          {"tanh", CUSEQ_ACTIVATION_TANH},
                                                          {"relu", CUSEQ_ACTIVATION_RELU},
                                                          {"sigmoid", CUSEQ_ACTIVATION_SIGMOID},
                                                          {NULL, 0}};
static const struct word version1_output_activation[] = {
    {"softmax", CUSEQ_ACTIVATION_SOFTMAX}, {"linear", CUSEQ_ACTIVATION_LINEAR}, {NULL, 0}};
static const struct word version1_score[] = {{"concat", CUSEQ_SCORE_CONCAT},
                                             {"dot", CUSEQ_SCORE_DOT},
                                             {"general", CUSEQ_SCORE_GENERAL},
                                             {"additive", CUSEQ_SCORE_ADDITIVE},
                                             {NULL, 0}};
static const struct word version1_initial_state[] = {{"encoder", CUSEQ_INITIAL_STATE_ENCODER},
                                                     {"zeros", CUSEQ_INITIAL_STATE_ZEROS},
                                                     {"dense", CUSEQ_INITIAL_STATE_DENSE},
                                                     {NULL, 0}};
static const struct word version1_feedback[] = {
    {"none", CUSEQ_FEEDBACK_NONE}, {"output", CUSEQ_FEEDBACK_OUTPUT}, {NULL, 0}};

/* Reads one word out of a list. The list's first is the default, unless the field is `required`. */
static cuseq_status config_word(const json_t *object, const char *where, const char *key,
                                const struct word *words, bool required, int *value) {
  const json_t *field = json_object_get(object, key);
  if (!field && !required) {
    *value = words[0].value;
    return CUSEQ_STATUS_OK;
  }
  if (!field)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: \"%s\" has no \"%s\"", where, key);
  const char *found = json_string_value(field);
  char known[256] = "";
  for (const struct word *word = words; word->text; word++) {
    if (found && strcmp(word->text, found) == 0) {
      *value = word->value;
      return CUSEQ_STATUS_OK;
    }
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", word->text);
  }
  return error_set(CUSEQ_STATUS_INVALID_MODEL,
                   "configuration: %s.%s is unknown (found %s%.60s%s, needed one of %s)", where, key,
                   found ? "\"" : "", found ? found : "no string", found ? "\"" : "", known);
}

/* The same into an enum's variable. */
#define WORD(object, where, key, words, required, target)                                                    \
  do {                                                                                                       \
    int word_ = 0;                                                                                           \
    TRY(config_word(object, where, key, words, required, &word_));                                           \
    (target) = word_;                                                                                        \
  } while (0)

static cuseq_status config_optional_integer(const json_t *object, const char *where, const char *key,
                                            int64_t low, int64_t high, int32_t absent, int32_t *value) {
  *value = absent;
  return json_object_get(object, key) ? config_integer(object, where, key, low, high, value)
                                      : CUSEQ_STATUS_OK;
}

static cuseq_status config_encoder(const json_t *object, cuseq_config *config) {
  static const char *const keys[] = {
      "features", "units", "layers", "direction", "merge", "activation", "recurrent_activation", NULL};
  TRY(config_known_keys(object, "encoder", keys));
  TRY(config_integer(object, "encoder", "features", 1, CONFIG_MAX_WIDTH, &config->features));
  TRY(config_integer(object, "encoder", "units", 1, CONFIG_MAX_WIDTH, &config->units));
  TRY(config_optional_integer(object, "encoder", "layers", 1, MODEL_MAX_LAYERS, 1, &config->layers));
  WORD(object, "encoder", "direction", version1_direction, false, config->direction);
  WORD(object, "encoder", "merge", version1_merge, false, config->merge);
  WORD(object, "encoder", "activation", version1_cell_activation, false, config->activation);
  WORD(object, "encoder", "recurrent_activation", version1_recurrent_activation, false,
       config->recurrent_activation);
  if (config->direction == CUSEQ_DIRECTION_FORWARD && config->merge != CUSEQ_MERGE_CONCAT)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: encoder.merge has nothing to merge (found \"%s\" with direction \"forward\")",
        json_string_value(json_object_get(object, "merge")));
  bool side_by_side =
      config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL && config->merge == CUSEQ_MERGE_CONCAT;
  config->annotation_width = side_by_side ? 2 * config->units : config->units;
  return CUSEQ_STATUS_OK;
}

static cuseq_status config_attention_layers(const json_t *layers, cuseq_config *config) {
  size_t count = json_array_size(layers);
  if (!json_is_array(layers) || count < 1 || count > CUSEQ_MAX_ATTENTION_LAYERS)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: attention.layers is not a list of 1 to %d layers (score \"concat\" needs it)",
        CUSEQ_MAX_ATTENTION_LAYERS);
  static const char *const keys[] = {"units", "activation", NULL};
  for (size_t l = 0; l < count; l++) {
    char where[40];
    snprintf(where, sizeof where, "attention.layers.%zu", l);
    const json_t *layer = json_array_get(layers, l);
    TRY(config_known_keys(layer, where, keys));
    TRY(config_integer(layer, where, "units", 1, CONFIG_MAX_WIDTH, &config->attention_units[l]));
    WORD(layer, where, "activation", version1_attention_activation, false, config->attention_activation[l]);
  }
  config->attention_layers = (int32_t)count;
  if (config->attention_units[count - 1] != 1)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: the last of attention.layers makes the energy (found %d units, needed 1)",
        (int)config->attention_units[count - 1]);
  return CUSEQ_STATUS_OK;
}

static cuseq_status config_attention(const json_t *object, cuseq_config *config) {
  static const char *const keys[] = {"score", "layers", "scale", NULL};
  TRY(config_known_keys(object, "attention", keys));
  WORD(object, "attention", "score", version1_score, true, config->score);
  const json_t *scale = json_object_get(object, "scale");
  config->scale = scale ? (float)json_number_value(scale) : 1.0f;
  if ((scale && !json_is_number(scale)) || !isfinite(config->scale))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: attention.scale is not a finite float32 number");
  const json_t *layers = json_object_get(object, "layers");
  if (config->score == CUSEQ_SCORE_CONCAT)
    return config_attention_layers(layers, config);
  if (layers)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: attention.layers belongs to the score \"concat\" only");
  return CUSEQ_STATUS_OK;
}

/* The state of an attention-only model; `object` may be NULL. */
static cuseq_status config_state(const json_t *object, cuseq_config *config) {
  static const char *const keys[] = {"initial_state", "initial_activation", "units", NULL};
  if (object)
    TRY(config_known_keys(object, "state", keys));
  WORD(object, "state", "initial_state", version1_initial_state, false, config->initial_state);
  WORD(object, "state", "initial_activation", version1_initial_activation, false, config->initial_activation);
  int32_t absent = config->initial_state == CUSEQ_INITIAL_STATE_ENCODER ? config_final_width(config) : 0;
  TRY(config_optional_integer(object, "state", "units", 1, CONFIG_MAX_WIDTH, absent, &config->state_units));
  if (config->initial_state == CUSEQ_INITIAL_STATE_ZEROS && config->state_units == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: \"state\" has no \"units\" (initial_state \"zeros\" "
                     "needs it)");
  config->start_token = config->end_token = -1;
  return CUSEQ_STATUS_OK;
}

static cuseq_status config_decoder(const json_t *object, const json_t *output, cuseq_config *config) {
  static const char *const keys[] = {"units",     "steps",      "initial_state",        "initial_activation",
                                     "feedback",  "activation", "recurrent_activation", "start_token",
                                     "end_token", NULL};
  static const char *const output_keys[] = {"units", "activation", NULL};
  config->has_decoder = 1;
  TRY(config_known_keys(object, "decoder", keys));
  TRY(config_integer(object, "decoder", "units", 1, CONFIG_MAX_WIDTH, &config->state_units));
  TRY(config_integer(object, "decoder", "steps", 1, CONFIG_MAX_STEPS, &config->steps));
  WORD(object, "decoder", "initial_state", version1_initial_state, false, config->initial_state);
  WORD(object, "decoder", "initial_activation", version1_initial_activation, false,
       config->initial_activation);
  WORD(object, "decoder", "feedback", version1_feedback, false, config->feedback);
  WORD(object, "decoder", "activation", version1_cell_activation, false, config->decoder_activation);
  WORD(object, "decoder", "recurrent_activation", version1_recurrent_activation, false,
       config->decoder_recurrent_activation);
  TRY(config_known_keys(output, "output", output_keys));
  TRY(config_integer(output, "output", "units", 1, CONFIG_MAX_WIDTH, &config->outputs));
  WORD(output, "output", "activation", version1_output_activation, false, config->output_activation);
  int32_t last = config->outputs - 1;
  TRY(config_optional_integer(object, "decoder", "start_token", 0, last, -1, &config->start_token));
  TRY(config_optional_integer(object, "decoder", "end_token", 0, last, -1, &config->end_token));
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT && config->start_token < 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: \"decoder\" has no \"start_token\" (feedback \"output\" needs it)");
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT && config->output_activation != CUSEQ_ACTIVATION_SOFTMAX)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: output.activation does not fit (found \"linear\", feedback \"output\" needs "
        "\"softmax\")");
  return CUSEQ_STATUS_OK;
}

cuseq_status config_check_widths(const cuseq_config *config) {
  int32_t final_width = config_final_width(config);
  const char *what = config->has_decoder ? "decoder.units" : "state.units";
  if (config->initial_state == CUSEQ_INITIAL_STATE_ENCODER && config->state_units != final_width)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: %s does not fit the encoder's final state (found %d, initial_state \"encoder\" "
        "needs %d)",
        what, (int)config->state_units, (int)final_width);
  if (config->score == CUSEQ_SCORE_DOT && config->state_units != config->annotation_width)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: %s does not fit the annotations (found %d, score \"dot\" needs %d)",
                     what, (int)config->state_units, (int)config->annotation_width);
  return CUSEQ_STATUS_OK;
}

/* The most bytes of a symbol in a text, what separates it from others included. */
static int32_t symbol_bytes(const struct symbols *symbols) {
  size_t most = 4;
  for (int32_t i = 0; i < symbols->count && symbols->cutting.words; i++)
    if (strlen(symbols->names[i]) + 1 > most)
      most = strlen(symbols->names[i]) + 1;
  return (int32_t)most;
}

static cuseq_status config_vocabulary(const json_t *object, const struct structure_sizes *sizes,
                                      cuseq_config *config, struct vocabulary *vocabulary) {
  TRY(vocabulary_parse(object, vocabulary));
  if (vocabulary->input.count != sizes->inputs)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.input does not fit (found %d symbols, %s needs %d)",
                     (int)vocabulary->input.count, sizes->inputs_key, (int)sizes->inputs);
  if (vocabulary->output.count != sizes->outputs &&
      !(sizes->may_lack_outputs && vocabulary->output.count == 0))
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: vocabulary.output does not fit (found %d symbols, output.units needs %d)",
        (int)vocabulary->output.count, (int)sizes->outputs);
  config->text_length = vocabulary->length;
  config->input_symbols = vocabulary->input.count;
  config->output_symbols = vocabulary->output.count;
  config->input_words = vocabulary->input.cutting.words;
  config->output_words = vocabulary->output.cutting.words;
  config->output_bytes = symbol_bytes(&vocabulary->output);
  return CUSEQ_STATUS_OK;
}

static cuseq_status config_version1(const json_t *root, cuseq_config *config) {
  static const char *const keys[] = {"version", "encoder", "attention",  "state",
                                     "decoder", "output",  "vocabulary", NULL};
  TRY(config_known_keys(root, "", keys));
  static const char *const needed[] = {"encoder", "attention"};
  for (int i = 0; i < 2; i++)
    if (!json_object_get(root, needed[i]))
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: there is no \"%s\"", needed[i]);
  const json_t *state = json_object_get(root, "state"), *decoder = json_object_get(root, "decoder");
  const json_t *output = json_object_get(root, "output");
  TRY(config_encoder(json_object_get(root, "encoder"), config));
  TRY(config_attention(json_object_get(root, "attention"), config));
  if (!decoder != !output)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: there is no \"%s\" (\"%s\" needs it)",
                     decoder ? "output" : "decoder", decoder ? "decoder" : "output");
  if (decoder && state)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: \"state\" belongs to a model without a decoder");
  TRY(decoder ? config_decoder(decoder, output, config) : config_state(state, config));
  return config->state_units > 0 ? config_check_widths(config) : CUSEQ_STATUS_OK;
}

static cuseq_status config_root(const json_t *root, cuseq_model *model) {
  cuseq_config *config = &model->config;
  if (!json_is_object(root))
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: not an object");
  const json_t *version = json_object_get(root, "version");
  if (json_is_integer(version) && json_integer_value(version) > 2)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: version %lld (this cuseq knows 1 and 2)",
                     (long long)json_integer_value(version));
  TRY(config_integer(root, "", "version", 1, 2, &model->version));
  struct structure_sizes sizes = {.inputs_key = model->version == 1 ? "encoder.features" : "input.features"};
  if (model->version == 1) {
    TRY(config_version1(root, config));
    sizes.outputs = config->has_decoder ? config->outputs : 0;
  } else {
    TRY(structure_parse(root, &model->structure));
    sizes.outputs = model->structure.output.count > 0 ? model->structure.output.heads[0].units : 0;
    sizes.may_lack_outputs = !model->structure.decoder.present;
  }
  sizes.inputs = model->version == 1 ? config->features : model->structure.input.features;
  const json_t *symbols = json_object_get(root, "vocabulary");
  if (!symbols)
    return CUSEQ_STATUS_OK;
  if (model->structure.input.lookup_count > 0)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: vocabulary does not go with input.lookups (texts give one id a position)");
  TRY(config_vocabulary(symbols, &sizes, config, &model->vocabulary));
  bool decodes = config->has_decoder || model->structure.decoder.present;
  return labels_fit(&model->vocabulary, decodes, &model->structure.output);
}

cuseq_status config_parse(const char *text, size_t size, cuseq_model *model) {
  struct json_bound bound = json_bound(text, size);
  if (bound.memory > CONFIG_MAX_MEMORY)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: too complex (reading it would take %zu bytes of memory, at most %d are allowed)",
        bound.memory, (int)CONFIG_MAX_MEMORY);
  json_error_t where;
  json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
  if (!root && json_lacked_memory(&where))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "configuration: out of memory");
  if (!root)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: not JSON (%s, line %d, column %d)",
                     where.text, where.line, where.column);
  cuseq_status status = config_root(root, model);
  if (status == CUSEQ_STATUS_OK && !(model->json = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER)))
    status = error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "configuration: out of memory");
  json_decref(root);
  return status;
}
