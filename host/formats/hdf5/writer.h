/* Walks an HDF5 file and writes stream.h's records. */
#ifndef CUSEQ_FORMATS_HDF5_WRITER_H
#define CUSEQ_FORMATS_HDF5_WRITER_H

#include <stdint.h>
#include <stdio.h>

/* Writes the stream of the file at `path`. Datasets may hold twice `file_size` bytes together, no more. Returns the
 * exit status: 0, or 1 after an 'X' record or a failed write. */
int writer_run(const char *path, uint64_t file_size, FILE *out);

#endif
