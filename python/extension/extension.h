/* The C half of the Python package: models and sessions of include/cuseq/cuseq.h as Python types. Arrays come in and go
 * out by the buffer protocol, so that no version of numpy is built against.
 *
 * The stable ABI of Python 3.11 is used, where the buffer protocol became part of it; what is called of it is in
 * Python 3.10 too. */
#ifndef CUSEQ_PYTHON_EXTENSION_H
#define CUSEQ_PYTHON_EXTENSION_H

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { STATUS_COUNT = CUSEQ_STATUS_DEVICE_FAILED + 1 };

/* What the module keeps of Python. */
struct extension {
  PyObject *errors[STATUS_COUNT]; /* the exception of each status: cuseq/errors.py */
  PyObject *empty;                /* numpy.empty */
  PyObject *float32, *int32;      /* numpy's types */
  PyObject *model_type, *session_type;
};

extern struct PyModuleDef extension_module;

/* Of an object whose type is of this module. */
struct extension *extension_of(PyObject *object);

/* errors.c: raises the exception of a status, with the library's line of this thread; returns NULL. */
PyObject *raise_status(const struct extension *extension, cuseq_status status);

/* ---- model.c ---- */

typedef struct {
  PyObject_HEAD cuseq_model *model;
} ModelObject;

extern PyType_Spec model_spec;

/* ---- session.c ---- */

typedef struct {
  PyObject_HEAD PyObject *model; /* a ModelObject */
  cuseq_session *session;
  pid_t process; /* that opened it: threads and devices do not survive a fork */
  bool busy;     /* a call runs, without the GIL */
  int32_t encoded_batch, encoded_time;
  int32_t max_batch, max_time, max_steps, max_beams;
} SessionObject;

extern PyType_Spec session_spec;

/* ---- arrays.c ---- */

/* The arrays that one call works with; all are released together. */
enum { ARRAYS_MOST = 32 };

struct arrays {
  Py_buffer buffers[ARRAYS_MOST];
  int count;
};

void arrays_release(struct arrays *arrays);

/* An array that is read; None gives a NULL pointer.
 *   name     in messages
 *   type     'i' int32, 'f' float32
 *   elements how many it must have; -1: any number
 * Returns false with an exception. */
bool arrays_read(struct arrays *arrays, PyObject *object, const char *name, char type, Py_ssize_t elements,
                 const void **pointer);

/* The input, [B,T,F] float32 or float64, or [B,T] int32 or int64. */
bool arrays_read_input(struct arrays *arrays, PyObject *object, int32_t features, cuseq_input *input);

/* A new array for results in results[name], or the one that `out` has under that name.
 *   out    a dictionary or NULL */
bool arrays_write(struct arrays *arrays, const struct extension *extension, PyObject *out, PyObject *results,
                  const char *name, char type, int rank, const int64_t *shape, void **pointer);

#endif
