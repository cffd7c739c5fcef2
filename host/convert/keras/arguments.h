/* The arguments of a layer's call: their names, and which of them are its inputs. */
#ifndef CUSEQ_KERAS_ARGUMENTS_H
#define CUSEQ_KERAS_ARGUMENTS_H

#include "convert/keras/graph.h"

enum argument_role {
  ARGUMENT_INPUT, /* tensors that the layer works on, and settings, which have none               */
  ARGUMENT_STATE, /* initial_state                                                                */
  ARGUMENT_MASK,  /* mask, which is not computed: mask.c sees that it is one that the graph implies */
};

/* The name of argument number `at`: its keyword, or that of its position in Keras 3's call(); "" for the
 * first one, and for all positional ones of an operation; "?" for one that no layer that cuseq knows has. */
const char *argument_name(const struct keras_layer *layer, const struct graph_call *call, size_t at);
enum argument_role argument_role(const struct keras_layer *layer, const struct graph_call *call, size_t at);

/* Whether an argument is None, or not there. */
static inline bool argument_is_none(const struct graph_argument *argument) {
  return argument == NULL || (argument->kind == ARGUMENT_CONSTANT && json_is_null(argument->constant));
}

/* Whether it is one of keras.ops' or TensorFlow's operations. */
bool layer_is_operation(const struct keras_layer *layer);

#endif
