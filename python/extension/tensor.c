#include "tensor.h"

#include "cuda.h"

/* ---- types of elements ---- */

static const struct element elements[] = {
    {'f', 4, DLPACK_FLOAT, "float32"},   {'i', 4, DLPACK_INT, "int32"},     {'d', 8, DLPACK_FLOAT, "float64"},
    {'q', 8, DLPACK_INT, "int64"},       {'e', 2, DLPACK_FLOAT, "float16"}, {'b', 1, DLPACK_INT, "int8"},
    {'h', 2, DLPACK_INT, "int16"},       {'B', 1, DLPACK_UINT, "uint8"},    {'H', 2, DLPACK_UINT, "uint16"},
    {'I', 4, DLPACK_UINT, "uint32"},     {'Q', 8, DLPACK_UINT, "uint64"},   {'?', 1, DLPACK_BOOL, "bool"},
    {'E', 2, DLPACK_BFLOAT, "bfloat16"},
};

enum { ELEMENTS = sizeof elements / sizeof *elements };

const struct element *element_of_type(char type) {
  for (int i = 0; i < ELEMENTS; i++)
    if (elements[i].type == type)
      return &elements[i];
  return NULL;
}

const struct element *element_of_dlpack(uint8_t code, int bits) {
  for (int i = 0; i < ELEMENTS; i++)
    if (elements[i].code == code && elements[i].bytes * 8 == bits)
      return &elements[i];
  return NULL;
}

/* ---- making and freeing ---- */

TensorObject *tensor_new(const struct extension *extension, struct memory *memory, void *data,
                         const struct element *element, int rank, const int64_t *shape,
                         const int64_t *strides) {
  PyTypeObject *type = (PyTypeObject *)extension->tensor_type;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  TensorObject *made = (TensorObject *)allocate(type, 0);
  if (!made) {
    memory_drop_between(memory);
    return NULL;
  }
  made->memory = memory;
  made->data = data;
  made->element = element;
  made->rank = rank;
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; i--) {
    made->shape[i] = shape[i];
    made->strides[i] = strides ? strides[i] : stride;
    stride *= shape[i];
  }
  return made;
}

static void tensor_free(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  memory_drop_between(((TensorObject *)self)->memory);
  release(self);
  Py_DECREF(type);
}

int64_t tensor_elements(const TensorObject *tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor->rank; i++)
    count *= tensor->shape[i];
  return count;
}

bool tensor_is_contiguous(const TensorObject *tensor) {
  int64_t stride = 1;
  for (int i = tensor->rank - 1; i >= 0; i--) {
    if (tensor->shape[i] != 1 && tensor->strides[i] != stride)
      return false;
    stride *= tensor->shape[i];
  }
  return true;
}

/* ---- copies ---- */

static bool refuse(const char *reason) {
  PyErr_Format(PyExc_RuntimeError, "the device failed: %s", reason);
  return false;
}

bool tensor_wait(const TensorObject *tensor, void *stream) {
  void *event = memory_event(tensor->memory);
  const char *reason = event ? cuda_event_wait(tensor->device, stream, event) : NULL;
  return !reason || refuse(reason);
}

/* Copies the elements of the axes from `axis` on, row-major, and counts `to` on. `last` is the axis whose
 * entries are runs of `width` bytes without gaps: one copy takes them all where they lie one behind the
 * other. */
static const char *copy_axes(const TensorObject *tensor, void *stream, int axis, int last, size_t width,
                             const char *from, char **to) {
  const int64_t bytes = tensor->element->bytes;
  const int64_t step = axis <= last ? tensor->strides[axis] * bytes : (int64_t)width;
  const int64_t count = axis <= last ? tensor->shape[axis] : 1;
  const char *reason = NULL;
  if (axis > last || (axis == last && step >= (int64_t)width && step <= INT32_MAX)) {
    reason = cuda_copy(tensor->device, stream, *to, width, from, (size_t)step, width, (size_t)count);
    *to += width * (size_t)count;
    return reason;
  }
  for (int64_t i = 0; i < count && !reason; i++)
    reason = copy_axes(tensor, stream, axis + 1, last, width, from + i * step, to);
  return reason;
}

/* The tensor's elements, row-major, to host or device memory, in the stream's order. */
static const char *copy_to(const TensorObject *tensor, void *stream, void *to) {
  size_t width = tensor->element->bytes;
  int last = tensor->rank - 1;
  char *next = to;
  if (tensor_elements(tensor) == 0)
    return NULL;
  for (; last >= 0 &&
         (tensor->shape[last] == 1 || tensor->strides[last] * tensor->element->bytes == (int64_t)width);
       last--)
    width *= (size_t)tensor->shape[last];
  return copy_axes(tensor, stream, 0, last, width, tensor->data, &next);
}

TensorObject *tensor_contiguous(const struct extension *extension, const TensorObject *tensor, void *stream) {
  void *pointer = NULL;
  struct memory *memory = memory_new();
  if (!memory)
    return NULL;
  const char *reason =
      cuda_allocate(tensor->device, (size_t)tensor_elements(tensor) * tensor->element->bytes, &pointer);
  memory_is_of_device(memory, pointer);
  if (!reason)
    reason = copy_to(tensor, stream, pointer);
  if (reason) {
    memory_drop_between(memory);
    refuse(reason);
    return NULL;
  }
  TensorObject *made =
      tensor_new(extension, memory, pointer, tensor->element, tensor->rank, tensor->shape, NULL);
  if (made) {
    made->on_device = true;
    made->device = tensor->device;
  }
  return made;
}

/* numpy() -> numpy.ndarray: a copy in host memory, or the same memory where it is there already */
static PyObject *tensor_numpy(PyObject *object, PyObject *unused) {
  (void)unused;
  const TensorObject *self = (TensorObject *)object;
  const struct extension *extension = extension_of(object);
  if (!self->on_device) {
    PyObject *view = PyMemoryView_FromObject(object);
    PyObject *array = view ? PyObject_CallFunctionObjArgs(extension->asarray, view, NULL) : NULL;
    Py_XDECREF(view);
    return array;
  }
  Py_buffer buffer;
  PyObject *dtype = PyUnicode_FromString(self->element->name);
  PyObject *made = dtype ? empty_array(extension, dtype, self->rank, self->shape) : NULL;
  Py_XDECREF(dtype);
  if (!made || PyObject_GetBuffer(made, &buffer, PyBUF_WRITABLE) != 0) {
    Py_XDECREF(made);
    return NULL;
  }
  const char *reason = NULL;
  bool waits = tensor_wait(self, CUDA_STREAM_LEGACY);
  if (waits) {
    PyThreadState *thread = PyEval_SaveThread();
    reason = copy_to(self, CUDA_STREAM_LEGACY, buffer.buf);
    const char *finished = cuda_finish(self->device, CUDA_STREAM_LEGACY);
    reason = reason ? reason : finished;
    PyEval_RestoreThread(thread);
  }
  PyBuffer_Release(&buffer);
  if (waits && !reason)
    return made;
  if (reason)
    refuse(reason);
  Py_DECREF(made);
  return NULL;
}

/* __array__(dtype=None, copy=None): what numpy asks by */
static PyObject *tensor_array(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"dtype", "copy", NULL};
  PyObject *dtype = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OO", names, &dtype, &copy))
    return NULL;
  if (copy == Py_False && ((TensorObject *)object)->on_device) {
    PyErr_SetString(PyExc_ValueError, "the tensor lies on a device: without a copy numpy cannot read it");
    return NULL;
  }
  PyObject *made = tensor_numpy(object, NULL);
  if (!made || dtype == Py_None)
    return made;
  PyObject *cast = PyObject_CallMethod(made, "astype", "O", dtype);
  Py_DECREF(made);
  return cast;
}

/* ---- what it is ---- */

static PyObject *reshape(PyObject *object, PyObject *sizes) {
  const TensorObject *self = (TensorObject *)object;
  int64_t shape[TENSOR_AXES], count = 1;
  const Py_ssize_t rank = PyTuple_Size(sizes);
  if (rank > TENSOR_AXES) {
    PyErr_Format(PyExc_ValueError, "too many axes (found %zd, needed at most %d)", rank, TENSOR_AXES);
    return NULL;
  }
  for (Py_ssize_t i = 0; i < rank; i++) {
    shape[i] = PyLong_AsLongLong(PyTuple_GetItem(sizes, i));
    if (shape[i] == -1 && PyErr_Occurred())
      return NULL;
    count = shape[i] < 0 || (shape[i] > 0 && count > INT64_MAX / shape[i]) ? -1 : count * shape[i];
    if (count < 0)
      break;
  }
  if (count != tensor_elements(self) || !tensor_is_contiguous(self)) {
    PyErr_SetString(PyExc_ValueError, count != tensor_elements(self)
                                          ? "the new shape has another number of elements"
                                          : "the tensor is not contiguous");
    return NULL;
  }
  memory_keep(self->memory);
  TensorObject *made =
      tensor_new(extension_of(object), self->memory, self->data, self->element, (int)rank, shape, NULL);
  if (made) {
    made->on_device = self->on_device;
    made->device = self->device;
    made->read_only = self->read_only;
  }
  return (PyObject *)made;
}

static PyObject *shape_get(PyObject *object, void *unused) {
  (void)unused;
  const TensorObject *self = (TensorObject *)object;
  PyObject *shape = PyTuple_New(self->rank);
  for (int i = 0; shape && i < self->rank; i++)
    if (PyTuple_SetItem(shape, i, PyLong_FromLongLong(self->shape[i])) != 0)
      Py_CLEAR(shape);
  return shape;
}

static PyObject *rank_get(PyObject *object, void *unused) {
  (void)unused;
  return PyLong_FromLong(((TensorObject *)object)->rank);
}

static PyObject *dtype_get(PyObject *object, void *unused) {
  (void)unused;
  return PyUnicode_FromString(((TensorObject *)object)->element->name);
}

static PyObject *device_get(PyObject *object, void *unused) {
  (void)unused;
  const TensorObject *self = (TensorObject *)object;
  return self->on_device ? PyUnicode_FromFormat("cuda:%d", self->device) : PyUnicode_FromString("cpu");
}

static PyObject *read_only_get(PyObject *object, void *unused) {
  (void)unused;
  return PyBool_FromLong(((TensorObject *)object)->read_only);
}

static PyObject *tensor_repr(PyObject *object) {
  PyObject *shape = shape_get(object, NULL), *device = device_get(object, NULL), *text = NULL;
  if (shape && device)
    text = PyUnicode_FromFormat("<cuseq.Tensor of %s %S on %U>", ((TensorObject *)object)->element->name,
                                shape, device);
  Py_XDECREF(shape);
  Py_XDECREF(device);
  return text;
}

static Py_ssize_t tensor_length(PyObject *object) {
  const TensorObject *self = (TensorObject *)object;
  if (self->rank > 0)
    return (Py_ssize_t)self->shape[0];
  PyErr_SetString(PyExc_TypeError, "a tensor without axes has no length");
  return -1;
}

static PyMethodDef methods[] = {
    {"from_dlpack", tensor_from_dlpack, METH_VARARGS | METH_CLASS, "from_dlpack(capsule, stream) -> Tensor"},
    {"from_interface", tensor_from_interface, METH_VARARGS | METH_CLASS,
     "from_interface(owner, pointer, read_only, type, bytes, shape, strides, stream) -> Tensor"},
    {"device_number", tensor_device_number, METH_O | METH_CLASS, "device_number(pointer) -> int"},
    {"__dlpack__", (PyCFunction)(void (*)(void))tensor_to_dlpack, METH_VARARGS | METH_KEYWORDS,
     "The tensor for other libraries, without a copy. The stream is made to wait for the data."},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, "(kind, number) of its device, by DLPack."},
    {"__array__", (PyCFunction)(void (*)(void))tensor_array, METH_VARARGS | METH_KEYWORDS,
     "A copy for numpy."},
    {"numpy", tensor_numpy, METH_NOARGS, "A numpy array; a copy where the tensor lies on a device."},
    {"reshape", reshape, METH_VARARGS, "reshape(*sizes) -> Tensor of the same memory"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"shape", shape_get, NULL, "Sizes of its axes.", NULL},
    {"ndim", rank_get, NULL, "How many axes it has.", NULL},
    {"dtype", dtype_get, NULL, "The type of its elements, by numpy's name.", NULL},
    {"device", device_get, NULL, "\"cuda:0\"; \"cpu\" for host memory.", NULL},
    {"read_only", read_only_get, NULL, "Whether nobody may write to it.", NULL},
    {"__cuda_array_interface__", tensor_interface, NULL,
     "For libraries without DLPack; the data is complete.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, tensor_free},
    {Py_tp_repr, tensor_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {Py_sq_length, tensor_length},
    {Py_bf_getbuffer, tensor_get_buffer},
    {Py_bf_releasebuffer, tensor_release_buffer},
    {Py_tp_doc,
     "An array on a device. Other libraries take it by DLPack (torch.from_dlpack, cupy.from_dlpack, "
     "jax.dlpack.from_dlpack) or by __cuda_array_interface__, without a copy; numpy by a copy."},
    {0, NULL},
};

PyType_Spec tensor_spec = {
    .name = "cuseq._cuseq.Tensor",
    .basicsize = sizeof(TensorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
