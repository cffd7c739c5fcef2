#include "parameters.h"

#include <string.h>

enum { MAX_BEAM = 16 };

static TRITONSERVER_Error *text_set(const struct setting *setting, char *to, size_t capacity) {
  const char *text = "";
  TRY(setting_text(setting, &text));
  if (strlen(text) >= capacity)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: too long (found %zu bytes, needed at most %zu)",
                 setting->name, strlen(text), capacity - 1);
  memcpy(to, text, strlen(text) + 1);
  return NULL;
}

static TRITONSERVER_Error *precision_set(const struct setting *setting, cuseq_precision *precision) {
  const char *text = "";
  TRY(setting_text(setting, &text));
  for (int i = CUSEQ_PRECISION_FLOAT32; i <= CUSEQ_PRECISION_BF16; i++)
    if (strcmp(cuseq_precision_name((cuseq_precision)i), text) == 0) {
      *precision = (cuseq_precision)i;
      return NULL;
    }
  return fault(TRITONSERVER_ERROR_INVALID_ARG,
               "there is no such precision (found \"%.40s\", needed float32, tf32 or bf16)", text);
}

static TRITONSERVER_Error *parameter_set(struct parameters *parameters, const struct setting *setting) {
  const char *name = setting->name;
  bool known = false;
  TRY(search_set(&parameters->search, setting, &known));
  if (known)
    return NULL;
  if (strcmp(name, "device") == 0)
    return text_set(setting, parameters->device, sizeof parameters->device);
  if (strcmp(name, "plan") == 0)
    return text_set(setting, parameters->plan, sizeof parameters->plan);
  if (strcmp(name, "precision") == 0)
    return precision_set(setting, &parameters->precision);
  if (strcmp(name, "threads") == 0)
    return setting_integer(setting, 0, 1024, &parameters->threads);
  if (strcmp(name, "max_time") == 0)
    return setting_integer(setting, 1, LARGEST_SIZE, &parameters->max_time);
  if (strcmp(name, "max_steps") == 0)
    return setting_integer(setting, 1, LARGEST_SIZE, &parameters->max_steps);
  if (strcmp(name, "max_beam") == 0)
    return setting_integer(setting, 1, CUSEQ_MAX_BEAMS, &parameters->max_beam);
  if (strcmp(name, "truncate") == 0)
    return setting_flag(setting, &parameters->truncate);
  if (strncmp(name, "TRITON_", 7) == 0) /* the server's own */
    return NULL;
  return fault(
      TRITONSERVER_ERROR_INVALID_ARG,
      "there is no such parameter (needed device, threads, precision, plan, max_time, max_steps, "
      "max_beam, truncate, beam, n_best, min_length, length_penalty, alpha, retire or prune_by_score)");
}

static TRITONSERVER_Error *prefixed(const char *name, TRITONSERVER_Error *error) {
  if (!error)
    return NULL;
  TRITONSERVER_Error *longer =
      fault(TRITONSERVER_ERROR_INVALID_ARG, "parameters.%s: %s", name, TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
  return longer;
}

TRITONSERVER_Error *parameters_read(struct parameters *parameters, const json_t *root,
                                    const cuseq_config *config) {
  *parameters = (struct parameters){0};
  const char *name;
  json_t *entry;
  json_object_foreach(json_object_get(root, "parameters"), name, entry) {
    struct setting setting = {.name = name,
                              .type = TRITONSERVER_PARAMETER_STRING,
                              .value = json_string_value(json_object_get(entry, "string_value"))};
    if (!setting.value)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "parameters.%s: has no string_value", name);
    TRITONSERVER_Error *error = parameter_set(parameters, &setting);
    if (error)
      return prefixed(name, error);
  }
  if (parameters->max_beam == 0)
    parameters->max_beam = parameters->search.beam > MAX_BEAM ? parameters->search.beam : MAX_BEAM;
  return prefixed("search", search_check(&parameters->search, config, parameters->max_beam));
}
