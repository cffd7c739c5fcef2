#include "cli/stack.h"

#include "cli/message.h"
#include "rlimits.h"

#include <stddef.h>
#include <sys/mman.h>

enum { RESERVE = 512 << 10, PAGE = 4096 };

/* Touches every page, the nearest first. */
__attribute__((noinline)) static void grow(void) {
  volatile char bytes[RESERVE];
  for (size_t i = RESERVE; i > PAGE; i -= PAGE)
    bytes[i - 1] = 0;
  (void)bytes[RESERVE - 1];
}

/* Whether the memory is there, without a fault where it is not. */
static int there_is_room(void) {
  void *probe = mmap(NULL, RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return probe != MAP_FAILED && munmap(probe, RESERVE) == 0;
}

int stack_reserve(void) {
  struct rlimits_text limit;
  if (rlimits_value(RLIMIT_STACK) < RESERVE + RESERVE / 4 && rlimits_name(RLIMIT_STACK, &limit)) {
    fail("memory: %s (needed %d KB)", limit.text, (RESERVE + RESERVE / 4) >> 10);
    return EXIT_MACHINE;
  }
  if (!rlimits_name_memory(UINT64_MAX, &limit))
    return EXIT_DONE;
  if (!there_is_room()) {
    fail("memory: there is not enough to start; %s", limit.text);
    return EXIT_MACHINE;
  }
  grow();
  return EXIT_DONE;
}
