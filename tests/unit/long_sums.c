/* Sums over many terms err as those over few do: positions, and every width that may be large. Terms are
 * equal, so that every addition errs in the same direction and a plain sum of N of them is off by a multiple
 * of N. */
#include "backends/cpu/kernels.h"
#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* The device tests build this file again, for their device and fewer positions; the kernels are the cpu's
 * alone. */
#ifndef LONG_SUMS_DEVICES
#define LONG_SUMS_DEVICES "cpu"
#define LONG_SUMS_POSITIONS 20000, 100000
#define LONG_SUMS_KERNELS 1
#endif

static const char *const devices[] = {LONG_SUMS_DEVICES};
static const int32_t positions[] = {3, LONG_SUMS_POSITIONS};
enum { DEVICES = sizeof devices / sizeof *devices, LENGTHS = sizeof positions / sizeof *positions };

static const double UNIT = 0x1p-24; /* the rounding error of a number near 1 */

/* A forward encoder whose states do not depend on the ones before - no recurrence, and a cell that forgets -
 * so that equal input makes equal annotations, and attention without weights, so that all alphas are
 * equal. */
static cuseq_model *forgetful_model(void) {
  enum { H = 6, F = 2 };
  static const char json[] =
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":6,\"direction\":\"forward\"},"
      "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"linear\"}]}}";
  struct random random = {5};
  float kernel[F * 4 * H], recurrent[H * 4 * H] = {0}, bias[4 * H] = {0}, attention[2 * H] = {0},
                                             zero[1] = {0};
  for (int i = 0; i < F * 4 * H; i++)
    kernel[i] = i / H % 4 == 1 ? 0.0f : random_between(&random, 0.3f, 1.0f);
  for (int j = H; j < 2 * H; j++)
    bias[j] = -200.0f; /* the forget gate */
  const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {F, 4 * H}, kernel},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {H, 4 * H}, recurrent},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4 * H}, bias},
      {"attention.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {2 * H, 1}, attention},
      {"attention.layers.0.bias", CUSEQ_DTYPE_F32, 1, {1}, zero}};
  cuseq_model *model;
  cr_assert_eq(cuseq_model_create(json, tensors, 5, &model), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return model;
}

Test(long_sums, the_context_of_equal_positions_is_one_of_them_however_many_there_are) {
  enum { A = 6 };
  cuseq_model *model = forgetful_model();
  for (int d = 0; d < DEVICES; d++)
    for (int n = 0; n < LENGTHS; n++) {
      const int32_t T = positions[n];
      float *x = malloc((size_t)T * 2 * sizeof *x);
      for (int32_t i = 0; i < 2 * T; i++)
        x[i] = i % 2 ? 0.7f : 0.6f;
      const cuseq_input input = {
          .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = T};
      struct results got;
      results_make(&got, model, 1, T, 1);
      results_run(&got, model, devices[d], 1, &input);
      for (int i = 0; i < A; i++) {
        const double want = (double)got.encoding.annotations[i], mean = (double)got.decoding.contexts[i];
        cr_expect(fabs(mean - want) <= 4.0 * UNIT, "%s, T %d, column %d: got %.9g, want %.9g", devices[d],
                  (int)T, i, mean, want);
      }
      cr_expect(fabs((double)got.decoding.alphas[T - 1] * T - 1.0) <= 4.0 * UNIT,
                "%s, T %d: an alpha is %.9g", devices[d], (int)T, (double)got.decoding.alphas[T - 1]);
      results_free(&got);
      free(x);
    }
  cuseq_model_destroy(model);
}

#ifdef LONG_SUMS_KERNELS
static const struct cpu_kernels *const all[] = {
    &cpu_kernels_portable,
#if defined(CPU_X86_64)
    &cpu_kernels_avx2,
    &cpu_kernels_avx512,
#endif
};

static bool runs_here(const struct cpu_kernels *kernels) {
#if defined(CPU_X86_64)
  if (kernels == &cpu_kernels_avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  if (kernels == &cpu_kernels_avx2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return kernels != NULL;
}

enum { MANY = 100000 };
static const float TERM = 0.1f;

/* [count] equal numbers, aligned for the kernels. */
static float *equal_numbers(size_t count, float number) {
  float *numbers = aligned_alloc(64, (count * sizeof *numbers + 63) / 64 * 64);
  for (size_t i = 0; i < count; i++)
    numbers[i] = number;
  return numbers;
}

/* A block of equal terms errs by some tens of units, whatever their number; a plain sum of so many would by
 * thousands. */
static void expect_sum(const struct cpu_kernels *kernels, const char *what, double got, double want) {
  cr_expect(fabs(got - want) <= 64.0 * UNIT * want, "%s, %s: got %.9g, want %.9g", kernels->name, what, got,
            want);
}

static void check_dense(const struct cpu_kernels *kernels) {
  for (int vectors = 1; vectors <= 4; vectors *= 2) {
    const int32_t units = vectors * kernels->width;
    float *weights = equal_numbers((size_t)units * MANY, TERM), *x = equal_numbers(MANY, 1.0f);
    float *bias = equal_numbers(64, 0.0f), *out = equal_numbers(64, 0.0f);
    const struct cpu_dense dense = {.weights = weights, .bias = bias, .inputs = MANY, .units = units};
    const float *const in[] = {x};
    kernels->products.dense(&dense, in, 1, out, 64, false, NULL);
    expect_sum(kernels, "dense", (double)out[units - 1], (double)TERM * MANY);
    free(weights);
    free(x);
    free(bias);
    free(out);
  }
}

static void check_energies(const struct cpu_kernels *kernels, int32_t layers) {
  const size_t lanes = (size_t)kernels->width;
  float *keys = equal_numbers(MANY * lanes, TERM), *query = equal_numbers(MANY, 0.0f),
        *weights = equal_numbers(MANY, 1.0f), *one = equal_numbers(16, 1.0f), *zero = equal_numbers(16, 0.0f),
        *scratch = equal_numbers((size_t)2 * MANY * CPU_LANES, 0.0f), *e = equal_numbers(16, 0.0f);
  struct cpu_energy energy = {.layers = layers, .scale = 1.0f};
  energy.units[0] = MANY;
  energy.weights[1] = weights;
  energy.weights[2] = one;
  for (int32_t l = 1; l <= layers; l++) {
    energy.units[l] = 1;
    energy.bias[l] = zero;
  }
  kernels->energies(&energy, keys, lanes, 0, query, (int32_t)lanes, scratch, e);
  expect_sum(kernels, layers == 1 ? "energies" : "energies of layers", (double)e[0], (double)TERM * MANY);
  if (layers == 1) { /* the powers of keys: (1 - 0.25) / (1 + 0.25) */
    for (size_t i = 0; i < MANY * lanes; i++)
      keys[i] = 0.25f;
    kernels->energies(&energy, keys, lanes, 1, query, (int32_t)lanes, scratch, e);
    expect_sum(kernels, "energies of powers", (double)e[0], 0.6 * MANY);
  }
  free(keys);
  free(query);
  free(weights);
  free(one);
  free(zero);
  free(scratch);
  free(e);
}

static void check_dots_and_softmax(const struct cpu_kernels *kernels) {
  const int32_t columns = MANY / 16 * 16;
  float *a = equal_numbers((size_t)columns * 5, TERM), *v = equal_numbers((size_t)columns, 1.0f), e[64];
  kernels->dots(a, (size_t)columns, columns, v, 0.0f, 1.0f, 5, e);
  expect_sum(kernels, "dots of four", (double)e[0], (double)TERM * columns);
  expect_sum(kernels, "dots of one", (double)e[4], (double)TERM * columns);
  kernels->softmax(a, columns, a);
  expect_sum(kernels, "softmax", (double)a[columns - 1], 1.0 / columns);
  free(a);
  free(v);
}

/* z = 100,000 equal products that make 2 in all: h = sigmoid(2) tanh(sigmoid(2) tanh(2)). */
static void check_cell(const struct cpu_kernels *kernels) {
  const size_t line = 4 * (size_t)kernels->width;
  float *weights = equal_numbers((MANY + 1) * line, TERM), *bias = equal_numbers(line, 0.0f),
        *x = equal_numbers(MANY, 2.0f / (TERM * MANY)), *zero = equal_numbers(16, 0.0f), c[16] = {0},
        h[6][16];
  const double log2e = 1.44269504088896340736;
  for (size_t i = 0; i < (MANY + 1) * line; i++)
    weights[i] *= (float)(i / (size_t)kernels->width % 4 == 2 ? -2.0 * log2e : -log2e);
  struct cpu_cell cell = {.kind = CELL_LSTM,
                          .weights = weights,
                          .bias = bias,
                          .inputs = MANY,
                          .units = 1,
                          .blocks = 1,
                          .block_size = (MANY + 1) * line,
                          .activation = CUSEQ_ACTIVATION_TANH,
                          .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID};
  struct cpu_cell_step step = {
      .cell = &cell, .segments = 1, .has_hidden = true, .hot_first = -1, .part = {0, cell.blocks}};
  struct cpu_cell_row rows[6];
  cell.code = kernels->products.cell_code(&cell);
  step.count[0] = step.first[1] = MANY;
  step.count[1] = 1;
  for (int r = 0; r < 6; r++)
    rows[r] = (struct cpu_cell_row){.in = {x, zero}, .state = c, .out = h[r]};
  const double gate = 1.0 / (1.0 + exp(-2.0)), want = gate * tanh(gate * tanh(2.0));
  kernels->products.cell_step(&step, rows, 1);
  cr_expect(fabs((double)h[0][0] - want) <= 64.0 * UNIT, "%s: got %.9g, want %.9g", kernels->name,
            (double)h[0][0], want);
  free(weights);
  free(bias);
  free(x);
  free(zero);
}

Test(long_sums, kernels_of_the_cpu_add_many_terms_as_well_as_few) {
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (!runs_here(all[i]))
      continue;
    check_dense(all[i]);
    check_energies(all[i], 1);
    check_energies(all[i], 2);
    check_dots_and_softmax(all[i]);
    check_cell(all[i]);
  }
}
#endif
