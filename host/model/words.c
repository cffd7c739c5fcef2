#include "model/words.h"

#include "model/structure.h"

#include <stdio.h>
#include <string.h>

#define ELEMENTWISE                                                                                          \
  {"linear", CUSEQ_ACTIVATION_LINEAR}, {"tanh", CUSEQ_ACTIVATION_TANH}, {"relu", CUSEQ_ACTIVATION_RELU},     \
      {"sigmoid", CUSEQ_ACTIVATION_SIGMOID}, {"hard_sigmoid", CUSEQ_ACTIVATION_HARD_SIGMOID},                \
      {"hard_sigmoid_keras2", CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2}, {"elu", CUSEQ_ACTIVATION_ELU},          \
      {"selu", CUSEQ_ACTIVATION_SELU}, {"gelu", CUSEQ_ACTIVATION_GELU},                                      \
      {"gelu_tanh", CUSEQ_ACTIVATION_GELU_TANH}, {"swish", CUSEQ_ACTIVATION_SWISH},                          \
      {"softplus", CUSEQ_ACTIVATION_SOFTPLUS}, {"softsign", CUSEQ_ACTIVATION_SOFTSIGN},                      \
      {"leaky_relu", CUSEQ_ACTIVATION_LEAKY_RELU}, {"leaky_relu_0.2", CUSEQ_ACTIVATION_LEAKY_RELU_02},       \
      {"leaky_relu_0.3", CUSEQ_ACTIVATION_LEAKY_RELU_03}, {"exponential", CUSEQ_ACTIVATION_EXPONENTIAL}, {   \
    "hard_tanh", CUSEQ_ACTIVATION_HARD_TANH                                                                  \
  }

const struct word words_activation[] = {ELEMENTWISE, {NULL, 0}};
const struct word words_last_activation[] = {ELEMENTWISE,
                                             {"softmax", CUSEQ_ACTIVATION_SOFTMAX},
                                             {"log_softmax", CUSEQ_ACTIVATION_LOG_SOFTMAX},
                                             {NULL, 0}};
const struct word words_cell_kind[] = {{"lstm", CELL_LSTM}, {"gru", CELL_GRU}, {NULL, 0}};
const struct word words_direction[] = {{"forward", LAYER_FORWARD},
                                       {"backward", LAYER_BACKWARD},
                                       {"bidirectional", LAYER_BIDIRECTIONAL},
                                       {NULL, 0}};
const struct word words_merge[] = {{"concat", CUSEQ_MERGE_CONCAT},
                                   {"sum", CUSEQ_MERGE_SUM},
                                   {"mul", CUSEQ_MERGE_MUL},
                                   {"ave", CUSEQ_MERGE_AVE},
                                   {NULL, 0}};
const struct word words_score[] = {{"concat", CUSEQ_SCORE_CONCAT},
                                   {"dot", CUSEQ_SCORE_DOT},
                                   {"general", CUSEQ_SCORE_GENERAL},
                                   {"additive", CUSEQ_SCORE_ADDITIVE},
                                   {NULL, 0}};
const struct word words_asks[] = {
    {"previous", ASKS_PREVIOUS}, {"current", ASKS_CURRENT}, {"token", ASKS_TOKEN}, {NULL, 0}};
const struct word words_part[] = {
    {"token", PART_TOKEN}, {"context", PART_CONTEXT}, {"attentional", PART_ATTENTIONAL},
    {"state", PART_STATE}, {"given", PART_GIVEN},     {NULL, 0}};
const struct word words_initial_from[] = {
    {"encoder", INITIAL_ENCODER}, {"zeros", INITIAL_ZEROS}, {"other", INITIAL_OTHER}, {NULL, 0}};
const struct word words_initial_directions[] = {{"concat", INITIAL_CONCAT},
                                                {"sum", INITIAL_SUM},
                                                {"forward", INITIAL_FORWARD},
                                                {"backward", INITIAL_BACKWARD},
                                                {NULL, 0}};
const struct word words_feedback[] = {{"none", FEEDBACK_NONE},
                                      {"output", FEEDBACK_OUTPUT},
                                      {"given", FEEDBACK_GIVEN},
                                      {"probabilities", FEEDBACK_PROBABILITIES},
                                      {NULL, 0}};
const struct word words_state[] = {{"h", 0}, {"c", 1}, {NULL, 0}};

const struct word words_head_source[] = {
    {"step", HEAD_STEP},   {"context", HEAD_CONTEXT},     {"final", HEAD_FINAL},
    {"mean", HEAD_MEAN},   {"maximum", HEAD_MAXIMUM},     {"last", HEAD_LAST},
    {"every", HEAD_EVERY}, {"positions", HEAD_POSITIONS}, {NULL, 0}};
const struct word words_reset[] = {{"after", 1}, {"before", 0}, {NULL, 0}};
const struct word words_precision[] = {{"float32", CUSEQ_PRECISION_FLOAT32},
                                       {"tf32", CUSEQ_PRECISION_TF32},
                                       {"bf16", CUSEQ_PRECISION_BF16},
                                       {NULL, 0}};

const char *word_of(const struct word *words, int value) {
  for (; words->text; words++)
    if (words->value == value)
      return words->text;
  return "?";
}

int word_find(const struct word *words, const char *text, int *value) {
  for (; text && words->text; words++)
    if (strcmp(words->text, text) == 0) {
      *value = words->value;
      return 1;
    }
  return 0;
}

void words_join(const struct word *words, char *text, size_t capacity) {
  size_t used = 0;
  *text = '\0';
  for (const struct word *word = words; word->text && used < capacity; word++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", word == words ? "" : ", ", word->text);
}
