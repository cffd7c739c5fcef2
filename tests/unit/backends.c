/* Every option of the design on every backend, against the float64 reference. */
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The device tests build this file again, for their device and with fewer cases. */
#ifndef BACKENDS_DEVICES
#define BACKENDS_DEVICES "cpu"
#define BACKENDS_SMALL 400
#define BACKENDS_MIDDLE 120
#define BACKENDS_LONGEST 1000
#endif

static const char *const devices[] = {BACKENDS_DEVICES};
enum { DEVICES = sizeof devices / sizeof *devices };

static void case_describe(const struct random_case *made, char *text, size_t capacity) {
  snprintf(text, capacity, "B %d T %d Y %d %s%s E %d u %d %s", (int)made->B, (int)made->T, (int)made->Y,
           made->ids ? "ids" : "dense", made->lengths ? " lengths" : "", (int)made->widths.embedding_units,
           (int)made->widths.additive_units, made->json);
}

static void check_case(const struct random_case *made) {
  char text[2400];
  case_describe(made, text, sizeof text);
  struct results want;
  cuseq_input input = random_case_input(made);
  results_make(&want, made->model, made->B, made->T, made->Y);
  results_run(&want, made->model, "reference", 1, &input);
  for (int d = 0; d < DEVICES; d++) {
    struct results got;
    const char *name;
    results_make(&got, made->model, made->B, made->T, made->Y);
    results_run(&got, made->model, devices[d], 0, &input);
    cr_expect(results_guards_whole(&got, &name), "%s writes outside %s: %s", devices[d], name, text);
    cr_expect(results_close(&got, &want, 1.0), "%s: %s: %s", devices[d], results_report(), text);
    results_free(&got);
  }
  results_free(&want);
}

/* Linear and relu cells may run away over many positions: there a tolerance says nothing. */
static void check_random_cases(uint64_t seed, int count, int32_t largest) {
  struct random random = {seed};
  for (int i = 0; i < count; i++) {
    struct random_case made;
    random_case_make(&made, &random, largest);
    check_case(&made);
    random_case_free(&made);
  }
}

Test(backends, any_small_configuration_agrees_with_the_reference) {
  check_random_cases(1, BACKENDS_SMALL, 9);
}

Test(backends, any_configuration_of_middle_size_agrees_with_the_reference) {
  check_random_cases(2, BACKENDS_MIDDLE, 40);
}

static void check_sizes(int32_t B, int32_t T, int32_t F, int32_t H, int32_t S) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d},\"attention\":{\"score\":\"concat\","
           "\"layers\":["
           "{\"units\":10,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}]},\"decoder\":{"
           "\"units\":%d,"
           "\"steps\":3,\"initial_state\":\"dense\"},\"output\":{\"units\":11}}",
           (int)F, (int)H, (int)S);
  struct random random = {(uint64_t)B * 1000003u + (uint64_t)H};
  struct random_case made = {.B = B, .T = T, .Y = 3};
  memcpy(made.json, json, sizeof json);
  made.model = random_model(json, &made.widths, &random);
  made.x = malloc((size_t)B * T * F * sizeof *made.x);
  made.lengths = malloc((size_t)B * sizeof *made.lengths);
  for (size_t i = 0; i < (size_t)B * T * F; i++)
    made.x[i] = random_between(&random, -1.0f, 1.0f);
  for (int32_t b = 0; b < B; b++)
    made.lengths[b] = 1 + random_below(&random, T);
  check_case(&made);
  random_case_free(&made);
}

Test(backends, odd_sizes_of_the_cells_agree_with_the_reference) {
  static const int32_t sizes[] = {1, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 97, 127, 128, 129};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    check_sizes(3, 7, 5, sizes[i], 13);
    check_sizes(3, 7, sizes[i], 11, sizes[i]);
  }
  check_sizes(2, 5, 20, 500, 300);
}

Test(backends, odd_sizes_of_the_batch_and_of_time_agree_with_the_reference) {
  static const int32_t sizes[] = {1, 2, 3, 5, 7, 31, 32, 33, 61, 64, 65, 97, 131};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    check_sizes(sizes[i], 6, 9, 12, 18);
    check_sizes(2, sizes[i], 9, 12, 18);
  }
}

Test(backends, many_positions_agree_with_the_reference) {
  check_sizes(2, BACKENDS_LONGEST, 7, 24, 20);
}
