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

void labelled_judge(struct labelled *labelled, int32_t i, const float *outputs) {
  /* Every head here has labels, which is all that the call could refuse. */
  (void)cuseq_model_label_probabilities(labelled->model, labelled->heads[i].index, outputs,
                                        labelled->probabilities);
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
