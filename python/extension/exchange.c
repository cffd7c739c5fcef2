/* Tensors from other libraries and for them: DLPack, __cuda_array_interface__, the buffer protocol. */
#include "tensor.h"

#include "cuda.h"

#include <stdlib.h>
#include <string.h>

#define UNVERSIONED "dltensor"
#define VERSIONED "dltensor_versioned"

/* ---- taking ---- */

/* A tensor of another library's description, in `memory`, whose reference it takes over. An event is made
 * behind what `stream` has; 0: there is none to wait for. */
static PyObject *take(const struct extension *extension, struct memory *memory,
                      const struct dlpack_tensor *given, bool read_only, void *stream) {
  const struct element *element = element_of_dlpack(given->code, given->lanes == 1 ? given->bits : 0);
  const bool on_device = given->device_type == DLPACK_CUDA || given->device_type == DLPACK_CUDA_MANAGED;
  const char *reason = NULL;
  if (!element)
    PyErr_Format(PyExc_TypeError,
                 "wrong type (found DLPack's kind %d of %d bits and %d lanes, needed float32, float64, "
                 "int32 or int64)",
                 (int)given->code, (int)given->bits, (int)given->lanes);
  else if (given->rank < 0 || given->rank > TENSOR_AXES)
    PyErr_Format(PyExc_ValueError, "too many axes (found %d, needed at most %d)", (int)given->rank,
                 TENSOR_AXES);
  else if (!on_device && given->device_type != DLPACK_CPU && given->device_type != DLPACK_CUDA_HOST)
    PyErr_Format(PyExc_TypeError, "it lies on a device of DLPack's kind %d (needed host memory or CUDA)",
                 (int)given->device_type);
  else if (on_device && stream && (reason = memory_ready_on(memory, given->device_index, stream)))
    PyErr_Format(PyExc_RuntimeError, "the device failed: %s", reason);
  if (PyErr_Occurred()) {
    memory_drop_between(memory);
    return NULL;
  }
  TensorObject *made = tensor_new(extension, memory, (char *)given->data + given->byte_offset, element,
                                  given->rank, given->shape, given->strides);
  if (made) {
    made->on_device = on_device;
    made->device = given->device_index;
    made->read_only = read_only;
  }
  return (PyObject *)made;
}

/* from_dlpack(capsule, stream) -> Tensor. `stream` is what the capsule was made for; 0: the stream that will
 * read it, or host memory. */
PyObject *tensor_from_dlpack(PyObject *type, PyObject *arguments) {
  const struct extension *extension = PyType_GetModuleState((PyTypeObject *)type);
  PyObject *capsule;
  unsigned long long stream;
  if (!PyArg_ParseTuple(arguments, "OK", &capsule, &stream))
    return NULL;
  void *unversioned = NULL, *versioned = NULL;
  if (PyCapsule_IsValid(capsule, VERSIONED))
    versioned = PyCapsule_GetPointer(capsule, VERSIONED);
  else if (PyCapsule_IsValid(capsule, UNVERSIONED))
    unversioned = PyCapsule_GetPointer(capsule, UNVERSIONED);
  if (!versioned && !unversioned) {
    PyErr_Format(PyExc_TypeError, "__dlpack__() gave no capsule of a tensor (found %R)",
                 (PyObject *)Py_TYPE(capsule));
    return NULL;
  }
  struct memory *memory = memory_new();
  if (!memory || PyCapsule_SetName(capsule, versioned ? "used_" VERSIONED : "used_" UNVERSIONED) != 0) {
    memory_drop_between(memory);
    return NULL;
  }
  if (unversioned) {
    struct dlpack_managed *managed = unversioned;
    memory_is_managed(memory, managed);
    return take(extension, memory, &managed->tensor, false, (void *)(uintptr_t)stream);
  }
  struct dlpack_versioned *whole = versioned;
  memory_is_versioned(memory, whole);
  if (whole->major != DLPACK_MAJOR) { /* only its deleter lies where it is known to */
    PyErr_Format(PyExc_BufferError, "DLPack's version is another one (found %u.%u, needed %d)",
                 (unsigned)whole->major, (unsigned)whole->minor, DLPACK_MAJOR);
    memory_drop_between(memory);
    return NULL;
  }
  return take(extension, memory, &whole->tensor, (whole->flags & DLPACK_READ_ONLY) != 0,
              (void *)(uintptr_t)stream);
}

/* The members of a tuple of integers; -1 for what is no such, with an exception. */
static int integers_of(PyObject *tuple, int64_t values[TENSOR_AXES]) {
  const Py_ssize_t count = PyTuple_Size(tuple);
  if (count > TENSOR_AXES)
    PyErr_Format(PyExc_ValueError, "too many axes (found %zd, needed at most %d)", count, TENSOR_AXES);
  for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++)
    values[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
  return PyErr_Occurred() ? -1 : (int)count;
}

/* from_interface(owner, pointer, read_only, type, bytes, shape, strides, stream) -> Tensor, of an object that
 * has __cuda_array_interface__. `type` is the letter and `bytes` the size that its typestr has; strides are
 * in bytes or None; stream: what the data is ready in, 0 where it is. */
PyObject *tensor_from_interface(PyObject *type, PyObject *arguments) {
  const struct extension *extension = PyType_GetModuleState((PyTypeObject *)type);
  PyObject *owner, *shape, *strides;
  unsigned long long pointer, stream;
  int read_only, letter, bytes, device = 0;
  if (!PyArg_ParseTuple(arguments, "OKpCiO!OK", &owner, &pointer, &read_only, &letter, &bytes, &PyTuple_Type,
                        &shape, &strides, &stream))
    return NULL;
  int64_t sizes[TENSOR_AXES], steps[TENSOR_AXES];
  struct dlpack_tensor given = {.data = (void *)(uintptr_t)pointer,
                                .device_type = DLPACK_CUDA,
                                .code = letter == 'f'   ? DLPACK_FLOAT
                                        : letter == 'i' ? DLPACK_INT
                                        : letter == 'u' ? DLPACK_UINT
                                        : letter == 'b' ? DLPACK_BOOL
                                                        : UINT8_MAX,
                                .bits = bytes > 0 && bytes <= 16 ? (uint8_t)(bytes * 8) : 0,
                                .lanes = 1,
                                .shape = sizes};
  if ((given.rank = integers_of(shape, sizes)) < 0)
    return NULL;
  if (strides != Py_None) {
    if (!PyTuple_Check(strides) || integers_of(strides, steps) != given.rank) {
      if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "as many strides as sizes are needed");
      return NULL;
    }
    for (int i = 0; i < given.rank; i++) {
      if (bytes < 1 || steps[i] % bytes != 0) {
        PyErr_SetString(PyExc_ValueError, "a stride is no multiple of the elements' size");
        return NULL;
      }
      steps[i] /= bytes;
    }
    given.strides = steps;
  }
  const char *reason = cuda_device_of(given.data, &device);
  struct memory *memory = reason ? NULL : memory_new();
  if (reason)
    PyErr_Format(PyExc_ValueError, "it has no memory of a device: %s", reason);
  if (!memory)
    return NULL;
  given.device_index = device;
  memory_is_of_object(memory, owner);
  return take(extension, memory, &given, read_only != 0, (void *)(uintptr_t)stream);
}

/* device_number(pointer) -> int: which device the memory is of */
PyObject *tensor_device_number(PyObject *type, PyObject *pointer) {
  (void)type;
  int device = 0;
  void *address = PyLong_AsVoidPtr(pointer);
  if (PyErr_Occurred())
    return NULL;
  const char *reason = cuda_device_of(address, &device);
  if (!reason)
    return PyLong_FromLong(device);
  PyErr_Format(PyExc_ValueError, "it has no memory of a device: %s", reason);
  return NULL;
}

/* ---- giving ---- */

/* What a capsule holds; `whole` comes first, so that its address is that of `given`. */
struct given_versioned {
  struct dlpack_versioned whole;
  struct memory *memory;
  int64_t shape[TENSOR_AXES], strides[TENSOR_AXES];
};

struct given_managed {
  struct dlpack_managed whole;
  struct memory *memory;
  int64_t shape[TENSOR_AXES], strides[TENSOR_AXES];
};

static void versioned_delete(struct dlpack_versioned *versioned) {
  struct given_versioned *given = (struct given_versioned *)versioned;
  memory_drop(given->memory);
  free(given);
}

static void managed_delete(struct dlpack_managed *managed) {
  struct given_managed *given = (struct given_managed *)managed;
  memory_drop(given->memory);
  free(given);
}

/* A capsule that nobody took. */
static void capsule_free(PyObject *capsule) {
  if (PyCapsule_IsValid(capsule, VERSIONED))
    versioned_delete(PyCapsule_GetPointer(capsule, VERSIONED));
  else if (PyCapsule_IsValid(capsule, UNVERSIONED))
    managed_delete(PyCapsule_GetPointer(capsule, UNVERSIONED));
}

static struct dlpack_tensor describe(const TensorObject *self, int64_t *shape, int64_t *strides) {
  memcpy(shape, self->shape, sizeof self->shape);
  memcpy(strides, self->strides, sizeof self->strides);
  return (struct dlpack_tensor){.data = self->data,
                                .device_type = self->on_device ? DLPACK_CUDA : DLPACK_CPU,
                                .device_index = self->on_device ? self->device : 0,
                                .rank = self->rank,
                                .code = self->element->code,
                                .bits = (uint8_t)(self->element->bytes * 8),
                                .lanes = 1,
                                .shape = shape,
                                .strides = strides};
}

static PyObject *capsule_versioned(const TensorObject *self) {
  struct given_versioned *given = calloc(1, sizeof *given);
  if (!given)
    return PyErr_NoMemory();
  given->whole = (struct dlpack_versioned){.major = DLPACK_MAJOR,
                                           .minor = DLPACK_MINOR,
                                           .deleter = versioned_delete,
                                           .flags = self->read_only ? DLPACK_READ_ONLY : 0,
                                           .tensor = describe(self, given->shape, given->strides)};
  given->memory = self->memory;
  memory_keep(self->memory);
  PyObject *capsule = PyCapsule_New(given, VERSIONED, capsule_free);
  if (!capsule)
    versioned_delete(&given->whole);
  return capsule;
}

static PyObject *capsule_managed(const TensorObject *self) {
  struct given_managed *given = calloc(1, sizeof *given);
  if (!given)
    return PyErr_NoMemory();
  given->whole = (struct dlpack_managed){.tensor = describe(self, given->shape, given->strides),
                                         .deleter = managed_delete};
  given->memory = self->memory;
  memory_keep(self->memory);
  PyObject *capsule = PyCapsule_New(given, UNVERSIONED, capsule_free);
  if (!capsule)
    managed_delete(&given->whole);
  return capsule;
}

/* Makes the consumer's stream wait for the data: None is the legacy default stream, -1 none. */
static bool ready_for(const TensorObject *self, PyObject *stream) {
  if (!self->on_device) {
    if (stream != Py_None)
      PyErr_SetString(PyExc_BufferError, "stream: the tensor lies in host memory (needed None)");
    return stream == Py_None;
  }
  const long long number = stream == Py_None ? 1 : PyLong_AsLongLong(stream);
  if (number == -1)
    return !PyErr_Occurred();
  if (number == 0) {
    PyErr_SetString(PyExc_BufferError,
                    "stream: 0 may be either default stream (needed 1, 2 or a stream's address)");
    return false;
  }
  return tensor_wait(self, (void *)(uintptr_t)number);
}

/* __dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None) -> capsule */
PyObject *tensor_to_dlpack(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
  const TensorObject *self = (TensorObject *)object;
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$OOOO", names, &stream, &version, &device, &copy))
    return NULL;
  unsigned major = 0, minor = 0;
  if (version != Py_None && !PyArg_ParseTuple(version, "II", &major, &minor))
    return NULL;
  if (device != Py_None) {
    int kind, number;
    if (!PyArg_ParseTuple(device, "ii", &kind, &number))
      return NULL;
    if (kind != (self->on_device ? DLPACK_CUDA : DLPACK_CPU) ||
        number != (self->on_device ? self->device : 0)) {
      PyErr_SetString(PyExc_BufferError,
                      "dl_device: it is another device than the tensor's (numpy() copies to the host)");
      return NULL;
    }
  }
  if (copy == Py_True) {
    PyErr_SetString(PyExc_BufferError, "copy: a tensor is given as it lies (needed None or False)");
    return NULL;
  }
  if (self->read_only && major < DLPACK_MAJOR) {
    PyErr_SetString(PyExc_BufferError, "the tensor is read-only, which DLPack can say from version 1.0 on");
    return NULL;
  }
  if (!ready_for(self, stream))
    return NULL;
  return major >= DLPACK_MAJOR ? capsule_versioned(self) : capsule_managed(self);
}

PyObject *tensor_dlpack_device(PyObject *object, PyObject *unused) {
  (void)unused;
  const TensorObject *self = (TensorObject *)object;
  return Py_BuildValue("(ii)", self->on_device ? DLPACK_CUDA : DLPACK_CPU,
                       self->on_device ? self->device : 0);
}

/* __cuda_array_interface__, version 3. Its reader need not wait: this waits until the data is there. */
PyObject *tensor_interface(PyObject *object, void *unused) {
  (void)unused;
  const TensorObject *self = (TensorObject *)object;
  const struct element *element = self->element;
  if (!self->on_device || element->code == DLPACK_BFLOAT) {
    PyErr_SetString(PyExc_AttributeError, "__cuda_array_interface__");
    return NULL;
  }
  void *event = memory_event(self->memory);
  const char *reason = event ? cuda_event_finish(event) : NULL;
  if (reason) {
    PyErr_Format(PyExc_RuntimeError, "the device failed: %s", reason);
    return NULL;
  }
  PyObject *shape = PyTuple_New(self->rank), *strides = PyTuple_New(self->rank), *made = NULL;
  for (int i = 0; shape && strides && i < self->rank; i++) {
    PyTuple_SetItem(shape, i, PyLong_FromLongLong(self->shape[i]));
    PyTuple_SetItem(strides, i, PyLong_FromLongLong(self->strides[i] * element->bytes));
  }
  const char kind = element->code == DLPACK_FLOAT  ? 'f'
                    : element->code == DLPACK_INT  ? 'i'
                    : element->code == DLPACK_UINT ? 'u'
                                                   : 'b';
  PyObject *type = PyUnicode_FromFormat("%c%c%d", element->bytes == 1 ? '|' : '<', kind, (int)element->bytes);
  if (shape && strides && type && !PyErr_Occurred())
    made = Py_BuildValue("{s:O,s:O,s:O,s:(KO),s:i,s:O}", "shape", shape, "typestr", type, "strides",
                         tensor_is_contiguous(self) ? Py_None : strides, "data",
                         (unsigned long long)(uintptr_t)self->data, self->read_only ? Py_True : Py_False,
                         "version", 3, "stream", Py_None);
  Py_XDECREF(shape);
  Py_XDECREF(strides);
  Py_XDECREF(type);
  return made;
}

/* ---- the buffer protocol, of tensors in host memory ---- */

/* What a view points at. */
struct layout {
  char format[2];
  Py_ssize_t shape[TENSOR_AXES], strides[TENSOR_AXES];
};

/* Whether a reader can only use elements that lie row by row, without gaps. */
static bool needs_rows(int flags) {
  return (flags & PyBUF_STRIDES) != PyBUF_STRIDES || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS ||
         (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS ||
         (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
}

/* Eight bytes are a long, which numpy has for int64. */
static char format_of(char type) {
  return type == 'q' ? 'l' : type == 'Q' ? 'L' : type;
}

int tensor_get_buffer(PyObject *object, Py_buffer *view, int flags) {
  const TensorObject *self = (TensorObject *)object;
  view->obj = NULL;
  const char *wrong = self->on_device              ? "the tensor lies on a device (numpy() copies it)"
                      : self->element->type == 'E' ? "the buffer protocol has no bfloat16"
                      : flags & PyBUF_WRITABLE && self->read_only        ? "the tensor is read-only"
                      : needs_rows(flags) && !tensor_is_contiguous(self) ? "the tensor is not contiguous"
                      : (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && self->rank > 1
                          ? "the tensor is row-major"
                          : NULL;
  if (wrong) {
    PyErr_SetString(PyExc_BufferError, wrong);
    return -1;
  }
  struct layout *layout = malloc(sizeof *layout);
  if (!layout) {
    PyErr_NoMemory();
    return -1;
  }
  layout->format[0] = format_of(self->element->type);
  layout->format[1] = '\0';
  for (int i = 0; i < self->rank; i++) {
    layout->shape[i] = (Py_ssize_t)self->shape[i];
    layout->strides[i] = (Py_ssize_t)self->strides[i] * self->element->bytes;
  }
  Py_INCREF(object);
  *view = (Py_buffer){.buf = self->data,
                      .obj = object,
                      .len = (Py_ssize_t)tensor_elements(self) * self->element->bytes,
                      .itemsize = self->element->bytes,
                      .readonly = self->read_only,
                      .ndim = self->rank,
                      .format = flags & PyBUF_FORMAT ? layout->format : NULL,
                      .shape = flags & PyBUF_ND ? layout->shape : NULL,
                      .strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout->strides : NULL,
                      .internal = layout};
  return 0;
}

void tensor_release_buffer(PyObject *object, Py_buffer *view) {
  (void)object;
  free(view->internal);
}
