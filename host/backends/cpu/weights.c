/* From the model's row-major weights to the kernels' layouts. In float32 scales are applied in float64 and
 * rounded once; in bf16 weights are rounded as they are, and the kernels scale the sums. */
#include "backends/cpu/fold.h"
#include "backends/cpu/plan.h"
#include "backends/cpu/screen.h"

#include <string.h>

double cpu_scale_of(cuseq_activation activation) {
  const double log2e = 1.44269504088896340736;
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return -2.0 * log2e;
  case CUSEQ_ACTIVATION_SIGMOID:
    return -log2e;
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return 1.0 / 6.0;
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return 0.2;
  default:
    return 1.0;
  }
}

/* A scaled weight; +0.0f makes -0 a +0, so that gathered rows and products with one-hot rows have the same
 * bits. */
static float scaled(float weight, double scale) {
  return (float)((double)weight * scale) + 0.0f;
}

static size_t words_of(const struct cpu *cpu, size_t inputs) {
  const size_t of = (size_t)cpu->products->word_inputs;
  return (inputs + of - 1) / of;
}

/* To the nearest bf16, ties to even. What is beyond its range is its largest number; what it has as a
 * denormal is 0, as the processor takes it. */
static uint16_t to_bf16(float weight) {
  const uint32_t infinite = 0x7f80, largest = 0x7f7f, sign = 0x8000;
  uint32_t word;
  memcpy(&word, &weight, sizeof word);
  word = (word + 0x7fff + (word >> 16 & 1)) >> 16;
  if ((word & infinite) == infinite)
    return (uint16_t)((word & sign) | largest);
  return (uint16_t)((word & infinite) == 0 ? 0 : word);
}

/* The weight of input k in the word `at`. */
static void weight_put(const struct cpu *cpu, float *at, size_t k, float weight, double scale) {
  if (cpu->products->word_inputs == 1) {
    *at = scaled(weight, scale);
    return;
  }
  const uint16_t half = to_bf16(weight);
  memcpy((char *)at + k % 2 * sizeof half, &half, sizeof half);
}

/* The scale of a bias: that of the weights. */
static double bias_scale(const struct cpu *cpu, double scale) {
  return cpu->products->word_inputs == 1 ? scale : 1.0;
}

/* A matrix of which element (k, j) is at from[k*row + j*column]. */
struct matrix {
  const float *from;
  size_t row;
  size_t column;
};

static void dense_pack(const struct cpu *cpu, struct matrix matrix, const float *bias, int32_t inputs,
                       int32_t units, double scale, struct cpu_arena *arena, struct cpu_dense *packed) {
  const int32_t width = cpu->kernels->width, vectors = (units + width - 1) / width;
  float *to = arena_floats(arena, (size_t)vectors * (size_t)width, words_of(cpu, (size_t)inputs));
  float *to_bias = arena_floats(arena, arena_padded(units), 1);
  const double bytes = (double)vectors * width * (double)words_of(cpu, (size_t)inputs) * sizeof(float);
  *packed = (struct cpu_dense){.weights = to,
                               .bias = to_bias,
                               .scale = (float)scale,
                               .inputs = inputs,
                               .units = units,
                               .far = bytes > CPU_THIRD_LEVEL};
  if (!arena_real(arena))
    return;
  for (int32_t done = 0; done < vectors;) {
    const int32_t left = vectors - done, here = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const size_t line = (size_t)here * (size_t)width;
    for (size_t k = 0; k < (size_t)inputs; k++)
      for (size_t l = 0; l < line; l++) {
        const size_t j = (size_t)done * (size_t)width + l;
        if (j < (size_t)units)
          weight_put(cpu, to + k / (size_t)cpu->products->word_inputs * line + l, k,
                     matrix.from[k * matrix.row + j * matrix.column], scale);
      }
    to += line * words_of(cpu, (size_t)inputs);
    done += here;
  }
  for (int32_t j = 0; j < units; j++)
    to_bias[j] = scaled(bias ? bias[j] : 0.0f, bias_scale(cpu, scale));
}

/* A cell's weights while they are packed. */
struct cell_packing {
  const struct cpu *cpu;
  const struct cpu_cell *cell;
  float *weights, *tail;
};

/* The sum that a gate's weights add to. */
static int32_t sum_of(const struct cpu_cell *cell, int32_t gate, bool hidden) {
  return cell->kind == CELL_GRU && hidden && gate == 2 ? 3 : gate;
}

/* Where sum `sum` of unit j lies in the tail's vectors; -1: the unit is not in the tail. */
static int32_t place_in_tail(const struct cpu *cpu, const struct cpu_cell *cell, int32_t sum, int32_t j) {
  const int32_t width = cpu->kernels->width;
  const bool is_in = cell->tail_vectors > 0 && j / width == cell->blocks - 1;
  return is_in ? sum * (cell->tail_vectors * width / 4) + j % width : -1;
}

/* Row k of a kernel of `gates` gates, of the inputs or of the state, to its places in the blocks of units. */
static void cell_pack_row(const struct cell_packing *to, const float *row, size_t k, bool hidden,
                          int32_t gates, const double *scales) {
  const struct cpu *cpu = to->cpu;
  const struct cpu_cell *cell = to->cell;
  const size_t width = (size_t)cpu->kernels->width, inputs = words_of(cpu, (size_t)cell->inputs);
  const size_t word = k / (size_t)cpu->products->word_inputs, H = (size_t)cell->units;
  const size_t first = hidden ? inputs * (size_t)cell_gates(cell->kind) * width : 0;
  float *line = to->weights + first + word * (size_t)gates * width;
  float *tail_line = to->tail + ((hidden ? inputs : 0) + word) * (size_t)cell->tail_vectors * width;
  for (int32_t gate = 0; gate < gates; gate++)
    for (size_t j = 0; j < H; j++) {
      const int32_t place = place_in_tail(cpu, cell, sum_of(cell, gate, hidden), (int32_t)j);
      float *at = place >= 0 ? tail_line + place
                             : line + j / width * cell->block_size + (size_t)gate * width + j % width;
      weight_put(cpu, at, k, row[(size_t)gate * H + j], scales[gate]);
    }
}

/* Scales of the gates' pre-activations: LSTM i, f, c, o; GRU z, r, n. */
static void cell_scales(const struct cell *cell, double scales[4]) {
  const double rec = cpu_scale_of(cell->recurrent_activation), act = cpu_scale_of(cell->activation);
  const bool lstm = cell->kind == CELL_LSTM;
  scales[0] = scales[1] = rec;
  scales[2] = act;
  scales[3] = lstm ? rec : act; /* GRU: n of the hidden state */
}

/* The bias of the four sums; absent ones are zeros. */
static void cell_pack_bias(const struct cpu *cpu, const struct cell *cell, const struct cpu_cell *packed,
                           const double scales[4], float *bias) {
  const int32_t width = cpu->kernels->width;
  const size_t line = 4 * (size_t)width;
  for (int32_t j = 0; j < cell->units; j++)
    for (int32_t gate = 0; gate < 4; gate++) {
      const bool recurrent = cell->kind == CELL_GRU && gate == 3;
      const float *from = recurrent ? cell->candidate_bias : cell->bias;
      const float weight = !from ? 0.0f : from[recurrent ? j : gate * cell->units + j];
      const int32_t tail = place_in_tail(cpu, packed, gate, j), place = gate * width + j % width;
      bias[(size_t)(j / width) * line + (size_t)(tail >= 0 ? tail : place)] =
          scaled(weight, bias_scale(cpu, scales[gate]));
    }
}

/* U_n of a GRU with its reset before the product, as a dense layer of its own. */
static void cell_pack_candidate(const struct cpu *cpu, const struct cell *cell, double scale,
                                struct cpu_arena *arena, struct cpu_cell *packed) {
  const struct matrix candidate = {cell->recurrent_kernel + 2 * (size_t)cell->units, 3 * (size_t)cell->units,
                                   1};
  dense_pack(cpu, candidate, NULL, cell->units, cell->units, scale, arena, &packed->candidate);
}

/* Whether one row reads blocks that lie side by side: by the bytes of the state's weights. What the
 * second-level cache holds, or nearly so, comes faster in one stream than in four: 4% of a whole model at
 * H 256. Smaller cells are made in twos, and from further away several streams are faster: of S 500 by
 * 5%. */
static bool lies_beside(const struct cpu *cpu, const struct cpu_cell *cell) {
  enum { LEAST = 768 << 10, MOST = 1536 << 10 };
  const size_t line = (size_t)cell->blocks * (size_t)cpu->kernels->width * (size_t)cell_gates(cell->kind);
  const size_t bytes = words_of(cpu, (size_t)cell->units) * line * sizeof(float);
  return cpu->kernels->width == CPU_LANES && cpu->products->word_inputs == 1 &&
         cell->activation == CUSEQ_ACTIVATION_TANH &&
         cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID && bytes >= LEAST && bytes <= MOST;
}

/* Blocks as packed, with `line` floats for each word, in fours. */
static void blocks_put_beside(const struct cpu_cell *cell, size_t line, float *to) {
  const size_t size = cell->block_size, fours = (size_t)(cell->blocks - (cell->tail_vectors > 0)) / 4;
  for (size_t four = 0; four < fours; four++)
    for (size_t at = 0; at < size; at += line)
      for (size_t b = 0; b < 4; b++, to += line)
        memcpy(to, cell->weights + (four * 4 + b) * size + at, line * sizeof *to);
}

/* The weights of a cell's inputs, and unless `inputs_only` those of its state. */
static void cell_pack_weights(const struct cpu *cpu, const struct cell *cell, bool inputs_only,
                              struct cpu_arena *arena, struct cpu_cell *packed) {
  const int32_t width = cpu->kernels->width, H = cell->units, gates = cell_gates(cell->kind);
  const bool before = cell->kind == CELL_GRU && !cell->reset_after;
  const int32_t hidden_gates = inputs_only ? 0 : before ? 2 : gates;
  const size_t inputs = words_of(cpu, (size_t)cell->inputs), row = (size_t)gates * (size_t)H;
  const size_t block =
      (inputs * (size_t)gates + words_of(cpu, (size_t)H) * (size_t)hidden_gates) * (size_t)width;
  double scales[4];
  *packed = (struct cpu_cell){.kind = cell->kind,
                              .reset_after = cell->reset_after,
                              .inputs = cell->inputs,
                              .units = H,
                              .blocks = (H + width - 1) / width,
                              .block_size = block,
                              .tail_vectors = cpu_tail_vectors(cell->kind, H, width),
                              .activation = cell->activation,
                              .recurrent_activation = cell->recurrent_activation};
  packed->code = cpu->products->cell_code(packed);
  const size_t whole = (size_t)(packed->blocks - (packed->tail_vectors > 0)),
               depth = inputs + (inputs_only ? 0 : words_of(cpu, (size_t)H));
  struct cell_packing to = {.cpu = cpu, .cell = packed};
  to.weights = arena_floats(arena, whole, block);
  to.tail = arena_floats(arena, depth, (size_t)packed->tail_vectors * (size_t)width);
  float *bias = arena_floats(arena, (size_t)packed->blocks, 4 * (size_t)width);
  float *beside =
      inputs_only || before || !lies_beside(cpu, packed) ? NULL : arena_floats(arena, whole / 4 * 4, block);
  packed->weights = to.weights;
  packed->beside = beside;
  packed->tail = to.tail;
  packed->bias = bias;
  cell_scales(cell, scales);
  for (int i = 0; i < 4; i++)
    packed->scale[i] = (float)scales[i];
  if (before && !inputs_only)
    cell_pack_candidate(cpu, cell, scales[2], arena, packed);
  if (!arena_real(arena))
    return;
  for (size_t k = 0; k < (size_t)cell->inputs; k++)
    cell_pack_row(&to, cell->kernel + k * row, k, false, gates, scales);
  for (size_t k = 0; k < (size_t)H && !inputs_only; k++)
    cell_pack_row(&to, cell->recurrent_kernel + k * row, k, true, hidden_gates, scales);
  cell_pack_bias(cpu, cell, packed, scales, bias);
  if (beside)
    blocks_put_beside(packed, (size_t)gates * (size_t)width, beside);
}

static void cell_pack(const struct cpu *cpu, const struct cell *cell, struct cpu_arena *arena,
                      struct cpu_cell *packed) {
  cell_pack_weights(cpu, cell, false, arena, packed);
}

/* What embeddings add to a cell's sums: [tokens][blocks][gates][width]. */
struct token_sums {
  struct cpu_cell cell; /* of the embedding's weights alone, without a bias */
  const float *embedding;
  float *made; /* [PROJECTED_ROWS][blocks][four sums][width] */
  float *sums;
  void *room;
};

/* Of `count` tokens from `first` on, at most PROJECTED_ROWS. */
static void token_sums_fill(const struct cpu *cpu, const struct token_sums *to, int32_t first,
                            int32_t count) {
  const struct cpu_cell *cell = &to->cell;
  const size_t width = (size_t)cpu->kernels->width, blocks = (size_t)cell->blocks;
  const size_t gates = (size_t)cell_gates(cell->kind) * width;
  struct cpu_cell_row rows[PROJECTED_ROWS];
  for (int32_t i = 0; i < count; i++)
    rows[i] = (struct cpu_cell_row){.in = {to->embedding + (size_t)(first + i) * (size_t)cell->inputs},
                                    .out = to->made + (size_t)i * blocks * 4 * width};
  cpu->products->cell_project(cell, rows, count, (struct cpu_part){0, cell->blocks}, false, to->room);
  for (size_t i = 0; i < (size_t)count * blocks; i++)
    memcpy(to->sums + ((size_t)first * blocks + i) * gates, to->made + i * 4 * width, gates * sizeof(float));
}

static const float *token_sums_make(const struct cpu *cpu, const struct cell *cell, const float *embedding,
                                    int32_t tokens, struct cpu_arena *arena) {
  struct token_sums to = {.embedding = embedding};
  cell_pack_weights(cpu, cell, true, arena, &to.cell);
  const size_t row = (size_t)to.cell.blocks * (size_t)cpu->kernels->width;
  to.made = arena_floats(arena, PROJECTED_ROWS, 4 * row);
  to.sums = arena_floats(arena, (size_t)tokens, (size_t)cell_gates(cell->kind) * row);
  if (cpu->products->cell_room)
    to.room = arena_take(arena, cpu->products->cell_room(cell->inputs, cell->units, PROJECTED_ROWS), 1, 1);
  for (int32_t first = 0; first < tokens && arena_real(arena); first += PROJECTED_ROWS)
    token_sums_fill(cpu, &to, first, tokens - first < PROJECTED_ROWS ? tokens - first : PROJECTED_ROWS);
  return to.sums;
}

/* A cell that reads the embeddings of tokens first: their products apart, the rest without their weights. */
static void cell_pack_tokens(const struct cpu *cpu, const struct cell *cell, const float *embedding,
                             int32_t tokens, int32_t units, struct cpu_arena *arena,
                             struct cpu_cell *packed) {
  struct cell first = *cell, rest = *cell;
  first.inputs = units;
  first.bias = first.candidate_bias = NULL;
  rest.inputs -= units;
  rest.kernel += (size_t)units * (size_t)cell_gates(cell->kind) * (size_t)cell->units;
  cell_pack(cpu, &rest, arena, packed);
  packed->token_sums = token_sums_make(cpu, &first, embedding, tokens, arena);
}

/* ---- chains ---- */

/* A dense layer; `scale` is that of the activation where the kernels behind it apply it. */
static void chain_pack_layer(const struct cpu *cpu, const struct dense *dense, double scale,
                             cuseq_activation activation, struct cpu_arena *arena, struct cpu_chain *chain) {
  const struct matrix matrix = {dense->kernel, dense->transposed ? 1 : (size_t)dense->units,
                                dense->transposed ? (size_t)dense->inputs : 1};
  const bool is_over_all =
      activation == CUSEQ_ACTIVATION_SOFTMAX || activation == CUSEQ_ACTIVATION_LOG_SOFTMAX;
  chain->norm[chain->count] = dense->norm;
  chain->activation[chain->count] = is_over_all ? CUSEQ_ACTIVATION_LINEAR : activation;
  dense_pack(cpu, matrix, dense->bias, dense->inputs, dense->units, scale, arena,
             &chain->layers[chain->count]);
  chain->count++;
}

static void chain_pack(const struct cpu *cpu, const struct dense_chain *dense, struct cpu_arena *arena,
                       struct cpu_chain *chain) {
  *chain = (struct cpu_chain){0};
  for (int32_t l = 0; l < dense->count; l++)
    chain_pack_layer(cpu, &dense->layers[l], 1.0, dense->layers[l].activation, arena, chain);
}

void weights_pack_dense(const struct cpu *cpu, const struct dense *dense, struct cpu_arena *arena,
                        struct cpu_chain *chain) {
  const struct dense_chain one = {.count = dense->kernel != NULL, .layers = {*dense}};
  chain_pack(cpu, &one, arena, chain);
}

/* A chain whose last layer comes scaled for the activation of the sum that it goes into. */
static void chain_pack_scaled(const struct cpu *cpu, const struct dense_chain *dense, double scale,
                              struct cpu_arena *arena, struct cpu_chain *chain) {
  *chain = (struct cpu_chain){0};
  for (int32_t l = 0; l < dense->count; l++) {
    const bool last = l == dense->count - 1;
    chain_pack_layer(cpu, &dense->layers[l], last ? scale : 1.0, dense->layers[l].activation, arena, chain);
  }
}

/* ---- attention ---- */

/* Layer l of the score after the first, row-major. */
static void energy_pack_layer(struct cpu_energy *energy, int32_t l, const struct dense *dense,
                              struct cpu_arena *arena) {
  const size_t count = (size_t)dense->inputs * (size_t)dense->units;
  float *weights = arena_floats(arena, count, 1), *bias = arena_floats(arena, (size_t)dense->units, 1);
  energy->layers = l;
  energy->units[l] = dense->units;
  energy->activation[l] = dense->activation;
  energy->weights[l] = weights;
  energy->bias[l] = bias;
  if (!arena_real(arena))
    return;
  const double scale = cpu_scale_of(dense->activation);
  for (size_t i = 0; i < count; i++)
    weights[i] = scaled(dense->kernel[i], scale);
  for (int32_t j = 0; j < dense->units; j++)
    bias[j] = scaled(dense->bias ? dense->bias[j] : 0.0f, scale);
}

/* Layered keys of one unit, straight from the annotations. */
static void key_pack_one(const struct dense *dense, double scale, struct cpu_arena *arena,
                         struct cpu_attention *packed) {
  float *to = arena_floats(arena, arena_padded(dense->inputs), 1);
  packed->key = to;
  packed->key_bias = scaled(dense->bias ? dense->bias[0] : 0.0f, scale);
  for (int32_t k = 0; arena_real(arena) && k < dense->inputs; k++)
    to[k] = scaled(dense_weight(dense, k, 0), scale);
}

static void attention_pack(const struct cpu *cpu, const struct attention_structure *attention,
                           struct cpu_arena *arena, struct cpu_attention *packed) {
  *packed = (struct cpu_attention){.query_scale = 1.0f, .energy = {.scale = attention->scale}};
  chain_pack(cpu, &attention->values, arena, &packed->values);
  if (attention->kind == ENERGY_PRODUCT) {
    chain_pack(cpu, &attention->keys, arena, &packed->keys);
    chain_pack(cpu, &attention->query, arena, &packed->query);
    return;
  }
  const double scale = cpu_scale_of(attention->activation);
  packed->energy.units[0] = attention->key_width;
  packed->energy.activation[0] = attention->activation;
  chain_pack_scaled(cpu, &attention->query, scale, arena, &packed->query);
  if (attention->key_width == 1 && attention->keys.count == 1)
    key_pack_one(&attention->keys.layers[0], scale, arena, packed);
  else
    chain_pack_scaled(cpu, &attention->keys, scale, arena, &packed->keys);
  for (int32_t l = 0; l < attention->energies.count; l++)
    energy_pack_layer(&packed->energy, l + 1, &attention->energies.layers[l], arena);
}

/* Inner products' scale goes into the queries: into the weights that make them, or what queries are
 * multiplied by. */
static void self_attention_pack(const struct cpu *cpu, const struct attention_structure *attention,
                                struct cpu_arena *arena, struct cpu_attention *packed) {
  struct attention_structure unscaled = *attention;
  const struct dense_chain *query = &attention->query;
  const bool linear =
      query->count > 0 && query->layers[query->count - 1].activation == CUSEQ_ACTIVATION_LINEAR;
  if (attention->kind == ENERGY_LAYERS) {
    attention_pack(cpu, attention, arena, packed);
    return;
  }
  unscaled.query.count = 0;
  attention_pack(cpu, &unscaled, arena, packed);
  chain_pack_scaled(cpu, query, linear ? (double)attention->scale : 1.0, arena, &packed->query);
  packed->query_scale = linear ? 1.0f : attention->scale;
}

/* ---- the whole ---- */

static void encoder_pack(struct cpu *cpu, struct cpu_arena *arena) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  struct cpu_weights *packed = &cpu->packed->weights;
  struct cpu_encoder_layer ignored;
  struct cpu_attention ignored_attention;
  packed->encoder = arena_take(arena, (size_t)encoder->count, sizeof *packed->encoder, 1);
  packed->self_attentions =
      arena_take(arena, (size_t)encoder->self_attention_count, sizeof *packed->self_attentions, 1);
  for (int32_t i = 0; i < encoder->self_attention_count; i++)
    self_attention_pack(cpu, &encoder->self_attentions[i], arena,
                        packed->self_attentions ? &packed->self_attentions[i] : &ignored_attention);
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    struct cpu_encoder_layer *to = packed->encoder ? &packed->encoder[l] : &ignored;
    for (int32_t d = 0; d < 2; d++) {
      const struct input_structure *in = &cpu->structure->input;
      if (!encoder_layer_has(layer, d))
        continue;
      if (l == 0 && plan_encoder_token_sums(cpu->structure, d))
        cell_pack_tokens(cpu, &layer->cells[d], in->embedding, in->features, in->embedding_units, arena,
                         &to->cells[d]);
      else
        cell_pack(cpu, &layer->cells[d], arena, &to->cells[d]);
    }
    weights_pack_dense(cpu, &layer->weighting, arena, &to->weighting);
    weights_pack_dense(cpu, &layer->dense, arena, &to->dense);
  }
}

static void decoder_pack(struct cpu *cpu, struct cpu_arena *arena) {
  const struct decoder_structure *decoder = &cpu->structure->decoder;
  struct cpu_decoder_layer *layers = arena_take(arena, (size_t)decoder->count, sizeof *layers, 1), ignored;
  cpu->packed->weights.decoder = layers;
  for (int32_t l = 0; l < decoder->count; l++) {
    struct cpu_decoder_layer *packed = layers ? &layers[l] : &ignored;
    if (l == 0 && plan_decoder_token_sums(cpu->structure))
      cell_pack_tokens(cpu, &decoder->layers[0].cell, decoder->embedding, decoder->tokens,
                       decoder->embedding_units, arena, &packed->cell);
    else
      cell_pack(cpu, &decoder->layers[l].cell, arena, &packed->cell);
    weights_pack_dense(cpu, &decoder->layers[l].initial_h.dense, arena, &packed->initial_h);
    weights_pack_dense(cpu, &decoder->layers[l].initial_c.dense, arena, &packed->initial_c);
  }
}

void weights_pack(struct cpu *cpu, struct cpu_arena *arena) {
  const struct structure *structure = cpu->structure;
  struct cpu_weights *packed = &cpu->packed->weights;
  struct cpu_chain ignored_head;
  encoder_pack(cpu, arena);
  if (structure->decoder.present)
    fold_pack_positions(cpu, arena);
  if (structure->attention.present)
    attention_pack(cpu, &structure->attention, arena, &packed->attention);
  weights_pack_dense(cpu, &structure->asking.initial.dense, arena, &packed->asking);
  /* side by side what a step reads, so that it is spread evenly over the cache's sets */
  if (structure->decoder.present) {
    weights_pack_dense(cpu, &structure->decoder.attentional.dense, arena, &packed->attentional);
    fold_pack_steps(cpu, arena);
  }
  packed->heads = arena_take(arena, (size_t)structure->output.count, sizeof *packed->heads, 1);
  for (int32_t i = 0; i < structure->output.count; i++)
    chain_pack(cpu, &structure->output.heads[i].layers, arena,
               packed->heads ? &packed->heads[i] : &ignored_head);
  screen_pack(cpu, arena);
  if (structure->decoder.present)
    decoder_pack(cpu, arena);
}
