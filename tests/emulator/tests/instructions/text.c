#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void text_add(struct text *text, const char *format, ...) {
  va_list list, again;
  va_start(list, format);
  va_copy(again, list);
  const int more = vsnprintf(NULL, 0, format, list);
  va_end(list);
  if (more < 0)
    exit(2);
  if (text->length + (unsigned long)more + 1 > text->capacity) {
    text->capacity = 2 * (text->length + (unsigned long)more + 1);
    text->at = realloc(text->at, text->capacity);
    if (!text->at)
      exit(2);
  }
  vsnprintf(text->at + text->length, (unsigned long)more + 1, format, again);
  va_end(again);
  text->length += (unsigned long)more;
}

void text_free(struct text *text) {
  free(text->at);
  *text = (struct text){0};
}
