#include "call.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Python's handlers of signals - that of Ctrl-C raises KeyboardInterrupt - run in Python alone, not while the
 * library computes. So a call that may take long runs on a thread of its own, and the caller's thread waits
 * and lets Python look for signals in between. Nothing of the library can be stopped half way: a call that
 * was interrupted runs to its end, with its arrays kept, and the session is in use until then. */

/* From how many multiplications on: a few milliseconds for a processor of today, less than a second for any.
 * Below it a thread would cost more than a hundredth of the call. A CUDA device does a hundred times as many
 * in that time, but in a long sequence it waits for one launch after the other. */
#define LONG_CALL 2e8
#define LONG_CALL_OF_DEVICE 2e10
#define LONG_SEQUENCE_OF_DEVICE 10000

/* How often Python looks for signals, in nanoseconds. */
#define LOOK_AFTER 50000000L

struct waiting {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool finished;
  bool closes; /* the session is to be closed when the call is done: its object is gone */
  bool given_up;
};

/* ---- forks ---- */

static unsigned forks;

static void forked(void) {
  forks++;
}

static void forks_watch(void) {
  pthread_atfork(NULL, NULL, forked);
}

void forks_count(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, forks_watch);
}

unsigned forks_seen(void) {
  return forks;
}

/* ---- the library's calls ---- */

static cuseq_status call_library(struct call *call) {
  switch (call->kind) {
  case CALL_RUN:
    return cuseq_run(call->session, &call->input, &call->encoding, &call->decoding);
  case CALL_ENCODE:
    return cuseq_encode(call->session, &call->input, &call->encoding);
  case CALL_DECODE:
    return cuseq_decode(call->session, &call->decoding);
  case CALL_ATTEND:
    return cuseq_attend(call->session, call->state, call->attention.context, call->attention.alphas);
  case CALL_SEARCH:
    return cuseq_beam_search(call->session, &call->beam);
  }
  return CUSEQ_STATUS_INVALID_ARGUMENT;
}

/* Arrays on the device are complete, and what was found in them is reported, when the session's work is done;
 * where it may be captured the caller waits. The library keeps the line of a failure for each thread, and the
 * last one only. */
static void perform(struct call *call) {
  const bool waits = call->arrays.on_device && !call->arrays.captures;
  call->status = call_library(call);
  if (call->status == CUSEQ_STATUS_OK && waits)
    call->status = cuseq_session_synchronize(call->session);
  if (call->status == CUSEQ_STATUS_OK)
    return;
  snprintf(call->text, sizeof call->text, "%s", cuseq_last_error());
  if (waits)
    (void)cuseq_session_synchronize(call->session);
}

/* ---- calls on a thread of their own ---- */

static void *thread_main(void *argument) {
  struct call *call = argument;
  struct waiting *waiting = call->waiting;
  perform(call);
  pthread_mutex_lock(&waiting->lock);
  if (waiting->closes) {
    pthread_mutex_unlock(&waiting->lock);
    cuseq_session_close(call->session);
    pthread_mutex_lock(&waiting->lock);
  }
  waiting->finished = true;
  pthread_cond_signal(&waiting->changed);
  pthread_mutex_unlock(&waiting->lock);
  return NULL;
}

static bool thread_start(struct call *call) {
  struct waiting *waiting = calloc(1, sizeof *waiting);
  pthread_condattr_t monotonic;
  if (!waiting)
    return false;
  pthread_mutex_init(&waiting->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&waiting->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  call->waiting = waiting;
  if (pthread_create(&waiting->thread, NULL, thread_main, call) == 0)
    return true;
  call->waiting = NULL;
  pthread_mutex_destroy(&waiting->lock);
  pthread_cond_destroy(&waiting->changed);
  free(waiting);
  return false;
}

static bool is_finished(struct waiting *waiting) {
  pthread_mutex_lock(&waiting->lock);
  const bool finished = waiting->finished;
  pthread_mutex_unlock(&waiting->lock);
  return finished;
}

/* Waits until the call is done, or for a while. */
static bool wait_a_while(struct waiting *waiting) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += LOOK_AFTER;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  pthread_mutex_lock(&waiting->lock);
  while (!waiting->finished && pthread_cond_timedwait(&waiting->changed, &waiting->lock, &until) != ETIMEDOUT)
    ;
  const bool finished = waiting->finished;
  pthread_mutex_unlock(&waiting->lock);
  return finished;
}

/* Of a call that is finished. */
static void thread_join(struct call *call) {
  struct waiting *waiting = call->waiting;
  pthread_join(waiting->thread, NULL);
  pthread_mutex_destroy(&waiting->lock);
  pthread_cond_destroy(&waiting->changed);
  free(waiting);
  call->waiting = NULL;
}

/* ---- calls that were interrupted ---- */

static void release(struct call *call) {
  arrays_release(&call->arrays);
  Py_CLEAR(call->made);
}

/* What the session has encoded after the call. Results of later calls are made for so many rows: the library
 * may have fewer, and then refuses, but never more. */
static void note_encoded(SessionObject *self, const struct call *call) {
  if (call->kind != CALL_RUN && call->kind != CALL_ENCODE)
    return;
  const bool there = call->status == CUSEQ_STATUS_OK;
  self->encoded_batch = there ? call->input.batch : 0;
  self->encoded_time = there ? call->input.time : 0;
  self->encoded_on_device = there && call->input_on_device;
}

/* Frees the calls of sessions that are gone, as far as they are done. */
static void orphans_free(struct extension *extension) {
  for (struct call **at = &extension->orphans; *at;) {
    struct call *call = *at;
    if (is_finished(call->waiting)) {
      *at = call->next;
      thread_join(call);
      release(call);
      free(call);
    } else {
      at = &call->next;
    }
  }
}

bool call_runs(SessionObject *self) {
  struct call *call = self->call;
  if (!self->busy || self->forks != forks_seen() || !call_is_given_up(self))
    return self->busy;
  if (!is_finished(call->waiting))
    return true;
  thread_join(call);
  note_encoded(self, call);
  release(call);
  self->busy = false;
  return false;
}

bool call_is_given_up(const SessionObject *self) {
  return self->busy && self->call->waiting && self->call->waiting->given_up;
}

void call_close(SessionObject *self) {
  struct extension *extension = extension_of((PyObject *)self);
  cuseq_session *session = self->session;
  struct call *call = self->call;
  /* After a fork the threads of the session are gone: the child's copy is left as it is. */
  const bool here = self->forks == forks_seen();
  const bool runs = call_runs(self);
  self->session = NULL;
  self->call = NULL;
  self->busy = false;
  if (!here || !call)
    return;
  if (runs) {
    pthread_mutex_lock(&call->waiting->lock);
    const bool closes = !call->waiting->finished;
    call->waiting->closes = closes;
    pthread_mutex_unlock(&call->waiting->lock);
    call->next = extension->orphans;
    extension->orphans = call;
    if (closes)
      return;
  } else {
    free(call);
  }
  if (!session)
    return;
  PyThreadState *thread = PyEval_SaveThread();
  cuseq_session_close(session);
  PyEval_RestoreThread(thread);
}

/* ---- a call, from its beginning to its end ---- */

struct call *call_begin(SessionObject *self, enum call_kind kind) {
  struct extension *extension = extension_of((PyObject *)self);
  const char *wrong =
      !self->session                ? "the session is closed"
      : self->forks != forks_seen() ? "the session was opened before a fork: open another in this process"
      : !call_runs(self)            ? NULL
      : call_is_given_up(self)
          ? "the session still computes the call that was interrupted (another one can be opened)"
          : "the session is in use by another thread: a session belongs to one at a time";
  if (wrong) {
    PyErr_SetString(extension->errors[WRONG_SESSION], wrong);
    return NULL;
  }
  if (extension->orphans)
    orphans_free(extension);
  struct call *call = self->call;
  memset(call, 0, offsetof(struct call, arrays));
  call->kind = kind;
  call->session = self->session;
  call->input.size = sizeof call->input;
  call->encoding.size = sizeof call->encoding;
  call->decoding.size = sizeof call->decoding;
  struct arrays *arrays = &call->arrays;
  arrays->extension = extension;
  arrays->device_name = cuseq_session_device(self->session);
  arrays->device = self->device;
  arrays->stream = self->device >= 0 ? cuseq_session_stream(self->session) : NULL;
  arrays->on_device = false;
  arrays->captures = self->captures;
  arrays->buffers_count = arrays->held_count = arrays->spans_count = 0;
  self->busy = true;
  return call;
}

static bool perform_long(struct call *call) {
  struct waiting *waiting = call->waiting;
  bool finished = false, raised = false;
  while (!finished && !raised) {
    PyThreadState *thread = PyEval_SaveThread();
    finished = wait_a_while(waiting);
    PyEval_RestoreThread(thread);
    raised = PyErr_CheckSignals() != 0;
  }
  if (raised && !is_finished(waiting)) {
    waiting->given_up = true;
    return false;
  }
  thread_join(call);
  return !raised;
}

static bool may_take_long(const struct call *call) {
  if (call->arrays.captures) /* its work is queued */
    return false;
  if (call->arrays.device < 0)
    return call->work >= LONG_CALL;
  return call->work >= LONG_CALL_OF_DEVICE || call->sequence >= LONG_SEQUENCE_OF_DEVICE;
}

bool call_perform(SessionObject *self, struct call *call) {
  bool done = true;
  if (!may_take_long(call) || !thread_start(call)) {
    PyThreadState *thread = PyEval_SaveThread();
    perform(call);
    PyEval_RestoreThread(thread);
  } else {
    done = perform_long(call);
  }
  if (!call->waiting)
    note_encoded(self, call);
  return done;
}

PyObject *call_end(SessionObject *self, struct call *call) {
  if (call->waiting) /* it runs on */
    return NULL;
  PyObject *made = call->made;
  call->made = NULL;
  arrays_release(&call->arrays);
  self->busy = false;
  if (call->status == CUSEQ_STATUS_OK && !PyErr_Occurred())
    return made;
  if (!PyErr_Occurred())
    raise_text(call->arrays.extension, call->status, call->text);
  Py_XDECREF(made);
  return NULL;
}
