#include "cli/labelled.h"

#include "cli/message.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

int labelled_make(struct labelled *labelled, const cuseq_model *model) {
  int32_t heads = cuseq_model_config(model)->heads;
  *labelled = (struct labelled){.model = model};
  labelled->heads = calloc((size_t)heads, sizeof *labelled->heads);
  if (!labelled->heads)
    return fail_memory();
  for (int32_t i = 0; i < heads; i++) {
    struct labelled_head *next = &labelled->heads[labelled->count];
    *next = (struct labelled_head){.index = i, .head = CUSEQ_HEAD_INIT};
    cuseq_status status = cuseq_model_head(model, i, &next->head);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
    labelled->count += next->head.labels > 0;
    if (next->head.labels > labelled->most)
      labelled->most = next->head.labels;
  }
  labelled->probabilities = calloc((size_t)labelled->most, sizeof *labelled->probabilities);
  return labelled->probabilities ? EXIT_DONE : fail_memory();
}

void labelled_free(struct labelled *labelled) {
  free(labelled->heads);
  free(labelled->probabilities);
}

const char *labelled_name(const struct labelled *labelled, int32_t i, int32_t label) {
  return cuseq_model_label(labelled->model, labelled->heads[i].index, label);
}

static void softmax(const float *logits, int32_t count, double *probabilities) {
  double largest = -INFINITY, sum = 0;
  for (int32_t k = 0; k < count; k++)
    largest = fmax(largest, (double)logits[k]);
  for (int32_t k = 0; k < count; k++)
    sum += probabilities[k] = exp((double)logits[k] - largest);
  for (int32_t k = 0; k < count; k++)
    probabilities[k] /= sum;
}

void labelled_judge(struct labelled *labelled, int32_t i, const float *outputs) {
  const cuseq_head *head = &labelled->heads[i].head;
  const float *own = outputs + head->offset;
  double *probabilities = labelled->probabilities;
  bool linear = head->activation == CUSEQ_ACTIVATION_LINEAR;
  if (head->labels > head->units) { /* one unit decides between two */
    probabilities[1] = linear ? 1 / (1 + exp(-(double)own[0])) : (double)own[0];
    probabilities[0] = 1 - probabilities[1];
  } else if (linear) {
    softmax(own, head->units, probabilities);
  } else {
    for (int32_t k = 0; k < head->units; k++)
      probabilities[k] =
          head->activation == CUSEQ_ACTIVATION_LOG_SOFTMAX ? exp((double)own[k]) : (double)own[k];
  }
}

/* What is not a number comes last. */
static double rank(double probability) {
  return isnan(probability) ? -1 : probability;
}

int32_t labelled_next(const struct labelled *labelled, int32_t i, int32_t last) {
  const double *p = labelled->probabilities;
  int32_t best = -1;
  for (int32_t k = 0; k < labelled->heads[i].head.labels; k++) {
    bool after = last < 0 || rank(p[k]) < rank(p[last]) || (rank(p[k]) == rank(p[last]) && k > last);
    if (after && (best < 0 || rank(p[k]) > rank(p[best])))
      best = k;
  }
  return best;
}
