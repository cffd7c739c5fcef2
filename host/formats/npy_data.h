/* The elements of an .npy file, from their order in the file to C order and native bytes. */
#ifndef CUSEQ_FORMATS_NPY_DATA_H
#define CUSEQ_FORMATS_NPY_DATA_H

#include "formats/npy_header.h"

/* Puts `count` elements, which in the file start at element `first`, where they belong in `data`. The file
 * can so be read in pieces. `from` may be unaligned. */
void npy_data_place(const struct npy_header *header, size_t first, size_t count, const void *from,
                    void *data);

/* An array of the header's type and shape with memory for its elements, which are not yet set. */
cuseq_status npy_data_allocate(const struct npy_header *header, struct npy_array *array);

#endif
