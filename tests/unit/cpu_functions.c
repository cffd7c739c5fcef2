/* The cpu backend's elementary functions, on every instruction set that this processor has. */
#include "backends/cpu/isa.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const isas[] = {"avx512", "avx2", "portable"};
enum { ISAS = sizeof isas / sizeof *isas, MOST = 1 << 16 };

/* The kernels of an instruction set, or NULL with a message where this processor has not got it. */
static const struct cpu_kernels *kernels_of(int i) {
  const struct cpu_kernels *kernels;
  setenv("CUSEQ_CPU_ISA", isas[i], 1);
  if (isa_pick(&kernels) == CUSEQ_STATUS_OK)
    return kernels;
  cr_log_info("skipped: this processor has no %s", isas[i]);
  return NULL;
}

static float values[MOST], results[MOST];

/* Values from low to high, and a few that are easy to get wrong. */
static void fill(float low, float high) {
  static const float special[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 1e-7f, -1e-7f, 1.0f, -1.0f};
  for (int i = 0; i < MOST; i++)
    values[i] = low + (high - low) * (float)i / (float)(MOST - 1);
  memcpy(values + 100, special, sizeof special);
  memcpy(results, values, sizeof values);
}

static double exact(cuseq_activation activation, double x) {
  switch (activation) {
  case CUSEQ_ACTIVATION_TANH:
    return tanh(x);
  case CUSEQ_ACTIVATION_SIGMOID:
    return 1.0 / (1.0 + exp(-x));
  case CUSEQ_ACTIVATION_HARD_SIGMOID:
    return fmin(fmax(x / 6.0 + 0.5, 0.0), 1.0);
  case CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2:
    return fmin(fmax(0.2 * x + 0.5, 0.0), 1.0);
  case CUSEQ_ACTIVATION_RELU:
    return fmax(x, 0.0);
  default:
    return x;
  }
}

static void check_activation(cuseq_activation activation, float reach, double bound) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    if (!kernels)
      continue;
    fill(-reach, reach);
    kernels->activate(activation, results, MOST);
    int worst = 0;
    double error = 0.0;
    for (int k = 0; k < MOST; k++) {
      double off = fabs((double)results[k] - exact(activation, (double)values[k]));
      if (!(off <= error)) {
        error = off;
        worst = k;
      }
    }
    cr_expect(error <= bound, "%s, activation %d of %.9g: got %.9g, want %.9g, error %.3g, bound %.3g",
              isas[i], (int)activation, (double)values[worst], (double)results[worst],
              exact(activation, (double)values[worst]), error, bound);
  }
}

Test(cpu_functions, sigmoid_and_tanh_are_within_their_bound) {
  const float reaches[] = {0.01f, 1.0f, 5.0f, 20.0f, 100.0f, 1e6f, 3e38f};
  for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++) {
    check_activation(CUSEQ_ACTIVATION_SIGMOID, reaches[i], 2.4e-7);
    check_activation(CUSEQ_ACTIVATION_TANH, reaches[i], 2.4e-7);
  }
}

Test(cpu_functions, piecewise_linear_activations_are_what_they_say) {
  check_activation(CUSEQ_ACTIVATION_HARD_SIGMOID, 8.0f, 1.2e-7);
  check_activation(CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2, 8.0f, 1.2e-7);
  check_activation(CUSEQ_ACTIVATION_RELU, 8.0f, 0.0);
  check_activation(CUSEQ_ACTIVATION_LINEAR, 8.0f, 0.0);
}

Test(cpu_functions, exp_is_within_two_units_in_the_last_place) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    const float ends[][2] = {{-87.2f, 88.0f}, {-1.0f, 1.0f}, {-87.2f, -60.0f}};
    for (int range = 0; kernels && range < 3; range++) {
      fill(ends[range][0], ends[range][1]);
      kernels->exponential(results, MOST);
      for (int k = 0; k < MOST; k++) {
        double want = exp((double)values[k]), unit = ldexp(1.0, ilogb(want) - 23);
        cr_assert(fabs((double)results[k] - want) <= 2.0 * unit, "%s, exp(%.9g): got %.9g, want %.9g",
                  isas[i], (double)values[k], (double)results[k], want);
      }
    }
  }
}

Test(cpu_functions, limits_are_reached_and_nan_stays_nan) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    if (!kernels)
      continue;
    uint32_t payload = 0x7fabcdefu; /* a NaN of bits that arithmetic on exponents would lose */
    float odd;
    memcpy(&odd, &payload, sizeof odd);
    const float inputs[16] = {NAN, -NAN, odd, INFINITY, -INFINITY, 0.0f};
    const cuseq_activation all[] = {CUSEQ_ACTIVATION_TANH,
                                    CUSEQ_ACTIVATION_SIGMOID,
                                    CUSEQ_ACTIVATION_RELU,
                                    CUSEQ_ACTIVATION_HARD_SIGMOID,
                                    CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2,
                                    CUSEQ_ACTIVATION_LINEAR};
    float x[16];
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
      memcpy(x, inputs, sizeof x);
      kernels->activate(all[a], x, 16);
      cr_expect(isnan(x[0]) && isnan(x[1]) && isnan(x[2]), "%s: activation %d loses a NaN", isas[i],
                (int)all[a]);
      cr_expect(fabs((double)x[5] - exact(all[a], 0.0)) <= 0.0, "%s: activation %d of 0 is %.9g", isas[i],
                (int)all[a], (double)x[5]);
      if (all[a] == CUSEQ_ACTIVATION_RELU || all[a] == CUSEQ_ACTIVATION_LINEAR)
        continue;
      cr_expect(fabs((double)x[3] - 1.0) <= 1e-8 &&
                    fabs((double)x[4] + (all[a] == CUSEQ_ACTIVATION_TANH ? 1.0 : 0.0)) <= 1e-8,
                "%s: activation %d ends at %.9g and %.9g", isas[i], (int)all[a], (double)x[3], (double)x[4]);
    }
    memcpy(x, inputs, sizeof x);
    x[3] = -1000.0f;
    kernels->exponential(x, 16);
    cr_expect(isnan(x[0]) && isnan(x[1]) && isnan(x[2]) && x[3] == 0.0f && x[4] == 0.0f && x[5] == 1.0f, "%s",
              isas[i]);
  }
}

Test(cpu_functions, softmax_ignores_what_lies_past_its_end) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    for (int32_t count = 1; kernels && count <= 50; count++) {
      float x[64];
      double want[64], sum = 0.0, largest = -INFINITY;
      for (int k = 0; k < 64; k++)
        x[k] = k < count ? sinf((float)(k * 7 + count)) * 9.0f : NAN;
      for (int k = 0; k < count; k++)
        largest = fmax(largest, (double)x[k]);
      for (int k = 0; k < count; k++)
        sum += want[k] = exp((double)x[k] - largest);
      kernels->softmax(x, count, x);
      for (int k = 0; k < count; k++)
        cr_assert(fabs((double)x[k] - want[k] / sum) <= 3e-7, "%s: %d of %d: got %.9g, want %.9g", isas[i], k,
                  (int)count, (double)x[k], want[k] / sum);
    }
  }
}

Test(cpu_functions, softmax_of_nan_or_infinity_is_nan) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    const float bad[] = {NAN, INFINITY};
    for (int32_t at = 0; kernels && at < 40; at++) {
      float x[48] = {0};
      x[at] = bad[at % 2];
      kernels->softmax(x, 40, x);
      cr_assert(isnan(x[at]), "%s: at %d: %.9g", isas[i], (int)at, (double)x[at]);
    }
  }
}

Test(cpu_functions, softmax_writes_its_values_and_no_more) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    for (int32_t count = 1; kernels && count <= 50; count++) {
      float x[64] = {0}, out[64];
      for (int k = 0; k < 64; k++)
        out[k] = 7.0f;
      kernels->softmax(x, count, out);
      for (int k = 0; k < 64; k++)
        cr_assert(fabsf(out[k] - (k < count ? 1.0f / (float)count : 7.0f)) <= 1e-7f, "%s: %d of %d: %.9g",
                  isas[i], k, (int)count, (double)out[k]);
    }
  }
}

/* What argmax is to find, one by one. */
static int32_t largest_index(const float *x, int32_t count) {
  int32_t best = 0;
  for (int32_t k = 1; k < count; k++)
    if (x[k] > x[best])
      best = k;
  return best;
}

Test(cpu_functions, argmax_agrees_with_a_search_one_by_one) {
  uint32_t state = 1;
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    for (int round = 0; kernels && round < 5000; round++) {
      static float x[320];
      const int32_t count = 1 + round % 300;
      for (int k = 0; k < 320; k++) {
        state = state * 1664525u + 1013904223u;
        const uint32_t kind = state >> 24;
        x[k] = kind < 8    ? NAN
               : kind < 16 ? -INFINITY
               : kind < 18 ? INFINITY
                           : (float)(kind % (uint32_t)(2 + round % 90));
        x[k] = round % 7 == 0 ? -INFINITY : round % 11 == 0 && k > 0 ? NAN : x[k];
      }
      for (int softmax = 0; softmax < 2; softmax++) {
        bool finite;
        cr_assert_eq(kernels->argmax(x, count, softmax, &finite), largest_index(x, count), "%s: round %d",
                     isas[i], round);
        cr_assert_eq(finite, kernels->finite(x, count, softmax), "%s: round %d", isas[i], round);
      }
    }
  }
}

Test(cpu_functions, argmax_takes_the_lowest_of_equal_values) {
  for (int i = 0; i < ISAS; i++) {
    const struct cpu_kernels *kernels = kernels_of(i);
    if (!kernels)
      continue;
    float x[48] = {0};
    bool finite;
    cr_expect_eq(kernels->argmax(x, 40, true, &finite), 0);
    x[7] = x[23] = x[39] = 2.0f;
    cr_expect_eq(kernels->argmax(x, 40, true, &finite), 7);
    x[31] = 2.5f;
    cr_expect_eq(kernels->argmax(x, 40, true, &finite), 31);
    x[0] = NAN;
    cr_expect_eq(kernels->argmax(x, 40, true, &finite), 0);
  }
}
