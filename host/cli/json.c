#include "cli/json.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The length of the UTF-8 sequence at `bytes`, 0 when it is none. */
static size_t sequence_length(const unsigned char *bytes) {
  size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xC2 ? 0 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
  if (bytes[0] > 0xF4)
    return 0;
  for (size_t i = 1; i < length; i++)
    if ((bytes[i] & 0xC0) != 0x80)
      return 0;
  bool overlong = (bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xF0 && bytes[1] < 0x90);
  bool beyond = (bytes[0] == 0xED && bytes[1] > 0x9F) || (bytes[0] == 0xF4 && bytes[1] > 0x8F);
  return overlong || beyond ? 0 : length;
}

void json_put_string(FILE *stream, const char *text) {
  if (!text) {
    fputs("null", stream);
    return;
  }
  fputc('"', stream);
  for (const unsigned char *c = (const unsigned char *)text; *c;) {
    size_t length = sequence_length(c);
    if (length == 0)
      fputs("\\ufffd", stream);
    else if (*c < 0x20 || *c == 0x7F)
      fprintf(stream, "\\u%04x", *c);
    else if (*c == '"' || *c == '\\')
      fprintf(stream, "\\%c", *c);
    else
      fwrite(c, 1, length, stream);
    c += length ? length : 1;
  }
  fputc('"', stream);
}

void json_put_number(FILE *stream, double value) {
  if (isfinite(value))
    fprintf(stream, "%.9g", value);
  else
    fputs("null", stream);
}

void json_put_floats(FILE *stream, const float *values, size_t count) {
  fputc('[', stream);
  for (size_t i = 0; i < count; i++) {
    fputs(i ? "," : "", stream);
    json_put_number(stream, (double)values[i]);
  }
  fputc(']', stream);
}

void json_put_integers(FILE *stream, const int32_t *values, size_t count) {
  fputc('[', stream);
  for (size_t i = 0; i < count; i++)
    fprintf(stream, "%s%d", i ? "," : "", (int)values[i]);
  fputc(']', stream);
}
