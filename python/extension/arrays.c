#include "arrays.h"

#include "cuda.h"

#include <string.h>

void arrays_release(struct arrays *arrays) {
  for (int i = 0; i < arrays->buffers_count; i++)
    PyBuffer_Release(&arrays->buffers[i]);
  for (int i = 0; i < arrays->held_count; i++)
    Py_DECREF(arrays->held[i]);
  memory_drop(arrays->room);
  arrays->room = NULL;
  arrays->buffers_count = arrays->held_count = arrays->spans_count = 0;
}

/* ---- what is given ---- */

/* The type of the elements by their format, and its name; of types that have none here, the format. */
static void type_read(const Py_buffer *buffer, struct view *view) {
  const char *format = buffer->format ? buffer->format : "B";
  view->type = '?';
  view->name = format;
  if (*format == '@' || *format == '=' || *format == '<')
    format++;
  if (format[0] == '\0' || format[1] != '\0')
    return;
  char letter = format[0];
  if (strchr("ilq", letter) && (buffer->itemsize == 4 || buffer->itemsize == 8))
    letter = buffer->itemsize == 4 ? 'i' : 'q';
  const struct element *element = element_of_type(letter);
  if (element && element->bytes == buffer->itemsize)
    view->name = element->name;
  if (strchr("fdiq", letter))
    view->type = letter;
}

/* Keeps a reference until the call is done; takes it over. */
static bool hold(struct arrays *arrays, PyObject *object) {
  if (arrays->held_count == ARRAYS_MOST) {
    Py_DECREF(object);
    PyErr_SetString(PyExc_SystemError, "too many arrays");
    return false;
  }
  arrays->held[arrays->held_count++] = object;
  return true;
}

static bool span_add(struct arrays *arrays, const char *name, const void *data, int64_t bytes, bool written) {
  if (arrays->spans_count == ARRAYS_MOST) {
    PyErr_SetString(PyExc_SystemError, "too many arrays");
    return false;
  }
  const char *begin = data;
  arrays->spans[arrays->spans_count++] = (struct span){name, begin, begin + bytes, written};
  return true;
}

/* A numpy array; one that is not contiguous, or not to be written, is another matter: false without an
 * exception. */
static bool take_buffer(struct arrays *arrays, PyObject *object, const char *name, bool writes,
                        struct view *view) {
  if (arrays->buffers_count == ARRAYS_MOST) {
    PyErr_SetString(PyExc_SystemError, "too many arrays");
    return false;
  }
  Py_buffer *buffer = &arrays->buffers[arrays->buffers_count];
  if (PyObject_GetBuffer(object, buffer, (writes ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) !=
      0) {
    if (!PyErr_ExceptionMatches(PyExc_MemoryError))
      PyErr_Clear();
    return false;
  }
  arrays->buffers_count++;
  view->data = buffer->buf;
  type_read(buffer, view);
  view->on_device = false;
  view->rank = buffer->ndim;
  for (int i = 0; i < buffer->ndim && i < TENSOR_AXES; i++)
    view->shape[i] = buffer->shape[i];
  return span_add(arrays, name, buffer->buf, buffer->len, writes);
}

/* A tensor on the session's device, whose stream waits for it. */
static bool take_tensor(struct arrays *arrays, TensorObject *tensor, const char *name, bool writes,
                        struct view *view) {
  if (!tensor->on_device || tensor->device != arrays->device) {
    PyErr_Format(arrays->extension->errors[WRONG_VALUE],
                 "%s: it lies on another device (found %s%d, needed %s)", name,
                 tensor->on_device ? "cuda:" : "host memory ", tensor->on_device ? tensor->device : 0,
                 arrays->device_name);
    return false;
  }
  if (arrays->captures && !tensor_is_contiguous(tensor)) {
    PyErr_Format(arrays->extension->errors[WRONG_VALUE],
                 "%s: it is not contiguous (a session that captures copies nothing)", name);
    return false;
  }
  if (writes && (tensor->read_only || !tensor_is_contiguous(tensor))) {
    PyErr_Format(arrays->extension->errors[WRONG_VALUE], "%s: %s", name,
                 tensor->read_only ? "it is read-only (needed an array that can be written)"
                                   : "it is not contiguous");
    return false;
  }
  if (!tensor_wait(tensor, arrays->stream))
    return false;
  if (tensor_is_contiguous(tensor))
    Py_INCREF((PyObject *)tensor);
  else if (!(tensor = tensor_contiguous(arrays->extension, tensor, arrays->stream)))
    return false;
  view->data = tensor->data;
  view->type = strchr("fdiq", tensor->element->type) ? tensor->element->type : '?';
  view->name = tensor->element->name;
  view->on_device = true;
  view->rank = tensor->rank;
  memcpy(view->shape, tensor->shape, sizeof view->shape);
  arrays->on_device = true;
  const int64_t bytes = tensor_elements(tensor) * tensor->element->bytes;
  return hold(arrays, (PyObject *)tensor) && span_add(arrays, name, view->data, bytes, writes);
}

/* What the package makes of anything else: a numpy array that take_buffer takes, or a tensor. */
static PyObject *convert(struct arrays *arrays, PyObject *object, const char *name, bool writes) {
  PyObject *module = PyImport_ImportModule("cuseq.arrays");
  PyObject *made = module ? PyObject_CallMethod(module, writes ? "for_writing" : "for_reading", "OsK", object,
                                                name, (unsigned long long)(uintptr_t)arrays->stream)
                          : NULL;
  Py_XDECREF(module);
  return made;
}

/* A graph reads and writes the caller's own arrays, long after the call. */
static bool check_captured(const struct arrays *arrays, const struct view *view, const char *name) {
  if (!arrays->captures || view->on_device)
    return true;
  PyErr_Format(arrays->extension->errors[WRONG_VALUE],
               "%s: it lies in host memory (a session that captures needed %s)", name, arrays->device_name);
  return false;
}

static bool take(struct arrays *arrays, PyObject *object, const char *name, bool writes, struct view *view) {
  const struct extension *extension = arrays->extension;
  bool found = true;
  if (Py_TYPE(object) == (PyTypeObject *)extension->ndarray)
    found = take_buffer(arrays, object, name, writes, view);
  else if (Py_TYPE(object) == (PyTypeObject *)extension->tensor_type && ((TensorObject *)object)->on_device)
    return take_tensor(arrays, (TensorObject *)object, name, writes, view);
  else
    found = false;
  if (!found && !PyErr_Occurred()) {
    PyObject *made = convert(arrays, object, name, writes);
    if (!made || !hold(arrays, made))
      return false;
    if (Py_TYPE(made) == (PyTypeObject *)extension->tensor_type)
      return take_tensor(arrays, (TensorObject *)made, name, writes, view);
    found = take_buffer(arrays, made, name, writes, view);
  }
  if (!found) {
    if (!PyErr_Occurred())
      PyErr_Format(arrays->extension->errors[WRONG_VALUE], "%s: it is not contiguous", name);
    return false;
  }
  if (!check_captured(arrays, view, name))
    return false;
  if (view->rank <= TENSOR_AXES)
    return true;
  PyErr_Format(arrays->extension->errors[WRONG_VALUE], "%s: too many axes (found %d, needed at most %d)",
               name, view->rank, TENSOR_AXES);
  return false;
}

bool arrays_take(struct arrays *arrays, PyObject *object, const char *name, struct view *view) {
  return take(arrays, object, name, false, view);
}

/* ---- what is needed ---- */

static bool check_type(const struct arrays *arrays, const struct view *view, const char *name, char type) {
  if (view->type == type)
    return true;
  PyErr_Format(arrays->extension->errors[WRONG_TYPE], "%s: wrong type (found %s, needed %s)", name,
               view->name, element_of_type(type)->name);
  return false;
}

/* "[3, 4]" */
static PyObject *shape_text(int rank, const int64_t *shape) {
  PyObject *list = PyList_New(rank);
  for (int i = 0; list && i < rank; i++) {
    PyObject *size = shape[i] < 0 ? PyUnicode_FromString("any") : PyLong_FromLongLong(shape[i]);
    if (!size || PyList_SetItem(list, i, size) != 0)
      Py_CLEAR(list);
  }
  PyObject *text = list ? PyObject_Str(list) : NULL;
  Py_XDECREF(list);
  return text;
}

static bool check_shape(const struct arrays *arrays, const struct view *view, const char *name, int rank,
                        const int64_t *shape) {
  bool equal = view->rank == rank;
  for (int i = 0; equal && i < rank; i++)
    equal = shape[i] < 0 || view->shape[i] == shape[i];
  if (equal)
    return true;
  PyObject *found = shape_text(view->rank, view->shape), *needed = shape_text(rank, shape);
  if (found && needed)
    PyErr_Format(arrays->extension->errors[WRONG_VALUE], "%s: wrong shape (found %U, needed %U)", name, found,
                 needed);
  Py_XDECREF(found);
  Py_XDECREF(needed);
  return false;
}

/* The states of all encoder layers: of one width in three axes, or in one axis. */
static bool check_states(const struct arrays *arrays, const struct view *view, const char *name,
                         int64_t batch, int64_t width) {
  if (view->rank == 3 && view->shape[1] == batch && view->shape[0] * view->shape[2] == width)
    return true;
  return check_shape(arrays, view, name, 1, (const int64_t[]){batch * width});
}

bool arrays_read(struct arrays *arrays, PyObject *object, const char *name, char type, int rank,
                 const int64_t *shape, const void **pointer) {
  struct view view;
  *pointer = NULL;
  if (!object || object == Py_None)
    return true;
  if (!arrays_take(arrays, object, name, &view) || !check_type(arrays, &view, name, type) ||
      !check_shape(arrays, &view, name, rank, shape))
    return false;
  *pointer = view.data;
  return true;
}

bool arrays_read_states(struct arrays *arrays, PyObject *object, const char *name, int64_t batch,
                        int64_t width, const void **pointer) {
  struct view view;
  *pointer = NULL;
  if (!object || object == Py_None)
    return true;
  if (!arrays_take(arrays, object, name, &view) || !check_type(arrays, &view, name, 'f') ||
      !check_states(arrays, &view, name, batch, width))
    return false;
  *pointer = view.data;
  return true;
}

bool arrays_read_input(struct arrays *arrays, PyObject *object, int32_t features, cuseq_input *input,
                       bool *on_device) {
  struct view view;
  if (!arrays_take(arrays, object, "input", &view))
    return false;
  const bool dense = view.type == 'f' || view.type == 'd', ids = view.type == 'i' || view.type == 'q';
  if ((!dense && !ids) || view.rank != (dense ? 3 : 2)) {
    PyErr_Format(
        arrays->extension->errors[WRONG_TYPE],
        "input: needed [B,T,F] of float32 or float64, or [B,T] of int32 or int64 (found %d axes of %s)",
        view.rank, view.name);
    return false;
  }
  if (dense && view.shape[2] != features) {
    PyErr_Format(arrays->extension->errors[WRONG_VALUE],
                 "input: wrong number of features (found %lld, needed %d)", (long long)view.shape[2],
                 (int)features);
    return false;
  }
  if (view.shape[0] < 1 || view.shape[1] < 1 || view.shape[0] > INT32_MAX || view.shape[1] > INT32_MAX) {
    PyErr_Format(arrays->extension->errors[WRONG_VALUE],
                 "input: wrong size (found %lld rows of %lld positions, needed one at least)",
                 (long long)view.shape[0], (long long)view.shape[1]);
    return false;
  }
  input->data = view.data;
  input->dtype = view.type == 'f'   ? CUSEQ_DTYPE_F32
                 : view.type == 'd' ? CUSEQ_DTYPE_F64
                 : view.type == 'i' ? CUSEQ_DTYPE_I32
                                    : CUSEQ_DTYPE_I64;
  input->batch = (int32_t)view.shape[0];
  input->time = (int32_t)view.shape[1];
  *on_device = view.on_device;
  return true;
}

/* ---- results ---- */

/* A multiple of what any element is aligned to, and of a line of the device's memory. */
enum { ROOM_ALIGNMENT = 256 };

int64_t form_bytes(const struct form *form) {
  int64_t bytes = (int64_t)sizeof(float);
  for (int i = 0; i < form->rank; i++)
    bytes *= form->shape[i];
  return (bytes + ROOM_ALIGNMENT - 1) / ROOM_ALIGNMENT * ROOM_ALIGNMENT;
}

bool arrays_write(struct arrays *arrays, PyObject *object, const struct form *form, void **pointer) {
  struct view view;
  if (!take(arrays, object, form->name, true, &view) || !check_type(arrays, &view, form->name, form->type))
    return false;
  if (!(form->width > 0 ? check_states(arrays, &view, form->name, form->batch, form->width)
                        : check_shape(arrays, &view, form->name, form->rank, form->shape)))
    return false;
  *pointer = view.data;
  return true;
}

PyObject *shape_tuple(int rank, const int64_t *shape) {
  PyObject *sizes = PyTuple_New(rank);
  for (int i = 0; sizes && i < rank; i++) {
    PyObject *size = PyLong_FromLongLong(shape[i]);
    if (!size || PyTuple_SetItem(sizes, i, size) != 0)
      Py_CLEAR(sizes);
  }
  return sizes;
}

PyObject *empty_array(const struct extension *extension, PyObject *dtype, int rank, const int64_t *shape) {
  PyObject *sizes = shape_tuple(rank, shape);
  PyObject *made = sizes ? PyObject_CallFunctionObjArgs(extension->empty, sizes, dtype, NULL) : NULL;
  Py_XDECREF(sizes);
  return made;
}

/* Where numpy's arrays have the address of their elements. */
static void *address_of(PyObject *array) {
  void *address;
  memcpy(&address, (char *)array + sizeof(PyObject), sizeof address);
  return address;
}

bool arrays_address_is_known(const struct extension *extension) {
  static const int64_t shape[] = {3, 5};
  bool known = true;
  for (int i = 0; known && i < 2; i++) {
    Py_buffer buffer;
    PyObject *array = empty_array(extension, i == 0 ? extension->float32 : extension->int32, 2, shape);
    known = array && PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE) == 0;
    if (known) {
      known = address_of(array) == buffer.buf;
      PyBuffer_Release(&buffer);
    }
    Py_XDECREF(array);
  }
  PyErr_Clear();
  return known;
}

PyObject *arrays_make(struct arrays *arrays, const struct form *form, struct kept_shape *kept,
                      void **pointer) {
  const struct extension *extension = arrays->extension;
  struct view view;
  if (!kept->tuple || memcmp(kept->sizes, form->shape, sizeof kept->sizes) != 0) {
    Py_XDECREF(kept->tuple);
    if (!(kept->tuple = shape_tuple(form->rank, form->shape)))
      return NULL;
    memcpy(kept->sizes, form->shape, sizeof kept->sizes);
  }
  PyObject *dtype = form->type == 'f' ? extension->float32 : extension->int32;
  PyObject *made = PyObject_CallFunctionObjArgs(extension->empty, kept->tuple, dtype, NULL);
  if (made && extension->knows_address) {
    *pointer = address_of(made);
    return made;
  }
  if (made && !take_buffer(arrays, made, form->name, true, &view))
    Py_CLEAR(made);
  if (made)
    *pointer = view.data;
  return made;
}

bool arrays_room(struct arrays *arrays, int64_t bytes) {
  void *pointer = NULL;
  if (bytes == 0)
    return true;
  if (!(arrays->room = memory_new()))
    return false;
  const char *reason = cuda_allocate(arrays->device, (size_t)bytes, &pointer);
  memory_is_of_device(arrays->room, pointer);
  arrays->room_next = pointer;
  if (!reason)
    return true;
  PyErr_Format(arrays->extension->errors[CUSEQ_STATUS_OUT_OF_MEMORY],
               "results: no memory of the device (needed %lld bytes): %s", (long long)bytes, reason);
  return false;
}

PyObject *arrays_make_on_device(struct arrays *arrays, const struct form *form, void **pointer) {
  memory_keep(arrays->room);
  TensorObject *made = tensor_new(arrays->extension, arrays->room, arrays->room_next,
                                  element_of_type(form->type), form->rank, form->shape, NULL);
  if (!made)
    return NULL;
  made->on_device = true;
  made->device = arrays->device;
  *pointer = arrays->room_next;
  arrays->room_next += form_bytes(form);
  arrays->on_device = true;
  return (PyObject *)made;
}

/* Whether the result may be the very memory of what is read: the state that a call goes on from. */
static bool is_carried(const struct span *written, const struct span *read) {
  static const char *const pairs[][2] = {{"encoder_h", "encoder_h"},
                                         {"encoder_c", "encoder_c"},
                                         {"final_h", "initial_h"},
                                         {"final_c", "initial_c"},
                                         {"final_fed", "initial_fed"}};
  if (written->begin != read->begin || written->end != read->end)
    return false;
  for (int i = 0; i < 5; i++)
    if (strcmp(written->name, pairs[i][0]) == 0 && strcmp(read->name, pairs[i][1]) == 0)
      return true;
  return false;
}

bool arrays_are_apart(const struct arrays *arrays) {
  for (int i = 0; i < arrays->spans_count; i++)
    for (int j = 0; j < arrays->spans_count; j++) {
      const struct span *written = &arrays->spans[i], *other = &arrays->spans[j];
      if (i == j || !written->written || written->begin >= other->end || other->begin >= written->end)
        continue;
      if (!other->written && is_carried(written, other))
        continue;
      PyErr_Format(arrays->extension->errors[WRONG_VALUE], "out: %s overlaps %s", written->name, other->name);
      return false;
    }
  return true;
}
