#include "backends/call.h"

#define INPUT(member) offsetof(cuseq_input, member), CALL_INPUT
#define ENCODING(member) offsetof(cuseq_encoding, member), CALL_ENCODING
#define DECODING(member) offsetof(cuseq_decoding, member), CALL_DECODING
#define BEAM(member) offsetof(cuseq_beam, member), CALL_BEAM

const struct call_array call_arrays[BACKEND_ARRAYS] = {
    [BACKEND_PREVIOUS] = {"previous", DECODING(previous), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_STATE_H] = {"decoder initial_h", DECODING(initial_h), false, CALL_PER_ROW, WIDTH_DECODER_STATE},
    [BACKEND_STATE_C] = {"decoder initial_c", DECODING(initial_c), false, CALL_PER_ROW, WIDTH_DECODER_STATE},
    [BACKEND_FED] = {"initial_fed", DECODING(initial_fed), false, CALL_PER_ROW, WIDTH_FED},
    [BACKEND_ROWS] = {"rows", DECODING(rows), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_TARGETS] = {"targets", DECODING(targets), true, CALL_PER_STEP, WIDTH_ONE},
    [BACKEND_GIVEN] = {"given", DECODING(given), false, CALL_PER_STEP, WIDTH_GIVEN},
    [BACKEND_TARGET_LENGTHS] = {"target_lengths", DECODING(target_lengths), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_LENGTHS] = {"lengths", INPUT(lengths), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_INITIAL_H] = {"initial_h", INPUT(initial_h), false, CALL_BLOCKS, WIDTH_ENCODER_STATE},
    [BACKEND_INITIAL_C] = {"initial_c", INPUT(initial_c), false, CALL_BLOCKS, WIDTH_ENCODER_STATE},
    [BACKEND_DATA] = {"input", INPUT(data), false, CALL_PER_POSITION, WIDTH_FEATURES},
    [BACKEND_ANNOTATIONS] = {"annotations", ENCODING(annotations), false, CALL_PER_POSITION,
                             WIDTH_ANNOTATION},
    [BACKEND_H_FW] = {"h_fw", ENCODING(h_fw), false, CALL_PER_ROW, WIDTH_FORWARD},
    [BACKEND_C_FW] = {"c_fw", ENCODING(c_fw), false, CALL_PER_ROW, WIDTH_FORWARD},
    [BACKEND_H_BW] = {"h_bw", ENCODING(h_bw), false, CALL_PER_ROW, WIDTH_BACKWARD},
    [BACKEND_C_BW] = {"c_bw", ENCODING(c_bw), false, CALL_PER_ROW, WIDTH_BACKWARD},
    [BACKEND_FINAL_H] = {"final_h", ENCODING(final_h), false, CALL_BLOCKS, WIDTH_ENCODER_STATE},
    [BACKEND_FINAL_C] = {"final_c", ENCODING(final_c), false, CALL_BLOCKS, WIDTH_ENCODER_STATE},
    [BACKEND_CONTEXTS] = {"contexts", DECODING(contexts), false, CALL_PER_STEP, WIDTH_CONTEXT},
    [BACKEND_ALPHAS] = {"alphas", DECODING(alphas), false, CALL_PER_STEP, WIDTH_TIME},
    [BACKEND_STATES] = {"states", DECODING(states), false, CALL_PER_STEP, WIDTH_STATE},
    [BACKEND_OUTPUTS] = {"outputs", DECODING(outputs), false, CALL_PER_STEP, WIDTH_OUTPUTS},
    [BACKEND_LOG_PROBABILITIES] = {"log_probabilities", DECODING(log_probabilities), false, CALL_PER_STEP,
                                   WIDTH_ONE},
    [BACKEND_TOKENS] = {"tokens", DECODING(tokens), true, CALL_PER_STEP, WIDTH_HEADS},
    [BACKEND_OUTPUT_LENGTHS] = {"output_lengths", DECODING(output_lengths), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_DECODER_FINAL_H] = {"decoder final_h", DECODING(final_h), false, CALL_PER_ROW,
                                 WIDTH_DECODER_STATE},
    [BACKEND_DECODER_FINAL_C] = {"decoder final_c", DECODING(final_c), false, CALL_PER_ROW,
                                 WIDTH_DECODER_STATE},
    [BACKEND_FINAL_FED] = {"final_fed", DECODING(final_fed), false, CALL_PER_ROW, WIDTH_FED},
    [BACKEND_BEST_TOKENS] = {"tokens", BEAM(tokens), true, CALL_PER_STEP, WIDTH_ONE},
    [BACKEND_BEST_LENGTHS] = {"lengths", BEAM(lengths), true, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_BEST_SCORES] = {"scores", BEAM(scores), false, CALL_PER_ROW, WIDTH_ONE},
    [BACKEND_BEST_LOG_PROBABILITIES] = {"log_probabilities", BEAM(log_probabilities), false, CALL_PER_ROW,
                                        WIDTH_ONE},
    [BACKEND_BEST_ALPHAS] = {"alphas", BEAM(alphas), false, CALL_PER_STEP, WIDTH_TIME},
};

const char *backend_array_name(enum backend_array array) {
  return call_arrays[array].name;
}

static int32_t width_of(const cuseq_config *config, enum call_width width, int32_t time) {
  switch (width) {
  case WIDTH_FEATURES:
    return config->features;
  case WIDTH_TIME:
    return time;
  case WIDTH_ANNOTATION:
    return config->annotation_width;
  case WIDTH_FORWARD:
    return config->units;
  case WIDTH_BACKWARD:
    return config->backward_units;
  case WIDTH_ENCODER_STATE:
    return config->encoder_state_width;
  case WIDTH_CONTEXT:
    return config->context_width;
  case WIDTH_STATE:
    return config->state_units;
  case WIDTH_DECODER_STATE:
    return config->has_decoder ? config->decoder_state_width : config->state_units;
  case WIDTH_FED:
    return config->fed_width;
  case WIDTH_GIVEN:
    return config->given_width;
  case WIDTH_OUTPUTS:
    return config->outputs;
  case WIDTH_HEADS:
    return config->heads > 1 ? config->heads : 1;
  case WIDTH_ONE:
    break;
  }
  return 1;
}

size_t call_row_elements(const cuseq_config *config, enum backend_array array, int32_t time, int32_t steps) {
  const struct call_array *row = &call_arrays[array];
  size_t width = (size_t)width_of(config, row->width, time);
  return row->rows == CALL_PER_POSITION ? width * (size_t)time
         : row->rows == CALL_PER_STEP   ? width * (size_t)steps
                                        : width;
}
