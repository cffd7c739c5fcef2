#include "input.h"

#include "error.h"
#include "lookup.h"
#include "model/model.h"

#include <math.h>
#include <string.h>

static int32_t row_length(const cuseq_input *input, int32_t b) {
  return input->lengths ? input->lengths[b] : input->time;
}

/* The sign bit is set where the exponent is all ones: that, and no other, carries into it. */
static uint32_t beyond_f32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & 0x7fffffffu) + 0x00800000u;
}

/* Whether all `count` values are finite in float32; written so that it vectorises on any processor, in two
 * streams. */
static bool all_finite_f32(const float *values, size_t count) {
  const float *second = values + count / 2;
  uint32_t beyond = count % 2 ? beyond_f32(values[count - 1]) : 0;
  for (size_t i = 0; i < count / 2; i++)
    beyond |= beyond_f32(values[i]) | beyond_f32(second[i]);
  return (beyond & 0x80000000u) == 0;
}

static bool all_finite_f64(const double *values, size_t count) {
  int32_t beyond = 0;
  for (size_t i = 0; i < count; i++)
    beyond |= !(fabs(values[i]) < BEYOND_F32);
  return !beyond;
}

/* The id of a row that is one-hot, -1 for any other. */
static int32_t one_hot_f32(const float *row, int32_t F) {
  int32_t others = 0, ones = 0, id = 0;
  for (int32_t f = 0; f < F; f++) {
    int32_t one = row[f] == 1.0f;
    ones += one;
    id += one ? f : 0;
    others += row[f] != 0.0f;
  }
  return ones == 1 && others == 1 ? id : -1;
}

static int32_t one_hot_f64(const double *row, int32_t F) {
  int32_t others = 0, ones = 0, id = 0;
  for (int32_t f = 0; f < F; f++) {
    int32_t one = row[f] == 1.0;
    ones += one;
    id += one ? f : 0;
    others += row[f] != 0.0;
  }
  return ones == 1 && others == 1 ? id : -1;
}

static const char *value_name(double value) {
  return isnan(value)   ? "nan"
         : isinf(value) ? (value > 0 ? "inf" : "-inf")
                        : "a number too large for float32";
}

static double dense_value(const cuseq_input *input, size_t index) {
  return input->dtype == CUSEQ_DTYPE_F64 ? ((const double *)input->data)[index]
                                         : ((const float *)input->data)[index];
}

static cuseq_status dense_check_row(const cuseq_input *input, int32_t b, int32_t F) {
  size_t first = (size_t)b * input->time * F, count = (size_t)row_length(input, b) * F;
  if (input->dtype == CUSEQ_DTYPE_F64 ? all_finite_f64((const double *)input->data + first, count)
                                      : all_finite_f32((const float *)input->data + first, count))
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < count; i++) {
    double value = dense_value(input, first + i);
    if (!(fabs(value) < BEYOND_F32)) /* no conversion, which would raise an overflow */
      return error_set(CUSEQ_STATUS_NON_FINITE,
                       "input: [%d,%zu,%zu] is not finite (found %s, needed finite numbers)", (int)b, i / F,
                       i % F, value_name(value));
  }
  return CUSEQ_STATUS_OK;
}

/* The ids of one-hot rows, as far as the first row that counts and is not one-hot: which one it is, or
 * NONE. */
enum { NONE = -1 };
static int64_t dense_one_hot(const cuseq_input *input, int32_t F, int32_t *ids) {
  for (int32_t b = 0; b < input->batch; b++)
    for (int32_t t = 0; t < row_length(input, b); t++) {
      size_t row = (size_t)b * input->time + t;
      ids[row] = input->dtype == CUSEQ_DTYPE_F64 ? one_hot_f64((const double *)input->data + row * F, F)
                                                 : one_hot_f32((const float *)input->data + row * F, F);
      if (ids[row] < 0)
        return (int64_t)row;
    }
  return NONE;
}

static cuseq_status ids_copy(const cuseq_input *input, int32_t F, int32_t *ids) {
  for (int32_t b = 0; b < input->batch; b++)
    for (int32_t t = 0; t < row_length(input, b); t++) {
      size_t i = (size_t)b * input->time + t;
      int64_t id = input->dtype == CUSEQ_DTYPE_I64 ? ((const int64_t *)input->data)[i]
                                                   : ((const int32_t *)input->data)[i];
      if (id < 0 || id >= F)
        return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "input: id [%d,%d] is out of range (found %lld, needed 0 to %d)", (int)b, (int)t,
                         (long long)id, (int)F - 1);
      ids[i] = (int32_t)id;
    }
  return CUSEQ_STATUS_OK;
}

cuseq_status input_check_finite(const char *name, const float *values, size_t rows, size_t columns) {
  if (!values || all_finite_f32(values, rows * columns))
    return CUSEQ_STATUS_OK;
  size_t i = 0;
  while (isfinite(values[i]))
    i++;
  return error_set(CUSEQ_STATUS_NON_FINITE, "%s: [%zu,%zu] is not finite (found %s, needed finite numbers)",
                   name, i / columns, i % columns, value_name(values[i]));
}

cuseq_status input_check_steps(const char *name, const float *values, int32_t row, size_t steps,
                               size_t columns) {
  if (all_finite_f32(values, steps * columns))
    return CUSEQ_STATUS_OK;
  size_t i = 0;
  while (isfinite(values[i]))
    i++;
  return error_set(CUSEQ_STATUS_NON_FINITE,
                   "%s: [%d,%zu,%zu] is not finite (found %s, needed finite numbers)", name, (int)row,
                   i / columns, i % columns, value_name(values[i]));
}

/* Ids that nobody can check here, as the lengths are on the device: an int64 that is no int32 becomes the
 * nearest one. */
static void ids_narrow(const cuseq_input *input, int32_t *ids) {
  size_t count = (size_t)input->batch * (size_t)input->time;
  for (size_t i = 0; i < count; i++) {
    int64_t id = input->dtype == CUSEQ_DTYPE_I64 ? ((const int64_t *)input->data)[i]
                                                 : ((const int32_t *)input->data)[i];
    ids[i] = id < INT32_MIN ? INT32_MIN : id > INT32_MAX ? INT32_MAX : (int32_t)id;
  }
}

static void dense_view(const cuseq_input *input, struct backend_input *view) {
  if (input->dtype == CUSEQ_DTYPE_F64)
    view->f64 = input->data;
  else
    view->f32 = input->data;
}

/* Data in host memory with lengths there, or none. */
static cuseq_status data_view(const cuseq_config *config, const cuseq_input *input, bool allow_nonfinite,
                              int32_t *ids, struct backend_input *view) {
  bool dense = input->dtype == CUSEQ_DTYPE_F32 || input->dtype == CUSEQ_DTYPE_F64;
  if (!dense)
    TRY(ids_copy(input, config->features, ids));
  const int64_t other = dense ? dense_one_hot(input, config->features, ids) : NONE;
  if (other == NONE) {
    view->ids = ids;
    return CUSEQ_STATUS_OK;
  }
  if (config->ids_only)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "input: [%d,%d] is not one-hot (the model has an embedding: needed token ids, or one-hot rows)",
        (int)(other / input->time), (int)(other % input->time));
  for (int32_t b = 0; b < input->batch && !allow_nonfinite; b++)
    TRY(dense_check_row(input, b, config->features));
  dense_view(input, view);
  return CUSEQ_STATUS_OK;
}

static void unchecked_view(const cuseq_input *input, int32_t *ids, struct backend_input *view) {
  if (input->dtype == CUSEQ_DTYPE_F32 || input->dtype == CUSEQ_DTYPE_F64) {
    dense_view(input, view);
  } else {
    ids_narrow(input, ids);
    view->ids = ids;
  }
}

/* Data of a model that looks columns up. */
static cuseq_status rows_view(const struct input_structure *structure, const cuseq_input *input,
                              const bool *on_device, bool allow_nonfinite, float *rows,
                              struct backend_input *view) {
  if (on_device[BACKEND_DATA])
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "input: on the device (the model looks columns of ids up: needed host memory)");
  if (input->dtype != CUSEQ_DTYPE_F32 && input->dtype != CUSEQ_DTYPE_F64)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "input: token ids (the model looks columns up: needed [B,T,%d] F32 or F64, ids as numbers)",
        (int)structure->features);
  view->f32 = rows;
  return lookup_columns(structure, input, !on_device[BACKEND_LENGTHS], allow_nonfinite, rows);
}

cuseq_status input_view(const cuseq_model *model, const cuseq_input *input, const bool *on_device,
                        bool allow_nonfinite, int32_t *ids, float *rows, struct backend_input *view) {
  const cuseq_config *config = &model->config;
  bool looks = !on_device[BACKEND_LENGTHS];
  for (int32_t b = 0; looks && input->lengths && b < input->batch; b++)
    if (input->lengths[b] < 1 || input->lengths[b] > input->time)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "lengths: row %d is out of range (found %d, needed 1 to %d)", (int)b,
                       (int)input->lengths[b], (int)input->time);
  *view = (struct backend_input){.batch = input->batch,
                                 .time = input->time,
                                 .lengths = input->lengths,
                                 .initial_h = input->initial_h,
                                 .initial_c = input->initial_c};
  /* blocks [B,H] one after the other, mostly of one width; else a message counts elements alone */
  size_t all = (size_t)config->encoder_state_width * (size_t)input->batch;
  size_t columns = config->encoder_state_width % config->units == 0 ? (size_t)config->units : all;
  if (!allow_nonfinite && !on_device[BACKEND_INITIAL_H])
    TRY(input_check_finite("initial_h", input->initial_h, all / columns, columns));
  if (!allow_nonfinite && !on_device[BACKEND_INITIAL_C])
    TRY(input_check_finite("initial_c", input->initial_c, all / columns, columns));
  if (model->structure.input.lookup_count > 0) {
    TRY(rows_view(&model->structure.input, input, on_device, allow_nonfinite, rows, view));
  } else if (on_device[BACKEND_DATA]) {
    view->device = input->data;
    view->dtype = input->dtype;
  } else if (looks) {
    TRY(data_view(config, input, allow_nonfinite, ids, view));
  } else {
    unchecked_view(input, ids, view);
  }
  return CUSEQ_STATUS_OK;
}
