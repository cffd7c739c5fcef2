#include "lookup.h"

#include "backends/backend.h"
#include "error.h"

#include <math.h>
#include <string.h>

/* One element, where it stands, and where what becomes of it goes. */
struct element {
  double value;
  int32_t row, position, column;
};

static cuseq_status put_row(const struct input_lookup *lookup, const struct element *element, float *to) {
  const double id = element->value;
  if (!(id >= 0 && id <= (double)lookup->ids - 1 && floor(id) == id))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "input: [%d,%d,%d] is no id (found %g, needed a whole number from 0 to %d)",
                     (int)element->row, (int)element->position, (int)element->column, id,
                     (int)lookup->ids - 1);
  memcpy(to, lookup->table + (size_t)id * (size_t)lookup->units, (size_t)lookup->units * sizeof *to);
  return CUSEQ_STATUS_OK;
}

static cuseq_status put_number(const struct element *element, bool allow_nonfinite, float *to) {
  if (!allow_nonfinite && !(fabs(element->value) < BEYOND_F32))
    return error_set(CUSEQ_STATUS_NON_FINITE,
                     "input: [%d,%d,%d] is not finite (found %g, needed finite numbers)", (int)element->row,
                     (int)element->position, (int)element->column, element->value);
  *to = (float)element->value;
  return CUSEQ_STATUS_OK;
}

/* All columns of a position. */
static cuseq_status put_position(const struct input_structure *structure, const cuseq_input *input,
                                 struct element *element, bool allow_nonfinite, float *to) {
  const struct input_lookup *lookup = structure->lookups, *end = lookup + structure->lookup_count;
  const size_t first =
      ((size_t)element->row * (size_t)input->time + (size_t)element->position) * (size_t)structure->features;
  for (int32_t f = 0; f < structure->features; f++) {
    element->column = f;
    element->value = input->dtype == CUSEQ_DTYPE_F64
                         ? ((const double *)input->data)[first + (size_t)f]
                         : (double)((const float *)input->data)[first + (size_t)f];
    while (lookup < end && f >= lookup->column + lookup->columns)
      lookup++;
    if (lookup < end && f >= lookup->column) {
      TRY(put_row(lookup, element, to));
      to += lookup->units;
    } else {
      TRY(put_number(element, allow_nonfinite, to++));
    }
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status lookup_columns(const struct input_structure *structure, const cuseq_input *input,
                            bool lengths_known, bool allow_nonfinite, float *rows) {
  const size_t width = (size_t)structure->width, time = (size_t)input->time;
  for (int32_t b = 0; b < input->batch; b++) {
    const int32_t length = lengths_known && input->lengths ? input->lengths[b] : input->time;
    float *row = rows + (size_t)b * time * width;
    for (int32_t t = 0; t < length; t++) {
      struct element element = {.row = b, .position = t};
      TRY(put_position(structure, input, &element, allow_nonfinite, row + (size_t)t * width));
    }
    memset(row + (size_t)length * width, 0, (time - (size_t)length) * width * sizeof *row);
  }
  return CUSEQ_STATUS_OK;
}
