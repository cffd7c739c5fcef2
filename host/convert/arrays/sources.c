#include "convert/arrays/sources.h"

#include "convert/arrays/sources_known.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const array_role_names[ARRAY_ROLES] = {"kernel", "recurrent_kernel", "bias", "recurrent_bias"};

cuseq_status source_error(const struct source *source, const char *format, ...) {
  char what[700];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (source->name->module == NULL)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the arrays of \"%s\": %s", source->name->key, what);
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "module '%.200s' (\"%s\"): %s", source->name->module,
                   source->name->key, what);
}

/* ---- one source ----------------------------------------------------------------------------------- */

static cuseq_status check_order(const struct known_source *known, const json_t *order, bool *swapped) {
  static const char annotations[] = "annotations", state[] = "state";
  if (!known->joins)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "names: the order of \"%s\" has no meaning (only attention.layers.0 and attention.general join "
        "two things whose order the configuration does not say)",
        known->key);
  const char *a = json_string_value(json_array_get(order, 0)),
             *b = json_string_value(json_array_get(order, 1));
  bool two = json_array_size(order) == 2 && a != NULL && b != NULL;
  *swapped = two && strcmp(a, state) == 0 && strcmp(b, annotations) == 0;
  if (*swapped || (two && strcmp(a, annotations) == 0 && strcmp(b, state) == 0))
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                   "names: the order of \"%s\" is not [\"annotations\", \"state\"], or the other way round",
                   known->key);
}

/* "i,f,c,o" in any order, g and c, z and u, n and h being the same. */
static cuseq_status read_gates(const struct known_source *known, const json_t *value, struct source *source) {
  static const char synonyms[][3] = {"gc", "uz", "hn"};
  const char *text = json_string_value(value), *wanted = known->lstm ? "ifco" : "zrn";
  size_t count = 0;
  for (const char *at = text; at != NULL && *at != 0; at++) {
    if (*at == ',' || *at == ' ')
      continue;
    char gate = *at;
    for (int i = 0; i < 3; i++)
      if (gate == synonyms[i][0] && (i == 0) == known->lstm)
        gate = synonyms[i][1];
    if (count == strlen(wanted) || strchr(wanted, gate) == NULL ||
        memchr(source->gates, gate, count) != NULL) {
      count = 0;
      break;
    }
    source->gates[count++] = gate;
  }
  if (known->kind == SOURCE_CELLS && count == strlen(wanted))
    return CUSEQ_STATUS_OK;
  if (known->kind != SOURCE_CELLS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" has \"gates\", which only cells have",
                     known->key);
  return error_set(
      CUSEQ_STATUS_INVALID_ARGUMENT,
      "names: \"%s\".\"gates\" is not the gates of %s, in the order in which they lie in the file "
      "(needed \"%s\", say)",
      known->key, known->lstm ? "an LSTM" : "a GRU", known->lstm ? "i,f,c,o" : "z,r,n");
}

static cuseq_status read_through(const struct known_source *known, const json_t *value,
                                 struct source *source) {
  size_t count = json_is_array(value) ? json_array_size(value) : 1;
  bool good = count >= 1 && count <= SOURCES_MOST_THROUGH && known->kind < SOURCE_VECTOR;
  for (size_t i = 0; good && i < count; i++) {
    source->through[i] = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
    good = source->through[i] != NULL;
  }
  source->through_count = good ? count : 0;
  return good ? CUSEQ_STATUS_OK
              : error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                          "names: \"%s\".\"through\" is not the name of a dense layer, or a list of up to %d "
                          "of them%s",
                          known->key, SOURCES_MOST_THROUGH,
                          known->kind == SOURCE_VECTOR ? " (a vector has none)" : "");
}

static cuseq_status read_array_name(const struct known_source *known, enum array_role role,
                                    const json_t *value, struct source *source) {
  bool recurrent = role == ROLE_RECURRENT_KERNEL || role == ROLE_RECURRENT_BIAS;
  if ((recurrent && known->kind != SOURCE_CELLS) || (role == ROLE_BIAS && known->kind > SOURCE_DENSE) ||
      known->kind == SOURCE_PROJECTIONS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" has \"%s\", which it cannot have",
                     known->key, array_role_names[role]);
  source->arrays[role] = json_string_value(value);
  return source->arrays[role] != NULL
             ? CUSEQ_STATUS_OK
             : error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\".\"%s\" is no name of an array",
                         known->key, array_role_names[role]);
}

/* One key of a source that is an object. */
static cuseq_status read_key(const struct known_source *known, const char *key, const json_t *value,
                             struct source *source) {
  for (int role = 0; role < ARRAY_ROLES; role++)
    if (strcmp(key, array_role_names[role]) == 0)
      return read_array_name(known, role, value, source);
  if (strcmp(key, "order") == 0)
    return check_order(known, value, &source->name->swapped);
  if (strcmp(key, "gates") == 0)
    return read_gates(known, value, source);
  if (strcmp(key, "through") == 0)
    return read_through(known, value, source);
  if (strcmp(key, "name") == 0)
    source->name->module = json_string_value(value);
  else if (strcmp(key, "transpose") == 0 && json_is_boolean(value) && known->kind < SOURCE_VECTOR)
    source->transposed = json_is_true(value) ? TRANSPOSED_YES : TRANSPOSED_NO;
  else if (strcmp(key, "residual") == 0 && json_is_boolean(value) && known->residual)
    source->residual = json_is_true(value);
  else if (strcmp(key, "layer") == 0 && json_is_integer(value) && known->kind == SOURCE_CELLS &&
           strchr(known->key, '.') != NULL && json_integer_value(value) >= 0 &&
           json_integer_value(value) < 1000)
    source->layer = (int)json_integer_value(value);
  else
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "names: \"%s\" has an unknown key \"%.80s\", or one of a wrong value (it may have name, or "
        "kernel%s; %s%s%s)",
        known->key, key,
        known->kind == SOURCE_CELLS   ? ", recurrent_kernel, bias and recurrent_bias"
        : known->kind == SOURCE_DENSE ? " and bias"
                                      : "",
        known->joins      ? "order, "
        : known->residual ? "residual: true or false, "
                          : "",
        known->kind == SOURCE_CELLS ? "gates, layer, " : "",
        known->kind >= SOURCE_VECTOR ? "no more" : "transpose: true or false, through");
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_source(const struct known_source *known, const struct source *source) {
  bool named = source->name->module != NULL, arrays = false;
  for (int role = 0; role < ARRAY_ROLES; role++)
    arrays = arrays || source->arrays[role] != NULL;
  if (named == arrays)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "names: \"%s\" is no name (needed a text, or an object with \"name\", or one with the names of "
        "its arrays, \"kernel\" and so on%s)",
        known->key, named ? ", not both" : "");
  if (named)
    return CUSEQ_STATUS_OK;
  if (source->arrays[ROLE_KERNEL] == NULL ||
      (known->kind == SOURCE_CELLS && source->arrays[ROLE_RECURRENT_KERNEL] == NULL))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" has no \"%s\"", known->key,
                     source->arrays[ROLE_KERNEL] == NULL ? "kernel" : "recurrent_kernel");
  if (known->kind == SOURCE_CELLS && *source->gates == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "names: \"%s\" has no \"gates\": in which order do they lie in its arrays? (%s, say)",
                     known->key,
                     known->lstm ? "\"i,f,c,o\" as in Keras and PyTorch"
                                 : "\"z,r,n\" as in Keras, \"r,z,n\" as in PyTorch");
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_source(const struct known_source *known, const json_t *value,
                                struct source *source) {
  const char *key;
  json_t *part;
  source->kind = known->kind;
  source->layer = -1;
  snprintf(source->name->key, sizeof source->name->key, "%s", known->key);
  source->zeros = known->zeros && json_is_null(value);
  if (source->zeros)
    return CUSEQ_STATUS_OK;
  if (json_is_object(value)) {
    json_object_foreach((json_t *)value, key, part) {
      TRY(read_key(known, key, part, source));
    }
  } else {
    source->name->module = json_string_value(value);
  }
  return check_source(known, source);
}

/* ---- all together --------------------------------------------------------------------------------- */

const struct source *sources_find(const struct sources *sources, const char *key) {
  for (size_t i = 0; i < sources->names.count; i++)
    if (strcmp(sources->names.entries[i].key, key) == 0)
      return &sources->entries[i];
  return NULL;
}

const struct source *sources_find_cell(const struct sources *sources, const char *prefix, int layer,
                                       const char *side) {
  char key[NAMES_KEY_CAPACITY];
  const struct source *source = NULL;
  if (side != NULL) {
    snprintf(key, sizeof key, "%s.%d.%s", prefix, layer, side);
    source = sources_find(sources, key);
  }
  if (source == NULL) {
    snprintf(key, sizeof key, "%s.%d", prefix, layer);
    source = sources_find(sources, key);
  }
  if (source == NULL) {
    snprintf(key, sizeof key, "%.*s", (int)strcspn(prefix, "."), prefix);
    source = sources_find(sources, key);
  }
  return source;
}

/* Every cell has a source, and every source of cells a cell that is read from it. */
static cuseq_status check_cells(const struct sources *sources, const struct structure *structure) {
  static const char *const sides[] = {"forward", "backward"};
  bool *read = calloc(sources->names.count + 1, sizeof *read);
  char missing[NAMES_KEY_CAPACITY] = "";
  if (read == NULL)
    return error_out_of_memory();
  for (int l = 0; l < structure->encoder.count; l++)
    for (int d = 0; d < 2; d++) {
      if (!encoder_layer_has(&structure->encoder.layers[l], d))
        continue;
      const struct source *source = sources_find_cell(sources, "encoder.layers", l, sides[d]);
      if (source != NULL)
        read[source - sources->entries] = true;
      else if (*missing == 0)
        snprintf(missing, sizeof missing, "encoder.layers.%d.%s", l, sides[d]);
    }
  for (int l = 0; l < structure->decoder.count; l++) {
    const struct source *source = sources_find_cell(sources, "decoder.layers", l, NULL);
    if (source != NULL)
      read[source - sources->entries] = true;
    else if (*missing == 0)
      snprintf(missing, sizeof missing, "decoder.layers.%d", l);
  }
  cuseq_status status = CUSEQ_STATUS_OK;
  if (*missing != 0)
    status = error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%.*s\" is missing, and so is \"%s\"",
                       (int)strcspn(missing, "."), missing, missing);
  for (size_t i = 0; i < sources->names.count && status == CUSEQ_STATUS_OK; i++)
    if (sources->entries[i].kind == SOURCE_CELLS && !read[i])
      status = error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "names: \"%s\" has no use (all that is in it has a name of its own)",
                         sources->names.entries[i].key);
  free(read);
  return status;
}

/* One table of weights may be embeddings and a kernel of the output, and one layer make several initial
 * states. */
static bool may_share(const struct source *a, const struct source *b) {
  const struct source *both[] = {a, b};
  int tables = 0, states = 0;
  for (int i = 0; i < 2; i++) {
    const char *key = both[i]->name->key;
    tables += both[i]->kind == SOURCE_TABLE || strncmp(key, "output.", 7) == 0;
    states += strstr(key, ".initial_") != NULL;
  }
  bool layers = a->kind == SOURCE_CELLS && b->kind == SOURCE_CELLS && a->layer >= 0 && b->layer >= 0 &&
                a->layer != b->layer;
  return tables == 2 || states == 2 || layers;
}

static cuseq_status check_shared(const struct sources *sources) {
  for (size_t i = 0; i < sources->names.count; i++)
    for (size_t k = 0; k < i; k++) {
      const struct name *a = &sources->names.entries[k], *b = &sources->names.entries[i];
      if (a->module && b->module && strcmp(a->module, b->module) == 0 &&
          !may_share(&sources->entries[k], &sources->entries[i]))
        return error_set(
            CUSEQ_STATUS_INVALID_ARGUMENT,
            "names: \"%s\" and \"%s\" are both '%.200s' (a module that is meant to be both has to be "
            "saved under two names)",
            a->key, b->key, a->module);
    }
  return CUSEQ_STATUS_OK;
}

/* Each part that needs a name has one, and one alone. */
static cuseq_status check_known(const struct sources *sources, const struct known_source *known) {
  char whole[NAMES_KEY_CAPACITY] = "";
  if (known->projected)
    snprintf(whole, sizeof whole, "%.*s", (int)(strrchr(known->key, '.') - known->key), known->key);
  const bool named = sources_find(sources, known->key) != NULL,
             with_others = known->projected && sources_find(sources, whole) != NULL;
  if (named && with_others)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" is named twice, by \"%s\" too", known->key,
                     whole);
  if (known->needed && !named && !with_others)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "names: \"%s\" is missing%s%s%s", known->key,
                     *whole ? " (or \"" : "", whole, *whole ? "\", an nn.MultiheadAttention)" : "");
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_sources(const json_t *object, const struct known_sources *known,
                                 struct sources *sources) {
  const char *key;
  json_t *value;
  size_t most = json_object_size(object) + 1;
  sources->names.entries = calloc(most, sizeof *sources->names.entries);
  sources->entries = calloc(most, sizeof *sources->entries);
  if (sources->names.entries == NULL || sources->entries == NULL)
    return error_out_of_memory();
  json_object_foreach((json_t *)object, key, value) {
    if (strcmp(key, "ignore") == 0) {
      TRY(names_read_ignore(value, &sources->names));
      continue;
    }
    const struct known_source *found = known_sources_find(known, key);
    if (found == NULL)
      return known_sources_unknown(known, key);
    size_t i = sources->names.count++;
    sources->entries[i].name = &sources->names.entries[i];
    TRY(read_source(found, value, &sources->entries[i]));
  }
  for (size_t i = 0; i < known->count; i++)
    TRY(check_known(sources, &known->entries[i]));
  return CUSEQ_STATUS_OK;
}

cuseq_status sources_parse(const json_t *object, const struct structure *structure, struct sources *sources) {
  *sources = (struct sources){0};
  TRY(names_check_object(object));
  struct known_sources *known = calloc(1, sizeof *known);
  if (known == NULL)
    return error_out_of_memory();
  known_sources_make(structure, known);
  if (structure->input.embedding_units == 0)
    sources->names.embedding_hint =
        "an embedding of the input is \"input.embedding\", and its width in the configuration; ";
  else if (structure->decoder.feedback != FEEDBACK_NONE && structure->decoder.embedding_units == 0)
    sources->names.embedding_hint =
        "an embedding of the token is \"decoder.embedding\", and its width in the configuration; ";
  cuseq_status status;
  TRY_CLEANUP(read_sources(object, known, sources));
  TRY_CLEANUP(check_shared(sources));
  TRY_CLEANUP(check_cells(sources, structure));
cleanup:
  free(known);
  return status;
}

void sources_free(struct sources *sources) {
  free(sources->entries);
  names_free(&sources->names);
  *sources = (struct sources){0};
}
