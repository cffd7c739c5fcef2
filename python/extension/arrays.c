#include "extension.h"

#include <string.h>

void arrays_release(struct arrays *arrays) {
  for (int i = 0; i < arrays->count; i++)
    PyBuffer_Release(&arrays->buffers[i]);
  arrays->count = 0;
}

/* The type of the elements by their format: 'f', 'd', 'i' (four bytes), 'q' (eight bytes), or '?'. */
static char type_of(const Py_buffer *buffer) {
  const char *format = buffer->format ? buffer->format : "B";
  if (*format == '@' || *format == '=' || *format == '<')
    format++;
  if (format[0] == '\0' || format[1] != '\0')
    return '?';
  if (format[0] == 'f' || format[0] == 'd')
    return format[0];
  if (strchr("ilq", format[0]) && (buffer->itemsize == 4 || buffer->itemsize == 8))
    return buffer->itemsize == 4 ? 'i' : 'q';
  return '?';
}

static bool buffer_get(struct arrays *arrays, PyObject *object, const char *name, int flags,
                       Py_buffer **got) {
  if (arrays->count == ARRAYS_MOST) {
    PyErr_SetString(PyExc_SystemError, "too many arrays");
    return false;
  }
  Py_buffer *buffer = &arrays->buffers[arrays->count];
  if (PyObject_GetBuffer(object, buffer, flags | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
    if (!PyErr_ExceptionMatches(PyExc_MemoryError)) {
      PyErr_Clear();
      PyErr_Format(PyExc_TypeError, "%s: not a contiguous array%s (found %R)", name,
                   flags & PyBUF_WRITABLE ? " that can be written" : "", (PyObject *)Py_TYPE(object));
    }
    return false;
  }
  arrays->count++;
  *got = buffer;
  return true;
}

static bool check(const Py_buffer *buffer, const char *name, char type, Py_ssize_t elements) {
  if (type_of(buffer) != type) {
    PyErr_Format(PyExc_TypeError, "%s: wrong type (found format '%s', needed %s)", name, buffer->format,
                 type == 'f' ? "float32" : "int32");
    return false;
  }
  if (elements >= 0 && buffer->len / buffer->itemsize != elements) {
    PyErr_Format(PyExc_ValueError, "%s: wrong size (found %zd elements, needed %zd)", name,
                 buffer->len / buffer->itemsize, elements);
    return false;
  }
  return true;
}

bool arrays_read(struct arrays *arrays, PyObject *object, const char *name, char type, Py_ssize_t elements,
                 const void **pointer) {
  Py_buffer *buffer;
  *pointer = NULL;
  if (!object || object == Py_None)
    return true;
  if (!buffer_get(arrays, object, name, 0, &buffer) || !check(buffer, name, type, elements))
    return false;
  *pointer = buffer->buf;
  return true;
}

bool arrays_read_input(struct arrays *arrays, PyObject *object, int32_t features, cuseq_input *input) {
  Py_buffer *buffer;
  if (!buffer_get(arrays, object, "input", 0, &buffer))
    return false;
  const char type = type_of(buffer);
  const bool dense = type == 'f' || type == 'd', ids = type == 'i' || type == 'q';
  if ((!dense && !ids) || buffer->ndim != (dense ? 3 : 2)) {
    PyErr_Format(PyExc_TypeError,
                 "input: needed [B,T,F] of float32 or float64, or [B,T] of int32 or int64 (found %d axes of "
                 "format '%s')",
                 buffer->ndim, buffer->format);
    return false;
  }
  if (dense && buffer->shape[2] != features) {
    PyErr_Format(PyExc_ValueError, "input: wrong number of features (found %zd, needed %d)", buffer->shape[2],
                 (int)features);
    return false;
  }
  if (buffer->shape[0] < 1 || buffer->shape[1] < 1 || buffer->shape[0] > INT32_MAX ||
      buffer->shape[1] > INT32_MAX) {
    PyErr_Format(PyExc_ValueError, "input: wrong size (found %zd rows of %zd positions, needed one at least)",
                 buffer->shape[0], buffer->shape[1]);
    return false;
  }
  input->data = buffer->buf;
  input->dtype = type == 'f'   ? CUSEQ_DTYPE_F32
                 : type == 'd' ? CUSEQ_DTYPE_F64
                 : type == 'i' ? CUSEQ_DTYPE_I32
                               : CUSEQ_DTYPE_I64;
  input->batch = (int32_t)buffer->shape[0];
  input->time = (int32_t)buffer->shape[1];
  return true;
}

static PyObject *make_empty(const struct extension *extension, char type, int rank, const int64_t *shape) {
  PyObject *sizes = PyTuple_New(rank);
  for (int i = 0; sizes && i < rank; i++) {
    PyObject *size = PyLong_FromLongLong(shape[i]);
    if (!size || PyTuple_SetItem(sizes, i, size) != 0)
      Py_CLEAR(sizes);
  }
  if (!sizes)
    return NULL;
  PyObject *made = PyObject_CallFunctionObjArgs(extension->empty, sizes,
                                                type == 'f' ? extension->float32 : extension->int32, NULL);
  Py_DECREF(sizes);
  return made;
}

bool arrays_write(struct arrays *arrays, const struct extension *extension, PyObject *out, PyObject *results,
                  const char *name, char type, int rank, const int64_t *shape, void **pointer) {
  PyObject *array = out ? PyDict_GetItemString(out, name) : NULL;
  Py_ssize_t elements = 1;
  Py_buffer *buffer;
  for (int i = 0; i < rank; i++)
    elements *= (Py_ssize_t)shape[i];
  if (array)
    Py_INCREF(array);
  else
    array = make_empty(extension, type, rank, shape);
  if (!array)
    return false;
  const bool kept = PyDict_SetItemString(results, name, array) == 0;
  Py_DECREF(array);
  if (!kept || !buffer_get(arrays, array, name, PyBUF_WRITABLE, &buffer))
    return false;
  *pointer = buffer->buf;
  return check(buffer, name, type, elements);
}
