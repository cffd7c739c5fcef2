#include "model/fields.h"

#include "error.h"
#include "model/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct field_object field_root(const json_t *json) {
  return (struct field_object){json, ""};
}

/* "where.key", or "key" at the root. */
static void path_of(const struct field_object *object, const char *key, char path[FIELD_PATH_CAPACITY]) {
  int written = snprintf(path, FIELD_PATH_CAPACITY, "%s%s%s", object->path, object->path[0] ? "." : "", key);
  if (written >= FIELD_PATH_CAPACITY)
    memcpy(path + FIELD_PATH_CAPACITY - 4, "...", 4);
}

struct field_object field_child(const struct field_object *object, const char *key) {
  struct field_object child = {.json = json_object_get(object->json, key)};
  path_of(object, key, child.path);
  return child;
}

struct field_object field_item(const struct field_object *object, const char *key, size_t index) {
  char name[64];
  snprintf(name, sizeof name, "%s.%zu", key, index);
  struct field_object item = {.json = json_array_get(json_object_get(object->json, key), index)};
  path_of(object, name, item.path);
  return item;
}

cuseq_status field_refuse(const struct field_object *object, const char *key, const char *format, ...) {
  char path[FIELD_PATH_CAPACITY], text[512];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  path_of(object, key, path);
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: %s %s", path, text);
}

cuseq_status field_known_keys(const struct field_object *object, const char *const *keys) {
  return config_known_keys(object->json, object->path, keys);
}

bool field_has(const struct field_object *object, const char *key) {
  return json_object_get(object->json, key) != NULL;
}

static cuseq_status missing(const struct field_object *object, const char *key) {
  return object->path[0]
             ? error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: \"%s\" has no \"%s\"", object->path, key)
             : error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: there is no \"%s\"", key);
}

cuseq_status field_object_get(const struct field_object *object, const char *key,
                              struct field_object *child) {
  if (!field_has(object, key))
    return missing(object, key);
  *child = field_child(object, key);
  return json_is_object(child->json) ? CUSEQ_STATUS_OK : field_refuse(object, key, "is not an object");
}

cuseq_status field_integer(const struct field_object *object, const char *key, int64_t low, int64_t high,
                           int32_t *value) {
  const json_t *field = json_object_get(object->json, key);
  if (!field)
    return missing(object, key);
  if (!json_is_integer(field))
    return field_refuse(object, key, "is not an integer");
  json_int_t found = json_integer_value(field);
  if (found < low || found > high)
    return field_refuse(object, key, "is out of range (found %lld, needed %lld to %lld)", (long long)found,
                        (long long)low, (long long)high);
  *value = (int32_t)found;
  return CUSEQ_STATUS_OK;
}

cuseq_status field_optional_integer(const struct field_object *object, const char *key, int64_t low,
                                    int64_t high, int32_t absent, int32_t *value) {
  *value = absent;
  return field_has(object, key) ? field_integer(object, key, low, high, value) : CUSEQ_STATUS_OK;
}

cuseq_status field_list(const struct field_object *object, const char *key, size_t low, size_t high,
                        size_t *count) {
  const json_t *field = json_object_get(object->json, key);
  if (!field)
    return missing(object, key);
  *count = json_array_size(field);
  if (!json_is_array(field))
    return field_refuse(object, key, "is not a list (needed one of %zu to %zu)", low, high);
  if (*count < low || *count > high)
    return field_refuse(object, key, "has too %s items (found %zu, needed %zu to %zu)",
                        *count < low ? "few" : "many", *count, low, high);
  return CUSEQ_STATUS_OK;
}

cuseq_status field_bool(const struct field_object *object, const char *key, bool absent, bool *value) {
  const json_t *field = json_object_get(object->json, key);
  *value = field ? json_is_true(field) : absent;
  return !field || json_is_boolean(field) ? CUSEQ_STATUS_OK
                                          : field_refuse(object, key, "is neither true nor false");
}

cuseq_status field_float(const struct field_object *object, const char *key, float absent, float *value) {
  const json_t *field = json_object_get(object->json, key);
  *value = field ? (float)json_number_value(field) : absent;
  return (!field || json_is_number(field)) && isfinite(*value)
             ? CUSEQ_STATUS_OK
             : field_refuse(object, key, "is not a finite float32 number");
}

cuseq_status field_word(const struct field_object *object, const char *key, const struct word *words,
                        int absent, int *value) {
  const json_t *field = json_object_get(object->json, key);
  *value = absent;
  if (!field)
    return absent >= 0 ? CUSEQ_STATUS_OK : missing(object, key);
  const char *found = json_string_value(field);
  if (word_find(words, found, value))
    return CUSEQ_STATUS_OK;
  char known[384];
  words_join(words, known, sizeof known);
  return field_refuse(object, key, "is unknown (found %s%.60s%s, needed one of %s)", found ? "\"" : "",
                      found ? found : "no string", found ? "\"" : "", known);
}
