/* Files of the wrong kind: what they are, and which command takes them. */
#ifndef CUSEQ_CLI_KINDS_H
#define CUSEQ_CLI_KINDS_H

#include "cuseq/cuseq.h"
#include "formats/file_kind.h"

#include <stddef.h>

/* What a command wanted. */
enum wanted {
  WANTED_MODEL,
  WANTED_OTHER_MODEL, /* for convert */
  WANTED_ARRAYS,      /* named ones, of a model */
  WANTED_ARRAY,
  WANTED_ARCHIVE, /* several arrays, .npz */
  WANTED_PAIRS,
  WANTED_JSON
};

/* Loads a model; a file that is none is refused by what it is. Returns an exit status. */
int model_load(const char *path, cuseq_model **model);

/* Reads a text, zero-terminated, for free(); a file that is none is refused by what it is. Returns an exit
 * status; `text` is NULL on failure. */
int text_load(const char *path, enum wanted wanted, char **text, size_t *size);

/* After a file could not be read: prints what kind of file it is and what takes it, or `error` where it is of
 * the kind that was wanted or of none that is known. Returns an exit status. */
int fail_kind(const char *path, enum wanted wanted, cuseq_status status, const char *error);

/* Prints that a file is of `kind`, and not what was wanted. Returns EXIT_USER. */
int fail_other_kind(const char *path, enum wanted wanted, enum file_kind kind);

#endif
