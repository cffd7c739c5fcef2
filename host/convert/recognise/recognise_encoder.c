#include "convert/recognise/recognised.h"
#include "error.h"

/* What an encoder layer reads: an affine map (none, as a rule) of the layer below, or of the input. */
static cuseq_status read_front(struct recogniser *recogniser, const struct recurrent_layer *encoder,
                               int32_t child, struct affine *front, int32_t *source) {
  const struct expressions *expressions = recogniser->expressions;
  struct bases none = {.count = 0}, source_only = {.count = 1};
  int32_t count;
  TRY(affine_leaves(expressions, child, &none, source, 1, &count));
  const struct expression *e = expression_at(expressions, *source);
  bool input = e->op == EXPRESSION_INPUT && e->clocks;
  if (count != 1 || (e->op != EXPRESSION_SEQUENCE && e->op != EXPRESSION_EMBEDDING && !input))
    return node_refuse(e->node,
                       "between the input and the encoder's layer '%.100s' cuseq can express linear "
                       "layers only",
                       encoder->node->name);
  source_only.list[0] = *source;
  return affine_make(expressions, child, &source_only, "what the encoder reads", front);
}

static cuseq_status same_layers(const struct recurrent_layer *first, const struct recurrent_layer *other) {
  const struct recurrent_cell *a = &first->directions[0], *b = &other->directions[0];
  if (a->units != b->units)
    return node_refuse(other->node,
                       "an encoder layer of %d units beside one of %d (cuseq's layers are of one "
                       "width)",
                       b->units, a->units);
  if (a->activation != b->activation || a->recurrent_activation != b->recurrent_activation)
    return node_refuse(other->node, "an encoder layer with other activations than '%.100s'",
                       first->node->name);
  if (first->direction != other->direction || first->merge != other->merge)
    return node_refuse(other->node, "an encoder layer with other directions or merge_mode than '%.100s'",
                       first->node->name);
  if (first->mask != other->mask)
    return node_refuse(other->node, "a mask reaches some layers of the encoder and not others");
  return CUSEQ_STATUS_OK;
}

static cuseq_status final_states(struct recogniser *recogniser, int32_t index, int32_t child,
                                 struct recognised *model) {
  const struct recurrent_layer *encoder = &recogniser->expressions->layers[index];
  for (int32_t part = 0; part < (encoder->direction == LAYER_BIDIRECTIONAL ? 4 : 2); part++) {
    struct expression final = {.op = EXPRESSION_FINAL,
                               .part = part,
                               .width = encoder->directions[0].units,
                               .matrix = -1,
                               .bias = -1,
                               .index = index,
                               .node = encoder->node,
                               .child_count = 1,
                               .children = &child};
    struct bases *bases = part % 2 == 0 ? &model->final_h : &model->final_c;
    TRY(expression_make(recogniser->expressions, &final, &bases->list[bases->count++]));
  }
  return CUSEQ_STATUS_OK;
}

static void reverse(struct recognised *model) {
  for (int32_t low = 0, high = model->encoder_count - 1; low < high; low++, high--) {
    int32_t encoder = model->encoders[low];
    model->encoders[low] = model->encoders[high];
    model->encoders[high] = encoder;
    struct affine front = model->fronts[low];
    model->fronts[low] = model->fronts[high];
    model->fronts[high] = front;
  }
}

cuseq_status recognise_encoder(struct recogniser *recogniser, int32_t sequence, struct recognised *model) {
  struct expressions *expressions = recogniser->expressions;
  struct expression e = *expression_at(expressions, sequence);
  if (e.op != EXPRESSION_SEQUENCE)
    return node_refuse(e.node,
                       "the attention is over its output, which is not the encoder's (needed the sequence "
                       "of an LSTM or Bidirectional layer)");
  if (e.part != SEQUENCE_MERGED)
    return node_refuse(e.node, "one of its directions alone is attended to (its merge_mode is None)");
  model->annotations = sequence;
  TRY(final_states(recogniser, e.index, e.children[0], model));
  int32_t source = sequence;
  while (expression_at(expressions, source)->op == EXPRESSION_SEQUENCE) {
    e = *expression_at(expressions, source);
    if (model->encoder_count >= RECOGNISE_MAX_LAYERS)
      return node_refuse(e.node, "the encoder has more than %d layers", RECOGNISE_MAX_LAYERS);
    const struct recurrent_layer *encoder = &expressions->layers[e.index];
    if (e.part != SEQUENCE_MERGED)
      return node_refuse(e.node, "one of its directions alone is read by the next layer");
    TRY(same_layers(&expressions->layers[model->encoder_count > 0 ? model->encoders[0] : e.index], encoder));
    model->encoders[model->encoder_count] = e.index;
    TRY(read_front(recogniser, encoder, e.children[0], &model->fronts[model->encoder_count], &source));
    model->encoder_count++;
  }
  reverse(model);
  model->input = source;
  e = *expression_at(expressions, source);
  model->embedding = e.op == EXPRESSION_EMBEDDING ? e.matrix : -1;
  if (model->embedding >= 0 && expression_at(expressions, e.children[0])->op != EXPRESSION_INPUT)
    return node_refuse(e.node, "what the encoder reads is not the model's input");
  return CUSEQ_STATUS_OK;
}
