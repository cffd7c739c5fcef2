#include "arguments.h"
#include "call.h"

static struct extension *state_of(PyObject *module) {
  return PyModule_GetState(module);
}

struct extension *extension_of(PyObject *object) {
  return PyType_GetModuleState(Py_TYPE(object));
}

static PyObject *version(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return PyUnicode_FromString(cuseq_version());
}

/* [(name, description), ...] */
static PyObject *devices(PyObject *module, PyObject *unused) {
  (void)unused;
  PyObject *list = PyList_New(0);
  const int32_t count = cuseq_device_count();
  for (int32_t i = 0; list && i < count; i++) {
    cuseq_device device = CUSEQ_DEVICE_INIT;
    const cuseq_status status = cuseq_device_get(i, &device);
    if (status != CUSEQ_STATUS_OK) {
      Py_DECREF(list);
      return raise_status(state_of(module), status);
    }
    PyObject *entry = Py_BuildValue("(ss)", device.name, device.description);
    if (!entry || PyList_Append(list, entry) != 0)
      Py_CLEAR(list);
    Py_XDECREF(entry);
  }
  return list;
}

static PyMethodDef methods[] = {
    {"version", version, METH_NOARGS, "version() -> str\n\nThe library's version."},
    {"devices", devices, METH_NOARGS, "devices() -> list[tuple[str, str]]\n\nNames and descriptions."},
    {NULL, NULL, 0, NULL},
};

static int import_errors(struct extension *extension) {
  static const char *const names[ERRORS] = {"Error",     "ArgumentError", "FileError", "ModelError",
                                            "ReadError", "MemoryFull",    "NoDevice",  "NotSupported",
                                            "NonFinite", "DeviceFailed",  "WrongType", "SessionError"};
  PyObject *errors = PyImport_ImportModule("cuseq.errors");
  for (int i = 0; errors && i < ERRORS; i++)
    if (!(extension->errors[i] = PyObject_GetAttrString(errors, names[i])))
      Py_CLEAR(errors);
  Py_XDECREF(errors);
  return errors ? 0 : -1;
}

static int import_numpy(struct extension *extension) {
  PyObject *numpy = PyImport_ImportModule("numpy");
  if (!numpy)
    return -1;
  PyObject *dtype = PyObject_GetAttrString(numpy, "dtype");
  extension->empty = PyObject_GetAttrString(numpy, "empty");
  extension->asarray = PyObject_GetAttrString(numpy, "asarray");
  extension->ndarray = PyObject_GetAttrString(numpy, "ndarray");
  if (dtype) {
    extension->float32 = PyObject_CallFunction(dtype, "s", "float32");
    extension->int32 = PyObject_CallFunction(dtype, "s", "int32");
  }
  Py_XDECREF(dtype);
  Py_DECREF(numpy);
  if (!extension->empty || !extension->asarray || !extension->ndarray || !extension->float32 ||
      !extension->int32)
    return -1;
  extension->knows_address = arrays_address_is_known(extension);
  return 0;
}

static int make_type(PyObject *module, PyType_Spec *spec, const char *name, PyObject **type) {
  *type = PyType_FromModuleAndSpec(module, spec, NULL);
  return *type ? PyModule_AddObjectRef(module, name, *type) : -1;
}

/* numpy works in the main interpreter alone, and another library's array may come back from any thread, which
 * finds the main interpreter's lock only. */
static int refuse_others(void) {
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0)
    return 0;
  PyErr_SetString(PyExc_ImportError,
                  "cuseq: a sub-interpreter (needed the main one: numpy works there alone)");
  return -1;
}

static int execute(PyObject *module) {
  struct extension *extension = state_of(module);
  if (refuse_others() != 0)
    return -1;
  if (import_errors(extension) != 0 || import_numpy(extension) != 0)
    return -1;
  forks_count();
  if (results_intern(extension) != 0 || arguments_intern(extension) != 0 ||
      make_type(module, &model_spec, "Model", &extension->model_type) != 0 ||
      make_type(module, &tensor_spec, "Tensor", &extension->tensor_type) != 0)
    return -1;
  return make_type(module, &session_spec, "Session", &extension->session_type);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
  struct extension *extension = state_of(module);
  for (int i = 0; i < ERRORS; i++)
    Py_VISIT(extension->errors[i]);
  for (int i = 0; i < RESULTS_MOST; i++)
    Py_VISIT(extension->names[i]);
  for (int i = 0; i < PARAMETERS_MOST; i++)
    Py_VISIT(extension->parameters[i]);
  Py_VISIT(extension->empty);
  Py_VISIT(extension->asarray);
  Py_VISIT(extension->ndarray);
  Py_VISIT(extension->float32);
  Py_VISIT(extension->int32);
  Py_VISIT(extension->model_type);
  Py_VISIT(extension->session_type);
  Py_VISIT(extension->tensor_type);
  return 0;
}

static int clear(PyObject *module) {
  struct extension *extension = state_of(module);
  for (int i = 0; i < ERRORS; i++)
    Py_CLEAR(extension->errors[i]);
  for (int i = 0; i < RESULTS_MOST; i++)
    Py_CLEAR(extension->names[i]);
  for (int i = 0; i < PARAMETERS_MOST; i++)
    Py_CLEAR(extension->parameters[i]);
  Py_CLEAR(extension->empty);
  Py_CLEAR(extension->asarray);
  Py_CLEAR(extension->ndarray);
  Py_CLEAR(extension->float32);
  Py_CLEAR(extension->int32);
  Py_CLEAR(extension->model_type);
  Py_CLEAR(extension->session_type);
  Py_CLEAR(extension->tensor_type);
  return 0;
}

static void release(void *module) {
  clear(module);
}

/* Slots that came after the version whose stable ABI this is: their numbers, what they say, and since
 * when. */
enum { MULTIPLE_INTERPRETERS = 3, FROM_3_12 = 0x030C0000, GIL = 4, FROM_3_13 = 0x030D0000 };

static PyModuleDef_Slot slots[4] = {{Py_mod_exec, execute}};

/* Says that sub-interpreters are not supported and that the GIL is used, to those who know these words. */
static void slots_fill(void) {
  PyObject *number = PySys_GetObject("hexversion"); /* borrowed */
  const long version = number ? PyLong_AsLong(number) : 0;
  int count = 1;
  if (version >= FROM_3_12)
    slots[count++] = (PyModuleDef_Slot){MULTIPLE_INTERPRETERS, NULL};
  if (version >= FROM_3_13)
    slots[count++] = (PyModuleDef_Slot){GIL, NULL};
  slots[count] = (PyModuleDef_Slot){0, NULL};
}

struct PyModuleDef extension_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_cuseq",
    .m_doc = "Models and sessions of libcuseq; the package cuseq is what to import.",
    .m_size = sizeof(struct extension),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__cuseq(void) {
  slots_fill();
  return PyModuleDef_Init(&extension_module);
}
