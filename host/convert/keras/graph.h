/* A Keras model's configuration, Keras 2's or 3's, as one kind of graph: layers, their calls, who feeds
 * whom. */
#ifndef CUSEQ_KERAS_GRAPH_H
#define CUSEQ_KERAS_GRAPH_H

#include "convert/graph/node.h"
#include "cuseq/cuseq.h"
#include "formats/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GRAPH_MAX_LAYERS = 20000, GRAPH_MAX_CALLS = 200000, GRAPH_MAX_NESTING = 8 };

struct keras_version {
  int major, minor;
  bool tensorflow; /* "2.2.4-tf": TensorFlow 1 and 2 both wrote it */
};

struct hdf5_node;
struct layer_weights;
struct keras_layer;

/* Output `tensor` of call number `call` of a layer. */
struct graph_reference {
  struct keras_layer *layer;
  int32_t call;
  int32_t tensor;
};

enum argument_kind { ARGUMENT_CONSTANT, ARGUMENT_TENSOR, ARGUMENT_LIST };

struct graph_argument {
  enum argument_kind kind;
  const char *key;        /* NULL: positional */
  const json_t *constant; /* borrowed from the configuration */
  struct graph_reference reference;
  struct graph_argument *items; /* of a list */
  size_t count;
};

struct graph_call {
  struct graph_argument *arguments;
  size_t count;
};

/* Who wrote a layer's class, as far as the file says. */
enum layer_origin { ORIGIN_UNKNOWN, ORIGIN_KERAS, ORIGIN_AUTHOR };

/* Where messages send whoever has a layer of a class of his own. */
#define PAGE_FOR_AUTHORS                                                                                     \
  "docs/from-keras.md, \"From a hand-written attention layer\", shows how to bring its weights over"

enum { LAYER_MAX_CELLS = 16, LAYER_WEIGHTS_PARTS = 3 + LAYER_MAX_CELLS };

struct layer_marks {
  bool used;        /* it was evaluated */
  const char *half; /* the dtype policy of half precision that it has, or NULL */
  struct layer_weights *found[LAYER_WEIGHTS_PARTS]; /* what weights_find found, by weights_part */
  struct keras_layer *cells; /* of an RNN over a list of cells: a copy of it for each, or NULL */
};

/* A layer, or one of Keras 3's operations (keras.ops) in a graph. */
struct keras_layer {
  struct graph_node node; /* its name and class */
  const json_t *config;   /* an object */
  bool is_operation;
  enum layer_origin origin;
  bool trainable;
  /* it lies in a Sequential: its input is what the layer in front of it gives, with that one's mask */
  bool in_row;
  json_int_t shared;              /* a number that the same object has wherever else it stands, or 0 */
  struct layer_marks *marks;      /* what is noted of it later */
  const char *folder_name;        /* of a .keras file: what its folder is called there */
  const struct hdf5_node *folder; /* that folder, or NULL */
  struct graph_call *calls;
  size_t call_count;
  struct keras_model *inner; /* a model that is used as a layer, or NULL */
  size_t position;           /* in its model */
  struct keras_layer *outer; /* the model it lies in, as a layer of another one; NULL at the top */
};

/* The layer that an expression's or a mask's node is of. */
static inline const struct keras_layer *layer_of(const struct graph_node *node) {
  return (const struct keras_layer *)node; /* its first member */
}

struct keras_model {
  struct keras_layer *layers;
  size_t layer_count;
  struct graph_reference *inputs;
  size_t input_count;
  struct graph_reference *outputs;
  size_t output_count;
};

/* Reads the model's configuration: {"class_name": "Functional" | "Model" | "Sequential", "config": {...}}.
 * Classes that only have the name of one of Keras' are refused (identity.h).
 *   config   is borrowed and must outlive the model
 *   version  of the Keras that wrote it
 *   arena    what the model is allocated in */
cuseq_status graph_parse(const json_t *config, const struct keras_version *version, struct arena *arena,
                         struct keras_model **model);

/* Says that a layer cannot be converted: "layer 'NAME' (CLASS): " and the reason. */
#define layer_refuse(layer, ...) node_refuse(&(layer)->node, __VA_ARGS__)

/* Settings of a layer; what is absent or null is `fallback`, what has another type is refused. */
cuseq_status layer_bool(const struct keras_layer *layer, const json_t *config, const char *key, bool fallback,
                        bool *value);
cuseq_status layer_integer(const struct keras_layer *layer, const json_t *config, const char *key,
                           int64_t fallback, int64_t *value);

#endif
