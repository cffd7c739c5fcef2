#include "report.h"

#include "timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void result_reserve(struct result *result, int rounds) {
  result->samples = calloc((size_t)rounds, sizeof *result->samples);
  if (!result->samples) {
    fprintf(stderr, "bench_cpu: out of memory\n");
    exit(3);
  }
}

struct sample *result_add(struct result *result) {
  return &result->samples[result->count++];
}

void result_free(struct result *result) {
  free(result->samples);
  result->samples = NULL;
}

static const double UNDISTURBED = 0.9;

static bool undisturbed(const struct result *result, const struct sample *sample, int thread) {
  for (int i = 0; i <= thread; i++)
    if (sample->peak[i] < UNDISTURBED * result->best_peak[i])
      return false;
  return true;
}

int result_undisturbed(const struct result *result, int threads) {
  int count = 0;
  for (int i = 0; i < result->count; i++)
    count += undisturbed(result, &result->samples[i], threads - 1);
  return count;
}

void report_header(const struct heading *heading, int rounds) {
  heading_print(heading);
  printf("# verified  every case against the float64 reference before it was timed\n");
  printf("# rounds    %d or more; a round's time is the best of its calls, its peak the best of FMA bursts "
         "before "
         "and after; of bf16\n#           also one of vdpbf16ps\n",
         rounds);
  printf("# counted   rounds in which the peak was at least %.0f%% of the best; the others were disturbed\n",
         100.0 * UNDISTURBED);
  printf("# FLOPs     2 x multiply-adds executed; gathers, activations and padding count nothing\n");
  printf("# streaming what one thread takes to read one row's weights once a step, from where so many bytes "
         "lie; a part of\n#           the median: more than all of it where fewer bytes are read\n");
}

enum { MOST_ROUNDS = 1000 }; /* more than the program makes */

/* One figure over the undisturbed rounds. */
static struct spread figure_spread(const struct result *result, double (*figure)(const struct sample *, int),
                                   int thread) {
  double values[MOST_ROUNDS];
  int count = 0;
  for (int i = 0; i < result->count && count < MOST_ROUNDS; i++)
    if (undisturbed(result, &result->samples[i], thread))
      values[count++] = figure(&result->samples[i], thread);
  return spread_of(values, count);
}

static double figure_seconds(const struct sample *sample, int thread) {
  return sample->seconds[thread];
}

static double figure_rate(const struct sample *sample, int thread) {
  return sample->rate[thread];
}

static double figure_share(const struct sample *sample, int thread) {
  return sample->rate[thread] / sample->own[thread];
}

/* Two threads' gain as a share of the peak's. */
static double figure_gain(const struct sample *sample, int thread) {
  (void)thread;
  return sample->rate[1] / sample->rate[0] / (sample->own[1] / sample->own[0]);
}

static const char *verdict(double reached, double bar) {
  return bar <= 0.0 ? "-" : isnan(reached) ? "not measured" : reached >= bar ? "reached" : "MISSED";
}

static bool is_bf16(const struct result *result) {
  return result->precision == CUSEQ_PRECISION_BF16;
}

/* What a case is to reach: of bf16 nothing of its own, the frameworks' benchmark has that. */
static double bar_of(const struct result *result, int thread) {
  return is_bf16(result) ? 0.0 : thread == 0 ? result->workload->bar : result->workload->bar_gain;
}

static void report_row(const struct result *result, int thread) {
  const struct workload *w = result->workload;
  char name[32];
  snprintf(name, sizeof name, "%s%s", w->name, is_bf16(result) ? " bf16" : "");
  const struct spread seconds = figure_spread(result, figure_seconds, thread),
                      rate = figure_spread(result, figure_rate, thread),
                      share = figure_spread(result, figure_share, thread);
  printf("%-12s %d %3d/%-3d %10.1f %10.1f %6.1f%%  %7.1f  %6.1f %6.1f", name, thread + 1,
         result_undisturbed(result, thread + 1), result->count, seconds.median * 1e6, seconds.low * 1e6,
         100.0 * (seconds.high - seconds.low) / seconds.median, rate.high, 100.0 * share.high,
         100.0 * share.median);
  if (thread == 0 && !isnan(result->streaming))
    printf(" %10.1f %4.0f%%", result->streaming * 1e6, 100.0 * result->streaming / seconds.median);
  else
    printf("          -     -");
  if (thread == 0) {
    const double bar = bar_of(result, 0);
    if (bar > 0.0)
      printf("       -      -  >= %2.0f%% of peak   %s\n", 100.0 * bar, verdict(share.high, bar));
    else
      printf("       -      -  -\n");
    return;
  }
  const struct spread gain = figure_spread(result, figure_gain, 1);
  printf("  %6.3f %6.3f", gain.high, gain.median);
  const double bar_gain = bar_of(result, 1);
  if (bar_gain > 0.0)
    printf("  >= %.2f of gain   %s\n", bar_gain, verdict(gain.high, bar_gain));
  else
    printf("  -\n");
}

void report_table(const struct result *results, int count) {
  printf("# peak      %.1f GFLOP/s on 1 thread", results[0].best_peak[0]);
  if (results[0].threads == 2)
    printf(", %.1f on 2", results[0].best_peak[1]);
  printf(" (best of all rounds)\n");
  for (int n = 0; n < count; n++) {
    const struct workload *w = results[n].workload;
    if (is_bf16(&results[n]))
      continue;
    printf("# %-9s B %d T %d F %d H %d: %s\n", w->name, (int)w->B, (int)w->T, (int)w->F, (int)w->H, w->what);
  }
  printf("#\n# case     threads rounds     median       best  spread     best   share of peak   streaming    "
         "    "
         "gain / peak's  to reach\n");
  printf(
      "#                                us         us            GFLOP/s   best median         us of time   "
      "best median\n");
  for (int n = 0; n < count; n++)
    for (int thread = 0; thread < results[n].threads; thread++)
      report_row(&results[n], thread);
}

static void row_of(struct results *file, const struct result *result, int thread) {
  const struct workload *w = result->workload;
  const struct spread seconds = figure_spread(result, figure_seconds, thread),
                      rate = figure_spread(result, figure_rate, thread),
                      share = figure_spread(result, figure_share, thread),
                      gain = figure_spread(result, figure_gain, 1);
  const double bar = bar_of(result, thread), reached = thread == 0 ? share.high : gain.high;
  results_row(file, "time");
  results_text(file, "workload", w->name);
  results_number(file, "threads", thread + 1);
  results_text(file, "system", is_bf16(result) ? "cuseq bf16" : "cuseq");
  results_number(file, "median_us", seconds.median * 1e6);
  results_number(file, "low_us", seconds.low * 1e6);
  results_number(file, "high_us", seconds.high * 1e6);
  results_number(file, "rounds", result_undisturbed(result, thread + 1));
  results_number(file, "error_share", result->error[thread]);
  results_number(file, "gflops", rate.high);
  results_number(file, "share_best", share.high);
  results_number(file, "share_median", share.median);
  results_number(file, "streaming_us", thread == 0 ? result->streaming * 1e6 : NAN);
  results_number(file, "gain_best", thread == 1 ? gain.high : NAN);
  results_number(file, "gain_median", thread == 1 ? gain.median : NAN);
  results_number(file, "bar", bar > 0.0 ? bar : NAN);
  results_text(file, "verdict", verdict(reached, bar));
  if (isnan(seconds.median))
    results_text(file, "reason", "every round was disturbed by other work on the machine");
}

bool report_json(const char *path, const struct heading *heading, int rounds, const struct result *results,
                 int count) {
  struct results *file = results_begin(path, heading, rounds);
  if (!file)
    return false;
  for (int thread = 0; thread < results[0].threads; thread++) {
    results_row(file, "machine");
    results_text(file, "what", thread == 0 ? "peak on 1 thread" : "peak on 2 threads");
    results_number(file, "value", results[0].best_peak[thread]);
    results_text(file, "unit", "GFLOP/s");
  }
  for (int n = 0; n < count; n++)
    for (int thread = 0; thread < results[n].threads; thread++)
      row_of(file, &results[n], thread);
  return results_end(file);
}
