/* The whole: a decoder whose steps follow each other and all do the same, or an attention alone. */
#include "convert/recognise/recognise_outputs.h"
#include "convert/recognise/recognise_steps.h"
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- attention-only ------------------------------------------------------------------------------- */

static cuseq_status recognise_attention_only(struct recogniser *recogniser, int32_t context,
                                             struct recognised *model) {
  struct bases state = {.count = 0};
  struct expression e = *expression_at(recogniser->expressions, context);
  model->step_list = arena_allocate(recogniser->arena, sizeof *model->step_list);
  if (model->step_list == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  *model->step_list = (struct decoder_step){.cell = -1, .output = context, .context = context};
  TRY(recognise_attention(recogniser, context, &state, model));
  if (state.count == model->final_h.count &&
      memcmp(state.list, model->final_h.list, (size_t)state.count * sizeof *state.list) == 0) {
    model->h = (struct initial_state){.kind = CUSEQ_INITIAL_STATE_ENCODER};
    return CUSEQ_STATUS_OK;
  }
  return recognise_states(recogniser, state.list[0], -1, e.node, model);
}

/* ---- decoder -------------------------------------------------------------------------------------- */

/* What goes into the cell: the context. The token before is recognised to be refused with its reason. */
static cuseq_status find_context(const struct expressions *expressions, struct decoder_step *step) {
  const struct expression *cell = expression_at(expressions, step->cell);
  struct bases none = {.count = 0};
  int32_t leaves[AFFINE_MAX_BASES], count, fed_back = -1;
  TRY(affine_leaves(expressions, cell->children[0], &none, leaves, AFFINE_MAX_BASES, &count));
  for (int32_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(expressions, leaves[i]);
    if (e->op == EXPRESSION_CONTEXT && step->context < 0)
      step->context = leaves[i];
    else if (e->op == EXPRESSION_EMBEDDING && fed_back < 0)
      fed_back = leaves[i];
    else
      return node_refuse(e->node, "the decoder reads it beside the context, which cuseq cannot express");
  }
  if (step->context < 0)
    return node_refuse(cell->node, "it reads no context of an attention");
  if (fed_back >= 0)
    return node_refuse(expression_at(expressions, fed_back)->node,
                       "the token before the first step is not known, so cuseq cannot express its feedback");
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_output(struct recogniser *recogniser, int32_t output, int32_t state,
                                struct recognised *model) {
  struct bases bases = {.list = {state}, .count = 1};
  model->softmax = output_is_softmax(recogniser->expressions, output);
  if (model->softmax)
    output = expression_at(recogniser->expressions, output)->children[0];
  return affine_make(recogniser->expressions, output, &bases, "the model's output", &model->output);
}

static cuseq_status recognise_decoder(struct recogniser *recogniser, const int32_t *outputs, int32_t count,
                                      struct recognised *model) {
  const struct expressions *expressions = recogniser->expressions;
  struct decoder_step *steps;
  TRY(steps_find(recogniser, outputs, count, &steps, &model->steps));
  model->step_list = steps;
  struct expression cell = *expression_at(expressions, steps[0].cell);
  model->cell = cell.index;
  TRY(find_context(expressions, &steps[0]));
  TRY(steps_compare(recogniser, steps, model->steps));
  for (int32_t i = 1; i < model->steps; i++)
    TRY(find_context(expressions, &steps[i]));
  struct bases context = {.list = {steps[0].context}, .count = 1};
  TRY(affine_make(expressions, cell.children[0], &context, "what the decoder reads", &model->cell_input));
  struct bases state = {.list = {cell.children[1]}, .count = 1};
  TRY(recognise_attention(recogniser, steps[0].context, &state, model));
  TRY(recognise_states(recogniser, cell.children[1], cell.children[2], cell.node, model));
  return read_output(recogniser, steps[0].output, steps[0].cell, model);
}

/* ---- inputs --------------------------------------------------------------------------------------- */

/* Says which of the model's inputs nothing depends on. */
static cuseq_status note_inputs(struct recogniser *recogniser) {
  const struct recognise_request *request = recogniser->request;
  bool *used = arena_allocate(recogniser->arena, request->input_count + 1);
  if (used == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (int32_t i = 0; i < recogniser->expressions->count; i++) {
    const struct expression *e = expression_at(recogniser->expressions, i);
    if (e->op == EXPRESSION_INPUT)
      used[e->index] = true;
  }
  for (size_t i = 0; i < request->input_count; i++)
    if (!used[i])
      TRY(notes_add(recogniser->notes, "input '%.100s' is left out: the model's outputs do not depend on it",
                    request->inputs[i].node->name));
  return CUSEQ_STATUS_OK;
}

static cuseq_status recognise(struct recogniser *recogniser, struct recognised *model) {
  *model = (struct recognised){.embedding = -1};
  struct listed_outputs listed;
  TRY(outputs_list(recogniser, &listed));
  if (listed.step_count > 0) {
    TRY(recognise_decoder(recogniser, listed.steps, listed.step_count, model));
  } else {
    int32_t context;
    TRY(outputs_context(&listed, recogniser->expressions, &context));
    TRY(recognise_attention_only(recogniser, context, model));
  }
  TRY(outputs_check(recogniser, &listed, model));
  return note_inputs(recogniser);
}

static void recognised_free(struct recognised *model) {
  for (int i = 0; i < RECOGNISE_MAX_LAYERS; i++)
    affine_free(&model->fronts[i]);
  for (int i = 0; i < CUSEQ_MAX_ATTENTION_LAYERS; i++)
    affine_free(&model->levels[i]);
  affine_free(&model->key);
  affine_free(&model->query);
  affine_free(&model->h.map);
  affine_free(&model->c.map);
  affine_free(&model->cell_input);
  affine_free(&model->output);
}

/* What the recogniser cannot express yet, whatever it is used for. */
static cuseq_status refuse_kinds(const struct expressions *expressions) {
  for (int32_t i = 0; i < expressions->layer_count; i++) {
    const struct recurrent_layer *layer = &expressions->layers[i];
    const struct recurrent_cell *f = &layer->directions[0], *b = &layer->directions[1];
    if (f->kind != CELL_LSTM || layer->direction == LAYER_BACKWARD)
      return node_refuse(layer->node, "cuseq can express forward and bidirectional LSTM layers only");
    if (layer->direction == LAYER_BIDIRECTIONAL &&
        (b->kind != f->kind || f->units != b->units || f->activation != b->activation ||
         f->recurrent_activation != b->recurrent_activation))
      return node_refuse(layer->node, "its two directions differ in units or activations");
  }
  for (int32_t i = 0; i < expressions->cell_count; i++)
    if (expressions->cells[i].kind != CELL_LSTM)
      return node_refuse(expressions->cells[i].node, "cuseq can express LSTM cells only");
  for (int32_t i = 0; i < expressions->count; i++) {
    const struct expression *e = expression_at(expressions, i);
    if ((e->op == EXPRESSION_SEQUENCE || e->op == EXPRESSION_FINAL) && e->child_count > 1)
      return node_refuse(e->node, "its initial state is not zero, which cuseq cannot express for an encoder");
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status recognise_model(const struct recognise_request *request, cuseq_model **model) {
  struct recogniser recogniser = {.request = request,
                                  .expressions = request->expressions,
                                  .arena = request->expressions->arena,
                                  .notes = request->notes};
  *model = NULL;
  TRY(refuse_kinds(request->expressions));
  struct recognised *recognised = calloc(1, sizeof *recognised);
  if (recognised == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  cuseq_status status = recognise(&recogniser, recognised);
  if (status == CUSEQ_STATUS_OK)
    status = emit_model(request->expressions, recognised, request->vocabulary, model);
  recognised_free(recognised);
  free(recognised);
  return status;
}
