/* The limits that this process was started under (ulimit), in the words of a message. */
#ifndef CUSEQ_HOST_RLIMITS_H
#define CUSEQ_HOST_RLIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/* Room for a text that the calls below make. */
struct rlimits_text {
  char text[192];
};

/* The value of a soft limit; RLIM_INFINITY where there is none. */
rlim_t rlimits_value(int resource);

/* "the limit of open files (ulimit -n) is 6", of RLIMIT_NOFILE, FSIZE, AS, DATA, STACK, CPU or NPROC.
 * false, and no text, where that limit is not set. */
bool rlimits_name(int resource, struct rlimits_text *words);

/* The same of the limit of memory (-v or -d) that leaves least. false where none is below `needed` bytes. */
bool rlimits_name_memory(uint64_t needed, struct rlimits_text *words);

/* strerror(reason), and behind it the limit that it may come of: "Too many open files; the limit of open
 * files (ulimit -n) is 6". The text lies in *words. */
const char *rlimits_reason(int reason, struct rlimits_text *words);

/* Sets a limit, hard and soft, to `value` where it is higher, and leaves it where it is lower. 0, or -1 and
 * errno. */
int rlimits_lower(int resource, rlim_t value);

#endif
