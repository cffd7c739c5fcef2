/* The token of a decoder: which expression of the step it is, and where it comes from. */
#include "convert/recognise/given.h"
#include "convert/recognise/tabulate.h"
#include "error.h"

/* Whether a matrix is the unit matrix: rows of it are one-hot. */
static bool is_unit(const struct matrix *matrix) {
  for (int32_t r = 0; r < matrix->rows; r++)
    for (int32_t c = 0; c < matrix->columns; c++)
      if (matrix->data[(size_t)r * (size_t)matrix->columns + (size_t)c] != (r == c ? 1.0F : 0.0F))
        return false;
  return matrix->rows == matrix->columns;
}

bool token_follows(const struct expressions *expressions, const struct slot *slot) {
  const struct expression *next = slot->next >= 0 ? expression_at(expressions, slot->next) : NULL;
  if (next != NULL && next->op == EXPRESSION_EMBEDDING)
    next = expression_at(expressions, next->children[0]);
  return next != NULL && next->op == EXPRESSION_ARGMAX;
}

bool token_is_probabilities(const struct recogniser *recogniser, const struct slot *slot) {
  const struct step *step = &recogniser->model->decoder.step;
  if (slot->next < 0 || step->output_count != 1 || step->outputs[0] != slot->next)
    return false;
  const struct expression *next = expression_at(recogniser->expressions, slot->next);
  return next->op == EXPRESSION_CLASSES && next->part == CLASSES_SOFTMAX && next->width > 1;
}

const struct expression *token_input(const struct expressions *expressions, const struct slot *slot) {
  const struct expression *e = expression_at(expressions, slot->initial);
  if (e->op == EXPRESSION_POSITION)
    e = expression_at(expressions, e->children[0]);
  return e->op == EXPRESSION_INPUT && (e->clocks == 0 || expressions->clocks[e->clock].length == 1) ? e
                                                                                                    : NULL;
}

/* The ends of a step, its outputs and what its slots are next: reads them, or writes others in their
 * places. */
static size_t step_ends(struct step *step, int32_t *ends, bool write) {
  size_t count = 0;
  for (int32_t i = 0; i < step->output_count + step->slot_count; i++) {
    int32_t *end = i < step->output_count ? &step->outputs[i] : &step->slots[i - step->output_count].next;
    if (*end < 0)
      continue;
    *(write ? end : &ends[count]) = *(write ? &ends[count] : end);
    count++;
  }
  return count;
}

cuseq_status token_tabulate(struct recogniser *recogniser) {
  struct step *step = &recogniser->model->decoder.step;
  const size_t most = (size_t)step->output_count + (size_t)step->slot_count;
  int32_t *ends = arena_allocate(recogniser->arena, (most + 1) * sizeof *ends);
  if (ends == NULL)
    return error_out_of_memory();
  for (int32_t i = 0; i < step->slot_count; i++) {
    const int32_t slot = step->slots[i].expression;
    const int32_t limit = recogniser->expressions->count;
    bool *reached;
    if (step->slots[i].next >= 0 || expression_at(recogniser->expressions, slot)->width == 1)
      continue;
    TRY(reach_step(recogniser, step, &reached));
    if (given_is_numbers(recogniser, reached, limit, &step->slots[i]))
      continue;
    const size_t count = step_ends(step, ends, false);
    TRY(tabulate(recogniser->expressions, slot, ends, count));
    step_ends(step, ends, true);
  }
  return CUSEQ_STATUS_OK;
}

/* Whether embeddings look an expression up. */
static bool is_looked_up(const struct expressions *expressions, const bool *reached, int32_t limit,
                         int32_t expression) {
  bool is = false;
  for (int32_t i = expression + 1; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    is = is || (reached[i] && e->op == EXPRESSION_EMBEDDING && e->children[0] == expression);
  }
  return is;
}

cuseq_status token_find(struct recogniser *recogniser, const bool *reached, int32_t limit) {
  const struct expressions *expressions = recogniser->expressions;
  struct found_decoder *decoder = &recogniser->model->decoder;
  decoder->token = decoder->token_slot = decoder->embedding = -1;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    int32_t at = e->op == EXPRESSION_EMBEDDING ? e->children[0] : i;
    const struct slot *slot = step_slot(&decoder->step, at);
    if (!reached[i] || slot == NULL || given_is_numbers(recogniser, reached, limit, slot))
      continue;
    bool ids = e->op == EXPRESSION_EMBEDDING;
    bool given = slot->next < 0;
    bool follows = token_follows(expressions, slot) || (!ids && token_is_probabilities(recogniser, slot));
    if ((!given && !follows) || (!ids && e->width == 1 && !follows) ||
        (!ids && (e->width == 1 || is_looked_up(expressions, reached, limit, i))))
      continue;
    if (decoder->token >= 0)
      return node_refuse(e->node,
                         "a further tensor goes into each step of the decoder, beside '%.100s' (cuseq's "
                         "decoders read one token)",
                         expression_at(expressions, decoder->token)->node->name);
    decoder->token = i;
    decoder->token_slot = at;
    const struct expression *next = given ? NULL : expression_at(expressions, slot->next);
    int32_t matrix = ids ? e->matrix : next != NULL && next->op == EXPRESSION_EMBEDDING ? next->matrix : -1;
    decoder->embedding = matrix >= 0 && !is_unit(&expressions->matrices[matrix]) ? matrix : -1;
  }
  return CUSEQ_STATUS_OK;
}

/* The token before the first step, where the graph says it. */
static int32_t first_token(const struct expressions *expressions, int32_t initial) {
  const struct expression *e = expression_at(expressions, initial);
  if (e->op == EXPRESSION_EMBEDDING)
    e = expression_at(expressions, e->children[0]);
  if (e->op == EXPRESSION_ZEROS && e->width == 1)
    return 0;
  if (e->op != EXPRESSION_CONSTANT || e->width != 1)
    return -1;
  double number = (double)expressions->matrices[e->matrix].data[0];
  return number >= 0 && number <= 1 << 20 && number == (double)(int32_t)number ? (int32_t)number : -1;
}

/* Whether a vector is the same in every row, zeros but for one element at most that is 1.
 *   hot  receives which one; -1: none */
static bool is_one_hot(const struct expressions *expressions, const struct expression *e, int32_t *hot) {
  const float *data = e->op == EXPRESSION_CONSTANT ? expressions->matrices[e->matrix].data : NULL;
  *hot = -1;
  for (int32_t i = 0; data != NULL && i < e->width; i++) {
    if (data[i] != 0.0F && (data[i] != 1.0F || *hot >= 0))
      return false;
    *hot = data[i] != 0.0F ? i : *hot;
  }
  return data != NULL || e->op == EXPRESSION_ZEROS;
}

/* What the first step reads in the place of probabilities: zeros, or a one-hot row. */
static cuseq_status settle_probabilities(struct recogniser *recogniser, const struct slot *slot) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *input = token_input(expressions, slot),
                          *initial = expression_at(expressions, slot->initial);
  struct found_decoder *decoder = &recogniser->model->decoder;
  const int32_t said = recogniser->request->start_token;
  const bool known = is_one_hot(expressions, initial, &decoder->start_token);
  decoder->feedback = FEEDBACK_PROBABILITIES;
  if (input != NULL && said < 0)
    return node_refuse(input->node, "the first step reads it where the others read the probabilities of the "
                                    "step before (say of which token it is the one-hot row: --start-token "
                                    "N)");
  if (input != NULL) {
    decoder->start_token = said;
    return notes_add(recogniser->notes,
                     "input '%.100s' is the one-hot row of the token before the first step, which is %d here",
                     input->node->name, said);
  }
  if (!known)
    return node_refuse(initial->node,
                       "the first step reads it where the others read the probabilities of the step before, "
                       "which cuseq cannot express (needed zeros, a one-hot row, an input, or a vector of "
                       "the encoder's that the decoder's first layer alone reads)");
  if (said >= 0 && said != decoder->start_token)
    return node_refuse(initial->node,
                       "it is what the first step reads, and not the one-hot row of token %d "
                       "(--start-token %d)",
                       said, said);
  return CUSEQ_STATUS_OK;
}

/* What the first step reads in the place of a chosen token. */
static cuseq_status settle_chosen(struct recogniser *recogniser, const struct slot *slot) {
  const struct expression *initial = expression_at(recogniser->expressions, slot->initial);
  struct found_decoder *decoder = &recogniser->model->decoder;
  decoder->feedback = FEEDBACK_OUTPUT;
  if (decoder->start_token < 0)
    decoder->start_token = first_token(recogniser->expressions, slot->initial);
  if (decoder->start_token < 0)
    return node_refuse(initial->node,
                       "the token before the first step is not known, so cuseq cannot express its feedback "
                       "(give it: --start-token N)");
  return initial->op == EXPRESSION_INPUT
             ? notes_add(recogniser->notes,
                         "input '%.100s' is the token before the first step, which is %d here",
                         initial->node->name, decoder->start_token)
             : CUSEQ_STATUS_OK;
}

/* Tokens that the caller gives at every step. */
static cuseq_status settle_given(struct recogniser *recogniser, const struct slot *slot) {
  const char *name = expression_at(recogniser->expressions, slot->initial)->node->name;
  struct found_decoder *decoder = &recogniser->model->decoder;
  decoder->feedback = decoder->start_token >= 0 ? FEEDBACK_OUTPUT : FEEDBACK_GIVEN;
  if (decoder->start_token < 0)
    return notes_add(
        recogniser->notes,
        "input '%.100s' is the given tokens of the decoder: give them as targets (--start-token N at "
        "conversion says with which token it begins)",
        name);
  return notes_add(recogniser->notes,
                   "input '%.100s' is the tokens of the decoder: it begins with %d and goes on "
                   "from what it chose, or from targets",
                   name, decoder->start_token);
}

cuseq_status token_settle(struct recogniser *recogniser) {
  const struct recognise_request *request = recogniser->request;
  struct found_decoder *decoder = &recogniser->model->decoder;
  const struct slot *slot = decoder->token >= 0 ? step_slot(&decoder->step, decoder->token_slot) : NULL;
  decoder->start_token = slot != NULL ? request->start_token : -1;
  decoder->end_token = slot != NULL ? request->end_token : -1;
  decoder->feedback = FEEDBACK_NONE;
  decoder->steps = request->steps > 0 ? request->steps : decoder->step.steps;
  if (slot != NULL && decoder->step.mask != NULL && request->start_token == 0)
    return node_refuse(decoder->step.mask,
                       "it masks token 0, with which the decoder is to start (--start-token 0)");
  if (slot != NULL)
    TRY(slot->next < 0                             ? settle_given(recogniser, slot)
        : token_is_probabilities(recogniser, slot) ? settle_probabilities(recogniser, slot)
                                                   : settle_chosen(recogniser, slot));
  if (decoder->steps > 0)
    return CUSEQ_STATUS_OK;
  decoder->steps = 100;
  return notes_add(recogniser->notes, "a call makes 100 steps where it does not say how many");
}
