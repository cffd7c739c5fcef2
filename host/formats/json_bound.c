#include "formats/json_bound.h"

#include <stdint.h>

/* An object with its first table of keys; a key with its share of the table while that grows; an array with
 * its first entries; a number with its share of the array while that grows; half a string (it has two quotes)
 * without its characters. */
enum { OBJECT_BYTES = 224, KEY_BYTES = 112, ARRAY_BYTES = 128, NUMBER_BYTES = 56, QUOTE_BYTES = 48 };

/* The longest text is at a time twice in the token buffer, once more while that grows, and once in its
 * value. */
enum { COPIES_OF_TEXT = 4 };

struct json_bound json_bound(const void *text, size_t size) {
  struct json_bound bound = {0};
  const unsigned char *at = text;
  size_t cost = 0, depth = 0;
  int quoted = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = at[i];
    if (quoted && c == '\\') {
      i++;
    } else if (c == '"') {
      quoted = !quoted;
      cost += QUOTE_BYTES;
    } else if (quoted) {
      continue;
    } else if (c == '{' || c == '[') {
      cost += c == '{' ? OBJECT_BYTES : ARRAY_BYTES + NUMBER_BYTES;
      bound.objects += c == '{';
      if (++depth > bound.depth)
        bound.depth = depth;
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    } else if (c == ',') {
      cost += NUMBER_BYTES;
    } else if (c == ':') {
      cost += KEY_BYTES;
      bound.keys++;
    }
  }
  if (__builtin_mul_overflow(size, (size_t)COPIES_OF_TEXT, &bound.memory) ||
      __builtin_add_overflow(bound.memory, cost, &bound.memory))
    bound.memory = SIZE_MAX;
  return bound;
}
