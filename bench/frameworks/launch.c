/* bench_frameworks_launch COMMAND [ARGUMENT...]: runs a command and prints "MS PEAK_KB STATUS", then what the
 * command printed: milliseconds from before the process is made to the arrival of its last output, the most
 * memory that was resident, its exit status. A small program does so because a process begins with its
 * parent's peak. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_OUTPUT = 65536 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

int main(int argc, char **argv) {
  static char output[MOST_OUTPUT];
  int ends[2], status;
  struct rusage usage;
  if (argc < 2 || pipe(ends) != 0) {
    fprintf(stderr, "usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  const double start = now();
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  close(ends[1]);
  double last = start;
  size_t used = 0;
  for (ssize_t got;
       child > 0 && used < sizeof output && (got = read(ends[0], output + used, sizeof output - used)) > 0;) {
    last = now();
    used += (size_t)got;
  }
  if (child < 0 || wait4(child, &status, 0, &usage) != child)
    return 3;
  printf("%.3f %ld %d\n", last - start, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
  fwrite(output, 1, used, stdout);
  return 0;
}
