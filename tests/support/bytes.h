/* Files that tests make up byte by byte. */
#ifndef TESTS_SUPPORT_BYTES_H
#define TESTS_SUPPORT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed structure is empty. Running out of memory ends the process. */
struct bytes {
  unsigned char *data;
  size_t size, capacity;
};

void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_add_text(struct bytes *bytes, const char *text);
void bytes_add_repeated(struct bytes *bytes, const char *text, size_t times);
void bytes_add_little_endian(struct bytes *bytes, uint64_t value, int size);
void bytes_free(struct bytes *bytes);

#endif
