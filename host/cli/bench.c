/* cuseq bench: how long a model takes. Nothing is timed before it is verified. */
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VERIFIED_ROWS = 32, SAMPLES = 50, FEWEST_SAMPLES = 5, LARGEST_FLOATS = 1 << 30 };

/* Made-up input drives a trained model to where plain float32 arithmetic itself errs beyond the tolerance for
 * real input (5e-6 was seen): what is looked for here is a wrong result, not the last bits. */
static const double ROOM = 10;
static const double WARM_UP = 0.2, MEASURED = 2, SAMPLE = 2e-3; /* seconds */

struct bench {
  const struct arguments *arguments;
  cuseq_model *model;
  const cuseq_config *config;
  cuseq_session *session;
  int32_t batch, time, steps;
  float *given; /* numbers that the steps read; NULL: none */
  void *data;   /* the input: ids where the model reads texts, otherwise numbers */
  cuseq_input input;
  struct results results; /* what is measured: the last thing that the model makes, and the weights */
  struct verdicts verdicts;
  double samples[SAMPLES]; /* seconds per run */
  int count;
  int emulated; /* no times are taken */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Marsaglia's xorshift: the same input on every machine. */
static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* -1 to 1 */
static float number_of(uint32_t random) {
  return (float)((double)random / 2147483648.0 - 1);
}

static int make_given(struct bench *bench, uint32_t *state) {
  size_t count = (size_t)bench->batch * (size_t)bench->steps * (size_t)bench->config->given_width;
  if (count == 0)
    return EXIT_DONE;
  bench->given = malloc(count * sizeof *bench->given);
  if (!bench->given)
    return fail_memory();
  for (size_t i = 0; i < count; i++)
    bench->given[i] = number_of(next_random(state));
  return EXIT_DONE;
}

static int make_input(struct bench *bench) {
  bool ids = bench->config->text_length > 0;
  uint32_t features = (uint32_t)bench->config->features, state = 2463534242u;
  size_t count = (size_t)bench->batch * (size_t)bench->time * (ids ? 1 : features);
  bench->data = malloc(count * 4);
  if (!bench->data)
    return fail_memory();
  for (size_t i = 0; i < count; i++) {
    uint32_t random = next_random(&state);
    if (ids)
      ((int32_t *)bench->data)[i] = (int32_t)(random % features);
    else
      ((float *)bench->data)[i] = number_of(random);
  }
  bench->input = (cuseq_input){.size = sizeof(cuseq_input),
                               .data = bench->data,
                               .dtype = ids ? CUSEQ_DTYPE_I32 : CUSEQ_DTYPE_F32,
                               .batch = bench->batch,
                               .time = bench->time};
  return make_given(bench, &state);
}

static cuseq_status open_session(const struct bench *bench, const char *device, cuseq_precision precision,
                                 int32_t batch, cuseq_session **session) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, bench->model);
  options.device = device;
  options.precision = precision;
  options.threads = bench->arguments->threads;
  options.max_batch = batch;
  options.max_time = bench->time;
  return cuseq_session_open(bench->model, &options, session);
}

static int bench_open(struct bench *bench) {
  const struct arguments *arguments = bench->arguments;
  int result = model_load(arguments->operands[0], &bench->model);
  if (result != EXIT_DONE)
    return result;
  const cuseq_config *config = bench->config = cuseq_model_config(bench->model);
  bench->batch = arguments->batch > 0 ? arguments->batch : 1;
  bench->time = time_without_input(config, arguments->time);
  bench->steps = config->has_decoder ? config->steps : 1;
  double floats =
      (double)bench->batch * ((double)bench->time * (config->features + config->annotation_width) +
                              (double)bench->steps * (bench->time + config->annotation_width));
  if (floats > LARGEST_FLOATS)
    return fail("--batch: too large with this --time (found %.3g floats, needed at most %d)", floats,
                LARGEST_FLOATS);
  cuseq_status status =
      open_session(bench, arguments->device, arguments->precision, bench->batch, &bench->session);
  if (status != CUSEQ_STATUS_OK)
    return fail_library(status);
  return make_input(bench);
}

/* One run with every array wanted. */
static cuseq_status run_all(const struct bench *bench, cuseq_session *session, int32_t batch,
                            const struct results *results) {
  cuseq_input input = bench->input;
  cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cuseq_decoding decoding = CUSEQ_DECODING_INIT;
  input.batch = batch;
  results_bind(results, 0, &encoding, &decoding);
  decoding.given = bench->given;
  return cuseq_run(session, &input, &encoding, &decoding);
}

/* Says which array missed the reference. */
static int missed(const struct bench *bench, const struct results *want) {
  const struct verdicts *verdicts = &bench->verdicts;
  int id = 0;
  while (verdicts->arrays[id].missed == 0)
    id++;
  fail("%s: not measured: %s misses the reference (%s: max error %.3g, allowed %.3g; see cuseq compare)",
       bench->arguments->operands[0], cuseq_session_device(bench->session), want->arrays[id].name,
       verdicts->arrays[id].worst, verdicts->tolerance[id]);
  return EXIT_MISSED;
}

/* The first rows, all arrays, against the reference. */
static int verify(struct bench *bench) {
  int32_t rows = bench->batch < VERIFIED_ROWS ? bench->batch : VERIFIED_ROWS;
  struct results got = {0}, want = {0};
  cuseq_session *reference = NULL;
  int result = results_make(&got, bench->config, bench->batch, bench->time, bench->steps, RESULT_SET_ALL);
  if (result == EXIT_DONE)
    result = results_make(&want, bench->config, rows, bench->time, bench->steps, RESULT_SET_ALL);
  if (result == EXIT_DONE) {
    cuseq_status status = open_session(bench, "reference", CUSEQ_PRECISION_FLOAT32, rows, &reference);
    if (status == CUSEQ_STATUS_OK)
      status = run_all(bench, bench->session, bench->batch, &got);
    if (status == CUSEQ_STATUS_OK)
      status = run_all(bench, reference, rows, &want);
    if (status == CUSEQ_STATUS_OK)
      verdicts_add(&bench->verdicts, bench->config, &got, &want, 0, rows);
    else
      result = fail_library(status);
    if (result == EXIT_DONE && verdicts_missed(&bench->verdicts))
      result = missed(bench, &want);
  }
  cuseq_session_close(reference);
  results_free(&got);
  results_free(&want);
  return result;
}

static int timed_runs(struct bench *bench, int runs, double *seconds) {
  double start = now();
  for (int i = 0; i < runs; i++) {
    cuseq_status status = run_all(bench, bench->session, bench->batch, &bench->results);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
  }
  *seconds = (now() - start) / runs;
  return interrupt_requested() ? interrupt_leave() : EXIT_DONE;
}

/* Whether the session's device is the emulated one: its time says nothing, so none is taken or printed
 * there. */
static int emulated(const struct bench *bench) {
  cuseq_device device = CUSEQ_DEVICE_INIT;
  for (int32_t i = 0; cuseq_device_get(i, &device) == CUSEQ_STATUS_OK; i++)
    if (strcmp(device.name, cuseq_session_device(bench->session)) == 0)
      return strstr(device.description, "emulated") != NULL;
  return 0;
}

static int measure(struct bench *bench) {
  unsigned set = RESULT_SET(RESULT_ALPHAS) | RESULT_SET(RESULT_TOKENS) | RESULT_SET(RESULT_OUTPUT_LENGTHS);
  if (!bench->config->has_decoder)
    set |= RESULT_SET(RESULT_CONTEXT);
  int result = results_make(&bench->results, bench->config, bench->batch, bench->time, bench->steps, set);
  double seconds = 0, start = now();
  if (bench->emulated)
    return result == EXIT_DONE ? timed_runs(bench, 1, &seconds) : result;
  for (int runs = 1; result == EXIT_DONE && now() - start < WARM_UP; runs *= 2)
    result = timed_runs(bench, runs, &seconds);
  int runs = seconds < SAMPLE ? (int)(SAMPLE / (seconds > 1e-9 ? seconds : 1e-9)) + 1 : 1;
  start = now();
  while (result == EXIT_DONE && bench->count < SAMPLES &&
         (bench->count < FEWEST_SAMPLES || now() - start < MEASURED))
    result = timed_runs(bench, runs, &bench->samples[bench->count++]);
  return result;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const struct bench *bench, int percent) {
  return bench->samples[(bench->count - 1) * percent / 100] * 1e6;
}

static void print_result(struct bench *bench) {
  qsort(bench->samples, (size_t)bench->count, sizeof *bench->samples, compare_doubles);
  double median = percentile(bench, 50), low = percentile(bench, 10), high = percentile(bench, 90);
  double worst = verdicts_worst(&bench->verdicts), rate = bench->batch / (median * 1e-6);
  const char *device = cuseq_session_device(bench->session), *path = bench->arguments->operands[0],
             *precision = cuseq_precision_name(bench->arguments->precision);
  int threads = (int)cuseq_session_threads(bench->session);
  if (bench->arguments->json) {
    fputs("{\n  \"model\": ", stdout);
    json_put_string(stdout, path);
    printf(",\n  \"device\": \"%s\",\n  \"precision\": \"%s\",\n  \"threads\": %d,\n  \"batch\": %d,\n"
           "  \"time\": %d,\n  \"steps\": %d,\n"
           "  \"median_us\": %.9g,\n  \"p10_us\": %.9g,\n  \"p90_us\": %.9g,\n  \"sequences_per_second\": "
           "%.9g,\n"
           "  \"samples\": %d,\n  \"max_error\": %.9g,\n  \"verified\": true\n}\n",
           device, precision, threads, (int)bench->batch, (int)bench->time, (int)bench->steps, median, low,
           high, rate, bench->count, worst);
    return;
  }
  printf("# cuseq %s, %s, %d samples\n", cuseq_version(), path, bench->count);
  printf("%-10s %-9s %7s %6s %6s %6s %12s %12s %12s %14s %10s  %s\n", "device", "precision", "threads", "B",
         "T", "Y", "median us", "p10 us", "p90 us", "sequences/s", "max error", "verdict");
  printf("%-10s %-9s %7d %6d %6d %6d %12.1f %12.1f %12.1f %14.0f %10.2g  ok\n", device, precision, threads,
         (int)bench->batch, (int)bench->time, (int)bench->steps, median, low, high, rate, worst);
}

/* One run on the emulated device: what it did is in the device's own counters. */
static void print_emulated(const struct bench *bench) {
  const char *device = cuseq_session_device(bench->session), *path = bench->arguments->operands[0],
             *precision = cuseq_precision_name(bench->arguments->precision);
  double worst = verdicts_worst(&bench->verdicts);
  if (bench->arguments->json) {
    fputs("{\n  \"model\": ", stdout);
    json_put_string(stdout, path);
    printf(",\n  \"device\": \"%s\",\n  \"precision\": \"%s\",\n  \"emulated\": true,\n  \"batch\": %d,\n  "
           "\"time\": %d,\n"
           "  \"steps\": %d,\n  \"max_error\": %.9g,\n  \"verified\": true\n}\n",
           device, precision, (int)bench->batch, (int)bench->time, (int)bench->steps, worst);
    return;
  }
  printf("# cuseq %s, %s: one run on an emulated device, which has counters and no times\n", cuseq_version(),
         path);
  printf("%-10s %-9s %6s %6s %6s %10s  %s\n", "device", "precision", "B", "T", "Y", "max error", "verdict");
  printf("%-10s %-9s %6d %6d %6d %10.2g  ok\n", device, precision, (int)bench->batch, (int)bench->time,
         (int)bench->steps, worst);
}

static int run_bench(const struct arguments *arguments) {
  struct bench bench = {.arguments = arguments};
  int status = bench_open(&bench);
  verdicts_allow(&bench.verdicts, bench.model, arguments->precision, bench.time, bench.steps, ROOM);
  if (status == EXIT_DONE)
    status = verify(&bench);
  bench.emulated = status == EXIT_DONE && emulated(&bench);
  if (status == EXIT_DONE)
    status = measure(&bench);
  if (status == EXIT_DONE && bench.emulated)
    print_emulated(&bench);
  else if (status == EXIT_DONE)
    print_result(&bench);
  results_free(&bench.results);
  free(bench.data);
  free(bench.given);
  cuseq_session_close(bench.session);
  cuseq_model_destroy(bench.model);
  return status;
}

const struct command command_bench = {
    .name = "bench",
    .operands = "MODEL",
    .fewest = 1,
    .most = 1,
    .summary = "measure how long a model takes",
    .description =
        "Runs a model on made-up input: first verifies the first rows against the reference, then warms\n"
        "up, then prints the median of up to 50 samples with the 10th and 90th percentile. Exit status 1\n"
        "when the verification misses ten times the tolerance of cuseq compare. On an emulated device it\n"
        "runs once and prints no times.",
    .example = "  cuseq bench models/dates.safetensors --batch 32 --device cpu",
    .options = {OPTION_BATCH_MEASURED, OPTION_TIME, OPTION_DEVICE, OPTION_PRECISION, OPTION_THREADS,
                OPTION_JSON, OPTION_HELP},
    .run = run_bench,
};
