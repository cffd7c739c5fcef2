/* Random structures whose decoders are given numbers at every step. */
#include "support/random_structure.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Writes a text into json, before `at`. */
static void insert(char json[RANDOM_STRUCTURE_JSON], const char *at, const char *text) {
  char made[RANDOM_STRUCTURE_JSON];
  snprintf(made, sizeof made, "%.*s%s%s", (int)(at - json), json, text, at);
  memcpy(json, made, sizeof made);
}

/* Puts "given" into the list that begins behind `list`, first or last; false where it has as many parts as
 * there may be. */
static bool list_add(char json[RANDOM_STRUCTURE_JSON], char *list, struct random *random) {
  char *end = strchr(list, ']');
  int32_t parts = 1;
  for (const char *c = list; c < end; c++)
    parts += *c == ',';
  if (parts >= 4)
    return false;
  bool first = random_below(random, 2) == 0;
  insert(json, first ? list : end, first ? "\"given\"," : ",\"given\"");
  return true;
}

/* The head reads it, too: it has parts, or the state alone. A tied one is as wide as the embedding. */
static void head_add(char json[RANDOM_STRUCTURE_JSON], size_t behind, struct random *random) {
  static const char output[] = "\"output\":{", parts[] = "\"parts\":[";
  char *head = strstr(json + behind, output), *list;
  if (!head || strstr(head, "\"tied\"") || random_below(random, 3) > 0)
    return;
  head += sizeof output - 1;
  list = strstr(head, parts);
  if (list)
    list_add(json, list + sizeof parts - 1, random);
  else
    insert(json, head, "\"parts\":[\"given\",\"state\"],");
}

bool random_structure_json_give(char json[RANDOM_STRUCTURE_JSON], const struct random *random,
                                int32_t largest) {
  static const char reads[] = "\"reads\":[";
  struct random own = random_named(random, "given to steps");
  char *list = strstr(json, reads), text[32];
  if (!list || !list_add(json, list + sizeof reads - 1, &own))
    return false;
  size_t at = (size_t)(list - json);
  snprintf(text, sizeof text, "\"given\":%d,", (int)(1 + random_below(&own, largest)));
  insert(json, json + at, text);
  head_add(json, at, &own);
  return true;
}
