#include "cli/lines.h"

#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16 };

/* Room for another read behind what is buffered, and for a zero. */
static bool make_room(struct lines *lines) {
  if (lines->bytes && lines->start > 0) {
    memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
  }
  if (lines->bytes && lines->end + READ_SIZE + 1 <= lines->capacity)
    return true;
  size_t capacity = 2 * lines->capacity + READ_SIZE + 1;
  char *bytes = realloc(lines->bytes, capacity);
  if (!bytes)
    return false;
  lines->bytes = bytes;
  lines->capacity = capacity;
  return true;
}

/* Drops what the first line begins with, a byte order mark. Returns false where it is none of UTF-8's. */
static bool skip_mark(struct lines *lines) {
  size_t mark;
  lines->fault = text_begin(lines->bytes + lines->start, lines->end - lines->start, &mark);
  if (lines->fault != TEXT_FINE)
    return false;
  lines->start += mark;
  return true;
}

/* The line at the start of the buffer; `taken` of its bytes are done with. */
static enum line_result give(struct lines *lines, size_t length, size_t taken, char **line) {
  *line = lines->bytes + lines->start;
  lines->start += taken;
  lines->number++;
  lines->fault = text_line(*line, length);
  return lines->fault == TEXT_FINE ? LINE_READY : LINE_NO_TEXT;
}

static enum line_result fill(struct lines *lines, bool wait) {
  struct pollfd poll_descriptor = {.fd = lines->descriptor, .events = POLLIN};
  if (!wait && poll(&poll_descriptor, 1, 0) == 0)
    return LINE_NOT_YET;
  if (!make_room(lines)) {
    errno = ENOMEM;
    return LINE_FAILED;
  }
  ssize_t count = read(lines->descriptor, lines->bytes + lines->end, READ_SIZE);
  if (count < 0)
    return errno != EINTR ? LINE_FAILED : interrupt_requested() ? LINE_INTERRUPTED : LINE_READY;
  lines->ended = count == 0;
  lines->end += (size_t)count;
  return LINE_READY;
}

enum line_result lines_next(struct lines *lines, bool wait, char **line) {
  size_t searched = 0; /* bytes without a newline */
  if (!lines->bytes && !make_room(lines)) {
    errno = ENOMEM;
    return LINE_FAILED;
  }
  while (!interrupt_requested()) {
    size_t length = lines->end - lines->start;
    char *first = lines->bytes + lines->start;
    char *newline = length > searched ? memchr(first + searched, '\n', length - searched) : NULL;
    bool whole = newline || length > LINE_LONGEST || lines->ended;
    if (whole && !lines->begun) {
      lines->begun = true;
      if (!skip_mark(lines)) {
        lines->number++;
        return LINE_NO_TEXT;
      }
      searched = 0; /* the line begins behind the mark */
      continue;
    }
    if (newline && newline - first <= LINE_LONGEST)
      return give(lines, (size_t)(newline - first), (size_t)(newline - first) + 1, line);
    if (length > LINE_LONGEST) {
      lines->number++;
      return LINE_TOO_LONG;
    }
    if (lines->ended)
      return length == 0 ? LINE_END : give(lines, length, length, line);
    searched = length;
    enum line_result result = fill(lines, wait);
    if (result != LINE_READY)
      return result;
  }
  return LINE_INTERRUPTED;
}

void lines_free(struct lines *lines) {
  free(lines->bytes);
}
