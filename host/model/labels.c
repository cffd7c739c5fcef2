/* The labels of heads in the configuration's vocabulary: what they are, and whether they fit the heads. */
#include "error.h"
#include "model/config.h"
#include "model/structure.h"
#include "model/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)VOCABULARY_MAX_HEADS == (int)STRUCTURE_MAX_HEADS, "every head may have labels");

/* ---- what they are ---- */

/* Labels are printed on lines and between tabs. */
static cuseq_status label_check(const char *text, const char *where, size_t index) {
  if (!text)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: %s entry %zu is not a string", where, index);
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "configuration: %s entry %zu has a control character (found U+%04X)", where, index,
                       (unsigned)*c);
  return CUSEQ_STATUS_OK;
}

static int name_order(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static cuseq_status check_once(const struct labels *labels, const char *where) {
  const char **sorted = malloc((size_t)labels->count * sizeof *sorted);
  cuseq_status status = CUSEQ_STATUS_OK;
  if (!sorted)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  memcpy(sorted, labels->names, (size_t)labels->count * sizeof *sorted);
  qsort(sorted, (size_t)labels->count, sizeof *sorted, name_order);
  for (int32_t i = 1; i < labels->count && status == CUSEQ_STATUS_OK; i++)
    if (strcmp(sorted[i - 1], sorted[i]) == 0)
      status =
          error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: %s has \"%.40s\" twice", where, sorted[i]);
  free(sorted);
  return status;
}

/* The next head's list. head NULL: it is not named. */
static cuseq_status list_parse(const json_t *list, const char *head, struct vocabulary *vocabulary) {
  char where[96];
  size_t count = json_array_size(list);
  snprintf(where, sizeof where, "vocabulary.labels%s%.60s", head ? "." : "", head ? head : "");
  if (!json_is_array(list) || count == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: %s is not a list of labels%s", where,
                     head ? "" : ", nor an object of such lists by the heads' names");
  struct labels *labels = &vocabulary->labels[vocabulary->labelled++];
  *labels = (struct labels){.head = head ? strdup(head) : NULL, .index = -1};
  labels->names = calloc(count, sizeof *labels->names);
  if ((head && !labels->head) || !labels->names)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
  for (size_t i = 0; i < count; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    TRY(label_check(text, where, i));
    if (!(labels->names[i] = strdup(text)))
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "vocabulary: out of memory");
    labels->count = (int32_t)i + 1;
  }
  return check_once(labels, where);
}

cuseq_status labels_parse(const json_t *field, struct vocabulary *vocabulary) {
  if (!json_is_object(field))
    return list_parse(field, NULL, vocabulary);
  size_t count = json_object_size(field);
  if (count < 1 || count > VOCABULARY_MAX_HEADS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.labels names %zu heads (needed 1 to %d)", count,
                     VOCABULARY_MAX_HEADS);
  const char *head;
  json_t *list;
  json_object_foreach((json_t *)field, head, list) TRY(list_parse(list, head, vocabulary));
  return CUSEQ_STATUS_OK;
}

/* ---- whether they fit ---- */

static void heads_join(const struct output_structure *output, char *text, size_t capacity) {
  size_t used = 0;
  text[0] = '\0';
  for (int32_t i = 0; i < output->count && used < capacity; i++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", i ? ", " : "", output->heads[i].name);
}

/* The head that a list is of. */
static cuseq_status head_find(const struct output_structure *output, struct labels *labels) {
  char names[STRUCTURE_MAX_HEADS * sizeof output->heads[0].name];
  heads_join(output, names, sizeof names);
  if (!labels->head && output->count > 1)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: vocabulary.labels is one list for several heads (needed an object of lists "
        "by their names: %s)",
        names);
  int32_t found = 0;
  for (int32_t i = 0; i < output->count; i++)
    if (!labels->head || strcmp(output->heads[i].name, labels->head) == 0) {
      labels->index = i;
      found++;
    }
  if (found > 1)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.labels has \"%.60s\", which is the name of several heads",
                     labels->head);
  return found == 1 ? CUSEQ_STATUS_OK
                    : error_set(CUSEQ_STATUS_INVALID_MODEL,
                                "configuration: vocabulary.labels has \"%.60s\", and no head of this name "
                                "(there are %s)",
                                labels->head, names);
}

/* Labels need probabilities: of each, or of one of two where one unit decides. */
static cuseq_status head_check(const struct head *head, const struct labels *labels) {
  cuseq_activation activation = head->layers.layers[head->layers.count - 1].activation;
  bool decides = activation == CUSEQ_ACTIVATION_SIGMOID || activation == CUSEQ_ACTIVATION_LINEAR;
  if (!decides && activation != CUSEQ_ACTIVATION_SOFTMAX && activation != CUSEQ_ACTIVATION_LOG_SOFTMAX)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "configuration: vocabulary.labels are of head \"%s\", whose outputs are no probabilities (found %s, "
        "needed softmax, log_softmax, sigmoid or linear)",
        head->name, word_of(words_last_activation, (int)activation));
  bool one = head->units == 1, logit = one && activation == CUSEQ_ACTIVATION_LINEAR;
  if ((labels->count == head->units && !logit) || (labels->count == 2 && one && decides))
    return CUSEQ_STATUS_OK;
  return error_set(
      CUSEQ_STATUS_INVALID_MODEL,
      "configuration: vocabulary.labels does not fit head \"%s\" (found %d labels, its %d unit%s %d%s)",
      head->name, (int)labels->count, (int)head->units, one ? " needs" : "s need",
      logit ? 2 : (int)head->units, one && decides && !logit ? " or 2" : "");
}

cuseq_status labels_fit(struct vocabulary *vocabulary, bool decodes, const struct output_structure *output) {
  if (vocabulary->labelled > 0 && (decodes || output->count == 0))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: vocabulary.labels belongs to heads without a decoder (found %s)",
                     decodes ? "a decoder, whose tokens are vocabulary.output" : "no output");
  for (int32_t i = 0; i < vocabulary->labelled; i++) {
    struct labels *labels = &vocabulary->labels[i];
    TRY(head_find(output, labels));
    TRY(head_check(&output->heads[labels->index], labels));
  }
  return CUSEQ_STATUS_OK;
}
