#include "labels.h"

#include <math.h>

/* What is not a number comes last. */
static double rank(double probability) {
  return isnan(probability) ? -1 : probability;
}

TRITONSERVER_Error *label_best(const cuseq_model *model, int32_t head, const float *outputs,
                               struct room *room, const char **label, float *probability) {
  cuseq_head read = CUSEQ_HEAD_INIT;
  TRY(fault_library(cuseq_model_head(model, head, &read), NULL));
  TRY(room_reserve(room, (size_t)read.labels, sizeof(double)));
  double *probabilities = room->data;
  TRY(fault_library(cuseq_model_label_probabilities(model, head, outputs, probabilities), NULL));
  int32_t best = 0;
  for (int32_t k = 1; k < read.labels; k++)
    if (rank(probabilities[k]) > rank(probabilities[best]))
      best = k;
  *label = cuseq_model_label(model, head, best);
  *probability = (float)probabilities[best];
  return NULL;
}
