#include "timing.h"

#include "peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double time_call(const struct instance *instance, cuseq_session *session, double seconds) {
  double best = 1e9, start = peak_clock(), now = start;
  for (int calls = 0; calls < 2 || now - start < seconds; calls++) {
    double before = now;
    if (instance_call(instance, session, 0, instance->workload->B) != CUSEQ_STATUS_OK) {
      fprintf(stderr, "bench: %s\n", cuseq_last_error());
      exit(3);
    }
    now = peak_clock();
    best = now - before < best ? now - before : best;
  }
  return best;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

struct spread spread_of(double *values, int count) {
  if (count == 0)
    return (struct spread){NAN, NAN, NAN};
  qsort(values, (size_t)count, sizeof *values, ascending);
  return (struct spread){values[0], (values[(count - 1) / 2] + values[count / 2]) / 2.0, values[count - 1]};
}

const char *timing_processor(void) {
  static cuseq_device device = CUSEQ_DEVICE_INIT;
  for (int32_t i = 0; i < cuseq_device_count(); i++)
    if (cuseq_device_get(i, &device) == CUSEQ_STATUS_OK && strcmp(device.name, "cpu") == 0)
      break;
  peak_choose(device.description);
  return device.description;
}
