#include "support/bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_add(struct bytes *bytes, const void *data, size_t size) {
  if (bytes->size + size > bytes->capacity || !bytes->data) {
    bytes->capacity = 2 * (bytes->size + size) + 64;
    bytes->data = realloc(bytes->data, bytes->capacity);
    if (!bytes->data)
      abort();
  }
  if (size > 0)
    memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
}

void bytes_add_text(struct bytes *bytes, const char *text) {
  bytes_add(bytes, text, strlen(text));
}

void bytes_add_repeated(struct bytes *bytes, const char *text, size_t times) {
  for (size_t i = 0; i < times; i++)
    bytes_add_text(bytes, text);
}

void bytes_add_little_endian(struct bytes *bytes, uint64_t value, int size) {
  for (int i = 0; i < size; i++, value >>= 8) { /* more than 8 bytes end in zeros */
    unsigned char byte = (unsigned char)value;
    bytes_add(bytes, &byte, 1);
  }
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  memset(bytes, 0, sizeof *bytes);
}
