#include "convert/keras/evaluate.h"
#include "convert/keras/arguments.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OUTPUTS = 4096, MAX_ARGUMENTS = 4096, MAX_CALLS_RUN = 500000 };

cuseq_status call_output(struct evaluator *evaluator, struct layer_call *call, const struct value *value) {
  if (call->output_count == call->output_capacity) {
    size_t capacity = 2 * call->output_capacity + 6;
    struct value *outputs = arena_allocate(evaluator->arena, capacity * sizeof *outputs);
    if (outputs == NULL)
      return error_out_of_memory();
    if (call->output_count > 0)
      memcpy(outputs, call->outputs, call->output_count * sizeof *outputs);
    call->outputs = outputs;
    call->output_capacity = capacity;
  }
  if (call->output_count >= MAX_OUTPUTS)
    return layer_refuse(call->layer, "it has too many outputs");
  struct value *output = &call->outputs[call->output_count++];
  *output = *value;
  return value_untwin(&evaluator->expressions, output);
}

/* ---- one model, or one use of it as a layer ------------------------------------------------------- */

enum progress { PROGRESS_NONE, PROGRESS_WAITING, PROGRESS_DONE };

/* A call of a layer: the references it needs, and its outputs once they are there. */
struct task {
  enum progress progress;
  const struct keras_layer *layer;
  const struct graph_call *call;
  struct graph_reference *needs;
  size_t need_count;
  size_t next; /* the first of needs that was not looked at */
  struct value *outputs;
  size_t output_count;
};

struct frame {
  const struct keras_model *model;
  struct task **tasks;       /* [layer][call] */
  const struct value *bound; /* of a model that is used as a layer: its inputs' values */
  struct task **stack;
  size_t stack_size, stack_capacity;
};

static void collect_references(const struct graph_argument *argument, struct graph_reference *references,
                               size_t *count) {
  if (argument->kind == ARGUMENT_TENSOR) {
    if (references != NULL)
      references[*count] = argument->reference;
    ++*count;
  }
  for (size_t i = 0; argument->kind == ARGUMENT_LIST && i < argument->count; i++)
    collect_references(&argument->items[i], references, count);
}

/* Inputs first, initial states after them; *inputs receives how many are not states. Masks are not
 * computed: mask.c sees that they are those that the graph implies. */
static size_t call_references(const struct keras_layer *layer, const struct graph_call *call,
                              struct graph_reference *references, size_t *inputs) {
  size_t count = 0;
  for (size_t i = 0; i < call->count; i++)
    if (argument_role(layer, call, i) == ARGUMENT_INPUT)
      collect_references(&call->arguments[i], references, &count);
  *inputs = count;
  for (size_t i = 0; i < call->count; i++)
    if (argument_role(layer, call, i) == ARGUMENT_STATE)
      collect_references(&call->arguments[i], references, &count);
  return count;
}

static cuseq_status frame_start(struct evaluator *evaluator, struct frame *frame,
                                const struct keras_model *model) {
  *frame = (struct frame){.model = model};
  frame->tasks = arena_allocate(evaluator->arena, model->layer_count * sizeof(struct task *));
  if (frame->tasks == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *layer = &model->layers[i];
    frame->tasks[i] = arena_allocate(evaluator->arena, (layer->call_count + 1) * sizeof **frame->tasks);
    if (frame->tasks[i] == NULL)
      return error_out_of_memory();
    for (size_t k = 0; k < layer->call_count; k++) {
      frame->tasks[i][k].layer = layer;
      frame->tasks[i][k].call = &layer->calls[k];
    }
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status find_task(const struct frame *frame, const struct graph_reference *reference,
                              struct task **task) {
  if (reference->call < 0 || (size_t)reference->call >= reference->layer->call_count)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (no call %d of layer '%.120s')", reference->call,
                     reference->layer->node.name);
  *task = &frame->tasks[reference->layer->position][reference->call];
  return CUSEQ_STATUS_OK;
}

static cuseq_status find_output(const struct frame *frame, const struct graph_reference *reference,
                                struct value *value) {
  struct task *task;
  TRY(find_task(frame, reference, &task));
  if ((size_t)reference->tensor >= task->output_count)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (no output %d of layer '%.120s')",
                     reference->tensor, reference->layer->node.name);
  *value = task->outputs[reference->tensor];
  return CUSEQ_STATUS_OK;
}

static cuseq_status push(struct evaluator *evaluator, struct frame *frame, struct task *task) {
  if (task->progress == PROGRESS_WAITING)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "the model's configuration is damaged (layer '%.120s' feeds itself)",
                     task->layer->node.name);
  size_t inputs, count = call_references(task->layer, task->call, NULL, &inputs);
  if (count > MAX_ARGUMENTS)
    return layer_refuse(task->layer, "it joins too many tensors");
  task->needs = arena_allocate(evaluator->arena, (count + 1) * sizeof *task->needs);
  if (task->needs == NULL)
    return error_out_of_memory();
  task->need_count = call_references(task->layer, task->call, task->needs, &inputs);
  if (frame->stack_size == frame->stack_capacity) {
    size_t capacity = frame->stack_capacity * 2 + 64;
    struct task **stack = realloc(frame->stack, capacity * sizeof(struct task *));
    if (stack == NULL)
      return error_out_of_memory();
    frame->stack = stack;
    frame->stack_capacity = capacity;
  }
  task->progress = PROGRESS_WAITING;
  frame->stack[frame->stack_size++] = task;
  return CUSEQ_STATUS_OK;
}

/* The value that a nested model's input is called with; false for what is no input of it. */
static bool bound_input(const struct frame *frame, const struct task *task, struct value *value) {
  for (size_t i = 0; frame->bound != NULL && i < frame->model->input_count; i++)
    if (frame->model->inputs[i].layer == task->layer) {
      *value = frame->bound[i];
      return true;
    }
  return false;
}

static cuseq_status run_task(struct evaluator *evaluator, struct frame *frame, struct task *task) {
  task->layer->marks->used = true;
  struct layer_call call = {.layer = task->layer, .call = task->call};
  struct value bound;
  if (++evaluator->calls > MAX_CALLS_RUN)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the model's graph is too large");
  if (bound_input(frame, task, &bound)) {
    TRY(call_output(evaluator, &call, &bound));
  } else {
    size_t inputs;
    call_references(task->layer, task->call, NULL, &inputs);
    call.inputs = arena_allocate(evaluator->arena, (task->need_count + 1) * sizeof *call.inputs);
    if (call.inputs == NULL)
      return error_out_of_memory();
    for (size_t i = 0; i < task->need_count; i++)
      TRY(find_output(frame, &task->needs[i], &call.inputs[i]));
    call.input_count = inputs;
    call.states = call.inputs + inputs;
    call.state_count = task->need_count - inputs;
    TRY(layer_evaluate(evaluator, &call));
  }
  task->outputs = call.outputs;
  task->output_count = call.output_count;
  task->progress = PROGRESS_DONE;
  return CUSEQ_STATUS_OK;
}

/* Depth first, on a stack of its own: graphs may be deep. */
static cuseq_status demand(struct evaluator *evaluator, struct frame *frame,
                           const struct graph_reference *reference) {
  struct task *task;
  TRY(find_task(frame, reference, &task));
  if (task->progress == PROGRESS_NONE)
    TRY(push(evaluator, frame, task));
  while (frame->stack_size > 0) {
    task = frame->stack[frame->stack_size - 1];
    struct task *needed = NULL;
    while (task->next < task->need_count && needed == NULL) {
      TRY(find_task(frame, &task->needs[task->next], &needed));
      if (needed->progress == PROGRESS_DONE) {
        task->next++;
        needed = NULL;
      }
    }
    if (needed != NULL) {
      TRY(push(evaluator, frame, needed));
    } else {
      TRY(run_task(evaluator, frame, task));
      frame->stack_size--;
    }
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status run_frame(struct evaluator *evaluator, struct frame *frame, struct value *values) {
  for (size_t i = 0; i < frame->model->output_count; i++) {
    TRY(demand(evaluator, frame, &frame->model->outputs[i]));
    TRY(find_output(frame, &frame->model->outputs[i], &values[i]));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status run_model(struct evaluator *evaluator, const struct keras_model *model,
                              const struct value *bound, struct value **values) {
  if (model->output_count > MAX_OUTPUTS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the model has too many outputs (%zu)", model->output_count);
  *values = arena_allocate(evaluator->arena, model->output_count * sizeof **values);
  if (*values == NULL)
    return error_out_of_memory();
  struct frame frame;
  TRY(frame_start(evaluator, &frame, model));
  frame.bound = bound;
  cuseq_status status = run_frame(evaluator, &frame, *values);
  free(frame.stack);
  return status;
}

cuseq_status evaluate_model(struct evaluator *evaluator, struct value **values) {
  return run_model(evaluator, evaluator->model, NULL, values);
}

cuseq_status evaluate_bound(struct evaluator *evaluator, const struct value *bound, struct value **values) {
  return run_model(evaluator, evaluator->model, bound, values);
}

cuseq_status evaluate_inner(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_model *inner = call->layer->inner;
  if (call->input_count != inner->input_count)
    return layer_refuse(call->layer, "it is called with %zu tensors (needed %zu)", call->input_count,
                        inner->input_count);
  if (evaluator->depth >= GRAPH_MAX_NESTING)
    return layer_refuse(call->layer, "models are nested too deep");
  evaluator->depth++;
  TRY(run_model(evaluator, inner, call->inputs, &call->outputs));
  evaluator->depth--;
  call->output_count = inner->output_count;
  return CUSEQ_STATUS_OK;
}
