/* Single modules of a checkpoint as single layers of the model. */
#ifndef CUSEQ_PYTORCH_LAYERS_H
#define CUSEQ_PYTORCH_LAYERS_H

#include "convert/pytorch/checkpoint.h"

enum { LAYER_KEY_CAPACITY = 128 };

/* One direction of one layer of an nn.LSTM, or an nn.LSTMCell: weight_ih<ending>, weight_hh<ending>, ...
 * become KEY.kernel, .recurrent_kernel and .bias, the two biases added up, zeros where there are none.
 *   ending     "_l0_reverse"; "" of a cell
 *   embedding  folded into the kernel, or NULL
 *   behind     so many of the kernel's last rows are moved before the others: those of the part that the
 *              model reads first and the module last; 0: none */
cuseq_status layer_add_lstm(struct checkpoint *checkpoint, const char *key, const struct name *name,
                            const char *ending, const struct checkpoint_array *embedding, int64_t behind);

/* An nn.Linear: KEY.kernel [in,out] and .bias, zeros where it has none.
 *   behind  as in layer_add_lstm */
cuseq_status layer_add_linear(struct checkpoint *checkpoint, const struct name *name, int64_t behind);

/* Reads the weight of a module, which has to be `what`, "an nn.Linear", and its bias, which has one value for
 * each of the weight's rows; the bias is NULL where there is none. */
cuseq_status layer_read(struct checkpoint *checkpoint, const struct name *name, const char *what,
                        struct checkpoint_array *weight, struct checkpoint_array *bias);

/* Adds PREFIX.SUFFIX, as a vector or a matrix, and takes the array's data over. */
cuseq_status layer_add_array(struct checkpoint *checkpoint, const char *prefix, const char *suffix,
                             struct checkpoint_array *array, bool vector);

#endif
