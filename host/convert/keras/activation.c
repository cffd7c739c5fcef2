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

bool activation_named(const char *name, int major, cuseq_activation *kind) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].name, name) == 0) {
      *kind = names[i].activation;
      if (*kind == CUSEQ_ACTIVATION_HARD_SIGMOID && major < 3)
        *kind = CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
      return true;
    }
  return false;
}

/* The last part of "package>name". */
static const char *plain_name(const char *name) {
  const char *mark = strrchr(name, '>');
  return mark != NULL ? mark + 1 : name;
}

/* The name in a setting, and whether it is written as a function that is none of Keras' (*own). */
static cuseq_status read_name(const struct keras_layer *layer, const json_t *setting, const char **name,
                              bool *own) {
  *own = json_is_object(setting);
  *name = json_string_value(*own ? json_object_get(setting, "config") : setting);
  if (*name == NULL && *own) {
    const char *class_name = json_string_value(json_object_get(setting, "class_name"));
    return layer_refuse(layer,
                        "its activation is an object of the class '%.60s' (needed one of Keras' functions)",
                        class_name != NULL ? class_name : "?");
  }
  if (*name == NULL)
    return layer_refuse(layer, "its activation is not a name");
  if (*own)
    *name = plain_name(*name);
  return CUSEQ_STATUS_OK;
}

cuseq_status activation_parse(struct evaluator *evaluator, const struct keras_layer *layer,
                              const json_t *setting, cuseq_activation absent,
                              struct named_activation *activation) {
  *activation = (struct named_activation){.kind = absent};
  if (setting == NULL)
    return CUSEQ_STATUS_OK;
  activation->kind = CUSEQ_ACTIVATION_LINEAR;
  if (json_is_null(setting))
    return CUSEQ_STATUS_OK;
  const char *name;
  bool own;
  TRY(read_name(layer, setting, &name, &own));
  const char *meaning = own_activations_meaning(evaluator->own, name);
  if (meaning == NULL && own)
    return layer_refuse(layer,
                        "its activation is the author's own function '%.60s', whose code the file lacks "
                        "(--own-activation %.60s=MEANING says what it computes)",
                        name, name);
  if (meaning != NULL && strcmp(meaning, OWN_SOFTMAX_AXIS_1) == 0) {
    *activation = (struct named_activation){.kind = CUSEQ_ACTIVATION_SOFTMAX, .over_axis_1 = true};
    return CUSEQ_STATUS_OK;
  }
  activation->said = meaning != NULL;
  if (activation_named(meaning != NULL ? meaning : name, evaluator->version.major, &activation->kind))
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer,
                      "cuseq has no activation '%.60s' (of a function of the author's own "
                      "--own-activation %.60s=MEANING says what it computes)",
                      name, name);
}

/* ---- softmax -------------------------------------------------------------------------------------- */

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
  if (is_positions_softmax(evaluator, value, axis))
    return expression_unary(&evaluator->expressions, EXPRESSION_WEIGHTS, 0, value->expression, &layer->node,
                            &value->expression);
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

/* `softmax` as an activation runs over the last axis. Where that has one entry it is 1 everywhere, unless the
 * author gave the name to a function of his own, as the authors of published models did: a file has no more
 * than its name. Which of the two it is, only the user can say. */
static cuseq_status softmax_by_name(struct evaluator *evaluator, const struct keras_layer *layer,
                                    const struct named_activation *activation, struct value *value) {
  int32_t last = value->axis_count - 1;
  if (activation->over_axis_1)
    return softmax_apply(evaluator, layer, 1, value);
  const struct expression *e = expression_at(&evaluator->expressions, value->expression);
  bool single = value_is_feature_axis(&evaluator->expressions, value, last) && e->width == 1;
  if (single && e->clocks != 0 && value->axis_count == 3 && value->axes[1].kind == AXIS_TIME &&
      !activation->said)
    return layer_refuse(
        layer, "its activation 'softmax', over the last axis of [batch, time, 1], is 1 everywhere if it "
               "is Keras' own, which cuseq cannot express; if it is the author's function of that name, "
               "say so: --own-activation softmax=" OWN_SOFTMAX_AXIS_1 " takes it over the positions");
  return softmax_apply(evaluator, layer, last, value);
}

cuseq_status log_softmax_apply(struct evaluator *evaluator, const struct keras_layer *layer,
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
                              struct named_activation activation, struct value *value) {
  if (activation.kind == CUSEQ_ACTIVATION_LINEAR)
    return CUSEQ_STATUS_OK;
  if (activation.kind == CUSEQ_ACTIVATION_SOFTMAX)
    return softmax_by_name(evaluator, layer, &activation, value);
  if (activation.kind == CUSEQ_ACTIVATION_LOG_SOFTMAX)
    return log_softmax_apply(evaluator, layer, value);
  struct elementwise map = {layer, activation.kind};
  return value_map(evaluator, value, activate, &map);
}
