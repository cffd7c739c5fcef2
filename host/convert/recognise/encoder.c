/* The encoder, from what its last layer gives down to the input. */
#include "convert/recognise/recognised.h"
#include "error.h"

/* ---- what one layer gives ------------------------------------------------------------------------- */

/* One direction of a layer: its SEQUENCE, or that of a layer which has no other. */
static bool is_direction(const struct expressions *expressions, const struct expression *e, int direction) {
  if (e->op != EXPRESSION_SEQUENCE)
    return false;
  enum layer_direction has = expressions->layers[e->index].direction;
  if (e->part == (direction == 0 ? SEQUENCE_FORWARD : SEQUENCE_BACKWARD))
    return true;
  return e->part == SEQUENCE_MERGED && has == (direction == 0 ? LAYER_FORWARD : LAYER_BACKWARD);
}

/* Two directions over one input, put together. */
static bool joins_two(const struct expressions *expressions, const struct expression *e, cuseq_merge merge,
                      struct found_layer *layer) {
  if (e->child_count != 2)
    return false;
  for (int swapped = 0; swapped < (merge == CUSEQ_MERGE_CONCAT ? 1 : 2); swapped++) {
    const struct expression *forward = expression_at(expressions, e->children[swapped]);
    const struct expression *backward = expression_at(expressions, e->children[1 - swapped]);
    if (!is_direction(expressions, forward, 0) || !is_direction(expressions, backward, 1) ||
        forward->children[0] != backward->children[0] || forward->child_count > 1 ||
        backward->child_count > 1)
      continue;
    *layer = (struct found_layer){.direction = LAYER_BIDIRECTIONAL,
                                  .merge = merge,
                                  .weighted = -1,
                                  .index = {forward->index, backward->index},
                                  .child = forward->children[0],
                                  .child_count = 1,
                                  .children = forward->children};
    return true;
  }
  return false;
}

/* A layer without a residual sum. */
static bool read_plain(const struct expressions *expressions, int32_t expression, struct found_layer *layer) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_SEQUENCE) {
    const struct recurrent_layer *from = &expressions->layers[e->index];
    *layer = (struct found_layer){.direction = from->direction,
                                  .merge = from->apart ? CUSEQ_MERGE_CONCAT : from->merge,
                                  .weighted = -1,
                                  .index = {e->index, e->index},
                                  .child = e->children[0],
                                  .child_count = e->child_count,
                                  .children = e->children};
    return e->part == SEQUENCE_MERGED || (e->part == SEQUENCE_FORWARD && from->direction == LAYER_FORWARD) ||
           (e->part == SEQUENCE_BACKWARD && from->direction == LAYER_BACKWARD);
  }
  if (e->op == EXPRESSION_CONCAT)
    return joins_two(expressions, e, CUSEQ_MERGE_CONCAT, layer);
  if (e->op == EXPRESSION_ADD)
    return joins_two(expressions, e, CUSEQ_MERGE_SUM, layer);
  if (e->op == EXPRESSION_PRODUCT)
    return joins_two(expressions, e, CUSEQ_MERGE_MUL, layer);
  const struct expression *sum =
      e->op == EXPRESSION_SCALE ? expression_at(expressions, e->children[0]) : NULL;
  return sum != NULL && sum->op == EXPRESSION_ADD && e->scalar == 0.5 &&
         joins_two(expressions, sum, CUSEQ_MERGE_AVE, layer);
}

/* Whether a layer's input is `below`, through linear layers or not. */
static bool is_below(const struct expressions *expressions, int32_t input, int32_t below) {
  while (input != below) {
    const struct expression *e = expression_at(expressions, input);
    if (e->op != EXPRESSION_DENSE && e->op != EXPRESSION_AFFINE && e->op != EXPRESSION_SCALE)
      return false;
    input = e->children[0];
  }
  return true;
}

/* A layer without weights of its positions. */
static bool read_unweighted(const struct expressions *expressions, int32_t expression,
                            struct found_layer *layer) {
  if (read_plain(expressions, expression, layer))
    return true;
  const struct expression *e = expression_at(expressions, expression);
  for (int32_t i = 0; e->op == EXPRESSION_ADD && e->child_count == 2 && i < 2; i++)
    if (read_plain(expressions, e->children[i], layer) &&
        is_below(expressions, layer->child, e->children[1 - i])) {
      layer->residual = true;
      layer->added = e->children[1 - i];
      return true;
    }
  return false;
}

/* A layer that does not attend to itself. */
static bool read_recurrent(const struct expressions *expressions, int32_t expression,
                           struct found_layer *layer) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op != EXPRESSION_WEIGHTED)
    return read_unweighted(expressions, expression, layer);
  const bool is = read_unweighted(expressions, e->children[0], layer);
  layer->weighted = expression;
  return is;
}

static bool is_recurrent(const struct expressions *expressions, int32_t expression) {
  struct found_layer layer;
  return read_recurrent(expressions, expression, &layer);
}

/* A layer whose positions ask one another. */
static bool read_attending(const struct expressions *expressions, int32_t itself, struct found_layer *layer) {
  if (expression_at(expressions, itself)->op != EXPRESSION_SELF_ATTENTION)
    return false;
  const int32_t over = self_attention_over(expressions, itself, is_recurrent);
  if (over < 0 || !read_recurrent(expressions, over, layer))
    return false;
  layer->attends = true;
  layer->itself = itself;
  layer->over = over;
  return true;
}

static bool read_layer(const struct expressions *expressions, int32_t expression, struct found_layer *layer) {
  const struct expression *e = expression_at(expressions, expression);
  if (read_recurrent(expressions, expression, layer) || read_attending(expressions, expression, layer))
    return true;
  layer->beside = e->op == EXPRESSION_CONCAT && e->child_count == 2 &&
                  read_attending(expressions, e->children[0], layer) && e->children[1] == layer->over;
  return layer->beside;
}

bool encoder_gives(const struct expressions *expressions, int32_t expression) {
  struct found_layer layer;
  return read_layer(expressions, expression, &layer);
}

void encoder_mark(struct expressions *expressions) {
  struct found_layer layer;
  for (int32_t i = 0; i < expressions->count; i++)
    if (expressions->list[i].op != EXPRESSION_SEQUENCE && read_layer(expressions, i, &layer))
      expressions->list[i].atom = true;
}

const struct recurrent_cell *encoder_cell(const struct expressions *expressions,
                                          const struct found_layer *layer, int direction) {
  return &expressions->layers[layer->index[direction]].directions[direction];
}

/* ---- one layer after the other -------------------------------------------------------------------- */

static bool has_direction(const struct found_layer *layer, int direction) {
  return layer->direction == LAYER_BIDIRECTIONAL || (layer->direction == LAYER_BACKWARD) == (direction == 1);
}

static cuseq_status add_finals(struct recogniser *recogniser, struct found_layer *layer) {
  for (int d = 0; d < 2; d++) {
    const struct recurrent_cell *cell = encoder_cell(recogniser->expressions, layer, d);
    for (int part = 0; has_direction(layer, d) && part < (cell_has_c(cell->kind) ? 2 : 1); part++) {
      struct expression final = {.op = EXPRESSION_FINAL,
                                 .part = (d == 0 ? FINAL_FORWARD_H : FINAL_BACKWARD_H) + part,
                                 .width = cell->units,
                                 .matrix = -1,
                                 .bias = -1,
                                 .index = layer->index[d],
                                 .node = cell->node,
                                 .child_count = layer->child_count,
                                 .children = layer->children};
      struct bases *bases = part == 0 ? &layer->final_h : &layer->final_c;
      TRY(expression_make(recogniser->expressions, &final, &bases->list[bases->count++]));
    }
  }
  return CUSEQ_STATUS_OK;
}

/* Initial states of an encoder's layer: inputs alone, which stand for zeros. */
static cuseq_status check_states(struct recogniser *recogniser, const struct found_layer *layer,
                                 const struct graph_node *node) {
  for (int32_t i = 1; i < layer->child_count; i++) {
    const struct expression *e = expression_at(recogniser->expressions, layer->children[i]);
    if (e->op != EXPRESSION_ZEROS && (e->op != EXPRESSION_INPUT || e->clocks != 0))
      return node_refuse(node, "its initial state is not zero, which cuseq cannot express for an encoder");
    if (e->op == EXPRESSION_INPUT)
      TRY(notes_add(recogniser->notes, "input '%.100s', an initial state of the encoder, is taken as zeros",
                    e->node->name));
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status check_layer(struct recogniser *recogniser, const struct found_layer *layer) {
  struct found_encoder *encoder = &recogniser->model->encoder;
  for (int d = 0; d < 2; d++) {
    const struct recurrent_layer *from = &recogniser->expressions->layers[layer->index[d]];
    if (!has_direction(layer, d))
      continue;
    bool first = encoder->count == 0 && d == (layer->direction == LAYER_BACKWARD ? 1 : 0);
    if (first)
      encoder->mask = from->mask;
    else if (encoder->mask != from->mask)
      return node_refuse(from->node, "a mask reaches some layers of the encoder and not others");
  }
  if (layer->weighted >= 0 && encoder->mask != NULL)
    return node_refuse(expression_at(recogniser->expressions, layer->weighted)->node,
                       "it weights the positions that '%.100s' masks, too, which cuseq cannot express",
                       encoder->mask->name);
  const struct expression *itself = expression_at(recogniser->expressions, layer->itself);
  if (layer->attends && itself->masked != (encoder->mask != NULL))
    return itself->masked ? node_refuse(itself->node, "it has a mask that the encoder has not")
                          : node_refuse(itself->node, "it attends to masked positions, while the encoder "
                                                      "honours its mask, which cuseq cannot express");
  const struct recurrent_cell *f = encoder_cell(recogniser->expressions, layer, 0);
  const struct recurrent_cell *b = encoder_cell(recogniser->expressions, layer, 1);
  if (layer->direction == LAYER_BIDIRECTIONAL && layer->merge != CUSEQ_MERGE_CONCAT && f->units != b->units)
    return node_refuse(b->node, "its two directions differ in units and are not put side by side");
  return CUSEQ_STATUS_OK;
}

/* Adds a layer below those that are there; `dense` is what lies behind it, or NULL. */
static cuseq_status add_layer(struct recogniser *recogniser, const struct found_layer *read,
                              const struct level *dense) {
  struct found_encoder *encoder = &recogniser->model->encoder;
  const struct graph_node *node =
      encoder_cell(recogniser->expressions, read, read->direction == LAYER_BACKWARD)->node;
  if (encoder->count >= STRUCTURE_MAX_ENCODER_LAYERS)
    return node_refuse(node, "the encoder has more than %d layers", STRUCTURE_MAX_ENCODER_LAYERS);
  TRY(check_layer(recogniser, read));
  TRY(check_states(recogniser, read, node));
  struct found_layer *layer = &encoder->layers[encoder->count];
  *layer = *read;
  encoder->count++;
  if (layer->attends)
    TRY(self_attention_recognise(recogniser, layer->itself, layer->over, &layer->self_attention));
  if (dense != NULL) {
    layer->has_dense = true;
    layer->dense = *dense;
  }
  return add_finals(recogniser, layer);
}

/* What a dense layer reads: what a layer gives, or a layer and its attention to itself. */
static bool read_leaves(const struct expressions *expressions, struct bases *leaves,
                        struct found_layer *layer) {
  if (leaves->count == 1)
    return read_layer(expressions, leaves->list[0], layer);
  for (int swapped = 0; leaves->count == 2 && swapped < 2; swapped++) {
    const int32_t itself = leaves->list[swapped];
    if (!read_attending(expressions, itself, layer) || layer->over != leaves->list[1 - swapped])
      continue;
    layer->beside = true;
    *leaves = (struct bases){.list = {itself, layer->over}, .count = 2};
    return true;
  }
  return false;
}

/* An activation over a map of what a layer gives: the layer, and its dense layer. */
static cuseq_status read_dense(struct recogniser *recogniser, int32_t expression, struct found_layer *layer,
                               struct level *dense) {
  struct bases none = {.count = 0}, leaves;
  struct chain chain = {.count = 0};
  const struct graph_node *node = expression_at(recogniser->expressions, expression)->node;
  TRY(chain_leaves(recogniser, expression, &none, &leaves));
  if (!read_leaves(recogniser->expressions, &leaves, layer))
    return node_refuse(
        expression_at(recogniser->expressions, leaves.list[leaves.count > 1])->node,
        "between the encoder's layers, or in front of them, cuseq cannot express what is made of "
        "it by '%.100s'",
        node->name);
  cuseq_status status =
      chain_read(recogniser, expression, &leaves, "what the next layer reads", 1, false, true, &chain);
  if (status == CUSEQ_STATUS_OK)
    *dense = chain.levels[0];
  else
    chain_free(&chain);
  return status;
}

/* The input under the encoder, through activations or not: an embedding's rows may be taken through them
 * beforehand. */
static cuseq_status read_input(struct recogniser *recogniser, int32_t expression,
                               const struct graph_node *above) {
  struct found_encoder *encoder = &recogniser->model->encoder;
  const struct expression *e = expression_at(recogniser->expressions, expression);
  bool input = e->op == EXPRESSION_INPUT && e->clocks != 0;
  if (e->op == EXPRESSION_EMBEDDING) {
    const struct expression *ids = expression_at(recogniser->expressions, e->children[0]);
    if (ids->op != EXPRESSION_INPUT || ids->clocks == 0)
      return node_refuse(e->node, "what the encoder reads is not the model's input");
    encoder->embedding = e->matrix;
  } else if (!input) {
    return node_refuse(e->node,
                       "between the input and the encoder's layer '%.100s' cuseq can express linear "
                       "layers only",
                       above->name);
  }
  encoder->input = expression;
  return CUSEQ_STATUS_OK;
}

/* What layer `at` reads: a map of what the layer below gives, or of the input.
 *   source  receives that */
static cuseq_status read_front(struct recogniser *recogniser, int32_t at, int32_t *source) {
  const struct expressions *expressions = recogniser->expressions;
  struct found_layer *layer = &recogniser->model->encoder.layers[at];
  const struct graph_node *node = encoder_cell(expressions, layer, layer->direction == LAYER_BACKWARD)->node;
  struct bases none = {.count = 0}, only = {.count = 1};
  int32_t leaves[AFFINE_MAX_BASES], count;
  TRY(affine_leaves(expressions, layer->child, &none, leaves, AFFINE_MAX_BASES, &count));
  if (count != 1)
    return node_refuse(
        count > 0 ? expression_at(expressions, leaves[1])->node : node,
        "the encoder's layer '%.100s' reads it together with other tensors, which cuseq cannot "
        "express",
        node->name);
  *source = only.list[0] = leaves[0];
  TRY(affine_make(expressions, layer->child, &only, "what the encoder reads", &layer->front));
  if (layer->residual && layer->added != *source)
    return node_refuse(node,
                       "it adds what it reads, which comes through a Dense layer: cuseq cannot express that");
  return CUSEQ_STATUS_OK;
}

static void reverse(struct found_encoder *encoder) {
  for (int32_t low = 0, high = encoder->count - 1; low < high; low++, high--) {
    struct found_layer layer = encoder->layers[low];
    encoder->layers[low] = encoder->layers[high];
    encoder->layers[high] = layer;
  }
}

/* The final state of a layer that reads what this one does, the other way, and gives nothing else either. */
static const struct expression *other_direction(const struct recogniser *recogniser,
                                                const struct expression *final) {
  const struct expressions *expressions = recogniser->expressions;
  enum layer_direction direction = expressions->layers[final->index].direction;
  for (int32_t i = 0; i < recogniser->graph_count && final->child_count == 1; i++) {
    const struct expression *e = expression_at(expressions, i);
    if (!recogniser->reached[i] || e->op != EXPRESSION_FINAL || e->child_count != 1 ||
        e->children[0] != final->children[0])
      continue;
    enum layer_direction other = expressions->layers[e->index].direction;
    if ((direction == LAYER_FORWARD && other == LAYER_BACKWARD) ||
        (direction == LAYER_BACKWARD && other == LAYER_FORWARD))
      return e;
  }
  return NULL;
}

/* The layer of a final state, which gives nothing that is read. */
static cuseq_status last_of_final(struct recogniser *recogniser, int32_t final) {
  const struct expression e = *expression_at(recogniser->expressions, final);
  const struct recurrent_layer *from = &recogniser->expressions->layers[e.index];
  const struct expression *other = other_direction(recogniser, &e);
  struct found_layer layer = {.direction = from->direction,
                              .merge = from->apart ? CUSEQ_MERGE_CONCAT : from->merge,
                              .weighted = -1,
                              .index = {e.index, e.index},
                              .child = e.children[0],
                              .child_count = e.child_count,
                              .children = e.children};
  if (other != NULL) {
    layer.index[from->direction == LAYER_FORWARD ? 1 : 0] = other->index;
    layer.direction = LAYER_BIDIRECTIONAL;
    layer.merge = CUSEQ_MERGE_CONCAT;
  }
  return add_layer(recogniser, &layer, NULL);
}

/* The first of an expression's clocks. */
static int32_t clock_of(const struct recogniser *recogniser, int32_t expression) {
  uint32_t clocks = expression_at(recogniser->expressions, expression)->clocks;
  int32_t clock = 0;
  while (clock < MAX_CLOCKS - 1 && (clocks & (uint32_t)1 << clock) == 0)
    clock++;
  return clock;
}

/* Adds a layer; what lies below it is read then. */
static cuseq_status go_below(struct recogniser *recogniser, const struct found_layer *layer,
                             const struct level *dense, int32_t *source) {
  struct found_encoder *encoder = &recogniser->model->encoder;
  encoder->between = false;
  TRY(add_layer(recogniser, layer, dense));
  encoder->between = true;
  return read_front(recogniser, encoder->count - 1, source);
}

cuseq_status encoder_recognise(struct recogniser *recogniser, int32_t annotations, int32_t final) {
  struct found_encoder *encoder = &recogniser->model->encoder;
  int32_t source = annotations;
  encoder->annotations = annotations;
  encoder->embedding = -1;
  if (annotations < 0)
    TRY(last_of_final(recogniser, final));
  encoder->between = true;
  if (annotations < 0)
    TRY(read_front(recogniser, encoder->count - 1, &source));
  while (true) {
    struct found_layer layer = {.weighted = -1};
    struct level dense;
    const struct expression *e = expression_at(recogniser->expressions, source);
    if (read_layer(recogniser->expressions, source, &layer)) {
      TRY(go_below(recogniser, &layer, NULL, &source));
    } else if (encoder->count > 0 && e->op != EXPRESSION_ACTIVATION && e->op != EXPRESSION_NORM) {
      break;
    } else {
      TRY(read_dense(recogniser, source, &layer, &dense));
      TRY(go_below(recogniser, &layer, &dense, &source));
    }
  }
  const struct found_layer *first = &encoder->layers[encoder->count - 1];
  TRY(read_input(recogniser, source,
                 encoder_cell(recogniser->expressions, first, first->direction == LAYER_BACKWARD)->node));
  encoder->between = false;
  encoder->clock = clock_of(recogniser, source);
  reverse(encoder);
  return CUSEQ_STATUS_OK;
}
