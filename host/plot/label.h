/* Labels: one code point after the other, made safe to print. */
#ifndef CUSEQ_PLOT_LABEL_H
#define CUSEQ_PLOT_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LABEL_BYTES = 64 };

/* The code point at *text, which moves behind it; 0 at the end. Bytes that are not UTF-8 give U+FFFD one by
 * one, control characters '?'. */
uint32_t label_next(const char **text);

/* Writes a code point's UTF-8 to `bytes` (at most 4 and a zero), returns its length. */
size_t label_put(uint32_t character, char bytes[5]);

/* Code points in `text`. */
int32_t label_length(const char *text);

/* The label of index `i`: labels[i], or the number where labels is NULL, written to `number`. A lone space
 * gives an open box, so that it can be seen. */
const char *label_get(const char *const *labels, int32_t i, char number[LABEL_BYTES]);

#endif
