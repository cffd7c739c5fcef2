/* RNN over a list of cells, StackedRNNCells: recurrent layers one over the other; and a cell that is a layer
 * by itself. */
#include "convert/keras/cells.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

/* A copy of the layer for each of its cells, which are recurrent layers of their own. */
static cuseq_status copy_for_cells(struct evaluator *evaluator, const struct keras_layer *layer,
                                   size_t count) {
  if (layer->marks->cells != NULL)
    return CUSEQ_STATUS_OK;
  if (count < 1 || count > LAYER_MAX_CELLS)
    return layer_refuse(layer, "it has %zu cells (needed 1 to %d)", count, LAYER_MAX_CELLS);
  layer->marks->cells = arena_allocate(evaluator->arena, count * sizeof *layer->marks->cells);
  if (layer->marks->cells == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    layer->marks->cells[i] = *layer;
  return CUSEQ_STATUS_OK;
}

cuseq_status cells_run(struct evaluator *evaluator, struct layer_call *call, const json_t *cells,
                       bool sequences, bool states) {
  const struct keras_layer *layer = call->layer;
  const size_t count = json_array_size(cells);
  struct value x = call->inputs[0], given[2 * LAYER_MAX_CELLS];
  size_t taken = 0, given_count = 0;
  bool backwards;
  TRY(copy_for_cells(evaluator, layer, count));
  TRY(layer_bool(layer, layer->config, "go_backwards", false, &backwards));
  if (backwards)
    return layer_refuse(layer, "its cells go backwards together, which cuseq cannot express");
  for (size_t i = 0; i < count; i++) {
    const json_t *cell = json_array_get(cells, i);
    const char *name = json_string_value(json_object_get(cell, "class_name"));
    const size_t needed = name != NULL && strcmp(name, "LSTMCell") == 0 ? 2 : 1;
    const size_t left = call->state_count - taken;
    struct cell_source source = {layer, "RNN", layer->config, WEIGHTS_CELL + (int)i, cell};
    struct layer_call part = {.layer = &layer->marks->cells[i],
                              .call = call->call,
                              .inputs = &x,
                              .input_count = 1,
                              .states = call->states + taken,
                              .state_count = left < needed ? left : needed,
                              .without_mask = call->without_mask};
    taken += part.state_count;
    TRY(cell_run(evaluator, &part, &source, sequences || i + 1 < count, true));
    for (size_t k = 1; k < part.output_count; k++)
      given[given_count++] = part.outputs[k];
    x = part.outputs[0];
  }
  if (call->state_count != 0 && call->state_count != given_count)
    return layer_refuse(layer, "its initial state has %zu parts (needed %zu)", call->state_count,
                        given_count);
  TRY(call_output(evaluator, call, &x));
  for (size_t i = 0; states && i < given_count; i++)
    TRY(call_output(evaluator, call, &given[i]));
  return CUSEQ_STATUS_OK;
}

/* One call is one step: h, then the states behind it. */
cuseq_status layer_cell(struct evaluator *evaluator, struct layer_call *call) {
  const struct keras_layer *layer = call->layer;
  const size_t size = strlen(layer->node.class_name) - strlen("Cell");
  char *class_name = arena_allocate(evaluator->arena, size + 1);
  char text[128];
  if (class_name == NULL)
    return error_out_of_memory();
  snprintf(class_name, size + 1, "%s", layer->node.class_name);
  TRY(cell_take_input(evaluator, call));
  if (!value_has_axes(&evaluator->expressions, &call->inputs[0], "BF") ||
      expression_at(&evaluator->expressions, call->inputs[0].expression)->clocks != 0)
    return layer_refuse(layer, "it reads %s (needed one vector a row)",
                        value_describe(&evaluator->expressions, &call->inputs[0], text, sizeof text));
  struct cell_source source = {layer, class_name, layer->config, WEIGHTS_WHOLE, NULL};
  return cell_run(evaluator, call, &source, false, true);
}
