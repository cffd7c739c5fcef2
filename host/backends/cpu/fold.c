#include "backends/cpu/fold.h"

#include "backends/cpu/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that would take more bytes are not folded: every step goes through them. */
static const double FOLDED_MOST = 2 << 20;

/* Where both ways are as much work, or nearly so, the folded one is faster: weights are read once, for many
 * positions, and not at every step. */
static const double WORTH = 1.125;

/* ---- what can be folded ---- */

static bool reads_context(const struct parts *parts) {
  for (int32_t p = 0; p < parts->count; p++)
    if (parts->list[p] == PART_CONTEXT)
      return true;
  return false;
}

/* Annotations themselves as keys, and a query that is one product of the state. */
static bool keys_fold(const struct structure *s) {
  const struct attention_structure *attention = &s->attention;
  const struct dense *query = &attention->query.layers[0];
  return attention->present && s->decoder.present && attention->kind == ENERGY_PRODUCT &&
         attention->heads == 1 && attention->asks != ASKS_TOKEN && attention->keys.count == 0 &&
         attention->query.count == 1 && query->activation == CUSEQ_ACTIVATION_LINEAR && !query->bias;
}

/* The context stands at an end of what the layer reads, so that the other columns lie together. */
static bool attentional_folds(const struct structure *s) {
  const struct attentional_structure *attentional = &s->decoder.attentional;
  const int32_t last = attentional->parts.count - 1;
  return attentional->present && last > 0 && !attentional->dense.transposed &&
         (attentional->parts.list[0] == PART_CONTEXT || attentional->parts.list[last] == PART_CONTEXT);
}

/* Where the context's rows of weights begin in the first decoder cell. */
static int32_t context_row(const struct structure *s) {
  const struct parts *reads = &s->decoder.reads;
  int32_t p = 0;
  while (p < reads->count && reads->list[p] != PART_CONTEXT)
    p++;
  return plan_reads_row(s, p);
}

static bool cell_folds(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  return s->attention.asks != ASKS_CURRENT && reads_context(&s->decoder.reads) &&
         context_row(s) % cpu->products->word_inputs == 0;
}

static enum cpu_reader reader_of(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  if (!s->attention.present || !s->decoder.present || s->attention.heads > 1)
    return READER_NONE;
  return attentional_folds(s) ? READER_ATTENTIONAL : cell_folds(cpu) ? READER_CELL : READER_NONE;
}

/* Whether someone but the reader of folded values reads the context. */
static bool others_read(const struct structure *s, enum cpu_reader reader) {
  const struct decoder_structure *decoder = &s->decoder;
  bool read = decoder->fed_context > 0 || reads_context(&s->output.heads[0].parts);
  read = read || (reader != READER_CELL && reads_context(&decoder->reads));
  read = read || (reader != READER_ATTENTIONAL && reads_context(&decoder->attentional.parts));
  for (int32_t l = 1; l < decoder->count; l++)
    read = read || decoder->layers[l].reads_context;
  return read;
}

/* ---- what is worth it ---- */

static double keys_work(const struct structure *s) {
  const struct dense *query = &s->attention.query.layers[0];
  return (double)query->inputs * query->units;
}

static double values_work(const struct structure *s, enum cpu_reader reader) {
  const struct cell *cell = &s->decoder.layers[0].cell;
  const double units = reader == READER_ATTENTIONAL ? (double)s->decoder.attentional.dense.units
                                                    : (double)cell_gates(cell->kind) * cell->units;
  return s->attention.context_width * units;
}

/* The most positions of a row that is folded, with products of `work` multiply-adds for every position and
 * `columns` of theirs looked at in every step, in the place of the products in every step and `plain` numbers
 * of every position. */
static int32_t longest_row(const struct cpu *cpu, double work, double columns, double plain) {
  const char *asked = getenv("CUSEQ_CPU_FOLD");
  const double beams = cpu->limits.beams > 1 ? cpu->limits.beams : 1,
               steps = cpu->structure->decoder.steps * beams, time = cpu->limits.time;
  const double position = work + steps * (columns - WORTH * plain), all = WORTH * steps * work,
               most = FOLDED_MOST / (columns * (double)sizeof(float));
  if (asked && *asked)
    return *asked == '0' ? 0 : cpu->limits.time;
  return (int32_t)fmin(fmin(time, most), position * time > all ? all / position : time);
}

static struct cpu_folded of_columns(int32_t columns, int32_t longest) {
  return longest > 0
             ? (struct cpu_folded){.columns = columns, .stride = arena_padded(columns), .longest = longest}
             : (struct cpu_folded){0};
}

/* Of a cell as cell_project() has its sums: four of each unit, in whole vectors. */
static int32_t values_columns(const struct cpu *cpu, enum cpu_reader reader) {
  const struct decoder_structure *decoder = &cpu->structure->decoder;
  const int32_t units = decoder->layers[0].cell.units, width = cpu->kernels->width;
  return reader == READER_ATTENTIONAL ? decoder->attentional.dense.units
                                      : (units + width - 1) / width * width * 4;
}

void fold_plan(struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  const struct attention_structure *attention = &s->attention;
  const enum cpu_reader reader = reader_of(cpu);
  cpu->fold = (struct cpu_fold){.context_read = true};
  if (keys_fold(s))
    cpu->fold.keys =
        of_columns(attention->query_inputs,
                   longest_row(cpu, keys_work(s), attention->query_inputs, attention->key_width));
  if (reader == READER_NONE)
    return;
  const bool others = others_read(s, reader);
  const int32_t columns = values_columns(cpu, reader);
  cpu->fold.values = of_columns(
      columns, longest_row(cpu, values_work(s, reader), columns, others ? 0.0 : attention->context_width));
  if (cpu->fold.values.columns == 0)
    return;
  cpu->fold.reader = reader;
  cpu->fold.context_read = others;
}

/* ---- weights ---- */

/* W^T of a query's W. */
static void pack_keys(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_chain *packed) {
  const struct dense *query = &cpu->structure->attention.query.layers[0];
  struct dense keys = *query;
  keys.inputs = query->units;
  keys.units = query->inputs;
  keys.transposed = !query->transposed;
  weights_pack_dense(cpu, &keys, arena, packed);
}

/* Some of what the attentional layer reads: the activation follows the sum of both. */
static void pack_attentional(const struct cpu *cpu, bool context, struct cpu_arena *arena,
                             struct cpu_chain *packed) {
  const struct attentional_structure *attentional = &cpu->structure->decoder.attentional;
  const int32_t C = cpu->structure->attention.context_width, rest = attentional->dense.inputs - C;
  const bool context_first = attentional->parts.list[0] == PART_CONTEXT;
  struct dense part = attentional->dense;
  part.inputs = context ? C : rest;
  if (context != context_first) /* it is behind the other one */
    part.kernel += (size_t)(context ? rest : C) * (size_t)part.units;
  if (context)
    part.bias = NULL;
  part.activation = CUSEQ_ACTIVATION_LINEAR;
  weights_pack_dense(cpu, &part, arena, packed);
}

void fold_pack_positions(const struct cpu *cpu, struct cpu_arena *arena) {
  struct cpu_fold_weights *packed = &cpu->packed->weights.fold;
  if (keys_fold(cpu->structure))
    pack_keys(cpu, arena, &packed->keys);
  if (reader_of(cpu) == READER_ATTENTIONAL)
    pack_attentional(cpu, true, arena, &packed->attentional);
}

void fold_pack_steps(const struct cpu *cpu, struct cpu_arena *arena) {
  if (reader_of(cpu) == READER_ATTENTIONAL)
    pack_attentional(cpu, false, arena, &cpu->packed->weights.fold.attentional_rest);
}

/* The context's rows of the first cell's own weights. */
static struct cpu_cell context_cell(const struct cpu *cpu) {
  return cpu_cell_inputs(&cpu->packed->weights.decoder[0].cell,
                         context_row(cpu->structure) / cpu->products->word_inputs,
                         cpu->structure->attention.context_width, cpu->kernels->width);
}

/* ---- a session's room ---- */

static void folded_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_folded *folded) {
  const size_t batch = (size_t)cpu->limits.batch;
  folded->made = arena_take(arena, folded->columns > 0 ? batch : 0, 1, sizeof *folded->made);
  folded->x = arena_floats(arena, batch * (size_t)folded->longest, folded->stride);
}

void fold_take(struct cpu *cpu, struct cpu_arena *arena) {
  folded_take(cpu, arena, &cpu->fold.keys);
  folded_take(cpu, arena, &cpu->fold.values);
}

void fold_worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  const bool sums = cpu->fold.reader != READER_NONE;
  const size_t keys = cpu->fold.keys.stride, values = cpu->fold.values.stride;
  worker->folding = arena_floats(arena, FOLDED_ROWS, keys > values ? keys : values);
  worker->folded = arena_floats(arena, (size_t)cpu->tile_rows, values);
  worker->kept_energies = arena_floats(arena, sums ? arena_padded(cpu->limits.time) : 0, 1);
}

/* ---- a tile ---- */

/* Some positions of any rows: what is multiplied, and where the product goes. */
struct positions {
  int32_t count;
  const float *in[FOLDED_ROWS];
  float *out[FOLDED_ROWS];
};

/* Through a dense layer, whose rows lie at one distance from each other. */
static void through_dense(const struct cpu *cpu, const struct cpu_worker *worker,
                          const struct cpu_chain *chain, const struct cpu_folded *to,
                          const struct positions *of) {
  bool together = true;
  for (int32_t i = 1; i < of->count; i++)
    together = together && of->out[i] == of->out[i - 1] + to->stride;
  float *out = together ? of->out[0] : worker->folding;
  product_dense(cpu, worker, &chain->layers[0], of->in, of->count, out, to->stride, false);
  for (int32_t i = 0; i < of->count && !together; i++)
    memcpy(of->out[i], out + (size_t)i * to->stride, to->stride * sizeof *out);
}

static void through_cell(const struct cpu *cpu, const struct cpu_worker *worker, const struct positions *of) {
  const struct cpu_cell cell = context_cell(cpu);
  struct cpu_cell_row rows[FOLDED_ROWS];
  for (int32_t i = 0; i < of->count; i++) {
    rows[i].in[0] = of->in[i];
    rows[i].out = of->out[i];
  }
  product_project(cpu, worker, &cell, rows, of->count, false);
}

static void through(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_folded *to,
                    const struct positions *of) {
  const struct cpu_fold_weights *weights = &cpu->packed->weights.fold;
  if (to == &cpu->fold.values && cpu->fold.reader == READER_CELL)
    through_cell(cpu, worker, of);
  else
    through_dense(cpu, worker, to == &cpu->fold.keys ? &weights->keys : &weights->attentional, to, of);
}

static bool row_finite(const struct cpu *cpu, const struct cpu_folded *folded, int32_t row) {
  bool finite = true;
  for (int32_t t = 0; t < cpu->lengths[row] && finite; t++)
    finite =
        cpu->kernels->finite(folded_of(folded, row) + (size_t)t * folded->stride, folded->columns, false);
  return finite;
}

/* All positions of a tile's rows that are folded, in even shares of up to FOLDED_ROWS. */
static void fold_tile(struct cpu *cpu, const struct cpu_worker *worker, struct cpu_tile tile,
                      const struct cpu_folded *to, attention_rows *from) {
  const int32_t *order = cpu->order + tile.first;
  struct positions some;
  int64_t all = 0;
  for (int32_t i = 0; i < tile.count; i++) {
    to->made[order[i]] = cpu->lengths[order[i]] <= to->longest;
    all += to->made[order[i]] ? cpu->lengths[order[i]] : 0;
  }
  if (all == 0)
    return;
  some.count = 0;
  const int64_t shares = (all + FOLDED_ROWS - 1) / FOLDED_ROWS, most = (all + shares - 1) / shares;
  for (int32_t i = 0; i < tile.count; i++) {
    const struct cpu_positions positions = from(cpu, order[i]);
    for (int32_t t = 0; t < positions.length && to->made[order[i]]; t++) {
      some.in[some.count] = positions.x + (size_t)t * positions.stride;
      some.out[some.count++] = folded_of(to, order[i]) + (size_t)t * to->stride;
      if (some.count < most)
        continue;
      through(cpu, worker, to, &some);
      some.count = 0;
    }
  }
  if (some.count > 0)
    through(cpu, worker, to, &some);
  for (int32_t i = 0; i < tile.count; i++)
    to->made[order[i]] = to->made[order[i]] && row_finite(cpu, to, order[i]);
}

void fold_positions(struct cpu *cpu, const struct cpu_worker *worker, struct cpu_tile tile) {
  if (cpu->fold.keys.columns > 0)
    fold_tile(cpu, worker, tile, &cpu->fold.keys, attention_annotations);
  if (cpu->fold.values.columns > 0)
    fold_tile(cpu, worker, tile, &cpu->fold.values, attention_values);
}

struct parts fold_parts(const struct parts *parts) {
  struct parts left = {.count = 0};
  for (int32_t p = 0; p < parts->count; p++)
    if (parts->list[p] != PART_CONTEXT)
      left.list[left.count++] = parts->list[p];
  return left;
}
