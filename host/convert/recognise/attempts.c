/* A graph is recognised as it is, or as what computes the same: over whole sequences, with layers in the
 * place of cells that are written out, over a stack of layers, with a decoder's layers as the encoder's. */
#include "convert/recognise/cut.h"
#include "convert/recognise/join.h"
#include "convert/recognise/level.h"
#include "convert/recognise/recognised.h"
#include "convert/recognise/tabulate.h"
#include "convert/recognise/thin.h"
#include "convert/recognise/weave.h"
#include "convert/recognise/written_out.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the same outputs and states of other expressions --------------------------------------------- */

/* The expressions of a request's outputs, and of its states where there are any.
 *   count  receives how many they are; they are the arena's */
static cuseq_status list_ends(const struct recognise_request *request, int32_t **ends, size_t *count) {
  *count = 0;
  *ends = arena_allocate(request->expressions->arena,
                         (request->output_count + 2 * request->state_count) * sizeof **ends);
  if (*ends == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++)
    (*ends)[(*count)++] = request->outputs[i].value.expression;
  for (size_t i = 0; i < request->state_count; i++) {
    (*ends)[(*count)++] = request->states[i].after;
    if (request->states[i].initial >= 0)
      (*ends)[(*count)++] = request->states[i].initial;
  }
  return CUSEQ_STATUS_OK;
}

/* A request of other expressions in the places of those that list_ends lists.
 *   clocks  [MAX_CLOCKS] of each clock the one in its place; NULL: all stay */
static cuseq_status replace_ends(const struct recognise_request *request, const int32_t *ends,
                                 const int32_t *clocks, struct recognise_request *made) {
  struct arena *arena = request->expressions->arena;
  struct graph_output *outputs = arena_allocate(arena, request->output_count * sizeof *outputs);
  struct graph_state *states = arena_allocate(arena, (request->state_count + 1) * sizeof *states);
  if (outputs == NULL || states == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < request->output_count; i++) {
    outputs[i] = request->outputs[i];
    outputs[i].value.expression = *ends++;
    for (int32_t a = 0; clocks != NULL && a < outputs[i].value.axis_count; a++)
      if (outputs[i].value.axes[a].kind == AXIS_TIME)
        outputs[i].value.axes[a].clock = clocks[outputs[i].value.axes[a].clock];
  }
  for (size_t i = 0; i < request->state_count; i++) {
    states[i] = request->states[i];
    states[i].after = *ends++;
    if (states[i].initial >= 0)
      states[i].initial = *ends++;
  }
  *made = *request;
  made->outputs = outputs;
  made->states = states;
  return CUSEQ_STATUS_OK;
}

/* ---- encoders that are no stack ------------------------------------------------------------------- */

/* Makes the ends of a request the same over a stack of layers. */
static cuseq_status weave_ends(struct recogniser *recogniser, int32_t *ends, size_t count, bool *woven) {
  struct listed_outputs listed;
  int32_t clock;
  TRY(outputs_list(recogniser, &listed));
  TRY(encoder_clock(recogniser, &listed, &clock));
  TRY(weave_vector(recogniser, ends, count, woven));
  if (*woven || clock < 0)
    return CUSEQ_STATUS_OK;
  TRY(weave_edges(recogniser, clock, ends, count));
  TRY(weave_means(recogniser, clock, ends, count));
  return weave(recogniser, clock, ends, count, woven);
}

/* stack  receives false where what is made is no stack either */
static cuseq_status attempt_woven(const struct recognise_request *request, bool *woven, bool *stack,
                                  cuseq_model **model) {
  struct recognise_request over;
  struct recogniser recogniser;
  enum recognition recognition;
  int32_t *ends;
  size_t count;
  *woven = false;
  *stack = true;
  TRY(list_ends(request, &ends, &count));
  TRY(recogniser_begin(request, &recogniser));
  cuseq_status status = weave_ends(&recogniser, ends, count, woven);
  recogniser_end(&recogniser);
  if (status != CUSEQ_STATUS_OK || !*woven)
    return status;
  TRY(replace_ends(request, ends, NULL, &over));
  status = recognise_as_it_is(&over, &recognition, model);
  *stack = recognition != NO_STACK;
  return status;
}

/* ---- one way after the other ---------------------------------------------------------------------- */

/* What was said before the first way was tried, and why it was none. */
struct refusal {
  char *said;
  cuseq_status status;
  char reason[1024];
};

static void refusal_begin(const struct recognise_request *request, struct refusal *refusal) {
  const char *said = request->notes->text;
  refusal->said = said != NULL ? strdup(said) : NULL;
}

/* Whether another way may be tried: one that has come as far as the model itself has left no weights. */
static bool may_try_again(const struct recognise_request *request, cuseq_status status) {
  return status == CUSEQ_STATUS_INVALID_MODEL && matrices_are_there(request->expressions);
}

/* The first way has failed: the notes are again as they were before it. */
static void refusal_keep(struct refusal *refusal, const struct recognise_request *request,
                         cuseq_status status) {
  refusal->status = status;
  snprintf(refusal->reason, sizeof refusal->reason, "%s", error_text());
  free(request->notes->text);
  request->notes->text = refusal->said;
}

/* Of the second way: where it fails, too, the first one's reason is the one that is told. */
static cuseq_status refusal_or(const struct refusal *refusal, cuseq_status again, bool tried) {
  if ((again == CUSEQ_STATUS_OK && tried) || again == CUSEQ_STATUS_OUT_OF_MEMORY)
    return again;
  return error_set(refusal->status, "%s", refusal->reason);
}

/* Where the encoder is no stack, that is not what is in the way: weaving makes one, and its reason is the one
 * that is told. */
static cuseq_status recognise_whole(const struct recognise_request *request, cuseq_model **model) {
  struct refusal refusal;
  enum recognition recognition;
  bool woven, stack;
  refusal_begin(request, &refusal);
  const cuseq_status status = recognise_as_it_is(request, &recognition, model);
  if (status != CUSEQ_STATUS_INVALID_MODEL || recognition == RECOGNISED) {
    free(refusal.said);
    return status;
  }
  refusal_keep(&refusal, request, status);
  const cuseq_status again = attempt_woven(request, &woven, &stack, model);
  if (recognition == NO_STACK && stack && again == CUSEQ_STATUS_INVALID_MODEL)
    return again;
  return refusal_or(&refusal, again, woven);
}

/* With recurrent layers in the place of cells that are written out, where it is not recognised as it is. */
static cuseq_status recognise_lifted(const struct recognise_request *request, cuseq_model **model) {
  struct recognise_request lifted = *request;
  struct refusal refusal;
  bool found;
  refusal_begin(request, &refusal);
  const cuseq_status status = recognise_whole(request, model);
  if (!may_try_again(request, status)) {
    free(refusal.said);
    return status;
  }
  refusal_keep(&refusal, request, status);
  cuseq_status again = written_out_lift(&lifted, &found);
  if (again == CUSEQ_STATUS_OK && found)
    again = recognise_whole(&lifted, model);
  return refusal_or(&refusal, again, found);
}

/* With a decoder's layers as the encoder's, where it is not recognised otherwise. */
static cuseq_status recognise_levelled(const struct recognise_request *request, cuseq_model **model) {
  struct recognise_request levelled;
  struct refusal refusal;
  bool done;
  refusal_begin(request, &refusal);
  const cuseq_status status = recognise_lifted(request, model);
  if (!may_try_again(request, status)) {
    free(refusal.said);
    return status;
  }
  refusal_keep(&refusal, request, status);
  cuseq_status again = level(request, &levelled, &done);
  if (again == CUSEQ_STATUS_OK && done)
    again = recognise_whole(&levelled, model);
  return refusal_or(&refusal, again, done);
}

/* ---- the inputs ----------------------------------------------------------------------------------- */

/* With ids looked up and over whole clocks.
 *   ends    [count] what becomes of the request's; changed
 *   clocks  [MAX_CLOCKS] the clocks in the place of others */
static cuseq_status recognise_ends(const struct recognise_request *request, int32_t *ends, size_t count,
                                   const int32_t *clocks, cuseq_model **model) {
  struct recognise_request whole;
  struct graph_lookups lookups;
  if (request->given_numbers == NULL)
    TRY(join_refuse(request, ends, count));
  TRY(join_lookups(request, ends, count, &lookups));
  TRY(cut_make_whole(request->expressions, request->notes, ends, count));
  TRY(replace_ends(request, ends, clocks, &whole));
  whole.lookups = lookups.count > 0 ? &lookups : NULL;
  const cuseq_status status = recognise_levelled(&whole, model);
  for (int32_t c = 0; status == CUSEQ_STATUS_INVALID_MODEL && c < request->expressions->clock_count; c++)
    if (request->expressions->clocks[c].of >= 0)
      return node_refuse(request->expressions->clocks[c].node,
                         "it gives fewer positions than it reads, which cuseq cannot express with what is "
                         "behind it (convolutions of padding same or causal keep them)");
  return status;
}

/* With one input in the place of several, where it is not recognised as it is. */
static cuseq_status recognise_joined(const struct recognise_request *request, const int32_t *ends,
                                     size_t count, int32_t *clocks, cuseq_model **model) {
  struct recognise_request whole = *request;
  struct graph_parts parts;
  struct refusal refusal;
  int32_t *copy = arena_allocate(request->expressions->arena, (count + 1) * sizeof *copy);
  int32_t places[MAX_CLOCKS];
  if (copy == NULL)
    return error_out_of_memory();
  memcpy(copy, ends, count * sizeof *copy);
  refusal_begin(request, &refusal);
  const cuseq_status status = recognise_ends(request, copy, count, clocks, model);
  if (!may_try_again(request, status)) {
    free(refusal.said);
    return status;
  }
  refusal_keep(&refusal, request, status);
  memcpy(copy, ends, count * sizeof *copy);
  cuseq_status again = join_inputs(request, copy, count, places, &parts);
  for (int32_t c = 0; c < MAX_CLOCKS; c++)
    clocks[c] = places[clocks[c]];
  whole.parts = &parts;
  if (again == CUSEQ_STATUS_OK && parts.count > 0)
    again = recognise_ends(&whole, copy, count, clocks, model);
  return refusal_or(&refusal, again, parts.count > 0);
}

/* With a decoder whose steps are given numbers, where it is not recognised otherwise: then it is the reason
 * of this way that is told. */
static cuseq_status recognise_given(const struct recognise_request *request, const int32_t *ends,
                                    size_t count, const int32_t *clocks, cuseq_model **model) {
  struct recognise_request given = *request;
  struct refusal refusal;
  bool found = false;
  int32_t copy[MAX_CLOCKS];
  refusal_begin(request, &refusal);
  memcpy(copy, clocks, sizeof copy);
  const cuseq_status status = recognise_joined(request, ends, count, copy, model);
  if (!may_try_again(request, status)) {
    free(refusal.said);
    return status;
  }
  refusal_keep(&refusal, request, status);
  memcpy(copy, clocks, sizeof copy);
  given.given_numbers = &found;
  const cuseq_status again = recognise_joined(&given, ends, count, copy, model);
  return found ? again : refusal_or(&refusal, again, true);
}

cuseq_status recognise_model(const struct recognise_request *request, cuseq_model **model) {
  int32_t clocks[MAX_CLOCKS];
  int32_t *ends;
  size_t count;
  *model = NULL;
  TRY(list_ends(request, &ends, &count));
  TRY(tabulate(request->expressions, -1, ends, count));
  TRY(thin_make_blocks(request, ends, count, clocks));
  return recognise_given(request, ends, count, clocks, model);
}
