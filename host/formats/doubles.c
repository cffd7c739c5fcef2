#include "formats/doubles.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

const char *doubles_find(const char **names, size_t count) {
  if (count > 1)
    qsort(names, count, sizeof *names, by_name);
  for (size_t i = 1; i < count; i++)
    if (strcmp(names[i - 1], names[i]) == 0)
      return names[i];
  return NULL;
}
