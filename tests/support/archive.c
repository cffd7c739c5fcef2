#include "support/archive.h"

#include <string.h>

static uint32_t checksum(const unsigned char *data, size_t size) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

void archive_add_common(struct bytes *file, const struct member *member) {
  bytes_add_little_endian(file, member->flags, 2);
  bytes_add_little_endian(file, member->method, 2);
  bytes_add_little_endian(file, 1 << 21 | 1 << 16, 4);
  bytes_add_little_endian(file, checksum(member->data, member->size) ^ member->told_checksum_change, 4);
  bytes_add_little_endian(file, member->size, 4);
  bytes_add_little_endian(file, member->told_size ? member->told_size : member->size, 4);
  bytes_add_little_endian(file, strlen(member->name), 2);
  bytes_add_little_endian(file, 0, 2);
}

struct bytes archive_of(const struct member *members, size_t count) {
  struct bytes file = {0}, directory = {0};
  for (size_t i = 0; i < count; i++) {
    bytes_add(&directory, "PK\1\2\x14\0\x14\0", 8);
    archive_add_common(&directory, &members[i]);
    bytes_add_little_endian(&directory, 0, 10);
    bytes_add_little_endian(&directory, file.size, 4);
    bytes_add_text(&directory, members[i].name);
    bytes_add(&file, "PK\3\4\x14\0", 6);
    archive_add_common(&file, &members[i]);
    bytes_add_text(&file, members[i].name);
    bytes_add(&file, members[i].data, members[i].size);
  }
  size_t start = file.size;
  bytes_add(&file, directory.data, directory.size);
  bytes_add(&file, "PK\5\6\0\0\0\0", 8);
  bytes_add_little_endian(&file, count, 2);
  bytes_add_little_endian(&file, count, 2);
  bytes_add_little_endian(&file, directory.size, 4);
  bytes_add_little_endian(&file, start, 4);
  bytes_add_little_endian(&file, 0, 2);
  bytes_free(&directory);
  return file;
}
