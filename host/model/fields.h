/* Reading one object of the configuration. `where` names it in messages, as "encoder.layers.0" does. */
#ifndef CUSEQ_MODEL_FIELDS_H
#define CUSEQ_MODEL_FIELDS_H

#include "cuseq/cuseq.h"
#include "model/words.h"

#include <jansson.h>
#include <stdbool.h>

enum {
  FIELD_MAX_WIDTH = 1 << 20, /* units, features, classes */
  FIELD_PATH_CAPACITY = 96,
};

/* One object and its name. */
struct field_object {
  const json_t *json;
  char path[FIELD_PATH_CAPACITY];
};

/* The root of a configuration. */
struct field_object field_root(const json_t *json);

/* Refuses a value that is no object, and keys that are not in the list, which ends with NULL. */
cuseq_status field_known_keys(const struct field_object *object, const char *const *keys);

bool field_has(const struct field_object *object, const char *key);

/* "where.key" for messages about one field. */
struct field_object field_child(const struct field_object *object, const char *key);
/* Item of a list that is the value of `key`. */
struct field_object field_item(const struct field_object *object, const char *key, size_t index);

/* Required values. */
cuseq_status field_object_get(const struct field_object *object, const char *key, struct field_object *child);
cuseq_status field_integer(const struct field_object *object, const char *key, int64_t low, int64_t high,
                           int32_t *value);
/* The length of a list of low to high items. */
cuseq_status field_list(const struct field_object *object, const char *key, size_t low, size_t high,
                        size_t *count);

/* Values that may be absent. */
cuseq_status field_optional_integer(const struct field_object *object, const char *key, int64_t low,
                                    int64_t high, int32_t absent, int32_t *value);
cuseq_status field_bool(const struct field_object *object, const char *key, bool absent, bool *value);
cuseq_status field_float(const struct field_object *object, const char *key, float absent, float *value);

/* One word of a list. absent -1: the key is required. */
cuseq_status field_word(const struct field_object *object, const char *key, const struct word *words,
                        int absent, int *value);

/* A value that the configuration contradicts itself with: "configuration: where.key ..." and the rest. */
cuseq_status field_refuse(const struct field_object *object, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
