/* The header of an .npy file. */
#ifndef CUSEQ_FORMATS_NPY_HEADER_H
#define CUSEQ_FORMATS_NPY_HEADER_H

#include "formats/npy.h"

enum {
  NPY_HEADER_MAX = 12 + 65535, /* the most bytes that a header that is read may have, magic included; numpy
                                  itself takes no more than 10,000 by default */
  NPY_HEADER_WRITTEN = 512     /* the most bytes that one that is written has */
};

struct npy_header {
  enum npy_dtype dtype;
  int swapped; /* the file's byte order is not this machine's */
  int fortran; /* the first axis varies fastest */
  int32_t rank;
  int64_t shape[NPY_MAX_RANK];
  size_t count;      /* elements, at least 1 */
  size_t data_bytes; /* count x item size */
  size_t size;       /* of the header: where the data begin */
};

/* Parses the header at the start of `bytes`, of which the first `size` are there: all of the file, or at
 * least NPY_HEADER_MAX. Of the data nothing is looked at. */
cuseq_status npy_header_parse(const void *bytes, size_t size, struct npy_header *header);

/* Formats a version 1 header of an array in C order, little-endian, padded to a multiple of 64 bytes, and
 * stores its length; `data_bytes` receives the bytes of the data. An array that could not be read back is
 * refused. */
cuseq_status npy_header_format(const struct npy_array *array, char text[NPY_HEADER_WRITTEN], size_t *length,
                               size_t *data_bytes);

#endif
