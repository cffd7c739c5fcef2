/* A model that the server has loaded: the library's model, which instances share, and what is said of it. */
#ifndef CUSEQ_SERVING_MODEL_H
#define CUSEQ_SERVING_MODEL_H

#include "parameters.h"
#include "ports.h"

/* How long a request without a vocabulary may be where max_time does not say. */
enum { MAX_TIME = 1024 };

struct served {
  cuseq_model *model;
  const cuseq_config *config;
  struct parameters parameters;
  struct ports all;   /* what the model has                                                                */
  struct ports ports; /* what the configuration lists                                                      */
  int32_t max_batch, max_time, max_steps;
};

TRITONSERVER_Error *served_open(TRITONBACKEND_Model *model, struct served **served);
void served_close(struct served *served);

#endif
