#include "backends/backend.h"

const char *backend_array_name(enum backend_array array) {
  static const char *const names[BACKEND_ARRAYS] = {[BACKEND_PREVIOUS] = "previous",
                                                    [BACKEND_STATE_H] = "decoder initial_h",
                                                    [BACKEND_STATE_C] = "decoder initial_c",
                                                    [BACKEND_LENGTHS] = "lengths",
                                                    [BACKEND_INITIAL_H] = "initial_h",
                                                    [BACKEND_INITIAL_C] = "initial_c",
                                                    [BACKEND_DATA] = "input",
                                                    [BACKEND_ANNOTATIONS] = "annotations",
                                                    [BACKEND_H_FW] = "h_fw",
                                                    [BACKEND_C_FW] = "c_fw",
                                                    [BACKEND_H_BW] = "h_bw",
                                                    [BACKEND_C_BW] = "c_bw",
                                                    [BACKEND_FINAL_H] = "final_h",
                                                    [BACKEND_FINAL_C] = "final_c",
                                                    [BACKEND_CONTEXTS] = "contexts",
                                                    [BACKEND_ALPHAS] = "alphas",
                                                    [BACKEND_STATES] = "states",
                                                    [BACKEND_OUTPUTS] = "outputs",
                                                    [BACKEND_TOKENS] = "tokens",
                                                    [BACKEND_OUTPUT_LENGTHS] = "output_lengths",
                                                    [BACKEND_DECODER_FINAL_H] = "decoder final_h",
                                                    [BACKEND_DECODER_FINAL_C] = "decoder final_c"};
  return names[array];
}
