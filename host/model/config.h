/* The configuration's JSON, read and checked. */
#ifndef CUSEQ_MODEL_CONFIG_H
#define CUSEQ_MODEL_CONFIG_H

#include "cuseq/cuseq.h"
#include "model/vocabulary.h"

#include <jansson.h>

/* Reads the configuration. Widths that only the tensors tell (S of an attention-only model with a dense
 * state, u of the score "additive", E) are 0 until weights_load.
 *   text        [size] JSON
 *   vocabulary  receives the vocabulary; its length is 0 where there is none. vocabulary_free is due even on
 *               failure.
 *   canonical   receives the same JSON without white space; free() it */
cuseq_status config_parse(const char *text, size_t size, cuseq_config *config, struct vocabulary *vocabulary,
                          char **canonical);

/* What the tensors add must fit too: called when every width is known. */
cuseq_status config_check_widths(const cuseq_config *config);

/* The vocabulary's part of it. `object` is the value of "vocabulary". */
cuseq_status vocabulary_parse(const json_t *object, struct vocabulary *vocabulary);

/* Reading one object's fields; `where` names the object in messages, as "encoder" does. */
cuseq_status config_known_keys(const json_t *object, const char *where, const char *const *keys);
cuseq_status config_integer(const json_t *object, const char *where, const char *key, int64_t low,
                            int64_t high, int32_t *value);

#endif
