/* pytorch_convert: nn.LSTM, nn.LSTMCell, nn.Linear and nn.Embedding under the names that the description
 * gives. docs/from-pytorch.md has the names. PyTorch's gates lie in our order; its matrices are transposed,
 * and each LSTM has two biases that are always added up. */
#include "convert/convert.h"
#include "convert/pytorch/parts.h"
#include "error.h"
#include "formats/file.h"
#include "formats/json_bound.h"
#include "model/config.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DESCRIPTION_MEMORY = 48 << 20 };

/* A description, read: the configuration's JSON and structure, and the names. */
struct description {
  json_t *json;
  char *configuration; /* without the names */
  cuseq_config config;
  struct names names;
};

static void description_free(struct description *description) {
  names_free(&description->names);
  free(description->configuration);
  json_decref(description->json);
}

/* The configuration, checked by the code that loads models. */
static cuseq_status read_configuration(struct description *description) {
  json_t *plain = json_copy(description->json);
  json_object_del(plain, "names");
  char *text = json_dumps(plain, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref(plain);
  if (text == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  cuseq_model *plan = calloc(1, sizeof *plan);
  cuseq_status status = plan != NULL ? config_parse(text, strlen(text), plan)
                                     : error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  if (plan != NULL) {
    description->config = plan->config;
    description->configuration = plan->json;
    vocabulary_free(&plan->vocabulary);
  }
  free(plan);
  free(text);
  return status;
}

/* A model's file may say how a layer ends that it does not have; of a description that is a mistake. */
static cuseq_status check_meaning(const cuseq_config *config) {
  if (config->initial_state == CUSEQ_INITIAL_STATE_DENSE ||
      config->initial_activation == CUSEQ_ACTIVATION_LINEAR)
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                   "configuration: %s.initial_activation has no layer (it needs initial_state \"dense\")",
                   config->has_decoder ? "decoder" : "state");
}

/* Told before anything else: what is said of version 1's keys is no help to who writes one of version 2. */
static cuseq_status check_version(const json_t *json) {
  if (json_integer_value(json_object_get(json, "version")) != 2)
    return CUSEQ_STATUS_OK;
  return error_set(
      CUSEQ_STATUS_INVALID_ARGUMENT,
      "configuration: version 2 (a description of a checkpoint is of version 1; docs/from-pytorch.md "
      "shows how a program writes a model of version 2)");
}

/* Reads a description and checks all of it that needs no checkpoint. */
static cuseq_status read_description(const char *text, struct description *description) {
  json_error_t error;
  if (json_bound(text, strlen(text)).memory > (size_t)MAX_DESCRIPTION_MEMORY)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "configuration: JSON that takes too much memory");
  description->json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (description->json == NULL && json_lacked_memory(&error))
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "configuration: out of memory");
  if (description->json == NULL)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "configuration: not JSON (%.200s, line %d, column %d)",
                     error.text, error.line, error.column);
  TRY(check_version(description->json));
  TRY(read_configuration(description));
  TRY(check_meaning(&description->config));
  return names_parse(json_object_get(description->json, "names"), &description->config, &description->names);
}

static cuseq_status make_model(const struct checkpoint *checkpoint, const char *configuration,
                               cuseq_model **model) {
  cuseq_status status = cuseq_model_create(configuration, checkpoint->made, checkpoint->made_count, model);
  if (status != CUSEQ_STATUS_OK) { /* the library may keep its error texts apart from the program's */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", cuseq_last_error());
    error_set(status, "%s", reason);
  }
  return status;
}

/* Makes the model of the file's bytes.
 *   ignored  receives whether an error is about what is to be ignored, which the description says */
static cuseq_status convert_bytes(const void *bytes, size_t size, const struct description *description,
                                  bool *ignored, cuseq_model **model) {
  struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
  if (checkpoint == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  cuseq_status status;
  TRY_CLEANUP(checkpoint_open(bytes, size, checkpoint));
  TRY_CLEANUP(parts_add(checkpoint, &description->names, &description->config));
  TRY_CLEANUP(checkpoint_check_mapped(checkpoint, &description->names));
  status = checkpoint_check_ignored(checkpoint, &description->names);
  *ignored = status != CUSEQ_STATUS_OK;
  if (status == CUSEQ_STATUS_OK)
    status = checkpoint_check_others(checkpoint, &description->names);
  if (status == CUSEQ_STATUS_OK)
    status = make_model(checkpoint, description->configuration, model);
cleanup:
  checkpoint_close(checkpoint);
  free(checkpoint);
  return status;
}

static cuseq_status convert_file(const char *path, const struct description *description, bool *ignored,
                                 cuseq_model **model) {
  void *bytes;
  size_t size;
  TRY(file_read(path, &bytes, &size));
  cuseq_status status = convert_bytes(bytes, size, description, ignored, model);
  free(bytes);
  return status == CUSEQ_STATUS_OK || *ignored ? status : error_prefix(status, path);
}

cuseq_status pytorch_convert(const char *path, struct convert_json *text, cuseq_model **model) {
  struct description description = {0};
  *model = NULL;
  cuseq_status status = read_description(text->text, &description);
  text->at_fault = status != CUSEQ_STATUS_OK && status != CUSEQ_STATUS_OUT_OF_MEMORY;
  if (status == CUSEQ_STATUS_OK)
    status = convert_file(path, &description, &text->at_fault, model);
  description_free(&description);
  return status;
}
