#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

/* Keras' names, and those of TensorFlow's functions that Keras 2 takes. hard_sigmoid is two functions. */
static const struct {
  const char *name;
  cuseq_activation activation;
} names[] = {
    {"linear", CUSEQ_ACTIVATION_LINEAR},
    {"tanh", CUSEQ_ACTIVATION_TANH},
    {"relu", CUSEQ_ACTIVATION_RELU},
    {"sigmoid", CUSEQ_ACTIVATION_SIGMOID},
    {"softmax", CUSEQ_ACTIVATION_SOFTMAX},
    {"log_softmax", CUSEQ_ACTIVATION_LOG_SOFTMAX},
    {"hard_sigmoid", CUSEQ_ACTIVATION_HARD_SIGMOID},
    {"elu", CUSEQ_ACTIVATION_ELU},
    {"selu", CUSEQ_ACTIVATION_SELU},
    {"gelu", CUSEQ_ACTIVATION_GELU},
    {"swish", CUSEQ_ACTIVATION_SWISH},
    {"silu", CUSEQ_ACTIVATION_SWISH},
    {"softplus", CUSEQ_ACTIVATION_SOFTPLUS},
    {"softsign", CUSEQ_ACTIVATION_SOFTSIGN},
    {"leaky_relu", CUSEQ_ACTIVATION_LEAKY_RELU_02},
    {"exponential", CUSEQ_ACTIVATION_EXPONENTIAL},
    {"hard_tanh", CUSEQ_ACTIVATION_HARD_TANH},
};

/* The last part of "package>name". */
static const char *plain_name(const char *name) {
  const char *mark = strrchr(name, '>');
  return mark != NULL ? mark + 1 : name;
}

cuseq_status activation_parse(struct evaluator *evaluator, const struct keras_layer *layer,
                              const json_t *setting, cuseq_activation absent, cuseq_activation *activation,
                              bool *own) {
  *own = false;
  *activation = absent;
  if (setting == NULL)
    return CUSEQ_STATUS_OK;
  if (json_is_null(setting)) {
    *activation = CUSEQ_ACTIVATION_LINEAR;
    return CUSEQ_STATUS_OK;
  }
  const char *name = json_string_value(setting);
  if (name == NULL && json_is_object(setting)) {
    const char *class_name = json_string_value(json_object_get(setting, "class_name"));
    *own = true;
    name = json_string_value(json_object_get(setting, "config"));
    if (name == NULL)
      return layer_refuse(layer,
                          "its activation is an object of the class '%.60s' (needed one of Keras' functions)",
                          class_name != NULL ? class_name : "?");
    name = plain_name(name);
    if (strcmp(name, "softmax") != 0)
      return layer_refuse(
          layer, "its activation is the author's own function '%.60s', whose code the file lacks", name);
  }
  for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].name, name) == 0) {
      *activation = names[i].activation;
      if (*activation == CUSEQ_ACTIVATION_HARD_SIGMOID && evaluator->version.major < 3)
        *activation = CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
      return CUSEQ_STATUS_OK;
    }
  return layer_refuse(layer, "cuseq has no activation '%.60s'", name != NULL ? name : "?");
}

/* ---- softmax -------------------------------------------------------------------------------------- */

static int32_t time_axis(const struct value *value) {
  for (int32_t i = 0; i < value->axis_count; i++)
    if (value->axes[i].kind == AXIS_TIME)
      return i;
  return -1;
}

struct classes_map {
  const struct keras_layer *layer;
  int32_t part;
};

static cuseq_status classes(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct classes_map *map = context;
  return expression_unary(&evaluator->expressions, EXPRESSION_CLASSES, map->part, child, &map->layer->node,
                          expression);
}

cuseq_status softmax_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                           struct value *value) {
  char text[128];
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  if (value->axes[axis].kind == AXIS_TIME && e->width == 1 && e->clocks != 0)
    return expression_over(&evaluator->expressions, EXPRESSION_SOFTMAX, value->axes[axis].clock, 0, false,
                           value->expression, &layer->node, &value->expression);
  if (value_is_feature_axis(&evaluator->expressions, value, axis)) {
    if (e->width == 1)
      return layer_refuse(layer,
                          "a softmax over an axis of one entry is 1 everywhere (needed: over the positions, "
                          "axis 1)");
    struct classes_map map = {layer, CLASSES_SOFTMAX};
    return value_map(evaluator, value, classes, &map);
  }
  return layer_refuse(layer, "cuseq cannot express its softmax over axis %d of %s", axis,
                      value_describe(&evaluator->expressions, value, text, sizeof text));
}

/* `softmax` as an activation runs over the last axis. Where that has one entry the result would be 1 everywhere, and
 * a file of Keras 2 is one of those whose author gave the name softmax to a function of his own that runs over the
 * positions: no more than its name is written, unless it was registered, which marks it as a function. Such functions
 * stand in Activation layers: Dense(1, activation="softmax") is a slip that is common, and 1 everywhere. */
static cuseq_status softmax_by_name(struct evaluator *evaluator, const struct keras_layer *layer, bool own,
                                    struct value *value) {
  int32_t last = value->axis_count - 1, time = time_axis(value);
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  bool single = value_is_feature_axis(&evaluator->expressions, value, last) && e->width == 1;
  bool may_be_own = evaluator->version.major < 3 && strcmp(layer->node.class_name, "Activation") == 0;
  if (single && time >= 0 && (own || may_be_own)) {
    if (e->clocks != 0)
      TRY(notes_add(&evaluator->notes,
                    "layer '%.100s': its softmax is taken over the positions, as it would be 1 "
                    "everywhere over its last axis",
                    layer->node.name));
    return softmax_apply(evaluator, layer, time, value);
  }
  if (own)
    return layer_refuse(layer,
                        "its activation is the author's own function 'softmax', whose code the file lacks");
  return softmax_apply(evaluator, layer, last, value);
}

static cuseq_status log_softmax_apply(struct evaluator *evaluator, const struct keras_layer *layer,
                                      struct value *value) {
  struct classes_map map = {layer, CLASSES_LOG_SOFTMAX};
  char text[128];
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  if (e->width > 1 && value_is_feature_axis(&evaluator->expressions, value, value->axis_count - 1))
    return value_map(evaluator, value, classes, &map);
  return layer_refuse(layer, "cuseq cannot express its log_softmax over the last axis of %s",
                      value_describe(&evaluator->expressions, value, text, sizeof text));
}

struct elementwise {
  const struct keras_layer *layer;
  cuseq_activation activation;
};

static cuseq_status activate(struct evaluator *evaluator, void *context, int32_t child, int32_t *expression) {
  const struct elementwise *map = context;
  return expression_unary(&evaluator->expressions, EXPRESSION_ACTIVATION, (int32_t)map->activation, child,
                          &map->layer->node, expression);
}

cuseq_status activation_apply(struct evaluator *evaluator, const struct keras_layer *layer,
                              cuseq_activation activation, bool own, struct value *value) {
  if (activation == CUSEQ_ACTIVATION_LINEAR)
    return CUSEQ_STATUS_OK;
  if (activation == CUSEQ_ACTIVATION_SOFTMAX)
    return softmax_by_name(evaluator, layer, own, value);
  if (activation == CUSEQ_ACTIVATION_LOG_SOFTMAX)
    return log_softmax_apply(evaluator, layer, value);
  struct elementwise map = {layer, activation};
  return value_map(evaluator, value, activate, &map);
}
