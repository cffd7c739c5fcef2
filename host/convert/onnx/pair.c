#include "convert/onnx/pair.h"

#include "convert/onnx/pair_match.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <string.h>

/* ---- inputs --------------------------------------------------------------------------------------- */

static cuseq_status classify(struct pair *pair) {
  int32_t tokens = 0;
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    const struct declared *declared = &input->declared;
    bool integer = onnx_type_is_integer(declared->type) != 0;
    input->mask =
        declared->rank == 2 && (declared->type == ONNX_BOOL || input_is_called_mask(declared->name));
    input->token = integer && !input->mask && declared->rank <= 2;
    tokens += input->token;
  }
  if (tokens > 1)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "the decoder has %d inputs of integers (needed one, the token before)", tokens);
  return CUSEQ_STATUS_OK;
}

/* A state that no output of the encoder is begins with zeros, as input feeding does, where all outputs have
 * their place. One that is left over does not fit. */
static cuseq_status check_zeros(const struct pair *pair, const struct step_input *input) {
  char needed[128], found[128];
  for (int32_t i = 0; i < pair->output_count && !input->zeros; i++)
    if (pair->output_tensors[i].kind == TENSOR_TABLE && !pair_is_taken(pair, i))
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "input '%.100s' of the decoder is %s, which no output of the encoder is ('%.100s' is %s): "
          "say which with --link %.100s=OUTPUT, or =zeros",
          input->declared.name, pair_describe(&input->declared, needed, sizeof needed), pair->outputs[i].name,
          tensor_describe(&pair->output_tensors[i], found, sizeof found), input->declared.name);
  return CUSEQ_STATUS_OK;
}

/* The axes of a state that no output of the encoder has: features last, rows where the size may be any. */
static cuseq_status guess_axes(const struct pair *pair, const struct declared *declared,
                               struct tensor_axis *axes) {
  int32_t rows = -1, open = 0;
  for (int32_t i = 0; i < declared->rank; i++) {
    open += declared->dims[i] < 0;
    rows = declared->dims[i] < 0 ? i : rows;
  }
  if (open == 0)
    rows = declared->rank - 2;
  if (declared->rank < 2 || declared->rank > 4 || open > 1 || rows < 0 || rows == declared->rank - 1)
    return error_set(
        CUSEQ_STATUS_INVALID_MODEL,
        "input '%.120s' of the decoder: what it is is not known (needed an output of the encoder of its "
        "shape, or a state [batch, units])",
        declared->name);
  struct dim batch = pair->encoder->fixed_batch >= 0 ? dim_of(pair->encoder->fixed_batch) : dim_batch();
  for (int32_t i = 0; i < declared->rank; i++)
    axes[i] = i == rows                 ? (struct tensor_axis){TENSOR_BATCH, 0, batch}
              : i + 1 == declared->rank ? table_feature_axis((int32_t)declared->dims[i])
                                        : (struct tensor_axis){TENSOR_STACK, 0, dim_of(declared->dims[i])};
  return CUSEQ_STATUS_OK;
}

/* New inputs of the model in place of what the encoder gave, or of zeros. */
static cuseq_status give_state(struct pair *pair, struct step_input *input) {
  struct tensor_axis axes[TENSOR_MAX_AXES];
  const struct graph_node *node;
  struct tensor made = {.kind = TENSOR_TABLE};
  int32_t *cells, count = input->declared.rank;
  if (input->initial >= 0) {
    count = pair->output_tensors[input->initial].axis_count;
    memcpy(axes, pair->output_tensors[input->initial].axes, sizeof axes);
  } else {
    TRY(check_zeros(pair, input));
    TRY(guess_axes(pair, &input->declared, axes));
  }
  TRY(input_node(pair->step, input->declared.name, &node));
  struct node_call call = {.kept = node};
  TRY(table_make(pair->step, &call, axes, count, &made, &cells));
  int32_t feature = tensor_find_axis(&made, TENSOR_FEATURE);
  int32_t width = feature >= 0 ? (int32_t)made.axes[feature].size.factor : 1;
  for (int32_t i = 0; i < tensor_cell_count(&made); i++)
    TRY(input_expression(pair->step, input->declared.name, false, width, &cells[i]));
  input->tensor = made;
  return input_bind(pair->step, input->declared.name, &made);
}

static cuseq_status give_token(struct pair *pair, struct step_input *input) {
  struct dim batch = pair->encoder->fixed_batch >= 0 ? dim_of(pair->encoder->fixed_batch) : dim_batch();
  const struct declared *declared = &input->declared;
  const struct graph_node *node;
  bool one_hot = onnx_type_is_integer(declared->type) == 0;
  int32_t width = one_hot ? (int32_t)declared->dims[declared->rank - 1] : 1, sizes = declared->rank - one_hot;
  struct tensor_axis axes[3];
  struct tensor made = {.kind = TENSOR_TABLE, .integer = !one_hot};
  int32_t *cells, rows = 0;
  for (int32_t i = 0; i < sizes; i++) {
    axes[i] = tensor_single();
    rows = declared->dims[i] < 0 && (i == 0 || !one_hot || declared->dims[0] == 1) ? i : rows;
    if (declared->dims[i] > 1 && declared->dims[i] != pair->encoder->fixed_batch)
      return error_set(CUSEQ_STATUS_INVALID_MODEL,
                       "input '%.120s' of the decoder: it reads more than one token a row", declared->name);
  }
  if (sizes > 0)
    axes[rows] = (struct tensor_axis){TENSOR_BATCH, 0, batch};
  if (one_hot)
    axes[sizes] = table_feature_axis(width);
  TRY(input_node(pair->step, declared->name, &node));
  struct node_call call = {.kept = node};
  TRY(table_make(pair->step, &call, axes, declared->rank < 0 ? 0 : declared->rank, &made, &cells));
  TRY(input_expression(pair->step, declared->name, false, width, &cells[0]));
  pair->token = cells[0];
  return input_bind(pair->step, declared->name, &made);
}

static cuseq_status give_mask(struct pair *pair, const struct step_input *input) {
  struct dim batch = pair->encoder->fixed_batch >= 0 ? dim_of(pair->encoder->fixed_batch) : dim_batch();
  struct dim time = pair->encoder->fixed_time >= 0 ? dim_of(pair->encoder->fixed_time) : dim_time();
  struct tensor_axis axes[2] = {{TENSOR_BATCH, 0, batch}, {TENSOR_TIME, 0, time}};
  return input_bind_mask(pair->step, input->declared.name, axes);
}

static cuseq_status give_inputs(struct pair *pair, int32_t first_input) {
  pair->step->shared->input_count = first_input;
  pair->token = -1;
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    if (input->token)
      TRY(give_token(pair, input));
    else if (input->mask)
      TRY(give_mask(pair, input));
    else if (input->bound)
      TRY(input_bind(pair->step, input->declared.name, &pair->output_tensors[input->initial]));
    else
      TRY(give_state(pair, input));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what goes on --------------------------------------------------------------------------------- */

static bool same_shape(const struct tensor *a, const struct tensor *b) {
  if (a->kind != b->kind || a->axis_count != b->axis_count)
    return false;
  for (int32_t i = 0; i < a->axis_count; i++)
    if (a->axes[i].kind != b->axes[i].kind || !dim_equal(&a->axes[i].size, &b->axes[i].size))
      return false;
  return true;
}

/* Whether an output is cells whose states before are the input. */
static bool goes_on(const struct pair *pair, const struct tensor *before, const struct tensor *after) {
  for (int32_t i = 0; i < tensor_cell_count(before); i++) {
    const struct expression *e = expression_at(pair->step->expressions, after->cells[i]);
    if (e->op != EXPRESSION_CELL || e->children[1 + e->part] != before->cells[i])
      return false;
  }
  return true;
}

/* The only output that goes on from an input: by what it is, by its name, or by its shape. -1: none, -2:
 * several. */
static int32_t only_next(const struct pair *pair, const struct step_input *input, int pass) {
  int32_t found = -1;
  for (int32_t i = 0; i < pair->step_output_count; i++) {
    const struct tensor *after = &pair->step_outputs[i];
    if (pair->is_state[i] || !same_shape(&input->tensor, after) || after->integer)
      continue;
    bool fits = pass == 0   ? goes_on(pair, &input->tensor, after)
                : pass == 1 ? pair_same_root(input->declared.name, pair_step_output(pair, i))
                            : true;
    if (fits)
      found = found == -1 ? i : -2;
  }
  return found;
}

static cuseq_status find_next(struct pair *pair, bool *again) {
  *again = false;
  memset(pair->is_state, 0, sizeof pair->is_state);
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    bool state = !input->token && !input->mask && !input->bound;
    if (state && input->next >= 0 && !same_shape(&input->tensor, &pair->step_outputs[input->next])) {
      char before[128], after[128];
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "input '%.100s' of the decoder is %s, but '%.100s' is %s",
                       input->declared.name, tensor_describe(&input->tensor, before, sizeof before),
                       pair_step_output(pair, input->next),
                       tensor_describe(&pair->step_outputs[input->next], after, sizeof after));
    }
    if (state && input->next >= 0)
      pair->is_state[input->next] = true;
  }
  for (int pass = 0; pass < 3; pass++)
    for (int32_t i = 0; i < pair->input_count; i++) {
      struct step_input *input = &pair->inputs[i];
      if (input->token || input->mask || input->bound || input->next >= 0)
        continue;
      int32_t found = only_next(pair, input, pass);
      if (found == -2 && pass == 2)
        return pair_refuse_ambiguous(&input->declared, "decoder");
      if (found >= 0) {
        input->next = found;
        pair->is_state[found] = true;
      }
    }
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    if (input->token || input->mask || input->bound || input->next >= 0)
      continue;
    if (input->initial < 0)
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "input '%.120s' of the decoder: neither an output of the encoder nor one of the decoder is it "
          "(say which with --link %.100s=OUTPUT)",
          input->declared.name, input->declared.name);
    *again = input->bound = true; /* the same at every step */
  }
  return CUSEQ_STATUS_OK;
}

/* ---- all ------------------------------------------------------------------------------------------ */

static cuseq_status begin(struct pair *pair) {
  struct declared *inputs;
  size_t count;
  const OnnxFile__Graph *graph = pair->encoder->file->model->graph;
  TRY(declared_inputs(pair->step, &inputs, &count));
  pair->output_count = (int32_t)graph->n_output;
  pair->step_output_count = (int32_t)pair->step->file->model->graph->n_output;
  if (count > PAIR_MAX || graph->n_output > PAIR_MAX || pair->step_output_count > PAIR_MAX)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "encoder or decoder have too many inputs or outputs");
  for (int32_t i = 0; i < pair->output_count; i++) {
    TRY(declared_read(graph->output[i], &pair->outputs[i]));
    TRY(graph_output(pair->encoder, (size_t)i, &pair->output_tensors[i]));
    if (pair->output_tensors[i].ordered)
      return error_set(
          CUSEQ_STATUS_INVALID_MODEL,
          "output '%.120s' of the encoder: its rows are ordered by their lengths and not put back",
          pair->outputs[i].name);
  }
  pair->input_count = (int32_t)count;
  for (size_t i = 0; i < count; i++)
    pair->inputs[i] = (struct step_input){.declared = inputs[i], .initial = -1, .next = -1};
  TRY(classify(pair));
  TRY(pair_read_links(pair));
  TRY(pair_find_one_hot(pair));
  return pair_find_initial(pair);
}

static bool is_timed(const struct tensor *tensor) {
  return tensor_find_axis(tensor, TENSOR_TIME) >= 0 ||
         tensor_find_axis(tensor, TENSOR_ROWS_OF_POSITIONS) >= 0 ||
         tensor_find_axis(tensor, TENSOR_POSITIONS_OF_ROWS) >= 0;
}

cuseq_status pair_evaluate(struct pair *pair) {
  int32_t first_input = pair->encoder->shared->input_count;
  bool again = true;
  TRY(begin(pair));
  pair->step->clock = pair->encoder->clock;
  pair->step->lengths = pair->encoder->lengths;
  pair->step->fixed_batch = pair->encoder->fixed_batch;
  pair->step->fixed_time = pair->encoder->fixed_time;
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    input->bound = input->initial >= 0 && is_timed(&pair->output_tensors[input->initial]);
  }
  while (again) {
    graph_forget(pair->step);
    TRY(give_inputs(pair, first_input));
    TRY(evaluate_graph(pair->step));
    for (int32_t i = 0; i < pair->step_output_count; i++)
      TRY(graph_output(pair->step, (size_t)i, &pair->step_outputs[i]));
    TRY(find_next(pair, &again));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status pair_states(const struct pair *pair, struct graph_state **states, size_t *count) {
  size_t total = 0;
  for (int32_t i = 0; i < pair->input_count; i++)
    if (pair->inputs[i].next >= 0)
      total += (size_t)tensor_cell_count(&pair->inputs[i].tensor);
  *count = 0;
  *states = arena_allocate(pair->step->arena, (total + 1) * sizeof **states);
  if (*states == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < pair->input_count; i++) {
    const struct step_input *input = &pair->inputs[i];
    if (input->next < 0)
      continue;
    if (input->initial < 0)
      TRY(notes_add(pair->step->notes,
                    "input '%.100s' of the decoder, a state that no output of the encoder is, begins "
                    "with zeros",
                    input->declared.name));
    for (int32_t k = 0; k < tensor_cell_count(&input->tensor); k++)
      (*states)[(*count)++] = (struct graph_state){
          .before = input->tensor.cells[k],
          .after = pair->step_outputs[input->next].cells[k],
          .initial = input->initial >= 0 ? pair->output_tensors[input->initial].cells[k] : -1};
  }
  return CUSEQ_STATUS_OK;
}
