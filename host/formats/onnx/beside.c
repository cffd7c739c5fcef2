/* Weights in files beside the model. The location comes from the file, so that it may be anything. */
#include "formats/onnx/onnx.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LOCATION = 1024 };

static cuseq_status outside(const char *location) {
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "its weights are said to lie in '%.200s', which leads out of the model's folder",
                   location);
}

static cuseq_status cannot(const char *location, int reason) {
  if (reason == ELOOP || reason == ENOTDIR)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "its weights are said to lie in '%.200s', which passes through a symbolic link",
                     location);
  return error_set(CUSEQ_STATUS_IO, "its weights, in '%.200s' beside it, cannot be opened (%s)", location,
                   strerror(reason));
}

/* Opens the folders of the location one by one, none of which may be a link. `folder` is closed. */
static int open_inside(int folder, char *rest, int *reason) {
  for (char *slash; folder >= 0 && (slash = strchr(rest, '/')) != NULL;) {
    *slash = '\0';
    int next = *rest == '\0' || strcmp(rest, ".") == 0
                   ? dup(folder)
                   : openat(folder, rest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *reason = errno;
    close(folder);
    folder = next;
    rest = slash + 1;
  }
  if (folder < 0)
    return -1;
  int file = openat(folder, rest, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  *reason = errno;
  close(folder);
  return file;
}

static int leads_out(const char *location) {
  if (*location == '\0' || *location == '/')
    return 1;
  for (const char *part = location; part != NULL; part = strchr(part, '/')) {
    part += *part == '/';
    size_t length = strcspn(part, "/");
    if (length == 2 && memcmp(part, "..", 2) == 0)
      return 1;
  }
  return 0;
}

cuseq_status onnx_beside_open(const char *folder, const char *location, int *descriptor, size_t *size) {
  char copy[MAX_LOCATION];
  struct stat info;
  *descriptor = -1;
  if (leads_out(location) || strlen(location) >= sizeof copy)
    return outside(location);
  memcpy(copy, location, strlen(location) + 1);
  int reason = 0, base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (base < 0)
    return cannot(location, errno);
  int file = open_inside(base, copy, &reason);
  if (file < 0)
    return cannot(location, reason);
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    return error_set(CUSEQ_STATUS_INVALID_FILE, "its weights are said to lie in '%.200s', which is no file",
                     location);
  }
  *descriptor = file;
  *size = (size_t)info.st_size;
  return CUSEQ_STATUS_OK;
}
