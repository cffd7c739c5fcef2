/* bench_cpu: the cpu backend's speed as a share of the processor's own peak. Verifies, warms up, then
 * measures in rounds; in every round each case stands between two measurements of the peak, because other
 * work on the machine changes both. */
#include "bandwidth.h"
#include "peak.h"
#include "report.h"
#include "timing.h"
#include "workload.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 32, BURSTS = 4, MOST_TRIES = 4, MOST_ROUNDS = 200 };

static double larger(double a, double b) {
  return a > b ? a : b;
}

/* One case of one round, on one thread and, where `most` is 2, on two. */
static void measure_round(const struct instance *instance, cuseq_session *const sessions[2], int most,
                          struct sample *sample) {
  const double flops = workload_flops(instance->workload);
  const bool bf16 = instance->precision == CUSEQ_PRECISION_BF16;
  for (int threads = 1; threads <= most; threads++) {
    double peak = peak_measure(threads, BURSTS), own = bf16 ? peak_measure_bf16(threads, BURSTS) : peak;
    double seconds = time_call(instance, sessions[threads - 1], 0.01);
    peak = larger(peak, peak_measure(threads, BURSTS));
    own = bf16 ? larger(own, peak_measure_bf16(threads, BURSTS)) : peak;
    sample->own[threads - 1] = own;
    sample->seconds[threads - 1] = seconds;
    sample->rate[threads - 1] = flops / seconds * 1e-9;
    sample->peak[threads - 1] = peak;
  }
}

/* How long one thread takes to read the weights of one row's call once a step. */
static double streaming_of(const struct instance *instance) {
  struct streamed streams[MOST_STREAMED];
  const int count = workload_streams(instance->workload, streams);
  const double part = instance->precision == CUSEQ_PRECISION_BF16 ? 0.5 : 1.0;
  double seconds = 0.0;
  for (int i = 0; i < count; i++) {
    const double bytes = part * streams[i].bytes;
    seconds += bytes * streams[i].times / bandwidth_measure((size_t)bytes);
  }
  return count > 0 ? seconds : NAN;
}

struct bench {
  struct instance instances[MOST_CASES];
  cuseq_session *sessions[MOST_CASES][2];
  struct result results[MOST_CASES];
  int count;
};

/* One case: a workload in a precision, verified. */
static bool bench_add(struct bench *bench, const struct workload *w, cuseq_precision precision, int most) {
  const int n = bench->count++;
  struct instance *instance = &bench->instances[n];
  struct result *result = &bench->results[n];
  if (!instance_make(instance, w))
    return false;
  instance->precision = precision;
  for (int threads = 1; threads <= most; threads++)
    if (!(bench->sessions[n][threads - 1] = instance_open(instance, "cpu", threads, w->B)))
      return false;
  result->workload = w;
  result->precision = precision;
  result->threads = most;
  result->streaming = streaming_of(instance);
  for (int threads = 1; threads <= most; threads++)
    if (!instance_verify(instance, bench->sessions[n][threads - 1], &result->error[threads - 1])) {
      fprintf(stderr, "bench_cpu: %s: wrong results on %d thread%s (error %.3g of what is allowed)\n",
              w->name, threads, threads == 1 ? "" : "s", result->error[threads - 1]);
      return false;
    }
  return true;
}

/* Each workload in float32, and beside it in bf16 where it is to be measured so. */
static bool bench_open(struct bench *bench, const char *only, int most) {
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < count; i++) {
    if (only && strncmp(all[i].name, only, strlen(only)) != 0)
      continue;
    if (!bench_add(bench, &all[i], CUSEQ_PRECISION_FLOAT32, most))
      return false;
    if (all[i].bf16 && instance_has_bf16(&bench->instances[bench->count - 1]) &&
        !bench_add(bench, &all[i], CUSEQ_PRECISION_BF16, most))
      return false;
  }
  return bench->count > 0;
}

static void bench_close(struct bench *bench) {
  for (int n = 0; n < bench->count; n++) {
    cuseq_session_close(bench->sessions[n][0]);
    cuseq_session_close(bench->sessions[n][1]);
    instance_free(&bench->instances[n]);
    result_free(&bench->results[n]);
  }
  peak_end();
}

/* Shares the best peak among all cases: it tells which rounds were disturbed. Two threads never have a lower
 * peak than one. */
static void bench_share_peaks(struct bench *bench, const struct sample *sample) {
  for (int n = 0; n < bench->count; n++) {
    double *best = bench->results[n].best_peak;
    best[0] = larger(best[0], sample->peak[0]);
    if (bench->results[n].threads == 2)
      best[1] = larger(best[0], larger(best[1], sample->peak[1]));
  }
}

/* All cases in turn, until each has `rounds` undisturbed rounds; on a busy machine at most four times as
 * many in all. */
static void bench_measure(struct bench *bench, int rounds) {
  for (int n = 0; n < bench->count; n++)
    result_reserve(&bench->results[n], MOST_TRIES * rounds);
  bool more = true;
  for (int round = 0; round < MOST_TRIES * rounds && more; round++) {
    more = false;
    for (int n = 0; n < bench->count; n++) {
      struct result *result = &bench->results[n];
      if (result_undisturbed(result, result->threads) >= rounds)
        continue;
      struct sample *sample = result_add(result);
      measure_round(&bench->instances[n], bench->sessions[n], result->threads, sample);
      bench_share_peaks(bench, sample);
      more = true;
    }
  }
}

static void usage(void) {
  puts("usage: bench_cpu [--rounds N] [--only NAME] [--threads N] [--json FILE]\n\n"
       "Measures the cpu backend on 1 and 2 threads against the processor's peak.\n"
       "  --rounds N    undisturbed rounds to measure (default 12, 2 to 200)\n"
       "  --only NAME   only the workloads whose names start so, such as W2\n"
       "  --threads N   on 1 thread only, or on 1 and 2 (the default)\n"
       "  --json FILE   also write the results as JSON");
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"rounds", required_argument, NULL, 'r'},  {"only", required_argument, NULL, 'o'},
      {"threads", required_argument, NULL, 't'}, {"json", required_argument, NULL, 'j'},
      {"help", no_argument, NULL, 'h'},          {0}};
  const char *only = NULL, *json = NULL;
  int rounds = 12, threads = 2;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'r')
      rounds = atoi(optarg);
    else if (option == 'o')
      only = optarg;
    else if (option == 't')
      threads = atoi(optarg);
    else if (option == 'j')
      json = optarg;
    else {
      usage();
      return option == 'h' ? 0 : 2;
    }
  }
  if (rounds < 2 || rounds > MOST_ROUNDS || threads < 1 || threads > 2 || optind != argc) {
    usage();
    return 2;
  }
  static struct bench bench;
  if (json && !results_possible(json))
    return 2;
  struct heading heading;
  heading_make(&heading, "cpu", timing_processor(), argc, argv);
  if (!bench_open(&bench, only, threads)) {
    bench_close(&bench);
    return 3;
  }
  bench_measure(&bench, rounds);
  report_header(&heading, rounds);
  report_table(bench.results, bench.count);
  bool written = !json || report_json(json, &heading, rounds, bench.results, bench.count);
  bench_close(&bench);
  return written ? 0 : 2;
}
