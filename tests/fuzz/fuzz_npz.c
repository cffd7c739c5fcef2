/* Whatever the bytes, npz_parse gives arrays that are what they say, or an error. */
#include "formats/npz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* Reads every byte, so that a sanitizer sees what was not allocated. */
static size_t touch(const unsigned char *bytes, size_t size) {
  size_t sum = 0;
  for (size_t i = 0; i < size; i++)
    sum += bytes[i];
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct npz archive;
  if (npz_parse(bytes, size, &archive) != CUSEQ_STATUS_OK) {
    require(archive.entries == NULL && archive.count == 0);
    return 0;
  }
  require(archive.count > 0);
  for (size_t i = 0; i < archive.count; i++) {
    const struct npz_entry *entry = &archive.entries[i];
    size_t count = 1;
    for (int32_t axis = 0; axis < entry->array.rank; axis++)
      count *= (size_t)entry->array.shape[axis];
    require(count == entry->array.count && count > 0);
    size_t bytes_read = count * npy_item_size(entry->array.dtype);
    require(touch(entry->array.data, bytes_read) <= 255 * bytes_read);
    require(npz_find(&archive, entry->name) == &entry->array);
  }
  npz_free(&archive);
  return 0;
}
