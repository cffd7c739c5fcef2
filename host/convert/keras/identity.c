#include "convert/keras/identity.h"
#include "convert/keras/identity_keys.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

/* What is checked: the layer itself, or one that it has in it. */
struct subject {
  const struct keras_version *version;
  const struct keras_layer *layer; /* that errors name */
  const char *inside;              /* the setting that holds it; NULL: the layer itself */
  const char *class_name;
  const json_t *json, *config;
};

/* "its cell LSTMCell", or what the layer is called where it is the layer itself. */
static const char *subject_text(const struct subject *subject, char *text, size_t capacity) {
  if (subject->inside == NULL)
    snprintf(text, capacity, "it");
  else
    snprintf(text, capacity, "its %s, %.60s,", subject->inside, subject->class_name);
  return text;
}

static const char *text_or(const json_t *json, const char *fallback) {
  const char *text = json_string_value(json);
  return text != NULL ? text : fallback;
}

/* ---- by where the class is from ------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static bool is_of_keras(const char *module) {
  return strcmp(module, "keras") == 0 || begins_with(module, "keras.") || strcmp(module, "tf_keras") == 0 ||
         begins_with(module, "tf_keras.");
}

/* Keras registers its own classes under no name, or under their plain one; an author's has "Package>Name", or
 * a module that is not Keras' (null: the script itself). */
bool identity_is_own_class(const json_t *json) {
  const char *module = json_string_value(json_object_get(json, "module"));
  const json_t *registered = json_object_get(json, "registered_name");
  if (module == NULL || !is_of_keras(module))
    return false;
  if (registered == NULL || json_is_null(registered))
    return true;
  return json_is_string(registered) &&
         strcmp(json_string_value(registered), text_or(json_object_get(json, "class_name"), "")) == 0;
}

static cuseq_status refuse_author(const struct subject *subject) {
  char text[128];
  return layer_refuse(
      subject->layer,
      "%s is a class of the author's own under the name of one of Keras', and the file lacks its code "
      "(module %.80s, registered_name %.80s; " PAGE_FOR_AUTHORS ")",
      subject_text(subject, text, sizeof text), text_or(json_object_get(subject->json, "module"), "null"),
      text_or(json_object_get(subject->json, "registered_name"), "null"));
}

static cuseq_status refuse_unknown_to_keras(const struct subject *subject) {
  char text[128];
  return layer_refuse(
      subject->layer,
      "%s is a class of the author's own, as Keras %d.%d has no %.60s, and the file lacks its code "
      "(" PAGE_FOR_AUTHORS ")",
      subject_text(subject, text, sizeof text), subject->version->major, subject->version->minor,
      subject->class_name);
}

/* ---- by the configuration's keys ------------------------------------------------------------------ */

/* A key whose value is null is not in use, and later versions write more of them. */
static const char *unknown_key(const struct subject *subject, const struct identity_keys *keys,
                               bool null_is_nothing) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)subject->config, key, value) {
    if (null_is_nothing && json_is_null(value))
      continue;
    if (identity_key(keys, subject->version, key) == WRITES_NEVER)
      return key;
  }
  return NULL;
}

static bool missing_key(const struct subject *subject, const struct identity_keys *keys, char *key,
                        size_t capacity) {
  for (size_t at = 0; identity_next_key(keys, subject->version, &at, key, capacity);)
    if (json_object_get(subject->config, key) == NULL)
      return true;
  return false;
}

static bool fits(const struct subject *subject, const struct identity_keys *keys) {
  char key[64];
  return keys != NULL && unknown_key(subject, keys, false) == NULL &&
         !missing_key(subject, keys, key, sizeof key);
}

/* own: the file says that the class is Keras' own; otherwise the keys are all that tells, unless the version
 * is one that cuseq does not know. */
static cuseq_status check_keys(const struct subject *subject, const struct identity_keys *keys, bool own) {
  const struct keras_version *version = subject->version;
  char missing[64], text[128];
  own = own || identity_is_later(version);
  const char *unknown = unknown_key(subject, keys, own);
  const char *why = own ? "cuseq does not know what it does"
                        : "it is a class of the author's own, and the file lacks its code (" PAGE_FOR_AUTHORS
                          ")";
  subject_text(subject, text, sizeof text);
  if (unknown != NULL)
    return layer_refuse(subject->layer, "%s has the setting %.80s, which Keras %d.%d's %.60s has not: %s",
                        text, unknown, version->major, version->minor, subject->class_name, why);
  if (missing_key(subject, keys, missing, sizeof missing))
    return layer_refuse(subject->layer, "%s lacks the setting %s, which Keras %d.%d's %.60s has%s%s", text,
                        missing, version->major, version->minor, subject->class_name, own ? "" : ": ",
                        own ? "" : why);
  return CUSEQ_STATUS_OK;
}

/* ---- one class, and those in it ------------------------------------------------------------------- */

bool identity_is_model_class(const char *class_name) {
  return strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0 ||
         strcmp(class_name, "Sequential") == 0;
}

bool identity_is_model_class_of(const struct keras_version *version, const char *class_name) {
  bool old = version->major == 2 && version->minor < 4;
  return strcmp(class_name, "Sequential") == 0 || strcmp(class_name, old ? "Model" : "Functional") == 0;
}

/* operation: receives whether it is one of keras.ops, which a graph holds like layers. */
static cuseq_status check_class(const struct subject *subject, bool *operation) {
  const struct identity_keys *layer = identity_layer_keys(subject->class_name);
  const struct identity_keys *operations = identity_operation_keys(subject->class_name);
  const json_t *module = json_object_get(subject->json, "module");
  bool model = identity_is_model_class(subject->class_name);
  *operation = json_is_string(module) && strstr(json_string_value(module), ".ops.") != NULL;
  if (layer == NULL && operations == NULL && !model)
    return CUSEQ_STATUS_OK;
  if (module != NULL && !identity_is_own_class(subject->json))
    return refuse_author(subject);
  if (model || !json_is_object(subject->config))
    return CUSEQ_STATUS_OK;
  if (module != NULL) {
    const struct identity_keys *keys = *operation ? operations : layer;
    return keys != NULL ? check_keys(subject, keys, true) : CUSEQ_STATUS_OK;
  }
  if (layer != NULL && !identity_has_layer(subject->version, subject->class_name))
    return refuse_unknown_to_keras(subject);
  *operation = operations != NULL && (layer == NULL || (!fits(subject, layer) && fits(subject, operations)));
  return check_keys(subject, *operation ? operations : layer, false);
}

static cuseq_status check_nested(const struct subject *outer, int depth);

static cuseq_status check_inside(const struct subject *outer, const char *setting, const json_t *json,
                                 int depth) {
  struct subject subject = {.version = outer->version,
                            .layer = outer->layer,
                            .inside = setting,
                            .class_name = json_string_value(json_object_get(json, "class_name")),
                            .json = json,
                            .config = json_object_get(json, "config")};
  bool operation;
  if (subject.class_name == NULL)
    return CUSEQ_STATUS_OK; /* none there: whoever needs it says so */
  TRY(check_class(&subject, &operation));
  return check_nested(&subject, depth + 1);
}

/* The layers that a wrapper has in it, and an RNN's cell or list of cells. */
static cuseq_status check_nested(const struct subject *outer, int depth) {
  static const char *const settings[] = {"layer", "backward_layer", "cell", "cells"};
  if (depth > GRAPH_MAX_NESTING || !json_is_object(outer->config))
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const json_t *value = json_object_get(outer->config, settings[i]);
    if (json_is_object(value))
      TRY(check_inside(outer, settings[i], value, depth));
    for (size_t k = 0; k < json_array_size(value); k++)
      TRY(check_inside(outer, settings[i], json_array_get(value, k), depth));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status identity_check(const struct keras_version *version, const json_t *json,
                            struct keras_layer *layer) {
  struct subject subject = {.version = version,
                            .layer = layer,
                            .class_name = layer->node.class_name,
                            .json = json,
                            .config = layer->config};
  if (json_object_get(json, "module") != NULL || strchr(layer->node.class_name, '>') != NULL)
    layer->origin = identity_is_own_class(json) ? ORIGIN_KERAS : ORIGIN_AUTHOR;
  TRY(check_class(&subject, &layer->is_operation));
  return check_nested(&subject, 0);
}
