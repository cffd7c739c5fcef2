/* cuseq-hdf5: reads the HDF5 file on its standard input and writes stream.h's records to its standard output.
 *
 * A program of its own because libhdf5 may crash, hang or allocate without end on damaged files. It puts
 * itself under limits before it touches the file - never above those that it was started under - keeps no
 * state and writes nothing but its standard output; whatever happens to it, the reader sees a stream without
 * its end. The argument is the limit of CPU seconds. */
#include "rlimits.h"
#include "stream.h"
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

static int set_limits(off_t file_size, long cpu_seconds) {
  if (rlimits_lower(RLIMIT_CORE, 0) != 0 || rlimits_lower(RLIMIT_FSIZE, 0) != 0)
    return -1;
  if (rlimits_lower(RLIMIT_CPU, (rlim_t)cpu_seconds) != 0)
    return -1;
#ifndef ADDRESS_SPACE_IS_SHADOWED
  if (rlimits_lower(RLIMIT_AS, HDF5_MEMORY_LIMIT(file_size)) != 0)
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
    return HDF5_EXIT_USE;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct stat status;
  if (fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
    fprintf(stderr, "cuseq-hdf5: standard input: not a regular file\n");
    return HDF5_EXIT_USE;
  }
  if (set_limits(status.st_size, cpu_seconds) != 0) {
    fprintf(stderr, "cuseq-hdf5: cannot set its limits: %s\n", strerror(errno));
    return HDF5_EXIT_USE;
  }
  return writer_run(STDIN_FILENO, (uint64_t)status.st_size, stdout);
}
