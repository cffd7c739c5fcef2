/* What converting a Keras file says when the program that reads HDF5 fails under a limit that was set before.
 * tests/cli/limits.sh tries the limits themselves. Run from the repository's root. */
#include "convert/convert.h"
#include "formats/hdf5/process.h"
#include "support/folder.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

TestSuite(keras_limits, .init = folder_make, .fini = folder_remove);

static const char source[] =
    "tests/golden/keras/exercise_keras2.h5"; /* small: 3 s, 256 MB and three times it */

/* An errno that starting a program fails with, for what a superuser's tests cannot run into. */
static int spawn_failure;
int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
  return spawn_failure ? spawn_failure
                       : posix_spawnp(child, path, actions, attributes, arguments, environment);
}

static void set(int resource, rlim_t value) {
  struct rlimit limit;
  cr_assert_eq(getrlimit(resource, &limit), 0);
  if (limit.rlim_max < value)
    cr_skip_test("the tests themselves run under a lower limit");
  limit.rlim_cur = value;
  cr_assert_eq(setrlimit(resource, &limit), 0, "%s", strerror(errno));
}

/* A limit of private memory (ulimit -d) that leaves so much beyond what the test has already. */
static void leave_memory(size_t bytes) {
  if (!memory_limit(bytes))
    cr_skip_test("no limit of memory can be set here");
}

/* Converts with a shell script in the place of cuseq-hdf5. */
static void expect(const char *script, cuseq_status status, const char *words) {
  char text[256];
  cuseq_model *model = NULL;
  snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
  const char *path = folder_write("stand-in", text, strlen(text));
  cr_assert_eq(chmod(path, 0755), 0);
  hdf5_process_set_program(path);
  cr_expect_eq(keras_convert(source, NULL, NULL, NULL, &model, NULL), status, "%s: %s", script,
               cuseq_last_error());
  cr_expect(strstr(cuseq_last_error(), words), "%s: \"%s\" is not in: %s", script, words, cuseq_last_error());
}

Test(keras_limits, of_cpu_time_that_were_there_before_are_named, .timeout = 120) {
  set(RLIMIT_CPU, 1);
  expect("while :; do :; done", CUSEQ_STATUS_IO,
         "the limit of CPU time (ulimit -t) is 1 s; reading this file may take 3 s");
}

Test(keras_limits, of_memory_are_named_when_the_reader_lacks_it) {
  leave_memory(100 << 20);
  const char *words = " MB; reading this file may take 256 MB";
  expect("exit 3", CUSEQ_STATUS_OUT_OF_MEMORY, words);
  cr_expect(strstr(cuseq_last_error(), "the limit of private memory (ulimit -d) is "), "%s",
            cuseq_last_error());
  expect("exit 127", CUSEQ_STATUS_OUT_OF_MEMORY, words);
  expect("kill -SEGV $$", CUSEQ_STATUS_OUT_OF_MEMORY, words);
  expect("printf 'cuseqH5\\001X\\001\\000\\000\\000?'; exit 3", CUSEQ_STATUS_OUT_OF_MEMORY, words);
}

Test(keras_limits, of_memory_are_not_blamed_for_what_is_wrong_with_the_file) {
  leave_memory(100 << 20);
  expect("printf 'cuseqH5\\001X\\001\\000\\000\\000?'; exit 1", CUSEQ_STATUS_INVALID_FILE,
         "not a readable HDF5 file (?)");
}

Test(keras_limits, that_leave_enough_are_not_named) {
  leave_memory(300 << 20);
  expect("exit 3", CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq-hdf5: out of memory");
  expect("kill -SEGV $$", CUSEQ_STATUS_INVALID_FILE, "its reader died of signal 11");
}

Test(keras_limits, aside_a_reader_that_is_killed_or_cannot_start_says_so) {
  expect("kill -KILL $$", CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq-hdf5: it was killed (signal 9)");
  expect("exit 127", CUSEQ_STATUS_IO, "(a library that it needs, such as libhdf5, cannot be loaded)");
}

Test(keras_limits, of_processes_are_named) {
  set(RLIMIT_NPROC, 6000);
  spawn_failure = EAGAIN;
  expect("exit 0", CUSEQ_STATUS_IO,
         "stand-in: cannot be started: Resource temporarily unavailable; the limit of processes and threads "
         "(ulimit -u) is 6000");
}
