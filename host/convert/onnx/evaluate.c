#include "convert/onnx/evaluate.h"

#include "convert/onnx/names.h"
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tensor nothing = {.kind = TENSOR_NONE};

const struct tensor *node_input(const struct node_call *call, size_t at) {
  return at < call->input_count ? call->inputs[at] : &nothing;
}

cuseq_status node_arity(const struct node_call *call, size_t least, size_t most) {
  bool complete = call->input_count >= least && call->input_count <= most;
  for (size_t i = 0; complete && i < least; i++)
    complete = call->inputs[i]->kind != TENSOR_NONE;
  if (!complete || call->node->n_output < 1)
    return call_refuse(call, "it has a number of inputs or outputs that ONNX does not allow");
  return CUSEQ_STATUS_OK;
}

/* ---- weights in the file -------------------------------------------------------------------------- */

/* An initializer: integers are read, as they say shapes; floats stay where they are. */
static cuseq_status give_initializer(struct evaluator *evaluator, struct name *name) {
  const OnnxFile__Tensor *stored = name->initializer;
  struct tensor *tensor = &name->tensor;
  size_t count;
  TRY(onnx_tensor_count(evaluator->file, stored, &count));
  *tensor = (struct tensor){.kind = TENSOR_NUMBERS, .stored = stored, .rank = (int32_t)stored->n_dims};
  for (int32_t i = 0; i < tensor->rank; i++)
    tensor->dims[i] = dim_of(stored->dims[i]);
  name->known = true;
  if (onnx_type_is_float(stored->data_type))
    return CUSEQ_STATUS_OK;
  if (count > TENSOR_MAX_INTEGERS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.120s': too many integers (%zu)", name->text,
                     count);
  int64_t *values = arena_allocate(evaluator->arena, (count + 1) * sizeof *values);
  struct dim *integers = arena_allocate(evaluator->arena, (count + 1) * sizeof *integers);
  if (values == NULL || integers == NULL)
    return error_out_of_memory();
  TRY(onnx_tensor_integers(evaluator->file, stored, values));
  for (size_t i = 0; i < count; i++)
    integers[i] = dim_of(values[i]);
  tensor->kind = TENSOR_INTEGERS;
  tensor->integer = true;
  tensor->integers = integers;
  return CUSEQ_STATUS_OK;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

/* What the operation of a node is called in messages, with the domain of one that is not ONNX's own. */
static const char *operation_of(struct evaluator *evaluator, const OnnxFile__Node *node) {
  const char *operation = node->op_type != NULL ? node->op_type : "";
  if (node->domain == NULL || node->domain[0] == '\0' || strcmp(node->domain, "ai.onnx") == 0)
    return operation;
  size_t size = strlen(node->domain) + strlen(operation) + 2;
  char *text = arena_allocate(evaluator->arena, size);
  if (text != NULL)
    snprintf(text, size, "%s.%s", node->domain, operation);
  return text != NULL ? text : operation;
}

/* A node has a name, or that of what it makes. */
static cuseq_status begin(struct evaluator *evaluator, const OnnxFile__Node *node, struct node_call *call) {
  struct graph_node *kept = arena_allocate(evaluator->arena, sizeof *kept);
  if (kept == NULL)
    return error_out_of_memory();
  bool named = node->name != NULL && node->name[0] != '\0';
  kept->name = named ? node->name : node->n_output > 0 ? node->output[0] : "";
  kept->class_name = operation_of(evaluator, node);
  kept->word = "node";
  *call = (struct node_call){.node = node, .kept = kept, .input_count = node->n_input};
  if (node->n_input > NODE_MAX_INPUTS || node->n_output > NODE_MAX_OUTPUTS)
    return call_refuse(call, "it has too many inputs or outputs");
  call->outputs = arena_allocate(evaluator->arena, (node->n_output + 1) * sizeof *call->outputs);
  return call->outputs != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

static cuseq_status find_inputs(struct evaluator *evaluator, struct node_call *call) {
  const struct tensor **inputs = arena_allocate(evaluator->arena, (call->input_count + 1) * sizeof(void *));
  if (inputs == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < call->input_count; i++) {
    const char *text = call->node->input[i];
    inputs[i] = &nothing;
    if (text[0] == '\0')
      continue;
    struct name *name = name_find(evaluator->names, text);
    if (name == NULL)
      return call_refuse(call, "it reads '%.120s', which nothing in the graph makes", text);
    if (!name->known && name->initializer != NULL)
      TRY(give_initializer(evaluator, name));
    if (!name->known)
      return call_refuse(call,
                         "it reads '%.120s', which no node before it makes (the graph is cyclic or out of "
                         "order)",
                         text);
    inputs[i] = &name->tensor;
  }
  call->inputs = inputs;
  return CUSEQ_STATUS_OK;
}

bool operation_is_loop(const char *operation) {
  static const char *const loops[] = {"Loop", "Scan", "SequenceMap"};
  for (size_t i = 0; operation != NULL && i < sizeof loops / sizeof *loops; i++)
    if (strcmp(operation, loops[i]) == 0)
      return true;
  return false;
}

static cuseq_status refuse_operation(const struct node_call *call) {
  if (call->node->op_type != NULL && strcmp(call->kept->class_name, call->node->op_type) != 0)
    return call_refuse(call, "it is no operation of ONNX's own (cuseq knows no other domain)");
  if (operation_is_loop(call->kept->class_name))
    return call_refuse(call, "loops inside a graph cannot be read (export the encoder and one "
                             "step of the decoder as two files, or a loop of a fixed number of steps)");
  return call_refuse(call, "cuseq cannot express this operation");
}

static cuseq_status run_node(struct evaluator *evaluator, const OnnxFile__Node *node) {
  struct node_call call;
  TRY(begin(evaluator, node, &call));
  node_function function = strcmp(call.kept->class_name, node->op_type != NULL ? node->op_type : "") == 0
                               ? nodes_find(call.kept->class_name)
                               : NULL;
  if (function == NULL)
    return refuse_operation(&call);
  TRY(find_inputs(evaluator, &call));
  TRY(evaluator_work(evaluator, &call, 16));
  TRY(function(evaluator, &call));
  for (size_t i = 0; i < node->n_output; i++) {
    struct name *name = node->output[i][0] != '\0' ? name_find(evaluator->names, node->output[i]) : NULL;
    if (name == NULL)
      continue;
    name->tensor = call.outputs[i];
    name->known = call.outputs[i].kind != TENSOR_NONE;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the graph ------------------------------------------------------------------------------------ */

/* Marks what makes a tensor, unless it is there already. */
static void demand(const struct evaluator *evaluator, const char *text, bool *needed) {
  const struct name *name = text[0] != '\0' ? name_find(evaluator->names, text) : NULL;
  if (name != NULL && name->maker != NULL)
    needed[name->maker_at] = true;
}

/* What a node reads, and what the nodes of its branches read of the graph around them. The nesting is bounded
 * by the file's reader. */
static void demand_inputs(const struct evaluator *evaluator, const OnnxFile__Node *node, bool *needed) {
  for (size_t k = 0; k < node->n_input; k++)
    demand(evaluator, node->input[k], needed);
  for (size_t a = 0; a < node->n_attribute; a++) {
    const OnnxFile__Graph *branch = node->attribute[a]->g;
    for (size_t i = 0; branch != NULL && i < branch->n_node; i++)
      demand_inputs(evaluator, branch->node[i], needed);
    for (size_t i = 0; branch != NULL && i < branch->n_output; i++)
      if (branch->output[i]->name != NULL)
        demand(evaluator, branch->output[i]->name, needed);
  }
}

cuseq_status evaluate_nodes(struct evaluator *evaluator, const OnnxFile__Graph *graph) {
  for (size_t i = 0; i < graph->n_node; i++)
    TRY(run_node(evaluator, graph->node[i]));
  return CUSEQ_STATUS_OK;
}

/* Which nodes the graph's outputs need; free() releases them. NULL: there is no memory. */
static bool *find_needed(const struct evaluator *evaluator, const OnnxFile__Graph *graph) {
  bool *needed = calloc(graph->n_node + 1, sizeof *needed);
  if (needed == NULL)
    return NULL;
  for (size_t i = 0; i < graph->n_output; i++)
    demand(evaluator, graph->output[i]->name != NULL ? graph->output[i]->name : "", needed);
  for (size_t i = graph->n_node; i-- > 0;)
    if (needed[i])
      demand_inputs(evaluator, graph->node[i], needed);
  return needed;
}

cuseq_status evaluate_refuse_loops(struct evaluator *evaluator) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  bool *needed = find_needed(evaluator, graph);
  if (needed == NULL)
    return error_out_of_memory();
  cuseq_status status = CUSEQ_STATUS_OK;
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < graph->n_node; i++)
    if (needed[i] && operation_is_loop(graph->node[i]->op_type))
      status = run_node(evaluator, graph->node[i]);
  free(needed);
  return status;
}

cuseq_status evaluate_graph(struct evaluator *evaluator) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  bool *needed = find_needed(evaluator, graph);
  cuseq_status status = needed != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < graph->n_node; i++)
    if (needed[i])
      status = run_node(evaluator, graph->node[i]);
  free(needed);
  return status;
}
