/* index.tsv: which files there are and what must become of each. */
#ifndef TESTS_GOLDEN_INDEX_H
#define TESTS_GOLDEN_INDEX_H

#include <stddef.h>

enum { INDEX_COLUMNS = 5, INDEX_MOST = 700, INDEX_SHARES = 16 };

struct index_line {
  char columns[INDEX_COLUMNS][120]; /* "" behind the last */
};

/* Reads at most INDEX_MOST lines; returns how many there are, 0 where the file cannot be read. */
size_t index_read(const char *path, struct index_line *lines);

/* [INDEX_SHARES] numbers of shares, for Criterion. */
int *index_shares(void);

/* Calls `check` with every line whose number is `share` modulo INDEX_SHARES: a process of its own for each
 * file would take longer than its test. */
void index_check_share(const char *path, int share, void (*check)(const struct index_line *line));

/* Of an expectation, "same", "same+note WORD...", "refuse WORD..." or "same-or-refuse WORD...": whether the
 * file may convert, whether it may be refused, and whether a message, or the notes, have every word. */
int index_may_convert(const char *expectation);
int index_may_refuse(const char *expectation);
int index_has_words(const char *expectation, const char *message);

#endif
