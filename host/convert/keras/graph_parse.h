/* The parts of graph.c: a reader of one model's configuration, and of its layers' calls. */
#ifndef CUSEQ_KERAS_GRAPH_PARSE_H
#define CUSEQ_KERAS_GRAPH_PARSE_H

#include "convert/keras/graph.h"

struct graph_reader {
  struct arena *arena;
  const struct keras_version *version;
  struct keras_model *model;
  json_t *names;             /* layer name -> its index in the model */
  struct keras_layer *outer; /* the layer that the model is, or NULL */
  int depth;
  size_t *layer_total;
  size_t *call_total;
};

/* Reads a model of any class that graph.h knows. */
cuseq_status graph_read_model(struct graph_reader *reader, const json_t *json, struct keras_model **model);

/* Reads "inbound_nodes" of either Keras. */
cuseq_status graph_read_calls(struct graph_reader *reader, const json_t *nodes, struct keras_layer *layer);

/* Reads "input_layers" or "output_layers": one [name, call, tensor], or lists or objects of them. */
cuseq_status graph_read_references(struct graph_reader *reader, const json_t *json,
                                   struct graph_reference **references, size_t *count);

/* graph_numbers.c: has every reference of the model count a layer's calls from 0, in the order of
 * layer->calls. */
cuseq_status graph_number_calls(const struct graph_reader *reader);

#endif
