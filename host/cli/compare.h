/* What the two kinds of `cuseq compare` share: a model, its input, and a device that runs it. */
#ifndef CUSEQ_CLI_COMPARE_H
#define CUSEQ_CLI_COMPARE_H

#include "cli/begin.h"
#include "cli/command.h"
#include "cli/given.h"
#include "cli/input_array.h"
#include "cli/results.h"
#include "cli/targets.h"
#include "cli/verdict.h"

/* One of the things that are compared. */
struct side {
  cuseq_session *session;
  struct results results; /* of one batch */
};

struct comparison {
  const struct arguments *arguments;
  cuseq_model *model;
  const cuseq_config *config;
  struct input_array input;
  struct given given;
  struct targets targets; /* tokens NULL: the model's own outputs are followed                            */
  struct begin begin;
  int32_t steps, at_a_time;
  struct verdicts verdicts;
};

/* Loads what the arguments name. Returns an exit status; release it with comparison_close in any case. */
int comparison_open(struct comparison *comparison, const struct arguments *arguments);
void comparison_close(struct comparison *comparison);

/* The log-probabilities of given tokens as a set of results, where there are such. */
unsigned comparison_logs(const struct comparison *comparison);

/* Sets what may differ: --tolerance, or what the structure allows, times `room`. */
void comparison_allow(struct comparison *comparison, double room);

/* Opens a session, with room for the results in the set. Returns an exit status. */
int side_open(struct side *side, const struct comparison *comparison, const char *device,
              cuseq_precision precision, unsigned set);
void side_close(struct side *side);

/* Runs rows first .. first + count - 1. Returns an exit status. */
int side_run(struct side *side, const struct comparison *comparison, int32_t first, int32_t count);

/* Runs the rows, some at a time, and has each part judged. Returns an exit status. */
int comparison_compute(const struct comparison *comparison,
                       int (*part)(void *owner, int32_t first, int32_t count), void *owner);

/* What a table begins with, and the lines about ties behind it; "ties" and "parted" of JSON. */
void comparison_print_head(const struct comparison *comparison, const struct side *device,
                           const char *against);
void comparison_print_ties(const struct verdicts *verdicts);

/* One line of the table. The bound is 0 for integers. */
void comparison_print_row(const char *name, const struct verdict *verdict, double bound, int32_t rank,
                          const int64_t *shape);

/* The same as members of a JSON object, without its braces. */
void comparison_json_row(const struct verdict *verdict, double bound, int32_t rank, const int64_t *shape);

/* The whole of `cuseq compare --with`. */
int compare_with(const struct arguments *arguments);

#endif
