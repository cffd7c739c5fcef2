#include "convert/arrays/names.h"
#include "error.h"
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_MOST = 3 * MODEL_MAX_LAYERS + CUSEQ_MAX_ATTENTION_LAYERS + 16 };

/* A key that a configuration has, and what its module joins, in the model's order; NULL where it reads one
 * thing. */
struct known {
  char key[NAMES_KEY_CAPACITY];
  bool needed;
  const char *first, *second;
};

struct known_list {
  struct known entries[KNOWN_MOST];
  size_t count;
};

static struct known *add(struct known_list *list, bool needed, const char *format, ...) {
  struct known *known = &list->entries[list->count++];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(known->key, sizeof known->key, format, arguments);
  va_end(arguments);
  known->needed = needed;
  return known;
}

static void joins(struct known *known, const char *first, const char *second) {
  known->first = first;
  known->second = second;
}

static void add_encoder(struct known_list *list, const cuseq_config *config) {
  add(list, false, "encoder"); /* names_check_encoder says whether it is needed */
  add(list, false, "encoder.embedding");
  for (int layer = 0; layer < config->layers; layer++) {
    add(list, false, "encoder.layers.%d", layer);
    add(list, false, "encoder.layers.%d.forward", layer);
    if (config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL)
      add(list, false, "encoder.layers.%d.backward", layer);
  }
}

static void add_attention(struct known_list *list, const cuseq_config *config) {
  for (int layer = 0; layer < config->attention_layers; layer++) {
    struct known *dense = add(list, true, "attention.layers.%d", layer);
    if (layer == 0)
      joins(dense, "annotations", "state");
  }
  if (config->score == CUSEQ_SCORE_GENERAL) /* the order says which of the two it maps, the first */
    joins(add(list, true, "attention.general"), "annotations", "state");
  if (config->score == CUSEQ_SCORE_ADDITIVE) {
    add(list, true, "attention.key");
    add(list, true, "attention.query");
    add(list, true, "attention.value");
  }
}

static void add_decoder(struct known_list *list, const cuseq_config *config) {
  struct known *decoder = add(list, true, "decoder");
  if (config->feedback == CUSEQ_FEEDBACK_OUTPUT) {
    joins(decoder, "context", "feedback");
    add(list, false, "decoder.embedding");
  }
  add(list, true, "output");
}

static void known_make(const cuseq_config *config, struct known_list *list) {
  memset(list, 0, sizeof *list);
  add_encoder(list, config);
  add_attention(list, config);
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE) {
    add(list, true, "initial.h");
    if (config->has_decoder)
      add(list, true, "initial.c");
  }
  if (config->has_decoder)
    add_decoder(list, config);
}

static const struct known *known_find(const struct known_list *list, const char *key) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->entries[i].key, key) == 0)
      return &list->entries[i];
  return NULL;
}

static cuseq_status unknown_key(const struct known_list *list, const char *key) {
  char has[700] = "";
  for (size_t i = 0; i < list->count; i++) {
    size_t used = strlen(has);
    if (strncmp(list->entries[i].key, "encoder.layers.", 15) != 0)
      snprintf(has + used, sizeof has - used, "%s, ", list->entries[i].key);
  }
  return error_set(
      CUSEQ_STATUS_INVALID_ARGUMENT,
      "names: \"%.80s\" is nothing that this configuration has (it has %sencoder.layers.N and ignore)", key,
      has);
}

/* ---- one entry ------------------------------------------------------------------------------------ */

static cuseq_status check_order(const struct known *known, const json_t *order, bool *swapped) {
  if (known->first == NULL)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "names: the order of \"%s\" has no meaning (only attention.layers.0, attention.general and, "
        "with feedback, decoder have two inputs)",
        known->key);
  const char *a = json_string_value(json_array_get(order, 0)),
             *b = json_string_value(json_array_get(order, 1));
  bool two = json_array_size(order) == 2 && a != NULL && b != NULL;
  *swapped = two && strcmp(a, known->second) == 0 && strcmp(b, known->first) == 0;
  if (!*swapped && (!two || strcmp(a, known->first) != 0 || strcmp(b, known->second) != 0))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "names: the order of \"%s\" is not [\"%s\", \"%s\"], or the other way round", known->key,
                     known->first, known->second);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_entry(const struct known *known, const json_t *value, struct name *name) {
  const char *key;
  json_t *part;
  snprintf(name->key, sizeof name->key, "%s", known->key);
  name->module = json_string_value(json_is_object(value) ? json_object_get(value, "name") : value);
  if (name->module == NULL)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "names: \"%s\" is no name (needed a text, or an object with \"name\" and \"order\")",
                     known->key);
  json_object_foreach((json_t *)value, key, part) {
    if (strcmp(key, "order") == 0)
      TRY(check_order(known, part, &name->swapped));
    else if (strcmp(key, "name") != 0)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "names: \"%s\" has an unknown key \"%.80s\" (needed \"name\" and \"order\")",
                       known->key, key);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status names_read_ignore(const json_t *list, struct names *names) {
  bool texts = json_is_array(list);
  names->ignore = calloc(json_array_size(list) + 1, sizeof *names->ignore);
  if (names->ignore == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < json_array_size(list); i++) {
    names->ignore[i] = json_string_value(json_array_get(list, i));
    texts = texts && names->ignore[i] != NULL && *names->ignore[i] != 0;
  }
  names->ignore_count = json_array_size(list);
  return texts ? CUSEQ_STATUS_OK
               : error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                           "names: \"ignore\" is not a list of prefixes (needed texts that are not empty)");
}

/* ---- all together --------------------------------------------------------------------------------- */

const struct name *names_find(const struct names *names, const char *key) {
  for (size_t i = 0; i < names->count; i++)
    if (strcmp(names->entries[i].key, key) == 0)
      return &names->entries[i];
  return NULL;
}

const struct name *names_find_cell(const struct names *names, int layer, int direction) {
  char key[NAMES_KEY_CAPACITY];
  snprintf(key, sizeof key, "encoder.layers.%d.%s", layer, direction == 0 ? "forward" : "backward");
  const struct name *name = names_find(names, key);
  if (name != NULL)
    return name;
  *strrchr(key, '.') = 0;
  name = names_find(names, key);
  return name != NULL ? name : names_find(names, "encoder");
}

static bool is_encoder_module(const char *key) {
  return strcmp(key, "encoder") == 0 || strncmp(key, "encoder.layers.", 15) == 0;
}

/* Every cell of the encoder has a module, and every module of the encoder a cell that is read from it. */
static cuseq_status check_encoder(const struct names *names, const cuseq_config *config) {
  for (int layer = 0; layer < config->layers; layer++)
    for (int d = 0; d < config_directions(config); d++)
      if (names_find_cell(names, layer, d) == NULL)
        return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "names: \"encoder\" is missing, and so is \"encoder.layers.%d.%s\"", layer,
                         d == 0 ? "forward" : "backward");
  for (size_t i = 0; i < names->count; i++) {
    bool read = !is_encoder_module(names->entries[i].key);
    for (int layer = 0; layer < config->layers; layer++)
      for (int d = 0; d < config_directions(config); d++)
        read = read || names_find_cell(names, layer, d) == &names->entries[i];
    if (!read)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "names: \"%s\" has no use (all that is in it has a name of its own)",
                       names->entries[i].key);
  }
  return CUSEQ_STATUS_OK;
}

/* One table of weights may be the embeddings and the output, and one layer make both initial states. */
static bool may_share(const char *a, const char *b) {
  static const char *const tables[] = {"encoder.embedding", "decoder.embedding", "output"};
  static const char *const states[] = {"initial.h", "initial.c"};
  int of_tables = 0, of_states = 0;
  for (int i = 0; i < 3; i++)
    of_tables += (strcmp(a, tables[i]) == 0) + (strcmp(b, tables[i]) == 0);
  for (int i = 0; i < 2; i++)
    of_states += (strcmp(a, states[i]) == 0) + (strcmp(b, states[i]) == 0);
  return of_tables == 2 || of_states == 2;
}

static cuseq_status check_shared(const struct names *names) {
  for (size_t i = 0; i < names->count; i++)
    for (size_t k = 0; k < i; k++) {
      const struct name *a = &names->entries[k], *b = &names->entries[i];
      if (a->module && b->module && strcmp(a->module, b->module) == 0 && !may_share(a->key, b->key))
        return error_set(
            CUSEQ_STATUS_INVALID_ARGUMENT,
            "names: \"%s\" and \"%s\" are both '%.200s' (a module that is meant to be both has to be "
            "saved under two names)",
            a->key, b->key, a->module);
    }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_entries(const json_t *object, const struct known_list *known, struct names *names) {
  const char *key;
  json_t *value;
  names->entries = calloc(json_object_size(object) + 1, sizeof *names->entries);
  if (names->entries == NULL)
    return error_out_of_memory();
  json_object_foreach((json_t *)object, key, value) {
    if (strcmp(key, "ignore") == 0) {
      TRY(names_read_ignore(value, names));
      continue;
    }
    const struct known *found = known_find(known, key);
    if (found == NULL)
      return unknown_key(known, key);
    TRY(read_entry(found, value, &names->entries[names->count++]));
  }
  for (size_t i = 0; i < known->count; i++)
    if (known->entries[i].needed && names_find(names, known->entries[i].key) == NULL)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" is missing", known->entries[i].key);
  return CUSEQ_STATUS_OK;
}

cuseq_status names_check_object(const json_t *object) {
  if (json_is_object(object))
    return CUSEQ_STATUS_OK;
  return error_set(
      CUSEQ_STATUS_INVALID_ARGUMENT,
      "configuration: \"names\" is %s (needed an object, from cuseq's prefixes to the checkpoint's)",
      object == NULL ? "missing" : "no object");
}

cuseq_status names_parse(const json_t *object, const cuseq_config *config, struct names *names) {
  *names = (struct names){0};
  TRY(names_check_object(object));
  struct known_list *known = malloc(sizeof *known);
  if (known == NULL)
    return error_out_of_memory();
  known_make(config, known);
  cuseq_status status;
  TRY_CLEANUP(read_entries(object, known, names));
  TRY_CLEANUP(check_shared(names));
  TRY_CLEANUP(check_encoder(names, config));
  if (names_find(names, "encoder.embedding") == NULL)
    names->embedding_hint = "an embedding of the input is \"encoder.embedding\"; ";
  else if (config->has_decoder && config->feedback == CUSEQ_FEEDBACK_OUTPUT &&
           names_find(names, "decoder.embedding") == NULL)
    names->embedding_hint = "an embedding of the fed back token is \"decoder.embedding\"; ";
cleanup:
  free(known);
  return status;
}

void names_free(struct names *names) {
  free(names->entries);
  free(names->ignore);
  *names = (struct names){0};
}
