/* .keras archives: a layer's weights lie in layers/CLASS_N/.../vars/0, 1, ..., where CLASS_N is its class in
 * snake case, numbered in the order of the model's layers. From Keras 3.7 on the group vars has the layer's
 * name as an attribute, which must agree. */
#include "convert/keras/weights_parts.h"
#include "error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Keras' to_snake_case; TFOpLambda -> tf_op_lambda. */
void weights_snake_case(const char *name, char *snake, size_t capacity) {
  size_t used = 0;
  for (size_t i = 0; name[i] != '\0' && used + 2 < capacity; i++) {
    unsigned char c = (unsigned char)name[i];
    if (!isalnum(c) && c != '_')
      continue;
    bool after_lower = i > 0 && islower((unsigned char)name[i - 1]);
    bool before_lower = i > 0 && islower((unsigned char)name[i + 1]);
    if (isupper(c) && (after_lower || before_lower))
      snake[used++] = '_';
    snake[used++] = (char)tolower(c);
  }
  snake[used] = '\0';
}

/* ---- one layer object in two models --------------------------------------------------------------- */

/* An object is saved where it is met first, in the order of the layers; where it is met again its
 * configuration has a shared_object_id, and often only there. The first one is found by its class and
 * name. */
struct owner_search {
  const struct keras_layer *layer;
  const struct keras_layer *unmarked; /* of the same class and name, without an id */
  const struct keras_layer *marked;   /* with the same id */
  size_t unmarked_count;
};

static bool same_text(const char *a, const char *b) {
  return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* What a wrapper has in it may be the object too. */
static bool wraps_it(const struct keras_layer *wrapper, const struct keras_layer *layer) {
  static const char *const settings[] = {"layer", "backward_layer"};
  for (size_t i = 0; i < 2; i++) {
    const json_t *json = json_object_get(wrapper->config, settings[i]);
    const json_t *name = json_object_get(json_object_get(json, "config"), "name");
    if (same_text(json_string_value(json_object_get(json, "class_name")), layer->node.class_name) &&
        same_text(json_string_value(name), layer->node.name))
      return true;
  }
  return false;
}

/* Looks at all layers before the one that is searched for; true when it was met. */
static bool search_owner(const struct keras_model *model, struct owner_search *search) {
  const struct keras_layer *layer = search->layer;
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *other = &model->layers[i];
    if (other == layer)
      return true;
    if (wraps_it(other, layer))
      search->unmarked_count += 2; /* whichever it is, its weights are not where a layer's are */
    if (same_text(other->node.class_name, layer->node.class_name) &&
        same_text(other->node.name, layer->node.name)) {
      if (other->shared == layer->shared && search->marked == NULL)
        search->marked = other;
      if (other->shared == 0) {
        search->unmarked = other;
        search->unmarked_count++;
      }
    }
    if (other->inner != NULL && search_owner(other->inner, search))
      return true;
  }
  return false;
}

/* The layer that the weights were saved with: this one, the same object elsewhere, or NULL where that is not
 * clear. */
static const struct keras_layer *find_owner(const struct weights_source *source,
                                            const struct keras_layer *layer) {
  struct owner_search search = {.layer = layer};
  if (layer->shared == 0)
    return layer;
  search_owner(source->model, &search);
  if (search.unmarked_count > 0)
    return search.unmarked_count == 1 ? search.unmarked : NULL;
  return search.marked != NULL ? search.marked : layer;
}

/* ---- folders -------------------------------------------------------------------------------------- */

/* Keras 2.12 and 2.13 save the layers from another list than all others. */
static const char old_layers[] = "_layer_checkpoint_dependencies";

static const struct hdf5_node *layers_group(const struct hdf5_node *model) {
  const struct hdf5_node *layers = weights_child(model, "layers");
  return layers != NULL ? layers : weights_child(model, old_layers);
}

static bool has_weights(const struct keras_layer *layer) {
  struct expected_weights expected;
  weights_expect(layer, WEIGHTS_WHOLE, &expected);
  bool has = expected.count > 0;
  for (size_t i = 0; layer->inner != NULL && i < layer->inner->layer_count && !has; i++)
    has = has_weights(&layer->inner->layers[i]);
  return has;
}

/* From 2.14 on Keras 2 does not count a layer that it has met in another model. */
static bool counts_shared(const struct keras_version *version) {
  return version->major > 2 || version->minor < 14;
}

/* The layer's folder: its class in snake case and, from the second of that class on, _1, _2, ... In the old
 * list layers that have weights stand twice, and so they are counted. */
static cuseq_status name_folder(struct weights_source *source, json_t *counts, bool old,
                                struct keras_layer *layer) {
  char name[WEIGHTS_MAX_NAME];
  weights_snake_case(layer->node.class_name, name, sizeof name - 32);
  json_int_t before = json_integer_value(json_object_get(counts, name));
  bool counted =
      json_object_set_new(counts, name, json_integer(before + (old && has_weights(layer) ? 2 : 1))) == 0;
  if (before > 0)
    snprintf(name + strlen(name), 32, "_%lld", (long long)before);
  layer->folder_name = arena_copy(source->arena, name, strlen(name));
  return counted && layer->folder_name != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

/* Whether a folder has the name of what should lie in it, or none. */
static bool name_agrees(const struct hdf5_node *folder, const char *name) {
  const struct hdf5_node *vars = weights_child(folder, "vars");
  const struct hdf5_attribute *found = vars != NULL ? hdf5_attribute_find(vars, "name") : NULL;
  return found == NULL || name == NULL ||
         (found->count == 1 && found->strings[0].size == strlen(name) &&
          memcmp(found->strings[0].text, name, strlen(name)) == 0);
}

static cuseq_status refuse_name(const struct keras_layer *layer, const char *folder) {
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "layer '%.120s': its folder %.80s in the file is that of another layer", layer->node.name,
                   folder);
}

static cuseq_status find_folders(struct weights_source *source, json_t *counts, struct keras_model *model,
                                 const struct hdf5_node *group);

static cuseq_status name_folders(struct weights_source *source, struct keras_model *model,
                                 const struct hdf5_node *group) {
  json_t *counts = json_object();
  if (counts == NULL)
    return error_out_of_memory();
  cuseq_status status = find_folders(source, counts, model, layers_group(group));
  json_decref(counts);
  return status;
}

static cuseq_status find_folders(struct weights_source *source, json_t *counts, struct keras_model *model,
                                 const struct hdf5_node *group) {
  bool old = group != NULL && group->name.size == strlen(old_layers);
  for (size_t i = 0; i < model->layer_count; i++) {
    struct keras_layer *layer = &model->layers[i];
    if (layer->is_operation ||
        (!counts_shared(&source->version) && layer->shared != 0 && find_owner(source, layer) != layer))
      continue;
    TRY(name_folder(source, counts, old, layer));
    layer->folder = weights_child(group, layer->folder_name);
    if (layer->folder != NULL)
      source->claims[layer->folder->number].layer = layer;
    if (!name_agrees(layer->folder, layer->node.name))
      return refuse_name(layer, layer->folder_name);
    if (layer->inner != NULL)
      TRY(name_folders(source, layer->inner, layer->folder));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status archive_name_folders(struct weights_source *source, struct keras_model *model) {
  return name_folders(source, model, source->root);
}

/* ---- weights -------------------------------------------------------------------------------------- */

/* Keras 2 has the projections of a MultiHeadAttention under names of its own. */
static void find_projection(const struct keras_layer *owner, struct expected_weights *expected) {
  char hidden[sizeof expected->folder];
  snprintf(hidden, sizeof hidden, "_%.60s", expected->folder);
  if (weights_child(owner->folder, expected->folder) == NULL && weights_child(owner->folder, hidden) != NULL)
    snprintf(expected->folder, sizeof expected->folder, "%s", hidden);
}

cuseq_status archive_find(struct weights_source *source, const struct keras_layer *layer,
                          enum weights_part part, struct layer_weights *weights) {
  const struct keras_layer *owner = find_owner(source, layer);
  if (owner == NULL)
    return layer_refuse(layer, "it is in several models, and the file does not tell where its weights are");
  struct expected_weights expected;
  char path[80];
  weights_expect(owner, part, &expected);
  if (part >= WEIGHTS_CELL && weights_cells(owner) == NULL)
    find_projection(owner, &expected);
  if (part >= WEIGHTS_CELL && !name_agrees(weights_child(owner->folder, expected.folder), expected.cell))
    return refuse_name(layer, expected.folder);
  snprintf(path, sizeof path, "%.*s", (int)strcspn(expected.folder, "/"), expected.folder);
  if (expected.wrapper != NULL && !name_agrees(weights_child(owner->folder, path),
                                               json_string_value(json_object_get(expected.wrapper, "name"))))
    return refuse_name(layer, path);
  snprintf(path, sizeof path, "%s/vars", expected.folder);
  const struct hdf5_node *vars = weights_child(owner->folder, path);
  while (vars != NULL && weights->count < expected.count) {
    char number[32];
    snprintf(number, sizeof number, "%zu", weights->count);
    const struct hdf5_node *array = weights_child(vars, number);
    if (array == NULL || !array->is_array)
      break;
    TRY(weights_claim(source, array, owner, part, weights->count));
    weights->arrays[weights->count++] = array;
  }
  const size_t size = strlen(owner->node.class_name);
  if (weights->count == 0 && size > 4 && strcmp(owner->node.class_name + size - 4, "Cell") == 0)
    return layer_refuse(layer, "its weights lie in another layer, an RNN over it, which cuseq cannot express "
                               "(needed a cell that no other layer has)");
  return CUSEQ_STATUS_OK;
}

/* ---- what nobody took ----------------------------------------------------------------------------- */

static cuseq_status refuse_nobodys(const struct hdf5_node *group, const char *path) {
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "the file has weights of no layer that its configuration has (%.*s/%.200s)",
                   (int)(group->name.size < 120 ? group->name.size : 120), group->name.text, path);
}

static bool is_one_of(const struct hdf5_node *node, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (node->name.size == strlen(names[i]) && memcmp(node->name.text, names[i], node->name.size) == 0)
      return true;
  return false;
}

static cuseq_status check_model(const struct weights_source *source, const struct hdf5_node *group);

static cuseq_status check_layer(const struct weights_source *source, const struct keras_layer *layer) {
  char path[WEIGHTS_MAX_PATH];
  if (!layer->marks->used)
    return CUSEQ_STATUS_OK;
  if (layer->inner != NULL)
    return check_model(source, layer->folder);
  if (weights_unclaimed(source, layer->folder, path, sizeof path) == NULL)
    return CUSEQ_STATUS_OK;
  return layer_refuse(layer, "the file has a weight of it that cuseq does not know (%.80s/%.200s)",
                      layer->folder_name, path);
}

/* group: the folder of a model, or the root. */
static cuseq_status check_model(const struct weights_source *source, const struct hdf5_node *group) {
  static const char *const of_training[] = {"optimizer", "metrics"};
  const struct hdf5_node *layers = layers_group(group);
  char path[WEIGHTS_MAX_PATH];
  for (const struct hdf5_node *child = group->first_child; child != NULL; child = child->next) {
    if (child == layers || is_one_of(child, of_training, sizeof of_training / sizeof *of_training))
      continue;
    if (child->is_array || weights_unclaimed(source, child, path, sizeof path) != NULL)
      return refuse_nobodys(child, child->is_array ? "" : path);
  }
  for (const struct hdf5_node *child = layers != NULL ? layers->first_child : NULL; child != NULL;
       child = child->next) {
    const struct keras_layer *layer = child->is_array ? NULL : source->claims[child->number].layer;
    if (layer != NULL)
      TRY(check_layer(source, layer));
    else if (child->is_array || weights_unclaimed(source, child, path, sizeof path) != NULL)
      return refuse_nobodys(child, child->is_array ? "" : path);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status archive_all_found(const struct weights_source *source) {
  return check_model(source, source->root);
}
