#include "cli/targets.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/results.h"
#include "error.h"

#include <stdlib.h>

/* The length of a row: what lies behind it is padding. */
static int row_length(const char *path, const cuseq_config *config, const int32_t *row, int32_t steps,
                      int32_t b, int32_t *length) {
  for (*length = 0; *length < steps && row[*length] >= 0; ++*length) {
    int32_t token = row[*length];
    if (token >= config->outputs)
      return fail("%s: the token at [%d,%d] is out of range (found %d, needed 0 to %d, or below 0 behind a "
                  "row's last)",
                  path, (int)b, (int)*length, (int)token, (int)config->outputs - 1);
    if (token == config->end_token) {
      ++*length;
      break;
    }
  }
  return *length > 0 ? EXIT_DONE
                     : fail("%s: row %d has no tokens (found %d, needed 0 to %d)", path, (int)b, (int)row[0],
                            (int)config->outputs - 1);
}

int targets_load(struct targets *targets, const char *path, const cuseq_config *config, int32_t batch) {
  struct npy_array *array = &targets->array;
  cuseq_status status = npy_read(path, array);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARRAY, status, error_text());
  if (!config->has_decoder)
    return fail("--targets: the model has no decoder");
  if (array->rank != 2 || array->shape[0] != batch || array->dtype == NPY_F16 || array->dtype == NPY_F32 ||
      array->dtype == NPY_F64)
    return fail("%s: does not fit the input (found %s of rank %d and %lld rows, needed integers [%d,Y])",
                path, npy_dtype_name(array->dtype), (int)array->rank, (long long)array->shape[0], (int)batch);
  int result = steps_choose(config, array->shape[1] < INT32_MAX ? (int32_t)array->shape[1] : INT32_MAX,
                            &targets->steps);
  if (result != EXIT_DONE)
    return result;
  status = npy_to_i32(array);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  targets->tokens = array->data;
  targets->lengths = calloc((size_t)batch, sizeof *targets->lengths);
  if (!targets->lengths)
    return fail_memory();
  for (int32_t b = 0; b < batch && result == EXIT_DONE; b++)
    result = row_length(path, config, targets->tokens + (size_t)b * (size_t)targets->steps, targets->steps, b,
                        &targets->lengths[b]);
  return result;
}

void targets_free(struct targets *targets) {
  npy_free(&targets->array);
  free(targets->lengths);
}
