/* What the operations of ONNX compute, one function for each; nodes.c chooses. Each reads call->inputs and
 * fills call->outputs, or refuses in the node's name. */
#ifndef CUSEQ_ONNX_NODES_H
#define CUSEQ_ONNX_NODES_H

#include "convert/onnx/evaluate.h"

/* The function of an operation; NULL where cuseq has none. */
node_function nodes_find(const char *operation);

/* nodes_shape.c */
cuseq_status node_constant(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_constant_of_shape(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_shape(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_size(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_range(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_squeeze(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_unsqueeze(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_transpose(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_expand(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_tile(struct evaluator *evaluator, struct node_call *call);

/* nodes_reshape.c */
cuseq_status node_reshape(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_flatten(struct evaluator *evaluator, struct node_call *call);

/* nodes_index.c */
cuseq_status node_gather(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_slice(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_split(struct evaluator *evaluator, struct node_call *call);

/* nodes_join.c */
cuseq_status node_concat(struct evaluator *evaluator, struct node_call *call);

/* nodes_elementwise.c */
cuseq_status node_identity(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_cast(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_arithmetic(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_negate(struct evaluator *evaluator, struct node_call *call);

/* nodes_activation.c */
cuseq_status node_activation(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_leaky_relu(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_clip(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_softmax(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_argmax(struct evaluator *evaluator, struct node_call *call);

/* nodes_root.c */
cuseq_status node_square_root(struct evaluator *evaluator, struct node_call *call);

/* nodes_product.c */
cuseq_status node_matmul(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_gemm(struct evaluator *evaluator, struct node_call *call);

/* nodes_normal.c */
cuseq_status node_layer_normalization(struct evaluator *evaluator, struct node_call *call);

/* nodes_reduce.c */
cuseq_status node_reduce(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_pool(struct evaluator *evaluator, struct node_call *call);

/* nodes_recurrent.c */
cuseq_status node_recurrent(struct evaluator *evaluator, struct node_call *call);

/* nodes_mask.c */
cuseq_status node_compare(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_not(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_where(struct evaluator *evaluator, struct node_call *call);

/* nodes_branch.c */
cuseq_status node_if(struct evaluator *evaluator, struct node_call *call);

/* nodes_order.c: rows ordered by their lengths, as packed sequences are exported. */
cuseq_status node_top_k(struct evaluator *evaluator, struct node_call *call);
cuseq_status node_scatter(struct evaluator *evaluator, struct node_call *call);

#endif
