/* The configuration's JSON, read and checked. */
#ifndef CUSEQ_MODEL_CONFIG_H
#define CUSEQ_MODEL_CONFIG_H

#include "cuseq/cuseq.h"
#include "model/vocabulary.h"

#include <jansson.h>
#include <stdbool.h>

/* Reads the configuration: fills in the model's version, config, structure (of version 2), vocabulary and
 * json, the same JSON without white space. Of version 1, widths that only the tensors tell (S of an
 * attention-only model with a dense state, u of the score "additive", E) are 0 until weights_load. What it
 * made is the model's, after a failure too.
 *   text  [size] JSON */
cuseq_status config_parse(const char *text, size_t size, cuseq_model *model);

/* What the tensors add must fit too: called when every width is known. */
cuseq_status config_check_widths(const cuseq_config *config);

/* The vocabulary's part of it. `object` is the value of "vocabulary". */
cuseq_status vocabulary_parse(const json_t *object, struct vocabulary *vocabulary);

/* The labels in it; `field` is the value of "labels". */
cuseq_status labels_parse(const json_t *field, struct vocabulary *vocabulary);

/* Finds the head that each list of labels is of, and refuses labels that do not fit. A model with a decoder
 * has none. */
struct output_structure;
cuseq_status labels_fit(struct vocabulary *vocabulary, bool decodes, const struct output_structure *output);

/* Reading one object's fields; `where` names the object in messages, as "encoder" does; "": the whole. */
cuseq_status config_known_keys(const json_t *object, const char *where, const char *const *keys);
cuseq_status config_integer(const json_t *object, const char *where, const char *key, int64_t low,
                            int64_t high, int32_t *value);

#endif
