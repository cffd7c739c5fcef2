/* What the user should know about a conversion: lines of text. */
#ifndef CUSEQ_GRAPH_NOTES_H
#define CUSEQ_GRAPH_NOTES_H

#include "cuseq/cuseq.h"

struct notes {
  char *text; /* lines that end in '\n', from malloc, or NULL */
};

/* Adds a line, unless it was said before. */
cuseq_status notes_add(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
