/* The text of a vocabulary that goes with somebody else's model. */
#ifndef CUSEQ_CONVERT_VOCABULARY_JSON_H
#define CUSEQ_CONVERT_VOCABULARY_JSON_H

#include "convert/convert.h"
#include "model/vocabulary.h"

#include <jansson.h>

/* Reads it, and tries it as models are read. What is wrong is about the text.
 *   json        receives it; json_decref releases, after a failure too
 *   vocabulary  zeroed; vocabulary_free releases, after a failure too */
cuseq_status vocabulary_json_read(struct convert_json *text, json_t **json, struct vocabulary *vocabulary);

#endif
