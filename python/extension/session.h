/* A session's methods that call the library: calls.c. Each takes a session and gives a dictionary of
 * results. */
#ifndef CUSEQ_PYTHON_SESSION_H
#define CUSEQ_PYTHON_SESSION_H

#include "extension.h"

static inline const cuseq_model *session_model(const SessionObject *self) {
  return ((ModelObject *)self->model)->model;
}

PyObject *session_run(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords);
PyObject *session_encode(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords);
PyObject *session_decode(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords);
PyObject *session_attend(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords);
PyObject *session_search(PyObject *object, PyObject *arguments, PyObject *keywords);

#endif
