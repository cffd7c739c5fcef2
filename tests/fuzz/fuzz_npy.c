/* Whatever the bytes, npy_parse gives an array that is what it says, or an error. */
#include "formats/npy.h"
#include "formats/npy_header.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* The header that would be written of it is read as the same array. */
static void check_header(const struct npy_array *array) {
  char text[NPY_HEADER_WRITTEN];
  size_t length, data_bytes;
  struct npy_header header;
  require(npy_header_format(array, text, &length, &data_bytes) == CUSEQ_STATUS_OK);
  require(length % 64 == 0 && data_bytes == array->count * npy_item_size(array->dtype));
  require(npy_header_parse(text, length, &header) == CUSEQ_STATUS_OK);
  require(header.size == length && header.dtype == array->dtype && !header.swapped && !header.fortran);
  require(header.rank == array->rank && header.count == array->count);
  require(memcmp(header.shape, array->shape, (size_t)array->rank * sizeof *array->shape) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct npy_array array;
  cuseq_dtype dtype;
  if (npy_parse(bytes, size, &array) != CUSEQ_STATUS_OK) {
    require(array.data == NULL);
    return 0;
  }
  require(array.rank >= 1 && array.rank <= NPY_MAX_RANK && array.count >= 1);
  require(array.count * npy_item_size(array.dtype) < size);
  check_header(&array);
  require(npy_widen(&array, &dtype) == CUSEQ_STATUS_OK);
  (void)npy_to_i32(&array); /* which may refuse */
  require(npy_to_f32(&array) == CUSEQ_STATUS_OK);
  npy_free(&array);
  return 0;
}
