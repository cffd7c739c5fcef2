#include "error.h"
#include "formats/file.h"
#include "rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The named temporaries that are open, for output_file_remove_temporaries. A process that writes more files
 * than this at once, on a file system without O_TMPFILE, leaves the others to a signal. */
enum { REGISTRY_SIZE = 32, NAME_ATTEMPTS = 1000 };
static _Atomic(const char *) registry[REGISTRY_SIZE];

static void registry_add(const char *temporary) {
  for (int i = 0; i < REGISTRY_SIZE; i++) {
    const char *empty = NULL;
    if (atomic_compare_exchange_strong(&registry[i], &empty, temporary))
      return;
  }
}

static void registry_remove(const char *temporary) {
  for (int i = 0; i < REGISTRY_SIZE; i++) {
    const char *expected = temporary;
    if (atomic_compare_exchange_strong(&registry[i], &expected, NULL))
      return;
  }
}

void output_file_remove_temporaries(void) {
  for (int i = 0; i < REGISTRY_SIZE; i++) {
    const char *temporary = atomic_load(&registry[i]);
    if (temporary)
      unlink(temporary);
  }
}

static cuseq_status no_memory(const char *path) {
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: no memory to open it for writing", path);
}

/* The folder of a path, with its trailing slash: "" for the current one. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Opens the folder that a path is in, or, with O_TMPFILE, a file without a name in it; -1 on failure. */
static int open_folder(const char *path, int flags) {
  char folder[PATH_MAX];
  size_t length = folder_length(path);
  if (length >= sizeof folder)
    return -1;
  memcpy(folder, path, length);
  folder[length] = 0;
  return open(length ? folder : ".", flags | O_CLOEXEC, 0666);
}

/* A name in the folder of `target` that no other file written by any process has in all likelihood; the
 * caller makes sure of it by O_EXCL or link, and asks again. NULL without memory. */
static char *temporary_name(const char *target) {
  static atomic_uint counter;
  size_t folder = folder_length(target);
  size_t capacity = folder + 64;
  char *name = malloc(capacity);
  if (!name)
    return NULL;
  memcpy(name, target, folder);
  snprintf(name + folder, capacity - folder, ".cuseq-%ld-%u.tmp", (long)getpid(),
           atomic_fetch_add(&counter, 1));
  return name;
}

/* Finds what `path` stands for: stores the path to replace in file->target (a link's target for a link), and
 * in `old` the file that is there, or a mode of 0 for none. */
static cuseq_status resolve(struct output_file *file, const char *path, struct stat *old) {
  size_t length = strlen(path);
  if (length == 0 || path[length - 1] == '/')
    return error_set(CUSEQ_STATUS_IO, "%s: not the name of a file", length ? path : "(empty path)");
  memset(old, 0, sizeof *old);
  if (lstat(path, old) != 0) {
    if (errno != ENOENT)
      return error_set(CUSEQ_STATUS_IO, "%s: cannot be written (%s)", path, strerror(errno));
    file->target = strdup(path);
    return file->target ? CUSEQ_STATUS_OK : no_memory(path);
  }
  if (S_ISLNK(old->st_mode) && stat(path, old) != 0)
    return error_set(CUSEQ_STATUS_IO,
                     "%s: cannot be written (a symbolic link to something that is not there)", path);
  if (S_ISDIR(old->st_mode))
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be written (it is a folder)", path);
  if (!S_ISREG(old->st_mode))
    return error_set(CUSEQ_STATUS_IO,
                     "%s: cannot be written (not a regular file, which a whole file could replace)", path);
  if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be written (%s)", path, strerror(errno));
  file->target = realpath(path, NULL);
  if (!file->target)
    return error_set(CUSEQ_STATUS_IO, "%s: cannot be written (%s)", path, strerror(errno));
  return CUSEQ_STATUS_OK;
}

/* A file without a name in the target's folder; -1 where the system cannot make one or could not name it
 * later. */
static int open_unnamed(const char *target) {
  int descriptor = open_folder(target, O_TMPFILE | O_RDWR);
  if (descriptor < 0)
    return -1;
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  if (access(link, F_OK) == 0)
    return descriptor;
  close(descriptor); /* without /proc it could not be given a name */
  return -1;
}

static int open_named(struct output_file *file) {
  for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    char *name = temporary_name(file->target);
    if (!name) {
      errno = ENOMEM;
      return -1;
    }
    registry_add(name); /* before the file is there: a signal in between removes nothing */
    int descriptor = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      file->temporary = name;
      return descriptor;
    }
    int reason = errno;
    registry_remove(name);
    free(name);
    errno = reason;
    if (reason != EEXIST)
      return -1;
  }
  return -1;
}

static void release(struct output_file *file) {
  if (file->stream)
    fclose(file->stream);
  if (file->temporary)
    registry_remove(file->temporary);
  free(file->temporary);
  free(file->target);
  free(file->path);
  memset(file, 0, sizeof *file);
}

void output_file_discard(struct output_file *file) {
  if (file->temporary)
    unlink(file->temporary);
  release(file);
}

cuseq_status output_file_open(struct output_file *file, const char *path) {
  cuseq_status status = CUSEQ_STATUS_OK;
  struct stat old;
  memset(file, 0, sizeof *file);
  TRY_CLEANUP(resolve(file, path, &old));
  file->path = strdup(path);
  if (!file->path)
    TRY_CLEANUP(no_memory(path));
  int descriptor = open_unnamed(file->target);
  if (descriptor < 0)
    descriptor = open_named(file);
  struct rlimits_text reason;
  if (descriptor < 0)
    TRY_CLEANUP(error_set(CUSEQ_STATUS_IO, "%s: cannot be written (no file can be made in its folder: %s)",
                          path, rlimits_reason(errno, &reason)));
  if (old.st_mode) {
    /* Of another's file the owner can be kept by the superuser alone; the permissions always. */
    if (fchown(descriptor, old.st_uid, old.st_gid) != 0)
      errno = 0;
    fchmod(descriptor, old.st_mode & 0777);
  }
  file->stream = fdopen(descriptor, "w");
  if (!file->stream) {
    close(descriptor);
    TRY_CLEANUP(no_memory(path));
  }
  return CUSEQ_STATUS_OK;
cleanup:
  output_file_discard(file);
  return status;
}

void output_file_write(struct output_file *file, const void *bytes, size_t size) {
  if (size > 0 && fwrite(bytes, 1, size, file->stream) != size && file->reason == 0)
    file->reason = errno;
}

/* Gives the unnamed file its name; 0 or an errno. An existing target cannot be linked over, so that the file
 * gets a temporary name first; signals wait meanwhile, or one could leave that name behind. */
static int publish_unnamed(struct output_file *file) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fileno(file->stream));
  if (linkat(AT_FDCWD, link, AT_FDCWD, file->target, AT_SYMLINK_FOLLOW) == 0)
    return 0;
  if (errno != EEXIST)
    return errno;
  int reason = EEXIST;
  for (int attempt = 0; attempt < NAME_ATTEMPTS && reason == EEXIST; attempt++) {
    char *name = temporary_name(file->target);
    if (!name)
      return ENOMEM;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    reason = linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
    if (reason == 0 && rename(name, file->target) != 0) {
      reason = errno == EEXIST ? EISDIR : errno;
      unlink(name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(name);
  }
  return reason;
}

/* Makes the rename itself durable. Where folders cannot be flushed, the file system has its own rules. */
static void flush_folder(const char *target) {
  int descriptor = open_folder(target, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0)
    return;
  fsync(descriptor);
  close(descriptor);
}

/* Everything up to and with the rename; 0 or an errno. */
static int publish(struct output_file *file) {
  if (file->reason != 0)
    return file->reason;
  int failed_before = ferror(file->stream);
  errno = 0;
  if (fflush(file->stream) != 0 || failed_before)
    return errno ? errno : EIO;
  /* EINVAL: the file system has nothing to flush */
  if (fsync(fileno(file->stream)) != 0 && errno != EINVAL)
    return errno;
  if (!file->temporary)
    return publish_unnamed(file);
  if (rename(file->temporary, file->target) != 0)
    return errno;
  registry_remove(file->temporary);
  free(file->temporary);
  file->temporary = NULL;
  return 0;
}

cuseq_status output_file_commit(struct output_file *file) {
  int reason = publish(file);
  struct rlimits_text words;
  if (reason != 0) {
    cuseq_status status =
        error_set(CUSEQ_STATUS_IO, "%s: cannot be written (%s)", file->path, rlimits_reason(reason, &words));
    output_file_discard(file);
    return status;
  }
  flush_folder(file->target);
  release(file);
  return CUSEQ_STATUS_OK;
}
