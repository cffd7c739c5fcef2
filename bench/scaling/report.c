#include "report.h"

#include "cause.h"
#include "cpu/bandwidth.h"
#include "cpu/timing.h"
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_POINTS = 64, MOST_ROUNDS = 256, LEAST_FITTED = 3 };

static const double UNDISTURBED = 0.9;
static const double ON_FLOOR = 0.5; /* from this part of the best share on */

int report_undisturbed(const struct item *item, double best_peak) {
  int count = 0;
  for (int i = 0; i < item->count; i++)
    count += item->peak[i] >= UNDISTURBED * best_peak;
  return count;
}

static void reduce_item(struct item *item, const struct size *size, double best_peak) {
  const struct workload *w = &size->workload;
  double seconds[MOST_ROUNDS], shares[MOST_ROUNDS];
  const double flops = workload_flops(w);
  int count = 0;
  for (int i = 0; i < item->count && count < MOST_ROUNDS; i++)
    if (item->peak[i] >= UNDISTURBED * best_peak) {
      seconds[count] = item->seconds[i];
      shares[count++] = flops / item->seconds[i] * 1e-9 / item->peak[i];
    }
  const struct spread time = spread_of(seconds, count), share = spread_of(shares, count);
  const double directions = item->threads > 1 ? 1.0 : 2.0; /* of the encoder, one after the other */
  const double weights = 4.0 * sizeof(float) * w->H * ((w->ids ? 0.0 : w->F) * w->T + (w->T - 1.0) * w->H);
  const double annotations =
      w->encode_only ? 0.0 : sizeof(float) * 2.0 * w->H * w->T * w->B * (w->Y > 0 ? w->Y : 1.0);
  item->undisturbed = count;
  item->median = time.median;
  item->low = time.low;
  item->high = time.high;
  item->share = share.median;
  item->gflops = flops / time.median * 1e-9;
  item->floor = flops / best_peak * 1e-9;
  item->weights = weights * directions / size->weights_bandwidth;
  item->annotations = annotations / fmin(item->threads, w->B) / size->annotations_bandwidth;
}

void report_reduce(struct sweep *sweep, const double *best_peak) {
  for (int i = 0; i < sweep->item_count; i++) {
    struct item *item = &sweep->items[i];
    reduce_item(item, &sweep->sizes[item->size], best_peak[item->threads]);
  }
  for (int i = 0; i < sweep->item_count; i++)
    for (int other = 0; other < sweep->item_count; other++)
      if (sweep->items[other].threads == sweep->items[i].threads)
        sweep->items[i].best_share = fmax(sweep->items[i].best_share, sweep->items[other].share);
}

/* A line's measured points, side by side. */
struct curve {
  const struct item *items[MOST_POINTS];
  double values[MOST_POINTS], times[MOST_POINTS], floors[MOST_POINTS];
  double shares[MOST_POINTS]; /* of the best share on as many threads */
  int count;
  struct range on;
};

static struct curve curve_of(const struct sweep *sweep, const struct line *line) {
  struct curve curve = {.count = 0};
  for (int i = 0; i < line->count && curve.count < MOST_POINTS; i++) {
    const struct item *item = &sweep->items[line->first + i];
    if (isnan(item->median))
      continue;
    curve.items[curve.count] = item;
    curve.values[curve.count] = item->value;
    curve.times[curve.count] = item->median;
    curve.floors[curve.count] = item->floor;
    curve.shares[curve.count++] = item->share / item->best_share;
  }
  curve.on = fit_on_floor(curve.shares, curve.count, ON_FLOOR);
  return curve;
}

static bool is_call(const struct line *line) {
  return strcmp(line->sweep, "call") == 0;
}

/* The measured time of `size` on `threads`; 0 where there is none. */
static double time_of(const struct sweep *sweep, int size, int32_t threads) {
  for (int i = 0; i < sweep->item_count; i++)
    if (sweep->items[i].size == size && sweep->items[i].threads == threads && sweep->items[i].median > 0.0)
      return sweep->items[i].median;
  return 0.0;
}

/* The point with the best share of the peak among those with more rows of the same model; itself without
 * any. */
static const struct item *more_rows(const struct sweep *sweep, const struct item *item) {
  const struct workload *w = &sweep->sizes[item->size].workload;
  const struct item *best = item;
  for (int i = 0; i < sweep->item_count; i++) {
    const struct item *other = &sweep->items[i];
    const struct workload *o = &sweep->sizes[other->size].workload;
    if (other->threads == item->threads && o->T == w->T && o->F == w->F && o->H == w->H && o->S == w->S &&
        o->B > w->B && other->share > best->share)
      best = other;
  }
  return best;
}

static const char *point_cause(const struct sweep *sweep, const struct line *line, const struct curve *curve,
                               int index, char *text, size_t capacity) {
  const struct item *item = curve->items[index], *more = more_rows(sweep, item);
  const struct size *size = &sweep->sizes[item->size];
  const bool last = index + 1 == curve->count;
  const struct evidence evidence = {
      .unit = line->sweep,
      .order = line->order,
      .value = curve->values[index],
      .time = item->median,
      .floor = item->floor,
      .smallest = time_of(sweep, 0, item->threads),
      .on_one = item->threads > 1 ? time_of(sweep, item->size, 1) : 0.0,
      .weights = item->weights,
      .annotations = item->annotations,
      .weights_level = bandwidth_level(size->weights),
      .annotations_level = bandwidth_level(size->annotations),
      .share = item->share,
      .more_rows_share = more == item ? 0.0 : more->share,
      .more_rows = sweep->sizes[more->size].workload.B,
      .next_value = last ? 0.0 : curve->values[index + 1],
      .next_time = last ? 0.0 : curve->times[index + 1],
  };
  return cause_of(&evidence, text, capacity);
}

/* Points off the floor, one after the other, with one cause. */
struct edge {
  struct range points;
  const char *cause;
  char evidence[200]; /* of the first point */
};

static int edges_of(const struct sweep *sweep, const struct line *line, const struct curve *curve,
                    struct edge *edges) {
  int count = 0;
  for (int i = 0; i < curve->count; i++) {
    if (curve->shares[i] >= ON_FLOOR)
      continue;
    struct edge edge = {.points = {i, i + 1}};
    edge.cause = point_cause(sweep, line, curve, i, edge.evidence, sizeof edge.evidence);
    if (count > 0 && edges[count - 1].points.end == i && strcmp(edges[count - 1].cause, edge.cause) == 0)
      edges[count - 1].points.end = i + 1;
    else
      edges[count++] = edge;
  }
  return count;
}

/* A range with its fits. */
struct fitted {
  struct range points;
  const char *where; /* before, on or after its floor; off: the curve has none */
  struct fit time, floor;
};

static int fits_of(const struct curve *curve, struct fitted fits[3]) {
  const bool none = curve->on.first == curve->on.end;
  const struct range ranges[3] = {{0, curve->on.first}, curve->on, {curve->on.end, curve->count}};
  const char *const names[3] = {"before", "on", none ? "off" : "after"};
  int count = 0;
  for (int r = 0; r < 3; r++) {
    const int first = ranges[r].first, points = ranges[r].end - first;
    if (points >= LEAST_FITTED)
      fits[count++] =
          (struct fitted){ranges[r], names[r], fit_power(curve->values + first, curve->times + first, points),
                          fit_power(curve->values + first, curve->floors + first, points)};
  }
  return count;
}

static struct spread shares_in(const struct curve *curve, struct range range) {
  double shares[MOST_POINTS];
  int count = 0;
  for (int i = range.first; i < range.end; i++)
    shares[count++] = curve->items[i]->share;
  return spread_of(shares, count);
}

static void print_range(const char *what, const char *unit, const struct curve *curve, struct range range) {
  printf("# %-9s %s %.0f", what, unit, curve->values[range.first]);
  if (range.end - range.first > 1)
    printf(" .. %.0f", curve->values[range.end - 1]);
}

static void print_analysis(const struct sweep *sweep, const struct line *line, const struct curve *curve) {
  struct fitted fits[3];
  const int fit_count = fits_of(curve, fits);
  for (int f = 0; f < fit_count; f++) {
    print_range("fit", line->sweep, curve, fits[f].points);
    printf(" (%s the floor): time ~ %s^%.3f, standard error %.3f; the floor ~ %s^%.3f\n", fits[f].where,
           line->sweep, fits[f].time.exponent, fits[f].time.error, line->sweep, fits[f].floor.exponent);
  }
  struct edge edges[MOST_POINTS];
  const int count = edges_of(sweep, line, curve, edges);
  for (int e = 0; e < count; e++) {
    const struct spread shares = shares_in(curve, edges[e].points);
    print_range("off", line->sweep, curve, edges[e].points);
    printf(": %.0f%%", 100.0 * shares.low);
    if (edges[e].points.end - edges[e].points.first > 1)
      printf(" to %.0f%%", 100.0 * shares.high);
    printf(" of peak: %s (%s)\n", edges[e].cause, edges[e].evidence);
  }
}

static void print_line(const struct sweep *sweep, const struct line *line) {
  const struct curve curve = curve_of(sweep, line);
  const struct workload *w = &sweep->sizes[sweep->items[line->first].size].workload;
  char threads[32] = "";
  if (line->threads > 0)
    snprintf(threads, sizeof threads, ", %d thread%s", (int)line->threads, line->threads == 1 ? "" : "s");
  printf("#\n# %s: %s%s (%s T %d F %d H %d)\n", line->sweep, line->model, threads, w->ids ? "ids," : "dense,",
         (int)w->T, (int)w->F, (int)w->H);
  for (int i = 0; i < line->count; i++) {
    const struct item *item = &sweep->items[line->first + i];
    printf("%-8s %5d  %3d/%-3d", line->sweep, (int)item->value, item->undisturbed, item->count);
    if (isnan(item->median))
      printf(" %12s %7s %9s %7s", "-", "-", "-", "-");
    else
      printf(" %12.2f %6.1f%% %9.1f %6.1f%%", item->median * 1e6,
             100.0 * (item->high - item->low) / item->median, item->gflops, 100.0 * item->share);
    printf(" %12.2f %12.2f  %s\n", item->floor * 1e6, (item->weights + item->annotations) * 1e6,
           isnan(item->error) ? "-" : "yes");
  }
  if (curve.count == 0 || is_call(line))
    return;
  print_analysis(sweep, line, &curve);
}

void report_print(const struct sweep *sweep, const struct heading *heading, const double *best_peak,
                  int rounds) {
  const struct line *last = &sweep->lines[sweep->line_count - 1];
  heading_print(heading);
  printf(
      "# verified  where it says yes, against the float64 reference before it was timed; the others are too "
      "large for it\n");
  printf("# rounds    %d or more, interleaved; a round's time is the best of its calls, its peak the best of "
         "FMA bursts "
         "before and after\n",
         rounds);
  printf("# counted   rounds in which the peak was at least %.0f%% of the best\n", 100.0 * UNDISTURBED);
  printf(
      "# floor     the multiply-adds at that peak; streaming: the weights once a step and direction, at the "
      "bandwidth measured for their size\n");
  printf("# off       where the share of the peak is below half of the best on as many threads\n");
  for (int i = 0; i < last->count; i++) {
    const int32_t threads = sweep->items[last->first + i].threads;
    printf("# peak      %.1f GFLOP/s on %d thread%s (best of all rounds)\n", best_peak[threads], (int)threads,
           threads == 1 ? "" : "s");
  }
  printf("#\n# sweep    value rounds       median  spread   GFLOP/s   share        floor    streaming  "
         "verified\n"
         "#                                us                       of peak           us           us\n");
  for (int i = 0; i < sweep->line_count; i++)
    print_line(sweep, &sweep->lines[i]);
}

static void json_point(struct results *file, const struct sweep *sweep, const struct line *line,
                       const struct item *item) {
  const struct workload *w = &sweep->sizes[item->size].workload;
  results_row(file, "point");
  results_text(file, "sweep", line->sweep);
  results_text(file, "model", line->model);
  results_number(file, "value", item->value);
  results_number(file, "threads", item->threads);
  results_number(file, "B", w->B);
  results_number(file, "T", w->T);
  results_number(file, "F", w->F);
  results_number(file, "H", w->H);
  results_number(file, "median_us", item->median * 1e6);
  results_number(file, "low_us", item->low * 1e6);
  results_number(file, "high_us", item->high * 1e6);
  results_number(file, "rounds", item->undisturbed);
  results_number(file, "gflops", item->gflops);
  results_number(file, "share", item->share);
  results_number(file, "floor_us", item->floor * 1e6);
  results_number(file, "stream_us", (item->weights + item->annotations) * 1e6);
  results_bool(file, "verified", !isnan(item->error));
  if (isnan(item->median))
    results_text(file, "reason", "every round was disturbed by other work on the machine");
}

static void json_line_head(struct results *file, const char *kind, const struct line *line,
                           const struct curve *curve, struct range range) {
  results_row(file, kind);
  results_text(file, "sweep", line->sweep);
  results_text(file, "model", line->model);
  results_number(file, "threads", line->threads);
  results_number(file, "from", curve->values[range.first]);
  results_number(file, "to", curve->values[range.end - 1]);
}

static void json_analysis(struct results *file, const struct sweep *sweep, const struct line *line) {
  const struct curve curve = curve_of(sweep, line);
  if (curve.count == 0 || is_call(line))
    return;
  struct fitted fits[3];
  const int fit_count = fits_of(&curve, fits);
  for (int f = 0; f < fit_count; f++) {
    json_line_head(file, "fit", line, &curve, fits[f].points);
    results_text(file, "range", fits[f].where);
    results_number(file, "points", fits[f].time.points);
    results_number(file, "exponent", fits[f].time.exponent);
    results_number(file, "exponent_error", fits[f].time.error);
    results_number(file, "floor_exponent", fits[f].floor.exponent);
  }
  struct edge edges[MOST_POINTS];
  const int count = edges_of(sweep, line, &curve, edges);
  for (int e = 0; e < count; e++) {
    const struct spread shares = shares_in(&curve, edges[e].points);
    json_line_head(file, "edge", line, &curve, edges[e].points);
    results_number(file, "share_low", shares.low);
    results_number(file, "share_high", shares.high);
    results_number(file, "best_share", curve.items[edges[e].points.first]->best_share);
    results_text(file, "cause", edges[e].cause);
    results_text(file, "evidence", edges[e].evidence);
  }
}

bool report_json(const char *path, const struct sweep *sweep, const struct heading *heading,
                 const double *best_peak, int rounds) {
  struct results *file = results_begin(path, heading, rounds);
  if (!file)
    return false;
  const struct line *last = &sweep->lines[sweep->line_count - 1];
  for (int i = 0; i < last->count; i++) {
    const int32_t threads = sweep->items[last->first + i].threads;
    char what[64];
    snprintf(what, sizeof what, "peak on %d thread%s", (int)threads, threads == 1 ? "" : "s");
    results_row(file, "machine");
    results_text(file, "what", what);
    results_number(file, "value", best_peak[threads]);
    results_text(file, "unit", "GFLOP/s");
  }
  for (int l = 0; l < sweep->line_count; l++)
    for (int i = 0; i < sweep->lines[l].count; i++)
      json_point(file, sweep, &sweep->lines[l], &sweep->items[sweep->lines[l].first + i]);
  for (int l = 0; l < sweep->line_count; l++)
    json_analysis(file, sweep, &sweep->lines[l]);
  return results_end(file);
}
