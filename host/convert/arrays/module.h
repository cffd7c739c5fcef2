/* What a module of a checkpoint is, told by the names and shapes of its tensors. */
#ifndef CUSEQ_ARRAYS_MODULE_H
#define CUSEQ_ARRAYS_MODULE_H

#include "convert/arrays/checkpoint.h"

/* A recurrent module of PyTorch as its tensors show it. */
struct recurrent {
  int layers; /* of nn.LSTM and its like */
  bool cell;  /* of nn.LSTMCell and its like; a module may look like both */
  bool reverse, bias;
  int64_t units, gates; /* 0 where that cannot be told */
  int64_t projected;    /* proj_size, or 0 */
};

struct recurrent module_look(const struct checkpoint *checkpoint, const char *module);

/* "an nn.LSTM" by its gates, or "an nn.LSTMCell". */
const char *module_recurrent_class(const struct recurrent *found);

/* A recurrent module that is wanted. */
struct module_lstm {
  int layers, directions;
  int32_t units;
  const char *units_key; /* where the configuration says so, "encoder.units" */
  bool cell;             /* an nn.LSTMCell will do */
};

/* Of what was found. */
struct module_found {
  bool cell; /* an nn.LSTMCell */
  bool bias; /* it has biases: then all its layers and directions have */
};

/* Refuses a module that is not such an nn.LSTM, or has more, with what it is instead. */
cuseq_status module_expect_lstm(const struct checkpoint *checkpoint, const struct name *name,
                                const struct module_lstm *wanted, struct module_found *found);

/* Refuses a module without a matrix "weight". `what` is what it has to be, "an nn.Linear". */
cuseq_status module_expect_weight(const struct checkpoint *checkpoint, const struct name *name,
                                  const char *what);

/* What the module is, "an nn.Linear"; returns false of one that is no class that is known, and gives which
 * tensor may be meant.
 *   stem  what the last part of that tensor's name begins with */
bool module_describe(const struct checkpoint *checkpoint, const char *module, const char *stem, char *text,
                     size_t capacity);

/* What a tensor of this name, "layer.running_mean", is a sign of: ", as batch normalisation has ..."; "" of
 * most. */
const char *module_sign(const char *name);

/* An error about a module that names maps: "module 'rnn' ("encoder"): ...". */
cuseq_status module_error(const struct name *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
