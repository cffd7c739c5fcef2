/* The calls of a session: what each reads of its arguments, and which results it makes. */
#include "session.h"

#include "arguments.h"
#include "call.h"

/* What is encoded, for the sizes of results; where nothing is, the library says so. */
static int64_t encoded_batch(const SessionObject *self) {
  return self->encoded_batch > 0 ? self->encoded_batch : 1;
}

static int64_t encoded_time(const SessionObject *self) {
  return self->encoded_batch > 0 ? self->encoded_time : 1;
}

/* How many multiplications a call is, about: each weight once for each position or each step, and the
 * attention. */
static void estimate(const SessionObject *self, struct call *call, int64_t rows, int64_t time,
                     int64_t steps) {
  const cuseq_config *config = cuseq_model_config(session_model(self));
  const ModelObject *model = (ModelObject *)self->model;
  const double positions = (double)(time > 0 ? time : encoded_time(self));
  double attends = (double)config->context_width + config->additive_units;
  for (int i = 0; i < config->attention_layers; i++)
    attends += config->attention_units[i];
  call->work = (double)rows * ((double)time * model->position_parameters +
                               (double)steps * (model->step_parameters + positions * attends));
  call->sequence = time + steps;
}

static bool input_read(SessionObject *self, struct call *call, const struct given *given) {
  const cuseq_config *config = cuseq_model_config(session_model(self));
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
    PyErr_SetString(call->arrays.extension->errors[WRONG_TYPE], "rows: needed [rows] of int32, one at least");
    return false;
  }
  *batch = view.shape[0];
  call->decoding.rows = view.data;
  call->decoding.batch = (int32_t)view.shape[0];
  return true;
}

/* What a decoding and a search begin with, of `width` units a row. */
struct start {
  const float *initial_h, *initial_c, *initial_fed;
  const int32_t *previous;
};

static bool start_read(struct arrays *arrays, const struct given *given, int64_t batch, int64_t width,
                       int64_t fed_width, struct start *start) {
  const int64_t states[] = {batch, width}, fed[] = {batch, fed_width};
  *start = (struct start){0};
  return arrays_read(arrays, given->initial_h, "initial_h", 'f', 2, states,
                     (const void **)&start->initial_h) &&
         arrays_read(arrays, given->initial_c, "initial_c", 'f', 2, states,
                     (const void **)&start->initial_c) &&
         arrays_read(arrays, given->initial_fed, "initial_fed", 'f', 2, fed,
                     (const void **)&start->initial_fed) &&
         arrays_read(arrays, given->previous, "previous", 'i', 1, &batch, (const void **)&start->previous);
}

static bool decoding_read(SessionObject *self, struct call *call, const struct given *given, int64_t batch,
                          int64_t time, struct sizes *sizes) {
  const cuseq_config *config = cuseq_model_config(session_model(self));
  cuseq_decoding *decoding = &call->decoding;
  struct arrays *arrays = &call->arrays;
  int asked;
  if (!arguments_steps(arrays->extension, given, &asked) || !rows_read(call, given->rows, &batch))
    return false;
  const int64_t steps = asked > 0             ? asked
                        : config->has_decoder ? config->steps
                        : config->is_tagger   ? time
                                              : 1;
  const int64_t width = config->has_decoder ? config->decoder_state_width : config->state_units;
  const int64_t tokens[] = {batch, steps}, numbers[] = {batch, steps, config->given_width};
  struct start start;
  decoding->steps = asked;
  *sizes = (struct sizes){config, batch, time, steps, 0};
  estimate(self, call, batch, call->kind == CALL_RUN ? time : 0, steps);
  if (!start_read(arrays, given, batch, width, config->fed_width, &start))
    return false;
  decoding->initial_h = start.initial_h, decoding->initial_c = start.initial_c;
  decoding->initial_fed = start.initial_fed, decoding->previous = start.previous;
  return arrays_read(arrays, given->targets, "targets", 'i', 2, tokens, (const void **)&decoding->targets) &&
         arrays_read(arrays, given->target_lengths, "target_lengths", 'i', 1, &batch,
                     (const void **)&decoding->target_lengths) &&
         arrays_read(arrays, given->given, "given", 'f', 3, numbers, (const void **)&decoding->given);
}

static bool wanted_of(const struct extension *extension, const struct given *given, unsigned groups,
                      struct wanted *wanted) {
  *wanted = (struct wanted){.names = given->wanted, .out = given->out, .groups = groups};
  return wanted_read(extension, wanted, given->results);
}

/* run(data, ...) -> dict: encodes and decodes */
PyObject *session_run(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords) {
  static const struct parameters parameters = {
      "run",
      1,
      15,
      {PARAMETER(data), PARAMETER(lengths), PARAMETER(steps), PARAMETER(wanted), PARAMETER(encoder_h),
       PARAMETER(encoder_c), PARAMETER(initial_h), PARAMETER(initial_c), PARAMETER(initial_fed),
       PARAMETER(previous), PARAMETER(targets), PARAMETER(target_lengths), PARAMETER(out), PARAMETER(results),
       PARAMETER(given)}};
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
PyObject *session_encode(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords) {
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
      !wanted_of(extension_of(object), &given, 1u << GROUP_ENCODING, &wanted) ||
      !(call = call_begin(self, CALL_ENCODE)))
    return NULL;
  if (input_read(self, call, &given)) {
    const struct sizes sizes = {cuseq_model_config(session_model(self)), call->input.batch, call->input.time,
                                1, 0};
    estimate(self, call, sizes.batch, sizes.time, 0);
    if (results_make(self, call, &wanted, &sizes))
      call_perform(self, call);
  }
  return call_end(self, call);
}

/* decode(...) -> dict */
PyObject *session_decode(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords) {
  static const struct parameters parameters = {
      "decode",
      0,
      12,
      {PARAMETER(steps), PARAMETER(wanted), PARAMETER(rows), PARAMETER(initial_h), PARAMETER(initial_c),
       PARAMETER(initial_fed), PARAMETER(previous), PARAMETER(targets), PARAMETER(target_lengths),
       PARAMETER(out), PARAMETER(results), PARAMETER(given)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  struct sizes sizes;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_DECODING, &wanted) ||
      !(call = call_begin(self, CALL_DECODE)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  if (decoding_read(self, call, &given, encoded_batch(self), encoded_time(self), &sizes) &&
      results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}

/* attend(state=None, ...) -> dict of context and alphas */
PyObject *session_attend(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords) {
  static const struct parameters parameters = {
      "attend", 0, 4, {PARAMETER(state), PARAMETER(wanted), PARAMETER(out), PARAMETER(results)}};
  SessionObject *self = (SessionObject *)object;
  struct given given = {0};
  struct wanted wanted;
  struct call *call;
  if (!arguments_read(extension_of(object), &parameters, arguments, count, keywords, &given) ||
      !wanted_of(extension_of(object), &given, 1u << GROUP_ATTENTION, &wanted) ||
      !(call = call_begin(self, CALL_ATTEND)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  const cuseq_config *config = cuseq_model_config(session_model(self));
  const struct sizes sizes = {config, encoded_batch(self), encoded_time(self), 1, 0};
  const int64_t shape[] = {sizes.batch, config->query_width};
  estimate(self, call, sizes.batch, 0, 1);
  if (arrays_read(&call->arrays, given.state, "state", 'f', 2, shape, (const void **)&call->state) &&
      results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}

static bool beam_read(SessionObject *self, struct call *call, const struct given *given) {
  const cuseq_config *config = cuseq_model_config(session_model(self));
  const int64_t batch = encoded_batch(self);
  cuseq_beam *beam = &call->beam;
  struct start start;
  if (!start_read(&call->arrays, given, batch, config->decoder_state_width, config->fed_width, &start))
    return false;
  beam->initial_h = start.initial_h, beam->initial_c = start.initial_c;
  beam->initial_fed = start.initial_fed, beam->previous = start.previous;
  return true;
}

/* search(beams, n_best, ...) -> dict, of what was encoded */
PyObject *session_search(PyObject *object, PyObject *arguments, PyObject *keywords) {
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
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|iiiiifipOOOOOOO", names, &beams, &best, &least,
                                   &most, &penalty, &alpha, &finished, &prune, &g.wanted, &g.initial_h,
                                   &g.initial_c, &g.initial_fed, &g.previous, &g.out, &g.results))
    return NULL;
  struct call *call;
  if (!arguments_out(extension_of(object), &g) ||
      !wanted_of(extension_of(object), &g, 1u << GROUP_BEAM, &wanted) ||
      !(call = call_begin(self, CALL_SEARCH)))
    return NULL;
  call->input_on_device = self->encoded_on_device;
  cuseq_beam *beam = &call->beam;
  cuseq_beam_init(beam, sizeof *beam);
  beam->beams = beams, beam->n_best = best, beam->min_length = least, beam->max_length = most;
  beam->length_penalty = (cuseq_length_penalty)penalty, beam->finished = (cuseq_finished)finished;
  beam->prune_by_score = prune;
  beam->alpha = alpha;
  const cuseq_config *config = cuseq_model_config(session_model(self));
  const struct sizes sizes = {config, encoded_batch(self), encoded_time(self),
                              most > 0 ? most : config->steps, best > 0 ? best : 1};
  estimate(self, call, sizes.batch * (beams > 0 ? beams : 1), 0, sizes.steps);
  if (beam_read(self, call, &g) && results_make(self, call, &wanted, &sizes))
    call_perform(self, call);
  return call_end(self, call);
}
