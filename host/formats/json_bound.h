/* What JSON costs, before it is paid. */
#ifndef CUSEQ_FORMATS_JSON_BOUND_H
#define CUSEQ_FORMATS_JSON_BOUND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct json_bound {
  /* the most bytes that jansson allocates at a time to load the text, whether or not it is JSON */
  size_t memory;
  size_t depth;   /* the deepest nesting of objects and arrays, braces within texts left out */
  size_t objects; /* how many objects begin */
  size_t keys;    /* how many keys end */
};

/* Measures a text in one pass without allocating. Memory is reckoned with the sizes of jansson's structures
 * and of malloc's rounding on 64-bit machines, and saturates. A text of a few bytes may take more than a
 * hundred times its own size, so whoever loads JSON of strangers compares this with what it can spare. */
struct json_bound json_bound(const void *text, size_t size);

/* Whether a text was not loaded for want of memory, of which jansson may say nothing at all. */
static inline bool json_lacked_memory(const json_error_t *error) {
  return json_error_code(error) == json_error_out_of_memory || !error->text[0];
}

#endif
