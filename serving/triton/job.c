#include "job.h"

#include "texts.h"

#include <string.h>

/* ---- parameters ---- */

static TRITONSERVER_Error *parameter_get(TRITONBACKEND_Request *request, uint32_t i,
                                         struct setting *setting) {
  return TRITONBACKEND_RequestParameter(request, i, &setting->name, &setting->type, &setting->value);
}

static TRITONSERVER_Error *parameter_take(struct job *job, const struct setting *setting) {
  bool known = false;
  TRY(search_set(&job->search, setting, &known));
  if (known || strncmp(setting->name, "triton_", 7) == 0) /* the server's own */
    return NULL;
  if (strcmp(setting->name, "steps") == 0)
    return setting_integer(setting, 1, LARGEST_SIZE, &job->steps);
  if (strcmp(setting->name, "truncate") == 0)
    return setting_flag(setting, &job->truncate);
  return fault(TRITONSERVER_ERROR_INVALID_ARG,
               "parameter %.60s: there is no such (needed beam, n_best, steps, min_length, length_penalty, "
               "alpha, retire, prune_by_score or truncate)",
               setting->name);
}

/* The model's own search is what a request that says nothing gets; beam 0 is the word for none of it. */
static TRITONSERVER_Error *parameters_take(struct job *job, const struct served *served) {
  uint32_t count = 0;
  struct setting setting;
  job->search = served->parameters.search;
  job->truncate = served->parameters.truncate;
  TRY(TRITONBACKEND_RequestParameterCount(job->request, &count));
  for (uint32_t i = 0; i < count; i++) {
    TRY(parameter_get(job->request, i, &setting));
    int32_t beam = 1;
    if (strcmp(setting.name, "beam") == 0)
      TRY(setting_integer(&setting, 0, CUSEQ_MAX_BEAMS, &beam));
    if (beam == 0)
      job->search = (struct search){0};
  }
  for (uint32_t i = 0; i < count; i++) {
    TRY(parameter_get(job->request, i, &setting));
    TRY(parameter_take(job, &setting));
  }
  return search_check(&job->search, served->config, served->parameters.max_beam);
}

/* ---- inputs ---- */

/* Puts the buffers of an input into one. */
static TRITONSERVER_Error *buffers_join(TRITONBACKEND_Input *input, const struct port *port, uint32_t count,
                                        struct given *given, struct room *room) {
  TRY(room_reserve(room, given->size + 1, 1));
  size_t used = 0;
  for (uint32_t i = 0; i < count; i++) {
    const void *part = NULL;
    uint64_t size = 0;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
    int64_t id = 0;
    TRY(TRITONBACKEND_InputBuffer(input, i, &part, &size, &type, &id));
    if (type == TRITONSERVER_MEMORY_GPU)
      return fault(TRITONSERVER_ERROR_UNSUPPORTED,
                   "%s: lies on the device in %u pieces (needed one piece, or host memory)", port->name,
                   (unsigned)count);
    if (size > given->size - used)
      return fault(TRITONSERVER_ERROR_INTERNAL, "%s: its pieces are larger than the whole", port->name);
    memcpy((char *)room->data + used, part, size);
    used += size;
  }
  given->data = room->data;
  return NULL;
}

/* Whether the shape is rows and the port's axes, and the bytes are as many. */
static TRITONSERVER_Error *shape_check(const struct port *port, const int64_t *shape, uint32_t rank,
                                       const struct given *given) {
  if (rank != (uint32_t)port->rank + 1)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: has a wrong number of axes (found %u, needed %d)",
                 port->name, (unsigned)rank, (int)port->rank + 1);
  size_t bytes = type_size(port->type);
  for (uint32_t i = 0; i < rank; i++) {
    int64_t needed = i == 0 ? -1 : port->axes[i - 1];
    if (shape[i] < 1 || shape[i] > LARGEST_SIZE || (needed > 0 && shape[i] != needed))
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: axis %u is out of range (found %lld, needed %s%lld)",
                   port->name, (unsigned)i, (long long)shape[i], needed > 0 ? "" : "1 to ",
                   (long long)(needed > 0 ? needed : LARGEST_SIZE));
    if (bytes <= given->size) /* else it is too large already, and stays so */
      bytes *= (size_t)shape[i];
  }
  if (type_size(port->type) > 0 && bytes != given->size)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: its bytes are not what its shape says (found %zu)",
                 port->name, given->size);
  return NULL;
}

static TRITONSERVER_Error *input_take(struct job *job, TRITONBACKEND_Input *input,
                                      const struct served *served) {
  const char *name = NULL;
  TRITONSERVER_DataType type;
  const int64_t *shape = NULL;
  uint32_t rank = 0, count = 0;
  uint64_t size = 0;
  TRY(TRITONBACKEND_InputProperties(input, &name, &type, &shape, &rank, &size, &count));
  enum input_id id = ports_input(&served->ports, name);
  if (id == INPUT_COUNT)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "input %.60s: the model has no such input", name);
  const struct port *port = &served->ports.inputs[id];
  struct given *given = &job->given[id];
  if (type != port->type)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: is of another type than the model's", name);
  given->size = size;
  TRY(shape_check(port, shape, rank, given));
  memcpy(given->dims, shape, rank * sizeof *shape);
  if (count != 1)
    return buffers_join(input, port, count, given, &job->joined[id]);
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  int64_t device = 0;
  TRY(TRITONBACKEND_InputBuffer(input, 0, &given->data, &size, &memory, &device));
  given->on_device = memory == TRITONSERVER_MEMORY_GPU;
  job->alone |= given->on_device;
  if (size != given->size)
    return fault(TRITONSERVER_ERROR_INTERNAL, "%s: its buffer is smaller than its size", name);
  /* Elements of buffers that a client cut anywhere need not lie where the processor wants them. */
  size_t alignment = type_size(type);
  if (alignment > 0 && !given->on_device && (uintptr_t)given->data % alignment != 0) {
    TRY(room_reserve(&job->joined[id], size, 1));
    given->data = memcpy(job->joined[id].data, given->data, size);
  }
  return NULL;
}

static TRITONSERVER_Error *inputs_take(struct job *job, const struct served *served) {
  uint32_t count = 0;
  TRY(TRITONBACKEND_RequestInputCount(job->request, &count));
  for (uint32_t i = 0; i < count; i++) {
    TRITONBACKEND_Input *input = NULL;
    TRY(TRITONBACKEND_RequestInputByIndex(job->request, i, &input));
    TRY(input_take(job, input, served));
  }
  const struct given *text = &job->given[INPUT_TEXT], *data = &job->given[INPUT_DATA];
  if (!text->data == !data->data)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "inputs: one of TEXT and INPUT is needed (found %s)",
                 text->data ? "both" : "none");
  job->rows = (int32_t)(text->data ? text : data)->dims[0];
  for (int i = 0; i < INPUT_COUNT; i++)
    if (job->given[i].data && job->given[i].dims[0] != job->rows)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: has another number of rows (found %lld, needed %d)",
                   served->ports.inputs[i].name, (long long)job->given[i].dims[0], (int)job->rows);
  if (job->rows > served->max_batch)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "request: too many rows (found %d, needed at most %d)",
                 (int)job->rows, (int)served->max_batch);
  return NULL;
}

/* What is encoded: texts become ids, arrays are taken where they lie. */
static TRITONSERVER_Error *encoded_take(struct job *job, const struct served *served) {
  const struct given *data = &job->given[INPUT_DATA], *lengths = &job->given[INPUT_LENGTHS];
  if (job->given[INPUT_TEXT].data) {
    if (lengths->data)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "LENGTHS: goes with INPUT (found TEXT)");
    return texts_encode(job, served);
  }
  static const cuseq_dtype types[] = {[TRITONSERVER_TYPE_INT32] = CUSEQ_DTYPE_I32,
                                      [TRITONSERVER_TYPE_INT64] = CUSEQ_DTYPE_I64,
                                      [TRITONSERVER_TYPE_FP32] = CUSEQ_DTYPE_F32,
                                      [TRITONSERVER_TYPE_FP64] = CUSEQ_DTYPE_F64};
  job->dtype = types[served->ports.inputs[INPUT_DATA].type];
  job->data = data->data;
  job->time = (int32_t)data->dims[1];
  job->lengths = lengths->data;
  /* Beside a longer request it would be taken, with padding behind it. */
  int32_t only = served->config->only_time;
  if (only > 0 && job->time != only)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "INPUT: time does not fit (found %d, needed %d: the model has weights for each of so many "
                 "positions)",
                 (int)job->time, (int)only);
  return NULL;
}

/* What the steps are given, and how many there are. */
static TRITONSERVER_Error *numbers_take(struct job *job, const struct served *served) {
  const struct given *numbers = &job->given[INPUT_GIVEN];
  job->numbers = numbers->data;
  if (served->config->given_width == 0)
    return NULL;
  if (!job->numbers)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "GIVEN: is needed (each step of the model is given numbers: [rows, steps, %d])",
                 (int)served->config->given_width);
  if (job->steps > 0 && job->steps != numbers->dims[1])
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "steps: are not those of GIVEN (found %d, needed %lld)",
                 (int)job->steps, (long long)numbers->dims[1]);
  job->steps = (int32_t)numbers->dims[1];
  return NULL;
}

static TRITONSERVER_Error *decoded_take(struct job *job, const struct served *served) {
  const struct given *targets = &job->given[INPUT_TARGETS];
  job->targets = targets->data;
  job->target_lengths = job->given[INPUT_TARGET_LENGTHS].data;
  job->start = job->given[INPUT_START].data;
  if (!served->config->has_decoder) {
    if (job->steps > 0)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "steps: the model has no decoder");
    return NULL;
  }
  if (job->target_lengths && !job->targets)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "TARGET_LENGTHS: goes with TARGETS (found none)");
  if (job->targets && job->search.beam > 0)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "TARGETS: goes without beam (found both)");
  TRY(numbers_take(job, served));
  if (job->targets && job->steps > 0 && job->steps != targets->dims[1])
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "steps: are not those of TARGETS (found %d, needed %lld)",
                 (int)job->steps, (long long)targets->dims[1]);
  if (job->targets)
    job->steps = (int32_t)targets->dims[1];
  else if (job->steps == 0)
    job->steps = served->config->steps < served->max_steps ? served->config->steps : served->max_steps;
  return NULL;
}

/* ---- outputs ---- */

enum {
  OF_BEAM = OUTPUT_BIT(OUTPUT_BEAM_TOKENS) | OUTPUT_BIT(OUTPUT_BEAM_LENGTHS) |
            OUTPUT_BIT(OUTPUT_BEAM_LOG_PROBABILITIES) | OUTPUT_BIT(OUTPUT_BEAM_ALPHAS),
  OF_GREEDY = OUTPUT_BIT(OUTPUT_TOKENS) | OUTPUT_BIT(OUTPUT_LENGTHS) | OUTPUT_BIT(OUTPUT_LOG_PROBABILITIES) |
              OUTPUT_BIT(OUTPUT_OUTPUTS) | OUTPUT_BIT(OUTPUT_CONTEXT) | OUTPUT_BIT(OUTPUT_ALPHAS) |
              OUTPUT_BIT(OUTPUT_STATES),
};

/* A request that names no outputs wants all, says the protocol, and the server then names them all: of these
 * it gets what there is, with a beam or without. One that names some gets these or an error. */
static TRITONSERVER_Error *wanted_choose(struct job *job, const struct served *served) {
  unsigned all = 0, absent = job->search.beam > 0 ? OF_GREEDY : OF_BEAM;
  for (int i = 0; i < OUTPUT_COUNT; i++)
    all |= served->ports.outputs[i].rank >= 0 ? OUTPUT_BIT(i) : 0;
  if (job->wanted == all)
    job->wanted &= ~absent;
  for (int i = 0; i < OUTPUT_COUNT; i++)
    if (job->wanted & absent & OUTPUT_BIT(i))
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: %s", served->ports.outputs[i].name,
                   job->search.beam > 0 ? "a beam search does not give it" : "goes with beam (found none)");
  return NULL;
}

static TRITONSERVER_Error *outputs_take(struct job *job, const struct served *served) {
  uint32_t count = 0;
  TRY(TRITONBACKEND_RequestOutputCount(job->request, &count));
  for (uint32_t i = 0; i < count; i++) {
    const char *name = NULL;
    TRY(TRITONBACKEND_RequestOutputName(job->request, i, &name));
    enum output_id id = ports_output(&served->ports, name);
    if (id == OUTPUT_COUNT)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "output %.60s: the model has no such output", name);
    job->wanted |= OUTPUT_BIT(id);
  }
  return wanted_choose(job, served);
}

/* ---- all ---- */

static TRITONSERVER_Error *cancelled_check(TRITONBACKEND_Request *request) {
  bool cancelled = false;
  TRY(TRITONBACKEND_RequestIsCancelled(request, &cancelled));
  return cancelled ? fault(TRITONSERVER_ERROR_CANCELLED, "request: cancelled before it was begun") : NULL;
}

static TRITONSERVER_Error *take(struct job *job, const struct served *served) {
  TRY(cancelled_check(job->request));
  TRY(parameters_take(job, served));
  TRY(inputs_take(job, served));
  TRY(outputs_take(job, served));
  TRY(decoded_take(job, served));
  return encoded_take(job, served);
}

static void rooms_keep(struct job *to, struct job *from) {
  room_trim(&from->text);
  for (int i = 0; i < INPUT_COUNT; i++)
    room_trim(&from->joined[i]);
  to->text = from->text;
  to->ids = from->ids;
  to->text_lengths = from->text_lengths;
  to->own_lengths = from->own_lengths;
  memcpy(to->joined, from->joined, sizeof to->joined);
}

void job_read(struct job *job, TRITONBACKEND_Request *request, const struct served *served) {
  struct job fresh = {.request = request};
  rooms_keep(&fresh, job);
  *job = fresh;
  job->error = take(job, served);
}

void job_free(struct job *job) {
  room_free(&job->text);
  room_free(&job->ids);
  room_free(&job->text_lengths);
  room_free(&job->own_lengths);
  for (int i = 0; i < INPUT_COUNT; i++)
    room_free(&job->joined[i]);
}

bool job_joins(const struct job *a, const struct job *b) {
  return !a->alone && !b->alone && a->dtype == b->dtype && a->steps == b->steps &&
         !a->targets == !b->targets && !a->start == !b->start && search_equal(&a->search, &b->search);
}
