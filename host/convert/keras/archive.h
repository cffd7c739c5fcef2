/* The .keras archive: a zip of metadata.json, config.json and model.weights.h5. */
#ifndef CUSEQ_KERAS_ARCHIVE_H
#define CUSEQ_KERAS_ARCHIVE_H

#include "cuseq/cuseq.h"

#include <stddef.h>

struct archive_member {
  char *bytes; /* from malloc, with a zero behind it */
  size_t size;
};

struct archive {
  struct archive_member metadata, config;
  int weights; /* a memory file, open for reading; -1: none */
};

/* Reads the three members. A zip bomb (members larger than the archive and 48 MB, JSON larger than 16 MB) is
 * refused.
 *   file  open for reading; not closed */
cuseq_status archive_read(int file, struct archive *archive);

/* Releases; does nothing on one that archive_read could not read. */
void archive_free(struct archive *archive);

#endif
