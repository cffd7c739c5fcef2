#include "ports.h"

#include <string.h>

static const char *const input_names[INPUT_COUNT] = {[INPUT_TEXT] = "TEXT",
                                                     [INPUT_DATA] = "INPUT",
                                                     [INPUT_LENGTHS] = "LENGTHS",
                                                     [INPUT_TARGETS] = "TARGETS",
                                                     [INPUT_TARGET_LENGTHS] = "TARGET_LENGTHS",
                                                     [INPUT_START] = "START",
                                                     [INPUT_GIVEN] = "GIVEN"};

static const char *const output_names[OUTPUT_COUNT] = {[OUTPUT_TEXT] = "TEXT",
                                                       [OUTPUT_SCORES] = "SCORES",
                                                       [OUTPUT_TOKENS] = "TOKENS",
                                                       [OUTPUT_LENGTHS] = "OUTPUT_LENGTHS",
                                                       [OUTPUT_LOG_PROBABILITIES] = "LOG_PROBABILITIES",
                                                       [OUTPUT_OUTPUTS] = "OUTPUTS",
                                                       [OUTPUT_CONTEXT] = "CONTEXT",
                                                       [OUTPUT_ALPHAS] = "ALPHAS",
                                                       [OUTPUT_STATES] = "STATES",
                                                       [OUTPUT_ANNOTATIONS] = "ANNOTATIONS",
                                                       [OUTPUT_H_FW] = "H_FW",
                                                       [OUTPUT_C_FW] = "C_FW",
                                                       [OUTPUT_H_BW] = "H_BW",
                                                       [OUTPUT_C_BW] = "C_BW",
                                                       [OUTPUT_BEAM_TOKENS] = "BEAM_TOKENS",
                                                       [OUTPUT_BEAM_LENGTHS] = "BEAM_LENGTHS",
                                                       [OUTPUT_BEAM_LOG_PROBABILITIES] =
                                                           "BEAM_LOG_PROBABILITIES",
                                                       [OUTPUT_BEAM_ALPHAS] = "BEAM_ALPHAS"};

/* A port of up to three axes; the first 0 ends them. */
static void put(struct port *port, TRITONSERVER_DataType type, int32_t a, int32_t b, int32_t c) {
  port->type = type;
  port->axes[0] = a;
  port->axes[1] = b;
  port->axes[2] = c;
  port->rank = a == 0 ? 0 : b == 0 ? 1 : c == 0 ? 2 : 3;
}

static void put_floats(struct ports *ports, enum output_id id, int32_t a, int32_t b, int32_t c) {
  put(&ports->outputs[id], TRITONSERVER_TYPE_FP32, a, b, c);
}

static void put_integers(struct ports *ports, enum output_id id, int32_t a, int32_t b, int32_t c) {
  put(&ports->outputs[id], TRITONSERVER_TYPE_INT32, a, b, c);
}

static void inputs_make(struct ports *ports, const cuseq_config *config) {
  struct port *inputs = ports->inputs;
  bool reads_texts = config->input_symbols > 0;
  if (reads_texts)
    put(&inputs[INPUT_TEXT], TRITONSERVER_TYPE_BYTES, 1, 0, 0);
  if (reads_texts || config->ids_only)
    put(&inputs[INPUT_DATA], TRITONSERVER_TYPE_INT32, AXIS_TIME, 0, 0);
  else
    put(&inputs[INPUT_DATA], TRITONSERVER_TYPE_FP32, AXIS_TIME, config->features, 0);
  put(&inputs[INPUT_LENGTHS], TRITONSERVER_TYPE_INT32, 1, 0, 0);
  if (!config->has_decoder)
    return;
  put(&inputs[INPUT_TARGETS], TRITONSERVER_TYPE_INT32, AXIS_STEPS, 0, 0);
  put(&inputs[INPUT_TARGET_LENGTHS], TRITONSERVER_TYPE_INT32, 1, 0, 0);
  if (config->feedback != CUSEQ_FEEDBACK_NONE || config->needs_targets) /* else nobody looks at it */
    put(&inputs[INPUT_START], TRITONSERVER_TYPE_INT32, 1, 0, 0);
  if (config->given_width > 0)
    put(&inputs[INPUT_GIVEN], TRITONSERVER_TYPE_FP32, AXIS_STEPS, config->given_width, 0);
}

static void encoder_make(struct ports *ports, const cuseq_config *config) {
  put_floats(ports, OUTPUT_ANNOTATIONS, AXIS_TIME, config->annotation_width, 0);
  if (config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL || config->backward_units == 0) {
    put_floats(ports, OUTPUT_H_FW, config->units, 0, 0);
    put_floats(ports, OUTPUT_C_FW, config->units, 0, 0);
  }
  if (config->backward_units > 0) {
    put_floats(ports, OUTPUT_H_BW, config->backward_units, 0, 0);
    put_floats(ports, OUTPUT_C_BW, config->backward_units, 0, 0);
  }
}

static void decoder_make(struct ports *ports, const cuseq_config *config) {
  bool softmax = config->output_activation == CUSEQ_ACTIVATION_SOFTMAX ||
                 config->output_activation == CUSEQ_ACTIVATION_LOG_SOFTMAX;
  bool searches = softmax && config->feedback == CUSEQ_FEEDBACK_OUTPUT;
  if (config->output_symbols > 0)
    put(&ports->outputs[OUTPUT_TEXT], TRITONSERVER_TYPE_BYTES, AXIS_BEST, 0, 0);
  if (softmax) {
    put_floats(ports, OUTPUT_SCORES, AXIS_BEST, 0, 0);
    put_floats(ports, OUTPUT_LOG_PROBABILITIES, AXIS_STEPS, 0, 0);
  }
  put_integers(ports, OUTPUT_TOKENS, AXIS_STEPS, 0, 0);
  if (config->end_token >= 0)
    put_integers(ports, OUTPUT_LENGTHS, 1, 0, 0);
  put_floats(ports, OUTPUT_OUTPUTS, AXIS_STEPS, config->outputs, 0);
  put_floats(ports, OUTPUT_STATES, AXIS_STEPS, config->state_units, 0);
  if (config->context_width > 0) {
    put_floats(ports, OUTPUT_CONTEXT, AXIS_STEPS, config->context_width, 0);
    put_floats(ports, OUTPUT_ALPHAS, AXIS_STEPS, AXIS_TIME, 0);
  }
  if (config->given_width > 0 || (!searches && !(softmax && config->needs_targets)))
    return;
  put_integers(ports, OUTPUT_BEAM_TOKENS, AXIS_BEST, AXIS_STEPS, 0);
  put_integers(ports, OUTPUT_BEAM_LENGTHS, AXIS_BEST, 0, 0);
  put_floats(ports, OUTPUT_BEAM_LOG_PROBABILITIES, AXIS_BEST, 0, 0);
  if (config->context_width > 0)
    put_floats(ports, OUTPUT_BEAM_ALPHAS, AXIS_BEST, AXIS_STEPS, AXIS_TIME);
}

/* Of a model without a decoder: heads over a row, or over each of its positions. */
static void heads_make(struct ports *ports, const cuseq_config *config) {
  int32_t labelled = ports->labelled;
  if (config->context_width > 0) {
    put_floats(ports, OUTPUT_CONTEXT, config->context_width, 0, 0);
    put_floats(ports, OUTPUT_ALPHAS, AXIS_TIME, 0, 0);
  }
  if (config->heads == 0)
    return;
  if (config->is_tagger) {
    put_floats(ports, OUTPUT_OUTPUTS, AXIS_TIME, config->outputs, 0);
    put_integers(ports, OUTPUT_TOKENS, AXIS_TIME, config->heads > 1 ? config->heads : 0, 0);
    put_integers(ports, OUTPUT_LENGTHS, 1, 0, 0);
  } else {
    put_floats(ports, OUTPUT_OUTPUTS, config->outputs, 0, 0);
    put_integers(ports, OUTPUT_TOKENS, config->heads, 0, 0);
  }
  if (labelled == 0)
    return;
  int32_t first = config->is_tagger ? AXIS_TIME : labelled, second = config->is_tagger ? labelled : 0;
  put(&ports->outputs[OUTPUT_TEXT], TRITONSERVER_TYPE_BYTES, first, second, 0);
  put_floats(ports, OUTPUT_SCORES, first, second, 0);
}

void ports_make(struct ports *ports, const cuseq_model *model) {
  const cuseq_config *config = cuseq_model_config(model);
  *ports = (struct ports){0};
  for (int i = 0; i < INPUT_COUNT; i++)
    ports->inputs[i] = (struct port){.name = input_names[i], .rank = -1};
  for (int i = 0; i < OUTPUT_COUNT; i++)
    ports->outputs[i] = (struct port){.name = output_names[i], .rank = -1};
  for (int32_t i = 0; i < config->heads; i++)
    ports->labelled += !config->has_decoder && cuseq_model_label(model, i, 0) != NULL;
  inputs_make(ports, config);
  encoder_make(ports, config);
  if (config->has_decoder)
    decoder_make(ports, config);
  else
    heads_make(ports, config);
}

static int find(const struct port *ports, int count, const char *name) {
  int i = 0;
  while (i < count && (ports[i].rank < 0 || strcmp(ports[i].name, name) != 0))
    i++;
  return i;
}

enum input_id ports_input(const struct ports *ports, const char *name) {
  return (enum input_id)find(ports->inputs, INPUT_COUNT, name);
}

enum output_id ports_output(const struct ports *ports, const char *name) {
  return (enum output_id)find(ports->outputs, OUTPUT_COUNT, name);
}

size_t type_size(TRITONSERVER_DataType type) {
  switch (type) {
  case TRITONSERVER_TYPE_INT32:
  case TRITONSERVER_TYPE_FP32:
    return 4;
  case TRITONSERVER_TYPE_INT64:
  case TRITONSERVER_TYPE_FP64:
    return 8;
  default:
    return 0;
  }
}
