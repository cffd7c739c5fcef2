/* JSON text, piece by piece. (json_string and the like are names of libjansson.) */
#ifndef CUSEQ_CLI_JSON_H
#define CUSEQ_CLI_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. NULL gives null. */
void json_put_string(FILE *stream, const char *text);

/* A number; null for NaN and infinity, which JSON lacks. */
void json_put_number(FILE *stream, double value);

void json_put_floats(FILE *stream, const float *values, size_t count);
void json_put_integers(FILE *stream, const int32_t *values, size_t count);

#endif
