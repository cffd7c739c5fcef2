/* Descriptions and state_dicts of pytorch/ and descriptions of arrays/ that somebody mistyped at a random
 * place: each is refused, or gives the very model that the sound one gives. The same mistakes are made in
 * every run. Run from the repository's root. */
#include "index.h"

#include "convert/convert.h"
#include "formats/file.h"
#include "formats/safetensors.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/pytorch/"
#define ARRAYS "tests/golden/arrays/"

enum { CHECKPOINT, CONFIGURATION, NPZ_NAME, EXPECTATION, MISTAKES = 400, PLACES = 256 };

TestSuite(mistyped, .init = folder_make, .fini = folder_remove);

static uint32_t state = 20240229;

static uint32_t random_below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

/* A text with one slip of the fingers in it, for free(). */
static char *mistype(const char *text) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzEALRN._-s ";
  size_t length = strlen(text), at = length ? random_below((uint32_t)length) : 0;
  char letter = letters[random_below(sizeof letters - 1)];
  char *typed = calloc(length + 2, 1);
  memcpy(typed, text, length);
  switch (length ? random_below(5) : 0) {
  case 0: /* one more */
    memmove(typed + at + 1, typed + at, length - at);
    typed[at] = letter;
    break;
  case 1: /* one less */
    memmove(typed + at, typed + at + 1, length - at);
    break;
  case 2: /* another */
    typed[at] = letter;
    break;
  case 3: /* two changed about */
    if (at + 1 < length) {
      typed[at] = text[at + 1];
      typed[at + 1] = text[at];
    }
    break;
  default: /* at the end */
    typed[length] = letter;
  }
  if (strcmp(typed, text) != 0)
    return typed;
  free(typed);
  return mistype(text);
}

/* ---- descriptions ---- */

/* Where a value stands in a description. */
struct place {
  json_t *parent, *value;
  const char *key; /* in an object */
  size_t index;    /* in a list */
};

/* All values but the symbols of a vocabulary, any of which may be meant. */
static size_t places(json_t *json, struct place *list, size_t count) {
  const char *key;
  json_t *value;
  size_t i;
  json_object_foreach(json, key, value) {
    cr_assert(count < PLACES);
    list[count++] = (struct place){json, value, key, 0};
    if (strcmp(key, "input") != 0 && strcmp(key, "output") != 0)
      count = places(value, list, count);
    else if (json_is_object(value))
      count = places(value, list, count);
  }
  json_array_foreach(json, i, value) {
    cr_assert(count < PLACES);
    list[count++] = (struct place){json, value, NULL, i};
    count = places(value, list, count);
  }
  return count;
}

static void put(const struct place *place, json_t *value) {
  int failed = place->key ? json_object_set_new(place->parent, place->key, value)
                          : json_array_set_new(place->parent, place->index, value);
  cr_assert(!failed);
}

/* A value of another type, or none. */
static json_t *other_type(const json_t *value) {
  char text[64];
  switch (random_below(5)) {
  case 0:
    return json_pack("[O]", value);
  case 1:
    return json_null();
  case 2:
    return json_pack("{s:O}", "name", value);
  case 3:
    if (!json_is_integer(value))
      return json_is_boolean(value) ? json_integer(0) : json_true();
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    return json_string(text);
  default:
    if (json_is_real(value)) /* in the place of which an integer would do */
      return json_false();
    return json_is_integer(value) ? json_real((double)json_integer_value(value) + 0.5) : json_integer(1);
  }
}

/* One mistake at a random place; false where the place allows none. */
static bool make_mistake(json_t *json, char *what, size_t capacity) {
  struct place list[PLACES];
  const struct place *place = &list[random_below((uint32_t)places(json, list, 0))];
  char *typed = NULL;
  bool made = true;
  switch (random_below(4)) {
  case 0: /* a key */
  case 1: /* a key that is added */
    made = place->key != NULL;
    typed = made ? mistype(place->key) : NULL;
    made = made && json_object_get(place->parent, typed) == NULL;
    if (!made)
      break;
    snprintf(what, capacity, "key \"%s\" for \"%s\"", typed, place->key);
    cr_assert(json_object_set(place->parent, typed, place->value) == 0);
    if (random_below(2))
      json_object_del(place->parent, place->key);
    break;
  case 2: /* a text, but for characters that are dropped */
    made = json_is_string(place->value) && !(place->key && strcmp(place->key, "drop") == 0);
    if (!made)
      break;
    typed = mistype(json_string_value(place->value));
    snprintf(what, capacity, "\"%s\" for \"%s\"", typed, json_string_value(place->value));
    put(place, json_string(typed));
    break;
  default:
    snprintf(what, capacity, "the type of %s", place->key ? place->key : "an entry");
    json_incref(place->value);
    json_t *value = place->value;
    put(place, other_type(value));
    json_decref(value);
  }
  free(typed);
  return made;
}

static bool same_model(const cuseq_model *a, const cuseq_model *b) {
  if (strcmp(cuseq_model_config_json(a), cuseq_model_config_json(b)) != 0 ||
      cuseq_model_tensor_count(a) != cuseq_model_tensor_count(b))
    return false;
  for (size_t i = 0; i < cuseq_model_tensor_count(a); i++) {
    cuseq_tensor x, y;
    cuseq_model_tensor(a, i, &x);
    cuseq_model_tensor(b, i, &y);
    size_t elements = (size_t)(x.shape[0] * (x.rank == 2 ? x.shape[1] : 1));
    if (strcmp(x.name, y.name) != 0 || memcmp(x.shape, y.shape, sizeof x.shape) != 0 ||
        memcmp(x.data, y.data, elements * sizeof(float)) != 0)
      return false;
  }
  return true;
}

/* The description of a line, with a vocabulary where the model reads ids. */
static json_t *load_description(const struct index_line *line) {
  char path[200];
  snprintf(path, sizeof path, FOLDER "%.119s", line->columns[CONFIGURATION]);
  json_t *json = json_load_file(path, 0, NULL);
  cr_assert(json != NULL, "%s", path);
  if (json_object_get(json_object_get(json, "names"), "encoder.embedding") != NULL)
    json_object_set_new(json, "vocabulary",
                        json_pack("{s:i,s:[sssssssssss],s:[sssssss],s:b,s:s}", "length", 9, "input", "a", "b",
                                  "c", "d", "e", "f", "g", "h", "i", "<unk>", "<pad>", "output", "t", "u",
                                  "v", "w", "x", "y", "<end>", "lowercase", 1, "drop", ","));
  return json;
}

static cuseq_status convert(const char *path, const json_t *description, struct convert_json *text,
                            cuseq_model **model) {
  char *dumped = json_dumps(description, 0);
  *text = (struct convert_json){.text = dumped};
  cuseq_status status = arrays_convert(path, text, model);
  free(dumped);
  return status;
}

/* Every line whose checkpoint converts, but for the random ones, which are mistyped where they are made;
 * returns how many. */
static size_t sound_lines(struct index_line *lines) {
  size_t count = index_read(FOLDER "index.tsv", lines), kept = 0;
  for (size_t i = 0; i < count; i++)
    if (index_may_convert(lines[i].columns[EXPECTATION]) &&
        strncmp(lines[i].columns[CHECKPOINT], "random_", 7) != 0)
      lines[kept++] = lines[i];
  return kept;
}

/* What became of mistakes. */
struct counts {
  size_t refused, same;
};

/* Makes mistakes in one description. */
static void expect_refused_or_same(const char *path, const json_t *sound, struct counts *counts) {
  char what[300];
  struct convert_json text;
  cuseq_model *wanted, *model;
  cr_assert_eq(convert(path, sound, &text, &wanted), CUSEQ_STATUS_OK, "%s: %s", path, cuseq_last_error());
  for (int round = 0; round < MISTAKES; round++) {
    json_t *json = json_deep_copy(sound);
    if (make_mistake(json, what, sizeof what)) {
      bool made = convert(path, json, &text, &model) == CUSEQ_STATUS_OK;
      cr_expect(!made || same_model(model, wanted), "%s with %s gives another model", path, what);
      cr_expect(made || text.at_fault || strncmp(cuseq_last_error(), path, strlen(path)) == 0, "%s",
                cuseq_last_error());
      counts->refused += !made;
      counts->same += made;
      cuseq_model_destroy(model);
    }
    json_decref(json);
  }
  cuseq_model_destroy(wanted);
}

Test(mistyped, descriptions_are_refused_or_give_the_same, .timeout = 300) {
  static struct index_line lines[INDEX_MOST];
  struct counts counts = {0, 0};
  size_t count = sound_lines(lines);
  cr_assert(count > 10);
  for (size_t i = 0; i < count; i++) {
    char path[200];
    snprintf(path, sizeof path, FOLDER "%.119s", lines[i].columns[CHECKPOINT]);
    json_t *sound = load_description(&lines[i]);
    expect_refused_or_same(path, sound, &counts);
    json_decref(sound);
  }
  cr_expect(counts.refused > 100 * count && counts.same > 0 && counts.same < counts.refused / 20,
            "%zu refused, %zu the same", counts.refused, counts.same);
}

Test(mistyped, descriptions_of_version_2_are_refused_or_give_the_same, .timeout = 300) {
  static struct index_line lines[INDEX_MOST];
  struct counts counts = {0, 0};
  size_t count = index_read(ARRAYS "index.tsv", lines);
  cr_assert(count > 10);
  for (size_t i = 0; i < count; i++) {
    char path[200];
    snprintf(path, sizeof path, ARRAYS "%.100s.json", lines[i].columns[0]);
    json_t *sound = json_load_file(path, 0, NULL);
    cr_assert(sound != NULL, "%s", path);
    snprintf(path, sizeof path, ARRAYS "%.100s.pt", lines[i].columns[0]);
    expect_refused_or_same(path, sound, &counts);
    json_decref(sound);
  }
  cr_expect(counts.refused > 100 * count && counts.same > 0 && counts.same < counts.refused / 20,
            "%zu refused, %zu the same", counts.refused, counts.same);
}

/* ---- state_dicts ---- */

/* One mistake in the names of a checkpoint: changed, gone, or one more. A bias that is gone may never have
 * been. */
static bool change_tensors(struct safetensors *file, char **typed, char *what, size_t capacity) {
  size_t at = random_below((uint32_t)file->tensor_count);
  struct safetensors_tensor *tensor = &file->tensors[at];
  const char *name = tensor->name, *dot = strrchr(name, '.');
  *typed = mistype(name);
  for (size_t i = 0; i < file->tensor_count; i++)
    if (strcmp(file->tensors[i].name, *typed) == 0)
      return false;
  switch (random_below(3)) {
  case 0:
    snprintf(what, capacity, "'%s' for '%s'", *typed, name);
    tensor->name = *typed;
    return true;
  case 1:
    snprintf(what, capacity, "'%s' gone", name);
    memmove(tensor, tensor + 1, (file->tensor_count - at - 1) * sizeof *tensor);
    file->tensor_count--;
    return dot == NULL || strcmp(dot, ".bias") != 0;
  default:
    snprintf(what, capacity, "'%s' besides '%s'", *typed, name);
    file->tensors[file->tensor_count] = *tensor;
    file->tensors[file->tensor_count++].name = *typed;
    return true;
  }
}

/* Makes mistakes in the names of one state_dict; returns how many were refused. */
static size_t expect_state_dicts_refused(const char *path, const json_t *description) {
  size_t refused = 0, size;
  void *bytes;
  struct safetensors file;
  cr_assert_eq(file_read(path, &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert_eq(safetensors_parse(bytes, size, &file), CUSEQ_STATUS_OK);
  for (int round = 0; round < MISTAKES / 10; round++) {
    struct safetensors_tensor tensors[PLACES];
    struct safetensors changed = {tensors, file.tensor_count, NULL, 0, NULL};
    struct convert_json text;
    char *typed, what[300];
    cuseq_model *model = NULL;
    cr_assert(file.tensor_count < PLACES);
    memcpy(tensors, file.tensors, file.tensor_count * sizeof *tensors);
    if (change_tensors(&changed, &typed, what, sizeof what)) {
      cr_assert_eq(safetensors_write(folder_path("changed"), &changed), CUSEQ_STATUS_OK);
      cr_expect(convert(folder_path("changed"), description, &text, &model) != CUSEQ_STATUS_OK,
                "%s with %s converts", path, what);
      refused += model == NULL;
      cuseq_model_destroy(model);
    }
    free(typed);
  }
  safetensors_free(&file);
  free(bytes);
  return refused;
}

Test(mistyped, state_dicts_are_refused, .timeout = 300) {
  static struct index_line lines[INDEX_MOST];
  size_t count = sound_lines(lines), refused = 0;
  for (size_t i = 0; i < count; i++) {
    char path[200];
    snprintf(path, sizeof path, FOLDER "%.119s", lines[i].columns[CHECKPOINT]);
    json_t *description = load_description(&lines[i]);
    refused += expect_state_dicts_refused(path, description);
    json_decref(description);
  }
  cr_expect(refused > 20 * count, "%zu refused", refused);
}

Test(mistyped, state_dicts_of_version_2_are_refused, .timeout = 300) {
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(ARRAYS "index.tsv", lines), refused = 0;
  for (size_t i = 0; i < count; i++) {
    char path[200];
    snprintf(path, sizeof path, ARRAYS "%.100s.json", lines[i].columns[0]);
    json_t *description = json_load_file(path, 0, NULL);
    snprintf(path, sizeof path, ARRAYS "%.100s.safetensors", lines[i].columns[0]);
    refused += expect_state_dicts_refused(path, description);
    json_decref(description);
  }
  cr_expect(refused > 20 * count, "%zu refused", refused);
}
