/* Files are read whole, and written whole or not at all. */
#include "formats/file.h"

#include "error.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* The superuser may do anything, so what is forbidden is tried as somebody else. */
static void become_unprivileged(void) {
  if (geteuid() == 0)
    cr_assert(setegid(NOBODY) == 0 && seteuid(NOBODY) == 0);
}

static void remove_folder(void) {
  if (getuid() == 0 && geteuid() != 0)
    cr_assert(seteuid(0) == 0 && setegid(0) == 0);
  chmod(folder_path("locked"), 0700);
  folder_remove();
}

TestSuite(file, .init = folder_make, .fini = folder_remove);
TestSuite(output_file, .init = folder_make, .fini = remove_folder);

#define assert_read_fails(path, text)                                                                        \
  do {                                                                                                       \
    void *bytes_;                                                                                            \
    size_t size_;                                                                                            \
    cr_assert_eq(file_read(path, &bytes_, &size_), CUSEQ_STATUS_IO);                                         \
    cr_assert_null(bytes_);                                                                                  \
    cr_assert(strstr(error_text(), text), "%s", error_text());                                               \
    cr_assert(strstr(error_text(), path), "%s", error_text());                                               \
  } while (0)

#define assert_open_fails(path, text)                                                                        \
  do {                                                                                                       \
    struct output_file file_;                                                                                \
    cr_assert_eq(output_file_open(&file_, path), CUSEQ_STATUS_IO);                                           \
    cr_assert(strstr(error_text(), text), "%s", error_text());                                               \
    cr_assert(strstr(error_text(), path), "%s", error_text());                                               \
    output_file_discard(&file_);                                                                             \
  } while (0)

static cuseq_status write_whole(const char *path, const char *text) {
  struct output_file file;
  TRY(output_file_open(&file, path));
  fputs(text, file.stream);
  return output_file_commit(&file);
}

Test(file, is_read_whole) {
  void *bytes;
  size_t size;
  cr_assert_eq(file_read(folder_write("a", "one\0two", 7), &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert(size == 7 && memcmp(bytes, "one\0two", 7) == 0);
  free(bytes);
}

Test(file, that_is_empty_is_read_as_no_bytes) {
  void *bytes;
  size_t size;
  cr_assert_eq(file_read(folder_write("a", "", 0), &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert(bytes != NULL && size == 0);
  free(bytes);
}

Test(file, is_read_through_a_symbolic_link) {
  void *bytes;
  size_t size;
  cr_assert_eq(symlink(folder_write("a", "x", 1), folder_path("link")), 0);
  cr_assert_eq(file_read(folder_path("link"), &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert_eq(size, 1);
  free(bytes);
}

static cuseq_status is_text(const void *bytes, size_t count, size_t size) {
  cr_expect_geq(size, count);
  return count >= 4 && memcmp(bytes, "text", 4) == 0 ? CUSEQ_STATUS_OK
                                                     : error_set(CUSEQ_STATUS_INVALID_FILE, "no text");
}

Test(file, that_is_checked_is_read_whole_where_its_beginning_is_right) {
  const char *path = folder_write("text", "text and more than sixteen bytes", 32);
  void *bytes;
  size_t size;
  cr_assert_eq(file_read_checked(path, is_text, &bytes, &size), CUSEQ_STATUS_OK);
  cr_assert_eq(size, 32);
  cr_assert_eq(memcmp(bytes, "text and more than sixteen bytes", 32), 0);
  free(bytes);
}

Test(file, that_is_checked_is_refused_by_its_beginning_however_long_it_is) {
  const char *path = folder_write("other", "\x89HDF", 4);
  void *bytes;
  size_t size;
  if (truncate(path, (off_t)1 << 42) != 0)
    cr_skip_test("the file system has no files of 4 TB");
  cr_assert_eq(file_read_checked(path, is_text, &bytes, &size), CUSEQ_STATUS_INVALID_FILE);
  cr_assert_null(bytes);
  cr_assert(strstr(error_text(), path) && strstr(error_text(), "no text"), "%s", error_text());
}

Test(file, that_is_missing_is_an_error) {
  assert_read_fails(folder_path("missing"), "cannot be opened (No such file or directory)");
}

Test(file, with_an_empty_path_is_an_error_that_says_so) {
  void *bytes;
  size_t size;
  cr_assert_eq(file_read("", &bytes, &size), CUSEQ_STATUS_IO);
  cr_assert_str_eq(error_text(), "(empty path): cannot be opened (No such file or directory)");
}

Test(file, that_is_a_folder_is_an_error) {
  assert_read_fails(folder_path(""), "not a regular file (it is a folder)");
}

Test(file, that_is_a_pipe_is_refused_without_waiting_for_a_writer, .timeout = 20) {
  cr_assert_eq(mkfifo(folder_path("pipe"), 0600), 0);
  assert_read_fails(folder_path("pipe"), "not a regular file (it is a pipe)");
}

Test(file, that_is_a_device_is_refused) {
  assert_read_fails("/dev/zero", "not a regular file (it is a device)");
}

Test(file, whose_real_size_is_not_the_one_it_tells_is_an_error) {
  assert_read_fails("/proc/self/status", "changed while it was read");
}

Test(output_file, that_may_not_be_read_is_an_error_of_reading) {
  const char *path = folder_write("secret", "x", 1);
  chmod(path, 0);
  become_unprivileged();
  assert_read_fails(path, "cannot be opened (Permission denied)");
}

Test(output_file, appears_with_its_commit_and_not_before) {
  struct output_file file;
  cr_assert_eq(output_file_open(&file, folder_path("a")), CUSEQ_STATUS_OK, "%s", error_text());
  fputs("new", file.stream);
  fflush(file.stream);
  cr_assert_neq(access(folder_path("a"), F_OK), 0);
  cr_assert_eq(output_file_commit(&file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "new", 3));
  cr_assert_eq(folder_entries(), 1);
  output_file_discard(&file); /* does nothing after a commit */
  cr_assert(folder_has("a", "new", 3));
}

Test(output_file, replaces_an_old_file_with_its_commit_and_not_before) {
  struct output_file file;
  folder_write("a", "old", 3);
  cr_assert_eq(output_file_open(&file, folder_path("a")), CUSEQ_STATUS_OK, "%s", error_text());
  fputs("newer", file.stream);
  fflush(file.stream);
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(output_file_commit(&file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "newer", 5));
  cr_assert_eq(folder_entries(), 1);
}

Test(output_file, that_is_discarded_leaves_nothing_and_the_old_file_as_it_was) {
  struct output_file file;
  folder_write("a", "old", 3);
  cr_assert_eq(output_file_open(&file, folder_path("a")), CUSEQ_STATUS_OK);
  fputs("new", file.stream);
  output_file_discard(&file);
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
  output_file_discard(&file);
}

Test(output_file, can_be_named_relative_to_the_current_folder) {
  cr_assert_eq(chdir(folder_path("")), 0);
  cr_assert_eq(write_whole("a", "1"), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(write_whole("./a", "22"), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "22", 2));
  cr_assert_eq(folder_entries(), 1);
}

Test(output_file, that_is_new_has_the_permissions_that_the_umask_leaves) {
  struct stat info;
  umask(027);
  cr_assert_eq(write_whole(folder_path("a"), "x"), CUSEQ_STATUS_OK);
  cr_assert_eq(stat(folder_path("a"), &info), 0);
  cr_assert_eq(info.st_mode & 07777, 0640);
}

Test(output_file, that_replaces_another_keeps_its_permissions) {
  struct stat info;
  chmod(folder_write("a", "old", 3), 0604);
  cr_assert_eq(write_whole(folder_path("a"), "x"), CUSEQ_STATUS_OK);
  cr_assert_eq(stat(folder_path("a"), &info), 0);
  cr_assert_eq(info.st_mode & 07777, 0604);
}

Test(output_file, through_a_symbolic_link_replaces_the_target_and_keeps_the_link) {
  struct stat info;
  cr_assert_eq(mkdir(folder_path("below"), 0755), 0);
  folder_write("below/a", "old", 3);
  cr_assert_eq(symlink("below/a", folder_path("link")), 0);
  cr_assert_eq(write_whole(folder_path("link"), "new"), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(lstat(folder_path("link"), &info) == 0 && S_ISLNK(info.st_mode));
  cr_assert(folder_has("below/a", "new", 3));
}

Test(output_file, through_a_link_to_nothing_is_refused) {
  cr_assert_eq(symlink("nowhere", folder_path("link")), 0);
  assert_open_fails(folder_path("link"), "a symbolic link to something that is not there");
}

Test(output_file, of_two_writers_at_once_is_the_later_commit_whole) {
  struct output_file first, second;
  cr_assert_eq(output_file_open(&first, folder_path("a")), CUSEQ_STATUS_OK);
  cr_assert_eq(output_file_open(&second, folder_path("a")), CUSEQ_STATUS_OK);
  fputs("first", first.stream);
  fputs("second", second.stream);
  cr_assert_eq(output_file_commit(&second), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "second", 6));
  cr_assert_eq(output_file_commit(&first), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(folder_has("a", "first", 5));
  cr_assert_eq(folder_entries(), 1);
}

Test(output_file, in_a_missing_folder_is_refused) {
  assert_open_fails(folder_path("missing/a"), "No such file or directory");
}

Test(output_file, in_something_that_is_no_folder_is_refused) {
  folder_write("a", "", 0);
  assert_open_fails(folder_path("a/b"), "Not a directory");
}

Test(output_file, that_is_a_folder_is_refused) {
  assert_open_fails(folder_path(""), "it is a folder");
}

Test(output_file, without_a_name_is_refused) {
  assert_open_fails(folder_path("a/"), "not the name of a file");
  struct output_file file;
  cr_assert_eq(output_file_open(&file, ""), CUSEQ_STATUS_IO);
  cr_assert_str_eq(error_text(), "(empty path): not the name of a file");
}

Test(output_file, with_too_long_a_name_is_refused_before_anything_is_written) {
  char name[300];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = 0;
  assert_open_fails(folder_path(name), "File name too long");
}

Test(output_file, that_is_a_device_or_a_pipe_is_refused_and_stays) {
  assert_open_fails("/dev/full", "not a regular file");
  cr_assert_eq(mkfifo(folder_path("pipe"), 0600), 0);
  assert_open_fails(folder_path("pipe"), "not a regular file");
  cr_assert_eq(folder_entries(), 1);
}

Test(output_file, in_a_read_only_folder_is_refused) {
  cr_assert_eq(mkdir(folder_path("locked"), 0555), 0);
  become_unprivileged();
  assert_open_fails(folder_path("locked/a"), "Permission denied");
}

Test(output_file, that_is_write_protected_is_refused_and_stays) {
  chmod(folder_write("a", "old", 3), 0444);
  chmod(folder_path(""), 0777);
  become_unprivileged();
  assert_open_fails(folder_path("a"), "Permission denied");
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
}

static void fill_and_commit(const char *path, cuseq_status *status) {
  struct output_file file;
  *status = output_file_open(&file, path);
  if (*status != CUSEQ_STATUS_OK)
    return;
  for (int i = 0; i < 1 << 20; i++)
    fputc(i, file.stream);
  *status = output_file_commit(&file);
}

Test(output_file, that_may_not_grow_so_large_is_an_error_and_leaves_the_old_file) {
  cuseq_status status;
  folder_write("a", "old", 3);
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = {100000, RLIM_INFINITY}, before;
  getrlimit(RLIMIT_FSIZE, &before);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  fill_and_commit(folder_path("a"), &status);
  setrlimit(RLIMIT_FSIZE, &before);
  cr_assert_eq(status, CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(),
                   "cannot be written (File too large; the limit of the size of a file (ulimit -f) is "),
            "%s", error_text());
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
}

Test(output_file, on_a_disk_that_fills_is_an_error_and_leaves_the_old_file) {
  if (mount("none", folder_path(""), "tmpfs", 0, "size=65536") != 0)
    cr_skip_test("a small file system can be mounted by the superuser only");
  cuseq_status status;
  folder_write("a", "old", 3);
  fill_and_commit(folder_path("a"), &status);
  int untouched = folder_has("a", "old", 3);
  size_t entries = folder_entries();
  umount(folder_path(""));
  cr_assert_eq(status, CUSEQ_STATUS_IO);
  cr_assert(strstr(error_text(), "cannot be written (No space left on device)"), "%s", error_text());
  cr_assert(untouched);
  cr_assert_eq(entries, 1);
}

/* Runs `body` in a process of its own, in which the test's folder is the root if `rooted`: without /proc a
 * file cannot be named later, so temporaries have names there. -1 where that is not allowed; else the wait
 * status. */
static int in_child(void (*body)(void), int rooted) {
  pid_t child = fork();
  if (child == 0) {
    if (rooted && (chroot(folder_path("")) != 0 || chdir("/") != 0))
      _exit(77);
    body();
    _exit(0);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  return rooted && WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -1 : status;
}

static void write_and_be_killed(void) {
  struct output_file file;
  if (output_file_open(&file, folder_path("a")) != CUSEQ_STATUS_OK || file.temporary)
    _exit(1);
  fputs("half", file.stream);
  fflush(file.stream);
  raise(SIGKILL);
}

Test(output_file, of_a_process_that_is_killed_leaves_nothing) {
  struct output_file file;
  cr_assert_eq(output_file_open(&file, folder_path("b")), CUSEQ_STATUS_OK);
  int named = file.temporary != NULL;
  output_file_discard(&file);
  if (named)
    cr_skip_test("this file system has no files without a name");
  folder_write("a", "old", 3);
  int status = in_child(write_and_be_killed, 0);
  cr_assert(WIFSIGNALED(status));
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
}

static void write_with_a_named_temporary(void) {
  struct output_file first, second;
  if (output_file_open(&first, "/a") != CUSEQ_STATUS_OK || output_file_open(&second, "/a") != CUSEQ_STATUS_OK)
    _exit(1);
  if (!first.temporary || !second.temporary || strcmp(first.temporary, second.temporary) == 0)
    _exit(2);
  if (access(first.temporary, F_OK) != 0)
    _exit(3);
  fputs("first", first.stream);
  fputs("second", second.stream);
  if (output_file_commit(&first) != CUSEQ_STATUS_OK)
    _exit(4);
  output_file_discard(&second);
}

Test(output_file, without_unnamed_files_is_written_beside_its_destination) {
  folder_write("a", "old", 3);
  int status = in_child(write_with_a_named_temporary, 1);
  if (status == -1)
    cr_skip_test("only the superuser can change the root folder");
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
  cr_assert(folder_has("a", "first", 5));
  cr_assert_eq(folder_entries(), 1);
}

static void clean_up_and_end(int signal_number) {
  output_file_remove_temporaries();
  _exit(100 + signal_number);
}

static void write_and_be_interrupted(void) {
  struct output_file first, second;
  signal(SIGINT, clean_up_and_end);
  if (output_file_open(&first, "/a") != CUSEQ_STATUS_OK || output_file_open(&second, "/b") != CUSEQ_STATUS_OK)
    _exit(1);
  if (!first.temporary || access(first.temporary, F_OK) != 0)
    _exit(2);
  fputs("half", first.stream);
  fflush(first.stream);
  raise(SIGINT);
}

Test(output_file, without_unnamed_files_is_removed_by_a_signal_handler) {
  folder_write("a", "old", 3);
  int status = in_child(write_and_be_interrupted, 1);
  if (status == -1)
    cr_skip_test("only the superuser can change the root folder");
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 100 + SIGINT, "status %d", status);
  cr_assert(folder_has("a", "old", 3));
  cr_assert_eq(folder_entries(), 1);
}
