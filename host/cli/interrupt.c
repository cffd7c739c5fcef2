#include "cli/interrupt.h"

#include "formats/file.h"
#include "rlimits.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A batch that is being computed gets this long to end by itself. */
enum { PATIENCE_MILLISECONDS = 400 };

static volatile sig_atomic_t received;
static volatile sig_atomic_t leaving;
static volatile sig_atomic_t timer_exists;
static timer_t timer;

/* Two texts, so that a signal never meets one that is half written. */
static char texts[2][160] = {"cuseq: interrupted\n", ""};
static volatile sig_atomic_t current;

static void say(void) {
  const char *text = texts[current];
  ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
  (void)ignored;
}

static void on_signal(int number) {
  received = number;
  struct itimerspec wait = {.it_value = {.tv_nsec = PATIENCE_MILLISECONDS * 1000000L}};
  if (timer_exists)
    timer_settime(timer, 0, &wait, NULL);
}

static void on_impatience(int number) {
  (void)number;
  if (!received)
    return;
  output_file_remove_temporaries();
  if (!leaving)
    say();
  _exit(128 + received);
}

/* What is said when the time that a limit allows is used up; the kernel says nothing of a hard limit. */
static char exhausted[256];

static void on_exhaustion(int number) {
  output_file_remove_temporaries();
  ssize_t ignored = write(STDERR_FILENO, exhausted, strlen(exhausted));
  (void)ignored;
  _exit(128 + number);
}

static void catch (int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler}, old; /* no SA_RESTART: a blocking read returns */
  sigemptyset(&action.sa_mask);
  if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
    sigaction(number, &action, NULL);
}

void interrupt_install(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write instead, */
  signal(SIGXFSZ, SIG_IGN); /* and so is a file beyond the limit */
  signal(SIGALRM, SIG_DFL);
  catch (SIGALRM, on_impatience);
  timer_exists = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  catch (SIGINT, on_signal);
  catch (SIGTERM, on_signal);
  catch (SIGHUP, on_signal);
  struct rlimits_text limit;
  if (rlimits_name(RLIMIT_CPU, &limit)) {
    snprintf(exhausted, sizeof exhausted, "cuseq: %s\n", limit.text);
    catch (SIGXCPU, on_exhaustion);
  }
}

bool interrupt_requested(void) {
  return received != 0;
}

int interrupt_status(void) {
  return 128 + received;
}

void interrupt_progress(const char *format, ...) {
  char *text = texts[!current];
  va_list arguments;
  va_start(arguments, format);
  char line[sizeof texts[0] - 16];
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  snprintf(text, sizeof texts[0], "cuseq: %s\n", line);
  current = !current;
}

int interrupt_leave(void) {
  leaving = 1;
  say();
  return interrupt_status();
}
