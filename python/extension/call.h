/* One call of a session: what it takes and gives, and how it is waited for. */
#ifndef CUSEQ_PYTHON_CALL_H
#define CUSEQ_PYTHON_CALL_H

#include "arrays.h"

enum call_kind { CALL_RUN, CALL_ENCODE, CALL_DECODE, CALL_ATTEND, CALL_SEARCH };

/* What cuseq_attend gives. */
struct attention {
  float *context, *alphas;
};

/* Where results go that the caller has no arrays for. */
enum place { PLACE_OF_INPUT, PLACE_HOST, PLACE_DEVICE };

/* The part of it that is made anew for each call comes first. */
struct call {
  enum call_kind kind;
  cuseq_session *session;
  cuseq_input input;
  cuseq_encoding encoding;
  cuseq_decoding decoding;
  cuseq_beam beam;
  struct attention attention;
  const float *state; /* of cuseq_attend */
  bool input_on_device;
  double work;      /* multiplications, about */
  int64_t sequence; /* how many of them follow one on another: positions and steps */
  PyObject *made;   /* the dictionary of results */
  cuseq_status status;

  struct arrays arrays;
  char text[1024];         /* of a failure */
  struct waiting *waiting; /* where it runs on a thread of its own: call.c */
  struct call *next;       /* of the orphans */
};

/* Begins a call of a session: one at a time, in the process that opened it. NULL with an exception. */
struct call *call_begin(SessionObject *self, enum call_kind kind);

/* Calls the library, without the GIL, and looks for signals meanwhile where it takes long. False with an
 * exception where a handler raised one: the call then runs on, and the session is in use until it is done. */
bool call_perform(SessionObject *self, struct call *call);

/* Ends it: the results, or the exception of the status or of what went before. */
PyObject *call_end(SessionObject *self, struct call *call);

/* Whether the session is in use, by a call of another thread or one that was interrupted. */
bool call_runs(SessionObject *self);

/* Whether it is the latter. */
bool call_is_given_up(const SessionObject *self);

/* Closes the session, now or when the call that was interrupted is done. */
void call_close(SessionObject *self);

/* ---- results.c ---- */

enum result_group { GROUP_ENCODING, GROUP_DECODING, GROUP_BEAM, GROUP_ATTENTION };

/* The sizes of a call. */
struct sizes {
  const cuseq_config *config;
  int64_t batch, time, steps, best;
};

/* What the caller wants. */
struct wanted {
  PyObject *names; /* None or NULL: what a call gives anyway; else a sequence of names */
  PyObject *out;   /* a dictionary of arrays, or NULL */
  enum place place;
  unsigned groups; /* bits of result_group */
  uint32_t bits;   /* of results by name */
};

/* Reads what is wanted; names that no call of these groups gives are an error. results: None, "host" or
 * "device". */
bool wanted_read(const struct extension *extension, struct wanted *wanted, PyObject *results);

/* Makes the arrays, or takes those in `out`, and puts their addresses into the call's structures. */
bool results_make(SessionObject *self, struct call *call, const struct wanted *wanted,
                  const struct sizes *sizes);

/* The names of results as Python's texts, once. */
int results_intern(struct extension *extension);

#endif
