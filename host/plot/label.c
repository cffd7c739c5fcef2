#include "plot/label.h"

#include <stdio.h>
#include <string.h>

enum { REPLACEMENT = 0xFFFD };

static uint32_t label_decode(const unsigned char **bytes) {
  const unsigned char *b = *bytes;
  int more = b[0] < 0x80 ? 0 : b[0] >= 0xC2 && b[0] < 0xE0 ? 1 : b[0] >= 0xE0 && b[0] < 0xF0 ? 2 : 3;
  static const unsigned char masks[] = {0x7F, 0x1F, 0x0F, 0x07};
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  uint32_t character = b[0] & masks[more];
  *bytes = b + 1;
  if (more == 3 && !(b[0] >= 0xF0 && b[0] < 0xF5))
    return REPLACEMENT;
  for (int i = 1; i <= more; i++) {
    if ((b[i] & 0xC0) != 0x80)
      return REPLACEMENT;
    character = character << 6 | (b[i] & 0x3F);
  }
  if (character < least[more] || character > 0x10FFFF || (character >= 0xD800 && character < 0xE000))
    return REPLACEMENT;
  *bytes = b + 1 + more;
  return character;
}

uint32_t label_next(const char **text) {
  if (**text == 0)
    return 0;
  const unsigned char *bytes = (const unsigned char *)*text;
  uint32_t character = label_decode(&bytes);
  *text = (const char *)bytes;
  bool control = character < 0x20 || (character >= 0x7F && character < 0xA0) || character == 0x2028 ||
                 character == 0x2029 || (character >= 0x202A && character <= 0x202E) ||
                 (character >= 0x2066 && character <= 0x2069) || (character & 0xFFFE) == 0xFFFE;
  return control ? '?' : character;
}

size_t label_put(uint32_t character, char bytes[5]) {
  size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length; i-- > 1; character >>= 6)
    bytes[i] = (char)(0x80 | (character & 0x3F));
  bytes[0] = (char)(first[length] | character);
  bytes[length] = 0;
  return length;
}

int32_t label_length(const char *text) {
  int32_t length = 0;
  while (label_next(&text))
    length++;
  return length;
}

const char *label_get(const char *const *labels, int32_t i, char number[LABEL_BYTES]) {
  if (labels)
    return strcmp(labels[i], " ") == 0 ? "\u2423" : labels[i];
  snprintf(number, LABEL_BYTES, "%d", (int)i);
  return number;
}
