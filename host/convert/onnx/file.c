#include "convert/onnx/file.h"

#include "convert/onnx/cells.h"
#include "convert/onnx/table.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

/* Operator sets: before 11 Gemm, Slice and others were other operations; the last is the newest that was read
 * with care. */
enum { OPSET_FIRST = 11, OPSET_LAST = 28 };

static cuseq_status find_opset(const OnnxFile__Model *model, int64_t *opset) {
  *opset = -1;
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const OnnxFile__OperatorSet *set = model->opset_import[i];
    if (set->domain == NULL || set->domain[0] == '\0' || strcmp(set->domain, "ai.onnx") == 0)
      *opset = set->version;
  }
  if (*opset < 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "it does not say which set of operators it uses");
  if (*opset < OPSET_FIRST || *opset > OPSET_LAST)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "its operators are of opset %lld (cuseq knows %d to %d)",
                     (long long)*opset, OPSET_FIRST, OPSET_LAST);
  return CUSEQ_STATUS_OK;
}

/* What the weights are altogether, which what is computed with them is held against. */
static cuseq_status count_numbers(const struct onnx_file *file, size_t *total) {
  const OnnxFile__Graph *graph = file->model->graph;
  *total = 0;
  for (size_t i = 0; i < graph->n_initializer; i++) {
    size_t count;
    TRY(onnx_tensor_count(file, graph->initializer[i], &count));
    *total += count;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status graph_begin(struct evaluator *evaluator, struct names *names) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  *names = (struct names){0};
  evaluator->names = names;
  evaluator->clock = evaluator->fixed_batch = evaluator->fixed_time = -1;
  TRY(find_opset(evaluator->file->model, &evaluator->opset));
  if (graph->n_sparse_initializer > 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "it has sparse weights, which cuseq does not read");
  if (graph->n_output == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "its graph has no outputs");
  TRY(count_numbers(evaluator->file, &evaluator->file_numbers));
  TRY(name_table_make(evaluator, names));
  return evaluate_refuse_loops(evaluator);
}

void graph_forget(struct evaluator *evaluator) {
  for (size_t i = 0; i < evaluator->names->count; i++)
    evaluator->names->list[i].known = false;
}

cuseq_status graph_evaluate(struct evaluator *evaluator) {
  struct declared *inputs;
  size_t count;
  char reason[1024];
  TRY(declared_inputs(evaluator, &inputs, &count));
  evaluator->time_first = inputs_time_first(inputs, count);
  for (int attempt = 0;; attempt++) {
    evaluator->turned = false;
    evaluator->shared->input_count = 0;
    TRY(inputs_give(evaluator, inputs, count));
    cuseq_status status = evaluate_graph(evaluator);
    if (attempt == 1 && evaluator->turned)
      return error_set(status, "%s", reason);
    if (status == CUSEQ_STATUS_OK || attempt == 1 || !evaluator->turned)
      return status;
    snprintf(reason, sizeof reason, "%s", error_text());
    evaluator->time_first = !evaluator->time_first;
    graph_forget(evaluator);
  }
}

/* ---- outputs -------------------------------------------------------------------------------------- */

cuseq_status graph_output(struct evaluator *evaluator, size_t at, struct tensor *tensor) {
  const char *text = evaluator->file->model->graph->output[at]->name;
  const struct name *name = text != NULL ? name_find(evaluator->names, text) : NULL;
  if (name == NULL || !name->known)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "nothing in the graph makes its output '%.120s'",
                     text != NULL ? text : "");
  *tensor = name->tensor;
  if (tensor->kind != TENSOR_TABLE)
    return CUSEQ_STATUS_OK;
  int32_t count = tensor_cell_count(tensor),
          *cells = arena_allocate(evaluator->arena, (size_t)count * sizeof *cells);
  if (cells == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < count; i++)
    cells[i] = cells_state(evaluator, tensor->cells[i]);
  tensor->cells = cells;
  return CUSEQ_STATUS_OK;
}

static cuseq_status refuse_output(const char *name, const struct tensor *tensor) {
  char text[128];
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "output '%.120s' is %s of a kind that cuseq has no array for",
                   name, tensor_describe(tensor, text, sizeof text));
}

static cuseq_status add_axis(const char *name, const struct tensor *tensor, struct value *value,
                             struct axis axis) {
  if (value->axis_count >= VALUE_MAX_AXES)
    return refuse_output(name, tensor);
  value->axes[value->axis_count++] = axis;
  return CUSEQ_STATUS_OK;
}

/* cuseq's arrays have the rows first, whatever the graph's have. */
static cuseq_status rows_first(struct evaluator *evaluator, const char *name, struct value *value) {
  int32_t at = 0;
  while (at < value->axis_count && value->axes[at].kind != AXIS_BATCH)
    at++;
  bool turned = false;
  for (int32_t i = 0; i < at && at < value->axis_count; i++)
    turned = turned || value->axes[i].kind != AXIS_REPEAT;
  if (!turned)
    return CUSEQ_STATUS_OK;
  struct axis rows = value->axes[at];
  memmove(value->axes + 1, value->axes, (size_t)at * sizeof *value->axes);
  value->axes[0] = rows;
  return notes_add(evaluator->notes,
                   "output '%.100s' has its positions or steps before its rows in the file: "
                   "cuseq takes and gives rows first",
                   name);
}

cuseq_status graph_output_value(struct evaluator *evaluator, const char *name, const struct tensor *tensor,
                                struct value *value) {
  static const struct axis batch = {AXIS_BATCH, -1, 0};
  struct axis time = {AXIS_TIME, evaluator->fixed_time, evaluator->clock};
  int32_t steps = -1;
  *value = (struct value){.axis_count = 0};
  if (tensor->kind != TENSOR_TABLE || tensor->masked)
    return refuse_output(name, tensor);
  if (tensor->ordered)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "output '%.120s': its rows are ordered by their lengths and not put back", name);
  for (int32_t i = 0; i < tensor->axis_count; i++) {
    const struct tensor_axis *axis = &tensor->axes[i];
    bool rows = axis->kind == TENSOR_BATCH || axis->kind == TENSOR_ROWS_OF_POSITIONS;
    bool both = axis->kind == TENSOR_ROWS_OF_POSITIONS || axis->kind == TENSOR_POSITIONS_OF_ROWS;
    if (both || rows || axis->kind == TENSOR_TIME) {
      TRY(add_axis(name, tensor, value, rows ? batch : time));
      if (both)
        TRY(add_axis(name, tensor, value, rows ? time : batch));
    } else if (axis->kind == TENSOR_FEATURE) {
      TRY(add_axis(name, tensor, value, (struct axis){AXIS_FEATURE, axis->size.factor, 0}));
    } else if (tensor_is_single(axis)) {
      TRY(add_axis(name, tensor, value, (struct axis){AXIS_REPEAT, 1, 0}));
    } else if (steps < 0 && axis->kind == TENSOR_STACK) {
      steps = (int32_t)axis->size.factor;
      TRY(add_axis(name, tensor, value, (struct axis){AXIS_STEP, steps, 0}));
    } else {
      return refuse_output(name, tensor);
    }
  }
  TRY(rows_first(evaluator, name, value));
  value->expression = tensor->cells[0];
  if (steps < 0)
    return CUSEQ_STATUS_OK;
  return expression_several(evaluator->expressions, EXPRESSION_STEPS, tensor->cells, steps,
                            expression_at(evaluator->expressions, tensor->cells[0])->node,
                            &value->expression);
}
