#include "support/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

int memory_limit(size_t bytes) {
#ifdef SANITIZED
  (void)bytes;
  return 0;
#else
  malloc_trim(0); /* what was freed before would not count */
  FILE *stream = fopen("/proc/self/status", "r");
  char line[256];
  unsigned long kilobytes;
  int found = 0;
  while (stream && !found && fgets(line, sizeof line, stream))
    found = sscanf(line, "VmData: %lu", &kilobytes) == 1;
  if (stream)
    fclose(stream);
  if (!found)
    return 0;
  /* private writable memory: address space that malloc merely reserves is not counted */
  size_t limit = kilobytes * 1024 + bytes;
  return setrlimit(RLIMIT_DATA, &(struct rlimit){limit, limit}) == 0;
#endif
}
