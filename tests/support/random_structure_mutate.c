/* Random structures with something changed in them. */
#include "support/random_structure.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Words that may stand for one another: keys and values of one kind a row. */
static const char *const words[][8] = {
    {"lstm", "gru"},
    {"before", "after"},
    {"forward", "backward", "bidirectional", "sum", "concat"},
    {"concat", "sum", "mul", "ave"},
    {"dot", "general", "additive", "concat"},
    {"previous", "current", "token"},
    {"token", "context", "attentional", "state", "given"},
    {"zeros", "encoder", "other"},
    {"h", "c"},
    {"none", "output", "given", "probabilities"},
    {"step", "context", "final", "mean", "maximum", "last", "every"},
    {"tanh", "relu", "linear", "softmax", "log_softmax", "sigmoid", "exponential"},
    {"key", "query", "value"},
    {"initial_h", "initial_c"},
    {"residual", "reads_context", "tied", "affine", "bias", "recurrent_bias"},
    {"layers", "heads", "parts", "reads"},
    {"dense", "norm", "cell", "self_attention", "weighting"},
    {"beside", "residual", "bias"},
    {"heads", "units", "scale"},
    {"epsilon", "first", "units"},
    {"units", "layer", "positions", "embedding", "steps", "start_token", "end_token", "features"},
    {"given", "embedding", "steps"}};
enum { GROUPS = sizeof words / sizeof *words };

/* Another word of a row that has this one; the word itself where none has. */
static const char *other_word(const char *word, struct random *random) {
  const char *found = word;
  int32_t seen = 0;
  for (int32_t g = 0; g < GROUPS; g++)
    for (int32_t i = 0; i < 8 && words[g][i]; i++)
      if (strcmp(words[g][i], word) == 0 && random_below(random, ++seen) == 0) {
        int32_t count = 0;
        while (count < 8 && words[g][count])
          count++;
        found = words[g][random_below(random, count)];
      }
  return found;
}

/* Replaces json[from .. to) by a text. */
static void replace(char json[RANDOM_STRUCTURE_JSON], size_t from, size_t to, const char *text) {
  char made[RANDOM_STRUCTURE_JSON];
  snprintf(made, sizeof made, "%.*s%s%s", (int)from, json, text, json + to);
  memcpy(json, made, sizeof made);
}

static bool is_of_word(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '.';
}

void random_structure_mutate(char json[RANDOM_STRUCTURE_JSON], struct random *random, int32_t largest) {
  size_t length = strlen(json), at = (size_t)random_below(random, (int32_t)length);
  while (!is_of_word(json[at]) && json[at] != ',')
    at = (at + 1) % length;
  size_t from = at, to = at;
  while (is_of_word(json[from - 1]))
    from--;
  while (is_of_word(json[to]))
    to++;
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)(to - from), json + from);
  if (json[at] == ',') {
    replace(json, at, at + 1 + strcspn(json + at + 1, ",}]"), "");
  } else if (json[from - 1] == '"') {
    replace(json, from, to, other_word(word, random));
  } else if (isdigit((unsigned char)json[from])) {
    snprintf(word, sizeof word, "%d", (int)random_below(random, largest + 2));
    replace(json, from, to, word);
  } else {
    replace(json, from, to, strcmp(word, "true") == 0 ? "false" : "true");
  }
}
