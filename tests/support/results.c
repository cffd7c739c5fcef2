#include "support/results.h"

#include "backends/call.h"
#include "model/model.h"
#include "support/compare.h"
#include "support/reference_f32.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 16, ENCODER_BLOCKS = 2 * STRUCTURE_MAX_ENCODER_LAYERS };
static const float poison = -7.0e33f;

static char report[512];

const char *results_report(void) {
  return report;
}

/* ---- the arrays ---- */

/* The float outputs of a call, in the table's order. */
static const enum backend_array arrays_of_floats[RESULTS_FLOATS] = {BACKEND_ANNOTATIONS,
                                                                    BACKEND_H_FW,
                                                                    BACKEND_C_FW,
                                                                    BACKEND_H_BW,
                                                                    BACKEND_C_BW,
                                                                    BACKEND_FINAL_H,
                                                                    BACKEND_FINAL_C,
                                                                    BACKEND_CONTEXTS,
                                                                    BACKEND_ALPHAS,
                                                                    BACKEND_STATES,
                                                                    BACKEND_OUTPUTS,
                                                                    BACKEND_LOG_PROBABILITIES,
                                                                    BACKEND_DECODER_FINAL_H,
                                                                    BACKEND_DECODER_FINAL_C,
                                                                    BACKEND_FINAL_FED};

enum { OUTPUTS = 10, LOG_PROBABILITIES = 11, FED = 14 }; /* among them */

/* [count] poisoned values between two guard bands that hold the same poison. */
static float *guarded(size_t count) {
  float *memory = malloc((count + 2 * GUARD) * sizeof *memory);
  if (!memory)
    abort();
  for (size_t i = 0; i < count + 2 * GUARD; i++)
    memory[i] = poison;
  return memory + GUARD;
}

static int has_lstm(const struct decoder_structure *decoder) {
  for (int32_t l = 0; l < decoder->count; l++)
    if (cell_has_c(decoder->layers[l].cell.kind))
      return 1;
  return 0;
}

/* Whether the model gives an array. Devices that run version 1 alone do not take log-probabilities. */
static int has(const cuseq_model *model, enum backend_array array) {
  const struct structure *s = &model->structure;
  const struct encoder_layer *last = &s->encoder.layers[s->encoder.count - 1];
  const struct head *head = &s->output.heads[0];
  cuseq_activation activation =
      s->output.count > 0 ? head->layers.layers[head->layers.count - 1].activation : CUSEQ_ACTIVATION_LINEAR;
  switch (array) {
  case BACKEND_H_FW:
  case BACKEND_C_FW:
    return encoder_layer_has(last, 0);
  case BACKEND_H_BW:
  case BACKEND_C_BW:
    return encoder_layer_has(last, 1);
  case BACKEND_CONTEXTS:
  case BACKEND_ALPHAS:
    return s->attention.present;
  case BACKEND_OUTPUTS:
  case BACKEND_TOKENS:
    return s->output.count > 0;
  case BACKEND_LOG_PROBABILITIES:
    return model->version > 1 && s->decoder.present &&
           (activation == CUSEQ_ACTIVATION_SOFTMAX || activation == CUSEQ_ACTIVATION_LOG_SOFTMAX);
  case BACKEND_STATES:
  case BACKEND_DECODER_FINAL_H:
    return s->decoder.present;
  case BACKEND_DECODER_FINAL_C:
    return has_lstm(&s->decoder);
  case BACKEND_FINAL_FED:
    return s->decoder.fed_width > 0;
  default:
    return 1;
  }
}

/* The pointer of an array in the structure that a call takes. */
static float **member(struct results *results, enum backend_array array) {
  char *structure =
      call_arrays[array].structure == CALL_ENCODING ? (char *)&results->encoding : (char *)&results->decoding;
  return (float **)(void *)(structure + call_arrays[array].offset);
}

/* Which array of results each is, for its tolerance. */
static cuseq_result kind_of(enum backend_array array) {
  switch (array) {
  case BACKEND_ANNOTATIONS:
    return CUSEQ_RESULT_ANNOTATIONS;
  case BACKEND_H_FW:
  case BACKEND_H_BW:
  case BACKEND_FINAL_H:
    return CUSEQ_RESULT_ENCODER_H;
  case BACKEND_C_FW:
  case BACKEND_C_BW:
  case BACKEND_FINAL_C:
    return CUSEQ_RESULT_ENCODER_C;
  case BACKEND_CONTEXTS:
    return CUSEQ_RESULT_CONTEXTS;
  case BACKEND_ALPHAS:
    return CUSEQ_RESULT_ALPHAS;
  case BACKEND_OUTPUTS:
    return CUSEQ_RESULT_OUTPUTS;
  case BACKEND_LOG_PROBABILITIES:
    return CUSEQ_RESULT_LOG_PROBABILITIES;
  case BACKEND_DECODER_FINAL_C:
    return CUSEQ_RESULT_DECODER_C;
  default:
    return CUSEQ_RESULT_STATES;
  }
}

cuseq_precision results_precision(const char *device) {
  const char *wanted = getenv("CUSEQ_TEST_PRECISION");
  if (!wanted || strcmp(device, "reference") == 0)
    return CUSEQ_PRECISION_FLOAT32;
  if (strcmp(wanted, "bf16") != 0 && strcmp(wanted, "tf32") != 0) {
    fprintf(stderr, "CUSEQ_TEST_PRECISION: found \"%s\", needed bf16 or tf32\n", wanted);
    abort();
  }
  return strcmp(wanted, "bf16") == 0 ? CUSEQ_PRECISION_BF16 : CUSEQ_PRECISION_TF32;
}

static double tolerance_of_kind(const struct results *results, cuseq_result kind) {
  return cuseq_model_tolerance(results->model, results->precision, results->T, results->Y, kind);
}

/* Numbers of a kind are among what a step hands on: the tolerance of the kind that errs most is its. */
static void widen_fed(struct results *results, cuseq_result kind) {
  struct results_floats *fed = &results->floats[FED];
  const double tolerance = tolerance_of_kind(results, kind);
  if (fed->data && tolerance > fed->tolerance) {
    fed->kind = kind;
    fed->tolerance = tolerance;
  }
}

void results_precise(struct results *results, cuseq_precision precision) {
  results->precision = precision;
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    struct results_floats *floats = &results->floats[i];
    floats->tolerance = floats->data ? tolerance_of_kind(results, floats->kind) : 0.0;
  }
  const struct decoder_structure *decoder = &results->model->structure.decoder;
  if (decoder->fed_context > 0)
    widen_fed(results, CUSEQ_RESULT_CONTEXTS);
  if (decoder->fed_probabilities > 0)
    widen_fed(results, CUSEQ_RESULT_OUTPUTS);
}

void results_make_rows(struct results *results, const cuseq_model *model, int32_t encoded, int32_t batch,
                       int32_t time, int32_t steps) {
  const cuseq_config *config = cuseq_model_config(model);
  memset(results, 0, sizeof *results);
  results->encoded = encoded;
  results->B = batch;
  results->T = time;
  results->Y = steps;
  results->V = config->outputs;
  results->N = config->heads > 1 ? config->heads : 1;
  results->model = model;
  results->encoding.size = sizeof results->encoding;
  results->decoding.size = sizeof results->decoding;
  results->decoding.steps = steps;
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    enum backend_array array = arrays_of_floats[i];
    size_t rows = (size_t)(call_arrays[array].structure == CALL_ENCODING ? encoded : batch);
    size_t columns = call_row_elements(config, array, time, steps);
    float *data = has(model, array) ? guarded(rows * columns) : NULL;
    cuseq_result kind = kind_of(array);
    results->floats[i] = (struct results_floats){backend_array_name(array), data, rows, columns, kind, 0.0};
    *member(results, array) = data;
  }
  if (has(model, BACKEND_TOKENS)) {
    results->decoding.tokens = results->tokens = (int32_t *)guarded((size_t)(batch * steps * results->N));
    results->decoding.output_lengths = results->output_lengths = (int32_t *)guarded((size_t)batch);
  }
  results_precise(results, results_precision("any"));
}

void results_make(struct results *results, const cuseq_model *model, int32_t batch, int32_t time,
                  int32_t steps) {
  results_make_rows(results, model, batch, batch, time, steps);
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
  if (results->tokens && !guard_whole(results->tokens, (size_t)(results->B * results->Y * results->N)))
    return 0;
  *name = "output_lengths";
  return !results->tokens || guard_whole(results->output_lengths, (size_t)results->B);
}

/* What a row has in an array: one stretch, or in the encoder's final states one for each direction of each
 * layer. */
struct stretches {
  size_t count;
  size_t at[ENCODER_BLOCKS], width[ENCODER_BLOCKS];
};

static void stretches_of(const struct results *results, int index, int32_t row, struct stretches *stretches) {
  const struct results_floats *floats = &results->floats[index];
  *stretches =
      (struct stretches){.count = 1, .at = {(size_t)row * floats->columns}, .width = {floats->columns}};
  if (call_arrays[arrays_of_floats[index]].rows != CALL_BLOCKS)
    return;
  const struct encoder_structure *encoder = &results->model->structure.encoder;
  size_t block = 0;
  stretches->count = 0;
  for (int32_t l = 0; l < encoder->count; l++)
    for (int d = 0; d < 2; d++) {
      if (!encoder_layer_has(&encoder->layers[l], d))
        continue;
      size_t units = (size_t)encoder->layers[l].cells[d].units;
      stretches->at[stretches->count] = block + (size_t)row * units;
      stretches->width[stretches->count++] = units;
      block += floats->rows * units;
    }
}

/* ---- comparison within a tolerance ---- */

/* How far the best output of a head is ahead of the second best. */
static double lead(const float *outputs, int32_t V) {
  double best = -INFINITY, second = -INFINITY;
  for (int32_t v = 0; v < V; v++) {
    double value = (double)outputs[v];
    second = value > best ? best : value > second ? value : second;
    best = value > best ? value : best;
  }
  return best - second;
}

int results_follow_tokens(const struct results *results) {
  const struct decoder_structure *decoder = &results->model->structure.decoder;
  return decoder->present && !results->decoding.targets &&
         (decoder->feedback == FEEDBACK_OUTPUT || decoder->end_token >= 0);
}

/* The number of steps of a row that can be compared: up to the first token that differs for a lead within the
 * tolerance and is fed back; -1 where a token differs that must not. */
static int32_t steps_alike(const struct results *got, const struct results *want, int32_t b, double room) {
  const double tolerance = room * want->floats[OUTPUTS].tolerance;
  const struct output_structure *output = &want->model->structure.output;
  const float *outputs = want->floats[OUTPUTS].data + (size_t)b * want->floats[OUTPUTS].columns;
  for (int32_t y = 0; y < want->Y; y++)
    for (int32_t n = 0; n < want->N; n++) {
      size_t at = ((size_t)b * (size_t)want->Y + (size_t)y) * (size_t)want->N + (size_t)n;
      if (got->tokens[at] == want->tokens[at])
        continue;
      const struct head *head = &output->heads[n];
      if (!(lead(outputs + (size_t)y * (size_t)want->V + head->offset, head->units) <= 2 * tolerance)) {
        snprintf(report, sizeof report, "tokens[%d,%d,%d]: got %d, want %d", (int)b, (int)y, (int)n,
                 (int)got->tokens[at], (int)want->tokens[at]);
        return -1;
      }
      if (results_follow_tokens(want))
        return y;
    }
  return want->Y;
}

/* How much of a row's stretch can be compared when the tokens of `steps` steps are alike. */
static size_t comparable(const struct results *want, int index, size_t width, int32_t steps) {
  if (steps == want->Y)
    return width;
  if (call_arrays[arrays_of_floats[index]].rows == CALL_PER_STEP)
    return width / (size_t)want->Y * (size_t)(index == LOG_PROBABILITIES ? steps : steps + 1);
  return call_arrays[arrays_of_floats[index]].structure == CALL_DECODING ? 0 : width;
}

static int row_close(const struct results *got, const struct results *want, int index, int32_t b,
                     int32_t steps, double room) {
  const struct results_floats *floats = &want->floats[index];
  struct stretches stretches;
  stretches_of(want, index, b, &stretches);
  for (size_t i = 0; i < stretches.count; i++) {
    size_t at = stretches.at[i], count = comparable(want, index, stretches.width[i], steps);
    if (!compare_f32(got->floats[index].data + at, floats->data + at, count, room * floats->tolerance)) {
      snprintf(report, sizeof report, "%s, row %d: %s", floats->name, (int)b, compare_report());
      return 0;
    }
  }
  return 1;
}

int results_close(const struct results *got, const struct results *want, double room) {
  int32_t rows = want->B > want->encoded ? want->B : want->encoded;
  for (int32_t b = 0; b < rows; b++) {
    int32_t steps = want->tokens && b < want->B ? steps_alike(got, want, b, room) : want->Y;
    if (steps < 0)
      return 0;
    for (int i = 0; i < RESULTS_FLOATS; i++)
      if (want->floats[i].data && (size_t)b < want->floats[i].rows &&
          !row_close(got, want, i, b, steps, room))
        return 0;
    if (want->tokens && b < want->B && steps == want->Y &&
        got->output_lengths[b] != want->output_lengths[b]) {
      snprintf(report, sizeof report, "output_lengths[%d]: got %d, want %d", (int)b,
               (int)got->output_lengths[b], (int)want->output_lengths[b]);
      return 0;
    }
  }
  return 1;
}

/* ---- comparison of bits ---- */

int results_same_row(const struct results *got, int32_t got_row, const struct results *want,
                     int32_t want_row) {
  for (int i = 0; i < RESULTS_FLOATS; i++) {
    struct stretches from, to;
    if (!want->floats[i].data || (size_t)got_row >= got->floats[i].rows ||
        (size_t)want_row >= want->floats[i].rows)
      continue;
    stretches_of(got, i, got_row, &from);
    stretches_of(want, i, want_row, &to);
    for (size_t k = 0; k < to.count; k++)
      if (!compare_bytes(got->floats[i].data + from.at[k], want->floats[i].data + to.at[k],
                         to.width[k] * sizeof(float))) {
        snprintf(report, sizeof report, "%s, row %d against row %d: %s", want->floats[i].name, (int)got_row,
                 (int)want_row, compare_report());
        return 0;
      }
  }
  size_t tokens = (size_t)want->Y * (size_t)want->N;
  if (want->tokens && got_row < got->B && want_row < want->B &&
      (memcmp(got->tokens + (size_t)got_row * tokens, want->tokens + (size_t)want_row * tokens,
              tokens * sizeof *got->tokens) != 0 ||
       got->output_lengths[got_row] != want->output_lengths[want_row])) {
    snprintf(report, sizeof report, "tokens, row %d against row %d", (int)got_row, (int)want_row);
    return 0;
  }
  return 1;
}

/* ---- sessions ---- */

static cuseq_status run(struct results *results, cuseq_session *session, const cuseq_input *input) {
  if (!results->decoding.rows)
    return cuseq_run(session, input, &results->encoding, &results->decoding);
  cuseq_status status = cuseq_encode(session, input, &results->encoding);
  return status == CUSEQ_STATUS_OK ? cuseq_decode(session, &results->decoding) : status;
}

void results_run(struct results *results, const cuseq_model *model, const char *device, int32_t threads,
                 const cuseq_input *input) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.max_batch = results->B > input->batch ? results->B : input->batch;
  options.max_time = input->time;
  options.max_steps = results->Y;
  options.threads = threads;
  if (strcmp(device, "reference") != 0) /* which has one only */
    options.precision = results->precision;
  if (results->decoding.rows)
    results->decoding.batch = results->B;
  cuseq_session *session;
  cuseq_status status = strcmp(device, RESULTS_FLOAT32) == 0 ? reference_f32_open(model, &options, &session)
                                                             : cuseq_session_open(model, &options, &session);
  if (status == CUSEQ_STATUS_OK)
    status = run(results, session, input);
  if (status != CUSEQ_STATUS_OK) {
    fprintf(stderr, "results_run on %s: %s\n", device, cuseq_last_error());
    abort();
  }
  cuseq_session_close(session);
}
