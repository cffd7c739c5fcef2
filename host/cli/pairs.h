/* PAIRS.tsv: lines of a text, a tab, and the text that should come out. */
#ifndef CUSEQ_CLI_PAIRS_H
#define CUSEQ_CLI_PAIRS_H

#include "cli/texts.h"

struct pair {
  const char *input, *wanted; /* in the file's bytes */
  int32_t line;
};

struct pairs {
  char *bytes; /* the file, zero-terminated */
  struct pair *list;
  int32_t count;
};

/* Reads the pairs of a file and checks that `texts` takes each first text. Empty lines are skipped; "\r\n"
 * ends a line like "\n". Returns an exit status; release them with pairs_free in any case. */
int pairs_load(struct pairs *pairs, const char *path, struct texts *texts);
void pairs_free(struct pairs *pairs);

#endif
