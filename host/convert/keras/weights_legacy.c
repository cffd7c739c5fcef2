/* Whole-model .h5: model_weights/LAYER has a list weight_names, of paths that lie in it. The list of a model
 * that is used as a layer has all that is in it. Its order depends on what is trainable, where, and in which
 * Keras, so the names alone decide (weights_names.c). What they leave open is refused. */
#include "convert/keras/weights_names.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LOOKED_AT = 50000000, MAX_COMPARED = 1000 };

/* ---- the list ------------------------------------------------------------------------------------- */

/* The text `at` of the list weight_names, which Keras splits into weight_names0, weight_names1, ... where it
 * is long. */
static const struct hdf5_string *list_item(const struct hdf5_node *group, size_t at) {
  const struct hdf5_attribute *whole = hdf5_attribute_find(group, "weight_names");
  if (whole != NULL)
    return at < whole->count ? &whole->strings[at] : NULL;
  for (int chunk = 0; chunk < 100000; chunk++) {
    char numbered[64];
    snprintf(numbered, sizeof numbered, "weight_names%d", chunk);
    const struct hdf5_attribute *part = hdf5_attribute_find(group, numbered);
    if (part == NULL)
      return NULL;
    if (at < part->count)
      return &part->strings[at];
    at -= part->count;
  }
  return NULL;
}

static const struct hdf5_node *group_of(const struct weights_source *source, const struct keras_layer *top) {
  const struct hdf5_node *layers = weights_child(source->root, "model_weights");
  return weights_child(layers, top->node.name);
}

/* ---- weights -------------------------------------------------------------------------------------- */

/* Keras stops in the middle of the file where two weights of a group have one name. */
static const struct hdf5_string *double_name(const struct hdf5_node *group) {
  const struct hdf5_string *name, *other;
  for (size_t i = 0; i < MAX_COMPARED && (name = list_item(group, i)) != NULL; i++)
    for (size_t k = 0; k < i && (other = list_item(group, k)) != NULL; k++)
      if (name->size == other->size && memcmp(name->text, other->text, name->size) == 0)
        return name;
  return NULL;
}

static cuseq_status refuse_names(const struct hdf5_node *group, const struct keras_layer *layer,
                                 const char *what, const char *why) {
  const struct hdf5_string *twice = double_name(group);
  if (twice != NULL)
    return layer_refuse(
        layer,
        "two of its weights have the name %.*s, at which Keras stops writing: the file is not whole "
        "(save the model as .keras)",
        (int)(twice->size < 120 ? twice->size : 120), twice->text);
  return layer_refuse(
      layer,
      "the names in the file do not tell where its %s is (%s); load the model in Keras and save it as "
      ".keras",
      what, why);
}

/* Finds one weight by name; *array stays NULL where there is none. */
static cuseq_status find_weight(struct weights_source *source, const struct hdf5_node *group,
                                const struct wanted_weight *wanted, const struct hdf5_node **array) {
  const struct hdf5_string *name, *best = NULL;
  int best_fit = 0, equals = 0, others = 0;
  for (size_t i = 0; (name = list_item(group, i)) != NULL; i++) {
    if (++source->looked_at > MAX_LOOKED_AT)
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "the model has too many weights");
    int fit = weights_name_fits(name, wanted, &others);
    if (fit == 0 || fit < best_fit)
      continue;
    equals = fit > best_fit ? 1 : equals + 1;
    best_fit = fit;
    best = name;
  }
  if (equals > 1)
    return refuse_names(group, wanted->layer, wanted->what, "several fit");
  if (best == NULL && others > 0)
    return refuse_names(group, wanted->layer, wanted->what, "none of them names this layer");
  *array = best != NULL ? hdf5_find(group, best->text, best->size) : NULL;
  if (best != NULL && (*array == NULL || !(*array)->is_array))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': its weights are not where weight_names says",
                     wanted->layer->node.name);
  return CUSEQ_STATUS_OK;
}

/* LoRA's matrices are added to the kernel in a .keras file, and lie beside it here. */
static cuseq_status refuse_lora(const struct keras_layer *layer, const struct expected_weights *expected) {
  const json_t *config = expected->wrapper != NULL ? expected->wrapper : layer->config;
  const json_t *rank = json_object_get(config, "lora_rank");
  if (rank == NULL || json_is_null(rank))
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer,
                      "it was trained with LoRA, and a .h5 file has LoRA's matrices apart from its kernel; "
                      "load the model in Keras and save it as .keras, which adds them up");
}

cuseq_status legacy_find(struct weights_source *source, const struct keras_layer *layer,
                         enum weights_part part, struct layer_weights *weights) {
  const struct hdf5_node *group = group_of(source, weights_top(layer));
  struct wanted_weight wanted = {.layer = layer, .part = part};
  if (group == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "layer '%.120s': the file has no weights of it",
                     layer->node.name);
  weights_expect(layer, part, &wanted.expected);
  TRY(refuse_lora(layer, &wanted.expected));
  for (size_t i = 0; i < wanted.expected.count; i++) {
    const struct hdf5_node *array = NULL;
    wanted.what = wanted.expected.names[i];
    wanted.alone = weights_count_with(weights_top(layer), wanted.what, 0) < 2;
    TRY(find_weight(source, group, &wanted, &array));
    if (array == NULL)
      break;
    TRY(weights_claim(source, array, layer, part, i));
    weights->arrays[weights->count++] = array;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what nobody took ----------------------------------------------------------------------------- */

static const struct keras_layer *layer_named(const struct keras_model *model, const struct hdf5_node *group) {
  for (size_t i = 0; i < model->layer_count; i++) {
    const char *name = model->layers[i].node.name;
    if (strlen(name) == group->name.size && memcmp(name, group->name.text, group->name.size) == 0)
      return &model->layers[i];
  }
  return NULL;
}

/* Whether anything in a configuration is frozen. Keras puts the weights of what is not before all others. */
static bool is_frozen(const json_t *json, int depth) {
  const char *key;
  json_t *value;
  if (depth > 4 * GRAPH_MAX_NESTING || json_is_false(json_object_get(json, "trainable")))
    return true;
  json_object_foreach((json_t *)json, key, value) if (is_frozen(value, depth + 1)) return true;
  for (size_t i = 0; i < json_array_size(json); i++)
    if (is_frozen(json_array_get(json, i), depth + 1))
      return true;
  return false;
}

/* Numbers the weights of a layer, or of the layers in it, in their order. */
static void rank_weights(const struct weights_source *source, const struct keras_layer *layer, size_t *rank) {
  for (size_t i = 0; layer->inner != NULL && i < layer->inner->layer_count; i++)
    rank_weights(source, &layer->inner->layers[i], rank);
  for (int part = 0; part < LAYER_WEIGHTS_PARTS; part++) {
    const struct layer_weights *found = layer->marks->found[part];
    for (size_t i = 0; found != NULL && i < found->count; i++)
      source->claims[found->arrays[i]->number].rank = ++*rank;
  }
}

/* Whether the list has the weights in the order of the layers where nothing is said to be frozen. What may be
 * frozen without the configuration's saying so, a direction or a cell, may come last, and so may statistics,
 * which are never trained, in their own order. Anything else means that layers were given each other's names
 * after they were built. */
static bool in_order(const struct weights_source *source, const struct keras_layer *top,
                     const struct hdf5_node *group) {
  size_t rank = 0, last = 0, last_statistic = 0;
  bool frozen = false;
  const struct hdf5_string *name;
  rank_weights(source, top, &rank);
  for (size_t i = 0; (name = list_item(group, i)) != NULL; i++) {
    const struct hdf5_node *array = hdf5_find(group, name->text, name->size);
    const struct weights_claim *claim = &source->claims[array->number];
    struct expected_weights expected;
    weights_expect(claim->layer, WEIGHTS_WHOLE, &expected);
    if (expected.statistics > 0 && claim->at >= expected.count - expected.statistics) {
      if (claim->rank <= last_statistic)
        return false;
      last_statistic = claim->rank;
      continue;
    }
    if (claim->rank <= last && frozen)
      return false;
    frozen = frozen || claim->rank <= last;
    if (frozen && expected.cell == NULL && expected.wrapper == NULL)
      return false;
    last = claim->rank;
  }
  return true;
}

static cuseq_status check_group(const struct weights_source *source, const struct keras_layer *layer,
                                const struct hdf5_node *group) {
  char path[WEIGHTS_MAX_PATH];
  const struct hdf5_string *name;
  for (size_t i = 0; (name = list_item(group, i)) != NULL; i++) {
    const struct hdf5_node *array = hdf5_find(group, name->text, name->size);
    if (array == NULL || !array->is_array)
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "layer '%.120s': its weights are not where weight_names says", layer->node.name);
  }
  if (weights_unclaimed(source, group, path, sizeof path) != NULL)
    return layer_refuse(layer, "the file has a weight of it that cuseq does not know (%.200s)", path);
  if (!is_frozen(layer->config, 0) && !in_order(source, layer, group))
    return layer_refuse(layer,
                        "its weights have the names of others of its layers (they are in another order); "
                        "load the model in Keras and save it as .keras");
  return CUSEQ_STATUS_OK;
}

cuseq_status legacy_all_found(const struct weights_source *source) {
  const struct hdf5_node *layers = weights_child(source->root, "model_weights");
  char path[WEIGHTS_MAX_PATH];
  for (const struct hdf5_node *group = layers != NULL ? layers->first_child : NULL; group != NULL;
       group = group->next) {
    const struct keras_layer *layer = layer_named(source->model, group);
    if (layer != NULL && layer->marks->used)
      TRY(check_group(source, layer, group));
    else if (layer == NULL &&
             (group->is_array || weights_unclaimed(source, group, path, sizeof path) != NULL))
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "the file has weights of no layer that its configuration has (%.*s/%.200s)",
                       (int)(group->name.size < 120 ? group->name.size : 120), group->name.text,
                       group->is_array ? "" : path);
  }
  return CUSEQ_STATUS_OK;
}
