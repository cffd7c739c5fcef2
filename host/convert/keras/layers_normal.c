/* Layers that scale and shift each feature by numbers of their own: normalisations as they are used once a
 * model is trained. They fold into what reads them. And LayerNormalization, whose mean and variance are those
 * of what it reads. */
#include "convert/keras/layers.h"
#include "convert/keras/python_json.h"
#include "error.h"

#include <math.h>
#include <string.h>

/* ---- BatchNormalization --------------------------------------------------------------------------- */

/* Whether a setting names the last axis alone: a number, or a list of one. */
static bool is_last_axis(const json_t *axis, const struct value *value) {
  if (json_is_array(axis) && json_array_size(axis) == 1)
    axis = json_array_get(axis, 0);
  json_int_t at = json_integer_value(axis);
  return json_is_integer(axis) && (at == -1 || at == value->axis_count - 1);
}

static cuseq_status check_axis(struct evaluator *evaluator, const struct layer_call *call,
                               const struct value *value) {
  const json_t *axis = json_object_get(call->layer->config, "axis");
  char text[128];
  if (is_last_axis(axis, value) &&
      value_is_feature_axis(&evaluator->expressions, value, value->axis_count - 1))
    return CUSEQ_STATUS_OK;
  return layer_refuse(call->layer, "it normalises %s along another axis than that of its features",
                      value_describe(&evaluator->expressions, value, text, sizeof text));
}

/* The number of `key` in the configuration. */
static cuseq_status read_number(const struct keras_layer *layer, const json_t *config, const char *key,
                                double fallback, double *number) {
  const json_t *setting = json_object_get(config, key);
  *number = fallback;
  if (setting != NULL && !python_json_number(setting, number))
    return layer_refuse(layer, "its setting %s is no number", key);
  return CUSEQ_STATUS_OK;
}

/* gamma, beta, mean and variance, where there are such; NULL: none. */
struct statistics {
  const float *numbers[4];
};

static cuseq_status read_statistics(struct evaluator *evaluator, const struct keras_layer *layer,
                                    const json_t *config, int32_t width, struct statistics *found) {
  static const char *const names[] = {"gamma", "beta", "moving_mean", "moving_variance"};
  struct expressions *expressions = &evaluator->expressions;
  struct layer_weights weights;
  bool there[] = {true, true, true, true};
  int32_t matrices[] = {-1, -1, -1, -1};
  TRY(layer_bool(layer, config, "scale", true, &there[0]));
  TRY(layer_bool(layer, config, "center", true, &there[1]));
  TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  size_t at = 0;
  for (int i = 0; i < 4; i++)
    if (there[i])
      TRY(weights_matrix(expressions, layer, &weights, at++, names[i], 0, width, &matrices[i]));
  for (int i = 0; i < 4; i++)
    found->numbers[i] = matrices[i] >= 0 ? expressions->matrices[matrices[i]].data : NULL;
  return CUSEQ_STATUS_OK;
}

/* gamma (x - mean) / sqrt(variance + epsilon) + beta. */
cuseq_status batch_normalise(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                             struct value *value) {
  const struct keras_layer *layer = call->layer;
  int32_t width = expression_at(&evaluator->expressions, value->expression)->width;
  struct statistics statistics;
  double epsilon;
  bool renorm;
  TRY(layer_bool(layer, config, "renorm", false, &renorm));
  if (renorm)
    return layer_refuse(layer, "its setting renorm: cuseq cannot express batch renormalisation");
  TRY(read_number(layer, config, "epsilon", 1e-3, &epsilon));
  TRY(read_statistics(evaluator, layer, config, width, &statistics));
  double *factors = arena_allocate(evaluator->arena, 2 * (size_t)width * sizeof *factors);
  if (factors == NULL)
    return error_out_of_memory();
  double *terms = factors + width;
  for (int32_t i = 0; i < width; i++) {
    double variance = (double)statistics.numbers[3][i] + epsilon;
    if (!(variance > 0))
      return layer_refuse(layer, "its variance %d is not positive", i);
    factors[i] = (statistics.numbers[0] != NULL ? (double)statistics.numbers[0][i] : 1) / sqrt(variance);
    terms[i] = (statistics.numbers[1] != NULL ? (double)statistics.numbers[1][i] : 0) -
               (double)statistics.numbers[2][i] * factors[i];
  }
  return affine_apply(evaluator, layer, factors, terms, value);
}

cuseq_status layer_batch_normalization(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  TRY(check_axis(evaluator, call, &value));
  TRY(batch_normalise(evaluator, call, call->layer->config, &value));
  return call_output(evaluator, call, &value);
}

/* ---- LayerNormalization --------------------------------------------------------------------------- */

/* Its factors, or terms, of `value` where it has none. */
static cuseq_status read_factors(struct evaluator *evaluator, const struct keras_layer *layer,
                                 const struct layer_weights *weights, const char *name, bool there,
                                 float value, int32_t width, size_t *at, int32_t *matrix) {
  struct expressions *expressions = &evaluator->expressions;
  bool found;
  if (there)
    return weights_matrix(expressions, layer, weights, (*at)++, name, 0, width, matrix);
  TRY(matrix_make(expressions, layer, name[0], 1, width, matrix, &found));
  for (int32_t i = 0; !found && i < width; i++)
    expressions->matrices[*matrix].data[i] = value;
  return CUSEQ_STATUS_OK;
}

/* What is made of a vector. */
struct normalising {
  const struct keras_layer *layer;
  double epsilon;
  int32_t gamma, beta;
};

static cuseq_status normalise_one(struct evaluator *evaluator, void *context, int32_t child, int32_t *made) {
  const struct normalising *with = context;
  return expression_norm(&evaluator->expressions, child, with->epsilon, with->gamma, with->beta,
                         &with->layer->node, made);
}

cuseq_status layer_normalise(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                             struct value *value) {
  const struct keras_layer *layer = call->layer;
  const int32_t width = expression_at(&evaluator->expressions, value->expression)->width;
  struct layer_weights weights;
  bool scales, centers, by_root;
  struct normalising with = {.layer = layer};
  size_t at = 0;
  TRY(layer_bool(layer, config, "rms_scaling", false, &by_root));
  if (by_root)
    return layer_refuse(layer, "its setting rms_scaling: cuseq can express a normalisation by the variance "
                               "around the mean alone");
  TRY(layer_bool(layer, config, "scale", true, &scales));
  TRY(layer_bool(layer, config, "center", true, &centers));
  TRY(read_number(layer, config, "epsilon", 1e-3, &with.epsilon));
  if (!((float)with.epsilon > 0))
    return layer_refuse(layer, "its epsilon is not above 0: of equal numbers it makes no number");
  if (scales || centers)
    TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  TRY(read_factors(evaluator, layer, &weights, "gamma", scales, 1, width, &at, &with.gamma));
  TRY(read_factors(evaluator, layer, &weights, "beta", centers, 0, width, &at, &with.beta));
  return value_map(evaluator, value, normalise_one, &with);
}

cuseq_status layer_layer_normalization(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  TRY(check_axis(evaluator, call, &value));
  TRY(layer_normalise(evaluator, call, call->layer->config, &value));
  return call_output(evaluator, call, &value);
}

/* ---- Normalization, Rescaling --------------------------------------------------------------------- */

/* Numbers of a setting for each feature: one for all of them, or a list, within lists of one entry, of as
 * many. */
static cuseq_status read_numbers(struct evaluator *evaluator, const struct keras_layer *layer,
                                 const char *key, double fallback, int32_t width, double **numbers) {
  const json_t *setting = json_object_get(layer->config, key);
  *numbers = arena_allocate(evaluator->arena, (size_t)width * sizeof **numbers);
  if (*numbers == NULL)
    return error_out_of_memory();
  while (json_array_size(setting) == 1)
    setting = json_array_get(setting, 0);
  bool list = json_is_array(setting), good = !list || (int32_t)json_array_size(setting) == width;
  for (int32_t i = 0; good && i < width; i++) {
    const json_t *one = list ? json_array_get(setting, (size_t)i) : setting;
    (*numbers)[i] = fallback;
    good = one == NULL ? !list : python_json_number(one, &(*numbers)[i]);
  }
  return good ? CUSEQ_STATUS_OK
              : layer_refuse(layer, "its setting %s is not one number, nor one for each of the %d features",
                             key, width);
}

/* The mean and variance that it was made with, or was adapted to. */
static cuseq_status read_adapted(struct evaluator *evaluator, const struct layer_call *call, int32_t width,
                                 double **mean, double **variance) {
  static const char *const names[] = {"mean", "variance"};
  const struct keras_layer *layer = call->layer;
  double **numbers[] = {mean, variance};
  const json_t *given = json_object_get(layer->config, "mean");
  struct layer_weights weights;
  bool adapted = given == NULL || json_is_null(given);
  if (adapted)
    TRY(weights_find(&evaluator->weights, layer, WEIGHTS_WHOLE, &weights));
  for (int k = 0; k < 2; k++) {
    int32_t matrix;
    TRY(read_numbers(evaluator, layer, adapted ? "" : names[k], 0, width, numbers[k]));
    if (adapted)
      TRY(weights_matrix(&evaluator->expressions, layer, &weights, (size_t)k, names[k], 0, width, &matrix));
    for (int32_t i = 0; adapted && i < width; i++)
      (*numbers[k])[i] = evaluator->expressions.matrices[matrix].data[i];
  }
  return CUSEQ_STATUS_OK;
}

/* (x - mean) / max(sqrt(variance), epsilon); with invert back again. */
cuseq_status layer_normalization(struct evaluator *evaluator, struct layer_call *call) {
  const double least = 1e-6; /* far from keras.backend.epsilon(), which its author may set */
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  double *mean, *variance;
  bool invert;
  int32_t width = expression_at(&evaluator->expressions, value.expression)->width;
  TRY(check_axis(evaluator, call, &value));
  TRY(layer_bool(call->layer, call->layer->config, "invert", false, &invert));
  TRY(read_adapted(evaluator, call, width, &mean, &variance));
  double *factors = variance, *terms = mean;
  for (int32_t i = 0; i < width; i++) {
    double deviation = sqrt(variance[i]);
    if (!(deviation >= least))
      return layer_refuse(
          call->layer,
          "its variance %d is so small that Keras' epsilon decides, which the file does not tell", i);
    factors[i] = invert ? deviation : 1 / deviation;
    terms[i] = invert ? mean[i] : -mean[i] / deviation;
  }
  TRY(affine_apply(evaluator, call->layer, factors, terms, &value));
  return call_output(evaluator, call, &value);
}

cuseq_status layer_rescaling(struct evaluator *evaluator, struct layer_call *call) {
  TRY(call_arity(call, 1, 1));
  struct value value = call->inputs[0];
  int32_t last = value.axis_count - 1,
          width = expression_at(&evaluator->expressions, value.expression)->width;
  const json_t *scale = json_object_get(call->layer->config, "scale");
  const json_t *offset = json_object_get(call->layer->config, "offset");
  double *factors, *terms;
  if ((json_is_array(scale) || json_is_array(offset)) &&
      !value_is_feature_axis(&evaluator->expressions, &value, last))
    return layer_refuse(call->layer, "it scales along an axis that is not that of the features");
  TRY(read_numbers(evaluator, call->layer, "scale", 1, width, &factors));
  TRY(read_numbers(evaluator, call->layer, "offset", 0, width, &terms));
  TRY(affine_apply(evaluator, call->layer, factors, terms, &value));
  return call_output(evaluator, call, &value);
}
