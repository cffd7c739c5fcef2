#include "model/cut.h"

bool utf8_next(const char **text, uint32_t *character) {
  const unsigned char *c = (const unsigned char *)*text;
  static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
  int more = c[0] < 0x80 ? 0 : c[0] < 0xc2 ? -1 : c[0] < 0xe0 ? 1 : c[0] < 0xf0 ? 2 : c[0] < 0xf5 ? 3 : -1;
  if (more < 0)
    return false;
  uint32_t value = more == 0 ? c[0] : c[0] & (0x3fu >> more);
  for (int i = 1; i <= more; i++) {
    if ((c[i] & 0xc0) != 0x80)
      return false;
    value = value << 6 | (c[i] & 0x3f);
  }
  if (value < smallest[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
    return false;
  *character = value;
  *text += more + 1;
  return true;
}

bool cut_is_space(uint32_t character) {
  return (character >= 0x09 && character <= 0x0d) || (character >= 0x1c && character <= 0x20) ||
         character == 0x85 || character == 0xa0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200a) || character == 0x2028 || character == 0x2029 ||
         character == 0x202f || character == 0x205f || character == 0x3000;
}

static bool is_dropped(const struct cutting *cutting, uint32_t character) {
  for (const uint32_t *dropped = cutting->drop; dropped && *dropped; dropped++)
    if (*dropped == character)
      return true;
  return false;
}

static uint32_t lowered(const struct cutting *cutting, uint32_t character) {
  return cutting->lowercase && character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
}

/* The code point at *text as the cutting reads it; *kept receives whether it counts. Returns false for what
 * is not UTF-8. */
static bool read_character(const struct cutting *cutting, const char **text, uint32_t *character,
                           bool *kept) {
  if (!utf8_next(text, character))
    return false;
  *character = lowered(cutting, *character);
  *kept = !is_dropped(cutting, *character);
  return true;
}

/* A word begins at *rest, which is no white space. *kept receives whether anything of it counts. */
static enum cut_result cut_word(const struct cutting *cutting, const char **rest, bool *kept) {
  *kept = false;
  while (**rest) {
    uint32_t character;
    bool counts;
    const char *next = *rest;
    if (!read_character(cutting, &next, &character, &counts))
      return CUT_NOT_UTF8;
    if (cut_is_space(character))
      return CUT_TOKEN;
    *kept |= counts;
    *rest = next;
  }
  return CUT_TOKEN;
}

static enum cut_result next_word(const struct cutting *cutting, const char **rest, struct token *token) {
  while (**rest) {
    uint32_t character;
    bool kept;
    const char *next = *rest;
    if (!utf8_next(&next, &character))
      return CUT_NOT_UTF8;
    if (cut_is_space(character)) {
      *rest = next;
      continue;
    }
    token->begin = *rest;
    if (cut_word(cutting, rest, &kept) == CUT_NOT_UTF8)
      return CUT_NOT_UTF8;
    token->end = *rest;
    if (kept)
      return CUT_TOKEN;
  }
  return CUT_END;
}

enum cut_result cut_next(const struct cutting *cutting, const char **rest, struct token *token) {
  if (cutting->words)
    return next_word(cutting, rest, token);
  while (**rest) {
    uint32_t character;
    bool kept;
    token->begin = *rest;
    if (!read_character(cutting, rest, &character, &kept))
      return CUT_NOT_UTF8;
    token->end = *rest;
    if (kept)
      return CUT_TOKEN;
  }
  return CUT_END;
}

/* The order of code points is that of their bytes in UTF-8. */
int cut_compare(const struct cutting *cutting, const struct token *token, const char *symbol) {
  const char *rest = token->begin;
  while (rest < token->end) {
    uint32_t character, wanted = 0;
    bool kept;
    if (!read_character(cutting, &rest, &character, &kept))
      return -1;
    if (!kept)
      continue;
    if (*symbol && !utf8_next(&symbol, &wanted))
      return -1;
    if (character != wanted)
      return character < wanted ? -1 : 1;
  }
  return *symbol ? -1 : 0;
}
