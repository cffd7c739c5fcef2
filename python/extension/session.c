#include "extension.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* ---- results: which arrays there are, and their shapes ---- */

enum result_group { GROUP_ENCODING, GROUP_DECODING, GROUP_BEAM };

/* axes: B batch, T positions, Y steps, N results of a search, and widths of cuseq_config: A annotation, H forward and G
 * backward units, E all encoder states of all rows, C context, S state, D decoder states, X fed, V outputs, K heads where there are
 * several. An array one of whose widths is 0 is not there. */
struct result {
  const char *name;
  enum result_group group;
  size_t offset;
  char type;
  const char *axes;
};

#define ENCODING(member) GROUP_ENCODING, offsetof(cuseq_encoding, member)
#define DECODING(member) GROUP_DECODING, offsetof(cuseq_decoding, member)
#define BEAM(member) GROUP_BEAM, offsetof(cuseq_beam, member)

static const struct result results[] = {
    {"annotations", ENCODING(annotations), 'f', "BTA"},
    {"h_fw", ENCODING(h_fw), 'f', "BH"},
    {"c_fw", ENCODING(c_fw), 'f', "BH"},
    {"h_bw", ENCODING(h_bw), 'f', "BG"},
    {"c_bw", ENCODING(c_bw), 'f', "BG"},
    {"encoder_h", ENCODING(final_h), 'f', "E"},
    {"encoder_c", ENCODING(final_c), 'f', "E"},
    {"context", DECODING(contexts), 'f', "BYC"},
    {"alphas", DECODING(alphas), 'f', "BYT"},
    {"states", DECODING(states), 'f', "BYS"},
    {"outputs", DECODING(outputs), 'f', "BYV"},
    {"log_probabilities", DECODING(log_probabilities), 'f', "BY"},
    {"tokens", DECODING(tokens), 'i', "BYK"},
    {"output_lengths", DECODING(output_lengths), 'i', "B"},
    {"final_h", DECODING(final_h), 'f', "BD"},
    {"final_c", DECODING(final_c), 'f', "BD"},
    {"final_fed", DECODING(final_fed), 'f', "BX"},
    {"tokens", BEAM(tokens), 'i', "BNY"},
    {"lengths", BEAM(lengths), 'i', "BN"},
    {"scores", BEAM(scores), 'f', "BN"},
    {"log_probabilities", BEAM(log_probabilities), 'f', "BN"},
    {"alphas", BEAM(alphas), 'f', "BNYT"},
};

enum { RESULTS = sizeof results / sizeof *results };

/* The sizes of a call. */
struct sizes {
  const cuseq_config *config;
  int64_t batch, time, steps, best;
};

/* The size of an axis; 0: there is none such, -1: it is left out. */
static int64_t axis_size(const struct sizes *sizes, char axis) {
  const cuseq_config *c = sizes->config;
  switch (axis) {
  case 'B':
    return sizes->batch;
  case 'T':
    return sizes->time;
  case 'Y':
    return c->has_decoder || c->is_tagger ? sizes->steps : -1;
  case 'N':
    return sizes->best;
  case 'A':
    return c->annotation_width;
  case 'H':
    return c->direction == CUSEQ_DIRECTION_BIDIRECTIONAL || c->backward_units == 0 ? c->units : 0;
  case 'G':
    return c->backward_units;
  case 'E':
    return c->encoder_state_width * sizes->batch;
  case 'C':
    return c->context_width;
  case 'S':
    return c->has_decoder ? c->state_units : 0;
  case 'D':
    return c->decoder_state_width;
  case 'X':
    return c->fed_width;
  case 'V':
    return c->outputs;
  case 'K':
    return c->heads > 1 ? c->heads : c->heads == 1 ? -1 : 0;
  }
  return 0;
}

/* The shape of a result; rank 0: the model has none such. */
static int shape_of(const struct result *result, const struct sizes *sizes, int64_t shape[4]) {
  int rank = 0;
  if (strcmp(result->name, "alphas") == 0 && sizes->config->context_width == 0)
    return 0;
  for (const char *axis = result->axes; *axis; axis++) {
    const int64_t size = axis_size(sizes, *axis);
    if (size == 0)
      return 0;
    if (size > 0)
      shape[rank++] = size;
  }
  return rank;
}

/* Whether a call gives an array that nobody asks for by its name. */
static bool gives(const struct result *result, const cuseq_config *c) {
  if (strcmp(result->name, "output_lengths") == 0)
    return c->is_tagger || (c->has_decoder && c->end_token >= 0);
  if (strcmp(result->name, "log_probabilities") == 0)
    return result->group == GROUP_BEAM;
  static const char *const seldom[] = {"encoder_h", "encoder_c", "final_h", "final_c", "final_fed"};
  for (int i = 0; i < 5; i++)
    if (strcmp(result->name, seldom[i]) == 0)
      return false;
  return result->group != GROUP_BEAM || strcmp(result->name, "alphas") != 0;
}

/* Which results are wanted, as bits. wanted: None or a sequence of names; those that nobody has are an error. */
static bool wanted_read(PyObject *wanted, unsigned groups, uint32_t *bits) {
  *bits = 0;
  if (!wanted || wanted == Py_None)
    return true;
  const Py_ssize_t count = PySequence_Size(wanted);
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *item = PySequence_GetItem(wanted, i);
    const char *name = item ? PyUnicode_AsUTF8AndSize(item, NULL) : NULL;
    bool known = false;
    for (int r = 0; name && r < RESULTS; r++)
      if (groups >> results[r].group & 1 && strcmp(results[r].name, name) == 0) {
        *bits |= 1u << r;
        known = true;
      }
    if (name && !known)
      PyErr_Format(PyExc_ValueError, "%s: there is no such array", name);
    Py_XDECREF(item);
    if (!known)
      return false;
  }
  return count >= 0;
}

/* Makes the arrays of a group and puts their addresses into its structure. */
static bool results_make(SessionObject *self, struct arrays *arrays, PyObject *out, PyObject *made,
                         PyObject *wanted, uint32_t bits, enum result_group group, const struct sizes *sizes,
                         void *structure) {
  const bool all = !wanted || wanted == Py_None;
  for (int r = 0; r < RESULTS; r++) {
    int64_t shape[4];
    void *pointer;
    const bool asked = bits >> r & 1;
    if (results[r].group != group || !(asked || (all && gives(&results[r], sizes->config))))
      continue;
    const int rank = shape_of(&results[r], sizes, shape);
    if (rank == 0 && asked) {
      PyErr_Format(PyExc_ValueError, "%s: the model has no such array", results[r].name);
      return false;
    }
    if (rank == 0)
      continue;
    if (!arrays_write(arrays, extension_of((PyObject *)self), out, made, results[r].name, results[r].type,
                      rank, shape, &pointer))
      return false;
    memcpy((char *)structure + results[r].offset, &pointer, sizeof pointer);
  }
  return true;
}

/* ---- opening ---- */

static const cuseq_model *model_of(const SessionObject *self) {
  return ((ModelObject *)self->model)->model;
}

static PyObject *session_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"model",     "device",  "max_batch",       "max_time",  "max_steps",
                          "max_beams", "threads", "allow_nonfinite", "cuda_plan", NULL};
  struct extension *extension = PyType_GetModuleState(type);
  PyObject *model;
  const char *device = NULL, *plan = NULL;
  int batch = 1, time = 0, steps = 0, beams = 1, threads = 0, nonfinite = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!|ziiiiipz", names, extension->model_type, &model,
                                   &device, &batch, &time, &steps, &beams, &threads, &nonfinite, &plan))
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
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  SessionObject *self = (SessionObject *)allocate(type, 0);
  if (!self)
    return NULL;
  cuseq_session *session;
  cuseq_status status;
  PyThreadState *thread = PyEval_SaveThread();
  status = cuseq_session_open(((ModelObject *)model)->model, &options, &session);
  PyEval_RestoreThread(thread);
  if (status != CUSEQ_STATUS_OK) {
    Py_DECREF(self);
    return raise_status(extension, status);
  }
  Py_INCREF(model);
  self->model = model;
  self->session = session;
  self->process = getpid();
  const cuseq_config *config = cuseq_model_config(((ModelObject *)model)->model);
  self->max_batch = batch;
  self->max_time = options.max_time;
  self->max_steps = steps > 0 ? steps : config->steps;
  self->max_beams = beams > 0 ? beams : 1;
  return (PyObject *)self;
}

/* After a fork the threads of the session are gone: the child's copy is left as it is. */
static void close_session(SessionObject *self) {
  cuseq_session *session = self->session;
  self->session = NULL;
  if (!session || self->process != getpid())
    return;
  PyThreadState *thread = PyEval_SaveThread();
  cuseq_session_close(session);
  PyEval_RestoreThread(thread);
}

static void session_free(PyObject *object) {
  SessionObject *self = (SessionObject *)object;
  PyTypeObject *type = Py_TYPE(object);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  close_session(self);
  Py_XDECREF(self->model);
  release(object);
  Py_DECREF(type);
}

static PyObject *session_close(PyObject *object, PyObject *unused) {
  (void)unused;
  SessionObject *self = (SessionObject *)object;
  if (self->busy) {
    PyErr_SetString(PyExc_RuntimeError, "the session is in use by another thread");
    return NULL;
  }
  close_session(self);
  Py_RETURN_NONE;
}

/* Begins a call: one at a time, in the process that opened the session. */
static bool call_begin(SessionObject *self) {
  const char *wrong =
      !self->session              ? "the session is closed"
      : self->process != getpid() ? "the session was opened before a fork: open another in this process"
      : self->busy ? "the session is in use by another thread: a session belongs to one at a time"
                   : NULL;
  if (wrong) {
    PyErr_SetString(PyExc_RuntimeError, wrong);
    return false;
  }
  self->busy = true;
  return true;
}

/* Ends it: the results, or the exception of the status. */
static PyObject *call_end(SessionObject *self, struct arrays *arrays, cuseq_status status, PyObject *made) {
  self->busy = false;
  arrays_release(arrays);
  if (status == CUSEQ_STATUS_OK && !PyErr_Occurred())
    return made;
  if (!PyErr_Occurred())
    raise_status(extension_of((PyObject *)self), status);
  Py_XDECREF(made);
  return NULL;
}

/* ---- calls ---- */

struct given {
  PyObject *data, *lengths, *encoder_h, *encoder_c; /* of the input */
  PyObject *rows, *initial_h, *initial_c, *initial_fed, *previous, *targets,
      *target_lengths; /* of a decoding */
  PyObject *wanted, *out;
  int steps;
};

static bool input_read(SessionObject *self, struct arrays *arrays, const struct given *given,
                       cuseq_input *input) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  if (!arrays_read_input(arrays, given->data, config->features, input))
    return false;
  const Py_ssize_t states = (Py_ssize_t)config->encoder_state_width * input->batch;
  return arrays_read(arrays, given->lengths, "lengths", 'i', input->batch, (const void **)&input->lengths) &&
         arrays_read(arrays, given->encoder_h, "encoder_h", 'f', states, (const void **)&input->initial_h) &&
         arrays_read(arrays, given->encoder_c, "encoder_c", 'f', states, (const void **)&input->initial_c);
}

static bool decoding_read(SessionObject *self, struct arrays *arrays, const struct given *given,
                          int64_t batch, int64_t time, cuseq_decoding *decoding, struct sizes *sizes) {
  const cuseq_config *config = cuseq_model_config(model_of(self));
  if (!arrays_read(arrays, given->rows, "rows", 'i', -1, (const void **)&decoding->rows))
    return false;
  if (decoding->rows) {
    batch = arrays->buffers[arrays->count - 1].len / (Py_ssize_t)sizeof(int32_t);
    decoding->batch = (int32_t)batch;
  }
  const int64_t steps = given->steps > 0      ? given->steps
                        : config->has_decoder ? config->steps
                        : config->is_tagger   ? time
                                              : 1;
  const Py_ssize_t B = (Py_ssize_t)batch,
                   S = config->has_decoder ? config->decoder_state_width : config->state_units;
  decoding->steps = given->steps;
  *sizes = (struct sizes){config, batch, time, steps, 0};
  return arrays_read(arrays, given->initial_h, "initial_h", 'f', B * S,
                     (const void **)&decoding->initial_h) &&
         arrays_read(arrays, given->initial_c, "initial_c", 'f', B * S,
                     (const void **)&decoding->initial_c) &&
         arrays_read(arrays, given->initial_fed, "initial_fed", 'f', B * config->fed_width,
                     (const void **)&decoding->initial_fed) &&
         arrays_read(arrays, given->previous, "previous", 'i', B, (const void **)&decoding->previous) &&
         arrays_read(arrays, given->targets, "targets", 'i', B * (Py_ssize_t)steps,
                     (const void **)&decoding->targets) &&
         arrays_read(arrays, given->target_lengths, "target_lengths", 'i', B,
                     (const void **)&decoding->target_lengths);
}

/* run(data, *, ...) -> dict: encodes and decodes */
static PyObject *session_run(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"data",      "lengths",        "steps",     "wanted",      "encoder_h",
                          "encoder_c", "initial_h",      "initial_c", "initial_fed", "previous",
                          "targets",   "target_lengths", "out",       NULL};
  SessionObject *self = (SessionObject *)object;
  struct given g = {0};
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|OiOOOOOOOOOO!", names, &g.data, &g.lengths,
                                   &g.steps, &g.wanted, &g.encoder_h, &g.encoder_c, &g.initial_h,
                                   &g.initial_c, &g.initial_fed, &g.previous, &g.targets, &g.target_lengths,
                                   &PyDict_Type, &g.out))
    return NULL;
  struct arrays arrays = {.count = 0};
  cuseq_input input = CUSEQ_INPUT_INIT;
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = CUSEQ_DECODING_INIT;
  struct sizes sizes;
  uint32_t bits;
  if (!wanted_read(g.wanted, 1u << GROUP_ENCODING | 1u << GROUP_DECODING, &bits) || !call_begin(self))
    return NULL;
  PyObject *made = PyDict_New();
  cuseq_status status = CUSEQ_STATUS_OK;
  self->encoded_batch = 0;
  if (made && input_read(self, &arrays, &g, &input) &&
      decoding_read(self, &arrays, &g, input.batch, input.time, &decoding, &sizes) &&
      results_make(self, &arrays, g.out, made, g.wanted, bits, GROUP_ENCODING, &sizes, &encoding) &&
      results_make(self, &arrays, g.out, made, g.wanted, bits, GROUP_DECODING, &sizes, &decoding)) {
    PyThreadState *thread = PyEval_SaveThread();
    status = cuseq_run(self->session, &input, &encoding, &decoding);
    PyEval_RestoreThread(thread);
    if (status == CUSEQ_STATUS_OK) {
      self->encoded_batch = input.batch;
      self->encoded_time = input.time;
    }
  }
  return call_end(self, &arrays, status, made);
}

/* encode(data, ...) -> dict */
static PyObject *session_encode(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"data", "lengths", "wanted", "encoder_h", "encoder_c", "out", NULL};
  SessionObject *self = (SessionObject *)object;
  struct given g = {0};
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|OOOOO!", names, &g.data, &g.lengths, &g.wanted,
                                   &g.encoder_h, &g.encoder_c, &PyDict_Type, &g.out))
    return NULL;
  struct arrays arrays = {.count = 0};
  cuseq_input input = CUSEQ_INPUT_INIT;
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  uint32_t bits;
  if (!wanted_read(g.wanted, 1u << GROUP_ENCODING, &bits) || !call_begin(self))
    return NULL;
  PyObject *made = PyDict_New();
  cuseq_status status = CUSEQ_STATUS_OK;
  self->encoded_batch = 0;
  if (made && input_read(self, &arrays, &g, &input)) {
    const struct sizes sizes = {cuseq_model_config(model_of(self)), input.batch, input.time, 1, 0};
    if (results_make(self, &arrays, g.out, made, g.wanted, bits, GROUP_ENCODING, &sizes, &encoding)) {
      PyThreadState *thread = PyEval_SaveThread();
      status = cuseq_encode(self->session, &input, &encoding);
      PyEval_RestoreThread(thread);
      if (status == CUSEQ_STATUS_OK) {
        self->encoded_batch = input.batch;
        self->encoded_time = input.time;
      }
    }
  }
  return call_end(self, &arrays, status, made);
}

/* decode(...) -> dict */
static PyObject *session_decode(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"steps",    "wanted",  "rows",           "initial_h", "initial_c", "initial_fed",
                          "previous", "targets", "target_lengths", "out",       NULL};
  SessionObject *self = (SessionObject *)object;
  struct given g = {0};
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|iOOOOOOOOO!", names, &g.steps, &g.wanted, &g.rows,
                                   &g.initial_h, &g.initial_c, &g.initial_fed, &g.previous, &g.targets,
                                   &g.target_lengths, &PyDict_Type, &g.out))
    return NULL;
  struct arrays arrays = {.count = 0};
  cuseq_decoding decoding = CUSEQ_DECODING_INIT;
  struct sizes sizes;
  uint32_t bits;
  if (!wanted_read(g.wanted, 1u << GROUP_DECODING, &bits) || !call_begin(self))
    return NULL;
  PyObject *made = PyDict_New();
  cuseq_status status = CUSEQ_STATUS_OK;
  const int32_t batch = self->encoded_batch > 0 ? self->encoded_batch : 1;
  const int32_t time = self->encoded_batch > 0 ? self->encoded_time : 1;
  if (made && decoding_read(self, &arrays, &g, batch, time, &decoding, &sizes) &&
      results_make(self, &arrays, g.out, made, g.wanted, bits, GROUP_DECODING, &sizes, &decoding)) {
    PyThreadState *thread = PyEval_SaveThread();
    status = cuseq_decode(self->session, &decoding);
    PyEval_RestoreThread(thread);
  }
  return call_end(self, &arrays, status, made);
}

/* attend(state=None) -> dict of context and alphas */
static PyObject *session_attend(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"state", NULL};
  SessionObject *self = (SessionObject *)object;
  const struct extension *extension = extension_of(object);
  PyObject *given = NULL;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O", names, &given) || !call_begin(self))
    return NULL;
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const int64_t B = self->encoded_batch > 0 ? self->encoded_batch : 1,
                T = self->encoded_batch > 0 ? self->encoded_time : 1;
  const int64_t context_shape[] = {B, config->context_width}, alphas_shape[] = {B, T};
  struct arrays arrays = {.count = 0};
  const void *state;
  void *context, *alphas;
  PyObject *made = PyDict_New();
  cuseq_status status = CUSEQ_STATUS_OK;
  if (made && arrays_read(&arrays, given, "state", 'f', (Py_ssize_t)(B * config->query_width), &state) &&
      arrays_write(&arrays, extension, NULL, made, "context", 'f', 2, context_shape, &context) &&
      arrays_write(&arrays, extension, NULL, made, "alphas", 'f', 2, alphas_shape, &alphas)) {
    PyThreadState *thread = PyEval_SaveThread();
    status = cuseq_attend(self->session, state, context, alphas);
    PyEval_RestoreThread(thread);
  }
  return call_end(self, &arrays, status, made);
}

/* search(beams, n_best, ...) -> dict, of what was encoded */
static PyObject *session_search(PyObject *object, PyObject *arguments, PyObject *keywords) {
  static char *names[] = {"beams",     "n_best",      "min_length",     "max_length", "length_penalty",
                          "alpha",     "finished",    "prune_by_score", "wanted",     "initial_h",
                          "initial_c", "initial_fed", "previous",       NULL};
  SessionObject *self = (SessionObject *)object;
  struct given g = {0};
  cuseq_beam beam;
  cuseq_beam_init(&beam, sizeof beam);
  int beams = 1, best = 1, least = 0, most = 0, penalty = CUSEQ_LENGTH_PENALTY_NONE,
      finished = CUSEQ_FINISHED_KEEPS, prune = 0;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|iiiiifipOOOOO", names, &beams, &best, &least, &most,
                                   &penalty, &beam.alpha, &finished, &prune, &g.wanted, &g.initial_h,
                                   &g.initial_c, &g.initial_fed, &g.previous))
    return NULL;
  uint32_t bits;
  if (!wanted_read(g.wanted, 1u << GROUP_BEAM, &bits) || !call_begin(self))
    return NULL;
  beam.beams = beams, beam.n_best = best, beam.min_length = least, beam.max_length = most;
  beam.length_penalty = (cuseq_length_penalty)penalty, beam.finished = (cuseq_finished)finished;
  beam.prune_by_score = prune;
  const cuseq_config *config = cuseq_model_config(model_of(self));
  const int64_t B = self->encoded_batch > 0 ? self->encoded_batch : 1;
  const Py_ssize_t S = (Py_ssize_t)(B * config->decoder_state_width);
  const struct sizes sizes = {config, B, self->encoded_batch > 0 ? self->encoded_time : 1,
                              most > 0 ? most : config->steps, best > 0 ? best : 1};
  struct arrays arrays = {.count = 0};
  PyObject *made = PyDict_New();
  cuseq_status status = CUSEQ_STATUS_OK;
  if (made && arrays_read(&arrays, g.initial_h, "initial_h", 'f', S, (const void **)&beam.initial_h) &&
      arrays_read(&arrays, g.initial_c, "initial_c", 'f', S, (const void **)&beam.initial_c) &&
      arrays_read(&arrays, g.initial_fed, "initial_fed", 'f', (Py_ssize_t)(B * config->fed_width),
                  (const void **)&beam.initial_fed) &&
      arrays_read(&arrays, g.previous, "previous", 'i', (Py_ssize_t)B, (const void **)&beam.previous) &&
      results_make(self, &arrays, NULL, made, g.wanted, bits, GROUP_BEAM, &sizes, &beam)) {
    PyThreadState *thread = PyEval_SaveThread();
    status = cuseq_beam_search(self->session, &beam);
    PyEval_RestoreThread(thread);
  }
  return call_end(self, &arrays, status, made);
}

/* ---- what a session is ---- */

static PyObject *session_device(PyObject *object, void *unused) {
  (void)unused;
  const SessionObject *self = (SessionObject *)object;
  if (!self->session)
    Py_RETURN_NONE;
  return PyUnicode_FromString(cuseq_session_device(self->session));
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

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))session_run, METH_VARARGS | METH_KEYWORDS, "Encodes and decodes."},
    {"encode", (PyCFunction)(void (*)(void))session_encode, METH_VARARGS | METH_KEYWORDS, "Encodes."},
    {"decode", (PyCFunction)(void (*)(void))session_decode, METH_VARARGS | METH_KEYWORDS,
     "Decodes what was encoded."},
    {"attend", (PyCFunction)(void (*)(void))session_attend, METH_VARARGS | METH_KEYWORDS,
     "One attention step over what was encoded."},
    {"search", (PyCFunction)(void (*)(void))session_search, METH_VARARGS | METH_KEYWORDS,
     "A beam search over what was encoded."},
    {"close", session_close, METH_NOARGS, "Closes the session; what is called afterwards is an error."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"device", session_device, NULL, "The device's name; None once closed.", NULL},
    {"closed", session_closed, NULL, "Whether it was closed.", NULL},
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
