/* JSON as Python writes it: with Infinity, -Infinity and NaN, which JSON has not. */
#ifndef CUSEQ_KERAS_PYTHON_JSON_H
#define CUSEQ_KERAS_PYTHON_JSON_H

#include "cuseq/cuseq.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes each of the three outside of strings as an object that stands for it, {"number": "NaN"}, which is
 * no number wherever one is needed: what is not looked at does not matter, and what is looked at is
 * refused in its layer's name.
 *   name     of the text, for messages
 *   *json    receives a copy, for free(); NULL where the text has none of them
 *   *length  receives its size */
cuseq_status python_json_rewrite(const char *text, size_t size, const char *name, char **json,
                                 size_t *length);

/* Whether the value is a number or stands for one, and which. */
bool python_json_number(const json_t *json, double *number);

#endif
