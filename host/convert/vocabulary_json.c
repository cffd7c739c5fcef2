#include "convert/vocabulary_json.h"
#include "error.h"
#include "formats/json_bound.h"
#include "model/config.h"

#include <string.h>

/* What jansson may allocate beyond the size of the text. */
static const size_t json_allowance = (size_t)40 << 20;

cuseq_status vocabulary_json_read(struct convert_json *text, json_t **json, struct vocabulary *vocabulary) {
  json_error_t error;
  size_t size = strlen(text->text);
  *json = NULL;
  text->at_fault = true;
  if (json_bound(text->text, size).memory > size + json_allowance)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "vocabulary: JSON that takes too much memory for its size");
  *json = json_loadb(text->text, size, JSON_REJECT_DUPLICATES, &error);
  if (!json_is_object(*json))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "vocabulary: not a JSON object");
  cuseq_status status = vocabulary_parse(*json, vocabulary);
  text->at_fault = status != CUSEQ_STATUS_OK && status != CUSEQ_STATUS_OUT_OF_MEMORY;
  return status;
}

cuseq_status convert_symbol(struct convert_json *text, const char *symbol, int32_t *token) {
  struct vocabulary vocabulary = {0};
  json_t *json;
  cuseq_status status = vocabulary_json_read(text, &json, &vocabulary);
  *token = status == CUSEQ_STATUS_OK ? symbols_named(&vocabulary.output, symbol) : -1;
  vocabulary_free(&vocabulary);
  json_decref(json);
  return status;
}
