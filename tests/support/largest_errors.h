/* The largest error of each array over some calls: |got - want| / max(1, |want|), as tolerances count it. */
#ifndef TESTS_SUPPORT_LARGEST_ERRORS_H
#define TESTS_SUPPORT_LARGEST_ERRORS_H

#include "support/results.h"

struct largest_errors {
  double of[RESULTS_FLOATS]; /* in the order of results.floats; 0 where the model has no such array */
};

/* Takes a call's errors in. Of a decoder whose tokens differ only what is encoded: what follows a token
 * answers another question then. NaN counts as an error that stays. */
void largest_errors_add(struct largest_errors *largest, const struct results *got,
                        const struct results *want);

#endif
