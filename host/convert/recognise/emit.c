/* Writes what was recognised as a configuration and tensors, and has the library make the model of them. */
#include "convert/recognise/emit.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

cuseq_status emit_set(json_t *object, const char *key, json_t *value) {
  return json_object_set_new(object, key, value) == 0 ? CUSEQ_STATUS_OK : error_out_of_memory();
}

cuseq_status emit_set_word(json_t *object, const char *key, const char *word) {
  return emit_set(object, key, json_string(word));
}

cuseq_status emit_set_number(json_t *object, const char *key, int64_t number) {
  return emit_set(object, key, json_integer(number));
}

cuseq_status emit_object(json_t *object, const char *key, json_t **made) {
  *made = json_object();
  return emit_set(object, key, *made);
}

cuseq_status emit_item(json_t *list, json_t **made) {
  *made = json_object();
  return json_array_append_new(list, *made) == 0 ? CUSEQ_STATUS_OK : error_out_of_memory();
}

static cuseq_status make(const struct emitter *emitter, cuseq_model **model) {
  char *text = json_dumps(emitter->json, JSON_COMPACT);
  if (text == NULL)
    return error_out_of_memory();
  cuseq_status status = cuseq_model_create(text, emitter->tensors, emitter->count, model);
  free(text);
  if (status != CUSEQ_STATUS_OK) { /* the library may keep its error texts apart from the program's */
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", cuseq_last_error());
    error_set(status, "%s", reason);
  }
  return status;
}

cuseq_status emit_model(struct recogniser *recogniser, cuseq_model **model) {
  const json_t *vocabulary = recogniser->request->vocabulary;
  struct emitter *emitter = calloc(1, sizeof *emitter);
  cuseq_status status = CUSEQ_STATUS_OK;
  if (emitter == NULL)
    return error_out_of_memory();
  emitter->expressions = recogniser->expressions;
  emitter->model = recogniser->model;
  emitter->lookups = recogniser->request->lookups;
  emitter->parts = recogniser->request->parts;
  emitter->json = json_object();
  TRY_CLEANUP(emit_fits_version1(emitter) ? emit_version1(emitter) : emit_version2(emitter));
  if (vocabulary != NULL)
    TRY_CLEANUP(emit_set(emitter->json, "vocabulary", json_deep_copy(vocabulary)));
  matrices_release(recogniser->expressions); /* so that weights are in memory twice at most */
  status = make(emitter, model);
cleanup:
  json_decref(emitter->json);
  for (size_t i = 0; i < emitter->count; i++) {
    free((void *)emitter->tensors[i].name);
    free((void *)emitter->tensors[i].data);
  }
  free(emitter);
  return status;
}
