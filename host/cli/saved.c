#include "cli/saved.h"

#include "cli/begin.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_ROOM = 1024 };

/* ---- what the model gives ---- */

static void given_add(struct saved *saved, const struct given_array *array) {
  saved->given[saved->given_count++] = *array;
}

/* Its heads: of several the outputs of each; the name of a single one stands for all of them. */
static int heads_add(struct saved *saved, const cuseq_model *model, const struct result *outputs) {
  int32_t heads = cuseq_model_config(model)->heads, inner = (int32_t)outputs->shape[outputs->rank - 1];
  for (int32_t i = 0; i < heads; i++) {
    cuseq_head head = CUSEQ_HEAD_INIT;
    cuseq_status status = cuseq_model_head(model, i, &head);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
    struct given_array array = {.name = head.name,
                                .id = RESULT_OUTPUTS,
                                .is_alias = heads == 1,
                                .rank = outputs->rank,
                                .offset = head.offset,
                                .width = head.units,
                                .inner = inner};
    memcpy(array.shape, outputs->shape, sizeof array.shape);
    array.shape[array.rank - 1] = head.units;
    given_add(saved, &array);
  }
  return EXIT_DONE;
}

static void input_add(struct saved *saved, const struct input_array *input) {
  int32_t rank = input->array.rank, inner = (int32_t)input->array.shape[rank - 1];
  struct given_array array = {
      .name = "input", .id = RESULT_COUNT, .rank = rank, .width = inner, .inner = inner};
  memcpy(array.shape, input->array.shape, (size_t)rank * sizeof *array.shape);
  given_add(saved, &array);
}

static int given_make(struct saved *saved, const cuseq_model *model, const struct input_array *input,
                      const struct results *results) {
  saved->given =
      calloc((size_t)RESULT_COUNT + 1 + (size_t)cuseq_model_config(model)->heads, sizeof *saved->given);
  if (!saved->given)
    return fail_memory();
  input_add(saved, input);
  for (int id = 0; id < RESULT_COUNT; id++) {
    const struct result *result = &results->arrays[id];
    if (result->rank == 0)
      continue;
    int32_t inner = result->rank > 1 ? (int32_t)result->shape[result->rank - 1] : 1;
    struct given_array array = {
        .name = result->name, .id = (enum result_id)id, .rank = result->rank, .width = inner, .inner = inner};
    memcpy(array.shape, result->shape, sizeof array.shape);
    given_add(saved, &array);
  }
  const struct result *outputs = &results->arrays[RESULT_OUTPUTS];
  return outputs->rank > 0 ? heads_add(saved, model, outputs) : EXIT_DONE;
}

/* ---- which is which ---- */

static bool is_whole_numbers(const struct npy_array *array) {
  return array->dtype != NPY_F16 && array->dtype != NPY_F32 && array->dtype != NPY_F64;
}

/* Whether two shapes are the same but for axes of 1, which change nothing about where an element lies. */
static bool shapes_agree(int32_t rank, const int64_t *shape, int32_t other_rank, const int64_t *other) {
  int32_t i = 0, k = 0;
  for (;;) {
    while (i < rank && shape[i] == 1)
      i++;
    while (k < other_rank && other[k] == 1)
      k++;
    if (i == rank || k == other_rank)
      return i == rank && k == other_rank;
    if (shape[i++] != other[k++])
      return false;
  }
}

static bool fits(const struct saved_array *array, const struct given_array *given) {
  return shapes_agree(array->values->rank, array->values->shape, given->rank, given->shape);
}

/* Whether it could be that one, called by any name. */
static bool could_be(const struct saved_array *array, const struct given_array *given) {
  bool whole = is_whole_numbers(array->values);
  return !given->is_alias && fits(array, given) &&
         (given->id == RESULT_COUNT || whole == result_is_integer(given->id));
}

/* "[5,10,30]" behind `text`. */
static size_t put_shape(char *text, size_t used, int32_t rank, const int64_t *shape) {
  for (int32_t i = 0; i < rank && used < WORDS_ROOM; i++)
    used += (size_t)snprintf(text + used, WORDS_ROOM - used, "%s%" PRId64, i ? "," : "[", shape[i]);
  if (used < WORDS_ROOM)
    used += (size_t)snprintf(text + used, WORDS_ROOM - used, "]");
  return used;
}

/* "float64 [5,10,31]" */
static void found_words(const struct saved_array *array, char text[WORDS_ROOM]) {
  size_t used = (size_t)snprintf(text, WORDS_ROOM, "%s ", npy_dtype_name(array->values->dtype));
  put_shape(text, used, array->values->rank, array->values->shape);
}

/* "alphas [5,10,30], context [5,10,32]": the arrays that could be it by their shape, or all of them. */
static void given_words(const struct saved *saved, const struct saved_array *array, bool fitting,
                        char text[WORDS_ROOM]) {
  size_t used = 0;
  text[0] = '\0';
  for (int32_t i = 0; i < saved->given_count && used < WORDS_ROOM; i++) {
    const struct given_array *given = &saved->given[i];
    if (fitting ? !could_be(array, given) : given->is_alias)
      continue;
    used += (size_t)snprintf(text + used, WORDS_ROOM - used, "%s%s", used ? ", " : "", given->name);
    if (!fitting && used < WORDS_ROOM) {
      used += (size_t)snprintf(text + used, WORDS_ROOM - used, " ");
      used = used < WORDS_ROOM ? put_shape(text, used, given->rank, given->shape) : used;
    }
  }
}

/* The array of its shape; NULL, with a message, where there is none or are several. */
static const struct given_array *find_by_shape(const struct saved *saved, const char *path,
                                               const struct saved_array *array) {
  char found[WORDS_ROOM], there[WORDS_ROOM];
  const struct given_array *fitting = NULL;
  int32_t count = 0;
  for (int32_t i = 0; i < saved->given_count; i++)
    if (could_be(array, &saved->given[i])) {
      fitting = &saved->given[i];
      count++;
    }
  if (count == 1)
    return fitting;
  found_words(array, found);
  given_words(saved, array, count > 1, there);
  if (count > 1)
    fail("%s: %s: could be more than one array by its shape (found %s, needed one of the names %s)", path,
         array->name, found, there);
  else
    fail("%s: %s: no array of the model is called so or has its shape (found %s, needed one of %s)", path,
         array->name, found, there);
  return NULL;
}

/* Which array it is; NULL, with a message, where that cannot be told or it does not fit. */
static const struct given_array *find_given(const struct saved *saved, const char *path,
                                            struct saved_array *array) {
  char found[WORDS_ROOM], needed[WORDS_ROOM];
  const struct given_array *named = NULL;
  for (int32_t i = 0; i < saved->given_count && !named; i++)
    if (strcmp(saved->given[i].name, array->name) == 0)
      named = &saved->given[i];
  array->by_shape = !named;
  if (!named)
    return find_by_shape(saved, path, array);
  if (fits(array, named))
    return named;
  found_words(array, found);
  put_shape(needed, 0, named->rank, named->shape);
  fail("%s: %s: does not fit the model and its input (found %s, needed %s)", path, array->name, found,
       needed);
  return NULL;
}

/* Whether two are the same values of the model. */
static bool is_same(const struct given_array *a, const struct given_array *b) {
  return a->id == b->id && a->offset == b->offset && a->width == b->width;
}

static int check_once(const struct saved *saved, const char *path, const struct saved_array *array) {
  for (const struct saved_array *before = saved->arrays; before < array; before++)
    if (is_same(before->given, array->given))
      return fail("%s: %s: is %s, which %s is, too", path, array->name, array->given->name, before->name);
  return EXIT_DONE;
}

int saved_load(struct saved *saved, const char *path, const cuseq_model *model,
               const struct input_array *input, const struct results *results) {
  *saved = (struct saved){0};
  cuseq_status status = npz_read(path, &saved->archive);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARCHIVE, status, error_text());
  int result = given_make(saved, model, input, results);
  if (result != EXIT_DONE)
    return result;
  saved->arrays = calloc(saved->archive.count ? saved->archive.count : 1, sizeof *saved->arrays);
  if (!saved->arrays)
    return fail_memory();
  for (size_t i = 0; i < saved->archive.count && result == EXIT_DONE; i++) {
    const struct npz_entry *entry = &saved->archive.entries[i];
    if (begin_is_state(model, entry->name))
      continue;
    struct saved_array *array = &saved->arrays[saved->count++];
    *array = (struct saved_array){.name = entry->name, .values = &entry->array};
    array->given = find_given(saved, path, array);
    result = array->given ? check_once(saved, path, array) : EXIT_USER;
  }
  if (result == EXIT_DONE && saved->count == 0)
    result = fail("%s: has no arrays", path);
  return result;
}

void saved_free(struct saved *saved) {
  npz_free(&saved->archive);
  free(saved->given);
  free(saved->arrays);
  *saved = (struct saved){0};
}

double saved_value(const struct npy_array *array, size_t index) {
  switch (array->dtype) {
  case NPY_F16:
    return (double)npy_half_to_float(((const uint16_t *)array->data)[index]);
  case NPY_F32:
    return (double)((const float *)array->data)[index];
  case NPY_F64:
    return ((const double *)array->data)[index];
  case NPY_I8:
    return ((const int8_t *)array->data)[index];
  case NPY_I16:
    return ((const int16_t *)array->data)[index];
  case NPY_I32:
    return ((const int32_t *)array->data)[index];
  case NPY_I64:
    return (double)((const int64_t *)array->data)[index];
  case NPY_U8:
    return ((const uint8_t *)array->data)[index];
  }
  return 0;
}

const struct saved_array *saved_find(const struct saved *saved, enum result_id id) {
  for (int32_t i = 0; i < saved->count; i++)
    if (saved->arrays[i].given->id == id && saved->arrays[i].given->width == saved->arrays[i].given->inner)
      return &saved->arrays[i];
  return NULL;
}
