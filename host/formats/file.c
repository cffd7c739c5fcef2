#include "formats/file.h"

#include "error.h"
#include "rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode) {
  if (S_ISDIR(mode))
    return "a folder";
  if (S_ISFIFO(mode))
    return "a pipe";
  if (S_ISSOCK(mode))
    return "a socket";
  return "a device";
}

/* Reads until `size` bytes or the end of the file; -1 and errno on failure. */
static ssize_t read_up_to(int descriptor, unsigned char *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = read(descriptor, bytes + done, size - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

static cuseq_status measure(int descriptor, const char *path, size_t *size) {
  struct stat info;
  if (fstat(descriptor, &info) != 0)
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be read (%s)", path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return error_set(CUSEQ_STATUS_IO, "%s: not a regular file (it is %s)", path, kind_of(info.st_mode));
  if ((uintmax_t)info.st_size > SIZE_MAX / 2)
    return error_set(CUSEQ_STATUS_IO, "%s: too large (%jd bytes)", path, (intmax_t)info.st_size);
  *size = (size_t)info.st_size;
  return CUSEQ_STATUS_OK;
}

cuseq_status file_open(const char *path, int *descriptor, size_t *size) {
  *size = 0;
  struct rlimits_text reason;
  *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (*descriptor < 0)
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be opened (%s)", *path ? path : "(empty path)",
                     rlimits_reason(errno, &reason));
  cuseq_status status = measure(*descriptor, path, size);
  if (status != CUSEQ_STATUS_OK) {
    close(*descriptor);
    *descriptor = -1;
  }
  return status;
}

static cuseq_status read_whole(int descriptor, const char *path, size_t expected, void **bytes) {
  unsigned char *buffer = malloc(expected + 1); /* one more, to notice a file that grows */
  if (!buffer)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: no memory to read it (%zu bytes)", path, expected);
  ssize_t n = read_up_to(descriptor, buffer, expected + 1);
  if (n < 0) {
    int reason = errno;
    free(buffer);
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be read (%s)", path, strerror(reason));
  }
  if ((size_t)n != expected) {
    free(buffer);
    return error_set(CUSEQ_STATUS_IO, "%s: changed while it was read (%zd bytes read, its size is %zu)", path,
                     n, expected);
  }
  *bytes = buffer;
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_beginning(int descriptor, const char *path, size_t size, file_check check) {
  unsigned char first[FILE_BEGINNING];
  ssize_t got = read_up_to(descriptor, first, sizeof first);
  if (got < 0 || lseek(descriptor, 0, SEEK_SET) != 0)
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be read (%s)", path, strerror(errno));
  cuseq_status status = check(first, (size_t)got, size);
  return status == CUSEQ_STATUS_OK ? status : error_prefix(status, path);
}

cuseq_status file_read(const char *path, void **bytes, size_t *size) {
  return file_read_checked(path, NULL, bytes, size);
}

cuseq_status file_read_checked(const char *path, file_check check, void **bytes, size_t *size) {
  int descriptor;
  *bytes = NULL;
  TRY(file_open(path, &descriptor, size));
  cuseq_status status = check != NULL ? check_beginning(descriptor, path, *size, check) : CUSEQ_STATUS_OK;
  if (status == CUSEQ_STATUS_OK)
    status = read_whole(descriptor, path, *size, bytes);
  close(descriptor);
  if (status != CUSEQ_STATUS_OK)
    *size = 0;
  return status;
}
