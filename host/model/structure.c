#include "model/structure.h"

int32_t structure_part_width(const struct structure *structure, enum part part) {
  const struct decoder_structure *decoder = &structure->decoder;
  switch (part) {
  case PART_TOKEN:
    return decoder->embedding_units > 0 ? decoder->embedding_units : decoder->tokens;
  case PART_CONTEXT:
    return structure->attention.context_width;
  case PART_ATTENTIONAL:
    return decoder->attentional.dense.units;
  case PART_GIVEN:
    return decoder->given_width;
  case PART_STATE:
    break;
  }
  return decoder->count > 0 ? decoder->layers[decoder->count - 1].cell.units : 0;
}

int32_t structure_parts_width(const struct structure *structure, const struct parts *parts) {
  int32_t width = 0;
  for (int32_t i = 0; i < parts->count; i++)
    width += structure_part_width(structure, parts->list[i]);
  return width;
}

int32_t structure_final_width(const struct encoder_layer *layer, enum initial_directions directions) {
  int32_t forward = encoder_layer_has(layer, 0) ? layer->cells[0].units : 0;
  int32_t backward = encoder_layer_has(layer, 1) ? layer->cells[1].units : 0;
  switch (directions) {
  case INITIAL_FORWARD:
    return forward;
  case INITIAL_BACKWARD:
    return backward;
  case INITIAL_SUM:
    return forward > 0 ? forward : backward;
  case INITIAL_CONCAT:
    break;
  }
  return forward + backward;
}

int32_t structure_final_offset(const struct encoder_structure *encoder, int32_t layer, int direction) {
  int32_t offset = 0;
  for (int32_t l = 0; l < layer; l++)
    offset += structure_final_width(&encoder->layers[l], INITIAL_CONCAT);
  return offset + (direction == 1 ? structure_final_width(&encoder->layers[layer], INITIAL_FORWARD) : 0);
}

int32_t structure_time(const struct structure *structure) {
  for (int32_t l = 0; l < structure->encoder.count; l++)
    if (structure->encoder.layers[l].weighting.units > 0)
      return structure->encoder.layers[l].weighting.units;
  for (int32_t i = 0; i < structure->output.count; i++)
    for (int32_t k = 0; k < structure->output.heads[i].read_count; k++)
      if (structure->output.heads[i].reads[k].source == HEAD_POSITIONS)
        return structure->output.heads[i].reads[k].positions;
  return 0;
}

bool structure_head_norms(const struct structure *structure) {
  for (int32_t i = 0; i < structure->output.count; i++)
    for (int32_t l = 0; l < structure->output.heads[i].layers.count; l++)
      if (structure->output.heads[i].layers.layers[l].norm.units > 0)
        return true;
  return false;
}

bool structure_norms(const struct structure *structure) {
  for (int32_t l = 0; l < structure->encoder.count; l++)
    if (structure->encoder.layers[l].dense.norm.units > 0)
      return true;
  return structure_head_norms(structure);
}

static int32_t heads_over_every(const struct structure *structure) {
  int32_t count = 0;
  for (int32_t i = 0; i < structure->output.count; i++)
    count += structure->output.heads[i].source == HEAD_EVERY;
  return count;
}

bool structure_is_tagger(const struct structure *structure) {
  return heads_over_every(structure) > 0;
}

bool structure_is_mixed(const struct structure *structure) {
  const int32_t every = heads_over_every(structure);
  return every > 0 && every < structure->output.count;
}
