/* Runs cuseq-hdf5 (host/formats/hdf5) on a file and takes its stream. */
#ifndef CUSEQ_FORMATS_HDF5_PROCESS_H
#define CUSEQ_FORMATS_HDF5_PROCESS_H

#include "cuseq/cuseq.h"

#include <stddef.h>

/* Has the HDF5 file that the descriptor is open on read.
 *   file    open for reading, of a regular or memory file; not closed, its position is not used
 *   stream  receives what the child wrote, for free(): at most four times the file and a megabyte
 *   size    receives its size
 * A child that crashes, or exceeds its limits of memory or time, is CUSEQ_STATUS_INVALID_FILE, "not a
 * readable HDF5 file (...)"; where this process was started under limits that leave less than reading may
 * take, the limit is named instead (CUSEQ_STATUS_OUT_OF_MEMORY, or CUSEQ_STATUS_IO for time). A cuseq-hdf5
 * that is missing or cannot be started is CUSEQ_STATUS_IO. The child never outlives the call. */
cuseq_status hdf5_process_run(int file, void **stream, size_t *size);

/* Where cuseq-hdf5 is, for programs that do not lie beside it (tests). NULL: beside the running program, or
 * in ../libexec/cuseq from there. The text must outlive its use. Not thread-safe. */
void hdf5_process_set_program(const char *path);

#endif
