/* The checking of a call's input, and its view for the backends. */
#ifndef CUSEQ_HOST_INPUT_H
#define CUSEQ_HOST_INPUT_H

#include "backends/backend.h"

#include <stdbool.h>

/* Checks data, lengths and initial states (batch and time have been checked against the session's limits) and
 * fills `view`. Token ids and one-hot rows are written to `ids` [B,T]. Returns CUSEQ_STATUS_NON_FINITE or
 * _INVALID_ARGUMENT with the first row or index at fault. What is on the device by `on_device`
 * [BACKEND_ARRAYS] is not looked at, and with lengths there data is not either: ids are narrowed, dense
 * rows taken as they are. Where the model looks columns up their rows are written to `rows` [B,T,width], and
 * data on the device is refused. */
cuseq_status input_view(const cuseq_model *model, const cuseq_input *input, const bool *on_device,
                        bool allow_nonfinite, int32_t *ids, float *rows, struct backend_input *view);

/* Checks that what row `row` has of an array [rows,steps,columns] is finite: `values` [steps,columns]. */
cuseq_status input_check_steps(const char *name, const float *values, int32_t row, size_t steps,
                               size_t columns);

/* Checks that an array of `rows` x `columns` is finite; NULL passes. `name` is for the message. */
cuseq_status input_check_finite(const char *name, const float *values, size_t rows, size_t columns);

#endif
