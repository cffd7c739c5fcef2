/* The whole: which outputs are the decoder's, how its steps follow each other, and that every step does the same. */
#include "convert/keras/recognise.h"
#include "convert/keras/recognise_steps.h"
#include "error.h"

#include <string.h>

/* ---- what the model gives ------------------------------------------------------------------------- */

/* Outputs that every run of cuseq gives anyway. */
static bool is_by_product(const struct expression *e) {
  return e->op == EXPRESSION_SOFTMAX || e->op == EXPRESSION_CELL || e->op == EXPRESSION_SEQUENCE ||
         e->op == EXPRESSION_FINAL;
}

struct found_outputs {
  int32_t *list; /* the decoder's, or the contexts of an attention-only model */
  int32_t count;
  int32_t contexts; /* how many outputs are contexts */
  int32_t context;
};

static cuseq_status sort_outputs(struct evaluator *evaluator, const struct value *outputs, size_t count,
                                 struct found_outputs *found) {
  enum { MOST = 65536 };
  const struct expressions *expressions = &evaluator->expressions;
  size_t capacity = 0;
  for (size_t i = 0; i < count; i++)
    capacity += 1 + (size_t)expression_at(expressions, outputs[i].expression)->child_count;
  *found = (struct found_outputs){.list = arena_allocate(evaluator->arena, capacity * sizeof(int32_t))};
  if (found->list == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (size_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(expressions, outputs[i].expression);
    bool steps = e->op == EXPRESSION_STEPS;
    for (int32_t k = 0; k < (steps ? e->child_count : 1); k++) {
      int32_t expression = steps ? e->children[k] : outputs[i].expression;
      const struct expression *one = expression_at(expressions, expression);
      if (one->op == EXPRESSION_CONTEXT) {
        found->contexts++;
        found->context = expression;
      } else if (!is_by_product(one)) {
        if (found->count >= MOST)
          return layer_refuse(one->layer, "the model has too many outputs");
        found->list[found->count++] = expression;
      }
    }
  }
  return CUSEQ_STATUS_OK;
}

/* ---- attention-only ------------------------------------------------------------------------------- */

static cuseq_status recognise_attention_only(struct evaluator *evaluator, int32_t context,
                                             struct recognised *model) {
  struct bases state = {.count = 0};
  struct expression e = *expression_at(&evaluator->expressions, context);
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
static cuseq_status read_cell_input(struct evaluator *evaluator, const struct decoder_step *step,
                                    int32_t *context, struct recognised *model) {
  const struct expressions *expressions = &evaluator->expressions;
  const struct expression *cell = expression_at(expressions, step->cell);
  struct bases none = {.count = 0}, inputs = {.count = 0};
  int32_t leaves[AFFINE_MAX_BASES], count, fed_back = -1;
  TRY(affine_leaves(expressions, cell->children[0], &none, leaves, AFFINE_MAX_BASES, &count));
  *context = -1;
  for (int32_t i = 0; i < count; i++) {
    const struct expression *e = expression_at(expressions, leaves[i]);
    if (e->op == EXPRESSION_CONTEXT && *context < 0)
      *context = leaves[i];
    else if (e->op == EXPRESSION_EMBEDDING && fed_back < 0)
      fed_back = leaves[i];
    else
      return layer_refuse(e->layer, "the decoder reads it beside the context, which cuseq cannot express");
  }
  if (*context < 0)
    return layer_refuse(cell->layer, "it reads no context of an attention");
  if (fed_back >= 0)
    return layer_refuse(expression_at(expressions, fed_back)->layer,
                        "the token before the first step is not known, so cuseq cannot express its feedback");
  inputs.list[inputs.count++] = *context;
  return affine_make(expressions, cell->children[0], &inputs, "what the decoder reads", &model->cell_input);
}

static cuseq_status read_output(struct evaluator *evaluator, int32_t output, int32_t state,
                                struct recognised *model) {
  struct bases bases = {.list = {state}, .count = 1};
  model->softmax = output_is_softmax(&evaluator->expressions, output);
  if (model->softmax)
    output = expression_at(&evaluator->expressions, output)->children[0];
  return affine_make(&evaluator->expressions, output, &bases, "the model's output", &model->output);
}

static cuseq_status recognise_decoder(struct evaluator *evaluator, const struct found_outputs *found,
                                      struct recognised *model) {
  const struct expressions *expressions = &evaluator->expressions;
  struct decoder_step *steps;
  int32_t context;
  TRY(steps_find(evaluator, found->list, found->count, &steps, &model->steps));
  struct expression cell = *expression_at(expressions, steps[0].cell);
  model->cell = cell.index;
  TRY(read_cell_input(evaluator, &steps[0], &context, model));
  TRY(steps_compare(evaluator, steps, model->steps));
  struct bases state = {.list = {cell.children[1]}, .count = 1};
  TRY(recognise_attention(evaluator, context, &state, model));
  TRY(recognise_states(evaluator, cell.children[1], cell.children[2], cell.layer, model));
  for (int32_t i = 0; i < model->steps; i++)
    if (steps[i].output >= 0)
      return read_output(evaluator, steps[i].output, steps[i].cell, model);
  return layer_refuse(cell.layer, "nothing comes after it");
}

cuseq_status recognise(struct evaluator *evaluator, const struct value *outputs, size_t count,
                       struct recognised *model) {
  *model = (struct recognised){.embedding = -1};
  struct found_outputs found;
  TRY(sort_outputs(evaluator, outputs, count, &found));
  if (found.count > 0)
    return recognise_decoder(evaluator, &found, model);
  if (found.contexts == 1)
    return recognise_attention_only(evaluator, found.context, model);
  const struct expression *e = expression_at(&evaluator->expressions, outputs[0].expression);
  if (found.contexts > 1)
    return layer_refuse(e->layer, "the model gives several contexts and no output of a decoder");
  return layer_refuse(e->layer,
                      "the model gives neither an output of a decoder nor a context of an attention");
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
