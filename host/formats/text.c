#include "formats/text.h"

#include "error.h"
#include "formats/file.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  size_t size;
  unsigned char bytes[4];
  enum text_fault fault;
} marks[] = {
    {3, {0xef, 0xbb, 0xbf}, TEXT_FINE},
    {4, {0xff, 0xfe, 0x00, 0x00}, TEXT_UTF32}, /* begins with one of UTF-16's */
    {4, {0x00, 0x00, 0xfe, 0xff}, TEXT_UTF32},
    {2, {0xff, 0xfe}, TEXT_UTF16},
    {2, {0xfe, 0xff}, TEXT_UTF16},
};
enum { MARKS = sizeof marks / sizeof *marks };

const char *text_fault_words(enum text_fault fault) {
  switch (fault) {
  case TEXT_FINE:
    break;
  case TEXT_ZERO:
    return "not a text (found a zero byte)";
  case TEXT_UTF16:
    return "UTF-16 (needed UTF-8, which iconv -f UTF-16 -t UTF-8 makes of it)";
  case TEXT_UTF32:
    return "UTF-32 (needed UTF-8, which iconv -f UTF-32 -t UTF-8 makes of it)";
  }
  return "";
}

enum text_fault text_begin(const char *bytes, size_t size, size_t *mark) {
  *mark = 0;
  for (int i = 0; i < MARKS; i++)
    if (size >= marks[i].size && memcmp(bytes, marks[i].bytes, marks[i].size) == 0) {
      *mark = marks[i].size;
      return marks[i].fault;
    }
  return TEXT_FINE;
}

enum text_fault text_line(char *line, size_t length) {
  if (length > 0 && line[length - 1] == '\r')
    length--;
  line[length] = 0;
  return strlen(line) == length ? TEXT_FINE : TEXT_ZERO;
}

cuseq_status text_make(char *bytes, size_t *size) {
  size_t mark;
  enum text_fault fault = text_begin(bytes, *size, &mark);
  if (fault != TEXT_FINE)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s", text_fault_words(fault));
  *size -= mark;
  memmove(bytes, bytes + mark, *size);
  bytes[*size] = 0;
  size_t length = strlen(bytes), line = 1;
  if (length == *size)
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < length; i++)
    line += bytes[i] == '\n';
  return error_set(CUSEQ_STATUS_INVALID_FILE, "line %zu: %s", line, text_fault_words(TEXT_ZERO));
}

cuseq_status text_read(const char *path, char **text, size_t *size) {
  void *bytes = NULL;
  *text = NULL;
  *size = 0;
  TRY(file_read(path, &bytes, size));
  char *grown = realloc(bytes, *size + 1);
  if (!grown) {
    free(bytes);
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: no memory to read it (%zu bytes)", path, *size);
  }
  cuseq_status status = text_make(grown, size);
  if (status != CUSEQ_STATUS_OK) {
    free(grown);
    return error_prefix(status, path);
  }
  *text = grown;
  return CUSEQ_STATUS_OK;
}
