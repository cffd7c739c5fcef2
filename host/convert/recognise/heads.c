/* What a model gives: dense layers over a step of its decoder, or over what its encoder or attention makes
 * of a row. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LEVELS = STRUCTURE_MAX_DENSE };

static const char subject[] = "the model's output";

cuseq_status head_of_step(struct recogniser *recogniser, int32_t output, const char *name) {
  struct recognised *model = recogniser->model;
  struct found_head *head = &model->heads[0];
  struct bases stops = {.list = {model->decoder.layers[model->decoder.count - 1].gives}, .count = 1}, leaves;
  *head = (struct found_head){.name = name, .source = HEAD_STEP};
  model->head_count = 1;
  TRY(network_leaves(recogniser, output, &stops, &leaves));
  for (int32_t i = 0; i < leaves.count; i++) {
    const struct graph_node *node = expression_at(recogniser->expressions, leaves.list[i])->node;
    enum part part;
    if (!decoder_part(recogniser, leaves.list[i], &part))
      return node_refuse(node,
                         "the model's output '%.100s' comes from it, which cuseq cannot express (needed the "
                         "last layer's hidden state, the context or the token)",
                         expression_at(recogniser->expressions, output)->node->name);
    if (!decoder_add_part(recogniser, &head->reads, part, leaves.list[i]))
      return node_refuse(node, "the model's output comes from it and too many other tensors");
  }
  if (leaves.count == 0)
    return node_refuse(expression_at(recogniser->expressions, output)->node,
                       "the model's output is constant");
  return network_read(recogniser, output, &head->reads.bases, subject, MAX_LEVELS, &head->layers);
}

/* ---- without a decoder ---------------------------------------------------------------------------- */

static cuseq_status refuse_source(const struct recogniser *recogniser, int32_t leaf, int32_t output) {
  return node_refuse(
      expression_at(recogniser->expressions, leaf)->node,
      "the model's output '%.100s' comes from it, which cuseq cannot express (needed the context of an "
      "attention, the encoder's final state, a mean, maximum or last of its positions, or each position)",
      expression_at(recogniser->expressions, output)->node->name);
}

/* The sequence that a head is over, where it is; -1: it is over something else. */
static int32_t sequence_under(const struct expressions *expressions, int32_t leaf) {
  const struct expression *e = expression_at(expressions, leaf);
  if (e->op == EXPRESSION_POOL || e->op == EXPRESSION_POSITION || e->op == EXPRESSION_FLAT)
    return e->children[0];
  return e->clocks != 0 ? leaf : -1;
}

/* Of two final states the one of the deeper layer. */
static cuseq_status deeper(struct recogniser *recogniser, int32_t *final, int32_t other) {
  const struct expressions *expressions = recogniser->expressions;
  int32_t depths[2] = {-1, -1}, states[2] = {*final, other};
  for (int i = 0; i < 2; i++) {
    if (states[i] < 0)
      continue;
    bool *below = calloc((size_t)expressions->count, sizeof *below);
    if (below == NULL)
      return error_out_of_memory();
    cuseq_status status = reach(expressions, states[i], below, expressions->count);
    depths[i] = 0;
    for (int32_t k = 0; k < expressions->count; k++)
      depths[i] += below[k] && expression_at(expressions, k)->op == EXPRESSION_SEQUENCE;
    free(below);
    TRY(status);
  }
  if (depths[1] > depths[0])
    *final = other;
  return CUSEQ_STATUS_OK;
}

/* The attention, the sequence and the deepest final state that the heads are over. */
static cuseq_status find_sources(struct recogniser *recogniser, const struct listed_outputs *listed,
                                 int32_t *context, int32_t *sequence, int32_t *final) {
  const struct expressions *expressions = recogniser->expressions;
  struct bases none = {.count = 0}, leaves;
  *context = *sequence = *final = -1;
  for (int32_t i = 0; i < listed->main_count; i++) {
    TRY(network_leaves(recogniser, listed->main[i], &none, &leaves));
    for (int32_t k = 0; k < leaves.count; k++) {
      const struct expression *e = expression_at(expressions, leaves.list[k]);
      if (e->op == EXPRESSION_FINAL) {
        TRY(deeper(recogniser, final, leaves.list[k]));
        continue;
      }
      int32_t *found = e->op == EXPRESSION_CONTEXT ? context : sequence;
      int32_t is = found == sequence ? sequence_under(expressions, leaves.list[k]) : leaves.list[k];
      if (is < 0)
        return refuse_source(recogniser, leaves.list[k], listed->main[i]);
      if (*found >= 0 && *found != is)
        return node_refuse(e->node,
                           "the model's outputs come from it and from '%.100s', of which cuseq can express "
                           "one",
                           expression_at(expressions, *found)->node->name);
      *found = is;
    }
  }
  return CUSEQ_STATUS_OK;
}

/* The layer whose final states a leaf is one of; false: none. */
static bool find_final(const struct found_encoder *encoder, int32_t leaf, struct found_read *read,
                       struct bases *bases) {
  for (read->layer = encoder->count - 1; read->layer >= 0; read->layer--) {
    const struct found_layer *layer = &encoder->layers[read->layer];
    read->takes_c = bases_have(&layer->final_c, leaf);
    *bases = read->takes_c ? layer->final_c : layer->final_h;
    if (read->takes_c || bases_have(&layer->final_h, leaf))
      return true;
  }
  return false;
}

/* What a leaf of a head is.
 *   bases  receives the expressions that the head reads with it */
static cuseq_status settle_source(const struct recogniser *recogniser, int32_t leaf, struct found_read *read,
                                  struct bases *bases) {
  const struct recognised *model = recogniser->model;
  const struct found_encoder *encoder = &model->encoder;
  const struct expression *e = expression_at(recogniser->expressions, leaf);
  *bases = (struct bases){.list = {leaf}, .count = 1};
  if (e->op == EXPRESSION_FINAL && find_final(encoder, leaf, read, bases)) {
    read->source = HEAD_FINAL;
  } else if (model->attention.present && leaf == model->attention.context) {
    read->source = HEAD_CONTEXT;
  } else if (leaf == encoder->annotations && leaf >= 0) {
    read->source = HEAD_EVERY;
  } else if (e->op == EXPRESSION_POOL && e->part != POOL_SUM && e->children[0] == encoder->annotations) {
    read->source = e->part == POOL_MEAN ? HEAD_MEAN : HEAD_MAXIMUM;
  } else if (e->op == EXPRESSION_POSITION && e->index == -1 && e->children[0] == encoder->annotations) {
    read->source = HEAD_LAST;
  } else if (e->op == EXPRESSION_FLAT && e->children[0] == encoder->annotations) {
    read->source = HEAD_POSITIONS;
    read->positions = e->index;
  } else {
    return node_refuse(e->node,
                       "the model's outputs come from it, which cuseq cannot express (needed the context of "
                       "an attention, final states of the encoder's layers, a mean, maximum or last of "
                       "the last one's positions, or each position)");
  }
  return CUSEQ_STATUS_OK;
}

/* What a head gives at masked positions, or makes of them, against what lengths do. */
static cuseq_status check_mask(const struct recogniser *recogniser, int32_t leaf,
                               const struct found_read *read) {
  const struct found_encoder *encoder = &recogniser->model->encoder;
  const struct found_layer *last = &encoder->layers[encoder->count - 1];
  const struct expression *e = expression_at(recogniser->expressions, leaf);
  if (encoder->mask == NULL)
    return e->masked ? node_refuse(e->node, "it has a mask that the encoder has not") : CUSEQ_STATUS_OK;
  if ((e->op == EXPRESSION_POOL && !e->masked) || e->op == EXPRESSION_FLAT)
    return node_refuse(e->node, "it takes in masked positions, which cuseq cannot express");
  if (read->source == HEAD_LAST && last->direction != LAYER_FORWARD)
    return node_refuse(e->node, "it takes the last position, masked or not, of a layer that reads backwards");
  return CUSEQ_STATUS_OK;
}

/* Adds what a leaf is to what a head reads, unless it is there. */
static cuseq_status add_source(struct recogniser *recogniser, const struct graph_node *node, int32_t leaf,
                               struct found_head *head) {
  const struct graph_node *of_leaf = expression_at(recogniser->expressions, leaf)->node;
  struct found_read read = {0};
  struct bases bases;
  if (bases_have(&head->reads.bases, leaf))
    return CUSEQ_STATUS_OK;
  TRY(settle_source(recogniser, leaf, &read, &bases));
  TRY(check_mask(recogniser, leaf, &read));
  if (head->read_count > 0 && (read.source == HEAD_EVERY || head->list[0].source == HEAD_EVERY))
    return node_refuse(
        of_leaf,
        "the model's output '%.100s' comes from it and from '%.100s', of which cuseq can express one",
        node->name, expression_at(recogniser->expressions, head->reads.bases.list[0])->node->name);
  if (head->read_count >= STRUCTURE_MAX_PARTS)
    return node_refuse(of_leaf, "the model's output '%.100s' is made of more than %d vectors", node->name,
                       STRUCTURE_MAX_PARTS);
  for (int32_t i = 0; i < bases.count; i++)
    bases_add(&head->reads.bases, bases.list[i]);
  head->list[head->read_count++] = read;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_head(struct recogniser *recogniser, int32_t output, const char *name) {
  struct recognised *model = recogniser->model;
  struct found_head *head = &model->heads[model->head_count];
  struct bases stops = {.list = {model->encoder.annotations}, .count = model->encoder.annotations >= 0},
               leaves;
  const struct graph_node *node = expression_at(recogniser->expressions, output)->node;
  if (model->head_count >= STRUCTURE_MAX_HEADS)
    return node_refuse(node, "the model has more than %d outputs", STRUCTURE_MAX_HEADS);
  *head = (struct found_head){.name = name};
  TRY(network_leaves(recogniser, output, &stops, &leaves));
  if (leaves.count == 0)
    return node_refuse(node, "the model's output is constant");
  for (int32_t i = 0; i < leaves.count; i++)
    TRY(add_source(recogniser, node, leaves.list[i], head));
  head->source = head->list[0].source;
  TRY(network_read(recogniser, output, &head->reads.bases, subject, MAX_LEVELS, &head->layers));
  model->head_count++;
  return CUSEQ_STATUS_OK;
}

bool heads_over_every(const struct recognised *model) {
  for (int32_t i = 0; i < model->head_count; i++)
    if (model->heads[i].source == HEAD_EVERY)
      return true;
  return false;
}

/* Heads over every position stand beside heads over rows, but for those over the context. */
static cuseq_status check_mixed(const struct recogniser *recogniser, const struct listed_outputs *listed) {
  const struct recognised *model = recogniser->model;
  const bool every = heads_over_every(model);
  for (int32_t i = 0; every && i < model->head_count; i++)
    for (int32_t k = 0; k < model->heads[i].read_count; k++)
      if (model->heads[i].list[k].source == HEAD_CONTEXT)
        return node_refuse(expression_at(recogniser->expressions, listed->main[i])->node,
                           "an output of an attention's context beside one for each position is nothing that "
                           "cuseq can express");
  return CUSEQ_STATUS_OK;
}

cuseq_status heads_recognise(struct recogniser *recogniser, const struct listed_outputs *listed) {
  int32_t context, sequence, final;
  TRY(find_sources(recogniser, listed, &context, &sequence, &final));
  if (context >= 0)
    TRY(attention_recognise(recogniser, context, final));
  else
    TRY(encoder_recognise(recogniser, sequence, final));
  for (int32_t i = 0; i < listed->main_count; i++)
    TRY(read_head(recogniser, listed->main[i], listed->names[i]));
  return check_mixed(recogniser, listed);
}
