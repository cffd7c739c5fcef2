#include "torch_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
  bool tried;
  pid_t pid;
  FILE *to, *from;
  char version[160]; /* or why it is not there */
  bool is_there;
} child;

bool torch_ask(char *text, size_t capacity, const char *format, ...) {
  char line[400];
  va_list arguments;
  va_start(arguments, format);
  vfprintf(child.to, format, arguments);
  va_end(arguments);
  fputc('\n', child.to);
  if (fflush(child.to) != 0 || !fgets(line, sizeof line, child.from)) {
    snprintf(text, capacity, "PyTorch's process ended");
    child.is_there = false;
    return false;
  }
  line[strcspn(line, "\n")] = 0;
  snprintf(text, capacity, "%.*s", (int)capacity - 1, strlen(line) > 3 ? line + 3 : "");
  return strncmp(line, "ok", 2) == 0;
}

static void child_run(int input, int output) {
  dup2(input, 0);
  dup2(output, 1);
  const char *device = getenv("CUSEQ_BENCH_TORCH_DEVICE"),
             *libraries = getenv("CUSEQ_BENCH_TORCH_LIBRARY_PATH");
  if (libraries)
    setenv("LD_LIBRARY_PATH", libraries, 1);
  execlp("python3", "python3", "-B", "bench/gpu/torch_peer.py", "--device", device ? device : "cuda",
         (char *)NULL);
  _exit(127);
}

static void child_start(void) {
  int there[2], back[2];
  child.tried = true;
  snprintf(child.version, sizeof child.version, "absent: python3 does not start");
  if (pipe2(there, O_CLOEXEC) != 0)
    return;
  if (pipe2(back, O_CLOEXEC) != 0) {
    close(there[0]);
    close(there[1]);
    return;
  }
  signal(SIGPIPE, SIG_IGN);
  child.pid = fork();
  if (child.pid == 0)
    child_run(there[0], back[1]);
  close(there[0]);
  close(back[1]);
  child.to = fdopen(there[1], "w");
  child.from = fdopen(back[0], "r");
  if (child.pid < 0 || !child.to || !child.from)
    return;
  char text[120];
  child.is_there = torch_ask(text, sizeof text, "version");
  snprintf(child.version, sizeof child.version, "%s%s", child.is_there ? "" : "absent: ", text);
}

bool torch_is_there(void) {
  if (!child.tried)
    child_start();
  return child.is_there;
}

void torch_version(char *text, size_t capacity) {
  torch_is_there();
  snprintf(text, capacity, "%s", child.version);
}

void torch_end(void) {
  if (child.to)
    fclose(child.to);
  if (child.from)
    fclose(child.from);
  if (child.pid > 0)
    waitpid(child.pid, NULL, 0);
  memset(&child, 0, sizeof child);
}
