/* cuseq-hdf5: reads the HDF5 file on its standard input and writes stream.h's records to its standard output.
 *
 * A program of its own because libhdf5 may crash, hang or allocate without end on damaged files. It puts itself
 * under limits before it touches the file, keeps no state and writes nothing but its standard output; whatever
 * happens to it, the reader sees a stream without its end. The argument is the limit of CPU seconds. */
#include "writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define ADDRESS_SPACE_IS_SHADOWED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESS_SPACE_IS_SHADOWED 1
#endif

static int limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  return setrlimit(resource, &both);
}

/* Memory: what the libraries map at start (about 64 MB here), the largest dataset, and slack. */
static int set_limits(off_t file_size, long cpu_seconds) {
  if (limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_FSIZE, 0) != 0)
    return -1;
  if (limit(RLIMIT_CPU, (rlim_t)cpu_seconds) != 0)
    return -1;
#ifndef ADDRESS_SPACE_IS_SHADOWED
  if (limit(RLIMIT_AS, (rlim_t)file_size * 2 + (rlim_t)(256 << 20)) != 0)
    return -1;
#else
  (void)file_size;
#endif
  return 0;
}

int main(int argc, char **argv) {
  char *end = NULL;
  long cpu_seconds = argc == 2 ? strtol(argv[1], &end, 10) : 0;
  if (argc != 2 || *end != '\0' || cpu_seconds < 1 || cpu_seconds > 3600) {
    fprintf(stderr,
            "usage: cuseq-hdf5 CPU-SECONDS <FILE.h5 >STREAM (a part of cuseq; not for use by hand)\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct stat status;
  if (fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
    fprintf(stderr, "cuseq-hdf5: standard input: not a regular file\n");
    return 2;
  }
  if (set_limits(status.st_size, cpu_seconds) != 0) {
    fprintf(stderr, "cuseq-hdf5: cannot set its limits: %s\n", strerror(errno));
    return 2;
  }
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
  return writer_run("/proc/self/fd/0", (uint64_t)status.st_size, stdout);
}
