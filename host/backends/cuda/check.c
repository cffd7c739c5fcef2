/* The checks of arrays that the caller left on the device: what session.c and input.c do with host arrays.
 * They are queued as one launch for all such arrays of a stage, and what they find is reported when the
 * stream has been waited for. */
#include "backends/cuda/cuda.h"

#include "error.h"

_Static_assert((int)LAUNCH_STAGE_ENCODER == BACKEND_STAGE_ENCODER &&
                   (int)LAUNCH_STAGE_MERGE == BACKEND_STAGE_MERGE &&
                   (int)LAUNCH_STAGE_ENERGIES == BACKEND_STAGE_ENERGIES &&
                   (int)LAUNCH_STAGE_CONTEXT == BACKEND_STAGE_CONTEXT &&
                   (int)LAUNCH_STAGE_DECODER == BACKEND_STAGE_DECODER &&
                   (int)LAUNCH_STAGE_OUTPUTS == BACKEND_STAGE_OUTPUTS,
               "kernels and backends have the same stages");

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct input_array *added(struct cuda_session *session, enum backend_array name, const void *source,
                                 cuseq_dtype dtype, void *target) {
  struct cuda_checks *checks = &session->checks;
  struct input_array *array = &checks->next.arrays[checks->next.count++];
  *array = (struct input_array){
      .name = (int32_t)name, .dtype = dtype, .d_source = source, .d_target = target, .rows = 1};
  array->finite = !session->limits.allow_nonfinite;
  return array;
}

void cuda_check_integers(struct cuda_session *session, enum backend_array name, const int32_t *source,
                         int32_t *target, int64_t count, int32_t low, int32_t high) {
  struct input_array *array = added(session, name, source, CUSEQ_DTYPE_I32, target);
  array->columns = count;
  array->low = low;
  array->high = high;
}

void cuda_check_states(struct cuda_session *session, enum backend_array name, const float *source,
                       float *target, int64_t count) {
  added(session, name, source, CUSEQ_DTYPE_F32, target)->columns = count;
}

void cuda_check_targets(struct cuda_session *session, const int32_t *source, int32_t *target, int32_t rows,
                        int32_t steps, int32_t high, const int32_t *d_lengths) {
  struct input_array *array = added(session, BACKEND_TARGETS, source, CUSEQ_DTYPE_I32, target);
  array->rows = rows;
  array->columns = steps;
  array->high = high;
  array->d_lengths = d_lengths;
  array->positions = steps;
}

void cuda_check_given(struct cuda_session *session, const float *source, float *target, int32_t rows,
                      int32_t steps, int32_t width, const int32_t *d_lengths) {
  struct input_array *array = added(session, BACKEND_GIVEN, source, CUSEQ_DTYPE_F32, target);
  array->rows = rows;
  array->columns = (int64_t)steps * width;
  array->d_lengths = d_lengths;
  array->positions = steps;
}

void cuda_check_data(struct cuda_session *session, const void *source, cuseq_dtype dtype, void *target,
                     int32_t width, const int32_t *d_lengths) {
  struct input_array *array = added(session, BACKEND_DATA, source, dtype, target);
  array->rows = session->encoded.batch;
  array->columns = (int64_t)session->encoded.time * width;
  array->high = session->model->lowered.input.features - 1;
  array->d_lengths = d_lengths;
  array->positions = session->encoded.time;
}

cuseq_status cuda_check_queue(struct cuda_session *session) {
  struct cuda_checks *checks = &session->checks;
  TRY(cuda_inputs_arrived(session));
  if (checks->next.count == 0)
    return CUSEQ_STATUS_OK;
  checks->next.call = checks->call;
  checks->next.d_record = checks->d_record;
  checks->next.fault = &checks->h_faults->input;
  cuseq_status status = cuda_launched(session, launch_input_check(&checks->next, &session->launch));
  checks->next.count = 0;
  return status;
}

/* ---- the report ---- */

static const char *number_name(double value) {
  return isnan(value)   ? "nan"
         : isinf(value) ? (value > 0 ? "inf" : "-inf")
                        : "a number too large for float32";
}

static cuseq_status data_report(const struct input_fault *fault, const char *earlier) {
  long long T = fault->array.positions, F = fault->array.columns / T, i = fault->index;
  if (fault->array.dtype == CUSEQ_DTYPE_I32 || fault->array.dtype == CUSEQ_DTYPE_I64)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%sinput: id [%lld,%lld] is out of range (found %lld, needed 0 to %d)", earlier, i / T,
                     i % T, (long long)fault->integer, (int)fault->array.high);
  return error_set(CUSEQ_STATUS_NON_FINITE,
                   "%s%s: [%lld,%lld,%lld] is not finite (found %s, needed finite numbers)", earlier,
                   backend_array_name((enum backend_array)fault->array.name), i / F / T, i / F % T, i % F,
                   number_name(fault->number));
}

struct launch_check cuda_check_results(const struct cuda_session *session, int32_t step) {
  return (struct launch_check){
      .d_fault = session->limits.allow_nonfinite ? NULL : &session->checks.h_faults->results,
      .first_row = session->call.first_row,
      .step = step};
}

/* Kernels do not know their call: where several were waited for together, it may have been any of them. */
static cuseq_status results_report(const struct cuda_checks *checks, uint64_t fault) {
  return backend_fault_report(fault, checks->call == checks->reported + 1 ? "" : "this or an earlier call: ");
}

cuseq_status cuda_check_report(struct cuda_session *session) {
  struct cuda_checks *checks = &session->checks;
  const struct input_fault fault = checks->h_faults->input;
  const uint64_t results = checks->h_faults->results;
  const cuseq_config *config = &session->model->config;
  checks->h_faults->results = BACKEND_NO_FAULT;
  if (!fault.found) {
    cuseq_status status = results_report(checks, results);
    checks->reported = checks->call;
    return status;
  }
  checks->reported = checks->call;
  checks->h_faults->input.found = 0;
  CUDA_TRY(cudaMemsetAsync(&checks->d_record->pending, 0, sizeof checks->d_record->pending, session->stream));
  const char *earlier = fault.call == checks->call ? "" : "an earlier call: ";
  enum backend_array array = (enum backend_array)fault.array.name;
  if (array == BACKEND_DATA || array == BACKEND_GIVEN)
    return data_report(&fault, earlier);
  if (array == BACKEND_TARGETS)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s%s: [%lld,%lld] is out of range (found %lld, needed %d to %d)", earlier,
                     backend_array_name(array), (long long)(fault.index / fault.array.columns),
                     (long long)(fault.index % fault.array.columns), (long long)fault.integer,
                     (int)fault.array.low, (int)fault.array.high);
  if (call_arrays[array].is_integer)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s%s: row %lld is out of range (found %lld, needed %d to %d)", earlier,
                     backend_array_name(array), (long long)fault.index, (long long)fault.integer,
                     (int)fault.array.low, (int)fault.array.high);
  bool encoders = array == BACKEND_INITIAL_H || array == BACKEND_INITIAL_C;
  long long columns = encoders ? config->units : (long long)call_row_elements(config, array, 1, 1);
  return error_set(CUSEQ_STATUS_NON_FINITE,
                   "%s%s: [%lld,%lld] is not finite (found %s, needed finite numbers)", earlier,
                   backend_array_name(array), (long long)fault.index / columns,
                   (long long)fault.index % columns, number_name(fault.number));
}
