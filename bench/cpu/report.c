#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* The line of a command's output, or "unknown". */
static void first_line(const char *command, char *text, size_t capacity) {
  FILE *pipe = popen(command, "r");
  if (!pipe || !fgets(text, (int)capacity, pipe))
    snprintf(text, capacity, "unknown");
  text[strcspn(text, "\n")] = 0;
  if (pipe)
    pclose(pipe);
}

struct heading {
  char machine[256], commit[64], date[32], command[512];
};

static void heading_make(struct heading *heading, int argc, char **argv) {
  first_line("sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo", heading->machine, sizeof heading->machine);
  first_line("git describe --always --dirty 2>/dev/null", heading->commit, sizeof heading->commit);
  time_t now = time(NULL);
  strftime(heading->date, sizeof heading->date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
  heading->command[0] = 0;
  for (int i = 0; i < argc; i++) {
    size_t used = strlen(heading->command);
    snprintf(heading->command + used, sizeof heading->command - used, "%s%s", i ? " " : "", argv[i]);
  }
}

void report_header(int argc, char **argv, const char *processor, int rounds) {
  struct heading heading;
  heading_make(&heading, argc, argv);
  printf("# machine   %s: %s\n# compiler  %s\n# cuseq     %s, commit %s, %s\n# command   %s\n",
         heading.machine, processor, BENCH_COMPILER, cuseq_version(), heading.commit, heading.date,
         heading.command);
  printf("# verified  every case against the float64 reference before it was timed\n");
  printf("# rounds    %d or more; a round's time is the best of its calls, its peak the best of FMA bursts "
         "before "
         "and after\n",
         rounds);
  printf("# counted   rounds in which the peak was at least %.0f%% of the best; the others were disturbed\n",
         100.0 * UNDISTURBED);
  printf("# FLOPs     2 x multiply-adds executed; gathers, activations and padding count nothing\n");
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Smallest, median and largest of one figure over the undisturbed rounds; zeros without any. */
struct spread {
  double low, median, high;
};

enum { MOST_ROUNDS = 1000 }; /* more than the program makes */

static struct spread spread_of(const struct result *result, double (*figure)(const struct sample *, int),
                               int thread) {
  double values[MOST_ROUNDS];
  int count = 0;
  for (int i = 0; i < result->count && count < MOST_ROUNDS; i++)
    if (undisturbed(result, &result->samples[i], thread))
      values[count++] = figure(&result->samples[i], thread);
  if (count == 0)
    return (struct spread){0.0, 0.0, 0.0};
  qsort(values, (size_t)count, sizeof *values, ascending);
  return (struct spread){values[0], (values[(count - 1) / 2] + values[count / 2]) / 2.0, values[count - 1]};
}

static double figure_seconds(const struct sample *sample, int thread) {
  return sample->seconds[thread];
}

static double figure_rate(const struct sample *sample, int thread) {
  return sample->rate[thread];
}

static double figure_share(const struct sample *sample, int thread) {
  return sample->rate[thread] / sample->peak[thread];
}

/* Two threads' gain as a share of the peak's. */
static double figure_gain(const struct sample *sample, int thread) {
  (void)thread;
  return sample->rate[1] / sample->rate[0] / (sample->peak[1] / sample->peak[0]);
}

static const char *verdict(double reached, double bar) {
  return bar <= 0.0 ? "-" : reached <= 0.0 ? "not measured" : reached >= bar ? "reached" : "MISSED";
}

static void report_row(const struct result *result, int thread) {
  const struct workload *w = result->workload;
  const struct spread seconds = spread_of(result, figure_seconds, thread),
                      rate = spread_of(result, figure_rate, thread),
                      share = spread_of(result, figure_share, thread);
  printf("%-9s %d %3d/%-3d %10.1f %10.1f %6.1f%%  %7.1f  %6.1f %6.1f", w->name, thread + 1,
         result_undisturbed(result, thread + 1), result->count, seconds.median * 1e6, seconds.low * 1e6,
         seconds.median <= 0.0 ? 0.0 : 100.0 * (seconds.high - seconds.low) / seconds.median, rate.high,
         100.0 * share.high, 100.0 * share.median);
  if (thread == 0) {
    if (w->bar > 0.0)
      printf("       -      -  >= %2.0f%% of peak   %s\n", 100.0 * w->bar, verdict(share.high, w->bar));
    else
      printf("       -      -  -\n");
    return;
  }
  const struct spread gain = spread_of(result, figure_gain, 1);
  printf("  %6.3f %6.3f", gain.high, gain.median);
  if (w->bar_gain > 0.0)
    printf("  >= %.2f of gain   %s\n", w->bar_gain, verdict(gain.high, w->bar_gain));
  else
    printf("  -\n");
}

void report_table(const struct result *results, int count) {
  printf("# peak      %.1f GFLOP/s on 1 thread, %.1f on 2 (best of all rounds)\n", results[0].best_peak[0],
         results[0].best_peak[1]);
  for (int n = 0; n < count; n++) {
    const struct workload *w = results[n].workload;
    printf("# %-9s B %d T %d F %d H %d: %s\n", w->name, (int)w->B, (int)w->T, (int)w->F, (int)w->H, w->what);
  }
  printf("#\n# case  threads rounds     median       best  spread     best   share of peak  gain / peak's  "
         "to reach\n");
  printf("#                             us         us            GFLOP/s   best median    best median\n");
  for (int n = 0; n < count; n++)
    for (int thread = 0; thread < 2; thread++)
      report_row(&results[n], thread);
}

static void json_text(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', file);
    fputc((unsigned char)*text < 0x20 ? ' ' : *text, file);
  }
  fputc('"', file);
}

static void json_case(FILE *file, const struct result *result, int thread) {
  const struct workload *w = result->workload;
  const struct spread seconds = spread_of(result, figure_seconds, thread),
                      rate = spread_of(result, figure_rate, thread),
                      share = spread_of(result, figure_share, thread),
                      gain = spread_of(result, figure_gain, 1);
  const double bar = thread == 0 ? w->bar : w->bar_gain, reached = thread == 0 ? share.high : gain.high;
  fprintf(file,
          "    {\"case\":\"%s\",\"threads\":%d,\"median_us\":%.3f,\"best_us\":%.3f,\"worst_us\":%.3f,"
          "\"gflops\":%.3f,\"peak_share_best\":%.4f,\"peak_share_median\":%.4f,\"gain_share_best\":%.4f,"
          "\"gain_share_median\":%.4f,\"error_share\":%.4f,\"bar\":%.2f,\"reached\":%s}",
          w->name, thread + 1, seconds.median * 1e6, seconds.low * 1e6, seconds.high * 1e6, rate.high,
          share.high, share.median, gain.high, gain.median, result->error[thread], bar,
          bar <= 0.0       ? "null"
          : reached >= bar ? "true"
                           : "false");
}

bool report_json(const char *path, int argc, char **argv, const char *processor, const struct result *results,
                 int count) {
  struct heading heading;
  heading_make(&heading, argc, argv);
  FILE *file = fopen(path, "w");
  if (!file) {
    fprintf(stderr, "bench_cpu: %s: cannot be written\n", path);
    return false;
  }
  const struct {
    const char *key, *value;
  } lines[] = {{"machine", heading.machine}, {"processor", processor},   {"compiler", BENCH_COMPILER},
               {"version", cuseq_version()}, {"commit", heading.commit}, {"date", heading.date},
               {"command", heading.command}};
  fputs("{\n", file);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    fprintf(file, "  \"%s\": ", lines[i].key);
    json_text(file, lines[i].value);
    fputs(",\n", file);
  }
  fputs("  \"cases\": [\n", file);
  for (int n = 0; n < count; n++)
    for (int thread = 0; thread < 2; thread++) {
      json_case(file, &results[n], thread);
      fputs(n == count - 1 && thread == 1 ? "\n" : ",\n", file);
    }
  fputs("  ]\n}\n", file);
  bool whole = !ferror(file);
  whole = fclose(file) == 0 && whole;
  if (!whole)
    fprintf(stderr, "bench_cpu: %s: cannot be written\n", path);
  return whole;
}
