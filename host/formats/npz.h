/* .npz: a zip archive of .npy arrays.
 *
 * Read: stored and deflated members, ZIP64. Refused: anything else in the archive, encrypted members, two of
 * a name, and archives whose arrays are larger than the file plus 40 MB (a zip bomb; what is as compressible
 * as that has to be saved without compression). Names are never used as paths. */
#ifndef CUSEQ_FORMATS_NPZ_H
#define CUSEQ_FORMATS_NPZ_H

#include "formats/npy.h"

struct npz_entry {
  const char *name; /* without the .npy; from malloc in an archive that was read */
  struct npy_array array;
};

struct npz {
  struct npz_entry *entries; /* in the order of the archive */
  size_t count;
};

enum npz_compression { NPZ_STORED, NPZ_DEFLATED };

/* Reads all arrays of an archive, in a file or in memory (whose bytes may go afterwards). Release them with
 * npz_free. Only the errors of npz_read name the file; both name the array at fault. */
cuseq_status npz_read(const char *path, struct npz *archive);
cuseq_status npz_parse(const void *bytes, size_t size, struct npz *archive);

/* The same as npz_read, but that arrays of other kinds - texts, single numbers - are there without data and
 * without axes. */
cuseq_status npz_read_some(const char *path, struct npz *archive);

/* Frees an archive that was read; does nothing on a zeroed structure. */
void npz_free(struct npz *archive);

/* The array of a name, or NULL. */
const struct npy_array *npz_find(const struct npz *archive, const char *name);

/* Writes at least one array; whole or not at all. The same arrays give the same bytes: there is no date in
 * them. */
cuseq_status npz_write(const char *path, const struct npz *archive, enum npz_compression compression);

#endif
