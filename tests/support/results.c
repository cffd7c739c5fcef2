#include "support/results.h"

#include "support/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 16 };
static const float poison = -7.0e33f;

static char report[512];

const char *results_report(void) {
  return report;
}

/* [count] poisoned values between two guard bands that hold the same poison. */
static float *guarded(size_t count) {
  float *memory = malloc((count + 2 * GUARD) * sizeof *memory);
  if (!memory)
    abort();
  for (size_t i = 0; i < count + 2 * GUARD; i++)
    memory[i] = poison;
  return memory + GUARD;
}

static float *add(struct results *results, int index, const char *name, size_t rows, size_t columns) {
  float *data = rows && columns ? guarded(rows * columns) : NULL;
  results->floats[index] = (struct results_floats){name, data, rows, columns};
  return data;
}

void results_make(struct results *results, const cuseq_model *model, int32_t batch, int32_t time,
                  int32_t steps) {
  const cuseq_config *config = cuseq_model_config(model);
  int both = config->direction == CUSEQ_DIRECTION_BIDIRECTIONAL, decoder = config->has_decoder;
  size_t B = (size_t)batch, T = (size_t)time, Y = (size_t)steps, H = (size_t)config->units;
  size_t A = (size_t)config->annotation_width, S = (size_t)config->state_units, V = (size_t)config->outputs;
  size_t states = (size_t)config->layers * (both ? 2 : 1) * B;
  memset(results, 0, sizeof *results);
  results->B = batch;
  results->Y = steps;
  results->V = config->outputs;
  cuseq_encoding *encoding = &results->encoding;
  cuseq_decoding *decoding = &results->decoding;
  encoding->annotations = add(results, 0, "annotations", B, T * A);
  encoding->h_fw = add(results, 1, "h_fw", B, H);
  encoding->c_fw = add(results, 2, "c_fw", B, H);
  encoding->h_bw = add(results, 3, "h_bw", both ? B : 0, H);
  encoding->c_bw = add(results, 4, "c_bw", both ? B : 0, H);
  encoding->final_h = add(results, 5, "final_h of the encoder", states, H);
  encoding->final_c = add(results, 6, "final_c of the encoder", states, H);
  decoding->steps = decoder ? steps : 1;
  decoding->contexts = add(results, 7, "contexts", B, Y * A);
  decoding->alphas = add(results, 8, "alphas", B, Y * T);
  decoding->states = add(results, 9, "states", decoder ? B : 0, Y * S);
  decoding->outputs = add(results, 10, "outputs", decoder ? B : 0, Y * V);
  decoding->final_h = add(results, 11, "final_h of the decoder", decoder ? B : 0, S);
  decoding->final_c = add(results, 12, "final_c of the decoder", decoder ? B : 0, S);
  if (decoder) {
    decoding->tokens = results->tokens = (int32_t *)guarded(B * Y);
    decoding->output_lengths = results->output_lengths = (int32_t *)guarded(B);
  }
}

void results_free(struct results *results) {
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (results->floats[i].data)
      free(results->floats[i].data - GUARD);
  if (results->tokens) {
    free((float *)results->tokens - GUARD);
    free((float *)results->output_lengths - GUARD);
  }
}

static int guard_whole(const void *data, size_t count) {
  const float *values = (const float *)data - GUARD;
  for (size_t i = 0; i < GUARD; i++)
    if (memcmp(&values[i], &poison, sizeof poison) != 0 ||
        memcmp(&values[GUARD + count + i], &poison, sizeof poison) != 0)
      return 0;
  return 1;
}

int results_guards_whole(const struct results *results, const char **name) {
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    const struct results_floats *floats = &results->floats[i];
    *name = floats->name;
    if (floats->data && !guard_whole(floats->data, floats->rows * floats->columns))
      return 0;
  }
  *name = "tokens";
  if (results->tokens && !guard_whole(results->tokens, (size_t)results->B * results->Y))
    return 0;
  *name = "output_lengths";
  return !results->tokens || guard_whole(results->output_lengths, (size_t)results->B);
}

/* How far the best output of a step is ahead of the second best. */
static double lead(const float *outputs, int32_t V) {
  double best = -INFINITY, second = -INFINITY;
  for (int32_t v = 0; v < V; v++) {
    double value = (double)outputs[v];
    second = value > best ? best : value > second ? value : second;
    best = value > best ? value : best;
  }
  return best - second;
}

/* The number of steps of a row that can be compared: up to the first token that differs for a lead within the
 * tolerance; -1 where a token differs that must not. */
static int32_t steps_alike(const struct results *got, const struct results *want, int32_t b,
                           double tolerance) {
  const float *outputs = want->floats[10].data + (size_t)b * want->floats[10].columns;
  for (int32_t y = 0; y < want->Y; y++) {
    int32_t mine = got->tokens[b * got->Y + y], yours = want->tokens[b * want->Y + y];
    if (mine == yours)
      continue;
    if (!(lead(outputs + (size_t)y * want->V, want->V) <= 2 * tolerance)) {
      snprintf(report, sizeof report, "tokens[%d,%d]: got %d, want %d", (int)b, (int)y, (int)mine,
               (int)yours);
      return -1;
    }
    return y;
  }
  return want->Y;
}

/* Whether a decoding's array may only be compared as far as the tokens are alike. */
static int by_steps(int index) {
  return index >= 7 && index <= 10;
}

int results_close(const struct results *got, const struct results *want, double tolerance) {
  for (int32_t b = 0; b < want->B; b++) {
    int32_t steps = want->tokens ? steps_alike(got, want, b, tolerance) : want->Y;
    if (steps < 0)
      return 0;
    for (int i = 0; i < RESULTS_FLOATS; i++) {
      const struct results_floats *floats = &want->floats[i];
      if (!floats->data || (i > 10 && steps < want->Y))
        continue;
      size_t per_batch = floats->rows / (size_t)want->B, columns = floats->columns;
      if (by_steps(i))
        columns = columns / (size_t)want->Y * (size_t)(steps < want->Y ? steps + 1 : steps);
      for (size_t block = 0; block < per_batch; block++) {
        size_t at = (block * (size_t)want->B + (size_t)b) * floats->columns;
        if (!compare_f32(got->floats[i].data + at, floats->data + at, columns, tolerance)) {
          snprintf(report, sizeof report, "%s, row %d: %s", floats->name, (int)b, compare_report());
          return 0;
        }
      }
    }
    if (want->tokens && steps == want->Y && got->output_lengths[b] != want->output_lengths[b]) {
      snprintf(report, sizeof report, "output_lengths[%d]: got %d, want %d", (int)b,
               (int)got->output_lengths[b], (int)want->output_lengths[b]);
      return 0;
    }
  }
  return 1;
}

int results_same_row(const struct results *got, int32_t got_row, const struct results *want,
                     int32_t want_row) {
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    const struct results_floats *a = &got->floats[i], *b = &want->floats[i];
    for (size_t block = 0; b->data && block < b->rows / (size_t)want->B; block++) {
      size_t from = (block * (size_t)got->B + (size_t)got_row) * a->columns;
      size_t to = (block * (size_t)want->B + (size_t)want_row) * b->columns;
      if (!compare_bytes(a->data + from, b->data + to, b->columns * sizeof(float))) {
        snprintf(report, sizeof report, "%s, row %d against row %d: %s", b->name, (int)got_row, (int)want_row,
                 compare_report());
        return 0;
      }
    }
  }
  size_t Y = (size_t)want->Y;
  if (want->tokens &&
      (memcmp(got->tokens + (size_t)got_row * Y, want->tokens + (size_t)want_row * Y, Y * 4) != 0 ||
       got->output_lengths[got_row] != want->output_lengths[want_row])) {
    snprintf(report, sizeof report, "tokens, row %d against row %d", (int)got_row, (int)want_row);
    return 0;
  }
  return 1;
}

void results_run(struct results *results, const cuseq_model *model, const char *device, int32_t threads,
                 const cuseq_input *input) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, model);
  options.device = device;
  options.max_batch = input->batch;
  options.max_time = input->time;
  options.max_steps = results->Y;
  options.threads = threads;
  cuseq_session *session;
  cuseq_status status = cuseq_session_open(model, &options, &session);
  if (status == CUSEQ_STATUS_OK)
    status = cuseq_run(session, input, &results->encoding, &results->decoding);
  if (status != CUSEQ_STATUS_OK) {
    fprintf(stderr, "results_run on %s: %s\n", device, cuseq_last_error());
    abort();
  }
  cuseq_session_close(session);
}
