#include "session.h"

#include "call.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

/* The address of a CUDA stream: a number; or of an object that has __cuda_stream__(), or a number as
 * cuda_stream (PyTorch), ptr (CuPy) or handle. */
static bool stream_read(const struct extension *extension, PyObject *given, void **stream) {
  static const char *const names[] = {"cuda_stream", "ptr", "handle"};
  *stream = NULL;
  if (!given || given == Py_None)
    return true;
  PyObject *number = PyLong_Check(given) ? Py_NewRef(given) : NULL;
  if (!number && PyObject_HasAttrString(given, "__cuda_stream__")) {
    PyObject *pair = PyObject_CallMethod(given, "__cuda_stream__", NULL);
    number = pair ? PySequence_GetItem(pair, 1) : NULL;
    Py_XDECREF(pair);
  }
  for (int i = 0; i < 3 && !number && !PyErr_Occurred(); i++)
    if (PyObject_HasAttrString(given, names[i]))
      number = PyObject_GetAttrString(given, names[i]);
  const unsigned long long address = number && PyLong_Check(number) ? PyLong_AsUnsignedLongLong(number) : 0;
  Py_XDECREF(number);
  *stream = (void *)(uintptr_t)address;
  if (address != 0 && !PyErr_Occurred())
    return true;
  if (!PyErr_Occurred())
    PyErr_Format(extension->errors[WRONG_TYPE],
                 "stream: no CUDA stream (found %R, needed its address, or a stream of PyTorch or CuPy; 1 is "
                 "the legacy "
                 "default stream)",
                 given);
  return false;
}

/* What a session keeps of how it was opened. */
static void opened(SessionObject *self, const cuseq_session_options *options, cuseq_session *session) {
  const cuseq_config *config = cuseq_model_config(session_model(self));
  const char *device = cuseq_session_device(session);
  self->session = session;
  self->forks = forks_seen();
  self->device = strncmp(device, "cuda:", 5) == 0 ? (int)strtol(device + 5, NULL, 10) : -1;
  self->max_batch = options->max_batch;
  self->max_time = options->max_time;
  self->max_steps = options->max_steps > 0 ? options->max_steps : config->steps;
  self->max_beams = options->max_beams > 0 ? options->max_beams : 1;
  self->captures = options->capture != 0;
}

static PyObject *session_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"model",   "device",          "max_batch", "max_time", "max_steps", "max_beams",
                          "threads", "allow_nonfinite", "cuda_plan", "stream",   "precision", "capture",
                          NULL};
  struct extension *extension = PyType_GetModuleState(type);
  PyObject *model, *stream = NULL;
  const char *device = NULL, *plan = NULL, *precision = "float32";
  int batch = 1, time = 0, steps = 0, beams = 1, threads = 0, nonfinite = 0, capture = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!|ziiiiipzOsp", names, extension->model_type,
                                   &model, &device, &batch, &time, &steps, &beams, &threads, &nonfinite,
                                   &plan, &stream, &precision, &capture))
    return NULL;
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, ((ModelObject *)model)->model);
  options.device = device;
  options.max_batch = batch;
  options.max_time = time > 0 ? time : options.max_time;
  options.max_steps = steps;
  options.max_beams = beams;
  options.threads = threads;
  options.allow_nonfinite = nonfinite;
  options.cuda_plan = plan;
  options.capture = capture;
  if (!stream_read(extension, stream, &options.stream) ||
      !precision_read(extension, precision, &options.precision))
    return NULL;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  SessionObject *self = (SessionObject *)allocate(type, 0);
  if (!self)
    return NULL;
  self->model = Py_NewRef(model);
  if (!(self->call = calloc(1, sizeof *self->call))) {
    Py_DECREF(self);
    return PyErr_NoMemory();
  }
  cuseq_session *session;
  cuseq_status status;
  PyThreadState *thread = PyEval_SaveThread();
  status = cuseq_session_open(session_model(self), &options, &session);
  PyEval_RestoreThread(thread);
  if (status != CUSEQ_STATUS_OK) {
    raise_status(extension, status);
    Py_DECREF(self);
    return NULL;
  }
  opened(self, &options, session);
  return (PyObject *)self;
}

static void session_free(PyObject *object) {
  SessionObject *self = (SessionObject *)object;
  PyTypeObject *type = Py_TYPE(object);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  if (self->session)
    call_close(self);
  else
    free(self->call);
  for (int i = 0; i < RESULTS_MOST; i++)
    Py_XDECREF(self->shapes[i].tuple);
  Py_XDECREF(self->model);
  release(object);
  Py_DECREF(type);
}

static PyObject *session_close(PyObject *object, PyObject *unused) {
  (void)unused;
  SessionObject *self = (SessionObject *)object;
  if (!self->session)
    Py_RETURN_NONE;
  if (call_runs(self) && !call_is_given_up(self)) {
    PyErr_SetString(extension_of(object)->errors[WRONG_SESSION], "the session is in use by another thread");
    return NULL;
  }
  call_close(self);
  Py_RETURN_NONE;
}

/* synchronize(): waits for the session's work, and raises what of it failed. */
static PyObject *session_synchronize(PyObject *object, PyObject *unused) {
  (void)unused;
  SessionObject *self = (SessionObject *)object;
  struct extension *extension = extension_of(object);
  if (!self->session || self->forks != forks_seen() || call_runs(self)) {
    PyErr_SetString(extension->errors[WRONG_SESSION],
                    !self->session ? "the session is closed"
                    : self->busy   ? "the session is in use by another thread"
                                   : "the session was opened before a fork: open another in this process");
    return NULL;
  }
  cuseq_session *session = self->session;
  cuseq_status status;
  self->busy = true;
  PyThreadState *thread = PyEval_SaveThread();
  status = cuseq_session_synchronize(session);
  PyEval_RestoreThread(thread);
  self->busy = false;
  if (status != CUSEQ_STATUS_OK)
    return raise_status(extension, status);
  Py_RETURN_NONE;
}

/* ---- what a session is ---- */

static PyObject *session_device(PyObject *object, void *unused) {
  (void)unused;
  const SessionObject *self = (SessionObject *)object;
  if (!self->session)
    Py_RETURN_NONE;
  return PyUnicode_FromString(cuseq_session_device(self->session));
}

/* Whether a call runs: of another thread, or one that was interrupted. */
static PyObject *session_busy(PyObject *object, void *unused) {
  (void)unused;
  return PyBool_FromLong(call_runs((SessionObject *)object));
}

/* The address of the CUDA stream; None where there is none. */
static PyObject *session_stream(PyObject *object, void *unused) {
  (void)unused;
  const SessionObject *self = (SessionObject *)object;
  void *stream = self->session ? cuseq_session_stream(self->session) : NULL;
  if (!stream)
    Py_RETURN_NONE;
  return PyLong_FromVoidPtr(stream);
}

static PyObject *session_precision(PyObject *object, void *unused) {
  (void)unused;
  const SessionObject *self = (SessionObject *)object;
  if (!self->session)
    Py_RETURN_NONE;
  return PyUnicode_FromString(cuseq_precision_name(cuseq_session_precision(self->session)));
}

static PyObject *session_closed(PyObject *object, void *unused) {
  (void)unused;
  return PyBool_FromLong(!((SessionObject *)object)->session);
}

/* (max_batch, max_time, max_steps, max_beams) */
static PyObject *session_limits(PyObject *object, void *unused) {
  (void)unused;
  const SessionObject *self = (SessionObject *)object;
  return Py_BuildValue("(iiii)", (int)self->max_batch, (int)self->max_time, (int)self->max_steps,
                       (int)self->max_beams);
}

/* holds(batch, time, steps, beams) -> bool: whether the limits are as large */
static PyObject *session_holds(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
  const SessionObject *self = (SessionObject *)object;
  const int32_t limits[] = {self->max_batch, self->max_time, self->max_steps, self->max_beams};
  bool holds = count == 4;
  for (int i = 0; holds && i < 4; i++)
    holds = PyLong_AsLong(arguments[i]) <= limits[i];
  return PyErr_Occurred() ? NULL : PyBool_FromLong(holds);
}

static PyMethodDef methods[] = {
    {"holds", (PyCFunction)(void (*)(void))session_holds, METH_FASTCALL,
     "holds(batch, time, steps, beams) -> bool: whether the limits are as large."},
    {"run", (PyCFunction)(void (*)(void))session_run, METH_FASTCALL | METH_KEYWORDS, "Encodes and decodes."},
    {"encode", (PyCFunction)(void (*)(void))session_encode, METH_FASTCALL | METH_KEYWORDS, "Encodes."},
    {"decode", (PyCFunction)(void (*)(void))session_decode, METH_FASTCALL | METH_KEYWORDS,
     "Decodes what was encoded."},
    {"attend", (PyCFunction)(void (*)(void))session_attend, METH_FASTCALL | METH_KEYWORDS,
     "One attention step over what was encoded."},
    {"search", (PyCFunction)(void (*)(void))session_search, METH_VARARGS | METH_KEYWORDS,
     "A beam search over what was encoded."},
    {"synchronize", session_synchronize, METH_NOARGS,
     "Waits for the session's work, and raises what of it failed; for sessions that capture."},
    {"close", session_close, METH_NOARGS, "Closes the session; what is called afterwards is an error."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"device", session_device, NULL, "The device's name; None once closed.", NULL},
    {"precision", session_precision, NULL, "\"float32\", \"tf32\" or \"bf16\"; None once closed.", NULL},
    {"closed", session_closed, NULL, "Whether it was closed.", NULL},
    {"busy", session_busy, NULL, "Whether a call runs, of another thread or one that was interrupted.", NULL},
    {"stream", session_stream, NULL,
     "The address of the CUDA stream that calls are queued on; None elsewhere.", NULL},
    {"limits", session_limits, NULL, "(max_batch, max_time, max_steps, max_beams)", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, session_new},
    {Py_tp_dealloc, session_free},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {Py_tp_doc, "A model on a device, with memory for calls up to its limits. One thread at a time."},
    {0, NULL},
};

PyType_Spec session_spec = {
    .name = "cuseq._cuseq.Session",
    .basicsize = sizeof(SessionObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
