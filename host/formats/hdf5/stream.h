/* What cuseq-hdf5 writes to its standard output: the part of an HDF5 file that a Keras model lives in.
 *
 * All integers are little-endian. A name or string is a u32 length and that many bytes, without a zero.
 *
 *   stream     = magic record* end
 *   magic      = "cuseqH5\1"
 *   record     = 'G' name                            a group opens; what follows is inside it
 *              | 'E'                                 the group closes
 *              | 'A' name u32 count string*count     an attribute of the open group or, between 'D' and the
 *                                                    next record that is not 'A', of that dataset: its
 *                                                    strings
 *              | 'D' name u8 type u8 rank u64 dim*rank data
 *                                                    a dataset of the open group, row-major
 *              | 'X' string                          the file cannot be read; nothing follows
 *   end        = 'Z'                                 everything was written; nothing follows
 *
 * type is one of HDF5_STREAM_*; data is the product of the dimensions times the type's size, nothing for
 * OTHER. The root group is open from the start and never closes. Attributes that are no strings are left out,
 * except that an empty one counts as an empty list of strings, which is how h5py writes an empty list.
 */
#ifndef CUSEQ_FORMATS_HDF5_STREAM_H
#define CUSEQ_FORMATS_HDF5_STREAM_H

#include <stdint.h>

#define HDF5_STREAM_MAGIC "cuseqH5\1"

enum {
  HDF5_STREAM_MAGIC_SIZE = 8,
  HDF5_STREAM_MAX_DEPTH = 24,
  HDF5_STREAM_MAX_RANK = 8,
  HDF5_STREAM_MAX_OBJECTS = 200000,
  HDF5_STREAM_MAX_STRING = 64 << 20,
  HDF5_STREAM_MAX_STRINGS = 200000, /* of all attributes together */
};

enum hdf5_stream_type {
  HDF5_STREAM_OTHER = 0, /* anything that is no floating-point array: integers, strings, compounds */
  HDF5_STREAM_F32 = 1,
  HDF5_STREAM_F64 = 2,
  HDF5_STREAM_BF16 = 3,  /* h5py's opaque two bytes with the attribute dtype = "bfloat16" */
  HDF5_STREAM_RAW16 = 4, /* ... without it, as a legacy .h5 has bfloat16 */
};

/* What it exits with. */
enum {
  HDF5_EXIT_DONE = 0,
  HDF5_EXIT_REFUSED = 1, /* the stream says why */
  HDF5_EXIT_USE = 2,     /* wrong arguments, or limits that cannot be set */
  HDF5_EXIT_MEMORY = 3,  /* memory did not suffice; the stream may say where */
};

/* Bytes of memory that it may take, unless the limit that it was started under is lower: the file, the
 * largest dataset, which the writer bounds by twice the file, and 256 MB for libraries (25 to 70) and
 * libhdf5's own. */
#define HDF5_MEMORY_LIMIT(file_size) ((uint64_t)(file_size)*3 + (256u << 20))

#endif
