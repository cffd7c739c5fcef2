/* From what a graph computes to cuseq's own model (docs/model-format.md), or the refusal of it. This is
 * what front ends call. */
#ifndef CUSEQ_RECOGNISE_H
#define CUSEQ_RECOGNISE_H

#include "convert/graph/notes.h"
#include "convert/graph/value.h"

#include <jansson.h>

/* An input of the model, in its file's order: EXPRESSION_INPUT's index counts these. */
struct graph_input {
  const struct graph_node *node;
};

/* An output of the model, in its file's order. */
struct graph_output {
  const char *name; /* of the output, or of the layer that gives it */
  struct value value;
};

/* A vector that a decoder of one step reads and gives: `before` (an EXPRESSION_INPUT without a clock) is
 * what it reads, `after` what it gives for the next step, `initial` what the first step reads: an
 * expression of the encoder's, or -1: zeros. */
struct graph_state {
  int32_t before, after, initial;
};

/* What a front end hands over. Zeroed fields mean "not said" but for those where -1 is said to. */
struct recognise_request {
  struct expressions *expressions;
  struct notes *notes;
  const struct graph_input *inputs;
  size_t input_count;
  const struct graph_output *outputs;
  size_t output_count;
  /* a decoder of one step in a graph of its own; its outputs are `outputs` above */
  const struct graph_state *states;
  size_t state_count; /* 0: the graph has all its steps in it, or no decoder */
  int32_t token;      /* the EXPRESSION_INPUT of the token before, -1: none */
  /* of decoders; what the caller of the program says */
  int32_t start_token, end_token; /* -1: none */
  int32_t steps;                  /* that a call makes when it says nothing; 0: as many as the graph says */
  const json_t *vocabulary;       /* a JSON object, or NULL */
  /* recognition's own (join.h): which columns of the one input are looked up, or NULL */
  const struct graph_lookups *lookups;
  bool *given_numbers; /* steps of a decoder may be given numbers, which is noted here; NULL: tokens alone */
  const struct graph_parts *parts; /* which inputs of the graph's lie side by side in the one, or NULL */
};

/* Recognises the model and makes it.
 *   model  receives it, NULL on failure */
cuseq_status recognise_model(const struct recognise_request *request, cuseq_model **model);

#endif
