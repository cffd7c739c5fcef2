/* The encoder over one tile: the rows of a tile step together, each from its own end, and drop out at their
 * lengths. */
#include "backends/cpu/cpu.h"
#include "backends/cpu/plan.h"

#include <string.h>

/* One direction of one layer over a tile. */
struct sweep {
  const struct cpu_call *call;
  const struct cpu_worker *worker;
  const struct encoder_layer *layer;
  const struct cell *cell;
  struct cpu_cell_step step;
  struct cpu_cell_row *rows;
  const int32_t *order; /* the tile's rows, longest first */
  float *narrowed;      /* f64 input of this step, or of the steps that are projected */
  float *projected;     /* [PROJECTED_ROWS][4 x units_stride] */
  int32_t ahead;        /* steps that are projected at a time; 0: none is */
  int32_t direction;
  size_t offset; /* of the direction's states among those of all layers, of one row */
  int32_t count;
  int32_t active;
  int32_t done;     /* steps */
  bool skip_hidden; /* at the first step: it is zero, and its products would add nothing */
  bool gathered;    /* ids pick rows of the kernel, or of the cell's token_sums */
  bool embedded;    /* ids pick rows of the embedding, which are the input */
  ptrdiff_t advance_in, advance_out, advance_copy;
};

static int32_t position(const struct sweep *sweep, int32_t i) {
  const int32_t length = sweep->call->cpu->lengths[sweep->order[i]];
  return sweep->direction == 0 ? sweep->done : length - 1 - sweep->done;
}

static int32_t id_at(const struct cpu_call *call, size_t b, size_t t) {
  return call->input->ids[b * (size_t)call->input->time + t];
}

/* The input of row i some steps from now. Float64 input is narrowed to row `at` of the buffer. */
static const float *input_row(const struct sweep *sweep, int32_t i, int32_t steps, int32_t at) {
  const struct cpu_call *call = sweep->call;
  const struct cpu *cpu = call->cpu;
  const struct input_structure *in = &cpu->structure->input;
  const size_t b = (size_t)sweep->order[i], F = (size_t)in->features;
  const int32_t ahead = position(sweep, i) + (sweep->direction == 0 ? steps : -steps);
  const size_t t = (size_t)ahead;
  if (call->layer > 0)
    return layer_output(cpu, call->layer - 1) + b * cpu->layer_stride +
           t * layer_position(&cpu->structure->encoder.layers[call->layer - 1]);
  if (sweep->embedded)
    return in->embedding + (size_t)id_at(call, b, t) * (size_t)in->embedding_units;
  const size_t row = (b * (size_t)call->input->time + t) * F;
  if (call->input->f32)
    return call->input->f32 + row;
  float *narrowed = sweep->narrowed + (size_t)at * arena_padded(in->features);
  cpu->kernels->narrow(call->input->f64 + row, in->features, narrowed);
  return narrowed;
}

/* The weights of a cell, in bytes. */
static size_t cell_bytes(const struct cpu *cpu, const struct cpu_cell *cell) {
  return (size_t)(cell->inputs + cell->units) * (size_t)cell->units * 4 * sizeof(float) /
         (size_t)cpu->products->word_inputs;
}

/* One row waits for the weights and not for the arithmetic, and so do a few rows where the weights come from
 * beyond the second-level cache: the input's part of the sums of some steps is made together, so that these
 * weights are read once for all of them. (Where they are near, two rows lose 3% by it and three 8%; where
 * they are far, four gain or lose.) */
static int32_t steps_ahead(const struct cpu *cpu, const struct cpu_cell *cell, int32_t count) {
  enum { LEAST_INPUTS = 8, FAR_WEIGHTS = 768 * 1024 };
  const size_t weights = cell_bytes(cpu, cell);
  const bool few = count == 1 || (count <= 3 && weights >= (size_t)FAR_WEIGHTS);
  return few && cell->inputs >= LEAST_INPUTS ? PROJECTED_ROWS / count : 0;
}

/* Before a step: the projection of the steps from it on, where the last one is used up. */
static void sweep_project(struct sweep *sweep) {
  const struct cpu *cpu = sweep->call->cpu;
  const size_t stride = 4 * cpu->units_stride;
  const int32_t into = sweep->done % sweep->ahead;
  struct cpu_cell_row rows[PROJECTED_ROWS];
  int32_t count = 0;
  for (int32_t i = 0; i < sweep->active; i++) {
    const int32_t left = cpu->lengths[sweep->order[i]] - sweep->done;
    const int32_t first = i * sweep->ahead;
    sweep->rows[i].start = sweep->projected + (size_t)(first + into) * stride;
    for (int32_t s = 0; into == 0 && s < left && s < sweep->ahead; s++, count++)
      rows[count] = (struct cpu_cell_row){.in = {input_row(sweep, i, s, first + s)},
                                          .out = sweep->projected + (size_t)(first + s) * stride};
  }
  if (count > 0)
    product_project(cpu, sweep->worker, sweep->step.cell, rows, count, false);
}

/* Where row i starts to write, and its states before the first step. */
static void sweep_begin_row(struct sweep *sweep, struct cpu_worker *worker, int32_t i) {
  const struct cpu_call *call = sweep->call;
  const struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const struct structure *structure = cpu->structure;
  const size_t b = (size_t)sweep->order[i], t = (size_t)position(sweep, i), d = (size_t)sweep->direction;
  const size_t H = (size_t)sweep->cell->units, A = (size_t)structure->encoder.width;
  /* the caller's states are a block [B,H] for each direction of each layer */
  const size_t block = sweep->offset * (size_t)input->batch;
  struct cpu_cell_row *row = &sweep->rows[i];
  row->state = worker->states[d] + (size_t)i * cpu->units_stride;
  row->copy = NULL;
  row->start = NULL;
  row->gates = worker->gates[d] ? worker->gates[d] + (size_t)i * 4 * arena_padded(sweep->cell->units) : NULL;
  row->in[sweep->step.segments] = input->initial_h ? input->initial_h + block + b * H : cpu->zeros;
  memset(row->state, 0, cpu->units_stride * sizeof(float));
  const float *kept = cell_has_c(sweep->cell->kind) ? input->initial_c : input->initial_h;
  if (kept)
    memcpy(row->state, kept + block + b * H, H * sizeof(float));
  const bool finishes = layer_finishes(sweep->layer);
  const size_t beside =
      sweep->layer->direction == LAYER_BIDIRECTIONAL && d == 1 ? (size_t)sweep->layer->cells[0].units : 0;
  if (finishes)
    row->out = cpu->sides + b * cpu->side_stride + (2 * t + d) * cpu->units_stride;
  else
    row->out =
        layer_output(cpu, call->layer) + b * cpu->layer_stride + t * layer_position(sweep->layer) + beside;
  if (call->encoding->annotations && !finishes && call->layer == structure->encoder.count - 1)
    row->copy = call->encoding->annotations + (b * (size_t)input->time + t) * A + beside;
}

static void sweep_begin(struct sweep *sweep, const struct cpu_call *call, struct cpu_tile tile,
                        struct cpu_worker *worker, int32_t direction) {
  const struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const struct input_structure *in = &cpu->structure->input;
  const struct encoder_layer *layer = &cpu->structure->encoder.layers[call->layer];
  const struct cpu_cell *cell = &cpu->packed->weights.encoder[call->layer].cells[direction];
  const bool ids = call->layer == 0 && input->ids;
  const bool summed = ids && cell->token_sums;
  const bool embedded = ids && in->embedding_units > 0 && !in->embedding_folded && !summed;
  const bool gathered = ids && !embedded;
  const int32_t ahead = gathered ? 0 : steps_ahead(cpu, cell, tile.count);
  const ptrdiff_t sign = direction == 0 ? 1 : -1;
  *sweep = (struct sweep){
      .call = call,
      .worker = worker,
      .layer = layer,
      .cell = &layer->cells[direction],
      .rows = worker->rows[direction],
      .order = cpu->order + tile.first,
      .narrowed = worker->narrowed[direction],
      .projected = worker->projected[direction],
      .ahead = ahead,
      .direction = direction,
      .offset = (size_t)structure_final_offset(&cpu->structure->encoder, call->layer, direction),
      .count = tile.count,
      .active = tile.count,
      .skip_hidden = !input->initial_h,
      .gathered = gathered,
      .embedded = embedded};
  const int32_t segments = gathered || ahead > 0 ? 0 : 1;
  sweep->step = (struct cpu_cell_step){.cell = cell,
                                       .segments = segments,
                                       .has_hidden = true,
                                       .hot_first = gathered && !summed ? 0 : -1,
                                       .part = {0, cell->blocks},
                                       .started = ahead > 0,
                                       .room = worker->room};
  sweep->step.count[0] = cell->inputs;
  sweep->step.first[segments] = cell->inputs;
  sweep->step.count[segments] = cell->units;
  if (call->layer > 0)
    sweep->advance_in = sign * (ptrdiff_t)layer_position(&cpu->structure->encoder.layers[call->layer - 1]);
  else if (input->f32)
    sweep->advance_in = sign * (ptrdiff_t)in->features;
  sweep->advance_out =
      sign * (ptrdiff_t)(layer_finishes(layer) ? 2 * cpu->units_stride : layer_position(layer));
  sweep->advance_copy = sign * (ptrdiff_t)cpu->structure->encoder.width;
  for (int32_t i = 0; i < tile.count; i++) {
    sweep_begin_row(sweep, worker, i);
    if (segments == 1)
      sweep->rows[i].in[0] = input_row(sweep, i, 0, i);
  }
}

/* On to the next position; the hidden state is where the last step put it. What does not change is in
 * variables: the compiler cannot know that the rows are not among it. */
static void sweep_advance(struct sweep *sweep) {
  const int32_t active = sweep->active, segments = sweep->step.segments;
  const ptrdiff_t in = sweep->advance_in, out = sweep->advance_out, copy = sweep->advance_copy;
  struct cpu_cell_row *row = sweep->rows;
  for (int32_t i = 0; i < active; i++, row++) {
    if (segments == 1)
      row->in[0] += in;
    row->in[segments] = row->out;
    row->out += out;
    if (row->copy)
      row->copy += copy;
  }
}

/* The ids that this step gathers. */
static void sweep_gather(struct sweep *sweep) {
  const int32_t *ids = sweep->call->input->ids, *order = sweep->order, *lengths = sweep->call->cpu->lengths;
  const size_t time = (size_t)sweep->call->input->time;
  const int32_t active = sweep->active, done = sweep->done, direction = sweep->direction;
  struct cpu_cell_row *rows = sweep->rows;
  for (int32_t i = 0; i < active; i++) {
    const int32_t b = order[i], t = direction == 0 ? done : lengths[b] - 1 - done;
    rows[i].hot = ids[(size_t)b * time + (size_t)t];
  }
}

/* What this step reads and is not in place: projections, ids, embeddings, float64 input. */
static void sweep_load(struct sweep *sweep) {
  if (sweep->gathered) {
    sweep_gather(sweep);
    return;
  }
  if (sweep->ahead > 0) {
    sweep_project(sweep);
    return;
  }
  if (sweep->call->layer > 0 || sweep->call->input->f32)
    return;
  for (int32_t i = 0; i < sweep->active; i++)
    sweep->rows[i].in[0] = input_row(sweep, i, 0, i);
}

/* Before a step of the rows that are not yet at their ends; false when there is none. */
static bool sweep_ready(struct sweep *sweep) {
  const struct cpu *cpu = sweep->call->cpu;
  while (sweep->active > 0 && cpu->lengths[sweep->order[sweep->active - 1]] <= sweep->done)
    sweep->active--;
  if (sweep->active == 0)
    return false;
  if (sweep->done > 0)
    sweep_advance(sweep);
  sweep_load(sweep);
  sweep->step.has_hidden = sweep->done > 0 || !sweep->skip_hidden;
  sweep->step.turned = sweep->done & 1;
  return true;
}

static struct product_step sweep_product(struct sweep *sweep) {
  return (struct product_step){&sweep->step, sweep->rows, sweep->active};
}

/* One step; false when there is none. */
static bool sweep_step(struct sweep *sweep) {
  if (!sweep_ready(sweep))
    return false;
  const struct product_step product = sweep_product(sweep);
  product_step(sweep->call->cpu, sweep->worker, &product);
  sweep->done++;
  return true;
}

/* A step of both directions, which have as many, for threads that share them. */
static bool sweeps_step(struct sweep sweeps[2]) {
  if (!sweep_ready(&sweeps[0]) || !sweep_ready(&sweeps[1]))
    return false;
  const struct product_step products[] = {sweep_product(&sweeps[0]), sweep_product(&sweeps[1])};
  product_steps(sweeps->call->cpu, sweeps->worker, products, 2);
  sweeps[0].done++;
  sweeps[1].done++;
  return true;
}

static void copy_state(float *to, size_t at, const float *state, size_t count) {
  if (to)
    memcpy(to + at, state, count * sizeof *to);
}

/* The final states: every row's pointers stand where its last step left them. The c of a GRU is zeros. They
 * are checked: a cell whose state is not finite, or that reads one that is not, never becomes finite
 * again. */
static void sweep_end(const struct sweep *sweep) {
  const struct cpu_call *call = sweep->call;
  struct cpu *cpu = call->cpu;
  const cuseq_encoding *encoding = call->encoding;
  const size_t H = (size_t)sweep->cell->units, d = (size_t)sweep->direction, B = (size_t)call->input->batch;
  const size_t offset = sweep->offset;
  for (int32_t i = 0; i < sweep->count; i++) {
    const size_t b = (size_t)sweep->order[i];
    const float *h = sweep->rows[i].out,
                *c = cell_has_c(sweep->cell->kind) ? sweep->rows[i].state : cpu->zeros;
    cpu_check(cpu, b, 0, BACKEND_STAGE_ENCODER, h, sweep->cell->units);
    cpu_check(cpu, b, 0, BACKEND_STAGE_ENCODER, sweep->rows[i].state, sweep->cell->units);
    copy_state(encoding->final_h, offset * B + b * H, h, H);
    copy_state(encoding->final_c, offset * B + b * H, c, H);
    copy_state(cpu->final_h, b * cpu->final_stride + offset, h, H);
    copy_state(cpu->final_c, b * cpu->final_stride + offset, c, H);
    if (call->layer < cpu->structure->encoder.count - 1)
      continue;
    copy_state(d == 0 ? encoding->h_fw : encoding->h_bw, b * H, h, H);
    copy_state(d == 0 ? encoding->c_fw : encoding->c_bw, b * H, c, H);
  }
}

/* Two directions of a few rows alternate: the second one's products hide the latency of the first one's
 * update. It pays while both directions' weights stay in the nearest caches. */
static bool sweeps_alternate(const struct cpu_call *call, struct cpu_tile tile) {
  const struct cpu_cell *cell = &call->cpu->packed->weights.encoder[call->layer].cells[0];
  return tile.count <= 6 && cell_bytes(call->cpu, cell) <= (size_t)256 * 1024;
}

void encoder_layer(const struct cpu_call *call, struct cpu_tile tile, int32_t worker, int32_t direction) {
  struct cpu *cpu = call->cpu;
  const struct encoder_layer *layer = &cpu->structure->encoder.layers[call->layer];
  struct sweep sweeps[2];
  int32_t count = 0;
  for (int32_t d = 0; d < 2; d++)
    if (encoder_layer_has(layer, d) && (direction < 0 || direction == d))
      sweep_begin(&sweeps[count++], call, tile, &cpu->workers[worker], d);
  if (count == 2 && cpu->workers[worker].parts >= CPU_SHARED_DIRECTIONS &&
      !plan_directions_in_turn(cpu, layer))
    while (sweeps_step(sweeps))
      ;
  else if (count == 2 && sweeps_alternate(call, tile))
    while (sweep_step(&sweeps[0]) && sweep_step(&sweeps[1])) /* as many steps in both */
      ;
  for (int32_t s = 0; s < count; s++) {
    while (sweep_step(&sweeps[s]))
      ;
    sweep_end(&sweeps[s]);
  }
  if (direction < 0)
    encoder_finish(call, tile, worker);
}
