#include "index.h"

#include <stdio.h>
#include <string.h>

size_t index_read(const char *path, struct index_line *lines) {
  FILE *file = fopen(path, "r");
  size_t count = 0;
  char text[sizeof lines->columns];
  while (file && count < INDEX_MOST && fgets(text, sizeof text, file)) {
    struct index_line *line = &lines[count++];
    char *rest = text;
    text[strcspn(text, "\n")] = 0;
    for (int i = 0; i < INDEX_COLUMNS; i++) {
      const char *field = strsep(&rest, "\t");
      snprintf(line->columns[i], sizeof line->columns[i], "%s", field ? field : "");
    }
  }
  if (file)
    fclose(file);
  return count;
}

int *index_shares(void) {
  static int shares[INDEX_SHARES];
  for (int i = 0; i < INDEX_SHARES; i++)
    shares[i] = i;
  return shares;
}

void index_check_share(const char *path, int share, void (*check)(const struct index_line *line)) {
  static struct index_line lines[INDEX_MOST];
  size_t count = index_read(path, lines);
  for (size_t i = (size_t)share; i < count; i += INDEX_SHARES)
    check(&lines[i]);
}

int index_may_convert(const char *expectation) {
  return strncmp(expectation, "same", 4) == 0;
}

int index_may_refuse(const char *expectation) {
  return strncmp(expectation, "refuse", 6) == 0 || strncmp(expectation, "same-or-refuse", 14) == 0;
}

int index_has_words(const char *expectation, const char *message) {
  char words[sizeof((struct index_line *)0)->columns[0]], *rest = words;
  snprintf(words, sizeof words, "%s", expectation);
  strsep(&rest, " ");
  for (const char *word; (word = strsep(&rest, " ")) != NULL;)
    if (!strstr(message, word))
      return 0;
  return 1;
}
