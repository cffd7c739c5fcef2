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
  return count;
}

bool case_is_wanted(const struct bench_case *bench_case, const char *filter) {
  const char *name = bench_case->workload.name;
  const size_t length = strlen(filter);
  return strncmp(name, filter, length) == 0 && (name[length] == 0 || name[length] == ' ');
}
