#include "backends/cpu/screen.h"

#include "backends/cpu/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weights in bytes from which a step does not find them in the second-level cache again. */
static const double SCREENED_LEAST = 512 * 1024;

/* Lengths of columns and biases up to which sums with inputs in range are finite, and weights below which a
 * column is all zeros in 8 bits. */
static const double SCREENED_MOST = 0x1p+60, COLUMN_LEAST = 0x1p-60;

/* Of the inputs: sums of 8-bit products stay below 2^31. */
enum { INPUTS_MOST = 65536 };

/* At most this share of all groups is looked at again. */
enum { GROUPS_SHARE = 8 };

static const struct dense *last_layer(const struct structure *s) {
  const struct dense_chain *layers = &s->output.heads[0].layers;
  return &layers->layers[layers->count - 1];
}

static size_t groups_of(int32_t units) {
  return ((size_t)units + SCREEN_COLUMNS - 1) / SCREEN_COLUMNS;
}

/* The logits are what the last layer's product gives. */
static bool can_screen(const struct cpu *cpu) {
  const struct structure *s = cpu->structure;
  if (!s->decoder.present || s->decoder.fed_probabilities > 0 || s->output.count != 1 ||
      cpu->products->word_inputs > 1)
    return false;
  const struct dense *last = last_layer(s);
  return last->kernel && last->norm.units == 0 && last->inputs <= INPUTS_MOST &&
         (last->activation == CUSEQ_ACTIVATION_SOFTMAX || last->activation == CUSEQ_ACTIVATION_LOG_SOFTMAX ||
          last->activation == CUSEQ_ACTIVATION_LINEAR);
}

void screen_plan(struct cpu *cpu) {
  const char *asked = getenv("CUSEQ_CPU_SCREEN");
  const bool known = asked && *asked;
  const struct cpu_screening *screening = isa_screening(cpu->kernels);
  if (!screening || !can_screen(cpu))
    return;
  const struct dense *last = last_layer(cpu->structure);
  const double bytes = (double)last->inputs * last->units * (double)sizeof(float);
  cpu->screen_all = known && strcmp(asked, "0") != 0;
  if (known ? cpu->screen_all : bytes >= SCREENED_LEAST)
    cpu->screening = screening;
}

/* ---- weights ---- */

/* Lengths of the columns of a group: of the weights, of what they lose in 8 bits, and in 8 bits. */
struct lengths {
  double weights[SCREEN_COLUMNS], lost[SCREEN_COLUMNS], eight[SCREEN_COLUMNS];
};

/* The weights of a group from column `first` on. Returns whether all is in range. */
static bool group_pack(const struct dense *dense, int32_t first, int8_t *weights, float *scale,
                       int32_t *start, struct lengths *lengths) {
  const int32_t left = dense->units - first, here = left < SCREEN_COLUMNS ? left : SCREEN_COLUMNS;
  double largest[SCREEN_COLUMNS] = {0.0};
  bool in_range = true;
  memset(lengths, 0, sizeof *lengths);
  for (int32_t k = 0; k < dense->inputs; k++)
    for (int32_t j = 0; j < here; j++) {
      const double weight = fabs((double)dense_weight(dense, k, first + j));
      largest[j] = weight > largest[j] ? weight : largest[j];
    }
  for (int32_t j = 0; j < here; j++)
    scale[j] = largest[j] < COLUMN_LEAST ? 0.0f : (float)(largest[j] / 127.0);
  for (int32_t k = 0; k < dense->inputs; k++)
    for (int32_t j = 0; j < here; j++) {
      const double weight = (double)dense_weight(dense, k, first + j), unit = (double)scale[j];
      const double eight = unit > 0.0 ? fmax(-127.0, fmin(127.0, nearbyint(weight / unit))) : 0.0,
                   lost = weight - eight * unit;
      weights[(size_t)(k / SCREEN_INPUTS * SCREEN_COLUMNS + j) * SCREEN_INPUTS +
              (size_t)(k % SCREEN_INPUTS)] = (int8_t)eight;
      start[j] -= 128 * (int32_t)eight;
      lengths->weights[j] += weight * weight;
      lengths->lost[j] += lost * lost;
      lengths->eight[j] += eight * unit * (eight * unit);
    }
  for (int32_t j = 0; j < here; j++) {
    lengths->weights[j] = sqrt(lengths->weights[j]);
    lengths->lost[j] = sqrt(lengths->lost[j]);
    lengths->eight[j] = sqrt(lengths->eight[j]);
    in_range = in_range && lengths->weights[j] <= SCREENED_MOST;
  }
  return in_range;
}

/* What sums of so many products err by, at most, as a share of their factors' lengths: of the product itself
 * (Higham 2002, 3.1), of its bias and, in front, of the few operations that make the bounds. */
static double rounding_of(int32_t inputs) {
  return ((double)inputs + 32.0) * 0x1p-23;
}

/* The errors of a vector of columns, from column `first` of a group on. */
static void errors_pack(const struct lengths *lengths, const float *bias, int32_t first, double rounding,
                        float *errors) {
  const double safe = 1.001;
  double of_length = 0.0, of_lost = 0.0, alone = 0.0;
  for (int32_t j = first; j < first + CPU_LANES; j++) {
    of_length = fmax(of_length, lengths->lost[j] + rounding * lengths->weights[j]);
    of_lost = fmax(of_lost, lengths->eight[j]);
    alone = fmax(alone, rounding * fabs((double)bias[j]));
  }
  errors[0] = (float)(safe * of_length);
  errors[1] = (float)(safe * of_lost);
  errors[2] = (float)(safe * alone + 0x1p-100);
}

void screen_pack(const struct cpu *cpu, struct cpu_arena *arena) {
  struct cpu_screen *packed = &cpu->packed->weights.screen;
  *packed = (struct cpu_screen){0};
  if (!cpu->screening)
    return;
  const struct dense *dense = last_layer(cpu->structure);
  const size_t groups = groups_of(dense->units), columns = groups * SCREEN_COLUMNS,
               fours = ((size_t)dense->inputs + SCREEN_INPUTS - 1) / SCREEN_INPUTS;
  int8_t *weights = arena_take(arena, columns, fours, SCREEN_INPUTS);
  float *scale = arena_floats(arena, columns, 1), *bias = arena_floats(arena, columns, 1),
        *errors = arena_floats(arena, columns / CPU_LANES, SCREEN_ERRORS);
  int32_t *start = arena_take(arena, columns, 1, sizeof *start);
  bool in_range = true;
  if (!arena_real(arena))
    return;
  for (size_t g = 0; g < groups; g++) {
    const size_t first = g * SCREEN_COLUMNS;
    struct lengths lengths;
    in_range = group_pack(dense, (int32_t)first, weights + first * fours * SCREEN_INPUTS, scale + first,
                          start + first, &lengths) &&
               in_range;
    for (size_t j = first; j < first + SCREEN_COLUMNS && j < (size_t)dense->units; j++) {
      bias[j] = dense->bias ? dense->bias[j] : 0.0f;
      in_range = in_range && fabs((double)bias[j]) <= SCREENED_MOST;
    }
    for (int32_t j = 0; j < SCREEN_COLUMNS; j += CPU_LANES)
      errors_pack(&lengths, bias + first, j, rounding_of(dense->inputs),
                  errors + (first + (size_t)j) / CPU_LANES * SCREEN_ERRORS);
  }
  for (size_t j = (size_t)dense->units; j < columns; j++)
    bias[j] = -0x1p+126f;
  if (in_range)
    *packed = (struct cpu_screen){.weights = weights,
                                  .scale = scale,
                                  .bias = bias,
                                  .start = start,
                                  .errors = errors,
                                  .inputs = dense->inputs,
                                  .units = dense->units};
}

/* ---- a step ---- */

void screen_worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  worker->screened = NULL;
  worker->later = NULL;
  if (!cpu->screening)
    return;
  const struct dense *last = last_layer(cpu->structure);
  const size_t columns = groups_of(last->units) * SCREEN_COLUMNS, inputs = arena_padded(last->inputs);
  struct cpu_screen_room *room = arena_take(arena, 1, 1, sizeof *room);
  uint8_t *eight = arena_take(arena, SCREENED_ROWS, inputs, 1);
  float *most = arena_floats(arena, SCREENED_ROWS, columns), *logits = arena_floats(arena, SCREEN_COLUMNS, 1);
  struct cpu_later *later = arena_take(arena, 1, 1, sizeof *later);
  float *later_inputs = arena_floats(arena, LATER_ROWS, inputs),
        *later_logits = arena_floats(arena, LATER_ROWS, columns);
  worker->screened = room;
  worker->later = later;
  if (!arena_real(arena))
    return;
  later->inputs = later_inputs;
  later->logits = later_logits;
  for (size_t i = 0; i < SCREENED_ROWS; i++)
    room->rows[i] = (struct cpu_screen_row){.inputs = eight + i * inputs, .most = most + i * columns};
  room->logits = logits;
}

bool screen_takes(const struct cpu *cpu, const struct cpu_worker *worker, const float *x) {
  struct cpu_screen_row row = worker->screened->rows[0];
  return cpu->screening->begin(x, cpu->packed->weights.screen.inputs, &row);
}

struct screen_call {
  const struct cpu *cpu;
  const struct cpu_screen_row *rows;
  int32_t count, parts;
  float least[POOL_MOST_PARTS][SCREENED_ROWS];
};

static void screen_task(void *argument, int32_t index, int32_t worker) {
  struct screen_call *call = argument;
  const struct cpu_screen *screen = &call->cpu->packed->weights.screen;
  const int64_t groups = (int64_t)groups_of(screen->units);
  const int32_t first = (int32_t)(groups * index / call->parts),
                end = (int32_t)(groups * (index + 1) / call->parts);
  (void)worker;
  call->cpu->screening->groups(screen, (struct cpu_part){first, end - first}, call->rows, call->count,
                               call->least[index]);
}

/* The token with the largest logit among the columns of some groups. */
static int32_t token_among(const struct cpu *cpu, const struct cpu_worker *worker, const float *x,
                           const int32_t *groups, int32_t count) {
  const struct cpu_chain *head = &cpu->packed->weights.heads[0];
  const struct cpu_dense *dense = &head->layers[head->count - 1];
  const int32_t width = cpu->kernels->width, vectors = (dense->units + width - 1) / width,
                of_group = SCREEN_COLUMNS / width;
  float *logits = worker->screened->logits, largest = 0.0f;
  int32_t token = -1;
  for (int32_t n = 0; n < count; n++) {
    const int32_t first = groups[n] * of_group, left = vectors - first;
    const struct cpu_part part = {first, left < of_group ? left : of_group};
    const struct cpu_dense columns = cpu_dense_part(dense, part, width, cpu->products->word_inputs);
    bool finite;
    cpu->products->dense(&columns, &x, 1, logits, SCREEN_COLUMNS, false, worker->room);
    const int32_t best = cpu->kernels->argmax(logits, columns.units, false, &finite);
    if (token >= 0 && logits[best] <= largest)
      continue;
    token = groups[n] * SCREEN_COLUMNS + best;
    largest = logits[best];
  }
  return token;
}

void screen_tokens(const struct cpu *cpu, const struct cpu_worker *worker, const float *const *in,
                   int32_t count, int32_t *tokens) {
  enum { FOUND_MOST = 256 };
  const struct cpu_screen *screen = &cpu->packed->weights.screen;
  struct cpu_screen_row *rows = worker->screened->rows;
  const int32_t groups = (int32_t)groups_of(screen->units), share = groups / GROUPS_SHARE + 1,
                room = share < FOUND_MOST ? share : FOUND_MOST;
  struct screen_call call = {.cpu = cpu, .rows = rows, .count = count};
  int32_t found[FOUND_MOST];
  for (int32_t n = 0; n < count; n++)
    cpu->screening->begin(in[n], screen->inputs, &rows[n]);
  call.parts = product_parts(cpu, worker, (size_t)screen->inputs * (size_t)screen->units, count);
  if (call.parts > 1)
    pool_share(cpu->pool, call.parts, screen_task, &call);
  else
    screen_task(&call, 0, 0);
  for (int32_t n = 0; n < count; n++) {
    float least = call.least[0][n];
    for (int32_t p = 1; p < call.parts; p++)
      least = call.least[p][n] > least ? call.least[p][n] : least;
    const int32_t some = cpu->screening->select(screen, rows[n].most, least, found, room);
    tokens[n] = some > room ? -1 : token_among(cpu, worker, in[n], found, some);
  }
}
