#include "cases.h"

#include <stdio.h>
#include <string.h>

static struct bench_case *add(struct bench_case *cases, int *count, const struct workload *workload,
                              char sweep, int32_t value) {
  struct bench_case *made = &cases[(*count)++];
  *made = (struct bench_case){.workload = *workload, .sweep = sweep};
  if (sweep)
    snprintf(made->workload.name, sizeof made->workload.name, "%c %d", sweep, (int)value);
  return made;
}

/* A row of one short and one long sequence for each mapping that keeps a direction in a warp, block or
 * cluster, and decoders of few and many steps: what the longer call takes more, over the steps that it has
 * more, is a step. */
static int add_chains(struct bench_case *cases, int count) {
  static const int32_t units[] = {16, 32, 64, 128}, times[] = {200, 1200}, steps[] = {10, 110};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    for (size_t n = 0; n < 2; n++) {
      struct bench_case *made = add(cases, &count, workload_find("forward H128"), 0, 0);
      struct workload *w = &made->workload;
      made->alone = true;
      w->B = 1;
      w->H = w->F = units[i];
      w->T = times[n];
      snprintf(w->name, sizeof w->name, "chain H%d T%d", (int)w->H, (int)w->T);
    }
  for (size_t n = 0; n < 2; n++) {
    struct bench_case *made = add(cases, &count, workload_find("W2 B1"), 0, 0);
    made->alone = true;
    made->workload.Y = steps[n];
    snprintf(made->workload.name, sizeof made->workload.name, "chain dates Y%d", (int)steps[n]);
  }
  return count;
}

int cases_make(struct bench_case cases[MOST_CASES]) {
  static const char *const mixed[] = {"W2 B32", "W2 B1024", "W3", "W4"};
  static const int32_t batches[] = {1, 4, 16, 64, 256, 1024, 4096};
  static const int32_t units[] = {16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024};
  static const int32_t times[] = {10, 30, 100, 300, 1000};
  int count = 0, fixed;
  const struct workload *all = workloads(&fixed);
  for (int i = 0; i < fixed; i++)
    add(cases, &count, &all[i], 0, 0);
  for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
    struct bench_case *made = add(cases, &count, workload_find(mixed[i]), 0, 0);
    made->workload.mixed_lengths = true;
    snprintf(made->workload.name, sizeof made->workload.name, "%s mixed", mixed[i]);
  }
  /* B: the dates model; H and T: W3's bidirectional LSTM, F = H */
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
    add(cases, &count, workload_find("W2 B1"), 'B', batches[i])->workload.B = batches[i];
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    struct workload *made = &add(cases, &count, workload_find("W3"), 'H', units[i])->workload;
    made->H = made->F = units[i];
  }
  for (size_t i = 0; i < sizeof times / sizeof *times; i++)
    add(cases, &count, workload_find("W3"), 'T', times[i])->workload.T = times[i];
  return add_chains(cases, count);
}

bool case_is_wanted(const struct bench_case *bench_case, const char *filter) {
  const char *name = bench_case->workload.name;
  const size_t length = strlen(filter);
  return strncmp(name, filter, length) == 0 && (name[length] == 0 || name[length] == ' ');
}
