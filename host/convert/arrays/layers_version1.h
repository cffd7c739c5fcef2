/* Single modules of a checkpoint as single layers of a model of version 1. */
#ifndef CUSEQ_ARRAYS_LAYERS_VERSION1_H
#define CUSEQ_ARRAYS_LAYERS_VERSION1_H

#include "convert/arrays/checkpoint.h"

enum { LAYER_KEY_CAPACITY = 128 };

/* How many numbers a layer reads and gives, and who says so, "as output.units says"; 0 where any will do. */
struct layer_widths {
  int64_t inputs;
  const char *inputs_by;
  int64_t outputs;
  const char *outputs_by;
};

/* One direction of one layer of an nn.LSTM, or an nn.LSTMCell. */
struct layer_lstm {
  const char *ending; /* of its tensors' names, "_l0_reverse"; "" of a cell                           */
  int64_t inputs;
  const char *inputs_by;
  int64_t units;
  bool bias;                                /* it has biases, both                                    */
  const struct checkpoint_array *embedding; /* folded into the kernel, or NULL                        */
  int64_t behind; /* so many of the kernel's last rows are moved before the others: those of the part that
                     the model reads first and the module last; 0: none                               */
};

/* weight_ih<ending>, weight_hh<ending>, ... become KEY.kernel, .recurrent_kernel and .bias, the two biases
 * added up, zeros where there are none. */
cuseq_status layer_add_lstm(struct checkpoint *checkpoint, const char *key, const struct name *name,
                            const struct layer_lstm *lstm);

/* An nn.Linear: KEY.kernel [in,out] and .bias, zeros where it has none.
 *   behind  as in struct layer_lstm */
cuseq_status layer_add_linear(struct checkpoint *checkpoint, const struct name *name,
                              const struct layer_widths *widths, int64_t behind);

/* Reads the weight of a module, which has to be `what`, "an nn.Linear", of these widths, and its bias, which
 * has one value for each of the weight's rows; the bias is NULL where there is none. */
cuseq_status layer_read(struct checkpoint *checkpoint, const struct name *name, const char *what,
                        const struct layer_widths *widths, struct checkpoint_array *weight,
                        struct checkpoint_array *bias);

/* Reads the table of an nn.Embedding, of so many rows.
 *   rows_by  who says so */
cuseq_status layer_read_embedding(struct checkpoint *checkpoint, const struct name *name, int64_t rows,
                                  const char *rows_by, struct checkpoint_array *table);

/* Adds PREFIX.SUFFIX, as a vector or a matrix, and takes the array's data over. */
cuseq_status layer_add_array(struct checkpoint *checkpoint, const char *prefix, const char *suffix,
                             struct checkpoint_array *array, bool vector);

#endif
