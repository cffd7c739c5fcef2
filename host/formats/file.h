/* Whole files in, whole files out. */
#ifndef CUSEQ_FORMATS_FILE_H
#define CUSEQ_FORMATS_FILE_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdio.h>

/* Reads a regular file into memory; anything else (a folder, a pipe, a device) is refused without waiting for
 * it. `bytes` is the caller's to free(), and not NULL for an empty file. Errors name the file and the reason.
 */
cuseq_status file_read(const char *path, void **bytes, size_t *size);

/* The same, of a file that is looked at before it is read whole, which may take long: check is given its
 * first `count` bytes, FILE_BEGINNING or all that there are, and its size; what it returns but
 * CUSEQ_STATUS_OK is the result, with the file's name in front. */
enum { FILE_BEGINNING = 16 };
typedef cuseq_status (*file_check)(const void *bytes, size_t count, size_t size);
cuseq_status file_read_checked(const char *path, file_check check, void **bytes, size_t *size);

/* Opens a regular file for reading, under the same conditions. `descriptor` is the caller's to close, and -1
 * on failure. */
cuseq_status file_open(const char *path, int *descriptor, size_t *size);

/* A file that appears whole or not at all: written beside its destination, flushed to the disk, then renamed.
 *
 * Until then it has no name where the system allows that (O_TMPFILE), so that nothing is left behind however
 * the process ends. Elsewhere it has a temporary name in the destination's folder, which a program that can
 * be interrupted removes by calling output_file_remove_temporaries in its signal handler.
 *
 * A destination that exists keeps its permissions, and where possible its owner; a symbolic link stays and
 * its target is replaced. A destination that is no regular file or is write-protected is refused. Several
 * writers of one destination do not disturb each other: the last to commit wins. */
struct output_file {
  FILE
      *stream; /* write here, or by output_file_write; a failed write need not be noticed, the commit tells */
  int reason;  /* the errno of the first failure of output_file_write */
  char *path;  /* the destination as the caller named it */
  char *target;    /* the destination with links followed */
  char *temporary; /* the file as long as it is not whole; NULL when it has no name */
};

/* Opens the temporary. On failure there is nothing to discard. */
cuseq_status output_file_open(struct output_file *file, const char *path);

/* Writes bytes. The same as fwrite to the stream, but that the commit can tell why it failed. */
void output_file_write(struct output_file *file, const void *bytes, size_t size);

/* Flushes, renames and releases; on failure (a full disk, say) removes the temporary, leaves an old file at
 * the destination as it was and releases all the same. */
cuseq_status output_file_commit(struct output_file *file);

/* Removes the temporary and releases; does nothing after a commit or on a zeroed structure. */
void output_file_discard(struct output_file *file);

/* Removes the named temporaries of all files that are open, for a signal handler that ends the process: it is
 * async-signal-safe. The files cannot be committed after it. */
void output_file_remove_temporaries(void);

#endif
