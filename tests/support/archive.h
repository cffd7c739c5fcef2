/* Zip archives that tests make up, right ones and wrong ones, because libzip writes no wrong ones. */
#ifndef TESTS_SUPPORT_ARCHIVE_H
#define TESTS_SUPPORT_ARCHIVE_H

#include "support/bytes.h"

/* A member as the test wants it told; what is 0 or NULL is told truly. */
struct member {
  const char *name;
  const void *data;
  size_t size;
  unsigned flags, method;
  uint32_t told_checksum_change;
  uint32_t told_size;
};

/* Its members, stored or as they say; release it with bytes_free. */
struct bytes archive_of(const struct member *members, size_t count);

/* What a member's header and its directory entry have in common, behind the versions. */
void archive_add_common(struct bytes *file, const struct member *member);

#endif
