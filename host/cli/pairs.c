#include "cli/pairs.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "formats/text.h"

#include <stdlib.h>
#include <string.h>

/* Cuts the file into pairs. */
static int split(struct pairs *pairs, const char *path, struct texts *texts) {
  char *rest = pairs->bytes;
  for (int32_t number = 1; rest && *rest; number++) {
    char *line = strsep(&rest, "\n");
    text_line(line, strlen(line));
    if (!*line)
      continue;
    char *wanted = strchr(line, '\t');
    if (!wanted || strchr(wanted + 1, '\t'))
      return fail("%s: line %d: not a pair (found %s, needed text, tab, text)", path, (int)number,
                  wanted ? "more than one tab" : "no tab");
    *wanted++ = 0;
    pairs->list[pairs->count++] = (struct pair){line, wanted, number};
    if (texts_add(texts, line) != CUSEQ_STATUS_OK)
      return fail("%s: line %d: %s%s", path, (int)number, texts_reason(),
                  strstr(texts_reason(), "too long") ? "; --truncate cuts it" : "");
    texts_clear(texts);
  }
  return pairs->count > 0 ? EXIT_DONE : fail("%s: empty (needed lines of text, tab, text)", path);
}

int pairs_load(struct pairs *pairs, const char *path, struct texts *texts) {
  size_t size = 0, lines = 1;
  int result = text_load(path, WANTED_PAIRS, &pairs->bytes, &size);
  if (result != EXIT_DONE)
    return result;
  for (size_t i = 0; i < size; i++)
    lines += pairs->bytes[i] == '\n';
  if (lines >= INT32_MAX)
    return fail("%s: too many lines (found %zu)", path, lines);
  pairs->list = calloc(lines, sizeof *pairs->list);
  return pairs->list ? split(pairs, path, texts) : fail_memory();
}

void pairs_free(struct pairs *pairs) {
  free(pairs->list);
  free(pairs->bytes);
}
