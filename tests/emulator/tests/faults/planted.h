/* What the programs with planted faults share: a table of cases, and a judge that runs each in a process of
 * its own under every mode of the checks and compares what was said with what has to be said. */
#ifndef EMULATOR_TESTS_PLANTED_H
#define EMULATOR_TESTS_PLANTED_H

#include <cuda_runtime.h>

#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum planted_kind {
  TWIN,    /* correct: success and not a word, whatever the mode */
  FINDING, /* on: the launch fails with `code`; report: it is said and the launch succeeds; off: not a word */
  FATAL,   /* cannot go on: fails with `code` and is said in every mode */
  SAID /* the call that is at fault answers `code` in every mode, and it is said unless the checks are off */
};

/* `report` is an extended regular expression for one line of stderr, NULL for not a word. In it %L is the
 * line of the source that bears the comment "fault: NAME", %O the one that bears "other: NAME", %A the
 * address given to `planted_address` (%H without its 0x), %S the name of the source. */
struct planted_case {
  const char *name;
  void (*run)(void);
  enum planted_kind kind;
  cudaError_t code;
  const char *report;
};

/* Called by a case: the address that the report has to name, and the code that the case ended with. */
static inline void planted_address(const volatile void *address) {
  printf("address=0x%llx\n", (unsigned long long)(size_t)address);
  fflush(stdout);
}

static inline void planted_ends(cudaError_t code) {
  printf("code=%d\n", (int)code);
  fflush(stdout);
}

/* Waits for everything; what the launches before ended with. */
static inline void planted_waits(void) {
  cudaError_t launched = cudaGetLastError();
  planted_ends(launched ? launched : cudaDeviceSynchronize());
}

/* A case that launches kernels over 4 KB of zeros at `to`, a pointer of the file's. */
#define PLANTED_LAUNCH(name, to, launch)                                                                     \
  static void name() {                                                                                       \
    NEED(cudaMalloc(&to, 4096));                                                                             \
    NEED(cudaMemset(to, 0, 4096));                                                                           \
    launch;                                                                                                  \
    planted_waits();                                                                                         \
    cudaFree(to);                                                                                            \
  }

/* Calls of a case that have to succeed for it to mean anything. */
#define NEED(call)                                                                                           \
  do {                                                                                                       \
    cudaError_t code_ = (call);                                                                              \
    if (code_ != cudaSuccess) {                                                                              \
      printf("%s:%d: %s answers %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(code_));                  \
      fflush(stdout);                                                                                        \
      _exit(3);                                                                                              \
    }                                                                                                        \
  } while (0)

static unsigned planted_line_of(const char *source, const char *mark, const char *name) {
  char line[1000], wanted[200];
  unsigned number = 0, found = 0;
  FILE *file = fopen(source, "r");
  int length = snprintf(wanted, sizeof wanted, "%s: %s", mark, name);
  while (file && !found && fgets(line, sizeof line, file)) {
    const char *at = strstr(line, wanted);
    number++;
    if (at && (at[length] == '\n' || at[length] == ' '))
      found = number;
  }
  if (file)
    fclose(file);
  return found;
}

/* `report` with its % signs replaced. */
static void planted_expand(const struct planted_case *c, const char *source, const char *address, char *to,
                           size_t room) {
  size_t used = 0;
  for (const char *p = c->report; *p && used + 300 < room; p++) {
    if (p[0] != '%') {
      to[used++] = *p;
      continue;
    }
    switch (*++p) {
    case 'L':
      used += (size_t)snprintf(to + used, room - used, "%u", planted_line_of(source, "fault", c->name));
      break;
    case 'O':
      used += (size_t)snprintf(to + used, room - used, "%u", planted_line_of(source, "other", c->name));
      break;
    case 'H':
      used += (size_t)snprintf(to + used, room - used, "%s", address + 2);
      break;
    case 'A':
      used += (size_t)snprintf(to + used, room - used, "%s", address);
      break;
    default:
      used += (size_t)snprintf(to + used, room - used, "%s",
                               strrchr(source, '/') ? strrchr(source, '/') + 1 : source);
    }
  }
  to[used] = 0;
}

static bool planted_matches(const char *text, const char *pattern) {
  regex_t expression;
  if (regcomp(&expression, pattern, REG_EXTENDED | REG_NEWLINE | REG_NOSUB)) {
    printf("not a regular expression: %s\n", pattern);
    return false;
  }
  bool found = regexec(&expression, text, 0, NULL, 0) == 0;
  regfree(&expression);
  return found;
}

static size_t planted_read(FILE *from, char *to, size_t room) {
  rewind(from);
  size_t used = fread(to, 1, room - 1, from);
  to[used] = 0;
  return used;
}

/* Runs one case with the checks in this mode; true if all was as it has to be. */
static bool planted_judge(const char *program, const char *source, const struct planted_case *c,
                          const char *mode) {
  static char out[1 << 14], err[1 << 16], pattern[4096];
  FILE *files[2] = {tmpfile(), tmpfile()};
  fflush(stdout);
  pid_t child = files[0] && files[1] ? fork() : -1;
  if (child == 0) {
    setenv("CUSEQ_EMULATOR_CHECKS", mode, 1);
    setenv("CUSEQ_EMULATOR_MAX_STEPS", "1000000", 1);
    dup2(fileno(files[0]), STDOUT_FILENO);
    dup2(fileno(files[1]), STDERR_FILENO);
    execl(program, program, "--run", c->name, (char *)NULL);
    _exit(127);
  }
  int status = 1;
  if (child > 0)
    waitpid(child, &status, 0);
  planted_read(files[0], out, sizeof out);
  planted_read(files[1], err, sizeof err);
  fclose(files[0]);
  fclose(files[1]);
  const char *code = strstr(out, "code="), *at = strstr(out, "address=");
  char address[40] = "no-address";
  if (at)
    sscanf(at, "address=%39s", address);
  bool off = !strcmp(mode, "off"), on = !strcmp(mode, "on");
  int wanted = c->kind == TWIN || (c->kind == FINDING && !on) ? (int)cudaSuccess : (int)c->code;
  bool speaks = c->report && (c->kind == FATAL || c->kind == SAID || (c->kind == FINDING && !off));
  bool right = status == 0 && code && atoi(code + 5) == wanted;
  if (speaks)
    planted_expand(c, source, address, pattern, sizeof pattern);
  bool said = c->kind == SAID && off ? true : speaks ? planted_matches(err, pattern) : err[0] == 0;
  if (right && said)
    return true;
  printf("%s, checks %s: ", c->name, mode);
  if (!right)
    printf("ended with wait status %d and %.*s, not code=%d (%s)\n", status, code ? 20 : 7,
           code ? code : "no code", wanted, cudaGetErrorName((cudaError_t)wanted));
  if (!said)
    printf("stderr should %s%s\n", speaks ? "have a line like\n  " : "be empty", speaks ? pattern : "");
  printf("stdout:\n%sstderr:\n%s\n", out, err);
  return false;
}

/* PROGRAM: judges all cases; PROGRAM NAME...: these; PROGRAM --run NAME: runs one in this process. */
static int planted_main(int argc, char **argv, const char *source, const struct planted_case *cases,
                        size_t count) {
  static const char *const modes[] = {"on", "report", "off"};
  int failures = 0, judged = 0;
  for (size_t i = 0; i < count; i++) {
    const struct planted_case *c = &cases[i];
    if (argc == 3 && !strcmp(argv[1], "--run")) {
      if (strcmp(argv[2], c->name))
        continue;
      c->run();
      return 0;
    }
    bool named = argc == 1;
    for (int k = 1; k < argc; k++)
      named = named || !strcmp(argv[k], c->name);
    if (!named)
      continue;
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++, judged++)
      failures += !planted_judge(argv[0], source, c, modes[m]);
  }
  if (!judged)
    printf("no such case\n");
  else
    printf("%d of %d runs as they should be\n", judged - failures, judged);
  return failures || !judged;
}

#define PLANTED_MAIN(cases)                                                                                  \
  int main(int argc, char **argv) {                                                                          \
    return planted_main(argc, argv, __FILE__, cases, sizeof cases / sizeof cases[0]);                        \
  }

#endif
