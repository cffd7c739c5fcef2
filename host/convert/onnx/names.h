/* From a tensor's name to what makes it and what it is. */
#ifndef CUSEQ_ONNX_NAMES_H
#define CUSEQ_ONNX_NAMES_H

#include "convert/onnx/evaluate.h"

/* A tensor's name in a graph. */
struct name {
  const char *text;
  const OnnxFile__Node *maker;         /* the node that makes it, or NULL */
  int32_t maker_at;                    /* its place in the graph */
  const OnnxFile__Tensor *initializer; /* or NULL */
  struct tensor tensor;                /* once `known` */
  bool known;
};

struct names {
  struct name *list;
  size_t count, capacity;
  int32_t *table; /* hash table of indices, -1: free */
  size_t table_size;
};

/* Enters all names of a graph: initializers, inputs, outputs of nodes. Two things of one name are refused. */
cuseq_status name_table_make(struct evaluator *evaluator, struct names *names);
void name_table_free(struct names *names);

/* NULL where there is no such name. */
struct name *name_find(const struct names *names, const char *text);

#endif
