#include "figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int figure_rounds(const char *text) {
  char *end;
  const long rounds = strtol(text, &end, 10);
  return *end || rounds > ROUNDS_MOST || rounds < ROUNDS_FEWEST ? 0 : (int)rounds;
}

const char *figure_text(double value, const char *format, char text[32]) {
  snprintf(text, 32, isfinite(value) ? format : "-", value);
  return text;
}

bool figure_times(struct results *results, bool is_emulated, struct spread device, struct spread host) {
  if (is_emulated) {
    results_text(results, "reason", "an emulated device has counters and no times");
    results_number(results, "median_us", NAN);
    return false;
  }
  results_number(results, "median_us", device.median);
  results_number(results, "low_us", device.low);
  results_number(results, "high_us", device.high);
  results_number(results, "host_median_us", host.median);
  results_number(results, "host_low_us", host.low);
  results_number(results, "host_high_us", host.high);
  return true;
}
