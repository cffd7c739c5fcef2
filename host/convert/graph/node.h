/* Where something in a graph comes from, for messages: a layer of Keras, a node of ONNX. */
#ifndef CUSEQ_GRAPH_NODE_H
#define CUSEQ_GRAPH_NODE_H

#include "cuseq/cuseq.h"
#include "formats/arena.h"

/* A front end makes one for each layer or node and keeps it as long as the expressions; equal weights and
 * cells are told by their node's address. */
struct graph_node {
  const char *name;
  const char *class_name; /* of the layer, or the operation */
  const char *word;       /* what its like are called, "node"; NULL: "layer" */
};

/* Another one that reads alike, told apart by its address; it is the arena's. */
cuseq_status node_copy(struct arena *arena, const struct graph_node *node, struct graph_node **copy);

/* Says that it cannot be converted: "layer 'NAME' (CLASS): ", or what its word is, and the reason. */
cuseq_status node_refuse(const struct graph_node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
