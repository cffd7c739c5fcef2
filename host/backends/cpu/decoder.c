/* The decoder over one tile: every step attends, feeds the cell and makes the output for the rows not yet
 * ended. */
#include "backends/cpu/cpu.h"

#include <string.h>

/* A state before the first step of the tile's rows: the caller's, or the model's from the encoder's final
 * state. */
static void initial_state(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile,
                          const float *given, const float *final, const struct cpu_dense *dense,
                          float *state) {
  const size_t S = (size_t)cpu->config.state_units, stride = cpu->state_stride;
  const int32_t *order = cpu->order + tile.first;
  memset(state, 0, (size_t)tile.count * stride * sizeof *state);
  if (!given && cpu->config.initial_state == CUSEQ_INITIAL_STATE_DENSE) {
    for (int32_t i = 0; i < tile.count; i++)
      worker->pointers[i] = final + (size_t)order[i] * cpu->final_stride;
    cpu->kernels->dense(dense, worker->pointers, tile.count, state, stride);
    for (int32_t i = 0; i < tile.count; i++) {
      float *row = state + (size_t)i * stride;
      cpu->kernels->activate(cpu->config.initial_activation, row, cpu->config.state_units);
      memset(row + S, 0, (stride - S) * sizeof *row);
    }
    return;
  }
  for (int32_t i = 0; i < tile.count; i++) {
    const size_t b = (size_t)order[i];
    const float *from = given ? given + b * S
                        : cpu->config.initial_state == CUSEQ_INITIAL_STATE_ENCODER
                            ? final + b * cpu->final_stride
                            : cpu->zeros;
    memcpy(state + (size_t)i * stride, from, S * sizeof *state);
  }
}

static void all_active(struct cpu_worker *worker, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    worker->active[i] = i;
}

void decoder_attend(struct cpu *cpu, struct cpu_tile tile, int32_t thread, const float *initial,
                    float *context, float *alphas) {
  struct cpu_worker *worker = &cpu->workers[thread];
  all_active(worker, tile.count);
  initial_state(cpu, worker, tile, initial, cpu->final_h, &cpu->weights.initial_h, worker->hidden[0]);
  const struct attention_out out = {context, alphas, (size_t)cpu->config.annotation_width, (size_t)cpu->time};
  attention_step(cpu, worker, tile, tile.count, worker->hidden[0], out);
}

/* What the steps of a tile share. */
struct run {
  struct cpu *cpu;
  struct cpu_worker *worker;
  const cuseq_decoding *decoding;
  struct cpu_tile tile;
  struct cpu_lstm_step step;
  int32_t hidden;  /* the segment that is the previous hidden state */
  bool zero_state; /* the first step's hidden state is zero */
  bool output;     /* someone wants the outputs or tokens */
};

static void run_begin(struct run *run) {
  const struct cpu *cpu = run->cpu;
  const cuseq_config *config = &cpu->config;
  const cuseq_decoding *decoding = run->decoding;
  const struct cpu_lstm *cell = &cpu->weights.decoder;
  const bool feedback = config->feedback == CUSEQ_FEEDBACK_OUTPUT,
             embedded = feedback && config->embedding_units > 0;
  struct cpu_lstm_step *step = &run->step;
  *step = (struct cpu_lstm_step){.cell = cell, .hot_first = -1};
  step->count[0] = config->annotation_width;
  run->hidden = embedded ? 2 : 1;
  if (embedded) {
    step->first[1] = config->annotation_width;
    step->count[1] = config->embedding_units;
  } else if (feedback) {
    step->hot_first = config->annotation_width;
  }
  step->first[run->hidden] = cell->inputs;
  step->count[run->hidden] = cell->units;
  step->segments = run->hidden + 1;
  run->zero_state = !decoding->initial_h && config->initial_state == CUSEQ_INITIAL_STATE_ZEROS;
  run->output = decoding->outputs || decoding->tokens || decoding->output_lengths || feedback;
}

/* The cell of the active rows, from hidden[y & 1] to the other. */
static void run_cell(struct run *run, int32_t y, int32_t count) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const size_t stride = cpu->state_stride, S = (size_t)cpu->config.state_units,
               E = (size_t)cpu->config.embedding_units;
  struct cpu_lstm_row *rows = worker->rows[0];
  for (int32_t n = 0; n < count; n++) {
    const size_t i = (size_t)worker->active[n], b = (size_t)cpu->order[run->tile.first + worker->active[n]];
    rows[n] = (struct cpu_lstm_row){.c = worker->cell + i * stride,
                                    .out = worker->hidden[(y + 1) & 1] + i * stride};
    rows[n].in[0] = worker->context + i * cpu->annotation_stride;
    if (run->hidden == 2)
      rows[n].in[1] = cpu->weights.embedding + (size_t)worker->token[i] * E;
    rows[n].hot = worker->token[i];
    rows[n].in[run->hidden] = worker->hidden[y & 1] + i * stride;
    if (run->decoding->states)
      rows[n].copy = run->decoding->states + (b * (size_t)run->decoding->steps + (size_t)y) * S;
  }
  struct cpu_lstm_step step = run->step;
  if (y == 0 && run->zero_state)
    step.segments--;
  cpu->kernels->lstm_step(&step, rows, count);
}

/* Outputs and tokens of the active rows. */
static void run_output(struct run *run, int32_t y, int32_t count) {
  const struct cpu *cpu = run->cpu;
  const cuseq_config *config = &cpu->config;
  const cuseq_decoding *decoding = run->decoding;
  struct cpu_worker *worker = run->worker;
  const size_t V = (size_t)config->outputs;
  for (int32_t n = 0; n < count; n++)
    worker->pointers[n] = worker->hidden[(y + 1) & 1] + (size_t)worker->active[n] * cpu->state_stride;
  cpu->kernels->dense(&cpu->weights.output, worker->pointers, count, worker->logits, cpu->output_stride);
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    const size_t at = (size_t)cpu->order[run->tile.first + i] * (size_t)decoding->steps + (size_t)y;
    float *logits = worker->logits + (size_t)n * cpu->output_stride;
    worker->token[i] = cpu->kernels->argmax(logits, config->outputs);
    if (decoding->tokens)
      decoding->tokens[at] = worker->token[i];
    if (!decoding->outputs)
      continue;
    if (config->output_activation == CUSEQ_ACTIVATION_SOFTMAX)
      cpu->kernels->softmax(logits, config->outputs, decoding->outputs + at * V);
    else
      memcpy(decoding->outputs + at * V, logits, V * sizeof(float));
  }
}

/* Row i made its last step, step y - 1: the state to go on from, and zeros in the steps that it does not
 * make. */
static void run_end_row(struct run *run, int32_t i, int32_t y) {
  const struct cpu *cpu = run->cpu;
  const cuseq_config *config = &cpu->config;
  const cuseq_decoding *decoding = run->decoding;
  const size_t b = (size_t)cpu->order[run->tile.first + i], S = (size_t)config->state_units;
  const size_t at = (size_t)i * cpu->state_stride;
  if (decoding->final_h)
    memcpy(decoding->final_h + b * S, run->worker->hidden[y & 1] + at, S * sizeof(float));
  if (decoding->final_c)
    memcpy(decoding->final_c + b * S, run->worker->cell + at, S * sizeof(float));
  if (decoding->output_lengths)
    decoding->output_lengths[b] = y;
  const struct {
    float *array;
    size_t width;
  } arrays[] = {{decoding->contexts, (size_t)config->annotation_width},
                {decoding->alphas, (size_t)cpu->time},
                {decoding->states, S},
                {decoding->outputs, (size_t)config->outputs}};
  const size_t first = b * (size_t)decoding->steps + (size_t)y, count = (size_t)(decoding->steps - y);
  for (int32_t k = 0; k < 4; k++)
    if (arrays[k].array)
      memset(arrays[k].array + first * arrays[k].width, 0, count * arrays[k].width * sizeof(float));
  for (size_t k = 0; k < count && decoding->tokens; k++)
    decoding->tokens[first + k] = config->end_token;
}

/* Takes the rows that emitted the end token off the active ones; returns how many are left. */
static int32_t run_drop_ended(struct run *run, int32_t y, int32_t count) {
  struct cpu_worker *worker = run->worker;
  int32_t left = 0;
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = worker->active[n];
    if (worker->token[i] == run->cpu->config.end_token)
      run_end_row(run, i, y + 1);
    else
      worker->active[left++] = i;
  }
  return left;
}

void decoder_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t thread) {
  struct cpu *cpu = call->cpu;
  const cuseq_decoding *decoding = call->decoding;
  if (!cpu->config.has_decoder) {
    decoder_attend(cpu, tile, thread, decoding->initial_h, decoding->contexts, decoding->alphas);
    return;
  }
  struct cpu_worker *worker = &cpu->workers[thread];
  struct run run = {.cpu = cpu, .worker = worker, .decoding = decoding, .tile = tile};
  const size_t A = (size_t)cpu->config.annotation_width, T = (size_t)cpu->time, Y = (size_t)decoding->steps;
  const bool ends = cpu->config.end_token >= 0;
  run_begin(&run);
  all_active(worker, tile.count);
  initial_state(cpu, worker, tile, decoding->initial_h, cpu->final_h, &cpu->weights.initial_h,
                worker->hidden[0]);
  initial_state(cpu, worker, tile, decoding->initial_c, cpu->final_c, &cpu->weights.initial_c, worker->cell);
  memset(worker->hidden[1], 0, (size_t)tile.count * cpu->state_stride * sizeof(float));
  for (int32_t i = 0; i < tile.count; i++)
    worker->token[i] = decoding->previous ? decoding->previous[cpu->order[tile.first + i]] : 0;
  int32_t count = tile.count, y = 0;
  for (; y < decoding->steps && count > 0; y++) {
    const struct attention_out out = {decoding->contexts ? decoding->contexts + (size_t)y * A : NULL,
                                      decoding->alphas ? decoding->alphas + (size_t)y * T : NULL, Y * A,
                                      Y * T};
    attention_step(cpu, worker, tile, count, worker->hidden[y & 1], out);
    run_cell(&run, y, count);
    if (run.output || ends)
      run_output(&run, y, count);
    if (ends)
      count = run_drop_ended(&run, y, count);
  }
  for (int32_t n = 0; n < count; n++)
    run_end_row(&run, worker->active[n], y);
}
