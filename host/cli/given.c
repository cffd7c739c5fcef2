#include "cli/given.h"

#include "cli/kinds.h"
#include "cli/message.h"
#include "error.h"

#include <inttypes.h>
#include <math.h>

int given_check(const char *model, const cuseq_config *config, const char *path) {
  if (config->given_width > 0 && !path)
    return fail("%s: each step of the model is given %d number%s (needed --given GIVEN.npy)", model,
                (int)config->given_width, config->given_width == 1 ? "" : "s");
  if (config->given_width == 0 && path)
    return fail("--given: the model's steps are given no numbers");
  return EXIT_DONE;
}

static int finite_check(const struct npy_array *array, const char *path) {
  size_t steps = (size_t)array->shape[1], width = (size_t)array->shape[2];
  for (size_t i = 0; i < array->count; i++) {
    float number = ((const float *)array->data)[i];
    if (!isfinite(number))
      return fail(
          "%s: [%zu,%zu,%zu] is not finite (found %g, needed a float32; --allow-nonfinite lets it through)",
          path, i / width / steps, i / width % steps, i % width, (double)number);
  }
  return EXIT_DONE;
}

int given_load(struct given *given, const char *path, const cuseq_config *config, int32_t batch,
               bool allow_nonfinite, int32_t *steps) {
  struct npy_array *array = &given->array;
  if (!path)
    return EXIT_DONE;
  cuseq_status status = npy_read(path, array);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, WANTED_ARRAY, status, error_text());
  if (array->rank != 3 || array->shape[0] != batch || array->shape[1] < 1 || array->shape[1] > INT32_MAX ||
      array->shape[2] != config->given_width)
    return fail("%s: does not fit the model and its input (found rank %d and %" PRId64
                " rows, needed numbers [%d,Y,%d])",
                path, (int)array->rank, array->shape[0], (int)batch, (int)config->given_width);
  if (*steps > 0 && array->shape[1] != *steps)
    return fail("%s: not of as many steps as --steps (found %" PRId64 ", needed %d)", path, array->shape[1],
                (int)*steps);
  status = npy_to_f32(array);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  *steps = (int32_t)array->shape[1];
  given->numbers = array->data;
  given->row = (size_t)*steps * (size_t)config->given_width;
  return allow_nonfinite ? EXIT_DONE : finite_check(array, path);
}

const float *given_rows(const struct given *given, int32_t first) {
  return given->numbers ? given->numbers + (size_t)first * given->row : NULL;
}

void given_free(struct given *given) {
  npy_free(&given->array);
}
