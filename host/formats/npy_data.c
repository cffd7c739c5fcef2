#include "formats/npy_data.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

size_t npy_item_size(enum npy_dtype dtype) {
  static const size_t sizes[] = {2, 4, 8, 1, 2, 4, 8, 1};
  return sizes[dtype];
}

/* Copies one element of 2, 4 or 8 bytes with its bytes reversed. */
static void copy_swapped(unsigned char *to, const unsigned char *from, size_t item) {
  for (size_t i = 0; i < item; i++)
    to[i] = from[item - 1 - i];
}

static void place_in_c_order(const struct npy_header *header, size_t first, size_t count,
                             const unsigned char *from, unsigned char *data) {
  size_t item = npy_item_size(header->dtype);
  unsigned char *to = data + first * item;
  if (!header->swapped) {
    memcpy(to, from, count * item);
    return;
  }
  for (size_t i = 0; i < count; i++)
    copy_swapped(to + i * item, from + i * item, item);
}

/* In Fortran order the first axis varies fastest: an odometer over the axes follows the file, and the
 * element's place in C order moves by the stride of each axis that turns. */
static void place_in_fortran_order(const struct npy_header *header, size_t first, size_t count,
                                   const unsigned char *from, unsigned char *data) {
  size_t item = npy_item_size(header->dtype);
  size_t index[NPY_MAX_RANK], stride[NPY_MAX_RANK], place = 0;
  size_t step = 1;
  for (int32_t axis = header->rank - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= (size_t)header->shape[axis];
  }
  for (int32_t axis = 0; axis < header->rank; axis++) {
    index[axis] = first % (size_t)header->shape[axis];
    first /= (size_t)header->shape[axis];
    place += index[axis] * stride[axis];
  }
  for (size_t i = 0; i < count; i++) {
    if (header->swapped)
      copy_swapped(data + place * item, from + i * item, item);
    else
      memcpy(data + place * item, from + i * item, item);
    for (int32_t axis = 0; axis < header->rank; axis++) {
      place += stride[axis];
      if (++index[axis] < (size_t)header->shape[axis])
        break;
      place -= index[axis] * stride[axis];
      index[axis] = 0;
    }
  }
}

void npy_data_place(const struct npy_header *header, size_t first, size_t count, const void *from,
                    void *data) {
  if (header->fortran && header->rank > 1)
    place_in_fortran_order(header, first, count, from, data);
  else
    place_in_c_order(header, first, count, from, data);
}

cuseq_status npy_data_allocate(const struct npy_header *header, struct npy_array *array) {
  array->data = malloc(header->data_bytes);
  if (!array->data)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "data: no memory for the array (%zu bytes)",
                     header->data_bytes);
  array->dtype = header->dtype;
  array->rank = header->rank;
  memcpy(array->shape, header->shape, sizeof array->shape);
  array->count = header->count;
  return CUSEQ_STATUS_OK;
}
