#include "convert/graph/notes.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cuseq_status notes_add(struct notes *notes, const char *format, ...) {
  char line[512];
  va_list list;
  va_start(list, format);
  vsnprintf(line, sizeof line, format, list);
  va_end(list);
  size_t old = notes->text != NULL ? strlen(notes->text) : 0, more = strlen(line);
  if (notes->text != NULL && strstr(notes->text, line) != NULL)
    return CUSEQ_STATUS_OK; /* said before */
  char *text = realloc(notes->text, old + more + 2);
  if (text == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < more; i++) /* names come from the file */
    text[old + i] = (unsigned char)line[i] < 0x20 ? '?' : line[i];
  memcpy(text + old + more, "\n", 2);
  notes->text = text;
  return CUSEQ_STATUS_OK;
}
