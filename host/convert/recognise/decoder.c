/* The decoder, from one step of it. */
#include "convert/recognise/given.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* ---- layers --------------------------------------------------------------------------------------- */

cuseq_status reach_step(struct recogniser *recogniser, const struct step *step, bool **marks) {
  int32_t count = recogniser->expressions->count;
  bool *reached;
  TRY(reach_list(recogniser->expressions, step->outputs, (size_t)step->output_count, marks));
  reached = *marks;
  for (bool more = true; more;) {
    more = false;
    for (int32_t i = 0; i < step->slot_count; i++) {
      const struct slot *slot = &step->slots[i];
      if (!reached[slot->expression] || slot->next < 0 || reached[slot->next])
        continue;
      TRY(reach(recogniser->expressions, slot->next, reached, count));
      more = true;
    }
  }
  return CUSEQ_STATUS_OK;
}

/* The slot that a cell's state is before the step. */
static cuseq_status state_slot(const struct recogniser *recogniser, int32_t cell, int32_t child, int32_t part,
                               int32_t *slot) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *e = expression_at(expressions, cell);
  const struct slot *found = step_slot(&recogniser->model->decoder.step, e->children[child]);
  const struct expression *next =
      found != NULL && found->next >= 0 ? expression_at(expressions, found->next) : NULL;
  if (next == NULL || next->op != EXPRESSION_CELL || next->index != e->index ||
      memcmp(next->children, e->children, (size_t)e->child_count * sizeof *e->children) != 0)
    return node_refuse(e->node, "its initial_state is not [h, c] of the step before");
  if (next->part != part)
    return node_refuse(
        e->node, "its initial_state is [h, h] or [c, c], two states of one kind (needed [h, c] of the step "
                 "before, hidden and cell states)");
  *slot = found->expression;
  return CUSEQ_STATUS_OK;
}

/* The sum of a cell's hidden state and what is below, where the step has it. */
static int32_t residual_sum(const struct expressions *expressions, const bool *reached, int32_t limit,
                            int32_t h, int32_t below) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (reached[i] && e->op == EXPRESSION_ADD && e->child_count == 2 &&
        ((e->children[0] == h && e->children[1] == below) ||
         (e->children[0] == below && e->children[1] == h)))
      return i;
  }
  return -1;
}

static cuseq_status find_layers(struct recogniser *recogniser, const bool *reached, int32_t limit) {
  struct expressions *expressions = recogniser->expressions;
  struct found_decoder *decoder = &recogniser->model->decoder;
  decoder->count = 0;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || e->op != EXPRESSION_CELL || e->part != CELL_H)
      continue;
    if (decoder->count >= STRUCTURE_MAX_DECODER_LAYERS)
      return node_refuse(e->node, "the decoder has more than %d layers", STRUCTURE_MAX_DECODER_LAYERS);
    struct found_decoder_layer *layer = &decoder->layers[decoder->count];
    *layer = (struct found_decoder_layer){.cell = i, .gives = i, .c = -1, .cell_index = e->index};
    TRY(state_slot(recogniser, i, 1, CELL_H, &layer->h));
    if (e->child_count > 2)
      TRY(state_slot(recogniser, i, 2, CELL_C, &layer->c));
    int32_t sum = decoder->count == 0 ? -1
                                      : residual_sum(expressions, reached, limit, i,
                                                     decoder->layers[decoder->count - 1].gives);
    if (sum >= 0) {
      layer->residual = true;
      layer->gives = sum;
      expressions->list[sum].atom = true;
    }
    decoder->count++;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what is read --------------------------------------------------------------------------------- */

static cuseq_status refuse_leaf(const struct recogniser *recogniser, int32_t leaf) {
  const struct slot *slot = step_slot(&recogniser->model->decoder.step, leaf);
  if (bases_have(&recogniser->model->decoder.given, leaf))
    return node_refuse(
        expression_at(recogniser->expressions, leaf)->node,
        "it is given to every step of the decoder, which another layer than the decoder's first "
        "or the output's reads (cuseq's decoders give it to these)");
  if (slot != NULL && slot->next < 0)
    return node_refuse(expression_at(recogniser->expressions, leaf)->node,
                       "each step of the decoder is given %d number%s of it (cuseq's decoders read tokens)",
                       expression_at(recogniser->expressions, leaf)->width,
                       expression_at(recogniser->expressions, leaf)->width == 1 ? "" : "s");
  return node_refuse(expression_at(recogniser->expressions, leaf)->node,
                     "the decoder reads it, which cuseq cannot express");
}

bool decoder_part(const struct recogniser *recogniser, int32_t expression, enum part *part) {
  const struct found_decoder *decoder = &recogniser->model->decoder;
  const struct found_attention *attention = &recogniser->model->attention;
  if (expression == decoder->token && decoder->token >= 0)
    *part = PART_TOKEN;
  else if (attention->present && expression == attention->context)
    *part = PART_CONTEXT;
  else if (decoder->has_attentional && expression == decoder->attentional_next)
    *part = PART_ATTENTIONAL;
  else if (bases_have(&decoder->given, expression))
    *part = PART_GIVEN;
  else if (expression == decoder->layers[decoder->count - 1].gives)
    *part = PART_STATE;
  else
    return false;
  return true;
}

bool decoder_add_part(const struct recogniser *recogniser, struct found_parts *parts, enum part part,
                      int32_t expression) {
  const struct bases *given = &recogniser->model->decoder.given;
  if (part == PART_GIVEN && bases_have(&parts->bases, given->list[0]))
    return true;
  if (parts->parts.count >= STRUCTURE_MAX_PARTS)
    return false;
  for (int32_t i = 0; part == PART_GIVEN && i < given->count; i++)
    if (!bases_add(&parts->bases, given->list[i]))
      return false;
  if (part != PART_GIVEN && !bases_add(&parts->bases, expression))
    return false;
  parts->parts.list[parts->parts.count++] = part;
  return true;
}

cuseq_status decoder_check_fed(const struct recogniser *recogniser, const struct slot *slot) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *next = expression_at(expressions, slot->next);
  const struct expression *input = token_input(expressions, slot);
  if (next->op == EXPRESSION_CLASSES && !token_is_probabilities(recogniser, slot))
    return node_refuse(next->node,
                       "each step reads probabilities of the step before that are not the model's "
                       "one output, which cuseq cannot express");
  if (input != NULL)
    return node_refuse(input->node,
                       "the first step reads it where the others read what the step before gave, "
                       "which cuseq cannot express (needed zeros, the input's last position, or a "
                       "vector of the encoder's)");
  return CUSEQ_STATUS_OK;
}

/* A vector that a step hands to the next beside states and token: an attentional vector, once it is met. */
static cuseq_status settle_attentional(struct recogniser *recogniser, const struct slot *slot) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  const struct graph_node *node = expression_at(recogniser->expressions, slot->next)->node;
  struct bases none = {.count = 0}, leaves;
  struct chain chain;
  if (decoder->has_attentional && decoder->attentional_next == slot->next)
    return CUSEQ_STATUS_OK;
  if (decoder->has_attentional)
    return node_refuse(node, "several vectors go from step to step beside the states");
  TRY(decoder_check_fed(recogniser, slot));
  if (expression_at(recogniser->expressions, slot->initial)->op != EXPRESSION_ZEROS)
    return node_refuse(node,
                       "it goes from step to step and does not begin with zeros, which cuseq cannot express");
  TRY(chain_leaves(recogniser, slot->next, &none, &leaves));
  for (int32_t i = 0; i < leaves.count; i++) {
    enum part part;
    if (!decoder_part(recogniser, leaves.list[i], &part) || part == PART_GIVEN ||
        !decoder_add_part(recogniser, &decoder->attentional_parts, part, leaves.list[i]))
      return refuse_leaf(recogniser, leaves.list[i]);
  }
  TRY(chain_read(recogniser, slot->next, &decoder->attentional_parts.bases, "what goes from step to step", 1,
                 false, false, &chain));
  decoder->attentional = chain.levels[0];
  decoder->attentional_next = slot->next;
  decoder->has_attentional = true;
  recogniser->expressions->list[slot->next].atom = true;
  return CUSEQ_STATUS_OK;
}

/* What a leaf of the first layer's input is. */
static cuseq_status read_leaf(struct recogniser *recogniser, int32_t leaf) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  const struct found_attention *attention = &recogniser->model->attention;
  const struct slot *slot = step_slot(&decoder->step, leaf);
  enum part part;
  bool after = attention->asks == ASKS_CURRENT && attention->present;
  if (slot != NULL && slot->next >= 0 && leaf != decoder->token) {
    bool zeros = expression_at(recogniser->expressions, slot->initial)->op == EXPRESSION_ZEROS;
    part = PART_ATTENTIONAL;
    if (attention->present && slot->next == attention->context && after && zeros)
      part = PART_CONTEXT;
    else
      TRY(settle_attentional(recogniser, slot));
    return decoder_add_part(recogniser, &decoder->reads, part, leaf) ? CUSEQ_STATUS_OK
                                                                     : refuse_leaf(recogniser, leaf);
  }
  if (!decoder_part(recogniser, leaf, &part) || part == PART_STATE || part == PART_ATTENTIONAL ||
      (part == PART_CONTEXT && after) || !decoder_add_part(recogniser, &decoder->reads, part, leaf))
    return refuse_leaf(recogniser, leaf);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_first(struct recogniser *recogniser) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  struct found_decoder_layer *layer = &decoder->layers[0];
  struct bases none = {.count = 0}, leaves;
  int32_t input = expression_at(recogniser->expressions, layer->cell)->children[0];
  TRY(affine_leaves(recogniser->expressions, input, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
  for (int32_t i = 0; i < leaves.count; i++)
    TRY(read_leaf(recogniser, leaves.list[i]));
  if (leaves.count == 0 && recogniser->model->attention.present &&
      recogniser->model->attention.asks == ASKS_PREVIOUS)
    decoder_add_part(recogniser, &decoder->reads, PART_CONTEXT,
                     recogniser->model->attention.context); /* by rows of zeros */
  return affine_make(recogniser->expressions, input, &decoder->reads.bases, "what the decoder reads",
                     &layer->input);
}

/* A further layer: the one below, and the context or not. */
static cuseq_status read_further(struct recogniser *recogniser, int32_t l) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  const struct found_attention *attention = &recogniser->model->attention;
  struct found_decoder_layer *layer = &decoder->layers[l];
  struct bases none = {.count = 0}, leaves, bases = {.list = {decoder->layers[l - 1].gives}, .count = 1};
  const struct expression e = *expression_at(recogniser->expressions, layer->cell);
  TRY(affine_leaves(recogniser->expressions, e.children[0], &none, leaves.list, AFFINE_MAX_BASES,
                    &leaves.count));
  bool before = attention->asks == ASKS_CURRENT && l <= attention->asked_layer;
  for (int32_t i = 0; i < leaves.count; i++) {
    const struct slot *slot = step_slot(&decoder->step, leaves.list[i]);
    bool fed = slot != NULL && slot->next == attention->context &&
               expression_at(recogniser->expressions, slot->initial)->op == EXPRESSION_ZEROS;
    bool context = attention->present && (before ? fed : leaves.list[i] == attention->context);
    if (bases_have(&bases, leaves.list[i]))
      continue;
    if (!context || layer->reads_context)
      return refuse_leaf(recogniser, leaves.list[i]);
    layer->reads_context = true;
    bases_add(&bases, leaves.list[i]);
  }
  return affine_make(recogniser->expressions, e.children[0], &bases, "what the decoder reads", &layer->input);
}

/* ---- the encoder behind it ------------------------------------------------------------------------ */

/* The one attention of a step, or -1; and the final state of the deepest layer, or -1. */
static cuseq_status find_encoder(struct recogniser *recogniser, const bool *reached, int32_t limit,
                                 int32_t *context, int32_t *final) {
  const struct expressions *expressions = recogniser->expressions;
  const struct step *step = &recogniser->model->decoder.step;
  int32_t deepest = -1;
  *context = *final = -1;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i] || e->op != EXPRESSION_CONTEXT)
      continue;
    if (*context >= 0)
      return node_refuse(e->node,
                         "the decoder attends twice in a step, here and in '%.100s' (cuseq's attend once)",
                         expression_at(expressions, *context)->node->name);
    *context = i;
  }
  bool *marks = arena_allocate(recogniser->arena, (size_t)limit);
  if (marks == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < step->slot_count; i++)
    if (step->slots[i].next >= 0)
      TRY(reach(expressions, step->slots[i].initial, marks, expressions->count));
  for (int32_t i = 0; i < limit; i++) {
    if (!(reached[i] || marks[i]) || expression_at(expressions, i)->op != EXPRESSION_FINAL)
      continue;
    bool *below = calloc((size_t)limit, sizeof *below);
    if (below == NULL)
      return error_out_of_memory();
    cuseq_status status = reach(expressions, i, below, limit);
    int32_t depth = 0;
    for (int32_t k = 0; k < limit; k++)
      depth += below[k] && expression_at(expressions, k)->op == EXPRESSION_SEQUENCE;
    free(below);
    TRY(status);
    if (depth > deepest) {
      deepest = depth;
      *final = i;
    }
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_states(struct recogniser *recogniser) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  for (int32_t l = 0; l < decoder->count; l++) {
    struct found_decoder_layer *layer = &decoder->layers[l];
    const struct graph_node *node = expression_at(recogniser->expressions, layer->cell)->node;
    TRY(initial_recognise(recogniser, step_slot(&decoder->step, layer->h)->initial, true, node,
                          &layer->initial_h));
    if (layer->c >= 0)
      TRY(initial_recognise(recogniser, step_slot(&decoder->step, layer->c)->initial, false, node,
                            &layer->initial_c));
  }
  return CUSEQ_STATUS_OK;
}

/* No final state of an encoder is read: there is no encoder, or something else is made of it. */
static cuseq_status refuse_without_encoder(const struct recogniser *recogniser) {
  const struct expressions *expressions = recogniser->expressions;
  const struct found_decoder *decoder = &recogniser->model->decoder;
  for (int32_t l = 0; l < decoder->count; l++)
    for (int i = 0; i < 2; i++) {
      const struct found_decoder_layer *layer = &decoder->layers[l];
      const int32_t state = i == 0 ? layer->h : layer->c;
      const int32_t initial = state >= 0 ? step_slot(&decoder->step, state)->initial : -1;
      bool encoded = false;
      if (initial >= 0)
        TRY(reaches_op(expressions, initial, EXPRESSION_SEQUENCE, &encoded));
      if (encoded)
        return initial_refuse(recogniser, initial, i == 0, expression_at(expressions, layer->cell)->node);
    }
  return node_refuse(expression_at(expressions, decoder->layers[0].cell)->node,
                     "nothing of an encoder reaches the decoder (cuseq's models have both)");
}

/* A sum that goes on from step to step: what follows in a slot is that slot and something else. */
static cuseq_status check_sums(const struct recogniser *recogniser) {
  const struct expressions *expressions = recogniser->expressions;
  const struct step *step = &recogniser->model->decoder.step;
  struct bases none = {.count = 0}, leaves;
  for (int32_t i = 0; i < step->slot_count; i++) {
    const struct slot *slot = &step->slots[i];
    const struct expression *next = slot->next >= 0 ? expression_at(expressions, slot->next) : NULL;
    if (next == NULL || next->op != EXPRESSION_ADD)
      continue;
    TRY(affine_leaves(expressions, slot->next, &none, leaves.list, AFFINE_MAX_BASES, &leaves.count));
    if (leaves.count > 1 && bases_have(&leaves, slot->expression))
      return node_refuse(next->node, "each step adds to what the step before gave: a sum that goes on from "
                                     "step to step is nothing that cuseq's decoders hand on");
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status decoder_recognise(struct recogniser *recogniser) {
  struct found_decoder *decoder = &recogniser->model->decoder;
  bool *reached;
  int32_t limit, context, final;
  decoder->present = true;
  decoder->attentional_next = -1;
  TRY(check_sums(recogniser));
  TRY(token_tabulate(recogniser));
  TRY(step_carry(recogniser));
  limit = recogniser->expressions->count;
  TRY(reach_step(recogniser, &decoder->step, &reached));
  TRY(find_layers(recogniser, reached, limit));
  if (decoder->count == 0)
    return node_refuse(expression_at(recogniser->expressions, decoder->step.outputs[0])->node,
                       "no recurrent layer is in a step of what should be the decoder");
  TRY(token_find(recogniser, reached, limit));
  TRY(given_find(recogniser, reached, limit));
  TRY(find_encoder(recogniser, reached, limit, &context, &final));
  if (context >= 0)
    TRY(attention_recognise(recogniser, context, final));
  else if (final >= 0)
    TRY(encoder_recognise(recogniser, -1, final));
  else
    return refuse_without_encoder(recogniser);
  TRY(read_states(recogniser));
  TRY(read_first(recogniser));
  for (int32_t l = 1; l < decoder->count; l++)
    TRY(read_further(recogniser, l));
  return token_settle(recogniser);
}
