/* Which inputs of a graph can be one, and whether they can. */
#include "convert/recognise/join_parts.h"

/* Whether something makes a decoder of it: then inputs are its tokens and states. */
static bool has_decoder(const struct expressions *expressions, const bool *reached, int32_t limit) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!reached[i])
      continue;
    if (e->op == EXPRESSION_CELL || e->op == EXPRESSION_STEPS || e->op == EXPRESSION_ARGMAX ||
        e->op == EXPRESSION_REPEAT || e->op == EXPRESSION_SLOT)
      return true;
    for (int32_t k = 1; join_is_recurrent(e) && k < e->child_count; k++) {
      const enum expression_op op = expression_at(expressions, e->children[k])->op;
      if (op != EXPRESSION_INPUT && op != EXPRESSION_ZEROS)
        return true;
    }
  }
  return false;
}

/* What reads an input: embeddings, initial states, others. */
struct readers {
  bool embeddings, states, others;
};

static struct readers readers_of(const struct expressions *expressions, const bool *reached, int32_t limit,
                                 int32_t input) {
  struct readers readers = {0};
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    for (int32_t k = 0; reached[i] && k < e->child_count; k++) {
      if (e->children[k] != input)
        continue;
      const bool state = join_is_recurrent(e) && k > 0;
      readers.embeddings |= e->op == EXPRESSION_EMBEDDING;
      readers.states |= state;
      readers.others |= e->op != EXPRESSION_EMBEDDING && !state;
    }
  }
  return readers;
}

/* Whether positions of two inputs meet in all their pairs, as in an attention of one text to another: of one
 * sequence that would be something else. */
static bool pairs_positions(const struct joining *joining, const bool *reached, int32_t limit) {
  uint32_t clocks = 0;
  for (int32_t i = 0; i < joining->count; i++)
    clocks |= joining->inputs[i].clock >= 0 ? (uint32_t)1 << joining->inputs[i].clock : 0;
  for (int32_t c = 0; c < joining->expressions->clock_count; c++)
    clocks |= clocks >> clock_whole(joining->expressions, c) & 1 ? (uint32_t)1 << c : 0;
  for (int32_t i = 0; i < limit; i++) {
    const uint32_t of = expression_at(joining->expressions, i)->clocks & clocks;
    if (reached[i] && (of & (of - 1)) != 0)
      return true;
  }
  return false;
}

/* Whether something honours a mask: lengths, which stand for it, are those of all sequences. */
static bool is_masked(const struct expressions *expressions, const bool *reached, int32_t limit) {
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (reached[i] && (e->masked || (join_is_recurrent(e) && expressions->layers[e->index].mask != NULL)))
      return true;
  }
  return false;
}

/* Whether all sequences belong together, position by position. */
static bool are_aligned(const struct joining *joining, const bool *reached, int32_t limit) {
  uint32_t together = 0;
  for (int32_t i = 0; i < joining->count && together == 0; i++)
    together = joining->inputs[i].vector ? 0 : (uint32_t)1 << joining->inputs[i].clock;
  for (bool more = true; more;) {
    more = false;
    for (int32_t i = 0; i < limit; i++) {
      const struct expression *e = expression_at(joining->expressions, i);
      const uint32_t both = e->op == EXPRESSION_ALIGN ? (uint32_t)1 << e->clock | (uint32_t)1 << e->index : 0;
      if (!reached[i] || (both & together) == 0 || (both & ~together) == 0)
        continue;
      together |= both;
      more = true;
    }
  }
  for (int32_t i = 0; i < joining->count; i++)
    if (!joining->inputs[i].vector && (together >> joining->inputs[i].clock & 1) == 0)
      return false;
  return true;
}

/* Whether a sequence of one position is nothing but that: the same as a vector. */
static bool is_single(const struct joining *joining, const bool *reached, int32_t limit, int32_t clock) {
  if (joining->expressions->clocks[clock].length != 1)
    return false;
  for (int32_t i = 0; i < limit; i++) {
    const struct expression *e = expression_at(joining->expressions, i);
    const bool over = join_is_recurrent(e) || e->op == EXPRESSION_POOL || e->op == EXPRESSION_FLAT ||
                      e->op == EXPRESSION_SOFTMAX || e->op == EXPRESSION_REVERSE ||
                      e->op == EXPRESSION_WINDOW || e->op == EXPRESSION_CUT || e->op == EXPRESSION_ALIGN ||
                      e->op == EXPRESSION_CONTEXT || expression_takes_all(e);
    if (reached[i] && over && (e->clock == clock || (e->op == EXPRESSION_ALIGN && e->index == clock)))
      return false;
  }
  return true;
}

/* Lists what is joined, in the order of the model's inputs; count 0 where that cannot be. */
static void list_inputs(struct joining *joining, const struct recognise_request *request, const bool *reached,
                        int32_t limit) {
  const struct expressions *expressions = joining->expressions;
  for (size_t n = 0; n < request->input_count; n++)
    for (int32_t i = 0; i < limit; i++) {
      const struct expression *e = expression_at(expressions, i);
      if (!reached[i] || e->op != EXPRESSION_INPUT || e->index != (int32_t)n)
        continue;
      const struct readers readers = readers_of(expressions, reached, limit, i);
      if (readers.states && !readers.embeddings && !readers.others)
        continue; /* taken as zeros */
      if (joining->count == GRAPH_MOST_PARTS || readers.states || (readers.embeddings && readers.others)) {
        joining->count = 0;
        return;
      }
      joining->inputs[joining->count++] =
          (struct joined_input){.expression = i,
                                .clock = e->clocks != 0 ? e->clock : -1,
                                .width = e->width,
                                .vector = e->clocks == 0 || is_single(joining, reached, limit, e->clock)};
    }
}

void join_list(struct joining *joining, const struct recognise_request *request, const bool *reached,
               int32_t limit) {
  if (request->state_count > 0 || has_decoder(joining->expressions, reached, limit))
    return;
  list_inputs(joining, request, reached, limit);
  joining->masked = is_masked(joining->expressions, reached, limit);
  if (pairs_positions(joining, reached, limit) || (joining->masked && !are_aligned(joining, reached, limit)))
    joining->count = 0;
}
