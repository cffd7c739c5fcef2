/* Texts: what is read as JSON, as pairs of texts or as lines is read by the rules here.
 *
 * A text is UTF-8 without zero bytes. A byte order mark at its very beginning, as Windows' programs write
 * it, is dropped; one further on is a character like others. Texts of UTF-16 and UTF-32 are told by their
 * marks and refused. */
#ifndef CUSEQ_FORMATS_TEXT_H
#define CUSEQ_FORMATS_TEXT_H

#include "cuseq/cuseq.h"

#include <stddef.h>

enum text_fault { TEXT_FINE, TEXT_ZERO, TEXT_UTF16, TEXT_UTF32 };

/* What is wrong, "UTF-16 (needed UTF-8 ...)", for behind a subject. */
const char *text_fault_words(enum text_fault fault);

/* Looks at the first bytes of a text: `mark` receives how many of them are a byte order mark, to be dropped.
 */
enum text_fault text_begin(const char *bytes, size_t size, size_t *mark);

/* Makes a string of a line, whose end, "\n", is not among its `length` bytes: takes a "\r" off its end and
 * writes a zero behind it, at line[length] at most. */
enum text_fault text_line(char *line, size_t length);

/* Makes a text of a whole file's bytes, in place. Errors do not name the file.
 *   bytes  [*size + 1]; receives a zero at its end
 *   size   receives the length without a mark */
cuseq_status text_make(char *bytes, size_t *size);

/* Reads a file that is a text. `text` is zero-terminated, for free(); NULL on failure. Errors name the file.
 */
cuseq_status text_read(const char *path, char **text, size_t *size);

#endif
