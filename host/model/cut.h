/* Texts cut into tokens: at every code point, or at white space. */
#ifndef CUSEQ_MODEL_CUT_H
#define CUSEQ_MODEL_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cutting {
  bool words;           /* a token is what lies between white space; otherwise it is a code point         */
  bool lowercase;       /* A to Z count as a to z                                                         */
  const uint32_t *drop; /* code points that count as not there, zero-terminated; NULL: none               */
};

/* Where in a text a token lies. In a word there may be code points that are dropped. */
struct token {
  const char *begin, *end;
};

enum cut_result { CUT_TOKEN, CUT_END, CUT_NOT_UTF8 };

/* The next token of what is left of a text, and *rest behind it. Where the text is not UTF-8, *rest is
 * there. */
enum cut_result cut_next(const struct cutting *cutting, const char **rest, struct token *token);

/* Orders a token, as the cutting reads it, and a symbol by their bytes: below, at or above 0 as strcmp. */
int cut_compare(const struct cutting *cutting, const struct token *token, const char *symbol);

/* Whether a code point is white space: what Python's str.split() cuts at. */
bool cut_is_space(uint32_t character);

/* Decodes the code point at *text and moves *text behind it. Returns false for what is not UTF-8. */
bool utf8_next(const char **text, uint32_t *character);

#endif
