#include "cause.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How fast the time grows from here to the next point, as a share of how fast the arithmetic grows. */
static double growth(const struct evidence *e) {
  if (e->next_value <= e->value)
    return 1.0;
  return log(e->next_time / e->time) / (e->order * log(e->next_value / e->value));
}

static const char *nearly_free(const char *unit) {
  if (strcmp(unit, "B") == 0)
    return "too few rows to fill the processor";
  if (strcmp(unit, "H") == 0)
    return "too few units to fill the blocks that they are computed in";
  if (strcmp(unit, "threads") == 0)
    return "too little work to share among more threads";
  return "work that does not grow with T";
}

/* Microseconds with three digits, without an exponent. */
static const char *micros(char text[16], double seconds) {
  const double value = seconds * 1e6;
  snprintf(text, 16, value >= 100.0 ? "%.0f us" : value >= 10.0 ? "%.1f us" : "%.2f us", value);
  return text;
}

static const char *bandwidth_cause(const struct evidence *e, const char *time, char *text, size_t capacity) {
  const bool weights = e->weights >= e->annotations;
  const char *level = weights ? e->weights_level : e->annotations_level;
  char part[16];
  snprintf(text, capacity, "%s, of which reading the %s once a %sstep from the %s takes %s", time,
           weights ? "weights" : "annotations", weights ? "" : "decoder ", level,
           micros(part, weights ? e->weights : e->annotations));
  return strcmp(level, "memory") == 0 ? "memory bandwidth" : "cache bandwidth";
}

const char *cause_of(const struct evidence *e, char *text, size_t capacity) {
  const double gap = e->time - e->floor;
  char time[16], other[16];
  micros(time, e->time);
  if (e->on_one > 0.0 && e->time >= 0.9 * e->on_one) {
    snprintf(text, capacity, "%s, and %s on one thread", time, micros(other, e->on_one));
    return "no faster than on one thread";
  }
  if (e->smallest >= 0.5 * gap) {
    snprintf(text, capacity, "%s, of which the smallest call takes %s", time, micros(other, e->smallest));
    return "the cost of a call";
  }
  if (e->weights + e->annotations >= 0.5 * e->time && e->weights + e->annotations > e->floor)
    return bandwidth_cause(e, time, text, capacity);
  if (e->more_rows_share >= 1.25 * e->share) {
    snprintf(text, capacity, "%.0f%% of the peak, and %.0f%% with %.0f rows", 100.0 * e->share,
             100.0 * e->more_rows_share, e->more_rows);
    return "too few rows to fill the processor";
  }
  if (growth(e) <= 0.5) {
    snprintf(text, capacity, "%s at %s %.0f, %s at %s %.0f", time, e->unit, e->value,
             micros(other, e->next_time), e->unit, e->next_value);
    return nearly_free(e->unit);
  }
  snprintf(text, capacity, "%s, floor %s", time, micros(other, e->floor));
  return "not explained by these figures";
}
