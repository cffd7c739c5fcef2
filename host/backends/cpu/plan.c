#include "backends/cpu/plan.h"

#include "backends/cpu/isa.h"

#include <string.h>

/* Tiles: about 32 rows keep a small model's whole tile in the second-level cache. A model whose weights do
 * not fit there streams them once per tile and step, and wants more rows for it. */
enum {
  SMALL_TILE = 36,
  LARGE_TILE = 96,
  SMALL_WEIGHTS = 256 * 1024,  /* bytes of one direction that lie beside a tile in the second-level cache */
  LARGE_WEIGHTS = 1024 * 1024, /* bytes of one direction beyond that cache */
  EARLY_LEAST = 896 * 1024,    /* bytes of a decoder's step that leave the second-level cache .. */
  EARLY_MOST = 3 << 20,        /* .. and of which enough is left there to be worth coming back to */
  WHOLE_ROWS = 12, /* rows per thread from which tiles are split by batch alone: two register blocks */
};

/* Work, in FLOPs, from which one more thread is worth its wake-up (some 20 us where it sleeps). */
static const double WORK_PER_THREAD = 8e6;

static double cell_weights(const struct cell *cell) {
  return ((double)cell->inputs + cell->units) * cell_gates(cell->kind) * cell->units;
}

static double dense_work(const struct dense *dense) {
  return (double)dense->inputs * dense->units;
}

static double chain_work(const struct dense_chain *chain) {
  double work = 0.0;
  for (int32_t l = 0; l < chain->count; l++)
    work += dense_work(&chain->layers[l]);
  return work;
}

/* Weights of one direction of the heaviest layer, in bytes. */
static double layer_bytes(const struct cpu *cpu) {
  const struct structure *structure = cpu->structure;
  const double bytes_of = (double)sizeof(float) / cpu->products->word_inputs;
  double heaviest = 0.0;
  for (int32_t l = 0; l < structure->encoder.count; l++)
    for (int d = 0; d < 2; d++) {
      const struct encoder_layer *layer = &structure->encoder.layers[l];
      double bytes = encoder_layer_has(layer, d) ? bytes_of * cell_weights(&layer->cells[d]) : 0.0;
      heaviest = bytes > heaviest ? bytes : heaviest;
    }
  return heaviest;
}

/* The most directions that a layer has. */
static int32_t directions_of(const struct structure *structure) {
  for (int32_t l = 0; l < structure->encoder.count; l++)
    if (structure->encoder.layers[l].direction == LAYER_BIDIRECTIONAL)
      return 2;
  return 1;
}

static double encode_work(const struct cpu *cpu, double time) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  double weights = 0.0;
  for (int32_t l = 0; l < encoder->count; l++) {
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&encoder->layers[l], d))
        weights += cell_weights(&encoder->layers[l].cells[d]);
    weights += dense_work(&encoder->layers[l].dense);
    weights += (double)encoder->layers[l].weighting.units * encoder->layers[l].merged_width;
  }
  for (int32_t i = 0; i < encoder->self_attention_count; i++) {
    const struct attention_structure *attention = &encoder->self_attentions[i];
    const double energy = attention->kind == ENERGY_LAYERS ? 4.0 * attention->key_width
                                                           : attention->key_width + 8.0 * attention->heads;
    weights += chain_work(&attention->keys) + chain_work(&attention->query) + chain_work(&attention->values);
    weights += time * (attention->context_width + energy);
  }
  return 2.0 * time * weights;
}

/* Weights that a step reads in front of the heads. */
static double step_weights(const struct structure *s) {
  double weights = chain_work(&s->attention.query) + dense_work(&s->decoder.attentional.dense);
  for (int32_t l = 0; l < s->decoder.count; l++)
    weights += cell_weights(&s->decoder.layers[l].cell);
  return weights;
}

static double decode_work(const struct cpu *cpu, double time, double steps) {
  const struct structure *s = cpu->structure;
  const struct attention_structure *attention = &s->attention;
  double step = step_weights(s), once = 0.0;
  if (attention->present) {
    step += time * (attention->context_width + 4.0 * attention->key_width);
    once += time * (chain_work(&attention->keys) + chain_work(&attention->values));
  }
  for (int32_t i = 0; i < s->output.count; i++)
    step += chain_work(&s->output.heads[i].layers) * (s->output.heads[i].source == HEAD_EVERY ? time : 1.0);
  return 2.0 * (steps * step + once);
}

bool plan_state_first(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  if (!s->decoder.present || cpu->products->word_inputs > 1)
    return false;
  for (int32_t l = 0; l < s->decoder.count; l++)
    if (s->decoder.layers[l].cell.kind != CELL_LSTM)
      return false;
  /* a token that is gathered comes before all else that is summed */
  for (int32_t p = 0; p < s->decoder.reads.count; p++)
    if (s->decoder.reads.list[p] == PART_TOKEN && s->decoder.embedding_units == 0)
      return false;
  const double bytes = (step_weights(s) + chain_work(&s->output.heads[0].layers)) * (double)sizeof(float);
  return bytes >= (double)EARLY_LEAST && bytes <= (double)EARLY_MOST;
}

/* The most rows that a call may have: the hypotheses of a beam search are rows of their own. */
static int32_t rows_of(const struct cpu *cpu) {
  return cpu->limits.batch * (cpu->limits.beams > 1 ? cpu->limits.beams : 1);
}

int32_t plan_tile_rows(const struct cpu *cpu) {
  int32_t rows = layer_bytes(cpu) > (double)LARGE_WEIGHTS ? LARGE_TILE : SMALL_TILE;
  return rows_of(cpu) < rows ? rows_of(cpu) : rows;
}

static int32_t useful_threads(double work, int32_t most) {
  double threads = work / WORK_PER_THREAD;
  return threads < 1.0 ? 1 : threads < most ? (int32_t)threads : most;
}

int32_t plan_threads(const struct cpu *cpu) {
  const struct backend_limits *limits = &cpu->limits;
  double encode = encode_work(cpu, limits->time), decode = decode_work(cpu, limits->time, limits->steps);
  int32_t rows = rows_of(cpu);
  int32_t tasks = rows <= INT32_MAX / 2 ? rows * directions_of(cpu->structure) : rows;
  int32_t threads = useful_threads(encode * limits->batch + decode * rows, isa_cores());
  return threads < tasks ? threads : tasks;
}

static int32_t largest(int32_t a, int32_t b) {
  return a > b ? a : b;
}

static int32_t smallest(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static int32_t share(int32_t a, int32_t b) {
  return a / b + (a % b != 0);
}

struct cpu_plan plan_call(const struct cpu *cpu, bool encode, int32_t batch, int32_t time, int32_t steps) {
  double work = (encode ? encode_work(cpu, time) : 0.0) + (steps > 0 ? decode_work(cpu, time, steps) : 0.0);
  int32_t threads = pool_threads(cpu->pool);
  if (cpu->limits.threads == 0)
    threads = useful_threads(work * batch, threads);
  const int32_t tiles = share(batch, cpu->tile_rows);
  /* Tiles for tasks by batch alone: as many as there are, in equal shares of the threads. */
  int32_t shared = smallest(batch, largest(tiles, threads));
  if (batch > threads)
    shared = smallest(batch, share(shared, threads) * threads);
  struct cpu_plan plan = {threads, true, shared, shared};
  if (!encode || directions_of(cpu->structure) == 1 || threads == 1)
    return plan;
  plan.whole = batch / threads >= WHOLE_ROWS && layer_bytes(cpu) <= (double)SMALL_WEIGHTS;
  if (!plan.whole)
    plan.encode_tiles = smallest(batch, largest(tiles, share(threads, 2)));
  return plan;
}

struct cpu_tile plan_tile(int32_t batch, int32_t tiles, int32_t index) {
  int32_t first = (int32_t)((int64_t)batch * index / tiles);
  int32_t end = (int32_t)((int64_t)batch * (index + 1) / tiles);
  return (struct cpu_tile){first, end - first};
}

void plan_order(struct cpu *cpu, const int32_t *lengths, int32_t batch, int32_t time) {
  cpu->batch = batch;
  cpu->time = time;
  if (!lengths) {
    for (int32_t b = 0; b < batch; b++) {
      cpu->order[b] = b;
      cpu->lengths[b] = time;
    }
    return;
  }
  int32_t *next = cpu->counts; /* by length: where the next row of it goes */
  memset(next, 0, ((size_t)time + 1) * sizeof *next);
  for (int32_t b = 0; b < batch; b++) {
    cpu->lengths[b] = lengths[b];
    next[lengths[b]]++;
  }
  for (int32_t length = time, first = 0; length > 0; length--) {
    int32_t count = next[length];
    next[length] = first;
    first += count;
  }
  for (int32_t b = 0; b < batch; b++)
    cpu->order[next[lengths[b]]++] = b;
}
