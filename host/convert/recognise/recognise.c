/* The whole: which kind of graph it is, and its parts one after the other. */
#include "convert/recognise/given.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- clocks --------------------------------------------------------------------------------------- */

/* The clock of a decoder's steps, -1: the outputs are not over one. A clock is the decoder's where the
 * outputs have it and something of another sequence goes into them. */
static cuseq_status decoder_clock(struct recogniser *recogniser, const struct listed_outputs *listed,
                                  int32_t *clock) {
  const struct expressions *expressions = recogniser->expressions;
  bool *reached = arena_allocate(recogniser->arena, (size_t)expressions->count);
  uint32_t all = 0, outer = 0;
  *clock = -1;
  if (reached == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < listed->main_count; i++) {
    TRY(reach(expressions, listed->main[i], reached, expressions->count));
    outer |= expression_at(expressions, listed->main[i])->clocks;
  }
  for (int32_t i = 0; i < expressions->count; i++)
    if (reached[i])
      all |= expression_at(expressions, i)->clocks;
  const struct graph_node *node = expression_at(expressions, listed->main[0])->node;
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    bool in = (outer & (uint32_t)1 << c) != 0;
    if (in && *clock >= 0)
      return node_refuse(node, "the model's outputs are over two sequences at once");
    if (in)
      *clock = c;
  }
  if (*clock >= 0 && all == (uint32_t)1 << *clock && !expressions->clocks[*clock].repeats)
    *clock = -1; /* the encoder's own */
  return CUSEQ_STATUS_OK;
}

/* ---- kinds of graphs ------------------------------------------------------------------------------ */

static cuseq_status set_single(struct recogniser *recogniser, int32_t expression, int32_t **values) {
  *values = arena_allocate(recogniser->arena, sizeof **values);
  if (*values == NULL)
    return error_out_of_memory();
  **values = expression;
  return CUSEQ_STATUS_OK;
}

/* What an expression of the step is at each written out step. */
static cuseq_status set_values(struct recogniser *recogniser, int32_t expression, int32_t **values) {
  const struct step *step = &recogniser->model->decoder.step;
  *values = arena_allocate(recogniser->arena, (size_t)step->steps * sizeof **values);
  if (*values == NULL)
    return error_out_of_memory();
  return step_values(recogniser, step, expression, *values);
}

/* The arrays that a decoder gives beside its outputs; states only where one layer has them. */
static cuseq_status note_arrays(struct recogniser *recogniser, bool unrolled) {
  struct recognised *model = recogniser->model;
  struct expressions *expressions = recogniser->expressions;
  const struct found_decoder_layer *layer = &model->decoder.layers[0];
  cuseq_status (*set)(struct recogniser *, int32_t, int32_t **) = unrolled ? set_values : set_single;
  model->graph_steps = unrolled ? model->decoder.step.steps : 1;
  if (model->attention.present) {
    int32_t context = model->attention.context;
    TRY(set(recogniser, context, &model->step_contexts));
    TRY(set(recogniser, expression_at(expressions, context)->children[0], &model->step_alphas));
  }
  if (model->decoder.count > 1)
    return CUSEQ_STATUS_OK;
  TRY(set(recogniser, layer->cell, &model->step_states));
  if (layer->c < 0)
    return CUSEQ_STATUS_OK;
  struct expression cell = *expression_at(expressions, model->step_states[model->graph_steps - 1]);
  if (cell.op != EXPRESSION_CELL)
    return CUSEQ_STATUS_OK;
  cell.part = CELL_C;
  return expression_make(expressions, &cell, &model->last_cell);
}

static cuseq_status recognise_unrolled(struct recogniser *recogniser, const struct listed_outputs *listed) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  TRY(outputs_check_order(recogniser, listed));
  TRY(step_of_unrolled(recogniser, listed->main, listed->main_count, &decoder->step));
  TRY(step_merge_zeros(recogniser, &decoder->step));
  TRY(decoder_recognise(recogniser));
  TRY(head_of_step(recogniser, decoder->step.outputs[0], listed->names[0]));
  return note_arrays(recogniser, true);
}

/* An output that is a layer's state behind the last step is looked for as the state behind each. */
static cuseq_status spread_last(struct recogniser *recogniser, struct listed_output *output, int32_t clock,
                                int32_t *expression) {
  struct expression e = *expression_at(recogniser->expressions, *expression);
  output->last = e.op == EXPRESSION_FINAL && e.clock == clock && output->beside;
  if (!output->last)
    return CUSEQ_STATUS_OK;
  e.op = EXPRESSION_SEQUENCE;
  e.part = SEQUENCE_MERGED;
  return expression_make(recogniser->expressions, &e, expression);
}

/* Once the step is made: the cell state, where that is what the output is. */
static cuseq_status take_last(struct recogniser *recogniser, const struct listed_output *output,
                              int32_t *expression) {
  const struct expression *final = expression_at(recogniser->expressions, output->value.expression);
  struct expression e = *expression_at(recogniser->expressions, *expression);
  if (!output->last || final->part != FINAL_FORWARD_C || e.op != EXPRESSION_CELL)
    return CUSEQ_STATUS_OK;
  e.part = CELL_C;
  return expression_make(recogniser->expressions, &e, expression);
}

static cuseq_status recognise_steps(struct recogniser *recogniser, const struct listed_outputs *listed,
                                    int32_t clock) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  int32_t *outputs = arena_allocate(recogniser->arena, listed->count * sizeof *outputs);
  size_t at = 0;
  int32_t joined;
  if (outputs == NULL)
    return error_out_of_memory();
  TRY(outputs_join(recogniser, listed, clock, &at, &joined));
  for (size_t i = 0; i < listed->count; i++) {
    outputs[i] = listed->list[i].beside ? listed->list[i].value.expression : joined;
    TRY(spread_last(recogniser, &listed->list[i], clock, &outputs[i]));
  }
  TRY(clock >= 0 ? step_of_clock(recogniser, outputs, (int32_t)listed->count, clock, &decoder->step)
                 : step_of_states(recogniser, outputs, (int32_t)listed->count, &decoder->step));
  TRY(given_refuse_joined(recogniser, &decoder->step));
  for (size_t i = 0; i < listed->count; i++)
    TRY(take_last(recogniser, &listed->list[i], &decoder->step.outputs[i]));
  TRY(decoder_recognise(recogniser));
  if (decoder->step.mask != NULL)
    TRY(notes_add(
        recogniser->notes,
        "layer '%.100s' masks the decoder's padding: give the targets' lengths (padding must be at the end)",
        decoder->step.mask->name));
  TRY(outputs_read_joined(recogniser, listed, at, joined));
  return note_arrays(recogniser, false);
}

static cuseq_status recognise_attention_only(struct recogniser *recogniser, struct listed_outputs *listed) {
  struct recognised *model = recogniser->model;
  int32_t context;
  TRY(outputs_context(recogniser, listed, &context));
  TRY(attention_recognise(recogniser, context, -1));
  model->graph_steps = 1;
  TRY(set_single(recogniser, context, &model->step_contexts));
  return set_single(recogniser, expression_at(recogniser->expressions, context)->children[0],
                    &model->step_alphas);
}

static cuseq_status recognise_heads(struct recogniser *recogniser, struct listed_outputs *listed) {
  struct recognised *model = recogniser->model;
  TRY(heads_recognise(recogniser, listed));
  model->graph_steps = 1;
  if (!model->attention.present)
    return CUSEQ_STATUS_OK;
  int32_t context = model->attention.context;
  TRY(set_single(recogniser, context, &model->step_contexts));
  return set_single(recogniser, expression_at(recogniser->expressions, context)->children[0],
                    &model->step_alphas);
}

/* ---- inputs --------------------------------------------------------------------------------------- */

/* Says which of the model's inputs nothing depends on. */
static cuseq_status note_inputs(struct recogniser *recogniser) {
  const struct recognise_request *request = recogniser->request;
  bool *used = arena_allocate(recogniser->arena, request->input_count + 1);
  if (used == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < recogniser->expressions->count; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (e->op == EXPRESSION_INPUT)
      used[e->index] = true;
  }
  for (size_t i = 0; i < request->input_count; i++)
    if (!used[i] && request->inputs[i].node != recogniser->model->encoder.mask)
      TRY(notes_add(recogniser->notes, "input '%.100s' is left out: the model's outputs do not depend on it",
                    request->inputs[i].node->name));
  return CUSEQ_STATUS_OK;
}

/* Says that lengths stand for the encoder's mask. */
static cuseq_status note_mask(struct recogniser *recogniser) {
  const struct graph_node *mask = recogniser->model->encoder.mask;
  if (mask == NULL)
    return CUSEQ_STATUS_OK;
  for (size_t i = 0; i < recogniser->request->input_count; i++)
    if (recogniser->request->inputs[i].node == mask)
      return notes_add(
          recogniser->notes,
          "input '%.100s', a mask, is left out: give lengths instead (it is taken as true within a row's "
          "length and false behind it)",
          mask->name);
  return notes_add(recogniser->notes,
                   "layer '%.100s' masks padding: give lengths instead (padding must be at the end)",
                   mask->name);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

cuseq_status encoder_clock(struct recogniser *recogniser, const struct listed_outputs *listed,
                           int32_t *clock) {
  const struct expressions *expressions = recogniser->expressions;
  int32_t decoder = -1;
  *clock = -1;
  if (listed->main_count > 0)
    TRY(decoder_clock(recogniser, listed, &decoder));
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    bool used = false;
    for (int32_t i = 0; i < recogniser->graph_count; i++)
      used = used || (recogniser->reached[i] && (expression_at(expressions, i)->clocks >> c & 1) != 0);
    if (!used || c == decoder)
      continue;
    if (*clock >= 0) {
      *clock = -1;
      return CUSEQ_STATUS_OK;
    }
    *clock = c;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status recognise(struct recogniser *recogniser) {
  struct listed_outputs listed;
  int32_t clock = -1;
  bool steps = false;
  encoder_mark(recogniser->expressions);
  TRY(outputs_list(recogniser, &listed));
  for (int32_t i = 0; i < listed.main_count; i++)
    steps = steps || listed.steps[i] > 0;
  if (listed.main_count > 0)
    TRY(decoder_clock(recogniser, &listed, &clock));
  if (clock < 0 && recogniser->request->state_count == 0)
    TRY(given_refuse_unstepped(recogniser));
  if (listed.main_count == 0)
    TRY(recognise_attention_only(recogniser, &listed));
  else if (clock >= 0 || recogniser->request->state_count > 0)
    TRY(recognise_steps(recogniser, &listed, clock));
  else if (steps)
    TRY(recognise_unrolled(recogniser, &listed));
  else
    TRY(recognise_heads(recogniser, &listed));
  TRY(outputs_check(recogniser, &listed));
  TRY(note_mask(recogniser));
  return note_inputs(recogniser);
}

static void attention_free(struct found_attention *attention) {
  chain_free(&attention->layers);
  affine_free(&attention->key);
  affine_free(&attention->query_of);
  affine_free(&attention->key_map.map);
  affine_free(&attention->value_map.map);
  affine_free(&attention->query_map.map);
  affine_free(&attention->state.dense.map);
}

static void recognised_free(struct recognised *model) {
  for (int32_t i = 0; i < STRUCTURE_MAX_ENCODER_LAYERS; i++) {
    attention_free(&model->encoder.layers[i].self_attention);
    affine_free(&model->encoder.layers[i].front);
    affine_free(&model->encoder.layers[i].dense.map);
  }
  for (int32_t i = 0; i < STRUCTURE_MAX_DECODER_LAYERS; i++) {
    affine_free(&model->decoder.layers[i].input);
    affine_free(&model->decoder.layers[i].initial_h.dense.map);
    affine_free(&model->decoder.layers[i].initial_c.dense.map);
  }
  attention_free(&model->attention);
  affine_free(&model->decoder.attentional.map);
  for (int32_t i = 0; i < STRUCTURE_MAX_HEADS; i++)
    chain_free(&model->heads[i].layers);
}

cuseq_status recogniser_begin(const struct recognise_request *request, struct recogniser *recogniser) {
  *recogniser = (struct recogniser){.request = request,
                                    .expressions = request->expressions,
                                    .arena = request->expressions->arena,
                                    .notes = request->notes};
  recogniser->model = calloc(1, sizeof *recogniser->model);
  if (recogniser->model == NULL)
    return error_out_of_memory();
  recogniser->model->last_cell = recogniser->model->encoder.annotations = -1;
  return CUSEQ_STATUS_OK;
}

void recogniser_end(struct recogniser *recogniser) {
  recognised_free(recogniser->model);
  free(recogniser->model);
}

cuseq_status recognise_as_it_is(const struct recognise_request *request, enum recognition *recognition,
                                cuseq_model **model) {
  struct recogniser recogniser;
  *recognition = NOT_RECOGNISED;
  TRY(recogniser_begin(request, &recogniser));
  cuseq_status status = recognise(&recogniser);
  *recognition = status == CUSEQ_STATUS_OK           ? RECOGNISED
                 : recogniser.model->encoder.between ? NO_STACK
                                                     : NOT_RECOGNISED;
  if (status == CUSEQ_STATUS_OK)
    status = emit_model(&recogniser, model);
  recogniser_end(&recogniser);
  return status;
}
