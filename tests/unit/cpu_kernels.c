/* The cpu backend's products, on every instruction set that this processor has, against plain loops in
 * float64. */
#include "backends/cpu/isa.h"

#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const isas[] = {"avx512", "avx2", "portable"};
enum { ISAS = sizeof isas / sizeof *isas, STRIDE = 160 };

static const struct cpu_kernels *kernels_of(int i) {
  const struct cpu_kernels *kernels;
  setenv("CUSEQ_CPU_ISA", isas[i], 1);
  if (isa_pick(&kernels) == CUSEQ_STATUS_OK)
    return kernels;
  cr_log_info("skipped: this processor has no %s", isas[i]);
  return NULL;
}

static void fill(float *array, size_t count, struct random *random) {
  for (size_t i = 0; i < count; i++)
    array[i] = random_between(random, -1.0f, 1.0f);
}

static _Alignas(64) float a[64 * STRIDE], v[STRIDE], out[STRIDE * STRIDE], e[STRIDE];

Test(cpu_kernels, transposes_any_shape) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    struct random random = {5};
    fill(a, sizeof a / sizeof *a, &random);
    for (int32_t rows = 1; kernels && rows <= 40; rows += 13)
      for (int32_t columns = 1; columns <= 70; columns += 23) {
        kernels->transpose(a, STRIDE, rows, columns, out, STRIDE);
        for (int32_t r = 0; r < rows; r++)
          for (int32_t c = 0; c < columns; c++)
            cr_assert_eq(out[c * STRIDE + r], a[r * STRIDE + c], "%s: %d x %d", isas[i], (int)rows,
                         (int)columns);
      }
  }
}

Test(cpu_kernels, dots_give_each_positions_product) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    struct random random = {6};
    for (int32_t length = 1; kernels && length <= 50; length += 7)
      for (int32_t columns = 1; columns <= 130; columns += 43) {
        fill(a, sizeof a / sizeof *a, &random);
        fill(v, STRIDE, &random);
        memset(v + columns, 0, (size_t)(STRIDE - columns) * sizeof *v);
        kernels->dots(a, STRIDE, columns, v, 0.25f, 1.5f, length, e);
        for (int32_t t = 0; t < length; t++) {
          double want = 0.25;
          for (int32_t k = 0; k < columns; k++)
            want += (double)a[t * STRIDE + k] * (double)v[k];
          cr_assert(fabs((double)e[t] - 1.5 * want) <= 1e-5,
                    "%s: length %d, %d columns, t %d: got %.9g, want %.9g", isas[i], (int)length,
                    (int)columns, (int)t, (double)e[t], 1.5 * want);
        }
      }
  }
}

Test(cpu_kernels, attention_sums_over_the_length_alone) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    struct random random = {7};
    for (int32_t length = 1; kernels && length <= 50; length++) {
      const int32_t columns = 1 + length * 2;
      fill(a, sizeof a / sizeof *a, &random);
      fill(e, STRIDE, &random);
      double weights[64], sum = 0.0;
      for (int32_t t = 0; t < length; t++)
        sum += weights[t] = exp((double)e[t]);
      for (int32_t t = length; t < 64; t++)
        e[t] = a[t * STRIDE] = NAN;
      kernels->attend(a, STRIDE, columns, length, e, out);
      for (int32_t k = 0; k < columns; k++) {
        double want = 0.0;
        for (int32_t t = 0; t < length; t++)
          want += weights[t] / sum * (double)a[t * STRIDE + k];
        cr_assert(fabs((double)out[k] - want) <= 1e-6, "%s: length %d, column %d: got %.9g, want %.9g",
                  isas[i], (int)length, (int)k, (double)out[k], want);
      }
      for (int32_t t = 0; t < length; t++)
        cr_assert(fabs((double)e[t] - weights[t] / sum) <= 3e-7);
    }
  }
}

Test(cpu_kernels, narrowing_rounds_to_float32) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    double wide[37];
    float narrow[38];
    for (int k = 0; k < 37; k++)
      wide[k] = 1.0 / (3.0 + k);
    narrow[37] = -7.0f;
    if (!kernels)
      continue;
    kernels->narrow(wide, 37, narrow);
    for (int k = 0; k < 37; k++)
      cr_expect_eq(narrow[k], (float)wide[k]);
    cr_expect_eq(narrow[37], -7.0f, "wrote past its end");
  }
}

Test(cpu_kernels, merges_are_sum_product_and_mean) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    struct random random = {8};
    if (!kernels)
      continue;
    fill(a, 2 * STRIDE, &random);
    const float *x = a, *y = a + STRIDE;
    kernels->merge(CUSEQ_MERGE_SUM, x, y, 33, out);
    for (int k = 0; k < 33; k++)
      cr_expect_eq(out[k], x[k] + y[k]);
    kernels->merge(CUSEQ_MERGE_MUL, x, y, 33, out);
    for (int k = 0; k < 33; k++)
      cr_expect_eq(out[k], x[k] * y[k]);
    kernels->merge(CUSEQ_MERGE_AVE, x, y, 33, out);
    for (int k = 0; k < 33; k++)
      cr_expect_eq(out[k], (x[k] + y[k]) / 2.0f);
  }
}

enum { KEYS = 19, POSITIONS = 48 };

/* The energies of `length` positions against float64, and whether the keys became powers as they should. */
static void check_energies(const char *isa, const struct cpu_kernels *kernels, float key_reach,
                           float query_reach, int32_t length, int32_t powers) {
  static _Alignas(64) float keys[KEYS * POSITIONS], query[32], scratch[2 * KEYS * CPU_LANES];
  const double scale = cpu_scale_of(CUSEQ_ACTIVATION_TANH);
  float weights[KEYS], bias = 0.125f;
  struct random random = {9};
  const struct cpu_energy energy = {.layers = 1,
                                    .units = {KEYS, 1},
                                    .activation = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_LINEAR},
                                    .weights = {NULL, weights},
                                    .bias = {NULL, &bias},
                                    .scale = 0.5f};
  double want[POSITIONS];
  fill(weights, KEYS, &random);
  for (int32_t j = 0; j < 32; j++)
    query[j] = j < KEYS ? (float)(scale * (double)random_between(&random, -query_reach, query_reach)) : 0.0f;
  for (int32_t j = 0; j < KEYS; j++)
    for (int32_t t = 0; t < POSITIONS; t++)
      keys[j * POSITIONS + t] =
          t < length ? (float)(scale * (double)random_between(&random, -key_reach, key_reach)) : NAN;
  for (int32_t t = 0; t < length; t++) {
    want[t] = 0.125;
    for (int32_t j = 0; j < KEYS; j++)
      want[t] += (double)weights[j] * tanh(((double)keys[j * POSITIONS + t] + (double)query[j]) / scale);
  }
  cr_assert_eq(kernels->key_powers(&energy, keys, POSITIONS, length), powers, "%s: keys to %g", isa,
               (double)key_reach);
  kernels->energies(&energy, keys, POSITIONS, powers, query, length, scratch, e);
  for (int32_t t = 0; t < length; t++)
    cr_assert(fabs((double)e[t] - want[t] / 2.0) <= 2e-6,
              "%s: keys to %g, queries to %g: %d of %d: got %.9g, want %.9g", isa, (double)key_reach,
              (double)query_reach, (int)t, (int)length, (double)e[t], want[t] / 2.0);
}

/* Keys past 20 are not kept as powers; queries may be of any size with either. */
Test(cpu_kernels, energies_are_exact_whatever_the_size_of_keys_and_queries) {
  static const float key_reaches[] = {0.01f, 1.0f, 20.0f, 30.0f},
                     query_reaches[] = {0.01f, 1.0f, 30.0f, 60.0f, 1000.0f};
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    for (int32_t length = 1; kernels && length <= POSITIONS; length += 5)
      for (int k = 0; k < 4; k++)
        for (int q = 0; q < 5; q++)
          if (k < 3 || length > 10)
            check_energies(isas[i], kernels, key_reaches[k], query_reaches[q], length, k < 3);
  }
}

/* In bf16 a part of the inputs that begins within a word, and ends within one, has zeros beside it, whatever
 * lay in the room before. */
Test(cpu_kernels, halves_of_words_in_bf16_have_zeros_beside_them) {
  enum { BEFORE = 1, MOST = 48, UNITS = 16 };
  const struct cpu_kernels *kernels = kernels_of(0);
  const struct cpu_products *products;
  if (!kernels || isa_products(kernels, "cpu", CUSEQ_PRECISION_BF16, &products) != CUSEQ_STATUS_OK)
    cr_skip_test("this processor lacks AVX-512 BF16");
  for (int32_t count = 1; count <= MOST; count++) {
    const int32_t inputs = BEFORE + count + 1;
    static _Alignas(64) float weights[(MOST + 2 + UNITS) * 2 * UNITS], bias[4 * UNITS], zeros[MOST],
        state[UNITS], h[UNITS];
    struct cpu_cell cell = {.kind = CELL_LSTM,
                            .weights = weights,
                            .bias = bias,
                            .scale = {1.0f, 1.0f, 1.0f, 1.0f},
                            .inputs = inputs,
                            .units = UNITS,
                            .blocks = 1,
                            .block_size = (size_t)((inputs + 1) / 2 + UNITS / 2) * 4 * UNITS,
                            .activation = CUSEQ_ACTIVATION_TANH,
                            .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID};
    const size_t room = products->cell_room(inputs, UNITS, 1);
    const struct cpu_cell_step step = {.cell = &cell,
                                       .segments = 2,
                                       .first = {0, BEFORE, inputs},
                                       .count = {BEFORE, count, UNITS},
                                       .has_hidden = true,
                                       .hot_first = -1,
                                       .part = {0, 1},
                                       .room = memset(malloc(room), 0xff, room)};
    const struct cpu_cell_row row = {.in = {zeros, zeros, zeros}, .state = state, .out = h};
    cell.code = products->cell_code(&cell);
    products->cell_step(&step, &row, 1);
    for (int32_t j = 0; j < UNITS; j++)
      cr_assert_eq(h[j], 0.0f, "%d inputs, unit %d: %g", (int)count, (int)j, (double)h[j]);
    free(step.room);
  }
}
