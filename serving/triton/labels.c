#include "labels.h"

#include <math.h>

/* What is not a number comes last. */
static double rank(double value) {
  return isnan(value) ? -INFINITY : value;
}

/* Of one unit that decides between two labels: label 1 is what its probability is of. */
static int32_t judge_pair(double value, bool linear, double *probability) {
  double one = linear ? 1 / (1 + exp(-value)) : value, zero = 1 - one;
  bool second = rank(one) > rank(zero);
  *probability = second ? one : zero;
  return second;
}

static double probability_of(const float *own, int32_t count, int32_t best, cuseq_activation activation) {
  if (activation == CUSEQ_ACTIVATION_LOG_SOFTMAX)
    return exp((double)own[best]);
  if (activation != CUSEQ_ACTIVATION_LINEAR)
    return (double)own[best];
  double sum = 0;
  for (int32_t k = 0; k < count; k++)
    sum += exp((double)own[k] - (double)own[best]);
  return 1 / sum;
}

const char *label_best(const cuseq_model *model, int32_t index, const cuseq_head *head, const float *outputs,
                       float *probability) {
  const float *own = outputs + head->offset;
  int32_t best = 0;
  double value = 0;
  if (head->labels > head->units) {
    best = judge_pair((double)own[0], head->activation == CUSEQ_ACTIVATION_LINEAR, &value);
  } else {
    for (int32_t k = 1; k < head->units; k++)
      if (rank((double)own[k]) > rank((double)own[best]))
        best = k;
    value = probability_of(own, head->units, best, head->activation);
  }
  *probability = (float)value;
  return cuseq_model_label(model, index, best);
}
