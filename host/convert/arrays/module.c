#include "convert/arrays/module.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cuseq_status module_error(const struct name *name, const char *format, ...) {
  char what[700];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "module '%.200s' (\"%s\"): %s", name->module, name->key, what);
}

/* ---- signs ---------------------------------------------------------------------------------------- */

/* Whether a part of the name, between dots, is `word`, or begins with it where the word ends in "_" or a dot.
 */
static bool has_part(const char *name, const char *word) {
  size_t length = strlen(word);
  bool beginning = word[length - 1] == '_' || word[length - 1] == '.';
  for (const char *at = name; (at = strstr(at, word)) != NULL; at++)
    if ((at == name || at[-1] == '.') && (beginning || at[length] == 0 || at[length] == '.'))
      return true;
  return false;
}

/* Whether a weight or bias is kept under another name, "weight_hh_l0_raw", to make it anew in every call. */
static bool is_made_of_others(const char *name) {
  static const char *const endings[] = {"_orig", "_raw", "_g"};
  const char *dot = strrchr(name, '.'), *last = dot != NULL ? dot + 1 : name;
  size_t length = strlen(last);
  bool found = false;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    found =
        found || (length > strlen(endings[i]) && strcmp(last + length - strlen(endings[i]), endings[i]) == 0);
  return found && (strncmp(last, "weight", 6) == 0 || strncmp(last, "bias", 4) == 0);
}

const char *module_sign(const char *name) {
  static const char made[] =
      ", as a module has whose weights are made of others, by weight_norm, pruning and their like "
      "(needed the weights that come of it)";
  static const char normalised[] = ", as batch normalisation has, which cuseq cannot express";
  static const char quantised[] = ", as quantised modules have (needed the weights as they were before)";
  static const struct {
    const char *word, *sign;
  } signs[] = {
      {"running_mean", normalised},
      {"running_var", normalised},
      {"num_batches_tracked", normalised},
      {"_packed_params", quantised},
      {"zero_point", quantised},
      {"lora_", ", as LoRA adds to a module (needed weights that it is merged into)"},
      {"parametrizations.", made},
      {"weight_hr_", ", as an nn.LSTM with a projection (proj_size) has, which cuseq cannot express"},
      {"in_proj_", ", as nn.MultiheadAttention has (a name of \"attention\", or of "
                   "\"encoder.layers.N.self_attention\" where an encoder's layer attends to itself)"},
  };
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (has_part(name, signs[i].word))
      return signs[i].sign;
  return is_made_of_others(name) ? made : "";
}

/* The first tensor of a module that is a sign by the first part of its name within the module; NULL: none. */
static const char *signed_tensor(const struct checkpoint *checkpoint, const char *module) {
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const char *rest = checkpoint_within(module, checkpoint->tensors[i].name);
    char first[64];
    if (rest == NULL || strcspn(rest, ".") + 2 > sizeof first)
      continue;
    snprintf(first, sizeof first, rest[strcspn(rest, ".")] ? "%.*s." : "%.*s", (int)strcspn(rest, "."), rest);
    if (*module_sign(first) != 0)
      return checkpoint->tensors[i].name;
  }
  return NULL;
}

/* Refuses a module that is not what was wanted: by what it is, or where that is not `known`, by what it has
 * that tells why. */
static cuseq_status refuse(const struct checkpoint *checkpoint, const struct name *name, bool known,
                           const char *what, const char *needed) {
  const char *tensor = signed_tensor(checkpoint, name->module);
  if (tensor != NULL && !known)
    return module_error(name, "it has '%.200s'%s", tensor, module_sign(tensor));
  return module_error(name, "%s (needed %s)", what, needed);
}

/* ---- recurrent modules ---------------------------------------------------------------------------- */

/* The layer in a name such as weight_ih_l1_reverse, and whether it ends in _reverse; -1 of any other. */
static int layer_of(const char *suffix, bool *reverse) {
  static const char *const stems[] = {"weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l"};
  const char *number = NULL;
  for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
    if (strncmp(suffix, stems[i], strlen(stems[i])) == 0)
      number = suffix + strlen(stems[i]);
  if (number == NULL || *number < '0' || *number > '9')
    return -1;
  char *end;
  long layer = strtol(number, &end, 10);
  *reverse = strcmp(end, "_reverse") == 0;
  return (*end != 0 && !*reverse) || layer > 1000 ? -1 : (int)layer;
}

static int64_t axis_of(const struct checkpoint_tensor *tensor, int axis) {
  return tensor != NULL && tensor->data->rank == 2 ? tensor->data->shape[axis] : 0;
}

struct recurrent module_look(const struct checkpoint *checkpoint, const char *module) {
  struct recurrent found = {.cell = checkpoint_find(checkpoint, module, "weight_ih") != NULL ||
                                    checkpoint_find(checkpoint, module, "weight_hh") != NULL};
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const char *suffix = checkpoint_within(module, checkpoint->tensors[i].name);
    bool reverse = false;
    int layer = suffix != NULL ? layer_of(suffix, &reverse) : -1;
    bool single = suffix != NULL && (strcmp(suffix, "bias_ih") == 0 || strcmp(suffix, "bias_hh") == 0);
    found.layers = layer + 1 > found.layers ? layer + 1 : found.layers;
    found.bias = found.bias || single || (layer >= 0 && strncmp(suffix, "bias", 4) == 0);
    found.reverse = found.reverse || (layer >= 0 && reverse);
  }
  bool layers = found.layers > 0;
  const struct checkpoint_tensor *hidden =
      checkpoint_find(checkpoint, module, layers ? "weight_hh_l0" : "weight_hh");
  const struct checkpoint_tensor *projection =
      layers ? checkpoint_find(checkpoint, module, "weight_hr_l0") : NULL;
  found.projected = axis_of(projection, 0);
  found.units = projection != NULL ? axis_of(projection, 1) : axis_of(hidden, 1);
  found.gates =
      found.units > 0 && axis_of(hidden, 0) % found.units == 0 ? axis_of(hidden, 0) / found.units : 0;
  return found;
}

const char *module_recurrent_class(const struct recurrent *found) {
  bool cell = found->layers == 0;
  switch (found->gates) {
  case 4:
    return cell ? "an nn.LSTMCell" : "an nn.LSTM";
  case 3:
    return cell ? "an nn.GRUCell" : "an nn.GRU";
  case 1:
    return cell ? "an nn.RNNCell" : "an nn.RNN";
  default:
    return "a recurrent module of a kind of its own";
  }
}

static const char *plural(int count) {
  return count == 1 ? "" : "s";
}

/* The layers and directions of what is an nn.LSTM without a projection. */
static cuseq_status expect_layers(const struct recurrent *found, const struct name *name,
                                  const struct module_lstm *wanted) {
  if (found->layers > wanted->layers)
    return module_error(name, "an nn.LSTM of %d layers (needed %d; it has weight_ih_l%d)", found->layers,
                        wanted->layers, wanted->layers);
  if (found->layers < wanted->layers)
    return module_error(name, "an nn.LSTM of %d layer%s (needed %d)", found->layers, plural(found->layers),
                        wanted->layers);
  if (found->reverse && wanted->directions == 1)
    return module_error(name, "a bidirectional nn.LSTM (needed one direction; it has weight_ih_l0_reverse)");
  if (!found->reverse && wanted->directions == 2)
    return module_error(
        name, "an nn.LSTM of one direction (needed a bidirectional one, with weight_ih_l0_reverse)");
  return CUSEQ_STATUS_OK;
}

cuseq_status module_expect_lstm(const struct checkpoint *checkpoint, const struct name *name,
                                const struct module_lstm *wanted, struct module_found *result) {
  struct recurrent found = module_look(checkpoint, name->module);
  *result = (struct module_found){.cell = found.layers == 0, .bias = found.bias};
  if (found.layers == 0 && !found.cell) {
    char text[500];
    bool known = module_describe(checkpoint, name->module, "weight_ih", text, sizeof text);
    return refuse(checkpoint, name, known, text,
                  wanted->cell ? "an nn.LSTM or an nn.LSTMCell" : "an nn.LSTM");
  }
  if (found.projected > 0)
    return module_error(name, "an nn.LSTM with a projection (proj_size %lld), which cuseq cannot express",
                        (long long)found.projected);
  const char *hidden = result->cell ? "weight_hh" : "weight_hh_l0";
  bool both = found.cell && found.layers > 0;
  if (!both && checkpoint_find(checkpoint, name->module, hidden) == NULL &&
      signed_tensor(checkpoint, name->module) == NULL)
    return checkpoint_missing(name->module, hidden);
  if (found.gates != 4)
    return refuse(checkpoint, name, found.gates != 0, module_recurrent_class(&found),
                  found.gates == 3 ? "an nn.LSTM, 4 gates; models with GRUs have descriptions of version 2, "
                                     "docs/from-pytorch.md"
                                   : "an nn.LSTM: weight_hh of 4 gates, [4H,H]");
  if (result->cell && !wanted->cell)
    return module_error(name,
                        "an nn.LSTMCell (needed an nn.LSTM: \"encoder.layers.N.forward\" and \".backward\" "
                        "name cells)");
  if (!result->cell)
    TRY(expect_layers(&found, name, wanted));
  if (found.units != wanted->units)
    return module_error(name, "%s of %lld units (needed %d, as %s says)", module_recurrent_class(&found),
                        (long long)found.units, (int)wanted->units, wanted->units_key);
  return CUSEQ_STATUS_OK;
}

/* ---- any module ----------------------------------------------------------------------------------- */

/* Of a module that is not recurrent, by its own tensors; NULL where it has none that tell. */
static const char *class_of(const struct checkpoint *checkpoint, const char *module) {
  const struct checkpoint_tensor *weight = checkpoint_find(checkpoint, module, "weight");
  if (checkpoint_find(checkpoint, module, "running_mean") != NULL)
    return "a batch normalisation";
  if (checkpoint_find(checkpoint, module, "in_proj_weight") != NULL)
    return "an nn.MultiheadAttention";
  if (weight == NULL)
    return NULL;
  if (weight->data->rank == 1)
    return "a normalisation, such as nn.LayerNorm";
  if (weight->data->rank == 2)
    return checkpoint_find(checkpoint, module, "bias") != NULL ? "an nn.Linear"
                                                               : "an nn.Linear or an nn.Embedding";
  return weight->data->rank == 3 ? "an nn.Conv1d or an nn.Bilinear" : "a convolution";
}

/* The last part of a tensor's name. */
static const char *last_part(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot != NULL ? dot + 1 : name;
}

/* A tensor that the module should have had and another has: one within the module, else one of a module whose
 * name ends in this one's, a wrapper's prefix before it, else one of the only module that has such. NULL
 * where none is the one.
 *   stem  what the last part of its name begins with */
static const char *elsewhere(const struct checkpoint *checkpoint, const char *module, const char *stem) {
  const char *only = NULL;
  size_t modules = 0, own = strlen(module);
  bool exact = strcmp(stem, "weight") == 0; /* other modules' weights begin so, too */
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    const char *name = checkpoint->tensors[i].name, *last = last_part(name);
    size_t prefix = last > name ? (size_t)(last - name) - 1 : 0;
    if (prefix == 0 || strncmp(last, stem, strlen(stem)) != 0 || (exact && strcmp(last, stem) != 0))
      continue;
    bool wrapped =
        prefix > own && name[prefix - own - 1] == '.' && strncmp(name + prefix - own, module, own) == 0;
    if (checkpoint_within(module, name) != NULL || wrapped)
      return name;
    modules += only == NULL || strncmp(only, name, prefix + 1) != 0;
    only = only == NULL ? name : only;
  }
  return modules == 1 ? only : NULL;
}

bool module_describe(const struct checkpoint *checkpoint, const char *module, const char *stem, char *text,
                     size_t capacity) {
  struct recurrent found = module_look(checkpoint, module);
  const char *class =
      found.layers > 0 || found.cell ? module_recurrent_class(&found) : class_of(checkpoint, module);
  if (class != NULL) {
    snprintf(text, capacity, "%s", class);
    return true;
  }
  const char *what = "not in the checkpoint", *there = elsewhere(checkpoint, module, stem);
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    if (strcmp(checkpoint->tensors[i].name, module) == 0)
      what = "a parameter, not a module";
    else if (checkpoint_within(module, checkpoint->tensors[i].name) != NULL)
      what = "a module of others";
  }
  if (there != NULL)
    snprintf(text, capacity, "%s, which has '%.200s'", what, there);
  else
    snprintf(text, capacity, "%s", what);
  return false;
}

cuseq_status module_expect_weight(const struct checkpoint *checkpoint, const struct name *name,
                                  const char *what) {
  const struct checkpoint_tensor *weight = checkpoint_find(checkpoint, name->module, "weight");
  char text[500];
  if (weight != NULL && weight->data->rank == 2)
    return CUSEQ_STATUS_OK;
  if (weight == NULL && checkpoint_find(checkpoint, name->module, "bias") != NULL &&
      signed_tensor(checkpoint, name->module) == NULL)
    return checkpoint_missing(name->module, "weight");
  bool known = module_describe(checkpoint, name->module, "weight", text, sizeof text);
  return refuse(checkpoint, name, known, text, what);
}
