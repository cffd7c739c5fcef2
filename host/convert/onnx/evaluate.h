/* Walks an ONNX graph, whose nodes come in an order in which they can be computed, and gives every tensor its
 * meaning. */
#ifndef CUSEQ_ONNX_EVALUATE_H
#define CUSEQ_ONNX_EVALUATE_H

#include "convert/graph/notes.h"
#include "convert/onnx/tensor.h"
#include "convert/recognise/recognise.h"
#include "error.h"
#include "onnx.pb-c.h"

enum { NODE_MAX_INPUTS = 4096, NODE_MAX_OUTPUTS = 4096, MAX_INPUT_NODES = 256 };

struct names; /* names.h: from a tensor's name to its meaning */

/* What all files of a conversion share, beside the expressions. */
struct shared {
  uint64_t *hashes; /* what the matrices hash to, so that weights which are stored again are the same ones */
  int32_t hash_capacity;
  int32_t *states; /* pairs: the sum that is a cell's new cell state, and the cell's CELL_C */
  int32_t state_count, state_capacity;
  struct graph_input *inputs; /* of the model: EXPRESSION_INPUT's index counts them */
  int32_t input_count, input_capacity;
  const struct graph_node *nodes[MAX_INPUT_NODES]; /* of inputs, and the files that they are of */
  const struct onnx_file *owners[MAX_INPUT_NODES];
  int32_t node_count;
};

/* One file while it is evaluated. The expressions are shared by all files of a conversion. */
struct evaluator {
  struct expressions *expressions;
  struct arena *arena;
  struct notes *notes;
  const struct onnx_file *file;
  int64_t opset;
  struct names *names;
  bool time_first;                  /* how the axes of an input that is a sequence are taken */
  bool turned;                      /* receives whether a layer found them the other way round */
  int32_t clock;                    /* of the positions, -1: none so far */
  int64_t fixed_batch, fixed_time;  /* how many rows and positions the file is made for, -1: any */
  const struct graph_node *lengths; /* what tells the rows' lengths, or NULL */
  struct shared *shared;
  size_t file_numbers; /* how many numbers the file's weights are */
  size_t work;         /* numbers that were computed, held against them */
};

/* A node while it is evaluated. */
struct node_call {
  const OnnxFile__Node *node;
  const struct graph_node *kept; /* for messages; it lives as long as the expressions */
  size_t input_count;
  const struct tensor *const *inputs; /* one that is left out is of kind TENSOR_NONE */
  struct tensor *outputs;             /* [n_output], zeroed */
};

/* What a node of one kind computes. */
typedef cuseq_status (*node_function)(struct evaluator *evaluator, struct node_call *call);

/* Evaluates all nodes that the graph's outputs need. The inputs must have been given meanings before. */
cuseq_status evaluate_graph(struct evaluator *evaluator);

/* Whether an operation is a loop, whose steps the graph does not show. */
bool operation_is_loop(const char *operation);

/* Refuses a graph whose outputs need a loop, before what is around it is looked at. */
cuseq_status evaluate_refuse_loops(struct evaluator *evaluator);

/* Evaluates a list of nodes, one after the other: a branch. */
cuseq_status evaluate_nodes(struct evaluator *evaluator, const OnnxFile__Graph *graph);

/* Refuses: "node 'NAME' (OPERATION): " and the reason. A macro, so that an analyser sees that it is no
 * success. */
#define call_refuse(call, ...)                                                                               \
  ((void)node_refuse((call)->kept, __VA_ARGS__), error_status(CUSEQ_STATUS_INVALID_MODEL))

/* An input, of kind TENSOR_NONE beyond those that there are. */
const struct tensor *node_input(const struct node_call *call, size_t at);

/* Refuses unless the node has between `least` and `most` inputs, the first `least` of which are there. */
cuseq_status node_arity(const struct node_call *call, size_t least, size_t most);

/* attributes.c: a node's attributes, or what ONNX says is meant where one is not there. One of another type
 * is refused. */
cuseq_status attribute_integer(const struct node_call *call, const char *name, int64_t absent,
                               int64_t *value);
cuseq_status attribute_float(const struct node_call *call, const char *name, double absent, double *value);
const OnnxFile__Attribute *attribute_find(const struct node_call *call, const char *name);

/* A text; NULL where it is not there. It lies in the arena. */
cuseq_status attribute_text(struct evaluator *evaluator, const struct node_call *call, const char *name,
                            const char **text);

/* Refuses a node that has other attributes than these, separated by spaces: what is not known is not passed
 * over. */
cuseq_status attributes_check(const struct node_call *call, const char *known);

/* Integers that are an input from opset `since` on, and an attribute before: axes, sizes.
 *   values  receives them, from the arena; *count -1: there are none */
cuseq_status node_integers(struct evaluator *evaluator, const struct node_call *call, size_t input,
                           const char *attribute, int64_t since, const int64_t **values, int32_t *count);

/* An axis as ONNX counts it, negative from the end. */
cuseq_status node_axis(const struct node_call *call, int64_t axis, int32_t rank, int32_t *at);

/* Constants of an input: an INTEGERS tensor's, of which every one must be a constant. */
cuseq_status tensor_constants(struct evaluator *evaluator, const struct node_call *call,
                              const struct tensor *tensor, const int64_t **values, int32_t *count);

#endif
