#include "sweep.h"

#include "cpu/bandwidth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 32, MOST_SIZES = 128, MOST_ITEMS = 512, MOST_LINES = 32 };

/* Rows that the backend takes through a small model together. */
enum { TILE = 32 };

/* A sweep over one model. Values end with 0. */
struct plan {
  const char *sweep, *model;
  double order;
  struct workload base;
  int32_t values[MOST_VALUES], quick[MOST_VALUES];
};

#define DATES .T = 30, .F = 37, .H = 32, .keys = 10, .S = 64, .Y = 10, .V = 11, .ids = true

static const struct plan plans[] = {
    {.sweep = "B",
     .model = "dates model",
     .order = 1.0,
     .base = {.name = "dates", DATES},
     .values = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 36, 37, 48, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096},
     .quick = {1, 4, 16, 64}},
    {.sweep = "B",
     .model = "encoder, H 512",
     .order = 1.0,
     .base = {.name = "encoder", .T = 16, .F = 512, .H = 512, .keys = 1, .encode_only = true},
     .values = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128},
     .quick = {1, 4}},
    {.sweep = "T",
     .model = "dates model, B 32",
     .order = 1.0,
     .base = {.name = "dates", DATES, .B = 32},
     .values = {4, 8, 16, 30, 64, 128, 256, 512, 1024, 2048},
     .quick = {4, 16, 64}},
    {.sweep = "T",
     .model = "dates model, B 1",
     .order = 1.0,
     .base = {.name = "dates", DATES, .B = 1},
     .values = {4, 8, 16, 30, 64, 128, 256, 512, 1024, 2048},
     .quick = {4, 16, 64}},
    {.sweep = "H",
     .model = "encoder, F = H, B 32",
     .order = 2.0,
     .base = {.name = "encoder", .B = 32, .T = 32, .keys = 1, .encode_only = true},
     .values = {8, 12, 16, 17, 24, 32, 33, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024},
     .quick = {8, 16, 17, 32, 64}},
    {.sweep = "H",
     .model = "encoder, F = H, B 1",
     .order = 2.0,
     .base = {.name = "encoder", .B = 1, .T = 32, .keys = 1, .encode_only = true},
     .values = {8, 12, 16, 17, 24, 32, 33, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024},
     .quick = {8, 16, 17, 32, 64}},
};

/* The same work on more and more threads. */
static const struct plan thread_plans[] = {
    {.sweep = "threads",
     .model = "dates model, B 32",
     .order = -1.0,
     .base = {.name = "dates", DATES, .B = 32}},
    {.sweep = "threads",
     .model = "dates model, B 1024",
     .order = -1.0,
     .base = {.name = "dates", DATES, .B = 1024}},
    {.sweep = "threads",
     .model = "encoder, H 128, B 32",
     .order = -1.0,
     .base = {.name = "encoder", .B = 32, .T = 100, .F = 128, .H = 128, .keys = 1, .encode_only = true}},
};

static const struct workload smallest = {
    .name = "smallest", .B = 1, .T = 1, .F = 1, .H = 1, .keys = 1, .encode_only = true};

static struct size *add_size(struct sweep *sweep, const struct workload *base, const char *swept,
                             int32_t value) {
  struct size *size = &sweep->sizes[sweep->size_count++];
  struct workload *w = &size->workload;
  *w = *base;
  if (strcmp(swept, "B") == 0)
    w->B = value;
  else if (strcmp(swept, "T") == 0)
    w->T = value;
  else if (strcmp(swept, "H") == 0)
    w->H = w->F = value;
  const size_t rows = (size_t)(w->B < TILE ? w->B : TILE);
  size->annotations = w->encode_only ? 0 : sizeof(float) * rows * (size_t)w->T * 2u * (size_t)w->H;
  size->weights = sizeof(float) * 4u * (size_t)w->H * (size_t)((w->ids ? 0 : w->F) + w->H);
  /* Rows that the reference takes long for, and lengths whose tolerance is not defined. */
  const double row = workload_flops(w) / w->B;
  size->verifiable = row <= 2e8 && w->T <= 1024;
  return size;
}

static struct line *add_line(struct sweep *sweep, const struct plan *plan, int32_t threads) {
  struct line *line = &sweep->lines[sweep->line_count++];
  *line = (struct line){plan->sweep, plan->model, plan->order, threads, sweep->item_count, 0};
  return line;
}

static void add_item(struct sweep *sweep, struct line *line, int size, int32_t value, int32_t threads) {
  sweep->items[sweep->item_count++] = (struct item){.size = size, .value = value, .threads = threads};
  line->count++;
}

static void add_plan(struct sweep *sweep, const struct plan *plan, int cores, bool quick) {
  const int32_t *values = quick ? plan->quick : plan->values;
  const int first = sweep->size_count;
  for (int i = 0; i < MOST_VALUES && values[i] > 0; i++)
    add_size(sweep, &plan->base, plan->sweep, values[i]);
  for (int32_t threads = 1; threads <= cores; threads += cores > 1 ? cores - 1 : 1) {
    struct line *line = add_line(sweep, plan, threads);
    for (int size = first; size < sweep->size_count; size++)
      add_item(sweep, line, size, values[size - first], threads);
  }
}

/* 1, 2, 3, 4, 6, 8, 12 .. and all of them. */
static int32_t more_threads(int32_t threads, int cores) {
  const bool power = (threads & (threads - 1)) == 0;
  int32_t next = threads < 2 ? threads + 1 : power ? threads + threads / 2 : threads / 3 * 4;
  return threads < cores && next > cores ? cores : next;
}

bool sweep_make(struct sweep *sweep, int cores, bool quick) {
  *sweep = (struct sweep){.sizes = calloc(MOST_SIZES, sizeof *sweep->sizes),
                          .items = calloc(MOST_ITEMS, sizeof *sweep->items),
                          .lines = calloc(MOST_LINES, sizeof *sweep->lines)};
  if (!sweep->sizes || !sweep->items || !sweep->lines) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  const struct plan call = {.sweep = "call", .model = "smallest call", .order = -1.0};
  add_size(sweep, &smallest, call.sweep, 1);
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
    add_plan(sweep, &plans[i], cores, quick);
  for (size_t i = 0; i < sizeof thread_plans / sizeof *thread_plans; i++) {
    const struct plan *plan = &thread_plans[i];
    const int size = sweep->size_count;
    add_size(sweep, &plan->base, plan->sweep, 0);
    struct line *line = add_line(sweep, plan, 0);
    for (int32_t threads = 1; threads <= cores; threads = more_threads(threads, cores))
      add_item(sweep, line, size, threads, threads);
  }
  struct line *line = add_line(sweep, &call, 0);
  for (int32_t threads = 1; threads <= cores; threads = more_threads(threads, cores))
    add_item(sweep, line, 0, threads, threads);
  return true;
}

static bool open_item(struct sweep *sweep, struct item *item, int rounds) {
  struct size *size = &sweep->sizes[item->size];
  item->error = NAN;
  item->seconds = calloc((size_t)rounds, sizeof *item->seconds);
  item->peak = calloc((size_t)rounds, sizeof *item->peak);
  if (!item->seconds || !item->peak) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  item->session = instance_open(&size->instance, "cpu", item->threads, size->workload.B);
  if (!item->session)
    return false;
  if (size->verifiable && !instance_verify(&size->instance, item->session, &item->error)) {
    const struct workload *w = &size->workload;
    fprintf(stderr, "bench: %s, B %d T %d H %d, %d threads: wrong results (error %.3g of what is allowed)\n",
            w->name, (int)w->B, (int)w->T, (int)w->H, (int)item->threads, item->error);
    return false;
  }
  return true;
}

bool sweep_open(struct sweep *sweep, int rounds) {
  for (int i = 0; i < sweep->size_count; i++) {
    struct size *size = &sweep->sizes[i];
    if (!instance_make(&size->instance, &size->workload))
      return false;
    size->weights_bandwidth = bandwidth_measure(size->weights);
    size->annotations_bandwidth = size->annotations > 0 ? bandwidth_measure(size->annotations) : 1.0;
  }
  for (int i = 0; i < sweep->item_count; i++)
    if (!open_item(sweep, &sweep->items[i], rounds))
      return false;
  return true;
}

void sweep_free(struct sweep *sweep) {
  for (int i = 0; i < sweep->item_count; i++) {
    cuseq_session_close(sweep->items[i].session);
    free(sweep->items[i].seconds);
    free(sweep->items[i].peak);
  }
  for (int i = 0; i < sweep->size_count; i++)
    instance_free(&sweep->sizes[i].instance);
  free(sweep->sizes);
  free(sweep->items);
  free(sweep->lines);
  *sweep = (struct sweep){0};
}
