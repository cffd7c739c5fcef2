/* The arguments of a session's calls, without the tuple and the dictionary that Python would make for
 * them. */
#ifndef CUSEQ_PYTHON_ARGUMENTS_H
#define CUSEQ_PYTHON_ARGUMENTS_H

#include "extension.h"

#include <stddef.h>

/* What calls may be given; each is borrowed from the caller, and NULL where it is not there. */
struct given {
  PyObject *data, *lengths, *encoder_h, *encoder_c; /* of the input */
  PyObject *rows, *initial_h, *initial_c, *initial_fed, *previous, *targets, *target_lengths,
      *given;      /* of a decoding */
  PyObject *state; /* of an attention */
  PyObject *steps, *wanted, *out, *results;
};

/* The names of parameters by the place of their members in struct given, so that a call lists its own in
 * their order. */
#define PARAMETER(name) (offsetof(struct given, name) / sizeof(PyObject *))
#define PARAMETERS ((int)(sizeof(struct given) / sizeof(PyObject *)))

struct parameters {
  const char *call;
  int required, count;
  unsigned char members[PARAMETERS];
};

/* Of METH_FASTCALL | METH_KEYWORDS: `positional` arguments, then those whose names are in the tuple
 * `keywords`, or NULL. Returns false with an exception that names the call and the argument. */
bool arguments_read(const struct extension *extension, const struct parameters *parameters,
                    PyObject *const *arguments, Py_ssize_t positional, PyObject *keywords,
                    struct given *given);

/* out: a dictionary; None is NULL. arguments_read has looked. */
bool arguments_out(const struct extension *extension, struct given *given);

/* steps: an integer, 0 where it is not there. */
bool arguments_steps(const struct extension *extension, const struct given *given, int *steps);

/* The names as Python's texts, once. */
int arguments_intern(struct extension *extension);

#endif
