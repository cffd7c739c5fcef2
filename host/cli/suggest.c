#include "cli/arguments.h"

#include <stddef.h>
#include <string.h>

enum { SUGGEST_LONGEST = 32 };

static int least(int a, int b) {
  return a < b ? a : b;
}

/* Damerau-Levenshtein distance: insertions, deletions, replacements and neighbours exchanged. */
static int edit_distance(const char *a, const char *b) {
  int rows[SUGGEST_LONGEST + 1][SUGGEST_LONGEST + 1];
  int m = (int)strlen(a), n = (int)strlen(b);
  if (m > SUGGEST_LONGEST || n > SUGGEST_LONGEST)
    return m + n;
  for (int i = 0; i <= m; i++)
    for (int j = 0; j <= n; j++) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      int same = a[i - 1] == b[j - 1];
      rows[i][j] = least(least(rows[i - 1][j], rows[i][j - 1]) + 1, rows[i - 1][j - 1] + !same);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  return rows[m][n];
}

const char *suggest(const char *text, const char *const *names) {
  const char *best = NULL;
  int best_distance = 3;
  for (; *names; names++) {
    size_t length = strlen(text);
    int distance = length >= 2 && strncmp(*names, text, length) == 0 ? 1 : edit_distance(text, *names);
    if (distance < best_distance && distance < (int)strlen(*names)) {
      best_distance = distance;
      best = *names;
    }
  }
  return best;
}
