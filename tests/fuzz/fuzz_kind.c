/* Whatever the bytes, file_kind_of gives one of its kinds. */
#include "formats/file_kind.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  int file = memfd_create("kind", MFD_CLOEXEC);
  if (file < 0 || write(file, bytes, size) != (ssize_t)size)
    abort();
  enum file_kind kind = file_kind_of(file, size);
  if ((int)kind >= FILE_KINDS || (kind == FILE_KIND_EMPTY) != (size == 0))
    abort();
  close(file);
  return 0;
}
