#include "queue.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* Queued work goes on by itself when the program makes no call for a while: it may be waiting for what a host
 * function or a kernel writes, without asking CUDA. The order of what runs is what it would have been, and
 * the destination of a copy keeps its poison until the program waits for the copy - or has made no call for
 * so long that it must be looking at page-locked memory itself. */

enum { STEP_MILLISECONDS = 20, AFTER_MILLISECONDS = 200, COPIES_AFTER_MILLISECONDS = 1000 };

static void *run(void *unused) {
  const struct timespec step = {0, STEP_MILLISECONDS * 1000000L};
  double since = emu_milliseconds();
  uint64_t seen = 0;
  (void)unused;
  for (;;) {
    nanosleep(&step, NULL);
    if (!emu_idle_enter())
      return NULL;
    if (emu_calls() != seen)
      since = emu_milliseconds();
    seen = emu_calls();
    if (emu_milliseconds() - since >= AFTER_MILLISECONDS)
      while (!emu_is_called() && emu_queue_run_idle())
        ;
    if (emu_milliseconds() - since >= COPIES_AFTER_MILLISECONDS)
      emu_deliver(NULL, true);
    emu_idle_leave();
  }
}

void emu_idle_start(void) {
  static pid_t process; /* a child made by fork has no such thread yet */
  static bool prepared;
  pthread_t thread;
  sigset_t all, before;
  if (process == getpid())
    return;
  process = getpid();
  if (!prepared)
    emu_idle_survive_fork();
  prepared = true;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signals are for its own threads */
  if (pthread_create(&thread, NULL, run, NULL) == 0)
    pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
