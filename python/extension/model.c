#include "arrays.h"

#include <stdlib.h>
#include <string.h>

static cuseq_model *model_of(PyObject *self) {
  return ((ModelObject *)self)->model;
}

/* How many weights there are that each position, or each step, is multiplied with: an embedding's are looked
 * up. */
static void parameters_count(ModelObject *made) {
  cuseq_tensor tensor;
  for (size_t i = 0; i < cuseq_model_tensor_count(made->model); i++) {
    if (cuseq_model_tensor(made->model, i, &tensor) != CUSEQ_STATUS_OK || strstr(tensor.name, "embedding"))
      continue;
    double elements = 1;
    for (int32_t axis = 0; axis < tensor.rank; axis++)
      elements *= (double)tensor.shape[axis];
    if (strncmp(tensor.name, "encoder.", 8) == 0)
      made->position_parameters += elements;
    else
      made->step_parameters += elements;
  }
}

static PyObject *model_new(const struct extension *extension, cuseq_status status, cuseq_model *model) {
  if (status != CUSEQ_STATUS_OK)
    return raise_status(extension, status);
  PyTypeObject *type = (PyTypeObject *)extension->model_type;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  ModelObject *made = (ModelObject *)allocate(type, 0);
  if (!made) {
    cuseq_model_destroy(model);
    return NULL;
  }
  made->model = model;
  parameters_count(made);
  return (PyObject *)made;
}

static void model_free(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  cuseq_model_destroy(model_of(self));
  release(self);
  Py_DECREF(type);
}

/* ---- files ---- */

static PyObject *load(PyObject *type, PyObject *path) {
  struct extension *extension = PyType_GetModuleState((PyTypeObject *)type);
  PyObject *bytes;
  cuseq_model *model;
  cuseq_status status;
  if (!PyUnicode_FSConverter(path, &bytes))
    return NULL;
  const char *name = PyBytes_AsString(bytes);
  PyThreadState *thread = PyEval_SaveThread();
  status = cuseq_model_load(name, &model);
  PyEval_RestoreThread(thread);
  Py_DECREF(bytes);
  return model_new(extension, status, model);
}

static PyObject *load_bytes(PyObject *type, PyObject *bytes) {
  struct extension *extension = PyType_GetModuleState((PyTypeObject *)type);
  Py_buffer buffer;
  cuseq_model *model;
  if (PyObject_GetBuffer(bytes, &buffer, PyBUF_SIMPLE) != 0)
    return NULL;
  const cuseq_status status = cuseq_model_load_memory(buffer.buf, (size_t)buffer.len, &model);
  PyBuffer_Release(&buffer);
  return model_new(extension, status, model);
}

static PyObject *save(PyObject *self, PyObject *path) {
  PyObject *bytes;
  cuseq_status status;
  if (!PyUnicode_FSConverter(path, &bytes))
    return NULL;
  const char *name = PyBytes_AsString(bytes);
  PyThreadState *thread = PyEval_SaveThread();
  status = cuseq_model_save(model_of(self), name);
  PyEval_RestoreThread(thread);
  Py_DECREF(bytes);
  if (status != CUSEQ_STATUS_OK)
    return raise_status(extension_of(self), status);
  Py_RETURN_NONE;
}

/* ---- tensors ---- */

static PyObject *tensor_bytes(const cuseq_tensor *tensor, PyObject **shape) {
  Py_ssize_t elements = 1;
  *shape = PyTuple_New(tensor->rank);
  for (int i = 0; *shape && i < tensor->rank; i++) {
    elements *= (Py_ssize_t)tensor->shape[i];
    if (PyTuple_SetItem(*shape, i, PyLong_FromLongLong(tensor->shape[i])) != 0)
      Py_CLEAR(*shape);
  }
  return *shape ? PyBytes_FromStringAndSize(tensor->data, elements * (Py_ssize_t)sizeof(float)) : NULL;
}

/* [(name, shape, bytes of float32), ...] */
static PyObject *tensors(PyObject *self, PyObject *unused) {
  (void)unused;
  PyObject *list = PyList_New(0);
  const size_t count = cuseq_model_tensor_count(model_of(self));
  for (size_t i = 0; list && i < count; i++) {
    cuseq_tensor tensor;
    PyObject *shape = NULL, *entry = NULL;
    const cuseq_status status = cuseq_model_tensor(model_of(self), i, &tensor);
    if (status != CUSEQ_STATUS_OK) {
      Py_DECREF(list);
      return raise_status(extension_of(self), status);
    }
    PyObject *bytes = tensor_bytes(&tensor, &shape);
    if (bytes)
      entry = Py_BuildValue("(sOO)", tensor.name, shape, bytes);
    if (!entry || PyList_Append(list, entry) != 0)
      Py_CLEAR(list);
    Py_XDECREF(entry);
    Py_XDECREF(bytes);
    Py_XDECREF(shape);
  }
  return list;
}

/* One entry (name, shape, buffer of float32) of create()'s list. The name and the buffer are borrowed from
 * it. */
static bool tensor_read(const struct extension *extension, PyObject *entry, cuseq_tensor *tensor,
                        Py_buffer *buffer) {
  const char *name;
  PyObject *shape, *data;
  Py_ssize_t elements = 1;
  if (!PyArg_ParseTuple(entry, "sO!O", &name, &PyTuple_Type, &shape, &data))
    return false;
  *tensor = (cuseq_tensor){.name = name, .dtype = CUSEQ_DTYPE_F32, .rank = (int32_t)PyTuple_Size(shape)};
  if (tensor->rank > CUSEQ_MAX_RANK) {
    PyErr_Format(extension->errors[WRONG_VALUE], "%s: too many axes (found %d, needed at most %d)", name,
                 (int)tensor->rank, CUSEQ_MAX_RANK);
    return false;
  }
  for (int i = 0; i < tensor->rank; i++) {
    tensor->shape[i] = PyLong_AsLongLong(PyTuple_GetItem(shape, i));
    if (tensor->shape[i] < 0) {
      if (!PyErr_Occurred())
        PyErr_Format(extension->errors[WRONG_VALUE], "%s: a negative size", name);
      return false;
    }
    elements *= (Py_ssize_t)tensor->shape[i];
  }
  if (PyObject_GetBuffer(data, buffer, PyBUF_SIMPLE) != 0)
    return false;
  tensor->data = buffer->buf;
  if (buffer->len == elements * (Py_ssize_t)sizeof(float))
    return true;
  PyErr_Format(extension->errors[WRONG_VALUE], "%s: wrong size (found %zd bytes, needed %zd)", name,
               buffer->len, elements * (Py_ssize_t)sizeof(float));
  PyBuffer_Release(buffer);
  return false;
}

/* create(config_json, [(name, shape, buffer), ...]) */
static PyObject *create(PyObject *type, PyObject *arguments) {
  struct extension *extension = PyType_GetModuleState((PyTypeObject *)type);
  const char *json;
  PyObject *list;
  cuseq_model *model;
  if (!PyArg_ParseTuple(arguments, "sO!", &json, &PyList_Type, &list))
    return NULL;
  const Py_ssize_t count = PyList_Size(list);
  cuseq_tensor *made = calloc((size_t)count + 1, sizeof *made);
  Py_buffer *buffers = calloc((size_t)count + 1, sizeof *buffers);
  Py_ssize_t read = 0;
  PyObject *result = NULL;
  if (!made || !buffers)
    PyErr_NoMemory();
  else
    while (read < count && tensor_read(extension, PyList_GetItem(list, read), &made[read], &buffers[read]))
      read++;
  if (made && buffers && read == count) {
    const cuseq_status status = cuseq_model_create(json, made, (size_t)count, &model);
    result = model_new(extension, status, model);
  }
  for (Py_ssize_t i = 0; i < read; i++)
    PyBuffer_Release(&buffers[i]);
  free(buffers);
  free(made);
  return result;
}

/* ---- what a model is ---- */

static PyObject *config_json(PyObject *self, void *unused) {
  (void)unused;
  return PyUnicode_FromString(cuseq_model_config_json(model_of(self)));
}

/* What callers allocate by, and what they ask for first. */
static PyObject *sizes(PyObject *self, void *unused) {
  (void)unused;
  const cuseq_config *c = cuseq_model_config(model_of(self));
  return Py_BuildValue(
      "{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:O,s:O,s:O,s:O}", "features",
      (int)c->features, "annotation_width", (int)c->annotation_width, "context_width", (int)c->context_width,
      "query_width", (int)c->query_width, "state_units", (int)c->state_units, "decoder_state_width",
      (int)c->decoder_state_width, "fed_width", (int)c->fed_width, "given_width", (int)c->given_width,
      "outputs", (int)c->outputs, "heads", (int)c->heads, "steps", (int)c->steps, "start_token",
      (int)c->start_token, "end_token", (int)c->end_token, "text_length", (int)c->text_length,
      "input_symbols", (int)c->input_symbols, "output_symbols", (int)c->output_symbols, "has_decoder",
      c->has_decoder ? Py_True : Py_False, "output_words", c->output_words ? Py_True : Py_False, "is_tagger",
      c->is_tagger ? Py_True : Py_False, "ids_only", c->ids_only ? Py_True : Py_False);
}

static PyObject *tolerance(PyObject *self, PyObject *arguments) {
  const char *name;
  int time, steps, result;
  cuseq_precision precision;
  if (!PyArg_ParseTuple(arguments, "siii", &name, &time, &steps, &result) ||
      !precision_read(extension_of(self), name, &precision))
    return NULL;
  return PyFloat_FromDouble(
      cuseq_model_tolerance(model_of(self), precision, time, steps, (cuseq_result)result));
}

/* ---- texts ---- */

/* encode_text(text, truncate, ids) -> (positions, characters); ids: a writable int32 buffer [text_length] */
static PyObject *encode_text(PyObject *self, PyObject *arguments) {
  const char *text;
  int truncate;
  PyObject *array;
  Py_buffer buffer;
  int32_t length, characters;
  if (!PyArg_ParseTuple(arguments, "spO", &text, &truncate, &array))
    return NULL;
  const Py_ssize_t needed =
      (Py_ssize_t)cuseq_model_config(model_of(self))->text_length * (Py_ssize_t)sizeof(int32_t);
  if (PyObject_GetBuffer(array, &buffer, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) != 0)
    return NULL;
  if (buffer.len != needed || buffer.itemsize != sizeof(int32_t)) {
    PyBuffer_Release(&buffer);
    PyErr_SetString(extension_of(self)->errors[WRONG_VALUE], "ids: wrong size");
    return NULL;
  }
  const cuseq_status status =
      cuseq_text_encode(model_of(self), text, truncate, buffer.buf, &length, &characters);
  PyBuffer_Release(&buffer);
  if (status != CUSEQ_STATUS_OK)
    return raise_status(extension_of(self), status);
  return Py_BuildValue("(ii)", (int)length, (int)characters);
}

/* decode_tokens(tokens) -> str; tokens: int32 buffer */
static PyObject *decode_tokens(PyObject *self, PyObject *array) {
  struct arrays arrays = {.extension = extension_of(self), .device = -1, .device_name = "host memory"};
  struct view view;
  PyObject *text = NULL;
  if (!arrays_take(&arrays, array, "tokens", &view)) {
    arrays_release(&arrays);
    return NULL;
  }
  if (view.type != 'i' || view.rank != 1 || view.shape[0] > INT32_MAX) {
    PyErr_SetString(extension_of(self)->errors[WRONG_TYPE], "tokens: needed [tokens] of int32");
  } else {
    const int64_t count = view.shape[0];
    const size_t capacity = (size_t)cuseq_model_config(model_of(self))->output_bytes * (size_t)count + 1;
    char *room = malloc(capacity);
    if (!room)
      PyErr_NoMemory();
    else if (cuseq_text_decode(model_of(self), view.data, (int32_t)count, room, capacity) != CUSEQ_STATUS_OK)
      raise_status(extension_of(self), CUSEQ_STATUS_INVALID_ARGUMENT);
    else
      text = PyUnicode_FromString(room);
    free(room);
  }
  arrays_release(&arrays);
  return text;
}

/* text_tokens(text, capacity) -> list[int] */
static PyObject *text_tokens(PyObject *self, PyObject *arguments) {
  const char *text;
  int capacity;
  int32_t count = 0;
  if (!PyArg_ParseTuple(arguments, "si", &text, &capacity))
    return NULL;
  int32_t *tokens = malloc((capacity > 0 ? (size_t)capacity : 1) * sizeof *tokens);
  if (!tokens)
    return PyErr_NoMemory();
  const cuseq_status status = cuseq_text_tokens(model_of(self), text, tokens, capacity, &count);
  PyObject *list = status == CUSEQ_STATUS_OK ? PyList_New(count) : raise_status(extension_of(self), status);
  for (int32_t i = 0; list && i < count; i++)
    if (PyList_SetItem(list, i, PyLong_FromLong(tokens[i])) != 0)
      Py_CLEAR(list);
  free(tokens);
  return list;
}

static PyObject *symbol(const char *text) {
  if (!text)
    Py_RETURN_NONE;
  return PyUnicode_FromString(text);
}

static PyObject *input_symbol(PyObject *self, PyObject *id) {
  const long number = PyLong_AsLong(id);
  if (number == -1 && PyErr_Occurred())
    return NULL;
  return symbol(cuseq_model_input_symbol(model_of(self), (int32_t)number));
}

static PyObject *output_symbol(PyObject *self, PyObject *id) {
  const long number = PyLong_AsLong(id);
  if (number == -1 && PyErr_Occurred())
    return NULL;
  return symbol(cuseq_model_output_symbol(model_of(self), (int32_t)number));
}

static PyMethodDef methods[] = {
    {"load", load, METH_O | METH_CLASS, "load(path) -> Model"},
    {"load_bytes", load_bytes, METH_O | METH_CLASS, "load_bytes(bytes) -> Model"},
    {"create", create, METH_VARARGS | METH_CLASS, "create(config_json, tensors) -> Model"},
    {"save", save, METH_O, "save(path)"},
    {"tensors", tensors, METH_NOARGS, "tensors() -> list[(name, shape, bytes)]"},
    {"tolerance", tolerance, METH_VARARGS, "tolerance(time, steps, result) -> float"},
    {"encode_text", encode_text, METH_VARARGS, "encode_text(text, truncate, ids) -> (positions, characters)"},
    {"decode_tokens", decode_tokens, METH_O, "decode_tokens(tokens) -> str"},
    {"text_tokens", text_tokens, METH_VARARGS, "text_tokens(text, capacity) -> list[int]"},
    {"input_symbol", input_symbol, METH_O, "input_symbol(id) -> str | None"},
    {"output_symbol", output_symbol, METH_O, "output_symbol(id) -> str | None"},
    {"heads", model_heads, METH_NOARGS, "heads() -> list[(name, offset, units, activation, labels)]"},
    {"text_spans", model_text_spans, METH_O, "text_spans(text) -> list[(begin, end)], in bytes"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"config_json", config_json, NULL, "The configuration, as JSON.", NULL},
    {"sizes", sizes, NULL, "Widths and counts by their names in cuseq.h.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, model_free},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {Py_tp_doc, "An immutable model. Thread-safe."},
    {0, NULL},
};

PyType_Spec model_spec = {
    .name = "cuseq._cuseq.Model",
    .basicsize = sizeof(ModelObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
