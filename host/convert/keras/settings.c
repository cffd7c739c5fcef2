/* Settings that any class may have: what a layer computes in, whether it is quantised, whether dropout is at
 * work. */
#include "convert/keras/layers.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i], text) == 0)
      return true;
  return false;
}

static cuseq_status refuse_quantised(const struct keras_layer *layer, const char *how) {
  return layer_refuse(
      layer,
      "it is quantised (%.60s), and computes with rounded numbers, which cuseq cannot express "
      "(save the model before it is quantised)",
      how);
}

/* A policy's name, "mixed_float16": the setting itself, or that of an object; NULL: there is none. */
static const char *policy_name(const json_t *dtype) {
  const json_t *name =
      json_is_object(dtype) ? json_object_get(json_object_get(dtype, "config"), "name") : dtype;
  return json_string_value(name);
}

static const char *const half[] = {"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"};
enum { HALVES = sizeof half / sizeof *half };

static cuseq_status check_dtype(const struct keras_layer *layer, const json_t *dtype) {
  static const char *const full[] = {"float32", "float64", "int8",   "int16",  "int32", "int64",
                                     "uint8",   "uint16",  "uint32", "uint64", "bool"};
  static const char *const plain[] = {"DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1"};
  const char *class_name = json_string_value(json_object_get(dtype, "class_name"));
  const char *name = policy_name(dtype);
  if (dtype == NULL || json_is_null(dtype))
    return CUSEQ_STATUS_OK;
  if (class_name != NULL && !is_one_of(class_name, plain, sizeof plain / sizeof *plain)) {
    const char *mode = json_string_value(json_object_get(json_object_get(dtype, "config"), "mode"));
    if (mode == NULL)
      return layer_refuse(layer, "its dtype is a %.60s, which cuseq does not know", class_name);
    return refuse_quantised(layer, mode);
  }
  if (name != NULL && is_one_of(name, full, sizeof full / sizeof *full))
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; name != NULL && i < HALVES; i++)
    if (strcmp(name, half[i]) == 0) {
      layer->marks->half = half[i];
      return CUSEQ_STATUS_OK;
    }
  if (name != NULL && strstr(name, "_from_") != NULL)
    return refuse_quantised(layer, name);
  return layer_refuse(layer, "its dtype is %.60s, which cuseq does not know",
                      name != NULL ? name : "no text");
}

static cuseq_status check_one(const struct keras_layer *layer, const json_t *config) {
  const json_t *quantised = json_object_get(config, "quantization_config");
  TRY(check_dtype(layer, json_object_get(config, "dtype")));
  if (quantised == NULL || json_is_null(quantised))
    return CUSEQ_STATUS_OK;
  const char *how = json_string_value(json_object_get(quantised, "class_name"));
  return refuse_quantised(layer, how != NULL ? how : "quantization_config");
}

static const char *const inside[] = {"layer", "backward_layer", "cell"};
enum { INSIDE = sizeof inside / sizeof *inside };

cuseq_status settings_check(const struct keras_layer *layer) {
  TRY(check_one(layer, layer->config));
  for (size_t i = 0; i < INSIDE; i++) {
    const json_t *config = json_object_get(json_object_get(layer->config, inside[i]), "config");
    TRY(check_one(layer, config));
    TRY(check_one(layer, json_object_get(json_object_get(config, "cell"), "config")));
  }
  return CUSEQ_STATUS_OK;
}

/* The layers that compute in `policy`: the first of them, and how many. */
static void find_half(const struct keras_model *model, const char *policy, const struct keras_layer **first,
                      size_t *count) {
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *layer = &model->layers[i];
    if (layer->inner != NULL)
      find_half(layer->inner, policy, first, count);
    if (layer->marks->half != policy)
      continue;
    if (*first == NULL)
      *first = layer;
    ++*count;
  }
}

cuseq_status settings_note_half(struct evaluator *evaluator) {
  for (size_t i = 0; i < HALVES; i++) {
    const struct keras_layer *first = NULL;
    size_t count = 0;
    char others[48] = "";
    find_half(evaluator->model, half[i], &first, &count);
    if (count == 0)
      continue;
    if (count > 1)
      snprintf(others, sizeof others, " and %zu more layer%s", count - 1, count > 2 ? "s" : "");
    TRY(notes_add(&evaluator->notes,
                  "layer '%.100s'%s: half precision in Keras (%s), single precision here: the numbers "
                  "differ from Keras', as a rule by less than %s",
                  first->node.name, others, half[i], strstr(half[i], "bfloat16") != NULL ? "1e-2" : "1e-3"));
  }
  return CUSEQ_STATUS_OK;
}

/* Whether no layer computes in another precision than `*first`, NULL so far. */
static bool has_one_precision(const struct keras_model *model, const char **first) {
  for (size_t i = 0; i < model->layer_count; i++) {
    const char *name = policy_name(json_object_get(model->layers[i].config, "dtype"));
    if (model->layers[i].inner != NULL && !has_one_precision(model->layers[i].inner, first))
      return false;
    if (name == NULL || strstr(name, "float") == NULL)
      continue; /* token ids, or it is not said */
    if (*first == NULL)
      *first = name;
    if (strcmp(name, *first) != 0)
      return false;
  }
  return true;
}

bool settings_have_one_precision(const struct keras_model *model) {
  const char *first = NULL;
  return has_one_precision(model, &first);
}

static bool is_bfloat16(const json_t *config) {
  const char *name = policy_name(json_object_get(config, "dtype"));
  return name != NULL && strcmp(name, "bfloat16") == 0;
}

bool settings_store_bfloat16(const struct keras_layer *layer) {
  bool found = is_bfloat16(layer->config);
  for (size_t i = 0; i < INSIDE; i++) {
    const json_t *config = json_object_get(json_object_get(layer->config, inside[i]), "config");
    found = found || is_bfloat16(config) ||
            is_bfloat16(json_object_get(json_object_get(config, "cell"), "config"));
  }
  return found;
}

cuseq_status settings_channels_last(const struct keras_layer *layer) {
  const json_t *format = json_object_get(layer->config, "data_format");
  if (format == NULL || json_is_null(format) ||
      (json_is_string(format) && strcmp(json_string_value(format), "channels_last") == 0))
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer, "its data_format is %.40s (needed channels_last)",
                      json_is_string(format) ? json_string_value(format) : "no text");
}

/* ---- training ------------------------------------------------------------------------------------- */

static bool drops(const json_t *config) {
  static const char *const rates[] = {"rate", "stddev", "dropout", "recurrent_dropout"};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
    if (json_number_value(json_object_get(config, rates[i])) != 0)
      return true;
  return false;
}

bool settings_differ_in_training(const struct keras_layer *layer) {
  bool found = layer->inner != NULL || drops(layer->config) ||
               strcmp(layer->node.class_name, "BatchNormalization") == 0;
  for (size_t i = 0; i < INSIDE; i++) {
    const json_t *config = json_object_get(json_object_get(layer->config, inside[i]), "config");
    found = found || drops(config) || drops(json_object_get(json_object_get(config, "cell"), "config"));
  }
  return found;
}
