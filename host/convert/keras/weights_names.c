/* Paths of weights, as the versions of Keras make them: the last part is the weight's name, before it stands
 * an LSTM's cell (from TensorFlow 2 on), before that a direction, the layer's name and perhaps those of
 * models that it lies in. Keras 3.0 to 3.2 have the last part alone. */
#include "convert/keras/weights_names.h"

#include <ctype.h>
#include <string.h>

enum { MAX_PARTS = 24 };

/* A path, split: the last part is the weight's, without ":0". */
struct weight_name {
  const char *text[MAX_PARTS];
  size_t size[MAX_PARTS];
  size_t count; /* 0: too long to be one of Keras' */
};

static void split_name(const struct hdf5_string *name, struct weight_name *parts) {
  *parts = (struct weight_name){0};
  size_t end = name->size;
  while (end > 0 && isdigit((unsigned char)name->text[end - 1]))
    end--;
  end = end > 0 && end < name->size && name->text[end - 1] == ':' ? end - 1 : name->size;
  for (size_t start = 0; start <= end;) {
    const char *slash = memchr(name->text + start, '/', end - start);
    size_t stop = slash != NULL ? (size_t)(slash - name->text) : end;
    if (parts->count == MAX_PARTS) {
      parts->count = 0;
      return;
    }
    parts->text[parts->count] = name->text + start;
    parts->size[parts->count++] = stop - start;
    start = stop + 1;
  }
}

static bool part_is(const struct weight_name *name, size_t at, const char *text) {
  return text != NULL && strlen(text) == name->size[at] && memcmp(text, name->text[at], name->size[at]) == 0;
}

static bool part_begins(const struct weight_name *name, size_t at, const char *text) {
  return name->size[at] >= strlen(text) && memcmp(text, name->text[at], strlen(text)) == 0;
}

/* Whether a part is `first` and `second` together. */
static bool part_joins(const struct weight_name *name, size_t at, const char *first, const char *second) {
  size_t size = strlen(first);
  return second != NULL && part_begins(name, at, first) && name->size[at] - size == strlen(second) &&
         memcmp(name->text[at] + size, second, strlen(second)) == 0;
}

/* ---- what a part says ----------------------------------------------------------------------------- */

static const char *without_prefix(const char *name, const char *prefix) {
  return name != NULL && strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : NULL;
}

static const char *wrapped_name(const struct keras_layer *layer, const char *setting) {
  const json_t *wrapped = json_object_get(layer->config, setting);
  return json_string_value(json_object_get(json_object_get(wrapped, "config"), "name"));
}

/* Which direction of a Bidirectional layer a part names. Keras puts forward_ and backward_ before the wrapped
 * layer's name, but some versions not before that of a backward layer of one's own. */
static enum weights_part direction_of(const struct weight_name *name, size_t at,
                                      const struct keras_layer *layer, bool *exact) {
  const char *forward = wrapped_name(layer, "layer"), *backward = wrapped_name(layer, "backward_layer");
  const char *bare = without_prefix(forward, "forward_");
  bool is_forward = (bare != NULL && part_is(name, at, forward)) || part_joins(name, at, "forward_", forward);
  bool is_backward =
      backward != NULL
          ? part_is(name, at, backward) || part_joins(name, at, "backward_", backward)
          : part_joins(name, at, "backward_", forward) || part_joins(name, at, "backward_", bare);
  *exact = is_forward != is_backward;
  if (!*exact) {
    is_forward = part_begins(name, at, "forward_");
    is_backward = part_begins(name, at, "backward_");
  }
  if (is_forward == is_backward)
    return WEIGHTS_WHOLE;
  return is_forward ? WEIGHTS_FORWARD : WEIGHTS_BACKWARD;
}

/* "lstm_cell", "gru_cell_3", or the name that an RNN's cell was given. */
static bool is_cell(const struct weight_name *name, size_t at, const char *cell, const char *usual) {
  if (*cell != '\0')
    return part_is(name, at, cell);
  if (!part_begins(name, at, usual))
    return false;
  size_t i = strlen(usual);
  bool good = i == name->size[at] || name->text[at][i++] == '_';
  for (; i < name->size[at]; i++)
    good = good && isdigit((unsigned char)name->text[at][i]);
  return good;
}

static bool is_outer_name(const struct weight_name *name, size_t at, const struct keras_layer *layer) {
  for (const struct keras_layer *outer = layer->outer; outer != NULL; outer = outer->outer)
    if (part_is(name, at, outer->node.name))
      return true;
  return false;
}

static bool is_number(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!isdigit((unsigned char)text[i]))
      return false;
  return size > 0;
}

/* Whether a part is the name of a layer in there. */
static bool is_anybody(const struct weight_name *name, size_t at, const struct keras_layer *layer) {
  for (size_t i = 0; layer->inner != NULL && i < layer->inner->layer_count; i++)
    if (is_anybody(name, at, &layer->inner->layers[i]))
      return true;
  return part_is(name, at, layer->node.name);
}

/* TensorFlow 1 counts on where it has had a name, as when a model is loaded again: "dense" becomes
 * "dense_1". */
static bool is_counted_name(const struct weight_name *name, size_t at, const struct keras_layer *layer) {
  size_t size = strlen(layer->node.name);
  return part_begins(name, at, layer->node.name) && name->size[at] > size + 1 &&
         name->text[at][size] == '_' && is_number(name->text[at] + size + 1, name->size[at] - size - 1) &&
         !is_anybody(name, at, weights_top(layer));
}

/* ---- whose weight a path is ----------------------------------------------------------------------- */

/* How well the parts before `end`, the last of which should be the layer's name, fit. */
static int fit_of_layer(const struct weight_name *name, size_t end, const struct wanted_weight *wanted) {
  const struct keras_layer *layer = wanted->layer;
  if (wanted->alone)
    return 2;
  bool wrapper = wanted->part == WEIGHTS_WHOLE && wanted->expected.wrapper != NULL;
  if (wrapper && end > 0 && part_is(name, end - 1, wrapped_name(layer, "layer"))) {
    /* Keras 3 adds the name of the layer that is in a TimeDistributed one. */
    if (end > 1 && part_is(name, end - 2, layer->node.name))
      end--;
    else if (!part_is(name, end - 1, layer->node.name))
      return 1;
  }
  if (end > 0 && is_counted_name(name, end - 1, layer))
    return 1;
  if (end == 0 || !part_is(name, end - 1, layer->node.name))
    return 0;
  return end == 1 || is_outer_name(name, end - 2, layer) ? 2 : 1;
}

/* The name of the list of cells that an RNN has. */
static const char *name_of_list(const struct keras_layer *layer) {
  const json_t *list = json_object_get(json_object_get(layer->config, "cell"), "config");
  return json_string_value(json_object_get(list, "name"));
}

int weights_name_fits(const struct hdf5_string *path, const struct wanted_weight *wanted, int *others) {
  struct weight_name name;
  split_name(path, &name);
  if (name.count == 0 || !part_is(&name, name.count - 1, wanted->what))
    return 0;
  ++*others;
  size_t end = name.count - 1;
  const bool listed = wanted->part >= WEIGHTS_CELL;
  const bool of_cell = end > 1 && wanted->expected.cell != NULL &&
                       is_cell(&name, end - 1, wanted->expected.cell, wanted->expected.usual_cell);
  end -= of_cell;
  if (listed && end > 1 && part_is(&name, end - 1, name_of_list(wanted->layer)))
    end--;
  if (listed && !of_cell)
    return 0;
  if (listed || wanted->part == WEIGHTS_WHOLE)
    return fit_of_layer(&name, end, wanted);
  bool exact;
  if (end == 0 || direction_of(&name, end - 1, wanted->layer, &exact) != wanted->part)
    return 0;
  int fit = fit_of_layer(&name, end - 1, wanted);
  return fit == 0 && exact ? 1 : fit; /* Keras 3 leaves the layer's name out where it loaded the model */
}

/* ---- layers --------------------------------------------------------------------------------------- */

const struct keras_layer *weights_top(const struct keras_layer *layer) {
  while (layer->outer != NULL)
    layer = layer->outer;
  return layer;
}

int weights_count_with(const struct keras_layer *layer, const char *what, int count) {
  struct expected_weights expected;
  for (size_t i = 0; layer->inner != NULL && i < layer->inner->layer_count && count < 2; i++)
    count = weights_count_with(&layer->inner->layers[i], what, count);
  for (int n = 0; n < weights_parts_in(layer) && n < LAYER_MAX_CELLS && count < 2; n++) {
    weights_expect(layer, WEIGHTS_CELL + n, &expected);
    for (size_t i = 0; i < expected.count; i++)
      count += strcmp(expected.names[i], what) == 0;
  }
  if (weights_parts_in(layer) > 0)
    return count;
  weights_expect(layer, WEIGHTS_WHOLE, &expected);
  for (size_t i = 0; i < expected.count; i++)
    if (strcmp(expected.names[i], what) == 0)
      return count + 1;
  return count;
}
