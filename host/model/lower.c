#include "model/lower.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

/* Embeddings whose rows, taken through the first layer's kernels, come to at most this many floats are
 * folded; larger ones are looked up in their own size. */
enum { FOLDED_EMBEDDING_MOST = 256 * 1024 };

void lowered_storage_free(struct lowered_storage *storage) {
  for (size_t i = 0; i < storage->count; i++)
    free(storage->blocks[i]);
  free(storage->blocks);
  *storage = (struct lowered_storage){0};
}

/* A new block of zeros, on a cache line as the model's tensors are. */
static cuseq_status block_new(struct lowered_storage *storage, size_t count, float **block) {
  if (storage->count == storage->capacity) {
    size_t capacity = storage->capacity ? 2 * storage->capacity : 16;
    float **grown = realloc(storage->blocks, capacity * sizeof *grown);
    if (!grown)
      return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory");
    storage->blocks = grown;
    storage->capacity = capacity;
  }
  size_t bytes = (count * sizeof **block + 63) / 64 * 64;
  *block = aligned_alloc(64, bytes > 0 ? bytes : 64);
  if (!*block)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "model: out of memory (%zu bytes of folded weights)", bytes);
  memset(*block, 0, bytes);
  storage->blocks[storage->count++] = *block;
  return CUSEQ_STATUS_OK;
}

/* ---- dense layers ---- */

/* What input row `row` of the first layer (-1: its bias) adds to unit j of the second. */
static double through(const struct dense *first, const struct dense *second, int32_t row, int32_t j) {
  double sum = 0.0;
  for (int32_t k = 0; k < first->units; k++) {
    double weight = row >= 0      ? (double)dense_weight(first, row, k)
                    : first->bias ? (double)first->bias[k]
                                  : 0.0;
    sum += weight * (double)dense_weight(second, k, j);
  }
  return sum;
}

/* Two layers, the first linear, as one. */
static cuseq_status dense_fold(const struct dense *first, const struct dense *second,
                               struct lowered_storage *storage, struct dense *folded) {
  float *kernel, *bias = NULL;
  int32_t inputs = first->inputs, units = second->units;
  TRY(block_new(storage, (size_t)inputs * (size_t)units, &kernel));
  if (first->bias || second->bias)
    TRY(block_new(storage, (size_t)units, &bias));
  for (int32_t i = 0; i < inputs; i++)
    for (int32_t j = 0; j < units; j++)
      kernel[(size_t)i * (size_t)units + (size_t)j] = (float)through(first, second, i, j);
  for (int32_t j = 0; bias && j < units; j++)
    bias[j] = (float)(through(first, second, -1, j) + (second->bias ? (double)second->bias[j] : 0.0));
  *folded = (struct dense){.inputs = inputs,
                           .units = units,
                           .activation = second->activation,
                           .has_bias = bias != NULL,
                           .kernel = kernel,
                           .bias = bias};
  return CUSEQ_STATUS_OK;
}

/* Folding multiplies once with one matrix instead of twice. */
static bool worth_folding(const struct dense *first, const struct dense *second) {
  double apart = (double)first->units * ((double)first->inputs + (double)second->units);
  return first->activation == CUSEQ_ACTIVATION_LINEAR && first->norm.units == 0 &&
         (double)first->inputs * (double)second->units <= apart;
}

/* Adds a layer behind a chain; kernel NULL adds nothing. */
static cuseq_status chain_add(struct dense_chain *chain, const struct dense *dense,
                              struct lowered_storage *storage) {
  if (!dense->kernel)
    return CUSEQ_STATUS_OK;
  struct dense *last = chain->count > 0 ? &chain->layers[chain->count - 1] : NULL;
  if (last && worth_folding(last, dense)) {
    const struct dense first = *last;
    return dense_fold(&first, dense, storage, last);
  }
  chain->layers[chain->count++] = *dense;
  return CUSEQ_STATUS_OK;
}

/* ---- attention ---- */

/* The layer over key and query side by side is a sum of two: one of the key, with the bias, and one of the
 * query. */
static cuseq_status energies_of_layers(struct attention_structure *attention,
                                       struct lowered_storage *storage) {
  const struct dense *first = &attention->layers.layers[0];
  const int32_t query = attention_query_width(attention);
  int32_t key = first->inputs - query, units = first->units;
  const struct dense of_key = {.inputs = key,
                               .units = units,
                               .has_bias = first->has_bias,
                               .kernel = first->kernel,
                               .bias = first->bias};
  const struct dense of_query = {
      .inputs = query, .units = units, .kernel = first->kernel + (size_t)key * (size_t)units};
  attention->activation = first->activation;
  attention->key_width = units;
  TRY(chain_add(&attention->keys, &of_key, storage));
  TRY(chain_add(&attention->query, &of_query, storage));
  for (int32_t l = 1; l < attention->layers.count; l++)
    attention->energies.layers[attention->energies.count++] = attention->layers.layers[l];
  return CUSEQ_STATUS_OK;
}

/* e = v . tanh(a K_a + q K_q + k) is a tanh layer and a linear one of one unit. */
static cuseq_status energies_additive(struct attention_structure *attention, int32_t key, int32_t query,
                                      struct lowered_storage *storage) {
  const struct dense of_key = {.inputs = key,
                               .units = attention->units,
                               .has_bias = attention->has_bias,
                               .kernel = attention->additive_key,
                               .bias = attention->additive_bias};
  const struct dense of_query = {
      .inputs = query, .units = attention->units, .kernel = attention->additive_query};
  const struct dense value = {.inputs = attention->units, .units = 1, .kernel = attention->additive_value};
  attention->activation = CUSEQ_ACTIVATION_TANH;
  attention->key_width = attention->units;
  attention->energies.layers[attention->energies.count++] = value;
  TRY(chain_add(&attention->keys, &of_key, storage));
  return chain_add(&attention->query, &of_query, storage);
}

/* `width`: of what attention looks at. */
static cuseq_status attention_lower(struct attention_structure *attention, int32_t width,
                                    struct lowered_storage *storage) {
  if (!attention->present)
    return CUSEQ_STATUS_OK;
  const int32_t key = attention_key_width(attention, width), query = attention_query_width(attention);
  TRY(chain_add(&attention->keys, &attention->key_map, storage));
  TRY(chain_add(&attention->query, &attention->query_map, storage));
  TRY(chain_add(&attention->values, &attention->value_map, storage));
  attention->kind = ENERGY_LAYERS;
  if (attention->score == CUSEQ_SCORE_CONCAT)
    return energies_of_layers(attention, storage);
  if (attention->score == CUSEQ_SCORE_ADDITIVE)
    return energies_additive(attention, key, query, storage);
  attention->kind = ENERGY_PRODUCT;
  attention->key_width = key;
  if (attention->score == CUSEQ_SCORE_DOT)
    return CUSEQ_STATUS_OK;
  /* key . (G q): [key, query] lies as [units, inputs] of the layer q -> G q */
  const struct dense general = {
      .inputs = query, .units = key, .transposed = true, .kernel = attention->general};
  return chain_add(&attention->query, &general, storage);
}

/* ---- cells ---- */

/* A GRU's update and reset gates take their two biases as a sum; n's recurrent one is multiplied by the reset
 * gate. */
static cuseq_status cell_lower(struct cell *cell, struct lowered_storage *storage) {
  if (!cell->recurrent_bias)
    return CUSEQ_STATUS_OK;
  size_t H = (size_t)cell->units;
  float *bias;
  TRY(block_new(storage, 3 * H, &bias));
  for (size_t j = 0; j < 3 * H; j++) {
    double sum = cell->bias ? (double)cell->bias[j] : 0.0;
    bias[j] = (float)(sum + (j < 2 * H ? (double)cell->recurrent_bias[j] : 0.0));
  }
  cell->candidate_bias = cell->recurrent_bias + 2 * H;
  cell->recurrent_bias = NULL;
  cell->has_recurrent_bias = false;
  cell->bias = bias;
  cell->has_bias = true;
  return CUSEQ_STATUS_OK;
}

/* A cell that reads x K' + k' of what it read before: K' [inputs, cell->inputs] (NULL: a diagonal of
 * `scale`). */
struct front {
  int32_t inputs;
  const float *matrix; /* [inputs, cell->inputs], or NULL */
  const float *scale;  /* [inputs], where matrix is NULL; NULL: ones */
  const float *offset; /* [cell->inputs], or NULL */
};

/* What input `i` of the front adds to column `j` of the cell's kernel, which is `width` wide. */
static double front_weight(const struct front *front, const struct cell *cell, int32_t i, size_t j,
                           size_t width) {
  if (!front->matrix)
    return (front->scale ? (double)front->scale[i] : 1.0) * (double)cell->kernel[(size_t)i * width + j];
  double sum = 0.0;
  for (int32_t k = 0; k < cell->inputs; k++)
    sum += (double)front->matrix[(size_t)i * (size_t)cell->inputs + (size_t)k] *
           (double)cell->kernel[(size_t)k * width + j];
  return sum;
}

static cuseq_status cell_front_fold(struct cell *cell, const struct front *front,
                                    struct lowered_storage *storage) {
  size_t width = (size_t)cell_gates(cell->kind) * (size_t)cell->units;
  float *kernel, *bias;
  TRY(block_new(storage, (size_t)front->inputs * width, &kernel));
  for (int32_t i = 0; i < front->inputs; i++)
    for (size_t j = 0; j < width; j++)
      kernel[(size_t)i * width + j] = (float)front_weight(front, cell, i, j, width);
  if (front->offset) {
    TRY(block_new(storage, width, &bias));
    for (size_t j = 0; j < width; j++) {
      double sum = cell->bias ? (double)cell->bias[j] : 0.0;
      for (int32_t k = 0; k < cell->inputs; k++)
        sum += (double)front->offset[k] * (double)cell->kernel[(size_t)k * width + j];
      bias[j] = (float)sum;
    }
    cell->bias = bias;
    cell->has_bias = true;
  }
  cell->kernel = kernel;
  cell->inputs = front->inputs;
  return CUSEQ_STATUS_OK;
}

/* What the first layer reads goes into its kernels where that is no larger, or where it is an affine map. */
static cuseq_status input_lower(struct structure *lowered, struct lowered_storage *storage) {
  struct input_structure *input = &lowered->input;
  struct encoder_layer *layer = &lowered->encoder.layers[0];
  input->features = input_row_width(input);
  input->lookup_count = 0;
  struct front front = {.inputs = input->features};
  int64_t rows = 0;
  for (int d = 0; d < 2; d++)
    if (encoder_layer_has(layer, d))
      rows += (int64_t)cell_gates(layer->cells[d].kind) * layer->cells[d].units;
  bool small = rows * input->features <= FOLDED_EMBEDDING_MOST;
  if (input->embedding_units > 0 && small && !layer->residual) {
    front.matrix = input->embedding;
    input->embedding_folded = true;
    input->width = input->features;
    layer->inputs = input->features;
  } else if (input->has_affine) {
    front.scale = input->scale;
    front.offset = input->offset;
    input->has_affine = false;
    input->scale = input->offset = NULL;
  } else {
    return CUSEQ_STATUS_OK;
  }
  for (int d = 0; d < 2; d++)
    if (encoder_layer_has(layer, d))
      TRY(cell_front_fold(&layer->cells[d], &front, storage));
  return CUSEQ_STATUS_OK;
}

cuseq_status structure_lower(const struct structure *structure, struct structure *lowered,
                             struct lowered_storage *storage) {
  *lowered = *structure;
  for (int32_t l = 0; l < lowered->encoder.count; l++)
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&lowered->encoder.layers[l], d))
        TRY(cell_lower(&lowered->encoder.layers[l].cells[d], storage));
  for (int32_t l = 0; l < lowered->decoder.count; l++)
    TRY(cell_lower(&lowered->decoder.layers[l].cell, storage));
  TRY(input_lower(lowered, storage));
  for (int32_t l = 0; l < lowered->encoder.count; l++) {
    const struct encoder_layer *layer = &lowered->encoder.layers[l];
    if (layer->self_attention > 0)
      TRY(attention_lower(&lowered->encoder.self_attentions[layer->self_attention - 1], layer->merged_width,
                          storage));
  }
  return attention_lower(&lowered->attention, lowered->encoder.width, storage);
}
