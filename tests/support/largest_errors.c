#include "support/largest_errors.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static double largest_error(const struct results_floats *got, const struct results_floats *want) {
  double largest = 0.0;
  for (size_t k = 0; k < want->rows * want->columns; k++) {
    const double value = (double)want->data[k],
                 error = fabs((double)got->data[k] - value) / fmax(1.0, fabs(value));
    largest = error <= largest ? largest : error;
  }
  return largest;
}

void largest_errors_add(struct largest_errors *largest, const struct results *got,
                        const struct results *want) {
  const size_t tokens = (size_t)want->B * (size_t)want->Y * (size_t)want->N * sizeof(int32_t);
  const bool same =
      !want->tokens || !results_follow_tokens(want) || memcmp(got->tokens, want->tokens, tokens) == 0;
  for (int i = 0; i < (same ? RESULTS_FLOATS : RESULTS_FIRST_DECODED); i++)
    if (want->floats[i].data)
      largest->of[i] = fmax(largest->of[i], largest_error(&got->floats[i], &want->floats[i]));
}
