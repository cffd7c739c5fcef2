/* bench_scaling: how the cpu backend's time grows with B, T, H and threads, and where it leaves the
 * processor's floor. Verifies, warms up, then measures in interleaved rounds; each point stands between two
 * measurements of the peak. */
#include "cpu/peak.h"
#include "cpu/timing.h"
#include "report.h"
#include "sweep.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { BURSTS = 3, MOST_ROUNDS = 100 };

static double larger(double a, double b) {
  return a > b ? a : b;
}

/* Cores that this process may run on. */
static int cores(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count < 1 ? 1 : count < PEAK_MOST_THREADS ? count : PEAK_MOST_THREADS;
}

/* All points in turn, `rounds` times; then, on a busy machine, those that were disturbed in more than half of
 * them at most as often again. */
static void measure(struct sweep *sweep, int rounds, double seconds, double *best_peak) {
  for (int round = 0; round < 2 * rounds; round++)
    for (int i = 0; i < sweep->item_count; i++) {
      struct item *item = &sweep->items[i];
      double *best = &best_peak[item->threads];
      if (round >= rounds && 2 * report_undisturbed(item, *best) >= rounds)
        continue;
      double peak = peak_measure(item->threads, BURSTS);
      item->seconds[item->count] = time_call(&sweep->sizes[item->size].instance, item->session, seconds);
      peak = larger(peak, peak_measure(item->threads, BURSTS));
      item->peak[item->count++] = peak;
      /* More threads than one never have a lower peak than one. */
      *best = larger(larger(*best, peak), best_peak[1]);
    }
}

static void usage(void) {
  puts("usage: bench_scaling [--rounds N] [--json FILE] [--quick]\n\n"
       "Measures how the cpu backend's time grows with B, T, H and threads. Takes some 2 GB of memory.\n"
       "  --rounds N    interleaved rounds to measure (default 9, 1 to 100)\n"
       "  --json FILE   also write the results as JSON\n"
       "  --quick       a few small points in two rounds, to try it out");
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"quick", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  const char *json = NULL;
  int rounds = 0;
  bool quick = false;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'r')
      rounds = atoi(optarg);
    else if (option == 'j')
      json = optarg;
    else if (option == 'q')
      quick = true;
    else {
      usage();
      return option == 'h' ? 0 : 2;
    }
    if (option == 'r' && (rounds < 1 || rounds > MOST_ROUNDS)) {
      usage();
      return 2;
    }
  }
  if (optind != argc) {
    usage();
    return 2;
  }
  if (rounds == 0)
    rounds = quick ? 2 : 9;
  if (json && !results_possible(json))
    return 2;
  struct heading heading;
  heading_make(&heading, "scaling", timing_processor(), argc, argv);
  static double best_peak[PEAK_MOST_THREADS + 1];
  struct sweep sweep;
  if (!sweep_make(&sweep, cores(), quick))
    return 3;
  bool opened = sweep_open(&sweep, 2 * rounds), written = opened;
  if (opened) {
    measure(&sweep, rounds, quick ? 0.002 : 0.01, best_peak);
    report_reduce(&sweep, best_peak);
    report_print(&sweep, &heading, best_peak, rounds);
    written = !json || report_json(json, &sweep, &heading, best_peak, rounds);
  }
  peak_end();
  sweep_free(&sweep);
  return !opened ? 3 : written ? 0 : 2;
}
