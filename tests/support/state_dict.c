#include "support/state_dict.h"

#include "error.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 4096 };

/* Small numbers, no two alike. */
static const float *numbers(void) {
  static float values[NUMBERS];
  if (values[1] == 0)
    for (int i = 0; i < NUMBERS; i++)
      values[i] = (float)(i * 37 % NUMBERS - NUMBERS / 2) / NUMBERS;
  return values;
}

static void require(bool holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "state_dict: %s: %s\n", what, error_text());
  abort();
}

void state_dict_add(struct state_dict *dict, const char *name, int64_t rows, int64_t columns) {
  size_t i = dict->count++, elements = (size_t)rows * (size_t)(columns > 0 ? columns : 1);
  size_t first = 101 * i % (NUMBERS / 2);
  require(i < STATE_DICT_MOST && elements <= NUMBERS / 2 && strlen(name) < STATE_DICT_NAME, name);
  snprintf(dict->names[i], STATE_DICT_NAME, "%s", name);
  dict->tensors[i] = (struct safetensors_tensor){.dtype_name = "F32",
                                                 .dtype = CUSEQ_DTYPE_F32,
                                                 .rank = columns > 0 ? 2 : 1,
                                                 .shape = {rows, columns},
                                                 .data = numbers() + first,
                                                 .bytes = elements * sizeof(float)};
}

static void add_part(struct state_dict *dict, const char *prefix, const char *suffix, int64_t rows,
                     int64_t columns) {
  char name[STATE_DICT_NAME];
  snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", suffix);
  state_dict_add(dict, name, rows, columns);
}

static void add_weights(struct state_dict *dict, const char *prefix, const char *ending, int64_t gates,
                        int64_t inputs, int64_t units, int64_t hidden) {
  static const char *const parts[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
  const int64_t columns[] = {inputs, hidden, 0, 0};
  for (int i = 0; i < 4; i++) {
    char suffix[48];
    snprintf(suffix, sizeof suffix, "%s%s", parts[i], ending);
    add_part(dict, prefix, suffix, gates * units, columns[i]);
  }
}

void state_dict_add_rnn(struct state_dict *dict, const char *prefix, int gates, int64_t inputs, int64_t units,
                        int layers, bool bidirectional, int64_t projected) {
  int directions = bidirectional ? 2 : 1;
  int64_t hidden = projected > 0 ? projected : units;
  for (int layer = 0; layer < layers; layer++)
    for (int d = 0; d < directions; d++) {
      char ending[32], suffix[48];
      snprintf(ending, sizeof ending, "_l%d%s", layer, d ? "_reverse" : "");
      add_weights(dict, prefix, ending, gates, layer ? directions * hidden : inputs, units, hidden);
      snprintf(suffix, sizeof suffix, "weight_hr%s", ending);
      if (projected > 0)
        add_part(dict, prefix, suffix, projected, units);
    }
}

void state_dict_add_cell(struct state_dict *dict, const char *prefix, int gates, int64_t inputs,
                         int64_t units) {
  add_weights(dict, prefix, "", gates, inputs, units, units);
}

void state_dict_add_linear(struct state_dict *dict, const char *prefix, int64_t inputs, int64_t units,
                           bool bias) {
  add_part(dict, prefix, "weight", units, inputs);
  if (bias)
    add_part(dict, prefix, "bias", units, 0);
}

void state_dict_add_norm(struct state_dict *dict, const char *prefix, int64_t units) {
  static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
  for (int i = 0; i < 4; i++)
    add_part(dict, prefix, parts[i], units, 0);
}

static bool is_under(const char *prefix, const char *name) {
  size_t length = strlen(prefix);
  return strncmp(name, prefix, length) == 0 && (name[length] == '.' || name[length] == 0);
}

void state_dict_remove(struct state_dict *dict, const char *prefix) {
  size_t kept = 0;
  for (size_t i = 0; i < dict->count; i++)
    if (!is_under(prefix, dict->names[i])) {
      dict->tensors[kept] = dict->tensors[i];
      memmove(dict->names[kept++], dict->names[i], STATE_DICT_NAME);
    }
  dict->count = kept;
}

void state_dict_rename(struct state_dict *dict, const char *from, const char *to) {
  size_t length = strlen(from);
  for (size_t i = 0; i < dict->count; i++) {
    char rest[STATE_DICT_NAME];
    if (strncmp(dict->names[i], from, length) != 0)
      continue;
    snprintf(rest, sizeof rest, "%s", dict->names[i] + length);
    require((size_t)snprintf(dict->names[i], STATE_DICT_NAME, "%s%s", to, rest) < STATE_DICT_NAME, to);
  }
}

const char *state_dict_write(const struct state_dict *dict, const char *name) {
  struct safetensors_tensor tensors[STATE_DICT_MOST];
  const char *path = folder_path(name);
  for (size_t i = 0; i < dict->count; i++) {
    tensors[i] = dict->tensors[i];
    tensors[i].name = dict->names[i];
  }
  struct safetensors file = {tensors, dict->count, (struct safetensors_pair *)dict->metadata,
                             dict->metadata_count, NULL};
  require(safetensors_write(path, &file) == CUSEQ_STATUS_OK, path);
  return path;
}
