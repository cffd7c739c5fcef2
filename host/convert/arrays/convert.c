/* arrays_convert: a model of a file of named arrays and a description, which is a configuration with "names".
 * docs/from-pytorch.md has the names. */
#include "convert/convert.h"
#include "convert/arrays/parts.h"
#include "convert/arrays/parts_version1.h"
#include "error.h"
#include "formats/json_bound.h"
#include "model/config.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DESCRIPTION_MEMORY = 48 << 20 };

/* A description, read: the configuration's JSON, what it says, and the names of its version. */
struct description {
  json_t *json;
  char *configuration; /* without the names */
  int version;
  cuseq_config config;        /* of version 1 */
  struct names names;         /* of version 1 */
  struct structure structure; /* of version 2 */
  struct sources sources;     /* of version 2 */
};

static void description_free(struct description *description) {
  names_free(&description->names);
  sources_free(&description->sources);
  free(description->configuration);
  json_decref(description->json);
}

static struct names *names_of(struct description *description) {
  return description->version == 1 ? &description->names : &description->sources.names;
}

/* The configuration, checked by the code that loads models. */
static cuseq_status read_configuration(struct description *description) {
  json_t *plain = json_copy(description->json);
  json_object_del(plain, "names");
  char *text = json_dumps(plain, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref(plain);
  if (text == NULL)
    return error_out_of_memory();
  cuseq_model *plan = calloc(1, sizeof *plan);
  cuseq_status status = plan != NULL ? config_parse(text, strlen(text), plan) : error_out_of_memory();
  if (plan != NULL) {
    description->version = plan->version;
    description->config = plan->config;
    description->structure = plan->structure;
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
  TRY(read_configuration(description));
  const json_t *names = json_object_get(description->json, "names");
  if (description->version != 1)
    return sources_parse(names, &description->structure, &description->sources);
  TRY(check_meaning(&description->config));
  return names_parse(names, &description->config, &description->names);
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

/* The file's wrapping prefixes are left out of what the description says, as they are of its arrays' names.
 */
static cuseq_status unwrap(struct checkpoint *checkpoint, struct description *description) {
  TRY(checkpoint_unwrap_names(checkpoint, names_of(description)));
  for (size_t i = 0; description->version != 1 && i < description->sources.names.count; i++) {
    struct source *source = &description->sources.entries[i];
    for (int role = 0; role < ARRAY_ROLES; role++)
      TRY(checkpoint_unwrap(checkpoint, &source->arrays[role]));
    for (size_t k = 0; k < source->through_count; k++)
      TRY(checkpoint_unwrap(checkpoint, &source->through[k]));
  }
  return CUSEQ_STATUS_OK;
}

/* All tensors of the model, and that nothing of the file is left out without a word.
 *   ignored  receives whether an error is about what is to be ignored, which the description says */
static cuseq_status add_parts(struct checkpoint *checkpoint, struct description *description, bool *ignored) {
  const struct names *names = names_of(description);
  TRY(unwrap(checkpoint, description));
  TRY(description->version == 1 ? parts_version1_add(checkpoint, names, &description->config)
                                : parts_add(checkpoint, &description->sources, &description->structure));
  TRY(checkpoint_check_mapped(checkpoint, names));
  cuseq_status status = checkpoint_check_ignored(checkpoint, names);
  *ignored = status != CUSEQ_STATUS_OK;
  return status == CUSEQ_STATUS_OK ? checkpoint_check_others(checkpoint, names) : status;
}

static cuseq_status convert_checkpoint(struct checkpoint *checkpoint, const char *path,
                                       struct description *description, bool *ignored, cuseq_model **model) {
  TRY(checkpoint_open(path, checkpoint));
  cuseq_status status = add_parts(checkpoint, description, ignored);
  if (status == CUSEQ_STATUS_OK) {
    checkpoint_drop_file(checkpoint);
    status = make_model(checkpoint, description->configuration, model);
  }
  return status == CUSEQ_STATUS_OK || *ignored ? status : error_prefix(status, path);
}

static cuseq_status convert_file(const char *path, struct description *description, bool *ignored,
                                 cuseq_model **model) {
  struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
  if (checkpoint == NULL)
    return error_out_of_memory();
  cuseq_status status = convert_checkpoint(checkpoint, path, description, ignored, model);
  checkpoint_close(checkpoint);
  free(checkpoint);
  return status;
}

cuseq_status arrays_convert(const char *path, struct convert_json *text, cuseq_model **model) {
  struct description *description = calloc(1, sizeof *description);
  *model = NULL;
  if (description == NULL)
    return error_out_of_memory();
  cuseq_status status = read_description(text->text, description);
  text->at_fault = status != CUSEQ_STATUS_OK && status != CUSEQ_STATUS_OUT_OF_MEMORY;
  if (status == CUSEQ_STATUS_OK)
    status = convert_file(path, description, &text->at_fault, model);
  description_free(description);
  free(description);
  return status;
}
