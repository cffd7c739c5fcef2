#include "convert/onnx/inputs.h"

#include "convert/onnx/names.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_STATE_DEPTH = 6, MAX_STATE_VISITS = 2000000 };

/* ---- what the file says --------------------------------------------------------------------------- */

cuseq_status declared_read(const OnnxFile__ValueInfo *info, struct declared *declared) {
  *declared = (struct declared){.name = info->name != NULL ? info->name : "", .rank = -1};
  const OnnxFile__TensorType *type = info->type != NULL ? info->type->tensor_type : NULL;
  if (type == NULL)
    return CUSEQ_STATUS_OK;
  declared->type = type->elem_type;
  if (type->shape == NULL)
    return CUSEQ_STATUS_OK;
  if (type->shape->n_dim > TENSOR_MAX_AXES)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "'%.120s' has too many axes", declared->name);
  declared->rank = (int32_t)type->shape->n_dim;
  for (int32_t i = 0; i < declared->rank; i++) {
    const OnnxFile__Dimension *dim = type->shape->dim[i];
    declared->dims[i] = dim->has_dim_value && dim->dim_value >= 0 ? dim->dim_value : -1;
    declared->symbols[i] = dim->dim_param != NULL ? dim->dim_param : "";
  }
  return CUSEQ_STATUS_OK;
}

/* Whether a node makes whole numbers of what it reads. */
static bool makes_integers(const OnnxFile__Node *node) {
  if (node->op_type == NULL || strcmp(node->op_type, "Cast") != 0)
    return false;
  for (size_t i = 0; i < node->n_attribute; i++)
    if (node->attribute[i]->name != NULL && strcmp(node->attribute[i]->name, "to") == 0)
      return node->attribute[i]->i == ONNX_INT32 || node->attribute[i]->i == ONNX_INT64;
  return false;
}

enum { MAX_CASTS = 8 };

static bool become_integers(const OnnxFile__Graph *graph, const char *name, int depth, int *visits) {
  bool read = false;
  for (size_t i = 0; i < graph->n_node && ++*visits < MAX_STATE_VISITS; i++)
    for (size_t k = 0; k < graph->node[i]->n_input; k++) {
      const OnnxFile__Node *node = graph->node[i];
      if (strcmp(node->input[k], name) != 0)
        continue;
      const bool cast = node->op_type != NULL && strcmp(node->op_type, "Cast") == 0 && node->n_output == 1;
      if (!makes_integers(node) &&
          !(cast && depth < MAX_CASTS && become_integers(graph, node->output[0], depth + 1, visits)))
        return false;
      read = true;
    }
  return read && *visits < MAX_STATE_VISITS;
}

bool inputs_become_integers(const OnnxFile__Graph *graph, const char *name) {
  int visits = 0;
  return become_integers(graph, name, 0, &visits);
}

/* Whether numbers [batch, time] that are declared as floats are ids: all that reads them makes whole numbers
 * of them first, as in what Keras' models of token ids become. */
static bool are_ids(const OnnxFile__Graph *graph, const struct declared *declared) {
  return declared->rank == 2 && onnx_type_is_float(declared->type) &&
         inputs_become_integers(graph, declared->name);
}

cuseq_status declared_inputs(struct evaluator *evaluator, struct declared **list, size_t *count) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  *count = 0;
  *list = arena_allocate(evaluator->arena, (graph->n_input + 1) * sizeof **list);
  if (*list == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < graph->n_input; i++) {
    const struct name *name = name_find(evaluator->names, graph->input[i]->name);
    if (name == NULL || name->initializer != NULL)
      continue;
    struct declared *declared = &(*list)[(*count)++];
    TRY(declared_read(graph->input[i], declared));
    if (are_ids(graph, declared))
      declared->type = ONNX_INT64;
  }
  return CUSEQ_STATUS_OK;
}

static bool has_word(const char *text, const char *const *words) {
  for (size_t i = 0; words[i] != NULL; i++)
    if (strcasestr(text, words[i]) != NULL)
      return true;
  return false;
}

bool input_is_called_mask(const char *name) {
  static const char *const words[] = {"mask", "padding", NULL};
  return has_word(name, words);
}

static bool is_sequence(const struct declared *input) {
  bool integer = onnx_type_is_integer(input->type) != 0, floats = onnx_type_is_float(input->type) != 0;
  return (integer && input->type != ONNX_BOOL && input->rank == 2) || (floats && input->rank == 3);
}

bool inputs_time_first(const struct declared *list, size_t count) {
  static const char *const rows[] = {"batch", NULL};
  static const char *const positions[] = {"time", "seq", "len", "step", NULL};
  for (size_t i = 0; i < count; i++)
    if (is_sequence(&list[i]) && list[i].dims[0] < 0 && list[i].dims[1] < 0)
      return has_word(list[i].symbols[1], rows) && has_word(list[i].symbols[0], positions);
  return false;
}

/* ---- meanings ------------------------------------------------------------------------------------- */

cuseq_status input_bind(struct evaluator *evaluator, const char *text, const struct tensor *tensor) {
  struct name *name = name_find(evaluator->names, text);
  if (name == NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "the graph has no input '%.120s'", text);
  name->tensor = *tensor;
  name->known = true;
  return CUSEQ_STATUS_OK;
}

cuseq_status input_node(struct evaluator *evaluator, const char *name, const struct graph_node **node) {
  struct shared *shared = evaluator->shared;
  for (int32_t i = 0; i < shared->node_count; i++)
    if (strcmp(shared->nodes[i]->name, name) == 0 && shared->owners[i] == evaluator->file) {
      *node = shared->nodes[i];
      return CUSEQ_STATUS_OK;
    }
  if (shared->node_count >= MAX_INPUT_NODES)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the graph has too many inputs");
  struct graph_node *made = arena_allocate(evaluator->arena, sizeof *made);
  if (made == NULL)
    return error_out_of_memory();
  *made = (struct graph_node){.name = name, .class_name = "input", .word = "input"};
  shared->owners[shared->node_count] = evaluator->file;
  shared->nodes[shared->node_count++] = made;
  *node = made;
  return CUSEQ_STATUS_OK;
}

cuseq_status input_expression(struct evaluator *evaluator, const char *name, bool timed, int32_t width,
                              int32_t *expression) {
  struct shared *shared = evaluator->shared;
  const struct graph_node *node;
  TRY(input_node(evaluator, name, &node));
  if (shared->input_count == shared->input_capacity) {
    int32_t capacity = shared->input_capacity * 2 + 16;
    struct graph_input *inputs = realloc(shared->inputs, (size_t)capacity * sizeof *inputs);
    if (inputs == NULL)
      return error_out_of_memory();
    shared->inputs = inputs;
    shared->input_capacity = capacity;
  }
  shared->inputs[shared->input_count] = (struct graph_input){.node = node};
  struct expression made = {.op = EXPRESSION_INPUT,
                            .width = width,
                            .clock = timed ? evaluator->clock : -1,
                            .matrix = -1,
                            .bias = -1,
                            .index = shared->input_count++,
                            .node = node};
  return expression_make(evaluator->expressions, &made, expression);
}

static struct dim size_of(int64_t declared, struct dim symbol) {
  return declared >= 0 ? dim_of(declared) : symbol;
}

/* A sequence of ids or of features. */
static cuseq_status give_sequence(struct evaluator *evaluator, const struct declared *input) {
  int32_t time = evaluator->time_first ? 0 : 1, *cells;
  struct tensor_axis axes[3];
  const struct graph_node *node;
  bool features = input->rank == 3;
  if (features && (input->dims[2] < 1 || input->dims[2] > 1 << 20))
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "input '%.120s': how many features a position has is not said", input->name);
  TRY(input_node(evaluator, input->name, &node));
  evaluator->fixed_batch = input->dims[1 - time];
  evaluator->fixed_time = input->dims[time];
  TRY(clock_make(evaluator->expressions, node, evaluator->fixed_time, false, &evaluator->clock));
  axes[time] = (struct tensor_axis){TENSOR_TIME, 0, size_of(evaluator->fixed_time, dim_time())};
  axes[1 - time] = (struct tensor_axis){TENSOR_BATCH, 0, size_of(evaluator->fixed_batch, dim_batch())};
  int32_t width = features ? (int32_t)input->dims[2] : 1;
  axes[2] = table_feature_axis(width);
  struct node_call call = {.kept = node};
  struct tensor made = {.integer = !features};
  TRY(table_make(evaluator, &call, axes, features ? 3 : 2, &made, &cells));
  TRY(input_expression(evaluator, input->name, true, width, &cells[0]));
  return input_bind(evaluator, input->name, &made);
}

static cuseq_status give_lengths(struct evaluator *evaluator, const struct declared *input) {
  struct tensor made = {.kind = TENSOR_LENGTHS, .integer = true, .axis_count = 1};
  const struct graph_node *node;
  made.axes[0] = (struct tensor_axis){
      TENSOR_BATCH, 0, evaluator->fixed_batch >= 0 ? dim_of(evaluator->fixed_batch) : dim_batch()};
  TRY(input_node(evaluator, input->name, &node));
  evaluator->lengths = node;
  TRY(notes_add(evaluator->notes, "input '%.100s' is the rows' lengths, which are given as such",
                input->name));
  return input_bind(evaluator, input->name, &made);
}

cuseq_status input_bind_mask(struct evaluator *evaluator, const char *name, const struct tensor_axis *axes) {
  static const char *const words[] = {"pad", NULL};
  bool padding = has_word(name, words);
  struct tensor made = {
      .kind = TENSOR_MASK, .integer = true, .axis_count = 2, .inside = !padding, .beyond = padding};
  memcpy(made.axes, axes, 2 * sizeof *axes);
  TRY(notes_add(evaluator->notes,
                "input '%.100s', a mask that is 1 %s the rows, is left out: give lengths instead", name,
                padding ? "beyond" : "within"));
  return input_bind(evaluator, name, &made);
}

static cuseq_status give_mask(struct evaluator *evaluator, const struct declared *input) {
  struct tensor_axis axes[2];
  const struct graph_node *node;
  int32_t time = evaluator->time_first ? 0 : 1;
  axes[time] = (struct tensor_axis){TENSOR_TIME, 0, size_of(evaluator->fixed_time, dim_time())};
  axes[1 - time] = (struct tensor_axis){TENSOR_BATCH, 0, size_of(evaluator->fixed_batch, dim_batch())};
  TRY(input_node(evaluator, input->name, &node));
  if (evaluator->lengths == NULL)
    evaluator->lengths = node;
  return input_bind_mask(evaluator, input->name, axes);
}

/* States before the first position: those who export such a graph feed zeros. */
static cuseq_status give_zeros(struct evaluator *evaluator, const struct declared *input) {
  struct tensor made = {.kind = TENSOR_FILL, .rank = input->rank};
  for (int32_t i = 0; i < input->rank; i++)
    made.dims[i] = size_of(input->dims[i], dim_batch());
  TRY(notes_add(evaluator->notes, "input '%.100s', an initial state, is taken as zeros", input->name));
  return input_bind(evaluator, input->name, &made);
}

/* Whether an input is a layer's initial state, by what reads it: nothing but parts of it, up to such a
 * place. */
static bool is_state_of(const struct evaluator *evaluator, const char *name, int depth, int *visits) {
  static const char *const through[] = {"Slice", "Gather", "Squeeze", "Unsqueeze", "Identity", "Split", NULL};
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  for (size_t i = 0; i < graph->n_node && depth < MAX_STATE_DEPTH && *visits < MAX_STATE_VISITS;
       i++, ++*visits) {
    const OnnxFile__Node *node = graph->node[i];
    const char *operation = node->op_type != NULL ? node->op_type : "";
    bool recurrent = strcmp(operation, "LSTM") == 0 || strcmp(operation, "GRU") == 0, passes = false;
    for (size_t k = 0; through[k] != NULL; k++)
      passes = passes || strcmp(through[k], operation) == 0;
    for (size_t k = 0; k < node->n_input; k++) {
      if (strcmp(node->input[k], name) != 0)
        continue;
      if (recurrent && (k == 5 || k == 6))
        return true;
      for (size_t o = 0; passes && k == 0 && o < node->n_output; o++)
        if (is_state_of(evaluator, node->output[o], depth + 1, visits))
          return true;
    }
  }
  return false;
}

static bool is_state(const struct evaluator *evaluator, const char *name) {
  int visits = 0;
  return is_state_of(evaluator, name, 0, &visits);
}

static cuseq_status give_other(struct evaluator *evaluator, const struct declared *input) {
  bool integer = onnx_type_is_integer(input->type) != 0;
  if (integer && input->rank == 1 && input->type != ONNX_BOOL)
    return give_lengths(evaluator, input);
  if (input->rank == 2 && (input->type == ONNX_BOOL || input_is_called_mask(input->name)))
    return give_mask(evaluator, input);
  if (!integer && is_state(evaluator, input->name))
    return give_zeros(evaluator, input);
  return error_set(
      CUSEQ_STATUS_INVALID_MODEL,
      "input '%.120s': what it is is not known (cuseq's models have token ids [batch, time] or features "
      "[batch, time, features], lengths [batch], and initial states)",
      input->name);
}

/* The first sequence is the model's input; a mask is told from ids by its name. */
cuseq_status inputs_give(struct evaluator *evaluator, const struct declared *list, size_t count) {
  size_t sequence = count;
  evaluator->clock = -1;
  evaluator->lengths = NULL;
  for (size_t i = 0; i < count && sequence == count; i++)
    if (is_sequence(&list[i]) && !input_is_called_mask(list[i].name) && !is_state(evaluator, list[i].name))
      sequence = i;
  if (sequence == count)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "none of its inputs is a sequence (needed token ids [batch, time] or features "
                     "[batch, time, features])");
  TRY(give_sequence(evaluator, &list[sequence]));
  for (size_t i = 0; i < count; i++)
    if (i != sequence)
      TRY(give_other(evaluator, &list[i]));
  return CUSEQ_STATUS_OK;
}
