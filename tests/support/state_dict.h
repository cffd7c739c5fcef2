/* State_dicts as PyTorch's modules have them, made up for tests. */
#ifndef TESTS_SUPPORT_STATE_DICT_H
#define TESTS_SUPPORT_STATE_DICT_H

#include "formats/safetensors.h"

#include <stdbool.h>

enum { STATE_DICT_MOST = 128, STATE_DICT_NAME = 96 };

struct state_dict {
  struct safetensors_tensor tensors[STATE_DICT_MOST];
  char names[STATE_DICT_MOST][STATE_DICT_NAME];
  size_t count;
  struct safetensors_pair metadata[4]; /* as written beside the tensors */
  size_t metadata_count;
};

/* A tensor of float32 numbers, others for every tensor. columns 0: a vector. */
void state_dict_add(struct state_dict *dict, const char *name, int64_t rows, int64_t columns);

/* The tensors of an nn.LSTM and its like: gates 4, of an nn.GRU 3, of an nn.RNN 1. projected 0: no proj_size.
 */
void state_dict_add_rnn(struct state_dict *dict, const char *prefix, int gates, int64_t inputs, int64_t units,
                        int layers, bool bidirectional, int64_t projected);

/* Those of an nn.LSTMCell and its like, an nn.Linear, an nn.BatchNorm1d. */
void state_dict_add_cell(struct state_dict *dict, const char *prefix, int gates, int64_t inputs,
                         int64_t units);
void state_dict_add_linear(struct state_dict *dict, const char *prefix, int64_t inputs, int64_t units,
                           bool bias);
void state_dict_add_norm(struct state_dict *dict, const char *prefix, int64_t units);

/* Takes the tensors of a prefix and a dot out, and one of that very name. */
void state_dict_remove(struct state_dict *dict, const char *prefix);

/* Puts a prefix before the names that begin with another. */
void state_dict_rename(struct state_dict *dict, const char *from, const char *to);

/* Writes the dict; returns its path, as folder_path does. */
const char *state_dict_write(const struct state_dict *dict, const char *name);

#endif
