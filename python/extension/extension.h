/* The C half of the Python package: models, sessions and tensors of include/cuseq/cuseq.h as Python types.
 * numpy's arrays come in and go out by the buffer protocol, so that no version of numpy is built against.
 *
 * The stable ABI of Python 3.11 is used, where the buffer protocol became part of it; what is called of it is
 * in Python 3.10 too. */
#ifndef CUSEQ_PYTHON_EXTENSION_H
#define CUSEQ_PYTHON_EXTENSION_H

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stdint.h>

/* Exceptions beside those of the library's statuses. */
enum {
  STATUS_COUNT = CUSEQ_STATUS_DEVICE_FAILED + 1,
  WRONG_VALUE = CUSEQ_STATUS_INVALID_ARGUMENT,
  WRONG_TYPE = STATUS_COUNT,
  WRONG_SESSION,
  ERRORS
};

enum { RESULTS_MOST = 32, PARAMETERS_MOST = 24 };

struct call;

/* What the module keeps of Python. */
struct extension {
  PyObject *errors[ERRORS];              /* the exception of each status: cuseq/errors.py */
  PyObject *empty, *asarray;             /* numpy's functions */
  PyObject *ndarray;                     /* numpy's type */
  PyObject *float32, *int32;             /* numpy's types of elements */
  PyObject *names[RESULTS_MOST];         /* of results, in the order of results.c */
  PyObject *parameters[PARAMETERS_MOST]; /* their names: arguments.c */
  PyObject *model_type, *session_type, *tensor_type;
  bool knows_address;   /* arrays_address_is_known */
  struct call *orphans; /* calls that run on although their sessions are gone: call.c */
};

/* Of an object whose type is of this module. */
struct extension *extension_of(PyObject *object);

/* errors.c: raises the exception of a status, with the library's line of this thread; returns NULL.
 * raise_text has the line of another thread. */
PyObject *raise_status(const struct extension *extension, cuseq_status status);
PyObject *raise_text(const struct extension *extension, cuseq_status status, const char *text);

/* precision.c: the precision of a name; false with an exception where there is none. */
bool precision_read(const struct extension *extension, const char *name, cuseq_precision *precision);

/* call.c: how many forks this process is of, since the module was loaded */
unsigned forks_seen(void);
void forks_count(void);

/* arrays.c: numpy.empty */
PyObject *empty_array(const struct extension *extension, PyObject *dtype, int rank, const int64_t *shape);
PyObject *shape_tuple(int rank, const int64_t *shape);

/* Whether the address of an array's elements is where numpy has had it in every version, behind the object's
 * head: it is looked at once, in arrays of its making. The buffer protocol tells it elsewhere, for ten times
 * as long. */
bool arrays_address_is_known(const struct extension *extension);

/* ---- model.c ---- */

typedef struct {
  PyObject_HEAD cuseq_model *model;
  double position_parameters,
      step_parameters; /* how many there are of the encoder, and of all that follows */
} ModelObject;

extern PyType_Spec model_spec;

/* labels.c: heads() -> list[(name, offset, units, activation, labels)]; text_spans(text) -> list[(begin,
 * end)], bytes */
PyObject *model_heads(PyObject *self, PyObject *unused);
PyObject *model_text_spans(PyObject *self, PyObject *text);

/* ---- session.c ---- */

/* The shape of a result as Python has it, kept from call to call. */
struct kept_shape {
  PyObject *tuple; /* NULL: there is none yet */
  int64_t sizes[4];
};

typedef struct {
  PyObject_HEAD PyObject *model; /* a ModelObject */
  cuseq_session *session;
  unsigned forks;    /* when it was opened: threads and devices do not survive another */
  bool busy;         /* a call runs, without the GIL */
  int device;        /* the number of the CUDA device; -1: there is none */
  struct call *call; /* that runs, or memory for the next one */
  struct kept_shape shapes[RESULTS_MOST];
  bool encoded_on_device;
  bool captures;                       /* opened for calls that are captured in a CUDA graph */
  int32_t encoded_batch, encoded_time; /* 0: nothing is encoded, and the library says so */
  int32_t max_batch, max_time, max_steps, max_beams;
} SessionObject;

extern PyType_Spec session_spec;

#endif
