/* The encoder over one tile: the rows of a tile step together, each from its own end, and drop out at their
 * lengths. */
#include "backends/cpu/cpu.h"

#include <string.h>

/* One direction of one layer over a tile. */
struct sweep {
  const struct cpu_call *call;
  struct cpu_lstm_step step;
  struct cpu_lstm_row *rows;
  const int32_t *order; /* the tile's rows, longest first */
  float *narrowed;      /* f64 input of this step, or of the steps that are projected */
  float *projected;     /* [PROJECTED_ROWS][4 x units_stride] */
  int32_t ahead;        /* steps that are projected at a time; 0: none is */
  int32_t direction;
  int32_t count;
  int32_t active;
  int32_t done;     /* steps */
  int32_t hidden;   /* the segment that is the previous hidden state */
  bool skip_hidden; /* at the first step: it is zero, and its products would add nothing */
  ptrdiff_t advance_in, advance_out, advance_copy;
};

static int32_t position(const struct sweep *sweep, int32_t i) {
  const int32_t length = sweep->call->cpu->lengths[sweep->order[i]];
  return sweep->direction == 0 ? sweep->done : length - 1 - sweep->done;
}

/* The buffer that layer `layer` writes: the last one's is 0. */
static float *layer_output(const struct cpu *cpu, int32_t layer) {
  return cpu->layers[(cpu->config.layers - 1 - layer) & 1];
}

/* The input of row i some steps from now. Float64 input is narrowed to row `at` of the buffer. */
static const float *input_row(const struct sweep *sweep, int32_t i, int32_t steps, int32_t at) {
  const struct cpu_call *call = sweep->call;
  const struct cpu *cpu = call->cpu;
  const size_t b = (size_t)sweep->order[i], F = (size_t)cpu->config.features;
  const int32_t t = position(sweep, i) + (sweep->direction == 0 ? steps : -steps);
  if (call->layer > 0)
    return layer_output(cpu, call->layer - 1) + b * cpu->layer_stride + (size_t)t * cpu->annotation_stride;
  const size_t row = (b * (size_t)call->input->time + (size_t)t) * F;
  if (call->input->f32)
    return call->input->f32 + row;
  float *narrowed = sweep->narrowed + (size_t)at * arena_padded(cpu->config.features);
  cpu->kernels->narrow(call->input->f64 + row, cpu->config.features, narrowed);
  return narrowed;
}

/* One row waits for the weights, not for the arithmetic, and so do a few where the weights come from beyond
 * the second-level cache: the input's part of the sums of some steps is made together, so that these weights
 * are read once for all of them. (Where they are near, two rows lose 3% by it and three 8%; where they are
 * far, four gain or lose.) */
static int32_t steps_ahead(const struct cpu_lstm *cell, int32_t count) {
  enum { LEAST_INPUTS = 8, FAR_WEIGHTS = 768 * 1024 };
  const size_t weights = (size_t)(cell->inputs + cell->units) * (size_t)cell->units * 4 * sizeof(float);
  const bool few = count == 1 || (count <= 3 && weights >= (size_t)FAR_WEIGHTS);
  return few && cell->inputs >= LEAST_INPUTS ? PROJECTED_ROWS / count : 0;
}

/* Before a step: the projection of the steps from it on, where the last one is used up. */
static void sweep_project(struct sweep *sweep) {
  const struct cpu *cpu = sweep->call->cpu;
  const size_t stride = 4 * cpu->units_stride;
  const int32_t into = sweep->done % sweep->ahead;
  struct cpu_lstm_row rows[PROJECTED_ROWS];
  int32_t count = 0;
  for (int32_t i = 0; i < sweep->active; i++) {
    const int32_t left = cpu->lengths[sweep->order[i]] - sweep->done;
    const int32_t first = i * sweep->ahead;
    sweep->rows[i].start = sweep->projected + (size_t)(first + into) * stride;
    for (int32_t s = 0; into == 0 && s < left && s < sweep->ahead; s++, count++)
      rows[count] = (struct cpu_lstm_row){.in = {input_row(sweep, i, s, first + s)},
                                          .out = sweep->projected + (size_t)(first + s) * stride};
  }
  if (count > 0)
    cpu->kernels->lstm_project(sweep->step.cell, rows, count);
}

/* Where row i starts to read and to write. */
static void sweep_begin_row(struct sweep *sweep, struct cpu_worker *worker, int32_t i) {
  const struct cpu_call *call = sweep->call;
  const struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const size_t b = (size_t)sweep->order[i], t = (size_t)position(sweep, i), d = (size_t)sweep->direction;
  const size_t H = (size_t)cpu->config.units, F = (size_t)cpu->config.features,
               A = (size_t)cpu->config.annotation_width;
  const size_t state = (((size_t)call->layer * (size_t)cpu->directions + d) * (size_t)input->batch + b) * H;
  struct cpu_lstm_row *row = &sweep->rows[i];
  *row = (struct cpu_lstm_row){.c = worker->cells[d] + (size_t)i * cpu->units_stride};
  if (call->layer > 0)
    row->in[0] = layer_output(cpu, call->layer - 1) + b * cpu->layer_stride + t * cpu->annotation_stride;
  else if (input->f32)
    row->in[0] = input->f32 + (b * (size_t)input->time + t) * F;
  else
    row->in[0] = sweep->narrowed + (size_t)i * arena_padded(cpu->config.features);
  row->in[sweep->hidden] = input->initial_h ? input->initial_h + state : cpu->zeros;
  memcpy(row->c, input->initial_c ? input->initial_c + state : cpu->zeros, H * sizeof(float));
  if (cpu->sides)
    row->out = cpu->sides + b * cpu->side_stride + (2 * t + d) * cpu->units_stride;
  else
    row->out = layer_output(cpu, call->layer) + b * cpu->layer_stride + t * cpu->annotation_stride + d * H;
  if (call->encoding->annotations && !cpu->sides && call->layer == cpu->config.layers - 1)
    row->copy = call->encoding->annotations + (b * (size_t)input->time + t) * A + d * H;
}

static void sweep_begin(struct sweep *sweep, const struct cpu_call *call, struct cpu_tile tile,
                        struct cpu_worker *worker, int32_t direction) {
  const struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const struct cpu_lstm *cell = &cpu->weights.encoder[call->layer][direction];
  const bool gathered = call->layer == 0 && input->ids;
  const int32_t ahead = gathered ? 0 : steps_ahead(cell, tile.count);
  const ptrdiff_t sign = direction == 0 ? 1 : -1;
  *sweep = (struct sweep){.call = call,
                          .rows = worker->rows[direction],
                          .order = cpu->order + tile.first,
                          .narrowed = worker->narrowed[direction],
                          .projected = worker->projected[direction],
                          .ahead = ahead,
                          .direction = direction,
                          .count = tile.count,
                          .active = tile.count,
                          .hidden = gathered || ahead > 0 ? 0 : 1,
                          .skip_hidden = !input->initial_h};
  sweep->step = (struct cpu_lstm_step){
      .cell = cell, .segments = sweep->hidden + 1, .hot_first = gathered ? 0 : -1, .started = ahead > 0};
  sweep->step.count[0] = cell->inputs;
  sweep->step.first[sweep->hidden] = cell->inputs;
  sweep->step.count[sweep->hidden] = cell->units;
  if (call->layer > 0)
    sweep->advance_in = sign * (ptrdiff_t)cpu->annotation_stride;
  else if (input->f32)
    sweep->advance_in = sign * (ptrdiff_t)cpu->config.features;
  sweep->advance_out = sign * (ptrdiff_t)(cpu->sides ? 2 * cpu->units_stride : cpu->annotation_stride);
  sweep->advance_copy = sign * (ptrdiff_t)cpu->config.annotation_width;
  for (int32_t i = 0; i < tile.count; i++)
    sweep_begin_row(sweep, worker, i);
}

/* On to the next position; the hidden state is where the last step put it. */
static void sweep_advance(struct sweep *sweep) {
  for (int32_t i = 0; i < sweep->active; i++) {
    struct cpu_lstm_row *row = &sweep->rows[i];
    row->in[0] += sweep->advance_in;
    row->in[sweep->hidden] = row->out;
    row->out += sweep->advance_out;
    if (row->copy)
      row->copy += sweep->advance_copy;
  }
}

/* What this step reads and is not in place: projections, ids, float64 input. */
static void sweep_load(struct sweep *sweep) {
  const struct backend_input *input = sweep->call->input;
  if (sweep->ahead > 0) {
    sweep_project(sweep);
    return;
  }
  if (sweep->call->layer > 0 || input->f32)
    return;
  for (int32_t i = 0; i < sweep->active; i++)
    if (input->ids)
      sweep->rows[i].hot =
          input->ids[(size_t)sweep->order[i] * (size_t)input->time + (size_t)position(sweep, i)];
    else
      input_row(sweep, i, 0, i);
}

/* One step of the rows that are not yet at their ends; false when there is none. */
static bool sweep_step(struct sweep *sweep) {
  const struct cpu *cpu = sweep->call->cpu;
  while (sweep->active > 0 && cpu->lengths[sweep->order[sweep->active - 1]] <= sweep->done)
    sweep->active--;
  if (sweep->active == 0)
    return false;
  if (sweep->done > 0)
    sweep_advance(sweep);
  sweep_load(sweep);
  struct cpu_lstm_step step = sweep->step;
  if (sweep->done == 0 && sweep->skip_hidden)
    step.segments--;
  cpu->kernels->lstm_step(&step, sweep->rows, sweep->active);
  sweep->done++;
  return true;
}

static void copy_state(float *to, size_t at, const float *state, size_t count) {
  if (to)
    memcpy(to + at, state, count * sizeof *to);
}

/* The final states: every row's pointers stand where its last step left them. */
static void sweep_end(const struct sweep *sweep) {
  const struct cpu_call *call = sweep->call;
  const struct cpu *cpu = call->cpu;
  const cuseq_encoding *encoding = call->encoding;
  const size_t H = (size_t)cpu->config.units, d = (size_t)sweep->direction, B = (size_t)call->input->batch;
  for (int32_t i = 0; i < sweep->count; i++) {
    const size_t b = (size_t)sweep->order[i];
    const float *h = sweep->rows[i].out, *c = sweep->rows[i].c;
    const size_t state = (((size_t)call->layer * (size_t)cpu->directions + d) * B + b) * H;
    copy_state(encoding->final_h, state, h, H);
    copy_state(encoding->final_c, state, c, H);
    if (call->layer < cpu->config.layers - 1)
      continue;
    copy_state(d == 0 ? encoding->h_fw : encoding->h_bw, b * H, h, H);
    copy_state(d == 0 ? encoding->c_fw : encoding->c_bw, b * H, c, H);
    copy_state(cpu->final_h, b * cpu->final_stride + d * H, h, H);
    copy_state(cpu->final_c, b * cpu->final_stride + d * H, c, H);
  }
}

/* Two directions of a few rows alternate: the second one's products hide the latency of the first one's
 * update. It pays while both directions' weights stay in the nearest caches. */
static bool sweeps_alternate(const struct cpu_call *call, struct cpu_tile tile) {
  const struct cpu_lstm *cell = &call->cpu->weights.encoder[call->layer][0];
  const size_t weights = (size_t)(cell->inputs + cell->units) * (size_t)cell->units * 4 * sizeof(float);
  return tile.count <= 6 && weights <= (size_t)256 * 1024;
}

void encoder_layer(const struct cpu_call *call, struct cpu_tile tile, int32_t worker, int32_t direction) {
  struct cpu *cpu = call->cpu;
  struct sweep sweeps[2];
  const bool all = direction < 0, both = all && cpu->directions == 2;
  const int32_t first = all ? 0 : direction;
  sweep_begin(&sweeps[0], call, tile, &cpu->workers[worker], first);
  if (both)
    sweep_begin(&sweeps[1], call, tile, &cpu->workers[worker], 1);
  if (both && sweeps_alternate(call, tile))
    while (sweep_step(&sweeps[0]) && sweep_step(&sweeps[1])) /* as many steps in both */
      ;
  while (sweep_step(&sweeps[0]))
    ;
  sweep_end(&sweeps[0]);
  if (both) {
    while (sweep_step(&sweeps[1]))
      ;
    sweep_end(&sweeps[1]);
  }
  if (all)
    encoder_merge(call, tile);
}

void encoder_merge(const struct cpu_call *call, struct cpu_tile tile) {
  const struct cpu *cpu = call->cpu;
  if (!cpu->sides)
    return;
  const size_t A = (size_t)cpu->config.annotation_width, U = cpu->units_stride;
  float *annotations = call->layer == cpu->config.layers - 1 ? call->encoding->annotations : NULL;
  for (int32_t i = 0; i < tile.count; i++) {
    const size_t b = (size_t)cpu->order[tile.first + i];
    for (size_t t = 0; t < (size_t)cpu->lengths[b]; t++) {
      const float *sides = cpu->sides + b * cpu->side_stride + 2 * t * U;
      float *out = layer_output(cpu, call->layer) + b * cpu->layer_stride + t * cpu->annotation_stride;
      cpu->kernels->merge(cpu->config.merge, sides, sides + U, cpu->config.units, out);
      copy_state(annotations, (b * (size_t)call->input->time + t) * A, out, A);
    }
  }
}

void encoder_clear(const struct cpu_call *call, struct cpu_tile tile) {
  const struct cpu *cpu = call->cpu;
  const size_t T = (size_t)call->input->time, A = (size_t)cpu->config.annotation_width;
  float *annotations = call->encoding->annotations;
  if (!annotations)
    return;
  for (int32_t i = 0; i < tile.count; i++) {
    const size_t b = (size_t)cpu->order[tile.first + i], length = (size_t)cpu->lengths[b];
    memset(annotations + (b * T + length) * A, 0, (T - length) * A * sizeof *annotations);
  }
}
