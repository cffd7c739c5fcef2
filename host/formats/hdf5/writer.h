/* Walks an HDF5 file and writes stream.h's records. */
#ifndef CUSEQ_FORMATS_HDF5_WRITER_H
#define CUSEQ_FORMATS_HDF5_WRITER_H

#include <stdint.h>
#include <stdio.h>

/* Writes the stream of the file that the descriptor is open on. Datasets may hold twice `file_size` bytes
 * together, no more. Returns one of HDF5_EXIT_*. */
int writer_run(int file, uint64_t file_size, FILE *out);

#endif
