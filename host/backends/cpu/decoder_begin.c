/* What a tile's rows begin to decode with. */
#include "backends/cpu/decoder_run.h"
#include "backends/cpu/plan.h"

#include <string.h>

/* The caller's states of a layer, as rows of the worker. */
static void states_copy(const struct run *run, const float *given, int32_t layer, float *state) {
  const struct cpu *cpu = run->cpu;
  const size_t units = (size_t)run->decoder->layers[layer].cell.units,
               all = (size_t)run->decoder->state_width;
  size_t before = 0;
  for (int32_t l = 0; l < layer; l++)
    before += (size_t)run->decoder->layers[l].cell.units;
  for (int32_t i = 0; i < run->tile.count; i++) {
    float *to = state + (size_t)i * cpu->states_stride;
    memset(to, 0, arena_padded((int32_t)units) * sizeof *to);
    if (given)
      memcpy(to, given + (size_t)run->worker->number[i] * all + before, units * sizeof *to);
  }
}

static void layer_begin(struct run *run, int32_t l) {
  struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const cuseq_decoding *decoding = run->decoding;
  const struct decoder_layer *layer = &run->decoder->layers[l];
  const struct cpu_decoder_layer *weights = &cpu->packed->weights.decoder[l];
  const int32_t units = layer->cell.units, count = run->tile.count;
  const size_t stride = cpu->states_stride;
  const bool has_c = cell_has_c(layer->cell.kind);
  float *h = worker->hidden[0] + cpu->state_offset[l], *kept = worker->kept + cpu->state_offset[l];
  run->zero_state[l] = !decoding->initial_h && layer->initial_h.from == INITIAL_ZEROS;
  for (int32_t i = 0; i < count; i++)
    memset(worker->hidden[1] + (size_t)i * stride + cpu->state_offset[l], 0,
           arena_padded(units) * sizeof(float));
  if (decoding->initial_h) {
    states_copy(run, decoding->initial_h, l, h);
    states_copy(run, has_c ? decoding->initial_c : decoding->initial_h, l, kept);
    return;
  }
  initial_state(cpu, worker, count, &layer->initial_h, &weights->initial_h, units, h, stride);
  if (has_c)
    initial_state(cpu, worker, count, &layer->initial_c, &weights->initial_c, units, kept, stride);
  const bool from_c = has_c && layer->initial_h.from == INITIAL_OTHER,
             from_h = !has_c || layer->initial_c.from == INITIAL_OTHER;
  for (int32_t i = 0; i < count; i++) {
    const size_t at = (size_t)i * stride, bytes = arena_padded(units) * sizeof(float);
    if (from_c)
      memcpy(h + at, kept + at, bytes);
    else if (from_h)
      memcpy(kept + at, h + at, bytes);
  }
}

void cpu_run_fed(const struct run *run, int32_t i, struct cpu_fed fed[CPU_FED]) {
  const struct cpu *cpu = run->cpu;
  const struct cpu_worker *worker = run->worker;
  const struct decoder_structure *decoder = run->decoder;
  const size_t at = (size_t)i;
  fed[0] = (struct cpu_fed){worker->attentional + at * cpu->attentional_stride, decoder->fed_attentional};
  fed[1] = (struct cpu_fed){worker->context + at * cpu->context_stride, decoder->fed_context};
  fed[2] = (struct cpu_fed){worker->one_hot + at * cpu->token_stride, decoder->fed_probabilities};
}

/* What the step before handed on; tokens are there. */
static void fed_begin(struct run *run) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  for (int32_t i = 0; i < run->tile.count; i++) {
    const float *given = run->decoding->initial_fed;
    struct cpu_fed fed[CPU_FED];
    memset(worker->attentional + (size_t)i * cpu->attentional_stride, 0,
           cpu->attentional_stride * sizeof *worker->attentional);
    memset(worker->context + (size_t)i * cpu->context_stride, 0,
           cpu->context_stride * sizeof *worker->context);
    if (!given)
      continue;
    given += (size_t)worker->number[i] * (size_t)run->decoder->fed_width;
    cpu_run_fed(run, i, fed);
    for (int32_t f = 0; f < CPU_FED; given += fed[f++].width)
      memcpy(fed[f].vector, given, (size_t)fed[f].width * sizeof *given);
  }
}

void cpu_run_token(struct run *run, int32_t i, int32_t token) {
  struct cpu_worker *worker = run->worker;
  if (run->cpu->token_stride > 0) {
    float *vector = worker->one_hot + (size_t)i * run->cpu->token_stride;
    if (run->decoder->fed_probabilities > 0)
      memset(vector, 0, (size_t)run->decoder->tokens * sizeof *vector);
    else
      vector[worker->token[i]] = 0.0f;
    if (token >= 0)
      vector[token] = 1.0f;
  }
  worker->token[i] = token;
}

/* How the cell of a layer puts its input together; `folded`: without the context. */
static struct cpu_cell_step step_of(const struct run *run, int32_t l, bool folded) {
  const struct structure *s = run->cpu->structure;
  const struct decoder_layer *layer = &run->decoder->layers[l];
  struct cpu_cell_step step = {
      .cell = &run->cpu->packed->weights.decoder[l].cell, .hot_first = -1, .room = run->worker->room};
  int32_t at = plan_reads_row(s, run->decoder->reads.count);
  for (int32_t p = 0; l == 0 && p < run->decoder->reads.count; p++) {
    const enum part part = run->decoder->reads.list[p];
    if (part == PART_TOKEN && step.cell->token_sums)
      continue;
    if (part == PART_TOKEN && reads_hot(run)) {
      step.hot_first = plan_reads_row(s, p);
    } else if (part != PART_CONTEXT || !folded) {
      step.first[step.segments] = plan_reads_row(s, p);
      step.count[step.segments++] = structure_part_width(s, part);
    }
  }
  if (l > 0) {
    step.count[step.segments++] = run->decoder->layers[l - 1].cell.units;
    at = run->decoder->layers[l - 1].cell.units;
  }
  if (layer->reads_context) {
    step.first[step.segments] = at;
    step.count[step.segments++] = s->attention.context_width;
  }
  step.first[step.segments] = step.cell->inputs;
  step.count[step.segments] = layer->cell.units;
  step.has_hidden = true;
  step.part.count = step.cell->blocks;
  return step;
}

/* The same with the state in front, as one more segment: for LSTMs, whose weights of inputs and states are
 * alike. */
static struct cpu_cell_step state_first(const struct cpu_cell_step *step) {
  const int32_t last = step->segments;
  struct cpu_cell_step whole = *step;
  whole.first[0] = step->first[last];
  whole.count[0] = step->count[last];
  for (int32_t s = 0; s < last; s++) {
    whole.first[s + 1] = step->first[s];
    whole.count[s + 1] = step->count[s];
  }
  whole.segments = last + 1;
  whole.has_hidden = false;
  return whole;
}

void cpu_run_begin(struct run *run, const struct cpu_call *call) {
  struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const cuseq_decoding *d = call->decoding;
  for (int32_t i = 0; i < run->tile.count; i++) {
    const int32_t at = run->tile.first + i;
    worker->active[i] = i;
    worker->number[i] = d->rows ? at : cpu->order[at];
    worker->encoded[i] = d->rows ? d->rows[at] : cpu->order[at];
    worker->token[i] = 0;
    if (cpu->token_stride > 0)
      memset(worker->one_hot + (size_t)i * cpu->token_stride, 0, cpu->token_stride * sizeof(float));
    if (cpu->numbers_stride > 0)
      memset(worker->numbers + (size_t)i * cpu->numbers_stride, 0, cpu->numbers_stride * sizeof(float));
    cpu_run_token(run, i, d->previous ? d->previous[worker->number[i]] : 0);
  }
  for (int32_t l = 0; l < run->decoder->count; l++) {
    run->steps[l] = step_of(run, l, false);
    if (cpu->state_first)
      run->whole[l] = state_first(&run->steps[l]);
    layer_begin(run, l);
  }
  run->reads_rest = fold_parts(&run->decoder->reads);
  run->attentional_rest = fold_parts(&run->decoder->attentional.parts);
  if (cpu->fold.reader == READER_CELL)
    run->step_rest = step_of(run, 0, true);
  fed_begin(run);
  run->output =
      d->outputs || d->tokens || d->output_lengths || d->log_probabilities || run->log_outputs ||
      ((run->decoder->feedback == FEEDBACK_OUTPUT || run->decoder->fed_probabilities > 0) && !d->targets);
}
