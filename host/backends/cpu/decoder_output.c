/* The output of a decoder's step. Where the best token is all that the next step needs it is looked for by
 * screening (screen.h); logits that the caller's arrays are made of then wait until there are some steps of
 * them, which read the weights together. */
#include "backends/cpu/decoder_run.h"
#include "backends/cpu/screen.h"

#include <string.h>

/* So many rows and fewer wait for the weights of a product, more for its sums: then screening is worth it
 * only where no logits are wanted. (Of 3,000 tokens one row gains 40% of a whole model, two 13%, three 4%;
 * four lose 15%.) */
enum { WAITING_ROWS = 3 };

/* ---- what is made of logits ---- */

/* Row i's probabilities, for its next step and for who wants them. */
static void run_probabilities(const struct run *run, int32_t i, float *logits, int32_t token, float *out) {
  struct cpu_fed fed[CPU_FED];
  cpu_run_fed(run, i, fed);
  output_activate(run->cpu, &run->cpu->structure->output.heads[0], logits, token, fed[2].vector);
  if (out)
    memcpy(out, fed[2].vector, (size_t)fed[2].width * sizeof *out);
  run->worker->token[i] = token;
}

/* The place of row i's step y in the caller's arrays. */
static size_t place_of(const struct run *run, int32_t y, int32_t i) {
  return (size_t)run->worker->number[i] * (size_t)run->decoding->steps + (size_t)y;
}

/* The caller's arrays for a step of which the best token is known; `outputs`: these too, which leave nothing
 * of the logits. */
static void logits_write(const struct run *run, size_t at, float *logits, int32_t token, bool outputs) {
  const struct cpu *cpu = run->cpu;
  const struct head *head = &cpu->structure->output.heads[0];
  const cuseq_decoding *d = run->decoding;
  const size_t V = (size_t)head->units;
  if (run->log_outputs || d->log_probabilities) {
    /* logarithms are made of the logits: of a probability that vanishes there is none */
    const float top = logits[token], log_sum = cpu->kernels->log_sum(logits, head->units, top);
    if (run->log_outputs)
      cpu->kernels->log_softmax(logits, head->units, top, log_sum, run->log_outputs + at * V);
    if (d->log_probabilities)
      d->log_probabilities[at] = logits[d->targets ? d->targets[at] : token] - top - log_sum;
  }
  if (d->tokens)
    d->tokens[at] = token;
  if (d->outputs && outputs)
    output_activate(cpu, head, logits, token, d->outputs + at * V);
}

/* ---- all logits at once ---- */

/* Outputs and tokens of some rows of step y. */
static void output_rows(struct run *run, int32_t y, const int32_t *rows, int32_t count) {
  struct cpu *cpu = run->cpu;
  const struct head *head = &cpu->structure->output.heads[0];
  const cuseq_decoding *d = run->decoding;
  struct cpu_worker *worker = run->worker;
  float *const ends[2] = {worker->chained, worker->read};
  /* what is read side by side lies in worker->read: the first layer must not write there */
  const int32_t layers = head->layers.count;
  const bool feeds = run->decoder->fed_probabilities > 0 && !d->targets;
  cpu_run_read(run, &head->parts, y, rows, count);
  chain_run(cpu, worker, &cpu->packed->weights.heads[0], worker->pointers, head->inputs, count,
            ends[(layers - 1) & 1], ends[layers & 1], cpu->read_stride, run->turned);
  for (int32_t n = 0; n < count; n++) {
    const int32_t i = rows[n];
    const size_t at = place_of(run, y, i);
    float *logits = ends[(layers - 1) & 1] + (size_t)n * cpu->read_stride;
    bool finite;
    const int32_t token = output_best(cpu, head, logits, &finite);
    if (!finite) {
      cpu_run_check_states(run, i, y + 1);
      cpu_note(cpu, (size_t)worker->number[i], y + 1, BACKEND_STAGE_OUTPUTS);
    }
    logits_write(run, at, logits, token, !feeds);
    if (feeds)
      run_probabilities(run, i, logits, token, d->outputs ? d->outputs + at * (size_t)head->units : NULL);
    else
      cpu_run_token(run, i, d->targets ? d->targets[at] : token);
  }
}

/* ---- screening ---- */

/* Makes the logits that wait. */
static void later_make(struct run *run) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  struct cpu_later *later = worker->later;
  const struct head *head = &cpu->structure->output.heads[0];
  const struct cpu_chain *chain = &cpu->packed->weights.heads[0];
  const size_t inputs = arena_padded(chain->layers[chain->count - 1].inputs),
               columns = arena_padded(head->units);
  const float *in[LATER_ROWS];
  if (later->count == 0)
    return;
  for (int32_t n = 0; n < later->count; n++)
    in[n] = later->inputs + (size_t)n * inputs;
  product_dense(cpu, worker, &chain->layers[chain->count - 1], in, later->count, later->logits, columns,
                false);
  for (int32_t n = 0; n < later->count; n++) {
    float *logits = later->logits + (size_t)n * columns;
    bool finite; /* they are: screen_takes() */
    const int32_t token = later->token[n] >= 0 ? later->token[n] : output_best(cpu, head, logits, &finite);
    logits_write(run, place_of(run, later->step[n], later->row[n]), logits, token, true);
  }
  later->count = 0;
}

/* Keeps what the last layer reads of row i in step y, whose token may be known, until its logits are made. */
static void later_add(struct run *run, int32_t y, int32_t i, const float *x, int32_t token) {
  const struct cpu_chain *chain = &run->cpu->packed->weights.heads[0];
  struct cpu_later *later = run->worker->later;
  const int32_t inputs = chain->layers[chain->count - 1].inputs;
  memcpy(later->inputs + (size_t)later->count * arena_padded(inputs), x, (size_t)inputs * sizeof *x);
  later->row[later->count] = i;
  later->step[later->count] = y;
  later->token[later->count] = token;
  if (++later->count == LATER_ROWS)
    later_make(run);
}

/* How a step's rows are screened. */
struct screened {
  bool tokens; /* the tokens are needed now */
  bool later;  /* the logits are wanted, and wait */
};

/* Whether the rows of a step are screened. */
static bool screens(const struct run *run, int32_t y, int32_t count, bool ends, struct screened *how) {
  const struct cpu *cpu = run->cpu;
  const cuseq_decoding *d = run->decoding;
  if (!cpu->screening || !cpu->packed->weights.screen.weights || run->log_outputs)
    return false;
  const bool fed = !d->targets && y + 1 < d->steps && (ends || run->decoder->feedback == FEEDBACK_OUTPUT);
  how->later = d->outputs || d->log_probabilities;
  how->tokens = fed || !how->later;
  return !how->later || count <= WAITING_ROWS || cpu->screen_all;
}

/* Some rows, at most SCREENED_ROWS, of which in[n] is what the head's last layer reads. Rows that cannot be
 * screened go to `plain`; returns how many. */
static int32_t screen_rows(struct run *run, int32_t y, const int32_t *rows, const float *const *in,
                           int32_t count, struct screened how, int32_t *plain) {
  const struct cpu *cpu = run->cpu;
  struct cpu_worker *worker = run->worker;
  const cuseq_decoding *d = run->decoding;
  const float *taken[SCREENED_ROWS];
  int32_t row[SCREENED_ROWS], tokens[SCREENED_ROWS], some = 0, others = 0;
  for (int32_t n = 0; n < count; n++)
    if (screen_takes(cpu, worker, in[n])) {
      taken[some] = in[n];
      row[some] = rows[n];
      tokens[some++] = -1;
    } else {
      plain[others++] = rows[n];
    }
  if (how.tokens && some > 0)
    screen_tokens(cpu, worker, taken, some, tokens);
  for (int32_t n = 0; n < some; n++) {
    const size_t at = place_of(run, y, row[n]);
    if (how.tokens && tokens[n] < 0) {
      plain[others++] = row[n];
      continue;
    }
    if (how.later)
      later_add(run, y, row[n], taken[n], tokens[n]);
    else if (d->tokens)
      d->tokens[at] = tokens[n];
    if (d->targets || how.tokens)
      cpu_run_token(run, row[n], d->targets ? d->targets[at] : tokens[n]);
  }
  return others;
}

/* The layers of the head in front of its last one: worker->pointers to what that reads. */
static void head_begin(struct run *run, int32_t y, const int32_t *rows, int32_t count) {
  const struct cpu *cpu = run->cpu;
  const struct head *head = &cpu->structure->output.heads[0];
  struct cpu_worker *worker = run->worker;
  struct cpu_chain before = cpu->packed->weights.heads[0];
  float *const ends[2] = {worker->chained, worker->read};
  cpu_run_read(run, &head->parts, y, rows, count);
  if (--before.count > 0)
    chain_run(cpu, worker, &before, worker->pointers, head->inputs, count, ends[(before.count - 1) & 1],
              ends[before.count & 1], cpu->read_stride, run->turned);
}

void cpu_run_output(struct run *run, int32_t y, int32_t count, bool ends) {
  struct cpu_worker *worker = run->worker;
  struct screened how;
  if (!screens(run, y, count, ends, &how)) {
    output_rows(run, y, worker->active, count);
    return;
  }
  head_begin(run, y, worker->active, count);
  int32_t *plain = worker->some, others = 0;
  for (int32_t first = 0; first < count; first += SCREENED_ROWS) {
    const int32_t here = count - first < SCREENED_ROWS ? count - first : SCREENED_ROWS;
    others +=
        screen_rows(run, y, worker->active + first, worker->pointers + first, here, how, plain + others);
  }
  if (others > 0)
    output_rows(run, y, plain, others);
}

void cpu_run_output_end(struct run *run) {
  if (run->worker->later)
    later_make(run);
}
