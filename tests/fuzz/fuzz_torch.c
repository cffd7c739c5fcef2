/* Whatever the bytes, torch_file_parse gives tensors that lie in their storages, or an error. Bytes that
 * begin like a zip are a checkpoint; all others are the pickle of one, since no mutation would hit a zip's
 * checksums. */
#include "formats/torch.h"
#include "support/archive.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* Reads the first and the last element, so that a sanitizer sees what was not allocated. */
static void touch(const struct named_array *array) {
  static const struct {
    const char *name;
    size_t size;
  } items[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4},
               {"I16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"C64", 8}};
  size_t item = 0, last = 0, sum = 0;
  for (size_t i = 0; i < sizeof items / sizeof *items; i++)
    item = strcmp(items[i].name, array->dtype_name) == 0 ? items[i].size : item;
  require(item > 0);
  for (int32_t axis = 0; axis < array->rank; axis++)
    last += (size_t)(array->shape[axis] - 1) * (size_t)array->strides[axis];
  for (size_t i = 0; i < item; i++)
    sum += array->data[i] + array->data[last * item + i];
  require(sum <= 2 * 255 * item);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const unsigned char storage[64];
  const struct member members[] = {{.name = "m/data.pkl", .data = bytes, .size = size},
                                   {.name = "m/data/0", .data = storage, .size = sizeof storage},
                                   {.name = "m/data/1", .data = storage, .size = 8}};
  bool zip = size >= 2 && memcmp(bytes, "PK", 2) == 0;
  struct bytes archive = zip ? (struct bytes){0} : archive_of(members, 3);
  struct torch_file file;
  cuseq_status status = torch_file_parse(zip ? bytes : archive.data, zip ? size : archive.size, &file);
  bytes_free(&archive);
  if (status != CUSEQ_STATUS_OK) {
    require(file.arrays == NULL && file.storages == NULL && file.count == 0);
    return 0;
  }
  require(file.count > 0);
  for (size_t i = 0; i < file.count; i++) {
    bool empty = false;
    require(file.arrays[i].rank >= 0 && file.arrays[i].rank <= NAMED_ARRAY_MAX_RANK);
    for (int32_t axis = 0; axis < file.arrays[i].rank; axis++)
      empty = empty || file.arrays[i].shape[axis] == 0;
    require(empty == (file.arrays[i].data == NULL));
    if (!empty)
      touch(&file.arrays[i]);
  }
  torch_file_free(&file);
  return 0;
}
