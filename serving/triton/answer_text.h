/* TEXT and SCORES of a response: texts and their log-probabilities, or labels and their probabilities. */
#ifndef CUSEQ_SERVING_ANSWER_TEXT_H
#define CUSEQ_SERVING_ANSWER_TEXT_H

#include "answer.h"

struct answer_source {
  struct job *job;
  const struct call *call;
  int32_t first; /* where the job's rows begin in the call                                                 */
  const struct served *served;
  float *scores; /* where SCORES go; NULL: nowhere                                                         */
};

TRITONSERVER_Error *answer_text(const struct answer_source *source, struct answer_memory *memory);

#endif
