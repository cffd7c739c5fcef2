/* How large everything is, and where it lies. */
#include "backends/cpu/fold.h"
#include "backends/cpu/screen.h"

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* The stride of rows of which `window` floats each are in use at a time: in lines, a remainder of the
 * caches' sets that makes the windows of successive rows follow each other there. (At a multiple of the
 * sets they all share a few.) */
static size_t spread_stride(size_t floats, size_t window) {
  const size_t lines = (floats + CPU_LANES - 1) / CPU_LANES, wanted = window / CPU_LANES;
  const size_t sets =
      lines >= 4096 ? 1024 : 64; /* of the second level where the padding is small beside the row */
  return (lines + (wanted % sets + sets - lines % sets) % sets) * CPU_LANES;
}

bool layer_finishes(const struct encoder_layer *layer) {
  const bool merges = layer->direction == LAYER_BIDIRECTIONAL && layer->merge != CUSEQ_MERGE_CONCAT;
  return merges || layer->residual || layer->weighting.kernel || layer->self_attention > 0 ||
         layer->dense.kernel;
}

/* The widest of what a chain reads and gives. */
static size_t chain_width(const struct dense_chain *chain) {
  size_t widest = 0;
  for (int32_t l = 0; l < chain->count; l++) {
    widest = larger(widest, arena_padded(chain->layers[l].inputs));
    widest = larger(widest, arena_padded(chain->layers[l].units));
  }
  return widest;
}

static void encoder_sizes(struct cpu *cpu) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const size_t time = arena_padded(cpu->limits.time);
  size_t widest = 0;
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(layer, d))
        cpu->units_stride = larger(cpu->units_stride, arena_padded(layer->cells[d].units));
    widest = larger(widest, layer_position(layer));
  }
  cpu->layer_stride = spread_stride(time * widest, cpu->units_stride);
  cpu->side_stride = spread_stride(time * 2 * cpu->units_stride, cpu->units_stride);
  cpu->final_stride = arena_padded(cpu->model->config.encoder_state_width);
}

/* What the chains of an attention compute in. */
static void attention_read_size(struct cpu *cpu, const struct attention_structure *attention) {
  cpu->read_stride = larger(cpu->read_stride, chain_width(&attention->keys));
  cpu->read_stride = larger(cpu->read_stride, chain_width(&attention->query));
  cpu->read_stride = larger(cpu->read_stride, chain_width(&attention->values));
  cpu->read_stride = larger(cpu->read_stride, arena_padded(attention->query_inputs));
}

static void attention_sizes(struct cpu *cpu) {
  const struct attention_structure *attention = &cpu->structure->attention;
  if (!attention->present)
    return;
  const bool layered = attention->kind == ENERGY_LAYERS;
  cpu->context_stride = arena_padded(attention->context_width);
  cpu->query_stride = arena_padded(attention->key_width);
  if (layered)
    cpu->key_rows = attention_key_rows(attention);
  else if (attention->keys.count > 0)
    cpu->key_stride = arena_padded(attention->key_width);
  if (attention->values.count > 0)
    cpu->value_stride = arena_padded(attention->context_width);
  if (attention->heads > 1) {
    const size_t heads = (size_t)attention->heads;
    cpu->key_stride = heads * arena_padded(attention->key_width / attention->heads);
    cpu->value_stride = heads * arena_padded(attention->context_width / attention->heads);
    cpu->read_stride = larger(cpu->read_stride, arena_padded(cpu->structure->encoder.width));
  }
  attention_read_size(cpu, attention);
}

/* Whether a token without an embedding is read as a vector, and not as a row of the first layer's weights, or
 * probabilities are in its place. */
static bool needs_one_hot(const struct structure *structure) {
  const struct decoder_structure *decoder = &structure->decoder;
  bool read = (structure->attention.present && structure->attention.asks == ASKS_TOKEN) ||
              decoder->feedback == FEEDBACK_PROBABILITIES;
  for (int32_t i = 0; i < decoder->attentional.parts.count; i++)
    read = read || decoder->attentional.parts.list[i] == PART_TOKEN;
  for (int32_t i = 0; i < structure->output.heads[0].parts.count; i++)
    read = read || structure->output.heads[0].parts.list[i] == PART_TOKEN;
  return read && decoder->feedback != FEEDBACK_NONE && decoder->embedding_units == 0;
}

static void decoder_sizes(struct cpu *cpu) {
  const struct structure *structure = cpu->structure;
  const struct decoder_structure *decoder = &structure->decoder;
  if (!decoder->present)
    return;
  for (int32_t l = 0; l < decoder->count; l++) {
    const struct decoder_layer *layer = &decoder->layers[l];
    cpu->state_offset[l] = cpu->states_stride;
    cpu->states_stride += arena_padded(layer->cell.units);
    cpu->read_stride = larger(cpu->read_stride, arena_padded(layer->initial_h.inputs));
    cpu->read_stride = larger(cpu->read_stride, arena_padded(layer->initial_c.inputs));
    cpu->read_stride = larger(cpu->read_stride, arena_padded(layer->cell.units));
  }
  if (decoder->attentional.present) {
    cpu->attentional_stride = arena_padded(decoder->attentional.dense.units);
    cpu->read_stride = larger(cpu->read_stride, arena_padded(decoder->attentional.dense.inputs));
    cpu->read_stride = larger(cpu->read_stride, cpu->attentional_stride);
  }
  cpu->numbers_stride = arena_padded(decoder->given_width);
  if (needs_one_hot(structure))
    cpu->token_stride = arena_padded(decoder->tokens);
}

void workspace_sizes(struct cpu *cpu) {
  const struct structure *structure = cpu->structure;
  encoder_sizes(cpu);
  attention_sizes(cpu);
  for (int32_t i = 0; i < structure->encoder.self_attention_count; i++)
    attention_read_size(cpu, &structure->encoder.self_attentions[i]);
  decoder_sizes(cpu);
  cpu->read_stride = larger(cpu->read_stride, arena_padded(structure->asking.units));
  cpu->read_stride = larger(cpu->read_stride, arena_padded(structure->asking.initial.inputs));
  for (int32_t i = 0; i < structure->output.count; i++) {
    cpu->read_stride = larger(cpu->read_stride, arena_padded(structure->output.heads[i].inputs));
    cpu->read_stride = larger(cpu->read_stride, chain_width(&structure->output.heads[i].layers));
  }
}

/* The widest layer of layered energies, and a block of keys before it is transposed. */
static size_t scratch_of(const struct attention_structure *attention) {
  size_t widest = (size_t)attention->key_width;
  if (!attention->present || attention->kind != ENERGY_LAYERS)
    return 0;
  for (int32_t l = 0; l < attention->energies.count; l++)
    widest = larger(widest, (size_t)attention->energies.layers[l].units);
  return larger(2 * widest, arena_padded(attention->key_width)) * CPU_LANES;
}

static size_t scratch_size(const struct cpu *cpu) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  size_t most = larger(2 * CPU_LANES, scratch_of(&cpu->structure->attention));
  for (int32_t i = 0; i < encoder->self_attention_count; i++)
    most = larger(most, scratch_of(&encoder->self_attentions[i]));
  return most;
}

/* The widest vector that a layer which is not done with its cells merges, adds to and maps. */
static size_t merged_size(const struct cpu *cpu) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  size_t widest = 0;
  for (int32_t l = 0; l < encoder->count; l++)
    if (layer_finishes(&encoder->layers[l]))
      widest = larger(widest, larger(larger(arena_padded(encoder->layers[l].merged_width),
                                            arena_padded(encoder->layers[l].joined_width)),
                                     larger(layer_position(&encoder->layers[l]),
                                            arena_padded(encoder->layers[l].inputs))));
  return widest;
}

/* Whether a GRU resets before the product, which takes room for its gates. */
static bool resets_before(const struct cell *cell) {
  return cell->kind == CELL_GRU && !cell->reset_after;
}

static size_t gates_size(const struct cpu *cpu) {
  const struct structure *structure = cpu->structure;
  size_t widest = 0;
  for (int32_t l = 0; l < structure->encoder.count; l++)
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&structure->encoder.layers[l], d) &&
          resets_before(&structure->encoder.layers[l].cells[d]))
        widest = larger(widest, arena_padded(structure->encoder.layers[l].cells[d].units));
  for (int32_t l = 0; l < structure->decoder.count; l++)
    if (resets_before(&structure->decoder.layers[l].cell))
      widest = larger(widest, arena_padded(structure->decoder.layers[l].cell.units));
  return 4 * widest;
}

static size_t room_of_inputs(const struct cpu *cpu, int32_t inputs) {
  const size_t rows = larger((size_t)cpu->tile_rows, larger(FOLDED_ROWS, PROJECTED_ROWS));
  return cpu->products->dense_room(inputs, (int32_t)rows);
}

static size_t room_of_dense(const struct cpu *cpu, const struct dense *dense) {
  return dense->kernel ? room_of_inputs(cpu, dense->inputs) : 0;
}

static size_t room_of_chain(const struct cpu *cpu, const struct dense_chain *chain) {
  size_t most = 0;
  for (int32_t l = 0; l < chain->count; l++)
    most = larger(most, room_of_dense(cpu, &chain->layers[l]));
  return most;
}

/* A GRU's candidate may be a dense layer of its own. */
static size_t room_of_cell(const struct cpu *cpu, const struct cell *cell) {
  const int32_t rows = (int32_t)larger((size_t)cpu->tile_rows, larger(FOLDED_ROWS, PROJECTED_ROWS));
  return larger(cpu->products->cell_room(cell->inputs, cell->units, rows),
                cpu->products->dense_room(cell->units, rows));
}

static size_t room_of_attention(const struct cpu *cpu, const struct attention_structure *attention) {
  return larger(room_of_chain(cpu, &attention->keys),
                larger(room_of_chain(cpu, &attention->query), room_of_chain(cpu, &attention->values)));
}

/* The most room that any product of a tile needs. */
static size_t room_size(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  size_t most = 0;
  if (!cpu->products->cell_room)
    return 0;
  for (int32_t l = 0; l < s->encoder.count; l++) {
    const struct encoder_layer *layer = &s->encoder.layers[l];
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(layer, d))
        most = larger(most, room_of_cell(cpu, &layer->cells[d]));
    most = larger(most, larger(room_of_dense(cpu, &layer->weighting), room_of_dense(cpu, &layer->dense)));
  }
  for (int32_t i = 0; i < s->encoder.self_attention_count; i++)
    most = larger(most, room_of_attention(cpu, &s->encoder.self_attentions[i]));
  most = larger(most, room_of_attention(cpu, &s->attention));
  if (cpu->fold.keys.columns > 0) /* the query's weights the other way round */
    most = larger(most, room_of_inputs(cpu, s->attention.key_width));
  for (int32_t l = 0; l < s->decoder.count; l++) {
    const struct decoder_layer *layer = &s->decoder.layers[l];
    most = larger(most, room_of_cell(cpu, &layer->cell));
    most = larger(most, larger(room_of_dense(cpu, &layer->initial_h.dense),
                               room_of_dense(cpu, &layer->initial_c.dense)));
  }
  most = larger(most, larger(room_of_dense(cpu, &s->decoder.attentional.dense),
                             room_of_dense(cpu, &s->asking.initial.dense)));
  for (int32_t i = 0; i < s->output.count; i++)
    most = larger(most, room_of_chain(cpu, &s->output.heads[i].layers));
  return most;
}

/* Room for a row of the layers that attend to themselves; none where there are none. */
static void self_room_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_self_room *room) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const size_t time = arena_padded(cpu->limits.time);
  const size_t blocks = time + time / SELF_BLOCKS + SELF_BLOCK; /* positions of whole blocks */
  size_t keys = 0, values = 0, mapped = 0, contexts = 0;
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct attention_structure *attention = encoder_self_attention(encoder, &encoder->layers[l]);
    if (!attention)
      continue;
    const size_t head = arena_padded(attention->context_width / attention->heads),
                 key_width = arena_padded(attention->key_width);
    keys = larger(keys, key_width);
    values = larger(values, (size_t)attention->heads * head);
    mapped = larger(mapped, larger(key_width, arena_padded(attention->context_width)));
    contexts = larger(contexts, head);
  }
  *room = (struct cpu_self_room){0};
  if (encoder->self_attention_count == 0)
    return;
  room->keys = arena_floats(arena, time, keys);
  room->values = arena_floats(arena, blocks, values);
  room->mapped = arena_floats(arena, CPU_LANES, mapped);
  room->energies = arena_floats(arena, CPU_LANES, time);
  room->contexts = arena_floats(arena, CPU_LANES, contexts);
}

/* Room for a row of the layers that look at several positions at a time; none where there are none. */
static void row_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const size_t time = arena_padded(cpu->limits.time);
  size_t width = 0, weighted = 0;
  for (int32_t l = 0; l < encoder->count; l++) {
    const struct encoder_layer *layer = &encoder->layers[l];
    if (layer->weighting.kernel || layer->self_attention > 0)
      width = larger(width, arena_padded(layer->merged_width));
    weighted = larger(weighted, arena_padded(layer->weighting.units));
  }
  worker->row = width > 0 ? arena_floats(arena, time, width) : NULL;
  worker->weighting = (struct cpu_weighting_room){0};
  if (weighted == 0)
    return;
  worker->weighting.features = arena_floats(arena, CPU_LANES, weighted);
  worker->weighting.alphas = arena_floats(arena, CPU_LANES, weighted);
}

/* Room for one row's attention of several heads; none where there is one. */
static void heads_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  const bool several = cpu->structure->attention.heads > 1;
  worker->head_query = arena_floats(arena, several ? cpu->key_stride : 0, 1);
  worker->of_head = arena_floats(arena, several ? cpu->value_stride : 0, 1);
  worker->mean = arena_floats(arena, several ? arena_padded(cpu->limits.time) : 0, 1);
}

static void worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  const size_t rows = (size_t)cpu->tile_rows, most = larger(rows, CPU_LANES);
  struct cpu_worker w = {.parts = 1};
  for (int32_t d = 0; d < 2; d++) {
    w.rows[d] = arena_take(arena, rows, 1, sizeof *w.rows[d]);
    w.narrowed[d] =
        arena_floats(arena, larger(rows, PROJECTED_ROWS), arena_padded(cpu->structure->input.features));
    w.projected[d] = arena_floats(arena, PROJECTED_ROWS, 4 * cpu->units_stride);
    w.states[d] = arena_floats(arena, rows, cpu->units_stride);
    w.gates[d] = arena_floats(arena, rows, gates_size(cpu));
  }
  w.merged = arena_floats(arena, 2 * CPU_LANES, merged_size(cpu));
  row_take(cpu, arena, &w);
  self_room_take(cpu, arena, &w.self);
  w.pointers = arena_take(arena, most, 1, sizeof *w.pointers);
  for (int32_t i = 0; i < 2; i++)
    w.hidden[i] = arena_floats(arena, rows, cpu->states_stride);
  w.kept = arena_floats(arena, rows, cpu->states_stride);
  w.given = arena_floats(arena, rows, cpu->states_stride);
  w.begun = arena_floats(arena, cpu->state_first ? 4 : 0, cpu->states_stride);
  w.context = arena_floats(arena, rows, cpu->context_stride);
  w.attentional = arena_floats(arena, rows, cpu->attentional_stride);
  w.numbers = arena_floats(arena, rows, cpu->numbers_stride);
  w.one_hot = arena_floats(arena, rows, cpu->token_stride);
  w.read = arena_floats(arena, most, cpu->read_stride);
  w.chained = arena_floats(arena, most, cpu->read_stride);
  w.query = arena_floats(arena, most, larger(cpu->query_stride, cpu->read_stride));
  w.energies = arena_floats(arena, arena_padded(cpu->limits.time), 1);
  heads_take(cpu, arena, &w);
  fold_worker_take(cpu, arena, &w);
  screen_worker_take(cpu, arena, &w);
  w.scratch = arena_floats(arena, scratch_size(cpu), 1);
  w.asking = arena_take(arena, rows, 1, sizeof *w.asking);
  w.some = arena_take(arena, rows, 1, sizeof *w.some);
  w.active = arena_take(arena, rows, 1, sizeof *w.active);
  w.token = arena_take(arena, rows, 1, sizeof *w.token);
  w.encoded = arena_take(arena, rows, 1, sizeof *w.encoded);
  w.number = arena_take(arena, rows, 1, sizeof *w.number);
  w.room = cpu->room_size > 0 ? arena_take(arena, cpu->room_size, 1, 1) : NULL;
  if (worker && arena_real(arena))
    *worker = w;
}

void workspace_take(struct cpu *cpu, struct cpu_arena *arena) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  const size_t batch = (size_t)cpu->limits.batch, time = arena_padded(cpu->limits.time);
  const int32_t threads = pool_threads(cpu->pool);
  bool finishes = false;
  for (int32_t l = 0; l < encoder->count; l++)
    finishes = finishes || layer_finishes(&encoder->layers[l]);
  cpu->room_size = room_size(cpu);
  cpu->layers[0] = arena_floats(arena, batch, cpu->layer_stride);
  if (encoder->count > 1)
    cpu->layers[1] = arena_floats(arena, batch, cpu->layer_stride);
  if (finishes)
    cpu->sides = arena_floats(arena, batch, cpu->side_stride);
  if (cpu->key_rows > 0 || cpu->key_stride > 0)
    cpu->keys = arena_floats(arena, batch, (cpu->key_rows + cpu->key_stride) * time);
  if (cpu->value_stride > 0)
    cpu->values = arena_floats(arena, batch, cpu->value_stride * time);
  fold_take(cpu, arena);
  cpu->key_powers = arena_take(arena, batch, 1, sizeof *cpu->key_powers);
  cpu->final_h = arena_floats(arena, batch, cpu->final_stride);
  cpu->final_c = arena_floats(arena, batch, cpu->final_stride);
  cpu->zeros =
      arena_floats(arena, larger(larger(cpu->units_stride, cpu->states_stride), cpu->read_stride), 1);
  cpu->lengths = arena_take(arena, batch, 1, sizeof *cpu->lengths);
  cpu->order = arena_take(arena, batch, 1, sizeof *cpu->order);
  cpu->counts = arena_take(arena, (size_t)cpu->limits.time + 1, 1, sizeof *cpu->counts);
  cpu->workers = arena_take(arena, (size_t)threads, 1, sizeof *cpu->workers);
  for (int32_t i = 0; i < threads; i++)
    worker_take(cpu, arena, cpu->workers ? &cpu->workers[i] : NULL);
}
