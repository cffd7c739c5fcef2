/* Lines from a stream, as they come. */
#ifndef CUSEQ_CLI_LINES_H
#define CUSEQ_CLI_LINES_H

#include "formats/text.h"

#include <stdbool.h>
#include <stddef.h>

enum { LINE_LONGEST = 1 << 20 };

struct lines {
  int descriptor;
  char *bytes;
  size_t start, end, capacity;
  bool begun; /* the byte order mark has been looked for                                                  */
  bool ended;
  enum text_fault fault;
  long number; /* of the last line given, from 1                                                          */
};

enum line_result {
  LINE_READY,
  LINE_NOT_YET, /* nothing is there to read, and `wait` was not asked for                                 */
  LINE_END,
  LINE_INTERRUPTED,
  LINE_TOO_LONG, /* over LINE_LONGEST bytes                                                               */
  LINE_NO_TEXT,  /* lines.fault says why                                                                  */
  LINE_FAILED,   /* errno says why                                                                        */
};

/* Gives the next line, zero-terminated, without its end ("\n" or "\r\n"); a last line may lack one. Valid
 * until the next call. The stream is read by the rules of formats/text.h. */
enum line_result lines_next(struct lines *lines, bool wait, char **line);

void lines_free(struct lines *lines);

#endif
