#include "rlimits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct limit_words {
  const char *what;
  const char *unit;
  unsigned size; /* of the unit */
  int resource;
  char option; /* of ulimit */
} limit_words[] = {
    {"open files", "", 1, RLIMIT_NOFILE, 'n'},
    {"processes and threads", "", 1, RLIMIT_NPROC, 'u'},
    {"CPU time", " s", 1, RLIMIT_CPU, 't'},
    {"the size of a file", " KB", 1024, RLIMIT_FSIZE, 'f'},
    {"the stack", " KB", 1024, RLIMIT_STACK, 's'},
    {"memory", " MB", 1 << 20, RLIMIT_AS, 'v'},
    {"private memory", " MB", 1 << 20, RLIMIT_DATA, 'd'},
};

enum { SMALL = 100 << 20 };

rlim_t rlimits_value(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

bool rlimits_name(int resource, struct rlimits_text *words) {
  rlim_t value = rlimits_value(resource);
  words->text[0] = '\0';
  if (value == RLIM_INFINITY)
    return false;
  for (size_t i = 0; i < sizeof limit_words / sizeof *limit_words; i++) {
    const struct limit_words *limit = &limit_words[i];
    if (limit->resource != resource)
      continue;
    bool small = limit->size > 1024 && value < SMALL; /* some MB are better said in KB, and none is not 0 */
    snprintf(words->text, sizeof words->text, "the limit of %s (ulimit -%c) is %ju%s", limit->what,
             limit->option, (uintmax_t)value / (small ? 1024 : limit->size), small ? " KB" : limit->unit);
  }
  return words->text[0] != '\0';
}

bool rlimits_name_memory(uint64_t needed, struct rlimits_text *words) {
  rlim_t space = rlimits_value(RLIMIT_AS), data = rlimits_value(RLIMIT_DATA);
  words->text[0] = '\0';
  if ((space == RLIM_INFINITY || space >= needed) && (data == RLIM_INFINITY || data >= needed))
    return false;
  return rlimits_name(data < space ? RLIMIT_DATA : RLIMIT_AS, words);
}

/* The limit that a call fails at with this errno; -1 for none. Threads and processes need memory too. */
static int limit_of(int reason) {
  switch (reason) {
  case EMFILE:
    return RLIMIT_NOFILE;
  case EFBIG:
    return RLIMIT_FSIZE;
  case EAGAIN:
    return rlimits_value(RLIMIT_AS) != RLIM_INFINITY ? RLIMIT_AS : RLIMIT_NPROC;
  case ENOMEM:
    return rlimits_value(RLIMIT_DATA) < rlimits_value(RLIMIT_AS) ? RLIMIT_DATA : RLIMIT_AS;
  default:
    return -1;
  }
}

const char *rlimits_reason(int reason, struct rlimits_text *words) {
  struct rlimits_text limit;
  bool named = limit_of(reason) >= 0 && rlimits_name(limit_of(reason), &limit);
  snprintf(words->text, sizeof words->text, "%.80s%s%.100s", strerror(reason), named ? "; " : "",
           named ? limit.text : "");
  return words->text;
}

int rlimits_lower(int resource, rlim_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0)
    return -1;
  /* RLIM_INFINITY is the largest number */
  limit.rlim_max = limit.rlim_max < value ? limit.rlim_max : value;
  limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
  return setrlimit(resource, &limit);
}
