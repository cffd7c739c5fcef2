/* The work of `cuseq run`, for the files that make it up. */
#ifndef CUSEQ_CLI_RUN_H
#define CUSEQ_CLI_RUN_H

#include "cli/beams.h"
#include "cli/begin.h"
#include "cli/command.h"
#include "cli/gallery.h"
#include "cli/given.h"
#include "cli/input_array.h"
#include "cli/results.h"
#include "cli/targets.h"
#include "formats/npz.h"

enum { RUN_ENTRIES = RESULT_COUNT + 5 };

struct job {
  const struct arguments *arguments;
  cuseq_model *model;
  const cuseq_config *config;
  cuseq_session *session;
  struct input_array input;
  cuseq_beam beam; /* beams 0: no search                                                           */
  struct begin begin;
  struct given given;
  struct targets targets; /* tokens NULL: the model's own outputs are followed                            */
  int32_t steps;
  int32_t at_a_time;
  /* all rows with -o, otherwise those of one batch */
  struct results results;
  struct beam_results found; /* of a search */
  int32_t *ids;              /* [time] of one row */
  char *text;                /* room for one row's output */
  size_t text_capacity;
  struct gallery shown, plotted;
};

/* Prints rows `first` .. first + count - 1, and adds them to the pictures. Returns an exit status. */
int run_rows(struct job *job, int32_t first, int32_t count);

/* What comes before the rows and behind them. */
void run_print_begin(const struct job *job);
void run_print_end(const struct job *job);

/* The arrays of OUT.npz; returns how many. */
size_t run_entries(const struct job *job, struct npz_entry entries[RUN_ENTRIES]);

#endif
