/* Runs a command on a terminal of its own and prints what it wrote there; ends with its status.
 *   terminal [-w COLUMNS] [-k TEXT | -b] COMMAND...
 * Where no terminal can be had, as in a container without /dev/pts, it says so and ends with 77.
 * -k presses Ctrl-C once the terminal shows TEXT, -b once the command has computed for a while (by its own
 * CPU time). A command that does not end, or does not get that far, is killed, and the status is 99. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 120, LARGEST = 1 << 20, POLL_MILLISECONDS = 20 };

static char output[LARGEST + 1];
static size_t used;

static double cpu_seconds(pid_t process) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0)
    return 0;
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Reads what there is; false when the terminal is closed. */
static bool take(int terminal) {
  struct pollfd descriptor = {.fd = terminal, .events = POLLIN};
  if (poll(&descriptor, 1, POLL_MILLISECONDS) <= 0)
    return true;
  char bytes[4096];
  ssize_t count = read(terminal, bytes, sizeof bytes);
  if (count <= 0)
    return count < 0 && errno == EINTR;
  fwrite(bytes, 1, (size_t)count, stdout);
  size_t kept = used + (size_t)count <= LARGEST ? (size_t)count : LARGEST - used;
  memcpy(output + used, bytes, kept);
  used += kept;
  output[used] = 0;
  return true;
}

static int follow(pid_t process, int terminal, const char *text, bool busy) {
  bool pressed = !text && !busy;
  time_t start = time(NULL);
  while (take(terminal)) {
    if (time(NULL) - start > PATIENCE_SECONDS) {
      kill(process, SIGKILL);
      waitpid(process, NULL, 0);
      return 99;
    }
    if (!pressed && ((text && strstr(output, text)) || (busy && cpu_seconds(process) > 0.5)))
      pressed = write(terminal, "\003", 1) == 1;
  }
  int status;
  waitpid(process, &status, 0);
  if (!pressed)
    return 99;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  const char *text = NULL;
  bool busy = false;
  for (int option; (option = getopt(argc, argv, "+w:k:b")) != -1;) {
    if (option == 'w')
      size.ws_col = (unsigned short)strtol(optarg, NULL, 10);
    else if (option == 'k')
      text = optarg;
    else if (option == 'b')
      busy = true;
    else
      return 99;
  }
  int terminal;
  pid_t process = forkpty(&terminal, NULL, NULL, &size);
  if (process == 0) {
    signal(SIGINT, SIG_DFL);
    execvp(argv[optind], argv + optind);
    _exit(127);
  }
  if (process < 0) {
    fprintf(stderr, "no terminal can be opened (%s)\n", strerror(errno));
    return 77;
  }
  return follow(process, terminal, text, busy);
}
