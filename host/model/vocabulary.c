#include "model/vocabulary.h"

#include <stdlib.h>
#include <string.h>

static void symbols_free(struct symbols *symbols) {
  for (int32_t i = 0; i < symbols->count; i++)
    free(symbols->names[i]);
  free(symbols->names);
  free(symbols->characters);
}

void vocabulary_free(struct vocabulary *vocabulary) {
  symbols_free(&vocabulary->input);
  symbols_free(&vocabulary->output);
  free(vocabulary->drop);
  memset(vocabulary, 0, sizeof *vocabulary);
}

int32_t symbols_find(const struct symbols *symbols, uint32_t character) {
  for (int32_t i = 0; i < symbols->count; i++)
    if (symbols->characters[i] == character && character != 0)
      return i;
  return -1;
}

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
