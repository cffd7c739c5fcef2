#include "cli/targets.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/results.h"
#include "error.h"

#include <stdlib.h>

enum { NO_TOKEN = -1 };

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

/* Widens the rows to the steps that are made; what is behind a row's last token is not looked at. */
static int rows_widen(struct targets *targets, int32_t batch, int32_t columns) {
  size_t Y = (size_t)targets->steps;
  targets->widened = malloc((size_t)batch * Y * sizeof *targets->widened);
  if (!targets->widened)
    return fail_memory();
  for (size_t b = 0; b < (size_t)batch; b++)
    for (size_t y = 0; y < Y; y++)
      targets->widened[b * Y + y] = y < (size_t)columns ? targets->tokens[b * (size_t)columns + y] : NO_TOKEN;
  targets->tokens = targets->widened;
  return EXIT_DONE;
}

int targets_load(struct targets *targets, const char *path, const cuseq_config *config, int32_t batch,
                 int32_t asked) {
  struct npy_array *array = &targets->array;
  cuseq_status status = npy_read(path, array);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARRAY, status, error_text());
  if (array->rank != 2 || array->shape[0] != batch || array->dtype == NPY_F16 || array->dtype == NPY_F32 ||
      array->dtype == NPY_F64)
    return fail("%s: does not fit the input (found %s of rank %d and %lld rows, needed integers [%d,Y])",
                path, npy_dtype_name(array->dtype), (int)array->rank, (long long)array->shape[0], (int)batch);
  if (asked > 0 && array->shape[1] > asked)
    return fail("%s: longer than --steps (found %lld tokens in a row, needed at most %d)", path,
                (long long)array->shape[1], (int)asked);
  int32_t columns = array->shape[1] < INT32_MAX ? (int32_t)array->shape[1] : INT32_MAX;
  int result = steps_choose(config, asked > 0 ? asked : columns, &targets->steps);
  if (result != EXIT_DONE)
    return result;
  status = npy_to_i32(array);
  if (status != CUSEQ_STATUS_OK)
    return status == CUSEQ_STATUS_OUT_OF_MEMORY ? fail_memory() : fail("%s: %s", path, error_text());
  targets->tokens = array->data;
  if (columns < targets->steps && rows_widen(targets, batch, columns) != EXIT_DONE)
    return EXIT_MACHINE;
  targets->lengths = calloc((size_t)batch, sizeof *targets->lengths);
  if (!targets->lengths)
    return fail_memory();
  for (int32_t b = 0; b < batch && result == EXIT_DONE; b++)
    result = row_length(path, config, targets->tokens + (size_t)b * (size_t)targets->steps, targets->steps, b,
                        &targets->lengths[b]);
  return result;
}

bool targets_have_logs(const cuseq_config *config) {
  return config->output_activation == CUSEQ_ACTIVATION_SOFTMAX ||
         config->output_activation == CUSEQ_ACTIVATION_LOG_SOFTMAX;
}

int targets_check(const char *model, const cuseq_config *config, const char *path, bool searches,
                  bool started) {
  if (config->needs_targets && !path && !searches)
    return fail("%s: the model follows given tokens (needed --targets TOKENS.npy)", model);
  if (config->needs_targets && config->start_token < 0 && !started)
    return fail("%s: the model has no start token (needed before the first of the tokens that it follows: "
                "--start-token TOKEN)",
                model);
  if (path && !config->has_decoder)
    return fail("--targets: the model has no decoder");
  if (path && !config->needs_targets && config->feedback == CUSEQ_FEEDBACK_NONE && !targets_have_logs(config))
    return fail(
        "--targets: the model reads no tokens and gives no probabilities of them (found neither feedback nor "
        "a softmax)");
  return EXIT_DONE;
}

void targets_free(struct targets *targets) {
  npy_free(&targets->array);
  free(targets->lengths);
  free(targets->widened);
}
