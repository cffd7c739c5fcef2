#include "support/folder.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];
static pid_t owner;

static void fail(const char *what) {
  perror(what);
  abort();
}

/* A test that is skipped or fails ends its process without its .fini. */
static void remove_at_exit(void) {
  if (getpid() == owner)
    folder_remove();
}

void folder_make(void) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/cuseq-test-XXXXXX", parent && *parent ? parent : "/tmp");
  if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
    fail(folder);
  owner = getpid();
  atexit(remove_at_exit);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place) {
  (void)info, (void)type, (void)place;
  return remove(path);
}

void folder_remove(void) {
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *folder_path(const char *name) {
  static char paths[8][512];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], name && *name ? "%s/%s" : "%s", folder, name ? name : "");
  return path;
}

const char *folder_write(const char *name, const void *bytes, size_t size) {
  const char *path = folder_path(name);
  FILE *stream = fopen(path, "wb");
  if (!stream || fwrite(bytes, 1, size, stream) != size || fclose(stream) != 0)
    fail(path);
  return path;
}

int folder_has(const char *name, const void *bytes, size_t size) {
  FILE *stream = fopen(folder_path(name), "rb");
  if (!stream)
    return 0;
  const unsigned char *want = bytes;
  size_t at = 0;
  int c;
  while ((c = fgetc(stream)) != EOF && at < size && c == want[at])
    at++;
  fclose(stream);
  return c == EOF && at == size;
}

size_t folder_entries(void) {
  DIR *stream = opendir(folder);
  if (!stream)
    fail(folder);
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(stream));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(stream);
  return count;
}
