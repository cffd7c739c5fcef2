/* The decoder over one tile: every step attends, feeds the cells, layer by layer, and makes the output for
 * the rows that have not ended. */
#include "backends/cpu/decoder_run.h"

#include <math.h>
#include <string.h>

void cpu_run_read(struct run *run, const struct parts *parts, int32_t y, const int32_t *rows, int32_t count) {
  struct cpu_worker *worker = run->worker;
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = rows[n];
    if (parts->count == 1) {
      worker->pointers[n] = part_of(run, parts->list[0], y, i);
      continue;
    }
    float *to = worker->read + (size_t)n * run->cpu->read_stride;
    worker->pointers[n] = to;
    for (int32_t p = 0; p < parts->count; p++) {
      const size_t width = (size_t)structure_part_width(run->cpu->structure, parts->list[p]);
      memcpy(to, part_of(run, parts->list[p], y, i), width * sizeof *to);
      to += width;
    }
  }
}

/* The active rows without folded values for this reader, and then those that have them: worker->some. Returns
 * how many the former are. */
static int32_t rows_part(const struct run *run, enum cpu_reader reader, int32_t count) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  int32_t plain = 0, end = count;
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    const bool folded = cpu->fold.reader == reader && folded_has(&cpu->fold.values, worker->encoded[i]);
    worker->some[folded ? --end : plain++] = i;
  }
  return plain;
}

/* ---- a step ---- */

/* What the caller gives of the step: products read whole vectors, which his array does not have. */
static void run_given(const struct run *run, int32_t y, int32_t count) {
  const struct cpu_worker *worker = run->worker;
  const cuseq_decoding *d = run->decoding;
  const size_t G = (size_t)run->decoder->given_width, Y = (size_t)d->steps;
  for (int32_t n = 0; n < count && G > 0; n++) {
    const int32_t i = worker->active[n];
    memcpy(worker->numbers + (size_t)i * run->cpu->numbers_stride,
           d->given + ((size_t)worker->number[i] * Y + (size_t)y) * G, G * sizeof(float));
  }
}

static void run_attend(struct run *run, int32_t y, int32_t count, const float **asks) {
  const cuseq_decoding *d = run->decoding;
  const size_t C = (size_t)run->cpu->structure->attention.context_width, T = (size_t)run->cpu->time,
               Y = (size_t)d->steps;
  const struct attention_out out = {d->contexts ? d->contexts + (size_t)y * C : NULL,
                                    d->alphas ? d->alphas + (size_t)y * T : NULL, Y * C, Y * T, y + 1};
  attention_step(run->cpu, run->worker, count, asks, out);
}

/* Attention that looks before the cells. */
static void run_attend_before(struct run *run, int32_t y, int32_t count) {
  const struct attention_structure *attention = &run->cpu->structure->attention;
  struct cpu_worker *worker = run->worker;
  if (!attention->present || attention->asks == ASKS_CURRENT)
    return;
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    worker->pointers[n] = attention->asks == ASKS_TOKEN ? part_of(run, PART_TOKEN, y, i)
                                                        : hidden_of(run, attention->asked_layer, y, i);
  }
  run_attend(run, y, count, worker->pointers);
}

/* Where the sums of layer l's next step begin that are made early. */
static float *begun_of(const struct run *run, int32_t l) {
  return run->worker->begun + 4 * run->cpu->state_offset[l];
}

/* How some rows go through a layer: with the state in front, and the first one after the folded values. */
struct layer_run {
  int32_t number;
  bool state_first, folded;
};

/* What the cell of a layer reads, adds to and writes for tile-local row i, by step.segments' order, with the
 * state in front or behind. Every member that the step looks at is set: to zero a row first costs as much as
 * to fill it. */
static void run_row(const struct run *run, const struct layer_run *layer, int32_t y, int32_t i,
                    struct cpu_cell_row *row) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  const struct parts *reads = layer->folded ? &run->reads_rest : &run->decoder->reads;
  const int32_t l = layer->number;
  const size_t state = (size_t)i * cpu->states_stride + cpu->state_offset[l];
  int32_t s = 0;
  if (layer->state_first)
    row->in[s++] = worker->hidden[y & 1] + state;
  for (int32_t p = 0; l == 0 && p < reads->count; p++)
    if (reads->list[p] != PART_TOKEN || !reads_hot(run))
      row->in[s++] = part_of(run, reads->list[p], y, i);
  if (l > 0)
    row->in[s++] = given_of(run, l - 1, y, i);
  if (run->decoder->layers[l].reads_context)
    row->in[s++] = part_of(run, PART_CONTEXT, y, i);
  if (!layer->state_first)
    row->in[s] = worker->hidden[y & 1] + state;
  row->state = worker->kept + state;
  row->out = worker->hidden[(y + 1) & 1] + state;
  row->copy = NULL;
  row->gates = NULL;
  row->hot = worker->token[i];
  row->start = layer->folded ? folded_sum_of(cpu, worker, i) : run->begun ? begun_of(run, l) : NULL;
}

static void layer_rows(struct run *run, int32_t l, int32_t y, const int32_t *active, int32_t count,
                       bool folded) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const struct decoder_layer *layer = &run->decoder->layers[l];
  const size_t S = (size_t)layer->cell.units, Y = (size_t)run->decoding->steps;
  const bool copies = l == run->decoder->count - 1 && run->decoding->states && !layer->residual;
  const bool has_state = (y > 0 || !run->zero_state[l]) && !run->begun,
             first = cpu->state_first && has_state && !folded;
  const struct layer_run of = {l, first, folded};
  struct cpu_cell_step *step = folded ? &run->step_rest : first ? &run->whole[l] : &run->steps[l];
  struct cpu_cell_row *rows = worker->rows[0];
  step->has_hidden = has_state && !first;
  step->started = run->begun || folded;
  step->turned = run->turned;
  for (int32_t n = 0; n < count; n++) {
    run_row(run, &of, y, active[n], &rows[n]);
    if (worker->gates[0])
      rows[n].gates = worker->gates[0] + (size_t)n * 4 * arena_padded(layer->cell.units);
    if (copies)
      rows[n].copy = run->decoding->states + ((size_t)worker->number[active[n]] * Y + (size_t)y) * S;
  }
  product_step(cpu, worker, &(struct product_step){step, rows, count});
}

static void run_layer(struct run *run, int32_t l, int32_t y, int32_t count) {
  const struct cpu_worker *worker = run->worker;
  if (l > 0 || run->cpu->fold.reader != READER_CELL) {
    layer_rows(run, l, y, worker->active, count, false);
    return;
  }
  const int32_t plain = rows_part(run, READER_CELL, count);
  if (plain > 0)
    layer_rows(run, l, y, worker->some, plain, false);
  if (plain < count)
    layer_rows(run, l, y, worker->some + plain, count - plain, true);
}

/* Of one row: the state's part of layer l's next sums, with the weights that the layer has just used, the
 * last ones first. */
static void run_begin_next(const struct run *run, int32_t l, int32_t y) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_cell *cell = run->steps[l].cell;
  const struct cpu_cell state = cpu_cell_inputs(cell, cell->inputs, cell->units, cpu->kernels->width);
  const struct cpu_cell_row row = {.in = {hidden_of(run, l, y + 1, run->worker->active[0])},
                                   .out = begun_of(run, l)};
  product_project(cpu, run->worker, &state, &row, 1, !run->turned);
}

/* A residual layer gives its state and what it read of the layer below. */
static void run_residual(struct run *run, int32_t l, int32_t y, int32_t count) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  const size_t S = (size_t)run->decoder->layers[l].cell.units, Y = (size_t)run->decoding->steps;
  for (int32_t n = 0; n < count && run->decoder->layers[l].residual; n++) {
    const int32_t i = worker->active[n];
    const float *below = given_of(run, l - 1, y, i), *h = hidden_of(run, l, y + 1, i);
    float *given = worker->given + (size_t)i * cpu->states_stride + cpu->state_offset[l];
    for (size_t j = 0; j < S; j++)
      given[j] = h[j] + below[j];
    if (l == run->decoder->count - 1 && run->decoding->states)
      memcpy(run->decoding->states + ((size_t)worker->number[i] * Y + (size_t)y) * S, given,
             S * sizeof *given);
  }
}

static void run_layers(struct run *run, int32_t y, int32_t count) {
  const struct attention_structure *attention = &run->cpu->structure->attention;
  struct cpu_worker *worker = run->worker;
  /* every other step of the last row: see plan_state_first() */
  const bool early = run->cpu->state_first && count == 1 && worker->parts <= 1 && !run->turned &&
                     y + 1 < run->decoding->steps && rows_part(run, READER_CELL, 1) == 1;
  for (int32_t l = 0; l < run->decoder->count; l++) {
    run_layer(run, l, y, count);
    if (early)
      run_begin_next(run, l, y);
    run_residual(run, l, y, count);
    if (!attention->present || attention->asks != ASKS_CURRENT || attention->asked_layer != l)
      continue;
    for (int32_t n = 0; n < count; n++)
      worker->pointers[n] = given_of(run, l, y, worker->active[n]);
    run_attend(run, y, count, worker->pointers);
  }
  run->begun = early;
}

/* Of some rows: of all that the layer reads, or of what is left beside the sums of folded values. */
static void attentional_rows(struct run *run, int32_t y, const int32_t *rows, int32_t count, bool folded) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const struct attentional_structure *attentional = &run->decoder->attentional;
  const struct cpu_weights *weights = &cpu->packed->weights;
  const int32_t units = attentional->dense.units;
  cpu_run_read(run, folded ? &run->attentional_rest : &attentional->parts, y, rows, count);
  chain_run(cpu, worker, folded ? &weights->fold.attentional_rest : &weights->attentional, worker->pointers,
            attentional->dense.inputs, count, worker->chained, NULL, cpu->read_stride, run->turned);
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = rows[n];
    float *to = worker->attentional + (size_t)i * cpu->attentional_stride;
    const float *from = worker->chained + (size_t)n * cpu->read_stride;
    if (!folded) {
      memcpy(to, from, cpu->attentional_stride * sizeof *to);
      continue;
    }
    cpu->kernels->merge(CUSEQ_MERGE_SUM, from, folded_sum_of(cpu, worker, i), units, to);
    cpu->kernels->activate(attentional->dense.activation, to, units);
  }
}

static void run_attentional(struct run *run, int32_t y, int32_t count) {
  const int32_t *rows = run->worker->some;
  if (!run->decoder->attentional.present)
    return;
  const int32_t plain = rows_part(run, READER_ATTENTIONAL, count);
  if (plain > 0)
    attentional_rows(run, y, rows, plain, false);
  if (plain < count)
    attentional_rows(run, y, rows + plain, count - plain, true);
}

void cpu_run_check_states(struct run *run, int32_t i, int32_t y) {
  struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  const size_t row = (size_t)worker->number[i];
  for (int32_t l = 0; l < run->decoder->count; l++) {
    const int32_t units = run->decoder->layers[l].cell.units;
    cpu_check(cpu, row, y, BACKEND_STAGE_DECODER, hidden_of(run, l, y, i), units);
    cpu_check(cpu, row, y, BACKEND_STAGE_DECODER,
              worker->kept + (size_t)i * cpu->states_stride + cpu->state_offset[l], units);
  }
  if (run->decoder->attentional.present)
    cpu_check(cpu, row, y, BACKEND_STAGE_DECODER, worker->attentional + (size_t)i * cpu->attentional_stride,
              run->decoder->attentional.dense.units);
}

/* ---- the end ---- */

/* Zeros in the steps that row b does not make; of tokens the end token. */
static void clear_past_end(const struct run *run, size_t b, int32_t y) {
  const struct cpu *cpu = run->cpu;
  const cuseq_decoding *d = run->decoding;
  const size_t first = b * (size_t)d->steps + (size_t)y, count = (size_t)(d->steps - y);
  CALL_EACH (array, CALL_DECODING) {
    if (array < BACKEND_INPUTS || call_arrays[array].rows != CALL_PER_STEP || array == BACKEND_TOKENS ||
        !call_pointer(array, d))
      continue;
    const size_t width = call_row_elements(&cpu->model->config, array, cpu->time, 1);
    memset((float *)call_pointer(array, d) + first * width, 0, count * width * sizeof(float));
  }
  for (size_t k = 0; k < count && d->tokens; k++)
    d->tokens[first + k] = run->decoder->end_token >= 0 ? run->decoder->end_token : 0;
}

/* Row i made its last step, step y - 1: the state to go on from. */
static void run_end_row(struct run *run, int32_t i, int32_t y) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  const cuseq_decoding *d = run->decoding;
  const size_t b = (size_t)worker->number[i], all = (size_t)run->decoder->state_width;
  size_t before = 0;
  cpu_run_check_states(run, i,
                       y); /* states that were not finite at an earlier step are not at the last one */
  for (int32_t l = 0; l < run->decoder->count; l++) {
    const size_t units = (size_t)run->decoder->layers[l].cell.units;
    const bool has_c = cell_has_c(run->decoder->layers[l].cell.kind);
    const float *kept = worker->kept + (size_t)i * cpu->states_stride + cpu->state_offset[l];
    if (d->final_h)
      memcpy(d->final_h + b * all + before, hidden_of(run, l, y, i), units * sizeof(float));
    if (d->final_c)
      memcpy(d->final_c + b * all + before, has_c ? kept : cpu->zeros, units * sizeof(float));
    before += units;
  }
  if (d->final_fed) {
    float *to = d->final_fed + b * (size_t)run->decoder->fed_width;
    struct cpu_fed fed[CPU_FED];
    cpu_run_fed(run, i, fed);
    for (int32_t f = 0; f < CPU_FED; to += fed[f++].width)
      memcpy(to, fed[f].vector, (size_t)fed[f].width * sizeof *to);
  }
  if (d->output_lengths)
    d->output_lengths[b] = y;
  if (y < d->steps)
    clear_past_end(run, b, y);
}

/* Takes the rows that are done off the active ones: those that emitted the end token, or whose targets end;
 * returns how many are left. */
static int32_t run_drop_ended(struct run *run, int32_t y, int32_t count) {
  struct cpu_worker *worker = run->worker;
  const cuseq_decoding *d = run->decoding;
  int32_t left = 0;
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    const bool ended = d->targets ? d->target_lengths && d->target_lengths[worker->number[i]] == y + 1
                                  : worker->token[i] == run->decoder->end_token;
    if (ended)
      run_end_row(run, i, y + 1);
    else
      worker->active[left++] = i;
  }
  return left;
}

void decoder_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t thread) {
  struct cpu *cpu = call->cpu;
  const cuseq_decoding *decoding = call->decoding;
  struct run run = {.cpu = cpu,
                    .worker = &cpu->workers[thread],
                    .decoding = decoding,
                    .log_outputs = call->log_outputs,
                    .decoder = &cpu->structure->decoder,
                    .tile = tile};
  const bool ends = decoding->targets ? decoding->target_lengths != NULL : run.decoder->end_token >= 0;
  int32_t count = tile.count, y = 0;
  cpu_run_begin(&run, call);
  for (; y < decoding->steps && count > 0; y++) {
    run.turned = (call->number + (uint32_t)y) & 1;
    run_given(&run, y, count);
    run_attend_before(&run, y, count);
    run_layers(&run, y, count);
    run_attentional(&run, y, count);
    if (run.output || (ends && !decoding->targets))
      cpu_run_output(&run, y, count, ends);
    else if (decoding->targets)
      for (int32_t n = 0; n < count; n++)
        cpu_run_token(
            &run, run.worker->active[n],
            decoding->targets[(size_t)run.worker->number[run.worker->active[n]] * (size_t)decoding->steps +
                              (size_t)y]);
    if (ends)
      count = run_drop_ended(&run, y, count);
  }
  for (int32_t n = 0; n < count; n++)
    run_end_row(&run, run.worker->active[n], y);
  cpu_run_output_end(&run);
}
