/* .npy: one numpy array.
 *
 * Read: versions 1 to 3 of the format, f2 f4 f8 i1 i2 i4 i8 u1 of either byte order, C and Fortran order.
 * Refused, each with its reason: other element types (objects are never unpickled), arrays without dimensions
 * or without elements, a size that is not exactly what the header says. Reading takes at most twice the
 * file's size. */
#ifndef CUSEQ_FORMATS_NPY_H
#define CUSEQ_FORMATS_NPY_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

enum { NPY_MAX_RANK = 8 };

enum npy_dtype { NPY_F16, NPY_F32, NPY_F64, NPY_I8, NPY_I16, NPY_I32, NPY_I64, NPY_U8 };

struct npy_array {
  enum npy_dtype dtype;
  int32_t rank; /* 1 .. NPY_MAX_RANK                                                              */
  int64_t shape[NPY_MAX_RANK]; /* each at least 1 */
  size_t count; /* the product of the shape                                                       */
  void *data;   /* [count] native byte order, C order; from malloc in an array that was read      */
};

/* Reads the array of a file, or of a file that is in memory (whose bytes may go afterwards). Release it with
 * npy_free. Only the errors of npy_read name the file. */
cuseq_status npy_read(const char *path, struct npy_array *array);
cuseq_status npy_parse(const void *bytes, size_t size, struct npy_array *array);

/* Frees the data of an array that was read; does nothing on a zeroed structure. */
void npy_free(struct npy_array *array);

/* Writes a version 1 file, C order, little-endian; whole or not at all. array->count need not be set. */
cuseq_status npy_write(const char *path, const struct npy_array *array);

/* Makes of an array that was read one whose elements the public interface takes, without loss: f2 becomes f4;
 * i1, i2, u1 become i4; f4, f8, i4, i8 stay. `dtype` receives which of CUSEQ_DTYPE_F32, F64, I32, I64 it is.
 */
cuseq_status npy_widen(struct npy_array *array, cuseq_dtype *dtype);

/* Makes of an array that was read one of f4, rounding to nearest; or one of i4, where floating-point elements
 * and values outside of int32 are errors that name the element's index. On error the array is as it was. */
cuseq_status npy_to_f32(struct npy_array *array);
cuseq_status npy_to_i32(struct npy_array *array);

/* Bytes of an element; numpy's name of the type ("float32"); the value of an IEEE half. */
size_t npy_item_size(enum npy_dtype dtype);
const char *npy_dtype_name(enum npy_dtype dtype);
float npy_half_to_float(uint16_t half);

#endif
