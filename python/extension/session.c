#include "arguments.h"
#include "call.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static const cuseq_model *model_of(const SessionObject *self) {
  return ((ModelObject *)self->model)->model;
}

/* The address of a CUDA stream: a number; or of an object that has __cuda_stream__(), or a number as cuda_stream
 * (PyTorch), ptr (CuPy) or handle. */
static bool stream_read(PyObject *given, void **stream) {
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
    PyErr_Format(PyExc_TypeError,
                 "stream: no CUDA stream (found %R, needed its address, or a stream of PyTorch or CuPy; 1 is "
                 "the legacy "
                 "default stream)",
                 given);
  return false;
}

/* What a session keeps of how it was opened. */
static void opened(SessionObject *self, const cuseq_session_options *options, cuseq_session *session) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const char *device = cuseq_session_device(session);
  self->session = session;
  self->forks = forks_seen();
  self->device = strncmp(device, "cuda:", 5) == 0 ? (int)strtol(device + 5, NULL, 10) : -1;
  self->max_batch = options->max_batch;
  self->max_time = options->max_time;
  self->max_steps = options->max_steps > 0 ? options->max_steps : config->steps;
  self->max_beams = options->max_beams > 0 ? options->max_beams : 1;
}

static PyObject *session_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"model",   "device",          "max_batch", "max_time", "max_steps", "max_beams",
                          "threads", "allow_nonfinite", "cuda_plan", "stream",   NULL};
  struct extension *extension = PyType_GetModuleState(type);
  PyObject *model, *stream = NULL;
  const char *device = NULL, *plan = NULL;
  int batch = 1, time = 0, steps = 0, beams = 1, threads = 0, nonfinite = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!|ziiiiipzO", names, extension->model_type, &model,
                                   &device, &batch, &time, &steps, &beams, &threads, &nonfinite, &plan,
                                   &stream))
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
  if (!stream_read(stream, &options.stream))
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
  status = cuseq_session_open(model_of(self), &options, &session);
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
    PyErr_SetString(PyExc_RuntimeError, "the session is in use by another thread");
    return NULL;
  }
  call_close(self);
  Py_RETURN_NONE;
}

/* ---- calls ---- */

/* What is encoded, for the sizes of results; where nothing is, the library says so. */
static int64_t encoded_batch(const SessionObject *self) {
  return self->encoded_batch > 0 ? self->encoded_batch : 1;
}

static int64_t encoded_time(const SessionObject *self) {
  return self->encoded_batch > 0 ? self->encoded_time : 1;
}

/* How many multiplications a call is, about: each weight once for each position and each step, and the attention. */
static double work_of(const SessionObject *self, int64_t batch, int64_t time, int64_t steps) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const double rows = (double)batch, attends = (double)config->context_width + config->additive_units;
  const double positions = (double)(time > 0 ? time : encoded_time(self));
  return rows * ((double)(time + steps) * ((ModelObject *)self->model)->parameters +
                 positions * (double)steps * attends);
}

static bool input_read(SessionObject *self, struct call *call, const struct given *given) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  struct arrays *arrays = &call->arrays;
  cuseq_input *input = &call->input;
  if (!arrays_read_input(arrays, given->data, config->features, input, &call->input_on_device))
    return false;
  const int64_t batch = input->batch, width = config->encoder_state_width;
  return arrays_read(arrays, given->lengths, "lengths", 'i', 1, &batch, (const void **)&input->lengths) &&
         arrays_read_states(arrays, given->encoder_h, "encoder_h", batch, width,
                            (const void **)&input->initial_h) &&
         arrays_read_states(arrays, given->encoder_c, "encoder_c", batch, width,
                            (const void **)&input->initial_c);
}

/* The rows that are decoded: those named, else the encoded ones. */
static bool rows_read(struct call *call, PyObject *rows, int64_t *batch) {
  struct view view;
  if (!rows || rows == Py_None)
    return true;
  if (!arrays_take(&call->arrays, rows, "rows", &view))
    return false;
  if (view.type != 'i' || view.rank != 1 || view.shape[0] < 1 || view.shape[0] > INT32_MAX) {
    PyErr_SetString(PyExc_TypeError, "rows: needed [rows] of int32, one at least");
    return false;
  }
  *batch = view.shape[0];
  call->decoding.rows = view.data;
  call->decoding.batch = (int32_t)view.shape[0];
  return true;
}

static bool decoding_read(SessionObject *self, struct call *call, const struct given *given, int64_t batch,
                          int64_t time, struct sizes *sizes) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  cuseq_decoding *decoding = &call->decoding;
  struct arrays *arrays = &call->arrays;
  int asked;
  if (!arguments_steps(given, &asked) || !rows_read(call, given->rows, &batch))
    return false;
  const int64_t steps = asked > 0             ? asked
                        : config->has_decoder ? config->steps
                        : config->is_tagger   ? time
                                              : 1;
  const int64_t width = config->has_decoder ? config->decoder_state_width : config->state_units;
  const int64_t states[] = {batch, width}, fed[] = {batch, config->fed_width}, tokens[] = {batch, steps};
  decoding->steps = asked;
  *sizes = (struct sizes){config, batch, time, steps, 0};
  call->work = work_of(self, batch, call->kind == CALL_RUN ? time : 0, steps);
  return arrays_read(arrays, given->initial_h, "initial_h", 'f', 2, states,
                     (const void **)&decoding->initial_h) &&
         arrays_read(arrays, given->initial_c, "initial_c", 'f', 2, states,
                     (const void **)&decoding->initial_c) &&
         arrays_read(arrays, given->initial_fed, "initial_fed", 'f', 2, fed,
                     (const void **)&decoding->initial_fed) &&
         arrays_read(arrays, given->previous, "previous", 'i', 1, &batch,
                     (const void **)&decoding->previous) &&
         arrays_read(arrays, given->targets, "targets", 'i', 2, tokens, (const void **)&decoding->targets) &&
         arrays_read(arrays, given->target_lengths, "target_lengths", 'i', 1, &batch,
                     (const void **)&decoding->target_lengths);
}

static bool wanted_of(const struct extension *extension, const struct given *given, unsigned groups,
                      struct wanted *wanted) {
  *wanted = (struct wanted){.names = given->wanted, .out = given->out, .groups = groups};
  return wanted_read(extension, wanted, given->results);
}

/* run(data, ...) -> dict: encodes and decodes */
static PyObject *session_run(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                             PyObject *keywords) {
  static const struct parameters parameters = {
      "run",
      1,
      14,
      {PARAMETER(data), PARAMETER(lengths), PARAMETER(steps), PARAMETER(wanted), PARAMETER(encoder_h),
       PARAMETER(encoder_c), PARAMETER(initial_h), PARAMETER(initial_c), PARAMETER(initial_fed),
       PARAMETER(previous), PARAMETER(targets), PARAMETER(target_lengths), PARAMETER(out),
       PARAMETER(results)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  struct sizes sizes;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_ENCODING | 1u << GROUP_DECODING, &wanted) ||
      !(call = call_begin(self, CALL_RUN)))
    return NULL;
  if (input_read(self, call, &given) &&
      decoding_read(self, call, &given, call->input.batch, call->input.time, &sizes) &&
      results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}

/* encode(data, ...) -> dict */
static PyObject *session_encode(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *keywords) {
  static const struct parameters parameters = {"encode",
                                               1,
                                               7,
                                               {PARAMETER(data), PARAMETER(lengths), PARAMETER(wanted),
                                                PARAMETER(encoder_h), PARAMETER(encoder_c), PARAMETER(out),
                                                PARAMETER(results)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_ENCODING, &wanted) || !(call = call_begin(self, CALL_ENCODE)))
    return NULL;
  if (input_read(self, call, &given)) {
    const struct sizes sizes = {cuseq_model_config(model_of(self)), call->input.batch, call->input.time, 1,
                                0};
    call->work = work_of(self, sizes.batch, sizes.time, 0);
    if (results_make(self, call, &wanted, &sizes))
      call_perform(self, call);
  }
  return call_end(self, call);
}

/* decode(...) -> dict */
static PyObject *session_decode(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *keywords) {
  static const struct parameters parameters = {
      "decode",
      0,
      11,
      {PARAMETER(steps), PARAMETER(wanted), PARAMETER(rows), PARAMETER(initial_h), PARAMETER(initial_c),
       PARAMETER(initial_fed), PARAMETER(previous), PARAMETER(targets), PARAMETER(target_lengths),
       PARAMETER(out), PARAMETER(results)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  struct sizes sizes;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_DECODING, &wanted) || !(call = call_begin(self, CALL_DECODE)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  if (decoding_read(self, call, &given, encoded_batch(self), encoded_time(self), &sizes) &&
      results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}

/* attend(state=None, ...) -> dict of context and alphas */
static PyObject *session_attend(PyObject *object, PyObject *const *arguments, Py_ssize_t count,
                                PyObject *keywords) {
  static const struct parameters parameters = {
      "attend", 0, 4, {PARAMETER(state), PARAMETER(wanted), PARAMETER(out), PARAMETER(results)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_ATTENTION, &wanted) || !(call = call_begin(self, CALL_ATTEND)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const struct sizes sizes = {config, encoded_batch(self), encoded_time(self), 1, 0};
  const int64_t shape[] = {sizes.batch, config->query_width};
  call->work = work_of(self, sizes.batch, 0, 1);
  if (arrays_read(&call->arrays, given.state, "state", 'f', 2, shape, (const void **)&call->state) &&
      results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}

static bool beam_read(SessionObject *self, struct call *call, const struct given *given) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const int64_t batch = encoded_batch(self);
  const int64_t states[] = {batch, config->decoder_state_width}, fed[] = {batch, config->fed_width};
  struct arrays *arrays = &call->arrays;
  cuseq_beam *beam = &call->beam;
  return arrays_read(arrays, given->initial_h, "initial_h", 'f', 2, states,
                     (const void **)&beam->initial_h) &&
         arrays_read(arrays, given->initial_c, "initial_c", 'f', 2, states,
                     (const void **)&beam->initial_c) &&
         arrays_read(arrays, given->initial_fed, "initial_fed", 'f', 2, fed,
                     (const void **)&beam->initial_fed) &&
         arrays_read(arrays, given->previous, "previous", 'i', 1, &batch, (const void **)&beam->previous);
}

/* search(beams, n_best, ...) -> dict, of what was encoded */
static PyObject *session_search(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"beams",          "n_best",    "min_length", "max_length",
                          "length_penalty", "alpha",     "finished",   "prune_by_score",
                          "wanted",         "initial_h", "initial_c",  "initial_fed",
                          "previous",       "out",       "results",    NULL};
  SessionObject *self = (SessionObject *)object;
  struct given g = {0};
  struct wanted wanted;
  float alpha = 1;
  int beams = 1, best = 1, least = 0, most = 0, penalty = CUSEQ_LENGTH_PENALTY_NONE,
      finished = CUSEQ_FINISHED_KEEPS, prune = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|iiiiifipOOOOOO!O", names, &beams, &best, &least,
                                   &most, &penalty, &alpha, &finished, &prune, &g.wanted, &g.initial_h,
                                   &g.initial_c, &g.initial_fed, &g.previous, &PyDict_Type, &g.out,
                                   &g.results))
    return NULL;
  struct call *call;
  if (!wanted_of(extension_of(object), &g, 1u << GROUP_BEAM, &wanted) || !(call = call_begin(self, CALL_SEARCH)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  cuseq_beam *beam = &call->beam;
  cuseq_beam_init(beam, sizeof *beam);
  beam->beams = beams, beam->n_best = best, beam->min_length = least, beam->max_length = most;
  beam->length_penalty = (cuseq_length_penalty)penalty, beam->finished = (cuseq_finished)finished;
  beam->prune_by_score = prune;
  beam->alpha = alpha;
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const struct sizes sizes = {config, encoded_batch(self), encoded_time(self),
                              most > 0 ? most : config->steps, best > 0 ? best : 1};
  call->work = work_of(self, sizes.batch * (beams > 0 ? beams : 1), 0, sizes.steps);
  if (beam_read(self, call, &g) && results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
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
    {"close", session_close, METH_NOARGS, "Closes the session; what is called afterwards is an error."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"device", session_device, NULL, "The device's name; None once closed.", NULL},
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
