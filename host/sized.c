#include "sized.h"

#include "error.h"

#include <string.h>

/* No structure will ever be as large; a size that nobody set may be anything. */
enum { SIZED_MOST = 4096 };

static size_t size_of(const void *given) {
  size_t size;
  memcpy(&size, given, sizeof size);
  return size;
}

void sized_init(void *given, size_t size, const void *defaults, const struct sized *sized) {
  if (given == NULL || size < sizeof size)
    return;
  memset(given, 0, size);
  memcpy(given, defaults, size < sized->size ? size : sized->size);
  memcpy(given, &size, sizeof size);
}

static cuseq_status size_check(const void *given, const struct sized *sized, const char *call) {
  size_t size = size_of(given);
  if (size == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the size of %s is 0 (needed sizeof(%s), which %s sets)", call, sized->name,
                     sized->name, sized->init);
  if (size % sizeof size != 0 || size > SIZED_MOST)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the size of %s is wrong (found %zu, needed %zu, which %s sets)", call, sized->name,
                     size, sized->size, sized->init);
  for (size_t i = sized->size; i < size; i++)
    if (((const char *)given)[i] != 0)
      return error_set(CUSEQ_STATUS_NOT_SUPPORTED,
                       "%s: %s has members that this version does not know (found %zu bytes, knows %zu)",
                       call, sized->name, size, sized->size);
  return CUSEQ_STATUS_OK;
}

static size_t shared_size(const void *given, const struct sized *sized) {
  size_t size = size_of(given);
  return size < sized->size ? size : sized->size;
}

cuseq_status sized_read(const void *given, const struct sized *sized, const char *call, void *read) {
  TRY(size_check(given, sized, call));
  memcpy(read, given, shared_size(given, sized));
  memcpy(read, &sized->size, sizeof sized->size);
  return CUSEQ_STATUS_OK;
}

void sized_write(const void *made, const struct sized *sized, void *given) {
  size_t size = size_of(given), shared = shared_size(given, sized);
  memcpy((char *)given + sizeof size, (const char *)made + sizeof size, shared - sizeof size);
  memset((char *)given + shared, 0, size - shared);
}
