/* A model's configuration of Triton's: what it leaves out is filled in from the model, what it says is
 * checked. */
#ifndef CUSEQ_SERVING_CONFIG_H
#define CUSEQ_SERVING_CONFIG_H

#include "ports.h"

#include <jansson.h>

/* Reads the configuration as it stands. *root is the caller's. */
TRITONSERVER_Error *config_read(TRITONBACKEND_Model *model, json_t **root);

/* Fills in inputs, outputs, max_batch_size and batching where there are none, and hands it to the server. */
TRITONSERVER_Error *config_complete(TRITONBACKEND_Model *model, json_t *root, const struct ports *ports);

/* Whether the configuration fits the model. INPUT's port becomes what the configuration says of it, and
 * inputs and outputs that it does not list are no ports any longer.
 *   max_batch  receives max_batch_size */
TRITONSERVER_Error *config_check(const json_t *root, struct ports *ports, const cuseq_config *config,
                                 int32_t *max_batch);

#endif
