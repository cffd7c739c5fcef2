#include "formats/hdf5/process.h"
#include "error.h"
#include "formats/hdf5/stream.h"
#include "rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *program_override;

void hdf5_process_set_program(const char *path) {
  program_override = path;
}

/* The folder of the running program: the kernel knows it, or where /proc is not mounted the name it was
 * started by. */
static cuseq_status own_folder(char folder[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
  if (length >= 0) {
    folder[length] = '\0';
  } else {
    unsigned long address = getauxval(AT_EXECFN);
    const char *name;
    memcpy(&name, &address, sizeof name);
    if (name == NULL || realpath(name, folder) == NULL)
      return error_set(CUSEQ_STATUS_IO,
                       "cuseq-hdf5: the folder of this program is not known (needed to find it: /proc, or a "
                       "start by a path that is still there)");
  }
  char *slash = strrchr(folder, '/');
  if (slash != NULL)
    *slash = '\0';
  return CUSEQ_STATUS_OK;
}

/* Beside the running program, as built, or where it is installed. */
static cuseq_status find_program(char *path, size_t capacity) {
  if (program_override != NULL) {
    if (snprintf(path, capacity, "%s", program_override) >= (int)capacity)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "cuseq-hdf5: the path of the program is too long");
  } else {
    static const char *const places[] = {"cuseq-hdf5", "../libexec/cuseq/cuseq-hdf5"};
    char self[PATH_MAX];
    TRY(own_folder(self));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
      if (snprintf(path, capacity, "%s/%s", self, places[i]) < (int)capacity && access(path, X_OK) == 0)
        return CUSEQ_STATUS_OK;
    return error_set(
        CUSEQ_STATUS_IO,
        "cuseq-hdf5: the program that reads HDF5 is missing (needed in %s or ../libexec/cuseq from "
        "there; build or install cuseq whole)",
        self);
  }
  if (access(path, X_OK) != 0)
    return error_set(CUSEQ_STATUS_IO, "%s: %s (the program that reads HDF5)", path, strerror(errno));
  return CUSEQ_STATUS_OK;
}

static cuseq_status spawn_child(const char *program, int file, long cpu_seconds, pid_t *child, int *output) {
  int pipe_ends[2];
  struct rlimits_text reason;
  if (pipe2(pipe_ends, O_CLOEXEC) != 0)
    return error_set(CUSEQ_STATUS_IO, "cuseq-hdf5: no pipe: %s", rlimits_reason(errno, &reason));
  char limit[32];
  snprintf(limit, sizeof limit, "%ld", cpu_seconds);
  char *arguments[] = {(char *)"cuseq-hdf5", limit, NULL};
  char *environment[] = {(char *)"LC_ALL=C", NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int failure = posix_spawn(child, program, &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  if (failure != 0) {
    close(pipe_ends[0]);
    return error_set(failure == ENOMEM ? CUSEQ_STATUS_OUT_OF_MEMORY : CUSEQ_STATUS_IO,
                     "%s: cannot be started: %s", program, rlimits_reason(failure, &reason));
  }
  *output = pipe_ends[0];
  return CUSEQ_STATUS_OK;
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct output {
  unsigned char *bytes;
  size_t size;
  size_t capacity;
};

/* Appends what the pipe has. *open becomes false at its end. */
static cuseq_status read_some(int pipe_end, size_t most, struct output *output, bool *open) {
  if (output->size == output->capacity) {
    size_t capacity = output->capacity < 65536 ? 65536 : output->capacity + output->capacity / 2;
    capacity = capacity > most ? most + 1 : capacity; /* one byte more shows a stream that is too long */
    if (output->size > most)
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "not a readable HDF5 file (its arrays are larger than the file)");
    unsigned char *bytes = realloc(output->bytes, capacity);
    if (bytes == NULL)
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory (%zu bytes for the HDF5 file's arrays)",
                       capacity);
    output->bytes = bytes;
    output->capacity = capacity;
  }
  ssize_t got = read(pipe_end, output->bytes + output->size, output->capacity - output->size);
  if (got > 0)
    output->size += (size_t)got;
  else if (got == 0)
    *open = false;
  else if (errno != EINTR)
    return error_set(CUSEQ_STATUS_IO, "cuseq-hdf5: its output cannot be read: %s", strerror(errno));
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_all(int pipe_end, double deadline, size_t most, struct output *output) {
  bool open = true;
  while (open) {
    double left = deadline - seconds_now();
    if (left <= 0)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable HDF5 file (reading it takes too long)");
    struct pollfd ready = {.fd = pipe_end, .events = POLLIN};
    int count = poll(&ready, 1, left > 1 ? 1000 : (int)(left * 1000) + 1);
    if (count < 0 && errno != EINTR)
      return error_set(CUSEQ_STATUS_IO, "cuseq-hdf5: its output cannot be awaited: %s", strerror(errno));
    if (count > 0)
      TRY(read_some(pipe_end, most, output, &open));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what became of the child --------------------------------------------------------------------- */

/* What a file of this size may take, and what the child was given. */
struct allowance {
  long cpu_seconds;
  uint64_t memory;
};

/* A child that memory did not suffice: where a limit that cuseq was started under is lower than what reading
 * may take, that is the error, as the file may be sound. CUSEQ_STATUS_OK where there is no such limit. */
static cuseq_status blame_memory(const struct allowance *allowance) {
  struct rlimits_text limit;
  if (!rlimits_name_memory(allowance->memory, &limit))
    return CUSEQ_STATUS_OK;
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s; reading this file may take %ju MB", limit.text,
                   (uintmax_t)(allowance->memory >> 20));
}

static cuseq_status blame_time(const struct allowance *allowance) {
  struct rlimits_text limit;
  if (rlimits_value(RLIMIT_CPU) < (rlim_t)allowance->cpu_seconds && rlimits_name(RLIMIT_CPU, &limit))
    return error_set(CUSEQ_STATUS_IO, "%s; reading this file may take %ld s", limit.text,
                     allowance->cpu_seconds);
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable HDF5 file (reading it takes too long)");
}

/* The kernel kills by SIGXCPU, or by SIGKILL where soft and hard limit are the same. */
static bool ran_out_of_time(int number, const struct rusage *usage, const struct allowance *allowance) {
  rlim_t limit = rlimits_value(RLIMIT_CPU);
  if (limit > (rlim_t)allowance->cpu_seconds)
    limit = (rlim_t)allowance->cpu_seconds;
  double used = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
                (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
  return number == SIGXCPU || (number == SIGKILL && used > 0.8 * (double)limit);
}

static cuseq_status judge_signal(int number, const struct rusage *usage, const struct allowance *allowance) {
  if (ran_out_of_time(number, usage, allowance))
    return blame_time(allowance);
  if (number == SIGKILL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq-hdf5: it was killed (signal 9), as systems do that are short of memory");
  TRY(blame_memory(allowance));
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable HDF5 file (its reader died of signal %d)",
                   number);
}

static cuseq_status judge_exit(int exit_status, const struct rusage *usage, const struct allowance *allowance,
                               const struct output *output) {
  if (WIFSIGNALED(exit_status))
    return judge_signal(WTERMSIG(exit_status), usage, allowance);
  int code = WEXITSTATUS(exit_status);
  if (code == HDF5_EXIT_MEMORY || (code != HDF5_EXIT_DONE && output->size == 0))
    TRY(blame_memory(allowance));
  if (code == HDF5_EXIT_DONE || output->size > 0)
    return CUSEQ_STATUS_OK; /* the stream says the rest */
  if (code == HDF5_EXIT_MEMORY)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq-hdf5: out of memory");
  return error_set(CUSEQ_STATUS_IO, "cuseq-hdf5: it exited with status %d%s", code,
                   code == 127 ? " (a library that it needs, such as libhdf5, cannot be loaded)" : "");
}

cuseq_status hdf5_process_run(int file, void **stream, size_t *size) {
  *stream = NULL;
  *size = 0;
  struct stat facts;
  if (fstat(file, &facts) != 0)
    return error_set(CUSEQ_STATUS_IO, "the file's size cannot be read: %s", strerror(errno));
  char program[PATH_MAX];
  TRY(find_program(program, sizeof program));
  /* 16 MB a second at the least */
  struct allowance allowance = {3 + (long)(facts.st_size >> 24), HDF5_MEMORY_LIMIT(facts.st_size)};
  size_t most = (size_t)facts.st_size * 4 + (1 << 20);
  pid_t child = -1;
  int pipe_end = -1;
  TRY(spawn_child(program, file, allowance.cpu_seconds, &child, &pipe_end));
  struct output output = {0};
  double deadline = seconds_now() + 20 + (double)allowance.cpu_seconds * 3;
  cuseq_status status = read_all(pipe_end, deadline, most, &output);
  close(pipe_end);
  if (status != CUSEQ_STATUS_OK)
    kill(child, SIGKILL);
  int exit_status = 0;
  struct rusage usage = {0};
  while (wait4(child, &exit_status, 0, &usage) < 0 && errno == EINTR)
    ;
  if (status == CUSEQ_STATUS_OK)
    status = judge_exit(exit_status, &usage, &allowance, &output);
  if (status != CUSEQ_STATUS_OK) {
    free(output.bytes);
    return status;
  }
  *stream = output.bytes;
  *size = output.size;
  return CUSEQ_STATUS_OK;
}
