/* What a model's configuration says in "parameters" (docs/serving.md lists them). */
#ifndef CUSEQ_SERVING_PARAMETERS_H
#define CUSEQ_SERVING_PARAMETERS_H

#include "search.h"

#include <jansson.h>

enum { DEVICE_NAME = 32, PLAN_LENGTH = 256, LARGEST_SIZE = 1 << 20 };

struct parameters {
  char device[DEVICE_NAME]; /* "": as the kind of the instance says                                        */
  int32_t threads;          /* 0: as many as help                                                          */
  cuseq_precision precision;
  int32_t max_time;       /* 0: what the model needs, or as long as requests are, up to MAX_TIME          */
  int32_t max_steps;      /* 0: the model's steps                                                        */
  int32_t max_beam;       /* the largest beam that a request may ask for                                 */
  struct search search;   /* of requests that say nothing                                                */
  bool truncate;          /* texts that are too long are cut                                             */
  char plan[PLAN_LENGTH]; /* "": chosen                                                                  */
};

/* Reads them from a configuration of Triton's, as JSON. What is not known is refused.
 *   config  of the model, which the search must fit */
TRITONSERVER_Error *parameters_read(struct parameters *parameters, const json_t *root,
                                    const cuseq_config *config);

#endif
