/* The models whose errors are measured, and the inputs that they are given. */
#ifndef TESTS_EXACTNESS_CASES_H
#define TESTS_EXACTNESS_CASES_H

#include "cuseq/cuseq.h"
#include "support/random_model.h"

#include <stdbool.h>

struct exactness_case {
  const char *name;
  cuseq_model *model;
  int32_t calls, batch, time, steps;
};

struct exactness_input {
  cuseq_input input;
  void *data; /* what input.data points to */
};

typedef void exactness_measure(const struct exactness_case *one);

/* Calls `measure` for every case, or for those whose name begins with `name`: trained models, each with
 * `calls` calls of 32 inputs, and structures with weights like trained ones. A model that is not there is
 * skipped with a line. Run from the repository's root. */
void exactness_cases(exactness_measure *measure, const char *name, int32_t calls);

/* The inputs of one call: texts for the dates, what the trained models were trained on, else symbols or
 * numbers by chance. */
void exactness_input_make(struct exactness_input *made, const struct exactness_case *one,
                          struct random *random);
void exactness_input_free(struct exactness_input *made);

/* Has cpu sessions of this process use an instruction set from now on; false where the processor lacks it. */
bool exactness_runs_here(const char *instruction_set, cuseq_precision precision, const cuseq_model *model);

#endif
