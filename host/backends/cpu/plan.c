#include "backends/cpu/plan.h"

#include "backends/cpu/isa.h"

#include <stdlib.h>
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
  /* Bytes of weights from which another thread is worth its part of a product: one row takes some 0.3 us to
   * read them from its second-level cache, and 0.7 from the third level; threads wait some 0.2 for one
   * another. */
  PART_BYTES = 72 * 1024,
  /* Up to so many rows per thread, threads share the products of all rows rather than the rows: half a
   * register block of rows; two where a step's weights come from the third level all the same. */
  SHARED_ROWS = 3,
  SHARED_ROWS_OF_FAR = 12,
  FAR_WEIGHTS = 8 << 20,
  SHARING_MOST = 8,   /* threads that share a product: more would wait for one another for longer */
  SHARED_THREADS = 4, /* more share products only where a session has them, and fewer rows than threads */
  WHOLE_ROWS = 12,    /* rows per thread from which tiles are split by batch alone: two register blocks */
  TOKEN_SUMS_MOST = 8 << 20, /* bytes: the rows that are in use stay in the third-level cache */
};

/* Work, in FLOPs, from which one more thread is worth its wake-up (some 20 us where it sleeps): of a thread
 * that has rows of its own, and of one that shares the products of few rows, which wait for the weights. */
static const double WORK_PER_THREAD = 8e6, WORK_PER_PART = 3e6;

static int32_t largest(int32_t a, int32_t b) {
  return a > b ? a : b;
}

static int32_t smallest(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static int32_t share(int32_t a, int32_t b) {
  return a / b + (a % b != 0);
}

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
static int32_t most_directions(const struct structure *structure) {
  int32_t most = 1;
  for (int32_t l = 0; l < structure->encoder.count; l++)
    most = largest(most, encoder_layer_directions(&structure->encoder.layers[l]));
  return most;
}

bool plan_directions_in_turn(const struct cpu *cpu, const struct encoder_layer *layer) {
  double weights = 0.0;
  for (int d = 0; d < 2; d++)
    if (encoder_layer_has(layer, d))
      weights += (double)layer->cells[d].units * layer->cells[d].units * cell_gates(layer->cells[d].kind);
  return encoder_layer_directions(layer) == 2 &&
         weights * (double)sizeof(float) / cpu->products->word_inputs > (double)CPU_THIRD_LEVEL;
}

/* Whether so many threads that share products share those of a layer's directions, too. */
static bool shares_directions(const struct cpu *cpu, int32_t threads) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  bool in_turn = false;
  for (int32_t l = 0; l < encoder->count; l++)
    in_turn = in_turn || plan_directions_in_turn(cpu, &encoder->layers[l]);
  return threads >= CPU_SHARED_DIRECTIONS || (threads > 1 && in_turn);
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

static bool sums_are_few(const struct cell *cell, int32_t tokens) {
  const double row =
      (double)cell_gates(cell->kind) * (double)arena_padded(cell->units) * (double)sizeof(float);
  return tokens * row <= (double)TOKEN_SUMS_MOST;
}

bool plan_encoder_token_sums(const struct structure *s, int32_t direction) {
  return s->input.embedding_units > 0 && !s->input.embedding_folded &&
         sums_are_few(&s->encoder.layers[0].cells[direction], s->input.features);
}

bool plan_decoder_token_sums(const struct structure *s) {
  const struct decoder_structure *decoder = &s->decoder;
  return decoder->present && decoder_reads_tokens(decoder) && decoder->embedding_units > 0 &&
         decoder->reads.count > 0 && decoder->reads.list[0] == PART_TOKEN &&
         sums_are_few(&decoder->layers[0].cell, decoder->tokens);
}

int32_t plan_reads_row(const struct structure *s, int32_t part) {
  const struct parts *reads = &s->decoder.reads;
  int32_t row = 0;
  for (int32_t p = 0; p < part; p++)
    if (reads->list[p] != PART_TOKEN || !plan_decoder_token_sums(s))
      row += structure_part_width(s, reads->list[p]);
  return row;
}

/* The bytes of the weights of a decoder's step. */
static double step_bytes(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  double weights = step_weights(s) + chain_work(&s->output.heads[0].layers);
  if (plan_decoder_token_sums(s))
    weights -= (double)s->decoder.embedding_units * cell_gates(s->decoder.layers[0].cell.kind) *
               s->decoder.layers[0].cell.units;
  return weights * (double)sizeof(float) / cpu->products->word_inputs;
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
  const double bytes = step_bytes(cpu);
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

/* ---- threads ---- */

/* Whether the sizes of parts are the environment's. */
static const char *part_asked(void) {
  const char *asked = getenv("CUSEQ_CPU_PART");
  return asked && *asked ? asked : NULL;
}

size_t plan_part_bytes(void) {
  const char *asked = part_asked();
  const long bytes = asked ? strtol(asked, NULL, 10) : 0;
  return bytes > 0 ? (size_t)bytes : PART_BYTES;
}

/* What of `weights` several threads can share: products that are worth two parts at least. */
static double shareable(const struct cpu *cpu, double weights, double rows) {
  const double bytes_of = (double)sizeof(float) / cpu->products->word_inputs;
  const double blocks = rows > ROWS_AT_A_TIME ? rows / ROWS_AT_A_TIME : 1.0;
  return weights * bytes_of * blocks >= 2.0 * (double)cpu->part_bytes ? weights : 0.0;
}

static double shareable_chain(const struct cpu *cpu, const struct dense_chain *chain, double rows) {
  double work = 0.0;
  for (int32_t l = 0; l < chain->count; l++)
    work += shareable(cpu, dense_work(&chain->layers[l]), rows);
  return work;
}

/* Of encode_work(), what threads can share: the cells' steps. */
static double encode_shareable(const struct cpu *cpu, double time, double rows) {
  const struct encoder_structure *encoder = &cpu->structure->encoder;
  double weights = 0.0;
  for (int32_t l = 0; l < encoder->count; l++)
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(&encoder->layers[l], d))
        weights += shareable(cpu, cell_weights(&encoder->layers[l].cells[d]), rows);
  return 2.0 * time * weights;
}

/* Of decode_work(), what threads can share. */
static double decode_shareable(const struct cpu *cpu, double time, double steps, double rows) {
  const struct structure *s = cpu->structure;
  const double positions = rows > CPU_LANES ? rows : CPU_LANES;
  double step = shareable_chain(cpu, &s->attention.query, rows) +
                shareable(cpu, dense_work(&s->decoder.attentional.dense), rows);
  for (int32_t l = 0; l < s->decoder.count; l++)
    step += shareable(cpu, cell_weights(&s->decoder.layers[l].cell), rows);
  for (int32_t i = 0; i < s->output.count; i++)
    step += s->output.heads[i].source == HEAD_EVERY
                ? time * shareable_chain(cpu, &s->output.heads[i].layers, positions)
                : shareable_chain(cpu, &s->output.heads[i].layers, rows);
  const double once = time * (shareable_chain(cpu, &s->attention.keys, positions) +
                              shareable_chain(cpu, &s->attention.values, positions));
  return 2.0 * (steps * step + once);
}

/* How many shares of at least so much there are in something. */
static int32_t shares_of(double all, double least, int32_t most) {
  const double shares = all / least;
  return shares < 1.0 ? 1 : shares < most ? (int32_t)shares : most;
}

/* The work of a row; what of it is done in one go, which directions of an encoder's layer are not where they
 * are tasks of their own; and what of that threads can share. */
struct row_work {
  double all, together, shareable;
};

static struct row_work work_of(const struct cpu *cpu, bool encode, int32_t rows, int32_t time, int32_t steps,
                               int32_t threads) {
  const double encoding = encode ? encode_work(cpu, time) : 0.0,
               decoding = steps > 0 ? decode_work(cpu, time, steps) : 0.0;
  struct row_work work = {.all = encoding + decoding, .together = decoding};
  if (steps > 0)
    work.shareable = decode_shareable(cpu, time, steps, rows);
  if (encode && (most_directions(cpu->structure) == 1 || shares_directions(cpu, threads))) {
    work.together += encoding;
    work.shareable += encode_shareable(cpu, time, rows);
  }
  return work;
}

/* How many of up to `most` threads share the products of `rows` rows; 1: none do. */
static int32_t sharing_threads(const struct cpu *cpu, struct row_work work, int32_t rows, int32_t most) {
  if (cpu->limits.threads == 0)
    return shares_of(work.shareable * rows, WORK_PER_PART, smallest(most, SHARED_THREADS));
  return work.shareable > 0.0 ? most : 1;
}

int32_t plan_threads(const struct cpu *cpu) {
  const struct backend_limits *limits = &cpu->limits;
  double encode = encode_work(cpu, limits->time), decode = decode_work(cpu, limits->time, limits->steps);
  int32_t rows = rows_of(cpu);
  int32_t tasks = rows <= INT32_MAX / 2 ? rows * most_directions(cpu->structure) : rows;
  int32_t threads = shares_of(encode * limits->batch + decode * rows, WORK_PER_THREAD, isa_cores());
  threads = smallest(threads, tasks);
  const int32_t most = smallest(isa_cores(), SHARING_MOST);
  const struct row_work work = work_of(cpu, true, rows, limits->time, limits->steps, most);
  return largest(threads, sharing_threads(cpu, work, rows, most));
}

/* Whether so many threads make a step of `rows` rows faster together than each some of the rows. */
static bool shares_products(const struct cpu *cpu, struct row_work work, int32_t rows, int32_t threads) {
  if (threads <= 1 || rows > cpu->tile_rows || work.shareable <= 0.0)
    return false;
  if (rows == 1)
    return true;
  const double bytes = step_bytes(cpu);
  const int32_t most = bytes >= (double)FAR_WEIGHTS ? SHARED_ROWS_OF_FAR : SHARED_ROWS;
  const bool few = rows < threads || (threads <= SHARED_THREADS && rows <= most * threads);
  return few && work.shareable >= 0.75 * work.together; /* what is not shared one thread does alone */
}

struct cpu_plan plan_call(const struct cpu *cpu, bool encode, int32_t batch, int32_t time, int32_t steps) {
  const int32_t pool = pool_threads(cpu->pool), most = smallest(pool, SHARING_MOST),
                tiles = share(batch, cpu->tile_rows);
  if (pool == 1)
    return (struct cpu_plan){1, 1, true, tiles, tiles};
  const struct row_work work = work_of(cpu, encode, batch, time, steps, most);
  int32_t threads = pool;
  if (cpu->limits.threads == 0)
    threads = shares_of(work.all * batch, WORK_PER_THREAD, threads);
  /* Tiles for tasks by batch alone: as many as there are, in equal shares of the threads. */
  int32_t shared = smallest(batch, largest(tiles, threads));
  if (batch > threads)
    shared = smallest(batch, share(shared, threads) * threads);
  struct cpu_plan plan = {threads, 1, true, shared, shared};
  const int32_t sharing = sharing_threads(cpu, work, batch, most);
  if ((pool_looks(cpu->pool) || part_asked()) && shares_products(cpu, work, batch, sharing)) {
    plan.parts = sharing;
    plan.threads = largest(threads, sharing);
    plan.decode_tiles = 1;
  }
  plan.encode_tiles = plan.decode_tiles;
  if (!encode || most_directions(cpu->structure) == 1 || plan.threads == 1 ||
      (shares_directions(cpu, plan.parts) && encode_shareable(cpu, time, batch) > 0.0))
    return plan;
  plan.whole =
      plan.parts == 1 && batch / plan.threads >= WHOLE_ROWS && layer_bytes(cpu) <= (double)SMALL_WEIGHTS;
  if (!plan.whole)
    plan.encode_tiles = smallest(batch, largest(tiles, share(plan.threads, 2)));
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
