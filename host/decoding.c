#include "decoding.h"

#include "error.h"
#include "input.h"

static bool has_lstm(const struct decoder_structure *decoder) {
  for (int32_t l = 0; l < decoder->count; l++)
    if (cell_has_c(decoder->layers[l].cell.kind))
      return true;
  return false;
}

bool decoding_gives_probabilities(const struct structure *structure) {
  const struct dense_chain *layers = &structure->output.heads[0].layers;
  cuseq_activation last =
      layers->count > 0 ? layers->layers[layers->count - 1].activation : CUSEQ_ACTIVATION_LINEAR;
  return last == CUSEQ_ACTIVATION_SOFTMAX || last == CUSEQ_ACTIVATION_LOG_SOFTMAX;
}

/* Why a model does not have an array of a decoding; NULL: it has it. */
static const char *missing_reason(const struct structure *structure, enum backend_array array) {
  const struct decoder_structure *decoder = &structure->decoder;
  bool decodes = decoder->present;
  switch (array) {
  case BACKEND_STATE_H:
    return decodes || structure->asking.present ? NULL : "nothing in the model has such a state";
  case BACKEND_STATE_C:
  case BACKEND_DECODER_FINAL_C:
    return !decodes            ? "the model has no decoder"
           : has_lstm(decoder) ? NULL
                               : "no layer of the decoder is an lstm";
  case BACKEND_FED:
  case BACKEND_FINAL_FED:
    return decoder->fed_width > 0 ? NULL : "a step of the model hands nothing on but states and token";
  case BACKEND_TARGETS:
  case BACKEND_TARGET_LENGTHS:
    return decodes && (decoder->feedback != FEEDBACK_NONE || decoding_gives_probabilities(structure))
               ? NULL
               : "the model feeds no tokens back";
  case BACKEND_GIVEN:
    return decoder->given_width > 0 ? NULL : "the model's steps are given no numbers";
  case BACKEND_CONTEXTS:
  case BACKEND_ALPHAS:
    return structure->attention.present ? NULL : "the model has no attention";
  case BACKEND_OUTPUTS:
  case BACKEND_TOKENS:
  case BACKEND_OUTPUT_LENGTHS:
    return structure->output.count > 0 ? NULL : "an attention-only model has contexts and alphas only";
  case BACKEND_LOG_PROBABILITIES:
    return decodes && decoding_gives_probabilities(structure)
               ? NULL
               : "it needs a decoder whose output is softmax or log_softmax";
  case BACKEND_ROWS:
  case BACKEND_STATES:
  case BACKEND_DECODER_FINAL_H:
    return decodes ? NULL : "the model has no decoder";
  default:
    return NULL;
  }
}

static cuseq_status arrays_check(const struct structure *structure, const cuseq_decoding *decoding,
                                 const char *call) {
  CALL_EACH (array, CALL_DECODING) {
    if (!call_pointer(array, decoding))
      continue;
    const char *reason = missing_reason(structure, array);
    if (reason)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: %s must be NULL (%s)", call,
                       backend_array_name(array), reason);
  }
  return CUSEQ_STATUS_OK;
}

/* Y of a model without a decoder. */
static cuseq_status steps_resolve(const struct decoding_limits *limits, const char *call,
                                  cuseq_decoding *resolved) {
  int32_t needed = structure_is_tagger(&limits->model->structure) ? limits->time : 1;
  if (resolved->steps < 0 || (resolved->steps > 0 && resolved->steps != needed))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: a model without a decoder makes %s (found %d steps)",
                     call, needed == 1 ? "one step" : "a step for each position", (int)resolved->steps);
  resolved->steps = needed;
  return CUSEQ_STATUS_OK;
}

static cuseq_status rows_resolve(const struct decoding_limits *limits, const char *call,
                                 cuseq_decoding *resolved) {
  if (!resolved->rows && resolved->batch != 0 && resolved->batch != limits->encoded)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: the decoding's batch needs `rows` (found %d rows, %d are encoded)", call,
                     (int)resolved->batch, (int)limits->encoded);
  if (!resolved->rows) {
    resolved->batch = limits->encoded;
    return CUSEQ_STATUS_OK;
  }
  if (!limits->rows_allowed)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: rows must be NULL (cuseq_decode takes them, after cuseq_encode)", call);
  if (resolved->batch < 1 || resolved->batch > limits->max_rows)
    return error_set(
        CUSEQ_STATUS_INVALID_ARGUMENT,
        "%s: the decoding's batch is out of range (found %d, needed 1 to max_batch x max_beams, %d)", call,
        (int)resolved->batch, (int)limits->max_rows);
  return CUSEQ_STATUS_OK;
}

cuseq_status decoding_resolve(const struct decoding_limits *limits, const cuseq_decoding *decoding,
                              const char *call, cuseq_decoding *resolved) {
  const struct structure *structure = &limits->model->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  *resolved = *decoding;
  TRY(arrays_check(structure, decoding, call));
  TRY(rows_resolve(limits, call, resolved));
  if (!decoder->present)
    return steps_resolve(limits, call, resolved);
  if (resolved->steps == 0)
    resolved->steps = decoder->steps;
  if (resolved->steps < 1 || resolved->steps > limits->max_steps)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: steps are out of range (found %d, needed 1 to max_steps %d)", call,
                     (int)resolved->steps, (int)limits->max_steps);
  if (has_lstm(decoder) && !decoding->initial_h != !decoding->initial_c)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: initial_%c is NULL (initial_h and initial_c go together)", call,
                     decoding->initial_h ? 'c' : 'h');
  if (decoder->feedback == FEEDBACK_GIVEN && !decoding->targets && !limits->is_search)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: targets are NULL (the model's feedback is \"given\": the caller's tokens)", call);
  if (decoder->given_width > 0 && !decoding->given)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: given is NULL (the model's steps read numbers: needed [%d,%d,%d])", call,
                     (int)resolved->batch, (int)resolved->steps, (int)decoder->given_width);
  if (decoding->target_lengths && !decoding->targets)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: target_lengths without targets", call);
  if (decoder->feedback == FEEDBACK_NONE)
    resolved->previous = NULL;
  else if (!decoding->previous && decoder->start_token < 0 && decoder->feedback != FEEDBACK_PROBABILITIES)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: previous is NULL (the model has no start token)",
                     call);
  return CUSEQ_STATUS_OK;
}

/* ---- what is in the arrays ---- */

static cuseq_status range_check(const char *name, const int32_t *values, int32_t count, int32_t low,
                                int32_t high) {
  for (int32_t b = 0; values && b < count; b++)
    if (values[b] < low || values[b] > high)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "%s: row %d is out of range (found %d, needed %d to %d)", name, (int)b, (int)values[b],
                       (int)low, (int)high);
  return CUSEQ_STATUS_OK;
}

/* Only the targets that count are looked at. */
static cuseq_status targets_check(const cuseq_decoding *decoding, int32_t V) {
  for (int32_t b = 0; b < decoding->batch; b++) {
    int32_t length = decoding->target_lengths ? decoding->target_lengths[b] : decoding->steps;
    for (int32_t y = 0; y < length; y++) {
      int32_t token = decoding->targets[(size_t)b * decoding->steps + y];
      if (token < 0 || token >= V)
        return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "targets: [%d,%d] is out of range (found %d, needed 0 to %d)", (int)b, (int)y,
                         (int)token, (int)V - 1);
    }
  }
  return CUSEQ_STATUS_OK;
}

/* Of a row whose targets end only the steps that count are looked at, where a host can tell. */
static cuseq_status given_check(const cuseq_decoding *decoding, const int32_t *lengths, size_t G) {
  for (int32_t b = 0; b < decoding->batch; b++) {
    size_t steps = (size_t)(lengths ? lengths[b] : decoding->steps);
    TRY(input_check_steps(backend_array_name(BACKEND_GIVEN),
                          decoding->given + (size_t)b * (size_t)decoding->steps * G, b, steps, G));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status decoding_check(const struct decoding_limits *limits, const cuseq_decoding *decoding,
                            const bool *on_device, bool allow_nonfinite) {
  const cuseq_config *config = &limits->model->config;
  int32_t V = limits->model->structure.decoder.tokens, batch = decoding->batch;
  if (!on_device[BACKEND_ROWS])
    TRY(range_check("rows", decoding->rows, batch, 0, limits->encoded - 1));
  if (!on_device[BACKEND_PREVIOUS])
    TRY(range_check("previous", decoding->previous, batch, 0, V - 1));
  if (!on_device[BACKEND_TARGET_LENGTHS])
    TRY(range_check("target_lengths", decoding->target_lengths, batch, 1, decoding->steps));
  if (decoding->targets && !on_device[BACKEND_TARGETS] &&
      !(decoding->target_lengths && on_device[BACKEND_TARGET_LENGTHS]))
    TRY(targets_check(decoding, V));
  if (decoding->given && !on_device[BACKEND_GIVEN] && !allow_nonfinite)
    TRY(given_check(decoding, on_device[BACKEND_TARGET_LENGTHS] ? NULL : decoding->target_lengths,
                    (size_t)config->given_width));
  static const enum backend_array states[] = {BACKEND_STATE_H, BACKEND_STATE_C, BACKEND_FED};
  for (int i = 0; i < 3 && !allow_nonfinite; i++)
    if (!on_device[states[i]])
      TRY(input_check_finite(backend_array_name(states[i]), call_pointer(states[i], decoding), (size_t)batch,
                             call_row_elements(config, states[i], limits->time, decoding->steps)));
  return CUSEQ_STATUS_OK;
}
