/* The whole: a decoder whose steps follow each other and all do the same, or an attention alone. */
#include "convert/keras/recognise.h"
#include "convert/keras/recognise_outputs.h"
#include "convert/keras/recognise_steps.h"
#include "error.h"

#include <string.h>

/* ---- attention-only ------------------------------------------------------------------------------- */

static cuseq_status recognise_attention_only(struct evaluator *evaluator, int32_t context,
                                             struct recognised *model) {
  struct bases state = {.count = 0};
  struct expression e = *expression_at(&evaluator->expressions, context);
  model->step_list = arena_allocate(evaluator->arena, sizeof *model->step_list);
  if (model->step_list == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  *model->step_list = (struct decoder_step){.cell = -1, .output = context, .context = context};
  TRY(recognise_attention(evaluator, context, &state, model));
  if (state.count == model->final_h.count &&
      memcmp(state.list, model->final_h.list, (size_t)state.count * sizeof *state.list) == 0) {
    model->h = (struct initial_state){.kind = CUSEQ_INITIAL_STATE_ENCODER};
    return CUSEQ_STATUS_OK;
  }
  return recognise_states(evaluator, state.list[0], -1, e.layer, model);
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
      return layer_refuse(e->layer, "the decoder reads it beside the context, which cuseq cannot express");
  }
  if (step->context < 0)
    return layer_refuse(cell->layer, "it reads no context of an attention");
  if (fed_back >= 0)
    return layer_refuse(expression_at(expressions, fed_back)->layer,
                        "the token before the first step is not known, so cuseq cannot express its feedback");
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_output(struct evaluator *evaluator, int32_t output, int32_t state,
                                struct recognised *model) {
  struct bases bases = {.list = {state}, .count = 1};
  model->softmax = output_is_softmax(&evaluator->expressions, output);
  if (model->softmax)
    output = expression_at(&evaluator->expressions, output)->children[0];
  return affine_make(&evaluator->expressions, output, &bases, "the model's output", &model->output);
}

static cuseq_status recognise_decoder(struct evaluator *evaluator, const int32_t *outputs, int32_t count,
                                      struct recognised *model) {
  const struct expressions *expressions = &evaluator->expressions;
  struct decoder_step *steps;
  TRY(steps_find(evaluator, outputs, count, &steps, &model->steps));
  model->step_list = steps;
  struct expression cell = *expression_at(expressions, steps[0].cell);
  model->cell = cell.index;
  TRY(find_context(expressions, &steps[0]));
  TRY(steps_compare(evaluator, steps, model->steps));
  for (int32_t i = 1; i < model->steps; i++)
    TRY(find_context(expressions, &steps[i]));
  struct bases context = {.list = {steps[0].context}, .count = 1};
  TRY(affine_make(expressions, cell.children[0], &context, "what the decoder reads", &model->cell_input));
  struct bases state = {.list = {cell.children[1]}, .count = 1};
  TRY(recognise_attention(evaluator, steps[0].context, &state, model));
  TRY(recognise_states(evaluator, cell.children[1], cell.children[2], cell.layer, model));
  return read_output(evaluator, steps[0].output, steps[0].cell, model);
}

/* ---- inputs --------------------------------------------------------------------------------------- */

/* Says which of the model's inputs nothing depends on. */
static cuseq_status note_inputs(struct evaluator *evaluator) {
  const struct keras_model *model = evaluator->model;
  bool *used = arena_allocate(evaluator->arena, model->input_count + 1);
  if (used == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (int32_t i = 0; i < evaluator->expressions.count; i++) {
    const struct expression *e = expression_at(&evaluator->expressions, i);
    if (e->op == EXPRESSION_INPUT)
      used[e->index] = true;
  }
  for (size_t i = 0; i < model->input_count; i++)
    if (!used[i])
      TRY(evaluator_note(evaluator, "input '%.100s' is left out: the model's outputs do not depend on it",
                         model->inputs[i].layer->name));
  return CUSEQ_STATUS_OK;
}

cuseq_status recognise(struct evaluator *evaluator, const struct value *outputs, size_t count,
                       struct recognised *model) {
  *model = (struct recognised){.embedding = -1};
  struct listed_outputs listed;
  TRY(outputs_list(evaluator, outputs, count, &listed));
  if (listed.step_count > 0) {
    TRY(recognise_decoder(evaluator, listed.steps, listed.step_count, model));
  } else {
    int32_t context;
    TRY(outputs_context(&listed, &evaluator->expressions, &context));
    TRY(recognise_attention_only(evaluator, context, model));
  }
  TRY(outputs_check(evaluator, &listed, model));
  return note_inputs(evaluator);
}

void recognised_free(struct recognised *model) {
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
