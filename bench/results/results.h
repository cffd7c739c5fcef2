/* Writes what a benchmark measured, in the form that README.md here describes. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stdbool.h>

/* What stands at the head of a table and of the results. */
struct heading {
  const char *bench; /* as in `./run bench NAME` */
  char machine[400]; /* the processor as the system names it, and `processor` */
  char commit[64], date[32], command[512];
};

/* processor: what the library says of its device, "AVX-512, 2 cores"; `--json FILE` is left out of the
 * command. */
void heading_make(struct heading *heading, const char *bench, const char *processor, int argc, char **argv);

/* The same as `#` lines on stdout. */
void heading_print(const struct heading *heading);

struct results;

/* Whether a file can be written there: asked before anything is measured. false with a message on stderr. */
bool results_possible(const char *path);

/* Begins a file, which appears whole or not at all. NULL with a message on stderr. */
struct results *results_begin(const char *path, const struct heading *heading, int rounds);

/* Begins a row of a kind; its members follow. */
void results_row(struct results *results, const char *kind);
void results_text(struct results *results, const char *key, const char *value);
void results_bool(struct results *results, const char *key, bool value);
/* Six significant digits; what is not finite is null. */
void results_number(struct results *results, const char *key, double value);

/* Makes the file what it is with the rows so far, for a benchmark that may be ended before it is done;
 * further rows may follow. false with a message on stderr where it could not be written. */
bool results_save(struct results *results);

/* Ends the file; false with a message on stderr where it could not be written. */
bool results_end(struct results *results);

#endif
